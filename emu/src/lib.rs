//! goemu: an x86-64 emulator for functions compiled by Go.

pub mod disasm;
pub mod go;

//! goemu: an x86-64 emulator for functions compiled by Go.

pub mod alu;
pub mod cpu;
pub mod decode;
pub mod disasm;
pub mod engine;
pub mod exit;
pub mod go;
pub mod interp;
pub mod memory;

use bitflags::bitflags;

bitflags! {
    /// What may be done with memory.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Perm: u8 {
        /// Loads.
        const READ = 1;
        /// Stores.
        const WRITE = 2;
        /// Fetches of instructions.
        const EXEC = 4;
    }
}

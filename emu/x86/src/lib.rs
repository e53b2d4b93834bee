//! An x86-64 processor in software: registers, flags, instructions, and what runs them.
//!
//! [`cpu`] is the state, [`alu`] computes the results of instructions, [`decode`] turns bytes into blocks, [`engine`] is
//! the trait that runs them, [`interp`] the engine that executes one operation after the other, and [`coverage`] counts what
//! engines ran through.
//! Nothing here knows of operating systems, of files or of Go: guest memory is all that it needs.

pub mod alu;
pub mod coverage;
pub mod cpu;
pub mod decode;
pub mod engine;
pub mod exit;
pub mod interp;

pub use goemu_memory as memory;
pub use iced_x86;

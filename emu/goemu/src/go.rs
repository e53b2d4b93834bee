//! Go without a machine: the locations of a call's values, and their meaning.
//!
//! - [`abi`] assigns the arguments and results of a signature to registers and stack slots;
//!   [`frame`] copies their bytes there and back. Both are pure.
//! - [`value`] is a Go value outside the guest. [`read`] reads one from guest memory, [`write`](mod@write) writes one,
//!   [`print`](mod@print) prints it as Go does, [`literal`] parses Go syntax, and [`arguments`] parses all arguments of
//!   a call.
//! - [`passing`] combines these: arguments into a frame, results out of it.
//! - [`traceback`](mod@traceback) finds the calls of a goroutine.
//! - [`guess`] guesses a signature that the file does not have.
//! - [`guest`] has the traits for memory and types, so that this folder does not depend on the machine.

pub mod abi;
pub mod arguments;
mod budget;
pub(crate) mod cgo;
pub(crate) mod chance;
pub(crate) mod closure;
pub mod frame;
pub(crate) mod generic;
pub(crate) mod goroutine_list;
pub mod guess;
pub mod guest;
pub(crate) mod implement;
pub mod literal;
pub mod locals;
pub(crate) mod map;
pub(crate) mod meeting;
pub mod names;
mod order;
pub(crate) mod own;
pub mod passing;
pub mod print;
pub mod read;
pub(crate) mod signature;
pub(crate) mod start;
pub(crate) mod tls;
pub mod traceback;
pub mod types;
pub mod value;
pub(crate) mod variables;
pub mod write;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
pub(crate) mod testing;

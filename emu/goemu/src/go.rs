//! What Go adds to a bare processor: where a call's values live, and what they mean.
//!
//! - [`abi`] says in which registers and stack slots the arguments and results of a signature are;
//!   [`frame`] carries their bytes there and back. Both are pure.
//! - [`value`] is a Go value outside the machine. [`read`] makes one from guest memory, [`write`](mod@write) puts one
//!   there, [`print`](mod@print) shows it as Go would, [`literal`] takes it from Go syntax, and [`arguments`] all those of
//!   a call.
//! - [`passing`] puts these together: arguments into a frame, results out of it.
//! - [`traceback`](mod@traceback) says in which calls a goroutine is.
//! - [`guess`] is what can be said of a signature where the file does not tell it.
//! - [`guest`] holds the traits by which those see memory and types, so none of them knows the machine.

pub mod abi;
pub mod arguments;
mod budget;
pub(crate) mod cgo;
pub(crate) mod closure;
pub mod frame;
pub(crate) mod generic;
pub mod guess;
pub mod guest;
pub mod literal;
pub(crate) mod map;
pub mod names;
mod order;
pub mod passing;
pub mod print;
pub mod read;
pub(crate) mod signature;
pub(crate) mod tls;
pub mod traceback;
pub mod types;
pub mod value;
pub(crate) mod variables;
pub mod write;

#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod testing;

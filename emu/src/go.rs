//! What Go adds to a bare processor: where a call's values live, and what they mean.
//!
//! - [`abi`] says in which registers and stack slots the arguments and results of a signature are;
//!   [`frame`] carries their bytes there and back. Both are pure.
//! Values themselves, and how they are read, written and printed, come beside these.

pub mod abi;
pub mod frame;

#[cfg(test)]
mod testing;

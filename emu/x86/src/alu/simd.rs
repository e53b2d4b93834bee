//! Vector instructions on one 128-bit lane, as a `u128` with element 0 in the low bits.
//!
//! One function serves the SSE instruction, its VEX.128 form and, lane by lane, its VEX.256 form. Instructions
//! that move data across the lanes of a YMM register take and return `[u128; 2]`. Named as in Intel's manual.

mod aes;
mod arith;
mod clmul;
mod compare;
mod element;
mod lanes;
mod pack;
mod sha;
mod shift;
mod shuffle;
mod strings;
mod widen;

pub use aes::{aesdec, aesdeclast, aesenc, aesenclast, aesimc, aeskeygenassist};
pub use clmul::pclmulqdq;
pub use element::{Element, each, first, map, with_first, zip, zip_at};
pub use sha::{sha1msg1, sha1msg2, sha1nexte, sha1rnds4, sha256msg1, sha256msg2, sha256rnds2};
pub use strings::{StringCompare, StringLength, pcmpstr};

pub use self::{arith::*, compare::*, lanes::*, pack::*, shift::*, shuffle::*, widen::*};

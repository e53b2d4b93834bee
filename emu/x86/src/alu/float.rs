//! IEEE-754 arithmetic as x86 does it: bits in, bits out, exceptions into [`Mxcsr`].
//!
//! Numbers travel as their bits (`u32`: binary32, `u64`: binary64, `u16`: binary16), because a host may change a
//! NaN that it loads as a float. The usual case (default rounding, ordinary operands and result) runs on the
//! host's own arithmetic; all else runs on [`real`], which is exact. Nothing here depends on the host's
//! processor or rounding mode: `host`, which lets it carry out whole vector instructions where it can, gives the same.

mod arith;
mod compare;
mod convert;
mod decimal;
mod extended;
mod fma;
mod format;
pub(crate) mod host;
mod mxcsr;
mod packed;
pub mod real;
mod remainder;
mod scale;
mod transcendental;
mod wide;

pub use arith::{add, div, max, min, mul, reciprocal, reciprocal_sqrt, sqrt, sub};
pub use compare::{Compared, compare, compare_flags, predicate};
pub use convert::{
    from_half, from_i32, from_i64, from_single, round_to_integral, to_half, to_i32, to_i64, to_single,
};
pub use extended::{Extended, F80, Tag};
pub use fma::{fused, negated};
pub use format::{Float, HostFloat};
pub use mxcsr::{Mxcsr, Rounding};
pub use packed::{alternate, dot, horizontal};
pub use remainder::Quotient;

//! Exponents taken off and put on: FXTRACT, FSCALE.

use super::{
    extended::{Extended, F80},
    mxcsr::{Mxcsr, Rounding},
    real::Real,
};

/// No exponent goes further than this from any number to zero or infinity.
const MAX_SCALE: i64 = 0x10000;

impl F80 {
    /// FSCALE: `a` times two to the power of `b`, cut to an integer.
    pub fn scale(a: F80, b: F80, env: &mut Extended) -> F80 {
        if let Some(nan) = F80::nan_of(a, b, env) {
            return nan;
        }
        if b.is_infinite() {
            let invalid = if b.negative() { a.is_infinite() } else { a.is_zero() };
            if invalid {
                return env.invalid();
            }
            env.note_denormal(&[a]);
            let vanishes = b.negative();
            return if vanishes { F80::ZERO.signed(a.negative()) } else { F80::infinity(a.negative()) };
        }
        env.note_denormal(&[a, b]);
        let Some(real) = a.real().filter(|_| !a.is_infinite()) else { return a };
        let by = b.real().map_or(0, |b| {
            let magnitude = b.to_integer(Rounding::Zero).0.min(MAX_SCALE.unsigned_abs().into()) as i64;
            if b.negative { -magnitude } else { magnitude }
        });
        env.round_whole(Real { exponent: real.exponent + by as i32, ..real })
    }

    /// FXTRACT: the exponent as a number, and the significand between 1 and 2.
    pub fn extract(a: F80, env: &mut Extended) -> (F80, F80) {
        if let Some(nan) = F80::nan_of(a, a, env) {
            return (nan, nan);
        }
        if a.is_infinite() {
            return (F80::infinity(false), a);
        }
        let Some(real) = a.real() else {
            env.flags |= Mxcsr::ZE;
            return (F80::infinity(true), a);
        };
        env.note_denormal(&[a]);
        let significand = a.significand << a.significand.leading_zeros();
        let significand = F80 { significand, ..F80::ONE }.signed(a.negative());
        (F80::from_integer(real.magnitude().into()), significand)
    }
}

//! Fused multiply-add: one rounding at the end. Intel SDM volume 1, section 14.5.

use super::{
    arith::{invalid, note_denormal},
    format::Float,
    mxcsr::{Mxcsr, Rounding},
};

/// The number with its sign changed where `negate` says so; a NaN keeps its sign, as the FMA instructions
/// change signs of products and sums, not of NaNs.
pub fn negated<F: Float>(x: F, negate: bool) -> F {
    if negate && !x.is_nan() { x.negated() } else { x }
}

/// `x * y + z` with one rounding. The operands stand in the order in which their NaNs win.
pub fn fused<F: Float>(x: F, y: F, z: F, env: &mut Mxcsr) -> F {
    if let Some(nan) = nan_of_three(x, y, z, env) {
        return nan;
    }
    let (x, y, z) = (x.flushed(*env), y.flushed(*env), z.flushed(*env));
    let negative = x.negative() != y.negative();
    let infinite = x.is_infinite() || y.is_infinite();
    if infinite && (x.is_zero() || y.is_zero() || z.is_infinite() && z.negative() != negative) {
        return invalid(env);
    }
    note_denormal(&[x, y, z], env);
    if infinite || z.is_infinite() {
        return if infinite { F::infinity(negative) } else { z };
    }
    let product = x.real().zip(y.real()).map(|(x, y)| x.times(y));
    let sum = match (product, z.real()) {
        (Some(product), Some(z)) => product.plus(z),
        (None, None) if negative == z.negative() => return z,
        (product, z) => product.or(z),
    };
    match sum {
        Some(real) => F::round(real, env),
        None => F::zero(env.rounding() == Rounding::Down),
    }
}

fn nan_of_three<F: Float>(x: F, y: F, z: F, env: &mut Mxcsr) -> Option<F> {
    if [x, y, z].iter().any(|n| n.is_signaling()) {
        env.raise(Mxcsr::IE);
    }
    [x, y, z].iter().find(|n| n.is_nan()).map(|n| n.quieted())
}

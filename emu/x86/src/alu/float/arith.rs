//! Addition, subtraction, multiplication, division, square root, minimum, maximum, and the two approximations.
//!
//! Every function first tries the host: with rounding to nearest, zero or normal operands and a result well
//! inside the normal numbers, the only exception is "inexact", and that one is known when it is noted already or
//! when the result can be checked.

use super::{
    Compared, Rounding, compare,
    format::{Float, HostFloat},
    mxcsr::Mxcsr,
};

/// The NaN that two operands give, if one of them is NaN: the first one, made quiet.
pub(super) fn nan_of<F: Float>(a: F, b: F, env: &mut Mxcsr) -> Option<F> {
    if a.is_signaling() || b.is_signaling() {
        env.raise(Mxcsr::IE);
    }
    if a.is_nan() {
        Some(a.quieted())
    } else if b.is_nan() {
        Some(b.quieted())
    } else {
        None
    }
}

/// Notes denormal operands.
pub(super) fn note_denormal<F: Float>(operands: &[F], env: &mut Mxcsr) {
    if operands.iter().any(|x| x.is_denormal()) {
        env.raise(Mxcsr::DE | Mxcsr::SLOW);
    }
}

pub(super) fn invalid<F: Float>(env: &mut Mxcsr) -> F {
    env.raise(Mxcsr::IE);
    F::indefinite()
}

/// Bits between the leading and the last one of a normal number.
#[inline]
fn significant_bits<F: Float>(x: F) -> u32 {
    F::FORMAT.precision - (x.bits() | 1 << F::FRACTION).trailing_zeros()
}

/// Zero or normal.
#[inline]
fn ordinary<F: Float>(x: F) -> bool {
    x.is_normal() || x.is_zero()
}

/// Normal, and no neighbour of the denormals: rounding did not lift it over the border.
#[inline]
fn well_inside<F: Float>(x: F) -> bool {
    x.biased().wrapping_sub(2) < F::SPECIAL - 2
}

/// Addition (ADDSS and its kin).
#[inline]
pub fn add<F: HostFloat>(a: F, b: F, env: &mut Mxcsr) -> F {
    if env.nearest() && ordinary(a) && ordinary(b) {
        let sum = a.host_add(b);
        // The difference to the larger operand is exact, so it is the other one only if nothing was lost.
        let known = env.inexact_noted() || sum.host_sub(a) == b && sum.host_sub(b) == a;
        if well_inside(sum) && known {
            return sum;
        }
    }
    exact_add(a, b, env)
}

#[cold]
fn exact_add<F: Float>(a: F, b: F, env: &mut Mxcsr) -> F {
    if let Some(nan) = nan_of(a, b, env) {
        return nan;
    }
    let (a, b) = (a.flushed(*env), b.flushed(*env));
    if a.is_infinite() && b.is_infinite() && a != b {
        return invalid(env);
    }
    note_denormal(&[a, b], env);
    if a.is_infinite() || b.is_infinite() {
        return if a.is_infinite() { a } else { b };
    }
    let sum = match (a.real(), b.real()) {
        (Some(x), Some(y)) => x.plus(y),
        (None, None) if a == b => return a,
        (x, y) => x.or(y),
    };
    match sum {
        Some(real) => F::round(real, env),
        None => F::zero(env.rounding() == Rounding::Down),
    }
}

/// Subtraction (SUBSS).
#[inline]
pub fn sub<F: HostFloat>(a: F, b: F, env: &mut Mxcsr) -> F {
    if b.is_nan() {
        return nan_of(a, b, env).unwrap_or(b);
    }
    add(a, b.negated(), env)
}

/// Multiplication (MULSS).
#[inline]
pub fn mul<F: HostFloat>(a: F, b: F, env: &mut Mxcsr) -> F {
    if env.nearest() && a.is_normal() && b.is_normal() {
        let product = a.host_mul(b);
        let known = env.inexact_noted() || significant_bits(a) + significant_bits(b) <= F::FORMAT.precision;
        if well_inside(product) && known {
            return product;
        }
    }
    exact_mul(a, b, env)
}

#[cold]
fn exact_mul<F: Float>(a: F, b: F, env: &mut Mxcsr) -> F {
    if let Some(nan) = nan_of(a, b, env) {
        return nan;
    }
    let (a, b) = (a.flushed(*env), b.flushed(*env));
    let negative = a.negative() != b.negative();
    if a.is_infinite() && b.is_zero() || a.is_zero() && b.is_infinite() {
        return invalid(env);
    }
    note_denormal(&[a, b], env);
    if a.is_infinite() || b.is_infinite() {
        return F::infinity(negative);
    }
    match (a.real(), b.real()) {
        (Some(x), Some(y)) => F::round(x.times(y), env),
        _ => F::zero(negative),
    }
}

/// Division (DIVSS).
#[inline]
pub fn div<F: HostFloat>(a: F, b: F, env: &mut Mxcsr) -> F {
    if env.nearest() && a.is_normal() && b.is_normal() {
        let quotient = a.host_div(b);
        if well_inside(quotient) && (env.inexact_noted() || is_product(a, quotient, b)) {
            return quotient;
        }
    }
    exact_div(a, b, env)
}

/// Whether `product` is exactly `a * b`, for numbers whose bits fit; false where that is unknown.
fn is_product<F: HostFloat>(product: F, a: F, b: F) -> bool {
    significant_bits(a) + significant_bits(b) <= F::FORMAT.precision && a.host_mul(b) == product
}

#[cold]
fn exact_div<F: Float>(a: F, b: F, env: &mut Mxcsr) -> F {
    if let Some(nan) = nan_of(a, b, env) {
        return nan;
    }
    let (a, b) = (a.flushed(*env), b.flushed(*env));
    let negative = a.negative() != b.negative();
    if a.is_infinite() && b.is_infinite() || a.is_zero() && b.is_zero() {
        return invalid(env);
    }
    if b.is_zero() && !a.is_infinite() {
        env.raise(Mxcsr::ZE);
        return F::infinity(negative);
    }
    note_denormal(&[a, b], env);
    if a.is_infinite() || b.is_infinite() {
        return if a.is_infinite() { F::infinity(negative) } else { F::zero(negative) };
    }
    match (a.real(), b.real()) {
        (Some(x), Some(y)) => F::round(x.over(y), env),
        _ => F::zero(negative),
    }
}

/// Square root (SQRTSS).
#[inline]
pub fn sqrt<F: HostFloat>(a: F, env: &mut Mxcsr) -> F {
    if env.nearest() && a.is_normal() && !a.negative() {
        let root = a.host_sqrt();
        if env.inexact_noted() || is_product(a, root, root) {
            return root;
        }
    }
    exact_sqrt(a, env)
}

#[cold]
fn exact_sqrt<F: Float>(a: F, env: &mut Mxcsr) -> F {
    if let Some(nan) = nan_of(a, a, env) {
        return nan;
    }
    let a = a.flushed(*env);
    if a.is_zero() {
        return a;
    }
    if a.negative() {
        return invalid(env);
    }
    note_denormal(&[a], env);
    match a.real() {
        Some(real) if !a.is_infinite() => F::round(real.root(), env),
        _ => a,
    }
}

/// The smaller one (MINSS): the second operand where they are equal or not ordered.
pub fn min<F: Float>(a: F, b: F, env: &mut Mxcsr) -> F {
    select(a, b, env, Compared::Less)
}

/// The larger one (MAXSS): the second operand where they are equal or not ordered.
pub fn max<F: Float>(a: F, b: F, env: &mut Mxcsr) -> F {
    select(a, b, env, Compared::Greater)
}

fn select<F: Float>(a: F, b: F, env: &mut Mxcsr, first_if: Compared) -> F {
    let compared = compare(a, b, true, env);
    if compared == first_if { a.flushed(*env) } else { b.flushed(*env) }
}

/// Bits of fraction that the approximations keep: enough for their bound, a relative error of 1.5 * 2^-12.
const APPROXIMATE: u32 = 12;

/// 1/x to 12 bits (RCPSS): denormals count as zero, nothing is noted. The manual gives a bound, not a value;
/// processors of different makers differ.
pub fn reciprocal(x: u32) -> u32 {
    approximate(x, |x| 1.0 / x)
}

/// 1/sqrt(x) to 12 bits (RSQRTSS), as [`reciprocal`].
pub fn reciprocal_sqrt(x: u32) -> u32 {
    if x.negative() && !x.is_nan() && !x.is_zero() && !x.is_denormal() {
        return u32::indefinite();
    }
    approximate(x, |x| 1.0 / x.sqrt())
}

fn approximate(x: u32, op: impl Fn(f64) -> f64) -> u32 {
    if x.is_nan() {
        return x.quieted();
    }
    if x.biased() == 0 {
        return u32::infinity(x.negative());
    }
    let exact = (op(f64::from(f32::from_bits(x))) as f32).to_bits();
    if exact.biased() == 0 {
        return u32::zero(x.negative());
    }
    let step = 1 << (u32::FRACTION - APPROXIMATE);
    if exact.is_infinite() { exact } else { (exact + step / 2) & !(step - 1) }
}

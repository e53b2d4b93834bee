//! Conversions between formats and to and from integers, and rounding to integral values.

use super::{
    arith::note_denormal,
    format::{Float, HostFloat},
    mxcsr::{Mxcsr, Rounding},
    real::{Format, Real},
};

/// A signed 32-bit integer as a float (CVTSI2SS).
#[inline]
pub fn from_i32<F: HostFloat>(x: i32, env: &mut Mxcsr) -> F {
    from_i64(x.into(), env)
}

/// A signed 64-bit integer as a float.
#[inline]
pub fn from_i64<F: HostFloat>(x: i64, env: &mut Mxcsr) -> F {
    let exact = x.unsigned_abs() >> F::FORMAT.precision == 0;
    if exact || env.nearest() && env.inexact_noted() {
        return F::host_from(x);
    }
    match Real::from_integer(x < 0, x.unsigned_abs()) {
        Some(real) => F::round(real, env),
        None => F::zero(false),
    }
}

/// A float as a signed 32-bit integer (CVTSS2SI); what does not fit is invalid and gives the smallest one.
pub fn to_i32<F: Float>(x: F, rounding: Rounding, env: &mut Mxcsr) -> i32 {
    to_integer(x, rounding, i32::MAX as u128, env).map_or(i32::MIN, |x| x as i32)
}

/// A float as a signed 64-bit integer, as [`to_i32`].
pub fn to_i64<F: Float>(x: F, rounding: Rounding, env: &mut Mxcsr) -> i64 {
    to_integer(x, rounding, i64::MAX as u128, env).unwrap_or(i64::MIN)
}

fn to_integer<F: Float>(x: F, rounding: Rounding, max: u128, env: &mut Mxcsr) -> Option<i64> {
    if x.biased() == F::SPECIAL {
        env.raise(Mxcsr::IE);
        return None;
    }
    let Some(real) = x.flushed(*env).real() else { return Some(0) };
    let (magnitude, inexact) = real.to_integer(rounding);
    if magnitude > max + u128::from(real.negative) {
        env.raise(Mxcsr::IE);
        return None;
    }
    if inexact {
        env.raise(Mxcsr::PE);
    }
    let magnitude = magnitude as i64;
    Some(if real.negative { magnitude.wrapping_neg() } else { magnitude })
}

/// The nearest integral value (ROUNDSS); `quiet` leaves "inexact" unnoted.
pub fn round_to_integral<F: Float>(x: F, rounding: Rounding, quiet: bool, env: &mut Mxcsr) -> F {
    if x.is_signaling() {
        env.raise(Mxcsr::IE);
    }
    if x.is_nan() {
        return x.quieted();
    }
    let x = x.flushed(*env);
    let Some(real) = x.real() else { return x };
    if real.exponent >= 0 || x.is_infinite() {
        return x;
    }
    let (magnitude, inexact) = real.to_integer(rounding);
    if inexact && !quiet {
        env.raise(Mxcsr::PE);
    }
    let integral = Real { negative: real.negative, exponent: 0, significand: magnitude };
    // A magnitude of at most the format's precision is exact whatever the rounding.
    if magnitude == 0 { F::zero(real.negative) } else { F::round(integral, env) }
}

/// The same NaN in another format: the payload keeps its upper bits, and it becomes quiet.
fn convert_nan<From: Float, To: Float>(x: From) -> To {
    let payload = x.fraction() << (64 - From::FRACTION) >> (64 - To::FRACTION);
    To::from_bits(To::infinity(x.negative()).bits() | payload).quieted()
}

fn convert<From: Float, To: Float>(x: From, env: &mut Mxcsr) -> To {
    if x.is_signaling() {
        env.raise(Mxcsr::IE);
    }
    if x.is_nan() {
        return convert_nan(x);
    }
    let x = x.flushed(*env);
    note_denormal(&[x], env);
    match x.real() {
        _ if x.is_infinite() => To::infinity(x.negative()),
        Some(real) => To::round(real, env),
        None => To::zero(x.negative()),
    }
}

/// binary32 to binary64 (CVTSS2SD).
pub fn from_single(x: u32, env: &mut Mxcsr) -> u64 {
    if x.is_normal() {
        return f64::from(f32::from_bits(x)).to_bits();
    }
    convert(x, env)
}

/// binary64 to binary32 (CVTSD2SS).
pub fn to_single(x: u64, env: &mut Mxcsr) -> u32 {
    let single = f64::from_bits(x) as f32;
    let exact = f64::from(single).to_bits() == x;
    let safe = single.to_bits().biased().wrapping_sub(2) < u32::SPECIAL - 2;
    if x.is_normal() && safe && (exact || env.nearest() && env.inexact_noted()) {
        return single.to_bits();
    }
    convert(x, env)
}

/// binary16, which only F16C knows, and only converts.
#[derive(Clone, Copy, PartialEq)]
struct Half(u16);

impl Float for Half {
    const FORMAT: Format = Format { precision: 11, min_exponent: -14, max_exponent: 15 };
    const BITS: u32 = 16;

    fn bits(self) -> u64 {
        self.0.into()
    }

    fn from_bits(bits: u64) -> Self {
        Half(bits as u16)
    }
}

/// binary16 to binary32 (VCVTPH2PS): exact, and denormals are neither flushed nor noted.
pub fn from_half(x: u16, env: &mut Mxcsr) -> u32 {
    let mut local = Mxcsr::DEFAULT;
    let single = convert(Half(x), &mut local);
    env.raise(local.0 & Mxcsr::IE);
    single
}

/// binary32 to binary16 (VCVTPS2PH): denormal results are kept, whatever MXCSR says of flushing.
pub fn to_half(x: u32, rounding: Rounding, env: &mut Mxcsr) -> u16 {
    let mut local = Mxcsr(env.0 & !Mxcsr::FTZ).with_rounding(rounding);
    let half: Half = convert(x, &mut local);
    env.raise(local.0 & (Mxcsr::FLAGS | Mxcsr::SLOW));
    half.0
}

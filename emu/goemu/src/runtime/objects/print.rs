//! `print` and `println` (`runtime/print.go`): to standard error.

use std::fmt;

use super::bytes_at;
use crate::go::print::number;
use crate::hook::{Action, HookContext, HookError, HookResult};

fn write(cx: &mut HookContext<'_>, text: &[u8]) -> HookResult {
    cx.world.print(2, text);
    Ok(Action::Return)
}

/// Locks, and methods without effect.
pub(in crate::runtime) fn nothing(_: &mut HookContext<'_>) -> HookResult {
    Ok(Action::Return)
}

pub(in crate::runtime) fn int(cx: &mut HookContext<'_>) -> HookResult {
    let text = cx.arg(0)?.cast_signed().to_string();
    write(cx, text.as_bytes())
}

pub(in crate::runtime) fn uint(cx: &mut HookContext<'_>) -> HookResult {
    let text = cx.arg(0)?.to_string();
    write(cx, text.as_bytes())
}

pub(in crate::runtime) fn hex(cx: &mut HookContext<'_>) -> HookResult {
    let text = format!("{:#x}", cx.arg(0)?);
    write(cx, text.as_bytes())
}

pub(in crate::runtime) fn boolean(cx: &mut HookContext<'_>) -> HookResult {
    let text: &[u8] = if cx.arg(0)? & 0xff == 0 { b"false" } else { b"true" };
    write(cx, text)
}

pub(in crate::runtime) fn string(cx: &mut HookContext<'_>) -> HookResult {
    let text = bytes_at(cx, cx.arg(0)?, cx.arg(1)?)?;
    write(cx, &text)
}

pub(in crate::runtime) fn space(cx: &mut HookContext<'_>) -> HookResult {
    write(cx, b" ")
}

pub(in crate::runtime) fn newline(cx: &mut HookContext<'_>) -> HookResult {
    write(cx, b"\n")
}

/// The two words of an interface.
pub(in crate::runtime) fn interface(cx: &mut HookContext<'_>) -> HookResult {
    let text = format!("({:#x},{:#x})", cx.arg(0)?, cx.arg(1)?);
    write(cx, text.as_bytes())
}

pub(in crate::runtime) fn slice(cx: &mut HookContext<'_>) -> HookResult {
    let text = format!("[{}/{}]{:#x}", cx.arg(1)?.cast_signed(), cx.arg(2)?.cast_signed(), cx.arg(0)?);
    write(cx, text.as_bytes())
}

/// The bits of the n-th floating-point number that is passed: in a register of its own, or in a word.
fn float_bits(cx: &HookContext<'_>, n: usize) -> Result<u64, HookError> {
    if cx.image.facts().register_abi() {
        return Ok(cx.cpu.ymm[n][0] as u64);
    }
    Ok(cx.arg(n)?)
}

pub(in crate::runtime) fn double(cx: &HookContext<'_>, n: usize) -> Result<f64, HookError> {
    Ok(f64::from_bits(float_bits(cx, n)?))
}

/// Only releases that pass it in a register have functions for this width.
fn single(cx: &HookContext<'_>, n: usize) -> Result<f32, HookError> {
    Ok(f32::from_bits(float_bits(cx, n)? as u32))
}

/// `printfloat(v float64)`, up to Go 1.25: seven digits and an exponent of three.
pub(in crate::runtime) fn float(cx: &mut HookContext<'_>) -> HookResult {
    let text = float_text(double(cx, 0)?);
    write(cx, text.as_bytes())
}

/// `printcomplex(c complex128)`, up to Go 1.25.
pub(in crate::runtime) fn complex(cx: &mut HookContext<'_>) -> HookResult {
    let text = format!("({}{}i)", float_text(double(cx, 0)?), float_text(double(cx, 1)?));
    write(cx, text.as_bytes())
}

/// `printfloat64(v float64)`: since Go 1.26 the shortest digits, as `%v` has them.
pub(in crate::runtime) fn float64(cx: &mut HookContext<'_>) -> HookResult {
    let value = double(cx, 0)?;
    let text = fmt::from_fn(|f| number::float64(f, value)).to_string();
    write(cx, text.as_bytes())
}

pub(in crate::runtime) fn float32(cx: &mut HookContext<'_>) -> HookResult {
    let value = single(cx, 0)?;
    let text = fmt::from_fn(|f| number::float32(f, value)).to_string();
    write(cx, text.as_bytes())
}

pub(in crate::runtime) fn complex128(cx: &mut HookContext<'_>) -> HookResult {
    let (re, im) = (double(cx, 0)?, double(cx, 1)?);
    let text = fmt::from_fn(|f| number::complex(f, &re, &im, |n, f| number::float64(f, *n))).to_string();
    write(cx, text.as_bytes())
}

pub(in crate::runtime) fn complex64(cx: &mut HookContext<'_>) -> HookResult {
    let (re, im) = (single(cx, 0)?, single(cx, 1)?);
    let text = fmt::from_fn(|f| number::complex(f, &re, &im, |n, f| number::float32(f, *n))).to_string();
    write(cx, text.as_bytes())
}

pub(in crate::runtime) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{value:+.6e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    format!("{digits}e{}{:03}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::float_text;

    #[test]
    fn floats_have_seven_digits() {
        let texts = [1.0, -0.5, 123_456_789.0, 0.0].map(float_text);
        assert_eq!(texts, ["+1.000000e+000", "-5.000000e-001", "+1.234568e+008", "+0.000000e+000"]);
    }
}

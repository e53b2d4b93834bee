//! Division of complex numbers (`runtime/complex.go`).

use super::print::double;
use crate::hook::{Action, HookContext, HookResult};

/// `complex128div(n, m complex128) complex128`
pub(in crate::runtime) fn complex128div(cx: &mut HookContext<'_>) -> HookResult {
    let (n, m) = ((double(cx, 0)?, double(cx, 1)?), (double(cx, 2)?, double(cx, 3)?));
    let (re, im) = divide(n, m);
    if cx.image.facts().register_abi() {
        for (register, part) in cx.cpu.ymm.iter_mut().zip([re, im]) {
            register[0] = part.to_bits().into();
        }
    } else {
        cx.set_result(4, 0, re.to_bits())?;
        cx.set_result(4, 1, im.to_bits())?;
    }
    Ok(Action::Return)
}

/// Smith's algorithm, and what C99 (annex G) has where that gives no number.
fn divide((a, b): (f64, f64), (c, d): (f64, f64)) -> (f64, f64) {
    let (e, f) = if c.abs() >= d.abs() {
        let ratio = d / c;
        let denom = c + ratio * d;
        ((a + b * ratio) / denom, (b - a * ratio) / denom)
    } else {
        let ratio = c / d;
        let denom = d + ratio * c;
        ((a * ratio + b) / denom, (b * ratio - a) / denom)
    };
    if !e.is_nan() || !f.is_nan() {
        return (e, f);
    }
    let infinite = |x: f64, y: f64| x.is_infinite() || y.is_infinite();
    let finite = |x: f64, y: f64| x.is_finite() && y.is_finite();
    if c == 0.0 && d == 0.0 && (!a.is_nan() || !b.is_nan()) {
        let signed = f64::INFINITY.copysign(c);
        return (signed * a, signed * b);
    }
    if infinite(a, b) && finite(c, d) {
        let (a, b) = (one_if_infinite(a), one_if_infinite(b));
        return (f64::INFINITY * (a * c + b * d), f64::INFINITY * (b * c - a * d));
    }
    if infinite(c, d) && finite(a, b) {
        let (c, d) = (one_if_infinite(c), one_if_infinite(d));
        return (0.0 * (a * c + b * d), 0.0 * (b * c - a * d));
    }
    (e, f)
}

/// 1 for an infinity, 0 for another number, with its sign.
fn one_if_infinite(x: f64) -> f64 {
    f64::from(u8::from(x.is_infinite())).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::divide;

    #[test]
    fn as_go_divides() {
        assert_eq!(divide((1.5, 2.0), (1.0, 1.5)), (1.384_615_384_615_384_8, -0.076_923_076_923_076_97));
        assert_eq!(divide((1.0, 0.0), (0.0, 0.0)).0, f64::INFINITY);
        assert_eq!(divide((f64::INFINITY, 1.0), (1.0, 1.0)), (f64::INFINITY, f64::NEG_INFINITY));
        assert_eq!(divide((1.0, 1.0), (f64::INFINITY, 1.0)), (0.0, 0.0));
        assert!(divide((f64::NAN, 1.0), (f64::NAN, 1.0)).0.is_nan());
    }
}

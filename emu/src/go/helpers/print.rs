//! `print` and `println` (`runtime/print.go`): to standard error.

use super::bytes_at;
use crate::hook::{Action, Cx, Refused};

type Answer = Result<Action, Refused>;

fn write(cx: &mut Cx<'_>, text: &[u8]) -> Answer {
    cx.world.print(2, text);
    Ok(Action::Return)
}

/// Locks, and methods without effect.
pub(super) fn nothing(_: &mut Cx<'_>) -> Answer {
    Ok(Action::Return)
}

pub(super) fn int(cx: &mut Cx<'_>) -> Answer {
    let text = cx.arg(0)?.cast_signed().to_string();
    write(cx, text.as_bytes())
}

pub(super) fn uint(cx: &mut Cx<'_>) -> Answer {
    let text = cx.arg(0)?.to_string();
    write(cx, text.as_bytes())
}

pub(super) fn hex(cx: &mut Cx<'_>) -> Answer {
    let text = format!("{:#x}", cx.arg(0)?);
    write(cx, text.as_bytes())
}

pub(super) fn boolean(cx: &mut Cx<'_>) -> Answer {
    let text: &[u8] = if cx.arg(0)? & 0xff == 0 { b"false" } else { b"true" };
    write(cx, text)
}

pub(super) fn string(cx: &mut Cx<'_>) -> Answer {
    let text = bytes_at(cx, cx.arg(0)?, cx.arg(1)?)?;
    write(cx, &text)
}

pub(super) fn space(cx: &mut Cx<'_>) -> Answer {
    write(cx, b" ")
}

pub(super) fn newline(cx: &mut Cx<'_>) -> Answer {
    write(cx, b"\n")
}

/// The two words of an interface.
pub(super) fn interface(cx: &mut Cx<'_>) -> Answer {
    let text = format!("({:#x},{:#x})", cx.arg(0)?, cx.arg(1)?);
    write(cx, text.as_bytes())
}

pub(super) fn slice(cx: &mut Cx<'_>) -> Answer {
    let text = format!("[{}/{}]{:#x}", cx.arg(1)?.cast_signed(), cx.arg(2)?.cast_signed(), cx.arg(0)?);
    write(cx, text.as_bytes())
}

/// `printfloat(v float64)`, up to Go 1.25: seven digits and an exponent of three.
pub(super) fn float(cx: &mut Cx<'_>) -> Answer {
    let value = if cx.image.facts().register_abi() {
        f64::from_bits(cx.cpu.ymm[0][0] as u64)
    } else {
        f64::from_bits(cx.arg(0)?)
    };
    let text = float_text(value);
    write(cx, text.as_bytes())
}

pub(super) fn float_text(value: f64) -> String {
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

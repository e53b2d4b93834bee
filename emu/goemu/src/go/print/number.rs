//! Floating-point numbers as `%v` prints them: the shortest digits that give the same number again, with an
//! exponent where that is below -4 or above 5 (`internal/strconv/ftoa.go`, format g with precision -1).

use std::{
    fmt::{self, Formatter, LowerExp, Write},
    str::FromStr,
};

/// From this decimal exponent on, and below -4, numbers are written with an exponent.
const MAX_PLAIN: i32 = 6;

pub(crate) fn float64(f: &mut Formatter<'_>, n: f64) -> fmt::Result {
    special(f, n).unwrap_or_else(|| shortest(f, n))
}

pub(crate) fn float32(f: &mut Formatter<'_>, n: f32) -> fmt::Result {
    special(f, f64::from(n)).unwrap_or_else(|| shortest(f, n))
}

/// `(1+2i)`
pub(crate) fn complex<T: Copy + Into<f64>>(
    f: &mut Formatter<'_>,
    re: &T,
    im: &T,
    float: impl Fn(&T, &mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    f.write_char('(')?;
    float(re, f)?;
    let im64: f64 = (*im).into();
    // NaN and positive numbers have no sign of their own; +Inf does.
    if im64.is_nan() || (im64.is_sign_positive() && im64.is_finite()) {
        f.write_char('+')?;
    }
    float(im, f)?;
    f.write_str("i)")
}

fn special(f: &mut Formatter<'_>, n: f64) -> Option<fmt::Result> {
    let text = match n {
        n if n.is_nan() => "NaN",
        f64::INFINITY => "+Inf",
        f64::NEG_INFINITY => "-Inf",
        _ => return None,
    };
    Some(f.write_str(text))
}

fn shortest<T: LowerExp + FromStr + PartialEq>(f: &mut Formatter<'_>, n: T) -> fmt::Result {
    let text = shortest_digits(n);
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    f.write_str(sign)?;
    if !(-4..MAX_PLAIN).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return write!(f, "{digits}e{sign}{:02}", exponent.unsigned_abs());
    }
    let digits = digits.replace('.', "");
    match usize::try_from(exponent) {
        Err(_) => write!(f, "0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1)),
        Ok(point) if digits.len() <= point + 1 => write!(f, "{digits:0<width$}", width = point + 1),
        Ok(point) => {
            let (whole, fraction) = digits.split_at(point + 1);
            write!(f, "{whole}.{fraction}")
        }
    }
}

/// Rust's exponent form has the shortest digits too. But where two of that length are equally near, Go takes
/// the even one, as rounding to that many digits does.
fn shortest_digits<T: LowerExp + FromStr + PartialEq>(n: T) -> String {
    let text = format!("{n:e}");
    let digits = text.bytes().take_while(|b| *b != b'e').filter(u8::is_ascii_digit).count();
    let rounded = format!("{n:.*e}", digits.saturating_sub(1));
    if rounded.parse().is_ok_and(|again: T| again == n) { rounded } else { text }
}

//! Numbers in Go syntax: all bases, underscores, decimal and hexadecimal floats, imaginary parts
//! (Go specification, "Integer literals" to "Imaginary literals").

/// A constant without a type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Constant {
    /// An integer.
    Int(i128),
    /// An integer that is too large for any type but the floating-point ones, or a number with a fraction
    /// or exponent: once rounded to 64 and once to 32 bits.
    Float(f64, f32),
}

impl Constant {
    pub(super) fn float(n: f64) -> Constant {
        Constant::Float(n, n as f32)
    }

    /// The integer it is; a float may be one too (`1e3`).
    pub(super) fn int(&self) -> Option<i128> {
        match *self {
            Constant::Int(n) => Some(n),
            // Every float below 2^100 without a fraction is an i128.
            Constant::Float(n, _) if n.fract() == 0.0 && n.abs() < 1e30 => Some(n as i128),
            Constant::Float(..) => None,
        }
    }

    pub(super) fn f64(&self) -> f64 {
        match *self {
            Constant::Int(n) => n as f64,
            Constant::Float(n, _) => n,
        }
    }

    pub(super) fn f32(&self) -> f32 {
        match *self {
            Constant::Int(n) => n as f32,
            Constant::Float(_, n) => n,
        }
    }

    pub(super) fn negated(self) -> Constant {
        match self {
            // Go's constants have no negative zero, but its values do, and print it so.
            Constant::Int(0) => Constant::float(-0.0),
            Constant::Int(n) => Constant::Int(n.wrapping_neg()),
            Constant::Float(n, m) => Constant::Float(-n, -m),
        }
    }
}

/// The number that this text is, and whether it is imaginary (ends in `i`).
pub(super) fn parse(text: &str) -> Option<(Constant, bool)> {
    let (digits, imaginary) = match text.strip_suffix('i') {
        Some(digits) => (digits, true),
        None => (text, false),
    };
    let lower = digits.to_ascii_lowercase();
    let constant = match lower.get(..2) {
        Some("0x") if lower.contains(['.', 'p']) => hex_float(lower.get(2..)?)?,
        Some("0x") => integer(lower.get(2..)?, 16, true)?,
        Some("0o") => integer(lower.get(2..)?, 8, true)?,
        Some("0b") => integer(lower.get(2..)?, 2, true)?,
        _ if lower.contains(['.', 'e']) => decimal_float(&lower)?,
        // A leading zero means octal, but not before an i, for the sake of old programs.
        Some(_) if lower.starts_with('0') && !imaginary => integer(lower.get(1..)?, 8, true)?,
        _ => integer(&lower, 10, false)?,
    };
    Some((constant, imaginary))
}

/// Removes underscores, which may only stand between digits, and after a prefix.
fn digits(text: &str, base: u32, after_prefix: bool) -> Option<String> {
    let text = if after_prefix { text.strip_prefix('_').unwrap_or(text) } else { text };
    let separated = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_digit(base));
    text.split('_').all(separated).then(|| text.replace('_', ""))
}

fn integer(text: &str, base: u32, after_prefix: bool) -> Option<Constant> {
    let digits = digits(text, base, after_prefix)?;
    match i128::from_str_radix(&digits, base) {
        Ok(n) => Some(Constant::Int(n)),
        Err(_) if base == 10 => decimal_float(&digits),
        Err(_) => hex_float(&format!("{}p0", if base == 16 { digits } else { return None })),
    }
}

fn decimal_float(text: &str) -> Option<Constant> {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let optional = |part: &str| if part.is_empty() { Some(String::new()) } else { digits(part, 10, false) };
    let (sign, exponent) = split_sign(exponent);
    let text = format!("{}.{}e{sign}{}", optional(whole)?, optional(fraction)?, digits(exponent, 10, false)?);
    Some(Constant::Float(text.parse().ok()?, text.parse().ok()?))
}

fn split_sign(exponent: &str) -> (&str, &str) {
    match exponent.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", exponent.strip_prefix('+').unwrap_or(exponent)),
    }
}

/// Hexadecimal digits with a point, and a power of two after `p`. The prefix is gone already.
fn hex_float(text: &str) -> Option<Constant> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let optional =
        |part: &str, first| if part.is_empty() { Some(String::new()) } else { digits(part, 16, first) };
    let (whole, fraction) = (optional(whole, true)?, optional(fraction, false)?);
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (sign, exponent) = split_sign(exponent);
    // An exponent that is longer than this is an overflow or a zero however many digits there are.
    let exponent: i64 = digits(exponent, 10, false)?.parse().unwrap_or(1 << 40).min(1 << 40);
    let exponent = if sign == "-" { -exponent } else { exponent };
    let (mut bits, mut scale, mut sticky) = (0u128, exponent - 4 * fraction.len() as i64, 0);
    for digit in whole.chars().chain(fraction.chars()).filter_map(|c| c.to_digit(16)) {
        // Digits beyond 124 bits only matter as being zero or not.
        if bits >> 120 == 0 {
            bits = bits << 4 | u128::from(digit);
        } else {
            scale += 4;
            sticky |= u128::from(digit != 0);
        }
    }
    let bits = bits | sticky;
    Some(Constant::Float(round(bits, scale, 53, -1074), round(bits, scale, 24, -149) as f32))
}

/// `bits * 2^scale` rounded to `precision` bits, ties to even, and to a multiple of `2^least`.
fn round(bits: u128, scale: i64, precision: i64, least: i64) -> f64 {
    let width = i64::from(128 - bits.leading_zeros());
    let drop = (width - precision).max(least - scale);
    if drop <= 0 {
        return power(bits as f64, scale);
    }
    if drop > 127 {
        return 0.0;
    }
    let (kept, half) = (bits >> drop, 1u128 << (drop - 1));
    let rest = bits & ((half << 1) - 1);
    let up = rest > half || (rest == half && kept & 1 == 1);
    power((kept + u128::from(up)) as f64, scale + drop)
}

/// `n * 2^scale`, exactly or infinity: in steps, so that no step leaves the normal range before it must.
fn power(mut n: f64, scale: i64) -> f64 {
    let mut left = scale.clamp(-3000, 3000);
    while left != 0 && n != 0.0 && n.is_finite() {
        let step = left.clamp(-500, 500);
        n *= 2f64.powi(step as i32);
        left -= step;
    }
    n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn int(text: &str, want: i128) {
        assert_eq!(parse(text), Some((Constant::Int(want), false)), "{text}");
    }

    #[track_caller]
    fn float(text: &str, want: f64) {
        let (got, imaginary) = parse(text).unwrap();
        assert_eq!((got.f64().to_bits(), imaginary), (want.to_bits(), false), "{text}: {}", got.f64());
    }

    #[test]
    fn integers_of_all_bases() {
        int("0", 0);
        int("42", 42);
        int("4_2", 42);
        int("0600", 0o600);
        int("0_600", 0o600);
        int("0o600", 0o600);
        int("0O600", 0o600);
        int("0xBadFace", 0xbad_face);
        int("0x_67_7a_2f_cc_40_c6", 0x677a_2fcc_40c6);
        int("0b1010", 10);
        int("170141183460469231731687303715884105727", i128::MAX);
        for bad in ["_42", "42_", "4__2", "0_xBadFace", "08", "0b2", "0x", "0o9", "1a", "12x4"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn floats() {
        float("0.", 0.0);
        float("72.40", 72.40);
        float("072.40", 72.40);
        float("1.e+0", 1.0);
        float("6.67428e-11", 6.67428e-11);
        float("1E6", 1e6);
        float(".25", 0.25);
        float(".12345E+5", 12345.0);
        float("1_5.", 15.0);
        float("0.15e+0_2", 15.0);
        float("0x1p-2", 0.25);
        float("0x2.p10", 2048.0);
        float("0x1.Fp+0", 1.9375);
        float("0X.8p-0", 0.5);
        float("0X_1FFFP-16", f64::from(0x1fff) / 65536.0);
        float("0x1p-1074", 5e-324);
        float("0x1.8p-1074", 1e-323);
        float("0x1p-1075", 0.0);
        float("0x1.fffffffffffff8p0", 2.0);
        float("0x1.fffffffffffff7fffffffffffffffffffffffffp0", 1.999_999_999_999_999_8);
        float("0x1p1024", f64::INFINITY);
        float("0x1p99999999999999999999", f64::INFINITY);
        for bad in
            ["0x.p1", "1p-2", "0x1.5e-2", "1_.5", "1._5", "1.5_e1", "1.5e_1", "1.5e1_", ".", "1e", "0x1p"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn imaginary_numbers() {
        assert_eq!(parse("2i"), Some((Constant::Int(2), true)));
        assert_eq!(parse("0123i"), Some((Constant::Int(123), true)));
        assert_eq!(parse("0x1p-2i"), Some((Constant::float(0.25), true)));
    }
}

//! Numbers as people write limits: `64m`, `1_000_000`, `2G`, `500ms`.

use std::time::Duration;

/// A count: `k`, `m` and `g` are thousands, millions and billions.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    with_suffix(text, 1000)
}

/// A size in bytes: `k`, `m` and `g` are KiB, MiB and GiB.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    with_suffix(text, 1024)
}

/// A time: `500ms`, `1.5s`, `2m`, `1h`; a number alone is seconds.
pub(crate) fn time(text: &str) -> Result<Duration, String> {
    let hint = || "write a time, as in 10s, 1.5s, 200ms or 2m".to_owned();
    let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("", 1.0)];
    let found = units.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)));
    let (digits, unit) = found.ok_or_else(hint)?;
    if digits.is_empty() || !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(hint());
    }
    let seconds = digits.parse::<f64>().map_err(|_| hint())? * unit;
    Duration::try_from_secs_f64(seconds).map_err(|_| "the time is too long".to_owned())
}

/// An address: hexadecimal behind `0x`, else decimal.
pub(crate) fn address(text: &str) -> Result<u64, String> {
    let digits = text.replace('_', "");
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16),
        _ => digits.parse(),
    };
    number.map_err(|_| "write an address, as in 0x400000 or 0".to_owned())
}

/// What a number is compared with: `100`, `>100`, `<=4k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    sign: Sign,
    with: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    pub(crate) fn holds(self, number: u64) -> bool {
        match self.sign {
            Sign::Equal => number == self.with,
            Sign::Less => number < self.with,
            Sign::LessOrEqual => number <= self.with,
            Sign::Greater => number > self.with,
            Sign::GreaterOrEqual => number >= self.with,
        }
    }
}

/// A comparison with a size in bytes.
pub(crate) fn comparison(text: &str) -> Result<Comparison, String> {
    let signs = [
        ("<=", Sign::LessOrEqual),
        (">=", Sign::GreaterOrEqual),
        ("<", Sign::Less),
        (">", Sign::Greater),
        ("=", Sign::Equal),
        ("", Sign::Equal),
    ];
    let found = signs.iter().find_map(|(word, sign)| Some((*sign, text.strip_prefix(word)?)));
    let (sign, rest) = found.ok_or_else(hint)?;
    Ok(Comparison { sign, with: bytes(rest.trim())? })
}

fn with_suffix(text: &str, unit: u64) -> Result<u64, String> {
    let (digits, power) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 1),
        Some((at, 'm' | 'M')) => (&text[..at], 2),
        Some((at, 'g' | 'G')) => (&text[..at], 3),
        _ => (text, 0),
    };
    let number: u64 = match digits.replace('_', "") {
        digits if digits.is_empty() || digits.starts_with('+') => return Err(hint()),
        digits => digits.parse().map_err(|_| hint())?,
    };
    number.checked_mul(unit.pow(power)).ok_or_else(|| "the number is too large".to_owned())
}

fn hint() -> String {
    "write a whole number, as in 500, 64k, 10m, 2g or 1_000_000".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons() {
        for (text, fits, fits_not) in [
            ("100", 100, 101),
            (">100", 101, 100),
            (">= 100", 100, 99),
            ("<1k", 1023, 1024),
            ("<=1k", 1024, 1025),
            ("=5", 5, 4),
        ] {
            let comparison = comparison(text).unwrap();
            assert!(comparison.holds(fits) && !comparison.holds(fits_not), "{text}");
        }
        for text in ["", ">", "<>5", "=>5", "x", "> x"] {
            assert!(comparison(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times() {
        for (text, milliseconds) in [
            ("10s", 10_000),
            ("1.5s", 1500),
            ("200ms", 200),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("3", 3000),
            ("0s", 0),
        ] {
            assert_eq!(time(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "-1s", "1e9s", "1.2.3s", "inf", "nans", "99999999999999999999h", "1 s", "5d"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn forms() {
        for (text, as_count, as_bytes) in [
            ("0", Some(0), Some(0)),
            ("1_000", Some(1000), Some(1000)),
            ("64k", Some(64_000), Some(65_536)),
            ("2G", Some(2_000_000_000), Some(2 << 30)),
            ("18446744073709551615", Some(u64::MAX), Some(u64::MAX)),
            ("18446744073709551615k", None, None),
            ("18446744073709551616", None, None),
            ("", None, None),
            ("m", None, None),
            ("+1", None, None),
            ("-1", None, None),
            ("1é", None, None),
            ("1.5g", None, None),
        ] {
            assert_eq!((count(text).ok(), bytes(text).ok()), (as_count, as_bytes), "{text}");
        }
    }
}

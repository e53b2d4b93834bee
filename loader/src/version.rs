//! Versions of Go, as binaries write them.

use std::fmt;

/// A release of Go: `go1.27.3` is minor 27, patch 3. Ordered by age, patch counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GoVersion {
    /// The 27 of `go1.27.3`.
    pub minor: u16,
    /// The 3 of `go1.27.3`; 0 for betas, release candidates and development versions.
    pub patch: u16,
}

impl GoVersion {
    /// `go1.minor.patch`
    pub const fn new(minor: u16, patch: u16) -> GoVersion {
        GoVersion { minor, patch }
    }

    /// Whether two versions are of one release, whatever its patches: `go1.27` and `go1.27.3`.
    pub(crate) fn is_of_same_release(self, other: GoVersion) -> bool {
        self.minor == other.minor
    }

    /// Reads what `runtime.Version()` would give: `go1.27.3`, `go1.27`, `go1.27rc1`, `go1.27.3 X:rangefunc`,
    /// `go1.24.4-custom`, `devel go1.28-0123abcd Fri Jan 1 00:00:00 2027`. Versions that do not tell their
    /// number (`devel +0123abcd`, `unknown`) are `None`.
    pub fn parse(text: &str) -> Option<GoVersion> {
        let word = text.split_whitespace().find(|word| word.starts_with("go1."))?;
        let (minor, rest) = number(word.strip_prefix("go1.")?)?;
        let patch = rest.strip_prefix('.').and_then(number).map_or(0, |(patch, _)| patch);
        Some(GoVersion { minor, patch })
    }
}

/// The decimal number that `text` starts with, and what follows it.
fn number(text: &str) -> Option<(u16, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, rest))
}

impl fmt::Display for GoVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.patch {
            0 => write!(f, "go1.{}", self.minor),
            patch => write!(f, "go1.{}.{patch}", self.minor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_binaries_contain() {
        for (text, expected) in [
            ("go1.27.3", Some((27, 3))),
            ("go1.27", Some((27, 0))),
            ("go1.27rc1", Some((27, 0))),
            ("go1.9beta2", Some((9, 0))),
            ("go1.27.3 X:rangefunc", Some((27, 3))),
            ("go1.24.4-custom", Some((24, 4))),
            ("devel go1.28-0123abcd Fri Jan 1 00:00:00 2027", Some((28, 0))),
            ("devel +0123abcd Fri Jan 1 00:00:00 2016 +0000", None),
            ("unknown", None),
            ("go1.", None),
            ("go1.99999999", None),
            ("go2.1", None),
            ("", None),
        ] {
            assert_eq!(
                GoVersion::parse(text),
                expected.map(|(minor, patch)| GoVersion::new(minor, patch)),
                "{text}"
            );
        }
    }

    #[test]
    fn order_is_numeric() {
        assert!(GoVersion::new(9, 7) < GoVersion::new(10, 0));
        assert!(GoVersion::new(27, 3) < GoVersion::new(27, 10));
        assert_eq!(GoVersion::new(27, 3).to_string(), "go1.27.3");
    }
}

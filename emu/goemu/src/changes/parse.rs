//! Changes as options and files of settings write them.

use std::sync::Arc;

use super::Change;
use crate::cpu::gpr;
use crate::error::Error;
use crate::location::number;
use crate::memory::Perm;

impl Change {
    /// `FUNC=RESULTS`: `main.isDebugged=false`, `main.read="x", nil`.
    ///
    /// # Errors
    /// [`Error::Change`] when the text is none.
    pub fn stub(text: &str) -> Result<Change, Error> {
        let (func, results) =
            halves(text, '=').ok_or_else(|| wrong("stub", text, "FUNC=VALUES is wanted"))?;
        Ok(Change::Stub { func: func.to_owned(), results: results.to_owned() })
    }

    /// `VARIABLE=VALUE`, or `PLACE:TYPE=VALUE`.
    ///
    /// # Errors
    /// [`Error::Change`] when the text is none.
    pub fn set(text: &str) -> Result<Change, Error> {
        let wanted = "VARIABLE=VALUE is wanted, or ADDRESS:TYPE=VALUE";
        let (place, value) = halves(text, '=').ok_or_else(|| wrong("set", text, wanted))?;
        let (variable, ty) = match halves(place, ':') {
            Some((variable, ty)) => (variable, Some(ty.to_owned())),
            None => (place, None),
        };
        Ok(Change::Set { variable: variable.to_owned(), ty, value: value.to_owned() })
    }

    /// `PLACE=BYTES`, where `bytes` are those of the text's second half, however it tells them; see [`bytes`].
    ///
    /// # Errors
    /// [`Error::Change`] when the text is none.
    pub fn patch(text: &str, bytes: impl FnOnce(&str) -> Result<Vec<u8>, String>) -> Result<Change, Error> {
        let wanted = "ADDRESS=BYTES is wanted, with the bytes as in 90 90 or 9090, \"text\", or @FILE";
        let (place, given) = halves(text, '=').ok_or_else(|| wrong("patch", text, wanted))?;
        let bytes = bytes(given).map_err(|why| wrong("patch", text, &why))?;
        Ok(Change::Patch { place: place.to_owned(), bytes: bytes.into() })
    }

    /// `FILE@ADDRESS`, with `:r`, `:rw` or `:rx` behind it; `contents` reads the file.
    ///
    /// # Errors
    /// [`Error::Change`] when the text is none, or the file cannot be read.
    pub fn map(text: &str, contents: impl FnOnce(&str) -> Result<Vec<u8>, String>) -> Result<Change, Error> {
        let wanted = "FILE@ADDRESS is wanted, or FILE@ADDRESS:rx";
        let (file, place) = text.rsplit_once('@').ok_or_else(|| wrong("map", text, wanted))?;
        let (addr, perm) = match place.split_once(':') {
            Some((addr, perm)) => (addr, permissions(perm)),
            None => (place, Some(Perm::READ | Perm::WRITE)),
        };
        let (Some(addr), Some(perm)) = (number(addr), perm) else { return Err(wrong("map", text, wanted)) };
        let bytes: Arc<[u8]> = contents(file).map_err(|why| wrong("map", text, &why))?.into();
        Ok(Change::Map { addr, bytes, perm })
    }

    /// `REGISTER=NUMBER`: `AX=5`, `dx=0xc000010000`, `X0=1`.
    ///
    /// # Errors
    /// [`Error::Change`] when there is no such register, or the number does not fit.
    pub fn register(text: &str) -> Result<Change, Error> {
        let wanted = "REGISTER=NUMBER is wanted, as in AX=5 or R15=0x10";
        let (name, value) = halves(text, '=').ok_or_else(|| wrong("reg", text, wanted))?;
        let register = register(name).ok_or_else(|| {
            wrong("reg", text, "there are AX to DX, SI, DI, BP, SP, R8 to R15 and X0 to X15")
        })?;
        let value = word(value, register.starts_with('X'))
            .ok_or_else(|| wrong("reg", text, "the number does not fit the register"))?;
        Ok(Change::Register { register, value })
    }
}

/// Bytes as people write them: hexadecimal, with or without spaces (`90 90`, `9090`), or a text in double quotes with Go's
/// escapes for single bytes.
///
/// # Errors
/// What is wrong with them.
pub fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    if text.starts_with('"') {
        return crate::go::literal::quoted(text).ok_or_else(|| "the text is not one in Go syntax".to_owned());
    }
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let wrong = || "bytes are hexadecimal, two digits each, or a text in double quotes".to_owned();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return Err(wrong());
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8]| Some((digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?) as u8);
    digits.chunks(2).map(|pair| byte(pair).ok_or_else(wrong)).collect()
}

/// What is before and behind a sign, both of them something.
fn halves(text: &str, sign: char) -> Option<(&str, &str)> {
    let (before, behind) = text.split_once(sign)?;
    (!before.trim().is_empty()).then_some((before.trim(), behind))
}

fn wrong(what: &str, text: &str, why: &str) -> Error {
    Error::Change { change: format!("{what} {text}"), why: why.to_owned() }
}

fn permissions(text: &str) -> Option<Perm> {
    let mut perm = Perm::empty();
    for letter in text.chars() {
        perm |= match letter {
            'r' => Perm::READ,
            'w' => Perm::WRITE,
            'x' => Perm::EXEC,
            _ => return None,
        };
    }
    (!perm.is_empty()).then_some(perm)
}

/// A register by Go's name, or the processor's.
fn register(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let vector = || {
        let number = name.strip_prefix("XMM").or(name.strip_prefix('X'))?;
        VECTORS.get(number.parse::<usize>().ok()?).copied()
    };
    let plain =
        || gpr::NAMES.into_iter().find(|known| *known == name || name.strip_prefix('R') == Some(known));
    plain().or_else(vector)
}

/// The lower halves of the vector registers.
const VECTORS: [&str; 16] =
    ["X0", "X1", "X2", "X3", "X4", "X5", "X6", "X7", "X8", "X9", "X10", "X11", "X12", "X13", "X14", "X15"];

/// A number, also a negative one.
fn word(text: &str, wide: bool) -> Option<u128> {
    let text = text.trim().replace('_', "");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.as_str()),
    };
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if !hex.starts_with('+') => u128::from_str_radix(hex, 16).ok()?,
        Some(_) => return None,
        None if digits.starts_with('+') => return None,
        None => digits.parse().ok()?,
    };
    if negative {
        let number = i64::try_from(number).ok()?;
        return Some(u128::from(number.wrapping_neg() as u64));
    }
    (wide || number <= u128::from(u64::MAX)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_hexadecimal_or_text() {
        for (text, expected) in [
            ("90 90", Some(vec![0x90, 0x90])),
            ("c3", Some(vec![0xc3])),
            ("00FF", Some(vec![0, 0xff])),
            (r#""a\x00\n""#, Some(b"a\0\n".to_vec())),
            ("", None),
            ("9", None),
            ("zz", None),
            (r#""a"#, None),
            (r#""a" b"#, None),
        ] {
            assert_eq!(bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn registers_have_both_names() {
        let set = |text: &str| match Change::register(text) {
            Ok(Change::Register { register, value }) => Some((register, value)),
            _ => None,
        };
        for (text, expected) in [
            ("AX=5", Some(("AX", 5))),
            ("rdx=0x10", Some(("DX", 16))),
            ("R8=-1", Some(("R8", u128::from(u64::MAX)))),
            ("x3=0x1_0000000000000000", Some(("X3", 1 << 64))),
            ("xmm15=1", Some(("X15", 1))),
            ("AX=0x10000000000000000", None),
            ("X16=1", None),
            ("R16=1", None),
            ("EAX=1", None),
            ("=1", None),
            ("AX", None),
        ] {
            assert_eq!(set(text), expected, "{text}");
        }
    }

    #[test]
    fn variables_may_have_types() {
        let set = Change::set("0x54c1a0:main.T={A: 1}").unwrap();
        let (variable, ty, value) = ("0x54c1a0".to_owned(), Some("main.T".to_owned()), "{A: 1}".to_owned());
        assert_eq!(set, Change::Set { variable, ty, value });
        assert!(Change::set("main.debug").is_err() && Change::set("=1").is_err());
        assert_eq!(Change::set(r#"main.url="http://x""#).unwrap().to_string(), r#"set main.url="http://x""#);
    }

    #[test]
    fn files_are_mapped_with_permissions() {
        let file = |name: &str| if name == "a@b" { Ok(vec![1]) } else { Err(format!("no {name}")) };
        let Ok(Change::Map { addr, perm, .. }) = Change::map("a@b@0x10000:rx", file) else { panic!() };
        assert_eq!((addr, perm), (0x10000, Perm::READ | Perm::EXEC));
        for text in ["a@b", "a@b@x", "a@b@0x10000:", "a@b@0x10000:rq", "c@0x10000"] {
            assert!(Change::map(text, file).is_err(), "{text}");
        }
    }
}

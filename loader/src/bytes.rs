//! Reading numbers and strings from untrusted bytes: every function answers `None` past the end.
//!
//! All files that are read here are little-endian.

use crate::LoadError;

/// Longest name or path that is believed. Go's longest are a few KiB; the limit keeps a file without a
/// terminating NUL from costing its whole length again for every name.
const MAX_STRING: usize = 1 << 16;

/// `len` bytes from `offset` on.
pub(crate) fn slice(bytes: &[u8], offset: u64, len: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(usize::try_from(len).ok()?)?;
    bytes.get(start..end)
}

/// Fails unless `size` bytes from `offset` on are in the file; `what` they are.
pub(crate) fn check_range(file: &[u8], what: &str, offset: u64, size: u64) -> Result<(), LoadError> {
    match offset.checked_add(size) {
        Some(end) if end <= file.len() as u64 => Ok(()),
        Some(end) => Err(LoadError::Truncated { what: what.to_owned(), end, len: file.len() as u64 }),
        None => Err(LoadError::Malformed { what: "table: expected an end below 2^64", offset }),
    }
}

fn array<const N: usize>(bytes: &[u8], offset: u64) -> Option<[u8; N]> {
    slice(bytes, offset, N as u64)?.try_into().ok()
}

/// The byte at `offset`.
pub(crate) fn u8(bytes: &[u8], offset: u64) -> Option<u8> {
    array(bytes, offset).map(|[byte]| byte)
}

/// The 16-bit number at `offset`.
pub(crate) fn u16(bytes: &[u8], offset: u64) -> Option<u16> {
    array(bytes, offset).map(u16::from_le_bytes)
}

/// The 32-bit number at `offset`.
pub(crate) fn u32(bytes: &[u8], offset: u64) -> Option<u32> {
    array(bytes, offset).map(u32::from_le_bytes)
}

/// The 64-bit number at `offset`.
pub(crate) fn u64(bytes: &[u8], offset: u64) -> Option<u64> {
    array(bytes, offset).map(u64::from_le_bytes)
}

/// The bytes from `offset` to the next NUL, without it.
pub(crate) fn cstr(bytes: &[u8], offset: u64) -> Option<&[u8]> {
    let rest = bytes.get(usize::try_from(offset).ok()?..)?;
    let rest = rest.get(..MAX_STRING).unwrap_or(rest);
    let len = rest.iter().position(|&byte| byte == 0)?;
    rest.get(..len)
}

/// Whether the NUL-terminated string at `offset` is `expected`, looking no further than needed.
pub(crate) fn cstr_is(bytes: &[u8], offset: u64, expected: &[u8]) -> bool {
    let rest = usize::try_from(offset).ok().and_then(|start| bytes.get(start..));
    rest.is_some_and(|rest| rest.get(expected.len()) == Some(&0) && rest.starts_with(expected))
}

/// The bytes as text, up to the first that is not UTF-8.
pub(crate) fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|valid| std::str::from_utf8(valid).ok())
            .unwrap_or_default(),
    }
}

/// Takes an unsigned LEB128 number of up to 32 bits off the front.
pub(crate) fn take_uvarint(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    for shift in (0..35).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f).wrapping_shl(shift);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Takes an unsigned LEB128 number of up to 64 bits off the front.
pub(crate) fn take_uvarint64(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// The number that `zigzag` stands for: 0, -1, 1, -2, 2 ...
pub(crate) fn unzigzag(zigzag: u32) -> i32 {
    (zigzag >> 1) as i32 ^ -((zigzag & 1) as i32)
}

/// Where `needle` first stands in `haystack`.
pub(crate) fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_past_the_end_are_none() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(u64(&bytes, 0), Some(0x0807_0605_0403_0201));
        assert_eq!(u32(&bytes, 4), Some(0x0807_0605));
        assert_eq!((u64(&bytes, 1), u16(&bytes, 7), u8(&bytes, 8)), (None, None, None));
        assert_eq!(u8(&bytes, u64::MAX), None);
        assert_eq!(slice(&bytes, 4, u64::MAX), None);
    }

    #[test]
    fn strings_end_at_nul() {
        let bytes = b"main.f1\0main.f\0x";
        assert_eq!(cstr(bytes, 8), Some(&b"main.f"[..]));
        assert_eq!(cstr(bytes, 15), None);
        assert!(cstr_is(bytes, 0, b"main.f1"));
        assert!(!cstr_is(bytes, 0, b"main.f"));
        assert!(!cstr_is(bytes, 15, b"x"));
        assert_eq!(text(b"ab\xffcd"), "ab");
    }

    #[test]
    fn varints() {
        let mut bytes = &[0x7f, 0x80, 0x01, 0xff][..];
        assert_eq!(take_uvarint(&mut bytes), Some(127));
        assert_eq!(take_uvarint(&mut bytes), Some(128));
        assert_eq!(take_uvarint(&mut bytes), None);
        assert_eq!([0, 1, 2, 3, u32::MAX].map(unzigzag), [0, -1, 1, -2, i32::MIN]);
    }
}

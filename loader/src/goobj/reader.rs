//! Taking numbers and strings off the bytes of an object. Errors say where in the file, and what was expected.

use crate::{LoadError, bytes};

pub(super) type Result<T> = std::result::Result<T, LoadError>;

/// The bytes of a member of a file, and how far they were read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: u64,
    /// Offset of `bytes` in the file.
    base: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], base: u64) -> Reader<'a> {
        Reader { bytes, at: 0, base }
    }

    /// The same bytes from an offset on.
    pub(super) fn seek(self, at: u64) -> Reader<'a> {
        Reader { at, ..self }
    }

    /// Offset in the file.
    pub(super) fn offset(&self) -> u64 {
        self.base.saturating_add(self.at)
    }

    pub(super) fn left(&self) -> u64 {
        (self.bytes.len() as u64).saturating_sub(self.at)
    }

    pub(super) fn fail<T>(&self, what: &'static str) -> Result<T> {
        Err(self.malformed(what))
    }

    pub(super) fn malformed(&self, what: &'static str) -> LoadError {
        LoadError::Malformed { what, offset: self.offset() }
    }

    fn advance<T>(&mut self, len: u64, value: Option<T>, what: &'static str) -> Result<T> {
        match value {
            Some(value) => {
                self.at += len;
                Ok(value)
            }
            None => self.fail(what),
        }
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8> {
        self.advance(1, bytes::u8(self.bytes, self.at), what)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16> {
        self.advance(2, bytes::u16(self.bytes, self.at), what)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32> {
        self.advance(4, bytes::u32(self.bytes, self.at), what)
    }

    pub(super) fn i64(&mut self, what: &'static str) -> Result<i64> {
        self.advance(8, bytes::u64(self.bytes, self.at).map(u64::cast_signed), what)
    }

    pub(super) fn take(&mut self, len: u64, what: &'static str) -> Result<&'a [u8]> {
        self.advance(len, bytes::slice(self.bytes, self.at, len), what)
    }

    /// A zigzag varint, as the sequential format has everywhere.
    pub(super) fn varint(&mut self, what: &'static str) -> Result<i64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.u8(what)?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()));
            }
        }
        self.fail(what)
    }

    /// A varint that counts things of which each takes a byte of the rest at least.
    pub(super) fn count(&mut self, what: &'static str) -> Result<u64> {
        let here = *self;
        let count = u64::try_from(self.varint(what)?).ok().filter(|count| *count <= self.left());
        count.ok_or_else(|| here.malformed(what))
    }

    /// A number of things of `size` bytes each, of which the rest has room.
    pub(super) fn count_u32(&mut self, size: u64, what: &'static str) -> Result<u64> {
        let here = *self;
        let count = u64::from(self.u32(what)?);
        if count.saturating_mul(size) > self.left() { here.fail(what) } else { Ok(count) }
    }

    /// Length, then text.
    pub(super) fn string(&mut self, what: &'static str) -> Result<&'a str> {
        let len = self.count(what)?;
        Ok(bytes::text(self.take(len, what)?))
    }
}

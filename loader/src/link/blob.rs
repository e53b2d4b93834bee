//! Bytes at an address, written from front to back.

/// Bytes that will be loaded at an address.
#[derive(Debug, Default)]
pub(super) struct Blob {
    pub(super) addr: u64,
    pub(super) bytes: Vec<u8>,
}

impl Blob {
    pub(super) fn new(addr: u64) -> Blob {
        Blob { addr, bytes: Vec::new() }
    }

    /// The address behind the last byte.
    pub(super) fn end(&self) -> u64 {
        self.addr + self.bytes.len() as u64
    }

    /// Fills up to a multiple of `align`, a power of two.
    pub(super) fn align(&mut self, align: u64, with: u8) {
        let missing = self.end().next_multiple_of(align.max(1)) - self.end();
        self.bytes.resize(self.bytes.len() + missing as usize, with);
    }

    /// Appends bytes; tells their address.
    pub(super) fn push(&mut self, bytes: &[u8]) -> u64 {
        let addr = self.end();
        self.bytes.extend_from_slice(bytes);
        addr
    }

    pub(super) fn push_u32(&mut self, value: u64) -> u64 {
        self.push(&(value as u32).to_le_bytes())
    }

    pub(super) fn push_u64(&mut self, value: u64) -> u64 {
        self.push(&value.to_le_bytes())
    }

    /// Appends text and a NUL.
    pub(super) fn push_str(&mut self, text: &str) -> u64 {
        let addr = self.push(text.as_bytes());
        self.bytes.push(0);
        addr
    }

    /// Appends zeros.
    pub(super) fn zeros(&mut self, len: u64) -> u64 {
        let addr = self.end();
        self.bytes.resize(self.bytes.len() + len as usize, 0);
        addr
    }

    /// `len` bytes at an address.
    pub(super) fn at(&mut self, addr: u64, len: usize) -> Option<&mut [u8]> {
        let start = usize::try_from(addr.checked_sub(self.addr)?).ok()?;
        self.bytes.get_mut(start..start.checked_add(len)?)
    }

    /// Writes over bytes that are there; what is outside is left alone.
    pub(super) fn put(&mut self, addr: u64, bytes: &[u8]) {
        if let Some(place) = self.at(addr, bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }
}

/// Writes over bytes of a record that is being made, where this release has the field.
pub(super) fn set(record: &mut [u8], field: Option<u64>, value: &[u8]) {
    let place = field.and_then(|at| record.get_mut(at as usize..at as usize + value.len()));
    if let Some(place) = place {
        place.copy_from_slice(value);
    }
}

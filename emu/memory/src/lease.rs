//! Guest memory that others read and write in place.

use std::sync::Arc;

use super::region::{PAGE, Reservation};
use super::{Access, Cause, MemFault, Memory, MemoryError, PageFlags};

/// Bytes of a guest's memory where they lie on the host, from [`Memory::lend`].
///
/// While there is one, nothing of the memory is unmapped, protected otherwise or restored, and its addresses stay reserved when the
/// memory itself is gone. So the bytes can be read, and written if they were lent for that.
pub struct Lease {
    space: Arc<Reservation>,
    /// Bytes from the start of the reservation.
    from: usize,
    len: usize,
}

impl Lease {
    /// The first byte.
    pub fn as_ptr(&self) -> *mut u8 {
        self.space.at(self.from)
    }

    /// How many bytes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Memory {
    /// Lends bytes to others, to be read in place, or written where `access` is [`Access::Write`]. Pages that are lent for writing are
    /// kept for snapshots now, as if they were written. Nobody sees when they are, so the memory should not be run and no snapshot be
    /// taken until the lease has ended: a later snapshot would not know of these writes.
    ///
    /// # Errors
    /// [`MemFault`] with the first address that may not be accessed so. Code cannot be written in place.
    pub fn lend(&mut self, addr: u64, len: usize, access: Access) -> Result<Lease, MemFault> {
        let outside = MemFault { addr: addr.max(self.space()), access, cause: Cause::Unmapped };
        let end = addr.checked_add(len as u64).filter(|&end| end <= self.space()).ok_or(outside);
        self.check(addr, len, Access::Read)?;
        let end = end?;
        if access == Access::Write && len > 0 {
            self.check(addr, len, access)?;
            self.keep_for_writing(addr / PAGE, end.div_ceil(PAGE))?;
        }
        Ok(Lease { space: self.region.share(), from: self.region.offset(addr), len })
    }

    /// How many leases there are.
    pub fn leases(&self) -> usize {
        self.region.shares()
    }

    fn keep_for_writing(&mut self, first: u64, end: u64) -> Result<(), MemFault> {
        let fault = |page, cause| MemFault { addr: page * PAGE, access: Access::Write, cause };
        let is_code = |page: &u64| self.region.flags(*page).intersects(PageFlags::EXEC | PageFlags::CODE);
        if let Some(page) = (first..end).find(is_code) {
            return Err(fault(page, Cause::Denied));
        }
        for page in first..end {
            if self.journal.kept() > self.spare() && !self.is_dirty(page * PAGE, 1) {
                return Err(fault(page, Cause::Limit));
            }
            self.touch(page, 0, PAGE as usize);
        }
        Ok(())
    }

    pub(super) fn must_not_be_lent(&self) -> Result<(), MemoryError> {
        match self.leases() {
            0 => Ok(()),
            leases => Err(MemoryError::Lent { leases }),
        }
    }

    /// Before pages become clean, which the host would refuse writes to.
    pub(super) fn keep_lent_writable(&mut self) {
        if self.leases() > 0 && self.region.is_exact() {
            self.region.protect_loosely();
        }
    }
}

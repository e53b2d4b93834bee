//! Work that the host does at once for a guest, and that counting instructions does not show: what a repeated instruction
//! moves, what system calls and hooks copy and map. It is counted in instructions, so that fuel bounds time.
//!
//! An instruction takes some five nanoseconds of a host; prices are rounded up, so that the bound errs on the short side.

use std::cell::Cell;
use std::ops::Range;

/// Work from which engines look before they go on. What is less waits until they leave.
const MUCH: u64 = 4096;
/// Bytes that are copied in the time of an instruction.
const BYTES: u64 = 32;
/// Fewer bytes cost nothing of their own: whoever copies them pays for that.
const FREE_BYTES: usize = 256;
/// What a change of a page takes, with the host's system call and the fault that follows.
const PAGE_CHANGE: u64 = 400;

/// A count of work.
#[derive(Debug, Default)]
pub(super) struct Cost {
    open: Cell<u64>,
    taken: Cell<u64>,
}

impl Cost {
    pub(super) fn add(&self, instructions: u64) {
        self.open.set(self.open.get().saturating_add(instructions));
    }

    /// Bytes were copied.
    #[inline(always)]
    pub(super) fn moved(&self, bytes: usize) {
        if bytes >= FREE_BYTES {
            self.add(bytes as u64 / BYTES);
        }
    }

    /// Pages were unmapped, cleared or protected. Mapping them is free: there is a limit to how much can be mapped.
    pub(super) fn pages_changed(&self, pages: &Range<u64>) {
        self.add(pages.end.saturating_sub(pages.start).saturating_mul(PAGE_CHANGE));
    }

    #[inline(always)]
    pub(super) fn is_much(&self) -> bool {
        self.open.get() >= MUCH
    }

    pub(super) fn take(&self) -> i64 {
        let open = self.open.take();
        self.taken.set(self.taken.get().saturating_add(open));
        i64::try_from(open).unwrap_or(i64::MAX)
    }

    pub(super) fn forget(&self) {
        self.open.set(0);
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken.get()
    }
}

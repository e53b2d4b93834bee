//! Work of the host that the number of guest instructions does not show: bytes that a repeated instruction
//! moves, bytes and pages that system calls and hooks copy and map. Its unit is instructions, so that fuel bounds time.
//!
//! An instruction takes some five nanoseconds of a host; prices are rounded up, so that the bound errs on the short side.

use std::cell::Cell;
use std::ops::Range;

/// The amount of work from which engines check their fuel at once. Less is charged when they leave.
pub(super) const MUCH: u64 = 4096;
/// Bytes that are copied in the time of an instruction.
const BYTES: u64 = 32;
/// Fewer bytes cost nothing extra: the cost of the hook or system call that copies them includes it.
const FREE_BYTES: usize = 256;
/// Pages whose flags are looked at in the time of an instruction.
const PAGES: u64 = 16;
/// What a change of a page takes, with the host's system call and the fault that follows.
const PAGE_CHANGE: u64 = 400;
/// Writes to decoded pages that a program may have without being charged for them, which would make its run depend on what was decoded
/// before; and what each takes after that, with the host's system calls that allow it and forbid it again.
const FEW_CODE_WRITES: u64 = 1 << 16;
const CODE_WRITE: u64 = 2000;

/// A count of work.
#[derive(Debug, Default)]
pub(super) struct Cost {
    open: Cell<u64>,
    taken: Cell<u64>,
    code_writes: Cell<u64>,
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

    /// The flags of pages were looked at.
    pub(super) fn pages_seen(&self, pages: &Range<u64>) {
        self.add(pages.end.saturating_sub(pages.start) / PAGES);
    }

    /// Bytes of a decoded page were written that do not follow those before.
    pub(super) fn code_written(&self) {
        let writes = self.code_writes.get() + 1;
        self.code_writes.set(writes);
        if writes > FEW_CODE_WRITES {
            self.add(CODE_WRITE);
        }
    }

    #[inline(always)]
    pub(super) fn is_much(&self) -> bool {
        self.open.get() >= MUCH
    }

    pub(super) fn left(&self) -> u64 {
        MUCH.saturating_sub(self.open.get())
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

//! The host memory behind a guest: one reservation, one byte of flags per guest page.
//!
//! This is the only file of the crate with `unsafe`. It keeps one invariant, from which every access
//! below follows: **a page whose flags have `READ` (or `WRITE`) is committed on the host, and readable
//! (or writable) there.** Guest address `a` lives at host address `base + a`, so an access is one look at
//! the flags and one load or store. Around the guest's space lie guards that are never committed.

#![allow(unsafe_code, reason = "owns the host mapping; every block states why it is sound")]

use std::ffi::c_void;
use std::fs::File;
use std::ptr::null_mut;

use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mmap_anonymous, mprotect, munmap};

use super::{MemoryError, PageFlags};

/// Bytes of a guest page.
pub const PAGE: u64 = 4096;

/// Guards below and above the space: what a translator's displacements may reach (see ARCHITECTURE.md).
const GUARD_BELOW: u64 = 1 << 32;
const GUARD_ABOVE: u64 = 1 << 44;

/// Spaces to try, largest first: (bytes of guest space, guard below, guard above).
const PLANS: [(u64, u64, u64); 4] =
    [(1 << 40, GUARD_BELOW, GUARD_ABOVE), (1 << 40, 0, 0), (1 << 36, 0, 0), (1 << 32, 0, 0)];

/// A reserved range of host addresses.
struct Reservation {
    start: *mut c_void,
    len: usize,
}

impl Reservation {
    /// Reserves `len` bytes: of address space alone, or of zero pages that the host commits on touch.
    fn new(len: u64, prot: ProtFlags) -> Result<Reservation, Errno> {
        let len = usize::try_from(len).map_err(|_| Errno::NOMEM)?;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice aliases nothing.
        let start = unsafe { mmap_anonymous(null_mut(), len, prot, flags) }?;
        Ok(Reservation { start, len })
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: start and len are what mmap gave, and nothing borrows from a dropped reservation.
        let _ = unsafe { munmap(self.start, self.len) };
    }
}

/// The guest's space on the host.
pub(super) struct Region {
    /// Host address of guest address 0.
    base: *mut u8,
    /// One byte per guest page.
    flags: *mut u8,
    /// Number of guest pages.
    pages: u64,
    /// Whether the host can protect single guest pages.
    mirror: bool,
    _space: Reservation,
    _table: Reservation,
}

// SAFETY: a Region owns its mappings; nothing else on the host points into them.
unsafe impl Send for Region {}

impl Region {
    /// Reserves the largest space that the host allows.
    pub(super) fn new() -> Result<Region, MemoryError> {
        let mut last = Errno::NOMEM;
        for (size, below, above) in PLANS {
            match Region::reserve(size, below, above) {
                Ok(region) => return Ok(region),
                Err(errno) => last = errno,
            }
        }
        Err(MemoryError::Reserve { size: PLANS[PLANS.len() - 1].0, source: last.into() })
    }

    fn reserve(size: u64, below: u64, above: u64) -> Result<Region, Errno> {
        let space = Reservation::new(below + size + above, ProtFlags::empty())?;
        let table = Reservation::new(size / PAGE, ProtFlags::READ | ProtFlags::WRITE)?;
        let mirror = rustix::param::page_size() as u64 <= PAGE;
        // The guard is smaller than the reservation, so the sum stays inside it.
        let base = space.start.cast::<u8>().wrapping_add(below as usize);
        Ok(Region {
            base,
            flags: table.start.cast(),
            pages: size / PAGE,
            mirror,
            _space: space,
            _table: table,
        })
    }

    /// Bytes of guest space.
    pub(super) fn size(&self) -> u64 {
        self.pages * PAGE
    }

    /// The flags of a page; none outside the space.
    #[inline(always)]
    pub(super) fn flags(&self, page: u64) -> PageFlags {
        if page >= self.pages {
            return PageFlags::empty();
        }
        // SAFETY: the table has `pages` bytes.
        PageFlags::from_bits_retain(unsafe { *self.flags.add(page as usize) })
    }

    /// Sets bookkeeping flags of a committed page; its permissions must stay what `commit` made them.
    pub(super) fn mark(&mut self, page: u64, set: PageFlags, clear: PageFlags) {
        debug_assert!(!(set | clear).intersects(PageFlags::PERMISSIONS));
        let flags = ((self.flags(page) | set) - clear) & !PageFlags::PERMISSIONS;
        let kept = self.flags(page) & PageFlags::PERMISSIONS;
        self.put_flags(page, flags | kept);
    }

    fn put_flags(&mut self, page: u64, flags: PageFlags) {
        if page < self.pages {
            // SAFETY: the table has `pages` bytes, and `&mut self` is the only way to it.
            unsafe { *self.flags.add(page as usize) = flags.bits() }
        }
    }

    /// Whether pages `first..first + count` lie in the space.
    fn inside(&self, first: u64, count: u64) -> bool {
        first.checked_add(count).is_some_and(|end| end <= self.pages)
    }

    /// Commits fresh pages with these flags: zero, or the file's bytes from `offset`.
    /// What was there is gone.
    pub(super) fn commit(
        &mut self,
        first: u64,
        count: u64,
        flags: PageFlags,
        file: Option<(&File, u64)>,
    ) -> Result<(), MemoryError> {
        if !self.inside(first, count) {
            return Err(MemoryError::OutOfSpace { addr: first.saturating_mul(PAGE), size: self.size() });
        }
        let (at, len) = (self.host(first), (count * PAGE) as usize);
        let (prot, fixed) = (self.prot(flags), MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE);
        // SAFETY: the range lies inside our own reservation (checked above), so FIXED replaces nothing
        // of anybody else's; no reference into guest memory outlives a call that takes `&mut self`.
        let done = unsafe {
            match file {
                Some((file, offset)) => mmap(at, len, prot, fixed, file, offset),
                None => mmap_anonymous(at, len, prot, fixed),
            }
        };
        done.map_err(|e| MemoryError::Commit { addr: first * PAGE, len: count * PAGE, source: e.into() })?;
        (first..first + count).for_each(|page| self.put_flags(page, flags));
        Ok(())
    }

    /// Gives pages back to the host: not committed, no flags.
    pub(super) fn decommit(&mut self, first: u64, count: u64) -> Result<(), MemoryError> {
        self.commit(first, count, PageFlags::empty(), None)
    }

    /// Changes the permissions of committed pages.
    pub(super) fn protect(&mut self, first: u64, count: u64, perm: PageFlags) -> Result<(), MemoryError> {
        self.host_protect(first, count, self.prot(perm))?;
        for page in first..first + count {
            let kept = self.flags(page) - PageFlags::PERMISSIONS;
            self.put_flags(page, kept | (perm & PageFlags::PERMISSIONS));
        }
        Ok(())
    }

    fn host_protect(&mut self, first: u64, count: u64, prot: ProtFlags) -> Result<(), MemoryError> {
        if !self.inside(first, count) {
            return Err(MemoryError::OutOfSpace { addr: first.saturating_mul(PAGE), size: self.size() });
        }
        let prot = MprotectFlags::from_bits_retain(prot.bits());
        // SAFETY: the range lies inside our own reservation. Taking permissions away cannot break the
        // invariant for longer than this call: callers set the flags to match.
        unsafe { mprotect(self.host(first), (count * PAGE) as usize, prot) }
            .map_err(|e| MemoryError::Commit { addr: first * PAGE, len: count * PAGE, source: e.into() })
    }

    fn host(&self, page: u64) -> *mut c_void {
        self.base.wrapping_add((page * PAGE) as usize).cast()
    }

    /// Host protection for guest flags. Guest code is never run by the host, so EXEC means nothing here;
    /// any mapped page can be read by us, so that it can be saved and printed.
    fn prot(&self, flags: PageFlags) -> ProtFlags {
        let all = ProtFlags::READ | ProtFlags::WRITE;
        match flags {
            f if !f.contains(PageFlags::MAPPED) => ProtFlags::empty(),
            f if !self.mirror || f.contains(PageFlags::WRITE) => all,
            _ => ProtFlags::READ,
        }
    }

    /// Loads `N` bytes inside one page whose flags have all of `need`; `None` otherwise.
    #[inline(always)]
    pub(super) fn load<const N: usize>(&self, addr: u64, need: PageFlags) -> Option<[u8; N]> {
        let fits = (addr % PAGE) as usize + N <= PAGE as usize;
        if !(fits && self.flags(addr / PAGE).contains(need | PageFlags::MAPPED)) {
            return None;
        }
        // SAFETY: the bytes lie in one mapped page, which the host can read; [u8; N] has no alignment.
        Some(unsafe { *self.base.add(addr as usize).cast::<[u8; N]>() })
    }

    /// Stores `N` bytes inside one page whose flags, of `of`, are exactly `are`; says whether it did.
    /// `are` has `WRITE`.
    #[inline(always)]
    pub(super) fn store<const N: usize>(
        &mut self,
        addr: u64,
        bytes: [u8; N],
        of: PageFlags,
        are: PageFlags,
    ) -> bool {
        let fits = (addr % PAGE) as usize + N <= PAGE as usize;
        let flags = self.flags(addr / PAGE);
        if !(fits && flags & of == are && flags.contains(PageFlags::WRITE)) {
            return false;
        }
        // SAFETY: the bytes lie in one page with WRITE, which the host can write; `&mut self` is unique.
        unsafe { *self.base.add(addr as usize).cast::<[u8; N]>() = bytes };
        true
    }

    /// The bytes of a page that is mapped.
    pub(super) fn page(&self, page: u64) -> Option<&[u8; PAGE as usize]> {
        if !self.flags(page).contains(PageFlags::MAPPED) {
            return None;
        }
        // SAFETY: a mapped page is readable on the host, for as long as `&self` keeps it mapped.
        Some(unsafe { &*self.base.add((page * PAGE) as usize).cast() })
    }

    /// Changes bytes of a mapped page whatever its permissions.
    pub(super) fn patch(&mut self, page: u64, at: usize, bytes: &[u8]) -> Result<(), MemoryError> {
        let flags = self.flags(page);
        if !flags.contains(PageFlags::MAPPED) || at + bytes.len() > PAGE as usize {
            return Err(MemoryError::NotMapped { addr: page.saturating_mul(PAGE) });
        }
        let locked = self.mirror && !flags.contains(PageFlags::WRITE);
        if locked {
            self.host_protect(page, 1, ProtFlags::READ | ProtFlags::WRITE)?;
        }
        // SAFETY: the page is mapped and now writable on the host; the range was checked against its
        // size; `bytes` is not guest memory, of which no reference can exist beside `&mut self`.
        unsafe {
            let to = self.base.add((page * PAGE) as usize + at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        if locked { self.host_protect(page, 1, ProtFlags::READ) } else { Ok(()) }
    }
}

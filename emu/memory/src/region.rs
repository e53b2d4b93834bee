//! The host memory behind a guest: one reservation, one byte of flags per guest page.
//!
//! This is the only file of the crate with `unsafe`. It keeps one invariant, from which every access
//! below follows: **a page whose flags have `READ` (or `WRITE`) is committed on the host, and readable
//! (or writable) there.** Guest address `a` lives at host address `base + a`, so an access is one look at
//! the flags and one load or store. Around the guest's space lie guards that are never committed.

#![allow(unsafe_code, reason = "owns the host mapping; every block states why it is sound")]

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::ptr::null_mut;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap, mmap_anonymous, mprotect, munmap,
};

use super::{MemoryError, PageFlags};

/// Bytes of a guest page.
pub const PAGE: u64 = 4096;

/// Guards below and above the space: what a translator's displacements and small indexes may reach (see ARCHITECTURE.md).
/// Larger ones would let fewer machines into a process.
const GUARD_BELOW: u64 = 1 << 32;
const GUARD_ABOVE: u64 = (1 << 37) + (1 << 31);

/// Spaces to try, largest first: (bytes of guest space, guard below, guard above).
const PLANS: [(u64, u64, u64); 4] =
    [(1 << 40, GUARD_BELOW, GUARD_ABOVE), (1 << 40, 0, 0), (1 << 36, 0, 0), (1 << 32, 0, 0)];

/// Calls of the host after which parts of the space are counted; half of them is too many. A process has 65,530 as a rule.
const MOST_PARTS: usize = 1 << 14;

/// A reserved range of host addresses.
pub(super) struct Reservation {
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

impl Reservation {
    /// The host address so many bytes from its start.
    pub(super) fn at(&self, offset: usize) -> *mut u8 {
        self.start.cast::<u8>().wrapping_add(offset)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        // SAFETY: start and len are what mmap gave, and nothing borrows from a dropped reservation.
        let _ = unsafe { munmap(self.start, self.len) };
    }
}

// SAFETY: it is two numbers, which never change; the mapping behind them belongs to no thread.
unsafe impl Send for Reservation {}
// SAFETY: as above.
unsafe impl Sync for Reservation {}

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
    /// Whether there are guards around the space.
    guarded: bool,
    /// Whether the host's protection is exactly what the flags allow at once: see [`Region::protect_exactly`].
    exact: bool,
    /// While it is, a page that was made writable for us and stays so: the next write may be to the same one.
    unlocked: Cell<Option<u64>>,
    /// Whether the host is not to keep parts of the space apart any more: see [`Region::join`].
    joined: Cell<bool>,
    /// How many parts it may keep apart, at most: what there were when they were counted, and one for each call since.
    parts: Cell<usize>,
    /// Whether a file was ever mapped: such memory is not zero when it is given back.
    has_files: bool,
    /// What is mapped: first pages and ends.
    runs: BTreeMap<u64, u64>,
    /// Shared with those who were lent some of it, so that it outlives the region where they do.
    space: Arc<Reservation>,
    _table: Reservation,
}

// SAFETY: a Region owns its mappings; what points into them beside it has a share of `space`.
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
            guarded: below > 0,
            exact: false,
            unlocked: Cell::new(None),
            joined: Cell::new(false),
            parts: Cell::new(0),
            has_files: false,
            runs: BTreeMap::new(),
            space: Arc::new(space),
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
        self.mark_all(&mut [page], set, clear);
    }

    /// The same for many pages, which are put in order.
    pub(super) fn mark_all(&mut self, pages: &mut [u64], set: PageFlags, clear: PageFlags) {
        debug_assert!(!(set | clear).intersects(PageFlags::PERMISSIONS));
        let changed = |flags: PageFlags| ((flags | set) - clear) | (flags & PageFlags::PERMISSIONS);
        if self.exact {
            pages.sort_unstable();
            let protect = |&page: &u64| {
                let (old, new) = (self.flags(page), changed(self.flags(page)));
                (self.prot(old) != self.prot(new)).then(|| (page, self.prot(new)))
            };
            let protected = self.protect_groups(pages.iter().filter_map(protect));
            pages.iter().for_each(|&page| self.put_flags(page, changed(self.flags(page))));
            if protected.is_err() {
                self.protect_loosely();
            }
            return;
        }
        pages.iter().for_each(|&page| self.put_flags(page, changed(self.flags(page))));
    }

    /// Protects pages, which are in order, with as few calls as can be.
    fn protect_groups(&self, pages: impl Iterator<Item = (u64, ProtFlags)>) -> Result<(), MemoryError> {
        let mut pages = pages.peekable();
        while let Some((first, prot)) = pages.next() {
            let mut end = first + 1;
            while pages.next_if_eq(&(end, prot)).is_some() {
                end += 1;
            }
            self.host_protect(first, end - first, prot)?;
        }
        Ok(())
    }

    /// Whether translated code may run in this space.
    pub(super) fn can_be_exact(&self) -> bool {
        self.mirror && self.guarded && !self.joined.get()
    }

    /// Whether it may now.
    pub(super) fn is_exact(&self) -> bool {
        self.exact && !self.joined.get()
    }

    /// From now on the host lets through exactly what [`Region::load`] and [`Region::store`] let through at once: a page can
    /// be read there if it has `READ`, and written if it has `WRITE`, was written since the last snapshot, and holds no
    /// decoded code. So code that accesses the space without looking at flags faults where somebody must look.
    pub(super) fn protect_exactly(&mut self) -> bool {
        self.relock();
        if self.can_be_exact() && !self.exact {
            self.exact = true;
            if self.protect_runs().is_err() {
                self.protect_loosely();
            }
        }
        if self.joined.get() {
            self.exact = false;
        }
        self.exact
    }

    /// There may be one part more.
    fn parted(&self, first: u64, count: u64) -> Result<(), MemoryError> {
        let parts = self.parts.get() + 1;
        self.parts.set(parts);
        if parts < MOST_PARTS {
            return Ok(());
        }
        let mut last = None;
        let begins = |page: u64| {
            let now = (page, self.prot(self.flags(page)));
            last.replace(now).is_none_or(|(before, prot)| (before + 1, prot) != now)
        };
        let counted = self.mapped_pages().map(begins).filter(|begins| *begins).count();
        self.parts.set(counted);
        if counted > MOST_PARTS / 2 { self.join(first, count) } else { Ok(()) }
    }

    /// The host would not keep more parts of the space apart, or soon will not: Linux has a limit for all of a process
    /// (`vm.max_map_count`). From now on it lets through all accesses to the space: what the guest may do is known by the flags
    /// alone, and no translated code runs.
    fn join(&self, first: u64, count: u64) -> Result<(), MemoryError> {
        let (at, len) = (self.host(0), self.size() as usize);
        // SAFETY: the range is our own reservation; more may be accessed than before, and nobody does without looking at flags.
        unsafe { mprotect(at, len, MprotectFlags::READ | MprotectFlags::WRITE) }
            .map_err(|e| MemoryError::Commit { addr: first * PAGE, len: count * PAGE, source: e.into() })?;
        self.joined.set(true);
        Ok(())
    }

    /// The end of that, where the host keeps apart what there is now.
    pub(super) fn part(&mut self) {
        if !self.joined.get() {
            return;
        }
        self.exact = false;
        // SAFETY: the range is our own reservation. What is mapped can be accessed again before this returns.
        if unsafe { mprotect(self.host(0), self.size() as usize, MprotectFlags::empty()) }.is_err() {
            return;
        }
        self.joined.set(false);
        self.parts.set(0);
        // Where the host refuses, all is joined again.
        let _ = self.protect_runs();
    }

    /// Gives pages the contents of new ones while all is joined.
    fn renew(&mut self, first: u64, count: u64, flags: PageFlags) -> Result<(), MemoryError> {
        let (at, len) = (self.host(first), (count * PAGE) as usize);
        // SAFETY: the range lies inside our own reservation, as the caller has checked; no reference into guest memory
        // outlives a call that takes `&mut self`.
        let done = unsafe { madvise(at, len, Advice::LinuxDontNeed) };
        done.map_err(|e| MemoryError::Commit { addr: first * PAGE, len: count * PAGE, source: e.into() })?;
        if self.has_files && flags.contains(PageFlags::MAPPED) {
            // SAFETY: as above; while all is joined the host lets everything be written.
            unsafe { std::ptr::write_bytes(at.cast::<u8>(), 0, len) };
        }
        Ok(())
    }

    /// The end of that: it is not needed, or the host would not protect any more (it limits how often protection may change
    /// along the space).
    pub(super) fn protect_loosely(&mut self) {
        self.exact = false;
        // This joins what the host had to keep apart, so that it takes nothing from it. Were it refused all the same, all of the
        // space would be joined.
        let _ = self.protect_runs();
    }

    /// Protects the page again that was left writable.
    fn relock(&mut self) {
        if let Some(page) = self.unlocked.take()
            && self.host_protect(page, 1, self.prot(self.flags(page))).is_err()
        {
            self.protect_loosely();
        }
    }

    fn protect_runs(&self) -> Result<(), MemoryError> {
        self.protect_groups(self.mapped_pages().map(|page| (page, self.prot(self.flags(page)))))
    }

    /// Commits zero pages in the guard below the space, `below` bytes under it; says whether it did. They are not the
    /// guest's.
    pub(super) fn commit_below(&mut self, below: u64, len: u64, write: bool) -> bool {
        if !self.guarded
            || below > GUARD_BELOW
            || len > below
            || !below.is_multiple_of(PAGE)
            || !len.is_multiple_of(PAGE)
        {
            return false;
        }
        let at = self.base.wrapping_sub(below as usize);
        let prot = if write { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        // SAFETY: the range lies in the guard below our space, which belongs to our reservation and holds nothing.
        unsafe { mmap_anonymous(at.cast(), len as usize, prot, flags) }.is_ok()
    }

    /// The pages that are mapped, in order.
    pub(super) fn mapped_pages(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().flat_map(|(&first, &end)| first..end)
    }

    /// A share of the space, with which it stays reserved.
    pub(super) fn share(&self) -> Arc<Reservation> {
        Arc::clone(&self.space)
    }

    /// Bytes from the start of the reservation to a guest address.
    pub(super) fn offset(&self, addr: u64) -> usize {
        self.base.addr().wrapping_sub(self.space.start.addr()).wrapping_add(addr as usize)
    }

    /// How many others have a share of the space.
    pub(super) fn shares(&self) -> usize {
        Arc::strong_count(&self.space) - 1
    }

    /// Where the space begins on the host.
    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    /// Notes that pages are mapped, or no longer.
    fn note_run(&mut self, pages: Range<u64>, mapped: bool) {
        let before = self.runs.range(..pages.start).next_back().map(|(&first, &end)| (first, end));
        if let Some((first, end)) = before.filter(|&(_, end)| end > pages.start) {
            self.runs.insert(first, pages.start);
            if end > pages.end {
                self.runs.insert(pages.end, end);
            }
        }
        while let Some((&first, &end)) = self.runs.range(pages.clone()).next() {
            self.runs.remove(&first);
            if end > pages.end {
                self.runs.insert(pages.end, end);
            }
        }
        if mapped && !pages.is_empty() {
            self.runs.insert(pages.start, pages.end);
        }
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
        self.settled(first..first + count);
        let (prot, fixed) = (self.prot(flags), MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE);
        if !self.joined.get() {
            self.parted(first, count)?;
        }
        let prot = if self.joined.get() { ProtFlags::READ | ProtFlags::WRITE } else { prot };
        if self.joined.get() && file.is_none() {
            self.renew(first, count, flags)?;
        } else {
            // SAFETY: the range lies inside our own reservation (checked above), so FIXED replaces nothing
            // of anybody else's; no reference into guest memory outlives a call that takes `&mut self`.
            let done = unsafe {
                match file {
                    Some((file, offset)) => mmap(at, len, prot, fixed, file, offset),
                    None => mmap_anonymous(at, len, prot, fixed),
                }
            };
            self.has_files |= file.is_some();
            if let Err(refused) = done {
                if file.is_some() {
                    let (addr, len) = (first * PAGE, count * PAGE);
                    return Err(MemoryError::Commit { addr, len, source: refused.into() });
                }
                self.join(first, count)?;
                self.renew(first, count, flags)?;
            }
        }
        (first..first + count).for_each(|page| self.put_flags(page, flags));
        self.note_run(first..first + count, flags.contains(PageFlags::MAPPED));
        Ok(())
    }

    /// Gives pages back to the host: not committed, no flags.
    pub(super) fn decommit(&mut self, first: u64, count: u64) -> Result<(), MemoryError> {
        self.commit(first, count, PageFlags::empty(), None)
    }

    /// Changes the permissions of committed pages.
    pub(super) fn protect(&mut self, first: u64, count: u64, perm: PageFlags) -> Result<(), MemoryError> {
        if !self.inside(first, count) {
            return Err(MemoryError::OutOfSpace { addr: first.saturating_mul(PAGE), size: self.size() });
        }
        let changed = |flags: PageFlags| (flags - PageFlags::PERMISSIONS) | (perm & PageFlags::PERMISSIONS);
        let pages = first..first + count;
        self.protect_groups(pages.clone().map(|page| (page, self.prot(changed(self.flags(page))))))?;
        pages.for_each(|page| self.put_flags(page, changed(self.flags(page))));
        Ok(())
    }

    fn host_protect(&self, first: u64, count: u64, prot: ProtFlags) -> Result<(), MemoryError> {
        if !self.inside(first, count) {
            return Err(MemoryError::OutOfSpace { addr: first.saturating_mul(PAGE), size: self.size() });
        }
        self.settled(first..first + count);
        if !self.joined.get() {
            self.parted(first, count)?;
        }
        if self.joined.get() {
            return Ok(());
        }
        let prot = MprotectFlags::from_bits_retain(prot.bits());
        // SAFETY: the range lies inside our own reservation. Taking permissions away cannot break the
        // invariant for longer than a call: callers set the flags to match.
        match unsafe { mprotect(self.host(first), (count * PAGE) as usize, prot) } {
            Ok(()) => Ok(()),
            Err(_) => self.join(first, count),
        }
    }

    /// These pages get a protection: none of them is left writable by [`Region::patch`] any more.
    fn settled(&self, pages: Range<u64>) {
        if self.unlocked.get().is_some_and(|page| pages.contains(&page)) {
            self.unlocked.set(None);
        }
    }

    fn host(&self, page: u64) -> *mut c_void {
        self.base.wrapping_add((page * PAGE) as usize).cast()
    }

    /// Host protection for guest flags. Guest code is never run by the host, so EXEC means nothing here;
    /// any mapped page can be read by us, so that it can be saved and printed, unless protection is exact.
    fn prot(&self, flags: PageFlags) -> ProtFlags {
        let all = ProtFlags::READ | ProtFlags::WRITE;
        let plain = PageFlags::READ | PageFlags::WRITE | PageFlags::DIRTY;
        match flags {
            f if !f.contains(PageFlags::MAPPED) => ProtFlags::empty(),
            f if self.exact && !f.contains(PageFlags::READ) => ProtFlags::empty(),
            f if self.exact && f & (plain | PageFlags::CODE) != plain => ProtFlags::READ,
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
    /// `are` has `READ`, `WRITE` and `DIRTY`, and `of` has `CODE` too: see [`Region::protect_exactly`].
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

    /// The bytes of a page that is mapped and that the host can read: any mapped one, or, while protection is exact, one with
    /// `READ`.
    pub(super) fn page(&self, page: u64) -> Option<&[u8; PAGE as usize]> {
        if !self.prot(self.flags(page)).contains(ProtFlags::READ) {
            return None;
        }
        // SAFETY: the page is readable on the host, for as long as `&self` keeps it so.
        Some(unsafe { &*self.base.add((page * PAGE) as usize).cast() })
    }

    /// Copies bytes of a mapped page whatever its permissions; says whether it is mapped.
    pub(super) fn copy_out(&self, page: u64, at: usize, out: &mut [u8]) -> bool {
        let flags = self.flags(page);
        if !flags.contains(PageFlags::MAPPED) || at + out.len() > PAGE as usize {
            return false;
        }
        let locked = !self.prot(flags).contains(ProtFlags::READ);
        if locked && self.host_protect(page, 1, ProtFlags::READ).is_err() {
            return false;
        }
        // SAFETY: the page is mapped and readable on the host; the range was checked against its size; `out` is not
        // guest memory.
        unsafe {
            let from = self.base.add((page * PAGE) as usize + at);
            std::ptr::copy_nonoverlapping(from, out.as_mut_ptr(), out.len());
        }
        !locked || self.host_protect(page, 1, self.prot(flags)).is_ok()
    }

    /// Changes bytes of a mapped page whatever its permissions.
    pub(super) fn patch(&mut self, page: u64, at: usize, bytes: &[u8]) -> Result<(), MemoryError> {
        let flags = self.flags(page);
        if !flags.contains(PageFlags::MAPPED) || at + bytes.len() > PAGE as usize {
            return Err(MemoryError::NotMapped { addr: page.saturating_mul(PAGE) });
        }
        let prot = self.prot(flags);
        let locked = !prot.contains(ProtFlags::WRITE) && self.unlocked.get() != Some(page);
        if locked {
            self.relock();
            self.host_protect(page, 1, ProtFlags::READ | ProtFlags::WRITE)?;
        }
        // SAFETY: the page is mapped and now writable on the host; the range was checked against its
        // size; `bytes` is not guest memory, of which no reference can exist beside `&mut self`.
        unsafe {
            let to = self.base.add((page * PAGE) as usize + at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
        match locked {
            // Until translated code is entered again.
            true if self.exact => self.unlocked.set(Some(page)),
            true => self.host_protect(page, 1, self.prot(flags))?,
            false => {}
        }
        Ok(())
    }
}

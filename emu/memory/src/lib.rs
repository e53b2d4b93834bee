//! Guest memory: one linear space, permissions per page, snapshots.
//!
//! Guest address `a` is host address `base + a`: no page walk, no table of segments. Every access looks
//! at one byte of flags for its page, or two where it crosses a border. Addresses outside the space
//! (2^40 bytes where the host allows) fault like non-canonical ones.
//!
//! Memory knows no processor. An engine learns from [`Memory::take_code_writes`] which bytes of decoded pages were
//! written.
//!
//! ```
//! use goemu_memory::{Contents, Memory, Perm};
//!
//! let mut memory = Memory::new(1 << 20)?;
//! memory.map(0x1000..0x2000, Perm::READ | Perm::WRITE, Contents::Zero)?;
//! let start = memory.snapshot();
//! assert_eq!(memory.write(0x1ff8, 7u64.to_le_bytes()), Ok(()));
//! assert_eq!(memory.write(0x1ffc, [0; 8]).unwrap_err().addr, 0x2000);
//! memory.restore(start)?;
//! assert_eq!(memory.read(0x1ff8), Ok([0; 8]));
//! # Ok::<(), goemu_memory::MemoryError>(())
//! ```

mod bump;
mod cost;
mod duplicate;
mod error;
mod far;
mod going_back;
mod hosting;
mod lease;
mod mapping;
mod perm;
mod region;
mod snapshot;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Range;

use bitflags::bitflags;
pub use bump::{BUMPED, Bump, Bumped, bumped};
use cost::Cost;
pub use error::{Access, Cause, MemFault, MemoryError};
pub use far::FarBytes;
use far::{Far, FarWrites};
pub use hosting::HostPages;
pub use lease::Lease;
pub use perm::Perm;
pub use region::PAGE;
use region::Region;
use snapshot::Journal;
pub use snapshot::Snapshot;

bitflags! {
    /// What one page is.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct PageFlags: u8 {
        const READ = 1;
        const WRITE = 2;
        const EXEC = 4;
        /// There is memory here.
        const MAPPED = 8;
        /// Written since the last snapshot.
        const DIRTY = 16;
        /// Some of it was decoded: writes must be told.
        const CODE = 32;
        /// It could not be written yet: it is zero, and the host has no memory for it.
        const UNTOUCHED = 64;
        const PERMISSIONS = 15 | 64;
    }
}

impl From<Perm> for PageFlags {
    fn from(perm: Perm) -> PageFlags {
        let pairs =
            [(Perm::READ, PageFlags::READ), (Perm::WRITE, PageFlags::WRITE), (Perm::EXEC, PageFlags::EXEC)];
        let set = pairs.into_iter().filter(|(p, _)| perm.contains(*p)).map(|(_, flag)| flag);
        set.fold(PageFlags::MAPPED, |all, flag| all | flag)
    }
}

impl PageFlags {
    /// What may be done with the page.
    fn allowed(self) -> Perm {
        let pairs =
            [(PageFlags::READ, Perm::READ), (PageFlags::WRITE, Perm::WRITE), (PageFlags::EXEC, Perm::EXEC)];
        pairs.into_iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, perm)| perm).collect()
    }
}

/// Where the first bytes of a mapping come from. The rest is zero.
#[derive(Clone, Copy, Debug)]
pub enum Contents<'a> {
    /// All zero.
    Zero,
    /// A copy of these bytes.
    Bytes(&'a [u8]),
    /// A private mapping of a file: whole pages from `offset`, a multiple of [`PAGE`].
    File(&'a File, u64),
}

/// The memory of one guest.
pub struct Memory {
    region: Region,
    journal: Journal,
    mapped: u64,
    limit: u64,
    /// Bytes of pages that are [`PageFlags::UNTOUCHED`], and not in `mapped`.
    untouched: u64,
    far: BTreeMap<u64, Far>,
    far_writes: FarWrites,
    code_writes: Vec<Range<u64>>,
    cost: Cost,
    /// Bytes of the host's memory that are kept for the guest elsewhere.
    beside: Cell<u64>,
    bump: Bump,
}

impl Memory {
    /// An empty space. At most `limit` bytes can be mapped in it.
    ///
    /// # Errors
    /// [`MemoryError`] when the host refuses address space.
    pub fn new(limit: u64) -> Result<Memory, MemoryError> {
        let (region, journal) = (Region::new()?, Journal::default());
        let (code_writes, cost) = (Vec::new(), Cost::default());
        let beside = Cell::default();
        Ok(Memory {
            region,
            journal,
            mapped: 0,
            limit,
            untouched: 0,
            far: BTreeMap::new(),
            far_writes: FarWrites::default(),
            code_writes,
            cost,
            beside,
            bump: Bump::default(),
        })
    }

    /// Memory that an engine may hand out by itself.
    pub fn bump(&self) -> &Bump {
        &self.bump
    }

    /// The same, to lend some and to take what was made of it.
    pub fn bump_mut(&mut self) -> &mut Bump {
        &mut self.bump
    }

    /// Bytes of address space: 2^40 where the host allows.
    pub fn space(&self) -> u64 {
        self.region.size()
    }

    /// Bytes mapped, without those that are zero because they could not be written yet.
    pub fn mapped(&self) -> u64 {
        self.mapped
    }

    /// Bytes that may be mapped.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Changes how many bytes may be mapped.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    fn is_mapped(&self, page: u64) -> bool {
        self.region.flags(page).contains(PageFlags::MAPPED)
    }

    /// The permissions at an address; `None` where nothing is mapped.
    pub fn perm(&self, addr: u64) -> Option<Perm> {
        let flags = self.flags(addr / PAGE);
        flags.contains(PageFlags::MAPPED).then(|| flags.allowed())
    }

    /// Loads `N` bytes.
    ///
    /// # Errors
    /// [`MemFault`], with the first address that may not be read.
    #[inline(always)]
    pub fn read<const N: usize>(&self, addr: u64) -> Result<[u8; N], MemFault> {
        match self.region.load(addr, PageFlags::READ) {
            Some(bytes) => Ok(bytes),
            None => self.read_slow(addr),
        }
    }

    #[cold]
    #[inline(never)]
    fn read_slow<const N: usize>(&self, addr: u64) -> Result<[u8; N], MemFault> {
        let mut bytes = [0; N];
        self.read_bytes(addr, &mut bytes).map(|()| bytes)
    }

    /// Stores `N` bytes.
    ///
    /// # Errors
    /// [`MemFault`], with the first address that may not be written. Nothing is stored then.
    #[inline(always)]
    pub fn write<const N: usize>(&mut self, addr: u64, bytes: [u8; N]) -> Result<(), MemFault> {
        let plain = PageFlags::READ | PageFlags::WRITE | PageFlags::DIRTY;
        if self.region.store(addr, bytes, plain | PageFlags::CODE, plain) {
            return Ok(());
        }
        self.write_bytes(addr, &bytes)
    }

    /// Loads as many bytes as `bytes` holds.
    ///
    /// # Errors
    /// [`MemFault`], with the first address that may not be read.
    pub fn read_bytes(&self, addr: u64, bytes: &mut [u8]) -> Result<(), MemFault> {
        self.check(addr, bytes.len(), Access::Read)?;
        self.cost.moved(bytes.len());
        self.peek(addr, bytes);
        Ok(())
    }

    /// Stores bytes: all or none.
    ///
    /// # Errors
    /// [`MemFault`], with the first address that may not be written.
    #[inline(never)]
    pub fn write_bytes(&mut self, addr: u64, bytes: &[u8]) -> Result<(), MemFault> {
        self.check(addr, bytes.len(), Access::Write)?;
        if self.journal.kept() > self.spare() && !self.is_dirty(addr, bytes.len()) {
            return Err(MemFault { addr, access: Access::Write, cause: Cause::Limit });
        }
        let far = self.far_needs(addr, bytes.len());
        if far > 0 && self.taken().saturating_add(far) > self.allowance() {
            return Err(MemFault { addr, access: Access::Write, cause: Cause::Limit });
        }
        self.cost.moved(bytes.len());
        for (page, at, piece) in pieces(addr, bytes) {
            if self.is_far(page) {
                self.write_far(page, at, piece);
                continue;
            }
            self.touch(page, at, piece.len());
            // The page is mapped and writable, so that patching it cannot fail.
            let _ = self.region.patch(page, at, piece);
        }
        Ok(())
    }

    /// Reads up to `bytes.len()` bytes of code; says how many there are.
    ///
    /// # Errors
    /// [`MemFault`] if the first byte may not be executed.
    pub fn fetch(&self, addr: u64, bytes: &mut [u8]) -> Result<usize, MemFault> {
        let len = match self.check(addr, bytes.len(), Access::Fetch) {
            Ok(()) => bytes.len(),
            Err(fault) if fault.addr > addr => (fault.addr - addr) as usize,
            Err(fault) => return Err(fault),
        };
        self.peek(addr, &mut bytes[..len]);
        Ok(len)
    }

    /// Whether all of a range allows an access.
    ///
    /// # Errors
    /// [`MemFault`], with the first address that does not allow it.
    pub fn check(&self, addr: u64, len: usize, access: Access) -> Result<(), MemFault> {
        let need = match access {
            Access::Read => PageFlags::READ,
            Access::Write => PageFlags::WRITE,
            Access::Fetch => PageFlags::EXEC,
        };
        let mut at = addr;
        let mut left = len as u64;
        while left > 0 {
            let flags = self.flags(at / PAGE);
            if !flags.contains(need | PageFlags::MAPPED) {
                let mapped = flags.contains(PageFlags::MAPPED);
                let cause = if mapped { Cause::Denied } else { Cause::Unmapped };
                return Err(MemFault { addr: at, access, cause });
            }
            let step = (PAGE - at % PAGE).min(left);
            left -= step;
            // Past the last page of the space nothing is mapped, and the next round says so.
            at = at.wrapping_add(step);
        }
        Ok(())
    }

    /// Reads from the host's side: permissions do not matter; what is not mapped stays as it is in `bytes`.
    pub fn peek(&self, addr: u64, bytes: &mut [u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = addr.wrapping_add(done as u64);
            let start = (at % PAGE) as usize;
            let len = (PAGE as usize - start).min(bytes.len() - done);
            self.copy_out(at / PAGE, start, &mut bytes[done..done + len]);
            done += len;
        }
    }

    /// Writes from the host's side: permissions do not matter, being mapped does. Where these bytes are there already,
    /// the page stays clean: going back to a snapshot need not restore it.
    ///
    /// # Errors
    /// [`MemoryError::NotMapped`] where a page is not mapped; what lies before it is written.
    #[inline]
    pub fn poke(&mut self, addr: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        if bytes.is_empty() || self.holds(addr, bytes) { Ok(()) } else { self.poke_changed(addr, bytes) }
    }

    fn poke_changed(&mut self, addr: u64, bytes: &[u8]) -> Result<(), MemoryError> {
        for (page, at, piece) in pieces(addr, bytes) {
            if self.is_far(page) {
                self.write_far(page, at, piece);
                continue;
            }
            if !self.is_mapped(page) {
                return Err(MemoryError::NotMapped { addr: page.saturating_mul(PAGE) });
            }
            self.touch(page, at, piece.len());
            self.region.patch(page, at, piece)?;
        }
        Ok(())
    }

    /// Whether these are the bytes at an address. Those that reach into the next page are never said to be.
    #[inline]
    fn holds(&self, addr: u64, bytes: &[u8]) -> bool {
        if let Ok(word) = <[u8; 8]>::try_from(bytes) {
            return self.region.load(addr, PageFlags::READ) == Some(word);
        }
        let page = self.region.page(addr / PAGE);
        page.and_then(|page| page.get((addr % PAGE) as usize..)?.get(..bytes.len())) == Some(bytes)
    }

    /// Says how many bytes of the host's memory are kept for the guest outside this type: what its system calls have left, its output.
    /// They count toward the limit, as pages do that are kept for going back.
    pub fn set_beside(&self, bytes: u64) {
        self.beside.set(bytes);
    }

    /// What [`Memory::set_beside`] was told.
    pub fn beside(&self) -> u64 {
        self.beside.get()
    }

    /// Bytes of the host's memory that the guest has: what is mapped, what is kept for going back, and what is kept elsewhere.
    pub fn taken(&self) -> u64 {
        let beside = self.beside.get().saturating_add(self.far_writes.bytes());
        self.mapped.saturating_add(self.kept()).saturating_add(beside)
    }

    /// Bytes that [`Memory::taken`] may be: the limit of what is mapped, and an eighth.
    pub fn allowance(&self) -> u64 {
        self.limit.saturating_add(self.limit / 8)
    }

    /// Whether the guest has more of the host's memory than it may have.
    pub fn is_overdrawn(&self) -> bool {
        self.taken() > self.allowance()
    }

    /// Bytes that may be kept for going back, beside what there is.
    fn spare(&self) -> u64 {
        let elsewhere = self.beside.get().saturating_add(self.far_writes.bytes());
        self.allowance().saturating_sub(self.mapped).saturating_sub(elsewhere)
    }

    /// Whether the pages of these bytes need not be kept.
    fn is_dirty(&self, addr: u64, len: usize) -> bool {
        let last = addr.saturating_add((len as u64).saturating_sub(1)) / PAGE;
        (addr / PAGE..=last).all(|page| self.region.flags(page).contains(PageFlags::DIRTY))
    }

    /// Before bytes of a page change: keeps the page for snapshots, tells of changed code.
    fn touch(&mut self, page: u64, at: usize, len: usize) {
        let flags = self.region.flags(page);
        if !flags.contains(PageFlags::DIRTY) {
            self.journal.before_write(&self.region, page);
            self.region.mark(page, PageFlags::DIRTY, PageFlags::empty());
        }
        if flags.contains(PageFlags::UNTOUCHED) {
            self.gets_memory(page, flags);
        }
        if flags.contains(PageFlags::CODE) {
            let (start, end) = (page * PAGE + at as u64, page * PAGE + (at + len) as u64);
            match self.code_writes.last_mut() {
                Some(last) if (last.start..=last.end).contains(&start) => last.end = last.end.max(end),
                Some(last) if (last.start..=last.end).contains(&end) => last.start = last.start.min(start),
                _ => {
                    self.code_writes.push(start..end);
                    self.cost.code_written();
                }
            }
        }
    }

    fn tell_code(&mut self, pages: Range<u64>) {
        let region = &self.region;
        let code = pages.filter(|&p| region.flags(p).contains(PageFlags::CODE));
        self.code_writes.extend(code.map(|p| p * PAGE..(p + 1) * PAGE));
    }

    /// Says that bytes of this range were decoded: writes to their pages are told from now on.
    pub fn mark_code(&mut self, range: Range<u64>) {
        for page in range.start / PAGE..=range.end.saturating_sub(1) / PAGE {
            if self.is_mapped(page) {
                self.region.mark(page, PageFlags::CODE, PageFlags::empty());
            }
        }
    }

    /// Whether bytes of decoded pages were written since the last [`Memory::take_code_writes`].
    #[inline(always)]
    pub fn code_written(&self) -> bool {
        !self.code_writes.is_empty()
    }

    /// The ranges that were written in pages that hold decoded code.
    pub fn take_code_writes(&mut self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.code_writes)
    }

    /// Counts work that takes as long as so many instructions, and that nothing else counts.
    pub fn charge(&self, instructions: u64) {
        self.cost.add(instructions);
    }

    /// What [`Memory::cost_left`] is where no work was counted.
    pub const MUCH_COST: u64 = cost::MUCH;

    /// How much work may still be counted before engines have to check, in instructions.
    pub fn cost_left(&self) -> u64 {
        self.cost.left()
    }

    /// The work that was counted since the last time, in instructions.
    pub fn take_cost(&self) -> i64 {
        self.cost.take()
    }

    /// Discards the work that was counted so far.
    pub fn forget_cost(&self) {
        self.cost.forget();
    }

    /// All work that was taken so far.
    pub fn charged(&self) -> u64 {
        self.cost.taken()
    }

    /// Whether an engine has to check: decoded bytes were written, or much work was counted.
    #[inline(always)]
    pub fn wants_attention(&self) -> bool {
        self.code_written() || self.cost.is_much()
    }

    /// Whether so much work was counted that it should be taken soon.
    pub fn is_costly(&self) -> bool {
        self.cost.is_much()
    }

    /// Bytes that are kept for going back to snapshots.
    pub fn kept(&self) -> u64 {
        self.journal.kept()
    }

    /// The pages of a range, its ends rounded outwards.
    fn pages(&self, range: &Range<u64>) -> Result<Range<u64>, MemoryError> {
        if range.start > range.end {
            return Err(MemoryError::Backwards { start: range.start, end: range.end });
        }
        if range.end > self.space() {
            return Err(MemoryError::OutOfSpace { addr: range.end, size: self.space() });
        }
        Ok(range.start / PAGE..range.end.div_ceil(PAGE))
    }

    fn mapped_pages(&self, range: &Range<u64>) -> Result<Range<u64>, MemoryError> {
        let pages = self.pages(range)?;
        match pages.clone().find(|&p| !self.is_mapped(p)) {
            Some(page) => Err(MemoryError::NotMapped { addr: page * PAGE }),
            None => Ok(pages),
        }
    }
}

/// Cuts bytes at page borders: (page, offset in it, bytes).
fn pieces(addr: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, usize, &[u8])> {
    let mut rest = bytes;
    let mut at = addr;
    std::iter::from_fn(move || {
        let start = (at % PAGE) as usize;
        let len = (PAGE as usize - start).min(rest.len());
        let (piece, after) = rest.split_at_checked(len).filter(|_| len > 0)?;
        let page = at / PAGE;
        (rest, at) = (after, at.wrapping_add(len as u64));
        Some((page, start, piece))
    })
}

//! Copies of a whole memory: the same pages with the same contents, which then go their own ways.

use std::ops::Range;

use super::region::PAGE;
use super::{Contents, Memory, MemoryError, PageFlags, Perm};

/// A page of zeros, as new ones are.
const ZERO: [u8; PAGE as usize] = [0; PAGE as usize];

impl Memory {
    /// Another memory with what is mapped here: contents, permissions, limit. It has no snapshots, and no
    /// page of it counts as decoded. Pages that hold zeros cost it nothing.
    ///
    /// # Errors
    /// The host may refuse address space or memory.
    pub fn duplicate(&self) -> Result<Memory, MemoryError> {
        let mut copy = Memory::new(self.limit)?;
        if copy.space() < self.space() {
            // Less room than here: pages further up have no place.
            return Err(MemoryError::OutOfSpace { addr: copy.space(), size: copy.space() });
        }
        copy.far.clone_from(&self.far);
        copy.far_writes = self.far_writes.same();
        for (first, end, flags) in self.runs() {
            self.copy_run(&mut copy, first, end, flags)?;
        }
        Ok(copy)
    }

    /// What is mapped, by address: neighbouring pages that have the same permissions are one range.
    pub fn ranges(&self) -> Vec<(Range<u64>, Perm)> {
        let runs = self.runs().into_iter();
        let near =
            runs.filter_map(|(first, end, _)| Some((first * PAGE..end * PAGE, self.perm(first * PAGE)?)));
        near.chain(self.far_ranges()).collect()
    }

    /// Runs of mapped pages that have the same permissions: first page, end, flags.
    fn runs(&self) -> Vec<(u64, u64, PageFlags)> {
        let mut runs: Vec<(u64, u64, PageFlags)> = Vec::new();
        for page in self.region.mapped_pages() {
            let flags = self.region.flags(page) & PageFlags::PERMISSIONS;
            match runs.last_mut() {
                Some((_, end, same)) if *end == page && *same == flags => *end += 1,
                _ => runs.push((page, page + 1, flags)),
            }
        }
        runs
    }

    fn copy_run(&self, copy: &mut Memory, first: u64, end: u64, flags: PageFlags) -> Result<(), MemoryError> {
        let range = first * PAGE..end * PAGE;
        if flags.contains(PageFlags::UNTOUCHED) {
            copy.map(range.clone(), Perm::empty(), Contents::Zero)?;
            return copy.region.protect(first, end - first, flags);
        }
        // Writable while it is copied, or each page would be unlocked and locked again.
        copy.map(range.clone(), Perm::READ | Perm::WRITE, Contents::Zero)?;
        let mut bytes = ZERO;
        for page in first..end {
            if self.region.copy_out(page, 0, &mut bytes) && bytes != ZERO {
                copy.region.patch(page, 0, &bytes)?;
            }
        }
        copy.region.protect(first, end - first, flags)
    }
}

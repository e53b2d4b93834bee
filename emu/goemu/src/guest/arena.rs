//! A range of addresses that is handed out from the bottom up and mapped as it is needed.

use std::ops::Range;

use crate::go::guest::HeapError;
use crate::memory::{Contents, Memory, MemoryError, PAGE, Perm};

/// It is mapped in steps of this size.
const STEP: u64 = 256 << 10;

/// Such a range.
#[derive(Clone, Debug)]
pub(crate) struct Arena {
    /// What is left.
    range: Range<u64>,
    /// Where it began.
    first: u64,
    mapped: u64,
}

impl Arena {
    /// A range of the full space, or what is in its place in one of `space` bytes: a host that gives less gets
    /// everything further down.
    pub(crate) fn new(range: Range<u64>, space: u64) -> Arena {
        let scale = |addr: u64| if space >= 1 << 40 { addr } else { addr >> (40 - space.ilog2()) };
        let range = scale(range.start)..scale(range.end);
        Arena { mapped: range.start, first: range.start, range }
    }

    /// Where it began.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// What is left.
    pub(crate) fn rest(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Where the mapped part ends.
    pub(crate) fn mapped(&self) -> u64 {
        self.mapped
    }

    /// `size` bytes at a multiple of `align`.
    pub(crate) fn take(&mut self, memory: &mut Memory, size: u64, align: u64) -> Result<u64, HeapError> {
        let no_room = || HeapError::OutOfMemory(size);
        let at = self.range.start.checked_next_multiple_of(align.max(1)).ok_or_else(no_room)?;
        let end = at.checked_add(size).filter(|&end| end <= self.range.end).ok_or_else(no_room)?;
        self.reach(memory, end).map_err(|_| no_room())?;
        self.range.start = end;
        Ok(at)
    }

    /// `size` bytes of pages that can be read only.
    pub(crate) fn take_to_read(&mut self, memory: &mut Memory, size: u64) -> Result<u64, HeapError> {
        let no_room = || HeapError::OutOfMemory(size);
        let at = self.mapped.max(self.range.start).next_multiple_of(PAGE);
        let end = at.checked_add(size).and_then(|end| end.checked_next_multiple_of(PAGE));
        let end = end.filter(|&end| end <= self.range.end).ok_or_else(no_room)?;
        memory.map(at..end, Perm::READ, Contents::Zero).map_err(|_| no_room())?;
        (self.range.start, self.mapped) = (end, end);
        Ok(at)
    }

    /// Maps what is not mapped yet below `end`.
    pub(crate) fn reach(&mut self, memory: &mut Memory, end: u64) -> Result<(), MemoryError> {
        if end > self.mapped {
            let upto = end.next_multiple_of(STEP).min(self.range.end);
            memory.map(self.mapped..upto, Perm::READ | Perm::WRITE, Contents::Zero)?;
            self.mapped = upto;
        }
        Ok(())
    }
}

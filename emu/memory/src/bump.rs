//! Memory that an engine may hand out by itself, in the place of the guest's function that allocates.

use std::ops::Range;

/// Objects that are handed out so, one after the other, before whoever keeps account of them has to be told.
pub const BUMPED: usize = 256;

/// An object of so many bytes, of which so many from its beginning may hold pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bumped {
    /// Bytes of the object.
    pub size: u64,
    /// What its type says of pointers: 0 where it has none.
    pub pointers: u64,
}

/// A bump allocator: zeroed memory from `next` on, up to `end`.
#[derive(Debug, Default)]
pub struct Bump {
    pub(crate) rest: Range<u64>,
    pub(crate) objects: Vec<Bumped>,
    pub(crate) left: i64,
}

impl Bump {
    /// What is left of the range that was lent; empty where nothing is lent.
    pub fn rest(&self) -> Range<u64> {
        self.rest.clone()
    }

    /// The objects that were handed out of it.
    pub fn objects(&self) -> &[Bumped] {
        &self.objects
    }

    /// The fuel that was left when the last one was.
    pub fn left(&self) -> i64 {
        self.left
    }

    /// For engines: an object was handed out, when so much fuel was left; the range begins at `next` now.
    pub fn took(&mut self, object: Bumped, next: u64, left: i64) {
        self.objects.push(object);
        (self.rest.start, self.left) = (next, left);
    }

    /// Lends memory: zeroed, mapped, and of nobody. What was handed out before is forgotten.
    #[inline]
    pub fn lend(&mut self, range: Range<u64>) {
        self.objects.clear();
        self.rest = range;
    }
}

/// Where an object of so many bytes begins, at `next` or above: as Go's allocator aligns them.
#[must_use]
pub fn bumped(next: u64, size: u64) -> Option<u64> {
    next.checked_next_multiple_of(if size >= 16 { 16 } else { 8 })
}

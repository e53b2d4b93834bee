//! Counters that stay where they are, for code that has their addresses.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one allocation.
const CHUNK: usize = 1 << 12;

/// Numbered counters, which are made as they are needed.
#[derive(Debug)]
pub(super) struct Counters(Box<[OnceLock<Box<[AtomicU64]>>]>);

impl Counters {
    /// Room for so many, rounded up.
    pub(super) fn new(most: usize) -> Counters {
        Counters(std::iter::repeat_with(OnceLock::new).take(most.div_ceil(CHUNK)).collect())
    }

    /// How many there can be.
    pub(super) fn most(&self) -> usize {
        self.0.len() * CHUNK
    }

    /// Makes sure that a counter is there. `None` if there can be no such one.
    pub(super) fn make(&self, number: usize) -> Option<&AtomicU64> {
        let chunk = self.0.get(number / CHUNK)?;
        let chunk = chunk.get_or_init(|| std::iter::repeat_with(AtomicU64::default).take(CHUNK).collect());
        chunk.get(number % CHUNK)
    }

    #[inline]
    pub(super) fn get(&self, number: usize) -> Option<&AtomicU64> {
        self.0.get(number / CHUNK)?.get()?.get(number % CHUNK)
    }

    /// The first so many.
    pub(super) fn first(&self, len: usize) -> impl Iterator<Item = (usize, &AtomicU64)> {
        let chunks = self.0.iter().map_while(OnceLock::get);
        chunks.flat_map(|chunk| chunk.iter()).take(len).enumerate()
    }
}

#[inline]
pub(super) fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
}

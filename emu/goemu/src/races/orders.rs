//! What orders goroutines, by addresses: what was let known at each.

use std::collections::BTreeMap;

use super::clock::Clock;

/// What an address stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    /// A word that atomic instructions access, or what a lock has there.
    Word,
    /// A channel was closed.
    Closed,
    /// An object was put into a pool.
    Pooled,
    /// A timer was started.
    Timer,
    /// A coroutine has switched.
    Coroutine,
    /// A place of a channel's buffer.
    Buffered(u64),
}

/// The address that stands for all files.
pub(super) const FILES: u64 = 0;

/// All such points.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    clocks: BTreeMap<(u64, Point), Clock>,
}

impl Orders {
    pub(super) fn get(&self, addr: u64, point: Point) -> Option<&Clock> {
        self.clocks.get(&(addr, point))
    }

    pub(super) fn set(&mut self, addr: u64, point: Point, clock: Clock) -> Option<Clock> {
        self.clocks.insert((addr, point), clock)
    }

    /// The timer that an address lies in: the runtime's record is in another of package time.
    pub(super) fn timer(&self, addr: u64) -> Option<&Clock> {
        const RECORD: u64 = 64;
        let range = (addr.saturating_sub(RECORD), Point::Timer)..=(addr, Point::Timer);
        let mut near = self.clocks.range(range).rev();
        near.find(|((_, point), _)| *point == Point::Timer).map(|(_, clock)| clock)
    }

    /// Forgets what was in a range: it is another object now.
    pub(super) fn forget(&mut self, addr: u64, size: u64) {
        let range = (addr, Point::Word)..(addr.saturating_add(size), Point::Word);
        while let Some((&key, _)) = self.clocks.range(range.clone()).next() {
            self.clocks.remove(&key);
        }
    }
}

//! The priorities of goroutines in probabilistic concurrency testing.

use std::collections::BTreeMap;

/// Instructions that a goroutine executes while others could run, until it becomes the last: one that waits for another by asking again and
/// again (`for !done.Load() { runtime.Gosched() }`) would go first for ever, whenever it comes from Go's scheduler.
const PATIENCE: u64 = 4_000_000;

/// Which goroutine goes before which.
#[derive(Clone, Debug, Default)]
pub(super) struct Priorities {
    of: BTreeMap<u64, i64>,
    lowest: i64,
    /// What each has executed since it became the last.
    spent: BTreeMap<u64, u64>,
    /// The goroutine that ran last, and the count of instructions up to which that is accounted for.
    current: u64,
    accounted: u64,
}

impl Priorities {
    pub(super) fn known(&self, goroutine: u64) -> Option<i64> {
        self.of.get(&goroutine).copied()
    }

    pub(super) fn give(&mut self, goroutine: u64, priority: i64) {
        self.of.insert(goroutine, priority);
    }

    /// It goes after all others.
    pub(super) fn lower(&mut self, goroutine: u64) {
        self.lowest -= 1;
        self.of.insert(goroutine, self.lowest);
        self.spent.remove(&goroutine);
    }

    /// So many instructions were executed in all while others could run. They are those of this goroutine, or if it is none (0), of the
    /// one that has entered the scheduler.
    pub(super) fn spend(&mut self, goroutine: u64, contended: u64) {
        if goroutine != 0 {
            self.current = goroutine;
        }
        let spent = contended.saturating_sub(self.accounted);
        self.accounted = contended;
        if self.current == 0 || spent == 0 {
            return;
        }
        let all = self.spent.entry(self.current).or_default();
        *all += spent;
        if *all > PATIENCE && self.of.contains_key(&self.current) {
            self.lower(self.current);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE, Priorities};

    #[test]
    fn who_runs_for_long_becomes_the_last() {
        let mut priorities = Priorities::default();
        priorities.give(1, 20);
        priorities.give(2, 10);
        // The first comes from the scheduler again and again, where nothing else is found. What was executed before it was seen is nobody's.
        let mut contended = 0;
        while contended <= PATIENCE + 700 {
            assert!(priorities.known(1) > priorities.known(2), "{contended}");
            contended += 700;
            priorities.spend(if contended % 3 == 0 { 1 } else { 0 }, contended);
            priorities.spend(1, contended);
        }
        assert!(priorities.known(1) < priorities.known(2));
        // That was of the first alone.
        priorities.spend(2, contended + PATIENCE / 2);
        assert!(priorities.known(1) < priorities.known(2));
    }
}

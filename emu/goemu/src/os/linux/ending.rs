//! The end of a program whose goroutines go on for a while, so that those that wait for ever can be told from those that were not
//! asked yet.

use crate::outcome::Outcome;

/// How long that takes at most, in nanoseconds.
const SETTLE: u64 = 30_000_000_000;
/// How many instructions that takes at most.
const WORK: i64 = 10_000_000;
/// How often only one thread waits for a time before nothing more is expected: Go's monitor never stops to look.
const ALONE: u32 = 8;

/// A program that has ended.
#[derive(Clone)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    /// How much it had printed.
    pub(super) printed: (usize, usize),
    /// When it is over in any case.
    deadline: u64,
    /// Instructions that are left.
    left: i64,
    /// How often in a row only one thread waited for a time.
    alone: u32,
}

impl Ending {
    pub(super) fn new(outcome: Outcome, now: u64, printed: (usize, usize)) -> Ending {
        Ending { outcome, printed, deadline: now.saturating_add(SETTLE), left: WORK, alone: 0 }
    }

    pub(super) fn deadline(&self) -> u64 {
        self.deadline
    }

    /// Instructions until it is over in any case.
    pub(super) fn left(&self) -> i64 {
        self.left.max(1)
    }

    pub(super) fn ran(&mut self, instructions: i64) {
        self.left = self.left.saturating_sub(instructions);
    }

    /// Whether something of it ran all the time.
    pub(super) fn is_busy(&self) -> bool {
        self.left <= 0
    }

    /// Whether it has taken all that it may.
    pub(super) fn is_late(&self, now: u64) -> bool {
        self.deadline <= now || self.left <= 0
    }

    /// All threads sleep, with these deadlines: whether nothing comes of waiting.
    pub(super) fn is_over(&mut self, deadlines: &[u64]) -> bool {
        self.alone = if deadlines.len() > 1 { 0 } else { self.alone + 1 };
        let first = deadlines.iter().min();
        self.alone > ALONE || first.is_none_or(|first| *first >= self.deadline)
    }
}

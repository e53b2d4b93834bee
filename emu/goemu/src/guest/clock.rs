//! The virtual clock: it goes by instructions.

/// Instructions that a processor executes in a nanosecond.
const RATE: i64 = 4;

/// How long it takes to execute so many instructions.
pub(crate) const fn nanoseconds(instructions: u64) -> u64 {
    instructions / RATE.unsigned_abs()
}

/// Nanoseconds since the program was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    nanoseconds: u64,
    /// Instructions that are not a nanosecond yet.
    rest: i64,
}

impl Clock {
    /// The time.
    pub(crate) fn now(self) -> u64 {
        self.nanoseconds
    }

    /// Instructions were executed.
    pub(crate) fn advance(&mut self, instructions: i64) {
        let all = self.rest.saturating_add(instructions.max(0));
        self.nanoseconds = self.nanoseconds.saturating_add((all / RATE) as u64);
        self.rest = all % RATE;
    }

    /// It is that late now, if it was not later already.
    pub(crate) fn jump(&mut self, to: u64) {
        self.nanoseconds = self.nanoseconds.max(to);
    }

    /// Instructions until then; 1 at least.
    pub(crate) fn until(self, deadline: u64) -> i64 {
        let nanoseconds = i64::try_from(deadline.saturating_sub(self.nanoseconds)).unwrap_or(i64::MAX);
        nanoseconds.saturating_mul(RATE).max(1)
    }
}

//! How much may still be read of a value, and until when.

use std::time::Instant;

/// Steps between two looks at the time.
const INTERVAL: u64 = 1 << 10;

/// What is left of [`Limits::work`](crate::go::read::Limits::work).
pub(crate) struct Budget {
    left: u64,
    until: Option<Instant>,
    /// Steps since the last look.
    since: u64,
}

impl Budget {
    pub(crate) const fn of(steps: u64) -> Budget {
        Budget { left: steps, until: None, since: 0 }
    }

    /// The same, of which nothing is left at that time.
    pub(crate) const fn until(self, until: Option<Instant>) -> Budget {
        Budget { until, ..self }
    }

    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Takes `n`, if that much is left; nothing is left afterwards if not.
    pub(crate) fn take(&mut self, n: u64) -> bool {
        let enough = self.left >= n && !self.is_late(n);
        self.left = if enough { self.left - n } else { 0 };
        enough
    }

    fn is_late(&mut self, n: u64) -> bool {
        let Some(until) = self.until else { return false };
        self.since = self.since.saturating_add(n.max(1));
        if self.since < INTERVAL {
            return false;
        }
        self.since = 0;
        Instant::now() >= until
    }
}

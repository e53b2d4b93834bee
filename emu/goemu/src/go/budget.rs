//! How much may still be read of a value.

/// What is left of [`Limits::work`](crate::go::read::Limits::work).
pub(crate) struct Budget(pub(crate) u64);

impl Budget {
    pub(crate) const fn of(steps: u64) -> Budget {
        Budget(steps)
    }

    /// Takes `n`, if that much is left; nothing is left afterwards if not.
    pub(crate) fn take(&mut self, n: u64) -> bool {
        let enough = self.0 >= n;
        self.0 = self.0.saturating_sub(n);
        enough
    }
}

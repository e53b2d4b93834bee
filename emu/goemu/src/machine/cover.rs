//! Counting the edges that calls run through.

use std::sync::Arc;

use super::Machine;
use crate::coverage::{Coverage, Saved};

impl Machine {
    /// Counts in `coverage` the edges of the code that calls run through, from now on; `None`: no longer. All that runs for a
    /// call counts, goroutines and the runtime too; what goemu runs on its own account (initialisers of packages, hash
    /// functions, attempts that are made again in another runtime) does not. Either engine counts the same.
    ///
    /// The counts are the caller's to look at, and to clear, between calls.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    ///
    /// use goemu::coverage::Coverage;
    /// use goemu::{Image, Machine};
    ///
    /// let mut machine = Machine::new(Image::open("program")?)?;
    /// let coverage = Arc::new(Coverage::new());
    /// machine.set_coverage(Some(Arc::clone(&coverage)));
    /// machine.call("main.add")?.arg(40).arg(2).run()?;
    /// for (address, count) in coverage.blocks() {
    ///     println!("{address:#x} {count}");
    /// }
    /// # Ok::<(), goemu::Error>(())
    /// ```
    pub fn set_coverage(&mut self, coverage: Option<Arc<Coverage>>) {
        self.observers.covers = coverage.is_some();
        self.engine.set_coverage(coverage.clone());
        self.coverage = coverage;
    }

    /// Where edges are counted.
    pub fn coverage(&self) -> Option<&Arc<Coverage>> {
        self.coverage.as_ref()
    }

    /// The same program started counts where this one does.
    pub(super) fn share_coverage(&self, real: &mut Machine) {
        let same = match (&self.coverage, &real.coverage) {
            (Some(ours), Some(its)) => Arc::ptr_eq(ours, its),
            (None, None) => true,
            _ => false,
        };
        if !same {
            real.set_coverage(self.coverage.clone());
        }
    }

    /// The counts before a run that may have to be hidden.
    pub(super) fn save_counts(&self) -> Option<Saved> {
        self.coverage.as_ref().map(|coverage| coverage.save())
    }

    /// The counts before a hidden run, where that is one.
    #[inline]
    pub(super) fn save_hidden(&self) -> Option<Saved> {
        if self.observers.covers { None } else { self.save_counts() }
    }

    /// Brings back what was saved.
    #[inline]
    pub(super) fn restore_counts(&self, saved: Option<Saved>) {
        if let (Some(saved), Some(coverage)) = (saved, &self.coverage) {
            coverage.restore(&saved);
        }
    }
}

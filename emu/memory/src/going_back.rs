//! Points in a memory's life, and the ways back to them: in the space and beyond it.

use crate::region::Region;
use crate::snapshot::{Journal, Sizes};
use crate::{Memory, MemoryError, PAGE, Snapshot};

impl Memory {
    /// A point to go back to.
    pub fn snapshot(&mut self) -> Snapshot {
        self.begin(Journal::begin)
    }

    /// A point to go back to that takes the place of all earlier ones: they are gone, and what they kept.
    pub fn rebase(&mut self) -> Snapshot {
        self.far_writes.forget_snapshots();
        self.begin(Journal::restart)
    }

    fn begin(&mut self, how: fn(&mut Journal, &mut Region, Sizes) -> Snapshot) -> Snapshot {
        self.keep_lent_writable();
        let snapshot = how(&mut self.journal, &mut self.region, (self.mapped, self.untouched));
        if !self.far.is_empty() {
            self.far_writes.began(snapshot);
        }
        snapshot
    }

    /// Goes back to a snapshot, which stays; later ones are gone.
    ///
    /// # Errors
    /// When the host refuses to map again what was unmapped since, and while some of the memory is lent.
    pub fn restore(&mut self, to: Snapshot) -> Result<(), MemoryError> {
        self.must_not_be_lent()?;
        let code = &mut self.code_writes;
        let touched = |page: u64| code.push(page * PAGE..(page + 1) * PAGE);
        (self.mapped, self.untouched) = self.journal.restore(&mut self.region, to, touched)?;
        self.region.part();
        self.restore_far(to);
        Ok(())
    }
}

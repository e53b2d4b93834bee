//! Writing that must not end a run.

use std::io::{self, Write};

/// A writer that drops everything after its first error: a call is not worth losing for its trace.
pub(super) struct Out<W> {
    to: W,
    failed: Option<io::Error>,
}

impl<W: Write> Out<W> {
    pub(super) fn new(to: W) -> Out<W> {
        Out { to, failed: None }
    }

    /// Writes with this, unless something has failed before.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut W) -> io::Result<()>) {
        if self.failed.is_none() {
            self.failed = write(&mut self.to).err();
        }
    }

    /// What went wrong first.
    pub(super) fn failure(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }
}

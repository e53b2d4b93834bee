//! The space as translated code sees it, which accesses it without looking at flags.

use super::Memory;

/// Pages below a guest's space, see [`Memory::host_code`].
#[derive(Clone, Copy, Debug)]
pub struct HostPages {
    /// Bytes from the first of them to the space.
    pub below: u64,
    /// Bytes of them.
    pub len: u64,
    /// Whether they can be written.
    pub write: bool,
}

impl Memory {
    /// Whether translated code can run in this space: there are guards around it, and the host protects single pages.
    pub fn can_host_code(&self) -> bool {
        self.region.can_be_exact()
    }

    /// Whether it may now: [`Memory::host_code`] was called, and the host has kept up since.
    #[inline]
    pub fn hosts_code(&self) -> bool {
        self.region.is_exact()
    }

    /// Prepares the space for code that runs on the host and accesses it directly: guest address `a` at host address
    /// `base + a`, which is what this gives. From now on the host lets through only accesses that need no attention: not
    /// the first write to a page after a snapshot, nor one to decoded code. Everything else must be carried out through
    /// this type when the host has refused it. It is to be called again before such code is entered: what was written through this
    /// type in between may have left a page writable. The first time, `state` is committed, zero, in the guard below the space: the guest
    /// cannot reach it, as long as that code keeps to its bounds.
    pub fn host_code(&mut self, state: &[HostPages]) -> Option<*mut u8> {
        if self.leases() > 0 || !self.region.can_be_exact() {
            return None;
        }
        if !self.region.is_exact() {
            let commit = |pages: &HostPages| self.region.commit_below(pages.below, pages.len, pages.write);
            state.iter().all(commit).then_some(())?;
        }
        self.region.protect_exactly().then(|| self.region.base())
    }

    /// The end of that, until it is called again: the host lets through what it did before.
    pub fn unhost_code(&mut self) {
        if self.region.is_exact() {
            self.region.protect_loosely();
        }
    }
}

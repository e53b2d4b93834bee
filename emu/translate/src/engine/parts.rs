//! What translated code needs of the host, once there is some.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use goemu_x86::memory::Memory;
use rustc_hash::FxHashMap;

use crate::cache::Cache;
use crate::host::signals::{SignalStack, install};
use crate::layout;

/// Runs that enter no translated code, after which the guest's space is no longer prepared for it: watching pages through the host
/// costs calls that do without a little. So often it is prepared again, each time for more runs.
const IDLE: u32 = 256;
const REOPENED: u32 = 8;

/// Numbers of translators and of what they forgot: tables of another one hold addresses that mean nothing.
static OWNERS: AtomicU64 = AtomicU64::new(1);

pub(super) struct Parts {
    pub(super) cache: Cache,
    pub(super) stack: Arc<SignalStack>,
    pub(super) owner: u64,
    /// How often a guest's space was prepared, and whether it is still.
    opened: u32,
    open: bool,
    /// Runs since code was entered.
    pub(super) idle: u32,
    /// How often R14 was found to be no address, or a call went elsewhere, by the place that looks.
    pub(super) found: FxHashMap<u64, u8>,
}

impl Parts {
    /// `None` where the host does not give what is needed.
    pub(super) fn new() -> Option<Parts> {
        let (cache, stack) = (Cache::new().ok()?, Arc::new(SignalStack::new()?));
        let owner = OWNERS.fetch_add(1, Ordering::Relaxed);
        install().then_some(())?;
        Some(Parts { cache, stack, owner, opened: 0, open: false, idle: 0, found: FxHashMap::default() })
    }

    /// Prepares a guest's space for translated code.
    pub(super) fn open(&mut self, memory: &mut Memory) -> Option<()> {
        if !memory.hosts_code() {
            // It was, and the host did not keep up; or this is another guest's memory, which is not worth a second try.
            (!self.open && self.opened <= REOPENED).then_some(())?;
            memory.host_code(&layout::pages())?;
            (self.opened, self.open) = (self.opened + 1, true);
        }
        Some(())
    }

    /// A run begins: where the last ones entered no translated code, the space is what it was before.
    #[inline]
    pub(super) fn rest(&mut self, memory: &mut Memory) {
        if !self.open {
            return;
        }
        self.idle += 1;
        if self.idle >= IDLE << self.opened {
            (self.open, self.idle) = (false, 0);
            memory.unhost_code();
        }
    }

    /// Forgets all translated code.
    pub(super) fn clear(&mut self) {
        self.cache.clear();
        self.found.clear();
        self.owner = OWNERS.fetch_add(1, Ordering::Relaxed);
    }
}

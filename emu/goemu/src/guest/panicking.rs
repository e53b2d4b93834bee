//! Panics under way, where no runtime keeps them.

/// A frame of the stack, at a call that it makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where the call returns to.
    pub(crate) pc: u64,
    /// The stack pointer at the call.
    pub(crate) sp: u64,
}

/// A panic under way.
#[derive(Clone, Debug)]
pub(crate) struct Panicking {
    /// Its `_panic`, which the prologues of wrappers look at (up to Go 1.25).
    pub(crate) record: u64,
    pub(crate) ty: u64,
    pub(crate) data: u64,
    /// The frame that panicked.
    pub(crate) origin: Frame,
    /// The frame whose deferred calls run now.
    pub(crate) at: Frame,
    pub(crate) recovered: bool,
    /// Where the function goes on that recovers: the address behind its `deferproc`, for a call in a record.
    pub(crate) resume: Option<u64>,
}

//! Calls of a started program's runtime that have begun and not returned.

/// A call of the runtime's that is told when it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnderWay {
    /// How far below the stack's end its return address is: stacks move.
    pub(crate) depth: u64,
    pub(crate) what: What,
}

/// What such a call does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// `mallocgc`
    Allocates { size: u64, ty: u64 },
    /// `deferproc`, `deferprocStack`
    Defers(&'static str),
    /// `deferreturn`, and the record that it looks at.
    Runs { record: u64 },
}

impl UnderWay {
    /// Whether it is not over where a panic begins: functions are that run deferred calls.
    pub(crate) fn goes_on(&self) -> bool {
        matches!(self.what, What::Runs { .. })
    }
}

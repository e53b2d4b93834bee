//! How a started program comes to its end, as its runtime says so.

/// Why a program is ending, and where in its standard error the runtime says so.
#[derive(Clone, Debug)]
pub(crate) struct Dying {
    /// The fatal error; none for a panic that was not recovered.
    pub(crate) fatal: Option<String>,
    /// Where the text begins.
    pub(crate) from: usize,
    /// Where the text ends and the traceback begins.
    pub(crate) upto: Option<usize>,
}

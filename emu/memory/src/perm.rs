//! What may be done with bytes of guest memory.

use bitflags::bitflags;

bitflags! {
    /// What may be done with bytes of guest memory.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Perm: u8 {
        /// Read them.
        const READ = 1;
        /// Write them.
        const WRITE = 2;
        /// Execute them.
        const EXEC = 4;
    }
}

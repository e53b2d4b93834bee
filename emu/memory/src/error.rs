//! What accesses and requests fail with, and what that is called.

/// What an access was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// The fetch of an instruction.
    Fetch,
}

/// Why an access failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no memory at the address.
    Unmapped,
    /// There is memory, and the access is not allowed.
    Denied,
    /// The write is allowed, and there is no room to keep the page as it was at the snapshot.
    Limit,
}

/// An access that failed. Nothing was read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemFault {
    /// The first byte that could not be reached.
    pub addr: u64,
    /// What was tried.
    pub access: Access,
    /// Why it failed.
    pub cause: Cause,
}

impl MemFault {
    /// What was tried, before an address: `read of`.
    pub fn attempt(&self) -> &'static str {
        match self.access {
            Access::Read => "read of",
            Access::Write => "write to",
            Access::Fetch => "jump to",
        }
    }

    /// Why it failed, in words.
    pub fn reason(&self) -> &'static str {
        match (self.cause, self.access) {
            (Cause::Unmapped, _) => "nothing is mapped there",
            (Cause::Limit, _) => "the memory limit leaves no room to keep the page as it was",
            (Cause::Denied, Access::Fetch) => "it is not code",
            (Cause::Denied, _) => "the page does not allow it",
        }
    }
}

impl std::fmt::Display for MemFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:#x}: {}", self.attempt(), self.addr, self.reason())
    }
}

impl std::error::Error for MemFault {}

/// A request that the host or a limit refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The host would not reserve address space.
    #[error("cannot reserve {size:#x} bytes of address space (look at `ulimit -v`): {source}")]
    Reserve {
        /// Bytes asked for.
        size: u64,
        /// What the host said.
        source: std::io::Error,
    },
    /// The host would not commit memory or change its protection.
    #[error("the host refuses {len:#x} bytes of memory for guest address {addr:#x}: {source}")]
    Commit {
        /// Guest address.
        addr: u64,
        /// Bytes asked for.
        len: u64,
        /// What the host said.
        source: std::io::Error,
    },
    /// The range reaches outside the guest's space.
    #[error("address {addr:#x} lies outside the guest's space of {size:#x} bytes")]
    OutOfSpace {
        /// Guest address.
        addr: u64,
        /// Bytes of guest space.
        size: u64,
    },
    /// The range ends before it begins.
    #[error("a range cannot begin at {start:#x} and end before that, at {end:#x}")]
    Backwards {
        /// Where it should begin.
        start: u64,
        /// Where it should end.
        end: u64,
    },
    /// The contents do not fit into the pages of their range.
    #[error(
        "{len:#x} bytes of contents do not fit into the {room:#x} bytes of their range, whole pages counted"
    )]
    TooMuch {
        /// Bytes of contents.
        len: u64,
        /// Bytes of the range's pages.
        room: u64,
    },
    /// The range holds memory already.
    #[error("guest memory at {addr:#x} is mapped already")]
    Occupied {
        /// First page that is.
        addr: u64,
    },
    /// The range holds no memory.
    #[error("no guest memory is mapped at {addr:#x}")]
    NotMapped {
        /// First page that is not.
        addr: u64,
    },
    /// More than the limit would be mapped.
    #[error("the guest's memory limit of {limit} bytes is reached")]
    Limit {
        /// Bytes that may be mapped.
        limit: u64,
    },
    /// Others read and write some of it in place.
    #[error("guest memory is lent: it cannot be mapped otherwise until the {leases} leases of it have ended")]
    Lent {
        /// How many leases there are.
        leases: usize,
    },
    /// The snapshot is of another memory, or an earlier one was restored since.
    #[error("this snapshot is gone: an earlier one was restored after it")]
    NoSuchSnapshot,
}

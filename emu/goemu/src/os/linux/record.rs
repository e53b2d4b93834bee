//! What a record takes of the host's memory, about.

/// What a node of a tree has beside what it holds.
pub(super) const NODE: u64 = 64;

/// A record of a kind, in a tree or list.
pub(super) const fn record<T>() -> u64 {
    size_of::<T>() as u64 + NODE
}

//! Ranges over maps, where no runtime keeps their iterators.

use std::collections::HashSet;

/// A range over a map.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub(crate) ty: u64,
    pub(crate) map: u64,
    /// What told the map's table when the walk began.
    pub(crate) table: Option<u64>,
    /// Addresses of the keys that it had, the next one last.
    pub(crate) keys: Vec<u64>,
    /// Those that were given, since the map has another table.
    pub(crate) given: HashSet<u64>,
}

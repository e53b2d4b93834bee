//! Compares what goemu knows of a Go release's runtime with what the debug information of a binary says.

use std::fmt;

pub use goemu_loader::facts::Found;
use goemu_loader::{Image, LoadError, facts::Row};

/// A fact that was looked up.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// What goemu believes.
    pub row: Row,
    /// What the binary says.
    pub found: Found,
}

impl Checked {
    /// Whether fact and binary agree. A binary that does not mention a type contradicts nothing.
    pub fn agrees(&self) -> bool {
        match self.found {
            Found::Offset(offset) => self.row.offset == Some(offset),
            Found::NoField => self.row.offset.is_none(),
            Found::NoType => true,
        }
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}: ", self.row.of, self.row.field)?;
        match self.row.offset {
            Some(offset) => write!(f, "facts say {offset}, ")?,
            None => write!(f, "facts know no such field, ")?,
        }
        match self.found {
            Found::Offset(offset) => write!(f, "the binary {offset}"),
            Found::NoField => write!(f, "the binary has no such field"),
            Found::NoType => write!(f, "the binary does not mention the type"),
        }
    }
}

/// Looks up all facts of the binary's own release.
pub fn check(image: &Image) -> Result<Vec<Checked>, LoadError> {
    let rows = image.facts().rows();
    rows.into_iter().map(|row| Ok(Checked { row, found: image.look_up(&row)? })).collect()
}

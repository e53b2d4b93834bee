//! Compares what goemu knows of a Go release's runtime with what the debug information of a binary says.

use std::{fmt, sync::Arc};

use goemu_loader::{Image, Kind, LoadError, Type, facts::Row};

/// A fact that was looked up.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// What goemu believes.
    pub row: Row,
    /// What the binary says.
    pub found: Found,
}

/// What a binary says on one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Its offset, or the size of the type.
    Offset(u64),
    /// The type has no such field.
    NoField,
    /// The binary does not mention the type: the program does not use it, or this release lacks it.
    NoType,
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
    rows.into_iter().map(|row| Ok(Checked { row, found: look_up(image, &row)? })).collect()
}

fn look_up(image: &Image, row: &Row) -> Result<Found, LoadError> {
    for name in row.of.split('|') {
        // internal/cpu.X86 is a variable whose type has no name.
        let ty = match image.type_named(name)? {
            Some(ty) => Some(ty),
            None => image.variable(name)?.map(|variable| variable.ty),
        };
        if let Some(ty) = ty {
            let offset = row.names().find_map(|field| offset_of(&ty, field));
            return Ok(offset.map_or(Found::NoField, Found::Offset));
        }
    }
    Ok(Found::NoType)
}

/// The offset of a field, or of a field's field (`stack.lo`).
fn offset_of(ty: &Arc<Type>, path: &str) -> Option<u64> {
    if path == "sizeof" {
        return Some(ty.size);
    }
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Kind::Struct(fields) = &ty.kind else { return None };
    let field = fields.iter().find(|field| field.name == name)?;
    match rest {
        Some(rest) => Some(field.offset + offset_of(&field.ty, rest)?),
        None => Some(field.offset),
    }
}

//! What a program's own types say of the runtime's structures: a check of what is known, and all that can be known of a
//! release that is newer.

use crate::version::GoVersion;
use std::sync::Arc;

use super::{Facts, NEWEST, Row};
use crate::gotype::{Kind, Type};

/// What a program says on one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The field's offset, or the size of the type.
    Offset(u64),
    /// The type has no such field.
    NoField,
    /// The program does not mention the type: it does not use it, or this release lacks it.
    NoType,
}

/// No structure of the runtime is larger, so no offset is believed that is.
const LARGEST: u64 = 1 << 16;

/// Looks a row up among a program's types.
pub(crate) fn look_up<E>(row: &Row, ty: impl Fn(&str) -> Result<Option<Arc<Type>>, E>) -> Result<Found, E> {
    for name in row.of.split('|').filter(|name| !name.is_empty()) {
        if let Some(ty) = ty(name)? {
            let offset = row.names().find_map(|field| offset_of(&ty, field));
            return Ok(offset.map_or(Found::NoField, Found::Offset));
        }
    }
    Ok(Found::NoType)
}

/// The offset of a field, or of a field's field (`stack.lo`).
fn offset_of(ty: &Type, path: &str) -> Option<u64> {
    if path == "sizeof" {
        return Some(ty.size);
    }
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Kind::Struct(fields) = &ty.kind else { return None };
    let field = fields.iter().find(|field| field.name == name)?;
    match rest {
        Some(rest) => field.offset.checked_add(offset_of(&field.ty, rest)?),
        None => Some(field.offset),
    }
}

impl Facts {
    /// Whether these are the facts of this release, whichever patch of it.
    pub fn are_of(&self, version: GoVersion) -> bool {
        self.version.minor == version.minor
    }

    /// Whether the release is newer than all that the rows know.
    pub fn is_newer(&self) -> bool {
        self.version.minor > NEWEST
    }

    /// These facts, with structures as the types of a program have them.
    pub(crate) fn learned(mut self, ty: impl Fn(&str) -> Option<Arc<Type>>) -> Facts {
        let mut any = false;
        self.ask(&mut |row| match look_up(&row, |name| Ok::<_, ()>(ty(name))) {
            Ok(found @ Found::Offset(0..LARGEST)) => {
                any = true;
                found
            }
            Ok(Found::NoField) => Found::NoField,
            _ => Found::NoType,
        });
        self.learned = any;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gotype::Field;
    use crate::version::GoVersion;

    fn structure(size: u64, fields: &[(&str, u64)]) -> Arc<Type> {
        let word = Arc::new(Type {
            name: "uintptr".to_owned(),
            size: 8,
            align: 8,
            kind: Kind::Uintptr,
            rtype: None,
        });
        let field = |(name, offset): &(&str, u64)| Field {
            name: (*name).to_owned(),
            ty: Arc::clone(&word),
            offset: *offset,
            embedded: false,
        };
        let kind = Kind::Struct(fields.iter().map(field).collect());
        Arc::new(Type { name: String::new(), size, align: 8, kind, rtype: None })
    }

    #[test]
    fn a_program_says_where_the_fields_of_a_newer_release_are() {
        let known = Facts::of(GoVersion::new(NEWEST + 1, 0));
        let defer = structure(96, &[("sp", 64), ("link", 1 << 40)]);
        let learned = known.learned(|name| (name == "runtime._defer").then(|| Arc::clone(&defer)));
        assert!(learned.learned && learned.is_newer() && learned.guessed);
        assert_eq!((learned.defer.sp, learned.defer.size), (64, 96));
        assert_eq!(learned.defer.heap, None, "the type has no such field any more");
        assert_eq!(learned.defer.link, known.defer.link, "what cannot be is not believed");
        assert_eq!(learned.defer.pc, known.defer.pc, "a field that must be there is where it was");
        assert_eq!(learned.panic, known.panic, "a type that is not there says nothing");
    }
}

//! Structs of a program by their packages, to find the one that code uses as it uses a parameter.

use std::collections::HashMap;
use std::sync::Arc;

use goemu_loader::{Image, Kind, Type};

use super::memory::{leaf, parts};
use super::trail::Use;
use crate::go::names;

/// Types that are read at most.
const MAX_TYPES: usize = 100_000;

/// Named structs, by the paths of their packages.
pub(super) struct Shapes(HashMap<String, Vec<(String, Arc<Type>)>>);

impl Shapes {
    pub(super) fn of(image: &Image) -> Shapes {
        let mut shapes: HashMap<String, Vec<_>> = HashMap::new();
        for reference in image.types().take(MAX_TYPES) {
            let Ok(ty) = image.resolve(&reference) else { continue };
            // Types that are put together have names that begin otherwise.
            if !matches!(ty.kind, Kind::Struct(_)) || ty.name.starts_with("struct ") {
                continue;
            }
            let name = image.full_type_name(&ty);
            shapes.entry(names::package(&name).to_owned()).or_default().push((name, ty));
        }
        Shapes(shapes)
    }

    /// The only struct of a package for which this holds.
    fn only(&self, package: &str, holds: impl Fn(&Type, &Arc<Type>) -> bool) -> Option<&str> {
        let mut found = self.0.get(package)?.iter().filter(|(_, ty)| holds(ty, ty));
        let (name, _) = found.next()?;
        found.next().is_none().then_some(name)
    }

    /// The struct that has something of the right size wherever this is used as a pointer to one.
    pub(super) fn pointed(&self, package: &str, uses: &[Use]) -> Option<&str> {
        let accesses: Vec<(u64, u64)> = uses.iter().filter_map(access).collect();
        if accesses.is_empty() || accesses == [(0, 8)] {
            return None;
        }
        self.only(package, |_, ty| accesses.iter().all(|(at, size)| has(ty, *at, *size)))
    }

    /// The struct that is passed as parts of these sizes.
    pub(super) fn passed(&self, package: &str, sizes: &[u64]) -> Option<&str> {
        self.only(package, |ty, _| parts(ty).as_deref() == Some(sizes))
    }
}

/// Where something is read or written, and how many bytes.
fn access(used: &Use) -> Option<(u64, u64)> {
    match used {
        Use::Access { at, size, scale: 0 } => Some((u64::try_from(*at).ok()?, *size)),
        _ => None,
    }
}

/// Whether a value has something of a size at an offset.
fn has(ty: &Arc<Type>, at: u64, size: u64) -> bool {
    match leaf(ty, at) {
        // Several are moved at once.
        _ if size > 8 => at.checked_add(size).is_some_and(|end| end <= ty.size),
        Some((inner, 0)) => inner.size == size || inner.size > 8 && size == 8,
        Some((_, within)) => within % 8 == 0 && size == 8,
        None => false,
    }
}

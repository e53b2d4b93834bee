//! What lies where in values of known types.

use std::sync::Arc;

use goemu_loader::{Image, Kind, Type, TypeRef};

use super::word::Step;

/// Parts of a value that are told apart.
const MAX_PARTS: usize = 16;
/// Structs in structs, at most.
const MAX_DEPTH: usize = 16;

/// What is known of a word, or of some that belong together.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// What lies at this offset in a value of this type.
    In(Arc<Type>, u64),
    /// A pointer to this offset in a value of this type.
    To(Arc<Type>, u64),
}

impl Known {
    /// A value of this type.
    pub(super) fn of(ty: &Arc<Type>) -> Known {
        Known::In(Arc::clone(ty), 0)
    }

    /// Where a step leads.
    pub(super) fn step(&self, image: &Image, step: Step) -> Option<Known> {
        let (pointed, at) = self.pointed(image, matches!(step, Step::Elem(_) | Step::Index(_)))?;
        let offset = |by: i64| at.checked_add_signed(by);
        let elem = |by: i64| {
            let size = i64::try_from(pointed.size).ok().filter(|size| *size > 0)?;
            u64::try_from(by.rem_euclid(size)).ok()
        };
        Some(match step {
            Step::Load(by) => Known::In(pointed.clone(), offset(by).filter(|at| *at < pointed.size)?),
            Step::Add(by) => Known::To(pointed.clone(), offset(by).filter(|at| *at < pointed.size)?),
            Step::Elem(by) => Known::In(pointed.clone(), elem(by)?),
            Step::Index(by) => Known::To(pointed.clone(), elem(by)?),
        })
    }

    /// What it points to, and where in that. For elements of arrays, the element.
    fn pointed(&self, image: &Image, elem: bool) -> Option<(Arc<Type>, u64)> {
        let (ty, at) = match self {
            Known::To(ty, at) => (Arc::clone(ty), *at),
            Known::In(ty, at) => {
                let (leaf, at) = leaf(ty, *at)?;
                match (&leaf.kind, at) {
                    (Kind::Pointer(to), 0) => (image.resolve(to).ok()?, 0),
                    (Kind::Slice(to), 0) => {
                        let elem = image.resolve(to).ok()?;
                        return Some((elem, 0));
                    }
                    _ => return None,
                }
            }
        };
        match &ty.kind {
            _ if !elem => Some((ty, at)),
            Kind::Array { elem, .. } => Some((Arc::clone(elem), 0)),
            Kind::Struct(_) => {
                let (array, _) = within(&ty, at, &|ty| matches!(ty.kind, Kind::Array { .. }))?;
                let Kind::Array { elem, .. } = &array.kind else { return None };
                Some((Arc::clone(elem), 0))
            }
            // Elements behind a pointer to one, as functions give that make slices.
            _ => Some((ty, at)),
        }
    }

    /// The type of a value of parts of these sizes, whose first one this is; and its text.
    pub(super) fn fitting(&self, image: &Image, sizes: &[u64]) -> Option<(Known, String)> {
        match self {
            Known::In(ty, at) => {
                let (ty, at) = within(ty, *at, &|ty| parts(ty).as_deref() == Some(sizes))?;
                (at == 0).then(|| (Known::of(&ty), image.full_type_name(&ty)))
            }
            Known::To(..) if *sizes != [8] => None,
            Known::To(ty, 0) => Some((self.clone(), format!("*{}", image.full_type_name(ty)))),
            Known::To(ty, at) => {
                let (field, 0) = within(ty, *at, &|inner| inner.size < ty.size)? else {
                    return None;
                };
                let name = format!("*{}", image.full_type_name(&field));
                Some((Known::To(field, 0), name))
            }
        }
    }

    /// The smallest value that it is the beginning of, its text, and how many words that takes.
    pub(super) fn whole(&self, image: &Image) -> Option<(Known, String, usize)> {
        match self {
            Known::In(ty, at) => {
                let (ty, 0) = leaf(ty, *at)? else { return None };
                Some((Known::of(&ty), image.full_type_name(&ty), ty.size.div_ceil(8) as usize))
            }
            Known::To(..) => self.fitting(image, &[8]).map(|(known, name)| (known, name, 1)),
        }
    }
}

/// The number, pointer, string or the like at an offset, and the offset in it.
pub(super) fn leaf(ty: &Arc<Type>, at: u64) -> Option<(Arc<Type>, u64)> {
    within(ty, at, &|ty| !matches!(ty.kind, Kind::Struct(_) | Kind::Array { .. }))
}

/// The outermost value at an offset for which this holds, and the offset in it.
fn within(ty: &Arc<Type>, mut at: u64, holds: &dyn Fn(&Arc<Type>) -> bool) -> Option<(Arc<Type>, u64)> {
    let mut ty = Arc::clone(ty);
    for _ in 0..MAX_DEPTH {
        if at >= ty.size {
            return None;
        }
        if holds(&ty) {
            return Some((ty, at));
        }
        let inner = match &ty.kind {
            Kind::Struct(fields) => {
                let holds = |field: &&goemu_loader::Field| {
                    field.ty.size > 0
                        && (field.offset..field.offset.saturating_add(field.ty.size)).contains(&at)
                };
                let field = fields.iter().find(holds)?;
                at -= field.offset;
                Arc::clone(&field.ty)
            }
            Kind::Array { elem, .. } => {
                at %= elem.size.max(1);
                Arc::clone(elem)
            }
            _ => return None,
        };
        ty = inner;
    }
    None
}

/// The sizes of the numbers and pointers that a value is passed as; none where that is not in registers.
pub(super) fn parts(ty: &Type) -> Option<Vec<u64>> {
    let mut sizes = Vec::new();
    collect(ty, &mut sizes, 0)?;
    Some(sizes)
}

fn collect(ty: &Type, sizes: &mut Vec<u64>, depth: usize) -> Option<()> {
    if sizes.len() >= MAX_PARTS || depth >= MAX_DEPTH {
        return None;
    }
    match &ty.kind {
        Kind::String | Kind::Interface { .. } => sizes.extend([8, 8]),
        Kind::Slice(_) => sizes.extend([8, 8, 8]),
        Kind::Complex => sizes.extend([ty.size / 2, ty.size / 2]),
        Kind::Struct(fields) => {
            for field in fields {
                collect(&field.ty, sizes, depth + 1)?;
            }
        }
        Kind::Array { len: 0, .. } => {}
        Kind::Array { len: 1, elem } => collect(elem, sizes, depth + 1)?,
        Kind::Array { .. } => return None,
        _ => sizes.push(ty.size),
    }
    Some(())
}

/// The type that a reference means, if that is known.
pub(super) fn resolved(image: &Image, to: &TypeRef) -> Option<Arc<Type>> {
    image.resolve(to).ok()
}

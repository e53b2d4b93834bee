//! Signatures of functions of Go's library, by their names.

use std::sync::Arc;

use crate::gotype::{FuncType, Kind, Param, Signature, Type, TypeRef};
use crate::library::package;
use crate::sigparse::{parse_signature, parse_type};

use super::Image;

/// Named types in named types, at most.
const MAX_DEPTH: usize = 4;

impl Image {
    /// The signature that Go's library gives a function of this name. `None` for others, and where a value of a type is
    /// taken or given that the program does not describe.
    pub(super) fn library_signature(&self, name: &str) -> Option<Signature> {
        let (receiver, text) = self.in_library(name)?;
        let resolve = |name: &str| self.library_type(name, 0);
        let mut signature = parse_signature(&format!("func{text}"), &resolve).ok()?;
        if let Some(receiver) = receiver {
            let ty = parse_type(&receiver, &resolve).ok()?;
            signature.params.insert(0, Param { name: String::new(), ty });
        }
        for param in signature.params.iter_mut().chain(&mut signature.results) {
            param.ty = described(&param.ty)?;
        }
        Some(signature)
    }

    /// The receiver's type and the rest of the signature, as the table has them.
    fn in_library(&self, name: &str) -> Option<(Option<String>, &str)> {
        let release = self.release();
        let package = package(name)?;
        let (library, base) = (&self.typed().library, name.get(package.len() + 1..)?);
        let Some((receiver, method)) = base.rsplit_once('.') else {
            return Some((None, library.func(name, release)?));
        };
        let pointer = receiver.strip_prefix("(*").and_then(|receiver| receiver.strip_suffix(')'));
        let full = pointer.map_or_else(|| format!("{package}.{receiver}"), |to| format!("*{package}.{to}"));
        // The compiler makes a method of pointers of each that values have.
        let of_values = || library.func(&format!("{package}.{}.{method}", pointer?), release);
        Some((Some(full), library.func(name, release).or_else(of_values)?))
    }

    fn release(&self) -> u16 {
        self.facts().version.minor
    }

    /// The type of a name in a signature of the library: the program's, or what the library says, or a mark for what is not known.
    fn library_type(&self, name: &str, depth: usize) -> Option<Arc<Type>> {
        if let Some(known) = self.type_named(name).ok().flatten() {
            return Some(known);
        }
        let resolve = |name: &str| self.library_type(name, depth + 1);
        let under = self.typed().library.ty(name, self.release()).filter(|_| depth < MAX_DEPTH);
        let under = under.and_then(|text| parse_type(text, &resolve).ok());
        let Some(under) = under else { return Some(unknown(name)) };
        Some(Arc::new(Type { name: name.to_owned(), rtype: None, ..Type::clone(&under) }))
    }
}

/// Takes the place of a type that is not known.
fn unknown(name: &str) -> Arc<Type> {
    Arc::new(Type { name: name.to_owned(), size: 0, align: 0, kind: Kind::Struct(Vec::new()), rtype: None })
}

fn is_unknown(ty: &Type) -> bool {
    ty.align == 0
}

/// The type with references to nothing in place of types that are not known; `None` where its values hold one.
fn described(ty: &Arc<Type>) -> Option<Arc<Type>> {
    let reference = |to: &TypeRef| match to {
        TypeRef::Here(ty) => described(ty).map_or(TypeRef::Unknown, TypeRef::Here),
        other => other.clone(),
    };
    let kind = match &ty.kind {
        _ if is_unknown(ty) => return None,
        Kind::Pointer(to) => Kind::Pointer(reference(to)),
        Kind::Slice(to) => Kind::Slice(reference(to)),
        Kind::Map { key, elem } => Kind::Map { key: reference(key), elem: reference(elem) },
        Kind::Chan { elem, dir } => Kind::Chan { elem: reference(elem), dir: *dir },
        Kind::Func(func) => {
            let all = |types: &[TypeRef]| types.iter().map(reference).collect();
            let (params, results) = (all(&func.params), all(&func.results));
            Kind::Func(FuncType { params, results, ..func.clone() })
        }
        Kind::Array { elem, .. } => return described(elem).map(|_| Arc::clone(ty)),
        Kind::Struct(fields) => {
            let whole = fields.iter().all(|field| described(&field.ty).is_some());
            return whole.then(|| Arc::clone(ty));
        }
        _ => return Some(Arc::clone(ty)),
    };
    Some(Arc::new(Type { kind, ..Type::clone(ty) }))
}

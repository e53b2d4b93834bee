//! Types put together from their parts, named as Go's runtime names them, laid out as on amd64.
//!
//! Layout: `CalcSize` of `cmd/compile/internal/types/size.go`. Names: `tconv2` of `types/fmt.go`.

use std::sync::Arc;

use crate::{ChanDir, Field, FuncType, Kind, Method, Signature, Type, TypeRef, gotype};

/// `MaxWidth` of the compiler for amd64.
const MAX_SIZE: u64 = 1 << 50;

/// A type whose size follows from its kind.
fn fixed(name: String, kind: Kind) -> Arc<Type> {
    let size = gotype::fixed_size(&kind).unwrap_or(0);
    sized(name, size, kind)
}

fn sized(name: String, size: u64, kind: Kind) -> Arc<Type> {
    let align = gotype::align(&kind, size);
    Arc::new(Type { name, size, align, kind, rtype: None })
}

/// A predeclared type, or `unsafe.Pointer`.
pub(super) fn predeclared(name: &str) -> Option<Arc<Type>> {
    let (name, size, kind) = match name {
        "bool" => ("bool", 1, Kind::Bool),
        "int" => ("int", 8, Kind::Int),
        "int8" => ("int8", 1, Kind::Int),
        "int16" => ("int16", 2, Kind::Int),
        "int32" | "rune" => ("int32", 4, Kind::Int),
        "int64" => ("int64", 8, Kind::Int),
        "uint" => ("uint", 8, Kind::Uint),
        "uint8" | "byte" => ("uint8", 1, Kind::Uint),
        "uint16" => ("uint16", 2, Kind::Uint),
        "uint32" => ("uint32", 4, Kind::Uint),
        "uint64" => ("uint64", 8, Kind::Uint),
        "uintptr" => ("uintptr", 8, Kind::Uintptr),
        "float32" => ("float32", 4, Kind::Float),
        "float64" => ("float64", 8, Kind::Float),
        "complex64" => ("complex64", 8, Kind::Complex),
        "complex128" => ("complex128", 16, Kind::Complex),
        "string" => ("string", 16, Kind::String),
        "unsafe.Pointer" => ("unsafe.Pointer", 8, Kind::UnsafePointer),
        "any" => return Some(interface(Vec::new(), true)),
        "error" => {
            let methods = vec![Method { name: "Error".to_owned() }];
            ("error", 16, Kind::Interface { empty: false, methods })
        }
        _ => return None,
    };
    Some(sized(name.to_owned(), size, kind))
}

pub(super) fn pointer(elem: Arc<Type>) -> Arc<Type> {
    fixed(format!("*{elem}"), Kind::Pointer(TypeRef::Here(elem)))
}

pub(super) fn slice(elem: Arc<Type>) -> Arc<Type> {
    fixed(format!("[]{elem}"), Kind::Slice(TypeRef::Here(elem)))
}

/// `None` if too large.
pub(super) fn array(elem: Arc<Type>, len: u64) -> Option<Arc<Type>> {
    let size = elem.size.checked_mul(len).filter(|&size| size <= MAX_SIZE && len <= MAX_SIZE)?;
    Some(sized(format!("[{len}]{elem}"), size, Kind::Array { elem, len }))
}

pub(super) fn map(key: Arc<Type>, elem: Arc<Type>) -> Arc<Type> {
    fixed(format!("map[{key}]{elem}"), Kind::Map { key: TypeRef::Here(key), elem: TypeRef::Here(elem) })
}

pub(super) fn chan(elem: Arc<Type>, dir: ChanDir) -> Arc<Type> {
    let name = match dir {
        ChanDir::Recv => format!("<-chan {elem}"),
        ChanDir::Send => format!("chan<- {elem}"),
        // Without parentheses the arrow would be this channel's.
        ChanDir::Both if elem.name.starts_with("<-") => format!("chan ({elem})"),
        ChanDir::Both => format!("chan {elem}"),
    };
    fixed(name, Kind::Chan { elem: TypeRef::Here(elem), dir })
}

/// The type of functions with this signature.
pub(super) fn func(signature: &Signature) -> Arc<Type> {
    let unnamed = signature.unnamed();
    let refs = |list: &[crate::Param]| list.iter().map(|param| TypeRef::Here(param.ty.clone())).collect();
    let func = FuncType {
        params: refs(&signature.params),
        results: refs(&signature.results),
        variadic: signature.variadic,
        results_known: true,
    };
    fixed(unnamed.to_string(), Kind::Func(func))
}

/// `methods` are names and signatures as displayed after them: `("Write", "([]uint8) (int, error)")`, or names
/// of embedded interfaces and nothing.
pub(super) fn interface(mut methods: Vec<(String, String)>, empty: bool) -> Arc<Type> {
    methods.sort();
    methods.dedup();
    let list: Vec<String> = methods.iter().map(|(name, signature)| format!("{name}{signature}")).collect();
    let name = match list.as_slice() {
        [] => "interface {}".to_owned(),
        list => format!("interface {{ {} }}", list.join("; ")),
    };
    let methods = methods
        .into_iter()
        .filter(|(_, signature)| !signature.is_empty())
        .map(|(name, _)| Method { name })
        .collect();
    fixed(name, Kind::Interface { empty, methods })
}

/// A field that has no offset yet.
pub(super) struct Member {
    pub(super) name: String,
    pub(super) ty: Arc<Type>,
    pub(super) embedded: bool,
    /// As written, with its quotes; empty if there is none.
    pub(super) tag: String,
}

/// `None` if too large.
pub(super) fn structure(members: Vec<Member>) -> Option<Arc<Type>> {
    let name = struct_name(&members);
    let (mut end, mut align, mut tail) = (0u64, 1u64, None);
    let mut fields = Vec::new();
    for Member { name, ty, embedded, .. } in members {
        let offset = end.next_multiple_of(ty.align.max(1));
        end = offset.checked_add(ty.size).filter(|&end| end <= MAX_SIZE)?;
        align = align.max(ty.align);
        tail = Some(ty.size);
        fields.push(Field { name, ty, offset, embedded });
    }
    // The address of a last field without size must not lie behind the struct.
    if tail == Some(0) && end > 0 {
        end += 1;
    }
    Some(sized(name, end.next_multiple_of(align), Kind::Struct(fields)))
}

fn struct_name(members: &[Member]) -> String {
    let list: Vec<String> = members
        .iter()
        .map(|member| {
            let name = if member.embedded { String::new() } else { format!("{} ", member.name) };
            let tag = if member.tag.is_empty() { String::new() } else { format!(" {}", member.tag) };
            format!("{name}{}{tag}", member.ty)
        })
        .collect();
    match list.as_slice() {
        [] => "struct {}".to_owned(),
        list => format!("struct {{ {} }}", list.join("; ")),
    }
}

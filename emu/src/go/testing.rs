//! What the tests of this module share: Go types made by hand, laid out as the compiler does.

use std::sync::Arc;

use goemu_loader::{ChanDir, Field, FuncType, Kind, Method, Param, Signature, Type, TypeRef};

pub(crate) type Ty = Arc<Type>;

fn ty(name: &str, size: u64, align: u64, kind: Kind) -> Ty {
    Arc::new(Type { name: name.to_owned(), size, align, kind, rtype: None })
}

/// A type without parts, by its name.
pub(crate) fn basic(name: &str) -> Ty {
    let bits = |prefix: &str| name[prefix.len()..].parse::<u64>().unwrap_or(64) / 8;
    match name {
        "bool" => ty(name, 1, 1, Kind::Bool),
        "string" => ty(name, 16, 8, Kind::String),
        "uintptr" => ty(name, 8, 8, Kind::Uintptr),
        "unsafe.Pointer" => ty(name, 8, 8, Kind::UnsafePointer),
        _ if name.starts_with("int") => ty(name, bits("int"), bits("int"), Kind::Int),
        _ if name.starts_with("uint") => ty(name, bits("uint"), bits("uint"), Kind::Uint),
        _ if name.starts_with("float") => ty(name, bits("float"), bits("float"), Kind::Float),
        _ => ty(name, bits("complex"), bits("complex") / 2, Kind::Complex),
    }
}

/// The same type under another name, as `type name T` makes it.
pub(crate) fn named(name: &str, of: &Ty) -> Ty {
    Arc::new(Type { name: name.to_owned(), ..(**of).clone() })
}

pub(crate) fn here(t: &Ty) -> TypeRef {
    TypeRef::Here(t.clone())
}

pub(crate) fn pointer(to: &Ty) -> Ty {
    ty(&format!("*{}", to.name), 8, 8, Kind::Pointer(here(to)))
}

pub(crate) fn slice(of: &Ty) -> Ty {
    ty(&format!("[]{}", of.name), 24, 8, Kind::Slice(here(of)))
}

pub(crate) fn array(len: u64, of: &Ty) -> Ty {
    ty(&format!("[{len}]{}", of.name), len * of.size, of.align, Kind::Array { elem: of.clone(), len })
}

pub(crate) fn map(key: &Ty, elem: &Ty) -> Ty {
    let name = format!("map[{}]{}", key.name, elem.name);
    ty(&name, 8, 8, Kind::Map { key: here(key), elem: here(elem) })
}

pub(crate) fn chan(elem: &Ty) -> Ty {
    ty(&format!("chan {}", elem.name), 8, 8, Kind::Chan { elem: here(elem), dir: ChanDir::Both })
}

pub(crate) fn func(params: &[&Ty]) -> Ty {
    let names: Vec<_> = params.iter().map(|p| p.name.as_str()).collect();
    let params = params.iter().map(|p| here(p)).collect();
    let kind = Kind::Func(FuncType { params, results: Vec::new(), variadic: false });
    ty(&format!("func({})", names.join(", ")), 8, 8, kind)
}

/// An interface type with these methods.
pub(crate) fn interface(name: &str, methods: &[&str]) -> Ty {
    let empty = methods.is_empty();
    let methods = methods.iter().map(|m| Method { name: (*m).to_owned() }).collect();
    ty(name, 16, 8, Kind::Interface { empty, methods })
}

pub(crate) fn any() -> Ty {
    interface("interface {}", &[])
}

/// A struct laid out as Go's compiler does (`cmd/compile/internal/types.CalcStructSize`).
pub(crate) fn structure(name: &str, fields: &[(&str, &Ty)]) -> Ty {
    let (mut offset, mut align, mut out) = (0u64, 1, Vec::new());
    for (field, t) in fields {
        offset = offset.next_multiple_of(t.align);
        out.push(Field { name: (*field).to_owned(), ty: (*t).clone(), offset, embedded: false });
        offset += t.size;
        align = align.max(t.align);
    }
    if offset > 0 && fields.last().is_some_and(|(_, t)| t.size == 0) {
        offset += 1;
    }
    ty(name, offset.next_multiple_of(align), align, Kind::Struct(out))
}

/// A struct without a name, its fields named f0, f1 ...
pub(crate) fn anonymous(fields: &[&Ty]) -> Ty {
    let names: Vec<_> = (0..fields.len()).map(|i| format!("f{i}")).collect();
    let name: Vec<_> = fields.iter().zip(&names).map(|(t, n)| format!("{n} {}", t.name)).collect();
    let name = format!("struct {{ {} }}", name.join("; ")).replace("{  }", "{}");
    let fields: Vec<_> = names.iter().map(String::as_str).zip(fields.iter().copied()).collect();
    structure(&name, &fields)
}

pub(crate) fn signature(params: &[Ty], results: &[Ty]) -> Signature {
    let param = |t: &Ty| Param { name: String::new(), ty: t.clone() };
    Signature {
        params: params.iter().map(param).collect(),
        results: results.iter().map(param).collect(),
        variadic: false,
    }
}

//! What may stand for an interface or a function value: the types and functions that a program has for it.

use std::sync::Arc;

use goemu_loader::{Image, Kind, Type, TypeRef};

use crate::go::closure;
use crate::go::guest::Types;
use crate::go::names;

/// Types that an empty interface holds in most programs.
const BASIC: [&str; 6] = ["int", "string", "bool", "float64", "[]uint8", "[]interface {}"];
/// Packages whose types refer to the runtime or the system: a zero value of them is of no use.
const SYSTEM: [&str; 9] =
    ["runtime", "os", "syscall", "reflect", "net", "internal", "crypto", "testing", "plugin"];
/// What `errors.New` gives.
const PLAIN_ERROR: &str = "*errors.errorString";
/// Signatures that are looked at for functions of a type.
const LOOKED_AT: usize = 20_000;

/// Types that the program puts, or can put, in an interface of this type.
pub(crate) fn implementers(image: &Image, interface: &Type, most: usize) -> Vec<Arc<Type>> {
    let Kind::Interface { empty, .. } = &interface.kind else { return Vec::new() };
    let mut found = if *empty { held_by_any(image) } else { with_methods(image, interface) };
    let plain = |ty: &Type| is_own(ty) || ty.name == PLAIN_ERROR;
    if interface.name == "error" && found.iter().any(|ty| plain(ty)) {
        // Other errors refer to errors of their own.
        found.retain(|ty| plain(ty));
    }
    found.sort_by_key(|ty| rank(ty));
    found.dedup_by(|a, b| a.name == b.name);
    found.truncate(most);
    found
}

/// What an empty interface holds: basic types, and those of package main.
fn held_by_any(image: &Image) -> Vec<Arc<Type>> {
    let basic = BASIC.iter().filter_map(|name| Types::named(image, name));
    let basic: Vec<_> = basic.filter(|ty| image.descriptor(ty).is_some()).collect();
    if !basic.is_empty() {
        return basic;
    }
    all(image).filter(|ty| names::package(bare(&ty.name)) == "main").collect()
}

fn all(image: &Image) -> impl Iterator<Item = Arc<Type>> + '_ {
    image.types().filter_map(|reference| Types::resolve(image, &reference).ok())
}

/// Types with the interface's methods: those that the program has a table for; else those whose methods it has.
fn with_methods(image: &Image, interface: &Type) -> Vec<Arc<Type>> {
    let Some(inter) = image.descriptor(interface) else { return Vec::new() };
    let known = |reference: &TypeRef| match reference {
        TypeRef::Rtype(addr) => image.itab(inter, *addr).is_some(),
        _ => false,
    };
    let tabled = image.types().filter(known).filter_map(|reference| Types::resolve(image, &reference).ok());
    let tabled: Vec<_> = tabled.filter(|ty| is_usable(ty)).collect();
    if !tabled.is_empty() {
        return tabled;
    }
    let described = Types::resolve(image, &TypeRef::Rtype(inter));
    let Ok(Kind::Interface { methods, .. }) = described.as_deref().map(|ty| &ty.kind) else {
        return Vec::new();
    };
    let has = |ty: &Type, name: &str| {
        ty.rtype.is_some_and(|rtype| matches!(image.method_code(rtype, name), Ok(Some(_))))
    };
    let complete = |ty: &Arc<Type>| !methods.is_empty() && methods.iter().all(|method| has(ty, &method.name));
    all(image).filter(|ty| is_usable(ty) && complete(ty)).collect()
}

/// Whether values of the type mean something as they are made: those of the program's own types, and of types that others may
/// make values of.
fn is_usable(ty: &Type) -> bool {
    let name = bare(&ty.name);
    let package = names::package(name);
    let first = package.split('/').next().unwrap_or(package);
    let last = name.get(package.len()..).unwrap_or(name).trim_start_matches('.');
    let nameable = is_own(ty) || ty.name == PLAIN_ERROR || last.starts_with(char::is_uppercase);
    nameable && !SYSTEM.contains(&first) && !matches!(ty.kind, Kind::Interface { .. })
}

fn is_own(ty: &Type) -> bool {
    names::package(bare(&ty.name)) == "main"
}

/// The name without what is said of it: `main.T` of `*main.T`.
fn bare(name: &str) -> &str {
    name.trim_start_matches(['*', '[', ']'])
}

/// The program's own types first, then the plainest error, then what has a short name.
fn rank(ty: &Type) -> (bool, bool, usize, String) {
    (!is_own(ty), ty.name != PLAIN_ERROR, ty.name.len(), ty.name.clone())
}

/// Functions whose signature is this type's, but those of the runtime and the system, which are not made to be called by others.
pub(crate) fn functions_of(image: &Image, ty: &Type, most: usize) -> Vec<(String, u64)> {
    if !matches!(ty.kind, Kind::Func(_)) {
        return Vec::new();
    }
    let mut own = Vec::new();
    let mut others = Vec::new();
    for func in image.defined_funcs().take(LOOKED_AT) {
        let package = names::package(func.name());
        let into = if package == "main" { &mut own } else { &mut others };
        let first = package.split('/').next().unwrap_or(package);
        let plain = !func.name().contains(['(', '-', '[']) && !SYSTEM.contains(&first);
        if !plain || into.len() >= most || closure::refusal(image, &func).is_some() {
            continue;
        }
        let Ok(Some(signature)) = image.signature(&func) else { continue };
        if signature.unnamed().to_string() == ty.name {
            into.push((func.name().to_owned(), func.entry()));
        }
    }
    own.extend(others);
    own.truncate(most);
    own
}

//! Whether two values are the same to a Go program that looks at all of them: addresses do not count.

use crate::go::value::{Bytes, Func, Interface, List, Map, Pointer, Struct, Value};

/// Whether two values of one type are equal, what they refer to included. Not compared are addresses, which differ from run to
/// run; NaN is equal to itself, a nil slice to an empty one, and 0 is not -0.
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Float32(a), Value::Float32(b)) => same_float(f64::from(*a), f64::from(*b)),
        (Value::Float64(a), Value::Float64(b)) => same_float(*a, *b),
        (Value::Complex64(ar, ai), Value::Complex64(br, bi)) => {
            same_float(f64::from(*ar), f64::from(*br)) && same_float(f64::from(*ai), f64::from(*bi))
        }
        (Value::Complex128(ar, ai), Value::Complex128(br, bi)) => {
            same_float(*ar, *br) && same_float(*ai, *bi)
        }
        (Value::List(a), Value::List(b)) => {
            a.elems.len() == b.elems.len() && a.elems.iter().zip(&b.elems).all(|(a, b)| same(a, b))
        }
        (Value::Bytes(a), Value::Bytes(b)) => a.bytes == b.bytes,
        (Value::Struct(a), Value::Struct(b)) => same_structs(a, b),
        (Value::Map(a), Value::Map(b)) => same_maps(a, b),
        (Value::Pointer(a), Value::Pointer(b)) => same_pointers(a, b),
        (Value::Interface(a), Value::Interface(b)) => same_interfaces(a, b),
        (Value::Func(a), Value::Func(b)) => same_functions(a, b),
        (Value::Chan { addr: a, .. }, Value::Chan { addr: b, .. }) => (*a == 0) == (*b == 0),
        (Value::UnsafePointer(a), Value::UnsafePointer(b)) => (*a == 0) == (*b == 0),
        (Value::Truncated { value: a, len: al }, Value::Truncated { value: b, len: bl }) => {
            al == bl && same(a, b)
        }
        (Value::Invalid(a), Value::Invalid(b)) => a.reason == b.reason,
        (Value::Nil(_), other) | (other, Value::Nil(_)) => is_empty(other),
        (Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Uintptr(_) | Value::String(_), _) => a == b,
        (Value::Elided, Value::Elided) => true,
        _ => false,
    }
}

fn same_float(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Nil(_) => true,
        Value::List(List { elems, .. }) => elems.is_empty(),
        Value::Bytes(Bytes { bytes, .. }) => bytes.is_empty(),
        Value::Map(Map { entries, .. }) => entries.is_empty(),
        _ => false,
    }
}

fn same_structs(a: &Struct, b: &Struct) -> bool {
    // What a literal leaves out is not compared.
    let other = |name: &str| b.fields.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    let in_order = a.fields.iter().zip(&b.fields).all(|((an, _), (bn, _))| an == bn);
    match in_order && a.fields.len() == b.fields.len() {
        true => a.fields.iter().zip(&b.fields).all(|((_, a), (_, b))| same(a, b)),
        false => a.fields.iter().all(|(name, a)| other(name).is_none_or(|b| same(a, b))),
    }
}

fn same_maps(a: &Map, b: &Map) -> bool {
    let found = |(key, value): &(Value, Value)| b.entries.iter().any(|(k, v)| same(k, key) && same(v, value));
    a.entries.len() == b.entries.len() && a.entries.iter().all(found)
}

fn same_pointers(a: &Pointer, b: &Pointer) -> bool {
    match (&a.pointee, &b.pointee) {
        (Some(a), Some(b)) => same(a, b),
        (None, None) => (a.addr == 0) == (b.addr == 0),
        _ => false,
    }
}

fn same_interfaces(a: &Interface, b: &Interface) -> bool {
    let name = |of: &Interface| of.ty.as_ref().map(|ty| ty.name.clone());
    // What an error says of itself is what callers see of it.
    let texts = a.text.is_none() || b.text.is_none() || a.text == b.text;
    name(a) == name(b) && texts && same(&a.value, &b.value)
}

fn same_functions(a: &Func, b: &Func) -> bool {
    match (&a.name, &b.name) {
        (Some(a), Some(b)) => a == b,
        _ => a.code == b.code,
    }
}

//! The order in which Go prints the keys of a map (`internal/fmtsort`).

use std::cmp::Ordering;

use crate::go::value::Value;

/// Compares two values of one type as Go does. A total order also over values of different kinds, which
/// stand beside each other where memory is damaged.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| same_kind(a, b))
}

/// Nil comes first; the others in the order of their declaration.
fn rank(value: &Value) -> u8 {
    match value {
        Value::Nil(_) => 0,
        Value::Bool(_) => 1,
        Value::Int(_) => 2,
        Value::Uint(_) => 3,
        Value::Uintptr(_) => 4,
        Value::Float32(_) => 5,
        Value::Float64(_) => 6,
        Value::Complex64(..) => 7,
        Value::Complex128(..) => 8,
        Value::String(_) => 9,
        Value::Bytes(_) => 10,
        Value::List(_) => 11,
        Value::Struct(_) => 12,
        Value::Map(_) => 13,
        Value::Pointer(_) => 14,
        Value::Interface(_) => 15,
        Value::Func(_) => 16,
        Value::Chan { .. } => 17,
        Value::UnsafePointer(_) => 18,
        Value::Variable { .. } => 19,
        Value::Truncated { .. } => 20,
        Value::Elided => 21,
        Value::Invalid(_) => 22,
    }
}

fn same_kind(a: &Value, b: &Value) -> Ordering {
    use Value as V;
    match (a, b) {
        (V::Bool(a), V::Bool(b)) => a.cmp(b),
        (V::Int(a), V::Int(b)) => a.cmp(b),
        (V::Uint(a), V::Uint(b)) | (V::Uintptr(a), V::Uintptr(b)) => a.cmp(b),
        (V::UnsafePointer(a), V::UnsafePointer(b)) => a.cmp(b),
        (V::Float32(a), V::Float32(b)) => floats(f64::from(*a), f64::from(*b)),
        (V::Float64(a), V::Float64(b)) => floats(*a, *b),
        (V::Complex64(ar, ai), V::Complex64(br, bi)) => {
            floats(f64::from(*ar), f64::from(*br)).then(floats(f64::from(*ai), f64::from(*bi)))
        }
        (V::Complex128(ar, ai), V::Complex128(br, bi)) => floats(*ar, *br).then(floats(*ai, *bi)),
        (V::String(a), V::String(b)) => a.cmp(b),
        (V::Bytes(a), V::Bytes(b)) => a.bytes.cmp(&b.bytes),
        (V::List(a), V::List(b)) => all(a.elems.iter(), b.elems.iter()),
        (V::Struct(a), V::Struct(b)) => all(a.fields.iter().map(|f| &f.1), b.fields.iter().map(|f| &f.1)),
        (V::Pointer(a), V::Pointer(b)) => a.addr.cmp(&b.addr),
        (V::Chan { addr: a, .. }, V::Chan { addr: b, .. }) => a.cmp(b),
        (V::Truncated { value: a, len: n }, V::Truncated { value: b, len: m }) => {
            compare(a, b).then(n.cmp(m))
        }
        (V::Interface(a), V::Interface(b)) => {
            // Go compares the addresses of the type descriptors, which have no better order.
            let tag = |t: &Option<std::sync::Arc<goemu_loader::Type>>| {
                t.as_ref().map(|t| (t.rtype, t.name.clone()))
            };
            tag(&a.ty).cmp(&tag(&b.ty)).then_with(|| compare(&a.value, &b.value))
        }
        _ => Ordering::Equal,
    }
}

fn all<'a>(
    a: impl ExactSizeIterator<Item = &'a Value>,
    b: impl ExactSizeIterator<Item = &'a Value>,
) -> Ordering {
    let length = a.len().cmp(&b.len());
    a.zip(b).map(|(a, b)| compare(a, b)).find(|o| o.is_ne()).unwrap_or(length)
}

/// Go's `cmp.Compare`: NaN before everything.
fn floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

//! Values from a guest as arguments: what they refer to is placed anew.

use crate::go::value::{Func, Interface, List, Map, Pointer, Struct, Value};

/// The value without addresses of the guest that it was read from. `None` where a part of it was not read, or is the
/// runtime's.
#[must_use]
pub fn detached(value: &Value) -> Option<Value> {
    Some(match value {
        Value::List(List { ty, elems }) => {
            Value::List(List { ty: ty.clone(), elems: elems.iter().map(detached).collect::<Option<_>>()? })
        }
        Value::Struct(Struct { ty, fields }) => {
            let field = |(name, value): &(String, Value)| Some((name.clone(), detached(value)?));
            Value::Struct(Struct { ty: ty.clone(), fields: fields.iter().map(field).collect::<Option<_>>()? })
        }
        Value::Map(Map { ty, entries }) => {
            let entry = |(key, value): &(Value, Value)| Some((detached(key)?, detached(value)?));
            Value::Map(Map { ty: ty.clone(), entries: entries.iter().map(entry).collect::<Option<_>>()? })
        }
        Value::Pointer(Pointer { addr: 0, pointee: None, ty }) => Value::Nil(ty.clone()),
        Value::Pointer(Pointer { ty, pointee, .. }) => {
            let pointee = Box::new(detached(pointee.as_deref()?)?);
            Value::Pointer(Pointer { ty: ty.clone(), addr: 0, pointee: Some(pointee) })
        }
        Value::Interface(Interface { ty, value, text, .. }) => {
            let value = Box::new(detached(value)?);
            Value::Interface(Interface { ty: ty.clone(), value, data: 0, text: text.clone() })
        }
        // A closure's captured variables are in the guest.
        Value::Func(Func { ty, code, name: Some(name), .. }) if !name.contains(".func") => {
            Value::Func(Func { ty: ty.clone(), closure: 0, code: *code, name: Some(name.clone()) })
        }
        Value::Func(_) | Value::Chan { .. } | Value::Variable { .. } => return None,
        Value::UnsafePointer(addr) if *addr != 0 => return None,
        Value::Truncated { .. } | Value::Elided | Value::Invalid(_) => return None,
        other => other.clone(),
    })
}

//! Values as JSON: all that is known of them, for programs. `goemu help call` documents it.

use std::sync::Arc;

use goemu::go::guest::Types;
use goemu::go::value::{Bytes, Func, Interface, Invalid, List, Map, Pointer, Struct};
use goemu::outcome::NamedValue;
use goemu::{Image, Value};
use goemu_loader::{Kind, Type, TypeRef};
use serde_json::{Value as Json, json};

/// A result or argument: its name, type, Go text, and structure.
pub(crate) fn named(named: &NamedValue, image: &Image) -> Json {
    // What an interface would hold is the value itself, with its text.
    let own = |value: &Value| value.ty().filter(|ty| ty.name == named.ty).cloned();
    let mut data = Writer { image }.value(&named.value, own(&named.value).as_ref());
    if let Some(object) = data.as_object_mut() {
        object.entry("type").or_insert_with(|| named.ty.as_str().into());
    }
    let (name, ty) = (named.name.as_str().into(), named.ty.as_str().into());
    object([("name", name), ("type", ty), ("value", named.value.to_string().into()), ("data", data)])
}

/// An object of parts that are moved into it: `json!` copies them, and so each value as often as it is deep.
fn object<const N: usize>(parts: [(&str, Json); N]) -> Json {
    Json::Object(parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect())
}

/// A value that stands for itself, as a panic's does.
pub(crate) fn value(value: &Value, image: &Image) -> Json {
    Writer { image }.value(value, None)
}

struct Writer<'i> {
    image: &'i Image,
}

impl Writer<'_> {
    /// A value; `ty` is its type where the value does not carry one.
    fn value(&self, value: &Value, ty: Option<&Arc<Type>>) -> Json {
        let ty = value.ty().filter(|_| !matches!(value, Value::Interface(_))).or(ty);
        let mut object = self.parts(value, ty);
        if let (Some(ty), Some(object)) = (ty, object.as_object_mut()) {
            object.insert("type".to_owned(), ty.name.as_str().into());
        }
        object
    }

    fn parts(&self, value: &Value, ty: Option<&Arc<Type>>) -> Json {
        match value {
            Value::Bool(b) => json!({ "kind": "bool", "value": b }),
            Value::Int(n) => json!({ "kind": "int", "value": n }),
            Value::Uint(n) => json!({ "kind": "uint", "value": n }),
            Value::Uintptr(n) => json!({ "kind": "uintptr", "value": n }),
            Value::Float32(n) => json!({ "kind": "float", "value": float(f64::from(*n)) }),
            Value::Float64(n) => json!({ "kind": "float", "value": float(*n) }),
            Value::Complex64(re, im) => complex(f64::from(*re), f64::from(*im)),
            Value::Complex128(re, im) => complex(*re, *im),
            Value::String(bytes) => text(bytes),
            Value::Bytes(Bytes { bytes, .. }) => {
                json!({ "kind": list_kind(ty), "len": bytes.len(), "bytes": hex(bytes) })
            }
            Value::List(list) => self.list(list, ty),
            Value::Struct(s) => self.structure(s, ty),
            Value::Map(map) => self.map(map, ty),
            Value::Truncated { value, len } => {
                let mut object = self.parts(value, ty);
                object["len"] = (*len).into();
                object["truncated"] = true.into();
                object
            }
            _ => self.reference(value, ty),
        }
    }

    fn reference(&self, value: &Value, ty: Option<&Arc<Type>>) -> Json {
        match value {
            Value::Pointer(Pointer { addr, pointee, .. }) => {
                let to = self.part(ty, |kind| match kind {
                    Kind::Pointer(elem) => Some(elem),
                    _ => None,
                });
                let pointee = pointee.as_deref().map(|pointee| self.value(pointee, to.as_ref()));
                let address = address(*addr).into();
                object([("kind", "pointer".into()), ("address", address), ("pointee", pointee.into())])
            }
            Value::Interface(Interface { ty: Some(dynamic), value, text, .. }) if ty == Some(dynamic) => {
                let mut object = self.parts(value, ty);
                object["text"] = text.as_deref().into();
                object
            }
            Value::Interface(Interface { ty, value, text, .. }) => {
                let dynamic = self.value(value, ty.as_ref());
                object([("kind", "interface".into()), ("dynamic", dynamic), ("text", text.as_deref().into())])
            }
            Value::Func(Func { code, name, .. }) => {
                json!({ "kind": "func", "address": address(*code), "name": name })
            }
            Value::Chan { addr, .. } => json!({ "kind": "chan", "address": address(*addr) }),
            Value::UnsafePointer(addr) => json!({ "kind": "unsafe.Pointer", "address": address(*addr) }),
            Value::Nil(_) => json!({ "kind": ty.map_or("nil", |ty| kind(&ty.kind)), "nil": true }),
            Value::Invalid(Invalid { addr, reason, .. }) => {
                json!({ "kind": "invalid", "address": address(*addr), "reason": reason.to_string() })
            }
            _ => json!({ "kind": "elided" }),
        }
    }

    /// The type that a part of a composite one refers to.
    fn part(&self, ty: Option<&Arc<Type>>, of: impl Fn(&Kind) -> Option<&TypeRef>) -> Option<Arc<Type>> {
        Types::resolve(self.image, of(&ty?.kind)?).ok()
    }

    fn list(&self, list: &List, ty: Option<&Arc<Type>>) -> Json {
        let elem = match ty.map(|ty| &ty.kind) {
            Some(Kind::Array { elem, .. }) => Some(elem.clone()),
            Some(Kind::Slice(elem)) => Types::resolve(self.image, elem).ok(),
            _ => None,
        };
        let elements: Vec<Json> = list.elems.iter().map(|value| self.value(value, elem.as_ref())).collect();
        let len = elements.len().into();
        object([("kind", list_kind(ty).into()), ("len", len), ("elements", elements.into())])
    }

    fn structure(&self, s: &Struct, ty: Option<&Arc<Type>>) -> Json {
        let types = match ty.map(|ty| &ty.kind) {
            Some(Kind::Struct(fields)) => fields.as_slice(),
            _ => &[],
        };
        let field = |(i, (name, value)): (usize, &(String, Value))| {
            let ty = types.get(i).map(|field| &field.ty);
            object([("name", name.as_str().into()), ("value", self.value(value, ty))])
        };
        let fields: Vec<Json> = s.fields.iter().enumerate().map(field).collect();
        object([("kind", "struct".into()), ("fields", fields.into())])
    }

    fn map(&self, map: &Map, ty: Option<&Arc<Type>>) -> Json {
        let key = self.part(ty, |kind| match kind {
            Kind::Map { key, .. } => Some(key),
            _ => None,
        });
        let elem = self.part(ty, |kind| match kind {
            Kind::Map { elem, .. } => Some(elem),
            _ => None,
        });
        let entry = |(k, v): &(Value, Value)| {
            object([("key", self.value(k, key.as_ref())), ("value", self.value(v, elem.as_ref()))])
        };
        let entries: Vec<Json> = map.entries.iter().map(entry).collect();
        let len = entries.len().into();
        object([("kind", "map".into()), ("len", len), ("entries", entries.into())])
    }
}

/// A number; JSON has no word for those that are none.
fn float(n: f64) -> Json {
    if n.is_finite() { n.into() } else { Value::Float64(n).to_string().into() }
}

fn complex(re: f64, im: f64) -> Json {
    json!({ "kind": "complex", "real": float(re), "imag": float(im) })
}

/// A string, or where it is not UTF-8 its bytes.
fn text(bytes: &[u8]) -> Json {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "kind": "string", "len": bytes.len(), "value": text }),
        Err(_) => json!({ "kind": "string", "len": bytes.len(), "bytes": hex(bytes) }),
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn address(addr: u64) -> String {
    format!("{addr:#x}")
}

fn list_kind(ty: Option<&Arc<Type>>) -> &'static str {
    match ty.map(|ty| &ty.kind) {
        Some(Kind::Array { .. }) => "array",
        _ => "slice",
    }
}

/// `reflect.Kind`, without the widths.
fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Bool => "bool",
        Kind::Int => "int",
        Kind::Uint => "uint",
        Kind::Uintptr => "uintptr",
        Kind::Float => "float",
        Kind::Complex => "complex",
        Kind::String => "string",
        Kind::UnsafePointer => "unsafe.Pointer",
        Kind::Pointer(_) => "pointer",
        Kind::Slice(_) => "slice",
        Kind::Array { .. } => "array",
        Kind::Struct(_) => "struct",
        Kind::Interface { .. } => "interface",
        Kind::Map { .. } => "map",
        Kind::Chan { .. } => "chan",
        Kind::Func(_) => "func",
    }
}

#[cfg(test)]
mod tests {
    use goemu::go::value::Pointer;
    use goemu::{Image, Value};
    use goemu_tests::work::{GRAIN, least_work};

    /// A value is written once, however deep it lies.
    #[test]
    fn depth_costs_no_copies() {
        let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/demo/demo-go1.27");
        let image = Image::open(demo).expect("the demo");
        let cost = |depth: u64| {
            let list = Value::from((0..5000_i64).collect::<Vec<_>>());
            let pointer =
                |value, addr| Value::Pointer(Pointer { ty: None, addr, pointee: Some(Box::new(value)) });
            let value = (0..depth).fold(list, pointer);
            least_work(3, || drop(super::value(&value, &image)))
        };
        let (shallow, deep) = (cost(1), cost(100));
        assert!(deep < shallow * 10 + GRAIN, "{shallow:?}, {deep:?}");
    }
}

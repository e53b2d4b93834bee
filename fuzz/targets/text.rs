//! What users write: signatures, types, and values of them.
#![no_main]

use std::sync::Arc;

use goemu::go::{
    guest::{TypeError, Types},
    literal::parse_value,
};
use goemu_loader::sigparse::{parse_signature, parse_type};
use goemu_loader::{Type, TypeRef};
use libfuzzer_sys::fuzz_target;

/// A program that has no types of its own.
struct NoTypes;

impl Types for NoTypes {
    fn resolve(&self, reference: &TypeRef) -> Result<Arc<Type>, TypeError> {
        match reference {
            TypeRef::Here(ty) => Ok(ty.clone()),
            _ => Err(TypeError("none".into())),
        }
    }
}

fuzz_target!(|text: &str| {
    let unknown = |_: &str| None;
    let _ = parse_signature(text, &unknown);
    let (ty, value) = text.split_once('=').unwrap_or((text, text));
    if let Ok(ty) = parse_type(ty, &unknown) {
        let _ = parse_value(value, &ty, &NoTypes);
    }
});

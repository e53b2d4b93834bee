//! Random Go values by type, for property tests with proptest (the feature `proptest`).
//!
//! Numbers come from the whole range, with its ends more often; lists and maps are short; pointers may be nil, and are
//! where a type contains itself too deeply or too often. Interfaces, functions, channels and unsafe pointers are always nil: what a
//! program may put there no type tells.
//!
//! ```no_run
//! use goemu::strategy::strategy_for;
//! use goemu::{Image, Machine};
//! use proptest::prelude::*;
//!
//! let machine = std::cell::RefCell::new(Machine::new(Image::open("program")?)?);
//! let normalise = machine.borrow().function("main.normalise", None)?;
//! let image = machine.borrow().image().clone();
//! let config = normalise.signature().map(|signature| strategy_for(&signature.params[0].ty, &*image));
//! proptest!(|(config in config.expect("a signature"))| {
//!     let report = normalise.call(&mut machine.borrow_mut(), &[config]).unwrap();
//!     prop_assert_eq!(report.outcome.word(), "returned");
//! });
//! # Ok::<(), goemu::Error>(())
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use goemu_loader::{Field, Kind, Type, TypeRef};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::go::guest::Types;
use crate::go::read::is_byte;
use crate::go::value::{Bytes, List, Map, Struct, Value};

/// Pointers, lists and maps inside each other.
const DEPTH: usize = 4;
/// Values in a value, about: with all that its pointers refer to.
const VALUES: usize = 8192;
/// Elements of lists, entries of maps.
const ELEMS: usize = 12;
/// Bytes of a `[]byte`.
const BYTES: usize = 64;
/// Elements of an array that get values of their own, if there is room for that; the others are zero.
const ARRAY: u64 = 256;

/// Values of this type. Parts of it that `types` does not know are nil, or zero.
pub fn strategy_for(ty: &Type, types: &dyn Types) -> BoxedStrategy<Value> {
    Maker { types }.of(ty, Left { depth: DEPTH, values: VALUES })
}

/// What a part of a value may still have in it.
#[derive(Clone, Copy)]
struct Left {
    depth: usize,
    values: usize,
}

impl Left {
    /// What each of so many equal parts may have.
    fn shared(self, parts: usize) -> Left {
        Left { values: self.values / parts.max(1), ..self }
    }

    /// What is behind a pointer, if there may be anything.
    fn behind(self) -> Option<Left> {
        let depth = self.depth.checked_sub(1)?;
        (self.values > 0).then_some(Left { depth, ..self })
    }
}

struct Maker<'t> {
    types: &'t dyn Types,
}

impl Maker<'_> {
    fn of(&self, ty: &Type, left: Left) -> BoxedStrategy<Value> {
        match &ty.kind {
            Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
            Kind::Int => signed(ty.size),
            Kind::Uint => unsigned(ty.size).prop_map(Value::Uint).boxed(),
            Kind::Uintptr => unsigned(ty.size).prop_map(Value::Uintptr).boxed(),
            Kind::Float if ty.size == 4 => proptest::num::f32::ANY.prop_map(Value::Float32).boxed(),
            Kind::Float => proptest::num::f64::ANY.prop_map(Value::Float64).boxed(),
            Kind::Complex if ty.size == 8 => {
                let part = proptest::num::f32::ANY;
                (part, part).prop_map(|(re, im)| Value::Complex64(re, im)).boxed()
            }
            Kind::Complex => {
                let part = proptest::num::f64::ANY;
                (part, part).prop_map(|(re, im)| Value::Complex128(re, im)).boxed()
            }
            Kind::String => any::<String>().prop_map(Value::from).boxed(),
            Kind::Struct(fields) => self.structure(fields, left),
            Kind::Array { elem, len } => self.array(elem, *len, left),
            Kind::Slice(elem) => self.part(elem, left, |maker, elem, left| maker.slice(elem, left)),
            Kind::Pointer(to) => self.part(to, left, |maker, to, left| {
                let to = maker.of(to, left).prop_map(Value::pointer_to);
                prop_oneof![1 => Just(Value::nil()), 4 => to].boxed()
            }),
            Kind::Map { key, elem } => self.part(key, left, |maker, key, left| {
                maker.part(elem, left, |maker, elem, left| maker.map(key, elem, left))
            }),
            _ => Just(Value::nil()).boxed(),
        }
    }

    /// What is behind a pointer: nil where nothing is left for it.
    fn part(
        &self,
        reference: &TypeRef,
        left: Left,
        make: impl FnOnce(&Self, &Arc<Type>, Left) -> BoxedStrategy<Value>,
    ) -> BoxedStrategy<Value> {
        match left.behind().map(|left| (left, self.types.resolve(reference))) {
            Some((left, Ok(ty))) => make(self, &ty, left),
            _ => Just(Value::nil()).boxed(),
        }
    }

    fn structure(&self, fields: &[Field], left: Left) -> BoxedStrategy<Value> {
        let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
        let left = left.shared(fields.iter().filter(|field| holds_others(&field.ty)).count());
        let values: Vec<_> = fields.iter().map(|field| self.of(&field.ty, left)).collect();
        let named = move |values: Vec<Value>| {
            Value::Struct(Struct { ty: None, fields: names.iter().cloned().zip(values).collect() })
        };
        values.prop_map(named).boxed()
    }

    fn array(&self, elem: &Type, len: u64, left: Left) -> BoxedStrategy<Value> {
        let count = len.min(ARRAY) as usize;
        if is_byte(elem) {
            return vec(any::<u8>(), count).prop_map(bytes).boxed();
        }
        let left = left.shared(count);
        let count = if left.values == 0 { 0 } else { count };
        vec(self.of(elem, left), count).prop_map(list).boxed()
    }

    fn slice(&self, elem: &Type, left: Left) -> BoxedStrategy<Value> {
        if is_byte(elem) {
            return vec(any::<u8>(), 0..BYTES).prop_map(bytes).boxed();
        }
        vec(self.of(elem, left.shared(ELEMS)), 0..ELEMS).prop_map(list).boxed()
    }

    fn map(&self, key: &Type, elem: &Type, left: Left) -> BoxedStrategy<Value> {
        let left = left.shared(2 * ELEMS);
        let entries = vec((self.of(key, left), self.of(elem, left)), 0..ELEMS);
        let without_doubles = |mut entries: Vec<(Value, Value)>| {
            let mut seen = HashSet::new();
            entries.retain(|(key, _)| seen.insert(key.to_string()));
            Value::Map(Map { ty: None, entries })
        };
        entries.prop_map(without_doubles).boxed()
    }
}

/// Whether values of this type have others in them, or refer to others.
fn holds_others(ty: &Type) -> bool {
    matches!(
        ty.kind,
        Kind::Struct(_) | Kind::Array { .. } | Kind::Slice(_) | Kind::Pointer(_) | Kind::Map { .. }
    )
}

fn bytes(bytes: Vec<u8>) -> Value {
    Value::Bytes(Bytes { ty: None, bytes })
}

fn list(elems: Vec<Value>) -> Value {
    Value::List(List { ty: None, elems })
}

/// Integers of so many bytes.
fn signed(size: u64) -> BoxedStrategy<Value> {
    let shift = 64 - 8 * size.clamp(1, 8) as u32;
    let (least, most) = (i64::MIN >> shift, i64::MAX >> shift);
    let narrow = any::<i64>().prop_map(move |n| n >> shift);
    let small = (-10i64..=10).prop_map(move |n| n.clamp(least, most));
    let ends = prop_oneof![Just(least), Just(most)];
    prop_oneof![4 => narrow, 2 => small, 1 => ends].prop_map(Value::Int).boxed()
}

fn unsigned(size: u64) -> BoxedStrategy<u64> {
    let shift = 64 - 8 * size.clamp(1, 8) as u32;
    let narrow = any::<u64>().prop_map(move |n| n >> shift);
    prop_oneof![4 => narrow, 2 => 0u64..=10, 1 => Just(u64::MAX >> shift)].boxed()
}

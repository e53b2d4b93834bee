//! Values out of nothing.

use std::collections::HashSet;
use std::sync::Arc;

use goemu_loader::Type;

use super::plan::{DEPTH, Form, Id, Maker};
use super::random::Random;
use crate::go::value::{Bytes, Func, Interface, List, Map, Struct, Value};

/// Values in a value, about: with all that its pointers refer to.
const VALUES: usize = 8192;
/// Elements of an array that get values of their own, if there is room for that; the others are zero.
const ARRAY: u64 = 256;
/// Elements of a list at size 100.
const ELEMS: usize = 24;
/// Bytes of a string at size 100.
const BYTES: usize = 96;

/// What a value may still have in it.
pub(super) struct Left {
    pub(super) size: usize,
    depth: usize,
    values: usize,
}

impl Left {
    pub(super) fn new(size: usize) -> Left {
        Left { size, depth: DEPTH, values: VALUES }
    }
}

impl Maker {
    /// A value of the type. Lists, strings and numbers grow with `size`, which is from 0 to 100.
    #[must_use]
    pub fn make(&self, random: &mut Random, size: usize) -> Value {
        self.make_at(self.root, random, &mut Left::new(size))
    }

    pub(super) fn make_at(&self, id: Id, random: &mut Random, left: &mut Left) -> Value {
        left.values = left.values.saturating_sub(1);
        match self.form(id) {
            Form::Nothing(_) => Value::nil(),
            Form::Bool => Value::Bool(random.one_in(2)),
            Form::Int(bits) => Value::Int(self.signed(*bits, random, left.size)),
            Form::Uint(bits) => Value::Uint(self.unsigned(*bits, random, left.size)),
            Form::Uintptr => Value::Uintptr(self.unsigned(64, random, left.size)),
            Form::Float32 => Value::Float32(float(random, left.size) as f32),
            Form::Float64 => Value::Float64(float(random, left.size)),
            Form::Complex64 => {
                Value::Complex64(float(random, left.size) as f32, float(random, left.size) as f32)
            }
            Form::Complex128 => Value::Complex128(float(random, left.size), float(random, left.size)),
            Form::String => Value::String(self.text(random, left.size)),
            Form::Bytes(len) => self.bytes(*len, random, left.size),
            Form::Struct(fields) => {
                let given = fields.iter().filter_map(|(name, id)| Some((name, (*id)?)));
                let values = given.map(|(name, id)| (name.clone(), self.make_at(id, random, left)));
                Value::Struct(Struct { ty: None, fields: values.collect() })
            }
            Form::Array(elem, len) => {
                let count = if left.values == 0 { 0 } else { (*len).min(ARRAY) as usize };
                let elems = (0..count).map(|_| self.make_at(*elem, random, left));
                list(elems.collect())
            }
            form => self.behind(form, random, left),
        }
    }

    /// What lies behind a pointer: nil where nothing is left for it.
    fn behind(&self, form: &Form, random: &mut Random, left: &mut Left) -> Value {
        let required = matches!(form, Form::Pointer(_, false) | Form::Interface(_, false) | Form::Func(_));
        if (left.depth == 0 || left.values == 0) && !required {
            return Value::nil();
        }
        let deeper = left.depth.saturating_sub(1);
        let before = std::mem::replace(&mut left.depth, deeper);
        let value = match form {
            Form::Slice(elem) => self.slice(*elem, random, left),
            Form::Map(key, elem) => self.map(*key, *elem, random, left),
            Form::Pointer(to, nil) => match self.form(*to) {
                Form::Nothing(_) => Value::nil(),
                _ if *nil && random.one_in(6) => Value::nil(),
                _ => Value::pointer_to(self.make_at(*to, random, left)),
            },
            Form::Interface(held, nil) => match random.pick(held) {
                Some((ty, id)) if !(*nil && random.one_in(6)) => {
                    interface(ty, self.make_at(*id, random, left))
                }
                _ => Value::nil(),
            },
            Form::Func(functions) => random.pick(functions).map_or_else(Value::nil, function),
            _ => Value::nil(),
        };
        left.depth = before;
        value
    }

    fn slice(&self, elem: Id, random: &mut Random, left: &mut Left) -> Value {
        if matches!(self.form(elem), Form::Nothing(_)) || random.one_in(20) {
            return if random.one_in(2) { Value::nil() } else { list(Vec::new()) };
        }
        let most = elems(left.size).min(left.values);
        let count = random.below(most + 1);
        // Equal elements, which random ones are not by themselves.
        let repeated = random.one_in(8).then(|| self.make_at(elem, random, left));
        let one = |_| match &repeated {
            Some(value) if random.one_in(2) => value.clone(),
            _ => self.make_at(elem, random, left),
        };
        list((0..count).map(one).collect())
    }

    fn map(&self, key: Id, elem: Id, random: &mut Random, left: &mut Left) -> Value {
        if matches!(self.form(key), Form::Nothing(_)) || random.one_in(20) {
            return Value::nil();
        }
        let count = random.below(elems(left.size).min(left.values / 2) + 1);
        let one = |_| (self.make_at(key, random, left), self.make_at(elem, random, left));
        let mut entries: Vec<_> = (0..count).map(one).collect();
        distinct(&mut entries);
        Value::Map(Map { ty: None, entries })
    }

    fn bytes(&self, len: Option<u64>, random: &mut Random, size: usize) -> Value {
        let bytes = match len {
            Some(len) => (0..len.min(ARRAY)).map(|_| random.bits() as u8).collect(),
            None if random.one_in(24) => return Value::nil(),
            None if random.one_in(2) => self.text(random, size),
            None => {
                let count = random.below(length(size) + 1);
                // Of few different values, or of all.
                let mask = [0xff, 0xff, 0x7f, 0x03].get(random.below(4)).copied().unwrap_or(0xff);
                (0..count).map(|_| random.bits() as u8 & mask).collect()
            }
        };
        Value::Bytes(Bytes { ty: None, bytes })
    }

    pub(super) fn signed(&self, bits: u32, random: &mut Random, size: usize) -> i64 {
        let shift = 64 - bits;
        let known = &self.dictionary.numbers;
        let n = match random.below(16) {
            0..=5 => random.below(2 * size + 2) as i64 - size as i64,
            6..=7 => (1_i64 << random.below(bits as usize)).wrapping_add(random.below(3) as i64 - 1),
            8 => {
                (1_i64 << random.below(bits as usize)).wrapping_neg().wrapping_add(random.below(3) as i64 - 1)
            }
            9 => i64::MAX >> shift,
            10 => i64::MIN >> shift,
            11..=12 => random.pick(known).copied().unwrap_or(0).wrapping_add(random.below(3) as i64 - 1),
            _ => (random.bits() as i64) >> random.below(bits as usize),
        };
        n << shift >> shift
    }

    pub(super) fn unsigned(&self, bits: u32, random: &mut Random, size: usize) -> u64 {
        let shift = 64 - bits;
        let n = match random.below(16) {
            0..=5 => random.below(size + 2) as u64,
            6..=8 => {
                (1_u64 << random.below(bits as usize)).wrapping_add(random.below(3) as u64).wrapping_sub(1)
            }
            9 => u64::MAX,
            10..=12 => {
                let known = random.pick(&self.dictionary.numbers).copied().unwrap_or(0);
                (known as u64).wrapping_add(random.below(3) as u64).wrapping_sub(1)
            }
            _ => random.bits() >> random.below(bits as usize),
        };
        n << shift >> shift
    }

    /// The bytes of a string, UTF-8 more often than not.
    pub(super) fn text(&self, random: &mut Random, size: usize) -> Vec<u8> {
        let most = random.below(length(size) + 1);
        let mut text = Vec::with_capacity(most + 8);
        let style = random.below(6);
        while text.len() < most {
            let start = text.len();
            self.piece(&mut text, style, random);
            if random.one_in(12) {
                let again = text.get(start..).unwrap_or_default().repeat(random.below(16));
                text.extend(again);
            }
        }
        text.truncate(most);
        text
    }

    /// Some bytes of a text: letters of one kind, or of any.
    fn piece(&self, text: &mut Vec<u8>, style: usize, random: &mut Random) {
        let any = if style == 0 { random.below(8) } else { style };
        match any {
            1 => text.push(b'a' + random.below(3) as u8),
            2 => text.push(b' ' + random.below(95) as u8),
            3 => text.extend(random.pick(b"0123456789.-+eExX_ ").copied()),
            4 => match random.pick(&self.dictionary.words) {
                Some(word) => text.extend_from_slice(word),
                None => text.push(b'a' + random.below(26) as u8),
            },
            5 => {
                let range = 0x11_0000 >> (4 * random.below(5));
                let letter = char::from_u32(random.below(range) as u32);
                let mut buffer = [0; 4];
                text.extend_from_slice(letter.unwrap_or('\u{fffd}').encode_utf8(&mut buffer).as_bytes());
            }
            6 => text.push(random.bits() as u8),
            _ => text.extend(random.pick(b"\"'`\\/{}[]()<>,:;=&%#@!?*$ \t\n\0").copied()),
        }
    }
}

/// A floating-point number: small and whole, with few digits, of the ends, of any bits.
pub(super) fn float(random: &mut Random, size: usize) -> f64 {
    const ENDS: [f64; 14] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        0.1,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MAX,
        f64::MIN_POSITIVE,
        5e-324,
        9_007_199_254_740_993.0,
        f64::EPSILON,
    ];
    let whole = random.below(2 * size + 2) as f64 - size as f64;
    match random.below(8) {
        0..=2 => whole,
        3 => whole / 4.0,
        4 => whole / 10.0,
        5 | 6 => random.pick(&ENDS).copied().unwrap_or(0.0),
        _ => f64::from_bits(random.bits()),
    }
}

/// Elements that a list of this size has at most.
fn elems(size: usize) -> usize {
    1 + size * ELEMS / 100
}

/// Bytes that a string of this size has at most.
pub(super) fn length(size: usize) -> usize {
    1 + size * BYTES / 100
}

pub(super) fn list(elems: Vec<Value>) -> Value {
    Value::List(List { ty: None, elems })
}

pub(super) fn interface(ty: &Arc<Type>, value: Value) -> Value {
    Value::Interface(Interface { ty: Some(Arc::clone(ty)), value: Box::new(value), data: 0, text: None })
}

pub(super) fn function((name, code): &(String, u64)) -> Value {
    Value::Func(Func { ty: None, closure: 0, code: *code, name: Some(name.clone()) })
}

/// Leaves the first of entries with one key.
pub(super) fn distinct(entries: &mut Vec<(Value, Value)>) {
    let mut seen = HashSet::new();
    entries.retain(|(key, _)| seen.insert(key.to_string()));
}

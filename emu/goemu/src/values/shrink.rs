//! Values that are simpler than others: nothing, less, nearer to zero.

use std::sync::Arc;

use goemu_loader::Type;

use super::make::{function, interface, list};
use super::plan::{Form, Id, Maker};
use crate::go::value::{Bytes, Map, Struct, Value};

/// Simpler values of one value.
const CANDIDATES: usize = 2048;
/// Values that all of these have in them: fewer large ones are tried.
const WEIGHT: usize = 1 << 19;
/// Values inside values.
const DEEP: usize = 32;

impl Maker {
    /// Values of the type that are simpler than this one, simplest first. None where it is the simplest.
    #[must_use]
    pub fn simpler(&self, value: &Value) -> Vec<Value> {
        self.simpler_at(self.root, value, 0, most(value))
    }

    /// At most so many.
    fn simpler_at(&self, id: Id, value: &Value, deep: usize, most: usize) -> Vec<Value> {
        if deep > DEEP || most == 0 {
            return Vec::new();
        }
        let mut simpler = match (self.form(id), value) {
            (Form::Bool, Value::Bool(true)) => vec![Value::Bool(false)],
            (Form::Int(_), Value::Int(n)) => integers(*n).into_iter().map(Value::Int).collect(),
            (Form::Uint(_), Value::Uint(n)) => naturals(*n).into_iter().map(Value::Uint).collect(),
            (Form::Uintptr, Value::Uintptr(n)) => naturals(*n).into_iter().map(Value::Uintptr).collect(),
            (Form::Float64, Value::Float64(n)) => floats(*n).into_iter().map(Value::Float64).collect(),
            (Form::Float32, Value::Float32(n)) => {
                let narrow = floats(f64::from(*n)).into_iter().map(|n| n as f32);
                narrow.filter(|m| is_simpler(f64::from(*m), f64::from(*n))).map(Value::Float32).collect()
            }
            (Form::Complex128, Value::Complex128(re, im)) => {
                let re_simpler = floats(*re).into_iter().map(|re| Value::Complex128(re, *im));
                re_simpler.chain(floats(*im).into_iter().map(|im| Value::Complex128(*re, im))).collect()
            }
            (Form::Complex64, Value::Complex64(re, im)) => {
                let narrow = |n: f32| floats(f64::from(n)).into_iter().map(|n| n as f32);
                let re_simpler = narrow(*re).map(|re| Value::Complex64(re, *im));
                re_simpler.chain(narrow(*im).map(|im| Value::Complex64(*re, im))).collect()
            }
            (Form::String, Value::String(bytes)) => {
                texts(bytes, most).into_iter().map(Value::String).collect()
            }
            (Form::Bytes(len), Value::Bytes(b)) => byte_lists(&b.bytes, len.is_some(), most),
            (Form::Struct(fields), Value::Struct(s)) => self.structs(fields, s, deep, most),
            (Form::Array(elem, _), Value::List(l)) => self.elements(*elem, &l.elems, deep, most),
            (Form::Slice(elem), Value::List(l)) => {
                let mut simpler: Vec<Value> = fewer(&l.elems, most).into_iter().map(list).collect();
                let left = most.saturating_sub(simpler.len());
                simpler.extend(self.elements(*elem, &l.elems, deep, left));
                simpler
            }
            (Form::Map(key, elem), Value::Map(map)) => self.maps((*key, *elem), &map.entries, deep, most),
            (Form::Pointer(to, nil), Value::Pointer(pointer)) => {
                let mut simpler = if *nil { vec![Value::nil()] } else { Vec::new() };
                if let Some(value) = &pointer.pointee {
                    let inside = self.simpler_at(*to, value, deep + 1, most);
                    simpler.extend(inside.into_iter().map(Value::pointer_to));
                }
                simpler
            }
            (Form::Interface(held, nil), Value::Interface(of)) => {
                let mut simpler = if *nil { vec![Value::nil()] } else { Vec::new() };
                let is_held =
                    |(ty, _): &&(Arc<Type>, Id)| of.ty.as_ref().is_some_and(|of| of.name == ty.name);
                // The simplest value of a type that comes before this one.
                let before = held.iter().take_while(|of| !is_held(of));
                simpler.extend(before.map(|(ty, id)| interface(ty, self.simplest(*id))));
                if let Some((ty, id)) = held.iter().find(is_held) {
                    let inside = self.simpler_at(*id, &of.value, deep + 1, most);
                    simpler.extend(inside.into_iter().map(|value| interface(ty, value)));
                }
                simpler
            }
            (Form::Func(functions), Value::Func(of)) => {
                let before = functions.iter().take_while(|(name, _)| of.name.as_ref() != Some(name));
                before.map(function).collect()
            }
            _ => Vec::new(),
        };
        simpler.truncate(most);
        simpler
    }

    /// The simplest value of a form: zero, or what is nearest to it.
    fn simplest(&self, id: Id) -> Value {
        match self.form(id) {
            Form::Bool => Value::Bool(false),
            Form::Int(_) => Value::Int(0),
            Form::Uint(_) => Value::Uint(0),
            Form::Uintptr => Value::Uintptr(0),
            Form::Float32 => Value::Float32(0.0),
            Form::Float64 => Value::Float64(0.0),
            Form::Complex64 => Value::Complex64(0.0, 0.0),
            Form::Complex128 => Value::Complex128(0.0, 0.0),
            Form::String => Value::String(Vec::new()),
            Form::Bytes(_) => Value::Bytes(Bytes::default()),
            Form::Slice(_) | Form::Array(..) => list(Vec::new()),
            Form::Struct(_) => Value::Struct(Struct::default()),
            Form::Map(..) => Value::Map(Map::default()),
            Form::Pointer(to, false) => Value::pointer_to(self.simplest(*to)),
            Form::Pointer(..) | Form::Interface(..) | Form::Nothing(_) => Value::nil(),
            Form::Func(functions) => functions.first().map_or_else(Value::nil, function),
        }
    }

    fn structs(&self, fields: &[(String, Option<Id>)], s: &Struct, deep: usize, most: usize) -> Vec<Value> {
        let ids: Vec<Id> = fields.iter().filter_map(|(_, id)| *id).collect();
        let mut simpler = Vec::new();
        for (at, ((_, value), id)) in s.fields.iter().zip(ids).enumerate() {
            let left = most.saturating_sub(simpler.len());
            for value in self.simpler_at(id, value, deep + 1, left) {
                let mut fields = s.fields.clone();
                if let Some(field) = fields.get_mut(at) {
                    field.1 = value;
                }
                simpler.push(Value::Struct(Struct { ty: None, fields }));
            }
        }
        simpler
    }

    fn elements(&self, elem: Id, elems: &[Value], deep: usize, most: usize) -> Vec<Value> {
        let mut simpler = Vec::new();
        for (at, value) in elems.iter().enumerate() {
            let left = most.saturating_sub(simpler.len());
            for value in self.simpler_at(elem, value, deep + 1, left) {
                let mut elems = elems.to_vec();
                if let Some(elem) = elems.get_mut(at) {
                    *elem = value;
                }
                simpler.push(list(elems));
            }
        }
        simpler
    }

    fn maps(
        &self,
        (key, elem): (Id, Id),
        entries: &[(Value, Value)],
        deep: usize,
        most: usize,
    ) -> Vec<Value> {
        let map = |entries| Value::Map(Map { ty: None, entries });
        let mut simpler: Vec<Value> = fewer(entries, most).into_iter().map(map).collect();
        for (at, (k, v)) in entries.iter().enumerate() {
            let taken = |new: &Value| entries.iter().any(|(key, _)| key.to_string() == new.to_string());
            let left = most.saturating_sub(simpler.len());
            let keys = self.simpler_at(key, k, deep + 1, left).into_iter().filter(|new| !taken(new));
            let keys = keys.map(|k| (k, v.clone()));
            let values = self.simpler_at(elem, v, deep + 1, left).into_iter().map(|v| (k.clone(), v));
            for entry in keys.chain(values) {
                let mut entries = entries.to_vec();
                if let Some(old) = entries.get_mut(at) {
                    *old = entry;
                }
                simpler.push(map(entries));
            }
        }
        simpler
    }
}

/// Numbers from zero towards this one.
fn integers(n: i64) -> Vec<i64> {
    let mut simpler = Vec::new();
    if n < 0 && n != i64::MIN {
        simpler.push(-n);
    }
    let mut step = n;
    while step != 0 {
        simpler.push(n - step);
        step /= 2;
    }
    simpler
}

fn naturals(n: u64) -> Vec<u64> {
    let mut simpler = Vec::new();
    let mut step = n;
    while step != 0 {
        simpler.push(n - step);
        step /= 2;
    }
    simpler
}

fn floats(n: f64) -> Vec<f64> {
    let places = |p: f64| (n * p).round() / p;
    let all = [
        0.0,
        1.0,
        -n,
        n.trunc(),
        (n / 2.0).trunc(),
        n.trunc() - n.signum(),
        n - n.signum(),
        n.fract(),
        places(10.0),
        places(1000.0),
        n / 1024.0,
        f64::MAX,
        f64::INFINITY,
    ];
    all.into_iter().filter(|m| is_simpler(*m, n)).collect()
}

/// Whether a number is simpler than another: finite, of fewer digits, smaller, positive.
fn is_simpler(m: f64, n: f64) -> bool {
    let weight = |n: f64| {
        let digits = if n.is_finite() { format!("{:e}", n.abs()).len() } else { usize::MAX };
        let kind = if n.is_nan() { 2 } else { u8::from(n.is_infinite()) };
        (kind, n.fract() != 0.0, digits)
    };
    let (wm, wn) = (weight(m), weight(n));
    match wm == wn {
        true if m.abs() == n.abs() => n.is_sign_negative() && m.is_sign_positive(),
        true => m.abs() < n.abs(),
        false => wm < wn,
    }
}

/// The list without parts of it: all, halves, quarters and so on, single elements.
fn fewer<T: Clone>(elems: &[T], most: usize) -> Vec<Vec<T>> {
    let mut lists = Vec::new();
    let mut part = elems.len();
    while part > 0 && lists.len() < most / 2 + 1 {
        let mut at = 0;
        while at < elems.len() && lists.len() < most / 2 + 1 {
            let end = (at + part).min(elems.len());
            let kept = elems.iter().take(at).chain(elems.iter().skip(end));
            lists.push(kept.cloned().collect());
            at = end;
        }
        part /= 2;
    }
    lists
}

/// The simplest letter of more than one byte.
const SIMPLE: char = '\u{e9}';
/// Letters, simplest first.
const LETTERS: &[u8] = b"a0 A1";

fn texts(bytes: &[u8], most: usize) -> Vec<Vec<u8>> {
    let mut simpler = fewer(bytes, most);
    let rank = |byte: u8| match LETTERS.iter().position(|letter| *letter == byte) {
        Some(rank) => rank,
        None if byte.is_ascii_graphic() => 10,
        None => 20 + usize::from(byte >= 0x80),
    };
    // A whole character for one letter.
    if let Ok(text) = std::str::from_utf8(bytes) {
        for (at, letter) in text.char_indices().filter(|(_, letter)| letter.len_utf8() > 1) {
            let simple: &[&str] = if letter == SIMPLE { &["a"] } else { &["a", "\u{e9}"] };
            for text in simple {
                let mut shorter = bytes.to_vec();
                shorter.splice(at..at + letter.len_utf8(), text.bytes());
                simpler.push(shorter);
            }
        }
    }
    // Equal bytes at once.
    let mut distinct = bytes.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for &byte in distinct.iter().filter(|byte| byte.is_ascii()) {
        for &letter in LETTERS.iter().filter(|letter| rank(**letter) < rank(byte)) {
            simpler.push(bytes.iter().map(|&b| if b == byte { letter } else { b }).collect());
        }
    }
    for (at, &byte) in bytes.iter().enumerate() {
        for &letter in LETTERS.iter().filter(|letter| rank(**letter) < rank(byte)) {
            simpler.push(with(bytes, at, letter));
        }
        // Small letters for capital ones, digits for greater ones.
        let next = match byte {
            b'B'..=b'Z' => Some(byte.to_ascii_lowercase()),
            b'b'..=b'z' | b'2'..=b'9' => Some(byte - 1),
            _ => None,
        };
        simpler.extend(next.map(|next| with(bytes, at, next)));
        if simpler.len() > most {
            break;
        }
    }
    simpler
}

fn byte_lists(bytes: &[u8], fixed: bool, most: usize) -> Vec<Value> {
    let mut simpler = if fixed { Vec::new() } else { fewer(bytes, most) };
    simpler.extend(moved(bytes, fixed));
    for (at, &byte) in bytes.iter().enumerate() {
        let smaller = naturals(u64::from(byte)).into_iter();
        simpler.extend(smaller.map(|small| with(bytes, at, small as u8)));
        if simpler.len() > most {
            break;
        }
    }
    simpler.into_iter().map(|bytes| Value::Bytes(Bytes { ty: None, bytes })).collect()
}

/// The bytes with one of them added to the first or to the last and gone, or zero: sums stay as they are.
fn moved(bytes: &[u8], fixed: bool) -> Vec<Vec<u8>> {
    /// Longer ones are not tried.
    const LONGEST: usize = 256;
    let last = bytes.len().saturating_sub(1);
    let mut simpler = Vec::new();
    for (at, &byte) in bytes.iter().enumerate().take(LONGEST) {
        for end in [0, last].into_iter().filter(|end| *end != at) {
            for changed in [bytes[end].wrapping_sub(byte), bytes[end].wrapping_add(byte)] {
                let less = with(bytes, end, changed);
                // Fewer bytes, or fewer that are not zero: it comes to an end.
                if byte != 0 && bytes[end] != 0 {
                    simpler.push(with(&less, at, 0));
                }
                if !fixed {
                    let mut less = less;
                    less.remove(at);
                    simpler.push(less);
                }
            }
        }
    }
    simpler
}

fn with(bytes: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte);
    bytes
}

/// How many simpler values are tried of one.
fn most(value: &Value) -> usize {
    (WEIGHT / weight(value, WEIGHT).max(1)).clamp(8, CANDIDATES)
}

/// Values in a value, up to so many.
fn weight(value: &Value, left: usize) -> usize {
    let sum = |values: &mut dyn Iterator<Item = &Value>| {
        values.fold(1, |sum: usize, value| if sum < left { sum + weight(value, left - sum) } else { sum })
    };
    match value {
        Value::String(bytes) | Value::Bytes(Bytes { bytes, .. }) => 1 + bytes.len() / 64,
        Value::List(list) => sum(&mut list.elems.iter()),
        Value::Struct(s) => sum(&mut s.fields.iter().map(|(_, value)| value)),
        Value::Map(map) => sum(&mut map.entries.iter().flat_map(|(key, value)| [key, value])),
        Value::Pointer(pointer) => sum(&mut pointer.pointee.as_deref().into_iter()),
        Value::Interface(of) => sum(&mut std::iter::once(&*of.value)),
        _ => 1,
    }
}

/// What shrinking came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Shrunk {
    /// The smallest arguments that were found.
    pub args: Vec<Value>,
    /// Arguments that were tried.
    pub tries: usize,
    /// Whether nothing simpler is left to try.
    pub minimal: bool,
}

/// Looks for simpler arguments, one for each maker, that `fails` holds for; tries at most so many.
pub fn shrink<E>(
    makers: &[Maker],
    args: Vec<Value>,
    most: usize,
    mut fails: impl FnMut(&[Value]) -> Result<bool, E>,
) -> Result<Shrunk, E> {
    let mut shrunk = Shrunk { args, tries: 0, minimal: false };
    // From where the last simpler one was found on: what failed before is not tried again at once.
    let mut unchanged = 0;
    let mut at = 0;
    while unchanged < makers.len() {
        match simpler_argument(makers, &mut shrunk, at, most, &mut fails)? {
            true => unchanged = 0,
            false => unchanged += 1,
        }
        if shrunk.tries >= most {
            return Ok(shrunk);
        }
        at = (at + 1) % makers.len().max(1);
    }
    // Of large values not everything that is simpler was tried.
    shrunk.minimal =
        shrunk.args.iter().zip(makers).all(|(arg, maker)| maker.simpler(arg).len() < self::most(arg));
    Ok(shrunk)
}

/// Makes one argument as simple as can be; whether it became simpler.
fn simpler_argument<E>(
    makers: &[Maker],
    shrunk: &mut Shrunk,
    at: usize,
    most: usize,
    fails: &mut impl FnMut(&[Value]) -> Result<bool, E>,
) -> Result<bool, E> {
    let mut changed = false;
    'simpler: loop {
        let (Some(maker), Some(value)) = (makers.get(at), shrunk.args.get(at)) else { return Ok(changed) };
        for value in maker.simpler(value) {
            if shrunk.tries >= most {
                return Ok(changed);
            }
            shrunk.tries += 1;
            let mut args = shrunk.args.clone();
            args.iter_mut().skip(at).take(1).for_each(|arg| *arg = value.clone());
            if fails(&args)? {
                shrunk.args = args;
                changed = true;
                continue 'simpler;
            }
        }
        return Ok(changed);
    }
}

//! Values that are simpler than others: nothing, less, nearer to zero.

use super::make::{function, interface, list};
use super::plan::{Form, Id, Maker};
use crate::go::value::{Bytes, Map, Struct, Value};

/// Simpler values of one value.
const CANDIDATES: usize = 512;
/// Values inside values.
const DEEP: usize = 32;

impl Maker {
    /// Values of the type that are simpler than this one, simplest first. None where it is the simplest.
    #[must_use]
    pub fn simpler(&self, value: &Value) -> Vec<Value> {
        self.simpler_at(self.root, value, 0)
    }

    fn simpler_at(&self, id: Id, value: &Value, deep: usize) -> Vec<Value> {
        if deep > DEEP {
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
            (Form::String, Value::String(bytes)) => texts(bytes).into_iter().map(Value::String).collect(),
            (Form::Bytes(len), Value::Bytes(b)) => byte_lists(&b.bytes, len.is_some()),
            (Form::Struct(fields), Value::Struct(s)) => self.structs(fields, s, deep),
            (Form::Array(elem, _), Value::List(l)) => self.elements(*elem, &l.elems, deep),
            (Form::Slice(elem), Value::List(l)) => {
                let mut simpler: Vec<Value> = fewer(&l.elems).into_iter().map(list).collect();
                simpler.extend(self.elements(*elem, &l.elems, deep));
                simpler
            }
            (Form::Map(key, elem), Value::Map(map)) => self.maps(*key, *elem, &map.entries, deep),
            (Form::Pointer(to, nil), Value::Pointer(pointer)) => {
                let mut simpler = if *nil { vec![Value::nil()] } else { Vec::new() };
                if let Some(value) = &pointer.pointee {
                    let inside = self.simpler_at(*to, value, deep + 1);
                    simpler.extend(inside.into_iter().map(Value::pointer_to));
                }
                simpler
            }
            (Form::Interface(held, nil), Value::Interface(of)) => {
                let mut simpler = if *nil { vec![Value::nil()] } else { Vec::new() };
                let found = held.iter().find(|(ty, _)| of.ty.as_ref().is_some_and(|of| of.name == ty.name));
                if let Some((ty, id)) = found {
                    let inside = self.simpler_at(*id, &of.value, deep + 1);
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
        simpler.truncate(CANDIDATES);
        simpler
    }

    fn structs(&self, fields: &[(String, Option<Id>)], s: &Struct, deep: usize) -> Vec<Value> {
        let ids: Vec<Id> = fields.iter().filter_map(|(_, id)| *id).collect();
        let mut simpler = Vec::new();
        for (at, ((_, value), id)) in s.fields.iter().zip(ids).enumerate() {
            for value in self.simpler_at(id, value, deep + 1) {
                let mut fields = s.fields.clone();
                if let Some(field) = fields.get_mut(at) {
                    field.1 = value;
                }
                simpler.push(Value::Struct(Struct { ty: None, fields }));
            }
        }
        simpler
    }

    fn elements(&self, elem: Id, elems: &[Value], deep: usize) -> Vec<Value> {
        let mut simpler = Vec::new();
        for (at, value) in elems.iter().enumerate() {
            for value in self.simpler_at(elem, value, deep + 1) {
                let mut elems = elems.to_vec();
                if let Some(elem) = elems.get_mut(at) {
                    *elem = value;
                }
                simpler.push(list(elems));
                if simpler.len() >= CANDIDATES {
                    return simpler;
                }
            }
        }
        simpler
    }

    fn maps(&self, key: Id, elem: Id, entries: &[(Value, Value)], deep: usize) -> Vec<Value> {
        let map = |entries| Value::Map(Map { ty: None, entries });
        let mut simpler: Vec<Value> = fewer(entries).into_iter().map(map).collect();
        for (at, (k, v)) in entries.iter().enumerate() {
            let taken = |new: &Value| entries.iter().any(|(key, _)| key.to_string() == new.to_string());
            let keys = self.simpler_at(key, k, deep + 1).into_iter().filter(|new| !taken(new));
            let keys = keys.map(|k| (k, v.clone()));
            let values = self.simpler_at(elem, v, deep + 1).into_iter().map(|v| (k.clone(), v));
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
fn fewer<T: Clone>(elems: &[T]) -> Vec<Vec<T>> {
    let mut lists = Vec::new();
    let mut part = elems.len();
    while part > 0 && lists.len() < CANDIDATES / 2 {
        let mut at = 0;
        while at < elems.len() && lists.len() < CANDIDATES / 2 {
            let end = (at + part).min(elems.len());
            let kept = elems.iter().take(at).chain(elems.iter().skip(end));
            lists.push(kept.cloned().collect());
            at = end;
        }
        part /= 2;
    }
    lists
}

/// Letters, simplest first.
const LETTERS: &[u8] = b"a0 A1";

fn texts(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut simpler = fewer(bytes);
    let rank = |byte: u8| match LETTERS.iter().position(|letter| *letter == byte) {
        Some(rank) => rank,
        None if byte.is_ascii_graphic() => 10,
        None => 20 + usize::from(byte >= 0x80),
    };
    // A whole character for one letter.
    if let Ok(text) = std::str::from_utf8(bytes) {
        for (at, letter) in text.char_indices().filter(|(_, letter)| letter.len_utf8() > 1) {
            let mut shorter = bytes.to_vec();
            shorter.splice(at..at + letter.len_utf8(), [b'a']);
            simpler.push(shorter);
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
        if simpler.len() > CANDIDATES {
            break;
        }
    }
    simpler
}

fn byte_lists(bytes: &[u8], fixed: bool) -> Vec<Value> {
    let mut simpler = if fixed { Vec::new() } else { fewer(bytes) };
    for (at, &byte) in bytes.iter().enumerate() {
        let smaller = naturals(u64::from(byte)).into_iter();
        simpler.extend(smaller.map(|small| with(bytes, at, small as u8)));
        if simpler.len() > CANDIDATES {
            break;
        }
    }
    simpler.into_iter().map(|bytes| Value::Bytes(Bytes { ty: None, bytes })).collect()
}

fn with(bytes: &[u8], at: usize, byte: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.iter_mut().skip(at).take(1).for_each(|old| *old = byte);
    bytes
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
    shrunk.minimal = true;
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

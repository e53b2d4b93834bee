//! Values that differ a little from others.

use super::make::{Left, distinct, float, function, interface, length};
use super::plan::{Form, Id, Maker};
use super::random::Random;
use crate::go::value::Value;

/// Bytes that a string grows to by changes.
const LONGEST: usize = 1 << 12;
/// Elements that a list grows to by changes.
const MOST: usize = 1 << 9;

impl Maker {
    /// Changes a value of the type a little, in one place.
    pub fn mutate(&self, value: &mut Value, random: &mut Random, size: usize) {
        self.mutate_at(self.root, value, random, &mut Left::new(size));
    }

    fn mutate_at(&self, id: Id, value: &mut Value, random: &mut Random, left: &mut Left) {
        let replaced = match (self.form(id), &mut *value) {
            (Form::Bool, Value::Bool(b)) => {
                *b = !*b;
                true
            }
            (Form::Int(bits), Value::Int(n)) => {
                let shift = 64 - *bits;
                let changed =
                    change(*n as u64, *bits, random, |random| self.signed(*bits, random, left.size) as u64);
                *n = (changed as i64) << shift >> shift;
                true
            }
            (Form::Uint(bits), Value::Uint(n)) => {
                let shift = 64 - *bits;
                let changed = change(*n, *bits, random, |random| self.unsigned(*bits, random, left.size));
                *n = changed << shift >> shift;
                true
            }
            (Form::Float64, Value::Float64(n)) => {
                *n = change_float(*n, random, left.size);
                true
            }
            (Form::Float32, Value::Float32(n)) => {
                *n = change_float(f64::from(*n), random, left.size) as f32;
                true
            }
            (Form::String, Value::String(bytes)) => {
                self.change_bytes(bytes, true, random, left.size);
                true
            }
            (Form::Bytes(len), Value::Bytes(b)) => {
                self.change_bytes(&mut b.bytes, len.is_none(), random, left.size);
                true
            }
            (Form::Struct(fields), Value::Struct(s)) => {
                let given: Vec<Id> = fields.iter().filter_map(|(_, id)| *id).collect();
                let at = random.below(s.fields.len());
                match (given.get(at), s.fields.get_mut(at)) {
                    (Some(id), Some((_, value))) => self.mutate_at(*id, value, random, left),
                    _ => return,
                }
                true
            }
            (Form::Array(elem, _), Value::List(list)) => {
                let at = random.below(list.elems.len());
                match list.elems.get_mut(at) {
                    Some(value) => self.mutate_at(*elem, value, random, left),
                    None => return,
                }
                true
            }
            (Form::Slice(elem), Value::List(list)) => self.change_list(*elem, &mut list.elems, random, left),
            (Form::Map(key, elem), Value::Map(map)) => {
                self.change_map((*key, *elem), &mut map.entries, random, left)
            }
            (Form::Pointer(to, _), Value::Pointer(pointer)) if !random.one_in(16) => {
                match &mut pointer.pointee {
                    Some(value) => self.mutate_at(*to, value, random, left),
                    None => return,
                }
                true
            }
            (Form::Interface(held, _), Value::Interface(of)) if !random.one_in(4) => {
                let found = held.iter().find(|(ty, _)| of.ty.as_ref().is_some_and(|of| of.name == ty.name));
                match found {
                    Some((ty, id)) => {
                        let mut value = (*of.value).clone();
                        self.mutate_at(*id, &mut value, random, left);
                        *of = match interface(ty, value) {
                            Value::Interface(of) => of,
                            _ => return,
                        };
                        true
                    }
                    None => false,
                }
            }
            (Form::Func(functions), Value::Func(_)) => {
                *value = random.pick(functions).map_or_else(Value::nil, function);
                true
            }
            _ => false,
        };
        if !replaced {
            *value = self.make_at(id, random, left);
        }
    }

    fn change_list(&self, elem: Id, elems: &mut Vec<Value>, random: &mut Random, left: &mut Left) -> bool {
        let count = elems.len();
        let at = random.below(count);
        match random.below(8) {
            0 if count > 0 => {
                elems.remove(at);
            }
            1 if count > 1 => elems.swap(at, random.below(count)),
            2 if count > 0 && count < MOST => {
                let again = elems.get(at).cloned();
                elems.extend(again);
            }
            3 => {
                let most = at + random.below(count - at + 1);
                elems.drain(at..most);
            }
            4 | 5 if count < MOST => elems.insert(at, self.make_at(elem, random, left)),
            _ => match elems.get_mut(at) {
                Some(value) => self.mutate_at(elem, value, random, left),
                None => return false,
            },
        }
        true
    }

    fn change_map(
        &self,
        (key, elem): (Id, Id),
        entries: &mut Vec<(Value, Value)>,
        random: &mut Random,
        left: &mut Left,
    ) -> bool {
        let (count, at) = (entries.len(), random.below(entries.len()));
        match (random.below(4), entries.get_mut(at)) {
            (0, Some(_)) => {
                entries.remove(at);
            }
            (1, Some((key_value, _))) => self.mutate_at(key, key_value, random, left),
            (2, Some((_, value))) => self.mutate_at(elem, value, random, left),
            _ if count < MOST => {
                let entry = (self.make_at(key, random, left), self.make_at(elem, random, left));
                entries.push(entry);
            }
            _ => return false,
        }
        distinct(entries);
        true
    }

    /// Changes bytes; their number too, if that is not fixed.
    fn change_bytes(&self, bytes: &mut Vec<u8>, may_grow: bool, random: &mut Random, size: usize) {
        let len = bytes.len();
        let at = random.below(len);
        if may_grow && (len == 0 || random.one_in(2)) {
            return self.resize(bytes, random, size);
        }
        match random.below(7) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
            1 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.bits() as u8),
            2 => {
                let by = random.below(9) as u8;
                bytes
                    .iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte = byte.wrapping_add(by).wrapping_sub(4));
            }
            3 => bytes.swap(at, random.below(len)),
            4 => self.overwrite(bytes, at, random),
            5 => {
                // A letter for a letter.
                let of = random.pick(b"0123456789abcxyzABCXYZ -+.,:;/\\\"'()[]{}<>=%_\n\0\xff").copied();
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = of.unwrap_or(0));
            }
            _ => {
                // Of one part over another.
                let from = random.below(len);
                let count = random.below(len - from.max(at) + 1);
                bytes.copy_within(from..from + count, at);
            }
        }
    }

    /// Writes a number or a word of the program over bytes.
    fn overwrite(&self, bytes: &mut [u8], at: usize, random: &mut Random) {
        let number = self.unsigned(64, random, 16);
        let width = 1 << random.below(4);
        let raw = if random.one_in(2) { number.to_le_bytes() } else { number.to_be_bytes() };
        let shown = if random.one_in(2) { raw.get(..width) } else { raw.get(8 - width..) };
        let word = random.pick(&self.dictionary.words).map(Vec::as_slice);
        let with = if random.one_in(2) { word.or(shown) } else { shown };
        for (to, from) in bytes.iter_mut().skip(at).zip(with.unwrap_or_default()) {
            *to = *from;
        }
    }

    /// Inserts or removes bytes.
    fn resize(&self, bytes: &mut Vec<u8>, random: &mut Random, size: usize) {
        let at = random.below(bytes.len() + 1);
        let rest = bytes.len() - at;
        let inserted = match random.below(7) {
            0 | 1 => {
                bytes.drain(at..at + random.below(rest + 1).min(1 + random.below(8)));
                return;
            }
            2 => {
                bytes.truncate(at);
                return;
            }
            3 => random.pick(&self.dictionary.words).cloned().unwrap_or_else(|| vec![b'0']),
            4 => vec![random.bits() as u8; 1 + random.below(4)],
            // A part once more, which makes things nest and repeat.
            5 => {
                let part = bytes.get(at..at + random.below(rest + 1)).unwrap_or_default().to_vec();
                part.repeat(1 + random.below(3))
            }
            _ => {
                let mut text = self.text(random, size);
                text.truncate(1 + length(size) / 4);
                text
            }
        };
        if bytes.len() + inserted.len() <= LONGEST {
            bytes.splice(at..at, inserted);
        }
    }
}

/// A number near this one, or with one bit changed, or another.
fn change(n: u64, bits: u32, random: &mut Random, another: impl Fn(&mut Random) -> u64) -> u64 {
    match random.below(6) {
        0 | 1 => n.wrapping_add(1 + random.below(8) as u64),
        2 => n.wrapping_sub(1 + random.below(8) as u64),
        3 => n ^ 1 << random.below(bits as usize),
        4 if random.one_in(2) => n.wrapping_neg(),
        _ => another(random),
    }
}

fn change_float(n: f64, random: &mut Random, size: usize) -> f64 {
    match random.below(6) {
        0 => -n,
        1 => n + 1.0,
        2 => n * 2.0,
        3 => n.trunc(),
        4 => f64::from_bits(n.to_bits() ^ 1 << random.below(64)),
        _ => float(random, size),
    }
}

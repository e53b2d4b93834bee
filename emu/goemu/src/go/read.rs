//! Guest memory to Go values, by type.
//!
//! ReadOptions never fails: what cannot be read stands in the value as [`Value::Invalid`], what is beyond the
//! limits as [`Value::Truncated`] or [`Value::Elided`]. Lengths and pointers are the guest's and may be
//! anything; the work done for one value is bounded by [`Limits::work`].

use std::sync::Arc;
use std::time::Instant;

use goemu_loader::{Field, Kind, Type, TypeRef};

use crate::go::{
    budget::Budget,
    guest::{GuestMemory, Types},
    map::{self, read_u64},
    order::compare,
    value::{Bytes, Func, Interface, Invalid, List, Map, Pointer, Reason, Struct, Value},
};

/// Values up to this size are read in one piece.
const CHUNK: u64 = 64 << 10;

/// How much of a value is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Values inside values.
    pub depth: usize,
    /// Pointers followed on the way to a value.
    pub pointers: usize,
    /// Elements of a slice or array, entries of a map.
    pub elems: u64,
    /// Bytes of a string or of a slice or array of bytes.
    pub bytes: u64,
    /// Everything together, roughly in values; 64 bytes read count as one. It is less where the limit of the guest's memory is small:
    /// values take no more than that again.
    pub work: u64,
}

/// Bytes of the host's memory that a value takes, with its name, its type and its place in a list.
const VALUE: u64 = 256;
/// Values that are read however small the limit of memory is.
const LITTLE: u64 = 1 << 14;

impl Default for Limits {
    /// Enough for any value that a program means to be looked at.
    fn default() -> Limits {
        Limits { depth: 64, pointers: 16, elems: 1 << 16, bytes: 16 << 20, work: 1 << 20 }
    }
}

/// What is made of the values of a call when it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// How much of them is read.
    pub limits: Limits,
    /// Whether the `Error` methods of errors are run, in the guest, for their texts.
    pub errors: bool,
    /// Whether `String` methods are, too.
    pub stringers: bool,
    /// Whether the arguments are read again: what they refer to may have changed.
    pub arguments: bool,
}

/// Reads values out of a guest.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// Where they are.
    pub memory: &'a dyn GuestMemory,
    /// What they are.
    pub types: &'a dyn Types,
    /// How much of them is wanted.
    pub limits: Limits,
    /// When reading ends, with what is read by then.
    pub until: Option<Instant>,
}

impl<'a> Reader<'a> {
    /// A reader with the default limits.
    #[must_use]
    pub fn new(memory: &'a dyn GuestMemory, types: &'a dyn Types) -> Reader<'a> {
        Reader { memory, types, limits: Limits::default(), until: None }
    }

    /// The value of type `ty` whose memory form is `bytes`, as collected from registers.
    #[must_use]
    pub fn decode(&self, ty: &Arc<Type>, bytes: &[u8]) -> Value {
        self.walk().decode(ty, bytes, 0)
    }

    /// The value of type `ty` at address `addr`.
    #[must_use]
    pub fn at(&self, ty: &Arc<Type>, addr: u64) -> Value {
        self.walk().load(ty, addr, 0)
    }

    /// The value of an `any` with these words: type descriptor and data.
    #[must_use]
    pub fn eface(&self, descriptor: u64, data: u64) -> Value {
        let mut words = [0; 16];
        let (low, high) = words.split_at_mut(8);
        low.copy_from_slice(&descriptor.to_le_bytes());
        high.copy_from_slice(&data.to_le_bytes());
        let kind = Kind::Interface { empty: true, methods: Vec::new() };
        let any = Type { name: "interface {}".to_owned(), size: 16, align: 8, kind, rtype: None };
        self.decode(&Arc::new(any), &words)
    }

    fn walk(&self) -> Walk<'a> {
        let work = self.limits.work.min(LITTLE.max(self.memory.room() / VALUE));
        Walk { reader: *self, budget: Budget::of(work).until(self.until), inside: Vec::new(), pointers: 0 }
    }
}

/// The way through one value.
struct Walk<'a> {
    reader: Reader<'a>,
    budget: Budget,
    /// Addresses and types of what is being read right now, to see cycles.
    inside: Vec<(u64, String)>,
    pointers: usize,
}

impl Walk<'_> {
    /// A value in guest memory.
    fn load(&mut self, ty: &Arc<Type>, addr: u64, depth: usize) -> Value {
        if ty.size <= CHUNK {
            let mut bytes = vec![0; ty.size as usize];
            return match self.fill(addr, &mut bytes) {
                Filled::Yes => self.decode(ty, &bytes, depth),
                Filled::NoBudget => Value::Elided,
                Filled::Bad => invalid(ty, addr, Reason::Unreadable),
            };
        }
        match &ty.kind {
            Kind::Array { elem, len } => self.list(ty, elem, addr, *len, depth),
            Kind::Struct(fields) => self.fields(ty, fields, depth, |walk, field| {
                walk.load(&field.ty, addr.wrapping_add(field.offset), depth + 1)
            }),
            _ => invalid(ty, addr, Reason::BadLength),
        }
    }

    /// A value whose memory form is at hand.
    fn decode(&mut self, ty: &Arc<Type>, bytes: &[u8], depth: usize) -> Value {
        // Its type may be written with it.
        if depth > self.reader.limits.depth || !self.budget.take(1 + ty.name.len() as u64 / 64) {
            return Value::Elided;
        }
        self.scalar(ty, bytes)
            .or_else(|| self.composite(ty, bytes, depth))
            .unwrap_or_else(|| invalid(ty, 0, Reason::BadLength))
    }

    fn scalar(&self, ty: &Type, bytes: &[u8]) -> Option<Value> {
        let bits = |at: u64, size: u64| word(bytes, at, size);
        let f32_at = |at| bits(at, 4).map(|b| f32::from_bits(b as u32));
        let f64_at = |at| bits(at, 8).map(f64::from_bits);
        Some(match (&ty.kind, ty.size) {
            (Kind::Bool, _) => Value::Bool(bits(0, 1)? != 0),
            (Kind::Int, size @ 1..=8) => {
                let shift = 64 - 8 * size;
                Value::Int((bits(0, size)? << shift) as i64 >> shift)
            }
            (Kind::Uint, size) => Value::Uint(bits(0, size)?),
            (Kind::Uintptr, _) => Value::Uintptr(bits(0, 8)?),
            (Kind::Float, 4) => Value::Float32(f32_at(0)?),
            (Kind::Float, _) => Value::Float64(f64_at(0)?),
            (Kind::Complex, 8) => Value::Complex64(f32_at(0)?, f32_at(4)?),
            (Kind::Complex, _) => Value::Complex128(f64_at(0)?, f64_at(8)?),
            (Kind::UnsafePointer, _) => Value::UnsafePointer(bits(0, 8)?),
            _ => return None,
        })
    }

    fn composite(&mut self, ty: &Arc<Type>, bytes: &[u8], depth: usize) -> Option<Value> {
        let first = word(bytes, 0, ty.size.min(8))?;
        Some(match &ty.kind {
            Kind::String => self.string(ty, first, word(bytes, 8, 8)?),
            Kind::Slice(elem) => {
                self.slice(ty, elem, (first, word(bytes, 8, 8)?, word(bytes, 16, 8)?), depth)
            }
            Kind::Array { elem, len } => self.array(ty, elem, *len, bytes, depth),
            Kind::Struct(fields) => {
                self.fields(ty, fields, depth, |walk, field| match part(bytes, field.offset, field.ty.size) {
                    Some(bytes) => walk.decode(&field.ty, bytes, depth + 1),
                    None => invalid(&field.ty, field.offset, Reason::BadLength),
                })
            }
            Kind::Interface { empty, .. } => self.interface(ty, *empty, first, word(bytes, 8, 8)?, depth),
            _ if first == 0 => Value::Nil(Some(ty.clone())),
            Kind::Pointer(elem) => self.pointer(ty, elem, first, depth),
            Kind::Map { key, elem } => self.map(ty, key, elem, first, depth),
            Kind::Chan { .. } => Value::Chan { ty: Some(ty.clone()), addr: first },
            Kind::Func(_) => self.func(ty, first),
            _ => return None,
        })
    }

    fn string(&mut self, ty: &Arc<Type>, addr: u64, len: u64) -> Value {
        self.bytes(addr, len).map_or_else(
            |reason| invalid(ty, addr, reason),
            |bytes| truncated(len, bytes.len(), Value::String(bytes)),
        )
    }

    fn slice(
        &mut self,
        ty: &Arc<Type>,
        elem: &TypeRef,
        (addr, len, cap): (u64, u64, u64),
        depth: usize,
    ) -> Value {
        if addr == 0 {
            return Value::Nil(Some(ty.clone()));
        }
        let Ok(elem) = self.reader.types.resolve(elem) else {
            return invalid(ty, addr, Reason::UnknownType);
        };
        if len > cap || cap > i64::MAX as u64 {
            return invalid(ty, addr, Reason::BadLength);
        }
        if !self.enter(addr, ty) {
            return Value::Elided;
        }
        let value = self.list(ty, &elem, addr, len, depth);
        self.inside.pop();
        value
    }

    /// The elements of a slice or of a large array.
    fn list(&mut self, ty: &Arc<Type>, elem: &Arc<Type>, addr: u64, len: u64, depth: usize) -> Value {
        if is_byte(elem) {
            return self.bytes(addr, len).map_or_else(
                |reason| invalid(ty, addr, reason),
                |bytes| truncated(len, bytes.len(), Value::Bytes(Bytes { ty: Some(ty.clone()), bytes })),
            );
        }
        if elem.size.checked_mul(len).and_then(|size| addr.checked_add(size)).is_none() {
            return invalid(ty, addr, Reason::BadLength);
        }
        let mut elems = Vec::new();
        for i in 0..len.min(self.reader.limits.elems) {
            // The product is in range: the whole list is.
            match self.load(elem, addr.wrapping_add(i * elem.size), depth + 1) {
                Value::Elided if self.budget.is_spent() => break,
                Value::Invalid(_) if i == 0 => return invalid(ty, addr, Reason::Unreadable),
                bad @ Value::Invalid(_) => {
                    elems.push(bad);
                    break;
                }
                value => elems.push(value),
            }
        }
        truncated(len, elems.len(), Value::List(List { ty: Some(ty.clone()), elems }))
    }

    /// An array whose memory form is at hand.
    fn array(&mut self, ty: &Arc<Type>, elem: &Arc<Type>, len: u64, bytes: &[u8], depth: usize) -> Value {
        if is_byte(elem) {
            let wanted = len.min(self.reader.limits.bytes);
            let Some(bytes) = part(bytes, 0, wanted) else { return invalid(ty, 0, Reason::BadLength) };
            return truncated(
                len,
                bytes.len(),
                Value::Bytes(Bytes { ty: Some(ty.clone()), bytes: bytes.to_vec() }),
            );
        }
        let mut elems = Vec::new();
        for i in 0..len.min(self.reader.limits.elems) {
            let Some(bytes) = i.checked_mul(elem.size).and_then(|at| part(bytes, at, elem.size)) else {
                return invalid(ty, 0, Reason::BadLength);
            };
            if self.budget.is_spent() {
                break;
            }
            elems.push(self.decode(elem, bytes, depth + 1));
        }
        truncated(len, elems.len(), Value::List(List { ty: Some(ty.clone()), elems }))
    }

    fn fields(
        &mut self,
        ty: &Arc<Type>,
        fields: &[Field],
        depth: usize,
        mut read: impl FnMut(&mut Self, &Field) -> Value,
    ) -> Value {
        // Each value has the names of its own.
        let names: usize = fields.iter().map(|field| field.name.len()).sum();
        if depth > self.reader.limits.depth || !self.budget.take(names as u64 / 64) {
            return Value::Elided;
        }
        let fields = fields.iter().map(|field| (field.name.clone(), read(self, field))).collect();
        Value::Struct(Struct { ty: Some(ty.clone()), fields })
    }

    fn interface(&mut self, ty: &Arc<Type>, empty: bool, tag: u64, data: u64, depth: usize) -> Value {
        if tag == 0 {
            return Value::Nil(Some(ty.clone()));
        }
        let rtype = if empty {
            Some(tag)
        } else {
            read_u64(self.reader.memory, tag.wrapping_add(self.reader.types.facts().itab.ty))
        };
        let Some(rtype) = rtype else { return invalid(ty, tag, Reason::Unreadable) };
        let Ok(dynamic) = self.reader.types.resolve(&TypeRef::Rtype(rtype)) else {
            return invalid(ty, tag, Reason::UnknownType);
        };
        let value = if self.reader.types.is_direct(&dynamic) {
            self.decode(&dynamic, &data.to_le_bytes(), depth + 1)
        } else {
            self.nested(&dynamic, data, depth + 1)
        };
        Value::Interface(Interface { ty: Some(dynamic), value: Box::new(value), data, text: None })
    }

    fn pointer(&mut self, ty: &Arc<Type>, elem: &TypeRef, addr: u64, depth: usize) -> Value {
        let mut pointer = Pointer { ty: Some(ty.clone()), addr, pointee: None };
        if self.pointers < self.reader.limits.pointers
            && let Ok(elem) = self.reader.types.resolve(elem)
        {
            self.pointers += 1;
            pointer.pointee = match self.nested(&elem, addr, depth + 1) {
                Value::Elided => None,
                value => Some(Box::new(value)),
            };
            self.pointers -= 1;
        }
        Value::Pointer(pointer)
    }

    /// A value behind a pointer, unless it is being read already.
    fn nested(&mut self, ty: &Arc<Type>, addr: u64, depth: usize) -> Value {
        if depth > self.reader.limits.depth || !self.enter(addr, ty) {
            return Value::Elided;
        }
        let value = self.load(ty, addr, depth);
        self.inside.pop();
        value
    }

    fn func(&mut self, ty: &Arc<Type>, closure: u64) -> Value {
        let Some(code) = read_u64(self.reader.memory, closure) else {
            return invalid(ty, closure, Reason::Unreadable);
        };
        let name = self.reader.types.func_at(code);
        let letters = name.as_ref().map_or(0, String::len);
        if !self.budget.take(letters as u64 / 64) {
            return Value::Elided;
        }
        Value::Func(Func { ty: Some(ty.clone()), closure, code, name })
    }

    fn map(&mut self, ty: &Arc<Type>, key: &TypeRef, elem: &TypeRef, addr: u64, depth: usize) -> Value {
        let types = self.reader.types;
        let (Ok(key), Ok(elem)) = (types.resolve(key), types.resolve(elem)) else {
            return invalid(ty, addr, Reason::UnknownType);
        };
        if !self.enter(addr, ty) {
            return Value::Elided;
        }
        let limits = self.reader.limits;
        let layout = (types.map_design(), types.facts());
        let found =
            map::entries(self.reader.memory, layout, addr, (&key, &elem), limits.elems, &mut self.budget);
        let value = match found {
            Some(found) => self.entries(ty, &key, &elem, &found, depth),
            None => invalid(ty, addr, Reason::Unreadable),
        };
        self.inside.pop();
        value
    }

    fn entries(
        &mut self,
        ty: &Arc<Type>,
        key: &Arc<Type>,
        elem: &Arc<Type>,
        found: &map::Entries,
        depth: usize,
    ) -> Value {
        let mut entries = Vec::new();
        for &(k, v) in &found.slots {
            if self.budget.is_spent() {
                break;
            }
            entries.push((self.load(key, k, depth + 1), self.load(elem, v, depth + 1)));
        }
        entries.sort_by(|a, b| compare(&a.0, &b.0));
        truncated(found.len, entries.len(), Value::Map(Map { ty: Some(ty.clone()), entries }))
    }

    fn bytes(&mut self, addr: u64, len: u64) -> Result<Vec<u8>, Reason> {
        if len > i64::MAX as u64 || addr.checked_add(len).is_none() {
            return Err(Reason::BadLength);
        }
        let len = len.min(self.reader.limits.bytes).min(self.budget.left().saturating_mul(64));
        // In steps: a length that lies must not cost more memory than the guest has there.
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            let at = bytes.len();
            let step = (len - at as u64).min(CHUNK) as usize;
            bytes.resize(at + step, 0);
            match bytes.get_mut(at..).map(|buf| self.fill(addr.wrapping_add(at as u64), buf)) {
                Some(Filled::Yes) => {}
                Some(Filled::NoBudget) | None => {
                    bytes.truncate(at);
                    break;
                }
                Some(Filled::Bad) => return Err(Reason::Unreadable),
            }
        }
        Ok(bytes)
    }

    fn fill(&mut self, addr: u64, buf: &mut [u8]) -> Filled {
        if !self.budget.take(buf.len() as u64 / 64) {
            return Filled::NoBudget;
        }
        match buf.is_empty() || self.reader.memory.read(addr, buf).is_ok() {
            true => Filled::Yes,
            false => Filled::Bad,
        }
    }

    /// Notes that the value at `addr` is being read; false if it already is.
    fn enter(&mut self, addr: u64, ty: &Type) -> bool {
        let inside = ty.size > 0 && self.inside.iter().any(|(a, name)| *a == addr && *name == ty.name);
        if !inside {
            self.inside.push((addr, ty.name.clone()));
        }
        !inside
    }
}

enum Filled {
    Yes,
    NoBudget,
    Bad,
}

fn invalid(ty: &Arc<Type>, addr: u64, reason: Reason) -> Value {
    Value::Invalid(Invalid { ty: Some(ty.clone()), addr, reason })
}

fn truncated(len: u64, read: usize, value: Value) -> Value {
    if read as u64 == len { value } else { Value::Truncated { value: Box::new(value), len } }
}

/// Whether lists of this type are kept as bytes.
pub(crate) fn is_byte(ty: &Type) -> bool {
    ty.kind == Kind::Uint && ty.size == 1
}

fn part(bytes: &[u8], at: u64, size: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(at).ok()?..usize::try_from(at.checked_add(size)?).ok()?)
}

/// A little-endian number of up to 8 bytes.
fn word(bytes: &[u8], at: u64, size: u64) -> Option<u64> {
    let part = part(bytes, at, size)?;
    let mut word = [0; 8];
    word.get_mut(..part.len())?.copy_from_slice(part);
    Some(u64::from_le_bytes(word))
}

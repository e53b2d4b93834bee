//! Go values to guest memory, by type: what a literal or a Rust value becomes when it is an argument.
//!
//! This is where values meet types: numbers are checked against the width of the parameter, fields against
//! the struct, lengths against the array. Strings, elements and pointees are placed in memory that
//! [`GuestHeap`] gives; a pointer that has an address already keeps it.

use std::collections::HashSet;
use std::sync::Arc;

use goemu_loader::{Field, Kind, Type, TypeRef};
use smallvec::smallvec;

use crate::go::{
    frame::{Block, OutsideFrame},
    guest::{GuestHeap, HeapError, TypeError, Types},
    read::is_byte,
    value::{Func, Interface, Pointer, Value},
};

/// Values inside values.
const MAX_DEPTH: usize = 200;
/// Bytes that one value may take in all.
const MAX_BYTES: u64 = 4 << 30;

/// Why a value cannot be what a type asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{problem}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
pub struct ValueError {
    /// Where in the value: `argument 2 (p main.Point).X[3]`.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A number that the type cannot hold.
    #[error("{value} overflows {ty}")]
    Overflow {
        /// The number.
        value: String,
        /// The type.
        ty: String,
    },
    /// Something else than the type wants.
    #[error("a {ty} is wanted, and this is {found}")]
    Kind {
        /// What the value is.
        found: &'static str,
        /// The type.
        ty: String,
    },
    /// A field that the struct does not have.
    #[error("{ty} has no field {field}; {known}")]
    NoField {
        /// The struct.
        ty: String,
        /// The name given.
        field: String,
        /// The names that there are, in words.
        known: String,
    },
    /// Too many or too few arguments.
    #[error("{got} argument{} given to {signature}", if *got == 1 { "" } else { "s" })]
    Arguments {
        /// How many were given.
        got: usize,
        /// What the function takes.
        signature: String,
    },
    /// Too many or too few results.
    #[error("{got} result{} given for {signature}", if *got == 1 { "" } else { "s" })]
    Results {
        /// How many were given.
        got: usize,
        /// What the function gives.
        signature: String,
    },
    /// Not the number of elements or fields.
    #[error("{what} takes {want} values, not {got}")]
    Count {
        /// What they are for.
        what: String,
        /// How many it has.
        want: u64,
        /// How many were given.
        got: usize,
    },
    /// A type whose runtime descriptor the image does not have or the loader did not find.
    #[error("the binary has no type descriptor for {0}, so it cannot be put in an interface")]
    NoDescriptor(String),
    /// An interface argument without a type to put in it.
    #[error("{0} does not say which type to put in the interface: write it as a conversion, T(value)")]
    Untyped(&'static str),
    /// A key that a map has already.
    #[error("the key {0} is given twice")]
    SameKey(String),
    /// Nested too deeply.
    #[error("the value is nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// Too large.
    #[error("the value takes more than {MAX_BYTES} bytes")]
    TooLarge,
    /// The type's parts do not fit together.
    #[error("the description of {0} is damaged")]
    Damaged(String),
    /// A type inside it is not known.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The assignment is of another signature.
    #[error(transparent)]
    Frame(#[from] OutsideFrame),
    /// The guest has no place for it.
    #[error(transparent)]
    Heap(#[from] HeapError),
}

impl From<Problem> for ValueError {
    fn from(problem: Problem) -> ValueError {
        ValueError { path: String::new(), problem }
    }
}

impl From<HeapError> for ValueError {
    fn from(error: HeapError) -> ValueError {
        Problem::from(error).into()
    }
}

impl From<TypeError> for ValueError {
    fn from(error: TypeError) -> ValueError {
        Problem::from(error).into()
    }
}

impl ValueError {
    /// The same error, with where it happened put in front.
    #[must_use]
    pub fn at(mut self, outer: &str) -> ValueError {
        self.path.insert_str(0, outer);
        self
    }
}

/// Puts values into a guest.
pub struct Writer<'a> {
    heap: &'a mut dyn GuestHeap,
    types: &'a dyn Types,
    left: u64,
    depth: usize,
}

type Written = Result<(), ValueError>;

impl<'a> Writer<'a> {
    /// A writer into this guest.
    #[must_use]
    pub fn new(heap: &'a mut dyn GuestHeap, types: &'a dyn Types) -> Writer<'a> {
        Writer { heap, types, left: MAX_BYTES, depth: 0 }
    }

    /// The memory form of `value` as a `ty`; what it refers to is placed in the guest.
    ///
    /// # Errors
    /// When the value does not fit the type, or the guest has no room.
    pub fn encode(&mut self, value: &Value, ty: &Type) -> Result<Block, ValueError> {
        let mut bytes = self.buffer(ty.size)?;
        self.put(value, ty, &mut bytes)?;
        Ok(bytes)
    }

    /// Zeroed host memory, counted.
    fn buffer(&mut self, size: u64) -> Result<Block, ValueError> {
        self.left = self.left.checked_sub(size).ok_or(Problem::TooLarge)?;
        Ok(smallvec![0; usize::try_from(size).map_err(|_| Problem::TooLarge)?])
    }

    /// Places these bytes in the guest.
    fn place(&mut self, bytes: &[u8], align: u64) -> Result<u64, ValueError> {
        let addr = self.heap.alloc(bytes.len().max(1) as u64, align.max(1))?;
        self.heap.write(addr, bytes)?;
        Ok(addr)
    }

    fn put(&mut self, value: &Value, ty: &Type, out: &mut [u8]) -> Written {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Problem::TooDeep.into());
        }
        let done = self.put_kind(value, ty, out);
        self.depth -= 1;
        done
    }

    fn put_kind(&mut self, value: &Value, ty: &Type, out: &mut [u8]) -> Written {
        if let Value::Variable { addr, .. } = value {
            return Ok(self.heap.read(*addr, out).map_err(HeapError::from)?);
        }
        match &ty.kind {
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Uintptr | Kind::Float | Kind::Complex => {
                scalar(value, ty, out)
            }
            Kind::String => self.string(value, ty, out),
            Kind::Slice(elem) => self.slice(value, ty, elem, out),
            Kind::Array { elem, len } => self.array(value, ty, elem, *len, out),
            Kind::Struct(fields) => self.structure(value, ty, fields, out),
            Kind::Interface { empty, .. } => self.interface(value, ty, *empty, out),
            Kind::Map { key, elem } => self.map(value, ty, key, elem, out),
            Kind::Pointer(elem) => self.pointer(value, ty, elem, out),
            Kind::UnsafePointer | Kind::Chan { .. } | Kind::Func(_) => self.address(value, ty, out),
        }
    }

    fn string(&mut self, value: &Value, ty: &Type, out: &mut [u8]) -> Written {
        match value {
            Value::String(bytes) => self.bytes(bytes, ty, out),
            Value::Bytes(b) => self.bytes(&b.bytes, ty, out),
            _ => Err(kind(value, ty)),
        }
    }

    /// Pointer, length and, for a slice, capacity.
    fn bytes(&mut self, bytes: &[u8], ty: &Type, out: &mut [u8]) -> Written {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(Problem::TooLarge)?;
        let empty_string = bytes.is_empty() && ty.kind == Kind::String;
        let addr = if empty_string { 0 } else { self.place(bytes, 1)? };
        words(ty, out, &[addr, bytes.len() as u64, bytes.len() as u64])
    }

    fn slice(&mut self, value: &Value, ty: &Type, elem: &TypeRef, out: &mut [u8]) -> Written {
        if matches!(value, Value::Nil(_)) {
            return Ok(());
        }
        let elem = self.types.resolve(elem)?;
        match value {
            Value::Bytes(b) if is_byte(&elem) => self.bytes(&b.bytes, ty, out),
            Value::String(bytes) if is_byte(&elem) => self.bytes(bytes, ty, out),
            Value::List(list) => {
                let size = elem.size.checked_mul(list.elems.len() as u64).ok_or(Problem::TooLarge)?;
                let mut bytes = self.buffer(size)?;
                self.elements(&list.elems, &elem, &mut bytes)?;
                let addr = self.place(&bytes, elem.align)?;
                let len = list.elems.len() as u64;
                words(ty, out, &[addr, len, len])
            }
            _ => Err(kind(value, ty)),
        }
    }

    fn array(&mut self, value: &Value, ty: &Type, elem: &Type, len: u64, out: &mut [u8]) -> Written {
        let count = |got: usize| Problem::Count { what: ty.to_string(), want: len, got };
        // As in Go, elements that are not given are zero.
        match value {
            Value::Bytes(b) if is_byte(elem) => {
                let out = out.get_mut(..b.bytes.len()).ok_or_else(|| count(b.bytes.len()))?;
                out.copy_from_slice(&b.bytes);
                Ok(())
            }
            Value::List(list) if list.elems.len() as u64 <= len => self.elements(&list.elems, elem, out),
            Value::List(list) => Err(count(list.elems.len()).into()),
            _ => Err(kind(value, ty)),
        }
    }

    fn elements(&mut self, elems: &[Value], elem: &Type, out: &mut [u8]) -> Written {
        for (i, value) in elems.iter().enumerate() {
            let out = part(out, (i as u64).saturating_mul(elem.size), elem)?;
            self.put(value, elem, out).map_err(|e| e.at(&format!("[{i}]")))?;
        }
        Ok(())
    }

    fn structure(&mut self, value: &Value, ty: &Type, fields: &[Field], out: &mut [u8]) -> Written {
        let Value::Struct(given) = value else { return Err(kind(value, ty)) };
        let positional = given.fields.iter().all(|(name, _)| name.is_empty());
        if positional && !given.fields.is_empty() && given.fields.len() != fields.len() {
            let (want, got) = (fields.len() as u64, given.fields.len());
            return Err(Problem::Count { what: ty.to_string(), want, got }.into());
        }
        for (i, (name, value)) in given.fields.iter().enumerate() {
            // Blank fields all have one name, so a struct with fields in order is matched by place first.
            let field = match fields.get(i) {
                Some(field) if positional || field.name == *name => field,
                _ => fields.iter().find(|f| f.name == *name).ok_or_else(|| no_field(ty, name, fields))?,
            };
            let out = part(out, field.offset, &field.ty)?;
            self.put(value, &field.ty, out).map_err(|e| e.at(&format!(".{}", field.name)))?;
        }
        Ok(())
    }

    fn pointer(&mut self, value: &Value, ty: &Type, elem: &TypeRef, out: &mut [u8]) -> Written {
        match value {
            Value::Pointer(Pointer { addr: 0, pointee: Some(to), .. }) => {
                let elem = self.types.resolve(elem)?;
                let addr = self.variable(to, &elem)?;
                words(ty, out, &[addr])
            }
            Value::Pointer(Pointer { addr, .. }) => words(ty, out, &[*addr]),
            _ => self.address(value, ty, out),
        }
    }

    /// Places a value in the guest as a variable of its own.
    fn variable(&mut self, value: &Value, ty: &Type) -> Result<u64, ValueError> {
        let bytes = self.encode(value, ty)?;
        self.place(&bytes, ty.align)
    }

    /// What is one word, and not made here: channels, functions, unsafe pointers, nil.
    fn address(&mut self, value: &Value, ty: &Type, out: &mut [u8]) -> Written {
        let word = match (value, &ty.kind) {
            (Value::Nil(_), _) => 0,
            (Value::Chan { addr, .. }, Kind::Chan { .. }) => *addr,
            (Value::UnsafePointer(addr), _) => *addr,
            (Value::Pointer(Pointer { addr, .. }), Kind::UnsafePointer) if *addr != 0 => *addr,
            (Value::Func(Func { closure: 0, code, .. }), Kind::Func(_)) => {
                self.place(&code.to_le_bytes(), 8)?
            }
            (Value::Func(Func { closure, .. }), Kind::Func(_)) => *closure,
            _ => return Err(kind(value, ty)),
        };
        words(ty, out, &[word])
    }

    fn interface(&mut self, value: &Value, ty: &Type, empty: bool, out: &mut [u8]) -> Written {
        if matches!(value, Value::Nil(_)) {
            return Ok(());
        }
        let (dynamic, value) = self.dynamic(value)?;
        let Some(rtype) = self.types.descriptor(&dynamic) else {
            return Err(Problem::NoDescriptor(dynamic.name.clone()).into());
        };
        let tag = if empty { rtype } else { self.heap.itab(ty, &dynamic)? };
        let data = if self.types.is_direct(&dynamic) {
            let mut word = [0; 8];
            self.put(value, &dynamic, &mut word)?;
            u64::from_le_bytes(word)
        } else {
            self.variable(value, &dynamic)?
        };
        words(ty, out, &[tag, data])
    }

    /// What to put in an interface: a value with its type, or a plain one as Go types constants.
    fn dynamic<'v>(&self, value: &'v Value) -> Result<(Arc<Type>, &'v Value), ValueError> {
        if let Value::Interface(Interface { ty: Some(ty), value, .. }) = value {
            return Ok((ty.clone(), value));
        }
        if let Some(ty) = value.ty() {
            return Ok((ty.clone(), value));
        }
        let name = match value {
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Uint(_) => "uint",
            Value::Uintptr(_) => "uintptr",
            Value::Float32(_) => "float32",
            Value::Float64(_) => "float64",
            Value::Complex64(..) => "complex64",
            Value::Complex128(..) => "complex128",
            Value::String(_) => "string",
            Value::Bytes(_) => "[]uint8",
            Value::UnsafePointer(_) => "unsafe.Pointer",
            _ => return Err(Problem::Untyped(value.describe()).into()),
        };
        let ty = self.types.named(name).ok_or_else(|| Problem::NoDescriptor(name.to_owned()))?;
        Ok((ty, value))
    }

    fn map(&mut self, value: &Value, ty: &Type, key: &TypeRef, elem: &TypeRef, out: &mut [u8]) -> Written {
        let Value::Map(map) = value else { return self.address(value, ty, out) };
        let (key, elem) = (self.types.resolve(key)?, self.types.resolve(elem)?);
        let addr = self.heap.make_map(ty, map.entries.len() as u64)?;
        let mut seen = HashSet::new();
        for (k, v) in &map.entries {
            #[allow(clippy::eq_op, reason = "NaN is equal to no key, itself included")]
            let may_repeat = *k == *k;
            if may_repeat && !seen.insert(k.to_string()) {
                return Err(Problem::SameKey(k.to_string()).into());
            }
            let inside = |e: ValueError| e.at(&format!("[{k}]"));
            let at = self.variable(k, &key).map_err(inside)?;
            let bytes = self.encode(v, &elem).map_err(inside)?;
            let slot = self.heap.map_slot(ty, addr, at)?;
            self.heap.write(slot, &bytes)?;
        }
        words(ty, out, &[addr])
    }
}

/// Numbers and bools.
fn scalar(value: &Value, ty: &Type, out: &mut [u8]) -> Written {
    match (&ty.kind, value) {
        (Kind::Bool, Value::Bool(b)) => little_endian(ty, out, u64::from(*b)),
        (Kind::Int | Kind::Uint | Kind::Uintptr, Value::Int(n)) => integer(i128::from(*n), ty, out),
        (Kind::Int | Kind::Uint | Kind::Uintptr, Value::Uint(n) | Value::Uintptr(n)) => {
            integer(i128::from(*n), ty, out)
        }
        (Kind::Float, _) => {
            let n = real(value).ok_or_else(|| kind(value, ty))?;
            float(n, ty, ty.size, out)
        }
        (Kind::Complex, _) => {
            let (re, im) = match value {
                Value::Complex64(re, im) => (f64::from(*re), f64::from(*im)),
                Value::Complex128(re, im) => (*re, *im),
                _ => (real(value).ok_or_else(|| kind(value, ty))?, 0.0),
            };
            let half = usize::try_from(ty.size / 2).unwrap_or(0).min(out.len());
            let (low, high) = out.split_at_mut(half);
            float(re, ty, ty.size / 2, low)?;
            float(im, ty, ty.size / 2, high)
        }
        _ => Err(kind(value, ty)),
    }
}

/// A real number, or an integer where one is wanted, as Go takes untyped constants.
fn real(value: &Value) -> Option<f64> {
    Some(match value {
        Value::Float32(n) => f64::from(*n),
        Value::Float64(n) => *n,
        Value::Int(n) => *n as f64,
        Value::Uint(n) => *n as f64,
        _ => return None,
    })
}

fn integer(n: i128, ty: &Type, out: &mut [u8]) -> Written {
    if !fits(n, ty) {
        return Err(Problem::Overflow { value: n.to_string(), ty: ty.to_string() }.into());
    }
    little_endian(ty, out, n as u64)
}

/// Whether an integer type holds this number.
pub(crate) fn fits(n: i128, ty: &Type) -> bool {
    let bits = 8 * ty.size.clamp(1, 8);
    match ty.kind {
        Kind::Int => (-(1 << (bits - 1))..1 << (bits - 1)).contains(&n),
        _ => (0..1 << bits).contains(&n),
    }
}

fn float(n: f64, ty: &Type, size: u64, out: &mut [u8]) -> Written {
    if size != 4 {
        return little_endian(ty, out, n.to_bits());
    }
    let narrow = n as f32;
    if narrow.is_infinite() && n.is_finite() {
        return Err(Problem::Overflow { value: n.to_string(), ty: ty.to_string() }.into());
    }
    little_endian(ty, out, u64::from(narrow.to_bits()))
}

/// The low bytes of `word`, as many as there is room for.
fn little_endian(ty: &Type, out: &mut [u8], word: u64) -> Written {
    let len = out.len();
    let bytes = word.to_le_bytes();
    out.copy_from_slice(bytes.get(..len).ok_or_else(|| Problem::Damaged(ty.to_string()))?);
    Ok(())
}

/// As many of these words as the type has.
fn words(ty: &Type, out: &mut [u8], words: &[u64]) -> Written {
    if !out.len().is_multiple_of(8) || out.len() > 8 * words.len() {
        return Err(Problem::Damaged(ty.to_string()).into());
    }
    for (out, word) in out.chunks_exact_mut(8).zip(words) {
        out.copy_from_slice(&word.to_le_bytes());
    }
    Ok(())
}

fn part<'o>(out: &'o mut [u8], at: u64, ty: &Type) -> Result<&'o mut [u8], ValueError> {
    let damaged = || Problem::Damaged(ty.to_string());
    let start = usize::try_from(at).map_err(|_| damaged())?;
    let size = usize::try_from(ty.size).map_err(|_| damaged())?;
    let end = start.checked_add(size).ok_or_else(damaged)?;
    Ok(out.get_mut(start..end).ok_or_else(damaged)?)
}

fn kind(value: &Value, ty: &Type) -> ValueError {
    Problem::Kind { found: value.describe(), ty: ty.to_string() }.into()
}

/// A field that a struct does not have, and those that may be meant.
pub(crate) fn no_field(ty: &Type, field: &str, fields: &[Field]) -> Problem {
    /// How alike a name must be to be suggested; 1 is the same.
    const ALIKE: f64 = 0.8;
    /// Names that a message lists.
    const LISTED: usize = 12;
    let likeness = |name: &str| strsim::jaro_winkler(&field.to_lowercase(), &name.to_lowercase());
    let names = fields.iter().map(|f| f.name.as_str());
    let near = names.clone().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let mut known: Vec<_> = names.take(LISTED).collect();
    if fields.len() > LISTED {
        known.push("...");
    }
    let known = match near.filter(|near| field.len() < 100 && likeness(near) >= ALIKE) {
        Some(near) => format!("did you mean {near}? Its fields are {}", known.join(", ")),
        None if known.is_empty() => "it has none".to_owned(),
        None => format!("its fields are {}", known.join(", ")),
    };
    Problem::NoField { ty: ty.to_string(), field: field.to_owned(), known }
}

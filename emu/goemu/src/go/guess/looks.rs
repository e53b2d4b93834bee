//! What words look like whose types are not known: a string, a slice of bytes, an error, a pointer to something.

use goemu_loader::{Image, TypeRef};

use crate::go::guest::GuestMemory;
use crate::go::read::{Limits, Reader};

/// Bytes of a text or of a slice that are looked at.
const MAX_BYTES: u64 = 1 << 16;
/// Numbers below are no addresses.
const MIN_ADDRESS: u64 = 0x1000;
/// A slice has room for no more.
const MAX_CAPACITY: u64 = 1 << 32;

/// What some words look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The number of the first word.
    pub first: usize,
    /// How many words they are.
    pub words: usize,
    /// The type: `string`, `[]byte`, `error`, `*main.T`.
    pub ty: String,
    /// The value, in Go syntax, or where it points.
    pub text: String,
}

/// What results look like that a function returned, word by word. What looks like nothing but a number is left out.
#[must_use]
pub fn looks(image: &Image, memory: &dyn GuestMemory, words: &[u64]) -> Vec<Look> {
    let mut found = Vec::new();
    let mut first = 0;
    while first < words.len() {
        let rest = &words[first..];
        let look = as_interface(image, memory, rest)
            .or_else(|| as_bytes(memory, rest))
            .or_else(|| as_string(memory, rest))
            .or_else(|| as_pointer(image, memory, rest));
        match look {
            Some((words, ty, text)) => {
                found.push(Look { first, words, ty, text });
                first += words;
            }
            None => first += 1,
        }
    }
    found
}

type Found = Option<(usize, String, String)>;

fn read(memory: &dyn GuestMemory, addr: u64, len: u64) -> Option<Vec<u8>> {
    if len > MAX_BYTES {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(len).ok()?];
    (addr >= MIN_ADDRESS).then(|| memory.read(addr, &mut bytes).ok())??;
    Some(bytes)
}

fn word(memory: &dyn GuestMemory, addr: u64) -> Option<u64> {
    let bytes: [u8; 8] = read(memory, addr, 8)?.try_into().ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// A table or a type, and the data.
fn as_interface(image: &Image, memory: &dyn GuestMemory, words: &[u64]) -> Found {
    let (&first, &data) = (words.first()?, words.get(1)?);
    let (name, ty) = match descriptor(image, first) {
        Some(_) => ("any".to_owned(), first),
        None => {
            let itab = &image.facts().itab;
            let inter = word(memory, first.checked_add(itab.inter)?)?;
            let ty = word(memory, first.checked_add(itab.ty)?)?;
            descriptor(image, ty)?;
            (descriptor(image, inter)?, ty)
        }
    };
    let reader =
        Reader { limits: Limits { bytes: MAX_BYTES, ..Limits::default() }, ..Reader::new(memory, image) };
    Some((2, name, reader.eface(ty, data).to_string()))
}

/// The name of the type whose descriptor is at an address.
fn descriptor(image: &Image, addr: u64) -> Option<String> {
    image.module()?.types.filter(|types| types.contains(addr))?;
    Some(image.resolve(&TypeRef::Rtype(addr)).ok()?.name.clone())
}

fn as_bytes(memory: &dyn GuestMemory, words: &[u64]) -> Found {
    let (&addr, &len, &cap) = (words.first()?, words.get(1)?, words.get(2)?);
    // What is an address is no capacity.
    let is_slice = len <= cap && cap < MAX_CAPACITY && len > 0 && read(memory, cap, 1).is_none();
    let bytes = read(memory, addr, len.min(MAX_BYTES)).filter(|_| is_slice)?;
    // A string may be followed by any number: a slice is mostly of more than it holds, or of text.
    let text = match printable(&bytes) {
        Some(text) => format!("{text:?}"),
        None => bytes.iter().take(32).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    };
    Some((3, "[]byte".to_owned(), text))
}

fn as_string(memory: &dyn GuestMemory, words: &[u64]) -> Found {
    let (&addr, &len) = (words.first()?, words.get(1)?);
    let bytes = read(memory, addr, len).filter(|_| len > 0)?;
    Some((2, "string".to_owned(), format!("{:?}", printable(&bytes)?)))
}

fn as_pointer(image: &Image, memory: &dyn GuestMemory, words: &[u64]) -> Found {
    let &addr = words.first()?;
    read(memory, addr, 1)?;
    if let Some(func) = image.func_at(addr) {
        return (func.entry() == addr).then(|| (1, "unsafe.Pointer".to_owned(), func.name().to_owned()));
    }
    if let Some(func) =
        word(memory, addr).and_then(|code| image.func_at(code).filter(|func| func.entry() == code))
    {
        return Some((1, "func()".to_owned(), func.name().to_owned()));
    }
    let text = match image.symbol_at(addr) {
        Some(symbol) if symbol.addr == addr => symbol.name.to_owned(),
        Some(symbol) => format!("{}+{:#x}", symbol.name, addr - symbol.addr),
        None => format!("{addr:#x}"),
    };
    Some((1, "unsafe.Pointer".to_owned(), text))
}

/// The text that bytes are, where a person could read all of it.
fn printable(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t' | '\r');
    (!text.is_empty() && text.chars().all(shown)).then_some(text)
}

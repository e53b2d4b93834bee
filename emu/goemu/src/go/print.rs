//! Values as Go prints them: `%#v`, which is Go syntax, and `%+v`, which is plain.
//!
//! Both follow package fmt, with what it cannot know added: functions by name, memory that cannot be read,
//! and what is beyond the limits, as comments. Only the outermost pointer is followed, as there.

use std::borrow::Cow;
use std::fmt::{self, Write};

use goemu_loader::{Kind, Type, printed_name};

use crate::go::value::{Bytes, Func, Invalid, List, Map, MaybeType, Pointer, Struct, Value};

pub(crate) mod number;
mod quote;

pub use quote::Quoted;

/// Which of Go's two ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// `%#v`: `main.Point{X:1, Y:2}`
    #[default]
    Go,
    /// `%+v`: `{X:1 Y:2}`
    Plain,
}

/// How values are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// In which syntax.
    pub style: Style,
    /// Values inside values.
    pub depth: usize,
    /// Elements of a list, entries of a map.
    pub elems: usize,
    /// Bytes of a string.
    pub bytes: usize,
    /// Pointers inside a value that are followed, one inside the other; Go follows none.
    pub pointers: usize,
    /// Whether types are named with the whole paths of their packages, by which those of one name differ; Go prints the
    /// last part.
    pub paths: bool,
}

impl Default for Format {
    fn default() -> Format {
        Format { style: Style::Go, depth: 64, elems: 1 << 12, bytes: 1 << 16, pointers: 0, paths: false }
    }
}

impl Format {
    /// The default limits, in this style.
    #[must_use]
    pub fn new(style: Style) -> Format {
        Format { style, ..Format::default() }
    }

    /// The value, ready to be printed.
    #[must_use]
    pub fn show(self, value: &Value) -> Shown<'_> {
        Shown { value, format: self }
    }
}

/// A value and how it is to be printed.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    value: &'a Value,
    format: Format,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer { out: f, format: self.format, pointers: 0 }.value(self.value, 0)
    }
}

impl fmt::Display for Value {
    /// As `%#v` does, with the default limits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Format::default().show(self).fmt(f)
    }
}

/// Whether a value is written with the parts that it has.
fn is_composite(value: &Value) -> bool {
    match value {
        Value::Truncated { value, .. } => !matches!(**value, Value::String(_)),
        Value::Nil(Some(ty)) => matches!(ty.kind, Kind::Slice(_) | Kind::Map { .. }),
        other => matches!(other, Value::Struct(_) | Value::List(_) | Value::Bytes(_) | Value::Map(_)),
    }
}

/// Whether a value is written without a type, like a number.
fn hides_type(value: &Value) -> bool {
    let shows = matches!(
        value,
        Value::Pointer(_)
            | Value::UnsafePointer(_)
            | Value::Nil(_)
            | Value::Func(_)
            | Value::Chan { .. }
            | Value::Invalid(_)
            | Value::Elided
    );
    !shows && !is_composite(value)
}

struct Printer<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    format: Format,
    /// Pointers followed on the way here.
    pointers: usize,
}

impl Printer<'_, '_> {
    fn go(&self) -> bool {
        self.format.style == Style::Go
    }

    fn type_name<'t>(&self, ty: &'t MaybeType, unknown: &'t str) -> Cow<'t, str> {
        ty.as_ref().map_or(Cow::Borrowed(unknown), |ty| self.printed(&ty.name))
    }

    fn printed<'t>(&self, name: &'t str) -> Cow<'t, str> {
        if self.format.paths { Cow::Borrowed(name) } else { printed_name(name) }
    }

    fn value(&mut self, value: &Value, depth: usize) -> fmt::Result {
        if depth > self.format.depth {
            return self.out.write_str("...");
        }
        match value {
            Value::Bool(b) => write!(self.out, "{b}"),
            Value::Int(n) => write!(self.out, "{n}"),
            Value::Uint(n) | Value::Uintptr(n) => self.unsigned(*n),
            Value::Float32(n) => number::float32(self.out, *n),
            Value::Float64(n) => number::float64(self.out, *n),
            Value::Complex64(re, im) => number::complex(self.out, re, im, |n, f| number::float32(f, *n)),
            Value::Complex128(re, im) => number::complex(self.out, re, im, |n, f| number::float64(f, *n)),
            Value::String(bytes) => self.string(bytes, bytes.len() as u64),
            Value::Bytes(bytes) => self.bytes(bytes, bytes.bytes.len() as u64, depth),
            Value::List(list) => self.list(list, list.elems.len() as u64, depth),
            Value::Struct(s) => self.structure(s, depth),
            Value::Map(map) => self.map(map, map.entries.len() as u64, depth),
            Value::Truncated { value, len } => self.truncated(value, *len, depth),
            Value::Interface(i) => match &i.text {
                Some(text) if !self.go() => self.out.write_str(text),
                Some(text) => {
                    self.value(&i.value, depth)?;
                    write!(self.out, " /* {} */", text.replace("*/", "* /"))
                }
                None => self.value(&i.value, depth),
            },
            _ => self.reference(value, depth),
        }
    }

    /// What is printed as an address, or as what is there.
    fn reference(&mut self, value: &Value, depth: usize) -> fmt::Result {
        match value {
            Value::Pointer(pointer) => self.pointer(pointer, depth),
            Value::Func(func) => self.func(func),
            Value::Chan { ty, addr } => self.address(&self.type_name(ty, "chan"), *addr),
            Value::UnsafePointer(addr) => self.address("unsafe.Pointer", *addr),
            Value::Nil(ty) => self.nil(ty.as_deref(), depth),
            Value::Variable { name, .. } => self.out.write_str(name),
            Value::Invalid(Invalid { ty, addr, reason }) => {
                self.invalid(&self.type_name(ty, "?"), *addr, reason)
            }
            _ => self.out.write_str("..."),
        }
    }

    fn unsigned(&mut self, n: u64) -> fmt::Result {
        if self.go() { write!(self.out, "{n:#x}") } else { write!(self.out, "{n}") }
    }

    fn string(&mut self, bytes: &[u8], len: u64) -> fmt::Result {
        let shown = bytes.get(..self.format.bytes).unwrap_or(bytes);
        if self.go() {
            write!(self.out, "{}", Quoted(shown))?;
        } else {
            write!(self.out, "{}", String::from_utf8_lossy(shown))?;
        }
        match len.saturating_sub(shown.len() as u64) {
            0 => Ok(()),
            more if self.go() => write!(self.out, " /* {more} more bytes */"),
            more => write!(self.out, "... ({more} more bytes)"),
        }
    }

    fn bytes(&mut self, bytes: &Bytes, len: u64, depth: usize) -> fmt::Result {
        let name = self.type_name(&bytes.ty, "[]byte");
        self.items(whole_name(&name, depth), &bytes.bytes, len, |printer, byte| {
            printer.unsigned(u64::from(*byte))
        })
    }

    fn list(&mut self, list: &List, len: u64, depth: usize) -> fmt::Result {
        let name = self.type_name(&list.ty, "[]");
        self.items(&name, &list.elems, len, |printer, elem| printer.value(elem, depth + 1))
    }

    fn structure(&mut self, s: &Struct, depth: usize) -> fmt::Result {
        if self.go() {
            let name = self.type_name(&s.ty, "");
            self.out.write_str(&name)?;
        }
        self.out.write_char('{')?;
        for (i, (name, value)) in s.fields.iter().enumerate() {
            self.separator(i)?;
            if !name.is_empty() {
                write!(self.out, "{name}:")?;
            }
            self.value(value, depth + 1)?;
        }
        self.out.write_char('}')
    }

    fn map(&mut self, map: &Map, len: u64, depth: usize) -> fmt::Result {
        if !self.go() {
            self.out.write_str("map")?;
        }
        let name = self.type_name(&map.ty, "map[]");
        self.items(&name, &map.entries, len, |printer, (key, elem)| {
            printer.value(key, depth + 1)?;
            printer.out.write_char(':')?;
            printer.value(elem, depth + 1)
        })
    }

    /// The items of a list or map of `len`, as many as are there and wanted.
    fn items<T>(
        &mut self,
        name: &str,
        items: &[T],
        len: u64,
        mut print: impl FnMut(&mut Self, &T) -> fmt::Result,
    ) -> fmt::Result {
        let (open, close) = if self.go() { (name, "{") } else { ("", "[") };
        write!(self.out, "{open}{close}")?;
        let shown = items.get(..self.format.elems).unwrap_or(items);
        for (i, item) in shown.iter().enumerate() {
            self.separator(i)?;
            print(self, item)?;
        }
        let more = len.saturating_sub(shown.len() as u64);
        if more > 0 {
            self.separator(shown.len())?;
            let (open, close) = if self.go() { ("/* ", " more */") } else { ("... (", " more)") };
            write!(self.out, "{open}{more}{close}")?;
        }
        self.out.write_char(if self.go() { '}' } else { ']' })
    }

    fn separator(&mut self, index: usize) -> fmt::Result {
        match index {
            0 => Ok(()),
            _ if self.go() => self.out.write_str(", "),
            _ => self.out.write_char(' '),
        }
    }

    fn truncated(&mut self, value: &Value, len: u64, depth: usize) -> fmt::Result {
        match value {
            Value::String(bytes) => self.string(bytes, len),
            Value::Bytes(bytes) => self.bytes(bytes, len, depth),
            Value::List(list) => self.list(list, len, depth),
            Value::Map(map) => self.map(map, len, depth),
            other => self.value(other, depth),
        }
    }

    fn pointer(&mut self, pointer: &Pointer, depth: usize) -> fmt::Result {
        let name = &self.type_name(&pointer.ty, "*?");
        match pointer.pointee.as_deref() {
            Some(Value::Invalid(bad)) => self.invalid(name, pointer.addr, &bad.reason),
            // A new variable, not placed in the guest: there is no address to print.
            Some(to) if pointer.addr == 0 || self.follows(to, depth) => {
                self.pointers += usize::from(depth > 0);
                let done = self.pointee(name, to, depth + 1);
                self.pointers -= usize::from(depth > 0);
                done
            }
            _ => self.address(name, pointer.addr),
        }
    }

    /// What a pointer of the type with this name points to: `&T{...}`, and `&int(5)` of what does not show its type.
    fn pointee(&mut self, name: &str, to: &Value, depth: usize) -> fmt::Result {
        self.out.write_char('&')?;
        let elem = name.strip_prefix('*').filter(|elem| *elem != "?" && self.go() && hides_type(to));
        let Some(elem) = elem else { return self.value(to, depth) };
        write!(self.out, "{elem}(")?;
        self.value(to, depth)?;
        self.out.write_char(')')
    }

    /// Go follows the outermost pointer if it leads to something composite.
    fn follows(&self, to: &Value, depth: usize) -> bool {
        let inside = self.pointers < self.format.pointers;
        if depth == 0 { is_composite(to) || inside } else { inside }
    }

    fn func(&mut self, func: &Func) -> fmt::Result {
        match &func.name {
            Some(name) => self.out.write_str(name),
            None => self.address(&self.type_name(&func.ty, "func"), func.code),
        }
    }

    fn address(&mut self, name: &str, addr: u64) -> fmt::Result {
        match (self.go(), addr) {
            (true, 0) => write!(self.out, "({name})(nil)"),
            (true, _) => write!(self.out, "({name})({addr:#x})"),
            (false, 0) => self.out.write_str("<nil>"),
            (false, _) => write!(self.out, "{addr:#x}"),
        }
    }

    fn invalid(&mut self, name: &str, addr: u64, reason: &dyn fmt::Display) -> fmt::Result {
        if self.go() {
            write!(self.out, "({name})({addr:#x} /* {reason} */)")
        } else {
            write!(self.out, "{addr:#x} ({reason})")
        }
    }

    fn nil(&mut self, ty: Option<&Type>, depth: usize) -> fmt::Result {
        let Some(ty) = ty else {
            return self.out.write_str(if self.go() { "nil" } else { "<nil>" });
        };
        let name = self.printed(&ty.name);
        let name = whole_name(&name, depth);
        match (self.go(), &ty.kind) {
            (true, Kind::Slice(_) | Kind::Map { .. } | Kind::Interface { .. }) => {
                write!(self.out, "{name}(nil)")
            }
            (true, _) => write!(self.out, "({name})(nil)"),
            (false, Kind::Slice(_)) => self.out.write_str("[]"),
            (false, Kind::Map { .. }) => self.out.write_str("map[]"),
            (false, _) => self.out.write_str("<nil>"),
        }
    }
}

/// Package fmt has a case of its own for a `[]byte` that is the whole value.
fn whole_name(name: &str, depth: usize) -> &str {
    if depth == 0 && name == "[]uint8" { "[]byte" } else { name }
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod tests;

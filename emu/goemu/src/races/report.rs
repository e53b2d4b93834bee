//! What a data race is told as: data, and the text of Go's race detector.

use std::fmt;

use goemu_loader::{Image, TypeRef};

use crate::testing::escaped;

/// Two accesses of different goroutines to the same memory, without order between them, of which one is a write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Race {
    /// Address of the first byte of both accesses.
    pub addr: u64,
    /// The access that showed it.
    pub access: Access,
    /// The one before it.
    pub previous: Access,
    /// What is at the address.
    pub location: Location,
}

/// An access to memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Access {
    /// Whether it writes.
    pub write: bool,
    /// Whether it is atomic.
    pub atomic: bool,
    /// The goroutine that makes it.
    pub goroutine: Goroutine,
    /// Where, the innermost call first; empty if that was forgotten.
    pub stack: Vec<Place>,
}

/// A goroutine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Goroutine {
    /// Its number.
    pub id: u64,
    /// Whether it had ended.
    pub finished: bool,
    /// The number of the goroutine that has created it; 0 for the first.
    pub creator: u64,
    /// Where it was created.
    pub created: Vec<Place>,
}

/// A call of a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The function.
    pub func: String,
    /// The source file.
    pub file: String,
    /// The line.
    pub line: u32,
    /// The address.
    pub pc: u64,
    /// How far that is from the function's first instruction.
    pub offset: u64,
}

/// What is at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A variable of a package.
    Variable {
        /// Its name, where the program has symbols.
        name: Option<String>,
        /// How far into it.
        offset: u64,
    },
    /// An object of the heap.
    Object {
        /// Its address.
        addr: u64,
        /// Its size as the program asked for it.
        size: u64,
        /// Its type, where it has one: the type of the elements if there are several.
        ty: Option<String>,
        /// The goroutine that allocated it; 0 where the runtime did.
        goroutine: u64,
        /// Where it was allocated.
        allocated: Vec<Place>,
    },
    /// Neither, or forgotten.
    Unknown,
}

/// The calls of a stack with these addresses, the innermost first: that of an instruction, or one to which a call returns.
pub(super) fn places(image: &Image, addresses: &[u64], instruction: bool) -> Vec<Place> {
    let mut places = Vec::new();
    for (at, pc) in addresses.iter().enumerate() {
        let inside = if at == 0 && instruction { *pc } else { pc.wrapping_sub(1) };
        let Some(func) = image.func_at(inside) else { continue };
        for frame in func.inlined_at(inside) {
            let (file, line) = frame.line.map_or(("?", 0), |line| (line.file, line.line));
            places.push(Place {
                func: frame.func.to_owned(),
                file: file.to_owned(),
                line,
                pc: *pc,
                offset: pc.wrapping_sub(func.entry()),
            });
        }
    }
    // Where goroutines begin and end is no call of the program's.
    if places.last().is_some_and(|last| last.func == "runtime.goexit") {
        places.pop();
    }
    places
}

/// The name of a type.
pub(super) fn type_name(image: &Image, ty: u64) -> Option<String> {
    let known = image.resolve(&TypeRef::Rtype(ty)).ok().filter(|_| ty != 0)?;
    Some(known.name.clone())
}

/// The variable at an address.
pub(super) fn variable(image: &Image, addr: u64) -> Location {
    let in_file = image
        .segments()
        .iter()
        .any(|segment| (segment.addr..segment.addr.saturating_add(segment.mem_size)).contains(&addr));
    match image.symbol_at(addr) {
        Some(symbol) => {
            Location::Variable { name: Some(symbol.name.to_owned()), offset: addr.wrapping_sub(symbol.addr) }
        }
        None if in_file => Location::Variable { name: None, offset: 0 },
        None => Location::Unknown,
    }
}

impl Race {
    /// The functions and lines of both accesses, in one line.
    pub fn summary(&self) -> String {
        let at = |access: &Access| match access.stack.first() {
            Some(place) => format!("{} ({}:{})", place.func, place.file, place.line),
            None => "an unknown place".to_owned(),
        };
        escaped(&format!("data race: {} and {}", at(&self.access), at(&self.previous)))
    }
}

impl fmt::Display for Race {
    /// As Go's race detector prints it, and what is at the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "==================")?;
        writeln!(f, "WARNING: DATA RACE")?;
        self.access.show(f, self.addr, false)?;
        writeln!(f)?;
        self.previous.show(f, self.addr, true)?;
        self.location.show(f, self.addr)?;
        self.access.goroutine.show(f)?;
        if self.previous.goroutine.id != self.access.goroutine.id {
            self.previous.goroutine.show(f)?;
        }
        writeln!(f, "==================")
    }
}

impl Access {
    fn show(&self, f: &mut fmt::Formatter<'_>, addr: u64, previous: bool) -> fmt::Result {
        let what = match (self.write, self.atomic) {
            (true, false) => "write",
            (false, false) => "read",
            (true, true) => "atomic write",
            (false, true) => "atomic read",
        };
        let what = if previous { format!("Previous {what}") } else { capital(what) };
        write!(f, "{what} at {addr:#014x} by ")?;
        match self.goroutine.id {
            1 => writeln!(f, "main goroutine:")?,
            id => writeln!(f, "goroutine {id}:")?,
        }
        show_stack(f, &self.stack)
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

fn show_stack(f: &mut fmt::Formatter<'_>, stack: &[Place]) -> fmt::Result {
    if stack.is_empty() {
        return writeln!(f, "  [failed to restore the stack]");
    }
    for place in stack {
        let func = if place.func == "runtime.gopanic" { "panic" } else { &place.func };
        writeln!(f, "  {}()", escaped(func))?;
        writeln!(f, "      {}:{} +{:#x}", escaped(&place.file), place.line, place.offset)?;
    }
    Ok(())
}

impl Goroutine {
    fn show(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.id <= 1 {
            return Ok(());
        }
        let state = if self.finished { "finished" } else { "running" };
        writeln!(f, "\nGoroutine {} ({state}) created at:", self.id)?;
        show_stack(f, &self.created)
    }
}

impl Location {
    fn show(&self, f: &mut fmt::Formatter<'_>, at: u64) -> fmt::Result {
        match self {
            Location::Variable { name: Some(name), offset: 0 } => {
                writeln!(f, "\nLocation is variable {}", escaped(name))
            }
            Location::Variable { name: Some(name), offset } => {
                writeln!(f, "\nLocation is variable {}, {offset} bytes into it", escaped(name))
            }
            Location::Variable { name: None, .. } => writeln!(f, "\nLocation is a package's variable"),
            Location::Object { addr, size, ty, goroutine, allocated } => {
                write!(f, "\nLocation is heap object of {size} bytes at {addr:#014x}")?;
                if let Some(ty) = ty {
                    write!(f, " for {}", escaped(ty))?;
                }
                if at != *addr {
                    write!(f, ", {} bytes into it", at.wrapping_sub(*addr))?;
                }
                match goroutine {
                    0 => return writeln!(f, ", allocated by the runtime"),
                    1 => writeln!(f, ", allocated by main goroutine:")?,
                    id => writeln!(f, ", allocated by goroutine {id}:")?,
                }
                show_stack(f, allocated)
            }
            Location::Unknown => Ok(()),
        }
    }
}

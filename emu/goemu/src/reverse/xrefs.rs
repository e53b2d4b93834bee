//! The code that uses a function, an address or a string, and with which constants.

use std::collections::{HashMap, HashSet};
use std::ops::{ControlFlow, Range};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use goemu_loader::{Func, Image, Kind, Perm, TypeRef};

use super::constants::{Callee, Constants, Known, Site, UseKind, is_address, is_constant_data, study};
use super::is_text;
use crate::machine::Interrupt;
use crate::pool::cores;

/// Functions that one thread takes at a time.
const SHARE: usize = 64;
/// Bytes of a string that data refers to.
const MAX_STRING: u64 = 64 << 10;
/// Methods of one interface that are looked at.
const MAX_METHODS: u64 = 64;
/// Places of a string's bytes that are looked at.
const MAX_PLACES: usize = 1 << 16;

/// What is looked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Target {
    /// A function, by its entry.
    Function(u64),
    /// These addresses.
    Data(Range<u64>),
    /// Strings that have these bytes in them.
    Text(Vec<u8>),
}

/// A use of a target.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Xref {
    /// Where the instruction is; of a word of data without a name, where that is.
    pub at: u64,
    /// The function that it is in, by its entry.
    pub func: Option<u64>,
    /// What it does with the target.
    pub kind: XrefKind,
}

/// How a target is used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum XrefKind {
    /// It is called, with this that is known.
    Call(Box<Site>),
    /// It is called as a closure.
    Closure(Box<Site>),
    /// A function value that is it is taken: the value's address.
    Value(u64),
    /// The table of an interface has it: the address of the table, or of the word where no code names the table.
    Table(u64),
    /// Its address is taken.
    Taken(u64),
    /// It is read.
    Read(u64),
    /// It is written.
    Written(u64),
    /// A string constant is named: address and length.
    Text(u64, u64),
    /// A word of data has its address.
    Word(u64),
}

/// Studies all functions on all cores, and gives what `pick` makes of each, in order of address. Ends early where it is interrupted.
pub fn scan<T: Send>(
    image: &Image,
    interrupt: &Interrupt,
    pick: impl Fn(&Func<'_>, &Constants) -> T + Sync,
) -> Vec<T> {
    let funcs: Vec<Func<'_>> = image.defined_funcs().collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while !interrupt.is_raised() {
                    let from = next.fetch_add(SHARE, Ordering::Relaxed);
                    let Some(share) = funcs.get(from..(from + SHARE).min(funcs.len())) else { break };
                    if share.is_empty() {
                        break;
                    }
                    let found: Vec<T> = share.iter().map(|func| pick(func, &study(func))).collect();
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((from, found));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(from, _)| *from);
    done.into_iter().flat_map(|(_, found)| found).collect()
}

/// All uses of a target, in order of address.
#[must_use]
pub fn references(image: &Image, target: &Target, interrupt: &Interrupt) -> Vec<Xref> {
    let finder = Finder::of(image, target);
    let mut found: Vec<Xref> = scan(image, interrupt, |func, constants| finder.in_function(func, constants))
        .into_iter()
        .flatten()
        .collect();
    found.extend(finder.unnamed(&found));
    found.sort_by_key(|xref| xref.at);
    found
}

/// The calls that a function makes.
#[must_use]
pub fn calls(func: &Func<'_>) -> Vec<Site> {
    study(func).sites
}

/// Calls the visitor with every aligned word of the program's data, as it is when the program starts.
pub fn words(image: &Image, mut visit: impl FnMut(u64, u64) -> ControlFlow<()>) {
    let data = image
        .segments()
        .iter()
        .filter(|segment| !segment.perm.contains(Perm::EXEC) || image.section("__text").is_some());
    for segment in data {
        let from = segment.addr.next_multiple_of(8);
        let end = segment.addr.saturating_add(segment.file_size);
        for addr in (from..end.saturating_sub(7)).step_by(8) {
            if let Some(word) = image.read_u64(addr)
                && visit(addr, word).is_break()
            {
                return;
            }
        }
    }
}

struct Finder<'i> {
    target: &'i Target,
    /// Words of data that have the target's address, and for a function the table of an interface that has them.
    words: HashMap<u64, Option<u64>>,
    /// Tables of interfaces that have the function.
    tables: HashSet<u64>,
    /// Where the text stands.
    places: Vec<Range<u64>>,
}

impl<'i> Finder<'i> {
    fn of(image: &Image, target: &'i Target) -> Finder<'i> {
        let mut finder = Finder { target, words: HashMap::new(), tables: HashSet::new(), places: Vec::new() };
        if let Target::Text(text) = target {
            finder.places = places(image, text);
        }
        let places = std::mem::take(&mut finder.places);
        words(image, |addr, word| {
            let hit = match target {
                Target::Function(entry) => word == *entry,
                Target::Data(range) => is_address(image, range.start) && range.contains(&word),
                Target::Text(_) => {
                    let len = image.read_u64(addr.wrapping_add(8)).unwrap_or(0);
                    let end = word.saturating_add(len);
                    let has = |place: &Range<u64>| word <= place.start && place.end <= end;
                    len <= MAX_STRING && places.iter().any(has) && is_string(image, word, len)
                }
            };
            if hit {
                let table = itab_of(image, addr);
                finder.words.insert(addr, table);
                finder.tables.extend(table);
            }
            ControlFlow::Continue(())
        });
        finder.places = places;
        finder
    }

    fn in_function(&self, func: &Func<'_>, constants: &Constants) -> Vec<Xref> {
        let entry = Some(func.entry());
        let mut found = Vec::new();
        if let Target::Function(wanted) = self.target {
            for site in &constants.sites {
                let kind = match site.callee {
                    Callee::Function(callee)
                        if callee == *wanted && func.entry() != *wanted
                            || is_recursion(site, *wanted, func) =>
                    {
                        XrefKind::Call(Box::new(site.clone()))
                    }
                    Callee::Closure { code, .. } if code == *wanted => {
                        XrefKind::Closure(Box::new(site.clone()))
                    }
                    _ => continue,
                };
                found.push(Xref { at: site.at, func: entry, kind });
            }
        }
        for one in &constants.uses {
            let kind = match (self.target, self.words.get(&one.addr)) {
                (Target::Function(_), Some(Some(_))) => XrefKind::Table(one.addr),
                (Target::Function(_), Some(None)) => XrefKind::Value(one.addr),
                // Whoever makes such an interface may have the method called.
                (Target::Function(_), None) if self.tables.contains(&one.addr) => XrefKind::Table(one.addr),
                (Target::Function(wanted), None) if one.addr == *wanted => XrefKind::Taken(one.addr),
                (Target::Data(range), _) if range.contains(&one.addr) => match one.kind {
                    UseKind::Taken => XrefKind::Taken(one.addr),
                    UseKind::Read => XrefKind::Read(one.addr),
                    UseKind::Written => XrefKind::Written(one.addr),
                },
                (Target::Text(_), Some(_)) => XrefKind::Word(one.addr),
                _ => continue,
            };
            found.push(Xref { at: one.at, func: entry, kind });
        }
        for literal in &constants.literals {
            let end = literal.addr.saturating_add(literal.len);
            if self.places.iter().any(|place| literal.addr <= place.start && place.end <= end) {
                found.push(Xref {
                    at: literal.at,
                    func: entry,
                    kind: XrefKind::Text(literal.addr, literal.len),
                });
            }
        }
        found
    }

    /// Words of data that have the target, and that no instruction names.
    fn unnamed(&self, found: &[Xref]) -> Vec<Xref> {
        let named = |addr: u64| {
            found.iter().any(|xref| matches!(xref.kind, XrefKind::Value(at) | XrefKind::Table(at) | XrefKind::Word(at) if at == addr))
        };
        let words = self.words.iter().filter(|(addr, table)| !named(**addr) && !table.is_some_and(named));
        let kind = |addr: u64, table: Option<u64>| match table {
            Some(_) => XrefKind::Table(addr),
            None => XrefKind::Word(addr),
        };
        words.map(|(addr, table)| Xref { at: *addr, func: None, kind: kind(*addr, *table) }).collect()
    }
}

/// Whether constant data has a text there.
fn is_string(image: &Image, addr: u64, len: u64) -> bool {
    let bytes = usize::try_from(len).ok().and_then(|len| image.bytes(addr, len));
    is_constant_data(image, addr) && bytes.is_some_and(is_text)
}

/// Whether a call is one of the function to itself, and not its beginning again on a larger stack.
fn is_recursion(site: &Site, wanted: u64, func: &Func<'_>) -> bool {
    let again = || {
        let code = func.image().bytes(site.at, 1);
        code.is_some_and(|byte| byte != [0xe8])
    };
    site.callee == Callee::Function(wanted) && func.entry() == wanted && !again()
}

/// Where these bytes stand in constant data.
fn places(image: &Image, text: &[u8]) -> Vec<Range<u64>> {
    let mut found = Vec::new();
    for segment in image.segments().iter().filter(|_| !text.is_empty()) {
        let bytes = image.segment_bytes(segment);
        let mut from = 0;
        while let Some(at) = bytes.get(from..).and_then(|rest| find(rest, text))
            && found.len() < MAX_PLACES
        {
            let addr = segment.addr + (from + at) as u64;
            found.push(addr..addr + text.len() as u64);
            from += at + 1;
        }
    }
    found
}

/// Where a text stands first.
pub(super) fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    let mut from = 0;
    while let Some(at) = bytes.get(from..)?.iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(text) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The table that an interface calls methods by, of which a word is one.
fn itab_of(image: &Image, addr: u64) -> Option<u64> {
    let itab = &image.facts().itab;
    (0..MAX_METHODS).find_map(|n| {
        let start = addr.checked_sub(itab.fun)?.checked_sub(8 * n)?;
        let word = |at: u64| image.read_u64(start.wrapping_add(at));
        let (inter, ty) = (word(itab.inter)?, word(itab.ty)?);
        let is_table = image.itab(inter, ty) == Some(start) && n < methods(image, inter);
        is_table.then_some(start)
    })
}

/// How many methods the interface with this descriptor has.
fn methods(image: &Image, inter: u64) -> u64 {
    match image.resolve(&TypeRef::Rtype(inter)).map(|ty| ty.kind.clone()) {
        Ok(Kind::Interface { methods, .. }) => methods.len() as u64,
        _ => 0,
    }
}

/// A word that is known, as a person reads it.
#[must_use]
pub fn word_text(image: &Image, known: Known) -> String {
    match known {
        Known::Number(number) if number < 10 => number.to_string(),
        Known::Number(number) => format!("{number:#x}"),
        Known::Address(addr) => match image.func_at(addr).filter(|func| func.entry() == addr) {
            Some(func) => func.name().to_owned(),
            None => match image.symbol_at(addr) {
                Some(symbol) if symbol.addr == addr => format!("&{}", symbol.name),
                _ => format!("&{addr:#x}"),
            },
        },
        Known::Variable { addr, .. } => match image.symbol_at(addr) {
            Some(symbol) if symbol.addr == addr => symbol.name.to_owned(),
            _ => format!("*{addr:#x}"),
        },
        Known::Slot(offset) => format!("SP+{offset:#x}"),
    }
}

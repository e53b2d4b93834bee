//! Functions of object files as they lie there, before they are linked: their bytes, and what a linker is to fill in, with names
//! as `go tool objdump` of the object's release writes them.

use super::model::{Abi, Object, Ref, Reloc, Symbol};
use super::{Name, read_named};
use crate::facts::{Found, ObjectNames, Relocs, SymKind, WEAK, builtin_is_data, object_names};
use crate::pcvalue::Runs;
use crate::{LoadError, bytes};

/// What marks the name of a source file.
const FILE_MARK: &str = "gofile..";

/// One object: its functions and the places of its symbols.
#[derive(Clone, Debug)]
pub struct ObjectListing {
    /// Its functions in order of address.
    pub funcs: Vec<ObjectFunc>,
    /// Where its symbols lie: first address, size, name.
    symbols: Vec<(u64, u64, String)>,
    reversed_compares: bool,
}

/// A function of an object. Addresses are offsets in the file (since Go 1.16, behind the object's header).
#[derive(Clone, Debug)]
pub struct ObjectFunc {
    /// Its name.
    pub name: String,
    /// Its first address.
    pub start: u64,
    /// Its bytes.
    pub code: Vec<u8>,
    /// What a linker is to fill in, in the file's order.
    pub relocs: Vec<ObjectReloc>,
    /// Ends of runs of instructions with one source line: address, file, line.
    lines: Vec<(u64, String, i32)>,
}

/// Bytes that a linker is to fill in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectReloc {
    /// Where in the function.
    pub offset: u32,
    /// How many bytes; 0 for what only tells the linker something.
    pub size: u8,
    /// Its kind in Go's words: `R_CALL`.
    pub kind: String,
    /// The name of the symbol; empty where there is none.
    pub symbol: String,
    /// What is added.
    pub add: i64,
}

impl ObjectListing {
    /// The objects of a file, or of an archive, one after the other.
    ///
    /// # Errors
    /// The file is no object, or damaged.
    pub fn read(file: &[u8]) -> Result<Vec<ObjectListing>, LoadError> {
        if !super::is(file) {
            return Err(LoadError::Malformed {
                what: "expected an object file of Go, or an archive of them",
                offset: 0,
            });
        }
        let objects = read_named(file, Name::AsWritten)?;
        Ok(objects.iter().map(|object| ObjectListing::of(file, object)).collect())
    }

    fn of(file: &[u8], object: &Object<'_>) -> ObjectListing {
        let minor = object.header.go.minor;
        // Up to Go 1.20, names of files are marked, and listings show that.
        let mark = if bytes::find(file, FILE_MARK.as_bytes()).is_some() { FILE_MARK } else { "" };
        let names = Names { object, names: object_names(minor), relocs: Relocs::of(minor), mark };
        let placed = object.symbols.iter().filter(|symbol| !symbol.name.is_empty());
        let placed: Vec<_> =
            placed.filter_map(|symbol| Some((names.address(file, symbol)?, symbol))).collect();
        let mut symbols: Vec<_> =
            placed.iter().map(|(start, symbol)| (*start, symbol.size, names.defined(symbol))).collect();
        symbols.sort_by_key(|(start, ..)| *start);
        let code = placed.iter().filter(|(_, symbol)| symbol.kind == SymKind::Text);
        let mut funcs: Vec<_> = code.map(|(start, symbol)| names.func(*start, symbol)).collect();
        funcs.sort_by_key(|func| func.start);
        ObjectListing { funcs, symbols, reversed_compares: names.names.reversed_compares }
    }

    /// Whether the release's own listings have the operands of comparisons in the order of other instructions.
    #[must_use]
    pub fn has_reversed_compares(&self) -> bool {
        self.reversed_compares
    }

    /// The symbol around an address, and where it starts.
    #[must_use]
    pub fn symbol_at(&self, address: u64) -> Option<(&str, u64)> {
        let next = self.symbols.partition_point(|(start, ..)| *start <= address);
        let (start, size, name) = self.symbols.get(next.checked_sub(1)?)?;
        (*start != 0 && address < start.saturating_add(*size)).then_some((name.as_str(), *start))
    }
}

impl ObjectFunc {
    /// The source file and line of the instruction at an address.
    #[must_use]
    pub fn line_at(&self, address: u64) -> Option<(&str, i32)> {
        let found = self.lines.iter().find(|(end, ..)| address < *end);
        found.map(|(_, file, line)| (file.as_str(), *line))
    }
}

/// How an object's release writes names.
struct Names<'o, 'a> {
    object: &'o Object<'a>,
    names: ObjectNames,
    relocs: Relocs,
    mark: &'static str,
}

impl Names<'_, '_> {
    /// Where a symbol's data lies: in the file; since Go 1.16 in the object.
    fn address(&self, file: &[u8], symbol: &Symbol<'_>) -> Option<u64> {
        let in_file = (symbol.data.as_ptr() as usize).checked_sub(file.as_ptr() as usize)?;
        if symbol.data.is_empty() && symbol.kind != SymKind::Text
            || in_file.saturating_add(symbol.data.len()) > file.len()
        {
            return None;
        }
        let start = if self.names.from_object { self.object.start } else { 0 };
        (in_file as u64).checked_sub(start)
    }

    /// Up to Go 1.15, the package that is compiled is `""` in the file, and `%22%22` in listings.
    fn package(&self, name: &str, quoted: bool) -> String {
        if quoted { name.replace("\"\".", "%22%22.") } else { name.to_owned() }
    }

    fn defined(&self, symbol: &Symbol<'_>) -> String {
        let name = self.package(&symbol.name, self.names.escapes_symbols);
        if symbol.is_static { name + "<1>" } else { name }
    }

    /// A name in a relocation. Since Go 1.16 a symbol of the runtime that has a number is marked, if it takes arguments in registers.
    fn referred(&self, reloc: &Reloc) -> Option<String> {
        let index = reloc.target?;
        let plain = |name: &str| self.package(name, self.names.escapes_relocs);
        Some(match self.object.refs.get(index as usize)? {
            Ref::Defined(number) => {
                let symbol = self.object.symbols.get(*number as usize)?;
                let marked = symbol.is_static && self.names.marks_relocs;
                if marked { plain(&symbol.name) + "<1>" } else { plain(&symbol.name) }
            }
            Ref::Named(name, abi) => {
                let numbered = self.object.numbered.contains(&index);
                let marked = self.names.marks_relocs
                    && if numbered {
                        *abi == Abi::Internal && !builtin_is_data(name)
                    } else {
                        *abi == Abi::Static
                    };
                if marked { plain(name) + "<1>" } else { plain(name) }
            }
        })
    }

    fn kind(&self, reloc: &Reloc) -> String {
        let mut found = None;
        let mut relocs = self.relocs;
        if !reloc.weak {
            relocs.ask(&mut |row| {
                if row.offset == Some(reloc.kind) {
                    let mut names = row.field.split('|');
                    // The first is the newer.
                    let newer = names.next();
                    found = if self.names.newer_kinds { newer } else { names.next().or(newer) };
                }
                Found::NoType
            });
        }
        let number = if reloc.weak { reloc.kind | WEAK } else { reloc.kind };
        found.map_or_else(|| format!("RelocType({})", number as u16 as i16), str::to_owned)
    }

    fn func(&self, start: u64, symbol: &Symbol<'_>) -> ObjectFunc {
        let reloc = |reloc: &Reloc| ObjectReloc {
            offset: reloc.offset,
            size: reloc.size,
            kind: self.kind(reloc),
            symbol: self.referred(reloc).unwrap_or_default(),
            add: reloc.add,
        };
        ObjectFunc {
            name: self.defined(symbol),
            start,
            code: symbol.data.to_vec(),
            relocs: symbol.relocs.iter().map(reloc).collect(),
            lines: self.lines(start, symbol),
        }
    }

    fn lines(&self, start: u64, symbol: &Symbol<'_>) -> Vec<(u64, String, i32)> {
        let Some(func) = &symbol.func else { return Vec::new() };
        let files = if func.files.is_empty() { &self.object.files } else { &func.files };
        let file = |number: Option<i32>| {
            let name = files.get(usize::try_from(number?).ok()?)?;
            Some(format!("{}{name}", self.mark))
        };
        let end = start.saturating_add(symbol.data.len() as u64);
        let mut lines = Vec::new();
        let mut from = start;
        for run in Runs::new(func.pcline, start) {
            // A line may be in two files: calls that are inlined.
            let mut files = Runs::new(func.pcfile, start).skip_while(move |of| of.end <= from);
            while from < run.end.min(end) {
                let of = files.next();
                let until = of.map_or(run.end, |of| of.end.min(run.end));
                if until <= from {
                    break;
                }
                lines.push((until, file(of.map(|of| of.value)).unwrap_or_default(), run.value));
                from = until;
            }
        }
        lines
    }
}

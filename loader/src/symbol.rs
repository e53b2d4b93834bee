//! The symbol table that the linker writes, which stripping removes. Go's own function table, which
//! stripping leaves, is in [`crate::image::func`].

use std::collections::HashSet;
use std::ops::Range;
use std::sync::OnceLock;

use crate::bytes;

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SymbolKind {
    /// Code.
    Func,
    /// A variable, or read-only data.
    Data,
    /// A thread-local variable: its address is an offset into the thread's block.
    Tls,
    /// The file does not say.
    Other,
}

/// A name for a range of guest memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Symbol<'i> {
    /// The linker's name. Go 1.17 and later append `.abi0` to the assembly version of a function that
    /// exists in both calling conventions.
    pub name: &'i str,
    /// Guest address.
    pub addr: u64,
    /// Size in bytes; 0 where the file does not say.
    pub size: u64,
    /// What it names.
    pub kind: SymbolKind,
}

/// One symbol as the format's reader gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Offset of the name in the string table.
    pub(crate) name: u32,
    /// Bytes of the field that the name stands in; none where it ends in a NUL.
    pub(crate) name_width: Option<u8>,
    pub(crate) kind: SymbolKind,
    pub(crate) addr: u64,
    pub(crate) size: u64,
}

/// All symbols of a file, in the file's order.
#[derive(Debug, Default)]
pub(crate) struct SymbolTable {
    /// Where the names are in the file.
    pub(crate) strings: Range<usize>,
    pub(crate) entries: Vec<Entry>,
    by_addr: OnceLock<Vec<u32>>,
}

/// Symbols that Go's linker puts where something begins or ends (`cmd/link/internal/ld/data.go`, `xdefine`).
const MARKS: [&str; 25] = [
    "runtime.text",
    "runtime.etext",
    "runtime.itablink",
    "runtime.eitablink",
    "runtime.rodata",
    "runtime.erodata",
    "runtime.types",
    "runtime.etypes",
    "runtime.noptrdata",
    "runtime.enoptrdata",
    "runtime.data",
    "runtime.edata",
    "runtime.bss",
    "runtime.ebss",
    "runtime.noptrbss",
    "runtime.enoptrbss",
    "runtime.covctrs",
    "runtime.ecovctrs",
    "runtime.end",
    "runtime.symtab",
    "runtime.esymtab",
    "runtime.pclntab",
    "runtime.epclntab",
    "runtime.gcdata",
    "runtime.gcbss",
];

/// How many symbols before an address are looked at for one that contains it: symbols rarely nest.
const MAX_NESTING: usize = 16;

impl SymbolTable {
    pub(crate) fn new(strings: Range<usize>, entries: Vec<Entry>) -> SymbolTable {
        SymbolTable { strings, entries, by_addr: OnceLock::new() }
    }

    /// Of a format that has no sizes: each symbol reaches to the next, or to the end of its section in
    /// `sections` (as (start, end)). `go tool objdump` infers them in the same way. Marks have no size.
    pub(crate) fn with_inferred_sizes(
        file: &[u8],
        strings: Range<usize>,
        entries: Vec<Entry>,
        sections: &[(u64, u64)],
    ) -> SymbolTable {
        let mut table = SymbolTable::new(strings, entries);
        let marks: HashSet<&[u8]> = MARKS.iter().map(|name| name.as_bytes()).collect();
        let is_mark = |entry: &Entry| marks.contains(table.name(file, entry));
        let sized: Vec<bool> = table.entries.iter().map(|entry| !is_mark(entry)).collect();
        let entries = &mut table.entries;
        let mut borders: Vec<u64> = entries.iter().map(|entry| entry.addr).collect();
        borders.extend(sections.iter().map(|(_, end)| end));
        borders.sort_unstable();
        for (entry, _) in entries.iter_mut().zip(sized).filter(|(_, sized)| *sized) {
            let next = borders.partition_point(|border| *border <= entry.addr);
            let inside = sections.iter().any(|(start, end)| (*start..*end).contains(&entry.addr));
            let next = borders.get(next).filter(|_| inside);
            entry.size = next.map_or(0, |next| next - entry.addr);
        }
        table
    }

    fn strings<'i>(&self, file: &'i [u8]) -> &'i [u8] {
        file.get(self.strings.clone()).unwrap_or_default()
    }

    fn name<'i>(&self, file: &'i [u8], entry: &Entry) -> &'i [u8] {
        let strings = self.strings(file);
        match entry.name_width {
            None => bytes::cstr(strings, entry.name.into()).unwrap_or_default(),
            Some(width) => {
                let field = bytes::slice(strings, entry.name.into(), width.into()).unwrap_or_default();
                field.split(|byte| *byte == 0).next().unwrap_or_default()
            }
        }
    }

    fn symbol<'i>(&self, file: &'i [u8], entry: &Entry) -> Symbol<'i> {
        let name = bytes::text(self.name(file, entry));
        Symbol { name, addr: entry.addr, size: entry.size, kind: entry.kind }
    }

    pub(crate) fn iter<'i>(&'i self, file: &'i [u8]) -> impl Iterator<Item = Symbol<'i>> {
        self.entries.iter().map(|entry| self.symbol(file, entry))
    }

    /// The first symbol of that name.
    pub(crate) fn named<'i>(&self, file: &'i [u8], name: &str) -> Option<Symbol<'i>> {
        let strings = self.strings(file);
        let is_named = |entry: &&Entry| match entry.name_width {
            None => bytes::cstr_is(strings, entry.name.into(), name.as_bytes()),
            Some(_) => self.name(file, entry) == name.as_bytes(),
        };
        let entry = self.entries.iter().find(is_named)?;
        Some(self.symbol(file, entry))
    }

    /// Indexes of the entries that are addresses, sorted by address, those without a size first.
    fn by_addr(&self) -> &[u32] {
        self.by_addr.get_or_init(|| {
            let key = |index: &u32| self.entries.get(*index as usize).map(|entry| (entry.addr, entry.size));
            let mut sorted: Vec<u32> = (0u32..)
                .zip(&self.entries)
                .filter(|(_, entry)| entry.kind != SymbolKind::Tls)
                .map(|(index, _)| index)
                .collect();
            sorted.sort_by_key(key);
            sorted
        })
    }

    /// Entries that start at or before `addr`, nearest first.
    fn before(&self, addr: u64) -> impl Iterator<Item = &Entry> {
        let sorted = self.by_addr();
        let entry = |index: &u32| self.entries.get(*index as usize);
        let after = sorted.partition_point(|index| entry(index).is_some_and(|entry| entry.addr <= addr));
        sorted.get(..after).unwrap_or_default().iter().rev().filter_map(entry)
    }

    /// The symbol that contains `addr`, or that is there without a size.
    pub(crate) fn at<'i>(&self, file: &'i [u8], addr: u64) -> Option<Symbol<'i>> {
        let holds = |entry: &&Entry| entry.addr == addr || addr - entry.addr < entry.size;
        self.before(addr).take(MAX_NESTING).find(holds).map(|entry| self.symbol(file, entry))
    }
}

//! Where everything goes: code, then what is only read (type descriptors first), then variables, those that start as
//! zero last; in each, symbols in the order of the objects.

use std::collections::HashMap;

use crate::LoadError;
use crate::bytes;
use crate::facts::SymKind;
use crate::goobj::{Abi, Symbol};
use crate::layout::Span;
use crate::symbol::{Entry, SymbolKind};

use super::blob::Blob;
use super::resolve::SymId;
use super::wanted::{StandIn, Wanted};
use super::{Linker, MAX_BSS, MAX_BYTES, PAGE, TEXT, Undefined, known, malformed, types};

/// Where variables lie that no object defines. Nothing is mapped there; the code reaches it.
const UNDEFINED_VARS: u64 = 0x7000_0000;
/// What each of them has for itself.
const UNDEFINED_VAR_SIZE: u64 = 0x1_0000;
/// So many have room before the addresses that code cannot reach.
const MAX_UNDEFINED_VARS: usize = 0x800;
/// Size of the stand-in of a function.
const STUB: u64 = 16;
/// `INT3`
const TRAP: u8 = 0xcc;
/// The linker's alignment of large variables.
const MAX_DATA_ALIGN: u64 = 32;
/// Symbols ask for a page at most.
const MAX_ALIGN: u64 = 1 << 16;

/// A function and where it lies.
#[derive(Debug)]
pub(super) struct Function<'l> {
    pub(super) addr: u64,
    pub(super) name: &'l str,
    /// None of one that no object defines.
    pub(super) symbol: Option<SymId>,
}

/// Everything at its address.
#[derive(Debug, Default)]
pub(super) struct Placed<'l> {
    pub(super) text: Blob,
    pub(super) rodata: Blob,
    pub(super) data: Blob,
    /// Bytes of variables that start as zero, behind `data`.
    pub(super) bss: u64,
    pub(super) addrs: HashMap<SymId, u64>,
    /// By name and convention: what no object defines.
    pub(super) stand_ins: HashMap<(&'l str, Abi), u64>,
    /// In order of address.
    pub(super) functions: Vec<Function<'l>>,
    pub(super) undefined: Undefined,
    /// Names of symbols, each ended by a NUL.
    pub(super) names: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    /// Types whose descriptors were made here, by name.
    pub(super) known_types: Vec<(String, u64)>,
    /// End of the type descriptors, all of these, and itabs.
    pub(super) types_end: u64,
    pub(super) typelinks: Vec<u64>,
    pub(super) itabs: Vec<u64>,
    /// What packages have to do before `main.main`.
    pub(super) init_tasks: Vec<u64>,
    /// Addresses of the function table, and of the table of tables.
    pub(super) table: u64,
    pub(super) module: u64,
}

impl<'l, 'a> Linker<'l, 'a> {
    /// Gives everything an address.
    pub(super) fn place(&self, wanted: &Wanted<'l>) -> Result<Placed<'l>, LoadError> {
        let mut placed = Placed { text: Blob::new(TEXT), ..Placed::default() };
        for id in self.defined() {
            if self.symbol(id).kind == SymKind::Text {
                self.place_function(&mut placed, id)?;
            }
        }
        placed.text.align(STUB, TRAP);
        self.place_stubs(&mut placed, wanted);
        placed.rodata = Blob::new(placed.text.end().next_multiple_of(PAGE));
        self.place_rodata(&mut placed, wanted)?;
        Ok(placed)
    }

    /// The symbols that count, in the order of the objects.
    pub(super) fn defined(&self) -> impl Iterator<Item = SymId> {
        let objects = (0..).zip(self.objects);
        let all = objects.flat_map(|(object, symbols)| {
            (0..).zip(&symbols.symbols).map(move |(symbol, defined)| (SymId { object, symbol }, defined))
        });
        all.filter(|(id, symbol)| self.resolver.counts(*id, &symbol.name, symbol.abi)).map(|(id, _)| id)
    }

    fn place_function(&self, placed: &mut Placed<'l>, id: SymId) -> Result<(), LoadError> {
        let symbol = self.symbol(id);
        placed.text.align(self.align_of(symbol)?.max(STUB), TRAP);
        let addr = self.append(&mut placed.text, symbol)?;
        placed.functions.push(Function { addr, name: &symbol.name, symbol: Some(id) });
        placed.addrs.insert(id, addr);
        placed.add_name(&symbol.name, self.convention(symbol.abi), addr, symbol.size, SymbolKind::Func);
        Ok(())
    }

    /// Copies a symbol's bytes, and what is missing of its size as zeros.
    fn append(&self, blob: &mut Blob, symbol: &Symbol<'_>) -> Result<u64, LoadError> {
        let end = (blob.bytes.len() as u64).saturating_add(symbol.size);
        if end > MAX_BYTES {
            return malformed("symbol: expected all of them to fit into 256 MiB", symbol);
        }
        let addr = blob.push(&symbol.data);
        blob.zeros(symbol.size - (symbol.data.len() as u64).min(symbol.size));
        Ok(addr)
    }

    fn align_of(&self, symbol: &Symbol<'_>) -> Result<u64, LoadError> {
        match symbol.align {
            0 => Ok(1),
            align if align.is_power_of_two() && align <= MAX_ALIGN => Ok(align),
            _ => malformed("symbol: expected its alignment to be a power of two, 65536 at most", symbol),
        }
    }

    /// The alignment of a variable: the linker's rule where the compiler does not say.
    fn data_align(&self, id: SymId, symbol: &Symbol<'_>) -> Result<u64, LoadError> {
        if self.types.names.contains_key(&id) {
            return Ok(8);
        }
        if symbol.align == 0 {
            let size = symbol.size.clamp(1, MAX_DATA_ALIGN);
            return Ok(1 << size.ilog2());
        }
        self.align_of(symbol)
    }

    fn place_stubs(&self, placed: &mut Placed<'l>, wanted: &Wanted<'l>) {
        let functions = || wanted.iter().filter(|(_, what)| **what == StandIn::Function).map(|(key, _)| *key);
        // Those whose code is known are not missing.
        let code = |name| known::code(name, self.facts.register_abi());
        for (name, abi) in functions() {
            if let Some(code) = code(name) {
                placed.text.align(STUB, TRAP);
                let addr = placed.text.push(&code);
                placed.add_stand_in(name, abi, addr, code.len() as u64);
            }
        }
        placed.text.align(STUB, TRAP);
        let start = placed.text.end();
        for (name, abi) in functions() {
            if code(name).is_none() {
                let addr = placed.text.push(&[TRAP; STUB as usize]);
                placed.add_stand_in(name, abi, addr, STUB);
            }
        }
        placed.undefined.functions = Span { start, end: placed.text.end() };
    }

    fn place_rodata(&self, placed: &mut Placed<'l>, wanted: &Wanted<'l>) -> Result<(), LoadError> {
        // Nothing lies at offset 0, which means none.
        placed.rodata.zeros(8);
        let is_type = |id: &SymId| self.types.names.contains_key(id);
        let read_only: Vec<SymId> =
            self.defined().filter(|id| self.symbol(*id).kind == SymKind::Rodata).collect();
        for id in read_only.iter().copied().filter(is_type) {
            // All of them: a list that is too long does no harm, and nothing is found by its place in it.
            let addr = self.place_data(placed, id, |placed| &mut placed.rodata)?;
            placed.typelinks.push(addr);
        }
        placed.types_end = self.place_known_types(placed, wanted);
        let is_itab = |id: &SymId| self.symbol(*id).name.starts_with(self.prefixes.itab);
        let (itabs, rest): (Vec<SymId>, Vec<SymId>) =
            read_only.into_iter().filter(|id| !is_type(id)).partition(is_itab);
        for id in itabs {
            let addr = self.place_data(placed, id, |placed| &mut placed.rodata)?;
            placed.itabs.push(addr);
        }
        for id in rest {
            self.place_data(placed, id, |placed| &mut placed.rodata)?;
        }
        self.place_closures(placed, wanted);
        Ok(())
    }

    /// Descriptors of the predeclared types, which the compiler writes for the package runtime alone, and of run-time
    /// errors. Tells where descriptors end.
    fn place_known_types(&self, placed: &mut Placed<'l>, wanted: &Wanted<'l>) -> u64 {
        let sizes = |name: &str| self.size_and_align(name);
        let mut missing = types::Missing::new(&self.facts, &sizes);
        let mut names = Vec::new();
        for ((name, _), what) in wanted {
            if let (StandIn::Variable, Some(ty)) = (what, self.prefixes.type_name(name)) {
                missing.want(ty);
                names.push((*name, ty));
            }
        }
        for ty in known::TYPES {
            missing.want(ty);
            missing.want(&format!("*{ty}"));
        }
        for ty in self.types_in_debug() {
            missing.want(ty);
        }
        let defined = |placed: &Placed<'l>, name: &str| placed.addrs.get(&self.described(name)?).copied();
        missing.place(placed, self.prefixes, &names, &defined)
    }

    /// Size and alignment of a type that an object defines.
    fn size_and_align(&self, name: &str) -> Option<(u64, u8)> {
        let (symbol, at) = (self.symbol(self.described(name)?), &self.facts.types.rtype);
        Some((bytes::u64(&symbol.data, at.size?)?, bytes::u8(&symbol.data, at.align?)?))
    }

    /// The closures of functions that no object defines.
    fn place_closures(&self, placed: &mut Placed<'l>, wanted: &Wanted<'l>) {
        let closures = wanted.iter().filter(|(_, what)| **what == StandIn::Closure);
        for ((closure, _), _) in closures {
            let func = closure.trim_end_matches("·f");
            let defined = self.named(func).and_then(|id| placed.addrs.get(&id).copied());
            let addr = defined.or_else(|| placed.stand_in(func, Abi::Internal)).unwrap_or_default();
            placed.rodata.align(8, 0);
            let closure_at = placed.rodata.push_u64(addr);
            placed.stand_ins.insert((closure, Abi::Internal), closure_at);
            placed.add_name(closure, Abi::Internal, closure_at, 8, SymbolKind::Data);
        }
    }

    fn place_data(
        &self,
        placed: &mut Placed<'l>,
        id: SymId,
        into: for<'p> fn(&'p mut Placed<'l>) -> &'p mut Blob,
    ) -> Result<u64, LoadError> {
        let symbol = self.symbol(id);
        let align = self.data_align(id, symbol)?;
        let blob = into(placed);
        blob.align(align, 0);
        let addr = self.append(blob, symbol)?;
        placed.note(id, symbol, addr);
        Ok(addr)
    }

    /// Places variables, from the page behind what is only read.
    pub(super) fn place_variables(
        &self,
        placed: &mut Placed<'l>,
        wanted: &Wanted<'l>,
    ) -> Result<(), LoadError> {
        placed.data = Blob::new(placed.rodata.end().next_multiple_of(PAGE));
        let is = |id: &SymId, kinds: &[SymKind]| kinds.contains(&self.symbol(*id).kind);
        for id in self.defined().filter(|id| is(id, &[SymKind::Data])) {
            let addr = self.place_data(placed, id, |placed| &mut placed.data)?;
            if self.symbol(id).name.ends_with("..inittask") {
                placed.init_tasks.push(addr);
            }
        }
        self.place_missing(placed, wanted);
        Ok(())
    }

    /// Places variables that start as zero, behind all others.
    pub(super) fn place_zeroed(&self, placed: &mut Placed<'l>) -> Result<(), LoadError> {
        let mut end = placed.data.end();
        for id in self.defined().filter(|id| self.symbol(*id).kind == SymKind::Bss) {
            let symbol = self.symbol(id);
            let addr = end.next_multiple_of(self.data_align(id, symbol)?);
            end = addr.saturating_add(symbol.size);
            if end - placed.data.end() > MAX_BSS {
                return malformed("symbol: expected all zeroed variables to fit into 1 GiB", symbol);
            }
            placed.note(id, symbol, addr);
        }
        placed.bss = end - placed.data.end();
        Ok(())
    }

    /// Variables that no object defines: those of the runtime whose contents are known, and unmapped addresses.
    fn place_missing(&self, placed: &mut Placed<'l>, wanted: &Wanted<'l>) {
        let start = UNDEFINED_VARS;
        let mut next = start;
        for ((name, _), what) in wanted {
            if *what != StandIn::Variable || placed.stand_ins.contains_key(&(*name, Abi::Internal)) {
                continue;
            }
            if let Some(contents) = known::variable(name, self.tls_offset()) {
                placed.data.align(MAX_DATA_ALIGN, 0);
                let addr = placed.data.push(&contents);
                placed.stand_ins.insert((name, Abi::Internal), addr);
                placed.add_name(name, Abi::Internal, addr, contents.len() as u64, SymbolKind::Data);
            } else {
                placed.stand_ins.insert((name, Abi::Internal), next);
                placed.add_name(name, Abi::Internal, next, UNDEFINED_VAR_SIZE, SymbolKind::Data);
                if ((next - start) / UNDEFINED_VAR_SIZE) < MAX_UNDEFINED_VARS as u64 {
                    next += UNDEFINED_VAR_SIZE;
                }
            }
        }
        placed.undefined.variables = Span { start, end: next + UNDEFINED_VAR_SIZE };
    }
}

impl<'l> Placed<'l> {
    fn note(&mut self, id: SymId, symbol: &Symbol<'_>, addr: u64) {
        self.addrs.insert(id, addr);
        self.add_name(&symbol.name, Abi::Internal, addr, symbol.size, SymbolKind::Data);
    }

    /// Adds a name to the symbol table, as the linker writes it.
    pub(super) fn add_name(&mut self, name: &str, abi: Abi, addr: u64, size: u64, kind: SymbolKind) {
        let Ok(at) = u32::try_from(self.names.len()) else { return };
        if name.is_empty() {
            return;
        }
        self.names.extend_from_slice(name.as_bytes());
        self.names.extend_from_slice(if abi == Abi::Abi0 { b".abi0\0" } else { b"\0" });
        self.entries.push(Entry { name: at, name_width: None, kind, addr, size });
    }

    fn add_stand_in(&mut self, name: &'l str, abi: Abi, addr: u64, size: u64) {
        self.stand_ins.insert((name, abi), addr);
        self.functions.push(Function { addr, name, symbol: None });
        self.add_name(name, abi, addr, size, SymbolKind::Func);
    }

    /// The address that stands for what no object defines.
    pub(super) fn stand_in(&self, name: &str, abi: Abi) -> Option<u64> {
        let exact = self.stand_ins.get(&(name, abi));
        exact.or_else(|| self.stand_ins.get(&(name, Abi::Internal))).copied()
    }
}

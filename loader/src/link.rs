//! The linker, in memory: objects of the compiler become the same as a program's file, so that everything else reads
//! them as one.
//!
//! Symbols get addresses, relocations are filled in, and the tables that a linker writes are written: the function
//! table, the module data, the frame of the debug information. Undefined functions point at a trap in the text behind
//! all others, undefined variables at unmapped memory. So nothing
//! is missing before it is reached, and then it has a name.

mod apply;
mod blob;
mod dwarf;
mod known;
mod module;
mod pcln;
mod place;
mod resolve;
mod sha256;
mod types;
mod wanted;

pub(crate) use sha256::sha256;

use std::collections::HashMap;

use crate::LoadError;
use crate::buildinfo::BuildInfo;
use crate::bytes::take_uvarint;
use crate::facts::{Facts, Prefixes, Relocs, SymKind, prefixes};
use crate::goobj::{Abi, Object, Symbol};
use crate::gotype::short_name;
use crate::layout::{Layout, Os, Perm, Section, Segment, Span, Target};
use crate::symbol::SymbolTable;

use self::place::Placed;
use self::resolve::{Meaning, Resolver, SymId};

/// What comes of linking: the contents of a file, and what a reader would find in it.
#[derive(Debug)]
pub(crate) struct Linked {
    pub(crate) bytes: Vec<u8>,
    pub(crate) layout: Layout,
    pub(crate) symbols: SymbolTable,
    pub(crate) build: BuildInfo,
    pub(crate) undefined: Undefined,
}

/// Where the stand-ins are for what no object defines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Undefined {
    pub(crate) functions: Span,
    pub(crate) variables: Span,
}

/// Where programs for Linux have their code.
const TEXT: u64 = 0x40_1000;
const PAGE: u64 = 0x1000;
/// More than any objects have; what is larger is not made.
const MAX_BYTES: u64 = 256 << 20;
/// Zeroed variables may be larger than that, but have to lie in reach of the code.
const MAX_BSS: u64 = 1 << 30;

/// What all parts of linking look at.
struct Linker<'l, 'a> {
    objects: &'l [Object<'a>],
    facts: Facts,
    relocs: Relocs,
    prefixes: Prefixes,
    os: Os,
    resolver: Resolver<'l, 'a>,
    types: Descriptors,
}

/// The type descriptors that objects define.
#[derive(Default)]
struct Descriptors {
    by_name: HashMap<String, SymId>,
    names: HashMap<SymId, String>,
}

/// Links objects. Where several define a symbol, the first one's counts.
pub(crate) fn link(objects: &[Object<'_>]) -> Result<Linked, LoadError> {
    let Some(first) = objects.first() else { return Err(LoadError::Empty) };
    for object in objects {
        if !object.header.go.is_of_same_release(first.header.go) || object.header.os != first.header.os {
            let name = |object: &Object<'_>| format!("{} for {:?}", object.header.version, object.header.os);
            return Err(LoadError::MixedObjects { first: name(first), other: name(object) });
        }
    }
    let minor = first.header.go.minor;
    let linker = Linker {
        objects,
        facts: Facts::of(first.header.go),
        relocs: Relocs::of(minor),
        prefixes: prefixes(minor),
        os: first.header.os,
        resolver: Resolver::new(objects),
        types: Descriptors::default(),
    };
    let types = linker.descriptors();
    Linker { types, ..linker }.link()
}

impl<'l, 'a> Linker<'l, 'a> {
    fn link(&self) -> Result<Linked, LoadError> {
        let wanted = self.wanted();
        let mut placed = self.place(&wanted)?;
        self.write_function_table(&mut placed);
        self.write_tables(&mut placed, &wanted)?;
        self.fill_in(&mut placed)?;
        let debug = self.write_debug(&placed)?;
        Ok(self.file(placed, debug))
    }

    fn symbol(&self, id: SymId) -> &'l Symbol<'a> {
        let objects: &'l [Object<'a>] = self.objects;
        &objects[id.object as usize].symbols[id.symbol as usize]
    }

    /// The named symbol that counts.
    fn named(&self, name: &str) -> Option<SymId> {
        self.resolver.named(name, Abi::Internal).or_else(|| self.resolver.named(name, Abi::Abi0))
    }

    /// All type descriptors, by the names of the types. Since Go 1.27 most symbols have none: then the descriptor has.
    fn descriptors(&self) -> Descriptors {
        let mut types = Descriptors::default();
        for (object, symbols) in (0..).zip(self.objects) {
            for (symbol, defined) in (0..).zip(&symbols.symbols) {
                let id = SymId { object, symbol };
                if defined.kind != SymKind::Rodata || !self.resolver.counts(id, &defined.name, defined.abi) {
                    continue;
                }
                let own = || defined.is_type.then(|| self.described_name(id, defined)).flatten();
                let name = self.prefixes.type_name(&defined.name).map(str::to_owned).or_else(own);
                if let Some(name) = name {
                    types.by_name.entry(name.clone()).or_insert(id);
                    types.names.insert(id, name);
                }
            }
        }
        types
    }

    /// The name that a descriptor refers to: flags, length, text.
    fn described_name(&self, id: SymId, symbol: &Symbol<'_>) -> Option<String> {
        const EXTRA_STAR: u8 = 2;
        let at = &self.facts.types.rtype;
        let reloc = symbol.relocs.iter().find(|reloc| Some(u64::from(reloc.offset)) == at.name)?;
        let Meaning::Symbol(name) = self.resolver.meaning(id.object, reloc.target?)? else { return None };
        let mut text = self.symbol(name).data.get(1..)?;
        let len = if self.facts.forms().names_have_varints() {
            take_uvarint(&mut text)? as usize
        } else {
            let (len, rest) = text.split_first_chunk::<2>()?;
            text = rest;
            u16::from_be_bytes(*len).into()
        };
        let name = crate::bytes::text(text.get(..len)?);
        let star =
            symbol.data.get(usize::try_from(at.tflag?).ok()?).is_some_and(|flags| flags & EXTRA_STAR != 0);
        Some(if star { name.strip_prefix('*').unwrap_or(name) } else { name }.to_owned())
    }

    /// The descriptor of a type that an object defines. Debug information names packages by their paths.
    fn described(&self, ty: &str) -> Option<SymId> {
        let short = || self.types.by_name.get(&short_name(ty)?);
        self.types.by_name.get(ty).or_else(short).copied()
    }

    /// Puts everything behind each other as a file has it.
    fn file(&self, placed: Placed, debug: Vec<(&'static str, Vec<u8>)>) -> Linked {
        let Placed { text, rodata, data, bss, undefined, names, entries, table, module, .. } = placed;
        let mut file = names;
        let strings = 0..file.len();
        let mut segments = Vec::new();
        let mut sections = Vec::new();
        let parts = [
            (".text", text, 0, Perm::READ | Perm::EXEC),
            (".rodata", rodata, 0, Perm::READ),
            (".data", data, bss, Perm::READ | Perm::WRITE),
        ];
        for (name, blob, zeroed, perm) in parts {
            let (file_offset, size) = (file.len() as u64, blob.bytes.len() as u64);
            file.extend_from_slice(&blob.bytes);
            let mem_size = size + zeroed;
            if mem_size > 0 {
                segments.push(Segment { addr: blob.addr, mem_size, file_offset, file_size: size, perm });
            }
            sections.push(section(name, Some(blob.addr), size, file_offset));
            for (name, addr) in [(".gopclntab", table), (".go.module", module)] {
                if (blob.addr..blob.addr + size).contains(&addr) {
                    let offset = addr - blob.addr;
                    sections.push(section(name, Some(addr), size - offset, file_offset + offset));
                }
            }
        }
        for (name, bytes) in debug {
            sections.push(section(name, None, bytes.len() as u64, file.len() as u64));
            file.extend_from_slice(&bytes);
        }
        let target = Target { os: self.os, position_independent: false };
        let layout = Layout {
            target,
            entry: None,
            bias: 0,
            base: TEXT,
            relocated: false,
            segments,
            sections,
            remarks: Vec::new(),
        };
        let symbols = SymbolTable::new(strings, entries);
        Linked { bytes: file, layout, symbols, build: self.build(), undefined }
    }

    fn build(&self) -> BuildInfo {
        let mut build = BuildInfo::default();
        if let Some(first) = self.objects.first() {
            build.version = first.header.version.to_owned();
            build.go = Some(first.header.go);
            build.path.clone_from(&first.package);
        }
        build
    }
}

fn section(name: &str, addr: Option<u64>, size: u64, file_offset: u64) -> Section {
    Section { name: name.to_owned(), addr, size, file_offset, file_size: size, compressed: false }
}

/// Says that a symbol cannot be linked.
fn malformed<T>(what: &'static str, symbol: &Symbol<'_>) -> Result<T, LoadError> {
    Err(LoadError::Malformed { what, offset: symbol.offset })
}

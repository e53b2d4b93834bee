//! Debug information: the compiler's entries of functions in units that only the linker can write, the table of their
//! abbreviations, and an entry for each package variable.
//!
//! The linker proper also writes entries for types, from their descriptors. Here an entry only names the descriptor,
//! and readers go there.

use std::collections::HashMap;

use crate::LoadError;
use crate::facts::{Abbrev, SymKind, abbrevs};
use crate::goobj::Reloc;
use crate::layout::Os;

use super::Linker;
use super::blob::Blob;
use super::place::Placed;
use super::resolve::{Meaning, SymId};

/// Numbers of this linker's own abbreviations, behind those of the compiler.
const UNIT: u16 = 100;
const UNIT_5: u16 = 101;
const TYPE: u16 = 102;
const VARIABLE: u16 = 103;

/// `DW_LANG_Go`
const LANGUAGE: u8 = 0x16;
/// `DW_OP_addr`
const ADDRESS: u8 = 0x03;

/// `.debug_info` and what belongs to it, while it is being made.
#[derive(Default)]
struct Debug {
    info: Blob,
    addresses: Blob,
    /// Offsets of entries, and the objects' relocations to be filled in: where, whose, which.
    entries: HashMap<SymId, u64>,
    /// Offsets of the entries that name types, by type.
    types: HashMap<String, u64>,
    open: Vec<(u64, SymId, Reloc)>,
}

type Sections = Vec<(&'static str, Vec<u8>)>;

impl<'l> Linker<'l, '_> {
    /// The sections of debug information; none where the objects have none.
    pub(super) fn write_debug(&self, placed: &Placed<'l>) -> Result<Sections, LoadError> {
        let ids = self.debug_entries();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let version = if self.has_address_indexes(&ids) { 5 } else { 4 };
        let mut debug = Debug::default();
        if version == 5 {
            // Length (filled in below), version, size of an address, no segments.
            debug.addresses.push(&[0, 0, 0, 0, 5, 0, 8, 0]);
        }
        self.write_types(placed, &mut debug);
        for object in (0..).zip(self.objects).map(|(object, _): (u32, _)| object) {
            self.write_unit(placed, &mut debug, object, version, &ids);
        }
        for (at, id, reloc) in std::mem::take(&mut debug.open) {
            self.fill_debug(placed, &mut debug, at, id, &reloc);
        }
        if let Some(length) = (debug.addresses.bytes.len() as u32).checked_sub(4) {
            debug.addresses.put(0, &length.to_le_bytes());
        }
        let abbreviations =
            write_abbrevs(&abbrevs(self.facts.version.minor, version == 5, self.os == Os::Darwin));
        Ok(vec![
            (".debug_abbrev", abbreviations),
            (".debug_info", debug.info.bytes),
            (".debug_addr", debug.addresses.bytes),
        ])
    }

    /// The compiler's entries that count, by object.
    fn debug_entries(&self) -> Vec<SymId> {
        let objects = (0..).zip(self.objects);
        let all = objects.flat_map(|(object, symbols)| {
            (0..).zip(&symbols.symbols).map(move |(symbol, defined)| (SymId { object, symbol }, defined))
        });
        // Up to Go 1.15 a name for the linker's own entry is of the same kind.
        all.filter(|(_, symbol)| symbol.kind == SymKind::DwarfInfo && !symbol.data.is_empty())
            .filter(|(_, symbol)| !symbol.name.starts_with("go.cuinfo."))
            .filter(|(id, symbol)| self.resolver.counts(*id, &symbol.name, symbol.abi))
            .map(|(id, _)| id)
            .collect()
    }

    /// Whether addresses are numbers of a table, as in DWARF 5 (Go 1.25 and later, not for darwin).
    fn has_address_indexes(&self, ids: &[SymId]) -> bool {
        ids.iter().any(|id| self.symbol(*id).relocs.iter().any(|reloc| self.index_size(reloc).is_some()))
    }

    /// Bytes of a number of an address.
    fn index_size(&self, reloc: &Reloc) -> Option<usize> {
        let kinds = &self.relocs;
        let sizes = [kinds.dwarf_text_1, kinds.dwarf_text_2, kinds.dwarf_text_3, kinds.dwarf_text_4];
        sizes.iter().position(|kind| *kind == Some(reloc.kind)).map(|index| index + 1)
    }

    /// The types that the compiler's entries refer to.
    pub(super) fn types_in_debug(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for id in self.debug_entries() {
            for reloc in &self.symbol(id).relocs {
                let meaning = reloc.target.and_then(|target| self.resolver.meaning(id.object, target));
                if let Some(Meaning::Undefined(name, _)) = meaning {
                    names.extend(name.strip_prefix(self.prefixes.info));
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The types that entries and variables refer to, in a unit of their own.
    fn write_types(&self, placed: &Placed<'l>, debug: &mut Debug) {
        let mut names = self.types_in_debug();
        for id in placed.addrs.keys() {
            names.extend(self.type_of(*id));
        }
        names.sort_unstable();
        names.dedup();
        let start = begin_unit(&mut debug.info, 4);
        put_unit(&mut debug.info, UNIT, "types", &self.producer(), (0, 0), None);
        for name in names {
            let at = debug.info.end();
            put_number(&mut debug.info, TYPE.into());
            debug.info.push_str(name);
            // From the start of the types; 0 where there is no descriptor.
            let descriptor =
                self.descriptor(placed, name).map_or(0, |addr| addr.wrapping_sub(placed.rodata.addr));
            debug.info.push_u64(descriptor);
            debug.types.insert(name.to_owned(), at);
        }
        end_unit(&mut debug.info, start);
    }

    /// The type of a variable.
    fn type_of(&self, id: SymId) -> Option<&str> {
        let symbol = self.symbol(id);
        if !matches!(symbol.kind, SymKind::Data | SymKind::Bss) || symbol.name.is_empty() {
            return None;
        }
        match self.resolver.meaning(id.object, symbol.ty?)? {
            Meaning::Symbol(id) => self.types.names.get(&id).map(String::as_str),
            Meaning::Undefined(name, _) => self.prefixes.type_name(name),
        }
    }

    /// The descriptor of a type.
    fn descriptor(&self, placed: &Placed<'l>, ty: &str) -> Option<u64> {
        let defined = self.described(ty).and_then(|id| placed.addrs.get(&id));
        defined
            .copied()
            .or_else(|| placed.known_types.iter().find(|known| known.0 == ty).map(|known| known.1))
    }

    fn producer(&self) -> String {
        let version = self.objects.first().map_or("", |object| object.header.version);
        format!("Go cmd/compile {version}")
    }

    /// The functions and variables of one object.
    fn write_unit(&self, placed: &Placed<'l>, debug: &mut Debug, object: u32, version: u16, ids: &[SymId]) {
        let package = self.objects.get(object as usize).map_or("", |object| &object.package);
        let range = self.text_of(placed, object);
        let start = begin_unit(&mut debug.info, version);
        let addresses = (version == 5).then_some(8);
        let abbrev = if version == 5 { UNIT_5 } else { UNIT };
        put_unit(&mut debug.info, abbrev, package, &self.producer(), range, addresses);
        for id in ids.iter().filter(|id| id.object == object) {
            let symbol = self.symbol(*id);
            let at = debug.info.push(&symbol.data);
            debug.entries.insert(*id, at);
            for reloc in
                symbol.relocs.iter().filter(|reloc| reloc.size > 0 || self.index_size(reloc).is_some())
            {
                debug.open.push((at + u64::from(reloc.offset), *id, *reloc));
            }
        }
        self.write_variables(placed, debug, object);
        end_unit(&mut debug.info, start);
    }

    /// Start and end of an object's code, which is in one piece.
    fn text_of(&self, placed: &Placed<'l>, object: u32) -> (u64, u64) {
        let of = placed
            .functions
            .iter()
            .filter_map(|f| f.symbol.filter(|id| id.object == object).map(|id| (f.addr, id)));
        let ends = of.map(|(addr, id)| (addr, addr + self.symbol(id).size));
        ends.fold((0, 0), |(start, end), (from, to)| {
            (if end == 0 { from } else { start.min(from) }, end.max(to))
        })
    }

    fn write_variables(&self, placed: &Placed<'l>, debug: &mut Debug, object: u32) {
        let mut variables: Vec<(u64, SymId)> = placed
            .addrs
            .iter()
            .filter(|(id, _)| id.object == object)
            .map(|(id, addr)| (*addr, *id))
            .collect();
        variables.sort_unstable();
        for (addr, id) in variables {
            let Some(ty) = self.type_of(id).and_then(|ty| debug.types.get(ty)).copied() else { continue };
            put_number(&mut debug.info, VARIABLE.into());
            debug.info.push_str(&self.symbol(id).name);
            debug.info.push(&[9, ADDRESS]);
            debug.info.push_u64(addr);
            debug.info.push_u32(ty);
        }
    }

    /// Fills in what matters for reading entries: addresses, and references to other entries.
    fn fill_debug(&self, placed: &Placed<'l>, debug: &mut Debug, at: u64, id: SymId, reloc: &Reloc) {
        let Some(meaning) = reloc.target.and_then(|target| self.resolver.meaning(id.object, target)) else {
            return;
        };
        let address = || match meaning {
            Meaning::Symbol(id) => placed.addrs.get(&id).map(|addr| addr.wrapping_add_signed(reloc.add)),
            Meaning::Undefined(..) => None,
        };
        if let Some(size) = self.index_size(reloc) {
            let index = (debug.addresses.bytes.len() as u64 - 8) / 8;
            debug.addresses.push_u64(address().unwrap_or(0));
            debug.info.put(at, &padded_number(index, size));
        } else if reloc.kind == self.relocs.addr {
            let value = address().unwrap_or(0).to_le_bytes();
            debug.info.put(at, value.get(..reloc.size.into()).unwrap_or_default());
        } else if Some(reloc.kind) == self.relocs.dwarf_sec_ref {
            let entry = match meaning {
                Meaning::Symbol(id) => debug.entries.get(&id).copied(),
                Meaning::Undefined(name, _) => {
                    name.strip_prefix(self.prefixes.info).and_then(|ty| debug.types.get(ty)).copied()
                }
            };
            if let Some(entry) = entry {
                let value = entry.wrapping_add_signed(reloc.add).to_le_bytes();
                debug.info.put(at, value.get(..reloc.size.into()).unwrap_or_default());
            }
        }
    }
}

/// Writes a unit's header; its length is filled in at its end.
fn begin_unit(info: &mut Blob, version: u16) -> u64 {
    let start = info.push(&[0; 4]);
    info.push(&version.to_le_bytes());
    if version >= 5 {
        // DW_UT_compile, size of an address, abbreviations at 0.
        info.push(&[1, 8, 0, 0, 0, 0]);
    } else {
        info.push(&[0, 0, 0, 0, 8]);
    }
    start
}

fn end_unit(info: &mut Blob, start: u64) {
    // The end of the unit's children.
    info.push(&[0]);
    let length = info.end() - start - 4;
    info.put(start, &(length as u32).to_le_bytes());
}

fn put_unit(
    info: &mut Blob,
    abbrev: u16,
    name: &str,
    producer: &str,
    range: (u64, u64),
    addresses: Option<u64>,
) {
    put_number(info, abbrev.into());
    info.push_str(name);
    info.push_str(producer);
    info.push(&[LANGUAGE]);
    info.push_u64(range.0);
    info.push_u64(range.1);
    if let Some(base) = addresses {
        info.push_u32(base);
    }
}

/// The table: the compiler's abbreviations, and this linker's own.
fn write_abbrevs(compilers: &[Abbrev]) -> Vec<u8> {
    // name, producer, language, low_pc, high_pc; addr_base
    let unit = vec![(0x03, 0x08), (0x25, 0x08), (0x13, 0x0b), (0x11, 0x01), (0x12, 0x01)];
    let unit_5 = [&unit[..], &[(0x73, 0x17)]].concat();
    let own = [
        Abbrev { number: UNIT, tag: 0x11, children: true, attributes: unit },
        Abbrev { number: UNIT_5, tag: 0x11, children: true, attributes: unit_5 },
        // DW_TAG_unspecified_type: name, go_runtime_type
        Abbrev { number: TYPE, tag: 0x3b, children: false, attributes: vec![(0x03, 0x08), (0x2904, 0x07)] },
        // name, location, type
        Abbrev {
            number: VARIABLE,
            tag: 0x34,
            children: false,
            attributes: vec![(0x03, 0x08), (0x02, 0x0a), (0x49, 0x10)],
        },
    ];
    let mut table = Blob::default();
    for abbrev in compilers.iter().chain(&own) {
        put_number(&mut table, abbrev.number.into());
        put_number(&mut table, abbrev.tag.into());
        table.push(&[abbrev.children.into()]);
        for (name, form) in &abbrev.attributes {
            put_number(&mut table, (*name).into());
            put_number(&mut table, (*form).into());
        }
        table.push(&[0, 0]);
    }
    table.push(&[0]);
    table.bytes
}

/// ULEB128
fn put_number(to: &mut Blob, mut value: u64) {
    while value >= 0x80 {
        to.push(&[value as u8 | 0x80]);
        value >>= 7;
    }
    to.push(&[value as u8]);
}

/// ULEB128 of `size` bytes, as room was left for.
fn padded_number(mut value: u64, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for index in 1..=size {
        let more = if index < size { 0x80 } else { 0 };
        bytes.push((value & 0x7f) as u8 | more);
        value >>= 7;
    }
    bytes
}

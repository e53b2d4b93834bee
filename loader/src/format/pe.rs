//! PE files (Windows).
//!
//! A PE file is linked at its *image base*; all it says of addresses are distances from there (RVAs). Go links at
//! 0x400000 or, since Go 1.25, at 0x140000000, and the file is kept where it was linked if that can be.

use std::borrow::Cow;

use goblin::pe::section_table as flags;

use crate::layout::{
    self, Import, LOWEST, Layout, MAX_IMPORTS, Os, PIE_BASE, Perm, Placement, Reloc, Section, Segment, Target,
};
use crate::symbol::{Entry, SymbolKind, SymbolTable};
use crate::{LoadError, bytes};

/// Where the offset of the PE header stands.
const LFANEW: u64 = 0x3c;
/// Signature and COFF header.
const COFF_HEADER: u64 = 24;
/// The optional header up to its data directories.
const OPTIONAL_HEADER: u64 = 112;
const SECTION_HEADER: u64 = 40;
const SYMBOL: u64 = 18;
const PE32_PLUS: u16 = 0x20b;
const DLL: u16 = 0x2000;
const RELOCS_STRIPPED: u16 = 1;
const DYNAMIC_BASE: u16 = 0x40;

/// Image bases from here on are moved: a guest has not that much room. Windows itself gives programs 47 bits.
const HIGHEST: u64 = 0x70_0000_0000;

/// Data directories by number.
const IMPORTS: u64 = 1;
const BASE_RELOCS: u64 = 5;

/// The headers, as far as they are of use.
struct Header {
    /// Offset of the COFF header, the signature before it included.
    at: u64,
    sections: u16,
    symbols: (u64, u64),
    /// Offset of the section table.
    table: u64,
    base: u64,
    entry: u64,
    headers_size: u64,
    directories: u32,
    movable: bool,
    is_dll: bool,
    dynamic_base: bool,
}

/// Reads the headers.
pub(crate) fn layout(file: &[u8], placement: Placement) -> Result<Layout, LoadError> {
    let header = header(file)?;
    let raw = raw_sections(file, &header, placement.is_dump())?;
    let mut remarks = Vec::new();
    if !placement.is_dump() && header.strings().is_some_and(|strings| !has_strings(file, strings)) {
        let (offset, len) = (header.symbols.0, file.len());
        remarks.push(format!(
            "its symbol table, at {offset:#x}, lies outside of the file, which has {len:#x} bytes: symbols are missing; \
             the file may be truncated"
        ));
    }
    let end = raw.iter().map(|section| section.addr + section.mem_size()).max().unwrap_or_default();
    let fits = (LOWEST..HIGHEST.saturating_sub(end)).contains(&header.base);
    if !fits && !header.movable && placement == Placement::Linked {
        let (what, offset) = (
            "image base: expected a place for a program, since it cannot be moved",
            header.at + COFF_HEADER + 24,
        );
        return Err(LoadError::Malformed { what, offset });
    }
    let usual = if fits { header.base } else { PIE_BASE };
    let place = placement.base(header.base, usual, header.movable)?;
    let headers = Segment {
        addr: place,
        mem_size: header.headers_size,
        file_offset: 0,
        file_size: header.headers_size,
        perm: Perm::READ,
    };
    let loaded = raw.iter().filter(|section| section.is_loaded()).map(|section| section.segment(place));
    let segments = std::iter::once(headers).filter(|headers| headers.mem_size > 0).chain(loaded).collect();
    Ok(Layout {
        target: Target {
            os: Os::Windows,
            position_independent: header.movable && (header.is_dll || header.dynamic_base),
        },
        entry: (header.entry != 0).then(|| place.wrapping_add(header.entry)),
        bias: place.wrapping_sub(header.base),
        base: place,
        relocated: placement.is_dump(),
        segments: layout::checked_segments(file, layout::without_nil(segments))?,
        sections: raw.iter().map(|raw| raw.section(file, &header, place)).collect::<Result<_, _>>()?,
        remarks,
    })
}

/// Whether the string table at an offset is in the file. Windows does not look at it.
fn has_strings(file: &[u8], offset: u64) -> bool {
    let size = bytes::u32(file, offset).map_or(0, u64::from);
    bytes::slice(file, offset, size).is_some()
}

fn header(file: &[u8]) -> Result<Header, LoadError> {
    let malformed = |what, offset| LoadError::Malformed { what, offset };
    bytes::check_range(file, "DOS header", 0, LFANEW + 4)?;
    let at = u64::from(bytes::u32(file, LFANEW).unwrap_or_default());
    if bytes::slice(file, at, 4).is_some_and(|signature| signature != b"PE\0\0") {
        let format = "DOS or 16-bit Windows executable".to_owned();
        return Err(LoadError::UnsupportedFormat { format });
    }
    bytes::check_range(file, "PE header", at, COFF_HEADER)?;
    let short = |offset: u64| bytes::u16(file, at + offset).unwrap_or_default();
    let word = |offset: u64| bytes::u32(file, at + offset).unwrap_or_default();
    if short(4) != goblin::pe::header::COFF_MACHINE_X86_64 {
        return Err(LoadError::WrongArch { arch: arch_name(short(4)) });
    }
    let optional = at + COFF_HEADER;
    bytes::check_range(file, "PE optional header", optional, OPTIONAL_HEADER)?;
    let size = u64::from(short(20));
    if short(24) != PE32_PLUS || size < OPTIONAL_HEADER {
        return Err(malformed("optional header: expected that of a 64-bit program", optional));
    }
    let base = bytes::u64(file, optional + 24).unwrap_or_default();
    let headers_size = u64::from(word(24 + 60));
    Ok(Header {
        at,
        sections: short(6),
        symbols: (word(12).into(), word(16).into()),
        table: optional + size,
        base,
        entry: word(24 + 16).into(),
        // The headers end where the first section begins, and may say more.
        headers_size: headers_size.min(file.len() as u64).min(0x1000),
        directories: word(24 + 108).min(((size - OPTIONAL_HEADER) / 8) as u32),
        movable: short(22) & RELOCS_STRIPPED == 0 && word(24 + 108) > BASE_RELOCS as u32,
        is_dll: short(22) & DLL != 0,
        dynamic_base: short(24 + 70) & DYNAMIC_BASE != 0,
    })
}

/// The GOARCH of a machine number, or the number.
fn arch_name(machine: u16) -> String {
    use goblin::pe::header as h;
    let name = match machine {
        h::COFF_MACHINE_X86 => "386",
        h::COFF_MACHINE_ARM64 => "arm64",
        h::COFF_MACHINE_ARM | h::COFF_MACHINE_ARMNT => "arm",
        _ => return format!("PE machine {machine:#x}"),
    };
    name.to_owned()
}

/// A row of the section table. Its address is an RVA; in a dump, so is its place in the file.
struct RawSection<'f> {
    /// The header's eight bytes.
    name: &'f [u8],
    addr: u64,
    virtual_size: u64,
    file_offset: u64,
    raw_size: u64,
    flags: u32,
}

fn raw_sections<'f>(file: &'f [u8], header: &Header, dumped: bool) -> Result<Vec<RawSection<'f>>, LoadError> {
    let count = u64::from(header.sections);
    bytes::check_range(file, "section table", header.table, count * SECTION_HEADER)?;
    let row = |index: u64| {
        let at = header.table + index * SECTION_HEADER;
        let word = |offset| bytes::u32(file, at + offset).unwrap_or_default();
        let mut raw = RawSection {
            name: bytes::slice(file, at, 8).unwrap_or_default(),
            virtual_size: word(8).into(),
            addr: word(12).into(),
            raw_size: word(16).into(),
            file_offset: word(20).into(),
            flags: word(36),
        };
        if dumped {
            raw.file_offset = raw.addr.min(file.len() as u64);
            raw.raw_size = raw.mem_size().min(file.len() as u64 - raw.file_offset);
            raw.flags &= !flags::IMAGE_SCN_CNT_UNINITIALIZED_DATA;
        }
        let what = format!("section {}", bytes::text(raw.short_name()));
        bytes::check_range(file, &what, raw.file_offset, raw.file_size())?;
        Ok(raw)
    };
    (0..count).map(row).collect()
}

impl RawSection<'_> {
    fn mem_size(&self) -> u64 {
        if self.virtual_size == 0 { self.raw_size } else { self.virtual_size }
    }

    /// What the file has is padded to whole blocks.
    fn file_size(&self) -> u64 {
        let zeroed = self.flags & flags::IMAGE_SCN_CNT_UNINITIALIZED_DATA != 0 || self.file_offset == 0;
        if zeroed { 0 } else { self.raw_size.min(self.mem_size()) }
    }

    fn perm(&self) -> Perm {
        let perms = [
            (flags::IMAGE_SCN_MEM_READ, Perm::READ),
            (flags::IMAGE_SCN_MEM_WRITE, Perm::WRITE),
            (flags::IMAGE_SCN_MEM_EXECUTE, Perm::EXEC),
        ];
        perms.into_iter().filter(|(flag, _)| self.flags & flag != 0).map(|(_, perm)| perm).collect()
    }

    /// Whether the program sees it. Symbols, relocations and debug information may be discarded.
    fn is_loaded(&self) -> bool {
        self.flags & flags::IMAGE_SCN_MEM_DISCARDABLE == 0 && !self.perm().is_empty() && self.mem_size() > 0
    }

    fn segment(&self, place: u64) -> Segment {
        Segment {
            addr: place.saturating_add(self.addr),
            mem_size: self.mem_size(),
            file_offset: self.file_offset,
            file_size: self.file_size(),
            perm: self.perm(),
        }
    }

    fn short_name(&self) -> &[u8] {
        self.name.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The name, which stands in the string table where it is longer than eight bytes (`/123`).
    fn full_name<'f>(&'f self, file: &'f [u8], header: &Header) -> &'f [u8] {
        let short = self.short_name();
        let offset = short.strip_prefix(b"/").and_then(|digits| bytes::text(digits).parse::<u64>().ok());
        offset.and_then(|offset| bytes::cstr(file, header.strings()?.checked_add(offset)?)).unwrap_or(short)
    }

    fn section(&self, file: &[u8], header: &Header, place: u64) -> Result<Section, LoadError> {
        Ok(Section {
            name: bytes::text(self.full_name(file, header)).to_owned(),
            addr: self.is_loaded().then(|| place.wrapping_add(self.addr)),
            size: self.mem_size(),
            file_offset: self.file_offset,
            file_size: self.file_size(),
            compressed: false,
        })
    }
}

impl Header {
    /// Offset of the string table, which follows the symbols.
    fn strings(&self) -> Option<u64> {
        let (offset, count) = self.symbols;
        if offset == 0 { None } else { offset.checked_add(count.checked_mul(SYMBOL)?) }
    }

    /// Where a data directory points: RVA and size.
    fn directory(&self, file: &[u8], number: u64) -> Option<(u64, u64)> {
        if number >= u64::from(self.directories) {
            return None;
        }
        let at = self.at + COFF_HEADER + OPTIONAL_HEADER + 8 * number;
        let (addr, size) = (bytes::u32(file, at)?.into(), bytes::u32(file, at + 4)?.into());
        (addr != 0).then_some((addr, size))
    }
}

/// The words that Windows would write, in no order: those that change because the file was moved.
pub(crate) fn relocs(file: &[u8], layout: &Layout) -> Vec<Reloc> {
    let mut relocs = Vec::new();
    if layout.bias != 0 && !layout.relocated {
        base_relocs(file, layout, &mut relocs);
    }
    relocs
}

/// Blocks of a page's address, a size, and entries of four bits of type and twelve of offset.
fn base_relocs(file: &[u8], layout: &Layout, relocs: &mut Vec<Reloc>) -> Option<()> {
    const BLOCK_HEADER: u64 = 8;
    const DIR64: u16 = 10;
    let header = header(file).ok()?;
    let (addr, size) = header.directory(file, BASE_RELOCS)?;
    let mut table = bytes::slice(file, rva_offset(file, &header, addr)?, size)?;
    let place = header.base.wrapping_add(layout.bias);
    while let (Some(page), Some(size)) = (bytes::u32(table, 0), bytes::u32(table, 4)) {
        let entries = bytes::slice(table, BLOCK_HEADER, u64::from(size).checked_sub(BLOCK_HEADER)?)?;
        for entry in entries.chunks_exact(2).filter_map(|entry| bytes::u16(entry, 0)) {
            let addr = place.wrapping_add(page.into()).wrapping_add(u64::from(entry & 0xfff));
            if entry >> 12 == DIR64
                && let Some(word) = layout.file_offset(addr).and_then(|offset| bytes::u64(file, offset))
            {
                relocs.push(Reloc { addr, value: word.wrapping_add(layout.bias) });
            }
        }
        table = table.get(size as usize..)?;
    }
    Some(())
}

/// Where the byte at an RVA is in the file, in sections that are not loaded as well.
fn rva_offset(file: &[u8], header: &Header, addr: u64) -> Option<u64> {
    let sections = raw_sections(file, header, false).ok()?;
    let section = sections
        .iter()
        .find(|section| addr.checked_sub(section.addr).is_some_and(|offset| offset < section.file_size()))?;
    Some(section.file_offset + (addr - section.addr))
}

/// The words that Windows would fill from other files, in no order.
pub(crate) fn imports(file: &[u8], layout: &Layout) -> Vec<Import> {
    let mut imports = Vec::new();
    import_tables(file, layout, &mut imports);
    imports
}

/// More DLLs than any program has.
const MAX_DLLS: u64 = 1 << 12;

fn import_tables(file: &[u8], layout: &Layout, imports: &mut Vec<Import>) -> Option<()> {
    const DESCRIPTOR: u64 = 20;
    let header = header(file).ok()?;
    let place = header.base.wrapping_add(layout.bias);
    let at = |rva: u64| layout.file_offset(place.wrapping_add(rva));
    let table = at(header.directory(file, IMPORTS)?.0)?;
    for row in (0..MAX_DLLS).map(|index| table + index * DESCRIPTOR) {
        let word = |offset| bytes::u32(file, row + offset).map(u64::from);
        let (names, dll, slots) = (word(0)?, word(12)?, word(16)?);
        if slots == 0 {
            break;
        }
        let library = at(dll).and_then(|dll| bytes::cstr(file, dll));
        let names = at(if names == 0 { slots } else { names })?;
        for index in 0.. {
            let Some(thunk) = bytes::u64(file, names + 8 * index).filter(|thunk| *thunk != 0) else { break };
            if imports.len() == MAX_IMPORTS {
                return None;
            }
            let addr = place.wrapping_add(slots).wrapping_add(8 * index);
            imports.push(Import::new(addr, &import_name(file, thunk, at), library));
        }
    }
    Some(())
}

/// The name of an import: a number, or text after a hint of two bytes.
fn import_name(file: &[u8], thunk: u64, at: impl Fn(u64) -> Option<u64>) -> Cow<'_, [u8]> {
    const BY_ORDINAL: u64 = 1 << 63;
    if thunk & BY_ORDINAL != 0 {
        return Cow::Owned(format!("#{}", thunk & 0xffff).into_bytes());
    }
    let name = at(thunk & 0x7fff_ffff).and_then(|hint| bytes::cstr(file, hint + 2));
    Cow::Borrowed(name.unwrap_or(b"?"))
}

/// The COFF symbol table; empty where the file has none.
pub(crate) fn symbols(file: &[u8], layout: &Layout) -> SymbolTable {
    symbol_table(file, layout).unwrap_or_default()
}

fn symbol_table(file: &[u8], layout: &Layout) -> Option<SymbolTable> {
    let header = header(file).ok()?;
    if layout.relocated {
        return None;
    }
    let sections = raw_sections(file, &header, false).ok()?;
    let (start, count) = header.symbols;
    let table = bytes::slice(file, start, count.checked_mul(SYMBOL)?)?;
    let place = header.base.wrapping_add(layout.bias);
    let mut entries = Vec::new();
    let mut index = 0;
    while let Some(symbol) = bytes::slice(table, index * SYMBOL, SYMBOL) {
        entries.extend(entry(symbol, index, count, &sections, place));
        index += 1 + u64::from(bytes::u8(symbol, 17)?);
    }
    let strings = start.checked_add(table.len() as u64)?;
    let size = u64::from(bytes::u32(file, strings)?);
    let end = strings.checked_add(size)?.min(file.len() as u64);
    let span = |section: &RawSection<'_>| {
        let addr = place.wrapping_add(section.addr);
        (addr, addr.saturating_add(section.mem_size()))
    };
    let spans: Vec<_> = sections.iter().map(span).collect();
    Some(SymbolTable::with_inferred_sizes(file, start as usize..end as usize, entries, &spans))
}

/// One symbol. Names of up to eight bytes stand in the symbol itself; offsets of all are counted from the table's
/// start here.
fn entry(symbol: &[u8], index: u64, count: u64, sections: &[RawSection<'_>], place: u64) -> Option<Entry> {
    /// `IMAGE_SYM_CLASS_EXTERNAL`, `IMAGE_SYM_CLASS_STATIC`
    const CLASSES: [u8; 2] = [2, 3];
    let section = usize::from(bytes::u16(symbol, 12)?).checked_sub(1)?;
    let section = sections.get(section)?;
    let is_section = bytes::u8(symbol, 17)? != 0 && bytes::u32(symbol, 8)? == 0;
    if !CLASSES.contains(&bytes::u8(symbol, 16)?) || is_section {
        return None;
    }
    let (name, name_width) = match bytes::u32(symbol, 0)? {
        0 => (count * SYMBOL + u64::from(bytes::u32(symbol, 4)?), None),
        _ => (index * SYMBOL, Some(8)),
    };
    let code = section.perm().contains(Perm::EXEC);
    Some(Entry {
        name: u32::try_from(name).ok()?,
        name_width,
        kind: if code { SymbolKind::Func } else { SymbolKind::Data },
        addr: place.wrapping_add(section.addr).wrapping_add(bytes::u32(symbol, 8)?.into()),
        size: 0,
    })
}

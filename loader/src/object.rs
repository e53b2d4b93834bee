//! An executable file, whatever its format: its bytes, its layout, and memory as it would look before the program's
//! first instruction. Relocations, imports and symbols are read when first asked for.

use std::sync::{Arc, OnceLock};

use crate::format::{self, Format};
use crate::layout::{Import, Layout, Perm, Placement, Reloc, Section, Segment};
use crate::source::Source;
use crate::symbol::SymbolTable;
use crate::{LoadError, bytes};

/// An executable file.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) source: Arc<Source>,
    pub(crate) layout: Layout,
    format: &'static Format,
    relocs: OnceLock<Vec<Reloc>>,
    imports: OnceLock<Vec<Import>>,
    symbols: OnceLock<SymbolTable>,
}

impl Object {
    pub(crate) fn parse(source: Arc<Source>, placement: Placement) -> Result<Object, LoadError> {
        let format = format::of(source.bytes())?;
        let layout = (format.layout)(source.bytes(), placement)
            .map_err(|error| format::packed(source.bytes()).unwrap_or(error))?;
        let (relocs, imports, symbols) = Default::default();
        Ok(Object { source, layout, format, relocs, imports, symbols })
    }

    /// The same program as it was in a process: `source` begins with the program's file, and `layout` has the process's memory.
    pub(crate) fn in_process(self, source: Arc<Source>, layout: Layout) -> Object {
        self.symbols();
        let (relocs, imports) = Default::default();
        Object { source, layout, format: &format::MADE, relocs, imports, symbols: self.symbols }
    }

    /// A file that was made here: its layout and symbols are known, and nothing is left for a system's loader.
    pub(crate) fn made(source: Arc<Source>, layout: Layout, symbols: SymbolTable) -> Object {
        let (relocs, imports) = Default::default();
        Object { source, layout, format: &format::MADE, relocs, imports, symbols: OnceLock::from(symbols) }
    }

    /// Sorted by address, one for an address.
    pub(crate) fn relocs(&self) -> &[Reloc] {
        self.relocs.get_or_init(|| {
            let mut relocs = (self.format.relocs)(self.source.bytes(), &self.layout);
            relocs.sort_by_key(|reloc| reloc.addr);
            relocs.dedup_by_key(|reloc| reloc.addr);
            relocs
        })
    }

    /// Sorted by address, one for an address.
    pub(crate) fn imports(&self) -> &[Import] {
        self.imports.get_or_init(|| {
            let mut imports = (self.format.imports)(self.source.bytes(), &self.layout);
            imports.sort_by_key(|import| import.addr);
            imports.dedup_by_key(|import| import.addr);
            imports
        })
    }

    pub(crate) fn symbols(&self) -> &SymbolTable {
        self.symbols.get_or_init(|| (self.format.symbols)(self.source.bytes(), &self.layout))
    }

    /// The section of that name, as the file has it or as ELF would.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.layout.sections.iter().find(|section| section.is(name))
    }

    /// The contents of a section, as the file has them.
    pub(crate) fn section_data(&self, name: &str) -> Result<&[u8], LoadError> {
        let section = self.section(name).ok_or_else(|| LoadError::NoSection { name: name.to_owned() })?;
        bytes::slice(self.source.bytes(), section.file_offset, section.file_size).ok_or(
            LoadError::Malformed {
                what: "section: expected it inside of the file",
                offset: section.file_offset,
            },
        )
    }

    /// The contents of a segment, as the file has them.
    pub(crate) fn segment_bytes(&self, segment: &Segment) -> &[u8] {
        bytes::slice(self.source.bytes(), segment.file_offset, segment.file_size).unwrap_or_default()
    }

    /// The segment that contains `addr`.
    pub(crate) fn segment_at(&self, addr: u64) -> Option<&Segment> {
        let after = self.layout.segments.partition_point(|segment| segment.addr <= addr);
        let segment = self.layout.segments.get(after.checked_sub(1)?)?;
        segment.contains(addr).then_some(segment)
    }

    /// Whether code may lie at `addr`.
    pub(crate) fn is_code(&self, addr: u64) -> bool {
        self.segment_at(addr).is_some_and(|segment| segment.perm.contains(Perm::EXEC))
    }

    /// From `addr` to the end of its segment's contents in the file; in a dump, of those that follow it in the file as in memory,
    /// too: dumps have a part for each permission.
    pub(crate) fn tail(&self, addr: u64) -> Option<&[u8]> {
        let after = self.layout.segments.partition_point(|segment| segment.addr <= addr);
        let segment =
            self.layout.segments.get(after.checked_sub(1)?).filter(|segment| segment.contains(addr))?;
        let mut size = segment.file_size;
        let more = if self.layout.relocated { self.layout.segments.get(after..) } else { None };
        for next in more.unwrap_or_default() {
            let follows = |start: u64, of: u64| start.checked_add(size) == Some(of);
            if !follows(segment.addr, next.addr) || !follows(segment.file_offset, next.file_offset) {
                break;
            }
            size = size.saturating_add(next.file_size);
        }
        let bytes = bytes::slice(self.source.bytes(), segment.file_offset, size)?;
        bytes.get(usize::try_from(addr.checked_sub(segment.addr)?).ok()?..)
    }

    /// `len` bytes of the file at a guest address, relocations not applied.
    pub(crate) fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
        self.tail(addr)?.get(..len)
    }

    /// `N` bytes at a guest address, zero where the file has none, relocations not applied.
    fn read<const N: usize>(&self, addr: u64) -> Option<[u8; N]> {
        let segment = self.segment_at(addr)?;
        let offset = addr.checked_sub(segment.addr)?;
        if offset.checked_add(N as u64)? > segment.mem_size {
            return None;
        }
        let mut word = [0; N];
        let contents = self.segment_bytes(segment).get(usize::try_from(offset).ok()?..).unwrap_or_default();
        word.iter_mut().zip(contents).for_each(|(to, from)| *to = *from);
        Some(word)
    }

    pub(crate) fn read_u8(&self, addr: u64) -> Option<u8> {
        self.read(addr).map(u8::from_le_bytes)
    }

    pub(crate) fn read_u16(&self, addr: u64) -> Option<u16> {
        self.read(addr).map(u16::from_le_bytes)
    }

    pub(crate) fn read_u32(&self, addr: u64) -> Option<u32> {
        self.read(addr).map(u32::from_le_bytes)
    }

    /// The word at a guest address, as the program sees it when it starts.
    pub(crate) fn read_u64(&self, addr: u64) -> Option<u64> {
        let raw = self.read(addr).map(u64::from_le_bytes)?;
        let relocs = self.relocs();
        let reloc = relocs.binary_search_by_key(&addr, |reloc| reloc.addr).ok().and_then(|at| relocs.get(at));
        Some(reloc.map_or(raw, |reloc| reloc.value))
    }

    /// The Go string whose header (pointer, length) is at `addr`.
    pub(crate) fn go_string(&self, addr: u64) -> Option<&[u8]> {
        let len = usize::try_from(self.read_u64(addr.checked_add(8)?)?).ok()?;
        self.bytes(self.read_u64(addr)?, len)
    }
}

//! An executable file, whatever its format: segments, sections, relocations and symbols, and memory as it
//! would look before the program's first instruction. Knows nothing of Go.
//!
//! Every address is a *guest address*: the address that the program was linked at plus the bias.

use std::sync::OnceLock;

use crate::source::Source;
use crate::symbol::SymbolTable;
use crate::{LoadError, bytes, elf};

bitflags::bitflags! {
    /// What the guest may do with the bytes of a segment.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Perm: u8 {
        /// Read them.
        const READ = 1;
        /// Write them.
        const WRITE = 2;
        /// Execute them.
        const EXEC = 4;
    }
}

/// The operating system that a program was built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names say it")]
pub enum Os {
    Linux,
    Android,
    Darwin,
    Windows,
    FreeBsd,
    NetBsd,
    OpenBsd,
    DragonFly,
    Solaris,
    Illumos,
}

/// What a program was built for. The processor is always x86-64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Target {
    /// The operating system.
    pub os: Os,
    /// Whether the program runs at any address (`-buildmode=pie`, shared libraries).
    pub position_independent: bool,
}

/// A range of guest memory that the program starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Segment {
    /// Its first guest address, not always the start of a page.
    pub addr: u64,
    /// Its size in bytes in memory; what the file does not give is zero.
    pub mem_size: u64,
    /// Where its contents start in the file.
    pub file_offset: u64,
    /// How many bytes of contents the file has; at most `mem_size`.
    pub file_size: u64,
    /// What the guest may do with it.
    pub perm: Perm,
}

impl Segment {
    /// Whether `addr` lies inside, zeroed part included.
    pub fn contains(&self, addr: u64) -> bool {
        addr.checked_sub(self.addr).is_some_and(|offset| offset < self.mem_size)
    }
}

/// A section of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Section {
    /// Its name as the file has it: `.text`.
    pub name: String,
    /// Its guest address; none where it is not loaded (symbols, DWARF).
    pub addr: Option<u64>,
    /// Its size in bytes in memory, or in the file where it is not loaded.
    pub size: u64,
    /// Where its contents start in the file.
    pub file_offset: u64,
    /// How many bytes of contents the file has; 0 for zeroed sections like `.bss`.
    pub file_size: u64,
    /// Whether the contents are compressed and start with a compression header (ELF's `SHF_COMPRESSED`).
    pub compressed: bool,
}

/// A word that the operating system's loader writes before the program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Reloc {
    /// Guest address of the eight bytes.
    pub addr: u64,
    /// What is written there, bias included.
    pub value: u64,
}

/// What a format's reader finds in a file.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) target: Target,
    pub(crate) entry: Option<u64>,
    pub(crate) bias: u64,
    /// Sorted by address, not overlapping, inside of the file and of the address space.
    pub(crate) segments: Vec<Segment>,
    pub(crate) sections: Vec<Section>,
}

/// An executable file.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) source: Source,
    pub(crate) layout: Layout,
    relocs: OnceLock<Vec<Reloc>>,
    symbols: OnceLock<SymbolTable>,
}

impl Object {
    pub(crate) fn parse(source: Source) -> Result<Object, LoadError> {
        let layout = elf::layout(source.bytes())?;
        Ok(Object { source, layout, relocs: OnceLock::new(), symbols: OnceLock::new() })
    }

    /// Sorted by address, one for an address.
    pub(crate) fn relocs(&self) -> &[Reloc] {
        self.relocs.get_or_init(|| {
            let mut relocs = elf::relocs(self.source.bytes(), &self.layout);
            relocs.sort_by_key(|reloc| reloc.addr);
            relocs.dedup_by_key(|reloc| reloc.addr);
            relocs
        })
    }

    pub(crate) fn symbols(&self) -> &SymbolTable {
        self.symbols.get_or_init(|| elf::symbols(self.source.bytes(), &self.layout))
    }

    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.layout.sections.iter().find(|section| section.name == name)
    }

    /// The contents of a section, as the file has them.
    pub(crate) fn section_data(&self, name: &str) -> Result<&[u8], LoadError> {
        let section = self.section(name).ok_or_else(|| LoadError::NoSection { name: name.to_owned() })?;
        bytes::slice(self.source.bytes(), section.file_offset, section.file_size)
            .ok_or(LoadError::Malformed { what: "section outside of the file", offset: section.file_offset })
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

    /// From `addr` to the end of its segment's contents in the file.
    pub(crate) fn tail(&self, addr: u64) -> Option<&[u8]> {
        let segment = self.segment_at(addr)?;
        self.segment_bytes(segment).get(usize::try_from(addr.checked_sub(segment.addr)?).ok()?..)
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

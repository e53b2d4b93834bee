//! An executable file, whatever its format: segments, sections, relocations and symbols, and memory as it
//! would look before the program's first instruction. Knows nothing of Go.
//!
//! Every address is a *guest address*: the address that the program was linked at plus the bias.

use std::path::PathBuf;
use std::sync::OnceLock;

use crate::detect;
use crate::format::{self, Format};
use crate::link::{Linked, Undefined};
use crate::source::Source;
use crate::symbol::SymbolTable;
use crate::{LoadError, bytes};

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

impl Os {
    /// The system that GOOS names.
    pub(crate) fn from_goos(name: &str) -> Option<Os> {
        Some(match name {
            "linux" => Os::Linux,
            "android" => Os::Android,
            "darwin" => Os::Darwin,
            "windows" => Os::Windows,
            "freebsd" => Os::FreeBsd,
            "netbsd" => Os::NetBsd,
            "openbsd" => Os::OpenBsd,
            "dragonfly" => Os::DragonFly,
            "solaris" => Os::Solaris,
            "illumos" => Os::Illumos,
            _ => return None,
        })
    }
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

/// A word that the operating system's loader fills with an address in another file: of a C function, of a variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Import {
    /// Guest address of the eight bytes.
    pub addr: u64,
    /// What is imported: `puts`.
    pub name: String,
    /// The file that has it, where the program says so: `kernel32.dll`.
    pub library: Option<String>,
}

/// More imports than any program has; what is beyond them is not read.
pub(crate) const MAX_IMPORTS: usize = 1 << 16;

impl Import {
    pub(crate) fn new(addr: u64, name: &[u8], library: Option<&[u8]>) -> Import {
        /// Longest name that is kept; C's are far shorter.
        const MAX_NAME: usize = 256;
        let text = |name: &[u8]| bytes::text(name.get(..MAX_NAME).unwrap_or(name)).to_owned();
        Import { addr, name: text(name), library: library.map(text) }
    }
}

/// End of what the system gives a process: addresses are 47 bits wide.
pub(crate) const USER_SPACE: u64 = 1 << 47;

/// Where files that are linked at 0 are put, so that nil stays unmapped; it is also where Go links for Linux.
pub(crate) const PIE_BASE: u64 = 0x40_0000;

/// Addresses below this are kept unmapped.
pub(crate) const LOWEST: u64 = 0x1_0000;

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

impl Layout {
    /// Where the byte at a guest address is in the file.
    pub(crate) fn file_offset(&self, addr: u64) -> Option<u64> {
        let segment = self.segments.iter().find(|segment| segment.contains(addr))?;
        let offset = addr.checked_sub(segment.addr)?;
        (offset < segment.file_size).then(|| segment.file_offset.checked_add(offset))?
    }
}

impl Section {
    /// Whether this is the section that ELF calls `name`. Mach-O has `__` in place of the first dot, `_` in
    /// place of others, and cuts names at 16 bytes.
    fn is(&self, name: &str) -> bool {
        const MACHO_NAME: usize = 16;
        if self.name == name {
            return true;
        }
        let (Some(own), Some(name)) = (self.name.strip_prefix("__"), name.strip_prefix('.')) else {
            return false;
        };
        let name = name.get(..MACHO_NAME - 2).unwrap_or(name);
        own.len() == name.len()
            && own.bytes().zip(name.bytes()).all(|(a, b)| a == b || (a, b) == (b'_', b'.'))
    }
}

/// Sorts segments; fails where one is outside of the file or of the address space, or where two overlap.
pub(crate) fn checked_segments(file: &[u8], mut segments: Vec<Segment>) -> Result<Vec<Segment>, LoadError> {
    for segment in &segments {
        let malformed = |what| LoadError::Malformed { what, offset: segment.file_offset };
        bytes::check_range(file, "a loaded segment", segment.file_offset, segment.file_size)?;
        if segment.file_size > segment.mem_size {
            return Err(malformed("segment: expected no more of it in the file than in memory"));
        }
        if segment.addr.checked_add(segment.mem_size).is_none_or(|end| end > USER_SPACE) {
            return Err(malformed("segment: expected its end in the address space"));
        }
    }
    segments.sort_by_key(|segment| segment.addr);
    let overlap = segments.windows(2).find_map(|pair| match pair {
        [a, b] if a.addr + a.mem_size > b.addr => Some(b.file_offset),
        _ => None,
    });
    match overlap {
        Some(offset) => {
            Err(LoadError::Malformed { what: "segment: expected an address that no other has", offset })
        }
        None => Ok(segments),
    }
}

/// An executable file.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) source: Source,
    pub(crate) layout: Layout,
    format: &'static Format,
    /// Stand-ins for what was not there when it was linked; none in files that a linker wrote.
    pub(crate) undefined: Undefined,
    relocs: OnceLock<Vec<Reloc>>,
    imports: OnceLock<Vec<Import>>,
    symbols: OnceLock<SymbolTable>,
}

impl Object {
    pub(crate) fn parse(source: Source) -> Result<Object, LoadError> {
        let format = format::of(source.bytes())?;
        let layout = (format.layout)(source.bytes())
            .map_err(|error| detect::packed(source.bytes()).unwrap_or(error))?;
        let (undefined, relocs, imports, symbols) = Default::default();
        Ok(Object { source, layout, format, undefined, relocs, imports, symbols })
    }

    /// What was linked from object files.
    pub(crate) fn linked(linked: Linked, path: Option<PathBuf>) -> Result<Object, LoadError> {
        let Linked { bytes, layout, symbols, undefined, .. } = linked;
        let source = Source::made(bytes, path)?;
        let (relocs, imports) = Default::default();
        let symbols = OnceLock::from(symbols);
        Ok(Object { source, layout, format: &format::LINKED, undefined, relocs, imports, symbols })
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

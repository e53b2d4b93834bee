//! What a file says of memory: segments, sections, relocations, imports, and the program's target. Plain data, filled
//! in by the readers of the formats.
//!
//! Every address is a *guest address*: the address that the program was linked at plus the bias.

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

/// Where a file is put in memory, and how its bytes lie in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Where it was linked, if that can be.
    #[default]
    Linked,
    /// With its lowest address here.
    Moved(u64),
    /// It is a dump: memory as a process had it, the system's loader's work done. Its first byte was here, or where the
    /// headers say.
    Dumped(Option<u64>),
}

impl Placement {
    pub(crate) fn is_dump(self) -> bool {
        matches!(self, Placement::Dumped(_))
    }

    /// The lowest address of a file that is linked from `linked` on, and is put at `usual`.
    pub(crate) fn base(self, linked: u64, usual: u64, movable: bool) -> Result<u64, LoadError> {
        match self {
            Placement::Linked => Ok(usual),
            Placement::Dumped(base) => Ok(base.unwrap_or(linked)),
            Placement::Moved(base) if base == linked => Ok(base),
            Placement::Moved(base) if !movable => Err(LoadError::NotMovable { linked, base }),
            Placement::Moved(base) if base.is_multiple_of(PAGE) => Ok(base),
            Placement::Moved(base) => Err(LoadError::OddBase { base }),
        }
    }
}

/// Size of a page of guest memory.
pub(crate) const PAGE: u64 = 0x1000;

/// What a format's reader finds in a file.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) target: Target,
    pub(crate) entry: Option<u64>,
    pub(crate) bias: u64,
    /// Where the file's first byte is, or would be if it was loaded.
    pub(crate) base: u64,
    /// Whether words in the file are as the system's loader left them: the file is a dump.
    pub(crate) relocated: bool,
    /// Sorted by address, not overlapping, inside of the file and of the address space.
    pub(crate) segments: Vec<Segment>,
    pub(crate) sections: Vec<Section>,
    /// What is unusual about the file, though it can be loaded: a sentence each.
    pub(crate) remarks: Vec<String>,
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
    pub(crate) fn is(&self, name: &str) -> bool {
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

/// What is said of sections that are left out because they lie outside of the file.
pub(crate) fn left_out(outside: &[Section]) -> Vec<String> {
    let first = outside.first().map(|first| {
        format!(
            "sections lie outside of the file and are left out ({} of them, {:?} first); the file may be truncated",
            outside.len(),
            first.name
        )
    });
    first.into_iter().collect()
}

/// Leaves out the page at address 0, which has headers only: reading through nil has to fail.
pub(crate) fn without_nil(segments: Vec<Segment>) -> Vec<Segment> {
    let above = |segment: Segment| {
        let below = PAGE.saturating_sub(segment.addr);
        let mem_size = segment.mem_size.checked_sub(below).filter(|size| *size > 0)?;
        let in_file = below.min(segment.file_size);
        Some(Segment {
            addr: segment.addr + below,
            mem_size,
            file_offset: segment.file_offset.saturating_add(in_file),
            file_size: segment.file_size - in_file,
            perm: segment.perm,
        })
    };
    segments.into_iter().filter_map(above).collect()
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

/// An array in the program's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// Guest address of its first element.
    pub addr: u64,
    /// Number of elements.
    pub len: u64,
}

/// A range of guest addresses, end excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Span {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
}

impl Span {
    /// Whether `addr` lies inside.
    pub fn contains(&self, addr: u64) -> bool {
        (self.start..self.end).contains(&addr)
    }
}

/// Whether a file is larger than its memory, and has nothing but zeros from where its contents end: somebody added them.
pub(crate) fn is_padded(file: &[u8], contents: u64, [loaded, memory]: [u64; 2]) -> bool {
    let ends = usize::try_from(contents).ok().filter(|end| *end <= file.len());
    let larger = memory.checked_next_multiple_of(PAGE).is_some_and(|memory| file.len() as u64 > memory);
    let Some((before, after)) = ends.filter(|_| larger).map(|end| file.split_at(end)) else { return false };
    // What lies after all that is loaded was not in memory, where there would be something else.
    let is_there = || before.iter().rev().take(PAGE as usize).any(|byte| *byte != 0);
    (contents <= loaded || is_there()) && after.iter().all(|byte| *byte == 0)
}

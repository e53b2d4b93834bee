//! Mach-O files (macOS), the x86-64 part of universal files included.
//!
//! The file is a header and *load commands*. Addresses in the commands are those that the file is linked at; its
//! offsets count from the start of the x86-64 part.

mod fixups;
#[cfg(test)]
mod tests;

use goblin::mach::constants::{
    S_ATTR_PURE_INSTRUCTIONS, S_GB_ZEROFILL, S_LAZY_SYMBOL_POINTERS, S_NON_LAZY_SYMBOL_POINTERS,
    S_THREAD_LOCAL_ZEROFILL, S_ZEROFILL, SECTION_TYPE,
};
use goblin::mach::header as h;
use goblin::mach::load_command as lc;
use goblin::mach::symbols::{N_SECT, N_STAB, N_TYPE};

use crate::layout::{
    self, Import, LOWEST, Layout, MAX_IMPORTS, Os, PAGE, PIE_BASE, Perm, Placement, Reloc, Section, Segment,
    Target,
};
use crate::symbol::{Entry, SymbolKind, SymbolTable};
use crate::{LoadError, bytes};

const HEADER: u64 = 32;
const SEGMENT_COMMAND: u64 = 72;
const SECTION: u64 = 80;
const SYMBOL: u64 = 16;
/// More load commands than any file has.
const MAX_COMMANDS: u32 = 1 << 12;

/// The x86-64 part of a file: its bytes, and where they start in the file.
#[derive(Clone, Copy)]
struct Thin<'f> {
    file: &'f [u8],
    base: u64,
}

/// One load command.
#[derive(Clone, Copy)]
struct Command<'f> {
    kind: u32,
    /// The command itself, these eight bytes included.
    bytes: &'f [u8],
    /// Where it is in the part.
    offset: u64,
}

/// A segment as its command has it.
struct RawSegment<'f> {
    name: &'f str,
    addr: u64,
    mem_size: u64,
    file_offset: u64,
    file_size: u64,
    prot: u32,
    command: Command<'f>,
}

/// A section as its segment's command has it.
#[derive(Clone, Copy)]
struct RawSection<'f> {
    name: &'f str,
    segment: &'f str,
    addr: u64,
    size: u64,
    file_offset: u64,
    flags: u32,
    /// For sections of pointers to imports: index of the first in the table of indirect symbols.
    reserved1: u32,
}

/// Reads the headers.
pub(crate) fn layout(file: &[u8], placement: Placement) -> Result<Layout, LoadError> {
    if placement.is_dump() {
        return Err(LoadError::UnsupportedFormat { format: "dumps of Mach-O".to_owned() });
    }
    let thin = thin(file)?;
    let header = header(thin)?;
    let commands = commands(thin)?;
    let raw = raw_segments(&commands)?;
    for segment in &raw {
        // Those that are not loaded as well: symbols and debug information would be missing.
        let what = format!("segment {}", segment.name);
        bytes::check_range(thin.file, &what, segment.file_offset, segment.file_size)?;
    }
    let loaded = || raw.iter().filter(|segment| segment.is_loaded());
    let linked = loaded().map(|segment| segment.addr).min().unwrap_or(LOWEST);
    let usual = if linked < LOWEST { linked + PIE_BASE } else { linked };
    let base = placement.base(linked, usual, header.position_independent)?;
    let bias = base.wrapping_sub(linked);
    let segments = loaded().map(|segment| segment.segment(thin, bias)).collect::<Result<_, _>>()?;
    let all = raw.iter().flat_map(RawSegment::sections).map(|section| section.section(thin, bias));
    // The system looks at segments only.
    let (sections, outside): (Vec<_>, Vec<_>) =
        all.partition(|s| bytes::check_range(file, "section", s.file_offset, s.file_size).is_ok());
    let remarks = layout::left_out(&outside);
    Ok(Layout {
        target: Target { os: Os::Darwin, position_independent: header.position_independent },
        entry: entry(&commands, &raw).map(|entry| entry.wrapping_add(bias)),
        bias,
        base,
        relocated: false,
        segments: layout::checked_segments(file, layout::without_nil(segments))?,
        sections,
        remarks,
    })
}

/// Whether a file is a dump with all segments in place: its last segment does not reach to its end, it is a number of
/// pages, and has room for zeroed variables.
pub(crate) fn is_dump(file: &[u8]) -> bool {
    let len = file.len() as u64;
    let is_macho = len.is_multiple_of(PAGE) && bytes::u32(file, 0) == Some(h::MH_MAGIC_64);
    let Some(parsed) = Parsed::of(file).filter(|_| is_macho) else { return false };
    let loaded = || parsed.segments.iter().filter(|segment| segment.is_loaded());
    let start = loaded().map(|segment| segment.addr).min().unwrap_or(0);
    let end = loaded().map(|segment| segment.addr.saturating_add(segment.mem_size)).max().unwrap_or(0);
    let in_place = loaded().all(|s| s.file_size == 0 || s.addr.wrapping_sub(start) == s.file_offset);
    let zeroed = loaded().any(|s| s.mem_size > s.file_size.saturating_add(PAGE));
    let last = parsed.segments.iter().map(|s| s.file_offset.saturating_add(s.file_size)).max().unwrap_or(0);
    let whole = (len.saturating_sub(PAGE)..=len).contains(&last)
        || layout::is_padded(file, last, [0, end.saturating_sub(start)]);
    in_place && zeroed && !whole && len >= end.saturating_sub(start)
}

/// The x86-64 part of a file.
fn thin(file: &[u8]) -> Result<Thin<'_>, LoadError> {
    let magic = bytes::u32(file, 0).map(u32::from_be);
    let entry_size = match magic {
        Some(goblin::mach::fat::FAT_MAGIC) => 20,
        Some(FAT_MAGIC_64) => 32,
        _ => return Ok(Thin { file, base: 0 }),
    };
    let count = bytes::u32(file, 4).map_or(0, u32::from_be);
    bytes::check_range(file, "list of architectures", 8, u64::from(count) * entry_size)?;
    let mut others = Vec::new();
    for entry in (0..u64::from(count)).map(|index| 8 + index * entry_size) {
        let word = |offset: u64| bytes::u32(file, entry + offset).map_or(0, u32::from_be);
        let long = |offset: u64| u64::from(word(offset)) << 32 | u64::from(word(offset + 4));
        if word(0) != goblin::mach::cputype::CPU_TYPE_X86_64 {
            others.push(arch_name(word(0)));
            continue;
        }
        let (offset, size) =
            if entry_size == 32 { (long(8), long(16)) } else { (word(8).into(), word(12).into()) };
        bytes::check_range(file, "the x86-64 part of a universal file", offset, size)?;
        let part = bytes::slice(file, offset, size).unwrap_or_default();
        return Ok(Thin { file: part, base: offset });
    }
    if others.is_empty() {
        return Err(LoadError::Malformed { what: "universal file: expected a part", offset: 4 });
    }
    Err(LoadError::WrongArch { arch: others.join(", ") })
}

/// Magic number of universal files whose offsets have 64 bits.
const FAT_MAGIC_64: u32 = 0xcafe_babf;

/// The GOARCH of a type of processor, or its number.
fn arch_name(cpu: u32) -> String {
    use goblin::mach::cputype as cpu_type;
    let name = match cpu {
        cpu_type::CPU_TYPE_ARM64 => "arm64",
        cpu_type::CPU_TYPE_ARM => "arm",
        cpu_type::CPU_TYPE_X86 => "386",
        cpu_type::CPU_TYPE_POWERPC => "ppc",
        cpu_type::CPU_TYPE_POWERPC64 => "ppc64",
        _ => return format!("Mach-O processor {cpu:#x}"),
    };
    name.to_owned()
}

/// What the header says.
struct Header {
    commands: u32,
    commands_size: u32,
    position_independent: bool,
}

fn header(thin: Thin<'_>) -> Result<Header, LoadError> {
    let Thin { file, base } = thin;
    let at = |what, offset| LoadError::Malformed { what, offset: base + offset };
    bytes::check_range(file, "Mach-O header", 0, HEADER)?;
    let word = |offset| bytes::u32(file, offset).unwrap_or_default();
    match word(0) {
        h::MH_MAGIC_64 | h::MH_MAGIC => {}
        h::MH_CIGAM_64 | h::MH_CIGAM => {
            return Err(LoadError::WrongArch { arch: arch_name(word(4).swap_bytes()) });
        }
        _ => return Err(at("part of a universal file: expected a Mach-O header", 0)),
    }
    if word(4) != goblin::mach::cputype::CPU_TYPE_X86_64 || word(0) != h::MH_MAGIC_64 {
        return Err(LoadError::WrongArch { arch: arch_name(word(4)) });
    }
    let (kind, flags) = (word(12), word(24));
    let unsupported = |format: &str| Err(LoadError::UnsupportedFormat { format: format.to_owned() });
    match kind {
        h::MH_EXECUTE | h::MH_DYLIB | h::MH_BUNDLE => {}
        h::MH_OBJECT => return unsupported("relocatable Mach-O (.o)"),
        h::MH_CORE => return unsupported("Mach-O core dump"),
        h::MH_DSYM => return unsupported("Mach-O debug information (dSYM)"),
        _ => return Err(at("file type: expected an executable, a dylib or a bundle", 12)),
    }
    let position_independent = kind != h::MH_EXECUTE || flags & h::MH_PIE != 0;
    Ok(Header { commands: word(16), commands_size: word(20), position_independent })
}

fn commands(thin: Thin<'_>) -> Result<Vec<Command<'_>>, LoadError> {
    let header = header(thin)?;
    let at = |what, offset| LoadError::Malformed { what, offset: thin.base + offset };
    bytes::check_range(thin.file, "load commands", HEADER, header.commands_size.into())?;
    if header.commands > MAX_COMMANDS {
        return Err(at("number of load commands: expected 4096 at most", 16));
    }
    let end = HEADER + u64::from(header.commands_size);
    let mut offset = HEADER;
    let mut commands = Vec::new();
    for _ in 0..header.commands {
        let (kind, size) = bytes::u32(thin.file, offset)
            .zip(bytes::u32(thin.file, offset + 4))
            .ok_or_else(|| at("load command: expected it before the end of all", offset))?;
        let size = u64::from(size);
        if size < 8 || offset + size > end {
            return Err(at(
                "size of a load command: expected eight bytes or more, inside of all commands",
                offset + 4,
            ));
        }
        let bytes = bytes::slice(thin.file, offset, size).unwrap_or_default();
        commands.push(Command { kind, bytes, offset });
        offset += size;
    }
    let encrypted = commands.iter().find(|command| {
        command.kind == lc::LC_ENCRYPTION_INFO_64 && bytes::u32(command.bytes, 16).is_some_and(|id| id != 0)
    });
    match encrypted {
        Some(_) => Err(LoadError::UnsupportedFormat { format: "encrypted Mach-O".to_owned() }),
        None => Ok(commands),
    }
}

/// The text in a field of 16 bytes.
fn name16(bytes: &[u8], offset: u64) -> &str {
    let field = bytes::slice(bytes, offset, 16).unwrap_or_default();
    bytes::text(field.split(|byte| *byte == 0).next().unwrap_or_default())
}

fn raw_segments<'f>(commands: &[Command<'f>]) -> Result<Vec<RawSegment<'f>>, LoadError> {
    let segments = commands.iter().filter(|command| command.kind == lc::LC_SEGMENT_64);
    segments
        .map(|command| {
            let bytes = command.bytes;
            let word = |offset| bytes::u64(bytes, offset).unwrap_or_default();
            let sections = u64::from(bytes::u32(bytes, 64).unwrap_or_default());
            if SEGMENT_COMMAND + sections * SECTION > bytes.len() as u64 {
                return Err(LoadError::Malformed {
                    what: "segment command: expected room for its sections",
                    offset: command.offset,
                });
            }
            Ok(RawSegment {
                name: name16(bytes, 8),
                addr: word(24),
                mem_size: word(32),
                file_offset: word(40),
                file_size: word(48),
                prot: bytes::u32(bytes, 60).unwrap_or_default(),
                command: *command,
            })
        })
        .collect()
}

impl<'f> RawSegment<'f> {
    /// Whether the program sees it, and might want to: tables for the system's loader and debug information
    /// are left out.
    fn is_loaded(&self) -> bool {
        self.prot & 7 != 0 && self.mem_size > 0 && !matches!(self.name, "__LINKEDIT" | "__DWARF")
    }

    fn segment(&self, thin: Thin<'_>, bias: u64) -> Result<Segment, LoadError> {
        let Some(file_offset) = self.file_offset.checked_add(thin.base) else {
            let what = "file offset of a segment: expected one below 2^64";
            return Err(LoadError::Malformed { what, offset: thin.base + self.command.offset });
        };
        Ok(Segment {
            addr: self.addr.wrapping_add(bias),
            mem_size: self.mem_size,
            file_offset,
            file_size: self.file_size,
            perm: Perm::from_bits_truncate((self.prot & 7) as u8),
        })
    }

    fn sections(&self) -> Vec<RawSection<'f>> {
        let bytes = self.command.bytes;
        let count = u64::from(bytes::u32(bytes, 64).unwrap_or_default());
        let section = |index: u64| {
            let at = SEGMENT_COMMAND + index * SECTION;
            let word = |offset| bytes::u32(bytes, at + offset).unwrap_or_default();
            RawSection {
                name: name16(bytes, at),
                segment: self.name,
                addr: bytes::u64(bytes, at + 32).unwrap_or_default(),
                size: bytes::u64(bytes, at + 40).unwrap_or_default(),
                file_offset: word(48).into(),
                flags: word(64),
                reserved1: word(68),
            }
        };
        (0..count).map(section).collect()
    }
}

impl RawSection<'_> {
    fn section(&self, thin: Thin<'_>, bias: u64) -> Section {
        let zeroed = matches!(self.kind(), S_ZEROFILL | S_GB_ZEROFILL | S_THREAD_LOCAL_ZEROFILL);
        let file_size = if zeroed { 0 } else { self.size };
        Section {
            name: self.name.to_owned(),
            addr: (self.segment != "__DWARF").then(|| self.addr.wrapping_add(bias)),
            size: self.size,
            file_offset: if zeroed { 0 } else { self.file_offset.saturating_add(thin.base) },
            file_size,
            compressed: false,
        }
    }

    fn kind(&self) -> u32 {
        self.flags & SECTION_TYPE
    }
}

/// Where the system would start the program: as an offset in `__TEXT`, or in the registers of its first thread.
fn entry(commands: &[Command<'_>], segments: &[RawSegment<'_>]) -> Option<u64> {
    /// Flavour, count, then sixteen registers before RIP.
    const RIP: u64 = 8 + 8 + 16 * 8;
    commands.iter().find_map(|command| match command.kind {
        lc::LC_MAIN => {
            let text = segments.iter().find(|segment| segment.name == "__TEXT")?;
            text.addr.checked_add(bytes::u64(command.bytes, 8)?)
        }
        lc::LC_UNIXTHREAD => bytes::u64(command.bytes, RIP),
        _ => None,
    })
}

/// Everything again that was read for the layout, for what is asked for later.
struct Parsed<'f> {
    thin: Thin<'f>,
    commands: Vec<Command<'f>>,
    segments: Vec<RawSegment<'f>>,
}

impl<'f> Parsed<'f> {
    fn of(file: &'f [u8]) -> Option<Parsed<'f>> {
        let thin = thin(file).ok()?;
        let commands = commands(thin).ok()?;
        let segments = raw_segments(&commands).ok()?;
        Some(Parsed { thin, commands, segments })
    }

    /// The first command of a kind.
    fn command(&self, kinds: &[u32]) -> Option<&'f [u8]> {
        self.commands.iter().find(|command| kinds.contains(&command.kind)).map(|command| command.bytes)
    }

    /// The bytes whose offset and size stand in a command.
    fn data(&self, command: &[u8], offset: u64, size: u64) -> Option<&'f [u8]> {
        bytes::slice(self.thin.file, bytes::u32(command, offset)?.into(), bytes::u32(command, size)?.into())
    }

    fn sections(&self) -> Vec<RawSection<'f>> {
        self.segments.iter().flat_map(RawSegment::sections).collect()
    }

    /// The table of symbols and their names.
    fn symbols(&self) -> Option<(&'f [u8], &'f [u8])> {
        let command = self.command(&[lc::LC_SYMTAB])?;
        let size = u64::from(bytes::u32(command, 12)?).checked_mul(SYMBOL)?;
        let table = bytes::slice(self.thin.file, bytes::u32(command, 8)?.into(), size)?;
        Some((table, self.data(command, 16, 20)?))
    }
}

/// The symbol table; empty where the file has none.
pub(crate) fn symbols(file: &[u8], layout: &Layout) -> SymbolTable {
    symbol_table(file, layout).unwrap_or_default()
}

fn symbol_table(file: &[u8], layout: &Layout) -> Option<SymbolTable> {
    let parsed = Parsed::of(file)?;
    let (table, names) = parsed.symbols()?;
    let sections = parsed.sections();
    let entry = |symbol: &[u8]| {
        let (kind, section) = (bytes::u8(symbol, 4)?, bytes::u8(symbol, 5)?);
        if kind & N_STAB != 0 || kind & N_TYPE != N_SECT {
            return None;
        }
        let section = sections.get(usize::from(section).checked_sub(1)?)?;
        let name = bytes::u32(symbol, 0)?;
        Some(Entry {
            name: name.checked_add(u32::from(has_underscore(names, name)))?,
            name_width: None,
            kind: if section.is_code() { SymbolKind::Func } else { SymbolKind::Data },
            addr: bytes::u64(symbol, 8)?.wrapping_add(layout.bias),
            size: 0,
        })
    };
    let entries = table.chunks_exact(SYMBOL as usize).filter_map(entry).collect();
    let start = usize::try_from(bytes::u32(parsed.command(&[lc::LC_SYMTAB])?, 16)?).ok()?;
    let start = start.checked_add(usize::try_from(parsed.thin.base).ok()?)?;
    let span = |section: &RawSection<'_>| {
        let addr = section.addr.wrapping_add(layout.bias);
        (addr, addr.saturating_add(section.size))
    };
    let spans: Vec<_> = sections.iter().map(span).collect();
    Some(SymbolTable::with_inferred_sizes(file, start..start.checked_add(names.len())?, entries, &spans))
}

impl RawSection<'_> {
    fn is_code(&self) -> bool {
        self.flags & S_ATTR_PURE_INSTRUCTIONS != 0 || self.name == "__text"
    }
}

/// Whether a name starts with the `_` that C compilers put before names on macOS. Go's linker writes `main.f1`,
/// Apple's `_main.f1`. Go itself has names that start so: of packages that were built by their path, `_/tmp/x.f`.
fn has_underscore(names: &[u8], name: u32) -> bool {
    let start = bytes::slice(names, name.into(), 2);
    start.is_some_and(|start| start[0] == b'_' && start[1] != b'/')
}

/// The words that dyld would write, in no order.
pub(crate) fn relocs(file: &[u8], layout: &Layout) -> Vec<Reloc> {
    Parsed::of(file).map(|parsed| fixups::relocs(&parsed, layout)).unwrap_or_default()
}

/// The words that dyld would fill from other files, in no order.
pub(crate) fn imports(file: &[u8], layout: &Layout) -> Vec<Import> {
    let Some(parsed) = Parsed::of(file) else { return Vec::new() };
    let mut imports = fixups::imports(&parsed, layout);
    imports.extend(indirect(&parsed, layout).unwrap_or_default());
    imports
}

/// The sections of pointers to imports, whose symbols the table of indirect symbols names one by one.
fn indirect(parsed: &Parsed<'_>, layout: &Layout) -> Option<Vec<Import>> {
    let dysymtab = parsed.command(&[lc::LC_DYSYMTAB])?;
    let (offset, count) = (bytes::u32(dysymtab, 56)?, bytes::u32(dysymtab, 60)?);
    let table = bytes::slice(parsed.thin.file, offset.into(), u64::from(count) * 4)?;
    let (symbols, names) = parsed.symbols()?;
    let sections = parsed.sections();
    let pointers = sections
        .iter()
        .filter(|section| matches!(section.kind(), S_LAZY_SYMBOL_POINTERS | S_NON_LAZY_SYMBOL_POINTERS));
    let slots = pointers.flat_map(|section| {
        let count = (section.size / 8).min(count.into());
        (0..count)
            .map(move |index| (section.addr.wrapping_add(8 * index), u64::from(section.reserved1) + index))
    });
    let import = |(addr, index): (u64, u64)| {
        let symbol = u64::from(bytes::u32(table, index.checked_mul(4)?)?) * SYMBOL;
        // Those that are local to the file are marked by numbers that no symbol has.
        if bytes::u8(symbols, symbol.checked_add(4)?)? & N_TYPE != 0 {
            return None;
        }
        let name = bytes::cstr(names, bytes::u32(symbols, symbol)?.into())?;
        Some(Import::new(addr.wrapping_add(layout.bias), c_name(name), None))
    };
    Some(slots.filter_map(import).take(MAX_IMPORTS).collect())
}

/// A name as C has it.
fn c_name(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"_").unwrap_or(name)
}

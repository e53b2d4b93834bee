//! ELF files. The only user of goblin's ELF reader.

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::{self as ph, ProgramHeader};
use goblin::elf::reloc as r;
use goblin::elf::section_header::{self as sh, SectionHeader};
use goblin::elf::sym::{self, Symtab};
use goblin::elf::{Elf, Reloc as Rela, RelocSection, Sym};

use crate::layout::{
    self, Import, LOWEST, Layout, MAX_IMPORTS, Os, PAGE, PIE_BASE, Perm, Placement, Reloc, Section, Segment,
    Target,
};
use crate::symbol::{Entry, SymbolKind, SymbolTable};
use crate::{LoadError, bytes};

/// The section in which gccgo says what a package exports.
const GO_EXPORT: &[u8] = b".go_export\0";
const CTX: Ctx = Ctx { container: Container::Big, le: Endian::Little };

/// Size of a program header, and where the ELF header tells it.
const PHDR: usize = ph::program_header64::SIZEOF_PHDR;
const PHENTSIZE: u64 = 54;

/// Longest section name that is kept; Go's and C's are far shorter.
const MAX_SECTION_NAME: usize = 256;

/// Reads the headers.
pub(crate) fn layout(file: &[u8], placement: Placement) -> Result<Layout, LoadError> {
    let header = parse_header(file)?;
    let headers = program_headers(file, &header)?;
    let position_independent = header.e_type == header::ET_DYN;
    let linked = lowest(&headers);
    let usual = if position_independent && linked < LOWEST { linked + PIE_BASE } else { linked };
    let base = placement.base(linked, usual, position_independent)?;
    let bias = base.wrapping_sub(linked);
    let loaded = headers.iter().filter(|p| p.p_type == ph::PT_LOAD && p.p_memsz > 0);
    let mut segments: Vec<Segment> = loaded.map(|p| segment(p, bias)).collect();
    if placement.is_dump() {
        segments = segments.into_iter().map(|segment| dumped(segment, base, file)).collect();
    }
    let segments = layout::without_nil(segments);
    let segments = layout::checked_segments(file, segments)?;
    let mut remarks = Vec::new();
    // Section headers are not loaded, so a dump has none.
    let sections = if placement.is_dump() { Vec::new() } else { sections(file, &header, bias, &mut remarks) };
    let entry = (header.e_entry != 0).then(|| header.e_entry.wrapping_add(bias));
    let os = os(file, &header, &headers);
    Ok(Layout {
        target: Target { os, position_independent },
        entry,
        bias,
        base,
        relocated: placement.is_dump(),
        segments,
        sections,
        remarks,
    })
}

/// The lowest address that is loaded, at the start of its page.
fn lowest(headers: &[ProgramHeader]) -> u64 {
    let loaded = headers.iter().filter(|p| p.p_type == ph::PT_LOAD);
    loaded.map(|p| p.p_vaddr).min().unwrap_or(0) / PAGE * PAGE
}

/// A segment of a dump, which lies in the file as it lay in memory.
fn dumped(segment: Segment, base: u64, file: &[u8]) -> Segment {
    let file_offset = segment.addr.wrapping_sub(base);
    let left = (file.len() as u64).saturating_sub(file_offset);
    Segment {
        file_offset: file_offset.min(file.len() as u64),
        file_size: segment.mem_size.min(left),
        ..segment
    }
}

/// Whether a file is a dump by its headers: all segments are in place or it is as large as their memory, its sections do not reach to its end,
/// it is a number of pages, and has room for zeroed variables. A file that zeros were added to is none.
pub(crate) fn is_dump(file: &[u8]) -> bool {
    let len = file.len() as u64;
    let Some(header) = parse_header(file).ok().filter(|_| len.is_multiple_of(PAGE)) else { return false };
    let Ok(headers) = program_headers(file, &header) else { return false };
    let loaded = || headers.iter().filter(|p| p.p_type == ph::PT_LOAD && p.p_memsz > 0);
    let start = lowest(&headers);
    let end = loaded().map(|p| p.p_vaddr.saturating_add(p.p_memsz)).max().unwrap_or(0).max(start);
    let in_place = loaded().all(|p| p.p_vaddr.wrapping_sub(start) == p.p_offset);
    // Or there is neither less nor more than memory had: files lack what is zero.
    let whole = len == end.saturating_sub(start).checked_next_multiple_of(PAGE).unwrap_or(0);
    let zeroed = loaded().any(|p| p.p_memsz > p.p_filesz.saturating_add(PAGE));
    // Go writes section headers where they are loaded. Those of a program's file reach to its end.
    let sections = section_headers(file, &header).unwrap_or_default();
    let in_file = sections.iter().filter(|s| s.sh_type != sh::SHT_NOBITS);
    let last = in_file.map(|s| s.sh_offset.saturating_add(s.sh_size)).max().unwrap_or(0);
    let table = header.e_shoff.saturating_add(u64::from(header.e_shnum) * 64);
    let last = last.max(table);
    let backed = loaded().map(|p| p.p_offset.saturating_add(p.p_filesz)).max().unwrap_or(0);
    let has_sections = !sections.is_empty()
        && ((len.saturating_sub(PAGE)..=len).contains(&last)
            || layout::is_padded(file, last, [backed, end - start]));
    (in_place || whole) && zeroed && !has_sections && len >= end.saturating_sub(start)
}

fn parse_header(file: &[u8]) -> Result<Header, LoadError> {
    let too_short = || truncated(file, "ELF header", header::header64::SIZEOF_EHDR as u64);
    let class = *file.get(header::EI_CLASS).ok_or_else(too_short)?;
    let encoding = *file.get(header::EI_DATA).ok_or_else(too_short)?;
    // e_machine stands in the same place in all classes.
    let machine = bytes::u16(file, 18).ok_or_else(too_short)?;
    if machine != header::EM_X86_64 {
        let machine = if encoding == header::ELFDATA2MSB { machine.swap_bytes() } else { machine };
        return Err(LoadError::WrongArch { arch: arch_name(machine) });
    }
    let mut start = *file.first_chunk::<{ header::header64::SIZEOF_EHDR }>().ok_or_else(too_short)?;
    if class == header::ELFCLASS32 && bytes::u16(&start, PHENTSIZE) != Some(PHDR as u16) {
        return Err(LoadError::WrongArch { arch: "x86-64 with addresses of 32 bits (x32)".to_owned() });
    }
    // Linux looks at neither of these, and files that are to hide from analysis have them wrong.
    start[header::EI_CLASS] = header::ELFCLASS64;
    start[header::EI_DATA] = header::ELFDATA2LSB;
    let header = Elf::parse_header(&start).map_err(|_| too_short())?;
    match header.e_type {
        header::ET_EXEC | header::ET_DYN => Ok(header),
        // An object of gccgo has its exported names there, and linking it gives no program that can be read.
        header::ET_REL if file.windows(GO_EXPORT.len()).any(|part| part == GO_EXPORT) => {
            Err(LoadError::OtherCompiler { compiler: "gccgo" })
        }
        header::ET_REL => Err(LoadError::UnsupportedFormat { format: "relocatable ELF (.o)".to_owned() }),
        header::ET_CORE => Err(LoadError::UnsupportedFormat { format: "core dump".to_owned() }),
        _ => Err(LoadError::Malformed {
            what: "file type: expected an executable or a shared object",
            offset: 16,
        }),
    }
}

/// The GOARCH of an ELF machine number, or its number.
fn arch_name(machine: u16) -> String {
    let name = match machine {
        header::EM_386 => "386",
        header::EM_AARCH64 => "arm64",
        header::EM_ARM => "arm",
        header::EM_MIPS => "mips",
        header::EM_PPC64 => "ppc64",
        header::EM_RISCV => "riscv64",
        header::EM_S390 => "s390x",
        258 => "loong64",
        _ => return format!("ELF machine {machine}"),
    };
    name.to_owned()
}

fn truncated(file: &[u8], what: &str, end: u64) -> LoadError {
    LoadError::Truncated { what: what.to_owned(), end, len: file.len() as u64 }
}

fn program_headers(file: &[u8], header: &Header) -> Result<Vec<ProgramHeader>, LoadError> {
    let (offset, count) = (header.e_phoff, header.e_phnum);
    let malformed =
        LoadError::Malformed { what: "program header table: expected entries of 56 bytes", offset };
    if count > 0 && usize::from(header.e_phentsize) != PHDR {
        return Err(malformed);
    }
    let size = u64::from(count) * PHDR as u64;
    bytes::check_range(file, "program header table", offset, size)?;
    ProgramHeader::parse(file, offset as usize, count.into(), CTX).map_err(|_| malformed)
}

fn segment(p: &ProgramHeader, bias: u64) -> Segment {
    Segment {
        addr: p.p_vaddr.wrapping_add(bias),
        mem_size: p.p_memsz,
        file_offset: p.p_offset,
        file_size: p.p_filesz,
        perm: perm(p.p_flags),
    }
}

fn perm(flags: u32) -> Perm {
    [(ph::PF_R, Perm::READ), (ph::PF_W, Perm::WRITE), (ph::PF_X, Perm::EXEC)]
        .into_iter()
        .filter(|(flag, _)| flags & flag != 0)
        .map(|(_, perm)| perm)
        .collect()
}

/// The section headers; none where the file has no table of them.
fn section_headers(file: &[u8], header: &Header) -> Result<Vec<SectionHeader>, LoadError> {
    let (offset, count) = (header.e_shoff, header.e_shnum);
    if offset == 0 || count == 0 || usize::from(header.e_shentsize) != sh::section_header64::SIZEOF_SHDR {
        return Ok(Vec::new());
    }
    let size = u64::from(count) * sh::section_header64::SIZEOF_SHDR as u64;
    bytes::check_range(file, "section header table", offset, size)?;
    SectionHeader::parse(file, offset as usize, count.into(), CTX).map_err(|_| LoadError::Malformed {
        what: "section header table: expected entries of 64 bytes",
        offset,
    })
}

/// The sections. Nothing that runs a program needs them: those that lie outside of the file are left out.
fn sections(file: &[u8], header: &Header, bias: u64, remarks: &mut Vec<String>) -> Vec<Section> {
    let headers = section_headers(file, header).unwrap_or_else(|_| {
        remarks.push(format!(
            "its section table, at {:#x}, lies outside of the file, which has {:#x} bytes: sections, symbols and debug \
             information are missing; the file may be truncated",
            header.e_shoff,
            file.len()
        ));
        Vec::new()
    });
    let names = headers.get(usize::from(header.e_shstrndx)).filter(|s| s.sh_type == sh::SHT_STRTAB);
    let names = names.and_then(|s| bytes::slice(file, s.sh_offset, s.sh_size)).unwrap_or_default();
    let all = headers.iter().filter(|s| s.sh_type != sh::SHT_NULL).map(|s| section(s, names, bias));
    let (inside, outside): (Vec<_>, Vec<_>) =
        all.partition(|s| bytes::check_range(file, "section", s.file_offset, s.file_size).is_ok());
    remarks.extend(layout::left_out(&outside));
    inside
}

fn section(s: &SectionHeader, names: &[u8], bias: u64) -> Section {
    let name = bytes::cstr(names, s.sh_name as u64).unwrap_or_default();
    let loaded = s.sh_flags & u64::from(sh::SHF_ALLOC) != 0;
    let zeroed = s.sh_type == sh::SHT_NOBITS;
    Section {
        name: bytes::text(name.get(..MAX_SECTION_NAME).unwrap_or(name)).to_owned(),
        addr: loaded.then(|| s.sh_addr.wrapping_add(bias)),
        size: s.sh_size,
        file_offset: if zeroed { 0 } else { s.sh_offset },
        file_size: if zeroed { 0 } else { s.sh_size },
        compressed: s.sh_flags & u64::from(sh::SHF_COMPRESSED) != 0,
    }
}

/// The operating system by the ABI byte, the note and the dynamic linker that Go writes for each.
fn os(file: &[u8], header: &Header, headers: &[ProgramHeader]) -> Os {
    let interpreter = headers.iter().find(|p| p.p_type == ph::PT_INTERP);
    let interpreter = interpreter.and_then(|p| bytes::slice(file, p.p_offset, p.p_filesz));
    let interpreter = interpreter.map_or("", |path| bytes::text(path.strip_suffix(b"\0").unwrap_or(path)));
    let note = headers.iter().filter(|p| p.p_type == ph::PT_NOTE);
    let note = note.filter_map(|p| bytes::slice(file, p.p_offset, p.p_filesz.min(64)));
    let noted = |name: &[u8]| note.clone().any(|note| note.get(12..).is_some_and(|n| n.starts_with(name)));
    match header.e_ident.get(header::EI_OSABI).copied() {
        Some(header::ELFOSABI_FREEBSD) => Os::FreeBsd,
        Some(header::ELFOSABI_NETBSD) => Os::NetBsd,
        Some(header::ELFOSABI_OPENBSD) => Os::OpenBsd,
        Some(header::ELFOSABI_SOLARIS) => Os::Solaris,
        _ if noted(b"NetBSD\0") => Os::NetBsd,
        _ if noted(b"OpenBSD\0") => Os::OpenBsd,
        _ if interpreter.starts_with("/system/bin/linker") => Os::Android,
        _ if interpreter == "/usr/libexec/ld-elf.so.2" => Os::DragonFly,
        _ if interpreter == "/lib/amd64/ld.so.1" => Os::Solaris,
        _ => Os::Linux,
    }
}

/// The symbol table. A stripped file still has what other files are told of: all of a plugin's functions and variables,
/// what others export; empty where there is neither.
pub(crate) fn symbols(file: &[u8], layout: &Layout) -> SymbolTable {
    symbol_table(file, layout).unwrap_or_default()
}

fn symbol_table(file: &[u8], layout: &Layout) -> Option<SymbolTable> {
    if layout.relocated {
        return None;
    }
    let headers = section_headers(file, &parse_header(file).ok()?).ok()?;
    let table = |kind| headers.iter().find(|s| s.sh_type == kind);
    let table = table(sh::SHT_SYMTAB).or_else(|| table(sh::SHT_DYNSYM))?;
    let strings = headers.get(table.sh_link as usize)?;
    bytes::slice(file, strings.sh_offset, strings.sh_size)?;
    let strings = strings.sh_offset as usize..(strings.sh_offset + strings.sh_size) as usize;
    let count = table.sh_size as usize / sym::sym64::SIZEOF_SYM;
    let symbols = Symtab::parse(file, table.sh_offset as usize, count, CTX).ok()?;
    let entries = symbols.iter().filter_map(|symbol| entry(&symbol, layout.bias)).collect();
    Some(SymbolTable::new(strings, entries))
}

fn entry(symbol: &Sym, bias: u64) -> Option<Entry> {
    let kind = match symbol.st_type() {
        sym::STT_FUNC => SymbolKind::Func,
        sym::STT_OBJECT => SymbolKind::Data,
        sym::STT_TLS => SymbolKind::Tls,
        sym::STT_NOTYPE => SymbolKind::Other,
        _ => return None,
    };
    if symbol.st_shndx == sh::SHN_UNDEF as usize || symbol.st_name == 0 {
        return None;
    }
    let bias = if kind == SymbolKind::Tls { 0 } else { bias };
    let name = u32::try_from(symbol.st_name).ok()?;
    Some(Entry {
        name,
        name_width: None,
        kind,
        addr: symbol.st_value.wrapping_add(bias),
        size: symbol.st_size,
    })
}

/// What the dynamic linker is told, as far as it says which words to write.
#[derive(Default)]
struct Dynamic {
    rela: (u64, u64),
    plt_rela: (u64, u64),
    symbols: u64,
    strings: u64,
}

/// The words that the dynamic linker would write, in no order. Those that need another file are
/// [`imports`].
pub(crate) fn relocs(file: &[u8], layout: &Layout) -> Vec<Reloc> {
    let Some(linking) = Linking::of(file, layout).filter(|_| !layout.relocated) else { return Vec::new() };
    linking.relas().filter_map(|rela| linking.reloc(&rela)).collect()
}

/// The words that the dynamic linker would fill from other files, in no order.
pub(crate) fn imports(file: &[u8], layout: &Layout) -> Vec<Import> {
    let Some(linking) = Linking::of(file, layout) else { return Vec::new() };
    linking.relas().filter_map(|rela| linking.import(&rela)).take(MAX_IMPORTS).collect()
}

/// What the dynamic linker works with.
struct Linking<'f> {
    file: &'f [u8],
    layout: &'f Layout,
    dynamic: Dynamic,
    tls_size: u64,
}

impl<'f> Linking<'f> {
    fn of(file: &'f [u8], layout: &'f Layout) -> Option<Linking<'f>> {
        let headers = parse_header(file).and_then(|header| program_headers(file, &header)).ok()?;
        let tls_size = headers.iter().find(|p| p.p_type == ph::PT_TLS).map_or(0, tls_block_size);
        Some(Linking { file, layout, dynamic: dynamic(file, layout, &headers)?, tls_size })
    }

    /// Where the byte at an address that the file gives is in the file. Dynamic linkers write some of these addresses over
    /// by those in memory.
    fn at(&self, addr: u64) -> Option<u64> {
        let loaded = self.layout.file_offset(addr.wrapping_add(self.layout.bias));
        loaded.or_else(|| self.layout.file_offset(addr).filter(|_| self.layout.relocated))
    }

    fn relas(&self) -> impl Iterator<Item = Rela> {
        let tables = [self.dynamic.rela, self.dynamic.plt_rela].into_iter();
        tables.flat_map(|(addr, size)| {
            let offset = self.at(addr).and_then(|offset| usize::try_from(offset).ok());
            let parse = |offset| RelocSection::parse(self.file, offset, size as usize, true, CTX).ok();
            let section = offset.and_then(parse);
            section.map(|section| section.iter().collect::<Vec<_>>()).unwrap_or_default()
        })
    }

    fn symbol(&self, index: usize) -> Option<Sym> {
        let offset = (index as u64).checked_mul(sym::sym64::SIZEOF_SYM as u64)?;
        let offset = offset.checked_add(self.at(self.dynamic.symbols)?)?;
        Symtab::parse(self.file, usize::try_from(offset).ok()?, 1, CTX).ok()?.get(0)
    }

    /// The address of a symbol that this file has itself.
    fn defined(&self, index: usize) -> Option<u64> {
        let symbol = self.symbol(index).filter(|symbol| symbol.st_shndx != sh::SHN_UNDEF as usize)?;
        Some(symbol.st_value)
    }

    /// What one relocation writes (System V ABI for x86-64, table "Relocation Types").
    fn reloc(&self, rela: &Rela) -> Option<Reloc> {
        let (addend, bias) = (rela.r_addend.unwrap_or(0).cast_unsigned(), self.layout.bias);
        let value = match rela.r_type {
            r::R_X86_64_RELATIVE => addend.wrapping_add(bias),
            r::R_X86_64_64 => self.defined(rela.r_sym)?.wrapping_add(bias).wrapping_add(addend),
            r::R_X86_64_GLOB_DAT | r::R_X86_64_JUMP_SLOT => self.defined(rela.r_sym)?.wrapping_add(bias),
            r::R_X86_64_TPOFF64 => {
                let offset = if rela.r_sym == 0 { 0 } else { self.defined(rela.r_sym)? };
                offset.wrapping_add(addend).wrapping_sub(self.tls_size)
            }
            _ => return None,
        };
        Some(Reloc { addr: rela.r_offset.wrapping_add(bias), value })
    }

    /// What one relocation takes from another file. Weak symbols are left at 0, as if no file had them.
    fn import(&self, rela: &Rela) -> Option<Import> {
        if !matches!(rela.r_type, r::R_X86_64_64 | r::R_X86_64_GLOB_DAT | r::R_X86_64_JUMP_SLOT) {
            return None;
        }
        let symbol = self.symbol(rela.r_sym)?;
        if symbol.st_shndx != sh::SHN_UNDEF as usize || symbol.st_bind() == sym::STB_WEAK {
            return None;
        }
        let name = self.at(self.dynamic.strings)?.checked_add(symbol.st_name as u64)?;
        let name = bytes::cstr(self.file, name)?;
        Some(Import::new(rela.r_offset.wrapping_add(self.layout.bias), name, None))
    }
}

fn dynamic(file: &[u8], layout: &Layout, headers: &[ProgramHeader]) -> Option<Dynamic> {
    use goblin::elf::dynamic as d;
    let segment = headers.iter().find(|p| p.p_type == ph::PT_DYNAMIC)?;
    let mut dynamic = Dynamic::default();
    let in_memory = || layout.file_offset(segment.p_vaddr.wrapping_add(layout.bias));
    let offset = if layout.relocated { in_memory()? } else { segment.p_offset };
    for pair in bytes::slice(file, offset, segment.p_filesz)?.chunks_exact(16) {
        let (tag, value) = (bytes::u64(pair, 0)?, bytes::u64(pair, 8)?);
        match tag {
            d::DT_NULL => break,
            d::DT_RELA => dynamic.rela.0 = value,
            d::DT_RELASZ => dynamic.rela.1 = value,
            d::DT_JMPREL => dynamic.plt_rela.0 = value,
            d::DT_PLTRELSZ => dynamic.plt_rela.1 = value,
            d::DT_SYMTAB => dynamic.symbols = value,
            d::DT_STRTAB => dynamic.strings = value,
            _ => {}
        }
    }
    Some(dynamic)
}

/// Size of the executable's thread-local block, which ends where the thread pointer (FS) points.
fn tls_block_size(p: &ProgramHeader) -> u64 {
    p.p_memsz.checked_next_multiple_of(p.p_align.max(1)).unwrap_or(p.p_memsz)
}

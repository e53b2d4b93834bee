//! Which format a file is in, by its first bytes; and what it is instead, where it is none that is read here.

mod elf;
mod macho;
mod packer;
mod pe;

use crate::LoadError;
use crate::layout::{Import, Layout, Placement, Reloc};
use crate::symbol::SymbolTable;

pub(crate) use packer::packed;

/// The reader of one format. All functions take the bytes of the whole file; `layout` comes first and refuses
/// what is malformed, the others leave out what they cannot read.
#[derive(Debug)]
pub(crate) struct Format {
    /// Reads the headers.
    pub(crate) layout: fn(&[u8], Placement) -> Result<Layout, LoadError>,
    /// The words that the system's loader would write, in no order.
    pub(crate) relocs: fn(&[u8], &Layout) -> Vec<Reloc>,
    /// The words that the system's loader would fill from other files, in no order.
    pub(crate) imports: fn(&[u8], &Layout) -> Vec<Import>,
    /// The symbol table; empty where the file has none.
    pub(crate) symbols: fn(&[u8], &Layout) -> SymbolTable,
}

static ELF: Format =
    Format { layout: elf::layout, relocs: elf::relocs, imports: elf::imports, symbols: elf::symbols };
static MACHO: Format =
    Format { layout: macho::layout, relocs: macho::relocs, imports: macho::imports, symbols: macho::symbols };
static PE: Format =
    Format { layout: pe::layout, relocs: pe::relocs, imports: pe::imports, symbols: pe::symbols };

/// A file that was made here, from object files: nothing is left for a system's loader, and its symbols are known.
pub(crate) static MADE: Format = Format {
    layout: |_, _| Err(LoadError::Empty),
    relocs: |_, _| Vec::new(),
    imports: |_, _| Vec::new(),
    symbols: |_, _| SymbolTable::default(),
};

/// Whether a file is a dump that has all segments where a program's file has them, too, so that its tables would be found
/// in either reading.
pub(crate) fn is_dump(file: &[u8]) -> bool {
    elf::is_dump(file) || macho::is_dump(file)
}

/// A universal Mach-O file and a Java class start alike. What follows is a number of architectures, or a version
/// that no class file has below this.
const OLDEST_JAVA: u8 = 45;

/// The format of a file.
pub(crate) fn of(file: &[u8]) -> Result<&'static Format, LoadError> {
    match file {
        [0x7f, b'E', b'L', b'F', ..] => Ok(&ELF),
        [b'M', b'Z', ..] => Ok(&PE),
        // 64 bits, 32 bits; the other byte order.
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] => Ok(&MACHO),
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, 0, 0, 0, count, ..] if *count < OLDEST_JAVA => Ok(&MACHO),
        _ => Err(other(file)),
    }
}

/// What people take for a program, by how it starts.
const OTHERS: &[(&[u8], &str)] = &[
    (b"#!", "a script"),
    (b"PK\x03\x04", "a zip archive, as jars and apks are: extract the program from it"),
    (b"\xca\xfe\xba\xbe", "a Java class"),
    (b"\x1f\x8b", "compressed with gzip: decompress it first"),
    (b"\xfd7zXZ", "compressed with xz: decompress it first"),
    (b"BZh", "compressed with bzip2: decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: decompress it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: extract the program from it"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"%PDF", "a PDF document"),
    (b"\x7fCGC", "a program for DECREE"),
    (b"package ", "Go source text: build it first"),
    (b"version https://git-lfs", "a pointer to a file in Git LFS: get the file itself"),
];

/// The magic numbers of Plan 9's executables, by GOARCH.
const PLAN9: [([u8; 4], &str); 3] =
    [([0, 0, 0x8a, 0x97], "amd64"), ([0, 0, 1, 0xeb], "386"), ([0, 0, 6, 0x47], "arm")];

fn other(file: &[u8]) -> LoadError {
    if file.starts_with(b"\0asm") {
        return LoadError::WrongArch { arch: "wasm".to_owned() };
    }
    if let Some((_, arch)) = PLAN9.iter().find(|(magic, _)| file.starts_with(magic)) {
        return LoadError::UnsupportedFormat { format: format!("Plan 9 executable ({arch})") };
    }
    if let Some((_, what)) = OTHERS.iter().find(|(start, _)| file.starts_with(start)) {
        return LoadError::NotExecutable { what };
    }
    let start: Vec<String> = file.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    LoadError::NotAnObject { start: start.join(" ") }
}

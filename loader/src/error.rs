//! Why a file could not be loaded.

use std::io;
use std::path::PathBuf;

/// Why a file could not be loaded. Whatever the bytes, loading ends in an [`Image`](crate::Image) or in one
/// of these; each message is one line that says what is wrong, where, and what to do next where there is
/// something to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file that was asked for.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The path names a directory.
    #[error("{} is a directory; name a Go binary", .0.display())]
    Directory(PathBuf),
    /// The path names a pipe, a socket or a device.
    #[error("{} is not a regular file; copy its contents to a file first", .0.display())]
    NotAFile(PathBuf),
    /// The file does not fit into memory. It is not mapped, because whoever truncates a mapped file ends this process.
    #[error("the file has {len} bytes, and {free} bytes of memory are free to copy it to")]
    TooLarge {
        /// Its size in bytes.
        len: u64,
        /// Bytes of memory that are free.
        free: u64,
    },
    /// There are no bytes to load.
    #[error("the file is empty")]
    Empty,
    /// The file starts like no executable that is known here.
    #[error("not an executable: the file starts with {start}, expected an ELF, Mach-O or PE file")]
    NotAnObject {
        /// Its first bytes, in hexadecimal.
        start: String,
    },
    /// Something that people take for an executable.
    #[error("not an executable: the file is {what}")]
    NotExecutable {
        /// What it is, and what to do.
        what: &'static str,
    },
    /// A format of executables that is known but not read.
    #[error("{format} files are not supported; name a linked program (ELF, Mach-O or PE)")]
    UnsupportedFormat {
        /// The name of the format.
        format: String,
    },
    /// The code in the file is for another processor.
    #[error("built for {arch}, but only x86-64 (GOARCH=amd64) is supported")]
    WrongArch {
        /// The processor, as GOARCH names it where Go supports it.
        arch: String,
    },
    /// An x86-64 executable without Go's function table.
    #[error("not a Go binary: it has no Go function table (pclntab); it may be written in another language")]
    NotGo,
    /// A Go program whose function table is not in the file, or not as Go wrote it.
    #[error(
        "a Go binary, but its function table (pclntab) is damaged or missing, and nothing is found without it; get the file again"
    )]
    NoFunctionTable,
    /// A Go program by a compiler whose programs have no function table.
    #[error(
        "compiled by {compiler}, whose programs have no Go function table (pclntab); build it with Go's own compiler"
    )]
    OtherCompiler {
        /// Its name.
        compiler: &'static str,
    },
    /// The program is compressed inside the file.
    #[error("packed with {packer}: unpack it first ({hint})")]
    Packed {
        /// The program that packed it.
        packer: &'static str,
        /// The command that unpacks it.
        hint: &'static str,
    },
    /// The file ends before something that it says it contains.
    #[error(
        "the file is truncated: {what} ends at offset {end:#x}, but the file has {len:#x} bytes; get it again"
    )]
    Truncated {
        /// What is missing, wholly or in part.
        what: String,
        /// Offset in the file where it would end.
        end: u64,
        /// Size of the file in bytes.
        len: u64,
    },
    /// Something in the file contradicts its format.
    #[error("malformed file: {what} at offset {offset:#x}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where: an offset in the file.
        offset: u64,
    },
    /// A program that is not position-independent was to be moved.
    #[error("the program was linked to run at {linked:#x} only, and cannot be moved to {base:#x}")]
    NotMovable {
        /// Its lowest address.
        linked: u64,
        /// What was asked for.
        base: u64,
    },
    /// A base that is not the start of a page.
    #[error("{base:#x} is no base for a program: a multiple of 0x1000 is")]
    OddBase {
        /// What was asked for.
        base: u64,
    },
    /// A base from which the program reaches beyond the address space.
    #[error(
        "{base:#x} is no base for this program, which would end above 0x800000000000, where the address space does"
    )]
    HighBase {
        /// What was asked for.
        base: u64,
    },
    /// A dump's own tables say that it was somewhere else.
    #[error("the dump's tables say that its first byte was at {found:#x}, not at {base:#x}")]
    DumpElsewhere {
        /// What was asked for.
        base: u64,
        /// What the tables say.
        found: u64,
    },
    /// Objects that no linker would put together.
    #[error("objects of different releases or systems cannot be linked: {first}, {other}")]
    MixedObjects {
        /// What the first was compiled by and for.
        first: String,
        /// What another one was.
        other: String,
    },
    /// One of several files could not be loaded.
    #[error("{}: {source}", path.display())]
    In {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<LoadError>,
    },
    /// A dump of a process without the code of a Go program.
    #[error(
        "a dump of a process without a Go program's code, which cores leave out: give the program's file after it"
    )]
    NeedsProgram,
    /// Several files were given that are not objects or archives.
    #[error(
        "not an object file or an archive: of executables, only one can be given, or a core and its program"
    )]
    SeveralPrograms,
    /// The section that was asked for does not exist.
    #[error("no section {name}")]
    NoSection {
        /// The name that was asked for.
        name: String,
    },
    /// The debug information contradicts its format.
    #[error("malformed debug information: {0}; `strip` removes it, the signature can then be given by hand")]
    Dwarf(#[from] DwarfError),
    /// A type descriptor of the runtime cannot be read.
    #[error(transparent)]
    Rtype(#[from] RtypeError),
    /// A type that nothing in the file describes.
    #[error("a type is not described in the file: its debug information was removed")]
    UnknownType,
    /// Debug information leaves out some of the function's parameters or results.
    #[error(
        "{func} has parameters or results without a name, which its debug information leaves out; give its signature"
    )]
    Unnamed {
        /// The function's name.
        func: String,
    },
    /// Debug information does not tell in which order parameters or results without size are.
    #[error(
        "the order in {func} of {signature} is not known, because values without size lie where others begin; give its signature"
    )]
    Unordered {
        /// The function's name.
        func: String,
        /// Its signature, in one of the orders that there may be.
        signature: String,
    },
}

/// Why debug information could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DwarfError {
    /// A compressed section does not inflate to what its header promises.
    #[error("debug section {section}: {what}")]
    Section {
        /// Its name.
        section: String,
        /// What is wrong.
        what: &'static str,
    },
    /// The bytes are not DWARF.
    #[error("debug information at {offset:#x}: {what}")]
    Read {
        /// Offset in `.debug_info`.
        offset: usize,
        /// What the reader says.
        what: String,
    },
    /// The bytes are DWARF, but not what Go would write.
    #[error("debug information at {offset:#x}: {what}")]
    Malformed {
        /// Offset in `.debug_info`.
        offset: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// Why a type descriptor could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed type descriptor at {addr:#x}: {what}")]
pub struct RtypeError {
    /// Its address.
    pub addr: u64,
    /// What is wrong.
    pub what: &'static str,
}

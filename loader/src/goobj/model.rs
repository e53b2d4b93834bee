//! An object file as the linker wants it, whichever format it was written in.

use std::borrow::Cow;

use crate::facts::SymKind;
use crate::layout::Os;
use crate::version::GoVersion;

/// One object: the symbols that a run of the compiler or the assembler defines.
#[derive(Debug)]
pub(crate) struct Object<'a> {
    pub(crate) header: Header<'a>,
    /// Import path of its package, as far as it is known.
    pub(crate) package: String,
    /// Source files; functions of Go 1.16 and later name them by number.
    pub(crate) files: Vec<String>,
    pub(crate) symbols: Vec<Symbol<'a>>,
    /// What relocations and functions refer to.
    pub(crate) refs: Vec<Ref>,
    /// Those of them that the file names by a number of the runtime's.
    pub(crate) numbered: Vec<RefIndex>,
    /// Where in the file it begins, behind its header.
    pub(crate) start: u64,
}

/// The line that every object starts with: `go object linux amd64 go1.27.3 GOAMD64=v1 X:none`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header<'a> {
    pub(crate) os: Os,
    /// Go's version as it is written: `go1.27.3`, `devel +abc`.
    pub(crate) version: &'a str,
    pub(crate) go: GoVersion,
}

/// A number into [`Object::refs`].
pub(crate) type RefIndex = u32;

/// What is referred to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ref {
    /// Symbol number of the same object.
    Defined(u32),
    /// A symbol by name.
    Named(String, Abi),
}

/// Which of several symbols of one name is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Abi {
    Internal,
    /// Variables too.
    Abi0,
    /// Known in its own object only.
    Static,
}

impl Abi {
    pub(crate) fn from_number(number: u16) -> Abi {
        match number {
            0 => Abi::Abi0,
            1 => Abi::Internal,
            _ => Abi::Static,
        }
    }
}

/// A symbol that an object defines.
#[derive(Debug)]
pub(crate) struct Symbol<'a> {
    /// Empty where it is known by its contents alone.
    pub(crate) name: String,
    pub(crate) abi: Abi,
    pub(crate) kind: SymKind,
    /// Whether its object alone knows it, as the file says.
    pub(crate) is_static: bool,
    /// Whether it is a type descriptor though its name does not say so (Go 1.16 and later).
    pub(crate) is_type: bool,
    pub(crate) size: u64,
    /// 0 where the linker may choose.
    pub(crate) align: u64,
    /// At most `size` bytes; what is missing is zero.
    pub(crate) data: Cow<'a, [u8]>,
    pub(crate) relocs: Vec<Reloc>,
    /// The type descriptor of a variable.
    pub(crate) ty: Option<RefIndex>,
    pub(crate) func: Option<Box<Func<'a>>>,
    /// Where in its file it is described.
    pub(crate) offset: u64,
}

/// Bytes to fill in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reloc {
    /// Where in the symbol.
    pub(crate) offset: u32,
    /// How many bytes; 0 for what only tells the linker something.
    pub(crate) size: u8,
    /// `objabi.RelocType`, of the object's release.
    pub(crate) kind: u64,
    /// Whether the target need not exist.
    pub(crate) weak: bool,
    pub(crate) add: i64,
    pub(crate) target: Option<RefIndex>,
}

/// What the function table needs of a function.
#[derive(Debug, Default)]
pub(crate) struct Func<'a> {
    pub(crate) args: u32,
    /// `abi.FuncID` (Go 1.16 and later; before, the linker goes by the name).
    pub(crate) func_id: Option<u8>,
    pub(crate) flag: u8,
    pub(crate) start_line: u32,
    /// Names of source files, which `pcfile` and the inline tree number (up to Go 1.15).
    pub(crate) files: Vec<String>,
    pub(crate) pcsp: &'a [u8],
    pub(crate) pcfile: &'a [u8],
    pub(crate) pcline: &'a [u8],
    pub(crate) pcinline: &'a [u8],
    pub(crate) pcdata: Vec<&'a [u8]>,
    /// Symbols, and offsets in them.
    pub(crate) funcdata: Vec<(Option<RefIndex>, i64)>,
    pub(crate) inline_tree: Vec<Inlined>,
}

/// One inlined call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inlined {
    pub(crate) parent: i32,
    pub(crate) file: u32,
    pub(crate) line: i32,
    pub(crate) func: Option<RefIndex>,
    pub(crate) parent_pc: i32,
}

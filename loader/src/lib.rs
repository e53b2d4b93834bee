//! Reads Go binaries: bytes -> [`Image`]. Runs nothing, and never panics on any bytes.
//!
//! An image is what the program's file says: segments to map, Go's function table (names, source lines,
//! frame sizes; it survives stripping), symbols where there are any, how the program was built, and
//! [`Facts`], the layout of the runtime of the Go release that built it. Go 1.4 to 1.27, x86-64.
//!
//! ```no_run
//! # fn main() -> Result<(), goemu_loader::LoadError> {
//! let image = goemu_loader::Image::open("hello")?;
//! for func in image.funcs_named("main.main") {
//!     println!("{:#x} {:?} {:?}", func.entry(), func.abi(), func.line_at(func.entry()));
//! }
//! # Ok(())
//! # }
//! ```

mod argsize;
mod buildinfo;
mod bytes;
mod detect;
mod dump;
mod dwarf;
mod error;
pub mod facts;
mod format;
mod goobj;
mod gotype;
mod image;
mod layout;
mod library;
mod link;
mod moduledata;
mod object;
mod pclntab;
mod pcvalue;
mod process;
mod rtype;
pub mod sigparse;
mod source;
mod symbol;
mod version;

pub use buildinfo::{BuildInfo, Module};
pub use dwarf::{Local, Located, Placed, Role, Spot, Variable};
pub use error::{DwarfError, LoadError, RtypeError};
pub use facts::Facts;
pub use goobj::{ObjectFunc, ObjectListing, ObjectReloc};
pub use gotype::{
    Abi, ChanDir, Field, FuncType, Kind, Method, Param, Signature, Type, TypeRef, printed_name,
};
pub use image::func::{
    DeferArg, DeferSlot, Frame, FramePart, Func, FuncFlags, FuncId, Line, Lines, OpenDefers, PointerMap,
    StackObject, TracedArg,
};
pub use image::{Image, KnownFrom, LoadOptions};
pub use layout::{Import, Os, Perm, Reloc, Section, Segment, Span, Table, Target};
pub use moduledata::ModuleData;
pub use pclntab::TableFormat;
pub use process::{DUMPED_GPRS, DumpedThread};
pub use rtype::MethodCode;
pub use symbol::{Symbol, SymbolKind};
pub use version::GoVersion;

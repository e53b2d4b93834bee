//! A Go program as its file describes it.

pub(crate) mod func;
pub(crate) mod given;
mod library;
pub(crate) mod load;
mod named;
mod spelled;
mod typed;

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use crate::buildinfo::BuildInfo;
use crate::detect::Tables;
use crate::facts::Facts;
use crate::layout::{Import, Reloc, Section, Segment, Target};
use crate::link::Undefined;
use crate::moduledata::ModuleData;
use crate::object::Object;
use crate::pclntab::{Pclntab, TableFormat};
use crate::process::DumpedThread;
use crate::source::Source;
use crate::symbol::Symbol;
use crate::version::GoVersion;
use crate::{LoadError, bytes};

use self::func::{Frame, Func, Line};
use self::given::Given;
use self::named::Named;
use self::typed::Typed;

pub use self::load::LoadOptions;
pub use self::typed::KnownFrom;

/// A Go program as its file describes it.
///
/// Every address is a *guest address*: where the program sees itself once loaded, that is the address it was
/// linked at plus [`Image::bias`]. Tables are read when first asked for, and never copied.
///
/// ```no_run
/// # fn main() -> Result<(), goemu_loader::LoadError> {
/// let image = goemu_loader::Image::open("hello")?;
/// for func in image.funcs_named("main.add") {
///     let signature = image.signature(&func)?;
///     println!("{:#x} {}", func.entry(), signature.map_or("?".to_owned(), |signature| signature.to_string()));
///     println!("  at {:?}", func.line_at(func.entry()));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Image {
    object: Object,
    build: BuildInfo,
    tables: Tables,
    typed: Typed,
    /// Stand-ins for what was not there when it was linked; none in files that a linker wrote.
    undefined: Undefined,
    /// What the user knows of it.
    given: Given,
    /// Functions that were looked up by name.
    named: Named,
    /// Of a dumped process.
    threads: Vec<DumpedThread>,
}

impl Image {
    /// Whether it was linked here, from object files.
    pub fn is_linked_here(&self) -> bool {
        self.undefined.functions.end != 0
    }

    /// Whether the address stands for a function that no object file defined.
    pub fn is_undefined_func(&self, addr: u64) -> bool {
        self.undefined.functions.contains(addr)
    }

    /// The name of the variable that no object file defined and that the address stands for. Nothing is there.
    pub fn undefined_variable(&self, addr: u64) -> Option<&str> {
        let inside = self.undefined.variables.contains(addr);
        self.symbol_at(addr).filter(|_| inside).map(|symbol| symbol.name)
    }

    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(crate) fn pclntab(&self) -> &Pclntab {
        &self.tables.pclntab
    }

    pub(crate) fn typed(&self) -> &Typed {
        &self.typed
    }

    /// The path that [`Image::open`] was given.
    pub fn path(&self) -> Option<&Path> {
        self.object.source.path()
    }

    /// A file with the image's bytes, whose segments can be mapped: a copy, which cannot change. None where the bytes were never in a file, or the system has no such files.
    pub fn file(&self) -> Option<&File> {
        self.object.source.file()
    }

    /// All bytes of the file, to be kept longer than the image. Where segments are in them: [`Segment::file_offset`].
    pub fn shared_bytes(&self) -> Arc<dyn AsRef<[u8]> + Send + Sync> {
        let source: Arc<Source> = Arc::clone(&self.object.source);
        source
    }

    /// What is unusual about the file, though it can be loaded: a sentence each, without a subject, which is the file.
    pub fn remarks(&self) -> &[String] {
        &self.object.layout.remarks
    }

    /// What the program was built for.
    pub fn target(&self) -> Target {
        self.object.layout.target
    }

    /// Where the operating system would start it; none for libraries.
    pub fn entry(&self) -> Option<u64> {
        self.object.layout.entry
    }

    /// Where the file's first byte is, or would be if it was loaded: the lowest address of the program, and what other
    /// tools call its base. [`LoadOptions::base`] moves it.
    pub fn base(&self) -> u64 {
        self.object.layout.base
    }

    /// The program's address that another tool shows as `addr`, and the base that it counts from. `None` if no function is
    /// there either. See [`Image::at_other_bases`].
    pub fn at_other_base(&self, addr: u64) -> Option<(u64, u64)> {
        self.at_other_bases(addr).find(|(_, addr)| self.func_at(*addr).is_some())
    }

    /// Where an address is if it counts from another base than the program's: from where the program was linked, 0 (objdump,
    /// IDA, offsets in a file's memory), or 0x100000 (Ghidra). The base, and the program's address.
    pub fn at_other_bases(&self, addr: u64) -> impl Iterator<Item = (u64, u64)> {
        const GHIDRA: u64 = 0x10_0000;
        let own = self.base();
        let bases = [own.wrapping_sub(self.bias()), 0, GHIDRA];
        let others = bases.into_iter().filter(move |base| *base != own);
        others.filter_map(move |base| Some((base, addr.checked_sub(base)?.checked_add(own)?)))
    }

    /// The threads of a dumped process, as they were then.
    pub fn threads(&self) -> &[DumpedThread] {
        &self.threads
    }

    /// Whether the file is a dump of a process's memory: variables are as they were then.
    pub fn is_dump(&self) -> bool {
        self.object.layout.relocated
    }

    /// What was added to the addresses that the program was linked at: 0 unless it was moved.
    pub fn bias(&self) -> u64 {
        self.object.layout.bias
    }

    /// The memory that the program starts with, sorted by address, not overlapping.
    pub fn segments(&self) -> &[Segment] {
        &self.object.layout.segments
    }

    /// What the file has of a segment: `file_size` bytes, relocations not applied.
    pub fn segment_bytes(&self, segment: &Segment) -> &[u8] {
        self.object.segment_bytes(segment)
    }

    /// The words that the operating system's loader would write, sorted by address.
    pub fn relocs(&self) -> &[Reloc] {
        self.object.relocs()
    }

    /// The words that the operating system's loader would fill from other files, sorted by address.
    pub fn imports(&self) -> &[Import] {
        self.object.imports()
    }

    /// The sections in the file's order; none where their headers were removed.
    pub fn sections(&self) -> &[Section] {
        &self.object.layout.sections
    }

    /// The section of that name, as the file has it or as ELF would (`.debug_info` for `__debug_info`).
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.object.section(name)
    }

    /// The contents of a section as the file has them, compressed or not.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoSection`] if there is no section of that name, [`LoadError::Malformed`] if it does not lie in the
    /// file.
    pub fn section_data(&self, name: &str) -> Result<Cow<'_, [u8]>, LoadError> {
        self.object.section_data(name).map(Cow::Borrowed)
    }

    /// `len` bytes of the file at a guest address, relocations not applied; none where the file has fewer.
    pub fn bytes(&self, addr: u64, len: usize) -> Option<&[u8]> {
        self.object.bytes(addr, len)
    }

    /// The word at a guest address when the program starts, relocations applied.
    pub fn read_u64(&self, addr: u64) -> Option<u64> {
        self.object.read_u64(addr)
    }

    /// The 32-bit number at a guest address when the program starts.
    pub fn read_u32(&self, addr: u64) -> Option<u32> {
        self.object.read_u32(addr)
    }

    /// The 16-bit number at a guest address when the program starts.
    pub fn read_u16(&self, addr: u64) -> Option<u16> {
        self.object.read_u16(addr)
    }

    /// The byte at a guest address when the program starts.
    pub fn read_u8(&self, addr: u64) -> Option<u8> {
        self.object.read_u8(addr)
    }

    /// How the program was built.
    pub fn build_info(&self) -> &BuildInfo {
        &self.build
    }

    /// The version of Go that built it; none where the file does not tell. [`Image::facts`] then guesses.
    pub fn go_version(&self) -> Option<GoVersion> {
        self.build.go
    }

    /// What is known about the program's runtime.
    pub fn facts(&self) -> &Facts {
        &self.tables.facts
    }

    /// The runtime's table of tables; none before Go 1.5.
    pub fn module(&self) -> Option<&ModuleData> {
        self.tables.module.as_ref()
    }

    /// What a plugin's package main is called in it; none for other programs.
    pub fn plugin_path(&self) -> Option<&str> {
        let at = self.module()?.addr.checked_add(self.facts().module.pluginpath?)?;
        Some(bytes::text(self.object.go_string(at)?)).filter(|path| !path.is_empty())
    }

    /// How the function table is written.
    pub fn table_format(&self) -> TableFormat {
        self.tables.pclntab.format(&self.object, self.facts())
    }

    /// Every function in order of address.
    pub fn funcs(&self) -> impl Iterator<Item = Func<'_>> {
        (0..self.tables.pclntab.count).map(|index| Func::new(self, index))
    }

    /// Those that have code here: all but the stand-ins for functions that no object file defined.
    pub fn defined_funcs(&self) -> impl Iterator<Item = Func<'_>> {
        self.funcs().filter(|func| !self.is_undefined_func(func.entry()))
    }

    /// How many functions there are.
    pub fn func_count(&self) -> usize {
        self.tables.pclntab.count as usize
    }

    /// The function that contains the address.
    pub fn func_at(&self, pc: u64) -> Option<Func<'_>> {
        self.tables.pclntab.find(&self.object, pc).map(|index| Func::new(self, index))
    }

    /// The source line of the instruction at `pc`, as `runtime.FuncForPC(pc).FileLine(pc)` gives it: where a
    /// call was inlined, the line in the inlined function.
    pub fn line_at(&self, pc: u64) -> Option<Line<'_>> {
        self.func_at(pc)?.line_at(pc)
    }

    /// The functions that the instruction at `pc` belongs to: the innermost inlined one first, the one of
    /// [`Image::func_at`] last.
    pub fn inlined_at(&self, pc: u64) -> Vec<Frame<'_>> {
        self.func_at(pc).map(|func| func.inlined_at(pc)).unwrap_or_default()
    }

    pub(crate) fn given(&self) -> &Given {
        &self.given
    }

    /// The bytes of the file, as it was when it was opened.
    pub fn contents(&self) -> &[u8] {
        self.object.source.bytes()
    }

    /// The first symbol of that name; none in a stripped file.
    pub fn symbol(&self, name: &str) -> Option<Symbol<'_>> {
        self.object.symbols().named(self.object.source.bytes(), name)
    }

    /// The symbol that contains the address; none in a stripped file.
    pub fn symbol_at(&self, addr: u64) -> Option<Symbol<'_>> {
        self.object.symbols().at(self.object.source.bytes(), addr)
    }

    /// Every symbol in the file's order.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol<'_>> {
        self.object.symbols().iter(self.object.source.bytes())
    }
}

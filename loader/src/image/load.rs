//! From a file to an image: a program, object files, or a dump of a process's memory.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::LoadError;
use crate::buildinfo;
use crate::detect;
use crate::dump;
use crate::facts::Facts;
use crate::format;
use crate::goobj;
use crate::layout::{Os, Placement, Span, USER_SPACE};
use crate::link::{self, Linked, Undefined};
use crate::object::Object;
use crate::process;
use crate::source::Source;
use crate::symbol::SymbolTable;

use super::Image;
use super::given::Given;
use super::named::Named;
use super::typed::{self, Typed};

/// How a file is loaded, where that is not as its headers say.
///
/// ```no_run
/// # fn main() -> Result<(), goemu_loader::LoadError> {
/// // At the addresses that objdump shows of a position-independent program.
/// let image = goemu_loader::LoadOptions::default().base(0).open("hello")?;
/// assert_eq!(image.base(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadOptions {
    base: Option<u64>,
    dump_base: Option<u64>,
}

impl LoadOptions {
    /// Puts the program's lowest address here. It has to be position-independent, or linked there.
    #[must_use]
    pub fn base(self, base: u64) -> LoadOptions {
        LoadOptions { base: Some(base), ..self }
    }

    /// Takes the file for a dump of memory, with or without headers, whose first byte was at this address.
    #[must_use]
    pub fn dump_base(self, base: u64) -> LoadOptions {
        LoadOptions { dump_base: Some(base), ..self }
    }

    /// As [`Image::open`], with these options.
    ///
    /// # Errors
    ///
    /// As [`Image::open`]; also [`LoadError::NotMovable`], [`LoadError::OddBase`] or [`LoadError::HighBase`] if the program
    /// cannot be put there, and [`LoadError::DumpElsewhere`] if a dump's own tables say that it was somewhere else.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Image, LoadError> {
        self.load(Source::open(path.as_ref())?)
    }

    /// As [`Image::parse`], with these options.
    ///
    /// # Errors
    ///
    /// As [`Image::parse`], and as [`LoadOptions::open`].
    pub fn parse(self, bytes: impl Into<Cow<'static, [u8]>>) -> Result<Image, LoadError> {
        self.load(Source::memory(bytes.into())?)
    }

    /// As [`Image::open_all`], with these options.
    ///
    /// # Errors
    ///
    /// As [`Image::open_all`], and as [`LoadOptions::open`].
    pub fn open_all(self, paths: &[impl AsRef<Path>]) -> Result<Image, LoadError> {
        match paths {
            [only] => return self.open(only),
            [dump, program] => {
                let source = Source::open(dump.as_ref())?;
                if process::is(source.bytes()) {
                    return self.process(source, Some(Source::open(program.as_ref())?));
                }
            }
            _ => {}
        }
        let within = |path: &Path| {
            let path = path.to_owned();
            move |source| LoadError::In { path, source: Box::new(source) }
        };
        let mut files = Vec::new();
        for path in paths {
            let path = path.as_ref();
            let source = Source::open(path)?;
            if !goobj::is(source.bytes()) {
                return Err(within(path)(LoadError::SeveralPrograms));
            }
            files.push((path, source));
        }
        let mut objects = Vec::new();
        for (path, source) in &files {
            objects.extend(goobj::read(source.bytes(), Some(path)).map_err(within(path))?);
        }
        let linked = link::link(&objects)?;
        self.objects(linked, paths.first().map(|path| path.as_ref().to_owned()))
    }

    /// A dump of a process, and the program's file.
    fn process(self, dump: Source, program: Option<Source>) -> Result<Image, LoadError> {
        let alone = program.is_none();
        let (object, threads) = process::object(Arc::new(dump), program.map(Arc::new))?;
        let mut image = image(object).map_err(|error| match error {
            LoadError::NotGo | LoadError::NoFunctionTable if alone => LoadError::NeedsProgram,
            error => error,
        })?;
        // Linux writes what was changed in memory, which tables may be and code is not.
        let text = image.module().map(|module| module.text);
        let has_code = |text: Span| [text.start, text.end - 1].iter().all(|at| image.read_u8(*at).is_some());
        if alone && text.is_some_and(|text| text.start < text.end && !has_code(text)) {
            return Err(LoadError::NeedsProgram);
        }
        image.threads = threads;
        Ok(image)
    }

    fn load(self, source: Source) -> Result<Image, LoadError> {
        if process::is(source.bytes()) {
            return self.process(source, None);
        }
        if goobj::is(source.bytes()) {
            let linked = link::link(&goobj::read(source.bytes(), source.path())?)?;
            return self.objects(linked, source.path().map(Path::to_owned));
        }
        let source = Arc::new(source);
        if let Some(base) = self.dump_base {
            return self.dump(source, base);
        }
        let dumped = format::is_dump(source.bytes());
        let placement = match self.base {
            _ if dumped => Placement::Dumped(None),
            Some(base) => Placement::Moved(base),
            None => Placement::Linked,
        };
        let program = program(source.clone(), placement).map_err(|error| match (error, self.base) {
            (LoadError::Malformed { .. }, Some(base)) if ends_too_high(&source, base) => {
                LoadError::HighBase { base }
            }
            (error, _) => error,
        });
        // The table of tables has addresses, which fit one reading of the file only.
        let fits = match &program {
            Ok(image) => image.module().is_some(),
            Err(error) => {
                use LoadError::{HighBase, NotMovable, OddBase};
                matches!(error, NotMovable { .. } | OddBase { .. } | HighBase { .. })
            }
        };
        if fits && !dumped {
            return program;
        }
        match (dump::base(source.bytes()), program) {
            (Some(base), Ok(_)) => self.dump(source, base),
            (Some(base), Err(_)) if dumped => self.dump(source, base),
            (Some(base), Err(LoadError::NotAnObject { .. })) => self.dump(source, base),
            // A file that is damaged has what dumps have, too.
            (Some(base), Err(error @ (LoadError::NotGo | LoadError::NoFunctionTable))) => {
                self.dump(source, base).map_err(|_| error)
            }
            // What lacks its end may as well be a file.
            (Some(base), Err(error @ (LoadError::Truncated { .. } | LoadError::Malformed { .. }))) => {
                let dump = with_headers(source, base).ok().filter(is_whole);
                dump.map(said_to_be_a_dump).ok_or(error)
            }
            (None, Ok(image)) if dumped => self.dump(source, image.base()),
            (_, program) => program,
        }
    }

    /// A dump whose first byte was at `base`.
    fn dump(self, source: Arc<Source>, base: u64) -> Result<Image, LoadError> {
        if let Some(moved) = self.base.filter(|moved| *moved != base) {
            return Err(LoadError::NotMovable { linked: base, base: moved });
        }
        let found = dump::base(source.bytes());
        if let Some(found) = found.filter(|found| *found != base) {
            return Err(LoadError::DumpElsewhere { base, found });
        }
        let dump = with_headers(source.clone(), base);
        let is_read = |image: &Image| found.is_none() || image.module().is_some();
        dump.ok().filter(is_read).map_or_else(|| without_headers(source, base), Ok).map(said_to_be_a_dump)
    }

    fn objects(self, linked: Linked, path: Option<PathBuf>) -> Result<Image, LoadError> {
        let image = from_objects(linked, path)?;
        match self.base.or(self.dump_base) {
            Some(base) if base != image.base() => Err(LoadError::NotMovable { linked: image.base(), base }),
            _ => Ok(image),
        }
    }
}

/// Whether a dump has all memory that its headers tell of.
fn is_whole(dump: &Image) -> bool {
    let end = dump.base().saturating_add(dump.object.source.bytes().len() as u64);
    dump.segments().iter().all(|segment| segment.addr.saturating_add(segment.mem_size) <= end)
}

/// Whether a file with headers ends above the address space when it is moved to `base`.
fn ends_too_high(source: &Arc<Source>, base: u64) -> bool {
    let Ok(linked) = program(source.clone(), Placement::Linked) else { return false };
    let end = linked.segments().iter().map(|segment| segment.addr.saturating_add(segment.mem_size)).max();
    let size = end.unwrap_or(0).saturating_sub(linked.base());
    base.checked_add(size).is_none_or(|end| end > USER_SPACE)
}

/// A file with headers.
fn program(source: Arc<Source>, placement: Placement) -> Result<Image, LoadError> {
    image(Object::parse(source, placement)?)
}

/// A dump with headers.
fn with_headers(source: Arc<Source>, base: u64) -> Result<Image, LoadError> {
    program(source, Placement::Dumped(Some(base)))
}

fn said_to_be_a_dump(mut image: Image) -> Image {
    let base = image.base();
    image.object.layout.remarks.push(format!(
        "taken for a dump of memory whose first byte was at {base:#x}: variables are as they were then, and what they \
         point to outside of it is missing"
    ));
    image
}

/// A dump without headers, or with some that are of no use.
fn without_headers(source: Arc<Source>, base: u64) -> Result<Image, LoadError> {
    let size = source.bytes().len() as u64;
    let layout = dump::without_headers(source.bytes(), base);
    if base.checked_add(size).is_none_or(|end| end > USER_SPACE) {
        return Err(LoadError::HighBase { base });
    }
    let mut image = image(Object::made(source, layout, SymbolTable::default()))?;
    let text = image.module().map(|module| module.text);
    if image.build.os().is_none() {
        let code = text.and_then(|text| image.bytes(text.start, (text.end - text.start) as usize));
        let os = named_system(&image)
            .or_else(|| dump::system(image.object.source.bytes(), code.unwrap_or_default()));
        let os = os.unwrap_or(image.object.layout.target.os);
        image.object.layout.target.os = os;
        image.tables.facts = image.tables.facts.on(os);
    }
    if let Some(text) = text {
        dump::split(&mut image.object.layout, text);
    }
    Ok(image)
}

/// The system that a program was built for, as the file with its part of the runtime is called (`os_windows.go`).
fn named_system(image: &Image) -> Option<Os> {
    let osinit = image.funcs_named("runtime.osinit").into_iter().next()?;
    let file = osinit.line_at(osinit.entry())?.file;
    let (_, system) = file.strip_suffix(".go")?.rsplit_once('_')?;
    Os::from_goos(system)
}

/// The image of a file whose layout is known.
fn image(mut object: Object) -> Result<Image, LoadError> {
    let build = buildinfo::read(&object);
    let told = build.go.map(Facts::of);
    let told = told.map(|facts| if facts.is_newer() { typed::learned(&object, facts) } else { facts });
    let mut tables = detect::tables(&object, &build, told)?;
    object.layout.target.os = build.os().unwrap_or(object.layout.target.os);
    tables.facts = tables.facts.on(object.layout.target.os);
    Ok(Image {
        object,
        build,
        tables,
        typed: Typed::default(),
        undefined: Undefined::default(),
        given: Given::default(),
        named: Named::default(),
        threads: Vec::new(),
    })
}

fn from_objects(linked: Linked, path: Option<PathBuf>) -> Result<Image, LoadError> {
    let Linked { bytes, layout, symbols, build, undefined } = linked;
    let object = Object::made(Arc::new(Source::made(bytes, path)?), layout, symbols);
    let tables = detect::tables(&object, &build, build.go.map(Facts::of))?;
    let (typed, given, named, threads) = Default::default();
    Ok(Image { object, build, tables, typed, undefined, given, named, threads })
}

impl Image {
    /// Reads the file at `path` and finds Go's tables in it.
    ///
    /// It is copied into memory, so nothing that happens to the file later matters.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), goemu_loader::LoadError> {
    /// use goemu_loader::{Image, LoadError};
    ///
    /// let image = match Image::open("hello") {
    ///     Err(LoadError::Packed { hint, .. }) => panic!("unpack it first: {hint}"),
    ///     image => image?,
    /// };
    /// println!("{:?} for {:?}", image.go_version(), image.target().os);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LoadError::Io`], [`LoadError::Directory`], [`LoadError::NotAFile`] or [`LoadError::Empty`] if there is nothing to
    /// read. Otherwise as [`Image::parse`].
    pub fn open(path: impl AsRef<Path>) -> Result<Image, LoadError> {
        LoadOptions::default().open(path)
    }

    /// Finds Go's tables in `bytes`, the contents of a whole file.
    ///
    /// ```
    /// use goemu_loader::{Image, LoadError};
    ///
    /// let error = Image::parse(&b"#!/bin/sh"[..]).unwrap_err();
    /// assert!(matches!(error, LoadError::NotExecutable { what: "a script" }));
    /// ```
    ///
    /// # Errors
    ///
    /// [`LoadError::NotAnObject`], [`LoadError::NotExecutable`], [`LoadError::UnsupportedFormat`] or
    /// [`LoadError::WrongArch`] if it is no program for x86-64 in a format that is read here; [`LoadError::NotGo`],
    /// [`LoadError::NoFunctionTable`] or [`LoadError::OtherCompiler`] if it has no function table of Go,
    /// [`LoadError::Packed`] if a packer has hidden it; [`LoadError::Truncated`] or
    /// [`LoadError::Malformed`] if its headers contradict the rest.
    pub fn parse(bytes: impl Into<Cow<'static, [u8]>>) -> Result<Image, LoadError> {
        LoadOptions::default().parse(bytes)
    }

    /// Links object files and archives of the Go compiler, in memory. Of several that define a symbol, the first one
    /// counts. A single file may also be a program.
    ///
    /// # Errors
    ///
    /// As [`Image::open`]; in [`LoadError::In`] where one of several files is at fault.
    /// [`LoadError::SeveralPrograms`] if one of several files is no object or archive, [`LoadError::MixedObjects`] if
    /// their releases or systems differ.
    pub fn open_all(paths: &[impl AsRef<Path>]) -> Result<Image, LoadError> {
        LoadOptions::default().open_all(paths)
    }
}

//! Finds Go's tables in an executable: with sections or without, stripped or not, whatever the release.

use crate::buildinfo::BuildInfo;
use crate::facts::{Facts, Texts};
use crate::layout::Perm;
use crate::moduledata::{self, ModuleData};
use crate::object::Object;
use crate::pclntab::{self, Pclntab};
use crate::{LoadError, format};

/// What was found.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) facts: Facts,
    pub(crate) module: Option<ModuleData>,
    pub(crate) pclntab: Pclntab,
}

/// How many places that look like a function table are tried. Real files have one.
const MAX_CANDIDATES: usize = 16;

/// Finds the function table, and with it everything else. `told`: what is known of the
/// release that the build information names.
///
/// # Errors
///
/// What the file is without a function table.
pub(crate) fn tables(object: &Object, build: &BuildInfo, told: Option<Facts>) -> Result<Tables, LoadError> {
    let mut tables = candidates(object).take(MAX_CANDIDATES).filter_map(|addr| at(object, told, addr));
    tables
        .next()
        .ok_or_else(|| format::packed(object.source.bytes()).unwrap_or_else(|| what_else(object, build)))
}

/// What a file without a function table is.
fn what_else(object: &Object, build: &BuildInfo) -> LoadError {
    let has_section = |names: &[&str]| names.iter().any(|name| object.section(name).is_some());
    let symbols = || object.symbols().iter(object.source.bytes()).map(|symbol| symbol.name);
    // The start of a program, which is linked from libgo; and what each of its packages has.
    let from_libgo = |name: &str| name == "__go_go" || name.starts_with("__go_init_");
    if has_section(&[".go_export"])
        || object.imports().iter().any(|import| from_libgo(&import.name))
        || symbols().any(from_libgo)
    {
        return LoadError::OtherCompiler { compiler: "gccgo" };
    }
    if symbols().any(|name| name.starts_with("tinygo_")) {
        return LoadError::OtherCompiler { compiler: "TinyGo" };
    }
    // A version alone may be any text of a program that knows of Go.
    let has_build = !build.path.is_empty() || !build.settings.is_empty();
    if has_build || has_section(&GO_SECTIONS) || symbols().any(|name| name == "runtime.morestack") {
        return LoadError::NoFunctionTable;
    }
    LoadError::NotGo
}

/// Sections that Go's linker alone makes.
const GO_SECTIONS: [&str; 4] = [".note.go.buildid", ".go.buildinfo", ".gosymtab", ".typelink"];

/// Names of the section that holds the function table.
const SECTIONS: [&str; 2] = [".gopclntab", ".data.rel.ro.gopclntab"];

/// Alignment of the function table in the releases that align it least.
const ALIGN: usize = 8;

/// Addresses where a function table starts, or at least looks like it.
fn candidates(object: &Object) -> impl Iterator<Item = u64> {
    let named = SECTIONS.iter().filter_map(|name| object.section(name)?.addr);
    let segments = object.layout.segments.iter().filter(|segment| !segment.perm.contains(Perm::EXEC));
    let executable = object.layout.segments.iter().filter(|segment| segment.perm.contains(Perm::EXEC));
    let scanned = segments.chain(executable).flat_map(|segment| {
        let words = object.segment_bytes(segment).chunks_exact(ALIGN).zip((segment.addr..).step_by(ALIGN));
        words.filter(|(word, _)| pclntab::is_shaped(word)).map(|(_, addr)| addr)
    });
    named.chain(scanned).filter(|addr| object.tail(*addr).and_then(pclntab::releases).is_some())
}

/// The tables that belong to the function table at `addr`, if there is one.
///
/// Build information may be missing, changed or removed, so a version counts only if the runtime's table of
/// tables, read as that version lays it out, fits the file. Of several that do, that one is taken whose texts the file has.
/// Without one, the function table has to do alone, as in Go 1.4, which has no other.
fn at(object: &Object, told: Option<Facts>, addr: u64) -> Option<Tables> {
    let releases = pclntab::releases(object.tail(addr)?)?;
    let told = told.filter(|facts| releases.contains(facts.version));
    let mut guesses: Vec<Facts> =
        releases.known().map(|version| Facts { guessed: true, ..Facts::of(version) }).collect();
    if told.is_none() {
        let texts = Texts::of(object.source.bytes());
        guesses.sort_by_key(|facts| texts.differ(facts.version.minor));
    }
    let facts: Vec<Facts> = told.into_iter().chain(guesses).collect();
    let with_module = |writable| {
        let modules = moduledata::candidates(object, addr, writable);
        facts.iter().find_map(|facts| {
            let module = moduledata::find(object, facts, addr, &modules)?;
            read(object, *facts, Some(module), addr)
        })
    };
    with_module(true)
        .or_else(|| with_module(false))
        .or_else(|| facts.iter().find_map(|facts| read(object, *facts, None, addr)))
}

fn read(object: &Object, facts: Facts, module: Option<ModuleData>, addr: u64) -> Option<Tables> {
    let pclntab = Pclntab::read(object, &facts, module.as_ref(), addr)?;
    let first = pclntab.entry(object, 0)?;
    (pclntab.count > 0 && object.is_code(first)).then_some(Tables { facts, module, pclntab })
}

//! Finds Go's tables in an executable: with sections or without, stripped or not, whatever the release.

use crate::facts::Facts;
use crate::moduledata::{self, ModuleData};
use crate::object::{Object, Perm};
use crate::pclntab::{self, Pclntab};
use crate::version::GoVersion;
use crate::{LoadError, bytes};

/// What was found.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) facts: Facts,
    pub(crate) module: Option<ModuleData>,
    pub(crate) pclntab: Pclntab,
}

/// Finds the function table, and with it everything else. `version` is what the build information says.
pub(crate) fn tables(object: &Object, version: Option<GoVersion>) -> Result<Tables, LoadError> {
    let mut tables = candidates(object).filter_map(|addr| at(object, version, addr));
    tables.next().ok_or_else(|| packed(object.source.bytes()).unwrap_or(LoadError::NotGo))
}

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
        words.filter(|(word, _)| pclntab::releases(word).is_some()).map(|(_, addr)| addr)
    });
    named.chain(scanned)
}

/// The tables that belong to the function table at `addr`, if there is one.
fn at(object: &Object, version: Option<GoVersion>, addr: u64) -> Option<Tables> {
    let (oldest, newest) = pclntab::releases(object.tail(addr)?)?;
    let told = version.filter(|version| (oldest..=newest).contains(&version.minor));
    if let Some(version) = told {
        let facts = Facts::of(version);
        let module = moduledata::find(object, &facts, addr);
        return read(object, facts, module, addr);
    }
    // The binary does not tell its version: the newest whose layout fits.
    let guesses = (oldest..=newest.min(crate::facts::NEWEST)).rev();
    let guesses = guesses.map(|minor| Facts { guessed: true, ..Facts::of(GoVersion::new(minor, 0)) });
    let fits = guesses.clone().find_map(|facts| {
        let module = moduledata::find(object, &facts, addr)?;
        read(object, facts, Some(module), addr)
    });
    fits.or_else(|| guesses.clone().find_map(|facts| read(object, facts, None, addr)))
}

fn read(object: &Object, facts: Facts, module: Option<ModuleData>, addr: u64) -> Option<Tables> {
    let pclntab = Pclntab::read(object, &facts, module.as_ref(), addr)?;
    let first = pclntab.entry(object, 0)?;
    object.is_code(first).then_some(Tables { facts, module, pclntab })
}

/// How far from the start and from the end of a file a packer's mark is looked for.
const PACKER_WINDOW: usize = 4096;

/// The packer of a file that is packed.
fn packed(file: &[u8]) -> Option<LoadError> {
    let start = file.get(..PACKER_WINDOW).unwrap_or(file);
    let end = file.len().checked_sub(PACKER_WINDOW).and_then(|start| file.get(start..)).unwrap_or(file);
    let marked = [start, end].iter().any(|part| bytes::find(part, b"UPX!").is_some());
    marked.then_some(LoadError::Packed { packer: "UPX", hint: "upx -d FILE" })
}

//! What `go version -m` prints: the version of Go, the modules and the settings of the build.

use crate::bytes;
use crate::layout::{Os, Perm};
use crate::object::Object;
use crate::version::GoVersion;

/// A module that is part of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Module {
    /// Its path: `golang.org/x/sys`.
    pub path: String,
    /// Its version: `v0.1.0`, `(devel)`.
    pub version: String,
    /// Its checksum, `h1:...`; empty for modules that were built from a folder.
    pub sum: String,
    /// What replaces it, where go.mod says so.
    pub replaced_by: Option<Box<Module>>,
}

/// How a program was built, as far as the file tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildInfo {
    /// The version of Go as the file writes it; empty where it does not.
    pub version: String,
    /// The same, understood.
    pub go: Option<GoVersion>,
    /// Import path of the main package.
    pub path: String,
    /// The module of the main package.
    pub main: Option<Module>,
    /// The other modules.
    pub deps: Vec<Module>,
    /// Settings of the build in order (Go 1.18 and later): `("GOAMD64", "v1")`, `("-buildmode", "exe")`.
    pub settings: Vec<(String, String)>,
}

impl BuildInfo {
    /// The value of a setting: `setting("CGO_ENABLED")`.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The level of the x86-64 instruction set that the code asks for: 1 to 4.
    pub fn goamd64(&self) -> Option<u8> {
        let level = self.setting("GOAMD64")?.strip_prefix('v')?;
        // `v3,avx512vl`-like lists do not exist for GOAMD64, but whatever follows the number is no part of it.
        level.chars().next()?.to_digit(10).and_then(|level| u8::try_from(level).ok())
    }

    /// The operating system that the settings name.
    pub fn os(&self) -> Option<Os> {
        self.setting("GOOS").and_then(Os::from_goos)
    }

    fn add_module_info(&mut self, text: &str) {
        for line in text.lines() {
            let Some((kind, rest)) = line.split_once('\t') else { continue };
            match kind {
                "path" => self.path = rest.to_owned(),
                "mod" => self.main = Some(module(rest)),
                "dep" => self.deps.push(module(rest)),
                "=>" => {
                    if let Some(replaced) = self.deps.last_mut().or(self.main.as_mut()) {
                        replaced.replaced_by = Some(Box::new(module(rest)));
                    }
                }
                "build" => self.settings.extend(setting(rest)),
                _ => {}
            }
        }
    }
}

fn module(columns: &str) -> Module {
    let mut columns = columns.split('\t').map(str::to_owned);
    Module {
        path: columns.next().unwrap_or_default(),
        version: columns.next().unwrap_or_default(),
        sum: columns.next().unwrap_or_default(),
        replaced_by: None,
    }
}

/// `key=value`, each quoted where it has to be.
fn setting(text: &str) -> Option<(String, String)> {
    let (key, value) = text.split_once('=')?;
    let plain = |text: &str| text.trim_matches(['"', '`']).to_owned();
    Some((plain(key), plain(value)))
}

/// `\xff Go buildinf:` starts the header (`debug/buildinfo`, Go 1.13 and later), followed by the size of a
/// pointer and by flags.
const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER_SIZE: u64 = 32;
const ALIGN: usize = 16;
/// Flag: the strings follow the header; else (up to Go 1.17) it has two pointers to them.
const INLINE: u8 = 2;

/// Reads the build information, empty where the file has none.
pub(crate) fn read(object: &Object) -> BuildInfo {
    let mut build = BuildInfo::default();
    let (version, modules) = strings(object).unwrap_or_default();
    build.version = match version {
        [] => bytes::text(build_version(object).unwrap_or_default()).to_owned(),
        version => bytes::text(version).to_owned(),
    };
    build.go = GoVersion::parse(&build.version);
    build.add_module_info(bytes::text(without_sentinels(modules)));
    build
}

/// The two strings: version, module information.
fn strings(object: &Object) -> Option<(&[u8], &[u8])> {
    let header = header(object)?;
    let flags = bytes::u8(object.tail(header)?, 15)?;
    if flags & INLINE != 0 {
        let mut rest = object.tail(header.checked_add(HEADER_SIZE)?)?;
        return Some((take_string(&mut rest)?, take_string(&mut rest).unwrap_or_default()));
    }
    let string = |offset: u64| object.go_string(object.read_u64(header.checked_add(offset)?)?);
    Some((string(16)?, string(24).unwrap_or_default()))
}

fn take_string<'b>(bytes: &mut &'b [u8]) -> Option<&'b [u8]> {
    let len = bytes::take_uvarint(bytes)?;
    let (string, rest) = bytes.split_at_checked(len as usize)?;
    *bytes = rest;
    Some(string)
}

/// Guest address of the header: by section, or the first in writable data.
fn header(object: &Object) -> Option<u64> {
    let starts = |addr: u64| object.tail(addr).is_some_and(|bytes| bytes.starts_with(MAGIC));
    let section = object.section(".go.buildinfo").and_then(|section| section.addr);
    section.filter(|addr| starts(*addr)).or_else(|| {
        let segments = object.layout.segments.iter().filter(|segment| !segment.perm.contains(Perm::EXEC));
        let (writable, other): (Vec<_>, Vec<_>) =
            segments.partition(|segment| segment.perm.contains(Perm::WRITE));
        writable.into_iter().chain(other).find_map(|segment| {
            // Segments start at a multiple of 16 in every file that a linker makes.
            let found = object.segment_bytes(segment).chunks(ALIGN).position(|c| c.starts_with(MAGIC))?;
            segment.addr.checked_add((found * ALIGN) as u64)
        })
    })
}

/// The text between the two marks of 16 bytes around the module information.
fn without_sentinels(modules: &[u8]) -> &[u8] {
    modules.len().checked_sub(16).and_then(|end| modules.get(16..end)).unwrap_or_default()
}

/// Longest version that is looked for: `devel +0123456789 Fri Jan 1 00:00:00 2016 +0000`.
const MAX_VERSION: u64 = 64;

/// The variable `runtime.buildVersion`, for Go 1.12 and earlier: by its symbol, or else the first string
/// variable that holds a version of Go.
fn build_version(object: &Object) -> Option<&[u8]> {
    let is_version = |text: &&[u8]| GoVersion::parse(bytes::text(text)).is_some();
    let symbol = object.symbols().named(object.source.bytes(), "runtime.buildVersion");
    let named = symbol.and_then(|symbol| object.go_string(symbol.addr)).filter(is_version);
    named.or_else(|| {
        let writable = object.layout.segments.iter().filter(|segment| segment.perm.contains(Perm::WRITE));
        writable.into_iter().find_map(|segment| {
            let words = (0..segment.file_size).step_by(8).map(|offset| segment.addr + offset);
            let lengths = words.zip(object.segment_bytes(segment).chunks_exact(8).skip(1));
            let short = |word: &[u8]| bytes::u64(word, 0).is_some_and(|len| (5..=MAX_VERSION).contains(&len));
            let mut strings =
                lengths.filter(|(_, len)| short(len)).filter_map(|(addr, _)| object.go_string(addr));
            strings.find(|text| text.starts_with(b"go1.") && is_version(text))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_information() {
        let mut build = BuildInfo::default();
        build.add_module_info(
            "path\texample.org/x/cmd\nmod\texample.org/x\t(devel)\t\ndep\tgolang.org/x/sys\tv0.1.0\th1:abc=\n\
             =>\t../sys\t(devel)\t\nbuild\t-buildmode=pie\nbuild\tGOAMD64=v3\nbuild\tGOOS=freebsd\n\
             build\t-ldflags=\"-s -w\"\nnonsense\n",
        );
        assert_eq!(build.path, "example.org/x/cmd");
        assert_eq!(build.main.as_ref().map(|m| m.version.as_str()), Some("(devel)"));
        assert_eq!(build.deps[0].replaced_by.as_ref().map(|m| m.path.as_str()), Some("../sys"));
        assert_eq!(build.deps[0].sum, "h1:abc=");
        assert_eq!((build.goamd64(), build.os()), (Some(3), Some(Os::FreeBsd)));
        assert_eq!(build.setting("-ldflags"), Some("-s -w"));
    }
}

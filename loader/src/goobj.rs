//! Object files as `go tool compile` and `go tool asm` write them, alone (`x.o`) or in archives (`x.a`). Go 1.12 to
//! 1.27.
//!
//! Two generations of formats, a file each, are read into one model; `crate::link` makes an image of it.

mod archive;
mod indexed;
mod listing;
mod model;
mod reader;
mod sequential;

use std::path::Path;

use crate::LoadError;
use crate::bytes;
use crate::facts::has_known_objects;
use crate::layout::Os;
use crate::version::GoVersion;

pub use listing::{ObjectFunc, ObjectListing, ObjectReloc};
pub(crate) use model::{Abi, Func, Inlined, Object, Ref, RefIndex, Reloc, Symbol};

use self::reader::Reader;

/// The package that is compiled, in the names of objects up to Go 1.19.
const AS_WRITTEN: &str = "\"\"";
/// What every object starts with.
const HEADER: &[u8] = b"go object ";

/// Whether the bytes of a file are an object or an archive.
pub(crate) fn is(file: &[u8]) -> bool {
    archive::is(file) || file.starts_with(HEADER)
}

/// What stands in names for the package that was compiled, which objects up to Go 1.19 leave open.
#[derive(Clone, Copy, Debug)]
enum Name<'p> {
    /// The package: `main` where the file says so, else by the file's path.
    Of(Option<&'p Path>),
    /// What the file has: `""`.
    AsWritten,
}

/// The objects in a file. `path` tells the package where the objects do not.
pub(crate) fn read<'a>(file: &'a [u8], path: Option<&Path>) -> Result<Vec<Object<'a>>, LoadError> {
    read_named(file, Name::Of(path))
}

fn read_named<'a>(file: &'a [u8], name: Name<'_>) -> Result<Vec<Object<'a>>, LoadError> {
    let members = if archive::is(file) {
        archive::members(file)?
    } else {
        vec![archive::Member { name: "", bytes: file, offset: 0 }]
    };
    let is_object = |member: &&archive::Member<'a>| member.bytes.starts_with(HEADER);
    let main = members.iter().filter(is_object).any(|member| says_main(member.bytes));
    let package = match name {
        Name::AsWritten => AS_WRITTEN.to_owned(),
        Name::Of(_) if main => "main".to_owned(),
        Name::Of(path) => path.map(package_of).unwrap_or_default(),
    };
    let mut objects = Vec::new();
    for member in members.iter().filter(is_object).filter(|member| member.name != "__.PKGDEF") {
        objects.push(object(member, &package)?);
    }
    if objects.is_empty() {
        return Err(LoadError::Malformed { what: "an archive: expected a Go object in it", offset: 0 });
    }
    Ok(objects)
}

fn object<'a>(member: &archive::Member<'a>, package: &str) -> Result<Object<'a>, LoadError> {
    let header = header(member)?;
    let Some(end) = bytes::find(member.bytes, b"\n!\n") else {
        let what = "object: expected a line with an exclamation mark behind its header";
        return Err(LoadError::Malformed { what, offset: member.offset });
    };
    let start = end + 3;
    let bytes = member.bytes.get(start..).unwrap_or_default();
    let reader = Reader::new(bytes, member.offset.saturating_add(start as u64));
    match () {
        () if sequential::is(bytes) => sequential::parse(header, package, reader),
        () if indexed::is(bytes) => indexed::parse(header, package, reader),
        () => Err(reader.malformed("object: expected the magic of Go 1.12 to 1.27")),
    }
}

/// The first line: `go object linux amd64 go1.27.3 GOAMD64=v1 X:none`.
fn header<'a>(member: &archive::Member<'a>) -> Result<model::Header<'a>, LoadError> {
    let malformed = |what| LoadError::Malformed { what, offset: member.offset };
    let line = member.bytes.split(|byte| *byte == b'\n').next().map(bytes::text).unwrap_or_default();
    let mut words = line.split(' ').skip(2);
    let (os, arch) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if arch != "amd64" {
        return Err(LoadError::WrongArch { arch: arch.to_owned() });
    }
    let Some(os) = Os::from_goos(os) else { return Err(malformed("object: expected a GOOS in its header")) };
    let rest = words.next().map_or("", |version| &line[offset_in(line, version)..]);
    let settings = [" GOAMD64=", " X:"].iter().filter_map(|mark| rest.find(mark)).min();
    let version = settings.and_then(|end| rest.get(..end)).unwrap_or(rest).trim_end();
    let Some(go) = GoVersion::parse(version) else {
        return Err(malformed("object: expected a version of Go in its header"));
    };
    if !has_known_objects(go) {
        return Err(malformed("an object of a Go older than 1.12, which is not supported"));
    }
    Ok(model::Header { os, version, go })
}

/// Where a part of a text starts in it.
fn offset_in(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize).min(text.len())
}

/// Whether a member of an archive says that its package is `main`: a line of its own behind the first.
fn says_main(member: &[u8]) -> bool {
    let lines = member.split(|byte| *byte == b'\n').skip(1).take(3);
    lines.take_while(|line| !line.starts_with(b"$$") && !line.starts_with(b"!")).any(|line| line == b"main")
}

/// The package that a file with this path holds: the path below `pkg/linux_amd64` (where Go up to 1.19 keeps the
/// standard library), else the file's name.
fn package_of(path: &Path) -> String {
    let path = path.with_extension("");
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let library = parts.windows(2).position(|pair| pair[0] == "pkg" && pair[1].contains("_amd64"));
    match library {
        Some(at) => parts.get(at + 2..).unwrap_or_default().join("/"),
        None => parts.last().copied().unwrap_or_default().to_owned(),
    }
}

/// A name with its package: up to Go 1.19 the compiler writes `""` for it.
fn expand(name: &str, package: &str) -> String {
    if package == AS_WRITTEN || !name.contains("\"\".") {
        return name.to_owned();
    }
    name.replace("\"\".", &format!("{}.", escaped(package)))
}

/// A package's path as symbols have it (`objabi.PathToPrefix`): dots in its last part are escaped.
fn escaped(package: &str) -> String {
    let last = package.rfind('/').map_or(0, |slash| slash + 1);
    let (folders, name) = package.split_at(last);
    format!("{folders}{}", name.replace('%', "%25").replace('.', "%2e").replace('"', "%22"))
}

/// A source file's path, without what marks its symbol.
fn file_name(symbol: &str) -> &str {
    symbol.strip_prefix("gofile..").unwrap_or(symbol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_by_path() {
        let package = |path: &str| package_of(Path::new(path));
        assert_eq!(package("/go/pkg/linux_amd64/internal/bytealg.a"), "internal/bytealg");
        assert_eq!(package("/go/pkg/linux_amd64_race/strings.a"), "strings");
        assert_eq!(package("out/deferr.o"), "deferr");
    }

    #[test]
    fn names_are_completed() {
        assert_eq!(expand("type.*\"\".T", "main"), "type.*main.T");
        assert_eq!(expand("\"\".f", "gopkg.in/yaml.v2"), "gopkg.in/yaml%2ev2.f");
        assert_eq!(file_name("gofile../src/a.go"), "/src/a.go");
    }
}

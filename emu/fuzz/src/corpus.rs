//! Inputs as files: as Go's own fuzzing keeps them (`go test fuzz v1`) where the types allow, else literals as JSON.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use goemu::Value;
use goemu_loader::Kind;

use crate::Error;
use crate::input::Codec;

/// The first line of Go's files.
const HEADER: &str = "go test fuzz v1";
/// The folder of failures in that of the corpus.
pub(crate) const CRASHES: &str = "crashes";
/// Bytes of a file.
const LONGEST: u64 = 1 << 22;

/// The inputs of a folder, and how many files of it are none.
pub(crate) fn read(folder: &Path, codec: &Codec) -> Result<(Vec<Vec<Value>>, usize), Error> {
    let failed = |error| Error::Corpus { path: folder.to_owned(), error };
    fs::create_dir_all(folder).map_err(failed)?;
    let mut paths = Vec::new();
    for folder in [folder.to_owned(), folder.join(CRASHES)] {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        paths.extend(entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()));
    }
    // The order of a folder is any.
    paths.sort();
    let (mut inputs, mut junk) = (Vec::new(), 0);
    for path in paths {
        match read_one(&path, codec) {
            Some(args) => inputs.push(args),
            None => junk += 1,
        }
    }
    Ok((inputs, junk))
}

fn read_one(path: &PathBuf, codec: &Codec) -> Option<Vec<Value>> {
    if fs::metadata(path).ok()?.len() > LONGEST {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let literals: Vec<String> = match text.strip_prefix(HEADER) {
        Some(lines) => lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(bare).collect(),
        None => serde_json::from_str(&text).ok()?,
    };
    codec.parse(&literals).ok()
}

/// The value of a line of Go's: `int(5)` is 5; what is no conversion of a basic type stays.
fn bare(line: &str) -> String {
    const BASIC: [&str; 16] = [
        "string", "bool", "byte", "rune", "int", "int8", "int16", "int32", "int64", "uint", "uint8",
        "uint16", "uint32", "uint64", "float32", "float64",
    ];
    let inside = BASIC.iter().find_map(|name| line.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')'));
    inside.unwrap_or(line).to_owned()
}

/// Writes an input into a folder; its name follows from it.
pub(crate) fn write(folder: &Path, codec: &Codec, args: &[Value]) -> Result<PathBuf, String> {
    let text = text(codec, args);
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let path = folder.join(format!("{:016x}", hasher.finish()));
    let written = fs::create_dir_all(folder).and_then(|()| {
        // Never half a file: another process may read it.
        let draft = folder.join(format!(".{:016x}.tmp", hasher.finish()));
        fs::write(&draft, text)
            .and_then(|()| fs::rename(&draft, &path))
            .inspect_err(|_| _ = fs::remove_file(&draft))
    });
    written.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

/// The contents of an input's file.
fn text(codec: &Codec, args: &[Value]) -> String {
    let literals = codec.literals(args);
    let lines: Option<Vec<String>> = codec
        .subject()
        .inputs()
        .iter()
        .zip(args)
        .zip(&literals)
        .map(|((input, value), literal)| line(&input.ty.name, &input.ty.kind, value, literal))
        .collect();
    match lines {
        Some(lines) => format!("{HEADER}\n{}\n", lines.join("\n")),
        None => format!("{}\n", serde_json::Value::from(literals)),
    }
}

/// A line of Go's file; none for types that Go's fuzzing does not take.
fn line(name: &str, kind: &Kind, value: &Value, literal: &str) -> Option<String> {
    match (kind, value) {
        (Kind::Slice(_), Value::Bytes(bytes)) if name == "[]uint8" => {
            let quoted = goemu::go::print::Quoted(&bytes.bytes);
            Some(format!("[]byte({quoted})"))
        }
        (Kind::Slice(_), Value::Nil(_)) if name == "[]uint8" => Some("[]byte(\"\")".to_owned()),
        (Kind::Bool | Kind::String | Kind::Int | Kind::Uint | Kind::Float, _) if !name.contains('.') => {
            Some(format!("{name}({literal})"))
        }
        _ => None,
    }
}

/// Removes the files of inputs that were written and reach nothing of their own.
pub(crate) fn remove(paths: impl Iterator<Item = PathBuf>) {
    // One that stays does no harm.
    paths.for_each(|path| _ = fs::remove_file(path));
}

/// The fewest of these inputs, about, that take all edges that any of them does: by what each reaches, small ones first.
pub(crate) fn fewest(traces: &[(usize, &[(usize, u8)])]) -> Vec<bool> {
    let mut kept = vec![false; traces.len()];
    let mut covered = std::collections::HashSet::new();
    let mut order: Vec<usize> = (0..traces.len()).collect();
    order.sort_by_key(|&at| traces.get(at).map_or((0, 0), |(size, edges)| (usize::MAX - edges.len(), *size)));
    for at in order {
        let Some((_, edges)) = traces.get(at) else { continue };
        let new = edges.iter().filter(|edge| covered.insert(**edge)).count();
        kept.iter_mut().skip(at).take(1).for_each(|kept| *kept = new > 0);
    }
    kept
}

//! Names as a Go file of one package writes them.

use super::plan::is_exported;
use crate::go::names;

/// What a Go file cannot say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// A name of another package that is not exported.
    #[error("{0} is not exported by its package")]
    NotExported(String),
    /// A function without a name of its own.
    #[error("{0} has no name in Go")]
    NoName(String),
}

/// A type's name in a file of `package`: `[]*encoding/json.Token` is `[]*json.Token`, `main.point` in package main `point`.
pub(super) fn type_name(full: &str, package: &str) -> Result<String, Unwritable> {
    let is_letter = |c: char| c.is_alphanumeric() || "_/.-~".contains(c);
    let mut out = String::with_capacity(full.len());
    let mut rest = full;
    while let Some(start) = rest.find(is_letter) {
        let (before, word) = rest.split_at(start);
        let end = word.find(|c: char| !is_letter(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        out.push_str(before);
        out.push_str(&qualified(word, package)?);
        rest = after;
    }
    Ok((out + rest).replace("interface {}", "interface{}"))
}

/// One name: `encoding/json.Token`, `int`, `...int`.
fn qualified(word: &str, package: &str) -> Result<String, Unwritable> {
    let dots = word.len() - word.trim_start_matches('.').len();
    let (dots, name) = word.split_at(dots);
    let of = names::package(name);
    let last = name.get(of.len()..).unwrap_or(name).trim_start_matches('.');
    if of.is_empty() || of == package {
        return Ok(format!("{dots}{last}"));
    }
    if !is_exported(last) {
        return Err(Unwritable::NotExported(name.to_owned()));
    }
    Ok(format!("{dots}{}.{last}", base(of)))
}

/// The name that a package has in files that import it: the last part of its path that is no version.
pub(crate) fn base(path: &str) -> &str {
    let is_version =
        |part: &str| part.strip_prefix('v').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    let mut parts = path.rsplit('/');
    let last = parts.next().unwrap_or(path);
    if is_version(last) { parts.next().unwrap_or(last) } else { last }
}

/// Whether a file of `package` may name this field of the type.
pub(super) fn check_field(ty: &str, field: &str, package: &str) -> Result<(), Unwritable> {
    let own = ty.starts_with("struct {") || names::package(ty) == package;
    match own || is_exported(field) {
        true => Ok(()),
        false => Err(Unwritable::NotExported(format!("{ty}.{field}"))),
    }
}

/// A function's name in a file of `package`.
pub(crate) fn function_name(full: &str, package: &str) -> Result<String, Unwritable> {
    if full == "nil" {
        return Ok(full.to_owned());
    }
    let of = names::package(full);
    let name = full.get(of.len() + 1..).unwrap_or(full);
    if name.contains(['.', '(', '[', '-']) {
        return Err(Unwritable::NoName(full.to_owned()));
    }
    qualified(full, package)
}

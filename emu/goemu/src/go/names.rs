//! Finding functions by what users call them.

mod hashed;
mod shape;
pub(crate) mod single;
mod spelling;

use goemu_loader::{Func, FuncId, Image};

use crate::error::Error;
use crate::go::generic;
pub use hashed::are_hashed;
use shape::same_type;
pub(crate) use shape::without_number;
use spelling::{Likeness, Spelling, unquote};
pub(crate) use spelling::{full_name, split};

/// Names that a message suggests.
const NEAR: usize = 3;
/// How alike a name must be to be suggested; 1 is the same.
const ALIKE: f64 = 0.8;
/// Letters of a name for which others that are like it are looked for: comparing takes time.
const MAX_LIKE: usize = 200;
/// Functions that a message about an ambiguous name lists.
const LISTED: usize = 100;

/// The function that a name or an address means: its full name, an end of it that no other function has (`f1`
/// for `main.f1`), or none other of package main, or where it begins (`0x45e1a0`).
///
/// The receiver of a method may be written `(*T).Method` or `T.Method`, and the type arguments of a generic function as
/// in Go, `Map[int,string]`, or not at all. Quotes around the name are not part of it. A plugin's package main may be
/// called `main`.
///
/// # Errors
/// When there is none (the error names some that are like it), or more than one.
pub fn find<'i>(image: &'i Image, name: &str) -> Result<Func<'i>, Error> {
    if let Some(name) = in_object(image, name) {
        return find(image, &name);
    }
    let name = unquote(name);
    if let Some(addr) = address(name) {
        return image.func_at(addr).filter(|f| f.entry() == addr).ok_or_else(|| no_function_at(image, addr));
    }
    let mut found = image.funcs_named(name);
    if let (true, Some(rest), Some(path)) =
        (found.is_empty(), name.strip_prefix("main."), image.plugin_path())
    {
        found = image.funcs_named(&format!("{path}.{rest}"));
    }
    if found.is_empty() {
        found = meant(image, name);
    }
    match prefer_main(image, prefer_real(found))[..] {
        [only] => Ok(only),
        [] if name == "main.main"
            && let Some(main) = single::program_main(image) =>
        {
            Ok(main)
        }
        [] => Err(inlined(image, name)
            .unwrap_or_else(|| Error::NoSuchFunction { name: name.to_owned(), near: near(image, name) })),
        ref found => Err(ambiguous(image, name, found)),
    }
}

/// The name of a function, or its address where it has none.
#[must_use]
pub fn called(func: &Func<'_>) -> String {
    if func.name().is_empty() { format!("{:#x}", func.entry()) } else { func.name().to_owned() }
}

/// Whether a package is one of Go's own, by its path; what has no package is code of the runtime's.
#[must_use]
pub fn is_own_package(package: &str) -> bool {
    let first = package.split('/').next().unwrap_or_default();
    first.is_empty() || first == "type:" || is_standard(first)
}

/// What is said of an address that is no function's: where it would be if it counts from the base that other tools show.
pub fn no_function_at(image: &Image, addr: u64) -> Error {
    let func = |addr: u64| image.func_at(addr).map(|func| full_name(image, &func).to_owned());
    let other = image.at_other_base(addr).filter(|_| image.func_at(addr).is_none());
    match other.and_then(|(other, there)| Some((other, there, func(there)?))) {
        Some((other, there, func)) => Error::OtherBase { addr, base: image.base(), other, there, func },
        None => Error::NoFunctionAt(addr),
    }
}

/// The full name of what is named as objects do: `"".f` up to Go 1.19, `%22%22.f` in listings of those; or by the file
/// instead of the package.
fn in_object(image: &Image, name: &str) -> Option<String> {
    if !image.is_linked_here() {
        return None;
    }
    let package = &image.build_info().path;
    let unnamed = ["\"\".", "%22%22."].iter().find_map(|prefix| name.strip_prefix(prefix));
    let by_file = || {
        let (file, rest) = name.split_once('.').filter(|(file, _)| file != package)?;
        let is_file = |path: &std::path::Path| path.file_stem().is_some_and(|stem| stem == file);
        let source =
            || image.funcs().any(|f| f.line_at(f.entry()).is_some_and(|at| is_file(at.file.as_ref())));
        (image.path().is_some_and(is_file) || source()).then_some(rest)
    };
    let rest = unnamed.or_else(by_file)?;
    let full = format!("{package}.{rest}");
    (!image.funcs_named(&full).is_empty()).then_some(full)
}

fn address(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The functions that a name means best.
fn meant<'i>(image: &'i Image, name: &str) -> Vec<Func<'i>> {
    let wanted = Spelling::of(name);
    let same = |wanted: &str, has: &str| same_type(image, wanted, has);
    let (mut best, mut found) = (Likeness::End, Vec::new());
    let last = wanted.last();
    // Cheaper than spelling all names.
    for func in image.funcs().filter(|func| func.name().contains(last)) {
        match wanted.means(&Spelling::of(full_name(image, &func)), &same) {
            Some(likeness) if likeness > best => (best, found) = (likeness, vec![func]),
            Some(likeness) if likeness == best => found.push(func),
            _ => {}
        }
    }
    if let (true, [arguments]) = (found.len() > 1, wanted.arguments()) {
        retain_made_for(image, &mut found, arguments);
    }
    found
}

/// Leaves the instances of a generic function whose dictionaries have these type arguments. Stripped programs of Go 1.18
/// to 1.20 have nothing else to tell them by.
fn retain_made_for(image: &Image, found: &mut Vec<Func<'_>>, arguments: &str) {
    let untold = |func: &Func<'_>| full_name(image, func).contains("[...]");
    if found.iter().all(untold) {
        let made: Vec<_> =
            found.iter().copied().filter(|func| generic::made_for(image, func, arguments)).collect();
        if !made.is_empty() {
            *found = made;
        }
    }
}

/// What was compiled from source, if there is any, else the wrappers: those between calling conventions, and for
/// methods of embedded fields.
fn prefer_real(mut found: Vec<Func<'_>>) -> Vec<Func<'_>> {
    if found.iter().any(|func| func.func_id() != FuncId::Wrapper) {
        found.retain(|func| func.func_id() != FuncId::Wrapper);
    } else if let [first, rest @ ..] = &found[..]
        && rest.iter().all(|func| func.name() == first.name())
    {
        found.truncate(1);
    }
    found
}

/// The one that is in package main, where others of the same end are in other packages.
fn prefer_main<'i>(image: &Image, found: Vec<Func<'i>>) -> Vec<Func<'i>> {
    let is_main = |func: &&Func<'_>| package(full_name(image, func)) == "main";
    match found.iter().filter(is_main).collect::<Vec<_>>()[..] {
        [only] => vec![*only],
        _ => found,
    }
}

fn ambiguous(image: &Image, name: &str, found: &[Func<'_>]) -> Error {
    let show = |func: &Func<'_>| format!("{} ({:#x})", full_name(image, func), func.entry());
    let mut candidates: Vec<String> = found.iter().take(LISTED).map(show).collect();
    if found.len() > LISTED {
        candidates.push(format!("and {} more", found.len() - LISTED));
    }
    Error::Ambiguous { name: name.to_owned(), candidates }
}

/// What is said of a function that the compiler inlined wherever it is called, so that there is no code to call.
fn inlined(image: &Image, name: &str) -> Option<Error> {
    let wanted = Spelling::of(name);
    let last = wanted.last();
    let is_meant = |full: &str| {
        full.contains(last) && wanted.means(&Spelling::of(full), &|wanted, has| wanted == has).is_some()
    };
    let mut full = None;
    let mut places: Vec<String> = Vec::new();
    for func in image.funcs() {
        if let Some(inlined) = func.inlined().find(|inlined| is_meant(inlined)) {
            full.get_or_insert(inlined);
            places.push(full_name(image, &func).to_owned());
        }
    }
    let name = full?.to_owned();
    let more = places.len().saturating_sub(NEAR);
    places.truncate(NEAR);
    if more > 0 {
        places.push(format!("and {more} more"));
    }
    Some(Error::Inlined { name, places })
}

/// Names like the one that was given, best first.
fn near(image: &Image, name: &str) -> Vec<String> {
    if name.len() > MAX_LIKE {
        return Vec::new();
    }
    let dots = name.matches('.').count();
    let mut scored: Vec<(f64, &str)> = image
        .funcs()
        .map(|func| func.name())
        .filter(|full| full.len() <= MAX_LIKE)
        .map(|full| (strsim::jaro_winkler(name, last_parts(full, dots + 1)), full))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(NEAR).map(|(_, name)| name.to_owned()).collect()
}

/// The last parts of a name, as many as the user gave.
fn last_parts(full: &str, count: usize) -> &str {
    let dot = full.rmatch_indices('.').nth(count.saturating_sub(1));
    dot.and_then(|(dot, _)| full.get(dot + 1..)).unwrap_or(full)
}

/// The import path in a function's name: `encoding/json` in `encoding/json.(*Decoder).Decode`.
pub fn package(name: &str) -> &str {
    // Slashes of the path come before its last dot; those in type arguments after a bracket.
    let path_end = name.find('[').unwrap_or(name.len());
    let base = name.get(..path_end).and_then(|path| path.rfind('/')).map_or(0, |slash| slash + 1);
    let dot = name.get(base..).and_then(|rest| rest.find('.'));
    dot.and_then(|dot| name.get(..base + dot)).unwrap_or("")
}

/// Whether the first part of a package's path is that of Go's own packages.
pub(crate) fn is_standard(first: &str) -> bool {
    hashed::STANDARD.contains(&first)
}

/// `runtime.goexit`, the function that goroutines return to.
pub(crate) fn goexit(image: &Image) -> Option<Func<'_>> {
    let named = image.funcs_named("runtime.goexit");
    named.first().copied().or_else(|| image.funcs().find(|func| func.func_id() == FuncId::Goexit))
}

#[cfg(test)]
mod tests {
    use super::package;

    #[test]
    fn packages_of_names() {
        for (name, path) in [
            ("main.f1", "main"),
            ("main.(*T).Method", "main"),
            ("encoding/json.(*Decoder).Decode", "encoding/json"),
            ("example.org/x.f", "example.org/x"),
            ("main.Map[a/b.T]", "main"),
            ("gosave_systemstack_switch", ""),
            ("", ""),
        ] {
            assert_eq!(package(name), path, "{name}");
        }
    }
}

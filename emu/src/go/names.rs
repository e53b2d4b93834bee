//! Finding functions by what users call them.

use goemu_loader::{Func, FuncId, Image};

use crate::error::Error;

/// Names that a message suggests.
const NEAR: usize = 3;
/// How alike a name must be to be suggested; 1 is the same.
const ALIKE: f64 = 0.8;

/// The function that a name or an address means: its full name, an end of it that no other function has (`f1`
/// for `main.f1`), or where it begins (`0x45e1a0`).
///
/// # Errors
/// When there is none (the error names some that are like it), or more than one.
pub fn find<'i>(image: &'i Image, name: &str) -> Result<Func<'i>, Error> {
    if let Some(addr) = address(name) {
        return image.func_at(addr).filter(|f| f.entry() == addr).ok_or(Error::NoFunctionAt(addr));
    }
    let exact = image.funcs_named(name);
    if let Some(func) = pick(&exact) {
        return Ok(func);
    }
    let mut found: Vec<Func<'i>> = image.funcs().filter(|func| ends_in(func.name(), name)).collect();
    found.retain(|func| func.func_id() != FuncId::Wrapper);
    match found[..] {
        [only] => Ok(only),
        [] => Err(Error::NoSuchFunction { name: name.to_owned(), near: near(image, name) }),
        _ => {
            let candidates = found.iter().map(|f| format!("{} ({:#x})", f.name(), f.entry())).collect();
            Err(Error::Ambiguous { name: name.to_owned(), candidates })
        }
    }
}

fn address(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// Of functions of one name, the one that is not a wrapper between calling conventions.
fn pick<'i>(funcs: &[Func<'i>]) -> Option<Func<'i>> {
    funcs.iter().find(|func| func.func_id() != FuncId::Wrapper).or(funcs.first()).copied()
}

/// Whether a full name ends in what the user gave, at a border: `f1` and `Method` for `main.f1` and
/// `main.(*T).Method`.
fn ends_in(full: &str, name: &str) -> bool {
    !name.is_empty() && full.strip_suffix(name).is_some_and(|rest| rest.ends_with(['.', '/']))
}

/// Names like the one that was given, best first.
fn near(image: &Image, name: &str) -> Vec<String> {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let short = !name.contains('.');
    let mut scored: Vec<(f64, &str)> = image
        .funcs()
        .map(|func| func.name())
        .map(|full| {
            let candidate = if short { last(full) } else { full.to_owned() };
            (strsim::jaro_winkler(name, &candidate), full)
        })
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(NEAR).map(|(_, name)| name.to_owned()).collect()
}

/// `runtime.goexit`, the function that goroutines return to.
pub(crate) fn goexit(image: &Image) -> Option<Func<'_>> {
    let named = image.funcs_named("runtime.goexit");
    named.first().copied().or_else(|| image.funcs().find(|func| func.func_id() == FuncId::Goexit))
}

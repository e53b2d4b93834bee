//! Whether an obfuscator has put hashes in the place of names. garble leaves the names of most of Go's own packages, which
//! the linker needs, and writes those of the program as 6 to 12 digits of base 64.

use std::collections::BTreeSet;

use goemu_loader::Image;

use super::package;

/// The first parts of the paths of Go's own packages.
pub(crate) const STANDARD: &[&str] = &[
    "archive",
    "bufio",
    "builtin",
    "bytes",
    "cmd",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "type",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];
/// Lengths of a hash.
const LENGTHS: std::ops::RangeInclusive<usize> = 6..=12;
/// So many names have to be of such a length before anything is said of them.
const ENOUGH: usize = 4;

/// Whether the names of the program's own functions, those outside of Go's own packages, are hashes.
#[must_use]
pub fn are_hashed(image: &Image) -> bool {
    let standard = |path: &str| {
        // `type:.eq.M4K4` and others are the linker's.
        let first = path.split(['/', ':', '.']).next().unwrap_or_default();
        path.is_empty() || STANDARD.contains(&first)
    };
    let own = image.defined_funcs().map(|func| func.name()).filter(|name| !standard(package(name)));
    let names: BTreeSet<&str> = own.flat_map(parts).filter(|part| LENGTHS.contains(&part.len())).collect();
    let hashes = names.iter().filter(|name| is_odd(name)).count();
    names.len() >= ENOUGH && hashes * 2 > names.len()
}

/// The words of a function's name behind its package: types, methods, functions. Those that the compiler or cgo made are
/// left out.
fn parts(name: &str) -> impl Iterator<Item = &str> {
    let own = name.get(package(name).len()..).unwrap_or_default();
    let own = own.split('[').next().unwrap_or_default();
    let words = own.split(['.', '(', ')', '*', '-', '·']);
    words.filter(|word| !word.starts_with('_') && word.is_ascii() && !word.contains("_Cfunc"))
}

/// Whether a name has a digit or an underscore between letters, as few names in Go have and most hashes.
fn is_odd(name: &str) -> bool {
    let digit = name.find(|c: char| c.is_ascii_digit() || c == '_');
    digit.and_then(|at| name.get(at..)).is_some_and(|rest| rest.contains(|c: char| c.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_have_digits_between_letters() {
        for (name, odd) in [
            ("kB3xYz_q", true),
            ("Xq2vLmR8", true),
            ("a1b2c3d4", true),
            ("quicksort", false),
            ("addOverflow8", false),
            ("init0", false),
        ] {
            assert_eq!(is_odd(name), odd, "{name}");
        }
        let words = |name| parts(name).filter(|part| !part.is_empty()).collect::<Vec<_>>();
        assert_eq!(words("kB3xYz_q.(*Xq2vLmR8).Lm4Fg_1.func1"), ["Xq2vLmR8", "Lm4Fg_1", "func1"]);
        assert_eq!(words("main._Cfunc_puts"), [""; 0]);
        assert_eq!(words("main.Map[a/b.T]"), ["Map"]);
    }
}

//! Whose code an instruction is: that of the program, whose accesses count, or that of the runtime.

use goemu_loader::{Frame, FuncId, Image};

/// Whose code it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The program's: all accesses count.
    Program,
    /// That of packages that the memory model is made of: only atomic accesses count.
    Sync,
    /// The runtime's: no access counts.
    Runtime,
}

/// Packages of the runtime (`cmd/internal/objabi/pkgspecial.go`), beside those below `runtime/internal` and
/// `internal/runtime`.
const RUNTIME: [&str; 20] = [
    "internal/abi",
    "internal/asan",
    "internal/byteorder",
    "internal/chacha8rand",
    "internal/coverage/rtcov",
    "internal/cpu",
    "internal/goarch",
    "internal/godebugs",
    "internal/goexperiment",
    "internal/goos",
    "internal/msan",
    "internal/profilerecord",
    "internal/race",
    "internal/strconv",
    "internal/stringslite",
    "runtime",
    "runtime/asan",
    "runtime/cgo",
    "runtime/msan",
    "runtime/race",
];

/// The package of a function's name.
pub(super) fn package(name: &str) -> &str {
    let name = name.split('[').next().unwrap_or(name);
    let start = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[start..].find('.') {
        Some(dot) => &name[..start + dot],
        None => name,
    }
}

fn of_package(package: &str) -> Class {
    let is_internal = |root: &str| package.starts_with(root);
    match package {
        "sync" | "sync/atomic" | "internal/sync" => Class::Sync,
        "go" | "" => Class::Runtime,
        _ if RUNTIME.contains(&package) => Class::Runtime,
        _ if is_internal("runtime/internal/") || is_internal("internal/runtime/") => Class::Runtime,
        _ => Class::Program,
    }
}

/// Whether a file is one of the runtime's: it has functions with names of other packages.
fn is_runtime_file(file: &str) -> bool {
    ["runtime", "internal/runtime/maps"].iter().any(|folder| {
        file.rsplit_once('/').is_some_and(|(dir, _)| {
            dir == *folder || dir.strip_suffix(folder).is_some_and(|root| root.ends_with("/src/"))
        })
    })
}

/// Whose code the instruction with these functions is, the innermost first.
pub(super) fn of(frames: &[Frame<'_>], is_asm: bool) -> Class {
    let Some(inner) = frames.first() else { return Class::Runtime };
    let of_runtime = inner.line.is_some_and(|line| is_runtime_file(line.file));
    match of_package(package(inner.func)) {
        _ if is_asm || inner.func_id == FuncId::Wrapper => Class::Runtime,
        // The runtime has some of package sync/atomic, to tell the collector of pointers.
        Class::Sync if inner.func.starts_with("sync/atomic.") => Class::Sync,
        _ if of_runtime => Class::Runtime,
        class => class,
    }
}

/// Whose code calls a function, by the address that it will return to.
pub(super) fn of_caller(image: &Image, pc: u64) -> Class {
    let Some(func) = image.func_at(pc.wrapping_sub(1)) else { return Class::Runtime };
    let frames = func.inlined_at(pc.wrapping_sub(1));
    // Assembly and wrappers pass on what others have asked for.
    if func.func_id() == FuncId::Wrapper { Class::Program } else { of(&frames, func.is_asm()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_names() {
        let cases = [
            ("main.f", "main"),
            ("net/http.(*conn).serve", "net/http"),
            ("gopkg.in/yaml%2ev2.Unmarshal", "gopkg.in/yaml%2ev2"),
            ("slices.SortFunc[go.shape.[]example.com/a/b.T]", "slices"),
            ("type:.eq.main.T", "type:"),
            ("goexit", "goexit"),
        ];
        for (name, is) in cases {
            assert_eq!(package(name), is, "{name}");
        }
    }

    #[test]
    fn files_of_the_runtime() {
        assert!(is_runtime_file("/usr/lib/go/src/runtime/sema.go") && is_runtime_file("runtime/sema.go"));
        assert!(!is_runtime_file("/home/me/runtime/x.go") && !is_runtime_file("runtime/debug/stack.go"));
        assert!(!is_runtime_file("/usr/lib/go/src/sync/mutex.go"));
    }

    #[test]
    fn classes() {
        assert_eq!(of_package("internal/runtime/maps"), Class::Runtime);
        assert_eq!(of_package("runtime/pprof"), Class::Program);
        assert_eq!(of_package("sync/atomic"), Class::Sync);
    }
}

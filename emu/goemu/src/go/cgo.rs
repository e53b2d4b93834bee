//! Starting a program with C in it as if it had none.
//!
//! Package runtime/cgo fills variables of the runtime with functions in C: to set up a thread, start one, map memory,
//! set a signal's handler, change the environment. Where a variable is nil the runtime does that by itself
//! (`runtime/cgo.go`), and so it is made to. The variables are found by the code that asks them, which stripped
//! programs have, too. What the program itself calls in C runs as it does in a hooked call.

use std::collections::BTreeSet;

use goemu_loader::{Image, Perm};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind};

/// The functions that ask for a function in C, and call it where there is one.
const ASKING: [&str; 10] = [
    "runtime.rt0_go",
    "runtime.mmap",
    "runtime.munmap",
    "runtime.sigaction",
    "runtime.setenv_c",
    "runtime.unsetenv_c",
    "syscall.setenv_c",
    "syscall.unsetenv_c",
    "syscall.runtimeSetenv",
    "syscall.runtimeUnsetenv",
];
/// Functions that ask at once whether there is C.
const ASKING_FOR_C: [&str; 2] = ["runtime.newm1", "runtime.newm"];

/// A variable, and what stands for "no C" in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Variable {
    /// A function in C.
    Function(u64),
    /// `_cgo_init`, which sets up the first thread, and without which the runtime puts `g` where Go's linker would.
    Init(u64),
    /// `runtime.iscgo`
    IsCgo(u64),
}

/// Whether the program has C in it: the variable is in every program, and points to a function where there is C.
pub(crate) fn is_used(image: &Image) -> bool {
    let cgo_init = image.symbol("_cgo_init").and_then(|symbol| image.read_u64(symbol.addr));
    // Stripped programs have no variables by name; this function is in package runtime/cgo.
    cgo_init.is_some_and(|function| function != 0) || !image.funcs_named("crosscall2").is_empty()
}

/// The variables that say that there is C. `None` where the code that asks is not as it was in any release known.
pub(crate) fn variables(image: &Image) -> Option<Vec<Variable>> {
    let in_c = |addr| image.read_u64(addr).is_some_and(|function| is_c(image, function));
    let functions = ASKING.iter().flat_map(|name| read_by(image, name, 8)).filter(|&addr| in_c(addr));
    let functions: BTreeSet<u64> = functions.collect();
    let init = read_by(image, ASKING[0], 8).into_iter().find(|&addr| in_c(addr));
    let kind = |addr| if Some(addr) == init { Variable::Init(addr) } else { Variable::Function(addr) };
    let mut found: Vec<_> = functions.into_iter().map(kind).collect();
    let asked = ASKING_FOR_C.iter().find_map(|name| read_by(image, name, 1).first().copied())?;
    let is_true = image.bytes(asked, 1)? == [1];
    found.push(is_true.then_some(Variable::IsCgo(asked))?);
    Some(found)
}

/// `x_cgo_notify_runtime_init_done`, which tells C that Go has started: the last function in C that `main` asks for.
pub(crate) fn notify_runtime_init_done(image: &Image) -> Option<u64> {
    let named = image.symbol("_cgo_notify_runtime_init_done").map(|symbol| symbol.addr);
    let read = || read_by(image, "runtime.main", 8);
    let addrs = named.map_or_else(read, |addr| vec![addr]);
    let functions = addrs.into_iter().filter_map(|addr| image.read_u64(addr));
    functions.filter(|&function| is_c(image, function)).last()
}

/// Whether this is code, and not Go's: the names of Go's functions have a package.
fn is_c(image: &Image, addr: u64) -> bool {
    let segment = image.segments().iter().find(|segment| segment.contains(addr));
    segment.is_some_and(|segment| segment.perm.contains(Perm::EXEC))
        && image.func_at(addr).is_none_or(|func| !func.name().contains('.'))
}

/// The variables of so many bytes that the functions of this name read, in the order of the code.
pub(crate) fn read_by(image: &Image, name: &str, size: usize) -> Vec<u64> {
    let mut found = Vec::new();
    for func in image.funcs_named(name) {
        let code = func.end().checked_sub(func.entry()).and_then(|size| usize::try_from(size).ok());
        let Some(code) = code.and_then(|size| image.bytes(func.entry(), size)) else { continue };
        let decoder = &mut Decoder::with_ip(64, code, func.entry(), DecoderOptions::NONE);
        found.extend(
            decoder.into_iter().filter(|insn| reads(insn, size)).map(|insn| insn.ip_rel_memory_address()),
        );
    }
    found
}

/// Whether an instruction loads or compares a variable of so many bytes.
fn reads(insn: &Instruction, size: usize) -> bool {
    let asks = matches!(insn.mnemonic(), Mnemonic::Mov | Mnemonic::Movzx | Mnemonic::Cmp | Mnemonic::Test);
    let writes = insn.mnemonic() == Mnemonic::Mov && insn.op0_kind() == OpKind::Memory;
    asks && !writes && insn.is_ip_rel_memory_operand() && insn.memory_size().size() == size
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> Image {
        Image::open(format!("{}/../../testdata/bin/{name}", env!("CARGO_MANIFEST_DIR"))).expect("a fixture")
    }

    /// Symbols, which stripping takes away, know the same variables by name.
    #[test]
    fn the_code_asks_the_variables_that_symbols_name() {
        let image = fixture("cgo-go1.15-gcc");
        let addr = |name: &str| image.symbol(name).expect("a symbol").addr;
        let functions = ["_cgo_init", "_cgo_mmap", "_cgo_munmap", "_cgo_sigaction"];
        let of_runtime = ["runtime._cgo_setenv", "runtime._cgo_unsetenv"];
        let named = functions.iter().chain(&of_runtime).map(|name| Variable::Function(addr(name)));
        let named = named.skip(1).chain([Variable::Init(addr("_cgo_init"))]);
        let named: Vec<_> = named.chain([Variable::IsCgo(addr("runtime.iscgo"))]).collect();
        let found = variables(&image).expect("variables");
        assert!(
            found.len() == named.len() && named.iter().all(|variable| found.contains(variable)),
            "{found:?}"
        );
    }

    #[test]
    fn what_tells_c_that_go_has_started_is_found_without_symbols() {
        let image = fixture("cgo-go1.15-gcc");
        let notify = image.symbol("x_cgo_notify_runtime_init_done").expect("a symbol").addr;
        assert_eq!(notify_runtime_init_done(&image), Some(notify));
        let read = read_by(&image, "runtime.main", 8).into_iter().filter_map(|addr| image.read_u64(addr));
        assert_eq!(read.filter(|&function| is_c(&image, function)).last(), Some(notify));
        assert!(notify_runtime_init_done(&fixture("cgo-go1.27-gcc-pie")).is_some());
        assert!(!is_used(&fixture("corpus-go1.27-stripped")));
        assert!(is_used(&fixture("cgo-go1.27-gcc-pie")));
    }
}

//! How many goroutines there are (`NumGoroutine` in `runtime/debug.go`): compilers put it in its callers, so that the program's own code
//! counts. It looks at the length of the runtime's list of goroutines (`allglen`), which is not there. Hooks keep the variable: 0 while
//! there is one goroutine, which code takes for 1.

use goemu_loader::{Func, FuncId, Image};
use iced_x86::{Code, Instruction, OpKind};

use super::goroutines;
use crate::disasm::code_of;
use crate::guest::goroutine::Goroutine;
use crate::hook::{Action, HookContext, HookResult};
use crate::memory::MemFault;

/// Where the variable is; `add`: `allgadd`, which appends to the list and then stores its length, where names do not tell.
pub(in crate::runtime) fn variable(image: &Image, add: Option<u64>) -> Option<u64> {
    image.symbol("runtime.allglen").map(|symbol| symbol.addr).or_else(|| stored(image, add))
}

/// What `allgadd` stores last, by an exchange; up to Go 1.15 what it has just loaded.
fn stored(image: &Image, add: Option<u64>) -> Option<u64> {
    let named = || image.funcs_named("runtime.allgadd").first().map(|func| func.entry());
    let code = code_of(&image.func_at(named().or(add)?)?);
    let exchange =
        code.iter().rposition(|insn| insn.code() == Code::Xchg_rm64_r64 && insn.op0_kind() == OpKind::Memory);
    let Some(last) = exchange else { return moved_last(&code) };
    if code[last].is_ip_rel_memory_operand() {
        return Some(code[last].ip_rel_memory_address());
    }
    let pointer = code[last].memory_base();
    let set = code[..last].iter().rfind(|insn| insn.op0_register() == pointer)?;
    (set.code() == Code::Lea_r64_m && set.is_ip_rel_memory_operand()).then(|| set.ip_rel_memory_address())
}

/// The last variable that gets, in the next instruction, what was loaded from another.
fn moved_last(code: &[Instruction]) -> Option<u64> {
    let moves = |two: &&[Instruction]| {
        let [load, store] = two else { return false };
        load.code() == Code::Mov_r64_rm64
            && store.code() == Code::Mov_rm64_r64
            && two.iter().all(Instruction::is_ip_rel_memory_operand)
            && load.op0_register() == store.op1_register()
    };
    code.windows(2).rfind(moves).map(|two| two[1].ip_rel_memory_address())
}

/// A goroutine was made.
pub(super) fn made(cx: &mut HookContext<'_>, goroutine: &Goroutine) -> Result<(), MemFault> {
    if !counts(cx, goroutine) {
        return Ok(());
    }
    // With the first, which is not counted while it is alone.
    change(cx, |count| count.max(1).saturating_add(1))
}

/// The present goroutine has ended.
pub(super) fn ended(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    if !counts(cx, cx.goroutine) {
        return Ok(());
    }
    change(cx, |count| if count > 2 { count - 1 } else { 0 })
}

fn change(cx: &mut HookContext<'_>, by: impl Fn(u64) -> u64) -> Result<(), MemFault> {
    let Some(at) = cx.world.goroutine_count else { return Ok(()) };
    let count = cx.word(at)?;
    cx.set_word(at, by(count))
}

/// Whether Go counts it: not what only calls functions of timers, nor what is the runtime's own.
fn counts(cx: &HookContext<'_>, goroutine: &Goroutine) -> bool {
    let first = goroutine.stack.is_none();
    first || goroutine.creator.is_some() && !is_system(cx, goroutine.start)
}

/// Whether a goroutine that started with a function is the runtime's own: Go shows none of these.
pub(super) fn is_system(cx: &HookContext<'_>, start: u64) -> bool {
    let is_own = |func: Func<'_>| func.name().starts_with("runtime.") || func.entry() < cx.world.runtime_end;
    cx.image.func_at(start).is_some_and(|func| func.func_id() != FuncId::RuntimeMain && is_own(func))
}

/// Where the runtime's own code ends: linkers put packages behind those that they need, and the runtime needs none that starts goroutines.
/// Each package ends with its assembly, `goexit` in the runtime's.
pub(in crate::runtime) fn runtime_end(image: &Image) -> u64 {
    image.funcs().find(|func| func.func_id() == FuncId::Goexit).map_or(0, |func| func.entry())
}

/// `NumGoroutine() int`, `gcount() int32`
pub(in crate::runtime) fn count(cx: &mut HookContext<'_>) -> HookResult {
    let others = { cx.world.scheduler.resting() }.filter(|resting| counts(cx, &resting.goroutine)).count();
    let own = u64::from(counts(cx, cx.goroutine));
    cx.set_result(0, 0, (own + others as u64).max(1))?;
    Ok(Action::Return)
}

/// `goroutineProfileWithLabels(p, labels) (n int, ok bool)`: of others, only goemu knows.
pub(in crate::runtime) fn profile(cx: &mut HookContext<'_>) -> HookResult {
    if cx.world.scheduler.resting().next().is_none() {
        return Ok(Action::Run);
    }
    Err(goroutines::cannot(cx, "a profile of several goroutines"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Symbols, which stripping takes away, know the same variable by name.
    #[test]
    fn the_code_stores_the_variable_that_a_symbol_names() {
        for name in [
            "corpus-go1.15",
            "corpus-go1.27",
            "corpus-go1.27-pie",
            "corpus-go1.27-darwin",
            "corpus-go1.27-windows",
        ] {
            let path = format!("{}/../../testdata/bin/{name}", env!("CARGO_MANIFEST_DIR"));
            let image = Image::open(path).expect("a fixture");
            let symbol = image.symbol("runtime.allglen").expect("a symbol").addr;
            assert_eq!(stored(&image, None), Some(symbol), "{name}");
            let end = runtime_end(&image);
            let own = ["forcegchelper", "bgsweep", "bgscavenge", "gcBgMarkWorker"];
            for func in image.funcs() {
                let name = func.name();
                let is_own = name.strip_prefix("runtime.").is_some_and(|name| own.contains(&name));
                assert!(!is_own || func.entry() < end, "{name} is not the runtime's");
                let of_program =
                    ["main.", "time.", "os.", "fmt."].iter().any(|package| name.starts_with(package));
                let is_pulled = func.line_at(func.entry()).is_some_and(|line| line.file.contains("runtime/"));
                assert!(!of_program || is_pulled || func.entry() > end, "{name} is the runtime's");
            }
        }
    }
}

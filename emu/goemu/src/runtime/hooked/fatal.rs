//! The ends of a program: a panic that was not recovered, fatal errors, exit.

use std::ops::Range;

use goemu_loader::Abi;
use goemu_loader::facts::Signals;
use iced_x86::{FlowControl, Instruction};

use super::{goroutines, panics, stack};
use crate::cpu::gpr;
use crate::disasm::instructions;
use crate::go::read::Reader;
use crate::go::traceback::unwind::Start;
use crate::go::traceback::{Stack, Traceback};
use crate::guest::address_map::PANIC_PRINTED;
use crate::hook::{Action, HookContext, HookResult, INT_REGISTERS};
use crate::memory::MemFault;
use crate::outcome::{Fatal, Outcome, Panic, Signal};

/// Bytes of a fatal error's text that are read.
const MAX_TEXT: u64 = 4096;

/// `fatalpanic(msgs *_panic)`: the deferred functions have run, and the panic's values have been made
/// printable (errors by their Error method) by `preprintpanics`. The program's own `printpanics`, which takes
/// the same argument, puts it in words, and returns to [`PANIC_PRINTED`].
pub(in crate::runtime) fn fatalpanic(cx: &mut HookContext<'_>) -> HookResult {
    let printer = cx.image.funcs_named("runtime.printpanics").first().map(|func| func.entry());
    end_by_panic(cx, printer)
}

/// `fatalpanic`, where `printpanics` is at `printer`.
pub(in crate::runtime) fn end_by_panic(cx: &mut HookContext<'_>, printer: Option<u64>) -> HookResult {
    cx.world.ending.printed_from = cx.world.stderr.len();
    // The frames above stay as they are while the values are printed.
    cx.world.ending.panic_at = caller(cx)?;
    let Some(printer) = printer else {
        let panic = cx.arg(0)?;
        let arg = panic.wrapping_add(cx.image.facts().panic.arg);
        let (ty, data) = (cx.word(arg)?, cx.word(arg.wrapping_add(8))?);
        let text = Reader::new(cx.memory, cx.image).eface(ty, data).to_string();
        return Ok(panicked(cx, text));
    };
    cx.set_word(cx.cpu.gpr(gpr::RSP), PANIC_PRINTED)?;
    cx.cpu.rip = printer;
    Ok(Action::Resume)
}

/// The panic's text is the last that was written to standard error.
pub(in crate::runtime) fn printed(cx: &mut HookContext<'_>) -> HookResult {
    let from = cx.world.ending.printed_from.min(cx.world.stderr.len());
    let text = String::from_utf8_lossy(&cx.world.stderr.split_off(from)).into_owned();
    let text = panics::text(&text);
    Ok(panicked(cx, text))
}

pub(in crate::runtime) fn panicked(cx: &HookContext<'_>, text: String) -> Action {
    let (ty, data) = cx.world.ending.panic_value.unwrap_or_default();
    let value = Reader::new(cx.memory, cx.image).eface(ty, data);
    let traceback = Traceback::of_one(running(cx, cx.world.ending.panic_at, false));
    Action::End(Outcome::Panicked(Panic { value, text, signal: signal(cx), traceback }))
}

/// The newest fault that became a panic, as `g` has it, even if that was recovered: so does Go show it.
fn signal(cx: &HookContext<'_>) -> Option<Signal> {
    let (at, g) = (cx.goroutine.g, cx.image.facts().g);
    let number = u32::from_le_bytes(cx.memory.read(at.checked_add(g.sig)?).ok()?);
    let known = Signals::of(cx.image.target().os).numbered(number)?;
    let word = |field: u64| cx.word(at.wrapping_add(field)).ok();
    let (code, addr, pc) = (word(g.sigcode0)?, word(g.sigcode1)?, word(g.sigpc)?);
    Some(Signal { name: known.name.to_owned(), code, addr, pc })
}

/// The hooked function, which has not begun: it is at its first instruction.
fn here(cx: &HookContext<'_>) -> Start {
    Start { pc: cx.cpu.rip, sp: cx.cpu.gpr(gpr::RSP), trap: true }
}

/// The place that called the hooked function.
pub(in crate::runtime) fn caller(cx: &HookContext<'_>) -> Result<Start, MemFault> {
    Ok(Start { pc: cx.return_address()?, sp: cx.caller_sp(), trap: false })
}

/// The stack of the running goroutine. The runtime may be on the system's stack, where nothing is to be seen: then
/// the goroutine stands where it left its own.
pub(in crate::runtime) fn running(cx: &HookContext<'_>, start: Start, runtime: bool) -> Stack {
    let (at, facts) = (cx.goroutine.g, cx.image.facts());
    let id = cx.word(at.wrapping_add(facts.g.goid)).unwrap_or_default();
    let start = on_own_stack(cx, start);
    let mut stack = Stack::read(cx.image, cx.memory, start, (id, "running"), runtime);
    stack.created_by = goroutines::created_by(cx, cx.goroutine.creator);
    stack
}

/// Where the running goroutine stands on its own stack: there, unless that is on the system's.
pub(super) fn on_own_stack(cx: &HookContext<'_>, start: Start) -> Start {
    if (cx.goroutine.stack_lo..cx.goroutine.stack_hi).contains(&start.sp) {
        return start;
    }
    let (sched, gobuf) = (cx.goroutine.g.wrapping_add(cx.image.facts().g.sched), cx.image.facts().gobuf);
    let word = |field: u64| cx.word(sched.wrapping_add(field)).unwrap_or_default();
    Start { pc: word(gobuf.pc), sp: word(gobuf.sp), trap: false }
}

/// What a fatal error shows beside the stack of its goroutine.
#[derive(Clone, Copy)]
struct Shows {
    /// Functions of the runtime, too.
    runtime: bool,
    /// The other goroutines.
    others: bool,
}

/// `throw(s string)`: the runtime itself is at fault, and its functions are shown too. It would end the program by
/// `fatalthrow`.
pub(in crate::runtime) fn throw(cx: &mut HookContext<'_>) -> HookResult {
    let text = string(cx, cx.arg(0)?, cx.arg(1)?)?;
    doubt(cx, &text);
    spill(cx);
    let start = at_call(cx, "runtime.fatalthrow").unwrap_or_else(|| here(cx));
    Ok(end(cx, &text, start, Shows { runtime: true, others: true }))
}

/// `fatal(s string)`: the program is at fault.
pub(in crate::runtime) fn fatal(cx: &mut HookContext<'_>) -> HookResult {
    let text = string(cx, cx.arg(0)?, cx.arg(1)?)?;
    let start = here(cx);
    Ok(end(cx, &text, start, Shows { runtime: false, others: true }))
}

/// `newproc` finds no function to start. Up to Go 1.18 that is the only fatal error with one stack alone.
pub(in crate::runtime) fn nothing_to_start(cx: &mut HookContext<'_>) -> Action {
    let (start, others) = (here(cx), cx.image.facts().rules().has_fatal());
    end(cx, "go of nil func value", start, Shows { runtime: false, others })
}

/// Ends the call as the runtime's fatal errors end a program.
pub(in crate::runtime) fn error(cx: &mut HookContext<'_>, text: &str) -> Action {
    spill(cx);
    let start = here(cx);
    end(cx, text, start, Shows { runtime: true, others: true })
}

/// `newstack` finds that the stack may not grow any further.
pub(in crate::runtime) fn stack_overflow(cx: &mut HookContext<'_>) -> Result<Action, MemFault> {
    let range = cx.goroutine.stack_lo..cx.goroutine.stack_hi;
    let text = overflow_text(stack::limit(cx), cx.cpu.gpr(gpr::RSP), range);
    cx.world.print(2, text.as_bytes());
    let start = caller(cx)?;
    Ok(end(cx, "stack overflow", start, Shows { runtime: true, others: true }))
}

/// What is printed before the error that a stack is too large; `sp`: where the return address of `morestack` is.
pub(crate) fn overflow_text(limit: u64, sp: u64, stack: Range<u64>) -> String {
    let Range { start, end } = stack;
    let exceeds = format!("runtime: goroutine stack exceeds {limit}-byte limit");
    format!("{exceeds}\nruntime: sp={sp:#x} stack=[{start:#x}, {end:#x}]\n")
}

/// The hooked function, at its call of another: where it would be, had it begun.
fn at_call(cx: &HookContext<'_>, callee: &str) -> Option<Start> {
    let (func, callees) = (cx.func()?, cx.image.funcs_named(callee));
    let calls = |insn: &Instruction| callees.iter().any(|func| func.entry() == insn.near_branch_target());
    let insn = instructions(&func, FlowControl::Call).into_iter().find(calls)?;
    let (pc, own) = (insn.next_ip(), cx.cpu.gpr(gpr::RSP));
    Some(Start { pc, sp: own.wrapping_add_signed(func.sp_delta(pc)?.checked_neg()?), trap: false })
}

/// A function that has not begun has its arguments in registers; tracebacks look for them where it would put them.
fn spill(cx: &mut HookContext<'_>) {
    let Some(func) = cx.func().filter(|func| func.abi() == Abi::Internal) else { return };
    let words = func.args_size().unwrap_or(0) / 8;
    for (at, register) in (0..u64::from(words)).zip(INT_REGISTERS) {
        // Where that cannot be written, there is nothing to show.
        let _ = cx.set_word(cx.caller_sp().wrapping_add(8 * at), cx.cpu.gpr(register));
    }
}

fn end(cx: &mut HookContext<'_>, text: &str, start: Start, shows: Shows) -> Action {
    cx.world.print(2, format!("fatal error: {text}\n").as_bytes());
    let mut traceback = Traceback::of_one(running(cx, start, shows.runtime));
    if shows.others {
        // Of these, the runtime's functions since Go 1.19.
        let runtime = shows.runtime && cx.image.facts().rules().has_fatal();
        traceback.goroutines.extend(goroutines::stacks(cx, runtime));
    }
    let fatal = Fatal { text: text.to_owned(), signal: signal(cx), traceback };
    Action::End(Outcome::Exited { code: 2, fatal: Some(fatal) })
}

/// What the runtime throws because of what the program did begins so. Everything else may come of structures that a start
/// would have filled.
const OF_PROGRAM: [&str; 10] = [
    "sync: ",
    "sync/",
    "concurrent map ",
    "all goroutines are asleep",
    "runtime.SetFinalizer",
    "runtime.AddCleanup",
    "stack overflow",
    "go of nil func value",
    "semaphore",
    "unlock of unlocked",
];

/// Notes that a fatal error may not be the program's own.
fn doubt(cx: &mut HookContext<'_>, text: &str) {
    if !OF_PROGRAM.iter().any(|own| text.starts_with(own)) {
        cx.world.doubt = Some("a fatal error in a runtime that was not started");
    }
}

/// The heap is used up.
pub(in crate::runtime) fn out_of_memory(cx: &mut HookContext<'_>) -> Action {
    cx.world.doubt = Some("the memory of a hooked call is used up");
    error(cx, "runtime: out of memory")
}

/// `exit(code int32)`: assembly where the system is asked directly, Go where it is asked through its libraries.
pub(in crate::runtime) fn exit(cx: &mut HookContext<'_>) -> HookResult {
    let in_register = cx.func().is_some_and(|func| func.abi() == Abi::Internal);
    let code = if in_register {
        cx.cpu.gpr(gpr::RAX) as i32
    } else {
        i32::from_le_bytes(cx.memory.read(cx.caller_sp())?)
    };
    Ok(Action::End(Outcome::Exited { code, fatal: None }))
}

fn string(cx: &HookContext<'_>, addr: u64, len: u64) -> Result<String, MemFault> {
    let mut bytes = vec![0; len.min(MAX_TEXT) as usize];
    cx.memory.read_bytes(addr, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

//! A program that was started serves itself: these hooks watch, and see how it ends.

mod events;

use super::hooked::{fatal, panics};
use crate::cpu::gpr;
use crate::go::read::Reader;
use crate::go::traceback::Traceback;
use crate::go::traceback::parse::parse;
use crate::guest::ending::Dying;
use crate::guest::under_way::UnderWay;
use crate::hook::{Action, HookContext, HookResult};
use crate::memory::MemFault;
use crate::os::linux::put_time_of_day;
use crate::outcome::{Fatal, Outcome, Panic};

pub(crate) use events::install as tell_events;

/// Bytes of a fatal error's text that are read.
const MAX_TEXT: u64 = 4096;
/// Exit status of a program that Go's runtime ends.
const DIED: i32 = 2;
/// What the scheduler says when nothing can run any more.
const DEADLOCK: &str = "all goroutines are asleep";

/// `gopanic(e any)`, of any goroutine: the newest is the one that the program may end by.
pub(super) fn gopanic(cx: &mut HookContext<'_>) -> HookResult {
    if cx.is_of_call() {
        cx.world.pending.under_way.retain(UnderWay::goes_on);
        return panics::gopanic(cx);
    }
    cx.world.ending.panic_value = Some((cx.arg(0)?, cx.arg(1)?));
    Ok(Action::Run)
}

pub(super) fn gorecover(cx: &mut HookContext<'_>) -> HookResult {
    if cx.is_of_call() { panics::gorecover(cx) } else { Ok(Action::Run) }
}

/// `recovery(gp *g)`, which runs on g0.
pub(super) fn recovery(cx: &mut HookContext<'_>) -> HookResult {
    if cx.world.call_g == Some(cx.arg(0)?) { panics::recovery(cx) } else { Ok(Action::Run) }
}

/// `fatalpanic(msgs *_panic)`
pub(super) fn fatalpanic(cx: &mut HookContext<'_>) -> HookResult {
    begin(cx, None);
    Ok(Action::Run)
}

/// `throw(s string)`, `fatal(s string)`
pub(super) fn throw(cx: &mut HookContext<'_>) -> HookResult {
    let text = string(cx, cx.arg(0)?, cx.arg(1)?)?;
    begin(cx, Some(text));
    Ok(Action::Run)
}

/// The first reason is the one that counts: what dies while it is dying says so, too.
fn begin(cx: &mut HookContext<'_>, fatal: Option<String>) {
    let from = cx.world.stderr.len();
    cx.world.ending.dying.get_or_insert(Dying { fatal, from, upto: None });
}

/// `dopanic_m(gp *g, pc, sp uintptr)`: the reason is printed; what follows is where.
pub(super) fn traceback(cx: &mut HookContext<'_>) -> HookResult {
    let upto = cx.world.stderr.len();
    if let Some(dying) = &mut cx.world.ending.dying {
        dying.upto.get_or_insert(upto);
    }
    Ok(Action::Run)
}

/// `copystack(gp *g, newsize uintptr)`: the limit is the machine's where it is below Go's. Beyond it the runtime is made
/// to say what it says of its own limit.
pub(super) fn copystack(cx: &mut HookContext<'_>) -> HookResult {
    let max_stack = cx.goroutine.max_stack;
    const TEXT: &str = "stack overflow";
    if cx.arg(1)? <= max_stack {
        return Ok(Action::Run);
    }
    let throw = cx.image.funcs_named("runtime.throw");
    let room = cx.world.alloc(cx.memory, TEXT.len() as u64);
    let (Some(throw), Ok(text)) = (throw.first(), room) else {
        return Ok(Action::End(Outcome::Exited { code: DIED, fatal: Some(fatal_error(TEXT.to_owned())) }));
    };
    let (g, facts) = (cx.arg(0)?, cx.image.facts());
    let word = |at: u64| cx.word(g.wrapping_add(at));
    let sp = word(facts.g.sched.wrapping_add(facts.gobuf.sp))?.wrapping_sub(8);
    let stack = word(facts.g.stack_lo)?..word(facts.g.stack_hi)?;
    // `newstack` has the status of a goroutine that is copied after it has looked at the limit.
    let running = facts.numbers.g_running as u32;
    cx.memory.write(g.wrapping_add(facts.g.atomicstatus), running.to_le_bytes())?;
    cx.world.print(2, fatal::overflow_text(max_stack, sp, stack).as_bytes());
    cx.memory.write_bytes(text, TEXT.as_bytes())?;
    cx.set_result(0, 0, text)?;
    cx.set_result(0, 1, TEXT.len() as u64)?;
    cx.cpu.rip = throw.entry();
    Ok(Action::Resume)
}

fn fatal_error(text: String) -> Fatal {
    Fatal { text, signal: None, traceback: Traceback::default() }
}

/// `gcStart(trigger gcTrigger)`: the collector does not know of the arguments that goemu has placed, and may free what only
/// they refer to. Where there are any, it runs only if the program asks for it.
pub(super) fn gc_start(cx: &mut HookContext<'_>) -> HookResult {
    const ASKED_FOR: u32 = 2;
    let kind = cx.arg(0)? as u32;
    Ok(if kind != ASKED_FOR && cx.world.has_placed() { Action::Return } else { Action::Run })
}

/// `gettimeofday(timeval, timezone)`
pub(super) fn time_of_day(cx: &mut HookContext<'_>) -> HookResult {
    put_time_of_day(cx, cx.cpu.gpr(gpr::RDI))?;
    cx.cpu.set_gpr(gpr::RAX, 0);
    Ok(Action::Return)
}

fn string(cx: &HookContext<'_>, addr: u64, len: u64) -> Result<String, MemFault> {
    let mut bytes = vec![0; len.min(MAX_TEXT) as usize];
    cx.memory.read_bytes(addr, &mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The outcome of a program that has ended, by what its runtime did and printed before. One that runs out of fuel or time while
/// it prints its stacks has ended, too.
pub(crate) fn ended(cx: &mut HookContext<'_>, outcome: Outcome) -> Outcome {
    let cut = matches!(outcome, Outcome::OutOfFuel { .. } | Outcome::OutOfTime);
    if !cut && !matches!(outcome, Outcome::Exited { code: DIED, fatal: None }) {
        return outcome;
    }
    let Some(dying) = cx.world.ending.dying.take() else { return outcome };
    let code = DIED;
    let stderr = &mut cx.world.stderr;
    let upto = dying.upto.unwrap_or(stderr.len()).min(stderr.len());
    let printed = parse(cx.image, &String::from_utf8_lossy(&stderr.split_off(upto)));
    let traceback = printed.traceback;
    let said = String::from_utf8_lossy(&stderr[dying.from.min(upto)..]).into_owned();
    match dying.fatal {
        Some(text) if text.starts_with(DEADLOCK) => {
            stderr.truncate(dying.from);
            Outcome::Deadlock(traceback)
        }
        Some(text) => {
            Outcome::Exited { code, fatal: Some(Fatal { text, signal: printed.signal, traceback }) }
        }
        None => {
            stderr.truncate(dying.from);
            let text = panics::text(&said);
            let (ty, data) = cx.world.ending.panic_value.unwrap_or_default();
            let value = Reader::new(cx.memory, cx.image).eface(ty, data);
            Outcome::Panicked(Panic { value, text, signal: printed.signal, traceback })
        }
    }
}

//! Goroutines (`runtime/proc.go`): `newproc`, `gopark`, `ready`, `gosched_m`, `goexit0`, `timeSleep`.
//!
//! Channels, select, locks and groups run from the program's own text; they end in these. What the program does not
//! see of a scheduler is not here: there are no threads and no queues in its memory.

use goemu_loader::FuncId;

use super::fatal;
use crate::cpu::gpr;
use crate::error::Error;
use crate::go::scheduler::Resting;
use crate::go::traceback::unwind::Start;
use crate::go::traceback::{Creator, Place, Stack, Traceback};
use crate::hook::{Action, Cx, Refused};
use crate::memory::MemFault;
use crate::observe::Event;
use crate::outcome::{Fatal, Outcome};

/// Bytes of arguments that a `go` statement may have (up to Go 1.16).
const MAX_ARGS: u64 = 1 << 16;
/// Where `gopark`'s unlock function returns to: no memory is there, but a hook.
pub(super) const PARKED: u64 = 0x7e_0000_2000;
/// Bytes below `gopark`'s return address in which the unlock function is called.
const UNLOCK_FRAME: u64 = 64;

/// `newproc`: a goroutine is made, and runs when the present one rests.
pub(super) fn newproc(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let minor = cx.image.facts().version.minor;
    let closure = cx.arg(if minor < 18 { 1 } else { 0 })?;
    let len = if minor < 17 { cx.arg(0)? & 0xffff_ffff } else { 0 };
    let mut args = vec![0; len.min(MAX_ARGS) as usize];
    cx.memory.read_bytes(cx.caller_sp().wrapping_add(16), &mut args)?;
    if closure == 0 {
        return Ok(fatal::error(cx, "go of nil func value"));
    }
    let (func, from) = (cx.word(closure)?, cx.return_address()?);
    let Ok(g) = cx.world.alloc(cx.memory, cx.image.facts().stack.room_for_g) else {
        return Ok(fatal::out_of_memory(cx));
    };
    let (id, stack) = (cx.world.scheduler.number(), cx.world.scheduler.stack());
    let made = cx.goroutine.another(cx.image, cx.memory, (g, id, stack));
    let Ok(Some(mut goroutine)) = made else { return Ok(fatal::out_of_memory(cx)) };
    goroutine.creator = Some((from, cx.goroutine.id));
    goroutine.start = func;
    let Ok(sp) = goroutine.set_first_frame(cx.image, cx.memory, &args, cx.world.home) else {
        return Ok(fatal::out_of_memory(cx));
    };
    let status = "runnable".to_owned();
    cx.world.scheduler.ready_next(Resting { goroutine, pc: func, sp, bp: 0, closure, status });
    cx.emit(|_| Event::GoroutineStarted { goroutine: id, func });
    Ok(Action::Return)
}

/// `gopark(unlockf, lock, reason, ...)`: the goroutine waits once `unlockf(g, lock)` has given up what it holds.
pub(super) fn gopark(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let (unlock, lock, reason) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)? & 0xff);
    cx.world.scheduler.parking = status(cx, reason);
    let own = cx.cpu.gpr(gpr::RSP);
    if unlock == 0 {
        return park(cx, own);
    }
    let (sp, g) = (own.wrapping_sub(UNLOCK_FRAME), cx.goroutine.g);
    for (word, value) in [PARKED, g, lock, 0].into_iter().enumerate() {
        cx.set_word(sp.wrapping_add(8 * word as u64), value)?;
    }
    cx.cpu.set_gpr(gpr::RSP, sp);
    cx.cpu.set_gpr(gpr::RAX, g);
    cx.cpu.set_gpr(gpr::RBX, lock);
    cx.cpu.set_gpr(gpr::RDX, unlock);
    cx.cpu.rip = cx.word(unlock)?;
    Ok(Action::Resume)
}

/// `unlockf` has returned: true if the goroutine is to wait.
pub(super) fn parked(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let sp = cx.cpu.gpr(gpr::RSP);
    let result =
        if cx.image.facts().register_abi() { cx.cpu.gpr(gpr::RAX) } else { cx.word(sp.wrapping_add(16))? };
    let own = sp.wrapping_sub(8).wrapping_add(UNLOCK_FRAME);
    if result & 0xff != 0 {
        return park(cx, own);
    }
    cx.cpu.set_gpr(gpr::RSP, own);
    Ok(Action::Return)
}

fn park(cx: &mut Cx<'_>, own: u64) -> Result<Action, Refused> {
    let status = std::mem::take(&mut cx.world.scheduler.parking);
    let resting = rest(cx, own, status)?;
    cx.world.scheduler.wait(resting);
    schedule(cx)
}

/// `ready(g, traceskip, next)`, which is called on the system's stack.
pub(super) fn ready(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let g = cx.arg(0)?;
    if cx.world.scheduler.wake(g) {
        return Ok(Action::Return);
    }
    Err(cannot(cx, "waking a goroutine that does not wait"))
}

/// `newproc1` of a program without names.
pub(super) fn unsupported(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    Err(cannot(cx, "starting a goroutine in a program without names"))
}

fn cannot(cx: &Cx<'_>, what: &str) -> Refused {
    let from = cx.return_address().ok().and_then(|pc| cx.image.func_at(pc.wrapping_sub(1)));
    let caller = from.map(|func| func.name().to_owned());
    Error::Unsupported { what: what.to_owned(), caller }.into()
}

/// `gosched_m(g)`, `goyield_m(g)`: others run first. `mcall` has noted in `g` where it goes on, and has left its stack.
pub(super) fn gosched(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let (facts, goroutine) = (cx.image.facts(), cx.goroutine.clone());
    let sched = |field: u64| cx.word(goroutine.g.wrapping_add(facts.g.sched).wrapping_add(field));
    let (pc, sp) = (sched(facts.gobuf.pc)?, sched(facts.gobuf.sp)?);
    let bp = facts.gobuf.bp.map(sched).transpose()?.unwrap_or(0);
    let status = "runnable".to_owned();
    cx.world.scheduler.ready_last(Resting { goroutine, pc, sp, bp, closure: 0, status });
    schedule(cx)
}

/// `timeSleep(ns)`, which is `time.Sleep`. The clock jumps when all sleep.
pub(super) fn sleep(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let duration = cx.arg(0)?;
    if duration == 0 || duration.cast_signed() < 0 {
        return Ok(Action::Return);
    }
    let until = cx.cpu.tsc.saturating_add(duration);
    let resting = rest(cx, cx.cpu.gpr(gpr::RSP), "sleep".to_owned())?;
    cx.world.scheduler.sleep(resting, until);
    schedule(cx)
}

/// `goexit0`, or the return of a goroutine's function: it is no more.
pub(crate) fn ended(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    match cx.goroutine.stack {
        Some(stack) => cx.world.scheduler.give_back(stack),
        None => cx.world.scheduler.first_gone = true,
    }
    schedule(cx)
}

/// `NumGoroutine() int`
pub(super) fn count(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let others = cx.world.scheduler.resting().filter(|resting| !is_system(cx, resting)).count();
    cx.set_result(0, 0, 1 + others as u64)?;
    Ok(Action::Return)
}

/// The present goroutine, as it goes on when the function returns whose return address is at `own`.
fn rest(cx: &Cx<'_>, own: u64, status: String) -> Result<Resting, MemFault> {
    let goroutine = cx.goroutine.clone();
    let (pc, bp) = (cx.word(own)?, cx.cpu.gpr(gpr::RBP));
    Ok(Resting { goroutine, pc, sp: own.wrapping_add(8), bp, closure: 0, status })
}

/// Goes on with another goroutine.
fn schedule(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let chance = cx.world.random_order.then(|| cx.cpu.next_random());
    let picked = match cx.world.scheduler.pick(chance) {
        Some(picked) => picked,
        None => {
            let Some(until) = cx.world.scheduler.rouse() else { return Ok(deadlock(cx)) };
            cx.cpu.tsc = cx.cpu.tsc.max(until);
            return schedule(cx);
        }
    };
    let from = cx.goroutine.id;
    *cx.goroutine = picked.goroutine;
    cx.goroutine.make_current(cx.image, cx.memory)?;
    cx.goroutine.enter(cx.image, cx.cpu);
    cx.cpu.set_gpr(gpr::RSP, picked.sp);
    cx.cpu.set_gpr(gpr::RBP, picked.bp);
    cx.cpu.set_gpr(gpr::RDX, picked.closure);
    cx.cpu.rip = picked.pc;
    let to = cx.goroutine.id;
    if from != to {
        cx.emit(|_| Event::GoroutineSwitched { from, to });
    }
    Ok(Action::Resume)
}

/// Nothing can run any more.
fn deadlock(cx: &mut Cx<'_>) -> Action {
    let first_gone = cx.world.scheduler.first_gone;
    let waiting = cx.world.scheduler.waiting();
    let stacks = waiting.iter().filter(|resting| !is_system(cx, resting)).map(|resting| stack(cx, resting));
    let traceback = Traceback { goroutines: stacks.collect() };
    if first_gone {
        let text = "no goroutines (main called runtime.Goexit) - deadlock!".to_owned();
        cx.world.print(2, format!("fatal error: {text}\n").as_bytes());
        return Action::End(Outcome::Exited { code: 2, fatal: Some(Fatal { text, traceback }) });
    }
    Action::End(Outcome::Deadlock(traceback))
}

/// Whether a goroutine is the runtime's own: Go shows none of these.
fn is_system(cx: &Cx<'_>, resting: &Resting) -> bool {
    let start = cx.image.func_at(resting.goroutine.start);
    let name = start.map_or("", |func| func.name());
    start.is_some_and(|func| func.func_id() != FuncId::RuntimeMain) && name.starts_with("runtime.")
}

fn stack(cx: &Cx<'_>, resting: &Resting) -> Stack {
    let start = Start { pc: resting.pc, sp: resting.sp, trap: false };
    let mut stack = Stack::read(cx.image, cx.memory, start, (resting.goroutine.id, &resting.status), false);
    stack.created_by = created_by(cx, resting.goroutine.creator);
    stack
}

/// The `go` statement that a goroutine comes from.
pub(super) fn created_by(cx: &Cx<'_>, creator: Option<(u64, u64)>) -> Option<Creator> {
    let (pc, goroutine) = creator?;
    let func = cx.image.func_at(pc)?;
    let line = func.line_at(pc.wrapping_sub(1))?;
    let goroutine = (cx.image.facts().version.minor >= 21).then_some(goroutine);
    let place = Place { file: line.file.to_owned(), line: line.line };
    Some(Creator {
        func: func.name().to_owned(),
        goroutine,
        line: place,
        offset: pc.wrapping_sub(func.entry()),
    })
}

/// What a goroutine waits for, in Go's words: the program's own list of them where it has symbols, else by who calls.
fn status(cx: &Cx<'_>, reason: u64) -> String {
    let told = cx.image.symbol("runtime.waitReasonStrings").and_then(|list| {
        let at = list.addr.checked_add(16 * reason)?;
        let (text, len) = (cx.word(at).ok()?, cx.word(at + 8).ok()?);
        let mut bytes = vec![0; len.min(64) as usize];
        cx.memory.read_bytes(text, &mut bytes).ok()?;
        String::from_utf8(bytes).ok()
    });
    let by_caller = || {
        let caller = cx.image.func_at(cx.return_address().ok()?.wrapping_sub(1))?;
        Some(match caller.name() {
            "runtime.chanrecv" => "chan receive",
            "runtime.chansend" => "chan send",
            "runtime.selectgo" => "select",
            "runtime.block" => "select (no cases)",
            "runtime.semacquire1" => "semacquire",
            _ => return None,
        })
    };
    told.unwrap_or_else(|| by_caller().unwrap_or("waiting").to_owned())
}

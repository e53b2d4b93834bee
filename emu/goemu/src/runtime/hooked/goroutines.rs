//! Goroutines (`runtime/proc.go`): `newproc`, `gopark`, `ready`, `gosched_m`, `goexit1`, `timeSleep`.
//!
//! Channels, select, locks and groups run from the program's own text; they end in these. What the program does not
//! see of a scheduler is not here: there are no threads and no queues in its memory.

use std::cell::OnceCell;
use std::fmt::Write as _;

use super::reasons::Reasons;
use super::{coroutines, counted, fatal, owed, timers, tracing};
use crate::cpu::gpr;
use crate::error::Error;
use crate::go::traceback::unwind::{Start, Unwinder};
use crate::go::traceback::{Creator, Place, Stack, Traceback};
use crate::go::variables;
use crate::guest::address_map::PARKED;
use crate::guest::clock;
use crate::guest::goroutine::Goroutine;
use crate::guest::scheduler::{Due, Status, Suspended};
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::memory::MemFault;
use crate::observe::Event;
use crate::outcome::{Fatal, Outcome};

/// Bytes of arguments that a `go` statement cannot have (up to Go 1.16): `_StackMin-4*sys.RegSize-sys.RegSize`.
const TOO_MANY: u64 = 2048 - 5 * 8;
/// Nanoseconds that going on with another goroutine takes, so that a goroutine that waits for a time by yielding reaches it.
const SWITCH: u64 = 1000;
/// What a step of the scheduler takes, and making a goroutine, in instructions.
const STEP: u64 = 50;
const MAKING: u64 = 100;
/// What it takes to go on with one of so many goroutines, whose stacks are not in the host's caches any more.
const COLD: u64 = 150;
const MANY: usize = 500;
/// Bytes below `gopark`'s return address in which the unlock function is called.
const UNLOCK_FRAME: u64 = 64;

/// `newproc`: a goroutine is made, and runs when the present one rests.
pub(in crate::runtime) fn newproc(cx: &mut HookContext<'_>) -> HookResult {
    let rules = cx.image.facts().rules();
    let closure = cx.arg(if rules.starts_closures() { 0 } else { 1 })?;
    let len = if rules.copies_arguments() { cx.arg(0)? & 0xffff_ffff } else { 0 };
    let args = words(cx, cx.caller_sp().wrapping_add(16), len)?;
    let creator = (cx.return_address()?, present(cx));
    Ok(go(cx, closure, &args, creator)?.unwrap_or(Action::Return))
}

/// `newproc1(fn, argp, narg, callergp, callerpc)`, since Go 1.18 `(fn, callergp, callerpc, ...)`: all of `newproc` that
/// is recognised without names. It runs on the system's stack. Since Go 1.15 its caller would put the goroutine in a
/// queue, which is not there: that one returns as well.
pub(in crate::runtime) fn newproc1(cx: &mut HookContext<'_>) -> HookResult {
    let rules = cx.image.facts().rules();
    let alone = rules.starts_closures();
    let (at, len) = if alone { (0, 0) } else { (cx.arg(1)?, cx.arg(2)? & 0xffff_ffff) };
    let args = words(cx, at, len)?;
    let creator = (cx.arg(if alone { 2 } else { 4 })?, present(cx));
    if let Some(end) = go(cx, cx.arg(0)?, &args, creator)? {
        return Ok(end);
    }
    if !rules.newproc1_returns_g() {
        return Ok(Action::Return);
    }
    let start = Start { pc: cx.return_address()?, sp: cx.caller_sp(), trap: false };
    let Some(caller) = Unwinder::new(cx.image, &*cx.memory, start).next() else {
        return Err(cannot(cx, "starting a goroutine in a program without names"));
    };
    // Its frame ends with the frame pointer that it has saved, and its return address.
    if caller.fp.wrapping_sub(8) > start.sp {
        cx.cpu.set_gpr(gpr::RBP, cx.word(caller.fp.wrapping_sub(16))?);
    }
    cx.cpu.set_gpr(gpr::RSP, caller.fp.wrapping_sub(8));
    Ok(Action::Return)
}

/// The number of the goroutine that a `go` statement is on. Functions of timers run on the system's stack, which has none;
/// here they have goroutines without a creator.
fn present(cx: &HookContext<'_>) -> u64 {
    let of_timer = cx.goroutine.stack.is_some() && cx.goroutine.creator.is_none();
    if of_timer { 0 } else { cx.goroutine.id }
}

/// The arguments of a `go` statement; those of one that has too many end the call.
fn words(cx: &HookContext<'_>, at: u64, len: u64) -> Result<Vec<u64>, MemFault> {
    let count = len.min(TOO_MANY).div_ceil(8);
    (0..count).map(|n| cx.word(at.wrapping_add(8 * n))).collect()
}

/// A goroutine that runs when the present one rests; `Some` ends the call.
fn go(
    cx: &mut HookContext<'_>,
    closure: u64,
    args: &[u64],
    creator: (u64, u64),
) -> Result<Option<Action>, HookError> {
    if closure == 0 {
        return Ok(Some(fatal::nothing_to_start(cx)));
    }
    if 8 * args.len() as u64 >= TOO_MANY {
        return Ok(Some(fatal::error(cx, "newproc: function arguments too large for new goroutine")));
    }
    let Some(resting) = make(cx, closure, args, Some(creator))? else {
        return Ok(Some(fatal::out_of_memory(cx)));
    };
    let (id, func) = (resting.goroutine.id, resting.pc);
    let by = fatal::caller(cx)?;
    tracing::made(cx, &resting, Some(by));
    cx.world.scheduler.ready_next(resting);
    cx.emit(|_| Event::GoroutineStarted { goroutine: id, func });
    Ok(None)
}

/// A goroutine that is to run a closure with arguments, which is not in any list yet. None where there is no room.
pub(in crate::runtime) fn make(
    cx: &mut HookContext<'_>,
    closure: u64,
    args: &[u64],
    creator: Option<(u64, u64)>,
) -> Result<Option<Suspended>, HookError> {
    cx.memory.charge(MAKING);
    let func = cx.word(closure)?;
    let size = cx.image.facts().stack.room_for_g;
    let (stack, g) = match cx.world.scheduler.used() {
        Some((stack, g)) => {
            cx.memory.write_bytes(g, &vec![0; size as usize])?;
            (stack, g)
        }
        None => {
            let Ok(g) = cx.world.alloc(cx.memory, size) else { return Ok(None) };
            (cx.world.scheduler.new_stack(), g)
        }
    };
    let id = cx.world.scheduler.number();
    let made = cx.goroutine.another(cx.image, cx.memory, (g, id, stack));
    let mut goroutine = match made {
        Ok(Some(goroutine)) => goroutine,
        Ok(None) => return Err(cannot(cx, "starting one goroutine more beside so many others")),
        Err(_) => return Ok(None),
    };
    (goroutine.creator, goroutine.start) = (creator, func);
    counted::made(cx, &goroutine)?;
    if let Some((place, number)) = creator {
        // Compiled code writes it into the text of a stack.
        let facts = cx.image.facts().g;
        cx.set_word(g.wrapping_add(facts.gopc), place)?;
        if let Some(parent) = facts.parent_goid {
            cx.set_word(g.wrapping_add(parent), number)?;
        }
    }
    let bytes: Vec<u8> = args.iter().copied().flat_map(u64::to_le_bytes).collect();
    let Ok(sp) = goroutine.set_first_frame(cx.image, cx.memory, &bytes, cx.world.return_addr) else {
        return Ok(None);
    };
    let in_registers = [0, 1, 2, 3].map(|n| args.get(n).copied().unwrap_or(0));
    let (status, args) = (Status::Runnable, in_registers);
    Ok(Some(Suspended { goroutine, pc: func, sp, bp: 0, closure, args, registers: None, status }))
}

/// `gopark(unlockf, lock, reason, ...)`: the goroutine waits once `unlockf(g, lock)` has given up what it holds.
pub(in crate::runtime) fn gopark(cx: &mut HookContext<'_>) -> HookResult {
    let (unlock, lock, reason) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)? & 0xff);
    park_after(cx, (unlock, lock), reason)
}

/// `park_m(gp *g)`, which `gopark` ends in, on the system's stack: builds with a profile put `gopark` into its callers. `mcall` has noted in
/// `g` where it goes on.
pub(in crate::runtime) fn park_m(cx: &mut HookContext<'_>) -> HookResult {
    let (facts, g) = (cx.image.facts(), cx.goroutine.g);
    let m = cx.word(g.wrapping_add(facts.g.m))?;
    let (Some(unlock), Some(lock), Some(reason)) =
        (facts.m.waitunlockf, facts.m.waitlock, facts.g.waitreason)
    else {
        return Err(cannot(cx, "waiting in a build with a profile"));
    };
    let (unlock, lock) = (cx.word(m.wrapping_add(unlock))?, cx.word(m.wrapping_add(lock))?);
    let [reason] = cx.memory.read(g.wrapping_add(reason))?;
    let (pc, sp, bp) = noted(cx, g)?;
    // As if it had been called there.
    let own = sp.wrapping_sub(8);
    cx.set_word(own, pc)?;
    cx.goroutine.make_current(cx.image, cx.memory)?;
    cx.goroutine.enter(cx.image, cx.cpu);
    cx.cpu.set_gpr(gpr::RSP, own);
    cx.cpu.set_gpr(gpr::RBP, bp);
    park_after(cx, (unlock, lock), reason.into())
}

/// Where a goroutine goes on that has left its stack: address, stack pointer and frame pointer.
fn noted(cx: &HookContext<'_>, g: u64) -> Result<(u64, u64, u64), MemFault> {
    let facts = cx.image.facts();
    let sched = |field: u64| cx.word(g.wrapping_add(facts.g.sched).wrapping_add(field));
    let bp = facts.gobuf.bp.map(sched).transpose()?.unwrap_or(0);
    Ok((sched(facts.gobuf.pc)?, sched(facts.gobuf.sp)?, bp))
}

/// The goroutine waits once `unlock(g, lock)` has given up what it holds, and goes on at the return address on its stack.
fn park_after(cx: &mut HookContext<'_>, (unlock, lock): (u64, u64), reason: u64) -> HookResult {
    cx.world.scheduler.parking = Status::Parked { reason, caller: cx.return_address()? };
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

/// `gopark` in a program without names, where the time that a goroutine sleeps is not known.
pub(in crate::runtime) fn gopark_unnamed(cx: &mut HookContext<'_>) -> HookResult {
    if cx.image.facts().numbers.wait_sleep == Some(cx.arg(2)? & 0xff) {
        return Err(cannot(cx, "sleeping in a program without names"));
    }
    gopark(cx)
}

/// `unlockf` has returned: true if the goroutine is to wait.
pub(in crate::runtime) fn parked(cx: &mut HookContext<'_>) -> HookResult {
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

fn park(cx: &mut HookContext<'_>, own: u64) -> HookResult {
    let status = std::mem::take(&mut cx.world.scheduler.parking);
    let resting = rest(cx, own, status)?;
    cx.world.scheduler.wait(resting);
    schedule(cx)
}

/// The present goroutine waits until it is woken, and then goes on where the hooked function returns; why, in Go's words.
pub(crate) fn wait_for(cx: &mut HookContext<'_>, reason: &'static str) -> HookResult {
    let resting = rest_until_return(cx, Status::Waits(reason))?;
    cx.world.scheduler.wait(resting);
    schedule(cx)
}

/// The goroutine with this `g` goes on from [`wait_for`]; the results of the function, whose arguments take `args` words.
pub(crate) fn wake_with(
    cx: &mut HookContext<'_>,
    g: u64,
    args: u64,
    results: &[u64],
) -> Result<(), HookError> {
    let Some(mut resting) = cx.world.scheduler.take(g) else { return Ok(()) };
    for (n, result) in (0..).zip(results) {
        if !cx.image.facts().register_abi() {
            cx.set_word(resting.sp.wrapping_add(8 * (args + n)), *result)?;
        } else if let Some(register) = resting.args.get_mut(n as usize) {
            *register = *result;
        }
    }
    tracing::woken(cx, resting.goroutine.id, false);
    cx.world.scheduler.ready_next(resting);
    Ok(())
}

/// The goroutine with this `g` goes on from [`wait_for`] at a place of its own, with the stack as at the function's entry.
pub(crate) fn wake_at(cx: &mut HookContext<'_>, g: u64, pc: u64) {
    if let Some(resting) = cx.world.scheduler.take(g) {
        let sp = resting.sp.wrapping_sub(8);
        tracing::woken(cx, resting.goroutine.id, false);
        cx.world.scheduler.ready_next(Suspended { pc, sp, ..resting });
    }
}

/// `Gosched()`: others run first.
pub(crate) fn yield_to_others(cx: &mut HookContext<'_>) -> HookResult {
    let resting = rest_until_return(cx, Status::Runnable)?;
    cx.world.scheduler.ready_last(resting);
    schedule(cx)
}

/// `mcall(fn func(*g))`, where it is not defined: compilers put `Gosched` into its callers. Nothing else is asked for by others than the
/// runtime.
pub(in crate::runtime) fn mcall(cx: &mut HookContext<'_>) -> HookResult {
    // The closure is not defined either.
    match cx.image.symbol_at(cx.arg(0)?) {
        Some(closure) if closure.name == "runtime.gosched_m·f" => yield_to_others(cx),
        _ => Err(cannot(cx, "a call on the system's stack")),
    }
}

/// `ready(g, traceskip, next)`, which is called on the system's stack.
pub(in crate::runtime) fn ready(cx: &mut HookContext<'_>) -> HookResult {
    let g = cx.arg(0)?;
    if wake(cx, g) {
        return Ok(Action::Return);
    }
    Err(cannot(cx, "waking a goroutine that does not wait"))
}

/// The goroutine with this `g` goes on; whether it waited.
pub(super) fn wake(cx: &mut HookContext<'_>, g: u64) -> bool {
    let Some(resting) = cx.world.scheduler.take(g) else { return false };
    tracing::woken(cx, resting.goroutine.id, true);
    cx.world.scheduler.ready_next(resting);
    true
}

pub(in crate::runtime) fn cannot(cx: &HookContext<'_>, what: &str) -> HookError {
    let from = cx.return_address().ok().and_then(|pc| cx.image.func_at(pc.wrapping_sub(1)));
    let caller = from.map(|func| func.name().to_owned());
    Error::Unsupported { what: what.to_owned(), caller }.into()
}

/// `gosched_m(g)`, `goyield_m(g)`: others run first. `mcall` has noted in `g` where it goes on, and has left its stack.
pub(in crate::runtime) fn gosched(cx: &mut HookContext<'_>) -> HookResult {
    let place = noted(cx, cx.goroutine.g)?;
    let goroutine = (**cx.goroutine).clone();
    cx.world.scheduler.ready_last(by_call(goroutine, place, Status::Runnable));
    schedule(cx)
}

/// `timeSleep(ns)`, which is `time.Sleep`. The clock jumps when all sleep.
pub(in crate::runtime) fn sleep(cx: &mut HookContext<'_>) -> HookResult {
    let duration = cx.arg(0)?;
    if duration == 0 || duration.cast_signed() < 0 {
        return Ok(Action::Return);
    }
    let until = clock::now(cx.cpu).saturating_add(duration);
    let resting = rest(cx, cx.cpu.gpr(gpr::RSP), Status::Sleeps)?;
    cx.world.scheduler.sleep(resting, until);
    schedule(cx)
}

/// `goexit1`, or the return of a goroutine's function: it is no more.
pub(crate) fn ended(cx: &mut HookContext<'_>) -> HookResult {
    counted::ended(cx)?;
    match cx.goroutine.stack {
        Some(stack) => cx.world.scheduler.give_back(stack, cx.goroutine.g),
        None => cx.world.scheduler.first_gone = true,
    }
    owed::ended(cx)?;
    match cx.goroutine.coro {
        Some(coro) => coroutines::ended(cx, coro),
        None => schedule(cx),
    }
}

/// What a byte of a stack's text takes, with finding out what it says, in instructions.
const WRITTEN: u64 = 4;

/// `Stack(buf []byte, all bool) int`: which goroutines there are, goemu knows; its own stack a goroutine reads itself.
pub(in crate::runtime) fn stack_text(cx: &mut HookContext<'_>) -> HookResult {
    let (buf, len, all) = (cx.arg(0)?, cx.arg(1)?, cx.arg(3)? & 0xff != 0);
    if !all {
        return Ok(Action::Run);
    }
    let own = fatal::running(cx, fatal::caller(cx)?, false);
    let room = usize::try_from(len).unwrap_or(usize::MAX);
    // What does not fit is not made.
    let mut text = own.to_string();
    for (number, stack) in others(cx, false).enumerate() {
        if text.len() >= room {
            break;
        }
        let before = text.len();
        let _ = write!(text, "\n{stack}");
        // The list of all goroutines was made for the first.
        let list = if number == 0 { cx.world.scheduler.resting().count() as u64 } else { 0 };
        cx.memory.charge(MAKING + WRITTEN * (text.len() - before) as u64 + list);
    }
    let count = text.len().min(room);
    cx.memory.write_bytes(buf, &text.as_bytes()[..count])?;
    cx.set_result(4, 0, count as u64)?;
    Ok(Action::Return)
}

/// The present goroutine, as it goes on when the hooked function returns.
pub(in crate::runtime) fn rest_until_return(
    cx: &HookContext<'_>,
    status: Status,
) -> Result<Suspended, MemFault> {
    rest(cx, cx.cpu.gpr(gpr::RSP), status)
}

/// The present goroutine, as it goes on when the function returns whose return address is at `own`.
fn rest(cx: &HookContext<'_>, own: u64, status: Status) -> Result<Suspended, MemFault> {
    let goroutine = (**cx.goroutine).clone();
    let (pc, bp) = (cx.word(own)?, cx.cpu.gpr(gpr::RBP));
    Ok(by_call(goroutine, (pc, own.wrapping_add(8), bp), status))
}

/// A goroutine that rests in a call, after which no registers are looked at but these.
fn by_call(goroutine: Goroutine, (pc, sp, bp): (u64, u64, u64), status: Status) -> Suspended {
    Suspended { goroutine, pc, sp, bp, closure: 0, args: [0; 4], registers: None, status }
}

/// The present goroutine has had its turn, and others go on. Not where it is in the runtime, whose locks they might
/// need, nor at an address of goemu's, where a hook is about to park it; in a program without names it is not known where the
/// runtime is.
pub(crate) fn preempt(cx: &mut HookContext<'_>) -> HookResult {
    cx.memory.charge(STEP);
    let sp = cx.cpu.gpr(gpr::RSP);
    let func = cx.image.func_at(cx.cpu.rip);
    let free = (cx.goroutine.stack_lo..cx.goroutine.stack_hi).contains(&sp)
        && func.is_some_and(|func| !variables::is_of_runtime(func.name()));
    if !free {
        // It is asked again as soon as it can be.
        cx.memory.charge(2 * STEP);
    }
    cx.world.scheduler.turn(free);
    if wake_due(cx)?.is_none() {
        return Ok(fatal::out_of_memory(cx));
    }
    let named = || cx.image.is_linked_here() || !cx.image.funcs_named("runtime.gopark").is_empty();
    if !free || !cx.world.scheduler.has_ready() || !named() {
        return Ok(Action::Resume);
    }
    let place = (cx.cpu.rip, sp, cx.cpu.gpr(gpr::RBP));
    let mut resting = by_call((**cx.goroutine).clone(), place, Status::Runnable);
    resting.registers = Some(Box::new(cx.cpu.clone()));
    cx.world.scheduler.ready_last(resting);
    schedule(cx)
}

/// Goes on with another goroutine.
fn schedule(cx: &mut HookContext<'_>) -> HookResult {
    tracing::left(cx);
    cx.memory.charge(if cx.world.scheduler.at_rest() < MANY { STEP } else { STEP + COLD });
    clock::pass(cx.cpu, SWITCH);
    loop {
        if wake_due(cx)?.is_none() {
            return Ok(fatal::out_of_memory(cx));
        }
        let chance = cx.world.random_order.then(|| cx.cpu.next_random());
        if let Some(picked) = cx.world.scheduler.pick(chance) {
            return switch_to(cx, picked);
        }
        let Some(until) = cx.world.scheduler.next_due() else { return deadlock(cx) };
        clock::jump(cx.cpu, until);
    }
}

/// Goroutines that have slept long enough become ready, and due timers fire. None where there is no room for that.
fn wake_due(cx: &mut HookContext<'_>) -> Result<Option<()>, HookError> {
    while let Some(due) = cx.world.scheduler.take_due(clock::now(cx.cpu)) {
        match due {
            Due::Wakes(g) => {
                if let Some(woken) = cx.world.scheduler.take(g) {
                    tracing::woken(cx, woken.goroutine.id, false);
                    cx.world.scheduler.ready_last(woken);
                }
            }
            Due::Fires(timer) => {
                if timers::fire(cx, timer)?.is_none() {
                    return Ok(None);
                }
            }
        }
    }
    Ok(Some(()))
}

/// Goes on with this one.
pub(in crate::runtime) fn switch_to(cx: &mut HookContext<'_>, picked: Suspended) -> HookResult {
    let from = cx.goroutine.id;
    tracing::runs(cx, picked.goroutine.id);
    set_registers(cx, &picked);
    **cx.goroutine = picked.goroutine;
    cx.goroutine.make_current(cx.image, cx.memory)?;
    cx.world.scheduler.turn(true);
    let to = cx.goroutine.id;
    if from != to {
        cx.emit(|_| Event::GoroutineSwitched { from, to });
    }
    Ok(Action::Resume)
}

/// Sets the registers as the goroutine has them. The processor's counter and its source of random numbers go on.
fn set_registers(cx: &mut HookContext<'_>, picked: &Suspended) {
    if let Some(registers) = &picked.registers {
        let (tsc, entropy) = (cx.cpu.tsc, cx.cpu.entropy);
        cx.cpu.clone_from(registers);
        (cx.cpu.tsc, cx.cpu.entropy) = (tsc, entropy);
        return;
    }
    picked.goroutine.enter(cx.image, cx.cpu);
    cx.cpu.set_gpr(gpr::RSP, picked.sp);
    cx.cpu.set_gpr(gpr::RBP, picked.bp);
    cx.cpu.set_gpr(gpr::RDX, picked.closure);
    for (register, value) in [gpr::RAX, gpr::RBX, gpr::RCX, gpr::RDI].into_iter().zip(picked.args) {
        cx.cpu.set_gpr(register, value);
    }
    cx.cpu.rip = picked.pc;
}

/// Nothing can run any more.
fn deadlock(cx: &mut HookContext<'_>) -> HookResult {
    let first_gone = cx.world.scheduler.first_gone;
    // A thread of Go's waits for signals, so that it never finds all asleep.
    if cx.world.scheduler.resting().any(|resting| matches!(resting.status, Status::Waits(FOR_SIGNAL))) {
        return Err(cannot(cx, "waiting for a signal, of which none is sent,"));
    }
    if cx.world.lifetimes.watched && cx.world.lifetimes.has_specials() {
        cx.world.doubt =
            Some("hooks collect garbage later than Go does: somebody may wait for a finalizer or a cleanup");
    }
    let traceback = Traceback { goroutines: stacks(cx, false) };
    if first_gone && traceback.is_empty() {
        let text = "no goroutines (main called runtime.Goexit) - deadlock!".to_owned();
        cx.world.print(2, format!("fatal error: {text}\n").as_bytes());
        return Ok(Action::End(Outcome::Exited {
            code: 2,
            fatal: Some(Fatal { text, signal: None, traceback }),
        }));
    }
    Ok(Action::End(Outcome::Deadlock(traceback)))
}

/// What the goroutine that gets signals waits for, in Go's words.
pub(in crate::runtime) const FOR_SIGNAL: &str = "syscall";

/// The stacks of all goroutines that do not run; `runtime`: with the runtime's functions.
pub(in crate::runtime) fn stacks(cx: &HookContext<'_>, runtime: bool) -> Vec<Stack> {
    others(cx, runtime).collect()
}

/// The same, one after the other.
fn others(cx: &HookContext<'_>, runtime: bool) -> impl Iterator<Item = Stack> {
    let others = cx.world.scheduler.in_order();
    let others = others.into_iter().filter(move |resting| !counted::is_system(cx, resting.goroutine.start));
    let reasons = OnceCell::new();
    others.map(move |resting| stack(cx, resting, runtime, &reasons))
}

/// All goroutines that do not run: their numbers, what they do, where they go on, frame pointers.
pub(crate) fn resting(cx: &HookContext<'_>) -> Vec<(u64, String, Start, u64)> {
    let reasons = OnceCell::new();
    let others = cx.world.scheduler.in_order().into_iter();
    let described = |resting: &Suspended| {
        (resting.goroutine.id, status(cx, resting, &reasons), start(resting), resting.bp)
    };
    others.map(described).collect()
}

fn start(resting: &Suspended) -> Start {
    Start { pc: resting.pc, sp: resting.sp, trap: resting.registers.is_some() }
}

/// What a goroutine does, in Go's words.
fn status(cx: &HookContext<'_>, resting: &Suspended, reasons: &OnceCell<Reasons>) -> String {
    match resting.status {
        Status::Runnable => "runnable".to_owned(),
        Status::Sleeps => "sleep".to_owned(),
        Status::Coroutine => "coroutine".to_owned(),
        Status::Waits(reason) => reason.to_owned(),
        Status::Parked { reason, caller } => reasons.get_or_init(|| Reasons::of(cx)).text(cx, reason, caller),
    }
}

fn stack(cx: &HookContext<'_>, resting: &Suspended, runtime: bool, reasons: &OnceCell<Reasons>) -> Stack {
    let (start, status) = (start(resting), status(cx, resting, reasons));
    let mut stack = Stack::read(cx.image, cx.memory, start, (resting.goroutine.id, &status), runtime);
    stack.created_by = created_by(cx, resting.goroutine.creator);
    stack
}

/// The `go` statement that a goroutine comes from.
pub(in crate::runtime) fn created_by(cx: &HookContext<'_>, creator: Option<(u64, u64)>) -> Option<Creator> {
    let (pc, goroutine) = creator?;
    let func = cx.image.func_at(pc)?;
    let line = func.line_at(pc.wrapping_sub(1))?;
    let goroutine = Some(goroutine).filter(|number| cx.image.facts().rules().shows_creators() && *number > 0);
    let place = Place { file: line.file.to_owned(), line: line.line };
    Some(Creator {
        func: func.name().to_owned(),
        goroutine,
        line: place,
        offset: pc.wrapping_sub(func.entry()),
    })
}

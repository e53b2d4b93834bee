//! Timers (`runtime/time.go`): what package time asks of the runtime. They are kept beside guest memory; when one's time
//! has come, its function runs on a goroutine of its own (`sendTime`, `goFunc`: neither waits).
//!
//! Up to Go 1.22 package time fills in the timer; since 1.23 the runtime makes it, and what it has sent is gone from
//! its channel when it is stopped or set anew.

use super::{fatal, goroutines, tracing};
use crate::guest::clock;
use crate::guest::heap::Kind;
use crate::guest::scheduler::Timer;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::memory::MemFault;
use crate::os;

/// What it takes to start a timer, in instructions, and what more each time that there are twice as many.
const SETTING: u64 = 50;
const AMONG: u64 = 8;

/// `time.startTimer(t *runtimeTimer)`
pub(in crate::runtime) fn start(cx: &mut HookContext<'_>) -> HookResult {
    let at = cx.arg(0)?;
    let (timer, when) = filled_in(cx, at)?;
    set(cx, at, timer, when);
    Ok(Action::Return)
}

/// `time.stopTimer(t) bool`: whether it would still have fired. What was not received yet was not sent.
pub(in crate::runtime) fn stop(cx: &mut HookContext<'_>) -> HookResult {
    let at = cx.arg(0)?;
    let stopped = cx.world.scheduler.stop_timer(at) | drain(cx, at)?;
    cx.set_result(1, 0, stopped.into())?;
    Ok(Action::Return)
}

/// `chanlen(c *hchan) int`, `chancap(c *hchan) int`: the channel of a timer looks as if it had no buffer.
pub(in crate::runtime) fn channel_size(cx: &mut HookContext<'_>) -> HookResult {
    let channel = cx.arg(0)?;
    if channel == 0 || !cx.world.scheduler.is_of_timer(channel) {
        return Ok(Action::Run);
    }
    cx.set_result(1, 0, 0)?;
    Ok(Action::Return)
}

/// `time.resetTimer(t, when) bool` (no result up to Go 1.14), since Go 1.23 `(t, when, period)`.
pub(in crate::runtime) fn reset(cx: &mut HookContext<'_>) -> HookResult {
    let rules = cx.image.facts().rules();
    let (at, when) = (cx.arg(0)?, cx.arg(1)?);
    let timer = if rules.timers_are_reset_with_a_period() {
        Timer { period: cx.arg(2)?, ..cx.world.scheduler.timer(at).unwrap_or_default() }
    } else {
        filled_in(cx, at)?.0
    };
    let stopped = cx.world.scheduler.stop_timer(at) | drain(cx, at)?;
    set(cx, at, timer, when);
    if rules.reset_timers_tell() {
        cx.set_result(2, 0, stopped.into())?;
    }
    Ok(Action::Return)
}

/// `time.modTimer(t, when, period int64, f func(any, uintptr), arg any, seq uintptr)`
pub(in crate::runtime) fn modify(cx: &mut HookContext<'_>) -> HookResult {
    let (at, when, period, f) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?, cx.arg(3)?);
    let (arg, seq) = ([cx.arg(4)?, cx.arg(5)?], cx.arg(6)?);
    set(cx, at, Timer { period, f, arg, seq, ..Timer::default() }, when);
    Ok(Action::Return)
}

/// `time.newTimer(when, period int64, f func(any, uintptr, int64), arg any, c *hchan) *Timer`
pub(in crate::runtime) fn new(cx: &mut HookContext<'_>) -> HookResult {
    /// Bytes of a `timeTimer`, and some more. Package time looks at its second word: whether it was made like this.
    const SIZE: u64 = 192;
    let (when, period, f) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let (arg, channel) = ([cx.arg(3)?, cx.arg(4)?], cx.arg(5)?);
    let Ok(at) = cx.world.alloc_object(cx.memory, SIZE, Kind::Pointers) else {
        return Ok(fatal::out_of_memory(cx));
    };
    cx.set_word(at.wrapping_add(8), 1)?;
    set(cx, at, Timer { period, f, arg, channel, ..Timer::default() }, when);
    cx.set_result(6, 0, at)?;
    Ok(Action::Return)
}

/// A timer as package time has filled it in, and when it fires.
fn filled_in(cx: &HookContext<'_>, at: u64) -> Result<(Timer, u64), MemFault> {
    let facts = cx.image.facts().timer;
    let word = |field: u64| cx.word(at.wrapping_add(field));
    let arg = [word(facts.arg)?, word(facts.arg.wrapping_add(8))?];
    let (period, f, seq) = (word(facts.period)?, word(facts.f)?, word(facts.seq)?);
    Ok((Timer { period, f, arg, seq, ..Timer::default() }, word(facts.when)?))
}

/// Sets a timer to a time on the program's clock.
fn set(cx: &mut HookContext<'_>, at: u64, timer: Timer, when: u64) {
    let others = cx.world.scheduler.timers().len() as u64;
    cx.memory.charge(SETTING + AMONG * u64::from((others + 1).ilog2()));
    // The clock of a program goes as the machine's does, from another number on.
    let when = when.min(i64::MAX as u64).saturating_sub(os::monotonic_start(cx.image));
    let period = if timer.period.cast_signed() > 0 { timer.period } else { 0 };
    cx.world.scheduler.start_timer(at, Timer { period, ..timer }, when);
}

/// Takes what the timer at an address has sent out of its channel; whether there was anything.
fn drain(cx: &mut HookContext<'_>, at: u64) -> Result<bool, MemFault> {
    let channel = cx.world.scheduler.timer(at).map_or(0, |timer| timer.channel);
    let facts = cx.image.facts().hchan;
    if channel == 0 || cx.word(channel.wrapping_add(facts.qcount))? == 0 {
        return Ok(false);
    }
    let next = cx.word(channel.wrapping_add(facts.sendx))?;
    cx.set_word(channel.wrapping_add(facts.recvx), next)?;
    cx.set_word(channel.wrapping_add(facts.qcount), 0)?;
    Ok(true)
}

/// The time of the timer at an address has come. None where there is no room for a goroutine.
pub(in crate::runtime) fn fire(cx: &mut HookContext<'_>, at: u64) -> Result<Option<()>, HookError> {
    let Some(timer) = cx.world.scheduler.timer(at) else { return Ok(Some(())) };
    let now = clock::now(cx.cpu);
    cx.world.scheduler.fired(at, now);
    // Since Go 1.23 a third argument says how late it is.
    let late = timer.place.map_or(0, |(when, _)| now.saturating_sub(when));
    let args = [timer.arg[0], timer.arg[1], timer.seq, late];
    let Some(resting) = goroutines::make(cx, timer.f, &args, None)? else { return Ok(None) };
    tracing::made(cx, &resting, None);
    cx.world.scheduler.ready_last(resting);
    Ok(Some(()))
}

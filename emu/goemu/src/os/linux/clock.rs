//! Time, which is virtual: it goes by instructions, and jumps when every thread sleeps.

use super::{Args, Kernel};
use crate::cpu::Cpu;
use crate::guest::clock;
use crate::hook::{HookContext, HookError};
use crate::os::{EPOCH, SyscallReturn};

const SECOND: u64 = 1_000_000_000;
/// What `CLOCK_MONOTONIC` shows at first. Go takes 0 for a clock that does not work.
const BOOTED: u64 = SECOND;
/// `CLOCK_REALTIME`, `CLOCK_REALTIME_COARSE`; all others count from the start.
const REALTIME: [u64; 2] = [0, 5];
/// Flag of `clock_nanosleep`: until that time, not for that long.
const TIMER_ABSTIME: u64 = 1;

/// What a clock of Linux shows.
fn shown(cpu: &mut Cpu, which: u64) -> u64 {
    clock::read(cpu).saturating_add(start(which))
}

/// What a clock of Linux shows at first.
fn start(which: u64) -> u64 {
    if REALTIME.contains(&which) { EPOCH * SECOND } else { BOOTED }
}

/// The time of day, for files, in nanoseconds since 1970.
pub(super) fn wall(cx: &HookContext<'_>) -> u64 {
    clock::now(cx.cpu).saturating_add(EPOCH * SECOND)
}

/// `clock_gettime(which, timespec)`
pub(super) fn clock_gettime(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let shown = shown(cx.cpu, args[0]);
    put_timespec(cx, args[1], shown)?;
    Ok(SyscallReturn::Return(0))
}

/// `clock_getres(which, timespec)`
pub(super) fn clock_getres(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    if args[1] != 0 {
        put_timespec(cx, args[1], 1)?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `gettimeofday(timeval, timezone)`
pub(super) fn gettimeofday(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    put_time_of_day(cx, args[0])?;
    Ok(SyscallReturn::Return(0))
}

/// Writes a `timeval`.
pub(crate) fn put_time_of_day(cx: &mut HookContext<'_>, to: u64) -> Result<(), HookError> {
    let shown = shown(cx.cpu, REALTIME[0]);
    cx.set_word(to, shown / SECOND)?;
    cx.set_word(to.wrapping_add(8), shown % SECOND / 1000)?;
    Ok(())
}

/// `time(seconds)`
pub(super) fn time(_: &mut Kernel, cx: &mut HookContext<'_>, args: Args) -> Result<SyscallReturn, HookError> {
    let seconds = shown(cx.cpu, REALTIME[0]) / SECOND;
    if args[0] != 0 {
        cx.set_word(args[0], seconds)?;
    }
    Ok(SyscallReturn::Return(seconds as i64))
}

/// `nanosleep(request, rest)`
pub(super) fn nanosleep(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let deadline = after(cx, timespec(cx, args[0])?);
    kernel.threads.sleep(cx, deadline)
}

/// `clock_nanosleep(which, flags, request, rest)`
pub(super) fn clock_nanosleep(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let request = timespec(cx, args[2])?;
    let deadline = if args[1] & TIMER_ABSTIME != 0 {
        request.saturating_sub(start(args[0]))
    } else {
        after(cx, request)
    };
    kernel.threads.sleep(cx, deadline)
}

/// `pselect6(n, read, write, except, timeout, mask)`, which sleeps: nothing here becomes ready that it could tell.
pub(super) fn pselect6(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let deadline = after(cx, timespec(cx, args[4])?);
    kernel.threads.sleep(cx, deadline)
}

/// The time that is so many nanoseconds from now.
pub(super) fn after(cx: &HookContext<'_>, nanoseconds: u64) -> u64 {
    clock::now(cx.cpu).saturating_add(nanoseconds)
}

/// Reads a `timespec` as nanoseconds. What lies before the beginning is 0.
pub(super) fn timespec(cx: &HookContext<'_>, at: u64) -> Result<u64, HookError> {
    let (seconds, nanoseconds) = (cx.word(at)? as i64, cx.word(at.wrapping_add(8))? as i64);
    let seconds = u64::try_from(seconds).unwrap_or(0);
    Ok(seconds.saturating_mul(SECOND).saturating_add(u64::try_from(nanoseconds).unwrap_or(0)))
}

fn put_timespec(cx: &mut HookContext<'_>, to: u64, nanoseconds: u64) -> Result<(), HookError> {
    cx.set_word(to, nanoseconds / SECOND)?;
    cx.set_word(to.wrapping_add(8), nanoseconds % SECOND)?;
    Ok(())
}

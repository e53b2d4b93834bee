//! Coroutines (`runtime/coro.go`, Go 1.23 and later), which iter.Pull is made of: goroutines that never run at the same
//! time, because one hands over to the other. A `coro` begins with the `g` of the one that rests.

use super::{fatal, goroutines, tracing};
use crate::guest::scheduler::Status;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::memory::MemFault;

/// Where a `coro` of ours has whether the goroutine that made it had a thread of its own.
const LOCKED: u64 = 8;

/// `newcoro(f func(*coro)) *coro`
pub(in crate::runtime) fn new(cx: &mut HookContext<'_>) -> HookResult {
    /// Bytes of a `coro`, and some more.
    const SIZE: u64 = 64;
    let (f, from) = (cx.arg(0)?, cx.return_address()?);
    let Ok(coro) = cx.world.alloc(cx.memory, SIZE) else { return Ok(fatal::out_of_memory(cx)) };
    let creator = Some((from, cx.goroutine.id));
    let Some(mut resting) = goroutines::make(cx, f, &[coro, 0, 0, 0], creator)? else {
        return Ok(fatal::out_of_memory(cx));
    };
    resting.goroutine.coro = Some(coro);
    resting.status = Status::Coroutine;
    let by = fatal::caller(cx)?;
    tracing::made(cx, &resting, Some(by));
    cx.set_word(coro, resting.goroutine.g)?;
    cx.set_word(coro.wrapping_add(LOCKED), thread(cx, cx.goroutine.g)?)?;
    cx.world.scheduler.wait(resting);
    cx.set_result(1, 0, coro)?;
    Ok(Action::Return)
}

/// `coroswitch(c *coro)`: the other one goes on, and this one rests.
pub(in crate::runtime) fn switch(cx: &mut HookContext<'_>) -> HookResult {
    let coro = cx.arg(0)?;
    let next = hand_over(cx, coro)?;
    let Some(next) = cx.world.scheduler.take(next) else {
        return Ok(fatal::error(cx, "coroswitch on exited coro"));
    };
    cx.set_word(coro, cx.goroutine.g)?;
    let resting = goroutines::rest_until_return(cx, Status::Coroutine)?;
    cx.world.scheduler.wait(resting);
    goroutines::switch_to(cx, next)
}

/// The goroutine that was made for a coroutine has ended: the other one goes on.
pub(in crate::runtime) fn ended(cx: &mut HookContext<'_>, coro: u64) -> HookResult {
    let next = hand_over(cx, coro)?;
    cx.set_word(coro, 0)?;
    match cx.world.scheduler.take(next) {
        Some(next) => goroutines::switch_to(cx, next),
        None => Ok(fatal::error(cx, "coroswitch on exited coro")),
    }
}

/// The goroutine that goes on. A thread that one has for itself (`LockOSThread`) goes with it; Go dies where the thread is not that of the
/// goroutine that made the coroutine.
fn hand_over(cx: &mut HookContext<'_>, coro: u64) -> Result<u64, HookError> {
    let (next, own) = (cx.word(coro)?, cx.goroutine.g);
    let locked = thread(cx, own)?;
    if (locked != 0) != (cx.word(coro.wrapping_add(LOCKED))? != 0) {
        return Err(goroutines::cannot(cx, "a coroutine on another thread than it was made on"));
    }
    if locked != 0 && next != 0 {
        set_thread(cx, own, 0)?;
        set_thread(cx, next, locked)?;
    }
    Ok(next)
}

/// The thread that a goroutine has for itself, or 0.
fn thread(cx: &HookContext<'_>, g: u64) -> Result<u64, MemFault> {
    cx.image.facts().g.lockedm.map_or(Ok(0), |at| cx.word(g.wrapping_add(at)))
}

fn set_thread(cx: &mut HookContext<'_>, g: u64, thread: u64) -> Result<(), MemFault> {
    cx.image.facts().g.lockedm.map_or(Ok(()), |at| cx.set_word(g.wrapping_add(at), thread))
}

//! What a collection owes is called by goroutines of its own, one call after the other (`runFinalizers` in `runtime/mfinal.go`,
//! `runCleanups` in `runtime/mcleanup.go`).

use super::{goroutines, tracing};
use crate::guest::lifetimes::QUEUES;
use crate::guest::scheduler::Suspended;
use crate::hook::{HookContext, HookError};
use crate::observe::Event;

/// What starting a call takes, in instructions.
const STARTING: u64 = 300;

/// Starts the goroutines that make calls which are owed, where they do not run. Whether any was started.
pub(super) fn start(cx: &mut HookContext<'_>) -> Result<bool, HookError> {
    let mut started = false;
    for queue in 0..QUEUES {
        if cx.world.lifetimes.owed[queue].goroutine.is_none()
            && let Some(resting) = next(cx, queue)?
        {
            cx.world.scheduler.ready_last(resting);
            started = true;
        }
    }
    Ok(started)
}

/// The present goroutine has ended. If it was to make calls that are owed, another makes the next.
pub(super) fn ended(cx: &mut HookContext<'_>) -> Result<(), HookError> {
    let own = Some(cx.goroutine.id);
    for queue in 0..QUEUES {
        if cx.world.lifetimes.owed[queue].goroutine == own {
            // As if it were the same that goes on.
            let resting = next(cx, queue)?;
            resting.into_iter().for_each(|resting| cx.world.scheduler.ready_next(resting));
        }
    }
    Ok(())
}

/// A goroutine for the next call of a queue. None where there is no call, or no room: it is tried again after the next collection.
fn next(cx: &mut HookContext<'_>, queue: usize) -> Result<Option<Suspended>, HookError> {
    cx.world.lifetimes.owed[queue].goroutine = None;
    let Some(owed) = cx.world.lifetimes.owed[queue].calls.front().copied() else { return Ok(None) };
    cx.memory.charge(STARTING);
    let Some(resting) = goroutines::make(cx, owed.closure, owed.words(), None)? else { return Ok(None) };
    let (goroutine, func) = (resting.goroutine.id, resting.pc);
    tracing::made(cx, &resting, None);
    let queue = &mut cx.world.lifetimes.owed[queue];
    queue.calls.pop_front();
    queue.goroutine = Some(goroutine);
    cx.emit(|_| Event::GoroutineStarted { goroutine, func });
    Ok(Some(resting))
}

//! Collections that the program asks for (`GC` in `runtime/mgc.go`): pools are emptied first; afterwards finalizers and cleanups run.

use goemu_loader::Func;

use super::{collector, goroutines, owed};
use crate::cpu::gpr;
use crate::hook::{Action, HookContext, HookResult};
use crate::os;

/// Collections whose times `MemStats` tells.
pub(super) const TOLD: usize = 256;

/// `GC()`
pub(in crate::runtime) fn collect(cx: &mut HookContext<'_>) -> HookResult {
    let cleanup = cx.image.funcs_named("sync.poolCleanup").first().map(Func::entry);
    collect_after(cx, cleanup)
}

/// The same in a program without names; `pools`: the variable that has the function which empties pools.
pub(in crate::runtime) fn collect_unnamed(cx: &mut HookContext<'_>, pools: Option<u64>) -> HookResult {
    let value = pools.map_or(Ok(0), |variable| cx.word(variable))?;
    let cleanup = if value == 0 { None } else { Some(cx.word(value)?) };
    collect_after(cx, cleanup)
}

/// The function that empties pools runs, and returns to where this hook stands. Then comes the collection.
fn collect_after(cx: &mut HookContext<'_>, cleanup: Option<u64>) -> HookResult {
    let own = cx.goroutine.id;
    if let Some(entry) = cleanup.filter(|_| cx.world.lifetimes.emptied_pools != Some(own)) {
        let sp = cx.cpu.gpr(gpr::RSP).wrapping_sub(8);
        cx.set_word(sp, cx.cpu.rip)?;
        cx.cpu.set_gpr(gpr::RSP, sp);
        cx.cpu.rip = entry;
        cx.world.lifetimes.emptied_pools = Some(own);
        return Ok(Action::Resume);
    }
    cx.world.lifetimes.emptied_pools = None;
    let unserved = cx.world.lifetimes.unserved;
    if cx.world.lifetimes.watched || unserved {
        if unserved || cx.world.heap.held || collector::collect_exactly(cx).is_err() {
            return Err(goroutines::cannot(
                cx,
                "a collection that finalizers, cleanups or weak pointers tell of, where it is not certain what is still used,",
            ));
        }
    } else if !cx.world.heap.held {
        collector::collect(cx);
    }
    note_time(cx);
    // They have their turn before this one goes on, as on one processor.
    if owed::start(cx)? { goroutines::yield_to_others(cx) } else { Ok(Action::Return) }
}

fn note_time(cx: &mut HookContext<'_>) {
    let (seconds, nanoseconds) = os::now(cx, true);
    let lifetimes = &mut cx.world.lifetimes;
    lifetimes.collections = lifetimes.collections.saturating_add(1);
    lifetimes.collected.truncate(TOLD - 1);
    lifetimes.collected.push_front(seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds));
}

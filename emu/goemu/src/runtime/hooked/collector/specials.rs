//! What objects have that a collection is to see to (the specials of `runtime/mheap.go`): finalizers, cleanups, weak pointers.

use std::collections::BTreeSet;

use super::marker::Marker;
use crate::hook::HookContext;

/// What looking at a record takes in a collection, in instructions, and seeing to a dead object.
const LOOKING: u64 = 100;
const SEEING_TO: u64 = 100;

/// Marks what the records refer to, if not the objects that they are of.
pub(super) fn roots(cx: &HookContext<'_>, marker: &mut Marker<'_>) {
    let lifetimes = &cx.world.lifetimes;
    marker.charge(LOOKING * lifetimes.records());
    let set =
        lifetimes.finalizers.values().chain(lifetimes.cleanups.values().flatten().map(|(_, owed)| owed));
    // The object of a finalizer is its argument.
    set.clone().for_each(|owed| marker.word(owed.closure));
    for cleanup in lifetimes.cleanups.values().flatten().map(|(_, owed)| owed) {
        cleanup.words().iter().for_each(|word| marker.word(*word));
    }
    for owed in lifetimes.owed.iter().flat_map(|queue| &queue.calls) {
        [owed.closure].iter().chain(owed.words()).for_each(|word| marker.word(*word));
    }
    lifetimes.weak_handles.values().for_each(|handle| marker.word(*handle));
    // It is to find all that it refers to.
    lifetimes.finalizers.keys().for_each(|object| marker.content(*object));
    marker.drain();
}

/// The addresses in objects that have something, and are not marked: in order, each once.
pub(super) fn dead(cx: &HookContext<'_>, marker: &Marker<'_>) -> Vec<u64> {
    let lifetimes = &cx.world.lifetimes;
    let all =
        lifetimes.finalizers.keys().chain(lifetimes.cleanups.keys()).chain(lifetimes.weak_handles.keys());
    let dead: BTreeSet<u64> = all.copied().filter(|object| marker.unmarked(*object).is_some()).collect();
    dead.into_iter().collect()
}

/// Queues what is owed for dead objects, and clears their weak pointers. The granules of those that live on: their finalizers are to get
/// them.
pub(super) fn see_to(cx: &mut HookContext<'_>, dead: &[u64]) -> BTreeSet<u64> {
    cx.memory.charge(SEEING_TO * dead.len() as u64);
    let granule = |cx: &HookContext<'_>, object: u64| cx.world.heap.find(object).map(|(granule, _)| granule);
    let mut revived = BTreeSet::new();
    let mut owed = Vec::new();
    for object in dead {
        if let Some(finalizer) = cx.world.lifetimes.finalizers.remove(object) {
            owed.push(finalizer);
            revived.extend(granule(cx, *object));
        }
        if let Some(handle) = cx.world.lifetimes.weak_handles.remove(object) {
            // A page that cannot be written any more keeps what it has.
            let _ = cx.set_word(handle, 0);
        }
    }
    let mut cleanups = Vec::new();
    for object in dead {
        if granule(cx, *object).is_some_and(|granule| revived.contains(&granule)) {
            continue;
        }
        let own = cx.world.lifetimes.cleanups.remove(object).unwrap_or_default();
        cx.world.lifetimes.cleanups_set -= own.len() as u64;
        cleanups.extend(own.into_iter().rev().map(|(_, owed)| owed));
    }
    let [first, second] = &mut cx.world.lifetimes.owed;
    if cx.image.facts().rules().cleanups_have_goroutines() {
        second.calls.extend(cleanups);
    } else {
        owed.extend(cleanups);
    }
    // Go takes them from the end of its list.
    first.calls.extend(owed.into_iter().rev());
    revived
}

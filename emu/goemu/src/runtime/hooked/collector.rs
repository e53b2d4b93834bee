//! The collector of the hooked heap: it marks what can be reached, and frees the rest. Nothing moves.
//!
//! It is conservative: every word that could be the address of an object keeps it. Roots are registers, stacks, the program's
//! variables, and all that is goemu's own or older than the call. Objects without pointers, as their types say, are not
//! looked into. It runs at places that depend on the program alone: where a hook begins, after so many bytes; and where
//! memory is used up.
//!
//! A collection that the program asks for, and whose result it can see by finalizers, cleanups or weak pointers, goes by what the
//! compiler has noted of stacks ([`stacks`]), as Go's own does. What it has not noted is marked last: where that keeps an object
//! that the program would be told of, the collection is refused.

mod marker;
mod specials;
mod stacks;

use std::ops::Range;

use goemu_loader::facts::Growth;

use crate::cpu::gpr;
use crate::guest::heap::Kind;
use crate::hook::HookContext;
use crate::memory::PAGE;
use marker::{Marker, is_set};

/// What a page of the heap takes in sweeping, in instructions.
const SWEPT: u64 = 4;

/// Frees what no word refers to.
pub(in crate::runtime) fn collect(cx: &mut HookContext<'_>) {
    let mut marker = Marker::new(cx);
    marker.what_goemu_knows(cx);
    specials::roots(cx, &mut marker);
    marker.doubtful(cx);
    marker.panic_value(cx);
    marker.registers(cx.cpu);
    stacks(cx).for_each(|stack| marker.range(stack));
    let dead = specials::dead(cx, &marker);
    finish(cx, marker.done(), &dead);
}

/// Frees what is not used, as exactly as Go does. `Err`: what the compiler has not noted keeps an object that the program would be told of.
pub(in crate::runtime) fn collect_exactly(cx: &mut HookContext<'_>) -> Result<(), Uncertain> {
    let mut marker = Marker::new(cx);
    marker.what_goemu_knows(cx);
    specials::roots(cx, &mut marker);
    let unknown = stacks::mark(cx, &mut marker);
    let dead = specials::dead(cx, &marker);
    marker.doubtful(cx);
    if cx.image.is_linked_here() {
        marker.panic_value(cx);
    }
    unknown.into_iter().for_each(|range| marker.range(range));
    if specials::dead(cx, &marker).len() < dead.len() {
        return Err(Uncertain);
    }
    finish(cx, marker.done(), &dead);
    Ok(())
}

/// It is not certain whether an object is still used.
pub(in crate::runtime) struct Uncertain;

/// Sees to what dead objects have, and frees them.
fn finish(cx: &mut HookContext<'_>, (marks, work): (Vec<u64>, u64), dead: &[u64]) {
    let limit = cx.memory.limit();
    cx.memory.charge(work + marks.len() as u64 * 64 / (PAGE / 8) * SWEPT);
    let revived = specials::see_to(cx, dead);
    let world = &mut **cx.world;
    let heap = &world.heap;
    let is_marked = |granule: u64| is_set(&marks, granule) || revived.contains(&granule);
    let lives = |at: u64| match heap.find(at) {
        Some((granule, Kind::Pointers | Kind::Data)) => heap.is_kept(at) || is_marked(granule),
        _ => true,
    };
    world.scheduler.forget_timers(lives);
    let sizes = Growth::of(cx.image.facts().version.minor);
    world.heap.sweep(limit, sizes, |granule| !is_marked(granule));
}

/// The stacks of all goroutines, as far as they are used.
fn stacks(cx: &HookContext<'_>) -> impl Iterator<Item = Range<u64>> {
    let sp = cx.cpu.gpr(gpr::RSP);
    let stack = cx.goroutine.stack_lo..cx.goroutine.stack_hi;
    // Elsewhere the runtime is on the system's stack.
    let own = if stack.contains(&sp) { sp..stack.end } else { stack };
    let others = cx.world.scheduler.resting().map(|resting| resting.sp..resting.goroutine.stack_hi);
    std::iter::once(own).chain(others)
}

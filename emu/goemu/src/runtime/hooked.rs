//! Hooks that stand in for Go's runtime, or watch it. Few: whatever can run from the program's own text does.
//!
//! A function of the runtime is replaced only where it needs state that a goroutine of our making does not
//! have: memory from the allocator, a stack from the scheduler, a process to end. Defers are carried out in
//! Rust where records hold them, so that programs without a runtime (object files) have them too.

pub(super) mod alloc;
pub(super) mod cgo;
pub(super) mod cleanups;
pub(super) mod collections;
pub(super) mod collector;
pub(super) mod coroutines;
pub(super) mod counted;
pub(super) mod defers;
pub(super) mod fatal;
pub(super) mod finalizers;
pub(crate) mod goroutines;
mod owed;
pub(super) mod panics;
pub(super) mod reasons;
pub(super) mod recognise;
pub(super) mod stack;
pub(super) mod system;
pub(super) mod tables;
pub(super) mod timers;
pub(super) mod tracing;
pub(super) mod weak;

use crate::go::traceback::unwind::Start;
use crate::guest::heap::Kind;
use crate::hook::{Action, HookContext, HookResult};

/// `deferreturn`, of deferred calls in records.
pub(crate) fn deferreturn(cx: &mut HookContext<'_>) -> HookResult {
    defers::deferreturn(cx)
}

/// Ends the call as a panic that was not recovered; `at`: where it began, as address and stack pointer.
pub(crate) fn panicked(cx: &mut HookContext<'_>, at: (u64, u64), text: String) -> Action {
    cx.world.ending.panic_at = Start { pc: at.0, sp: at.1, trap: false };
    fatal::panicked(cx, text)
}

/// Collects garbage, if enough was allocated. At the beginning of a hook all that is used can be found.
pub(crate) fn collect_if_due(cx: &mut HookContext<'_>) {
    if cx.world.heap.is_due() {
        collector::collect(cx);
        // Where there is no room for a goroutine, it is tried again after the next.
        let _ = owed::start(cx);
    }
}

/// Memory for an object of the program, of this type; of none, if it is not known what is in it.
pub(crate) fn object(cx: &mut HookContext<'_>, size: u64, ty: u64) -> Option<u64> {
    let kind = if ty == 0 { Kind::Pointers } else { alloc::kind(cx, ty) };
    cx.world.alloc_object(cx.memory, size, kind).ok()
}

/// Ends the call as a fatal error.
pub(crate) fn fatal_error(cx: &mut HookContext<'_>, text: &str) -> Action {
    fatal::error(cx, text)
}

/// The heap is used up.
pub(crate) fn out_of_memory(cx: &mut HookContext<'_>) -> Action {
    fatal::out_of_memory(cx)
}

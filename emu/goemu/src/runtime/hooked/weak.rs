//! Weak pointers (`runtime/mheap.go`, `getOrAddWeakHandle`; package weak): a word that all weak pointers to an object share, which the
//! collector clears.

use super::fatal;
use super::finalizers::is_variable;
use crate::guest::heap::Kind;
use crate::hook::{Action, HookContext, HookResult};

/// What making one takes, in instructions: it is looked for in each collection.
const MAKING: u64 = 200;

/// `getOrAddWeakHandle(p unsafe.Pointer) *atomic.Uintptr`, up to Go 1.24: variables have no weak pointers.
pub(in crate::runtime) fn handle_of_object(cx: &mut HookContext<'_>) -> HookResult {
    let object = cx.arg(0)?;
    if cx.world.heap.base(object).is_none() && is_variable(cx, object) {
        return Ok(fatal::error(cx, "getWeakHandle on invalid pointer"));
    }
    handle(cx)
}

/// The same since Go 1.25.
pub(in crate::runtime) fn handle(cx: &mut HookContext<'_>) -> HookResult {
    let object = cx.arg(0)?;
    cx.world.lifetimes.watched = true;
    cx.memory.charge(MAKING);
    let handle = match cx.world.lifetimes.weak_handles.get(&object) {
        Some(handle) => *handle,
        None => {
            let Ok(handle) = cx.world.alloc_object(cx.memory, 8, Kind::Data) else {
                return Ok(fatal::out_of_memory(cx));
            };
            cx.set_word(handle, object)?;
            cx.world.lifetimes.weak_handles.insert(object, handle);
            handle
        }
    };
    cx.set_result(1, 0, handle)?;
    Ok(Action::Return)
}

/// `weak.runtime_makeStrongFromWeak(u unsafe.Pointer) unsafe.Pointer`
pub(in crate::runtime) fn strong(cx: &mut HookContext<'_>) -> HookResult {
    let handle = cx.arg(0)?;
    let object = if handle == 0 { 0 } else { cx.word(handle)? };
    cx.set_result(1, 0, object)?;
    Ok(Action::Return)
}

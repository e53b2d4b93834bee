//! Allocation (`mallocgc` in `runtime/malloc.go`): the one function that all others end in.

use super::{collector, fatal, owed};
use crate::cpu::gpr;
use crate::guest::heap::Kind;
use crate::hook::{Action, HookContext, HookResult};
use crate::observe::Event;

/// `mallocgc(size uintptr, typ *_type, needzero bool) unsafe.Pointer`
pub(in crate::runtime) fn mallocgc(cx: &mut HookContext<'_>) -> HookResult {
    let (size, ty) = (cx.arg(0)?, cx.arg(1)?);
    let Some(addr) = object(cx, size, ty) else {
        return Ok(fatal::out_of_memory(cx));
    };
    cx.set_result(3, 0, addr)?;
    // What the runtime asks for on the system's stack is not the call's.
    if (cx.goroutine.stack_lo..cx.goroutine.stack_hi).contains(&cx.cpu.gpr(gpr::RSP)) {
        cx.emit(|_| Event::Allocated { addr, size, ty });
    }
    Ok(Action::Return)
}

/// `mallocgcTiny(size uintptr, typ *_type) (unsafe.Pointer, uintptr)` and its like, what `mallocgc` calls: builds with a profile put that into
/// its callers. The second result is how much the object takes.
pub(in crate::runtime) fn part_of_mallocgc(cx: &mut HookContext<'_>) -> HookResult {
    let size = cx.arg(0)?;
    let action = mallocgc(cx)?;
    if matches!(action, Action::Return) {
        cx.set_result(3, 1, size)?;
    }
    Ok(action)
}

/// Memory for an object of the program; where it is used up, after a collection.
fn object(cx: &mut HookContext<'_>, size: u64, ty: u64) -> Option<u64> {
    let kind = kind(cx, ty);
    if let Ok(addr) = cx.world.alloc_object(cx.memory, size, kind) {
        return Some(addr);
    }
    if cx.world.heap.held {
        return None;
    }
    collector::collect(cx);
    // Where there is no room for a goroutine, it is tried again after the next.
    let _ = owed::start(cx);
    cx.world.alloc_object(cx.memory, size, kind).ok()
}

/// Whether objects that are made for a type may hold pointers: none do that have no type.
pub(super) fn kind(cx: &HookContext<'_>, ty: u64) -> Kind {
    if ty == 0 {
        return Kind::Data;
    }
    let pointers =
        cx.image.facts().types.rtype.ptrdata.and_then(|field| cx.word(ty.wrapping_add(field)).ok());
    if pointers == Some(0) { Kind::Data } else { Kind::Pointers }
}

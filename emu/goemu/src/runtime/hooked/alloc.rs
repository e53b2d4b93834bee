//! Allocation (`mallocgc` in `runtime/malloc.go`): the one function that all others end in.

use super::fatal;
use crate::cpu::gpr;
use crate::hook::{Action, HookContext, HookResult};
use crate::observe::Event;

/// `mallocgc(size uintptr, typ *_type, needzero bool) unsafe.Pointer`
pub(in crate::runtime) fn mallocgc(cx: &mut HookContext<'_>) -> HookResult {
    let (size, ty) = (cx.arg(0)?, cx.arg(1)?);
    let Ok(addr) = cx.world.alloc(cx.memory, size) else {
        return Ok(fatal::out_of_memory(cx));
    };
    cx.set_result(3, 0, addr)?;
    // What the runtime asks for on the system's stack is not the call's.
    if (cx.goroutine.stack_lo..cx.goroutine.stack_hi).contains(&cx.cpu.gpr(gpr::RSP)) {
        cx.emit(|_| Event::Allocated { addr, size, ty });
    }
    Ok(Action::Return)
}

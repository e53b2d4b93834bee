//! Stack growth (`runtime/stack.go`, `morestack` in `runtime/asm_amd64.s`).
//!
//! Go copies a stack that is too small to one of twice the size. Here the address space below a stack is
//! its own, so it grows downwards and nothing moves. The function's prologue, which found the stack too
//! small, runs again from the start.

use super::{fatal, goroutines};
use crate::cpu::gpr;
use crate::hook::{Action, HookContext, HookResult};
use crate::memory::MemoryError;
use crate::observe::Event;

/// `morestack`, `morestack_noctxt`: the caller wants a larger stack, and to begin again. All registers are
/// as the caller had them; DX may be its closure.
pub(in crate::runtime) fn morestack(cx: &mut HookContext<'_>) -> HookResult {
    let from = cx.goroutine.stack_size();
    let to = from.saturating_mul(2);
    let caller = cx.return_address()?;
    if to > limit(cx) {
        return Ok(fatal::stack_overflow(cx)?);
    }
    if to > cx.goroutine.room {
        return Err(goroutines::cannot(cx, "so large a stack beside so many others"));
    }
    match cx.goroutine.set_stack(cx.image, cx.memory, to) {
        Err(MemoryError::Limit { .. }) => return Ok(fatal::out_of_memory(cx)),
        grown => grown?,
    }
    cx.emit(|cx| Event::StackGrew { func: cx.entry_of(caller), from, to });
    cx.begins_again();
    // What follows the CALL jumps back to the function's entry.
    let sp = cx.caller_sp();
    cx.cpu.set_gpr(gpr::RSP, sp);
    cx.cpu.rip = caller;
    Ok(Action::Resume)
}

/// Bytes that a stack may have: what the machine allows, or less, where the program has said so.
pub(super) fn limit(cx: &HookContext<'_>) -> u64 {
    cx.world.max_stack.map_or(cx.goroutine.max_stack, |asked| asked.min(cx.goroutine.max_stack))
}

/// `debug.setMaxStack(in int) (out int)`
pub(in crate::runtime) fn set_max(cx: &mut HookContext<'_>) -> HookResult {
    let asked = cx.arg(0)?;
    let before = cx.world.max_stack.replace(asked).unwrap_or(cx.image.facts().stack.max);
    cx.set_result(1, 0, before)?;
    Ok(Action::Return)
}

//! Calls between Go and C, without the threads that package runtime/cgo would start.

use super::ImportReturn;
use crate::go::cgo;
use crate::hook::{Action, HookContext, HookResult};
use crate::memory::MemFault;

/// `cgocall(fn, arg unsafe.Pointer) int32`: a call from Go into C. It becomes `asmcgocall`, which takes the same arguments and
/// runs the C function on the system's stack. The program's C code runs like any other; its calls into other files are
/// emulated, or end in an error that names them. If it calls Go, the pending call keeps Go from waiting for its packages.
pub(crate) fn cgocall(cx: &mut HookContext<'_>) -> HookResult {
    let abi = cx.func().map(|func| func.abi());
    let named = cx.image.funcs_named("runtime.asmcgocall");
    match named.iter().find(|func| Some(func.abi()) == abi) {
        Some(func) => {
            set_in_m(cx, cx.image.facts().m.ncgo, 1_u32.to_le_bytes())?;
            cx.cpu.rip = func.entry();
            Ok(Action::Resume)
        }
        None => Ok(Action::Run),
    }
}

/// `exitsyscall()`. If C calls Go, the goroutine would leave the system call that a call into C counts as. There is no
/// such system call here.
pub(crate) fn exitsyscall(cx: &mut HookContext<'_>) -> HookResult {
    Ok(if is_callback(cx)? { Action::Return } else { Action::Run })
}

/// `reentersyscall(pc, sp uintptr)`. It is skipped when Go returns to C: the matching exit is never called.
pub(crate) fn reentersyscall(cx: &mut HookContext<'_>) -> HookResult {
    if !is_callback(cx)? {
        return Ok(Action::Run);
    }
    set_in_m(cx, cx.image.facts().m.incgo, [0])?;
    Ok(Action::Return)
}

/// Whether the function was called by a call from C.
fn is_callback(cx: &HookContext<'_>) -> Result<bool, MemFault> {
    let from = cx.image.func_at(cx.return_address()?);
    Ok(from.is_some_and(|func| func.name() == "runtime.cgocallbackg"))
}

fn set_in_m<const N: usize>(
    cx: &mut HookContext<'_>,
    field: Option<u64>,
    value: [u8; N],
) -> Result<(), MemFault> {
    let Some(field) = field else { return Ok(()) };
    let m = cx.word(cx.goroutine.g.wrapping_add(cx.image.facts().g.m))?;
    cx.memory.write(m.wrapping_add(field), value)
}

/// `pthread_mutex_lock(mutex)` of C code in a Go program for Linux. `None` if it is locked: threads do not wait in C
/// here.
pub(super) fn lock(cx: &mut HookContext<'_>, mutex: u64) -> Result<Option<ImportReturn>, MemFault> {
    let taken: [u8; 4] = cx.memory.read(mutex)?;
    if taken != [0; 4] {
        return Ok(None);
    }
    cx.memory.write(mutex, 1_u32.to_le_bytes())?;
    Ok(Some(ImportReturn::Return(0)))
}

/// `pthread_mutex_unlock(mutex)`
pub(super) fn unlock(cx: &mut HookContext<'_>, mutex: u64) -> Result<Option<ImportReturn>, MemFault> {
    cx.memory.write(mutex, [0; 4])?;
    Ok(Some(ImportReturn::Return(0)))
}

/// `pthread_cond_wait(condition, mutex)`: the first caller is a callback that waits for the runtime's start
/// (`_cgo_wait_runtime_init_done`). The runtime has started, or will never start, so the function that reports the start
/// is called. Nothing else would end a wait.
pub(super) fn wait(cx: &mut HookContext<'_>, mutex: u64) -> Result<Option<ImportReturn>, MemFault> {
    let notify = cgo::notify_runtime_init_done(cx.image).filter(|_| !cx.world.libraries.c_knows);
    let Some(notify) = notify else { return Ok(None) };
    cx.world.libraries.c_knows = true;
    unlock(cx, mutex)?;
    Ok(Some(ImportReturn::Jump(notify)))
}

//! What the runtime asks of its allocator where it checks pointers that C is given (`runtime/cgocall.go`, `runtime/pinner.go`).
//!
//! The checks themselves, and their panics, are the program's own text.

use std::collections::hash_map::Entry;
use std::ops::Range;

use goemu_loader::Image;
use iced_x86::{Mnemonic, OpKind};

use super::{fatal, finalizers, goroutines};
use crate::disasm::Walk;
use crate::guest::goroutine::Goroutine;
use crate::guest::heap::Kind;
use crate::hook::{Action, HookContext, HookResult, INT_REGISTERS};
use crate::memory::MemFault;
use crate::os::imports;

/// Bytes at the beginning of a check in which it looks whether checks are wanted.
const BEGINNING: usize = 64;
/// Words of an object that are looked at in the time of an instruction.
const WORDS: u64 = 2;
/// What pinning an object takes, in instructions.
const PINNING: u64 = 150;
/// Values of `abi.Kind`, its bits, and the size of what all types begin with.
const KINDS: u8 = 31;
const POINTER: u8 = 22;
const UNSAFE_POINTER: u8 = 26;
const TYPE_SIZE: u64 = 48;
/// Bytes of what a `Pinner` points to.
const PINS_SIZE: u64 = 64;

/// `cgoCheckPointer(ptr any, arg any)`, `cgoCheckResult(val any)`: they do nothing before the runtime's start has set
/// `debug.cgocheck`, which it takes from GODEBUG.
pub(in crate::runtime) fn checks(cx: &mut HookContext<'_>) -> HookResult {
    let Some(wanted) = wanted(cx.image, cx.cpu.rip) else {
        return Err(goroutines::cannot(cx, "a check of pointers that are given to C"));
    };
    let set = cx.world.process.variable("GODEBUG").and_then(|list| {
        let values = list.rsplit(',').filter_map(|setting| setting.strip_prefix("cgocheck="));
        values.filter_map(|value| value.parse().ok()).next()
    });
    cx.memory.write(wanted, set.unwrap_or(1_i32).to_le_bytes())?;
    Ok(Action::Run)
}

/// The address of `debug.cgocheck`: what a check compares with 0 first.
fn wanted(image: &Image, entry: u64) -> Option<u64> {
    let code = image.bytes(entry, BEGINNING)?;
    let mut insns = Walk::new(code, entry, BEGINNING).map(|decoded| decoded.insn);
    let compared = insns.find(|insn| {
        insn.mnemonic() == Mnemonic::Cmp
            && insn.is_ip_rel_memory_operand()
            && matches!(insn.op1_kind(), OpKind::Immediate8to32 | OpKind::Immediate32)
            && insn.immediate(1) == 0
    })?;
    Some(compared.ip_rel_memory_address())
}

/// `callCgoSigaction(sig uintptr, new, old *sigactiont) int32`, in assembly: EINVAL is what C says of signals that are its own, and
/// the runtime then asks the system itself.
pub(in crate::runtime) fn sigaction(cx: &mut HookContext<'_>) -> HookResult {
    /// Words of arguments, before the result.
    const ARGS: u64 = 3;
    const EINVAL: u32 = 22;
    cx.memory.write(cx.caller_sp().wrapping_add(8 * ARGS), EINVAL.to_le_bytes())?;
    Ok(Action::Return)
}

/// `cgoIsGoPointer(p unsafe.Pointer) bool`
pub(in crate::runtime) fn is_go_pointer(cx: &mut HookContext<'_>) -> HookResult {
    let is = is_go(cx, cx.arg(0)?);
    truth(cx, 1, is)
}

/// `isPinned(p unsafe.Pointer) bool`: variables always are.
pub(in crate::runtime) fn is_pinned(cx: &mut HookContext<'_>) -> HookResult {
    let is = pinned(cx, cx.arg(0)?);
    truth(cx, 1, is)
}

/// `(*Pinner).Pin(pointer any)`: objects are pinned as long as they were so more often than not. What is given that is no pointer
/// is left to the program's own text, which panics.
pub(in crate::runtime) fn pin(cx: &mut HookContext<'_>) -> HookResult {
    let (pinner, ty, object) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    if !is_pointer(cx, ty)? {
        return Ok(Action::Run);
    }
    let Some(base) = cx.world.heap.base(object) else { return Ok(Action::Return) };
    let mut set = cx.word(pinner)?;
    if set == 0 {
        let Some(made) = super::object(cx, PINS_SIZE, 0) else { return Ok(fatal::out_of_memory(cx)) };
        set = made;
        cx.set_word(pinner, set)?;
    }
    cx.memory.charge(PINNING);
    let lifetimes = &mut cx.world.lifetimes;
    // Go gives the set a finalizer, which panics where it is not empty.
    // A pinner that is freed with objects panics, which hooks do not do.
    lifetimes.unserved = true;
    lifetimes.pinned_by.entry(set).or_default().push(base);
    lifetimes.pinned += 1;
    *lifetimes.pins.entry(base).or_default() += 1;
    Ok(Action::Return)
}

/// The same in Go 1.21, which panics at addresses that are not Go's: a program that was started is to.
pub(in crate::runtime) fn pin_go_pointer(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, object) = (cx.arg(1)?, cx.arg(2)?);
    let is_own = cx.world.heap.base(object).is_some() || finalizers::is_variable(cx, object);
    if is_pointer(cx, ty)? && !is_own {
        return Err(goroutines::cannot(cx, "pinning what is neither an object nor a variable"));
    }
    pin(cx)
}

fn is_pointer(cx: &HookContext<'_>, ty: u64) -> Result<bool, MemFault> {
    let Some(kind) = cx.image.facts().types.rtype.kind.filter(|_| ty != 0) else { return Ok(false) };
    let [kind] = cx.memory.read(ty.wrapping_add(kind))?;
    Ok(matches!(kind & KINDS, POINTER | UNSAFE_POINTER))
}

/// `(*Pinner).Unpin()`
pub(in crate::runtime) fn unpin(cx: &mut HookContext<'_>) -> HookResult {
    let set = cx.word(cx.arg(0)?)?;
    cx.memory.charge(cx.world.lifetimes.pinned_by.get(&set).map_or(0, Vec::len) as u64);
    let lifetimes = &mut cx.world.lifetimes;
    let objects = lifetimes.pinned_by.remove(&set).unwrap_or_default();
    lifetimes.pinned -= objects.len() as u64;
    for base in objects {
        if let Entry::Occupied(mut pins) = lifetimes.pins.entry(base) {
            *pins.get_mut() -= 1;
            if *pins.get() == 0 {
                pins.remove();
            }
        }
    }
    Ok(Action::Run)
}

/// `cgoCheckUnknownPointer(p unsafe.Pointer, msg) (base, i uintptr)`: nothing is known but what the allocator knows of the object.
/// It panics where `cgoCheckArg`, which has called it, would at a pointer that is not pinned: that function is asked in its place.
pub(in crate::runtime) fn check_unknown(cx: &mut HookContext<'_>) -> HookResult {
    let at = cx.arg(0)?;
    let is_wrong = match cx.world.heap.find(at) {
        Some((granule, Kind::Pointers | Kind::Fixed)) => {
            let object = cx.world.heap.address(granule)..cx.world.heap.end_of(granule);
            cx.memory.charge((object.end - object.start) / 8 / WORDS);
            holds_pointers(cx, object)?
        }
        Some((_, Kind::Data | Kind::Free)) => false,
        None => is_variable(cx.image, at),
    };
    if is_wrong {
        return fail(cx);
    }
    cx.set_result(3, 0, 0)?;
    cx.set_result(3, 1, 0)?;
    Ok(Action::Return)
}

/// Whether an object has pointers to memory of Go that is not pinned.
fn holds_pointers(cx: &HookContext<'_>, object: Range<u64>) -> Result<bool, MemFault> {
    for at in object.step_by(8) {
        let word = cx.word(at)?;
        if is_go(cx, word) && !pinned(cx, word) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Goes on with `cgoCheckArg(t, p, indir, top, msg)`, of a pointer for which it panics: one that lies within what is given to C,
/// to an object that is not pinned.
fn fail(cx: &mut HookContext<'_>) -> HookResult {
    let check = cx.image.funcs_named("runtime.cgoCheckArg").first().map(|func| func.entry());
    let rtype = &cx.image.facts().types.rtype;
    let (Some(check), Some(ptrdata), Some(kind)) = (check, rtype.ptrdata, rtype.kind) else {
        return Err(goroutines::cannot(cx, "a pointer to Go pointers that is given to C"));
    };
    let Ok(ty) = cx.world.alloc(cx.memory, TYPE_SIZE) else { return Ok(fatal::out_of_memory(cx)) };
    cx.set_word(ty.wrapping_add(ptrdata), 8)?;
    cx.memory.write(ty.wrapping_add(kind), [POINTER])?;
    // The text, or its number.
    let message = [cx.arg(1)?, cx.arg(2)?];
    if cx.image.facts().register_abi() {
        let words = [ty, ty, 0, 0, message[0], message[1]];
        INT_REGISTERS.iter().zip(words).for_each(|(register, word)| cx.cpu.set_gpr(*register, word));
    } else {
        let words = [ty, ty, 0, message[0], message[1]];
        for (at, word) in (cx.caller_sp()..).step_by(8).zip(words) {
            cx.set_word(at, word)?;
        }
    }
    cx.cpu.rip = check;
    Ok(Action::Resume)
}

/// Whether memory of Go that may hold pointers is there: heap, stacks and variables.
fn is_go(cx: &HookContext<'_>, at: u64) -> bool {
    let in_stack = |goroutine: &Goroutine| (goroutine.stack_lo..goroutine.stack_hi).contains(&at);
    let is_object = cx.world.object(at).is_some_and(|base| !imports::is_room(cx, base));
    is_object
        || is_variable(cx.image, at)
        || in_stack(cx.goroutine)
        || cx.world.scheduler.resting().any(|resting| in_stack(&resting.goroutine))
}

/// Whether a variable that may hold pointers is there.
fn is_variable(image: &Image, at: u64) -> bool {
    image.module().is_some_and(|module| module.data.contains(at) || module.bss.contains(at))
}

fn pinned(cx: &HookContext<'_>, at: u64) -> bool {
    cx.world.heap.base(at).is_none_or(|base| cx.world.lifetimes.pins.contains_key(&base))
}

fn truth(cx: &mut HookContext<'_>, args: usize, is: bool) -> HookResult {
    cx.set_result(args, 0, is.into())?;
    Ok(Action::Return)
}

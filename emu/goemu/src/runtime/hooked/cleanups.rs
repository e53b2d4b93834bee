//! Cleanups (`runtime/mcleanup.go`). `AddCleanup` runs from the program's own text, with its checks; it ends in `addCleanup`, which
//! notes what is to be called. In between it looks for the object in the heap's spans, which are not there.

use goemu_loader::Os;
use iced_x86::{Code, Instruction, Register};

use super::finalizers::is_variable;
use super::{fatal, goroutines};
use crate::disasm::code_of;
use crate::guest::lifetimes::Owed;
use crate::hook::{Action, HookContext, HookError, HookResult};

/// What noting a cleanup takes, in instructions: it is looked for in each collection.
const NOTING: u64 = 200;
/// Bytes of the table of arenas, of 64 MiB each (`heapArena`), in an address space of 48 bits.
const ARENAS: u64 = (1 << 48) / (64 << 20) * 8;
/// Instructions between loading the table's address and looking into it.
const NEAR: usize = 8;

/// `AddCleanup[T, S any](ptr *T, cleanup func(S), arg S) Cleanup`, with a dictionary before its arguments: it looks for the arena of the
/// object in a table, where it is to find none.
pub(in crate::runtime) fn add(cx: &mut HookContext<'_>) -> HookResult {
    let object = cx.arg(1)?;
    if cx.world.lifetimes.no_arenas.is_none() {
        let Ok(table) = cx.world.map_to_read(cx.memory, ARENAS) else { return Ok(fatal::out_of_memory(cx)) };
        match arenas(cx) {
            Some(variable) if cx.word(variable)? == 0 => cx.set_word(variable, table)?,
            Some(_) => {}
            // There the table has two levels, and the first is part of the heap.
            None if cx.image.target().os == Os::Windows => {}
            None => return add_unnamed(cx),
        }
        cx.world.lifetimes.no_arenas = Some(table);
    }
    cx.world.lifetimes.gets_cleanup = Some(object);
    Ok(Action::Run)
}

/// The same since Go 1.26, which panics where the cleanup could never run: its argument, or a variable that it captures, is in the object.
/// It would look into spans for that.
pub(in crate::runtime) fn add_that_can_run(cx: &mut HookContext<'_>) -> HookResult {
    refuse_what_never_runs(cx)?;
    add(cx)
}

fn refuse_what_never_runs(cx: &HookContext<'_>) -> Result<(), HookError> {
    let (object, cleanup, argument) = (cx.arg(1)?, cx.arg(2)?, cx.arg(3)?);
    let base = cx.world.heap.base(object);
    let never = object != argument && cx.world.heap.base(argument) == base || holds(cx, cleanup, base)?;
    if base.is_some() && never {
        return Err(goroutines::cannot(cx, "a cleanup that would never run"));
    }
    Ok(())
}

/// Whether an object of the heap has an address in another one.
fn holds(cx: &HookContext<'_>, holder: u64, object: Option<u64>) -> Result<bool, HookError> {
    let Some((granule, _)) = cx.world.heap.find(holder) else { return Ok(false) };
    for at in (cx.world.heap.address(granule)..cx.world.heap.end_of(granule)).step_by(8) {
        if cx.world.heap.base(cx.word(at)?) == object {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The variable `mheap_.arenas[0]`: the running function, or what compilers do not always put into it, loads the address of a table from
/// there, and looks into that by an index.
fn arenas(cx: &HookContext<'_>) -> Option<u64> {
    let called = |name: &str| cx.image.funcs_named(name).first().copied();
    let funcs = [cx.func(), called("runtime.inUserArenaChunk"), called("runtime.spanOf")];
    funcs.into_iter().flatten().find_map(|func| looked_into(&code_of(&func)))
}

/// Where code loads the address of a table from that it then looks into by an index.
fn looked_into(code: &[Instruction]) -> Option<u64> {
    let looks = |load: &Instruction, insn: &Instruction| {
        insn.memory_base() == load.op0_register()
            && insn.memory_index() != Register::None
            && insn.memory_index_scale() == 8
    };
    let load = code.iter().enumerate().find(|(at, load)| {
        load.code() == Code::Mov_r64_rm64
            && load.is_ip_rel_memory_operand()
            && code.iter().skip(at + 1).take(NEAR).any(|insn| looks(load, insn))
    });
    load.map(|(_, load)| load.ip_rel_memory_address())
}

/// `findObject(p, refBase, refOff uintptr) (base uintptr, s *mspan, objIndex uintptr)`. `AddCleanup` asks for the object, and since
/// Go 1.26 for the closure, into which it need not look: [`add_that_can_run`] has.
pub(in crate::runtime) fn find_object(cx: &mut HookContext<'_>) -> HookResult {
    let at = cx.arg(0)?;
    let caller = cx.image.func_at(cx.return_address()?);
    // Others ask for any object, also after an `AddCleanup` that has panicked.
    let is_cleanup = caller.is_some_and(|func| func.name().starts_with("runtime.AddCleanup["));
    let looks_into = is_cleanup && cx.world.lifetimes.gets_cleanup != Some(at);
    let found = if looks_into { None } else { cx.world.object(at) };
    // A span of which nothing is known.
    let span = found.and(cx.world.lifetimes.no_arenas).unwrap_or_default();
    for (n, value) in [found.unwrap_or_default(), span, 0].into_iter().enumerate() {
        cx.set_result(3, n, value)?;
    }
    Ok(Action::Return)
}

/// `addCleanup(p unsafe.Pointer, f *funcval) uint64`: a closure without arguments.
pub(in crate::runtime) fn note(cx: &mut HookContext<'_>) -> HookResult {
    let owed = Owed { closure: cx.arg(1)?, ..Owed::default() };
    note_owed(cx, owed, 2)
}

/// `addCleanup(p unsafe.Pointer, c cleanupFn) uint64`, since Go 1.26: what calls the cleanup, the cleanup, and where its argument is.
pub(in crate::runtime) fn note_with_argument(cx: &mut HookContext<'_>) -> HookResult {
    let owed = Owed { closure: cx.arg(1)?, args: [cx.arg(2)?, cx.arg(3)?], count: 2 };
    note_owed(cx, owed, 4)
}

fn note_owed(cx: &mut HookContext<'_>, owed: Owed, args: usize) -> HookResult {
    let object = cx.arg(0)?;
    cx.memory.charge(NOTING);
    let lifetimes = &mut cx.world.lifetimes;
    (lifetimes.watched, lifetimes.gets_cleanup) = (true, None);
    lifetimes.newest_cleanup += 1;
    lifetimes.cleanups_set += 1;
    let number = lifetimes.newest_cleanup;
    lifetimes.cleanups.entry(object).or_default().push((number, owed));
    cx.set_result(args, 0, number)?;
    Ok(Action::Return)
}

/// `Cleanup.Stop()`, of the cleanup's number and its object.
pub(in crate::runtime) fn stop(cx: &mut HookContext<'_>) -> HookResult {
    let (number, object) = (cx.arg(0)?, cx.arg(1)?);
    let lifetimes = &mut cx.world.lifetimes;
    if let Some(cleanups) = lifetimes.cleanups.get_mut(&object) {
        cx.memory.charge(2 * cleanups.len() as u64);
        let before = cleanups.len();
        cleanups.retain(|(of, _)| *of != number);
        lifetimes.cleanups_set -= (before - cleanups.len()) as u64;
        if cleanups.is_empty() {
            lifetimes.cleanups.remove(&object);
        }
    }
    Ok(Action::Return)
}

/// `AddCleanup` in a program without names, or one that looks for arenas in another way: what it calls is not known, so that no collection
/// that the program asks for can be right then.
pub(in crate::runtime) fn add_unnamed(cx: &mut HookContext<'_>) -> HookResult {
    let (object, argument) = (cx.arg(1)?, cx.arg(3)?);
    let base = cx.world.heap.base(object);
    let is_variable = base.is_none() && is_variable(cx, object);
    if object == 0 || object == argument || base.is_none() && !is_variable {
        return Err(goroutines::cannot(cx, "a cleanup that cannot be"));
    }
    if cx.image.facts().rules().refuses_cleanups_that_never_run() {
        refuse_what_never_runs(cx)?;
    }
    let lifetimes = &mut cx.world.lifetimes;
    (lifetimes.watched, lifetimes.unserved) =
        (lifetimes.watched | !is_variable, lifetimes.unserved | !is_variable);
    // `Stop`, which is not found there, does nothing with what it is of no cleanup.
    none(cx)
}

/// `AddCleanup`, where it is not defined: nothing can be stopped by the two words of its result.
pub(in crate::runtime) fn none(cx: &mut HookContext<'_>) -> HookResult {
    cx.set_result(4, 0, 0)?;
    cx.set_result(4, 1, 0)?;
    Ok(Action::Return)
}

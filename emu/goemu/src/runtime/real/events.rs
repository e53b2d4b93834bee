//! What a started program's own runtime does for the call, told to observers as hooks tell it of a call that they serve:
//! calls that are deferred and run, memory that is allocated.
//!
//! Where a record or an object is, is known when the function returns that made it. So these hooks are at RET
//! instructions, too; what they saw at the entry waits in [`UnderWay`]. They are set once somebody wants events, and
//! passed over while none does. What such a function asks for itself (`deferproc` gets its record from the allocator)
//! is not told: hooks in its place do not ask.

use std::sync::Arc;

use goemu_loader::{Func, FuncId, Image};
use iced_x86::{FlowControl, Instruction};

use crate::cpu::gpr;
use crate::disasm::instructions;
use crate::guest::under_way::{UnderWay, What};
use crate::hook::{Action, Hook, HookContext, Hooks};
use crate::memory::MemFault;
use crate::observe::{Event, Interest};
use crate::runtime::hooked::defers;

/// Bytes of arguments of a deferred call that are told.
const MAX_ARGS: u32 = 1 << 16;

/// The functions that allocate; those with a star are made for objects of one size.
const ALLOCATORS: [&str; 4] =
    ["mallocgc", "mallocgcTinySC*", "mallocgcSmallNoScanSC*", "mallocgcSmallScanNoHeaderSC*"];

/// What a hook tells. Where memory that it looks at cannot be read, it tells that: the program itself goes on, and finds
/// out where it reads there.
type Body = fn(&mut HookContext<'_>) -> Result<(), MemFault>;

/// Sets the hooks.
pub(crate) fn install(image: &Image, hooks: &mut Hooks) {
    for func in image.funcs().filter(|func| func.func_id() != FuncId::Wrapper) {
        let Some(name) = func.name().strip_prefix("runtime.") else { continue };
        match name {
            "deferproc" => add_both(hooks, &func, deferproc),
            "deferprocStack" => add_both(hooks, &func, deferproc_stack),
            "morestack" | "morestack_noctxt" => add(hooks, [func.entry()], morestack),
            name if allocates(name) => add_both(hooks, &func, mallocgc),
            _ => {}
        }
    }
    for func in unwrapped(image, "runtime.deferreturn") {
        add_both(hooks, &func, deferreturn);
        add(hooks, addresses(&func, FlowControl::IndirectCall), deferred_runs);
    }
    for func in unwrapped(image, "runtime.jmpdefer") {
        add(hooks, [func.entry()], jmpdefer);
    }
}

/// Sets a hook where a function begins, and another where it returns.
fn add_both(hooks: &mut Hooks, func: &Func<'_>, begins: Body) {
    add(hooks, [func.entry()], begins);
    add(hooks, addresses(func, FlowControl::Return), ends);
}

/// The addresses of the instructions that go on so.
fn addresses(func: &Func<'_>, flow: FlowControl) -> Vec<u64> {
    instructions(func, flow).iter().map(Instruction::ip).collect()
}

fn add(hooks: &mut Hooks, addrs: impl IntoIterator<Item = u64>, body: Body) {
    let hook: Arc<dyn Hook> = Arc::new(move |cx: &mut HookContext<'_>| {
        if cx.observers.want(Interest::EVENTS)
            && cx.is_of_call()
            && let Err(fault) = body(cx)
        {
            cx.emit(|_| Event::Unreadable { addr: fault.addr });
        }
        Ok(Action::Run)
    });
    addrs.into_iter().for_each(|addr| hooks.add_observer_only(addr, Arc::clone(&hook)));
}

fn allocates(name: &str) -> bool {
    ALLOCATORS.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == *pattern,
    })
}

/// The functions of this name; wrappers (the runtime marks `deferreturn` so) only where there are no others.
fn unwrapped<'i>(image: &'i Image, name: &str) -> Vec<Func<'i>> {
    let funcs = image.funcs_named(name);
    let real = |func: &Func<'_>| func.func_id() != FuncId::Wrapper;
    let only_wrappers = !funcs.iter().any(real);
    funcs.into_iter().filter(|func| only_wrappers || real(func)).collect()
}

/// `mallocgc(size uintptr, typ *_type, needzero bool) unsafe.Pointer`
fn mallocgc(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    let (size, ty) = (cx.arg(0)?, cx.arg(1)?);
    begins(cx, What::Allocates { size, ty })
}

fn morestack(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    cx.begins_again();
    Ok(())
}

fn deferproc(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    begins(cx, What::Defers("deferproc"))
}

fn deferproc_stack(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    begins(cx, What::Defers("deferprocStack"))
}

fn deferreturn(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    if defers::left_to_runtime(cx)? {
        cx.emit(|_| Event::DefersLeftToRuntime);
        return Ok(());
    }
    let record = newest(cx)?;
    begins(cx, What::Runs { record })
}

/// The newest record of a deferred call.
fn newest(cx: &HookContext<'_>) -> Result<u64, MemFault> {
    cx.word(cx.goroutine.g.wrapping_add(cx.image.facts().g.defer))
}

/// A call begins, or begins again on a larger stack. One that is not told is passed over.
fn begins(cx: &mut HookContext<'_>, what: What) -> Result<(), MemFault> {
    let depth = cx.depth(cx.cpu.gpr(gpr::RSP));
    let calls = &mut cx.world.pending.under_way;
    calls.retain(|call| call.depth < depth);
    if calls.last().is_none_or(UnderWay::goes_on) {
        calls.push(UnderWay { depth, what });
    }
    Ok(())
}

/// At a RET instruction: what the call has done.
fn ends(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    let depth = cx.depth(cx.cpu.gpr(gpr::RSP));
    let calls = &mut cx.world.pending.under_way;
    calls.retain(|call| call.depth <= depth);
    let Some(UnderWay { what, .. }) = calls.pop_if(|call| call.depth == depth) else {
        return Ok(());
    };
    match what {
        What::Allocates { size, ty } => {
            let addr = cx.result(3, 0)?;
            cx.emit(|_| Event::Allocated { addr, size, ty });
        }
        What::Defers(by) => {
            let event = pushed(cx, by)?;
            cx.emit(|_| event);
        }
        What::Runs { .. } => cx.emit(|_| Event::DefersDone),
    }
    Ok(())
}

/// The call that was deferred last.
fn pushed(cx: &HookContext<'_>, by: &'static str) -> Result<Event, MemFault> {
    let (layout, record) = (cx.image.facts().defer, newest(cx)?);
    let closure = cx.word(record.wrapping_add(layout.func))?;
    let func = if closure == 0 { 0 } else { cx.word(closure)? };
    let len = match layout.siz {
        Some(siz) => u32::from_le_bytes(cx.memory.read(record.wrapping_add(siz))?),
        None => 0,
    };
    let mut args = vec![0; len.min(MAX_ARGS) as usize];
    cx.memory.read_bytes(record.wrapping_add(layout.size), &mut args)?;
    let sp = cx.word(record.wrapping_add(layout.sp))?;
    Ok(Event::DeferPushed { by, record, closure, func, sp, args })
}

/// At the instruction of `deferreturn` that calls a deferred function (since Go 1.18).
fn deferred_runs(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    let (sp, pc) = (cx.cpu.gpr(gpr::RSP), cx.cpu.rip);
    let frame =
        cx.image.func_at(pc).and_then(|func| func.sp_delta(pc)).map(|delta| sp.wrapping_add_signed(delta));
    match frame {
        Some(frame) => runs(cx, frame, cx.cpu.gpr(gpr::RDX), sp.wrapping_sub(8)),
        None => Ok(()),
    }
}

/// `jmpdefer(fv *funcval, argp uintptr)`: up to Go 1.17 the deferred function takes the place of `deferreturn`. Written in
/// assembly.
fn jmpdefer(cx: &mut HookContext<'_>) -> Result<(), MemFault> {
    let args = cx.caller_sp();
    let (closure, argp) = (cx.word(args)?, cx.word(args.wrapping_add(8))?);
    let sp = argp.wrapping_sub(8);
    runs(cx, sp, closure, sp)
}

/// The `deferreturn` with its return address at `frame` runs a deferred call, whose return address is at `sp`.
fn runs(cx: &mut HookContext<'_>, frame: u64, closure: u64, sp: u64) -> Result<(), MemFault> {
    // The record is not in the list any more.
    let (depth, next) = (cx.depth(frame), newest(cx)?);
    let call = cx.world.pending.under_way.iter_mut().find(|call| call.depth == depth);
    if let Some(UnderWay { what: What::Runs { record }, .. }) = call {
        let record = std::mem::replace(record, next);
        let func = cx.word(closure)?;
        cx.emit(|_| Event::DeferRuns { record, closure, func, sp });
    }
    Ok(())
}

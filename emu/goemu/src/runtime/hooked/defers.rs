//! Deferred calls (`runtime/panic.go`): `deferproc`, `deferprocStack`, `deferreturn`.
//!
//! A deferred call is a record, linked at `g._defer`, newest first, with the stack pointer of the frame that
//! it belongs to. The records made here are those of the program's own runtime, field by field, so that its
//! `gopanic` finds them. What has no record is left to the runtime's text: open-coded defers (bits and slots
//! of the frame) and the lists of range-over-func bodies.

use super::fatal;
use crate::cpu::gpr;
use crate::guest::heap::Kind;
use crate::hook::{Action, HookContext, HookResult};
use crate::memory::MemFault;
use crate::observe::Event;

/// Bytes of `CALL rel32`, the instruction that calls `deferreturn`.
const CALL: u64 = 5;
/// Bytes of arguments that a record may have. Go's frames are smaller.
const MAX_ARGS: u64 = 1 << 20;

/// `deferproc`: records a call on the heap. Up to Go 1.16 the arguments follow size and closure on the
/// stack, and are copied behind the record; 1.17 has a size that is always 0.
pub(in crate::runtime) fn deferproc(cx: &mut HookContext<'_>) -> HookResult {
    let rules = cx.image.facts().rules();
    let closure = cx.arg(if rules.starts_closures() { 0 } else { 1 })?;
    let len = if rules.copies_arguments() { cx.arg(0)? & 0xffff_ffff } else { 0 };
    let args = arguments(cx, cx.caller_sp().wrapping_add(16), len)?;
    let layout = cx.image.facts().defer;
    let Ok(record) = cx.world.alloc_object(cx.memory, layout.size + len, Kind::Pointers) else {
        return Ok(fatal::out_of_memory(cx));
    };
    cx.set_word(record.wrapping_add(layout.func), closure)?;
    cx.memory.write_bytes(record + layout.size, &args)?;
    if let Some(siz) = layout.siz {
        cx.memory.write(record + siz, (len as u32).to_le_bytes())?;
    }
    if let Some(heap) = layout.heap {
        cx.memory.write(record + heap, [1])?;
    }
    push(cx, record, "deferproc", args)
}

/// `deferprocStack`: the caller has put the record in its own frame, with closure (and size and arguments)
/// filled in.
pub(in crate::runtime) fn deferproc_stack(cx: &mut HookContext<'_>) -> HookResult {
    let record = cx.arg(0)?;
    let layout = cx.image.facts().defer;
    let len = match layout.siz {
        Some(siz) => u32::from_le_bytes(cx.memory.read(record.wrapping_add(siz))?).into(),
        None => 0,
    };
    let args = arguments(cx, record.wrapping_add(layout.size), len)?;
    let cleared = [layout.started, layout.heap, layout.open_defer, layout.rangefunc];
    for at in cleared.into_iter().flatten() {
        cx.memory.write(record.wrapping_add(at), [0])?;
    }
    push(cx, record, "deferprocStack", args)
}

fn arguments(cx: &HookContext<'_>, at: u64, len: u64) -> Result<Vec<u8>, MemFault> {
    let mut args = vec![0; len.min(MAX_ARGS) as usize];
    cx.memory.read_bytes(at, &mut args)?;
    Ok(args)
}

/// Fills the rest of a record and links it. The caller reads 0 from AX: the call was deferred, it is not
/// being resumed after a panic.
fn push(cx: &mut HookContext<'_>, record: u64, by: &'static str, args: Vec<u8>) -> HookResult {
    let facts = cx.image.facts();
    let (layout, head) = (facts.defer, cx.goroutine.g + facts.g.defer);
    let (pc, sp, next) = (cx.return_address()?, cx.caller_sp(), cx.word(head)?);
    let fields = [
        (Some(layout.sp), sp),
        (Some(layout.pc), pc),
        (layout.panic, 0),
        (layout.fd, 0),
        (layout.varp, 0),
        (layout.framepc, 0),
        (layout.head, 0),
        (Some(layout.link), next),
    ];
    for (at, value) in fields {
        if let Some(at) = at {
            cx.set_word(record.wrapping_add(at), value)?;
        }
    }
    cx.set_word(head, record)?;
    let closure = cx.word(record.wrapping_add(layout.func))?;
    let func = if closure == 0 { 0 } else { cx.word(closure)? };
    cx.emit(|_| Event::DeferPushed { by, record, closure, func, sp, args });
    cx.cpu.set_gpr(gpr::RAX, 0);
    Ok(Action::Return)
}

/// `deferreturn`: runs the newest deferred call of the frame, and is asked again until none is left. Up to Go 1.17
/// the call returns to the CALL of `deferreturn`, as Go's own did; since 1.18 to `deferreturn` itself, which has
/// not moved the stack pointer. Either way unwinders, Go's and ours, see what they would see natively.
pub(in crate::runtime) fn deferreturn(cx: &mut HookContext<'_>) -> HookResult {
    if left_to_runtime(cx)? {
        cx.emit(|_| Event::DefersLeftToRuntime);
        return Ok(Action::Run);
    }
    let facts = cx.image.facts();
    let (layout, head) = (facts.defer, cx.goroutine.g + facts.g.defer);
    let record = cx.word(head)?;
    if record == 0 || cx.word(record.wrapping_add(layout.sp))? != cx.caller_sp() {
        cx.emit(|_| Event::DefersDone);
        return Ok(Action::Return);
    }
    let closure = cx.word(record.wrapping_add(layout.func))?;
    let next = cx.word(record.wrapping_add(layout.link))?;
    if let Some(siz) = layout.siz {
        let len = u32::from_le_bytes(cx.memory.read(record.wrapping_add(siz))?);
        let args = arguments(cx, record.wrapping_add(layout.size), len.into())?;
        cx.memory.write_bytes(cx.caller_sp(), &args)?;
    }
    cx.set_word(head, next)?;
    cx.set_word(record.wrapping_add(layout.func), 0)?;
    // A nil closure faults here, as it does in Go: its record is gone by then.
    let func = cx.word(closure)?;
    let (own, again) = (cx.cpu.gpr(gpr::RSP), cx.return_address()?.wrapping_sub(CALL));
    let below = facts.rules().deferreturn_loops();
    let (sp, back) = if below { (own.wrapping_sub(8), cx.cpu.rip) } else { (own, again) };
    cx.set_word(sp, back)?;
    cx.emit(|_| Event::DeferRuns { record, closure, func, sp });
    cx.cpu.set_gpr(gpr::RSP, sp);
    cx.cpu.set_gpr(gpr::RDX, closure);
    cx.cpu.rip = func;
    Ok(Action::Resume)
}

/// Whether the frame's deferred calls are not (only) in plain records.
pub(crate) fn left_to_runtime(cx: &HookContext<'_>) -> Result<bool, MemFault> {
    let facts = cx.image.facts();
    let caller = cx.image.func_at(cx.return_address()?.wrapping_sub(1));
    let open_coded = facts.funcdata.open_defer.and_then(|index| caller?.funcdata(index as u32));
    let record = cx.word(cx.goroutine.g + facts.g.defer)?;
    let marked = |at: Option<u64>| match at {
        Some(at) if record != 0 => cx.memory.read(record.wrapping_add(at)).map(|[flag]: [u8; 1]| flag != 0),
        _ => Ok(false),
    };
    Ok(open_coded.is_some() || marked(facts.defer.rangefunc)? || marked(facts.defer.open_defer)?)
}

//! Panics, recovery and the defers that they run (`runtime/panic.go`), where there is no runtime to do it.
//!
//! A panic walks the frames from the one that panicked upwards. In each it runs the deferred calls, newest first: those
//! in records, and those that the compiler keeps as bits and slots of the frame. A deferred call returns to an address
//! where nothing but a hook is; that goes on with the next, or, if the panic was recovered, lets the frame's function
//! go on to its end. A hook never runs guest code: it only sets up what runs next.

use goemu_loader::{FuncId, TypeRef};

use super::errors;
use crate::cpu::gpr;
use crate::go::read::Reader;
use crate::go::value::Value;
use crate::guest::address_map::{DEFERRED_RETURNED, ERROR_SAID};
use crate::guest::panicking::{Frame, Panicking};
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::observe::Event;
use crate::runtime::hooked;

/// Bytes between a panicking frame and the deferred calls that run below it: room for what is not known of it.
const GAP: u64 = 256;
/// Bytes of `CALL rel32`, the instruction that calls `deferreturn`.
const CALL: u64 = 5;
/// Panics in deferred calls of panics nest no deeper; Go's stack would be used up before.
const MAX_PANICS: usize = 10_000;

/// `gopanic(e any)`
pub(in crate::runtime) fn gopanic(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, data) = (cx.arg(0)?, cx.arg(1)?);
    let frame = Frame { pc: cx.return_address()?, sp: cx.caller_sp() };
    if ty == 0 && cx.image.facts().rules().nil_panics_have_a_type() {
        // A value of its own type in Go; the text is the same.
        return errors::nil_panic(cx);
    }
    begin(cx, ty, data, frame)
}

/// `sigpanic()`: looks as if the faulting instruction had called it.
pub(in crate::runtime) fn sigpanic(cx: &mut HookContext<'_>) -> HookResult {
    let (at, g) = (cx.goroutine.g, cx.image.facts().g);
    let signal = u32::from_le_bytes(cx.memory.read(at.wrapping_add(g.sig))?);
    let divide = goemu_loader::facts::Signals::of(cx.image.target().os).divide.number;
    let text = if signal == divide {
        "integer divide by zero"
    } else {
        "invalid memory address or nil pointer dereference"
    };
    // Tables are asked for the instruction before a return address: here it is the address itself.
    let frame = Frame { pc: cx.return_address()?.wrapping_add(1), sp: cx.caller_sp() };
    match errors::error_string(cx, text)? {
        Ok((ty, data)) => begin(cx, ty, data, frame),
        Err(action) => Ok(action),
    }
}

/// Begins a panic in a frame.
pub(in crate::runtime) fn begin(cx: &mut HookContext<'_>, ty: u64, data: u64, origin: Frame) -> HookResult {
    if cx.goroutine.panics.len() >= MAX_PANICS {
        return Ok(hooked::fatal_error(cx, "stack overflow"));
    }
    cx.world.ending.panic_value = Some((ty, data));
    cx.emit(|_| Event::Panicking { ty, data });
    let facts = cx.image.facts();
    let layout = facts.panic;
    let record = super::room!(cx, layout.size, 0);
    let head = cx.goroutine.g.wrapping_add(facts.g.panic);
    let before = cx.word(head)?;
    cx.set_word(record.wrapping_add(layout.arg), ty)?;
    cx.set_word(record.wrapping_add(layout.arg).wrapping_add(8), data)?;
    cx.set_word(record.wrapping_add(layout.link), before)?;
    cx.set_word(head, record)?;
    cx.goroutine.panics.push(Panicking {
        record,
        ty,
        data,
        origin,
        at: origin,
        recovered: false,
        resume: None,
    });
    advance(cx)
}

/// The hook at [`DEFERRED_RETURNED`].
pub(in crate::runtime) fn deferred_returned(cx: &mut HookContext<'_>) -> HookResult {
    match cx.goroutine.panics.last() {
        Some(panic) if panic.recovered => recover(cx),
        Some(_) => advance(cx),
        None => Ok(hooked::fatal_error(cx, "a deferred call returned to no panic")),
    }
}

/// Runs the next deferred call of the newest panic; without any, the program ends.
fn advance(cx: &mut HookContext<'_>) -> HookResult {
    loop {
        let Some(panic) = cx.goroutine.panics.last().cloned() else {
            return Ok(hooked::fatal_error(cx, "no panic"));
        };
        if let Some(deferred) = next_deferred(cx, panic.at)? {
            return enter(cx, &panic, deferred);
        }
        match caller(cx, panic.at)? {
            Some(frame) => {
                if let Some(panic) = cx.goroutine.panics.last_mut() {
                    panic.at = frame;
                }
            }
            None => return end(cx, &panic),
        }
    }
}

/// The frame that called this one; none of the outermost. Above a deferred call that a panic runs is the frame that
/// panicked.
fn caller(cx: &HookContext<'_>, frame: Frame) -> Result<Option<Frame>, HookError> {
    let Some(pc_of_caller) = return_slot(cx, frame) else { return Ok(None) };
    let pc = cx.word(pc_of_caller)?;
    let frame = Frame { pc, sp: pc_of_caller.wrapping_add(8) };
    if pc == DEFERRED_RETURNED {
        // The panic that runs it: the innermost whose frame lies above.
        let outer = cx.goroutine.panics.iter().rev().find(|panic| panic.origin.sp > frame.sp);
        return Ok(outer.map(|panic| panic.origin));
    }
    Ok(cx.image.func_at(pc.wrapping_sub(1)).filter(|_| func_id(cx, pc) != FuncId::Goexit).map(|_| frame))
}

fn func_id(cx: &HookContext<'_>, pc: u64) -> FuncId {
    cx.image.func_at(pc.wrapping_sub(1)).map_or(FuncId::Normal, |func| func.func_id())
}

/// Where a frame's own return address is.
fn return_slot(cx: &HookContext<'_>, frame: Frame) -> Option<u64> {
    let pc = frame.pc.wrapping_sub(1);
    let delta = cx.image.func_at(pc)?.sp_delta(pc)?;
    Some(frame.sp.wrapping_add_signed(delta))
}

/// A deferred call that is about to run.
struct Deferred {
    /// 0 of those that are kept in the frame.
    record: u64,
    closure: u64,
    args: Vec<u8>,
    resume: Option<u64>,
}

/// Takes the newest deferred call from a frame.
fn next_deferred(cx: &mut HookContext<'_>, frame: Frame) -> Result<Option<Deferred>, HookError> {
    if let Some((closure, args)) = take_open_coded(cx, frame)? {
        return Ok(Some(Deferred { record: 0, closure, args, resume: None }));
    }
    let facts = cx.image.facts();
    let (layout, head) = (facts.defer, cx.goroutine.g.wrapping_add(facts.g.defer));
    let record = cx.word(head)?;
    if record == 0 || cx.word(record.wrapping_add(layout.sp))? != frame.sp {
        return Ok(None);
    }
    let closure = cx.word(record.wrapping_add(layout.func))?;
    let next = cx.word(record.wrapping_add(layout.link))?;
    // Calls that the body of a range-over-func loop defers have none.
    let resume = Some(cx.word(record.wrapping_add(layout.pc))?).filter(|pc| *pc != 0);
    let len = match layout.siz {
        Some(siz) => u32::from_le_bytes(cx.memory.read(record.wrapping_add(siz))?).into(),
        None => 0,
    };
    let args = super::bytes_at(cx, record.wrapping_add(layout.size), len)?;
    cx.set_word(head, next)?;
    Ok(Some(Deferred { record, closure, args, resume }))
}

/// Takes the newest of the deferred calls that are kept in a frame: its closure, and its arguments.
fn take_open_coded(cx: &mut HookContext<'_>, frame: Frame) -> Result<Option<(u64, Vec<u8>)>, HookError> {
    let Some(func) = cx.image.func_at(frame.pc.wrapping_sub(1)) else { return Ok(None) };
    let Some(open) = func.open_coded_defers() else { return Ok(None) };
    let Some(slot) = return_slot(cx, frame) else { return Ok(None) };
    // Locals end below the saved frame pointer.
    let locals = slot.wrapping_sub(8);
    let bits_at = locals.wrapping_sub(open.bits);
    let [bits]: [u8; 1] = cx.memory.read(bits_at)?;
    let Some(newest) = bits.checked_ilog2() else { return Ok(None) };
    let Some(slot) = open.slots.get(newest as usize) else { return Ok(None) };
    let mut args = vec![0; slot.args_size as usize];
    for arg in &slot.args {
        let (from, to) = (usize::try_from(arg.offset), usize::try_from(arg.offset.saturating_add(arg.size)));
        let range = from.ok().zip(to.ok());
        if let Some(place) = range.and_then(|(from, to)| args.get_mut(from..to)) {
            cx.memory.read_bytes(locals.wrapping_sub(arg.value), place)?;
        }
    }
    cx.memory.write(bits_at, [bits & !(1 << newest)])?;
    Ok(Some((cx.word(locals.wrapping_sub(slot.closure))?, args)))
}

/// Lets a deferred call run below the frame that panicked.
fn enter(cx: &mut HookContext<'_>, panic: &Panicking, deferred: Deferred) -> HookResult {
    let args = deferred.args.len() as u64;
    let sp = panic.origin.sp.wrapping_sub(GAP + args.next_multiple_of(16)).wrapping_sub(8) & !0xf;
    let sp = sp.wrapping_sub(8);
    if !(cx.goroutine.stack_lo..cx.goroutine.stack_hi).contains(&sp) {
        return Ok(hooked::fatal_error(cx, "stack overflow"));
    }
    if let Some(newest) = cx.goroutine.panics.last_mut() {
        newest.resume = deferred.resume;
    }
    if let Some(argp) = cx.image.facts().panic.argp {
        cx.set_word(panic.record.wrapping_add(argp), sp.wrapping_add(8))?;
    }
    cx.set_word(sp, DEFERRED_RETURNED)?;
    cx.memory.write_bytes(sp.wrapping_add(8), &deferred.args)?;
    // A nil closure faults here, as it does in Go.
    let (record, closure) = (deferred.record, deferred.closure);
    let func = cx.word(closure)?;
    cx.emit(|_| Event::DeferRuns { record, closure, func, sp });
    cx.cpu.set_gpr(gpr::RSP, sp);
    cx.cpu.set_gpr(gpr::RDX, deferred.closure);
    cx.cpu.rip = func;
    Ok(Action::Resume)
}

/// `gorecover(argp uintptr) any`, up to Go 1.25: the caller says where its arguments are.
pub(in crate::runtime) fn gorecover_argp(cx: &mut HookContext<'_>) -> HookResult {
    cx.emit(|_| Event::RecoverCalled);
    let argp = cx.arg(0)?;
    let newest = cx.goroutine.panics.last().map(|panic| (panic.record, panic.recovered));
    let field = cx.image.facts().panic.argp.unwrap_or_default();
    let matches = match newest {
        Some((record, false)) => cx.word(record.wrapping_add(field))? == argp,
        _ => false,
    };
    answer_recover(cx, 1, matches)
}

/// `gorecover() any`, since Go 1.26: the caller has to be the deferred function, wrappers aside.
pub(in crate::runtime) fn gorecover(cx: &mut HookContext<'_>) -> HookResult {
    cx.emit(|_| Event::RecoverCalled);
    let mut frame = Frame { pc: cx.return_address()?, sp: cx.caller_sp() };
    let mut matches = false;
    // The function itself, and wrappers above it.
    for depth in 0..16 {
        if depth > 0 && func_id(cx, frame.pc) != FuncId::Wrapper {
            break;
        }
        let Some(slot) = return_slot(cx, frame) else { break };
        frame = Frame { pc: cx.word(slot)?, sp: slot.wrapping_add(8) };
        if frame.pc == DEFERRED_RETURNED {
            matches = true;
            break;
        }
    }
    let pending = cx.goroutine.panics.last().is_some_and(|panic| !panic.recovered);
    answer_recover(cx, 0, matches && pending)
}

fn answer_recover(cx: &mut HookContext<'_>, args: usize, matches: bool) -> HookResult {
    let (mut ty, mut data) = (0, 0);
    if let Some(panic) = cx.goroutine.panics.last_mut().filter(|_| matches) {
        panic.recovered = true;
        (ty, data) = (panic.ty, panic.data);
    }
    cx.set_result(args, 0, ty)?;
    cx.set_result(args, 1, data)?;
    Ok(Action::Return)
}

/// The panic was recovered: the function whose deferred call did it goes on to its end.
fn recover(cx: &mut HookContext<'_>) -> HookResult {
    let Some(panic) = cx.goroutine.panics.pop() else { return Ok(Action::Return) };
    let frame = panic.at;
    // Panics whose frames are gone with this one's are aborted.
    cx.goroutine.panics.retain(|outer| outer.origin.sp > frame.sp);
    let facts = cx.image.facts();
    let head = cx.goroutine.g.wrapping_add(facts.g.panic);
    let outer = cx.goroutine.panics.last().map_or(0, |outer| outer.record);
    cx.set_word(head, outer)?;
    cx.emit(|_| Event::Recovered);
    let Some(func) = cx.image.func_at(frame.pc.wrapping_sub(1)) else {
        return Ok(hooked::fatal_error(cx, "recovery failed"));
    };
    // Up to Go 1.24 `deferproc` returns again, 1 this time; else the function has a place for it.
    let resume = panic.resume.filter(|_| facts.rules().recovers_at_deferproc());
    let Some(pc) = resume.or_else(|| func.deferreturn()) else {
        return Ok(hooked::fatal_error(cx, "recovery failed"));
    };
    if let Some(slot) = return_slot(cx, frame).filter(|slot| *slot != frame.sp) {
        cx.cpu.set_gpr(gpr::RBP, slot.wrapping_sub(8));
    }
    cx.cpu.set_gpr(gpr::RAX, u64::from(resume.is_some()));
    cx.cpu.set_gpr(gpr::RSP, frame.sp);
    cx.cpu.rip = pc;
    if facts.register_abi() {
        cx.cpu.set_gpr(gpr::R14, cx.goroutine.g);
        cx.cpu.ymm[15] = [0; 2];
    }
    Ok(Action::Resume)
}

/// `deferreturn()`: the frame's deferred calls, one by one. Those that are kept in the frame are asked for only when a
/// panic was recovered.
pub(in crate::runtime) fn deferreturn(cx: &mut HookContext<'_>) -> HookResult {
    let frame = Frame { pc: cx.return_address()?, sp: cx.caller_sp() };
    let has_slots =
        cx.image.func_at(frame.pc.wrapping_sub(1)).is_some_and(|func| func.open_coded_defers().is_some());
    if !has_slots {
        return hooked::deferreturn(cx);
    }
    let Some((closure, args)) = take_open_coded(cx, frame)? else {
        cx.emit(|_| Event::DefersDone);
        return Ok(Action::Return);
    };
    let (func, sp) = (cx.word(closure)?, cx.cpu.gpr(gpr::RSP));
    cx.emit(|_| Event::DeferRuns { record: 0, closure, func, sp });
    cx.memory.write_bytes(frame.sp, &args)?;
    cx.set_word(sp, frame.pc.wrapping_sub(CALL))?;
    cx.cpu.set_gpr(gpr::RDX, closure);
    cx.cpu.rip = func;
    Ok(Action::Resume)
}

/// The panic was not recovered: the call ends. An error is asked for its text first.
fn end(cx: &mut HookContext<'_>, panic: &Panicking) -> HookResult {
    let said = errors::text_of(cx, panic.ty, panic.data)?;
    if said.is_none()
        && let Some(method) = super::iface::method(cx, panic.ty, "Error")?
    {
        return ask(cx, panic, method);
    }
    let text = said.unwrap_or_else(|| value_text(cx, panic.ty, panic.data));
    Ok(hooked::panicked(cx, (panic.origin.pc, panic.origin.sp), text))
}

/// Calls a method without parameters on the panic's value, below the frame that panicked.
fn ask(cx: &mut HookContext<'_>, panic: &Panicking, method: u64) -> HookResult {
    let sp = (panic.origin.sp.wrapping_sub(GAP) & !0xf).wrapping_sub(8);
    cx.set_word(sp, ERROR_SAID)?;
    cx.set_word(sp.wrapping_add(8), panic.data)?;
    cx.cpu.set_gpr(gpr::RSP, sp);
    cx.cpu.set_gpr(gpr::RAX, panic.data);
    cx.cpu.rip = method;
    Ok(Action::Resume)
}

/// The hook at [`ERROR_SAID`]: the text is the result.
pub(in crate::runtime) fn error_said(cx: &mut HookContext<'_>) -> HookResult {
    let (addr, len) = if cx.image.facts().register_abi() {
        (cx.cpu.gpr(gpr::RAX), cx.cpu.gpr(gpr::RBX))
    } else {
        // The return address was taken off: receiver, then the result.
        let sp = cx.cpu.gpr(gpr::RSP);
        (cx.word(sp.wrapping_add(8))?, cx.word(sp.wrapping_add(16))?)
    };
    let text = String::from_utf8_lossy(&super::bytes_at(cx, addr, len)?).into_owned();
    let at = cx.goroutine.panics.last().map_or((0, 0), |panic| (panic.origin.pc, panic.origin.sp));
    Ok(hooked::panicked(cx, at, text))
}

/// What Go prints of a panic's value (`printpanicval`).
fn value_text(cx: &HookContext<'_>, ty: u64, data: u64) -> String {
    let Value::Interface(interface) = Reader::new(cx.memory, cx.image).eface(ty, data) else {
        return "nil".to_owned();
    };
    let name = cx.image.resolve(&TypeRef::Rtype(ty)).map_or_else(|_| String::new(), |ty| ty.name.clone());
    let plain = match &*interface.value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) | Value::Uintptr(value) => value.to_string(),
        Value::Float32(value) => super::print::float_text((*value).into()),
        Value::Float64(value) => super::print::float_text(*value),
        Value::String(text) if name == "string" => String::from_utf8_lossy(text).into_owned(),
        Value::String(text) => format!("{:?}", String::from_utf8_lossy(text)),
        _ => return format!("({name}) {data:#x}"),
    };
    if name.contains('.') { format!("{name}({plain})") } else { plain }
}

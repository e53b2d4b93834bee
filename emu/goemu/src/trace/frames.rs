//! The calls that are under way, as they show in the stack pointer.

use std::ops::Range;
use std::sync::Arc;

use iced_x86::{FlowControl, Instruction, Mnemonic};

use super::function::{Function, Functions, captured};
use super::record::{CallChange, CallKind, Written};
use super::slots::{Slot, Writing};
use crate::call::invoke::frame_at;
use crate::cpu::gpr;
use crate::go::abi::{Assignment, Place};
use crate::go::passing;
use crate::go::read::{Limits, Reader};
use crate::go::value::Value;
use crate::observe::View;

/// Frames that are searched for the owner of a result slot.
const SEARCHED: usize = 32;
/// Frames that are kept; a deeper recursion is shown without its outermost calls' results.
const MAX_FRAMES: usize = 1 << 16;

/// One call.
struct Frame {
    function: Arc<Function>,
    /// Where its return address is.
    sp: u64,
    /// None where its signature is not known.
    args: Option<Vec<String>>,
    /// A call within Go's runtime, which the tree and the events leave out.
    inner: bool,
    /// Calls around it that are not left out.
    depth: usize,
    /// What was written of its results, by their number.
    writing: Vec<Writing>,
}

impl Frame {
    /// What happened to the call. What the runtime is given is in its events.
    fn change(&self, kind: CallKind) -> CallChange {
        CallChange {
            func: self.function.name.clone(),
            args: match &self.args {
                _ if self.function.runtime => String::new(),
                Some(args) => args.join(", "),
                None => "...".to_owned(),
            },
            arguments: self.args.clone().unwrap_or_default(),
            entry: self.function.entry,
            sp: self.sp,
            depth: self.depth,
            within_runtime: self.inner,
            announced: false,
            kind,
        }
    }
}

/// The calls that are under way, outermost first.
#[derive(Default)]
pub(super) struct Frames {
    calls: Vec<Frame>,
    /// Variables that deferred closures captured.
    captured: Vec<Captured>,
}

/// A variable in a frame, whose address a closure has.
struct Captured {
    addr: u64,
    /// Where the frame's return address is.
    sp: u64,
}

impl Frames {
    /// The outermost call begins.
    pub(super) fn begin(&mut self, at: &View<'_>, func: u64, sp: u64, functions: &mut Functions) {
        *self = Frames::default();
        self.enter(at, func, sp, functions);
    }

    /// The outermost call, which has begun.
    pub(super) fn opening(&self) -> Option<CallChange> {
        self.calls.first().map(|frame| frame.change(CallKind::Entered))
    }

    fn enter(&mut self, at: &View<'_>, func: u64, sp: u64, functions: &mut Functions) {
        let Some(function) = functions.entered(at.image, func) else { return };
        if self.calls.len() < MAX_FRAMES {
            let args = arguments(at, &function, sp);
            let inner = self.in_runtime() && function.runtime;
            let depth = self.calls.last().map_or(0, |caller| caller.depth + usize::from(!caller.inner));
            self.calls.push(Frame { function, sp, args, inner, depth, writing: Vec::new() });
        }
    }

    /// A jump: from a function that has its return address alone on the stack to the beginning of another, it is a call that
    /// returns in its place.
    fn jumped(&mut self, at: &View<'_>, sp: u64, functions: &mut Functions) -> Option<CallChange> {
        let frame = self.calls.last().filter(|frame| frame.sp == sp)?;
        let Function { entry, end, name, .. } = &*frame.function;
        if (*entry..*end).contains(&at.cpu.rip) {
            return None;
        }
        functions.entered(at.image, at.cpu.rip)?;
        let from = name.clone();
        self.calls.pop();
        self.enter(at, at.cpu.rip, sp, functions);
        self.calls.last().map(|frame| frame.change(CallKind::Jumped { from }))
    }

    /// Follows an instruction that has run: RIP and RSP are those of the next.
    pub(super) fn follow(
        &mut self,
        at: &View<'_>,
        insn: &Instruction,
        functions: &mut Functions,
    ) -> Option<CallChange> {
        let sp = at.cpu.gpr(gpr::RSP);
        match insn.flow_control() {
            FlowControl::Return => self.left(at, sp),
            FlowControl::UnconditionalBranch
            | FlowControl::IndirectBranch
            | FlowControl::ConditionalBranch => self.jumped(at, sp, functions),
            FlowControl::Call | FlowControl::IndirectCall if insn.mnemonic() == Mnemonic::Call => {
                self.unwind(sp);
                let (deferring, by_runtime) = (self.open_coded(insn), self.in_runtime());
                let before = self.calls.len();
                self.enter(at, at.cpu.rip, sp, functions);
                let frame = self.calls.last().filter(|_| self.calls.len() > before)?;
                let of = deferring.filter(|of| frame.function.name.starts_with(&format!("{of}.")));
                let Some(of) = of else {
                    let by_runtime = by_runtime && !frame.function.runtime;
                    return Some(frame.change(if by_runtime {
                        CallKind::ByRuntime
                    } else {
                        CallKind::Entered
                    }));
                };
                let words = captured(at.memory, at.cpu.rip, at.cpu.gpr(gpr::RDX));
                let change = frame.change(CallKind::Deferred { of, captured: self.list(&words) });
                self.defers(&words);
                Some(change)
            }
            _ => None,
        }
    }

    /// The innermost function that is not the runtime's, and the calls around the innermost one.
    pub(super) fn innermost(&self) -> (&str, usize) {
        let func = self.nearest().next().map_or("", |frame| frame.function.name.as_str());
        (func, self.calls.last().map_or(0, |frame| frame.depth))
    }

    /// Whether Go's runtime is at work, not having been asked for itself.
    pub(super) fn in_runtime(&self) -> bool {
        self.calls.last().is_some_and(|frame| self.is_helper(frame))
    }

    /// Whether a call is the runtime's, in the service of a function that is not.
    fn is_helper(&self, frame: &Frame) -> bool {
        frame.function.runtime && self.calls.first().is_some_and(|outermost| !outermost.function.runtime)
    }

    /// The innermost calls that are not the runtime's.
    fn nearest(&self) -> impl Iterator<Item = &Frame> {
        self.calls.iter().rev().take(SEARCHED).filter(|frame| !self.is_helper(frame))
    }

    /// A closure with these words is deferred: writes to the variables that they point to are told.
    pub(super) fn defers(&mut self, words: &[u64]) {
        for &addr in words {
            if let Some(frame) = self.frame_around(addr)
                && self.result_at(addr).is_none()
            {
                let sp = frame.sp;
                self.captured.retain(|captured| captured.addr != addr);
                self.captured.push(Captured { addr, sp });
            }
        }
        let surplus = self.captured.len().saturating_sub(SEARCHED);
        self.captured.drain(..surplus);
    }

    /// The call in whose frame an address is, the innermost call's excepted.
    fn frame_around(&self, addr: u64) -> Option<&Frame> {
        self.calls.last().filter(|innermost| innermost.sp < addr)?;
        self.calls.iter().rev().take(SEARCHED).find(|frame| addr < frame.sp)
    }

    /// Words, those that are addresses of results and variables called so.
    pub(super) fn list(&self, words: &[u64]) -> String {
        let text = |&word: &u64| match (self.result_at(word), self.frame_around(word)) {
            (Some(result), _) => format!("{word:#x} (the address of {result})"),
            (None, Some(frame)) => {
                format!("{word:#x} (the address of a variable of {})", frame.function.name)
            }
            (None, None) => format!("{word:#x}"),
        };
        if words.is_empty() {
            "nothing".to_owned()
        } else {
            words.iter().map(text).collect::<Vec<_>>().join(", ")
        }
    }

    /// `deferreturn`, or what it has called, has become a call of this deferred function, whose return address is at `sp`.
    /// It has no frame any more when it does so a second time. A call that is still to come is none yet.
    pub(super) fn replace(
        &mut self,
        at: &View<'_>,
        func: u64,
        sp: u64,
        functions: &mut Functions,
    ) -> Option<CallChange> {
        let (own, rip) = (at.cpu.gpr(gpr::RSP), at.cpu.rip);
        if at.image.func_at(rip).is_some_and(|func| func.entry() != rip) {
            return None;
        }
        self.unwind(sp);
        self.calls.pop_if(|frame| frame.sp == own);
        self.enter(at, func, sp, functions);
        let frame = self.calls.last()?;
        Some(frame.change(CallKind::Entered))
    }

    /// The function that makes a call, if it has open-coded defers.
    fn open_coded(&self, insn: &Instruction) -> Option<String> {
        let caller = self.calls.last().filter(|frame| frame.function.defer_bits.is_some())?;
        (insn.ip() >= caller.function.entry).then(|| caller.function.name.clone())
    }

    /// The stack was copied: what was below the old end is as far below the new one.
    pub(super) fn moved(&mut self, from: u64, to: u64) {
        let delta = to.wrapping_sub(from);
        let lowest = self.calls.last().map_or(from, |frame| frame.sp);
        for captured in self.captured.iter_mut().filter(|captured| (lowest..from).contains(&captured.addr)) {
            captured.addr = captured.addr.wrapping_add(delta);
            captured.sp = captured.sp.wrapping_add(delta);
        }
        for frame in &mut self.calls {
            frame.sp = frame.sp.wrapping_add(delta);
        }
    }

    /// Frames whose return address the stack pointer has passed are gone, without having returned: their
    /// function was replaced by a hook, or a recovered panic jumped over them.
    pub(super) fn unwind(&mut self, sp: u64) {
        while self.calls.last().is_some_and(|frame| frame.sp <= sp) {
            self.calls.pop();
        }
        self.forget_captured(sp);
    }

    /// Variables of frames whose return address the stack pointer has passed are gone: other functions use their place.
    fn forget_captured(&mut self, sp: u64) {
        self.captured.retain(|captured| captured.sp > sp);
    }

    fn left(&mut self, at: &View<'_>, sp: u64) -> Option<CallChange> {
        // A return has passed exactly its own frame's return address.
        let returned = sp.wrapping_sub(8);
        self.unwind(returned.wrapping_sub(1));
        let frame = self.calls.pop_if(|frame| frame.sp == returned)?;
        self.forget_captured(returned);
        Some(frame.change(CallKind::Returned(results(at, &frame))))
    }

    /// Whether the word is the address of a result of one of the calls: its name.
    pub(super) fn result_at(&self, addr: u64) -> Option<String> {
        self.slots().find(|slot| slot.addr == addr).map(|slot| slot.name())
    }

    /// What it means that the instruction at `pc` has written memory: captured variables, results, the bits of open-coded
    /// defers.
    pub(super) fn written(&mut self, at: &View<'_>, pc: u64, addr: u64, size: usize) -> Vec<Written> {
        let mut found = Vec::new();
        let end = addr.saturating_add(size as u64);
        for captured in self.captured.iter().filter(|captured| (addr..end).contains(&captured.addr)) {
            found.extend(self.captured_variable(at, captured));
        }
        found.extend(self.results_written(at, pc, addr..end));
        found.extend(self.nearest().filter_map(|frame| open_defers(at, frame, addr)));
        found
    }

    /// The results that were written at these addresses, as far as they have a value.
    fn results_written(&mut self, at: &View<'_>, pc: u64, written: Range<u64>) -> Vec<Written> {
        let is_hit = |slot: &Slot<'_>| slot.addr < written.end && written.start < slot.end();
        if !self.slots().any(|slot| is_hit(&slot)) {
            return Vec::new();
        }
        let line = at.image.line_at(pc).map_or(0, |line| line.line);
        let mut found = Vec::new();
        let helps = self.calls.first().is_some_and(|outermost| !outermost.function.runtime);
        let nearest = self.calls.iter_mut().rev().take(SEARCHED);
        for frame in nearest.filter(|frame| !(helps && frame.function.runtime)) {
            let mut writing = std::mem::take(&mut frame.writing);
            for slot in slots_of(frame).filter(is_hit) {
                if writing.len() <= slot.number {
                    writing.resize_with(slot.number + 1, Writing::default);
                }
                let Some(part) = writing[slot.number].note(&slot, &written, line) else { continue };
                let value = reader(at).at(slot.ty, slot.addr);
                if is_whole(&value) {
                    let (func, result) = (slot.func.to_owned(), slot.result.to_owned());
                    found.push(Written::Result { func, result, value: value.to_string(), part });
                }
            }
            frame.writing = writing;
        }
        found
    }

    fn captured_variable(&self, at: &View<'_>, captured: &Captured) -> Option<Written> {
        let frame = self.calls.iter().rev().take(SEARCHED).find(|frame| frame.sp == captured.sp)?;
        let value = u64::from_le_bytes(at.memory.read(captured.addr).ok()?);
        Some(Written::Captured { func: frame.function.name.clone(), addr: captured.addr, value })
    }

    fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.nearest().flat_map(slots_of)
    }
}

/// Where a call leaves its results, those that have a place on the stack.
fn slots_of(frame: &Frame) -> impl Iterator<Item = Slot<'_>> {
    let typed = frame.function.typed.iter();
    let results = typed.flat_map(|(signature, places)| signature.results.iter().zip(&places.results));
    results.enumerate().filter_map(|(number, (result, pieces))| {
        let Some(Place::Stack(offset)) = pieces.first().map(|piece| piece.place) else { return None };
        let addr = frame.sp.wrapping_add(8).wrapping_add(offset);
        let func = frame.function.name.as_str();
        Some(Slot { func, number, result: &result.name, ty: &result.ty, addr })
    })
}

/// What it means that the byte at `addr` was written, if it holds the bits of a call's open-coded defers: those
/// that a panic would find.
fn open_defers(at: &View<'_>, frame: &Frame, addr: u64) -> Option<Written> {
    let offset = frame.function.defer_bits?;
    if frame.sp.wrapping_sub(8).wrapping_sub(offset) != addr {
        return None;
    }
    let [bits] = at.memory.read(addr).ok()?;
    Some(Written::OpenDefers { func: frame.function.name.clone(), bits })
}

fn reader<'a>(at: &View<'a>) -> Reader<'a> {
    let limits = Limits { depth: 4, pointers: 2, elems: 16, bytes: 80, work: 1000 };
    Reader { limits, ..Reader::new(at.memory, at.image) }
}

/// Whether a value makes sense: one of several words does not while it is being written.
fn is_whole(value: &Value) -> bool {
    match value {
        Value::Invalid(_) => false,
        Value::Interface(interface) => is_whole(&interface.value),
        _ => true,
    }
}

/// The arguments of a call that begins.
fn arguments(at: &View<'_>, function: &Function, sp: u64) -> Option<Vec<String>> {
    let (signature, places) = function.typed.as_ref()?;
    let frame = frame_at(at.cpu, at.memory, sp.wrapping_add(8), size(places));
    let values = passing::arguments(signature, places, &frame, &reader(at)).unwrap_or_default();
    Some(values.iter().map(Value::to_string).collect())
}

/// The results of a call that has returned; `None` where it has none, or where they are not known.
fn results(at: &View<'_>, frame: &Frame) -> Option<String> {
    let (signature, places) = frame.function.typed.as_ref()?;
    if signature.results.is_empty() {
        return None;
    }
    let values = frame_at(at.cpu, at.memory, frame.sp.wrapping_add(8), size(places));
    let values = passing::results(signature, places, &values, &reader(at)).unwrap_or_default();
    Some(values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
}

/// Bytes of a call's stack block that are looked at.
fn size(places: &Assignment) -> u64 {
    places.stack_size.min(1 << 16)
}

//! The calls that are under way, as they show in the stack pointer.

use std::sync::Arc;

use goemu_loader::Type;
use iced_x86::{FlowControl, Instruction, Mnemonic};

use super::Detail;
use super::function::{Function, Functions, captured};
use crate::cpu::gpr;
use crate::function::frame_at;
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
    args: String,
    /// A call within Go's runtime, which the tree and the events leave out.
    inner: bool,
    /// Calls around it that are not left out.
    depth: usize,
}

impl Frame {
    /// The call as source would have it. What the runtime is given is in its events.
    fn call(&self) -> String {
        let args = if self.function.runtime { "" } else { &self.args };
        format!("{}({args})", self.function.name)
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

/// What an instruction did to the calls.
pub(super) struct Change {
    /// It is about a call within Go's runtime.
    inner: bool,
    depth: usize,
    what: What,
}

enum What {
    /// A function was entered: its name and arguments.
    Entered(String),
    /// Go's runtime called a function that is not its own: name and arguments.
    ByRuntime(String),
    /// An open-coded defer runs: of whom, name and arguments, what it captured.
    Deferred(String, String, String),
    /// A function returned: its name and results.
    Left(String),
}

impl Change {
    fn new(frame: &Frame, what: What) -> Change {
        Change { inner: frame.inner, depth: frame.depth, what }
    }

    /// Whether a trace of this detail tells it.
    pub(super) fn is_shown(&self, detail: Detail) -> bool {
        match detail {
            Detail::Instructions => true,
            Detail::Calls => !self.inner,
            Detail::Events => matches!(self.what, What::Deferred(..) | What::ByRuntime(_)),
        }
    }

    /// The change in words, or as a line of the tree of calls.
    pub(super) fn text(&self, tree: bool) -> String {
        let indent = 2 * self.depth;
        match &self.what {
            What::Entered(call) | What::ByRuntime(call) | What::Deferred(_, call, _) if tree => {
                format!("{:indent$}{call}", "")
            }
            What::Left(results) if tree => format!("{:indent$}= {results}", ""),
            What::Entered(call) => format!("call {call}"),
            What::ByRuntime(call) => format!("Go's runtime calls {call}"),
            What::Deferred(of, call, captured) => {
                format!("open-coded defer of {of} runs: {call}, captured {captured}")
            }
            What::Left(results) => format!("return {results}"),
        }
    }
}

impl Frames {
    /// The outermost call begins.
    pub(super) fn begin(&mut self, at: &View<'_>, func: u64, sp: u64, functions: &mut Functions) {
        *self = Frames::default();
        self.enter(at, func, sp, functions);
    }

    /// The outermost call, as a line of the tree.
    pub(super) fn opening(&self) -> Option<String> {
        self.calls.first().map(Frame::call)
    }

    fn enter(&mut self, at: &View<'_>, func: u64, sp: u64, functions: &mut Functions) {
        let Some(function) = functions.entered(at.image, func) else { return };
        if self.calls.len() < MAX_FRAMES {
            let args = arguments(at, &function, sp);
            let inner = self.in_runtime() && function.runtime;
            let depth = self.calls.last().map_or(0, |caller| caller.depth + usize::from(!caller.inner));
            self.calls.push(Frame { function, sp, args, inner, depth });
        }
    }

    /// Follows an instruction that has run: RIP and RSP are those of the next.
    pub(super) fn follow(
        &mut self,
        at: &View<'_>,
        insn: &Instruction,
        functions: &mut Functions,
    ) -> Option<Change> {
        let sp = at.cpu.gpr(gpr::RSP);
        match insn.flow_control() {
            FlowControl::Return => self.left(at, sp),
            FlowControl::Call | FlowControl::IndirectCall if insn.mnemonic() == Mnemonic::Call => {
                self.unwind(sp);
                let (deferring, by_runtime) = (self.open_coded(insn), self.in_runtime());
                let before = self.calls.len();
                self.enter(at, at.cpu.rip, sp, functions);
                let frame = self.calls.last().filter(|_| self.calls.len() > before)?;
                let of = deferring.filter(|of| frame.function.name.starts_with(&format!("{of}.")));
                let Some(of) = of else {
                    let by_runtime = by_runtime && !frame.function.runtime;
                    let what = if by_runtime { What::ByRuntime } else { What::Entered };
                    return Some(Change::new(frame, what(frame.call())));
                };
                let words = captured(at.memory, at.cpu.rip, at.cpu.gpr(gpr::RDX));
                let change = Change::new(frame, What::Deferred(of, frame.call(), self.list(&words)));
                self.defers(&words);
                Some(change)
            }
            _ => None,
        }
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
    ) -> Option<Change> {
        let (own, rip) = (at.cpu.gpr(gpr::RSP), at.cpu.rip);
        if at.image.func_at(rip).is_some_and(|func| func.entry() != rip) {
            return None;
        }
        self.unwind(sp);
        self.calls.pop_if(|frame| frame.sp == own);
        self.enter(at, func, sp, functions);
        let frame = self.calls.last()?;
        Some(Change::new(frame, What::Entered(frame.call())))
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
    }

    fn left(&mut self, at: &View<'_>, sp: u64) -> Option<Change> {
        // A return has passed exactly its own frame's return address.
        let returned = sp.wrapping_sub(8);
        self.unwind(returned.wrapping_sub(1));
        let frame = self.calls.pop_if(|frame| frame.sp == returned)?;
        Some(Change::new(&frame, What::Left(results(at, &frame))))
    }

    /// Whether the word is the address of a result of one of the calls: its name.
    pub(super) fn result_at(&self, addr: u64) -> Option<String> {
        self.slots().find(|slot| slot.addr == addr).map(|slot| slot.name())
    }

    /// What it means that memory was written: captured variables, results, the bits of open-coded defers.
    pub(super) fn written(&self, at: &View<'_>, addr: u64, size: usize) -> Vec<String> {
        let mut texts = Vec::new();
        let end = addr.saturating_add(size as u64);
        for captured in self.captured.iter().filter(|captured| (addr..end).contains(&captured.addr)) {
            texts.extend(self.captured_text(at, captured));
        }
        for slot in self.slots().filter(|slot| slot.addr < end && addr < slot.end()) {
            let value = reader(at).at(slot.ty, slot.addr);
            if is_whole(&value) {
                texts.push(format!("result slot: {} = {}", slot.name(), shown(&value)));
            }
        }
        texts.extend(self.nearest().filter_map(|frame| pending_text(at, frame, addr)));
        texts
    }

    fn captured_text(&self, at: &View<'_>, captured: &Captured) -> Option<String> {
        let frame = self.calls.iter().rev().take(SEARCHED).find(|frame| frame.sp == captured.sp)?;
        let word = u64::from_le_bytes(at.memory.read(captured.addr).ok()?);
        Some(format!("captured variable of {} at {:#x} = {word:#x}", frame.function.name, captured.addr))
    }

    fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.nearest().filter_map(|f| Some((f, f.function.typed.as_ref()?))).flat_map(
            |(frame, (signature, places))| {
                signature.results.iter().zip(&places.results).filter_map(move |(result, pieces)| {
                    let Some(Place::Stack(offset)) = pieces.first().map(|piece| piece.place) else {
                        return None;
                    };
                    let addr = frame.sp.wrapping_add(8).wrapping_add(offset);
                    Some(Slot { func: &frame.function.name, result: &result.name, ty: &result.ty, addr })
                })
            },
        )
    }
}

/// Memory in which a function leaves a result.
struct Slot<'a> {
    func: &'a str,
    result: &'a str,
    ty: &'a Arc<Type>,
    addr: u64,
}

impl Slot<'_> {
    fn end(&self) -> u64 {
        self.addr.saturating_add(self.ty.size.max(1))
    }

    fn name(&self) -> String {
        let result = if self.result.is_empty() { "the result" } else { self.result };
        format!("{result} of {}", self.func)
    }
}

/// What it means that the byte at `addr` was written, if it holds the bits of a call's open-coded defers: those
/// that a panic would find.
fn pending_text(at: &View<'_>, frame: &Frame, addr: u64) -> Option<String> {
    let offset = frame.function.defer_bits?;
    if frame.sp.wrapping_sub(8).wrapping_sub(offset) != addr {
        return None;
    }
    let [bits] = at.memory.read(addr).ok()?;
    let pending = if bits == 0 { "none is".to_owned() } else { format!("{bits:#b} are") };
    Some(format!("open-coded defers of {}: {pending} pending, should it panic", frame.function.name))
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

fn shown(value: &Value) -> String {
    value.to_string()
}

fn arguments(at: &View<'_>, function: &Function, sp: u64) -> String {
    let Some((signature, places)) = &function.typed else { return "...".to_owned() };
    let frame = frame_at(at.cpu, at.memory, sp.wrapping_add(8), size(places));
    let values = passing::arguments(signature, places, &frame, &reader(at)).unwrap_or_default();
    values.iter().map(shown).collect::<Vec<_>>().join(", ")
}

fn results(at: &View<'_>, frame: &Frame) -> String {
    let name = &frame.function.name;
    let Some((signature, places)) = &frame.function.typed else { return name.clone() };
    if signature.results.is_empty() {
        return name.clone();
    }
    let values = frame_at(at.cpu, at.memory, frame.sp.wrapping_add(8), size(places));
    let values = passing::results(signature, places, &values, &reader(at)).unwrap_or_default();
    format!("{name}: {}", values.iter().map(shown).collect::<Vec<_>>().join(", "))
}

/// Bytes of a call's stack block that are looked at.
fn size(places: &Assignment) -> u64 {
    places.stack_size.min(1 << 16)
}

//! The calls that are under way, as they show in the stack pointer.

use std::sync::Arc;

use goemu_loader::Type;
use iced_x86::{FlowControl, Instruction, Mnemonic};

use super::function::{Function, Functions};
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
}

impl Frame {
    /// The call as source would have it. What the runtime is given is in its events.
    fn call(&self) -> String {
        let args = if self.function.name.starts_with("runtime.") { "" } else { &self.args };
        format!("{}({args})", self.function.name)
    }
}

/// The calls that are under way, outermost first.
#[derive(Default)]
pub(super) struct Frames(Vec<Frame>);

/// What an instruction did to them.
pub(super) enum Change {
    /// A function was entered: depth, name and arguments, and who runs it as an open-coded defer.
    Entered(usize, String, Option<String>),
    /// A function returned: depth, name and results.
    Left(usize, String),
}

impl Change {
    /// Whether it is more than a call: an open-coded defer runs.
    pub(super) fn is_event(&self) -> bool {
        matches!(self, Change::Entered(_, _, Some(_)))
    }

    /// The change in words, or as a line of the tree of calls.
    pub(super) fn text(&self, tree: bool) -> String {
        match self {
            Change::Entered(depth, call, _) if tree => format!("{:1$}{call}", "", 2 * depth),
            Change::Left(depth, results) if tree => format!("{:1$}= {results}", "", 2 * depth),
            Change::Entered(_, call, Some(of)) => format!("open-coded defer of {of} runs: {call}"),
            Change::Entered(_, call, None) => format!("call {call}"),
            Change::Left(_, results) => format!("return {results}"),
        }
    }
}

impl Frames {
    /// The outermost call begins.
    pub(super) fn begin(&mut self, at: &View<'_>, func: u64, sp: u64, functions: &mut Functions) {
        self.0.clear();
        self.enter(at, func, sp, functions);
    }

    /// The outermost call, as a line of the tree.
    pub(super) fn opening(&self) -> Option<String> {
        self.0.first().map(Frame::call)
    }

    fn enter(&mut self, at: &View<'_>, func: u64, sp: u64, functions: &mut Functions) {
        let Some(function) = functions.entered(at.image, func) else { return };
        if self.0.len() < MAX_FRAMES {
            let args = arguments(at, &function, sp);
            self.0.push(Frame { function, sp, args });
        }
    }

    /// Follows an instruction that has run: RIP and RSP are those of the next.
    pub(super) fn follow(
        &mut self,
        at: &View<'_>,
        insn: &Instruction,
        functions: &mut Functions,
    ) -> Vec<Change> {
        let sp = at.cpu.gpr(gpr::RSP);
        match insn.flow_control() {
            FlowControl::Return => self.left(at, sp),
            FlowControl::Call | FlowControl::IndirectCall if insn.mnemonic() == Mnemonic::Call => {
                self.unwind(sp);
                let deferring = self.open_coded(insn);
                let before = self.0.len();
                self.enter(at, at.cpu.rip, sp, functions);
                match self.0.last().filter(|_| self.0.len() > before) {
                    Some(frame) => {
                        let call = frame.call();
                        let of = deferring.filter(|of| frame.function.name.starts_with(&format!("{of}.")));
                        vec![Change::Entered(before, call, of)]
                    }
                    None => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    /// `deferreturn` has become a call of this deferred function, in the same place.
    pub(super) fn replace(&mut self, at: &View<'_>, func: u64, functions: &mut Functions) -> Option<Change> {
        let frame = self.0.pop()?;
        self.enter(at, func, frame.sp, functions);
        let call = self.0.last()?.call();
        Some(Change::Entered(self.0.len(), call, None))
    }

    /// The function that makes a call, if it has open-coded defers.
    fn open_coded(&self, insn: &Instruction) -> Option<String> {
        let caller = self.0.last().filter(|frame| frame.function.defer_bits.is_some())?;
        (insn.ip() >= caller.function.entry).then(|| caller.function.name.clone())
    }

    /// Frames whose return address the stack pointer has passed are gone, without having returned: their
    /// function was replaced by a hook, or a recovered panic jumped over them.
    fn unwind(&mut self, sp: u64) {
        while self.0.last().is_some_and(|frame| frame.sp <= sp) {
            self.0.pop();
        }
    }

    fn left(&mut self, at: &View<'_>, sp: u64) -> Vec<Change> {
        // A return has passed exactly its own frame's return address.
        let returned = sp.wrapping_sub(8);
        self.unwind(returned.wrapping_sub(1));
        match self.0.pop_if(|frame| frame.sp == returned) {
            Some(frame) => vec![Change::Left(self.0.len(), results(at, &frame))],
            None => Vec::new(),
        }
    }

    /// Whether the word is the address of a result of one of the calls: its name.
    pub(super) fn result_at(&self, addr: u64) -> Option<String> {
        self.slots().find(|slot| slot.addr == addr).map(|slot| slot.name())
    }

    /// What it means that memory was written: results, and the bits of open-coded defers.
    pub(super) fn written(&self, at: &View<'_>, addr: u64, size: usize) -> Vec<String> {
        let end = addr.wrapping_add(size as u64);
        let mut texts = Vec::new();
        for slot in self.slots().filter(|slot| slot.addr < end && addr < slot.addr + slot.ty.size.max(1)) {
            let value = shown(&reader(at).at(slot.ty, slot.addr));
            texts.push(format!("result slot: {} = {value}", slot.name()));
        }
        for frame in self.0.iter().rev().take(SEARCHED) {
            let top = frame.sp.wrapping_sub(8);
            if frame.function.defer_bits.is_some_and(|offset| top.wrapping_sub(offset) == addr)
                && let Ok([bits]) = at.memory.read(addr)
            {
                texts.push(format!("open-coded defers of {}: pending {bits:#b}", frame.function.name));
            }
        }
        texts
    }

    fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.0.iter().rev().take(SEARCHED).filter_map(|f| Some((f, f.function.typed.as_ref()?))).flat_map(
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
    fn name(&self) -> String {
        let result = if self.result.is_empty() { "the result" } else { self.result };
        format!("{result} of {}", self.func)
    }
}

fn reader<'a>(at: &View<'a>) -> Reader<'a> {
    let limits = Limits { depth: 4, pointers: 2, elems: 16, bytes: 80, work: 1000 };
    Reader { limits, ..Reader::new(at.memory, at.image) }
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

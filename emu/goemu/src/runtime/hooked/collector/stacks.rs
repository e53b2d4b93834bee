//! What the stacks of goroutines hold, by what the compiler has noted of each function's frame (`scanstack` in `runtime/mgcmark.go`,
//! `getStackMap` in `runtime/stkframe.go`): words that hold pointers at a call, and variables that live as long as something has
//! their address.

use std::ops::Range;

use goemu_loader::{FramePart, Func, FuncId, StackObject};
use rustc_hash::FxHashMap;

use super::marker::{Marker, each_word};
use crate::cpu::gpr;
use crate::go::traceback::unwind::{Frame, Start, Unwinder};
use crate::guest::goroutine::Goroutine;
use crate::hook::HookContext;
use crate::memory::Memory;

/// What looking at a stack takes, in instructions, and at a frame of it; and variables of one stack that are told apart.
const STACK: u64 = 400;
const FRAME: u64 = 100;
const MAX_OBJECTS: usize = 1 << 18;
/// Records of deferred calls that are followed.
const MAX_DEFERS: usize = 1 << 20;
const POINTER: i64 = 8;

/// Marks what stacks hold for certain. What is left are ranges of them of which nothing is noted.
pub(super) fn mark(cx: &HookContext<'_>, marker: &mut Marker<'_>) -> Vec<Range<u64>> {
    let (mut unknown, mut shapes) = (Vec::new(), Shapes::default());
    let own = cx.goroutine.stack_lo..cx.goroutine.stack_hi;
    match after_return(cx).filter(|_| own.contains(&cx.cpu.gpr(gpr::RSP))) {
        Some(start) => Stack::new(cx, cx.goroutine, marker, &mut shapes, &mut unknown).mark(start, false),
        // The runtime is on the system's stack.
        None => unknown.push(own),
    }
    for resting in cx.world.scheduler.resting() {
        let start = Start { pc: resting.pc, sp: resting.sp, trap: false };
        let anywhere = resting.registers.is_some();
        Stack::new(cx, &resting.goroutine, marker, &mut shapes, &mut unknown).mark(start, anywhere);
    }
    unknown
}

/// What is noted of a function's frame at an address.
#[derive(Default)]
struct Shape {
    /// Words that hold pointers: offsets from where the variables end, and from where the arguments begin.
    locals: Vec<i64>,
    args: Vec<i64>,
    objects: Vec<StackObject>,
    /// Whether nothing is noted of the variables.
    locals_unknown: bool,
    /// Bytes of arguments of which nothing is noted; `u64::MAX`: nobody knows how many.
    args_unknown: u64,
}

/// By the address that it is noted of.
type Shapes = FxHashMap<u64, Shape>;

/// A goroutine's stack.
struct Stack<'c, 'a, 'm> {
    cx: &'c HookContext<'a>,
    goroutine: &'c Goroutine,
    marker: &'c mut Marker<'m>,
    memory: &'m Memory,
    unknown: &'c mut Vec<Range<u64>>,
    shapes: &'c mut Shapes,
    /// Variables that are reached by address, and have not been yet; by where they begin once all frames have been seen.
    objects: Vec<Range<u64>>,
    /// Addresses in this stack that were met.
    inside: Vec<u64>,
}

impl<'c, 'a, 'm> Stack<'c, 'a, 'm> {
    fn new(
        cx: &'c HookContext<'a>,
        goroutine: &'c Goroutine,
        marker: &'c mut Marker<'m>,
        shapes: &'c mut Shapes,
        unknown: &'c mut Vec<Range<u64>>,
    ) -> Stack<'c, 'a, 'm> {
        let memory = marker.memory;
        let (objects, inside) = (Vec::new(), Vec::new());
        marker.charge(STACK);
        Stack { cx, goroutine, marker, memory, unknown, shapes, objects, inside }
    }

    /// `anywhere`: the innermost function did not rest at a call.
    fn mark(&mut self, start: Start, anywhere: bool) {
        self.frames(start, anywhere);
        self.deferred();
        self.objects.sort_unstable_by_key(|object| object.start);
        while let Some(addr) = self.inside.pop() {
            self.reach(addr);
        }
        self.marker.drain();
    }

    fn frames(&mut self, start: Start, anywhere: bool) {
        let (end, mut seen) = (self.goroutine.stack_hi, start.sp);
        let mut whole = false;
        for (n, frame) in Unwinder::new(self.cx.image, self.memory, start).enumerate() {
            self.marker.charge(FRAME);
            if frame.fp > end || self.objects.len() > MAX_OBJECTS {
                whole = false;
                break;
            }
            seen = frame.fp;
            whole = self.is_outermost(&frame);
            if anywhere && n == 0 {
                let args = u64::from(frame.func.args_size().unwrap_or_default());
                self.unknown.push(frame.sp..frame.fp.saturating_add(args).min(end));
            } else if !frame.trap {
                self.frame(&frame, frame.symbol_pc());
            } else if let Some(goes_on) = frame.func.deferreturn() {
                // It faulted. If it goes on at all, then where its deferred calls have been made.
                self.frame(&frame, goes_on);
            }
        }
        if !whole {
            self.unknown.push(seen..end);
        }
    }

    /// Whether the stack ends with a frame.
    fn is_outermost(&self, frame: &Frame<'_>) -> bool {
        let returns_to = || self.word(frame.fp.wrapping_sub(8));
        frame.func.func_id() == FuncId::Goexit || returns_to() == Some(self.cx.world.return_addr)
    }

    /// `pc`: an address in the instruction that it waits at.
    fn frame(&mut self, frame: &Frame<'_>, pc: u64) {
        // Below the return address lies the caller's frame pointer, unless there is nothing else.
        let mut varp = frame.fp - 8;
        if varp > frame.sp {
            varp -= 8;
        }
        let shape = match self.shapes.remove(&pc) {
            Some(shape) => shape,
            None => shape(&frame.func, pc, varp.saturating_sub(frame.sp)),
        };
        for offset in &shape.locals {
            self.slot(varp.wrapping_add_signed(*offset));
        }
        for offset in &shape.args {
            self.slot(frame.fp.wrapping_add_signed(*offset));
        }
        let end = self.goroutine.stack_hi;
        for object in &shape.objects {
            let base = if object.offset < 0 { varp } else { frame.fp };
            let start = base.wrapping_add_signed(object.offset);
            self.objects.push(start..start.saturating_add(object.size).min(end));
        }
        if shape.locals_unknown {
            self.unknown.push(frame.sp..varp);
        }
        if shape.args_unknown > 0 {
            self.unknown.push(frame.fp..frame.fp.saturating_add(shape.args_unknown).min(end));
        }
        self.shapes.insert(pc, shape);
    }

    fn word(&self, addr: u64) -> Option<u64> {
        self.memory.read(addr).ok().map(u64::from_le_bytes)
    }

    fn slot(&mut self, addr: u64) {
        if let Some(value) = self.word(addr) {
            self.value(value);
        }
    }

    fn value(&mut self, value: u64) {
        if (self.goroutine.stack_lo..self.goroutine.stack_hi).contains(&value) {
            self.inside.push(value);
        } else {
            self.marker.word(value);
        }
    }

    /// Something has the address of a variable: that lives, with what it refers to.
    fn reach(&mut self, addr: u64) {
        let index = self.objects.partition_point(|object| object.start <= addr).checked_sub(1);
        let Some(object) = index.and_then(|index| self.objects.get_mut(index)) else { return };
        if !object.contains(&addr) {
            return;
        }
        let range = object.clone();
        // It is looked into once.
        object.end = object.start;
        self.marker.charge((range.end - range.start) / 8);
        let memory = self.memory;
        each_word(memory, range, &mut |word| self.value(word));
    }

    /// Deferred calls and panics, which the goroutine has in lists.
    fn deferred(&mut self) {
        let facts = self.cx.image.facts();
        let (g, layout) = (self.goroutine.g, &facts.defer);
        self.slot(g.wrapping_add(facts.g.panic));
        let mut record = self.word(g.wrapping_add(facts.g.defer)).unwrap_or_default();
        for _ in 0..MAX_DEFERS {
            if record == 0 {
                return;
            }
            self.marker.charge(FRAME);
            self.value(record);
            self.slot(record.wrapping_add(layout.func));
            if let Some(siz) = layout.siz {
                // Up to Go 1.16 arguments follow.
                let size = self.memory.read(record.wrapping_add(siz)).map_or(0, u32::from_le_bytes);
                let args = record.wrapping_add(layout.size);
                self.unknown.push(args..args.saturating_add(size.into()));
            }
            record = self.word(record.wrapping_add(layout.link)).unwrap_or_default();
        }
    }
}

/// What is noted of a function at an address in the instruction that calls; bytes of local variables.
fn shape(func: &Func<'_>, pc: u64, locals: u64) -> Shape {
    let mut shape = Shape::default();
    if locals > 0 {
        match func.pointer_map(FramePart::Locals, pc) {
            Some(map) => {
                let len = i64::from(map.len());
                shape.locals = map.pointers().map(|word| (i64::from(word) - len) * POINTER).collect();
            }
            None => shape.locals_unknown = true,
        }
    }
    match func.args_size() {
        Some(0) => {}
        Some(size) => match func.pointer_map(FramePart::Args, pc) {
            Some(map) => shape.args = map.pointers().map(|word| i64::from(word) * POINTER).collect(),
            None => shape.args_unknown = size.into(),
        },
        // What it calls has them as arguments.
        None if calls_by_reflection(func.name()) => {}
        None => shape.args_unknown = u64::MAX,
    }
    match func.stack_objects() {
        Some(objects) => shape.objects = objects,
        None => shape.locals_unknown = true,
    }
    shape
}

/// `call16`, `call32` and so on, which `reflectcall` is made of.
fn calls_by_reflection(name: &str) -> bool {
    name.strip_prefix("runtime.call").is_some_and(|size| size.bytes().all(|digit| digit.is_ascii_digit()))
}

/// Where the present goroutine goes on when the hooked function returns.
fn after_return(cx: &HookContext<'_>) -> Option<Start> {
    Some(Start { pc: cx.return_address().ok()?, sp: cx.caller_sp(), trap: false })
}

//! From frame to frame: where each call's frame is, by the tables that the linker keeps for this.

use goemu_loader::{Func, FuncFlags, FuncId, Image};
use rustc_hash::FxHashMap;

use crate::go::guest::GuestMemory;

/// Where to begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The address at which the innermost function goes on.
    pub pc: u64,
    /// Its stack pointer.
    pub sp: u64,
    /// Whether `pc` is an instruction that has not finished (a fault), not where a call returns to.
    pub trap: bool,
}

/// A function's frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'i> {
    /// The function.
    pub func: Func<'i>,
    /// Where it goes on.
    pub pc: u64,
    /// Its stack pointer.
    pub sp: u64,
    /// The end of its frame: its return address lies below, its arguments begin here.
    pub fp: u64,
    /// Whether `pc` is an instruction that has not finished.
    pub trap: bool,
}

impl Frame<'_> {
    /// An address in the instruction that the function is at: what lines and inlined calls are looked up by.
    pub fn symbol_pc(&self) -> u64 {
        if self.trap || self.pc <= self.func.entry() { self.pc } else { self.pc - 1 }
    }
}

/// The frames of a stack, innermost first. It ends at the goroutine's first function, and where something is not
/// as it should be; the stack pointer only rises, so that it does end.
pub struct Unwinder<'i, 'm> {
    image: &'i Image,
    memory: &'m dyn GuestMemory,
    next: Option<Start>,
    /// Recursive functions meet the same addresses again and again.
    known: FxHashMap<u64, (Func<'i>, u64)>,
}

impl<'i, 'm> Unwinder<'i, 'm> {
    /// The frames from `start` on.
    pub fn new(image: &'i Image, memory: &'m dyn GuestMemory, start: Start) -> Unwinder<'i, 'm> {
        Unwinder { image, memory, next: Some(start), known: FxHashMap::default() }
    }

    /// The function at `pc`, and how far its frame ends from the stack pointer.
    fn function(&mut self, pc: u64) -> Option<(Func<'i>, u64)> {
        if let Some(known) = self.known.get(&pc) {
            return Some(*known);
        }
        let func = self.image.func_at(pc)?;
        let delta = u64::try_from(func.sp_delta(pc)?).ok()?;
        let found = (func, delta.checked_add(8)?);
        self.known.insert(pc, found);
        Some(found)
    }

    fn frame_after(&self, frame: &Frame<'i>) -> Option<Start> {
        if is_outermost(&frame.func) {
            return None;
        }
        let mut word = [0; 8];
        self.memory.read(frame.fp.checked_sub(8)?, &mut word).ok()?;
        let trap =
            matches!(frame.func.func_id(), FuncId::Sigpanic | FuncId::AsyncPreempt | FuncId::DebugCall);
        Some(Start { pc: u64::from_le_bytes(word), sp: frame.fp, trap })
    }
}

impl<'i> Iterator for Unwinder<'i, '_> {
    type Item = Frame<'i>;

    fn next(&mut self) -> Option<Frame<'i>> {
        let Start { pc, sp, trap } = self.next.take()?;
        let (func, size) = self.function(pc)?;
        let frame = Frame { func, pc, sp, fp: sp.checked_add(size)?, trap };
        self.next = self.frame_after(&frame);
        Some(frame)
    }
}

/// Whether a stack ends here, or cannot be followed any further: the function moves the stack pointer in ways that
/// the tables do not describe.
fn is_outermost(func: &Func<'_>) -> bool {
    if func.flags().intersects(FuncFlags::TOP_FRAME | FuncFlags::SP_WRITE) {
        return true;
    }
    use FuncId::{ExternalThreadHandler, Goexit, Mcall, Morestack, Mstart, Rt0Go};
    matches!(func.func_id(), Goexit | Mstart | Mcall | Morestack | Rt0Go | ExternalThreadHandler)
}

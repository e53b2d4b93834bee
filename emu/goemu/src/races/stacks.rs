//! Stacks of accesses, each kept once: a tree of places, from the goroutine's first function inwards.
//!
//! A goroutine's calls are remembered with the places of their return addresses. Where these still have the same contents,
//! the calls are the same, and nothing has to be unwound again.

use goemu_loader::{FuncFlags, FuncId, Image};
use rustc_hash::FxHashMap;

use crate::memory::Memory;

/// Calls of a stack that are kept: the innermost ones.
const DEEPEST: usize = 64;

/// The stack of which nothing is known.
pub(super) const UNKNOWN: u32 = 0;

/// All stacks.
#[derive(Clone)]
pub(super) struct Stacks {
    /// Each with what is around it, and its innermost address.
    nodes: Vec<(u32, u64)>,
    by_place: FxHashMap<(u32, u64), u32>,
    most: usize,
    /// How far the return address is from the stack pointer, at return addresses; `None` where a stack ends.
    frames: FxHashMap<u64, Option<u64>>,
}

/// The calls that a goroutine was in when it was looked at last, the outermost first.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls {
    calls: Vec<Call>,
    stack_hi: u64,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    /// Where its return address is.
    at: u64,
    pc: u64,
    node: u32,
}

/// Where a goroutine is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    pub(super) pc: u64,
    /// Where the return address of the innermost function is.
    pub(super) frame: u64,
    pub(super) stack_hi: u64,
}

impl Stacks {
    /// So many at most; all others are [`UNKNOWN`].
    pub(super) fn new(most: usize) -> Stacks {
        Stacks {
            nodes: vec![(UNKNOWN, 0)],
            by_place: FxHashMap::default(),
            most: most.max(1),
            frames: FxHashMap::default(),
        }
    }

    /// The stack of a goroutine that is at a place.
    pub(super) fn stack(&mut self, image: &Image, memory: &Memory, calls: &mut Calls, here: Here) -> u32 {
        let around = self.around(image, memory, calls, here);
        self.inside(around, here.pc)
    }

    /// The stack of the function around, at the address to which it returns.
    pub(super) fn around(&mut self, image: &Image, memory: &Memory, calls: &mut Calls, here: Here) -> u32 {
        if calls.stack_hi != here.stack_hi {
            calls.calls.clear();
            calls.stack_hi = here.stack_hi;
        }
        while calls.calls.pop_if(|call| call.at < here.frame).is_some() {}
        let word = |at: u64| memory.read(at).ok().map(u64::from_le_bytes);
        // Where so many are the same, those around them are.
        loop {
            let start = calls.calls.len().saturating_sub(DEEPEST);
            let changed = calls.calls[start..].iter().position(|call| word(call.at) != Some(call.pc));
            let Some(at) = changed else { break };
            calls.calls.truncate(start + at);
        }
        if calls.calls.last().is_none_or(|call| call.at != here.frame) {
            self.unwind(image, word, calls, here.frame);
        }
        calls.calls.last().map_or(UNKNOWN, |call| call.node)
    }

    /// Notes the calls from a return address outwards, to those that are known.
    fn unwind(&mut self, image: &Image, word: impl Fn(u64) -> Option<u64>, calls: &mut Calls, frame: u64) {
        let mut found = Vec::new();
        let mut at = Some(frame);
        while let Some(place) = at
            && found.len() < DEEPEST
        {
            while calls.calls.pop_if(|call| call.at < place).is_some() {}
            if calls.calls.last().is_some_and(|call| call.at == place) {
                break;
            }
            let Some(pc) = word(place) else { break };
            let Some(size) = self.frame(image, pc) else { break };
            found.push((place, pc));
            at = size.and_then(|size| place.checked_add(8)?.checked_add(size));
        }
        if found.len() == DEEPEST {
            calls.calls.clear();
        }
        for (at, pc) in found.into_iter().rev() {
            let around = calls.calls.last().map_or(UNKNOWN, |call| call.node);
            let node = self.inside(around, pc);
            calls.calls.push(Call { at, pc, node });
        }
    }

    /// How far the frame goes of the function that a call returns to: outer `None` if that is no function that is shown, inner
    /// `None` if the stack ends with it.
    #[expect(clippy::option_option, reason = "two ways to end")]
    fn frame(&mut self, image: &Image, pc: u64) -> Option<Option<u64>> {
        if let Some(known) = self.frames.get(&pc) {
            return Some(*known);
        }
        let func = image.func_at(pc.wrapping_sub(1))?;
        if func.func_id() == FuncId::Goexit {
            return None;
        }
        let ends = func.flags().intersects(FuncFlags::TOP_FRAME | FuncFlags::SP_WRITE);
        let size = func.sp_delta(pc).and_then(|delta| u64::try_from(delta).ok()).filter(|_| !ends);
        self.frames.insert(pc, size);
        Some(size)
    }

    /// The stack with a place inside another.
    pub(super) fn inside(&mut self, around: u32, pc: u64) -> u32 {
        if let Some(node) = self.by_place.get(&(around, pc)) {
            return *node;
        }
        if self.nodes.len() >= self.most {
            return UNKNOWN;
        }
        let node = self.nodes.len() as u32;
        self.nodes.push((around, pc));
        self.by_place.insert((around, pc), node);
        node
    }

    /// The innermost addresses of a stack, the innermost first: that of an instruction, then those to which calls return.
    pub(super) fn addresses(&self, mut node: u32) -> Vec<u64> {
        let mut all = Vec::new();
        while all.len() < DEEPEST
            && let Some((around, pc)) = self.nodes.get(node as usize).filter(|_| node != UNKNOWN)
        {
            all.push(*pc);
            node = *around;
        }
        all
    }

    /// The two innermost addresses.
    pub(super) fn ends(&self, node: u32) -> [u64; 2] {
        let (around, pc) = self.nodes.get(node as usize).copied().unwrap_or_default();
        [pc, self.nodes.get(around as usize).map_or(0, |(_, pc)| *pc)]
    }
}

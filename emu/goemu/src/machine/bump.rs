//! Objects that the engine makes by itself, where it would have left for a hook that allocates.
//!
//! The engine has a range of the heap, and says which objects it made of it ([`crate::memory::Bump`]); here the heap makes them
//! again, which gives the same addresses. So a run is the same as one in which hooks made them: what a hook costs is charged, and the
//! clock is read as if the slice had ended at the last of them.

use super::Machine;
use super::run::HOOK;
use crate::engine::Allocators;
use crate::guest::heap::Kind;
use crate::guest::state::Guest;
use crate::memory::BUMPED;

/// What the objects of one slice cost, at most.
const COST: i64 = BUMPED as i64 * HOOK as i64;

impl Machine {
    /// Tells the engine which functions allocate, where objects are made of registers.
    pub(super) fn set_allocators(&mut self) {
        let facts = self.guest.image.facts();
        let pointers = facts.types.rtype.ptrdata.and_then(|field| u8::try_from(field).ok());
        let mut allocators = Allocators::default();
        if let Some(pointers) = pointers.filter(|_| facts.register_abi()) {
            let alone = self.hooks.allocators().filter(|addr| !self.breakpoints.contains(addr));
            allocators = Allocators { entries: alone.collect(), pointers };
        }
        self.allocates = !allocators.entries.is_empty();
        self.engine.set_allocators(&allocators);
    }

    /// Lends the engine what it may hand out, if fuel is enough for all of that. Gives the slice that it may run for.
    #[inline]
    pub(super) fn lend(&mut self, slice: i64, fuel: i64) -> i64 {
        if !self.allocates {
            return slice;
        }
        // Sessions count what hooks answer.
        let lends = self.part == i64::MAX && fuel > 2 * COST && self.runs_alone();
        let Guest { memory, world, .. } = &mut self.guest;
        memory.bump_mut().lend(if lends { world.heap.in_order() } else { 0..0 });
        if lends { slice.min(fuel - COST) } else { slice }
    }

    /// Makes the objects that the engine made; says how much of its slice was left at the last of them.
    #[inline]
    pub(super) fn note_objects(&mut self) -> Option<i64> {
        let bump = self.guest.memory.bump();
        if bump.objects().is_empty() { None } else { Some(self.note_each(bump.left())) }
    }

    fn note_each(&mut self, left: i64) -> i64 {
        let Guest { memory, world, .. } = &mut self.guest;
        let (made, end) = (memory.bump().objects().len(), memory.bump().rest().start);
        for n in 0..made {
            let Some(&object) = memory.bump().objects().get(n) else { break };
            let kind = if object.pointers == 0 { Kind::Data } else { Kind::Pointers };
            // There is room: it was lent.
            let _ = world.alloc_object(memory, object.size, kind);
        }
        debug_assert_eq!(world.heap.top(), end);
        memory.charge(HOOK * made as u64);
        memory.bump_mut().lend(0..0);
        self.answered += made as u64;
        left
    }
}

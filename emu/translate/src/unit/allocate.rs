//! Calls of a function that allocates: as long as there is room, the object is made here, as a bump allocator does it, and the
//! function is not called.
//!
//! Whoever lends the memory makes the same objects from what was noted ([`goemu_memory::Bump`]): so the address must be the one that
//! [`goemu_memory::bumped`] says. Whatever else comes (a size of 0, a large one, no room) goes to the stop, as ever.

use goemu_memory::BUMPED as MOST;
use iced_x86::{Instruction, Register};

use super::{Cold, Unit};
use crate::facts::Facts;

impl Unit<'_> {
    /// Whether a call makes an object here.
    pub(super) fn allocates(&self, last: &Instruction, to: u64) -> bool {
        self.limits.allocators.entries.contains(&to) && self.is_wanted(last.next_ip())
    }

    /// Makes an object, and goes on behind the call.
    pub(super) fn allocate(
        &mut self,
        last: &Instruction,
        to: u64,
        mut facts: Facts,
        done: i32,
    ) -> Option<(u64, usize)> {
        let back = last.next_ip();
        self.begin_leaving(last, done);
        // What may be refused comes before what cannot be taken back.
        self.emitter.save_pointers(self.limits.allocators.pointers);
        self.push_return(back);
        self.take(last, to);
        let (restore, stop) = (self.emitter.label(), self.arrive(to, 0));
        self.cold.push(Cold::Restore(restore, stop));
        self.emitter.bump(restore, MOST);
        self.emitter.lea(Register::RSP, Register::RSP, 8);
        self.take_arrival(back);
        facts.move_rsp(16);
        facts.forget(0);
        facts.prove(Register::RAX, Register::None, 1, 0);
        self.callers.past_call();
        self.since = 0;
        self.spot(back, 0, crate::cache::At::Pc);
        self.settle_rsp(&mut facts);
        self.fall(&self.edge_to(back, &facts, 0))
    }
}

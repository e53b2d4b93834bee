//! Shows each block that is translated to somebody, before it runs: tests compare its state with the interpreter's.

use goemu_x86::cpu::Cpu;
use goemu_x86::memory::Memory;

use super::Translator;
use super::parts::Parts;
use crate::cache::Stub;
use crate::host::enter::Left;

/// Sees the state before a translated block, RIP being its address, and the fuel that is left.
pub type Look = Box<dyn FnMut(&Cpu, &Memory, i64) + Send>;

/// A block that code was left at to be looked at.
pub(super) struct Looked {
    pub(super) pc: u64,
    /// Instructions that are not counted down yet.
    pub(super) pending: i32,
    /// The host's address of what follows.
    pub(super) next: u64,
}

impl Translator {
    /// Shows each translated block from now on, before it runs; the code is what it would be but for a way out and in again before
    /// each block, which costs more than most blocks do. What is interpreted is not shown.
    ///
    /// For tests, which compare the states with those that [`Watch::block`](goemu_x86::engine::Watch::block) sees.
    pub fn set_look(&mut self, look: Option<Look>) {
        self.clear();
        self.look = look;
    }
}

impl Parts {
    /// The block that code was left at to be looked at, if that was the reason.
    pub(super) fn looked(&self, left: Left) -> Option<Looked> {
        let Left::Stub(number) = left else { return None };
        match *self.cache.stubs.get(number as usize)? {
            Stub::Look { pc, pending, next } => Some(Looked { pc, pending, next: self.cache.address(next) }),
            _ => None,
        }
    }
}

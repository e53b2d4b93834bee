//! Shows each block that is translated to somebody, before it runs: tests compare its state with the interpreter's.

use goemu_x86::cpu::Cpu;
use goemu_x86::memory::Memory;

use super::Translator;
use super::parts::Parts;
use crate::cache::Stub;
use crate::host::enter::{Left, Window};
use crate::host::signals::Inside;
use crate::transfer::{load, store};

/// Sees the state before a translated block, RIP being its address; the fuel that is left; and whether control came to the block from
/// outside: then it may begin within one of the interpreter's.
pub type Look = Box<dyn FnMut(&Cpu, &Memory, i64, bool) + Send>;

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

/// Shows all blocks that code was left at for that, going on behind each; `rest` is the fuel that is left where the count is 0. Gives
/// why code was left otherwise.
pub(super) fn show(
    look: &mut Look,
    parts: &Parts,
    inside: &Inside,
    window: &mut Window,
    mut left: Left,
    (cpu, memory, rest): (&mut Cpu, &Memory, i64),
) -> Left {
    let mut from_outside = true;
    while let Left::Stub(number) = left
        && let Some(&Stub::Look { pc, pending, next }) = parts.cache.stubs.get(number as usize)
    {
        let count = window.state().count;
        store(cpu, window, false);
        cpu.rip = pc;
        look(cpu, memory, rest + count - i64::from(pending), from_outside);
        from_outside = false;
        load(cpu, window, count);
        left = window.enter(inside, parts.cache.address(next), &mut cpu.ymm);
    }
    left
}

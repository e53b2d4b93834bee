//! What observers are shown of a run: the goroutine of the call, and no other; of a whole program, everything.

use goemu_loader::Image;
use iced_x86::Instruction;

use crate::cpu::{Cpu, gpr};
use crate::engine::{Chooser, Detail, Watch};
use crate::memory::Memory;
use crate::observe::{Event, Interest, Observers, View};
use crate::os::Os;

/// Shows the instructions of the goroutine that the call was made on. What others do, and the scheduler between them,
/// is not the call.
pub(super) struct WatchAll<'a> {
    pub(super) image: &'a Image,
    pub(super) os: &'a dyn Os,
    pub(super) g: u64,
    /// Whether others may run, too, and are not shown: in a program that was started for a call.
    pub(super) follows: bool,
    /// Whether a whole program runs, and which goroutine is running is to be found out.
    pub(super) whole: bool,
    /// End of its stack, by which it is seen to have moved.
    pub(super) stack_hi: u64,
    pub(super) shown: bool,
    pub(super) observers: &'a mut Observers,
    /// What is chosen, where that is to be found among all instructions.
    pub(super) chooser: Option<Chooser>,
}

impl WatchAll<'_> {
    /// The goroutine that is shown.
    fn g(&self, cpu: &Cpu, memory: &Memory) -> u64 {
        if self.whole { self.os.g(cpu, memory).unwrap_or(self.g) } else { self.g }
    }

    /// Looks whether the call's goroutine runs, and where its stack is.
    fn is_shown(&mut self, view: &View<'_>) -> bool {
        self.shown = self.os.g(view.cpu, view.memory).is_none_or(|g| g == self.g);
        if self.shown {
            self.see_move(view);
        }
        self.shown
    }

    /// Looks whether the goroutine's stack was moved. `gogo` makes a goroutine the running one before it goes over to
    /// its stack: until then the stack pointer says nothing of it.
    fn see_move(&mut self, view: &View<'_>) {
        let g = &self.image.facts().g;
        let bound = |field: u64| view.memory.read(self.g.wrapping_add(field)).ok().map(u64::from_le_bytes);
        let Some(end) = bound(g.stack_hi).filter(|end| *end != self.stack_hi) else { return };
        let sp = view.cpu.gpr(gpr::RSP);
        if bound(g.stack_lo).is_some_and(|low| (low..end).contains(&sp)) {
            let from = std::mem::replace(&mut self.stack_hi, end);
            self.observers.event(view, &Event::StackMoved { from, to: end });
        }
    }
}

impl Watch for WatchAll<'_> {
    fn detail(&self) -> Detail {
        let wants = self.observers.wants();
        if wants.contains(Interest::AFTER) {
            Detail::BeforeAndAfter
        } else if wants.contains(Interest::BEFORE) {
            Detail::Before
        } else if wants.contains(Interest::BLOCKS) {
            // Chosen instructions are shown among all.
            if wants.contains(Interest::CHOSEN) { Detail::Before } else { Detail::Blocks }
        } else {
            Detail::Chosen
        }
    }

    fn block(&mut self, cpu: &Cpu, memory: &Memory, insns: &[Instruction]) {
        let view = View { image: self.image, cpu, memory, g: self.g(cpu, memory) };
        if !self.follows || self.is_shown(&view) {
            self.observers.block(&view, insns);
        }
    }

    fn chosen(&mut self, cpu: &Cpu, memory: &Memory, insn: &Instruction) {
        let g = self.os.g(cpu, memory).unwrap_or(self.g);
        self.observers.chosen(&View { image: self.image, cpu, memory, g }, insn);
    }

    fn before(&mut self, cpu: &Cpu, memory: &Memory, insn: &Instruction) {
        if self.chooser.as_ref().is_some_and(|chooses| chooses(insn)) {
            self.chosen(cpu, memory, insn);
        }
        let view = View { image: self.image, cpu, memory, g: self.g(cpu, memory) };
        if self.follows && !self.is_shown(&view) {
            return;
        }
        self.observers.before(&view, insn);
    }

    fn after(&mut self, cpu: &Cpu, memory: &Memory, insn: &Instruction) {
        if self.shown {
            let g = self.g(cpu, memory);
            self.observers.after(&View { image: self.image, cpu, memory, g }, insn);
        }
    }
}

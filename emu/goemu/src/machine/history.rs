//! States of a machine in the middle of a call, to go back to.

use super::Machine;
use crate::cpu::Cpu;
use crate::error::Error;
use crate::guest::goroutine::Goroutine;
use crate::guest::world::World;
use crate::memory::Snapshot;
use crate::observe::Observers;
use crate::os::Os;

/// A machine in the middle of a call. Making one copies no memory: see [`crate::memory::Memory::snapshot`].
pub(crate) struct Saved {
    memory: Snapshot,
    cpu: Cpu,
    goroutine: Goroutine,
    world: World,
    os: Box<dyn Os>,
    shown_stack: u64,
    answered: u64,
}

impl Machine {
    /// The present state. It is gone when an earlier one is restored.
    pub(crate) fn save(&mut self) -> Saved {
        Saved {
            memory: self.memory.snapshot(),
            cpu: self.cpu.clone(),
            goroutine: self.goroutine.clone(),
            world: self.world.clone(),
            os: self.os.copy(),
            shown_stack: self.shown_stack,
            answered: self.answered,
        }
    }

    /// Goes back to a saved state, which stays.
    pub(crate) fn go_back_to(&mut self, saved: &Saved) -> Result<(), Error> {
        self.memory.restore(saved.memory)?;
        self.memory.forget_cost();
        self.cpu.clone_from(&saved.cpu);
        self.goroutine.clone_from(&saved.goroutine);
        self.world.clone_from(&saved.world);
        self.os = saved.os.copy();
        (self.shown_stack, self.answered) = (saved.shown_stack, saved.answered);
        Ok(())
    }

    /// Exits that were answered and that are steps without being instructions: hooks, faults that became panics.
    pub(crate) fn answered(&self) -> u64 {
        self.answered
    }

    /// Nobody watches what is done again.
    pub(crate) fn take_observers(&mut self) -> Observers {
        std::mem::take(&mut self.observers)
    }

    /// They watch again.
    pub(crate) fn put_observers(&mut self, observers: Observers) {
        self.observers = observers;
    }
}

//! States of a machine in the middle of a call, to go back to.

use super::Machine;
use crate::error::Error;
use crate::guest::state::State;
use crate::observe::Observers;
use crate::os::Os;

/// A machine in the middle of a call. Making one copies no memory: see [`crate::memory::Memory::snapshot`].
pub(crate) struct Saved {
    state: State,
    os: Box<dyn Os>,
    shown_stack: u64,
    answered: u64,
}

impl Machine {
    /// The present state. It is gone when an earlier one is restored.
    pub(crate) fn save(&mut self) -> Saved {
        Saved {
            state: self.guest.save(),
            os: self.os.copy(),
            shown_stack: self.shown_stack,
            answered: self.answered,
        }
    }

    /// Goes back to a saved state, which stays.
    pub(crate) fn go_back_to(&mut self, saved: &Saved) -> Result<(), Error> {
        self.guest.restore(&saved.state)?;
        self.guest.memory.forget_cost();
        self.os = saved.os.copy();
        (self.shown_stack, self.answered) = (saved.shown_stack, saved.answered);
        Ok(())
    }

    /// Exits that were answered and that are steps without being instructions: hooks, faults that became panics.
    pub(crate) fn answered(&self) -> u64 {
        self.answered
    }

    /// Observers do not see what is done again.
    pub(crate) fn take_observers(&mut self) -> Observers {
        std::mem::take(&mut self.observers)
    }

    /// They watch again.
    pub(crate) fn put_observers(&mut self, observers: Observers) {
        self.observers = observers;
    }
}

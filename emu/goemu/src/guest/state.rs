//! All of a guest, and its state at one moment.

use std::sync::Arc;

use goemu_loader::Image;

use super::goroutine::Goroutine;
use super::tracked::Tracked;
use super::world::World;
use crate::cpu::Cpu;
use crate::error::Error;
use crate::memory::{Memory, Snapshot};

/// A program in memory and all that its run changes.
pub(crate) struct Guest {
    pub(crate) image: Arc<Image>,
    pub(crate) memory: Memory,
    pub(crate) cpu: Cpu,
    /// The goroutine that runs, or ran last.
    pub(crate) goroutine: Tracked<Goroutine>,
    pub(crate) world: Tracked<World>,
}

/// The state of a guest at one moment. Taking it copies no memory: see [`Memory::snapshot`].
#[derive(Clone)]
pub(crate) struct State {
    memory: Snapshot,
    cpu: Cpu,
    goroutine: Tracked<Goroutine>,
    pub(crate) world: Tracked<World>,
}

impl Guest {
    /// The present state. It is gone when an earlier one is restored.
    pub(crate) fn save(&mut self) -> State {
        let memory = self.memory.snapshot();
        self.state(memory)
    }

    /// The present state, which becomes the earliest one to go back to.
    pub(crate) fn rebase(&mut self) -> State {
        let memory = self.memory.rebase();
        self.state(memory)
    }

    fn state(&self, memory: Snapshot) -> State {
        let Guest { cpu, goroutine, world, .. } = self;
        State { memory, cpu: cpu.clone(), goroutine: goroutine.clone(), world: world.clone() }
    }

    /// Goes back to a state, which stays.
    ///
    /// # Errors
    /// When the host refuses memory that the state had.
    #[inline]
    pub(crate) fn restore(&mut self, state: &State) -> Result<(), Error> {
        self.memory.restore(state.memory)?;
        self.cpu.clone_from(&state.cpu);
        self.goroutine.clone_from(&state.goroutine);
        self.world.clone_from(&state.world);
        Ok(())
    }

    /// Another guest in the same state.
    ///
    /// # Errors
    /// The host may refuse memory.
    pub(crate) fn duplicate(&self) -> Result<Guest, Error> {
        let Guest { image, memory, cpu, goroutine, world } = self;
        Ok(Guest {
            image: Arc::clone(image),
            memory: memory.duplicate()?,
            cpu: cpu.clone(),
            goroutine: goroutine.clone(),
            world: world.clone(),
        })
    }
}

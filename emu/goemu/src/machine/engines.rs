//! Which engine runs guest code.

use std::sync::Arc;

use super::Machine;
use crate::engine::Engine;
use crate::error::Error;
use crate::interp::Interpreter;
use crate::memory::{Memory, PAGE};

/// Which of goemu's engines runs guest code. Results do not depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineChoice {
    /// The translator where the host can run its code, else the interpreter.
    #[default]
    Auto,
    /// The interpreter, which runs everywhere.
    Interpreter,
    /// The translator, or an error that says why not.
    Translator,
}

impl EngineChoice {
    /// Why the translator cannot run on this host; `None` where it can.
    pub fn why_interpreted() -> Option<String> {
        let whole = || {
            goemu_translate::check()?;
            // Whatever its limit, a memory has room for what a guest may address.
            Ok(goemu_translate::check_memory(&Memory::new(PAGE)?)?)
        };
        whole().err().map(|why: Error| why.to_string())
    }

    /// Whether there can be such an engine, as far as can be said without a guest.
    pub(super) fn check(self) -> Result<(), Error> {
        if self == EngineChoice::Translator { Ok(goemu_translate::check()?) } else { Ok(()) }
    }

    /// Whether there can be such an engine for a guest with this memory.
    pub(super) fn check_memory(self, memory: &Memory) -> Result<(), Error> {
        if self == EngineChoice::Translator { Ok(goemu_translate::check_memory(memory)?) } else { Ok(()) }
    }

    /// An engine for a guest with this memory; the interpreter where there can be no other.
    pub(super) fn make(self, memory: &Memory) -> Box<dyn Engine> {
        if self == EngineChoice::Interpreter || goemu_translate::check_memory(memory).is_err() {
            return Box::new(Interpreter::new());
        }
        translator()
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn translator() -> Box<dyn Engine> {
    match goemu_translate::Translator::new() {
        Ok(engine) => Box::new(engine),
        Err(_) => Box::new(Interpreter::new()),
    }
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn translator() -> Box<dyn Engine> {
    Box::new(Interpreter::new())
}

/// Makes engines: each machine has its own.
pub(super) type MakeEngine = Arc<dyn Fn() -> Box<dyn Engine> + Send + Sync>;

impl Machine {
    /// Runs guest code on engines that `make` makes, from now on: one for this machine, and one for the same program
    /// started, where a call needs that. Results, instruction counts and schedules do not depend on the engine.
    ///
    /// ```no_run
    /// use goemu::interp::Interpreter;
    /// use goemu::{Image, Machine};
    ///
    /// let mut machine = Machine::new(Image::open("program")?)?;
    /// machine.set_engine(|| Box::new(Interpreter::new()));
    /// # Ok::<(), goemu::Error>(())
    /// ```
    pub fn set_engine(&mut self, make: impl Fn() -> Box<dyn Engine> + Send + Sync + 'static) {
        self.use_engine(Arc::new(make));
    }

    /// The engine that runs guest code: `interpreter`, `translator`, or what another one says of itself.
    pub fn engine_name(&self) -> &'static str {
        self.engine.name()
    }

    pub(super) fn use_engine(&mut self, make: MakeEngine) {
        self.engine = make();
        self.stopping.changed();
        self.engine.set_coverage(self.coverage.clone());
        self.engine.set_chooser(self.observers.chooser());
        if self.guest.world.guarded {
            self.bar_variables();
        }
        self.set_stops();
        if let Some(real) = &mut self.real {
            real.use_engine(Arc::clone(&make));
        }
        self.make_engine = Some(make);
    }
}

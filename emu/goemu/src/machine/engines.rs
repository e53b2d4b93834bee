//! Which engine runs guest code.

use std::sync::Arc;

use super::Machine;
use crate::engine::Engine;

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

    pub(super) fn use_engine(&mut self, make: MakeEngine) {
        self.engine = make();
        if self.world.barred {
            self.bar_variables();
        }
        self.set_stops();
        if let Some(real) = &mut self.real {
            real.use_engine(Arc::clone(&make));
        }
        self.make_engine = Some(make);
    }
}

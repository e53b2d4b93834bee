//! The variables of the calls that a goroutine is in.

use super::{GoroutineState, Machine};
use crate::error::Error;
use crate::go::locals::{self, Variable};
use crate::go::read::{Limits, Reader};

/// What is read of one value at most: enough to look at.
const LIMITS: Limits = Limits { depth: 8, pointers: 4, elems: 1000, bytes: 1 << 14, work: 1 << 14 };

impl Machine {
    /// The variables of a call that a goroutine is in, by debug information: their values, or why there are none. `number` is that
    /// of a frame of [`Machine::stack_of`] with the runtime's: the innermost one is 0. There are none where the stack has fewer
    /// calls, or debug information was stripped. Of a large value the beginning is read.
    ///
    /// ```no_run
    /// # let mut machine = goemu::Machine::new(goemu::Image::open("program")?)?;
    /// # let inner = machine.find("main.g")?.entry();
    /// let mut session = machine.call("main.f")?.start()?;
    /// session.run_to(inner)?;
    /// let running = session.goroutines().remove(0);
    /// for variable in session.machine().locals_of(&running, 1)? {
    ///     println!("{variable}");
    /// }
    /// # Ok::<(), goemu::Error>(())
    /// ```
    ///
    /// # Errors
    /// Debug information may be malformed.
    pub fn locals_of(&self, goroutine: &GoroutineState, number: usize) -> Result<Vec<Variable>, Error> {
        let (image, memory) = (&self.guest.image, &self.guest.memory);
        let Some(call) = locals::call_at(image, memory, goroutine.at, number) else { return Ok(Vec::new()) };
        let placed = locals::placed(image, &call)?;
        let reader = Reader { limits: LIMITS, ..Reader::new(memory, &**image) };
        let runs = goroutine.at.trap && goroutine.at.pc == self.guest.cpu.rip;
        Ok(locals::read(&placed, &call, runs.then_some(&self.guest.cpu), &reader))
    }
}

//! A machine for whole programs, which run from their entry to their end.

use std::sync::Arc;

use goemu_loader::Image;

use super::call_goroutine::{CallGoroutine, StartedMain};
use super::{Changed, Config, Machine, boot};
use crate::error::Error;
use crate::guest::outside::{Sink, Stream};
use crate::hook::{Action, HookContext, HookResult};
use crate::outcome::{Outcome, Runtime};
use crate::runtime::real;

/// Nobody calls a function: the program runs, and its outputs are kept whole.
struct Whole;

impl CallGoroutine for Whole {
    fn runtime(&self) -> Runtime {
        Runtime::Real
    }

    fn make_room(&self, machine: &mut Machine, size: u64) -> Result<u64, Error> {
        StartedMain.make_room(machine, size)
    }

    fn turn(&self, _: &mut HookContext<'_>) -> HookResult {
        Ok(Action::Resume)
    }

    fn ended(&self, cx: &mut HookContext<'_>, outcome: Outcome) -> Outcome {
        let printed = cx.world.stderr.clone();
        let outcome = real::ended(cx, outcome);
        cx.world.stderr = printed;
        outcome
    }
}

/// The same, and outputs have gone to a sink: how it ended is told by its status alone.
struct Streamed;

impl CallGoroutine for Streamed {
    fn runtime(&self) -> Runtime {
        Runtime::Real
    }

    fn make_room(&self, machine: &mut Machine, size: u64) -> Result<u64, Error> {
        StartedMain.make_room(machine, size)
    }

    fn turn(&self, _: &mut HookContext<'_>) -> HookResult {
        Ok(Action::Resume)
    }

    fn ended(&self, _: &mut HookContext<'_>, outcome: Outcome) -> Outcome {
        outcome
    }
}

impl Machine {
    /// A machine with a program that is about to begin.
    pub(crate) fn whole(image: Arc<Image>, config: Config) -> Result<Machine, Error> {
        config.process.check()?;
        config.engine.check()?;
        let entry = boot::entry(&image)?;
        let parts = boot::process(&image, &config, entry)?;
        let mut machine = Machine::of(config, super::Parts { call_goroutine: &Whole, ..parts });
        if machine.changes.skips_all {
            let why = "a whole program cannot go without: name the packages that it is to skip";
            return Err(Error::Change { change: "skip-init".to_owned(), why: why.to_owned() });
        }
        if !machine.changes.is_empty() {
            machine.make_changes(true)?;
            let changes = Arc::clone(&machine.changes);
            changes.set_registers(&mut machine.guest.cpu);
            machine.keep_state();
        }
        Ok(machine)
    }

    /// Lets output go to a sink as it comes.
    pub(crate) fn stream(&mut self, sink: Sink) {
        self.sink = Some(sink);
        self.call_goroutine = &Streamed;
    }

    /// Gives the sink what was written. If it fails, the outputs are closed for the program.
    pub(crate) fn drain(&mut self) {
        let Some(sink) = &mut self.sink else { return };
        let outputs =
            [(Stream::Output, &mut self.guest.world.stdout), (Stream::Error, &mut self.guest.world.stderr)];
        for (stream, bytes) in outputs {
            if !bytes.is_empty() && sink(stream, bytes).is_err() {
                self.guest.world.output.closed |= 1 << (stream as u8 + 1);
            }
            bytes.clear();
        }
    }

    /// Makes chance follow from another seed, before the program begins.
    pub(crate) fn reseed(&mut self, seed: u64) -> Result<(), Error> {
        self.guest.cpu.entropy = seed;
        boot::put_random(&mut self.guest.memory, &mut self.guest.cpu)?;
        Ok(())
    }

    /// What the program has made or written in its file system.
    pub(crate) fn changes(&self) -> Vec<Changed> {
        self.os.changes()
    }
}

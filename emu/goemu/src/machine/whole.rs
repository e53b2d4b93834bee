//! A machine for whole programs, which run from their entry to their end.

use std::sync::Arc;

use goemu_loader::Image;

use super::call_goroutine::{CallGoroutine, StartedMain};
use super::{Booted, Changed, Config, Machine, boot};
use crate::error::Error;
use crate::guest::outside::{Sink, Stream};
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::os::{Prepared, Scheduled, Scheduling, Stopped};
use crate::outcome::{Outcome, Runtime};
use crate::runtime::real;

/// No function is called: the program runs, and its outputs are kept whole.
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

    fn gets_signals(&self) -> bool {
        true
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

    fn gets_signals(&self) -> bool {
        true
    }
}

impl Machine {
    /// A machine with a program that is about to begin.
    pub(crate) fn whole(image: Arc<Image>, config: Config) -> Result<Machine, Error> {
        config.process.check()?;
        config.engine.check()?;
        let entry = boot::entry(&image)?;
        let parts = boot::process(&image, &config, entry)?;
        let mut machine = Machine::of(config, super::Parts { call_goroutine: &Whole, ..parts })?;
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
        machine.set_stops();
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
        let world = &mut *self.guest.world;
        let outputs = [(Stream::Output, &mut world.stdout), (Stream::Error, &mut world.stderr)];
        for (stream, bytes) in outputs {
            if !bytes.is_empty() && sink(stream, bytes).is_err() {
                world.output.closed |= 1 << (stream as u8 + 1);
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

    /// Runs the program up to its `main.main`, or where it is a test binary, its first test, and makes that the state that runs start
    /// from. Where neither is found, they start from the entry.
    pub(crate) fn start_whole(&mut self) -> Result<(), Error> {
        let entry = |name: &str| self.guest.image.funcs_named(name).first().map(goemu_loader::Func::entry);
        let (main, test) = (entry("main.main"), entry("testing.tRunner"));
        let Some(main) = main else { return Ok(()) };
        let mut booted = self.run_whole_to(main)?;
        booted.prepared = Some(Prepared::of(&self.guest.image));
        self.booted = Some(booted);
        self.keep_state();
        if let Some(test) = test
            && self.booted.as_ref().is_some_and(|booted| booted.ended.is_none())
        {
            self.start_tests(test)?;
        }
        Ok(())
    }

    /// Goes on to the first test. A program that ends before starts from `main.main`.
    fn start_tests(&mut self, test: u64) -> Result<(), Error> {
        let mut more = self.run_whole_to(test)?;
        // The first is that of all tests, which it looks for.
        if more.ended.is_none() {
            let mut fuel = i64::MAX;
            self.run_one(&mut fuel)?;
            let tests = self.run_whole_to(test)?;
            more = Booted { instructions: more.instructions + tests.instructions, ..tests };
        }
        if more.ended.is_some() {
            return self.reset();
        }
        if let Some(booted) = &mut self.booted {
            booted.instructions += more.instructions;
            (booted.stdout, booted.stderr) = (more.stdout, more.stderr);
        }
        self.keep_state();
        Ok(())
    }

    /// Runs to an address; what came of it.
    fn run_whole_to(&mut self, address: u64) -> Result<Booted, Error> {
        let limit = i64::try_from(self.config.fuel).unwrap_or(i64::MAX);
        let mut fuel = limit;
        let own = std::mem::replace(&mut self.return_addr, address);
        self.set_stops();
        let ended = self.run(&mut fuel);
        self.return_addr = own;
        self.set_stops();
        let instructions = limit.saturating_sub(fuel) as u64;
        let (stdout, stderr) = (self.guest.world.stdout.clone(), self.guest.world.stderr.clone());
        Ok(Booted { instructions, stdout, stderr, ended: ended?, prepared: None })
    }

    /// Lets a strategy decide which thread runs, from the state that runs start from.
    pub(crate) fn schedule(&mut self, how: Scheduling) -> Result<(), Error> {
        self.guest.cpu.entropy = how.seed;
        let done = self.with_os(|os, cx| os.schedule(cx, how));
        done.map_err(|refused| match refused {
            HookError::Error(error) => error,
            HookError::Fault(fault) => {
                Error::Boot { why: format!("its memory at {:#x} was not usable", fault.addr) }
            }
        })
    }

    /// Where threads are stopped is kept from now on, or no longer; what was kept.
    pub(crate) fn tell_stops(&mut self, tell: bool) -> Vec<Stopped> {
        self.os.tell_stops(tell)
    }

    /// What was decided.
    pub(crate) fn scheduled(&mut self) -> Scheduled {
        self.os.scheduled()
    }

    /// What the program has made or written in its file system.
    pub(crate) fn changes(&self) -> Vec<Changed> {
        self.os.changes()
    }
}

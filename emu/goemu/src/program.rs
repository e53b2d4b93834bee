//! Whole programs: started at their entry, on the emulated Linux, and run to their end.
//!
//! ```no_run
//! use goemu::program::Program;
//! use goemu::{Config, Image};
//!
//! let mut program = Program::load(Image::open("program")?, Config::default())?;
//! let run = program.run()?;
//! println!("{}: {}", run.outcome, String::from_utf8_lossy(&run.stdout));
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! The same configuration is the same run, to the instruction: time, chance and the order of threads follow from the seed.
//! What is shared with the host ([`Program::share_clock`], [`Program::share_input`], [`Program::share_signals`]) is the
//! exception.

use std::io::Read;
use std::sync::Arc;

use goemu_loader::Image;

use crate::error::Error;
pub use crate::guest::outside::{Sink, Stream};
use crate::machine::{Changed, Config, Machine, Signals};
use crate::outcome::Outcome;

/// A program that can be run again and again, from its entry.
pub struct Program {
    machine: Machine,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// How it ended. A program that dies of a panic or a fatal error has also printed it.
    pub outcome: Outcome,
    /// Instructions executed.
    pub instructions: u64,
    /// What it wrote to its standard output, unless that went to a [sink](Program::stream).
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error, unless that went to a sink.
    pub stderr: Vec<u8>,
}

impl Run {
    /// The exit status, as a shell has it: 2 after a panic, 128 and the signal's number after a signal. `None` where the run was
    /// ended from outside, by a limit, or waits for ever.
    pub fn status(&self) -> Option<u8> {
        match &self.outcome {
            Outcome::Exited { code, .. } => Some(code.to_le_bytes()[0]),
            Outcome::Panicked(_) => Some(2),
            _ => None,
        }
    }
}

impl Program {
    /// Maps a program for Linux, with the arguments, environment, files and limits of the configuration.
    ///
    /// # Errors
    /// The program is not one that can be started, or the host refuses memory or a folder that is to be given.
    pub fn load(image: impl Into<Arc<Image>>, config: Config) -> Result<Program, Error> {
        Ok(Program { machine: Machine::whole(image.into(), config)? })
    }

    /// The machine that runs it: for observers, an interrupt, a deadline, coverage.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Another one in the same state, for another thread.
    ///
    /// # Errors
    /// The host may refuse memory.
    pub fn fork(&mut self) -> Result<Program, Error> {
        Ok(Program { machine: self.machine.fork()? })
    }

    /// Lets output go to a sink as it comes. If the sink fails, the program finds its outputs closed.
    pub fn stream(&mut self, sink: Sink) {
        self.machine.stream(sink);
    }

    /// Makes the host's clock the program's: it sleeps as long as it says, and computes as fast as it does.
    pub fn share_clock(&mut self) {
        self.machine.guest.world.outside.share_clock();
    }

    /// Lets signals come from outside. A program in which nothing happens any more waits for them.
    pub fn share_signals(&mut self, signals: Signals) {
        self.machine.guest.world.outside.share_signals(signals);
    }

    /// Lets standard input come as the program reads it. A reader that fails with [`std::io::ErrorKind::Interrupted`] lets
    /// the program see a signal, and is asked again.
    pub fn share_input(&mut self, input: impl Read + Send + 'static) {
        self.machine.guest.world.outside.share_input(input);
    }

    /// Runs it from its entry to its end.
    ///
    /// # Errors
    /// The program asked for something that is not supported.
    pub fn run(&mut self) -> Result<Run, Error> {
        let seed = self.machine.config().seed;
        self.run_seeded(seed)
    }

    /// The same with another seed.
    ///
    /// # Errors
    /// The program asked for something that is not supported.
    pub fn run_seeded(&mut self, seed: u64) -> Result<Run, Error> {
        let machine = &mut self.machine;
        machine.reset()?;
        machine.reseed(seed)?;
        let limit = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
        let (mut fuel, charged) = (limit, machine.guest.memory.charged());
        let outcome = machine.run(&mut fuel)?;
        machine.drain();
        let outcome = outcome.unwrap_or(Outcome::Exited { code: 0, fatal: None });
        let charged = machine.guest.memory.charged() - charged;
        let instructions = (limit.saturating_sub(fuel) as u64).saturating_sub(charged);
        let stdout = std::mem::take(&mut machine.guest.world.stdout);
        let stderr = std::mem::take(&mut machine.guest.world.stderr);
        Ok(Run { outcome, instructions, stdout, stderr })
    }

    /// What the last run has made or written in its file system, folders before what is in them.
    pub fn changes(&self) -> Vec<Changed> {
        self.machine.changes()
    }
}

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

use crate::call::session::Session;
use crate::error::Error;
pub use crate::guest::outside::{Sink, Stream};
pub use crate::guest::schedule::{Decision, Kind, Strategy};
use crate::machine::{Changed, Config, Machine, Signals};
use crate::os::{Prepared, Scheduled, Scheduling};
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
    /// What decided which thread ran, where a [schedule](Program::run_scheduled) did: what was not the usual.
    pub decisions: Vec<Decision>,
    /// Instructions executed while more than one thread could run.
    pub contended: u64,
    /// Whether goroutines still ran when the program had ended and [settled](Schedule::settles) for as many instructions as it may.
    pub busy: bool,
}

/// What decides which thread of a program runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// How.
    pub strategy: Strategy,
    /// What everything random follows from.
    pub seed: u64,
    /// Whether goroutines go on when the program has ended, unseen, until all of them wait: those that wait for ever are then told from
    /// those that were not asked yet.
    pub settles: bool,
}

impl Run {
    /// One of a program that ended before it began.
    fn of(outcome: Outcome) -> Run {
        let (stdout, stderr, decisions) = (Vec::new(), Vec::new(), Vec::new());
        Run { outcome, instructions: 0, stdout, stderr, decisions, contended: 0, busy: false }
    }

    /// The exit status: [`status`] of the outcome.
    pub fn status(&self) -> Option<u8> {
        status(&self.outcome)
    }
}

/// The exit status of a program that ended so, as a shell has it: 2 after a panic, 128 and the signal's number after a signal.
/// `None` where it was ended from outside, by a limit, or waits for ever.
pub fn status(outcome: &Outcome) -> Option<u8> {
    match outcome {
        Outcome::Exited { code, .. } => Some(code.to_le_bytes()[0]),
        Outcome::Panicked(_) => Some(2),
        _ => None,
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
        self.machine.reset()?;
        self.machine.reseed(seed)?;
        self.run_on()
    }

    /// Starts the program, up to `main.main`: [scheduled](Program::run_scheduled) runs begin there.
    ///
    /// # Errors
    /// The program asked for something that is not supported.
    pub fn start(&mut self) -> Result<(), Error> {
        self.machine.start_whole()
    }

    /// Runs it from `main.main`, if it was [started](Program::start), to its end, and lets a schedule decide which of its threads runs.
    ///
    /// # Errors
    /// The program asked for something that is not supported.
    pub fn run_scheduled(&mut self, schedule: &Schedule) -> Result<Run, Error> {
        run_scheduled(&mut self.machine, schedule)
    }

    fn run_on(&mut self) -> Result<Run, Error> {
        run_on(&mut self.machine)
    }

    /// The machine, for a [pool](crate::pool::Pool), whose jobs call [`run_scheduled`].
    pub fn into_machine(self) -> Machine {
        self.machine
    }

    /// Begins a run, to be stepped, stopped and looked into. [`Session::finish`] tells how it ended.
    ///
    /// What is shared with the host cannot be gone back over: a session is for programs that share nothing and stream nothing.
    ///
    /// ```no_run
    /// # use goemu::program::Program;
    /// # use goemu::{Config, Image};
    /// let mut program = Program::load(Image::open("program")?, Config::default())?;
    /// let main = program.machine().find("main.main")?.entry();
    /// let mut session = program.begin()?;
    /// session.run_to(main)?;
    /// session.step_back()?;
    /// println!("{}", session.finish()?.outcome);
    /// # Ok::<(), goemu::Error>(())
    /// ```
    ///
    /// # Errors
    /// The host may refuse memory.
    pub fn begin(&mut self) -> Result<Session<'_>, Error> {
        let seed = self.machine.config().seed;
        self.machine.reset()?;
        self.machine.reseed(seed)?;
        Ok(Session::of_program(&mut self.machine))
    }

    /// What the last run has made or written in its file system, folders before what is in them.
    pub fn changes(&self) -> Vec<Changed> {
        self.machine.changes()
    }
}

/// Runs the program of a machine that was [made for it](Program::into_machine) as [`Program::run_scheduled`] does.
///
/// # Errors
/// The program asked for something that is not supported.
pub fn run_scheduled(machine: &mut Machine, schedule: &Schedule) -> Result<Run, Error> {
    machine.reset()?;
    let booted = machine.booted().cloned().unwrap_or_default();
    let Schedule { strategy, seed, settles } = schedule.clone();
    let prepared = booted.prepared.unwrap_or_else(|| Prepared::of(machine.image()));
    let mut run = match booted.ended {
        Some(outcome) => Run::of(outcome),
        None => {
            machine.schedule(Scheduling { strategy, seed, settles, prepared })?;
            run_on(machine)?
        }
    };
    run.stdout.splice(0..0, booted.stdout);
    run.stderr.splice(0..0, booted.stderr);
    Ok(run)
}

fn run_on(machine: &mut Machine) -> Result<Run, Error> {
    let limit = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
    let (mut fuel, charged) = (limit, machine.guest.memory.charged());
    let outcome = machine.in_time(|machine| machine.run(&mut fuel))?;
    machine.drain();
    let outcome = outcome.unwrap_or(Outcome::Exited { code: 0, fatal: None });
    let charged = machine.guest.memory.charged() - charged;
    let instructions = (limit.saturating_sub(fuel) as u64).saturating_sub(charged);
    let mut stdout = std::mem::take(&mut machine.guest.world.stdout);
    let mut stderr = std::mem::take(&mut machine.guest.world.stderr);
    let Scheduled { decisions, contended, ended, printed, busy } = machine.scheduled();
    if let Some((out, err)) = printed {
        stdout.truncate(out);
        stderr.truncate(err);
    }
    Ok(Run { outcome: ended.unwrap_or(outcome), instructions, stdout, stderr, decisions, contended, busy })
}

//! Exploring: a program is run under many schedules, and what came of the runs is told apart, counted, and made repeatable.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use goemu::explore::{self, Options};
//! use goemu::program::Program;
//! use goemu::{Config, Image};
//!
//! let config = Config { processors: 4, ..Config::default() };
//! let program = Program::load(Image::open("pkg.test")?, config)?;
//! let found = explore::explore(program, &Options::default(), &mut |_, _| ControlFlow::Continue(()))?;
//! for outcome in &found.outcomes.list {
//!     println!("{} of {}: {}", outcome.count, found.outcomes.runs, outcome.seen.what);
//! }
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! A seed and a strategy are one run, on any machine: [`RunId`] names them. [`minimise`] makes the schedule of a failure smaller, and
//! [`tale`] tells what its goroutines do in it.

mod blocked;
mod minimise;
mod outcomes;
mod seen;
mod tale;

use std::ops::{ControlFlow, RangeInclusive};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::coverage::Coverage;
use crate::error::Error;
use crate::go::own::Own;
use crate::machine::{Interrupt, Machine};
use crate::pool::{Follow, Pool, Progress};
use crate::program::{self, Program, Schedule, Strategy};
use crate::races::{self, Races};
pub use minimise::{Minimal, minimise};
pub use outcomes::{Distinct, Outcomes, RunId};
pub use seen::{Seen, SeenKind};
pub use tale::{Line, Part, Stop, Tale, tale};

/// What is explored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The seeds; each is a run.
    pub seeds: RangeInclusive<u64>,
    /// Of these seeds, those that leave this rest (the first) when divided by the second.
    pub shard: (u64, u64),
    /// The strategies, in turn: which one a run has follows from its seed.
    pub strategies: Vec<Strategy>,
    /// Whether goroutines that wait for ever when the program has ended are told. `None`: of test binaries.
    pub leaks: Option<bool>,
    /// Whether the first failure ends it.
    pub first_failure: bool,
    /// Machines at work.
    pub jobs: usize,
    /// Time of the host for each run.
    pub time_each: Option<Duration>,
    /// Whether data races are looked for too, and what may be remembered of each run.
    pub races: Option<races::Limits>,
    /// What ends it from outside.
    pub interrupt: Interrupt,
    /// Whether it is counted what the runs execute.
    pub cover: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            seeds: 1..=1000,
            shard: (0, 1),
            strategies: mix(),
            leaks: None,
            first_failure: false,
            jobs: crate::pool::cores(),
            time_each: None,
            races: None,
            interrupt: Interrupt::default(),
            cover: false,
        }
    }
}

/// The strategies that are used by default.
pub fn mix() -> Vec<Strategy> {
    vec![
        Strategy::Random,
        Strategy::Pct { depth: 3, length: 0 },
        Strategy::Random,
        Strategy::Delay { delays: 2, length: 0 },
    ]
}

impl Options {
    /// The seeds of this shard.
    fn own_seeds(&self) -> impl Iterator<Item = u64> + Send + use<> {
        let (rest, of) = self.shard;
        self.seeds.clone().filter(move |seed| seed % of.max(1) == rest)
    }

    /// How many they are.
    pub fn count(&self) -> u64 {
        let (rest, of) = (self.shard.0, self.shard.1.max(1));
        let (first, last) = (*self.seeds.start(), *self.seeds.end());
        let first = first + (rest + of - first % of) % of;
        if first > last { 0 } else { (last - first) / of + 1 }
    }
}

/// What exploring has found.
#[non_exhaustive]
pub struct Found {
    /// What came of the runs.
    pub outcomes: Outcomes,
    /// Whether all seeds were run.
    pub complete: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// The machine, to look closer at one of the runs.
    pub machine: Machine,
    /// What the start and the runs executed, where it was asked for: one for the start, and one for each machine at work.
    pub coverage: Vec<Arc<Coverage>>,
}

/// How runs are made, and what is looked at.
#[derive(Clone)]
struct How {
    strategies: Vec<Strategy>,
    leaks: bool,
    own: Own,
    /// The detector of the machine that others are forked from.
    races: Option<Races>,
}

impl How {
    fn id(&self, seed: u64) -> RunId {
        let at = usize::try_from(seed % self.strategies.len().max(1) as u64).unwrap_or(0);
        RunId { seed, strategy: self.strategies.get(at).cloned().unwrap_or_default() }
    }

    fn run(&self, machine: &mut Machine, id: &RunId) -> Observed {
        let races = self.watched(machine);
        let schedule = Schedule { strategy: id.strategy.clone(), seed: id.seed, settles: self.leaks };
        match program::run_scheduled(machine, &schedule) {
            Ok(run) => {
                let mut seen = seen::seen(machine, &self.own, &run, self.leaks);
                seen.extend(races.iter().flat_map(Races::take).map(|race| seen::raced(&race)));
                Observed { seen, instructions: run.instructions, decisions: run.decisions }
            }
            Err(error) => {
                let seen = vec![Seen::new(SeenKind::Unsupported, error.to_string(), error.to_string())];
                Observed { seen, instructions: 0, decisions: Vec::new() }
            }
        }
    }
}

impl How {
    /// The detector of a machine, if there is to be one.
    fn watched(&self, machine: &mut Machine) -> Option<Races> {
        let first = self.races.as_ref()?;
        Some(Races::of(machine).unwrap_or_else(|| first.watch_fork(machine)))
    }
}

/// What came of one run.
struct Observed {
    seen: Vec<Seen>,
    instructions: u64,
    decisions: Vec<program::Decision>,
}

/// Runs a program once for each seed. `follow` is told how far it is, and may end it.
///
/// # Errors
/// The program cannot be started, or the host refuses memory.
pub fn explore(
    mut program: Program,
    options: &Options,
    follow: &mut dyn FnMut(&Outcomes, Progress) -> ControlFlow<()>,
) -> Result<Found, Error> {
    program.machine().set_interrupt(options.interrupt.clone());
    let covers = Covers(options.cover.then(Mutex::default));
    covers.begin(program.machine());
    if let Some(limits) = options.races {
        Races::watch(program.machine(), limits)?;
    }
    program.start()?;
    let mut machine = program.into_machine();
    // What follows is done again by each machine that runs seeds, or is not a run that was asked for.
    machine.set_coverage(None);
    let how = how(&mut machine, &options.strategies, options.leaks)?;
    let mut pool = Pool::new(machine)
        .jobs(options.jobs)
        .time_each(options.time_each)
        .interrupted_by(options.interrupt.clone());
    let mut following =
        Following { outcomes: Outcomes::default(), follow, first_failure: options.first_failure };
    let work = |machine: &mut Machine, seed: u64| {
        covers.begin(machine);
        let id = how.id(seed);
        let mut observed = how.run(machine, &id);
        observed.decisions = Vec::new();
        (id, observed)
    };
    let ended = pool.run(options.own_seeds(), work, &mut following)?;
    let mut outcomes = following.outcomes;
    outcomes.name_outputs();
    let mut machine = pool.into_machine();
    machine.set_coverage(None);
    let coverage = covers.end();
    Ok(Found { outcomes, complete: ended.complete, elapsed: ended.elapsed, machine, coverage })
}

/// Counts of the machines at work, one each: a count belongs to one thread.
struct Covers(Option<Mutex<Vec<Arc<Coverage>>>>);

impl Covers {
    /// Counts what this machine runs from now on, if that is wanted and not done.
    fn begin(&self, machine: &mut Machine) {
        let Some(all) = self.0.as_ref().filter(|_| machine.coverage().is_none()) else { return };
        let coverage = Arc::new(Coverage::new());
        all.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&coverage));
        machine.set_coverage(Some(coverage));
    }

    fn end(self) -> Vec<Arc<Coverage>> {
        self.0.map(|all| all.into_inner().unwrap_or_else(PoisonError::into_inner)).unwrap_or_default()
    }
}

/// How runs of a started program are made. Strategies that need to know how long a run is are told.
fn how(machine: &mut Machine, strategies: &[Strategy], leaks: Option<bool>) -> Result<How, Error> {
    let image = Arc::clone(machine.image());
    let leaks = leaks.unwrap_or_else(|| seen::is_test(&image));
    let races = Races::of(machine);
    let strategy = Strategy::Delay { delays: 0, length: 1 };
    let schedule = Schedule { settles: leaks, seed: 1, strategy };
    let usual = program::run_scheduled(machine, &schedule)?;
    let length = usual.contended.max(1000);
    let strategies = strategies.iter().map(|strategy| strategy.clone().for_length(length)).collect();
    Ok(How { strategies, leaks, own: Own::of(&image), races })
}

/// Counts what comes of runs.
struct Following<'f> {
    outcomes: Outcomes,
    follow: &'f mut dyn FnMut(&Outcomes, Progress) -> ControlFlow<()>,
    first_failure: bool,
}

impl Follow<(RunId, Observed)> for Following<'_> {
    fn result(&mut self, (id, observed): (RunId, Observed)) -> ControlFlow<()> {
        let failed = observed.seen.iter().any(|seen| seen.kind.is_failure());
        self.outcomes.add(&id, observed.seen, observed.instructions);
        if failed && self.first_failure { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        (self.follow)(&self.outcomes, progress)
    }
}

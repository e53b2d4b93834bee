//! Data races of programs that were built without `-race`: accesses of different goroutines to the same memory, one of
//! them a write, without anything that orders them.
//!
//! ```no_run
//! use goemu::program::Program;
//! use goemu::races::{Limits, Races};
//! use goemu::{Config, Image};
//!
//! let mut program = Program::load(Image::open("program")?, Config::default())?;
//! let races = Races::watch(program.machine(), Limits::default())?;
//! program.run()?;
//! for race in races.take() {
//!     println!("{race}");
//! }
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! What orders goroutines is what orders them for Go's own race detector: `go` statements, channels, locks, wait groups,
//! atomic operations, timers, finalizers. That detector is told by the compiler what is accessed; here the program's
//! instructions are watched, and the functions of the runtime that mean something, by their names in the function
//! table. docs/races.md has what is modelled and what cannot be seen.

mod atomics;
mod class;
mod clock;
mod detector;
mod goroutines;
mod objects;
mod orders;
mod plan;
mod report;
mod roles;
mod runtime;
mod shadow;
mod stacks;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::machine::Machine;
use detector::{Detector, Kept};
use plan::Planner;
pub use report::{Access, Goroutine, Location, Place, Race};

/// What the detector may keep. What is forgotten can hide a race, and never makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory for accesses: 48 for each word that was accessed. The oldest are forgotten.
    pub shadow: u64,
    /// Different stacks of accesses. Those of further accesses are not known.
    pub stacks: usize,
    /// Objects of the heap whose allocation is known. The oldest are forgotten.
    pub objects: usize,
    /// Different races that are told.
    pub reports: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { shadow: 512 << 20, stacks: 1 << 21, objects: 1 << 20, reports: 1000 }
    }
}

/// Functions without which nothing is known of a program.
const NEEDED: [&str; 2] = ["runtime.newproc1", "runtime.mallocgc"];

type Listener = Box<dyn FnMut(&Race) + Send>;

/// What the detector shares with its user.
#[derive(Default)]
struct Shared {
    races: Mutex<Vec<Race>>,
    listener: Mutex<Option<Listener>>,
    /// What was known in the state that runs start from.
    kept: Mutex<Option<Arc<Kept>>>,
}

/// A detector that watches a machine, from outside.
#[derive(Clone)]
pub struct Races {
    limits: Limits,
    planner: Arc<Planner>,
    shared: Arc<Shared>,
}

impl Races {
    /// Lets a detector watch a machine from now on. The run must be a whole one: what was done before is not known. Where the
    /// machine starts another run, accesses and reports of the one before are forgotten.
    ///
    /// # Errors
    /// The program's functions do not have their names.
    pub fn watch(machine: &mut Machine, limits: Limits) -> Result<Races, Error> {
        let missing = |name: &&&str| machine.guest.image.funcs_named(name).is_empty();
        if let Some(missing) = NEEDED.iter().find(missing) {
            return Err(Error::NoRaces { missing });
        }
        let planner = Arc::new(Planner::new(Arc::clone(&machine.guest.image)));
        Ok(Races { limits, planner, shared: Arc::default() }.attached(machine))
    }

    /// The detector of a machine that was forked from the watched one: it knows what this one knew where runs start.
    pub(crate) fn watch_fork(&self, machine: &mut Machine) -> Races {
        let shared = Shared { kept: Mutex::new(lock(&self.shared.kept).clone()), ..Shared::default() };
        Races { shared: Arc::new(shared), ..self.clone() }.attached(machine)
    }

    /// The detector that watches a machine.
    pub(crate) fn of(machine: &Machine) -> Option<Races> {
        machine.of_observer.as_ref()?.downcast_ref::<Races>().cloned()
    }

    fn attached(self, machine: &mut Machine) -> Races {
        machine.observe(Detector::new(Arc::clone(&machine.guest.image), self.clone()));
        machine.of_observer = Some(Arc::new(self.clone()));
        self
    }

    /// Tells each race as it is found.
    pub fn listen(&self, listener: impl FnMut(&Race) + Send + 'static) {
        *lock(&self.shared.listener) = Some(Box::new(listener));
    }

    /// The races that were found since this was asked last in this run, each pair of places once.
    pub fn take(&self) -> Vec<Race> {
        std::mem::take(&mut *lock(&self.shared.races))
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

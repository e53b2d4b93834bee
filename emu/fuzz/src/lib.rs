//! Coverage-guided fuzzing of functions of a Go program, on values of their own types, without source or a rebuild.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use goemu::testing::Check;
//! use goemu::{Image, Machine};
//! use goemu_fuzzer::{Fuzz, Options};
//!
//! let machine = Machine::new(Image::open("program")?)?;
//! let check = Check::new(&machine, "main.parse", None)?;
//! let options = Options { runs: Some(1_000_000), ..Options::default() };
//! let fuzzed = Fuzz::new(check, options).run(machine, |_| ControlFlow::Continue(()))?;
//! for finding in &fuzzed.findings {
//!     println!("{finding}");
//! }
//! # Ok::<(), goemu_fuzzer::Error>(())
//! ```
//!
//! LibAFL chooses what to change and keeps what reaches new edges; [`goemu::coverage`] counts these in either engine, and
//! [`goemu::testing`] makes and changes values, decides what fails, and makes failures small. Inputs that reach something new are
//! watched once more for what they are compared with (`hints`). Several jobs, on one computer or on many, share what they find by
//! LibAFL's broker.

mod corpus;
mod executor;
mod gate;
mod hints;
mod input;
mod job;
mod mutator;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use goemu::Machine;
use goemu::coverage::Coverage;
use goemu::testing::{Check, Finding};
use libafl::events::tcp::TcpEventBroker;
use libafl::monitors::NopMonitor;

use input::Args;

/// How often progress is told.
const TICK: Duration = Duration::from_millis(100);

/// How a function is fuzzed.
#[derive(Clone, Debug)]
pub struct Options {
    /// A folder of inputs: read at the beginning, and written as inputs are found that reach something new. Failures go to its
    /// folder `crashes`.
    pub corpus: Option<PathBuf>,
    /// Calls to make, about, by all jobs together.
    pub runs: Option<u64>,
    /// Jobs: threads with a machine each.
    pub jobs: usize,
    /// Whether to go on after a failure, for others.
    pub keep_going: bool,
    /// The broker of another process to share inputs with.
    pub join: Option<String>,
    /// Where other processes may join, until this one ends.
    pub listen: Option<SocketAddr>,
    /// Where the edges of all calls of all jobs are counted, those within Go's runtime left out: for a report.
    pub cover: Option<Arc<Coverage>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            corpus: None,
            runs: None,
            jobs: 1,
            keep_going: false,
            join: None,
            listen: None,
            cover: None,
        }
    }
}

/// How far a fuzzer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Calls that were made.
    pub runs: u64,
    /// Inputs that reached something new.
    pub corpus: usize,
    /// Edges that were reached, by the job that reached most.
    pub edges: usize,
    /// Failures that were found.
    pub findings: usize,
    /// How long it has taken.
    pub elapsed: Duration,
}

/// What came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fuzzed {
    /// How far it came.
    pub progress: Progress,
    /// What was found, one for each kind of failure and place.
    pub findings: Vec<Finding>,
    /// Calls that goemu could not serve.
    pub unserved: u64,
    /// Inputs of the corpus's folder that could not be used, and why the last of them could not be.
    pub junk: usize,
    /// Why inputs could not be written, if they could not: a full disk.
    pub unwritten: Option<String>,
    /// Whether the broker of another process has gone before the work was done.
    pub lost_broker: bool,
    /// Inputs of the corpus after inputs that reach nothing of their own were left out.
    pub minimised: usize,
}

/// Why a function cannot be fuzzed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The machine or the function.
    #[error(transparent)]
    Goemu(#[from] goemu::Error),
    /// The program.
    #[error(transparent)]
    Load(#[from] goemu::LoadError),
    /// LibAFL.
    #[error("LibAFL: {0}")]
    Libafl(#[from] libafl::Error),
    /// Something else answers than a fuzzer that listens, or it has hung up: LibAFL gives up by a panic then.
    #[error("no fuzzer shares inputs there, or not any more")]
    Broker,
    /// The folder of the corpus.
    #[error("{}: {error}", path.display())]
    Corpus {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        error: std::io::Error,
    },
}

/// A function that is fuzzed.
pub struct Fuzz {
    check: Check,
    options: Options,
}

/// What the jobs have in common.
pub(crate) struct Shared {
    pub(crate) check: Check,
    pub(crate) options: Options,
    pub(crate) runs: AtomicU64,
    pub(crate) corpus: AtomicUsize,
    pub(crate) edges: AtomicUsize,
    pub(crate) unserved: AtomicU64,
    pub(crate) junk: AtomicUsize,
    pub(crate) minimised: AtomicUsize,
    pub(crate) stop: AtomicBool,
    /// Whether the broker has gone.
    pub(crate) lost: AtomicBool,
    /// Kinds of failures that are known.
    pub(crate) keys: Mutex<HashSet<String>>,
    pub(crate) findings: Mutex<Vec<Finding>>,
    pub(crate) unwritten: Mutex<Option<String>>,
}

impl Shared {
    pub(crate) fn is_over(&self) -> bool {
        let enough = self.options.runs.is_some_and(|runs| self.runs.load(Ordering::Relaxed) >= runs);
        enough || self.stop.load(Ordering::Relaxed)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fuzz {
    /// Fuzzes the function of a check: what fails is what it asks for.
    #[must_use]
    pub fn new(check: Check, options: Options) -> Fuzz {
        Fuzz { check, options }
    }

    /// Fuzzes until something is found, the runs are made, or `watch`, which is told of the progress, breaks. What was reached
    /// is written then.
    ///
    /// # Errors
    /// When no call can be served, the folder of the corpus cannot be read, or no broker is there.
    pub fn run(
        self,
        mut machine: Machine,
        mut watch: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Fuzzed, Error> {
        let Fuzz { check, options } = self;
        let jobs = options.jobs.max(1);
        let alone = jobs == 1 && options.join.is_none() && options.listen.is_none();
        let shared = Arc::new(Shared {
            check,
            options,
            runs: AtomicU64::new(0),
            corpus: AtomicUsize::new(0),
            edges: AtomicUsize::new(0),
            unserved: AtomicU64::new(0),
            junk: AtomicUsize::new(0),
            minimised: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            keys: Mutex::default(),
            findings: Mutex::default(),
            unwritten: Mutex::default(),
        });
        let mut machines = Vec::with_capacity(jobs);
        for _ in 1..jobs {
            machines.push(machine.fork()?);
        }
        machines.insert(0, machine);
        let broker = if alone { None } else { Some(broker(&shared)?) };
        let began = Instant::now();
        let threads: Vec<_> = machines
            .into_iter()
            .enumerate()
            .map(|(number, mut machine)| {
                let (shared, broker) = (Arc::clone(&shared), broker.clone());
                thread::spawn(move || {
                    machine.burst(|machine| job::run(&shared, machine, number, broker.as_deref()))
                })
            })
            .collect();
        while threads.iter().any(|thread| !thread.is_finished()) {
            thread::sleep(TICK.min(Duration::from_millis(20)));
            if watch(progress(&shared, began)).is_break() {
                shared.stop.store(true, Ordering::Relaxed);
            }
        }
        let jobs = threads.len();
        let panicked = || match alone {
            true => Error::from(libafl::Error::unknown("a job has panicked")),
            false => Error::Broker,
        };
        let ended = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked())));
        let failed: Vec<Error> = ended.filter_map(Result::err).collect();
        match failed.into_iter().next() {
            // What the others have found is not lost.
            Some(Error::Broker) if jobs > 1 || shared.runs.load(Ordering::Relaxed) > 0 => {
                shared.lost.store(true, Ordering::Relaxed);
            }
            Some(error) if lock(&shared.findings).is_empty() => return Err(error),
            _ => {}
        }
        let findings = std::mem::take(&mut *lock(&shared.findings));
        let unwritten = lock(&shared.unwritten).clone();
        Ok(Fuzzed {
            progress: Progress { findings: findings.len(), ..progress(&shared, began) },
            findings,
            unserved: shared.unserved.load(Ordering::Relaxed),
            junk: shared.junk.load(Ordering::Relaxed),
            unwritten,
            lost_broker: shared.lost.load(Ordering::Relaxed),
            minimised: shared.minimised.load(Ordering::Relaxed),
        })
    }
}

fn progress(shared: &Shared, began: Instant) -> Progress {
    Progress {
        runs: shared.runs.load(Ordering::Relaxed),
        corpus: shared.corpus.load(Ordering::Relaxed),
        edges: shared.edges.load(Ordering::Relaxed),
        findings: lock(&shared.findings).len(),
        elapsed: began.elapsed(),
    }
}

/// The address of the broker: another process's, or one that is started here.
fn broker(shared: &Shared) -> Result<String, Error> {
    if let Some(join) = &shared.options.join {
        return Ok(join.clone());
    }
    let here = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = std::net::TcpListener::bind(here).map_err(libafl::Error::from)?;
    listener.set_nonblocking(true).map_err(libafl::Error::from)?;
    let address = listener.local_addr().map_err(libafl::Error::from)?;
    if let Some(listen) = shared.options.listen {
        gate::open(std::net::TcpListener::bind(listen).map_err(libafl::Error::from)?, address);
    }
    // With a number of clients, a broker ends when they have, and lets no other in. One that others may join stays until the
    // process ends.
    let jobs = NonZeroUsize::new(shared.options.jobs.max(1)).filter(|_| shared.options.listen.is_none());
    thread::spawn(move || {
        let mut broker = TcpEventBroker::<Args, NopMonitor>::with_listener(listener, NopMonitor::new());
        jobs.into_iter().for_each(|jobs| broker.set_exit_cleanly_after(jobs));
        // Jobs notice where it is gone.
        let _ = broker.broker_loop();
    });
    Ok(address.to_string())
}

//! Many machines at work: jobs from one starting state, on all cores, with a budget each and results in order.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use goemu::pool::{Pool, Watch};
//! use goemu::{Image, Machine};
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! machine.initialise()?;
//! let mut pool = Pool::new(machine).jobs(4).time_each(Some(Duration::from_secs(2)));
//! let decode = |machine: &mut Machine, n: u32| machine.call("main.decode")?.arg(n).run();
//! pool.run(0..1000, decode, &mut Watch::new(|report: Result<goemu::Report, goemu::Error>| {
//!     if let Ok(report) = report {
//!         println!("{}", report.outcome);
//!     }
//! }))?;
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! A job gets a machine to itself and may call it as often as it likes; whatever it does, calls start from the state that the
//! pool was made with, so results do not depend on the number of machines. Only what a job changes for later calls
//! ([`Machine::keep`], [`Machine::hook`]) stays with the machine that it got. A machine is one thread of the host.

mod queue;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::machine::{Interrupt, Machine};
use queue::Queue;

/// How often progress is told where no result comes.
const TICK: Duration = Duration::from_millis(100);

/// Jobs a machine that may be done before an earlier one: their results wait for it.
const WINDOW: usize = 64;

/// Machines in the same starting state.
pub struct Pool {
    /// The first is the user's own; the others are made when there is work for them.
    machines: Vec<Machine>,
    jobs: usize,
    time: Option<Duration>,
    interrupt: Interrupt,
}

/// How far a pool is with its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Jobs that were begun.
    pub begun: usize,
    /// Jobs whose results were given.
    pub done: usize,
    /// How long it has worked.
    pub elapsed: Duration,
}

/// How a pool's work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// Jobs whose results were given.
    pub done: usize,
    /// Whether that is all of them: no interrupt came, and no result was the last one wanted.
    pub complete: bool,
    /// How long it took.
    pub elapsed: Duration,
}

/// Receives results and progress, on the thread that runs the pool.
pub trait Follow<R> {
    /// The next result, in the order of the jobs. `Break` ends the work.
    fn result(&mut self, result: R) -> ControlFlow<()>;

    /// Called between results, and where none comes, ten times a second. `Break` interrupts the work.
    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        let _ = progress;
        ControlFlow::Continue(())
    }
}

/// Follows by a closure that takes results.
pub struct Watch<F>(F);

impl<F> Watch<F> {
    /// Every result goes to `take`.
    pub fn new(take: F) -> Watch<F> {
        Watch(take)
    }
}

impl<R, F: FnMut(R)> Follow<R> for Watch<F> {
    fn result(&mut self, result: R) -> ControlFlow<()> {
        (self.0)(result);
        ControlFlow::Continue(())
    }
}

/// Threads that the host can run at once.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

impl Pool {
    /// A pool of machines like this one, as many as the host has cores.
    pub fn new(mut machine: Machine) -> Pool {
        let interrupt = Interrupt::default();
        machine.set_interrupt(interrupt.clone());
        Pool { machines: vec![machine], jobs: cores(), time: None, interrupt }
    }

    /// The same with so many machines; at least one.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Pool {
        self.jobs = jobs.max(1);
        self
    }

    /// How many machines it is to have.
    pub fn count(&self) -> usize {
        self.jobs
    }

    /// The same with so much time for each job: its calls end as [`Outcome::OutOfTime`](crate::Outcome::OutOfTime) then. How
    /// many instructions a call may execute is the machine's own ([`Machine::set_fuel`]).
    #[must_use]
    pub fn time_each(mut self, time: Option<Duration>) -> Pool {
        self.time = time;
        self
    }

    /// Ends the work from another thread, or from a handler of a signal: calls under way end as
    /// [`Outcome::Interrupted`](crate::Outcome::Interrupted), no job is begun any more, and the results of those that were begun are
    /// given. It stays raised until it is cleared.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// The same, ended by an interrupt that others use too.
    #[must_use]
    pub fn interrupted_by(mut self, interrupt: Interrupt) -> Pool {
        self.machines.iter_mut().for_each(|machine| machine.set_interrupt(interrupt.clone()));
        self.interrupt = interrupt;
        self
    }

    /// The machine that the pool was made with, to look into between the work.
    pub fn machine(&mut self) -> &mut Machine {
        &mut self.machines[0]
    }

    /// The same machine; the others are gone.
    pub fn into_machine(mut self) -> Machine {
        self.machines.swap_remove(0)
    }

    /// Does all jobs: each goes to `work` with one of the machines, and what comes of it to `follow`, in the order of the jobs.
    /// Jobs are taken as machines become free, so the iterator may be endless, or wait for input.
    ///
    /// # Errors
    /// The host may refuse memory for the machines; nothing was begun then.
    pub fn run<J, R>(
        &mut self,
        jobs: impl Iterator<Item = J> + Send,
        work: impl Fn(&mut Machine, J) -> R + Sync,
        follow: &mut impl Follow<R>,
    ) -> Result<Ended, Error>
    where
        R: Send,
    {
        self.fill()?;
        let began = Instant::now();
        let queue = Queue::new(jobs, WINDOW.saturating_mul(self.jobs));
        let (time, interrupt, was_raised) = (self.time, &self.interrupt, self.interrupt.is_raised());
        let mut delivery = Delivery { follow, queue: &queue, early: BTreeMap::new(), done: 0, wanted: true };
        thread::scope(|scope| {
            let (send, results) = mpsc::channel();
            for machine in self.machines.iter_mut().take(self.jobs) {
                let (queue, work, send) = (&queue, &work, send.clone());
                scope.spawn(move || {
                    while let Some((number, job)) = queue.next(interrupt) {
                        machine.set_deadline(time.and_then(|time| Instant::now().checked_add(time)));
                        if send.send((number, work(machine, job))).is_err() {
                            break;
                        }
                    }
                    machine.set_deadline(None);
                });
            }
            drop(send);
            loop {
                let flow = delivery.tell(began.elapsed());
                if flow.is_break() {
                    interrupt.raise();
                }
                match results.recv_timeout(TICK) {
                    Ok((number, result)) => delivery.take(number, result, interrupt),
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        });
        let (done, wanted) = (delivery.done, delivery.wanted);
        let complete = wanted && queue.is_empty() && !interrupt.is_raised();
        if !wanted && !was_raised {
            // It was raised here, to end what is not wanted any more.
            interrupt.clear();
        }
        Ok(Ended { done, complete, elapsed: began.elapsed() })
    }

    /// Makes the machines that are missing.
    fn fill(&mut self) -> Result<(), Error> {
        while self.machines.len() < self.jobs {
            let machine = self.machines[0].fork()?;
            self.machines.push(machine);
        }
        Ok(())
    }
}

/// Puts results in order and gives them.
struct Delivery<'a, F, R, Q> {
    follow: &'a mut F,
    queue: &'a Q,
    /// Results that others must come before.
    early: BTreeMap<usize, R>,
    done: usize,
    /// Whether further results are.
    wanted: bool,
}

impl<F: Follow<R>, R, I: Iterator> Delivery<'_, F, R, Queue<I>> {
    fn tell(&mut self, elapsed: Duration) -> ControlFlow<()> {
        let progress = Progress { begun: self.queue.begun(), done: self.done, elapsed };
        if self.wanted { self.follow.progress(progress) } else { ControlFlow::Continue(()) }
    }

    fn take(&mut self, number: usize, result: R, interrupt: &Interrupt) {
        self.early.insert(number, result);
        while self.wanted
            && let Some(result) = self.early.remove(&self.done)
        {
            self.done += 1;
            self.queue.given(self.done);
            if self.follow.result(result).is_break() {
                self.wanted = false;
                interrupt.raise();
            }
        }
        if !self.wanted {
            self.queue.given(usize::MAX);
        }
    }
}

//! What ends a call from outside: an interrupt, or a deadline.
//!
//! A call with neither pays nothing. Otherwise the machine looks after so many instructions, which changes nothing of
//! the run: goroutines and threads change at the same places.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Machine;
use crate::engine::Late;
use crate::outcome::Outcome;

/// Instructions between two looks.
const INTERVAL: i64 = 1 << 20;
/// What a round of the machine counts as, beside its instructions.
const ROUND: i64 = 1 << 8;

/// Ends the calls of machines from another thread. Clones are the same interrupt.
///
/// ```no_run
/// use goemu::machine::Interrupt;
/// use goemu::{Image, Machine};
///
/// let mut machine = Machine::new(Image::open("program")?)?;
/// let interrupt = Interrupt::default();
/// machine.set_interrupt(interrupt.clone());
/// std::thread::spawn(move || {
///     std::thread::sleep(std::time::Duration::from_secs(1));
///     interrupt.raise();
/// });
/// println!("{}", machine.call("main.forever")?.run()?.outcome); // interrupted
/// # Ok::<(), goemu::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
    ask: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("raised", &self.raised).finish_non_exhaustive()
    }
}

impl Interrupt {
    /// An interrupt that is also raised when `ask` says so. The machine's own thread asks, every few milliseconds at most: for
    /// programs that are told of Ctrl-C on that thread only.
    pub fn asking(ask: impl Fn() -> bool + Send + Sync + 'static) -> Interrupt {
        Interrupt { ask: Some(Arc::new(ask)), ..Interrupt::default() }
    }

    /// Ends calls that are under way, and all that begin from now on, as [`Outcome::Interrupted`].
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Relaxed);
    }

    /// Lets calls run again.
    pub fn clear(&self) {
        self.raised.store(false, Ordering::Relaxed);
    }

    /// Whether calls are ended.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed) || self.ask.as_ref().is_some_and(|ask| ask())
    }
}

/// What may end the calls of one machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Stopping {
    interrupt: Option<Interrupt>,
    deadline: Option<Instant>,
    /// The deadline of the present call and of all that it brings.
    of_call: Option<Instant>,
    /// Instructions since the last look, with what hooks and system calls have cost.
    since: Cell<i64>,
    told: Told,
}

/// Whether the engine was told of what ends calls. A copy is for another machine, whose engine was not.
#[derive(Debug, Default)]
struct Told(bool);

impl Clone for Told {
    fn clone(&self) -> Told {
        Told(false)
    }
}

impl Stopping {
    fn is_wanted(&self) -> bool {
        self.interrupt.is_some() || self.deadline.is_some() || self.of_call.is_some()
    }

    /// What the engine is to ask where it cannot look at its fuel, if it was not told of that yet.
    #[inline]
    pub(super) fn untold(&mut self) -> Option<Option<Late>> {
        if self.told.0 { None } else { Some(self.tell()) }
    }

    #[cold]
    fn tell(&mut self) -> Option<Late> {
        self.told.0 = true;
        self.is_wanted().then(|| {
            let (interrupt, deadline) = (self.interrupt.clone(), self.first());
            let late = move || interrupt.as_ref().is_some_and(Interrupt::is_raised) || is_over(deadline);
            Arc::new(late) as Late
        })
    }

    /// The engine was exchanged, or something else ends calls.
    pub(super) fn changed(&mut self) {
        self.told = Told(false);
    }

    /// The part of a slice after which there is something to look at.
    pub(super) fn part_of(&self, slice: i64) -> i64 {
        if self.is_wanted() { slice.min((INTERVAL - self.since.get()).max(1)) } else { slice }
    }

    /// Counts instructions that were executed.
    pub(super) fn ran(&self, instructions: i64) {
        self.charged(instructions.saturating_add(ROUND));
    }

    /// Counts what hooks and system calls have cost, in instructions.
    pub(super) fn charged(&self, cost: i64) {
        self.since.set(self.since.get().saturating_add(cost));
    }

    /// Whether to look now.
    pub(super) fn is_due(&self) -> bool {
        self.since.get() >= INTERVAL && self.is_wanted()
    }

    /// Why the call ends, if it does.
    pub(super) fn look(&mut self) -> Option<Outcome> {
        self.since.set(0);
        if self.interrupt.as_ref().is_some_and(Interrupt::is_raised) {
            return Some(Outcome::Interrupted);
        }
        self.is_late().then_some(Outcome::OutOfTime)
    }

    fn is_late(&self) -> bool {
        is_over(self.first())
    }

    /// The deadline that comes first.
    fn first(&self) -> Option<Instant> {
        [self.deadline, self.of_call].into_iter().flatten().min()
    }

    fn set_of_call(&mut self, deadline: Option<Instant>) {
        self.of_call = deadline;
        self.changed();
    }

    fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
        self.changed();
    }
}

fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|at| Instant::now() >= at)
}

impl Machine {
    /// Lets this interrupt end calls.
    pub fn set_interrupt(&mut self, interrupt: Interrupt) {
        self.stopping.interrupt = Some(interrupt);
        self.stopping.changed();
    }

    /// Ends calls that still run at this time, as [`Outcome::OutOfTime`]. Initialising packages and starting the program, where a
    /// call needs that, are not counted: [`Config::deadline`](super::Config::deadline) counts all.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.stopping.set_deadline(deadline);
    }

    /// Whether the call must end, which says nothing of another.
    pub(super) fn must_end(&self) -> bool {
        self.stopping.interrupt.as_ref().is_some_and(Interrupt::is_raised) || self.stopping.is_late()
    }

    /// When the present call ends at the latest, if there is a limit of time.
    #[inline]
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.stopping.first()
    }

    /// Whether the present call has no time left.
    #[inline]
    pub(crate) fn is_late(&self) -> bool {
        self.stopping.is_late()
    }

    /// Does something within the machine's own limit of time. What is inside of something else has what is left of its time.
    #[inline]
    pub(crate) fn in_time<T>(&mut self, act: impl FnOnce(&mut Machine) -> T) -> T {
        match self.config.deadline {
            Some(limit) if self.stopping.of_call.is_none() => {
                self.stopping.set_of_call(Instant::now().checked_add(limit));
                let done = act(self);
                self.stopping.set_of_call(None);
                done
            }
            _ => act(self),
        }
    }

    /// Does a part of something that may take so long in all, of which `spent` is gone.
    pub(crate) fn in_rest_of_time<T>(
        &mut self,
        spent: &mut Duration,
        act: impl FnOnce(&mut Machine) -> T,
    ) -> T {
        let Some(limit) = self.config.deadline else { return act(self) };
        let began = Instant::now();
        self.stopping.set_of_call(began.checked_add(limit.saturating_sub(*spent)));
        let done = act(self);
        self.stopping.set_of_call(None);
        *spent = spent.saturating_add(began.elapsed());
        done
    }

    /// Does what a call's time does not pay for.
    pub(super) fn off_the_clock<T>(&mut self, act: impl FnOnce(&mut Machine) -> T) -> T {
        let (deadline, began) = (self.stopping.deadline, Instant::now());
        self.stopping.set_deadline(None);
        let done = act(self);
        self.stopping.set_deadline(deadline.and_then(|at| at.checked_add(began.elapsed())));
        done
    }
}

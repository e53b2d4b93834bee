//! Goroutines that do not run (ready, waiting, sleeping), and timers. Data alone; the hooks in
//! [`runtime::goroutines`](crate::runtime::hooked) act on it.
//!
//! There is one processor, as with GOMAXPROCS=1, and a goroutine runs until it waits, yields, ends, or has had its turn.
//! The goroutine that was made ready last runs next, the others in their order, as Go has it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::cpu::Cpu;
use crate::guest::clock;
use crate::guest::goroutine::Goroutine;

/// Instructions that a goroutine may execute while others wait for their turn.
const TURN: i64 = 1_000_000;
/// As many until the next try, where it cannot be interrupted: the next place where the engine can stop. A longer step
/// might meet a loop at the same place again and again.
const AGAIN: i64 = 1;

/// A goroutine that does not run.
#[derive(Clone, Debug)]
pub(crate) struct Suspended {
    pub(crate) goroutine: Goroutine,
    /// Where it goes on.
    pub(crate) pc: u64,
    pub(crate) sp: u64,
    pub(crate) bp: u64,
    /// The closure that it starts with.
    pub(crate) closure: u64,
    /// The first words of its function's arguments, or of the results of the one in which it waits, where registers hold
    /// them.
    pub(crate) args: [u64; 4],
    /// All registers, where it did not rest by a call.
    pub(crate) registers: Option<Box<Cpu>>,
    pub(crate) status: Status,
}

/// What a goroutine rests for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Status {
    /// In Go's words.
    #[default]
    Runnable,
    Sleeps,
    Coroutine,
    /// For this, in Go's words.
    Waits(&'static str),
    /// The runtime's number of the reason, and the place that called `gopark`.
    Parked {
        reason: u64,
        caller: u64,
    },
}

/// A timer: at a time it calls a function, once or again and again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Timer {
    /// Nanoseconds from one call to the next; 0 for a single one.
    pub(crate) period: u64,
    /// `f(arg, seq)`: a closure, an interface value and a number.
    pub(crate) f: u64,
    pub(crate) arg: [u64; 2],
    pub(crate) seq: u64,
    /// The channel that `f` sends on, where what is in it goes with the timer's end (Go 1.23 and later); or 0.
    pub(crate) channel: u64,
    /// Its place among what is due; none when it is stopped.
    pub(crate) place: Option<(u64, u64)>,
}

/// What happens when its time has come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    /// The goroutine with this `g` wakes.
    Wakes(u64),
    /// The timer at this address calls its function.
    Fires(u64),
}

/// All goroutines but the running one.
#[derive(Debug, Default)]
pub(crate) struct Scheduler {
    next: Option<Suspended>,
    ready: VecDeque<Suspended>,
    /// By the address of their `g`.
    waiting: BTreeMap<u64, Suspended>,
    /// By the time when it happens and the order in which it was asked for.
    due: BTreeMap<(u64, u64), Due>,
    asked: u64,
    /// By their addresses.
    timers: BTreeMap<u64, Timer>,
    /// The channels of those whose channels go with them.
    channels: BTreeSet<u64>,
    /// The number of the newest goroutine, after the first.
    started: u64,
    /// Stacks that were given out so far.
    stacks: u64,
    /// Stacks that came back, and the `g` of each.
    free: Vec<(u64, u64)>,
    /// What the goroutine waits for that is about to.
    pub(crate) parking: Status,
    /// Instructions of the present goroutine's turn.
    used: i64,
    /// The first goroutine has ended itself, and the others go on.
    pub(crate) first_gone: bool,
}

/// Bytes of the host's memory that a timer takes, about.
const TIMER: usize = 128;

impl Scheduler {
    /// A number for a new goroutine; the first has 1.
    pub(crate) fn number(&mut self) -> u64 {
        self.started += 1;
        1 + self.started
    }

    /// A place for a stack, counted from the first, that was not used before.
    pub(crate) fn new_stack(&mut self) -> u64 {
        self.stacks += 1;
        self.stacks - 1
    }

    /// A place for a stack and the address of a `g`, that were another goroutine's.
    pub(crate) fn used(&mut self) -> Option<(u64, u64)> {
        self.free.pop()
    }

    /// This stack and this `g` are not needed any more.
    pub(crate) fn give_back(&mut self, stack: u64, g: u64) {
        self.free.push((stack, g));
    }

    /// It runs when the present one rests.
    pub(crate) fn ready_next(&mut self, resting: Suspended) {
        if let Some(kicked) = self.next.replace(resting) {
            self.ready.push_back(kicked);
        }
    }

    /// It runs after all others that are ready.
    pub(crate) fn ready_last(&mut self, resting: Suspended) {
        self.ready.push_back(resting);
    }

    pub(crate) fn wait(&mut self, resting: Suspended) {
        self.waiting.insert(resting.goroutine.g, resting);
    }

    pub(crate) fn sleep(&mut self, resting: Suspended, until: u64) {
        self.happens(until, Due::Wakes(resting.goroutine.g));
        self.wait(resting);
    }

    fn happens(&mut self, when: u64, due: Due) -> (u64, u64) {
        self.asked += 1;
        self.due.insert((when, self.asked), due);
        (when, self.asked)
    }

    /// The goroutine with this `g` is not waiting any more, if it was.
    pub(crate) fn take(&mut self, g: u64) -> Option<Suspended> {
        self.waiting.remove(&g)
    }

    /// The goroutine that runs now. `chance` picks one of those that are ready, where order is left to it.
    pub(crate) fn pick(&mut self, chance: Option<u64>) -> Option<Suspended> {
        if let Some(chance) = chance {
            self.ready.extend(self.next.take());
            let count = self.ready.len() as u64;
            return self.ready.remove(usize::try_from(chance.checked_rem(count)?).ok()?);
        }
        self.next.take().or_else(|| self.ready.pop_front())
    }

    /// Instructions until the present goroutine's turn is over, or something happens.
    pub(crate) fn slice(&self, cpu: &Cpu) -> i64 {
        let turn = if self.is_alone() { i64::MAX } else { TURN.saturating_sub(self.used).max(1) };
        self.next_due().map_or(turn, |due| clock::until(cpu, due).min(turn))
    }

    /// Whether nothing happens but what the present goroutine does.
    fn is_alone(&self) -> bool {
        !self.has_ready() && self.due.is_empty()
    }

    /// Whether it counts nothing: the present goroutine is alone.
    pub(crate) fn is_idle(&self) -> bool {
        self.used == 0 && self.is_alone()
    }

    /// The present goroutine has executed so many.
    pub(crate) fn ran(&mut self, instructions: i64) {
        self.used = if self.is_alone() { 0 } else { self.used.saturating_add(instructions) };
    }

    /// A turn begins, or goes on for a while.
    pub(crate) fn turn(&mut self, whole: bool) {
        self.used = if whole { 0 } else { TURN - AGAIN };
    }

    /// Whether another goroutine can run.
    pub(crate) fn has_ready(&self) -> bool {
        self.next.is_some() || !self.ready.is_empty()
    }

    /// When something happens next.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.due.keys().next().map(|(when, _)| *when)
    }

    /// What happens next, if that is now.
    pub(crate) fn take_due(&mut self, now: u64) -> Option<Due> {
        let first = self.due.first_entry().filter(|first| first.key().0 <= now)?;
        Some(first.remove())
    }

    /// The timer at an address.
    pub(crate) fn timer(&self, at: u64) -> Option<Timer> {
        self.timers.get(&at).copied()
    }

    /// All timers, by their addresses.
    pub(crate) fn timers(&self) -> impl ExactSizeIterator<Item = (&u64, &Timer)> {
        self.timers.iter()
    }

    /// Forgets timers that are stopped and of which the program knows nothing any more.
    pub(crate) fn forget_timers(&mut self, is_known: impl Fn(u64) -> bool) {
        let channels = &mut self.channels;
        self.timers.retain(|at, timer| {
            let stays = timer.place.is_some() || is_known(*at);
            if !stays {
                channels.remove(&timer.channel);
            }
            stays
        });
    }

    /// Whether this channel goes with a timer.
    pub(crate) fn is_of_timer(&self, channel: u64) -> bool {
        self.channels.contains(&channel)
    }

    /// The timer at an address calls its function at a time.
    pub(crate) fn start_timer(&mut self, at: u64, timer: Timer, when: u64) {
        self.stop_timer(at);
        if timer.channel != 0 {
            self.channels.insert(timer.channel);
        }
        let place = Some(self.happens(when, Due::Fires(at)));
        self.timers.insert(at, Timer { place, ..timer });
    }

    /// The timer at an address calls its function no more; whether it would have.
    pub(crate) fn stop_timer(&mut self, at: u64) -> bool {
        let place = self.timers.get_mut(&at).and_then(|timer| timer.place.take());
        place.is_some_and(|place| self.due.remove(&place).is_some())
    }

    /// The timer at an address has called its function at `when`: it does so again if it has a period.
    pub(crate) fn fired(&mut self, at: u64, now: u64) {
        let Some(timer) = self.timers.get_mut(&at) else { return };
        let last = timer.place.take().map_or(now, |(when, _)| when);
        if let Some(missed) = now.saturating_sub(last).checked_div(timer.period) {
            let (timer, when) = (*timer, (missed + 1).saturating_mul(timer.period).saturating_add(last));
            self.start_timer(at, timer, when);
        }
    }

    /// Whether there is no other goroutine, and nothing of one that was.
    fn holds_nothing(&self) -> bool {
        let nobody = !self.has_ready() && self.waiting.is_empty() && self.free.is_empty();
        nobody && self.due.is_empty() && self.timers.is_empty()
    }

    /// All of them, in no order.
    pub(crate) fn resting(&self) -> impl Iterator<Item = &Suspended> {
        self.next.iter().chain(&self.ready).chain(self.waiting.values())
    }

    /// Their numbers, and whether each waits.
    pub(crate) fn others(&self) -> impl Iterator<Item = (u64, bool)> {
        let ready = self.next.iter().chain(&self.ready).map(|resting| (resting.goroutine.id, false));
        ready.chain(self.waiting.values().map(|resting| (resting.goroutine.id, true)))
    }

    /// The goroutine with this `g`, which has just stopped to run, and whether it waits; none if it has ended.
    pub(crate) fn rests(&self, g: u64) -> Option<(&Suspended, bool)> {
        let ready =
            || self.ready.back().into_iter().chain(&self.next).find(|resting| resting.goroutine.g == g);
        self.waiting
            .get(&g)
            .map(|resting| (resting, true))
            .or_else(|| ready().map(|resting| (resting, false)))
    }

    /// How many they are.
    pub(crate) fn at_rest(&self) -> usize {
        self.ready.len() + self.waiting.len()
    }

    /// About how many bytes of the host's memory the records take.
    pub(crate) fn held(&self) -> u64 {
        let goroutines = self.at_rest();
        let timers = self.due.len() + self.timers.len() + self.channels.len() + self.free.len();
        (goroutines * (size_of::<Suspended>() + size_of::<Cpu>()) + timers * TIMER) as u64
    }

    /// All of them, in the order in which they were started.
    pub(crate) fn in_order(&self) -> Vec<&Suspended> {
        let mut resting: Vec<&Suspended> = self.resting().collect();
        resting.sort_by_key(|resting| resting.goroutine.id);
        resting
    }
}

impl Scheduler {
    /// The part of [`Clone::clone_from`] that most calls do without, as they start no goroutine.
    #[inline(never)]
    fn clone_what_it_holds(&mut self, from: &Scheduler) {
        self.next.clone_from(&from.next);
        self.ready.clone_from(&from.ready);
        self.waiting.clone_from(&from.waiting);
        self.due.clone_from(&from.due);
        self.timers.clone_from(&from.timers);
        self.channels.clone_from(&from.channels);
        self.free.clone_from(&from.free);
    }
}

/// As for the [`World`](crate::guest::world::World) that it is part of.
impl Clone for Scheduler {
    fn clone(&self) -> Scheduler {
        let mut scheduler = Scheduler::default();
        scheduler.clone_from(self);
        scheduler
    }

    fn clone_from(&mut self, from: &Scheduler) {
        if !(self.holds_nothing() && from.holds_nothing()) {
            self.clone_what_it_holds(from);
        }
        // All by name, so that a new one cannot be forgotten; those without one are cloned above.
        let &Scheduler {
            next: _,
            ready: _,
            waiting: _,
            due: _,
            timers: _,
            channels: _,
            free: _,
            asked,
            started,
            stacks,
            parking,
            used,
            first_gone,
        } = from;
        (self.asked, self.started, self.stacks, self.parking) = (asked, started, stacks, parking);
        (self.used, self.first_gone) = (used, first_gone);
    }
}

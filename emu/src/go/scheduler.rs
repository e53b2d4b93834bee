//! Goroutines that do not run: who is ready, who waits, who sleeps until when. Data alone; the hooks in
//! [`runtime::goroutines`](crate::go::runtime) act on it.
//!
//! There is one processor, as with GOMAXPROCS=1, and a goroutine runs until it waits, yields or ends. Whoever was made
//! ready last runs next, the others in their order, as Go has it.

use std::collections::{BTreeMap, VecDeque};

use crate::go::goroutine::Goroutine;

/// A goroutine that does not run.
#[derive(Clone, Debug)]
pub(crate) struct Resting {
    pub(crate) goroutine: Goroutine,
    /// Where it goes on.
    pub(crate) pc: u64,
    pub(crate) sp: u64,
    pub(crate) bp: u64,
    /// The closure that it starts with.
    pub(crate) closure: u64,
    /// What Go prints between the brackets: `chan receive`.
    pub(crate) status: String,
}

/// All goroutines but the running one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduler {
    next: Option<Resting>,
    ready: VecDeque<Resting>,
    /// By the address of their `g`.
    waiting: BTreeMap<u64, Resting>,
    /// Who sleeps, by the time when it wakes and the order in which they fell asleep.
    asleep: BTreeMap<(u64, u64), u64>,
    sleeps: u64,
    /// The number of the newest goroutine, after the first.
    started: u64,
    /// Stacks that were given out so far, and those that came back.
    stacks: u64,
    free: Vec<u64>,
    /// What the goroutine waits for that is about to.
    pub(crate) parking: String,
    /// The first goroutine has ended itself, and the others go on.
    pub(crate) first_gone: bool,
}

impl Scheduler {
    /// A number for a new goroutine; the first has 1.
    pub(crate) fn number(&mut self) -> u64 {
        self.started += 1;
        1 + self.started
    }

    /// A place for a stack, counted from the first.
    pub(crate) fn stack(&mut self) -> u64 {
        self.free.pop().unwrap_or_else(|| {
            self.stacks += 1;
            self.stacks - 1
        })
    }

    /// Nobody is on this stack any more.
    pub(crate) fn give_back(&mut self, stack: u64) {
        self.free.push(stack);
    }

    /// It runs when the present one rests.
    pub(crate) fn ready_next(&mut self, resting: Resting) {
        if let Some(kicked) = self.next.replace(resting) {
            self.ready.push_back(kicked);
        }
    }

    /// It runs after all others that are ready.
    pub(crate) fn ready_last(&mut self, resting: Resting) {
        self.ready.push_back(resting);
    }

    pub(crate) fn wait(&mut self, resting: Resting) {
        self.waiting.insert(resting.goroutine.g, resting);
    }

    pub(crate) fn sleep(&mut self, resting: Resting, until: u64) {
        self.sleeps += 1;
        self.asleep.insert((until, self.sleeps), resting.goroutine.g);
        self.wait(resting);
    }

    /// Somebody has woken the goroutine with this `g`; whether it waited.
    pub(crate) fn wake(&mut self, g: u64) -> bool {
        let woken = self.waiting.remove(&g);
        let waited = woken.is_some();
        woken.into_iter().for_each(|resting| self.ready_next(resting));
        waited
    }

    /// The goroutine that runs now. `chance` picks one of those that are ready, where order is left to it.
    pub(crate) fn pick(&mut self, chance: Option<u64>) -> Option<Resting> {
        if let Some(chance) = chance {
            self.ready.extend(self.next.take());
            let count = self.ready.len() as u64;
            return self.ready.remove(usize::try_from(chance.checked_rem(count)?).ok()?);
        }
        self.next.take().or_else(|| self.ready.pop_front())
    }

    /// Wakes who sleeps the shortest; gives the time when that is.
    pub(crate) fn rouse(&mut self) -> Option<u64> {
        let ((until, _), g) = self.asleep.pop_first()?;
        let woken = self.waiting.remove(&g);
        woken.into_iter().for_each(|resting| self.ready.push_back(resting));
        Some(until)
    }

    /// All of them, in no order.
    pub(crate) fn resting(&self) -> impl Iterator<Item = &Resting> {
        self.next.iter().chain(&self.ready).chain(self.waiting.values())
    }

    /// Those that wait, in the order in which they were started.
    pub(crate) fn waiting(&self) -> Vec<&Resting> {
        let mut waiting: Vec<&Resting> = self.waiting.values().collect();
        waiting.sort_by_key(|resting| resting.goroutine.id);
        waiting
    }
}

//! The goroutines of a run: their identities, what each knows, which calls of the runtime it is in.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::clock::{Clock, Knowledge};
use super::roles::Role;
use super::stacks::{Calls, UNKNOWN};

/// Slots before those of goroutines that have ended are used again.
const SLOTS: usize = 1024;
/// Goroutines of one slot whose names are kept.
const NAMES: usize = 8;

/// The identity of a goroutine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) id: u64,
    pub(super) ended: bool,
    /// Number of the goroutine with the `go` statement; 0 for the first.
    pub(super) creator: u64,
    /// The stack of the `go` statement.
    pub(super) created: u32,
}

/// A call of the runtime's that has begun.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub(super) role: Role,
    /// How far its return address is below the end of the stack: stacks move.
    pub(super) depth: u64,
    /// What the arguments were.
    pub(super) args: [u64; 3],
    /// The channels that it is about.
    pub(super) channels: Vec<u64>,
    /// What the goroutine let others know.
    pub(super) clock: Option<Clock>,
}

/// A `g` of the guest.
#[derive(Clone, Debug, Default)]
pub(super) struct G {
    /// Which goroutine it is now; `None` for those of threads.
    pub(super) goroutine: Option<Goroutine>,
    pub(super) pending: Vec<Pending>,
    /// The stack, as it was when this was looked at last.
    pub(super) stack: (u64, u64),
    pub(super) calls: Calls,
    /// Of a thread: what was known to the timer that it runs.
    pub(super) timer: Option<Clock>,
    /// The system call that it makes: the number, and where its data are.
    pub(super) syscall: (u64, u64),
    /// The coroutine whose function it runs.
    pub(super) coroutine: u64,
    /// The stack of the `go` statement that it is in.
    pub(super) going: u32,
}

/// A goroutine.
#[derive(Clone, Debug)]
pub(super) struct Goroutine {
    pub(super) knows: Knowledge,
    pub(super) id: u64,
}

/// A slot of vector clocks.
#[derive(Clone, Debug, Default)]
struct Slot {
    /// Whose it was, from which count on.
    owners: VecDeque<(u32, Who)>,
}

/// All goroutines.
#[derive(Clone, Debug, Default)]
pub(super) struct Goroutines {
    by_addr: FxHashMap<u64, usize>,
    pub(super) all: Vec<G>,
    last: (u64, usize),
    slots: Vec<Slot>,
    /// Slots whose goroutines have ended, with what these knew, the first to end first.
    free: VecDeque<Knowledge>,
}

impl Goroutines {
    /// The index of a `g`.
    #[inline]
    pub(super) fn index(&mut self, g: u64) -> usize {
        if self.last.0 == g && g != 0 {
            return self.last.1;
        }
        let next = self.all.len();
        let index = *self.by_addr.entry(g).or_insert(next);
        if index == next {
            self.all.push(G::default());
        }
        self.last = (g, index);
        index
    }

    /// A `g` is a new goroutine now.
    pub(super) fn begin(&mut self, index: usize, who: Who, clock: Option<&Clock>) {
        self.end(index);
        let mut knows = match self.free.front() {
            Some(old) if self.slots.len() >= SLOTS => {
                let knows = old.taken_over();
                self.free.pop_front();
                knows
            }
            _ => {
                let slot = u16::try_from(self.slots.len()).unwrap_or(u16::MAX);
                if self.slots.len() <= usize::from(slot) {
                    self.slots.push(Slot::default());
                }
                Knowledge::new(slot)
            }
        };
        if let Some(clock) = clock {
            knows.acquire(clock);
        }
        let owners = &mut self.slots[usize::from(knows.slot)].owners;
        owners.push_back((knows.now, who));
        if owners.len() > NAMES {
            owners.pop_front();
        }
        let g = &mut self.all[index];
        *g = G { goroutine: Some(Goroutine { knows, id: who.id }), going: UNKNOWN, ..G::default() };
    }

    /// The goroutine of a `g` has ended.
    pub(super) fn end(&mut self, index: usize) {
        let Some(old) = self.all[index].goroutine.take() else { return };
        if let Some((_, who)) = self.slots[usize::from(old.knows.slot)].owners.back_mut() {
            who.ended = true;
        }
        self.free.push_back(old.knows);
    }

    /// The goroutine that used a slot at a count.
    pub(super) fn who(&self, slot: u16, count: u32) -> Option<Who> {
        let owners = &self.slots.get(usize::from(slot))?.owners;
        owners.iter().rev().find(|(from, _)| *from <= count).map(|(_, who)| *who)
    }

    /// A goroutine learns all that others have done.
    pub(super) fn learn_all(&mut self, index: usize) {
        let clocks: Vec<Clock> = self
            .all
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| *at != index)
            .filter_map(|(_, g)| Some(g.goroutine.as_mut()?.knows.release()))
            .collect();
        let ended: Vec<Clock> = self.free.iter_mut().map(Knowledge::release).collect();
        if let Some(goroutine) = &mut self.all[index].goroutine {
            clocks.iter().chain(&ended).for_each(|clock| goroutine.knows.acquire(clock));
        }
    }
}

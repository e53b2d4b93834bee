//! Which thread of a started program runs, and for how long: strategies that choose from a seed, and decisions that repeat
//! a run or a part of one.

mod priorities;
mod replay;
mod strategy;

use std::sync::Arc;

use priorities::Priorities;
use replay::Plan;
pub use replay::{Decision, Kind};
pub use strategy::Strategy;

/// Instructions of a turn that nothing ends before.
pub(crate) const TURN: i64 = 1_000_000;
/// The most instructions that a thread executes one by one before it is stopped, so that it is stopped anywhere.
const STEPS: u64 = 24;
/// The most instructions that it executes to come to a place where goroutines meet.
const WAY_TO_MEETING: u32 = 256;
/// The quanta of a run are 2 to a power between one that is drawn of the first and one of the second.
const QUANTA: [(u64, u64); 2] = [(3, 7), (8, 14)];
/// The most often that a stop is put off until the thread is in the user's code.
const PUT_OFF: u32 = 100;
/// A stop in so many is a stall.
const STALLS: u64 = 32;
/// The most nanoseconds by which a sleep is too long.
const LATE: u64 = 1 << 16;

/// Instructions after which a thread that looks for work is looked at.
const LOOK: i64 = 64;

/// Instructions of others for which a thread that looks for work has given way. The seed chooses: soon, much is in doubt at once; late,
/// a few goroutines go far before the next begins.
const WAYS: [u64; 4] = [1000, 16_000, 256_000, u64::MAX];

/// A thread that runs or can run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The thread's number.
    pub(crate) thread: u32,
    /// Instructions that it has executed.
    pub(crate) ran: u64,
    /// The goroutine that it runs; 0: it is in Go's scheduler, and looks for one.
    pub(crate) goroutine: u64,
    /// Whether it is in the user's code; of the running thread only.
    pub(crate) in_own: bool,
}

/// What becomes of the running thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It goes on.
    GoOn,
    /// Another runs: its place among those that can.
    Switch(usize),
    /// It does not run for so many nanoseconds.
    Stall(u64),
}

/// The state of a strategy in one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    strategy: Strategy,
    random: u64,
    /// Turns have 2 to a power within these instructions.
    powers: (u64, u64),
    /// Whether threads are stopped in the user's code, if they get there soon.
    focuses: bool,
    /// Whether half of these stops are right after a place where goroutines meet.
    aims: bool,
    put_off: u32,
    /// Instructions of the turn that are left, counted while others could run.
    left: i64,
    /// Instructions that were executed while others could run.
    pub(crate) contended: u64,
    /// Where something is to happen, by that count; the next one last.
    points: Vec<u64>,
    priorities: Priorities,
    stepping: Option<Stepping>,
    /// Whether the running thread was in the scheduler when it was looked at last.
    searching: bool,
    /// The thread that was stopped so that another finds work.
    interrupted: Option<u32>,
    /// One of [`WAYS`]. It follows from the seed alone, so that decisions repeat a run.
    way: u64,
    /// Threads that gave way and have not run since, and when that was.
    gave_way: Vec<(u32, u64)>,
    plan: Plan,
    made: Vec<Decision>,
}

/// A thread that is about to be stopped.
#[derive(Clone, Copy, Debug)]
struct Stepping {
    at: u64,
    steps: u32,
    left: u32,
    /// Whether it is stopped after the next place where goroutines meet, if that comes first.
    aims: bool,
}

impl Schedule {
    pub(crate) fn new(strategy: &Strategy, seed: u64) -> Schedule {
        let mut schedule = Schedule {
            strategy: strategy.clone(),
            random: seed ^ 0x005c_ed01_e000_0000,
            way: WAYS[(seed % WAYS.len() as u64) as usize],
            ..Schedule::default()
        };
        match strategy {
            Strategy::Turns => {}
            Strategy::Random => {
                let [low, high] = QUANTA.map(|(least, most)| least + schedule.below(most - least + 1));
                schedule.powers = (low, high);
            }
            Strategy::Pct { depth, length } => {
                schedule.points = schedule.draw_points(depth.saturating_sub(1), *length)
            }
            Strategy::Delay { delays, length } => schedule.points = schedule.draw_points(*delays, *length),
            Strategy::Replay(decisions) => schedule.plan = Plan::new(decisions),
        }
        let where_it_stops = schedule.below(4);
        (schedule.focuses, schedule.aims) = (where_it_stops != 0, where_it_stops > 1);
        schedule.draw();
        schedule
    }

    /// Whether threads take turns of [`TURN`], in order, and one whose time has come runs at once.
    pub(crate) fn is_usual(&self) -> bool {
        self.strategy == Strategy::Turns
    }

    /// The decisions that were not the usual ones.
    pub(crate) fn take_made(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.made)
    }

    /// How many that were.
    pub(crate) fn made(&self) -> usize {
        self.made.len()
    }

    /// Whether the last of them has stopped a thread, and for how long, if not until its turn comes.
    pub(crate) fn stopped_for(&self) -> Option<Option<u64>> {
        match self.made.last()?.kind {
            Kind::Switch { .. } => Some(None),
            Kind::Stall { nanoseconds } => Some(Some(nanoseconds)),
            _ => None,
        }
    }

    fn draw_points(&mut self, count: u32, length: u64) -> Vec<u64> {
        let mut points: Vec<u64> = (0..count.min(1000)).map(|_| self.point(length)).collect();
        points.sort_unstable_by(|a, b| b.cmp(a));
        points
    }

    /// A point of a run of this length; where it is not known, small numbers are as likely as large ones.
    fn point(&mut self, length: u64) -> u64 {
        if length > 0 {
            return self.below(length);
        }
        let power = 6 + self.below(16);
        (1 << power) + self.below(1 << power)
    }

    fn next(&mut self) -> u64 {
        let mut cpu = crate::cpu::Cpu::default();
        cpu.entropy = self.random;
        let number = cpu.next_random();
        self.random = cpu.entropy;
        number
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A thread's turn begins.
    pub(crate) fn begin(&mut self, place: Place) {
        self.stepping = None;
        self.searching = place.goroutine == 0;
        self.gave_way.retain(|(thread, _)| *thread != place.thread);
        if !self.searching {
            self.interrupted = None;
        }
        self.left = TURN;
        if !self.searching {
            self.draw();
        }
    }

    fn draw(&mut self) {
        self.put_off = 0;
        let (low, high) = self.powers;
        self.left = match self.strategy {
            Strategy::Random => {
                let power = low + self.below(high - low + 1);
                (1 << power) as i64 + self.below(1 << power) as i64
            }
            _ => TURN,
        };
    }

    /// Instructions that the running thread executes one by one now; 0: it runs.
    pub(crate) fn steps(&self) -> i64 {
        self.stepping.map_or(0, |stepping| i64::from(stepping.left))
    }

    /// Whether the running thread is about to be stopped after the next place where goroutines meet.
    pub(crate) fn aims(&self) -> bool {
        self.stepping.is_some_and(|stepping| stepping.aims)
    }

    /// The instruction that comes next is such a place: the thread is stopped after it.
    pub(crate) fn aimed(&mut self) {
        if let Some(stepping) = &mut self.stepping {
            stepping.steps -= stepping.left.saturating_sub(1);
            (stepping.left, stepping.aims) = (1, false);
        }
    }

    /// Whether a thread is to find work before others go on.
    fn searches(&self, place: &Place) -> bool {
        let gave_way = |(thread, at): &(u32, u64)| *thread == place.thread && self.contended - at < self.way;
        place.goroutine == 0 && !self.gave_way.iter().any(gave_way)
    }

    /// Instructions until the turn may be over.
    pub(crate) fn slice(&self, place: Place, ready: &[Place]) -> i64 {
        if self.stepping.is_some() {
            return self.steps().max(1);
        }
        if self.searching && !ready.is_empty() {
            return LOOK.min(self.left).max(1);
        }
        let planned = self.plan.next(place).map_or(i64::MAX, |at| until(at, place.ran)).max(1);
        if ready.is_empty() {
            return planned;
        }
        if ready.iter().any(|other| self.outranks(other, &place)) {
            return 1;
        }
        let point = self.points.last().map_or(i64::MAX, |at| until(*at, self.contended));
        let way = self
            .gave_way
            .last()
            .map_or(i64::MAX, |(_, at)| until(at.saturating_add(self.way), self.contended).max(1));
        self.left.min(point).min(planned).min(way).max(1)
    }

    /// Whether a thread that can run goes before the running one.
    fn outranks(&self, other: &Place, running: &Place) -> bool {
        // One that was not seen yet is looked at.
        let of = |place: &Place| self.priorities.known(place.goroutine).unwrap_or(i64::MAX);
        let by_priority = || matches!(self.strategy, Strategy::Pct { .. }) && of(other) > of(running);
        self.searches(other) || (other.goroutine != 0 && by_priority())
    }

    /// Counts executed instructions.
    pub(crate) fn ran(&mut self, instructions: i64, contended: bool) {
        if let Some(stepping) = &mut self.stepping {
            stepping.left = stepping.left.saturating_sub(u32::try_from(instructions).unwrap_or(u32::MAX));
        }
        if contended {
            self.left = self.left.saturating_sub(instructions);
            self.contended = self.contended.saturating_add(instructions.unsigned_abs());
        }
    }

    /// A slice is over.
    pub(crate) fn turn(&mut self, place: Place, ready: &[Place]) -> Turn {
        self.priorities.spend(place.goroutine, self.contended);
        if let Some(Stepping { at, steps, left, .. }) = self.stepping {
            if left > 0 {
                return Turn::GoOn;
            }
            self.stepping = None;
            return self.stop(Place { ran: at, ..place }, steps, ready);
        }
        if ready.is_empty() {
            return self.planned(place, ready).unwrap_or(Turn::GoOn);
        }
        if self.searching {
            if place.goroutine == 0 && self.left > 0 {
                return Turn::GoOn;
            }
            // It has found work, or takes too long: choose the next thread.
            self.searching = false;
            return self.decide(place, ready);
        }
        if let Some(at) = ready.iter().position(|other| self.searches(other)) {
            self.interrupted = Some(place.thread);
            return Turn::Switch(at);
        }
        if let Some(turn) = self.planned(place, ready) {
            return turn;
        }
        if !self.is_due(place, ready) {
            return Turn::GoOn;
        }
        if self.focuses && !place.in_own && self.put_off < PUT_OFF {
            self.put_off += 1;
            return Turn::GoOn;
        }
        self.put_off = 0;
        if self.aims && place.in_own && self.below(2) == 0 {
            let steps = WAY_TO_MEETING;
            self.stepping = Some(Stepping { at: place.ran, steps, left: steps, aims: true });
            return Turn::GoOn;
        }
        let steps = self.below(2 * STEPS).saturating_sub(STEPS) as u32;
        self.stop_after(place, steps, ready)
    }

    /// What a plan has for this place; of another strategy, nothing.
    fn planned(&mut self, place: Place, ready: &[Place]) -> Option<Turn> {
        if !matches!(self.strategy, Strategy::Replay(_)) {
            return None;
        }
        Some(match self.plan.steps(place) {
            Some(steps) => self.stop_after(place, steps, ready),
            None if self.left <= 0 && !ready.is_empty() => Turn::Switch(0),
            None => Turn::GoOn,
        })
    }

    fn stop_after(&mut self, place: Place, steps: u32, ready: &[Place]) -> Turn {
        if steps == 0 {
            return self.stop(place, 0, ready);
        }
        self.stepping = Some(Stepping { at: place.ran, steps, left: steps, aims: false });
        Turn::GoOn
    }

    /// A thread has found work: it goes on, or another does.
    fn decide(&mut self, place: Place, ready: &[Place]) -> Turn {
        let all: Vec<Place> = ready.iter().copied().chain([place]).collect();
        let at = self.choose(place, &all, false);
        if at == ready.len() {
            self.draw();
            return Turn::GoOn;
        }
        Turn::Switch(at)
    }

    /// Whether the running thread is to be stopped.
    fn is_due(&mut self, place: Place, ready: &[Place]) -> bool {
        let at_point = self.points.last().is_some_and(|at| *at <= self.contended);
        let due = self.left <= 0 || at_point;
        match self.strategy {
            Strategy::Pct { .. } => {
                if due && self.focuses && !place.in_own && self.put_off < PUT_OFF {
                    return true;
                }
                if due {
                    self.points.pop_if(|_| at_point);
                    self.priorities.lower(place.goroutine);
                    self.left = TURN;
                }
                let own = self.priority(place.goroutine);
                ready.iter().any(|other| self.priority(other.goroutine) > own)
            }
            _ => due,
        }
    }

    /// Stops the running thread, which executed so many instructions one by one after its place.
    fn stop(&mut self, place: Place, steps: u32, ready: &[Place]) -> Turn {
        let kind = match self.strategy {
            Strategy::Turns => return if ready.is_empty() { Turn::GoOn } else { Turn::Switch(0) },
            Strategy::Random => match self.below(STALLS) {
                0 => self.stall(),
                _ => self.switch_to_any(ready),
            },
            Strategy::Pct { .. } => self.first(ready).map(|to| Kind::Switch { to: ready[to].thread }),
            Strategy::Delay { .. } if self.points.last().is_some_and(|at| *at <= self.contended) => {
                self.points.pop();
                self.stall()
            }
            Strategy::Delay { .. } => ready.first().map(|to| Kind::Switch { to: to.thread }),
            Strategy::Replay(_) => self.plan.take_stop(place),
        };
        let Some(kind) = kind else { return Turn::GoOn };
        self.made.push(Decision { thread: place.thread, at: place.ran, steps, kind });
        match kind {
            Kind::Stall { nanoseconds } => Turn::Stall(nanoseconds),
            Kind::Switch { to } => match ready.iter().position(|other| other.thread == to) {
                Some(at) => Turn::Switch(at),
                None if ready.is_empty() => Turn::GoOn,
                None => Turn::Switch(0),
            },
            _ => Turn::GoOn,
        }
    }

    fn stall(&mut self) -> Option<Kind> {
        let power = 10 + self.below(16);
        Some(Kind::Stall { nanoseconds: (1 << power) + self.below(1 << power) })
    }

    fn switch_to_any(&mut self, ready: &[Place]) -> Option<Kind> {
        let at = self.below(ready.len() as u64) as usize;
        ready.get(at).map(|to| Kind::Switch { to: to.thread })
    }

    /// The thread whose goroutine has the highest priority.
    fn first(&mut self, ready: &[Place]) -> Option<usize> {
        let priorities: Vec<i64> = ready.iter().map(|place| self.priority(place.goroutine)).collect();
        (0..ready.len()).max_by_key(|&at| priorities[at])
    }

    fn priority(&mut self, goroutine: u64) -> i64 {
        if goroutine == 0 {
            return i64::MAX;
        }
        if let Some(known) = self.priorities.known(goroutine) {
            return known;
        }
        let priority = (self.next() >> 1) as i64;
        self.priorities.give(goroutine, priority);
        priority
    }

    /// The running thread waits, has ended, gives way or has found work: which of these runs. What looks for work does so first; then,
    /// where nothing else is decided, the thread that was stopped for that.
    pub(crate) fn choose(&mut self, place: Place, ready: &[Place], gives_way: bool) -> usize {
        self.priorities.spend(place.goroutine, self.contended);
        if gives_way {
            self.gave_way.push((place.thread, self.contended));
            if matches!(self.strategy, Strategy::Pct { .. }) && place.goroutine != 0 {
                self.priorities.lower(place.goroutine);
            }
        }
        if let Some(at) = ready.iter().position(|other| other.thread != place.thread && self.searches(other))
        {
            return at;
        }
        let usual = self
            .interrupted
            .and_then(|thread| ready.iter().position(|other| other.thread == thread))
            .unwrap_or(0);
        let at = match self.strategy {
            Strategy::Turns | Strategy::Delay { .. } => usual,
            Strategy::Random => self.below(ready.len() as u64) as usize,
            Strategy::Pct { .. } => self.first(ready).unwrap_or(usual),
            Strategy::Replay(_) => self.plan.choice(place, ready).unwrap_or(usual),
        };
        if at != usual {
            let kind = Kind::Choose { to: ready[at].thread };
            self.made.push(Decision { thread: place.thread, at: place.ran, steps: 0, kind });
        }
        at
    }

    /// Which of several waiting threads is woken.
    pub(crate) fn wake(&mut self, place: Place, waiting: &[u32]) -> usize {
        let at = match self.strategy {
            Strategy::Turns => 0,
            Strategy::Replay(_) => self.plan.woken(place, waiting).unwrap_or(0),
            _ => self.below(waiting.len() as u64) as usize,
        };
        if at != 0 {
            self.made.push(Decision {
                thread: place.thread,
                at: place.ran,
                steps: 0,
                kind: Kind::Wake { thread: waiting[at] },
            });
        }
        at
    }

    /// By how many nanoseconds all sleep too long, so that times that are close come together.
    pub(crate) fn late(&mut self, place: Place) -> u64 {
        let nanoseconds = match self.strategy {
            Strategy::Turns => 0,
            Strategy::Replay(_) => self.plan.late(place).unwrap_or(0),
            _ => match self.below(2) {
                0 => 0,
                _ => self.below(LATE),
            },
        };
        if nanoseconds != 0 {
            self.made.push(Decision {
                thread: place.thread,
                at: place.ran,
                steps: 0,
                kind: Kind::Late { nanoseconds },
            });
        }
        nanoseconds
    }
}

fn until(at: u64, now: u64) -> i64 {
    i64::try_from(at.saturating_sub(now)).unwrap_or(i64::MAX)
}

impl Strategy {
    /// One that makes these decisions, and the usual ones between them.
    pub fn replay(decisions: impl Into<Arc<[Decision]>>) -> Strategy {
        Strategy::Replay(decisions.into())
    }
}

//! Decisions as data. A place is a thread and how many instructions it has executed: so a decision keeps its meaning where others are
//! left out.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;

use super::Place;

/// Something that a schedule has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decision {
    /// The thread that ran.
    pub thread: u32,
    /// Instructions that it had executed.
    pub at: u64,
    /// Instructions that it executed one by one after those.
    pub steps: u32,
    /// What was decided.
    pub kind: Kind,
}

/// What a schedule decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The thread was stopped, though it could have gone on, and another ran.
    Switch {
        /// That one.
        to: u32,
    },
    /// The thread was stopped for so long.
    Stall {
        /// Nanoseconds of virtual time.
        nanoseconds: u64,
    },
    /// The thread could not go on, and another ran that is not the next in order.
    Choose {
        /// That one.
        to: u32,
    },
    /// The thread woke another than the first that waited.
    Wake {
        /// That one.
        thread: u32,
    },
    /// All threads slept, and woke so much later than the first of them wanted.
    Late {
        /// Nanoseconds of virtual time.
        nanoseconds: u64,
    },
}

impl Kind {
    /// Whether a thread was stopped that could have gone on.
    pub fn is_preemption(self) -> bool {
        matches!(self, Kind::Switch { .. } | Kind::Stall { .. })
    }

    fn class(self) -> Class {
        match self {
            Kind::Switch { .. } | Kind::Stall { .. } => Class::Stop,
            Kind::Choose { .. } => Class::Choose,
            Kind::Wake { .. } => Class::Wake,
            Kind::Late { .. } => Class::Late,
        }
    }
}

/// Decisions that are looked for at the same places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Stop,
    Choose,
    Wake,
    Late,
}

/// Decisions that wait for their places.
#[derive(Clone, Debug, Default)]
pub(super) struct Plan {
    waiting: BTreeMap<(u32, Class), VecDeque<Decision>>,
}

impl Plan {
    pub(super) fn new(decisions: &[Decision]) -> Plan {
        let mut plan = Plan::default();
        for decision in decisions {
            plan.waiting.entry((decision.thread, decision.kind.class())).or_default().push_back(*decision);
        }
        for waiting in plan.waiting.values_mut() {
            waiting.make_contiguous().sort_by_key(|decision| decision.at);
        }
        plan
    }

    /// Where the thread is to be stopped next.
    pub(super) fn next(&self, place: Place) -> Option<u64> {
        let stops = self.waiting.get(&(place.thread, Class::Stop))?;
        stops.iter().map(|stop| stop.at).find(|at| *at >= place.ran)
    }

    /// The steps of the stop at this place.
    pub(super) fn steps(&mut self, place: Place) -> Option<u32> {
        let stops = self.waiting.get_mut(&(place.thread, Class::Stop))?;
        // The thread has waited where it was to go on.
        while stops.pop_front_if(|stop| stop.at < place.ran).is_some() {}
        stops.front().filter(|stop| stop.at == place.ran).map(|stop| stop.steps)
    }

    pub(super) fn take_stop(&mut self, place: Place) -> Option<Kind> {
        self.take(place, Class::Stop)
    }

    pub(super) fn choice(&mut self, place: Place, ready: &[Place]) -> Option<usize> {
        match self.take(place, Class::Choose)? {
            Kind::Choose { to } => ready.iter().position(|other| other.thread == to),
            _ => None,
        }
    }

    pub(super) fn woken(&mut self, place: Place, waiting: &[u32]) -> Option<usize> {
        match self.take(place, Class::Wake)? {
            Kind::Wake { thread } => waiting.iter().position(|other| *other == thread),
            _ => None,
        }
    }

    pub(super) fn late(&mut self, place: Place) -> Option<u64> {
        match self.take(place, Class::Late)? {
            Kind::Late { nanoseconds } => Some(nanoseconds),
            _ => None,
        }
    }

    fn take(&mut self, place: Place, class: Class) -> Option<Kind> {
        let waiting = self.waiting.get_mut(&(place.thread, class))?;
        while waiting.pop_front_if(|decision| decision.at < place.ran).is_some() {}
        waiting.pop_front_if(|decision| decision.at == place.ran).map(|decision| decision.kind)
    }
}

impl fmt::Display for Decision {
    /// `thread 3 at 1200+4 switch 5`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, number) = match self.kind {
            Kind::Switch { to } => ("switch", u64::from(to)),
            Kind::Stall { nanoseconds } => ("stall", nanoseconds),
            Kind::Choose { to } => ("choose", u64::from(to)),
            Kind::Wake { thread } => ("wake", u64::from(thread)),
            Kind::Late { nanoseconds } => ("late", nanoseconds),
        };
        write!(f, "thread {} at {}+{} {word} {number}", self.thread, self.at, self.steps)
    }
}

impl FromStr for Decision {
    type Err = String;

    fn from_str(line: &str) -> Result<Decision, String> {
        parse(line).ok_or_else(|| format!("{line:?} is no decision, as in: thread 3 at 1200+4 switch 5"))
    }
}

fn parse(line: &str) -> Option<Decision> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let ["thread", thread, "at", place, word, number] = words[..] else { return None };
    let (at, steps) = place.split_once('+')?;
    let nanoseconds: u64 = number.parse().ok()?;
    let other = u32::try_from(nanoseconds);
    let kind = match word {
        "switch" => Kind::Switch { to: other.ok()? },
        "stall" => Kind::Stall { nanoseconds },
        "choose" => Kind::Choose { to: other.ok()? },
        "wake" => Kind::Wake { thread: other.ok()? },
        "late" => Kind::Late { nanoseconds },
        _ => return None,
    };
    let steps: u32 = steps.parse().ok().filter(|steps| *steps <= 1 << 16)?;
    Some(Decision { thread: thread.parse().ok()?, at: at.parse().ok()?, steps, kind })
}

#[cfg(test)]
mod tests {
    use super::Decision;

    #[test]
    fn decisions_are_lines() {
        for line in ["thread 3 at 1200+4 switch 5", "thread 1 at 0+0 stall 4096", "thread 2 at 7+0 late 1"] {
            assert_eq!(line.parse::<Decision>().unwrap().to_string(), line);
        }
        for line in
            ["", "thread 3", "thread x at 1+0 switch 5", "thread 3 at 1200 switch 5", "thread 3 at 1+0 go 5"]
        {
            assert!(line.parse::<Decision>().is_err(), "{line}");
        }
    }
}

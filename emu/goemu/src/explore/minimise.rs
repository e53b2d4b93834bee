//! Making the schedule of a failure smaller: decisions are left out as long as the failure stays.

use std::time::{Duration, Instant};

use super::outcomes::RunId;
use super::{Distinct, How, how};
use crate::error::Error;
use crate::machine::Machine;
use crate::program::{Decision, Strategy};

/// A schedule in which a failure needs what is left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Minimal {
    /// The run that it was made of.
    pub of: RunId,
    /// The decisions that are left.
    pub decisions: Vec<Decision>,
    /// How often a thread was stopped in the run, and how often now.
    pub preemptions: (usize, usize),
    /// Runs that this took.
    pub runs: usize,
    /// Whether leaving out any one of them makes the failure go away; time may not have been enough to know.
    pub complete: bool,
}

/// Looks for the smallest schedule in which the same is seen, for so many runs and so long at most. `None` where the decisions of the run do
/// not repeat it.
///
/// # Errors
/// The program cannot be run.
pub fn minimise(
    machine: &mut Machine,
    failure: &Distinct,
    runs: usize,
    time: Duration,
) -> Result<Option<Minimal>, Error> {
    let leaks = failure.seen.kind == super::SeenKind::Leak || super::seen::is_test(machine.image());
    let how = how(machine, std::slice::from_ref(&failure.first.strategy), Some(leaks))?;
    let whole = how.run(machine, &failure.first);
    let deadline = Instant::now() + time;
    let mut search = Search { machine, how, failure, runs: 0, most: runs, deadline };
    if !search.fails(&whole.decisions) {
        return Ok(None);
    }
    let before = preemptions(&whole.decisions);
    let (mut stops, mut others): (Vec<_>, Vec<_>) =
        whole.decisions.into_iter().partition(|one| one.kind.is_preemption());
    // What is not a stop is often not needed at all.
    if search.fails(&stops) {
        others.clear();
    }
    search.smaller(&mut stops, &others);
    search.smaller(&mut others, &stops);
    if !others.is_empty() {
        search.smaller(&mut stops, &others);
    }
    let complete = !search.is_over();
    let decisions = join(&stops, &others);
    Ok(Some(Minimal {
        of: failure.first.clone(),
        preemptions: (before, preemptions(&decisions)),
        decisions,
        runs: search.runs,
        complete,
    }))
}

fn preemptions(decisions: &[Decision]) -> usize {
    decisions.iter().filter(|one| one.kind.is_preemption()).count()
}

fn join(some: &[Decision], others: &[Decision]) -> Vec<Decision> {
    some.iter().chain(others).copied().collect()
}

struct Search<'m> {
    machine: &'m mut Machine,
    how: How,
    failure: &'m Distinct,
    runs: usize,
    most: usize,
    deadline: Instant,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.runs >= self.most || Instant::now() >= self.deadline
    }

    /// Whether the same is seen with these decisions.
    fn fails(&mut self, decisions: &[Decision]) -> bool {
        self.runs += 1;
        let id = RunId { seed: self.failure.first.seed, strategy: Strategy::replay(decisions) };
        let seen = self.how.run(self.machine, &id).seen;
        seen.iter().any(|seen| seen.kind == self.failure.seen.kind && seen.key == self.failure.seen.key)
    }

    /// Leaves out pieces of `some`, large ones first, as long as it fails together with `others`.
    fn smaller(&mut self, some: &mut Vec<Decision>, others: &[Decision]) {
        let mut size = some.len();
        while size > 0 {
            let (mut from, before) = (0, some.len());
            while from < some.len() {
                if self.is_over() {
                    return;
                }
                let upto = (from + size).min(some.len());
                let mut fewer = some.clone();
                fewer.drain(from..upto);
                if self.fails(&join(&fewer, others)) {
                    *some = fewer;
                } else {
                    from = upto;
                }
            }
            // Pieces of one are tried until none can be left out.
            size = if size > 1 { size.div_ceil(2) } else { usize::from(some.len() < before) };
        }
    }
}

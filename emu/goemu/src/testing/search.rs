//! The search for arguments for which a check fails, and for smaller ones.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::check::{Check, Checked, Progress};
use super::finding::Finding;
use super::parts::Part;
use super::runner::{Failure, Ran, Runner, State};
use crate::error::Error;
use crate::go::value::Value;
use crate::machine::Machine;
use crate::values::{Maker, shrink};

/// Runs that may not be counted for each that is wanted, because an assumption does not hold.
const DISCARDED: u64 = 20;
/// The first runs: if no call of them can be served, none will be.
const FIRST: u64 = 40;
/// How often somebody is told of the progress.
const TICK: Duration = Duration::from_millis(100);

/// The search for arguments that fail.
pub(super) struct Search<'s, W> {
    check: &'s Check,
    machine: &'s mut Machine,
    runner: Runner<'s>,
    watch: W,
    began: Instant,
    last_progress: Instant,
    done: Checked,
}

impl<'s, W: FnMut(Progress) -> ControlFlow<()>> Search<'s, W> {
    pub(super) fn new(check: &'s Check, machine: &'s mut Machine, watch: W) -> Search<'s, W> {
        let now = Instant::now();
        let done = Checked {
            runs: 0,
            discarded: 0,
            unserved: 0,
            refusal: None,
            finding: None,
            complete: false,
            elapsed: Duration::ZERO,
        };
        Search { check, machine, runner: Runner::new(check), watch, began: now, last_progress: now, done }
    }

    /// Searches in these parts, one after the other.
    pub(super) fn run(mut self, parts: impl Iterator<Item = Part>) -> Result<Checked, Error> {
        for part in parts {
            if self.part(part)? {
                return Ok(self.ended());
            }
        }
        self.done.complete = true;
        Ok(self.ended())
    }

    /// Searches in one part. Whether that was the last.
    fn part(&mut self, part: Part) -> Result<bool, Error> {
        let mut random = part.random(self.machine.config().seed);
        let end = self.done.runs.saturating_add(part.runs);
        let most = part.runs.saturating_mul(DISCARDED).max(part.runs);
        let mut tries = 0;
        while self.done.runs < end && tries < most {
            let size = part.size(tries, &mut random);
            let args = self.check.subject.make(&mut random, size);
            tries += 1;
            if !self.check.subject.allows(&args) {
                self.done.discarded += 1;
                continue;
            }
            if self.tick(false) || self.one(args, part.is_first())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn only(&mut self, args: &[Value]) -> Result<Checked, Error> {
        self.done.runs = 1;
        self.done.complete = true;
        if let Ran::Failed(failure) = self.runner.once(self.machine, args)? {
            let finding = self.finding(args.to_vec(), *failure, 0, false)?;
            self.done.finding = Some(finding);
        }
        self.done.elapsed = self.began.elapsed();
        Ok(self.done.clone())
    }

    /// The finding of arguments that fail.
    pub(super) fn found(mut self, args: &[Value], runs: u64) -> Result<Option<Finding>, Error> {
        self.done.runs = runs;
        match self.runner.once(self.machine, args)? {
            Ran::Failed(failure) => self.shrunk(args.to_vec(), *failure).map(Some),
            _ => Ok(None),
        }
    }

    fn ended(mut self) -> Checked {
        // A watcher that adds up several searches needs the last runs, too.
        let _ = self.tell(false);
        self.done.elapsed = self.began.elapsed();
        self.done
    }

    /// Tries one set of arguments. Whether that was the last.
    fn one(&mut self, args: Vec<Value>, first: bool) -> Result<bool, Error> {
        match self.runner.once(self.machine, &args) {
            Ok(Ran::Held) => self.done.runs += 1,
            Ok(Ran::Discarded) => self.done.discarded += 1,
            Ok(Ran::Interrupted) => return Ok(true),
            Ok(Ran::Failed(failure)) => {
                self.done.runs += 1;
                self.done.complete = true;
                let finding = self.shrunk(args, *failure)?;
                self.done.finding = Some(finding);
                return Ok(true);
            }
            Err(error) => {
                self.done.unserved += 1;
                if first && self.done.runs == 0 && self.done.unserved >= FIRST {
                    return Err(error);
                }
                self.done.refusal = Some(error.to_string());
            }
        }
        Ok(false)
    }

    /// Tells of the progress, if it is time. Whether that is to be the end.
    fn tick(&mut self, shrinking: bool) -> bool {
        if self.last_progress.elapsed() < TICK {
            return false;
        }
        self.tell(shrinking).is_break()
    }

    fn tell(&mut self, shrinking: bool) -> ControlFlow<()> {
        self.last_progress = Instant::now();
        (self.watch)(Progress { runs: self.done.runs, shrinking, elapsed: self.began.elapsed() })
    }

    /// The finding of a failure, with arguments as small as can be.
    fn shrunk(&mut self, args: Vec<Value>, failure: Failure) -> Result<Finding, Error> {
        let makers: Vec<Maker> =
            self.check.subject.inputs().iter().map(|input| input.maker.clone()).collect();
        let mut latest = failure.clone();
        let mut stopped = false;
        let shrunk = shrink(&makers, args, self.check.max_shrinks, |args| {
            stopped = stopped || self.tick(true);
            if stopped || !self.check.subject.allows(args) {
                return Ok(false);
            }
            match self.runner.once(self.machine, args) {
                Ok(Ran::Failed(now)) if now.key == failure.key => {
                    latest = *now;
                    Ok(true)
                }
                // What cannot be served is no failure.
                Ok(_) | Err(_) => Ok::<_, Error>(false),
            }
        })?;
        self.finding(shrunk.args, latest, shrunk.tries, shrunk.minimal && !stopped)
    }

    fn finding(
        &mut self,
        args: Vec<Value>,
        failure: Failure,
        shrinks: usize,
        minimal: bool,
    ) -> Result<Finding, Error> {
        let flaky = self.flaky(&args, &failure)?;
        let seed = self.machine.config().seed;
        let finding = self.check.finding_of(&args, &failure, self.done.runs);
        Ok(Finding { flaky, seed, shrinks, minimal, ..finding })
    }

    /// Whether the failure depends on chance: with other seeds, which change the order of maps and of goroutines, it does not
    /// happen.
    fn flaky(&mut self, args: &[Value], failure: &Failure) -> Result<Option<String>, Error> {
        let seed = self.machine.config().seed;
        for other in [seed.wrapping_add(1), seed.wrapping_add(2)] {
            let mut machine = State::machine(failure.state, self.machine, other)?;
            let ran = Runner::new(self.check).once(&mut machine, args);
            if !matches!(ran, Ok(Ran::Failed(now)) if now.property == failure.property) {
                return Ok(Some(format!("it depends on chance: with seed {other} it does not happen")));
            }
        }
        Ok(None)
    }
}

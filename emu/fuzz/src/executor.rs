//! One call as an execution of LibAFL: edges are looked at, failures are told apart.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use goemu::coverage::Coverage;
use goemu::machine::Interrupt;
use goemu::testing::{Failure, Runner};
use goemu::{Image, Machine, Value};
use libafl::Error;
use libafl::executors::{Executor, ExitKind, HasObservers};
use libafl::feedbacks::{Feedback, StateInitializer};
use libafl_bolts::Named;
use libafl_bolts::tuples::RefIndexable;

use crate::input::Args;
use crate::{Shared, lock};

/// Calls of which at least one must be served.
const FIRST: u64 = 100;

/// Calls the function.
pub(crate) struct Target<'c> {
    shared: &'c Shared,
    runner: Runner<'c>,
    pub(crate) machine: &'c mut Machine,
    coverage: Arc<Coverage>,
    /// Where all calls are counted, and the number there of each edge here.
    all: Option<(Arc<Coverage>, Vec<Option<u32>>)>,
    /// For each edge, how often it was taken in one call, so far: a bit for a range of numbers.
    seen: Vec<u8>,
    novel: Rc<Cell<bool>>,
    /// Failures of a new kind since somebody looked.
    pub(crate) failures: Vec<(Vec<Value>, Failure)>,
    served: u64,
    observers: (),
}

impl<'c> Target<'c> {
    pub(crate) fn new(shared: &'c Shared, machine: &'c mut Machine, novel: Rc<Cell<bool>>) -> Target<'c> {
        let package = goemu::go::names::package(shared.check.subject().name());
        let coverage = Arc::new(Coverage::within(ranges(machine.image(), package)));
        shared.check.prepare(machine);
        machine.set_coverage(Some(Arc::clone(&coverage)));
        let (seen, failures) = (Vec::new(), Vec::new());
        let runner = Runner::new(&shared.check);
        let all = shared.options.cover.clone().map(|all| (all, Vec::new()));
        Target { shared, runner, machine, coverage, all, seen, novel, failures, served: 0, observers: () }
    }

    /// Calls the function once: how that ended, and whether it took an edge as never before.
    fn call(&mut self, args: &[Value]) -> Result<ExitKind, Error> {
        self.shared.runs.fetch_add(1, Ordering::Relaxed);
        self.novel.set(false);
        match self.runner.test(self.machine, args) {
            Ok(None) => {
                self.served += 1;
                let novel = self.look();
                self.novel.set(novel);
                Ok(ExitKind::Ok)
            }
            Ok(Some(failure)) => {
                self.served += 1;
                self.look();
                if !lock(&self.shared.keys).insert(failure.key.clone()) {
                    return Ok(ExitKind::Ok);
                }
                self.failures.push((args.to_vec(), failure));
                Ok(ExitKind::Crash)
            }
            Err(error) => {
                self.coverage.clear();
                let unserved = self.shared.unserved.fetch_add(1, Ordering::Relaxed);
                if self.served == 0 && unserved >= FIRST {
                    return Err(Error::unknown(error.to_string()));
                }
                Ok(ExitKind::Ok)
            }
        }
    }

    /// Notes the edges of the last call; whether there was something new.
    fn look(&mut self) -> bool {
        let (seen, mut novel) = (&mut self.seen, false);
        let (coverage, all) = (&self.coverage, &mut self.all);
        coverage.drain(|edge, count| {
            if let Some((all, numbers)) = all {
                add(coverage, edge, count, all, numbers);
            }
            if edge >= seen.len() {
                seen.resize(edge + 1, 0);
            }
            let bit = bucket(count);
            if let Some(bits) = seen.get_mut(edge).filter(|bits| **bits & bit == 0) {
                *bits |= bit;
                novel = true;
            }
        });
        if novel {
            self.shared.edges.fetch_max(seen.iter().filter(|bits| **bits != 0).count(), Ordering::Relaxed);
        }
        novel
    }

    /// Does something with the machine that is not to count.
    pub(crate) fn uncounted<T>(&mut self, act: impl FnOnce(&mut Machine) -> T) -> T {
        self.machine.set_coverage(None);
        let done = act(self.machine);
        self.shared.check.prepare(self.machine);
        self.machine.set_coverage(Some(Arc::clone(&self.coverage)));
        done
    }

    /// The edges that a call of these arguments takes, each with the range of its count; `None` where it fails or has to end.
    pub(crate) fn trace(&mut self, args: &[Value]) -> Option<Vec<(usize, u8)>> {
        let held = matches!(self.runner.test(self.machine, args), Ok(None));
        let mut edges = Vec::new();
        self.coverage.drain(|edge, count| edges.push((edge, bucket(count))));
        held.then_some(edges)
    }

    /// Lets calls end at this time, and not by the interrupt that has ended the search.
    pub(crate) fn end_at(&mut self, until: Instant) {
        self.machine.set_interrupt(Interrupt::default());
        self.machine.set_deadline(Some(until));
    }
}

/// Adds the count of an edge to those of all jobs.
fn add(coverage: &Coverage, edge: usize, count: u64, all: &Coverage, numbers: &mut Vec<Option<u32>>) {
    // Edges are numbered as they come.
    while numbers.len() <= edge {
        numbers.push(coverage.edge(numbers.len()).and_then(|edge| all.number(edge)));
    }
    if let Some(counter) = numbers.get(edge).copied().flatten().and_then(|number| all.counter(number)) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}

/// A bit for a range of counts, as AFL has them.
fn bucket(count: u64) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        _ => 128,
    }
}

/// The code whose edges count: all but Go's runtime, which takes other ways for reasons of its own.
fn ranges(image: &Image, package: &str) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for func in image.funcs() {
        let of = goemu::go::names::package(func.name());
        let runtime = (of == "runtime" || of.starts_with("runtime/") || of.starts_with("internal/runtime"))
            && of != package;
        if runtime {
            continue;
        }
        match ranges.last_mut().filter(|last| last.end >= func.entry()) {
            Some(last) => last.end = last.end.max(func.end()),
            None => ranges.push(func.entry()..func.end()),
        }
    }
    ranges
}

impl<EM, S, Z> Executor<EM, Args, S, Z> for Target<'_> {
    fn run_target(&mut self, _: &mut Z, _: &mut S, _: &mut EM, input: &Args) -> Result<ExitKind, Error> {
        if self.shared.is_over() {
            self.novel.set(false);
            return Ok(ExitKind::Ok);
        }
        self.call(&input.0)
    }
}

impl HasObservers for Target<'_> {
    type Observers = ();

    fn observers(&self) -> RefIndexable<&(), ()> {
        RefIndexable::from(&self.observers)
    }

    fn observers_mut(&mut self) -> RefIndexable<&mut (), ()> {
        RefIndexable::from(&mut self.observers)
    }
}

/// What the target saw of the last call: something new is interesting.
pub(crate) struct Novel(pub(crate) Rc<Cell<bool>>);

impl Named for Novel {
    fn name(&self) -> &Cow<'static, str> {
        static NAME: Cow<'static, str> = Cow::Borrowed("edges");
        &NAME
    }
}

impl<S> StateInitializer<S> for Novel {}

impl<EM, OT, S> Feedback<EM, Args, OT, S> for Novel {
    fn is_interesting(
        &mut self,
        _: &mut S,
        _: &mut EM,
        _: &Args,
        _: &OT,
        _: &ExitKind,
    ) -> Result<bool, Error> {
        Ok(self.0.get())
    }
}

//! A function, and what is to hold of it.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::finding::Finding;
use super::gotest;
use super::parts::{Counted, Joined, Joining, Part, Tally};
use super::property::{Property, Rule, function};
use super::runner::Failure;
use super::search::Search;
use super::subject::Subject;
use crate::call::function::Function;
use crate::error::Error;
use crate::go::generic;
use crate::go::read::ReadOptions;
use crate::go::value::Value;
use crate::machine::Machine;
use crate::pool::Pool;

/// Runs that make a failure smaller, at most.
const SHRINKS: usize = 4000;

/// Whether a panic with this text is as it should be.
pub type Allowed = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A function and what is to hold of it.
#[derive(Clone)]
pub struct Check {
    pub(super) subject: Subject,
    pub(super) rules: Vec<Rule>,
    pub(super) assume: Option<Function>,
    pub(super) allowed: Option<Allowed>,
    pub(super) max_instructions: Option<u64>,
    pub(super) max_shrinks: usize,
}

impl fmt::Debug for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check")
            .field("subject", &self.subject)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Arguments that were tried.
    pub runs: u64,
    /// Whether a failure is being made smaller.
    pub shrinking: bool,
    /// How long it has taken.
    pub elapsed: Duration,
}

/// What came of a check.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Checked {
    /// Arguments that were tried.
    pub runs: u64,
    /// Arguments that an assumption did not hold for.
    pub discarded: u64,
    /// Calls that goemu could not serve, and why the last of them could not be.
    pub unserved: u64,
    /// Why the last of these could not be served.
    pub refusal: Option<String>,
    /// What was found.
    pub finding: Option<Finding>,
    /// Whether all runs were made, or something was found: no interrupt came.
    pub complete: bool,
    /// How long it took.
    pub elapsed: Duration,
}

impl Check {
    /// A check that a function returns; the signature, in Go syntax, where the program has none of it.
    ///
    /// # Errors
    /// When there is no such function, or it cannot be given values.
    pub fn new(machine: &Machine, func: &str, signature: Option<&str>) -> Result<Check, Error> {
        Ok(Check::of(Subject::new(machine, func, signature)?))
    }

    /// A check that this function returns.
    #[must_use]
    pub fn of(subject: Subject) -> Check {
        let (rules, max_shrinks) = (Vec::new(), SHRINKS);
        Check { subject, rules, assume: None, allowed: None, max_instructions: None, max_shrinks }
    }

    /// The same that also asks for a property.
    ///
    /// # Errors
    /// When the function cannot have it, or a function that it names is not there, or not of the types that are wanted.
    pub fn property(mut self, machine: &Machine, property: Property) -> Result<Check, Error> {
        let rule = Rule::new(machine, &mut self.subject, property)?;
        self.rules.push(rule);
        Ok(self)
    }

    /// The same that keeps an argument to what a text allows, see [`Subject::constrain`].
    ///
    /// # Errors
    /// When the text is no constraint.
    pub fn constrain(mut self, machine: &Machine, text: &str) -> Result<Check, Error> {
        self.subject.constrain(machine, text)?;
        Ok(self)
    }

    /// The same for arguments alone that a function of the program gives `true` for.
    ///
    /// # Errors
    /// When there is no such function, or it takes something else.
    pub fn assume(mut self, machine: &Machine, predicate: &str) -> Result<Check, Error> {
        let signature = self.subject.function().signature();
        let signature = signature.ok_or_else(|| Error::NoSignature(self.subject.name().to_owned()))?;
        let given = generic::without_dictionary(signature);
        let result =
            machine.function(predicate, None).ok().and_then(|f| f.signature().map(|s| s.results.clone()));
        self.assume = Some(function(machine, predicate, &given.params, &result.unwrap_or_default())?);
        Ok(self)
    }

    /// The same that lets the function panic with such texts.
    #[must_use]
    pub fn allow_panics(mut self, allowed: impl Fn(&str) -> bool + Send + Sync + 'static) -> Check {
        self.allowed = Some(Arc::new(allowed));
        self
    }

    /// The same for which more instructions are a failure.
    #[must_use]
    pub fn max_instructions(mut self, most: u64) -> Check {
        self.max_instructions = Some(most);
        self
    }

    /// The same with so many runs at most to make a failure smaller.
    #[must_use]
    pub fn max_shrinks(mut self, most: usize) -> Check {
        self.max_shrinks = most;
        self
    }

    /// The function, with all arguments that are made.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// How many of so many inputs are the function's own arguments.
    pub(super) fn own_count(&self, inputs: usize) -> usize {
        inputs.saturating_sub(self.rules.iter().filter(|rule| rule.ordered.is_some()).count())
    }

    /// Which argument of [`Property::Monotone`] grows, and the input that it grows to.
    pub(super) fn grown(&self) -> Option<(usize, usize)> {
        self.rules.iter().find_map(|rule| rule.ordered)
    }

    /// What is asked for beside that the function returns.
    pub fn properties(&self) -> impl Iterator<Item = &Property> {
        self.rules.iter().map(|rule| &rule.property)
    }

    /// Tries so many arguments, until something is found.
    ///
    /// # Errors
    /// When no call can be served.
    pub fn run(&self, machine: &mut Machine, runs: u64) -> Result<Checked, Error> {
        self.run_watched(machine, runs, |_| ControlFlow::Continue(()))
    }

    /// The same, and tells `watch` of the progress ten times a second. `Break` ends it.
    ///
    /// # Errors
    /// When no call can be served.
    pub fn run_watched(
        &self,
        machine: &mut Machine,
        runs: u64,
        watch: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Checked, Error> {
        let reading = machine.reading();
        machine.set_reading(self.reading(reading));
        let checked = machine.burst(|machine| Search::new(self, machine, watch).run(Part::all(runs)));
        machine.set_reading(reading);
        checked
    }

    /// The same on the machines of a pool, all at once: it finds what one machine would find. The pool's interrupt ends it, too.
    ///
    /// ```no_run
    /// use std::ops::ControlFlow;
    ///
    /// use goemu::pool::Pool;
    /// use goemu::testing::Check;
    /// use goemu::{Image, Machine};
    ///
    /// let machine = Machine::new(Image::open("program")?)?;
    /// let check = Check::new(&machine, "main.parse", None)?;
    /// let checked = check.run_on(&mut Pool::new(machine), 1_000_000, |_| ControlFlow::Continue(()))?;
    /// assert!(checked.finding.is_none(), "{}", checked.finding.unwrap());
    /// # Ok::<(), goemu::Error>(())
    /// ```
    ///
    /// # Errors
    /// When no call can be served, or the host refuses memory for the machines.
    pub fn run_on(
        &self,
        pool: &mut Pool,
        runs: u64,
        watch: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Checked, Error> {
        let (counted, interrupt) = (Counted::default(), pool.interrupt());
        let work = |machine: &mut Machine, part: Part| {
            let reading = machine.reading();
            self.prepare(machine);
            let checked = machine.burst(|machine| {
                Search::new(self, machine, counted.of_part(&interrupt)).run(std::iter::once(part))
            });
            machine.set_reading(reading);
            checked
        };
        let mut joined = Joined { counted: &counted, watch, add: Joining::add, all: Joining::default() };
        let ended = pool.run(Part::all(runs), work, &mut joined)?;
        let (all, complete) = joined.all.ended(ended)?;
        Ok(Checked { complete, elapsed: ended.elapsed, ..all })
    }

    /// Tries these arguments alone.
    ///
    /// # Errors
    /// When the call cannot be served.
    pub fn run_with(&self, machine: &mut Machine, args: &[Value]) -> Result<Checked, Error> {
        let reading = machine.reading();
        machine.set_reading(self.reading(reading));
        let mut search = Search::new(self, machine, |_| ControlFlow::Continue(()));
        let checked = search.only(args);
        machine.set_reading(reading);
        checked
    }

    /// The finding of arguments that fail, made as small as can be; `runs` is what it tells of how many were tried. `None` where
    /// they do not fail.
    ///
    /// # Errors
    /// When a call cannot be served.
    pub fn finding(
        &self,
        machine: &mut Machine,
        args: &[Value],
        runs: u64,
    ) -> Result<Option<Finding>, Error> {
        let reading = machine.reading();
        self.prepare(machine);
        let found = Search::new(self, machine, |_| ControlFlow::Continue(())).found(args, runs);
        machine.set_reading(reading);
        found
    }

    /// The finding of arguments that have failed so, as they are: nothing is run.
    #[must_use]
    pub fn finding_of(&self, args: &[Value], failure: &Failure, runs: u64) -> Finding {
        Finding {
            key: failure.key.clone(),
            input: self.subject.given(args),
            details: failure.details.clone(),
            traceback: failure.traceback.clone(),
            state: failure.state,
            runs,
            test: Some(gotest::write(self, args, failure)),
            ..Finding::new(self.subject.name(), &failure.property, &failure.what)
        }
    }

    /// Lets a machine read of values what a `Runner` of this check compares.
    pub fn prepare(&self, machine: &mut Machine) {
        machine.set_reading(self.reading(machine.reading()));
    }

    /// What is read of values: what is compared.
    pub(super) fn reading(&self, usual: ReadOptions) -> ReadOptions {
        let pure = self.rules.iter().any(|rule| rule.property == Property::Pure);
        ReadOptions { errors: usual.errors || !self.rules.is_empty(), arguments: pure, ..usual }
    }
}

impl Tally for Checked {
    fn runs(&self) -> u64 {
        self.runs
    }

    fn add(&mut self, part: &mut Checked) {
        self.runs += part.runs;
        self.discarded += part.discarded;
        self.unserved += part.unserved;
        self.refusal = part.refusal.take().or(self.refusal.take());
        self.complete = part.complete;
    }

    fn finding(&mut self) -> &mut Option<Finding> {
        &mut self.finding
    }
}

//! One run of a check: whether a function does, for some arguments, what is asked of it.

use std::cmp::Ordering;
use std::sync::Arc;

use super::check::Check;
use super::property::{Property, Rule, order};
use crate::error::Error;
use crate::go::value::{Interface, Value};
use crate::machine::{Config, Machine};
use crate::outcome::{Outcome, Report, Returned, Runtime};
use crate::values::{detached, same};

/// How often a function is called again to see whether it gives the same.
const AGAIN: usize = 4;

/// How a function failed for some arguments.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Failure {
    /// What was to hold.
    pub property: String,
    /// What happened instead.
    pub what: String,
    /// By which failures of one cause are told apart from others.
    pub key: String,
    /// What was seen, as names and texts.
    pub details: Vec<(String, String)>,
    /// The stacks, as Go prints them.
    pub traceback: Option<String>,
    /// The state of the machine, where a limit was reached and a call in another state may be within it.
    pub state: Option<State>,
}

/// What a call of a machine depends on, beside its arguments, where it comes close to a limit: what is in memory from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// What served the call.
    pub runtime: Runtime,
    /// Whether packages were initialised before it.
    pub initialised: bool,
}

impl State {
    /// The state that a machine has made this call in, if the call has reached a limit. Earlier calls may have changed it: one that
    /// needed package variables, or the program's own runtime.
    pub(super) fn of(machine: &Machine, report: &Report) -> Option<State> {
        let limited = matches!(
            report.outcome,
            Outcome::Exited { fatal: Some(_), .. }
                | Outcome::OutOfFuel { .. }
                | Outcome::OutOfTime
                | Outcome::OutputLimit { .. }
                | Outcome::MemoryLimit { .. }
        );
        limited.then(|| State { runtime: report.runtime, initialised: machine.is_initialised() })
    }

    /// A machine with another seed in this state.
    ///
    /// # Errors
    /// When it cannot be brought there.
    pub(super) fn machine(state: Option<State>, like: &Machine, seed: u64) -> Result<Machine, Error> {
        let mut config = Config { seed, ..like.config().clone() };
        if let Some(state) = state {
            config.runtime = Some(state.runtime);
        }
        let mut machine = Machine::with_config(Arc::clone(like.image()), config)?;
        if state.is_some_and(|state| state.initialised) {
            machine.ready_packages()?;
        }
        machine.set_reading(like.reading());
        Ok(machine)
    }
}

/// Runs a check for arguments that are given one after the other.
pub struct Runner<'c> {
    check: &'c Check,
    /// The same program with other chances.
    twin: Option<Box<Machine>>,
}

/// What came of one run.
pub(super) enum Ran {
    Held,
    Failed(Box<Failure>),
    /// An assumption does not hold.
    Discarded,
    /// Somebody wants it to end.
    Interrupted,
}

impl<'c> Runner<'c> {
    /// A runner of this check.
    #[must_use]
    pub fn new(check: &'c Check) -> Runner<'c> {
        Runner { check, twin: None }
    }

    /// How the function fails for these arguments, if it does.
    ///
    /// # Errors
    /// When a call cannot be served.
    pub fn test(&mut self, machine: &mut Machine, args: &[Value]) -> Result<Option<Failure>, Error> {
        match self.once(machine, args)? {
            Ran::Failed(failure) => Ok(Some(*failure)),
            _ => Ok(None),
        }
    }

    pub(super) fn once(&mut self, machine: &mut Machine, inputs: &[Value]) -> Result<Ran, Error> {
        let check = self.check;
        if let Some(assume) = &check.assume {
            let own = own(check, inputs);
            let report = assume.call(machine, own)?;
            if report.outcome.value() != Some(&Value::Bool(true)) {
                return Ok(Ran::Discarded);
            }
        }
        if check.rules.is_empty() && self.returns(machine, inputs) {
            return Ok(Ran::Held);
        }
        let report = check.subject.function().call(machine, own(check, inputs))?;
        if report.outcome.word() == "interrupted" {
            return Ok(Ran::Interrupted);
        }
        if let Some(failure) = check.ended(&report) {
            let same_as = check.rules.iter().any(|rule| matches!(rule.property, Property::SameAs(_)));
            // Both may panic: whether they do is what is compared.
            if !same_as || !matches!(report.outcome, Outcome::Panicked(_)) {
                let state = State::of(machine, &report);
                return Ok(Ran::Failed(Box::new(Failure { state, ..failure })));
            }
        }
        for rule in &check.rules {
            let failed = self.rule(machine, rule, inputs, &report)?;
            if let Some(failure) = failed {
                return Ok(Ran::Failed(Box::new(failure)));
            }
        }
        Ok(Ran::Held)
    }

    /// Whether it returns as it should, where that is all that is asked. If not, a call tells why.
    fn returns(&self, machine: &mut Machine, inputs: &[Value]) -> bool {
        let instructions = self.check.subject.function().returns(machine, inputs);
        instructions.is_some_and(|count| self.check.max_instructions.is_none_or(|most| count <= most))
    }

    fn rule(
        &mut self,
        machine: &mut Machine,
        rule: &Rule,
        inputs: &[Value],
        report: &Report,
    ) -> Result<Option<Failure>, Error> {
        let Property::SameAs(_) = rule.property else {
            let returned = matches!(report.outcome, Outcome::Returned(_));
            return if returned { self.of_results(machine, rule, inputs, report) } else { Ok(None) };
        };
        let Some(other) = &rule.other else { return Ok(None) };
        let again = other.call(machine, own(self.check, inputs))?;
        Ok((!same_outcomes(&report.outcome, &again.outcome)).then(|| {
            let details = vec![shown(self.check.subject.name(), report), shown(other.name(), &again)];
            let state = State::of(machine, &again);
            Failure { state, ..self.check.broken(rule, "the results differ".to_owned(), details) }
        }))
    }

    /// The properties of what is returned.
    fn of_results(
        &mut self,
        machine: &mut Machine,
        rule: &Rule,
        inputs: &[Value],
        report: &Report,
    ) -> Result<Option<Failure>, Error> {
        let check = self.check;
        let (args, function) = (own(check, inputs), check.subject.function());
        let broken = |what: &str, details| Ok(Some(check.broken(rule, what.to_owned(), details)));
        let first = || shown(check.subject.name(), report);
        if rule.property == Property::Pure {
            return self.pure(machine, rule, args, report);
        }
        if let (Property::Holds(_), Some(predicate)) = (&rule.property, &rule.other) {
            let results = report.outcome.values().unwrap_or_default();
            let results: Option<Vec<Value>> = results.into_iter().map(detached).collect();
            let Some(results) = results else { return Ok(None) };
            let all: Vec<Value> = args.iter().cloned().chain(results).collect();
            let held = predicate.call(machine, &all)?;
            return match held.outcome.value() {
                Some(Value::Bool(true)) => Ok(None),
                _ => broken("it does not hold", vec![first(), shown(predicate.name(), &held)]),
            };
        }
        // An error is no result.
        let Some(results) = results(&report.outcome) else { return Ok(None) };
        match (&rule.property, results.as_slice()) {
            (Property::Expect(text), [only]) => {
                let expected = rule.expected.first().is_some_and(|value| same(value, only));
                if expected { Ok(None) } else { broken(&format!("the result is not {text}"), vec![first()]) }
            }
            (Property::Inverse(_), results) => {
                let (Some(inverse), Some(results)) = (&rule.other, detach(results)) else { return Ok(None) };
                let back = inverse.call(machine, &results)?;
                let returned = self::results(&back.outcome);
                let same_again = returned.is_some_and(|values| {
                    values.len() == args.len() && values.iter().zip(args).all(|(back, arg)| same(arg, back))
                });
                if same_again {
                    Ok(None)
                } else {
                    broken("it is not undone", vec![first(), shown(inverse.name(), &back)])
                }
            }
            (Property::Idempotent, [only]) => {
                let Some(value) = detached(only) else { return Ok(None) };
                let again = function.call(machine, std::slice::from_ref(&value))?;
                let same_again = self::results(&again.outcome)
                    .is_some_and(|values| values.first().is_some_and(|v| same(only, v)));
                if same_again {
                    Ok(None)
                } else {
                    broken("twice is not once", vec![first(), second("twice", &again)])
                }
            }
            (Property::Commutes, _) => {
                let mut swapped = args.to_vec();
                let last = swapped.len().saturating_sub(2);
                swapped[last..].reverse();
                let other = function.call(machine, &swapped)?;
                let equal = same_outcomes(&report.outcome, &other.outcome);
                if equal {
                    Ok(None)
                } else {
                    broken("the order of the arguments matters", vec![first(), second("reversed", &other)])
                }
            }
            (Property::Monotone, _) => self.monotone(machine, rule, inputs, report),
            _ => Ok(None),
        }
    }

    fn monotone(
        &mut self,
        machine: &mut Machine,
        rule: &Rule,
        inputs: &[Value],
        report: &Report,
    ) -> Result<Option<Failure>, Error> {
        let Some((at, extra)) = rule.ordered else { return Ok(None) };
        let (Some(least), Some(most)) = (inputs.get(at), inputs.get(extra)) else { return Ok(None) };
        if order(least, most) != Some(Ordering::Less) {
            return Ok(None);
        }
        let mut args = own(self.check, inputs).to_vec();
        args[at] = most.clone();
        let other = self.check.subject.function().call(machine, &args)?;
        let (Some(low), Some(high)) = (results(&report.outcome), results(&other.outcome)) else {
            return Ok(None);
        };
        let (Some(low), Some(high)) = (low.first(), high.first()) else { return Ok(None) };
        if order(low, high) != Some(Ordering::Greater) {
            return Ok(None);
        }
        let details = vec![shown(self.check.subject.name(), report), second("of the greater one", &other)];
        Ok(Some(self.check.broken(rule, "the result gets smaller".to_owned(), details)))
    }

    fn pure(
        &mut self,
        machine: &mut Machine,
        rule: &Rule,
        args: &[Value],
        report: &Report,
    ) -> Result<Option<Failure>, Error> {
        let changed = args.iter().zip(&report.arguments).find(|(before, after)| !same(before, &after.value));
        if let Some((_, after)) = changed {
            let details = vec![(format!("{} afterwards", after.name), after.value.to_string())];
            return Ok(Some(self.check.broken(
                rule,
                format!("it changes its argument {}", after.name),
                details,
            )));
        }
        let function = self.check.subject.function();
        let again = function.call(self.twin(machine)?, args)?;
        if !same_outcomes(&report.outcome, &again.outcome) {
            let details = vec![shown(self.check.subject.name(), report), second("by another chance", &again)];
            return Ok(Some(self.check.broken(rule, "the result depends on chance".to_owned(), details)));
        }
        // More often, with what the calls before left in package variables: what depends on chance may be the same once.
        for _ in 0..AGAIN {
            if report.runtime != machine.runtime() {
                break;
            }
            let Ok(outcome) = function.again(machine, args) else { break };
            if same_outcomes(&report.outcome, &outcome) {
                continue;
            }
            let details =
                vec![shown(self.check.subject.name(), report), ("called again".to_owned(), text(&outcome))];
            let what = "called again, it gives something else".to_owned();
            return Ok(Some(self.check.broken(rule, what, details)));
        }
        Ok(None)
    }

    /// The same program with another seed.
    fn twin(&mut self, machine: &Machine) -> Result<&mut Machine, Error> {
        if self.twin.is_none() {
            let seed = machine.config().seed.wrapping_add(1);
            let config = Config { seed, ..machine.config().clone() };
            let mut twin = Machine::with_config(Arc::clone(machine.image()), config)?;
            twin.set_reading(machine.reading());
            self.twin = Some(Box::new(twin));
        }
        // It was made just now.
        self.twin.as_deref_mut().ok_or(Error::SessionOver)
    }
}

impl Check {
    /// Why it did not return as it should.
    fn ended(&self, report: &Report) -> Option<Failure> {
        let most = self.max_instructions.filter(|most| report.instructions > *most);
        if let (Outcome::Returned(_), Some(most)) = (&report.outcome, most) {
            let what = format!("{} instructions, more than {most}", report.instructions);
            let property = "max-instructions".to_owned();
            let key = property.clone();
            return Some(Failure { property, what, key, ..Failure::default() });
        }
        match &report.outcome {
            Outcome::Returned(_) => None,
            Outcome::Panicked(panic) if self.allowed.as_ref().is_some_and(|allowed| allowed(&panic.text)) => {
                None
            }
            outcome => Some(Failure::ended(outcome)),
        }
    }

    fn broken(&self, rule: &Rule, what: String, details: Vec<(String, String)>) -> Failure {
        let property = rule.property.name();
        Failure { key: property.clone(), property, what, details, ..Failure::default() }
    }
}

impl Failure {
    /// A call that did not return.
    #[must_use]
    pub fn ended(outcome: &Outcome) -> Failure {
        let what = match outcome {
            Outcome::OutOfFuel { limit } => {
                format!("it does not return within {limit} instructions")
            }
            other => other.to_string().replace('\n', " "),
        };
        let traceback = outcome.traceback().filter(|traceback| !traceback.is_empty());
        let text = traceback.map(ToString::to_string);
        Failure {
            property: "returns".to_owned(),
            key: key(outcome),
            what,
            traceback: text,
            ..Failure::default()
        }
    }
}

/// The kind of an outcome, without numbers, and the functions that the goroutine is in: those of the program, innermost first.
fn key(outcome: &Outcome) -> String {
    let text: String = outcome.to_string().chars().filter(|c| !c.is_ascii_digit()).take(80).collect();
    let text = if matches!(outcome, Outcome::OutOfFuel { .. }) { outcome.word().to_owned() } else { text };
    // What a panic was given may differ from input to input.
    let text = if text.starts_with("panic: runtime error") || !text.starts_with("panic: ") {
        text
    } else {
        "panic".to_owned()
    };
    let stack = outcome.traceback().and_then(|traceback| traceback.goroutines.first());
    let frames = stack.map(|stack| stack.frames.iter()).into_iter().flatten();
    let names = frames.filter(|frame| frame.func != "panic" && !frame.func.starts_with("runtime."));
    let mut key = text;
    for frame in names.take(3) {
        key.push_str(&format!(" {}:{}", frame.func, frame.line.line));
    }
    key
}

/// The arguments without those that properties add.
fn own<'a>(check: &Check, inputs: &'a [Value]) -> &'a [Value] {
    inputs.get(..check.own_count(inputs.len())).unwrap_or(inputs)
}

/// The results, without an error that is nil. `None` where there is an error, or nothing was returned.
fn results(outcome: &Outcome) -> Option<Vec<&Value>> {
    let Outcome::Returned(Returned::Values(named)) = outcome else { return None };
    let mut values: Vec<&Value> = named.iter().map(|named| &named.value).collect();
    if named.len() > 1 && named.last().is_some_and(|last| last.ty == "error") {
        match values.pop() {
            Some(Value::Nil(_)) => {}
            _ => return None,
        }
    }
    Some(values)
}

fn detach(values: &[&Value]) -> Option<Vec<Value>> {
    values.iter().map(|value| detached(value)).collect()
}

/// Whether two calls ended in the same: the same results, or panics of one text.
pub(super) fn same_outcomes(a: &Outcome, b: &Outcome) -> bool {
    match (a, b) {
        (Outcome::Panicked(a), Outcome::Panicked(b)) => a.text == b.text,
        (Outcome::Exited { code: a, .. }, Outcome::Exited { code: b, .. }) => a == b,
        _ => match (a.values(), b.values()) {
            (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
            (None, None) => a.word() == b.word(),
            _ => false,
        },
    }
}

/// What a function gave, for people.
pub(super) fn shown(name: &str, report: &Report) -> (String, String) {
    (name.to_owned(), text(&report.outcome))
}

fn second(name: &str, report: &Report) -> (String, String) {
    (name.to_owned(), text(&report.outcome))
}

pub(super) fn text(outcome: &Outcome) -> String {
    /// Characters of a result.
    const SHOWN: usize = 2000;
    let text = match outcome.values() {
        Some(values) if values.is_empty() => "returns".to_owned(),
        Some(values) => values.into_iter().map(result_text).collect::<Vec<_>>().join(", "),
        None => outcome.to_string(),
    };
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}

/// A result with what an error says.
fn result_text(value: &Value) -> String {
    match value {
        Value::Interface(Interface { text: Some(text), .. }) => format!("error {text:?}"),
        other => other.to_string(),
    }
}

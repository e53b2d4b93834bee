//! The same functions in two builds, on the same values: two releases of Go, two versions of a program, two systems.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use goemu_loader::{Image, Signature};

use super::check::Progress;
use super::finding::Finding;
use super::parts::{Counted, Joined, Joining, Part, Tally};
use super::runner::{State, text};
use super::subject::Subject;
use crate::error::Error;
use crate::go::generic;
use crate::go::read::ReadOptions;
use crate::go::value::{Interface, Value};
use crate::machine::Machine;
use crate::outcome::{Outcome, Report, Runtime};
use crate::pool::Pool;
use crate::values::{Maker, same, shrink};

/// Runs that make a difference smaller, at most.
const SHRINKS: usize = 2000;
/// The first runs: if no call of them can be served, none will be.
const FIRST: u64 = 20;
/// How often somebody is told of the progress.
const TICK: Duration = Duration::from_millis(100);

/// A function that two builds have.
///
/// ```no_run
/// use goemu::testing::Diff;
/// use goemu::{Image, Machine};
///
/// let mut old = Machine::new(Image::open("program-1.19")?)?;
/// let mut new = Machine::new(Image::open("program-1.27")?)?;
/// let diff = Diff::new(&old, &new, "strconv.ParseInt", None)?;
/// let compared = diff.run(&mut old, &mut new, 10_000, |_| std::ops::ControlFlow::Continue(()))?;
/// if let Some(finding) = compared.finding {
///     println!("{finding}");
/// }
/// # Ok::<(), goemu::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Diff {
    old: Subject,
    new: Subject,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Compared {
    /// Arguments that were tried.
    pub runs: u64,
    /// Calls that goemu could not serve in one of the builds.
    pub unserved: u64,
    /// Why the last of these could not be served.
    pub refusal: Option<String>,
    /// The difference that was found.
    pub finding: Option<Finding>,
    /// Whether all runs were made, or a difference was found: no interrupt came.
    pub complete: bool,
}

impl Diff {
    /// A function of this name in both builds; the signature, in Go syntax, where they have none of it.
    ///
    /// # Errors
    /// When one of them has no such function, it cannot be given values, or its signatures differ.
    pub fn new(old: &Machine, new: &Machine, func: &str, signature: Option<&str>) -> Result<Diff, Error> {
        let first = Subject::new(old, func, signature)?;
        let second = Subject::new(new, first.name(), signature)?;
        let (a, b) = (of(&first)?, of(&second)?);
        if shape(&a) != shape(&b) {
            let why = format!("it is a {} in one build and a {} in the other", a.unnamed(), b.unnamed());
            return Err(Error::Untestable { func: first.name().to_owned(), why });
        }
        Ok(Diff { old: first, new: second })
    }

    /// The function in the first build.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        &self.old
    }

    /// Keeps an argument to what a text allows, see [`Subject::constrain`].
    ///
    /// # Errors
    /// When the text is no constraint.
    pub fn constrain(&mut self, old: &Machine, text: &str) -> Result<(), Error> {
        self.old.constrain(old, text)
    }

    /// Compares so many calls; tells `watch` of the progress ten times a second, whose `Break` ends it.
    ///
    /// # Errors
    /// When no call can be served.
    pub fn run(
        &self,
        old: &mut Machine,
        new: &mut Machine,
        runs: u64,
        watch: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Compared, Error> {
        let mut search = Search::new(self, old, new, watch);
        let over = Part::all(runs).map(|part| search.part(part)).find(|over| !matches!(over, Ok(false)));
        search.done.complete |= over.is_none();
        let compared = search.ended();
        over.unwrap_or(Ok(false)).map(|_| compared)
    }

    /// The same on the machines of a pool of the old build, all at once, with one of the new build for each: it finds what one pair
    /// of machines would find.
    ///
    /// # Errors
    /// When no call can be served, or the host refuses memory for the machines.
    pub fn run_on(
        &self,
        pool: &mut Pool,
        new: &Spares,
        runs: u64,
        watch: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Compared, Error> {
        let (counted, interrupt) = (Counted::default(), pool.interrupt());
        let work = |old: &mut Machine, part: Part| {
            new.lend(|new| {
                let mut search = Search::new(self, old, new, counted.of_part(&interrupt));
                let over = search.part(part);
                search.done.complete |= matches!(over, Ok(false));
                let compared = search.ended();
                over.map(|_| compared)
            })
        };
        let mut joined = Joined { counted: &counted, watch, add: Joining::add, all: Joining::default() };
        let ended = pool.run(Part::all(runs), work, &mut joined)?;
        let (all, complete) = joined.all.ended(ended)?;
        Ok(Compared { complete, ..all })
    }

    /// Compares the calls with these arguments.
    ///
    /// # Errors
    /// When a call cannot be served.
    pub fn run_with(&self, old: &mut Machine, new: &mut Machine, args: &[Value]) -> Result<Compared, Error> {
        let usual = (with_errors(old), with_errors(new));
        let differ = self.differ(old, new, args);
        old.set_reading(usual.0);
        new.set_reading(usual.1);
        let finding = differ?.map(|reports| self.finding((old, new), args, &reports, 1));
        Ok(Compared { runs: 1, complete: true, finding, ..Compared::default() })
    }

    /// The two reports, where they differ.
    fn differ(
        &self,
        old: &mut Machine,
        new: &mut Machine,
        args: &[Value],
    ) -> Result<Option<(Report, Report)>, Error> {
        let first = self.old.function().call(old, args)?;
        let translated: Vec<Value> = args.iter().map(|value| translated(value, new.image())).collect();
        let second = self.new.function().call(new, &translated)?;
        let equal = equal(&first.outcome, &second.outcome)
            && first.stdout == second.stdout
            && first.stderr == second.stderr;
        Ok((!equal).then_some((first, second)))
    }

    fn shrunk(
        &self,
        old: &mut Machine,
        new: &mut Machine,
        args: Vec<Value>,
        first: (Report, Report),
        runs: u64,
    ) -> Result<Finding, Error> {
        let makers: Vec<Maker> = self.old.inputs().iter().map(|input| input.maker.clone()).collect();
        let kind = |(a, b): &(Report, Report)| (a.outcome.word(), b.outcome.word());
        let wanted = kind(&first);
        let mut latest = first;
        let shrunk = shrink(&makers, args, SHRINKS, |args| {
            if !self.old.allows(args) {
                return Ok(false);
            }
            match self.differ(old, new, args) {
                Ok(Some(now)) if kind(&now) == wanted => {
                    latest = now;
                    Ok(true)
                }
                // What cannot be served is no difference.
                Ok(_) | Err(_) => Ok::<_, Error>(false),
            }
        })?;
        let finding = self.finding((old, new), &shrunk.args, &latest, runs);
        Ok(Finding { shrinks: shrunk.tries, minimal: shrunk.minimal, ..finding })
    }

    fn finding(
        &self,
        (old, new): (&Machine, &Machine),
        args: &[Value],
        (a, b): &(Report, Report),
        runs: u64,
    ) -> Finding {
        let mut details = vec![("old".to_owned(), text(&a.outcome)), ("new".to_owned(), text(&b.outcome))];
        for (name, old, new) in [("output", &a.stdout, &b.stdout), ("error output", &a.stderr, &b.stderr)] {
            if old != new {
                details.push((format!("old {name}"), String::from_utf8_lossy(old).into_owned()));
                details.push((format!("new {name}"), String::from_utf8_lossy(new).into_owned()));
            }
        }
        let stacks = a.outcome.traceback().or(b.outcome.traceback()).filter(|stacks| !stacks.is_empty());
        Finding {
            key: format!("{} {}", a.outcome.word(), b.outcome.word()),
            input: self.old.given(args),
            details,
            traceback: stacks.map(ToString::to_string),
            seed: old.config().seed,
            state: State::of(old, a).or(State::of(new, b)).map(|state| State {
                runtime: if a.runtime == b.runtime { a.runtime } else { Runtime::Hooked },
                initialised: state.initialised || old.is_initialised() || new.is_initialised(),
            }),
            runs,
            ..Finding::new(self.old.name(), "same in both builds", &what(&a.outcome, &b.outcome))
        }
    }
}

/// The search for arguments for which two builds differ.
struct Search<'s, W> {
    diff: &'s Diff,
    old: &'s mut Machine,
    new: &'s mut Machine,
    watch: W,
    /// What the machines read of values otherwise.
    usual: (ReadOptions, ReadOptions),
    began: Instant,
    last_progress: Instant,
    done: Compared,
}

impl<'s, W: FnMut(Progress) -> ControlFlow<()>> Search<'s, W> {
    fn new(diff: &'s Diff, old: &'s mut Machine, new: &'s mut Machine, watch: W) -> Search<'s, W> {
        let now = Instant::now();
        let usual = (with_errors(old), with_errors(new));
        Search { diff, old, new, watch, usual, began: now, last_progress: now, done: Compared::default() }
    }

    /// Compares calls with the arguments of one part. Whether that was the last.
    fn part(&mut self, part: Part) -> Result<bool, Error> {
        let mut random = part.random(self.old.config().seed);
        for round in 0..part.runs {
            let size = part.size(round, &mut random);
            let args = self.diff.old.make(&mut random, size);
            if (self.last_progress.elapsed() >= TICK && self.tell().is_break())
                || self.one(args, part.is_first())?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Compares calls with these arguments. Whether that was the last.
    fn one(&mut self, args: Vec<Value>, first: bool) -> Result<bool, Error> {
        match self.diff.differ(self.old, self.new, &args) {
            Ok(None) => self.done.runs += 1,
            Ok(Some((a, b))) if is_interrupted(&a) || is_interrupted(&b) => return Ok(true),
            Ok(Some(first)) => {
                self.done.runs += 1;
                self.done.complete = true;
                let finding = self.diff.shrunk(self.old, self.new, args, first, self.done.runs)?;
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

    fn tell(&mut self) -> ControlFlow<()> {
        self.last_progress = Instant::now();
        let progress = Progress { runs: self.done.runs, shrinking: false, elapsed: self.began.elapsed() };
        (self.watch)(progress)
    }

    fn ended(mut self) -> Compared {
        // A watcher that adds up several searches needs the last runs, too.
        let _ = self.tell();
        self.old.set_reading(self.usual.0);
        self.new.set_reading(self.usual.1);
        self.done
    }
}

/// Lets a machine read what errors say, by which they are told from other values; gives what it read before.
fn with_errors(machine: &mut Machine) -> ReadOptions {
    let usual = machine.reading();
    machine.set_reading(ReadOptions { errors: true, ..usual });
    usual
}

/// Machines of the new build, for those of the old one that are at work.
#[derive(Default)]
pub struct Spares(Mutex<Vec<Machine>>);

impl Spares {
    /// So many machines like this one, which is one of them.
    ///
    /// # Errors
    /// The host may refuse memory.
    pub fn new(mut machine: Machine, count: usize) -> Result<Spares, Error> {
        let mut machines = Vec::with_capacity(count.max(1));
        for _ in 1..count {
            machines.push(machine.fork()?);
        }
        machines.push(machine);
        Ok(Spares(Mutex::new(machines)))
    }

    /// Does something with one of them; waits for none: there are as many as machines at work.
    ///
    /// # Errors
    /// Those of the work; and when more are at work than there are machines.
    pub fn lend<T>(&self, work: impl FnOnce(&mut Machine) -> Result<T, Error>) -> Result<T, Error> {
        let machines = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut machine = machines().pop().ok_or(Error::SessionOver)?;
        let done = work(&mut machine);
        machines().push(machine);
        done
    }
}

impl Tally for Compared {
    fn runs(&self) -> u64 {
        self.runs
    }

    fn add(&mut self, part: &mut Compared) {
        self.runs += part.runs;
        self.unserved += part.unserved;
        self.refusal = part.refusal.take().or(self.refusal.take());
    }

    fn finding(&mut self) -> &mut Option<Finding> {
        &mut self.finding
    }
}

fn is_interrupted(report: &Report) -> bool {
    report.outcome.word() == "interrupted"
}

/// What differs, in words.
fn what(a: &Outcome, b: &Outcome) -> String {
    match (a, b) {
        (Outcome::Returned(_), Outcome::Returned(_)) => "the results differ".to_owned(),
        (Outcome::Panicked(_), Outcome::Panicked(_)) => "the panics differ".to_owned(),
        (Outcome::Returned(_), other) => {
            format!("only the new one fails: {}", other.to_string().replace('\n', " "))
        }
        (other, Outcome::Returned(_)) => {
            format!("only the old one fails: {}", other.to_string().replace('\n', " "))
        }
        (a, b) => format!("they end differently: {} and {}", a.word(), b.word()),
    }
}

/// Whether two calls of different builds ended in the same. Texts of runtime errors may change from release to release; a panic
/// of another kind is another end.
fn equal(a: &Outcome, b: &Outcome) -> bool {
    match (a, b) {
        (Outcome::Panicked(a), Outcome::Panicked(b)) => {
            let runtime = |text: &str| text.starts_with("runtime error: ");
            a.text == b.text || (runtime(&a.text) && runtime(&b.text))
        }
        (Outcome::Exited { code: a, .. }, Outcome::Exited { code: b, .. }) => a == b,
        _ => match (a.values(), b.values()) {
            (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal_values(a, b)),
            (None, None) => a.word() == b.word(),
            _ => false,
        },
    }
}

/// Values of two builds. What an error is made of may differ: that there is one is compared.
fn equal_values(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (
            Value::Interface(Interface { text: Some(_), .. }),
            Value::Interface(Interface { text: Some(_), .. }),
        ) => true,
        _ => same(a, b),
    }
}

fn of(subject: &Subject) -> Result<Signature, Error> {
    let signature = subject.function().signature();
    let signature = signature.ok_or_else(|| Error::NoSignature(subject.name().to_owned()))?;
    Ok(generic::without_dictionary(signature).into_owned())
}

/// The signature as text, in which releases agree: `interface {}` and `any` are one type.
fn shape(signature: &Signature) -> String {
    signature.unnamed().to_string().replace("interface {}", "any")
}

/// A value made for one build, for the other: types and functions are that one's.
fn translated(value: &Value, image: &Image) -> Value {
    use crate::go::guest::Types;
    let mut value = value.clone();
    visit(&mut value, &mut |value| match value {
        Value::Interface(of) => {
            of.ty = of.ty.as_ref().and_then(|ty| Types::named(image, &ty.name));
        }
        Value::Func(func) => {
            func.code = func.name.as_ref().and_then(|name| Types::func_named(image, name)).unwrap_or(0);
        }
        _ => {}
    });
    value
}

/// Shows every value in a value.
fn visit(value: &mut Value, show: &mut impl FnMut(&mut Value)) {
    show(value);
    match value {
        Value::List(list) => list.elems.iter_mut().for_each(|value| visit(value, show)),
        Value::Struct(s) => s.fields.iter_mut().for_each(|(_, value)| visit(value, show)),
        Value::Map(map) => map.entries.iter_mut().for_each(|(key, value)| {
            visit(key, show);
            visit(value, show);
        }),
        Value::Pointer(pointer) => pointer.pointee.iter_mut().for_each(|value| visit(value, show)),
        Value::Interface(of) => visit(&mut of.value, show),
        _ => {}
    }
}

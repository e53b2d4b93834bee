//! The same functions in two builds, on the same values: two releases of Go, two versions of a program, two systems.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use goemu_loader::{Image, Signature};

use super::check::Progress;
use super::finding::{Finding, Given};
use super::runner::text;
use super::subject::Subject;
use crate::error::Error;
use crate::go::generic;
use crate::go::value::{Interface, Value};
use crate::machine::Machine;
use crate::outcome::{Outcome, Report};
use crate::values::{Maker, Random, same, shrink};

/// Runs that make a difference smaller, at most.
const SHRINKS: usize = 2000;
/// The first runs: if no call of them can be served, none will be.
const FIRST: u64 = 20;
/// How often somebody is told of the progress.
const TICK: Duration = Duration::from_millis(100);
/// Runs until sizes are no longer counted up.
const GROWING: u64 = 400;

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
    /// Whether all runs were made, or a difference was found: nobody interrupted.
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
        mut watch: impl FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Compared, Error> {
        let mut random = Random::new(old.config().seed);
        let mut done = Compared::default();
        let (began, mut told) = (Instant::now(), Instant::now());
        for round in 0..runs {
            let size = if round < GROWING { (round / 4) as usize } else { random.below(101) };
            let args = self.old.make(&mut random, size);
            if told.elapsed() >= TICK {
                told = Instant::now();
                let progress = Progress { runs: done.runs, shrinking: false, elapsed: began.elapsed() };
                if watch(progress).is_break() {
                    return Ok(done);
                }
            }
            match self.differ(old, new, &args) {
                Ok(None) => done.runs += 1,
                Ok(Some((a, b))) if is_interrupted(&a) || is_interrupted(&b) => return Ok(done),
                Ok(Some(_)) => {
                    done.runs += 1;
                    done.complete = true;
                    done.finding = Some(self.shrunk(old, new, args, done.runs)?);
                    return Ok(done);
                }
                Err(error) => {
                    done.unserved += 1;
                    if done.runs == 0 && done.unserved >= FIRST {
                        return Err(error);
                    }
                    done.refusal = Some(error.to_string());
                }
            }
        }
        done.complete = true;
        Ok(done)
    }

    /// Compares the calls with these arguments.
    ///
    /// # Errors
    /// When a call cannot be served.
    pub fn run_with(&self, old: &mut Machine, new: &mut Machine, args: &[Value]) -> Result<Compared, Error> {
        let mut done = Compared { runs: 1, complete: true, ..Compared::default() };
        if let Some((a, b)) = self.differ(old, new, args)? {
            done.finding = Some(self.finding(args, (&a, &b), old.config().seed, 1));
        }
        Ok(done)
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
        runs: u64,
    ) -> Result<Finding, Error> {
        let makers: Vec<Maker> = self.old.inputs().iter().map(|input| input.maker.clone()).collect();
        let Some(first) = self.differ(old, new, &args)? else {
            let unstable =
                Finding::new(self.old.name(), "same in both builds", "the results differ, but not each time");
            return Ok(unstable);
        };
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
        let finding = self.finding(&shrunk.args, (&latest.0, &latest.1), old.config().seed, runs);
        Ok(Finding { shrinks: shrunk.tries, minimal: shrunk.minimal, ..finding })
    }

    fn finding(&self, args: &[Value], (a, b): (&Report, &Report), seed: u64, runs: u64) -> Finding {
        let values = self.old.literals(args);
        let given = self.old.inputs().iter().zip(values).map(|(input, value)| Given {
            name: input.name.clone(),
            ty: input.ty.name.clone(),
            value,
        });
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
            input: given.collect(),
            details,
            traceback: stacks.map(ToString::to_string),
            seed,
            runs,
            ..Finding::new(self.old.name(), "same in both builds", &what(&a.outcome, &b.outcome))
        }
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

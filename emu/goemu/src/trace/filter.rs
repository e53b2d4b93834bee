//! Which part of a run a trace tells of.

use std::ops::Range;
use std::str::FromStr;

use super::{CallChange, Record, Written};
use crate::observe::{Event, View};
use crate::pattern;

/// What a trace is narrowed to. The default tells everything.
///
/// ```
/// use goemu::trace::Filter;
///
/// let filter = Filter::default().only("main.f*".parse()?).from("main.f1".parse()?).depth(3);
/// # Ok::<(), goemu::trace::FilterError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Filter {
    only: Vec<Only>,
    from: Option<Place>,
    until: Option<Place>,
    depth: Option<usize>,
}

/// What records must be about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Only {
    /// Functions whose names contain this text, or are matched as a whole where it has `*` or `?`.
    Functions(String),
    /// Instructions at these addresses.
    Addresses(Range<u64>),
    /// The goroutine with this number.
    Goroutine(u64),
    /// Events of this kind: see [`Event::kind`].
    Events(String),
}

/// A moment of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A function is entered whose name contains this text, or is matched as a whole where it has `*` or `?`.
    Function(String),
    /// The instruction at this address is about to run.
    Address(u64),
    /// So many instructions have begun.
    Instruction(u64),
}

/// A text that is no [`Only`] or [`Place`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?}: {wanted}")]
pub struct FilterError {
    text: String,
    wanted: String,
}

impl FilterError {
    fn new(text: &str, wanted: &str) -> FilterError {
        FilterError { text: text.to_owned(), wanted: wanted.to_owned() }
    }
}

fn address(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

impl FromStr for Only {
    type Err = FilterError;

    /// `main.f*`, `0x45e1a0`, `0x45e1a0-0x45e200`, `goroutine:2`, `event:allocated`.
    fn from_str(text: &str) -> Result<Only, FilterError> {
        if let Some(number) = text.strip_prefix("goroutine:") {
            let wanted = "the number of a goroutine is wanted, as in goroutine:2";
            return number.parse().map(Only::Goroutine).map_err(|_| FilterError::new(text, wanted));
        }
        if let Some(kind) = text.strip_prefix("event:") {
            let known = Event::KINDS.contains(&kind).then(|| Only::Events(kind.to_owned()));
            let wanted = format!("no event is called so; there are {}", Event::KINDS.join(", "));
            return known.ok_or_else(|| FilterError::new(text, &wanted));
        }
        if !text.starts_with("0x") {
            return Ok(Only::Functions(text.to_owned()));
        }
        let range = match text.split_once('-') {
            Some((start, end)) => address(start).zip(address(end)),
            None => address(text).map(|start| (start, start.saturating_add(1))),
        };
        let wanted = "an address is wanted, or two that begin and end a range: 0x45e1a0-0x45e200";
        range.map(|(start, end)| Only::Addresses(start..end)).ok_or_else(|| FilterError::new(text, wanted))
    }
}

impl FromStr for Place {
    type Err = FilterError;

    /// `main.f1`, `0x45e1a0`, `#1200`.
    fn from_str(text: &str) -> Result<Place, FilterError> {
        if let Some(number) = text.strip_prefix('#') {
            let wanted = "a number of instructions is wanted after #";
            return number.parse().map(Place::Instruction).map_err(|_| FilterError::new(text, wanted));
        }
        if text.starts_with("0x") {
            let wanted = "an address is wanted, as in 0x45e1a0";
            return address(text).map(Place::Address).ok_or_else(|| FilterError::new(text, wanted));
        }
        Ok(Place::Function(text.to_owned()))
    }
}

impl Filter {
    /// Tells only of this. Functions and addresses widen each other, as goroutines and kinds of events do among
    /// themselves; what is left passes all three.
    #[must_use]
    pub fn only(mut self, only: Only) -> Filter {
        self.only.push(only);
        self
    }

    /// Begins at this moment, the instruction there included.
    #[must_use]
    pub fn from(mut self, place: Place) -> Filter {
        self.from = Some(place);
        self
    }

    /// Ends before the instruction at this moment, when the trace has begun.
    #[must_use]
    pub fn until(mut self, place: Place) -> Filter {
        self.until = Some(place);
        self
    }

    /// Tells of so many calls inside each other: 1 is the outermost call alone.
    #[must_use]
    pub fn depth(mut self, depth: usize) -> Filter {
        self.depth = Some(depth);
        self
    }

    /// Whether everything passes.
    fn is_open(&self) -> bool {
        self.only.is_empty() && self.from.is_none() && self.until.is_none() && self.depth.is_none()
    }

    /// Whether code of this function at this address is of interest.
    fn has_code(&self, func: &str, pc: u64) -> bool {
        let mut any = true;
        for only in &self.only {
            match only {
                Only::Functions(name) if pattern::matches(name, func) => return true,
                Only::Addresses(range) if range.contains(&pc) => return true,
                Only::Functions(_) | Only::Addresses(_) => any = false,
                _ => {}
            }
        }
        any
    }

    fn has_goroutine(&self, goroutine: u64) -> bool {
        let mut wanted = self.only.iter().filter_map(|only| match only {
            Only::Goroutine(number) => Some(*number),
            _ => None,
        });
        let first = wanted.next();
        first.is_none_or(|first| first == goroutine || wanted.any(|number| number == goroutine))
    }

    fn has_event(&self, kind: Option<&str>) -> bool {
        let mut wanted = self.only.iter().filter_map(|only| match only {
            Only::Events(kind) => Some(kind.as_str()),
            _ => None,
        });
        let first = wanted.next();
        first.is_none_or(|first| Some(first) == kind || wanted.any(|wanted| Some(wanted) == kind))
    }
}

/// How far a narrowed trace has come.
#[derive(Default)]
pub(super) struct Narrowed {
    filter: Filter,
    all: bool,
    begun: bool,
    over: bool,
}

/// Where in the run a record belongs.
pub(super) struct Scope<'a> {
    /// The function of the program that is at work.
    pub(super) func: &'a str,
    /// Calls around it.
    pub(super) depth: usize,
    /// The goroutine that runs.
    pub(super) goroutine: u64,
    /// The address.
    pub(super) pc: u64,
    /// What was said of the instruction's code, where the record is one.
    pub(super) has_code: Option<bool>,
}

impl Narrowed {
    pub(super) fn new(filter: Filter) -> Narrowed {
        Narrowed { all: filter.is_open(), begun: filter.from.is_none(), over: false, filter }
    }

    /// Whether a function's code is told, which is asked once for each instruction.
    pub(super) fn has_code(&self, func: &str, pc: u64) -> bool {
        self.all || self.filter.has_code(func, pc)
    }

    /// Before an instruction: whether the part of the run that is told begins or ends there.
    pub(super) fn reach(&mut self, at: &View<'_>, number: u64) {
        if self.all || self.over {
            return;
        }
        if !self.begun {
            self.begun = self.filter.from.as_ref().is_some_and(|place| is_at(place, at, number));
        } else if self.filter.until.as_ref().is_some_and(|place| is_at(place, at, number)) {
            self.over = true;
        }
    }

    /// A new call begins.
    pub(super) fn restart(&mut self) {
        (self.begun, self.over) = (self.filter.from.is_none(), false);
    }

    /// Whether a record is told.
    pub(super) fn tells<'a>(&self, record: &Record<'_>, scope: impl FnOnce() -> Scope<'a>) -> bool {
        if self.all {
            return true;
        }
        let scope = scope();
        if let Record::Event(event) = record
            && matches!(event.event, Event::CallEnded(_))
        {
            return true;
        }
        let depth = if let Record::Call(change) = record { change.depth } else { scope.depth };
        self.begun
            && !self.over
            && self.filter.depth.is_none_or(|most| depth < most)
            && self.filter.has_goroutine(scope.goroutine)
            && self.filter.has_event(kind(record))
            && scope
                .has_code
                .unwrap_or_else(|| self.filter.has_code(func(record).unwrap_or(scope.func), scope.pc))
    }
}

/// The kind of an event.
fn kind<'a>(record: &Record<'a>) -> Option<&'a str> {
    if let Record::Event(event) = record { Some(event.event.kind()) } else { None }
}

/// The function that a record itself is about.
fn func<'a>(record: &'a Record<'_>) -> Option<&'a str> {
    match record {
        Record::StackCheck(check) => Some(&check.func),
        Record::Call(CallChange { func, .. }) => Some(func),
        Record::Written(
            Written::Result { func, .. } | Written::Captured { func, .. } | Written::OpenDefers { func, .. },
        ) => Some(func),
        Record::Step(_) | Record::Event(_) => None,
    }
}

/// Whether the instruction at RIP, of this number, is this place.
fn is_at(place: &Place, at: &View<'_>, number: u64) -> bool {
    let pc = at.cpu.rip;
    match place {
        Place::Address(addr) => pc == *addr,
        Place::Instruction(wanted) => number >= *wanted,
        Place::Function(name) => {
            at.image.func_at(pc).is_some_and(|func| func.entry() == pc && pattern::matches(name, func.name()))
        }
    }
}

//! What a trace consists of, as data, and the trait for those that write it.

use super::Detail;
use super::step::Step;
use super::words;
use crate::observe::{Event, View};

/// One thing that a trace tells, in the order in which it happened.
#[non_exhaustive]
pub enum Record<'a> {
    /// An instruction, with its effects.
    Step(Step<'a>),
    /// A function compared the stack pointer with the guard of its goroutine's stack.
    StackCheck(&'a StackCheck),
    /// An instruction wrote memory that means something to Go.
    Written(&'a Written),
    /// A call or a return.
    Call(&'a CallChange),
    /// Go's runtime did something.
    Event(EventRecord<'a>),
}

/// The comparison at the start of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackCheck {
    /// The function.
    pub func: String,
    /// Bytes that the stack pointer has above the guard; the stack must grow where this is 0 or less.
    pub margin: i64,
    /// Whether the guard is no address, but the sign that the runtime is to be asked before the function goes on: it has another
    /// goroutine run.
    pub asked: bool,
    /// Whether the function serves Go's runtime, not the program.
    pub within_runtime: bool,
}

/// What it means that memory was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Written {
    /// A result of a call that is under way has a value.
    Result {
        /// The function.
        func: String,
        /// The result's name; empty where it has none.
        result: String,
        /// The value in Go syntax.
        value: String,
        /// Whether only a part of it was written, and the rest may still be that of another value.
        part: bool,
    },
    /// A variable changed that a deferred closure captured.
    Captured {
        /// The function whose variable it is.
        func: String,
        /// Where the variable is.
        addr: u64,
        /// Its first word.
        value: u64,
    },
    /// A bit for each open-coded defer that would run if the function panicked.
    OpenDefers {
        /// The function.
        func: String,
        /// The bits.
        bits: u8,
    },
}

/// A change of the calls that are under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallChange {
    /// The function that was entered or left.
    pub func: String,
    /// Its arguments in Go syntax, separated by commas; `...` where its signature is not known.
    pub args: String,
    /// Its arguments one by one; empty where its signature is not known.
    pub arguments: Vec<String>,
    /// The function's address.
    pub entry: u64,
    /// Where the call's return address is.
    pub sp: u64,
    /// Calls around it, without those within Go's runtime.
    pub depth: usize,
    /// Whether it is a call within Go's runtime.
    pub within_runtime: bool,
    /// Whether an event told of this call before it happened.
    pub announced: bool,
    /// What happened.
    pub kind: CallKind,
}

/// What happened to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallKind {
    /// The outermost call begins, or a function was called.
    Entered,
    /// Go's runtime called a function of the program.
    ByRuntime,
    /// Another function, which was called, has jumped to this one: it returns in its place.
    Jumped {
        /// The function that was called.
        from: String,
    },
    /// An open-coded defer runs.
    Deferred {
        /// The function that deferred the call.
        of: String,
        /// What the deferred closure captured, in words.
        captured: String,
    },
    /// The function returned: its results in Go syntax, separated by commas; `None` where it has none, or where they
    /// are not known.
    Returned(Option<String>),
}

/// An event of Go's runtime.
pub struct EventRecord<'a> {
    /// The machine at that time.
    pub at: &'a View<'a>,
    /// The event.
    pub event: &'a Event,
    /// The event in words.
    pub words: &'a str,
}

/// When a record is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// Instructions that began before: of an instruction, its number in the run, from 0.
    pub instructions: u64,
    /// The goroutine that runs.
    pub goroutine: u64,
}

/// Writes a trace, in whatever form.
///
/// ```
/// use goemu::trace::{Detail, Record, Sink};
///
/// /// Counts the calls of a run.
/// #[derive(Default)]
/// struct Count(u64);
///
/// impl Sink for Count {
///     fn detail(&self) -> Detail {
///         Detail::Calls
///     }
///
///     fn record(&mut self, record: &Record<'_>) {
///         self.0 += u64::from(matches!(record, Record::Call(_)));
///     }
/// }
/// ```
pub trait Sink {
    /// What the sink needs to be told; asked once. With less detail a traced run is faster.
    fn detail(&self) -> Detail;

    /// When the next record is.
    fn moment(&mut self, moment: Moment) {
        let _ = moment;
    }

    /// The next record.
    fn record(&mut self, record: &Record<'_>);

    /// The traced call has ended; its last record is [`Event::CallEnded`].
    fn finish(&mut self) {}
}

impl std::fmt::Display for StackCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        words::stack_check(self, f)
    }
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        words::written(self, f)
    }
}

impl CallChange {
    /// The call as source would have it: `main.f(1, "x")`. Go's runtime is shown without arguments.
    pub fn call(&self) -> String {
        format!("{}({})", self.func, self.args)
    }

    /// The function and what it returned: `main.f: 2`.
    pub(super) fn returned(&self, results: Option<&str>) -> String {
        results.map_or_else(|| self.func.clone(), |results| format!("{}: {results}", self.func))
    }
}

impl std::fmt::Display for CallChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        words::call(self, f)
    }
}

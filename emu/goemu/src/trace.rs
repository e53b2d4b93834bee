//! Traces that explain: every instruction in Go's syntax with what it changed, and between them, in words,
//! what Go does: stack checks and growth, defers, panics, results.
//!
//! ```no_run
//! use goemu::trace::{Detail, Tracer};
//! # let image = goemu::Image::open("program")?;
//! # let mut machine = goemu::Machine::new(image)?;
//! machine.observe(Tracer::new(std::io::stderr(), Detail::Instructions));
//! machine.call("main.f1")?.run()?;
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! A [`Recorder`] is an [`Observer`] that makes [`Record`]s of a run and hands them to a [`Sink`]; [`Text`] is the
//! sink that writes them as text, and [`Tracer`] a recorder with that sink. The parts below each know one thing:
//! `step` an instruction and its effects, `frames` calls and returns, `words` how a record is said.

mod filter;
mod frames;
mod function;
mod record;
mod slots;
mod step;
mod text;
mod words;

use rustc_hash::FxHashMap;
use std::io::Write;

pub use filter::{Filter, FilterError, Only, Place};
use filter::{Narrowed, Scope};
use frames::Frames;
use function::Functions;
use iced_x86::Instruction;
pub use record::{CallChange, CallKind, EventRecord, Moment, Record, Sink, StackCheck, Written};
use step::{Effects, Prepared};
pub use step::{MemoryEffect, Position, Step};
pub use text::Text;

use crate::cpu::gpr;
use crate::observe::{Event, Interest, Observer, View};

/// What a trace shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Every instruction, and the events between them.
    Instructions,
    /// The tree of calls: arguments and results.
    Calls,
    /// The events of Go's runtime.
    Events,
}

/// An event in words, without what only a trace of the calls around it knows.
pub fn describe(at: &View<'_>, event: &Event) -> String {
    words::event(at, event, &Frames::default())
}

/// Writes a trace of everything that a machine does, as text.
pub type Tracer<W> = Recorder<Text<W>>;

impl<W: Write> Tracer<W> {
    /// A tracer that writes here. Give it a buffered writer: it writes line by line.
    pub fn new(out: W, detail: Detail) -> Tracer<W> {
        Recorder::with_sink(Text::new(out, detail))
    }
}

/// Observes a machine and tells a [`Sink`] what it does.
pub struct Recorder<S> {
    teller: Teller<S>,
    detail: Detail,
    /// Instructions that were seen, by address.
    seen: FxHashMap<u64, Prepared>,
    functions: Functions,
    frames: Frames,
    /// The calls of goroutines that are suspended.
    suspended: FxHashMap<u64, Frames>,
    /// Address of the instruction under way.
    pending: Option<u64>,
    /// What there was to see before it ran.
    effects: Effects,
    /// Where the return address of a deferred call is that an event has announced, and whose CALL is to come.
    announced: Option<u64>,
}

/// An event in words, where nothing is known of the calls around it.
pub(crate) fn words_of(at: &View<'_>, event: &Event) -> String {
    words::event(at, event, &Frames::default())
}

/// The sink, and which part of the run it is told.
struct Teller<S> {
    sink: S,
    narrowed: Narrowed,
    /// Instructions that have begun.
    begun: u64,
    /// The goroutine that runs.
    goroutine: u64,
}

impl<S: Sink> Teller<S> {
    /// Tells the sink, if this record is of the part that is told.
    fn tell(&mut self, record: &Record<'_>, pc: u64, frames: &Frames) {
        let step = if let Record::Step(step) = record { Some(step) } else { None };
        let goroutine = self.goroutine;
        let scope = || {
            let (func, depth) = frames.innermost();
            Scope { func, depth, goroutine, pc, has_code: step.map(|step| step.prepared.is_told) }
        };
        if self.narrowed.tells(record, scope) {
            let instructions = self.begun.saturating_sub(u64::from(step.is_some()));
            self.sink.moment(Moment { instructions, goroutine });
            self.sink.record(record);
        }
    }

    /// What an event says of the run as a whole.
    fn follow(&mut self, at: &View<'_>, event: &Event) {
        match event {
            Event::CallBegins { .. } => {
                self.begun = 0;
                self.narrowed.restart();
                let goid = at.memory.read(at.g.wrapping_add(at.image.facts().g.goid));
                self.goroutine = goid.map_or(0, u64::from_le_bytes);
            }
            Event::GoroutineSwitched { to, .. } => self.goroutine = *to,
            _ => {}
        }
    }
}

impl<S: Sink> Recorder<S> {
    /// A recorder that tells this sink.
    pub fn with_sink(sink: S) -> Recorder<S> {
        let detail = sink.detail();
        Recorder {
            teller: Teller { sink, narrowed: Narrowed::new(Filter::default()), begun: 0, goroutine: 0 },
            detail,
            seen: FxHashMap::default(),
            functions: Functions::default(),
            frames: Frames::default(),
            suspended: FxHashMap::default(),
            pending: None,
            effects: Effects::default(),
            announced: None,
        }
    }

    /// Tells only a part of the run.
    #[must_use]
    pub fn narrowed(mut self, filter: Filter) -> Recorder<S> {
        self.teller.narrowed = Narrowed::new(filter);
        self
    }

    /// Tells of the instruction under way, which has come to its end or has left for the machine.
    fn tell_step(&mut self, at: &View<'_>, finished: bool) -> bool {
        let Some(pc) = self.pending.take() else { return false };
        let Some(prepared) = self.seen.get(&pc) else { return false };
        let step = Step { at, prepared, effects: &self.effects, finished };
        self.teller.tell(&Record::Step(step), pc, &self.frames);
        true
    }

    /// Calls and returns, as they show in the stack pointer after an instruction.
    fn follow(&mut self, at: &View<'_>, insn: &Instruction) {
        let change = self.frames.follow(at, insn, &mut self.functions);
        let Some(mut change) = change.filter(|change| self.is_told(change)) else { return };
        change.announced = self.announced.take() == Some(at.cpu.gpr(gpr::RSP));
        self.teller.tell(&Record::Call(&change), at.cpu.rip, &self.frames);
    }

    /// Whether a trace of this detail tells of a call.
    fn is_told(&self, change: &CallChange) -> bool {
        match self.detail {
            Detail::Instructions => true,
            Detail::Calls => !change.within_runtime,
            Detail::Events => matches!(change.kind, CallKind::Deferred { .. } | CallKind::ByRuntime),
        }
    }

    /// What a finished instruction means for Go: stack checks, results.
    fn explain(&mut self, at: &View<'_>, pc: u64) {
        if let Some((margin, asked)) = self.effects.margin {
            let (func, within_runtime) = (function::name(at.image, at.cpu.rip), self.frames.in_runtime());
            let check = StackCheck { func, margin, asked, within_runtime };
            self.teller.tell(&Record::StackCheck(&check), at.cpu.rip, &self.frames);
        }
        for (addr, size) in self.effects.written() {
            for written in self.frames.written(at, pc, addr, size) {
                self.teller.tell(&Record::Written(&written), at.cpu.rip, &self.frames);
            }
        }
    }

    /// What an event means for the calls that are under way.
    fn follow_event(&mut self, at: &View<'_>, event: &Event) {
        match event {
            Event::CallBegins { func, sp, .. } => {
                self.suspended.clear();
                self.frames.begin(at, *func, *sp, &mut self.functions);
            }
            Event::DeferPushed { func, closure, args, .. } => {
                self.frames.defers(&words::deferred(at, *func, *closure, args));
            }
            Event::StackMoved { from, to } => {
                self.frames.moved(*from, *to);
                // The call of `morestack` is over; the function that made it begins again.
                self.frames.unwind(at.cpu.gpr(gpr::RSP).wrapping_sub(1));
            }
            Event::GoroutineSwitched { from, to } => {
                let calls = self.suspended.remove(to).unwrap_or_default();
                self.suspended.insert(*from, std::mem::replace(&mut self.frames, calls));
            }
            Event::StackGrew { .. } => self.frames.unwind(at.cpu.gpr(gpr::RSP)),
            _ => {}
        }
    }

    /// The call that an event is about, which no CALL instruction shows.
    fn call_of(&mut self, at: &View<'_>, event: &Event) -> Option<CallChange> {
        let change = match event {
            Event::CallBegins { .. } => self.frames.opening(),
            Event::DeferRuns { func, sp, .. } => {
                self.announced = Some(*sp);
                self.frames.replace(at, *func, *sp, &mut self.functions)
            }
            _ => None,
        };
        change.map(|change| CallChange { announced: true, within_runtime: false, ..change })
    }
}

impl<S: Sink> Observer for Recorder<S> {
    fn interest(&self) -> Interest {
        Interest::INSTRUCTIONS | Interest::EVENTS
    }

    fn before(&mut self, at: &View<'_>, insn: &Instruction) {
        self.tell_step(at, false);
        self.teller.narrowed.reach(at, self.teller.begun);
        self.teller.begun += 1;
        if self.detail == Detail::Calls {
            return;
        }
        let pc = insn.ip();
        let narrowed = &self.teller.narrowed;
        let prepare = || Prepared::new(at, insn, |func| narrowed.has_code(func, pc));
        let prepared = self.seen.entry(pc).or_insert_with(prepare);
        if !prepared.is_of(insn) {
            *prepared = prepare();
        }
        prepared.before(at, &mut self.effects);
        self.pending = Some(pc);
    }

    fn after(&mut self, at: &View<'_>, insn: &Instruction) {
        if self.tell_step(at, true) {
            self.explain(at, insn.ip());
        }
        self.follow(at, insn);
    }

    fn event(&mut self, at: &View<'_>, event: &Event) {
        self.tell_step(at, false);
        self.teller.follow(at, event);
        self.follow_event(at, event);
        let change = self.call_of(at, event);
        let words = words::event(at, event, &self.frames);
        self.teller.tell(&Record::Event(EventRecord { at, event, words: &words }), at.cpu.rip, &self.frames);
        if let Some(change) = change {
            self.teller.tell(&Record::Call(&change), at.cpu.rip, &self.frames);
        }
        if matches!(event, Event::CallEnded(_)) {
            self.teller.sink.finish();
        }
    }
}

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
//! [`Tracer`] is an [`Observer`]; the parts below it each turn one thing into text: `step` an instruction and
//! its effects, `frames` calls and returns, `words` the events of Go's runtime.

mod frames;
mod function;
mod step;
mod words;

use std::collections::HashMap;
use std::io::Write;

use frames::Frames;
use function::Functions;
use iced_x86::Instruction;
use step::{Effects, Prepared};

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

/// Writes a trace of everything that a machine does.
///
/// Once a write fails, the rest of the trace is dropped: a call is not worth losing for its trace.
pub struct Tracer<W> {
    out: Output<W>,
    detail: Detail,
    /// Instructions that were seen, by address.
    seen: HashMap<u64, Prepared>,
    functions: Functions,
    frames: Frames,
    /// The calls of goroutines that do not run.
    resting: HashMap<u64, Frames>,
    /// Address of the instruction under way, and what there was to see before it ran.
    pending: Option<u64>,
    effects: Effects,
    /// File, line and function that were named last.
    position: String,
    /// Where the return address of a deferred call is that was told to run, and whose CALL is to come.
    runs_at: Option<u64>,
}

/// Where the text goes, until it cannot.
struct Output<W> {
    to: W,
    broken: bool,
    /// The line being written.
    line: String,
}

impl<W: Write> Output<W> {
    fn line(&mut self, text: &str) {
        self.line.push_str(text);
        self.end();
    }

    /// Ends the line being written.
    fn end(&mut self) {
        self.line.push('\n');
        if !self.broken {
            self.broken = self.to.write_all(self.line.as_bytes()).is_err();
        }
        self.line.clear();
    }
}

impl<W: Write> Tracer<W> {
    /// A tracer that writes here. Give it a buffered writer: it writes line by line.
    pub fn new(out: W, detail: Detail) -> Tracer<W> {
        Tracer {
            out: Output { to: out, broken: false, line: String::new() },
            detail,
            seen: HashMap::new(),
            functions: Functions::default(),
            frames: Frames::default(),
            resting: HashMap::new(),
            pending: None,
            effects: Effects::default(),
            position: String::new(),
            runs_at: None,
        }
    }

    fn show_instructions(&self) -> bool {
        self.detail == Detail::Instructions
    }

    /// A line about what Go does.
    fn tell(&mut self, text: &str) {
        match self.detail {
            Detail::Instructions => self.out.line(&format!("      ; {text}")),
            Detail::Events => self.out.line(text),
            Detail::Calls => {}
        }
    }

    /// Finishes the line of an instruction that did not get to its end: it left for the machine.
    fn flush(&mut self) {
        if let Some(pc) = self.pending.take()
            && self.show_instructions()
            && let Some(prepared) = self.seen.get(&pc)
        {
            prepared.write_unfinished(&mut self.out.line, &self.effects);
            self.out.end();
        }
    }

    /// Calls and returns, as they show in the stack pointer after an instruction.
    fn follow(&mut self, at: &View<'_>, insn: &Instruction) {
        let change = self.frames.follow(at, insn, &mut self.functions);
        let Some(change) = change.filter(|change| change.is_shown(self.detail)) else { return };
        if self.runs_at.take() == Some(at.cpu.gpr(gpr::RSP)) && self.detail != Detail::Calls {
            return;
        }
        let text = change.text(self.detail == Detail::Calls);
        match self.detail {
            Detail::Calls => self.out.line(&text),
            Detail::Instructions | Detail::Events => self.tell(&text),
        }
    }

    /// What a finished instruction means for Go: stack checks, results.
    fn explain(&mut self, at: &View<'_>) {
        if let Some(margin) = self.effects.margin
            && (self.show_instructions() || !self.frames.in_runtime())
        {
            self.tell(&words::stack_check(at, margin));
        }
        let texts: Vec<String> =
            self.effects.written().flat_map(|(addr, size)| self.frames.written(at, addr, size)).collect();
        texts.iter().for_each(|text| self.tell(text));
    }
}

impl<W: Write> Observer for Tracer<W> {
    fn interest(&self) -> Interest {
        Interest::INSTRUCTIONS | Interest::EVENTS
    }

    fn before(&mut self, at: &View<'_>, insn: &Instruction) {
        self.flush();
        if self.detail == Detail::Calls {
            return;
        }
        let pc = insn.ip();
        let prepared = self.seen.entry(pc).or_insert_with(|| Prepared::new(at, insn));
        if !prepared.is_of(insn) {
            *prepared = Prepared::new(at, insn);
        }
        prepared.before(at, &mut self.effects);
        self.pending = Some(pc);
        if self.detail == Detail::Instructions
            && let Some(position) = &prepared.position
            && *position != self.position
        {
            self.position.clone_from(position);
            self.out.line(position);
        }
    }

    fn after(&mut self, at: &View<'_>, insn: &Instruction) {
        if let Some(pc) = self.pending.take() {
            if self.show_instructions()
                && let Some(prepared) = self.seen.get(&pc)
            {
                prepared.write(&mut self.out.line, at, &self.effects);
                self.out.end();
            }
            self.explain(at);
        }
        self.follow(at, insn);
    }

    fn event(&mut self, at: &View<'_>, event: &Event) {
        self.flush();
        if let Event::CallBegins { func, sp, .. } = event {
            self.resting.clear();
            self.frames.begin(at, *func, *sp, &mut self.functions);
            self.position.clear();
            if self.detail == Detail::Calls
                && let Some(text) = self.frames.opening()
            {
                self.out.line(&text);
            }
        }
        if let Event::DeferPushed { func, closure, args, .. } = event {
            self.frames.defers(&words::deferred(at, *func, *closure, args));
        }
        if let Event::DeferRuns { func, sp, .. } = event {
            self.runs_at = Some(*sp);
            let change = self.frames.replace(at, *func, *sp, &mut self.functions);
            if let Some(change) = change.filter(|_| self.detail == Detail::Calls) {
                self.out.line(&change.text(true));
            }
        }
        if let Event::StackMoved { from, to } = event {
            self.frames.moved(*from, *to);
            // The call of `morestack` is over; the function that made it begins again.
            self.frames.unwind(at.cpu.gpr(gpr::RSP).wrapping_sub(1));
        }
        if let Event::GoroutineSwitched { from, to } = event {
            let calls = self.resting.remove(to).unwrap_or_default();
            self.resting.insert(*from, std::mem::replace(&mut self.frames, calls));
            if self.detail == Detail::Calls {
                self.out.line(&words::event(at, event, &self.frames));
            }
        }
        if let Event::StackGrew { .. } = event {
            self.frames.unwind(at.cpu.gpr(gpr::RSP));
        }
        let text = words::event(at, event, &self.frames);
        self.tell(&text);
        if let Event::CallEnded(outcome) = event {
            if self.detail == Detail::Calls {
                self.out.line(&format!("{}: {outcome}", outcome.word()));
            }
            self.out.broken |= self.out.to.flush().is_err();
        }
    }
}

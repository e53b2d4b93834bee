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
//! [`Tracer`] is an [`Observer`]; the parts below it each turn one thing into text: [`step`] an instruction and
//! its effects, [`frames`] calls and returns, [`words`] the events of Go's runtime.

mod frames;
mod function;
mod step;
mod words;

use std::collections::HashMap;
use std::io::Write;

use frames::Frames;
use function::Functions;
use goemu_loader::Image;
use iced_x86::Instruction;
use step::{Effects, Prepared};

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
    /// The instruction under way, and what it read before it ran.
    pending: Option<(u64, Effects)>,
    /// File and line that were named last.
    position: Option<(String, u32)>,
}

/// Where the text goes, until it cannot.
struct Output<W> {
    to: W,
    broken: bool,
}

impl<W: Write> Output<W> {
    fn line(&mut self, text: &str) {
        if !self.broken {
            self.broken = writeln!(self.to, "{text}").is_err();
        }
    }
}

impl<W: Write> Tracer<W> {
    /// A tracer that writes here. Give it a buffered writer: it writes line by line.
    pub fn new(out: W, detail: Detail) -> Tracer<W> {
        Tracer {
            out: Output { to: out, broken: false },
            detail,
            seen: HashMap::new(),
            functions: Functions::default(),
            frames: Frames::default(),
            pending: None,
            position: None,
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

    /// Names file and line where they have changed.
    fn show_position(&mut self, image: &Image, pc: u64) {
        let Some(line) = image.line_at(pc) else { return };
        if self.position.as_ref().is_some_and(|(file, n)| *n == line.line && file == line.file) {
            return;
        }
        let name = line.file.rsplit(['/', '\\']).next().unwrap_or_default();
        let func = image.func_at(pc).map_or("", |func| func.name());
        self.out.line(&format!("{name}:{}  {func}", line.line));
        self.position = Some((line.file.to_owned(), line.line));
    }

    /// Finishes the line of an instruction that did not get to its end: it left for the machine.
    fn flush(&mut self) {
        if let Some((pc, effects)) = self.pending.take()
            && self.show_instructions()
            && let Some(prepared) = self.seen.get(&pc)
        {
            let text = prepared.line(&effects.unfinished());
            self.out.line(&text);
        }
    }

    /// Calls and returns, as they show in the stack pointer after an instruction.
    fn follow(&mut self, at: &View<'_>, insn: &Instruction) {
        for change in self.frames.follow(at, insn, &mut self.functions) {
            let text = change.text(self.detail == Detail::Calls);
            match self.detail {
                Detail::Calls => self.out.line(&text),
                Detail::Instructions => self.tell(&text),
                Detail::Events if change.is_event() => self.tell(&text),
                Detail::Events => {}
            }
        }
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
        let fresh = self.seen.get(&pc).is_none_or(|prepared| !prepared.is_of(insn));
        if fresh {
            self.seen.insert(pc, Prepared::new(at, insn));
        }
        if self.show_instructions() {
            self.show_position(at.image, pc);
        }
        if let Some(prepared) = self.seen.get(&pc) {
            self.pending = Some((pc, prepared.before(at)));
        }
    }

    fn after(&mut self, at: &View<'_>, insn: &Instruction) {
        if let Some((pc, effects)) = self.pending.take()
            && let Some(prepared) = self.seen.get(&pc)
        {
            let done = prepared.after(at, effects);
            if self.show_instructions() {
                let text = prepared.line(&done.text);
                self.out.line(&text);
            }
            if let Some(margin) = done.margin {
                self.tell(&words::stack_check(margin));
            }
            for (addr, size) in done.written {
                for text in self.frames.written(at, addr, size) {
                    self.tell(&text);
                }
            }
        }
        self.follow(at, insn);
    }

    fn event(&mut self, at: &View<'_>, event: &Event) {
        self.flush();
        if let Event::CallBegins { func, sp, .. } = event {
            self.frames.begin(at, *func, *sp, &mut self.functions);
            self.position = None;
            if self.detail == Detail::Calls
                && let Some(text) = self.frames.opening()
            {
                self.out.line(&text);
            }
        }
        if let Event::DeferRuns { func, .. } = event {
            let change = self.frames.replace(at, *func, &mut self.functions);
            if let Some(change) = change.filter(|_| self.detail == Detail::Calls) {
                self.out.line(&change.text(true));
            }
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

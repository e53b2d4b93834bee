//! The tale of a run: what its goroutines do in the user's code, one after the other, and where they were stopped.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use goemu_loader::Image;
use iced_x86::Instruction;
use rustc_hash::FxHashMap;

use super::outcomes::RunId;
use super::{Distinct, Minimal, how, seen};
use crate::error::Error;
use crate::go::own::Own;
use crate::machine::Machine;
use crate::observe::{Interest, Observer, View};
use crate::program::Strategy;

/// Parts that are kept: the last ones.
const MOST: usize = 400;
/// Lines of a part that are kept: the first ones.
const LINES: usize = 60;

/// What happens in a run, as far as it is the user's code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tale {
    /// Its parts in their order.
    pub parts: Vec<Part>,
    /// Whether earlier parts are missing.
    pub cut: bool,
    /// Where threads were stopped that could have gone on.
    pub stops: Vec<Stop>,
    /// Whether the run has failed as it did before.
    pub same: bool,
}

/// What one goroutine does until another does something.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The goroutine.
    pub goroutine: u64,
    /// Functions and lines, in their order; a line that is repeated is there once.
    pub lines: Vec<Line>,
    /// Whether it was stopped at the end of it.
    pub stopped: bool,
    /// The time of its last line.
    time: u64,
}

/// A line of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// The function.
    pub func: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
}

/// Where a thread was stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stop {
    /// The goroutine that it ran.
    pub goroutine: u64,
    /// Its calls, as Go prints them.
    pub stack: String,
    /// For how long, where it is not until its turn comes again.
    pub nanoseconds: Option<u64>,
}

/// Runs a failure once more, with the decisions that a smaller schedule has left, and tells it.
///
/// # Errors
/// The program cannot be run.
pub fn tale(machine: &mut Machine, failure: &Distinct, minimal: Option<&Minimal>) -> Result<Tale, Error> {
    let leaks = failure.seen.kind == super::SeenKind::Leak || seen::is_test(machine.image());
    let how = how(machine, std::slice::from_ref(&failure.first.strategy), Some(leaks))?;
    let id = match minimal {
        Some(minimal) => {
            RunId { seed: failure.first.seed, strategy: Strategy::replay(minimal.decisions.as_slice()) }
        }
        None => failure.first.clone(),
    };
    let watched = Arc::new(Mutex::new(Watched::new(how.own.clone())));
    machine.observe(Watch(Arc::clone(&watched)));
    machine.tell_stops(true);
    let observed = how.run(machine, &id);
    machine.unobserve();
    how.watched(machine);
    let stopped = machine.tell_stops(false);
    let same = |seen: &super::Seen| seen.kind == failure.seen.kind && seen.key == failure.seen.key;
    let same = observed.seen.iter().any(same);
    let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
    let mut parts: Vec<Part> = std::mem::take(&mut watched.parts).into();
    let mut stops = Vec::new();
    for stop in stopped {
        // What runs outside of the user's code has stopped nothing that is told.
        if seen::own_frame(&how.own, &stop.stack).is_none() {
            continue;
        }
        let before = |part: &&mut Part| part.goroutine == stop.stack.goroutine && part.time <= stop.time;
        if let Some(part) = parts.iter_mut().rev().find(before) {
            part.stopped = true;
        }
        let goroutine = stop.stack.goroutine;
        stops.push(Stop { goroutine, stack: stop.stack.to_string(), nanoseconds: stop.nanoseconds });
    }
    Ok(Tale { parts, cut: watched.cut, stops, same })
}

/// The observer.
struct Watch(Arc<Mutex<Watched>>);

struct Watched {
    own: Own,
    /// Whether the function that begins here is the user's.
    known: FxHashMap<u64, bool>,
    parts: VecDeque<Part>,
    cut: bool,
}

impl Watched {
    fn new(own: Own) -> Watched {
        Watched { own, known: FxHashMap::default(), parts: VecDeque::new(), cut: false }
    }

    fn is_own(&mut self, image: &Image, pc: u64) -> bool {
        let Some(func) = image.func_at(pc) else { return false };
        let own = &self.own;
        let entry = func.entry();
        *self.known.entry(entry).or_insert_with(|| {
            let file = image.line_at(entry).map_or("", |line| line.file);
            own.has(func.name(), file)
        })
    }

    fn add(&mut self, image: &Image, goroutine: u64, time: u64, insns: &[Instruction]) {
        if self.parts.back().is_none_or(|part| part.goroutine != goroutine) {
            self.parts.push_back(Part { goroutine, lines: Vec::new(), stopped: false, time });
            if self.parts.len() > MOST {
                self.parts.pop_front();
                self.cut = true;
            }
        }
        let Some(part) = self.parts.back_mut() else { return };
        part.time = time;
        for insn in insns {
            for frame in image.inlined_at(insn.ip()) {
                let Some(line) = frame.line else { continue };
                let known = |old: &Line| old.line == line.line && old.func == frame.func;
                if self.own.has(frame.func, line.file)
                    && part.lines.len() < LINES
                    && !part.lines.iter().any(known)
                {
                    let (func, file) = (frame.func.to_owned(), line.file.to_owned());
                    part.lines.push(Line { func, file, line: line.line });
                }
            }
        }
    }
}

impl Observer for Watch {
    fn interest(&self) -> Interest {
        Interest::BLOCKS
    }

    fn block(&mut self, at: &View<'_>, insns: &[Instruction]) {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !watched.is_own(at.image, at.cpu.rip) {
            return;
        }
        let goid = at.memory.read(at.g.wrapping_add(at.image.facts().g.goid)).map_or(0, u64::from_le_bytes);
        if goid != 0 {
            watched.add(at.image, goid, at.cpu.tsc, insns);
        }
    }
}

impl fmt::Display for Part {
    /// `goroutine 7  main.f a.go:12,13; main.g a.go:20`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "goroutine {}", self.goroutine)?;
        let mut before: Option<&Line> = None;
        for line in &self.lines {
            match before {
                Some(old) if old.func == line.func && old.file == line.file => write!(f, ",{}", line.line)?,
                _ => write!(f, "  {} {}:{}", line.func, seen::base(&line.file), line.line)?,
            }
            before = Some(line);
        }
        if self.stopped { write!(f, "  <- stopped here") } else { Ok(()) }
    }
}

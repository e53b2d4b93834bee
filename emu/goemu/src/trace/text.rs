//! The trace as text: what `goemu call --trace` prints.

use std::fmt::Write as _;
use std::io::Write;

use super::record::{CallKind, EventRecord, Record, Sink};
use super::step::{MemoryEffect, Position, Step};
use super::{CallChange, Detail};
use crate::cpu::Ymm;
use crate::observe::Event;

/// Writes a trace as text.
///
/// Once a write fails, the rest of the trace is dropped: a call is not worth losing for its trace.
pub struct Text<W> {
    to: W,
    detail: Detail,
    broken: bool,
    /// The line being written.
    line: String,
    /// The place in the source that was named last.
    position: Option<Position>,
}

impl<W: Write> Text<W> {
    /// Text of this detail. Give it a buffered writer: it writes line by line.
    pub fn new(to: W, detail: Detail) -> Text<W> {
        Text { to, detail, broken: false, line: String::new(), position: None }
    }

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

    /// A line about what Go does.
    fn tell(&mut self, text: &str) {
        match self.detail {
            Detail::Instructions => self.line(&format!("      ; {text}")),
            Detail::Events => self.line(text),
            Detail::Calls => {}
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        if self.detail != Detail::Instructions {
            return;
        }
        if step.position().is_some() && step.position() != self.position.as_ref() {
            self.position = step.position().cloned();
            if let Some(position) = step.position() {
                self.line(&named(position));
            }
        }
        write_step(&mut self.line, step);
        self.end();
    }

    fn call(&mut self, change: &CallChange) {
        match (self.detail, &change.kind) {
            (Detail::Calls, _) if !change.within_runtime => self.line(&in_tree(change)),
            (Detail::Calls, _) => {}
            _ if change.announced => {}
            (Detail::Instructions, _) | (Detail::Events, CallKind::Deferred { .. } | CallKind::ByRuntime) => {
                self.tell(&change.to_string());
            }
            (Detail::Events, _) => {}
        }
    }

    fn event(&mut self, record: &EventRecord<'_>) {
        match record.event {
            Event::CallBegins { .. } => self.position = None,
            Event::GoroutineSwitched { .. } if self.detail == Detail::Calls => self.line(record.words),
            Event::CallEnded(_) if self.detail == Detail::Calls => self.line(record.words),
            _ => {}
        }
        self.tell(record.words);
    }
}

impl<W: Write> Sink for Text<W> {
    fn detail(&self) -> Detail {
        self.detail
    }

    fn record(&mut self, record: &Record<'_>) {
        match record {
            Record::Step(step) => self.step(step),
            Record::StackCheck(check) => {
                if self.detail == Detail::Instructions || !check.within_runtime {
                    self.tell(&check.to_string());
                }
            }
            Record::Written(written) => self.tell(&written.to_string()),
            Record::Call(change) => self.call(change),
            Record::Event(event) => self.event(event),
        }
    }

    fn finish(&mut self) {
        self.broken |= self.to.flush().is_err();
    }
}

/// A place in the source: `defer.go:12  main.f1`.
fn named(position: &Position) -> String {
    let file = position.file.rsplit(['/', '\\']).next().unwrap_or_default();
    format!("{file}:{}  {}", position.line, position.func)
}

/// Deeper calls are indented no further, and say how deep they are: a line must not grow with the stack.
const DEEPEST: usize = 100;

/// A call or a return as a line of the tree of calls.
fn in_tree(change: &CallChange) -> String {
    let mut line = " ".repeat(2 * change.depth.min(DEEPEST));
    if change.depth > DEEPEST {
        // A String takes everything.
        let _ = write!(line, "[{}] ", change.depth);
    }
    let _ = match &change.kind {
        CallKind::Returned(results) => write!(line, "= {}", change.returned(results.as_deref())),
        CallKind::Jumped { from } => write!(line, "{}, in place of {from}", change.call()),
        _ => write!(line, "{}", change.call()),
    };
    line
}

/// Writes the line of an instruction. A `String` takes everything, so that writing to it cannot fail.
fn write_step(line: &mut String, step: &Step<'_>) {
    line.push_str(step.columns());
    let mut writes_registers = false;
    for (name, value) in step.registers() {
        writes_registers = true;
        write_register(line, name, value);
    }
    for effect in step.memory().filter(|_| step.finished) {
        write_memory(line, &effect, writes_registers);
    }
    let mut space = "  ";
    for (name, set) in step.flags() {
        let _ = write!(line, "{space}{name}={}", u8::from(set));
        space = " ";
    }
    match step.taken() {
        Some(true) => line.push_str("  taken"),
        Some(false) => line.push_str("  not taken"),
        None => {}
    }
    line.truncate(line.trim_end().len());
}

fn write_register(line: &mut String, name: &str, value: Ymm) {
    line.push_str("  ");
    line.push_str(name);
    line.push('=');
    if let [low, 0] = value {
        return write_hex(line, low);
    }
    write_hex(line, value[1]);
    let _ = write!(line, ":{:#x}", value[0]);
}

/// Memory is shown where it was written, or where the instruction wrote nothing.
fn write_memory(line: &mut String, effect: &MemoryEffect, writes_registers: bool) {
    let value = if effect.written {
        effect.after
    } else if effect.read && !writes_registers {
        effect.before
    } else {
        return;
    };
    let _ = write!(line, "  [{:#x}]", effect.addr);
    if let Some(value) = value {
        line.push('=');
        write_hex(line, value);
    }
}

/// Most values have 64 bits, which are written faster than 128.
fn write_hex(line: &mut String, value: u128) {
    let _ = match u64::try_from(value) {
        Ok(value) => write!(line, "{value:#x}"),
        Err(_) => write!(line, "{value:#x}"),
    };
}

//! Timelines for Perfetto and `chrome://tracing`: goroutines as tracks, calls nested, starts and wake-ups as
//! arrows, allocations as counters.
//!
//! Time is the number of instructions, a microsecond each, so that the same call is the same picture.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::out::Out;
use crate::observe::Event;
use crate::trace::{CallChange, CallKind, Detail, EventRecord, Moment, Record, Sink};

/// The process that all tracks belong to.
const PROCESS: u32 = 1;

/// Writes a run as a timeline, in the format of Chrome's traces. Once a write fails, the rest is dropped.
pub struct Timeline<W> {
    to: Out<W>,
    moment: Moment,
    begun: bool,
    /// The tracks.
    goroutines: BTreeMap<u64, Track>,
    /// The arrows that were begun.
    arrows: u64,
    /// Objects and bytes that were allocated.
    allocated: (u64, u64),
}

/// What is open on a goroutine's track.
#[derive(Default)]
struct Track {
    /// The calls that are under way, by depth.
    calls: Vec<usize>,
    /// It does not run.
    waits: bool,
    /// The arrow that leads to where it runs next.
    arrow: Option<u64>,
}

impl<W: Write> Timeline<W> {
    /// A timeline. Give it a buffered writer.
    pub fn new(to: W) -> Timeline<W> {
        let (moment, goroutines) = Default::default();
        Timeline { to: Out::new(to), moment, begun: false, goroutines, arrows: 0, allocated: (0, 0) }
    }

    /// The error that ended the timeline, if one did.
    pub fn failure(&self) -> Option<&io::Error> {
        self.to.failure()
    }

    fn write(&mut self, mut event: Json, goroutine: u64) {
        event["pid"] = PROCESS.into();
        event["tid"] = goroutine.into();
        event["ts"] = self.moment.instructions.into();
        let head = if std::mem::replace(&mut self.begun, true) { ",\n" } else { "{\"traceEvents\":[\n" };
        self.to.write(|to| {
            to.write_all(head.as_bytes())?;
            Ok(serde_json::to_writer(to, &event)?)
        });
    }

    /// The goroutine's track, named when it is new.
    fn track(&mut self, goroutine: u64) -> &mut Track {
        if !self.goroutines.contains_key(&goroutine) {
            let name = json!({ "name": format!("goroutine {goroutine}") });
            self.write(json!({ "ph": "M", "name": "thread_name", "args": name }), goroutine);
        }
        self.goroutines.entry(goroutine).or_default()
    }

    /// Ends the calls of a goroutine that are as deep as this or deeper.
    fn close(&mut self, goroutine: u64, depth: usize, results: Option<&str>) {
        while let Some(open) = self.track(goroutine).calls.pop_if(|open| *open >= depth) {
            let results = results.filter(|_| open == depth);
            self.write(json!({ "ph": "E", "args": { "results": results } }), goroutine);
        }
    }

    fn call(&mut self, change: &CallChange) {
        let (goroutine, depth) = (self.moment.goroutine, change.depth);
        if let CallKind::Returned(results) = &change.kind {
            return self.close(goroutine, depth, results.as_deref());
        }
        // Calls that a panic has left do not return.
        self.close(goroutine, depth, None);
        let kind = match change.kind {
            CallKind::Deferred { .. } => "defer",
            CallKind::ByRuntime => "runtime",
            CallKind::Jumped { .. } => "jump",
            _ => "call",
        };
        let event = json!({ "ph": "B", "name": change.func, "cat": kind, "args": { "args": change.args } });
        self.write(event, goroutine);
        self.track(goroutine).calls.push(depth);
    }

    fn event(&mut self, record: &EventRecord<'_>) {
        let goroutine = self.moment.goroutine;
        match record.event {
            Event::GoroutineStarted { goroutine: started, .. } => self.begin_arrow(goroutine, *started),
            Event::GoroutineSwitched { from, to } => self.switch(*from, *to),
            Event::Allocated { size, .. } => {
                let (objects, bytes) = self.allocated;
                self.allocated = (objects + 1, bytes.saturating_add(*size));
                let args = json!({ "objects": self.allocated.0, "bytes": self.allocated.1 });
                self.write(json!({ "ph": "C", "name": "allocated", "args": args }), goroutine);
            }
            Event::CallEnded(_) => {
                self.instant(record, goroutine);
                self.end();
            }
            Event::CallBegins { .. } => {
                self.track(goroutine);
            }
            _ => self.instant(record, goroutine),
        }
    }

    fn instant(&mut self, record: &EventRecord<'_>, goroutine: u64) {
        let (name, args) = (record.event.kind(), json!({ "text": record.words }));
        self.write(json!({ "ph": "i", "s": "t", "name": name, "args": args }), goroutine);
    }

    /// An arrow from here to where another goroutine runs next.
    fn begin_arrow(&mut self, from: u64, to: u64) {
        self.arrows += 1;
        let id = self.arrows;
        self.write(json!({ "ph": "s", "cat": "go", "name": "go", "id": id }), from);
        self.track(to).arrow = Some(id);
    }

    fn switch(&mut self, from: u64, to: u64) {
        self.track(from).waits = true;
        self.write(json!({ "ph": "B", "name": "waits", "cat": "scheduler" }), from);
        if self.track(to).arrow.is_none() {
            self.begin_arrow(from, to);
        }
        if std::mem::take(&mut self.track(to).waits) {
            self.write(json!({ "ph": "E" }), to);
        }
        if let Some(id) = self.track(to).arrow.take() {
            let mut end = json!({ "ph": "f", "cat": "go", "name": "go", "id": id });
            // An arrow ends in the call that is open, or, without "bp", in the next one: a new goroutine has none yet.
            if !self.track(to).calls.is_empty() {
                end["bp"] = "e".into();
            }
            self.write(end, to);
        }
    }

    /// Closes all that is open, and the file.
    fn end(&mut self) {
        let goroutines: Vec<u64> = self.goroutines.keys().copied().collect();
        for goroutine in goroutines {
            if std::mem::take(&mut self.track(goroutine).waits) {
                self.write(json!({ "ph": "E" }), goroutine);
            }
            self.close(goroutine, 0, None);
        }
        let about = json!({ "clock": "instructions, shown as microseconds" });
        self.to.write(|to| writeln!(to, "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{about}}}"));
    }
}

impl<W: Write> Sink for Timeline<W> {
    fn detail(&self) -> Detail {
        Detail::Calls
    }

    fn moment(&mut self, moment: Moment) {
        self.moment = moment;
    }

    fn record(&mut self, record: &Record<'_>) {
        match record {
            Record::Call(change) if !change.within_runtime => self.call(change),
            Record::Event(event) => self.event(event),
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.to.write(Write::flush);
    }
}

//! Traces as lines of JSON: the schema is in docs/traces.md.

mod steps;

use std::io::{self, Write};

use serde_json::{Value as Json, json};

use super::out::Out;
use crate::observe::Event;
use crate::trace::{CallChange, CallKind, Detail, EventRecord, Moment, Record, Sink, Written};

/// The version of the schema, in the first line of each trace.
pub const VERSION: u32 = 1;

/// Writes each record of a run as a line of JSON.
///
/// ```no_run
/// use goemu::sink::JsonLines;
/// use goemu::trace::{Detail, Recorder};
/// # let mut machine = goemu::Machine::new(goemu::Image::open("program")?)?;
///
/// machine.observe(Recorder::with_sink(JsonLines::new(std::io::stderr(), Detail::Calls)));
/// # Ok::<(), goemu::Error>(())
/// ```
///
/// Once a write fails, the rest is dropped.
pub struct JsonLines<W> {
    to: Out<W>,
    detail: Detail,
    moment: Moment,
    /// The line of a step.
    line: String,
}

impl<W: Write> JsonLines<W> {
    /// Lines of this detail. Give it a buffered writer.
    pub fn new(to: W, detail: Detail) -> JsonLines<W> {
        JsonLines { to: Out::new(to), detail, moment: Moment::default(), line: String::new() }
    }

    /// The error that ended the trace, if one did.
    pub fn failure(&self) -> Option<&io::Error> {
        self.to.failure()
    }

    fn put(&mut self, object: &Json) {
        self.to.write(|to| {
            serde_json::to_writer(&mut *to, object)?;
            to.write_all(b"\n")
        });
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn detail(&self) -> Detail {
        self.detail
    }

    fn moment(&mut self, moment: Moment) {
        self.moment = moment;
    }

    fn record(&mut self, record: &Record<'_>) {
        if let Record::Step(step) = record {
            if self.detail == Detail::Instructions {
                steps::write(&mut self.line, step, self.moment);
                let line = &self.line;
                self.to.write(|to| to.write_all(line.as_bytes()));
            }
            return;
        }
        let Some(mut object) = object(record) else { return };
        if let Record::Event(EventRecord { event: Event::CallBegins { func, .. }, at, .. }) = record {
            let func = at.image.func_at(*func).map(|func| func.name().to_owned());
            let go = &at.image.build_info().version;
            self.put(&json!({ "type": "trace", "version": VERSION, "func": func, "go": go }));
        }
        object["n"] = self.moment.instructions.into();
        object["goroutine"] = self.moment.goroutine.into();
        self.put(&object);
    }

    fn finish(&mut self) {
        self.to.write(Write::flush);
    }
}

/// A record as an object; none of a step.
fn object(record: &Record<'_>) -> Option<Json> {
    Some(match record {
        // Written without being made an object: there are millions of them.
        Record::Step(_) => return None,
        Record::StackCheck(check) => {
            let mut object = json!({ "type": "stack_check", "func": check.func, "margin": check.margin, "runtime": check.within_runtime });
            if check.asked {
                object["asked"] = true.into();
            }
            object
        }
        Record::Written(written) => self::written(written),
        Record::Call(change) => call(change),
        Record::Event(event) => {
            let mut object = json!({ "type": "event", "event": event.event.kind(), "text": event.words });
            add_fields(&mut object, event);
            object
        }
    })
}

fn written(written: &Written) -> Json {
    match written {
        Written::Result { func, result, value, part } => {
            json!({ "type": "written", "what": "result", "func": func, "name": result, "value": value, "part": part })
        }
        Written::Captured { func, addr, value } => {
            json!({ "type": "written", "what": "captured", "func": func, "addr": hex(*addr), "value": hex(*value) })
        }
        Written::OpenDefers { func, bits } => {
            json!({ "type": "written", "what": "open_defers", "func": func, "bits": bits })
        }
    }
}

fn call(change: &CallChange) -> Json {
    let CallChange { func, args, depth, within_runtime, kind, .. } = change;
    if let CallKind::Returned(results) = kind {
        return json!({ "type": "return", "func": func, "results": results, "depth": depth, "runtime": within_runtime });
    }
    let mut object =
        json!({ "type": "call", "func": func, "args": args, "depth": depth, "runtime": within_runtime });
    match kind {
        CallKind::ByRuntime => object["by"] = "runtime".into(),
        CallKind::Jumped { from } => {
            object["by"] = "jump".into();
            object["from"] = from.as_str().into();
        }
        CallKind::Deferred { of, captured } => {
            object["by"] = "defer".into();
            object["deferred_by"] = of.as_str().into();
            object["captured"] = captured.as_str().into();
        }
        CallKind::Entered | CallKind::Returned(_) => {}
    }
    object
}

/// What an event says beside its text. Addresses are hexadecimal strings, as JSON's numbers do not hold 64 bits.
fn add_fields(object: &mut Json, record: &EventRecord<'_>) {
    let name = |addr: u64| record.at.image.func_at(addr).map_or_else(|| hex(addr), |func| func.name().into());
    let fields = match record.event {
        Event::CallBegins { func, sp, stack } => {
            json!({ "func": name(*func), "sp": hex(*sp), "stack": stack })
        }
        Event::StackGrew { func, from, to } => json!({ "func": name(*func), "from": from, "to": to }),
        Event::StackMoved { from, to } => json!({ "from": hex(*from), "to": hex(*to) }),
        Event::DeferPushed { by, record, closure, func, sp, .. } => json!({
            "by": by, "record": hex(*record), "closure": hex(*closure), "func": name(*func), "sp": hex(*sp),
        }),
        Event::DeferRuns { record, closure, func, sp } => {
            json!({ "record": hex(*record), "closure": hex(*closure), "func": name(*func), "sp": hex(*sp) })
        }
        Event::Panicking { ty, data } => json!({ "type_addr": hex(*ty), "data": hex(*data) }),
        Event::Allocated { addr, size, ty } => {
            json!({ "addr": hex(*addr), "size": size, "type_addr": hex(*ty) })
        }
        Event::GoroutineStarted { goroutine, func } => json!({ "started": goroutine, "func": name(*func) }),
        Event::GoroutineSwitched { from, to } => json!({ "from": from, "to": to }),
        Event::Syscall { number, name, args, result } => {
            let args: Vec<_> =
                args.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
            json!({ "number": number, "call": name, "args": args, "result": result })
        }
        Event::Unreadable { addr } => json!({ "addr": hex(*addr) }),
        Event::CallEnded(outcome) => json!({ "outcome": outcome.word() }),
        _ => return,
    };
    if let (Some(object), Json::Object(fields)) = (object.as_object_mut(), fields) {
        object.extend(fields);
    }
}

fn hex(value: u64) -> Json {
    format!("{value:#x}").into()
}

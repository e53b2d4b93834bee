//! A trace sink of one's own: every record of a run as a line of JSON.
//!
//! `cargo run --release --example json_trace`
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example shows something")]

use std::io::Write;

use goemu::trace::{CallKind, Detail, Record, Recorder, Sink, Step, Written};
use goemu::{Error, Image, Machine};
use serde_json::{Value as Json, json};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");

/// Writes records as lines of JSON, until a write fails.
struct JsonLines<W> {
    to: W,
    failed: Option<std::io::Error>,
}

impl<W: Write> Sink for JsonLines<W> {
    fn detail(&self) -> Detail {
        Detail::Instructions
    }

    fn record(&mut self, record: &Record<'_>) {
        if self.failed.is_none() {
            self.failed = writeln!(self.to, "{}", object(record)).err();
        }
    }

    fn finish(&mut self) {
        if self.failed.is_none() {
            self.failed = self.to.flush().err();
        }
        if let Some(error) = &self.failed {
            eprintln!("the trace is not complete: {error}");
        }
    }
}

fn object(record: &Record<'_>) -> Json {
    match record {
        Record::Step(step) => instruction(step),
        Record::StackCheck(check) => json!({ "stack_check": check.func, "margin": check.margin }),
        Record::Written(Written::Result { func, result, value, .. }) => {
            json!({ "result": result, "of": func, "value": value })
        }
        Record::Call(change) => match &change.kind {
            CallKind::Returned(results) => json!({ "returned": change.func, "results": results }),
            _ => json!({ "called": change.func, "args": change.args, "depth": change.depth }),
        },
        Record::Event(event) => json!({ "event": event.words }),
        other => json!({ "note": words(other) }),
    }
}

/// Records that this sink does not take apart.
fn words(record: &Record<'_>) -> String {
    match record {
        Record::Written(written) => written.to_string(),
        _ => String::new(),
    }
}

fn instruction(step: &Step<'_>) -> Json {
    let hex = |value: u128| format!("{value:#x}");
    let registers: serde_json::Map<_, _> =
        step.registers().map(|(name, value)| (name.to_owned(), hex(value[0]).into())).collect();
    let memory: Vec<_> = step
        .memory()
        .map(|m| json!({ "addr": m.addr, "size": m.size, "before": m.before.map(hex), "after": m.after.map(hex) }))
        .collect();
    let flags: serde_json::Map<_, _> =
        step.flags().map(|(name, set)| (name.to_owned(), set.into())).collect();
    json!({
        "pc": step.instruction().ip(),
        "place": step.place(),
        "code": step.code(),
        "line": step.position().map(|position| format!("{}:{}", position.file, position.line)),
        "registers": registers,
        "memory": memory,
        "flags": flags,
        "taken": step.taken(),
    })
}

/// Traces a call; gives the lines.
///
/// # Errors
/// Those of opening the program and of the call.
pub fn trace(func: &str, arg: i64) -> Result<Vec<u8>, Error> {
    let lines = Shared::default();
    let mut machine = Machine::new(Image::open(PROGRAM)?)?;
    machine.observe(Recorder::with_sink(JsonLines { to: lines.clone(), failed: None }));
    machine.call(func)?.arg(arg).run()?;
    Ok(std::mem::take(&mut lines.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)))
}

/// Bytes that the machine writes and the caller reads.
#[derive(Clone, Default)]
struct Shared(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let lines = trace("main.fib", 3)?;
    print!("{}", String::from_utf8_lossy(&lines));
    Ok(())
}

#[test]
fn each_line_is_json_and_tells_the_run() {
    let lines = trace("main.fib", 3).unwrap();
    let records: Vec<Json> =
        String::from_utf8(lines).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let calls = records.iter().filter(|record| record["called"] == "main.fib").count();
    let returns = records.iter().filter(|record| record["returned"] == "main.fib").count();
    assert_eq!((calls, returns), (5, 5));
    let wrote = |record: &&Json| record["registers"].as_object().is_some_and(|map| !map.is_empty());
    assert!(records.iter().any(|record| wrote(&record)));
    assert_eq!(records.last().unwrap()["event"], "returned: 2");
}

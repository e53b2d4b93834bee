//! Traces as text.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use goemu::trace::{Detail, Tracer};
use goemu::{Machine, Report};

/// A place to write to that its owner can read while an observer writes.
#[derive(Clone, Debug, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panicked").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes a call with arguments in Go syntax: its trace and its report.
pub fn traced(machine: &mut Machine, detail: Detail, func: &str, args: &[&str]) -> (String, Report) {
    let text = Shared::default();
    machine.observe(Tracer::new(text.clone(), detail));
    let call = machine.call(func).and_then(|call| call.literals(args));
    let report = call.and_then(|call| call.run()).unwrap_or_else(|error| panic!("{func}: {error}"));
    machine.unobserve();
    let text = text.0.lock().expect("no writer panicked").clone();
    (String::from_utf8(text).expect("a trace is text"), report)
}

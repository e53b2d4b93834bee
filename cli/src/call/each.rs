//! `goemu call --each`: one function over the lines of a file.

use std::io::{self, Write};
use std::ops::ControlFlow;

use anyhow::{Result, bail};
use goemu::go::print::Format;
use goemu::pool::{Follow, Pool, Progress};
use goemu::{Machine, Outcome, Report};
use serde_json::json;

use super::Args;
use crate::called::Called;
use crate::calls::{Calls, Request, initialise, jobs};
use crate::confined::{Needs, confine};
use crate::lines::lines;
use crate::{FAILED, hint, output};

pub(super) fn main(args: &Args, file: &str) -> Result<u8> {
    if let Some(option) = args.watch.wanted().or(args.looking.wanted()) {
        bail!("{option} shows one call, and --each makes many: call it for one line");
    }
    let (image, config) = (args.binary.open()?, args.guest.config_of_calls()?);
    confine(&Needs::of(&config).reading_any());
    let mut machine = Machine::with_config(image, args.binary.config(config))?;
    machine.set_reading(args.shown.reading(args.show_args));
    machine.find(&args.func)?;
    if args.init {
        initialise(&mut machine);
    }
    let calls = Calls::new(&machine);
    let work = |machine: &mut Machine, line: io::Result<String>| {
        let words = arguments(&args.args, &line?);
        let (sig, captures) = (args.sig.as_deref(), args.captures.as_deref());
        calls.call(machine, &Request { func: &args.func, args: &words, sig, captures })
    };
    let mut writer = Writer {
        out: output::plain(),
        json: args.json,
        format: args.shown.format(),
        status: 0,
        failed: None,
    };
    Pool::new(machine).jobs(jobs(args.jobs)).run(lines(file)?, work, &mut writer)?;
    match writer.failed {
        Some(error) => Err(error.into()),
        None => Ok(writer.status),
    }
}

/// The arguments with a line in its place.
fn arguments(args: &[String], line: &str) -> Vec<String> {
    let mut words: Vec<String> =
        args.iter().map(|arg| if arg == "{}" { line.to_owned() } else { arg.clone() }).collect();
    if !args.iter().any(|arg| arg == "{}") {
        words.push(line.to_owned());
    }
    words
}

/// Writes a line for each call.
struct Writer<W> {
    out: W,
    json: bool,
    format: Format,
    /// The first status that is not 0.
    status: u8,
    failed: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    fn write(&mut self, called: Result<Called>) -> io::Result<()> {
        let status = called.as_ref().map_or(FAILED, Called::status);
        if self.status == 0 {
            self.status = status;
        }
        match called {
            Ok(called) if self.json => writeln!(self.out, "{}", called.object()),
            Ok(called) => writeln!(self.out, "{}", line(&called.report, self.format)),
            Err(error) if self.json => writeln!(self.out, "{}", json!({ "error": output::message(&error) })),
            Err(error) => writeln!(self.out, "error: {}", output::escaped(&output::message(&error))),
        }
    }

    fn note(&mut self, done: io::Result<()>) -> ControlFlow<()> {
        match done {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// What came of a call, on one line.
fn line(report: &Report, format: Format) -> String {
    match (&report.outcome, report.outcome.values()) {
        (_, Some(values)) => {
            let texts: Vec<_> = values.iter().map(|value| format.show(value).to_string()).collect();
            output::escaped(&texts.join(", "))
        }
        (Outcome::Panicked(panic), _) => format!("panic: {}", output::escaped(&panic.text)),
        (outcome, _) => output::escaped(&hint::outcome(outcome)),
    }
}

impl<W: Write> Follow<Result<Called>> for Writer<W> {
    fn result(&mut self, called: Result<Called>) -> ControlFlow<()> {
        let done = self.write(called);
        self.note(done)
    }

    fn progress(&mut self, _: Progress) -> ControlFlow<()> {
        let done = self.out.flush();
        self.note(done)
    }
}

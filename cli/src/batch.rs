//! `goemu batch`: calls as lines of JSON, answers as lines of JSON. `docs/batch.md` has the protocol.

mod request;

use std::io::{self, Write};
use std::ops::ControlFlow;

use anyhow::Result;
use goemu::Machine;
use goemu::pool::{Follow, Pool, Progress};
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::calls::{Calls, initialise, jobs};
use crate::confined::{Needs, confine};
use crate::guest::Guest;
use crate::lines::lines;
use crate::shown::Shown;
use crate::{number, output};
use request::Request;

/// Make many calls from one start: JSON lines in, JSON lines out
///
/// Each line of standard input is a call, {"func": "main.decode", "args": ["\"abc\"", 7], "id": 1}; func may be a name, an end
/// of one, or an address. Each line of output is its answer, in the same order: the object of `goemu call --json`, and
/// the id. What goes wrong with a call is its answer: {"id": 1, "error": ".."}. Packages are initialised first, and every call starts
/// from that state.
///
/// A request has func, and if wanted args, sig (the signature), captures, id (anything), fuel (instructions).
/// Arguments are texts in Go syntax as `goemu call` takes them, numbers, true, false, null (nil), [..] (a slice or array),
/// {"X": 1} (a struct), {"$map": {"a": 1}}, {"$string": ".."} (this text), {"$bytes": "00ff"} (these bytes).
#[derive(clap::Args)]
#[command(after_help = "Examples:
  echo '{\"func\": \"main.f1\"}' | goemu batch
  goemu batch -b prog --jobs 8 --timeout 2s < calls.jsonl > answers.jsonl
  jq -nc 'range(1000) | {func: \"main.fib\", args: [.], id: .}' | goemu batch -b prog | jq -c '[.id, .results[0].value]'")]
pub(crate) struct Args {
    #[command(flatten)]
    binary: Binary,
    /// Calls that run at the same time [default: one for each core]
    #[arg(long, value_name = "N", value_parser = number::count)]
    jobs: Option<u64>,
    /// Do not initialise packages first; a call that needs it does it for itself
    #[arg(long)]
    no_init: bool,
    /// Answer also with the arguments as they are after the call
    #[arg(long)]
    show_args: bool,
    #[command(flatten)]
    guest: Guest,
    #[command(flatten)]
    shown: Shown,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let (image, config) = (args.binary.open()?, args.guest.config_of_calls()?);
    // Arguments of requests may be the contents of files.
    confine(&Needs::of(&config).reading_any());
    let mut machine = Machine::with_config(image, args.binary.config(config))?;
    machine.set_reading(args.shown.reading(args.show_args));
    if !args.no_init {
        initialise(&mut machine);
    }
    let (calls, fuel) = (Calls::new(&machine), machine.config().fuel);
    let mut pool = Pool::new(machine).jobs(jobs(args.jobs));
    let work = |machine: &mut Machine, line: io::Result<String>| answer(&calls, machine, line, fuel);
    let mut writer = Writer { out: output::plain(), waiting: false, failed: None };
    pool.run(lines("-")?, work, &mut writer)?;
    writer.finish()?;
    Ok(0)
}

/// One answer: empty for an empty line.
fn answer(calls: &Calls, machine: &mut Machine, line: io::Result<String>, fuel: u64) -> Option<Json> {
    let wrong = |id: &Json, error: &anyhow::Error| json!({ "id": id, "error": output::message(error) });
    let line = match line {
        Ok(line) if line.trim().is_empty() => return None,
        Ok(line) => line,
        Err(error) => return Some(wrong(&Json::Null, &error.into())),
    };
    let request = match Request::parse(&line) {
        Ok(request) => request,
        Err((id, error)) => return Some(wrong(&id, &error)),
    };
    machine.set_fuel(request.fuel.unwrap_or(fuel));
    Some(match calls.call(machine, &request.as_call()) {
        Ok(called) => {
            let mut object = called.object();
            object["id"] = request.id;
            object
        }
        Err(error) => wrong(&request.id, &error),
    })
}

/// Writes answers, and flushes where no other is ready.
struct Writer<W> {
    out: W,
    waiting: bool,
    failed: Option<io::Error>,
}

impl<W: Write> Writer<W> {
    fn finish(self) -> Result<()> {
        self.failed.map_or(Ok(()), |error| Err(error.into()))
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

impl<W: Write> Follow<Option<Json>> for Writer<W> {
    fn result(&mut self, answer: Option<Json>) -> ControlFlow<()> {
        let Some(answer) = answer else { return ControlFlow::Continue(()) };
        self.waiting = true;
        let done = writeln!(self.out, "{answer}");
        self.note(done)
    }

    fn progress(&mut self, _: Progress) -> ControlFlow<()> {
        if !std::mem::take(&mut self.waiting) {
            return ControlFlow::Continue(());
        }
        let done = self.out.flush();
        self.note(done)
    }
}

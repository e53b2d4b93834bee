//! A call that was made: as text, as JSON, and as an exit status.

use std::io::{self, Write};
use std::sync::Arc;

use anyhow::Result;
use goemu::go::guess::{Guess, Look, looks};
use goemu::go::print::Format;
use goemu::outcome::{NamedValue, Returned};
use goemu::{Image, Machine, Outcome, Report};
use serde_json::{Map, Value as Json, json};

use crate::binary::warning;
use crate::info::interpreted_because;
use crate::output::DIM;
use crate::{hint, output, stopped, traceback, value};

/// Exit status of a panic and of Go's fatal errors, as Go has it.
const PANICKED: u8 = 2;
/// Exit status when the call had to be stopped.
const STOPPED: u8 = 3;
/// A call that was made.
pub(crate) struct Called {
    /// The full name of the function.
    pub(crate) func: String,
    /// The version of Go that built the program; empty where it is not known.
    pub(crate) go: String,
    pub(crate) image: Arc<Image>,
    /// What ran its instructions.
    pub(crate) engine: &'static str,
    pub(crate) report: Report,
    /// What was guessed, where the signature is not known.
    pub(crate) guess: Option<Guess>,
    /// What results of unknown types look like.
    pub(crate) looks: Vec<Look>,
    /// Who wrote to memory that was watched.
    pub(crate) writes: Option<Json>,
}

/// The exit status of a call that ended so.
pub(crate) fn status(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Returned(_) | Outcome::Stopped(_) => 0,
        Outcome::Panicked(_) => PANICKED,
        // As wait(2) has it: the lowest eight bits.
        Outcome::Exited { code, .. } => code.to_le_bytes()[0],
        _ => STOPPED,
    }
}

impl Called {
    pub(crate) fn status(&self) -> u8 {
        status(&self.report.outcome)
    }

    /// The place of the first word of something.
    fn word(&self, look: &Look) -> String {
        match &self.report.outcome {
            Outcome::Returned(returned) => {
                let text = returned.to_string();
                let name = text.split(' ').nth(look.first).and_then(|pair| pair.split_once('='));
                name.map_or_else(String::new, |(name, _)| name.to_owned())
            }
            _ => String::new(),
        }
    }

    /// The guest's output where it belongs, then the results, or why there are none.
    pub(crate) fn print(&self, format: Format) -> Result<()> {
        let Report { outcome, stdout, stderr, .. } = &self.report;
        // The guest's bytes as they are. Its results are shown also where its standard error has no reader.
        let _ = io::stderr().write_all(stderr);
        io::stdout().write_all(stdout)?;
        let mut out = output::stdout();
        match outcome {
            Outcome::Returned(Returned::Values(values)) if values.is_empty() => {}
            Outcome::Returned(Returned::Values(values)) => {
                let texts: Vec<_> = values.iter().map(|v| format.show(&v.value).to_string()).collect();
                writeln!(out, "{}", texts.join(", "))?;
            }
            // Labelled by the names of the registers.
            Outcome::Returned(registers) => {
                writeln!(out, "{registers}")?;
                for look in &self.looks {
                    let (name, ty, text) =
                        (self.word(look), output::escaped(&look.ty), output::escaped(&look.text));
                    writeln!(out, "  {DIM}{name} looks like{DIM:#} {ty} {text}")?;
                }
            }
            // The runtime has printed the reason.
            Outcome::Exited { fatal: Some(_), .. } => output::say(&traceback::text(outcome)),
            Outcome::Exited { .. } => {}
            Outcome::Stopped(stopped) => {
                writeln!(out, "{}", output::escaped_lines(&stopped::text(stopped, &self.image)))?;
            }
            // As Go says it.
            Outcome::Panicked(_) | Outcome::Deadlock(_) => {
                output::say(&format!("{outcome}\n{}", traceback::text(outcome)));
            }
            _ => output::complain(&hint::outcome(outcome)),
        }
        // What an argument points to is what may have changed.
        let following = Format { pointers: format.pointers.max(1), ..format };
        for NamedValue { name, ty, value } in &self.report.arguments {
            let name = if name.is_empty() { "_" } else { name };
            writeln!(out, "{name} {ty} = {}", following.show(value))?;
        }
        out.flush()?;
        if let Some(why) = &self.report.doubt {
            output::note(&format!("this end may be goemu's doing, and not the program's own: {why}"));
        }
        if let Some(why) = &self.report.uninitialised {
            let hint = environment_hint(why);
            output::note(&format!(
                "package variables may have the values that they have in the file: {why}{hint}"
            ));
        }
        Ok(())
    }

    pub(crate) fn object(&self) -> Json {
        let Report { outcome, runtime, uninitialised, doubt, stdout, stderr, instructions, .. } =
            &self.report;
        let text = |bytes: &[u8]| Json::from(String::from_utf8_lossy(bytes));
        let because = if self.engine == "interpreter" { interpreted_because() } else { None };
        let mut object = json!({
            "function": self.func,
            "outcome": outcome.word(),
            "results": [],
            "panic": null,
            "fault": null,
            "stdout": text(stdout),
            "stderr": text(stderr),
            "instructions": instructions,
            "uninitialised": uninitialised,
            "doubt": doubt,
            "warning": warning(&self.image),
            "runtime": runtime.to_string(),
            "engine": self.engine,
            "interpreted_because": because,
            "go": self.go,
            "guessed": self.guess.as_ref().map(Guess::to_string),
        });
        match outcome {
            Outcome::Returned(Returned::Values(values)) => {
                object["results"] = values.iter().map(|v| value::named(v, &self.image)).collect();
            }
            Outcome::Returned(returned) => {
                object["registers"] = registers(returned);
                let look =
                    |look: &Look| json!({ "place": self.word(look), "type": look.ty, "value": look.text });
                if !self.looks.is_empty() {
                    object["looks"] = self.looks.iter().map(look).collect();
                }
            }
            Outcome::Panicked(panic) => {
                object["panic"] = panic.text.as_str().into();
                object["panic_value"] = panic.value.to_string().into();
                object["panic_data"] = value::value(&panic.value, &self.image);
            }
            Outcome::Stopped(stopped) => object["stopped"] = stopped::object(stopped),
            Outcome::Faulted { fault, .. } => object["fault"] = fault.to_string().into(),
            Outcome::Exited { code, fatal } => {
                object["fault"] = fatal.as_ref().map(|fatal| fatal.text.as_str()).into();
                object["exit_code"] = (*code).into();
            }
            _ => {}
        }
        if let Some(stacks) = outcome.traceback() {
            object["traceback"] = traceback::object(stacks);
        }
        if let Some(writes) = &self.writes {
            object["writes"] = writes.clone();
        }
        if !self.report.arguments.is_empty() {
            let arguments = self.report.arguments.iter();
            object["arguments"] = arguments.map(|v| value::named(v, &self.image)).collect();
        }
        object
    }
}

/// What results of unknown types look like.
pub(crate) fn looks_of(machine: &Machine, report: &Report) -> Vec<Look> {
    let Outcome::Returned(Returned::Registers { ints, stack, .. }) = &report.outcome else {
        return Vec::new();
    };
    let stack: Vec<u64> = stack.iter().map(|(_, word)| *word).collect();
    let words = if ints.is_empty() { &stack } else { ints };
    looks(machine.image(), machine.memory_after(report), words)
}

/// The registers, or words of the stack, by their names.
fn registers(returned: &Returned) -> Json {
    let text = returned.to_string();
    let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
    Json::Object(pairs.map(|(name, value)| (name.to_owned(), value.into())).collect::<Map<_, _>>())
}

/// What to do about an initialiser that misses a variable of the environment, which is empty unless it is given.
fn environment_hint(why: &str) -> &'static str {
    let asked =
        ["$HOME", "home dir", "config dir", "cache dir", "$USER", "environment variable", "%AppData%"];
    let asks = asked.iter().any(|text| why.to_lowercase().contains(&text.to_lowercase()));
    if asks {
        " (the environment is empty: give it --env HOME=/root --env USER=root, or what it asks for)"
    } else {
        ""
    }
}

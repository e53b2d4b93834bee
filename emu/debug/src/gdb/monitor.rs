//! `monitor ...`: what gdb does not know of Go.

use gdbstub::outputln;
use gdbstub::target::ext::monitor_cmd::{ConsoleOutput, MonitorCmd};
use goemu::go::locals::Role;
use goemu::{Error, Machine};

use super::target::Guest;

/// Deferred calls that are listed.
const MAX_DEFERS: usize = 1000;
/// Events that are listed, unless it is said how many.
const MAX_EVENTS: usize = 100;

const HELP: &str = "\
monitor goroutines       all goroutines, and where each is
monitor stack [N]        the calls that goroutine N is in, as Go prints them
monitor locals [N]       the variables of call N of the running goroutine, by debug information; 0 is the innermost
monitor events [N]       what Go's runtime has done so far, the last N of it, each with its position
monitor defers           the deferred calls of the running goroutine that records hold
monitor map              what of memory is mapped
monitor call F ARGS      makes another call, from the program's beginning
monitor position         steps since the call began
monitor go N             goes to a position
monitor output           what the program has printed so far
monitor outcome          how the call ended";

impl MonitorCmd for Guest<'_> {
    fn handle_monitor_cmd(&mut self, command: &[u8], mut out: ConsoleOutput<'_>) -> Result<(), Error> {
        let command = String::from_utf8_lossy(command);
        let (word, rest) = command.trim().split_once(' ').unwrap_or((command.trim(), ""));
        let text = match word {
            "goroutines" => self.list_goroutines(),
            "stack" => self.stack(rest.trim()),
            "locals" => self.locals(rest.trim()),
            "events" => self.events(rest.trim()),
            "defers" => self.defers(),
            "map" => self.maps(),
            "call" => call(self.runner.session().machine(), rest),
            "position" => format!("{} steps", self.runner.session().position()),
            "go" => self.go(rest.trim()),
            "output" => self.output(),
            "outcome" => self.outcome(),
            _ => HELP.to_owned(),
        };
        outputln!(out, "{}", printable(&text));
        Ok(())
    }
}

/// The guest's text must not control a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c }).collect()
}

impl Guest<'_> {
    fn list_goroutines(&mut self) -> String {
        let goroutines = self.goroutines().to_vec();
        let image = self.runner.session().machine().image();
        let line = |goroutine: &goemu::machine::GoroutineState| {
            let place = image.func_at(goroutine.at.pc).map_or_else(
                || format!("{:#x}", goroutine.at.pc),
                |func| match func.line_at(goroutine.at.pc) {
                    Some(line) => format!("{} {}:{}", func.name(), line.file, line.line),
                    None => func.name().to_owned(),
                },
            );
            format!("goroutine {} [{}]: {place}", goroutine.number, goroutine.status)
        };
        goroutines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn stack(&mut self, number: &str) -> String {
        let goroutines = self.goroutines().to_vec();
        let wanted = number.parse().ok().or(goroutines.first().map(|running| running.number));
        let found = goroutines.iter().find(|goroutine| Some(goroutine.number) == wanted);
        found.map_or_else(
            || format!("no goroutine {number}; see monitor goroutines"),
            |goroutine| self.runner.session().machine().stack_of(goroutine, true).to_string(),
        )
    }

    /// The list that begins in `g`. Open-coded defers are in no list before a panic looks for them.
    fn defers(&self) -> String {
        let machine = self.runner.session().machine();
        let (image, memory) = (machine.image(), machine.memory());
        let facts = image.facts();
        let word = |addr: u64| memory.read(addr).ok().map(u64::from_le_bytes).filter(|word| *word != 0);
        let mut lines = Vec::new();
        let mut next = word(machine.goroutine().g.wrapping_add(facts.g.defer));
        while let Some(record) = next.filter(|_| lines.len() < MAX_DEFERS) {
            let func = word(record.wrapping_add(facts.defer.func)).and_then(word);
            let name = func.and_then(|func| image.func_at(func)).map_or("?", |func| func.name());
            let sp = word(record.wrapping_add(facts.defer.sp)).unwrap_or(0);
            lines.push(format!("{name}, of the frame with SP={sp:#x}, record {record:#x}"));
            next = word(record.wrapping_add(facts.defer.link));
        }
        if lines.is_empty() { "no deferred call is in a record".to_owned() } else { lines.join("\n") }
    }

    fn locals(&mut self, number: &str) -> String {
        let Ok(wanted) = (if number.is_empty() { Ok(0) } else { number.parse() }) else {
            return "monitor locals N: the number of a call in monitor stack, from 0".to_owned();
        };
        let Some(running) = self.goroutines().first().cloned() else { return String::new() };
        match self.runner.session().machine().locals_of(&running, wanted) {
            Ok(variables) if variables.is_empty() => {
                "no variables are known here: the call has none, or debug information was stripped".to_owned()
            }
            Ok(variables) => {
                let lines = variables.iter().map(|variable| match variable.role {
                    Role::Local => variable.to_string(),
                    Role::Parameter => format!("parameter {variable}"),
                    Role::Result => format!("result {variable}"),
                });
                lines.collect::<Vec<_>>().join("\n")
            }
            Err(error) => error.to_string(),
        }
    }

    fn events(&mut self, number: &str) -> String {
        let Ok(most) = (if number.is_empty() { Ok(MAX_EVENTS) } else { number.parse::<usize>() }) else {
            return "monitor events N: how many of the last ones".to_owned();
        };
        let events = match self.runner.session_mut().events() {
            Ok(events) => events,
            Err(error) => return error.to_string(),
        };
        self.moved();
        let before = events.len().saturating_sub(most);
        let mut lines: Vec<String> = Vec::new();
        if before > 0 {
            lines.push(format!("({before} before)"));
        }
        lines.extend(events[before..].iter().map(|event| format!("{:>9}  {}", event.position, event.words)));
        if lines.is_empty() { "nothing has happened so far".to_owned() } else { lines.join("\n") }
    }

    fn go(&mut self, position: &str) -> String {
        let Ok(position) = position.parse() else { return "monitor go N: a number of steps".to_owned() };
        let gone = self.runner.session_mut().go_to(position);
        self.moved();
        match gone {
            Ok(_) => format!(
                "at step {}; `maintenance flush register-cache` lets gdb see it",
                self.runner.session().position()
            ),
            Err(error) => error.to_string(),
        }
    }

    fn output(&self) -> String {
        let (stdout, stderr) = self.runner.session().machine().output();
        format!("{}{}", String::from_utf8_lossy(stdout), String::from_utf8_lossy(stderr))
    }

    fn outcome(&self) -> String {
        let session = self.runner.session();
        match session.outcome() {
            Some(outcome) => format!("{}: {outcome}", outcome.word()),
            None if session.is_over() => "returned".to_owned(),
            None => "the call is not over".to_owned(),
        }
    }
}

/// Makes a call on a machine of its own: the one that is looked at stays as it is.
fn call(machine: &Machine, line: &str) -> String {
    let mut words = line.split_whitespace();
    let Some(func) = words.next() else { return "monitor call FUNC ARGS".to_owned() };
    let args: Vec<&str> = words.collect();
    let made = Machine::with_config(machine.image().clone(), machine.config().clone())
        .and_then(|mut machine| machine.call(func)?.literals(&args)?.run());
    made.map_or_else(
        |error| error.to_string(),
        |report| format!("{}: {}", report.outcome.word(), report.outcome),
    )
}

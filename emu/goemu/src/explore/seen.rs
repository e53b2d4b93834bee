//! What came of one run, in a form by which runs can be compared.

use std::fmt::Write;

use goemu_loader::Image;

use super::blocked;
use crate::go::own::Own;
use crate::go::traceback::{Frame, Stack, Traceback};
use crate::machine::Machine;
use crate::outcome::Outcome;
use crate::program::Run;
use crate::races::{Access, Race};

/// One thing that was seen in a run: how it ended, or what it left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// What kind it is.
    pub kind: SeenKind,
    /// By which the same is known in other runs: without numbers and addresses that change.
    pub key: String,
    /// What happened, in a line.
    pub what: String,
    /// The goroutines that matter, as Go prints them.
    pub stacks: String,
}

/// Kinds of what is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum SeenKind {
    /// The program ended with status 0.
    Passed,
    /// It ended with status 0, and its output is another than most runs'.
    Output,
    /// The same, where that is a failure.
    Differs,
    /// It ended with another status: a test failed.
    Exited,
    /// It panicked.
    Panicked,
    /// Go's runtime ended it: concurrent map writes.
    Fatal,
    /// Accesses of different goroutines to the same memory, without order between them.
    Race,
    /// Nothing went on any more.
    Deadlock,
    /// Goroutines wait for ever though the program has ended.
    Leak,
    /// It did not end within its instructions, time or output.
    Limit,
    /// Something that Go makes no panic of.
    Fault,
    /// goemu could not go on.
    Unsupported,
}

impl SeenKind {
    /// All, with their words.
    pub const WORDS: [(SeenKind, &str); 12] = [
        (SeenKind::Passed, "passed"),
        (SeenKind::Output, "output"),
        (SeenKind::Differs, "differs"),
        (SeenKind::Exited, "exited"),
        (SeenKind::Panicked, "panicked"),
        (SeenKind::Fatal, "fatal"),
        (SeenKind::Race, "race"),
        (SeenKind::Deadlock, "deadlock"),
        (SeenKind::Leak, "leak"),
        (SeenKind::Limit, "limit"),
        (SeenKind::Fault, "fault"),
        (SeenKind::Unsupported, "unsupported"),
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        SeenKind::WORDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<SeenKind> {
        SeenKind::WORDS.iter().find(|(_, other)| *other == word).map(|(kind, _)| *kind)
    }

    /// Whether it is a failure of the program.
    pub fn is_failure(self) -> bool {
        !matches!(self, SeenKind::Passed | SeenKind::Output | SeenKind::Unsupported)
    }
}

impl Seen {
    pub(super) fn new(kind: SeenKind, key: impl Into<String>, what: impl Into<String>) -> Seen {
        Seen { kind, key: key.into(), what: what.into(), stacks: String::new() }
    }
}

/// What was seen in a run of a machine, which is as the run has left it.
pub(super) fn seen(machine: &mut Machine, own: &Own, run: &Run, leaks: bool) -> Vec<Seen> {
    let mut all = vec![ended(machine, own, run)];
    let ended_by_itself = matches!(run.outcome, Outcome::Exited { fatal: None, .. });
    if leaks && ended_by_itself {
        all.extend(leak(machine, own, run.busy));
    }
    all
}

/// A data race: known again by its two places.
pub(super) fn raced(race: &Race) -> Seen {
    let at = |access: &Access| match access.stack.first() {
        Some(at) => format!("{} ({}:{})", at.func, base(&at.file), at.line),
        None => "a forgotten place".to_owned(),
    };
    let word = |access: &Access| if access.write { "write" } else { "read" };
    let mut both = [&race.access, &race.previous].map(|access| format!("{} in {}", word(access), at(access)));
    both.sort();
    let both = both.join(", ");
    let mut seen = Seen::new(SeenKind::Race, format!("race {both}"), format!("data race: {both}"));
    seen.stacks = race.to_string();
    seen
}

fn ended(machine: &mut Machine, own: &Own, run: &Run) -> Seen {
    let image = std::sync::Arc::clone(machine.image());
    match &run.outcome {
        Outcome::Exited { code: 0, fatal: None } => {
            Seen::new(SeenKind::Passed, output_key(run), "exit status 0")
        }
        Outcome::Exited { code, fatal: None } => exited(*code, run),
        Outcome::Exited { fatal: Some(fatal), .. } => {
            let text = format!("fatal error: {}", fatal.text);
            died(SeenKind::Fatal, own, &text, &fatal.traceback)
        }
        Outcome::Panicked(panic) if panic.text.contains("test timed out after") => {
            deadlock(own, &running_tests(&panic.text), &panic.traceback)
        }
        Outcome::Panicked(panic) => {
            died(SeenKind::Panicked, own, &format!("panic: {}", panic.text), &panic.traceback)
        }
        Outcome::Deadlock(traceback) if traceback.is_empty() => {
            let traceback = blocked::all(machine, &image);
            deadlock(own, "all threads wait for ever", &traceback)
        }
        Outcome::Deadlock(traceback) => deadlock(own, "all goroutines are asleep", traceback),
        other @ (Outcome::OutOfFuel { .. }
        | Outcome::OutOfTime
        | Outcome::OutputLimit { .. }
        | Outcome::MemoryLimit { .. }) => {
            let traceback = blocked::all(machine, &image);
            let mut seen = Seen::new(SeenKind::Limit, other.word(), other.to_string());
            seen.stacks = stacks(own, &traceback, |_| true);
            seen
        }
        other => Seen::new(SeenKind::Fault, normal(&other.to_string()), other.to_string()),
    }
}

/// A status other than 0: which tests failed and what they said, or the last that the program said.
fn exited(code: i32, run: &Run) -> Seen {
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let mut failed = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(name) = line.trim_start().strip_prefix("--- FAIL: ") else { continue };
        let name = name.split(" (").next().unwrap_or(name);
        let said = lines.next_if(|next| next.starts_with("    ") && !next.trim_start().starts_with("---"));
        // Writing to a string cannot fail.
        let _ = match said {
            Some(said) => write!(failed, "; {name}: {}", said.trim()),
            None => write!(failed, "; {name}"),
        };
    }
    if let Some(failed) = failed.strip_prefix("; ") {
        return Seen::new(
            SeenKind::Exited,
            format!("failed {}", normal(failed)),
            format!("failed: {failed}"),
        );
    }
    let error = String::from_utf8_lossy(&run.stderr).into_owned();
    let last = error.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let said = if last.is_empty() { String::new() } else { format!(": {last}") };
    Seen::new(SeenKind::Exited, format!("exit {code}{}", normal(&said)), format!("exit status {code}{said}"))
}

fn died(kind: SeenKind, own: &Own, text: &str, traceback: &Traceback) -> Seen {
    let first = traceback.goroutines.first();
    let place = first.and_then(|stack| own_frame(own, stack)).map(place).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let mut seen = Seen::new(kind, format!("{} {place}", normal(line)), line);
    if !place.is_empty() {
        let _ = write!(seen.what, " in {place}");
    }
    seen.stacks = stacks(own, traceback, |at| at == 0);
    seen
}

fn deadlock(own: &Own, what: &str, traceback: &Traceback) -> Seen {
    let waiting =
        traceback.goroutines.iter().filter(|stack| is_waiting(stack) && own_frame(own, stack).is_some());
    let places = places(own, waiting);
    let mut seen = Seen::new(SeenKind::Deadlock, format!("deadlock {places}"), what);
    if !places.is_empty() {
        let _ = write!(seen.what, ": {places}");
    }
    seen.stacks = stacks(own, traceback, |_| true);
    seen
}

/// Goroutines that wait for ever in a program that has ended.
fn leak(machine: &mut Machine, own: &Own, busy: bool) -> Option<Seen> {
    let image = std::sync::Arc::clone(machine.image());
    let traceback = blocked::leaked(machine, &image, own, busy);
    if traceback.is_empty() {
        return None;
    }
    let places = places(own, traceback.goroutines.iter());
    let count = traceback.goroutines.len();
    let (who, s) =
        if count == 1 { ("a goroutine".to_owned(), "s") } else { (format!("{count} goroutines"), "") };
    let all_wait = traceback.goroutines.iter().all(|stack| !blocked::goes_on(&stack.status));
    let what = if all_wait { format!("{who} wait{s} for ever") } else { format!("{who} did not end") };
    let mut seen = Seen::new(SeenKind::Leak, format!("leak {places}"), format!("{what}: {places}"));
    seen.stacks = traceback.to_string();
    Some(seen)
}

/// Where goroutines wait: each place once, in an order that does not depend on the run.
fn places<'s>(own: &Own, stacks: impl Iterator<Item = &'s Stack>) -> String {
    let name = |stack: &Stack| {
        // Where one is that runs is chance.
        if let (true, Some(by)) = (blocked::goes_on(&stack.status), &stack.created_by) {
            return format!("running, started by {}", by.func);
        }
        let at = own_frame(own, stack).map(place);
        let at = at.or_else(|| stack.created_by.as_ref().map(|by| format!("what {} started", by.func)));
        format!("{} in {}", waits_for(&stack.status), at.unwrap_or_else(|| "Go's library".to_owned()))
    };
    let mut places: Vec<String> = stacks.map(name).collect();
    places.sort();
    places.dedup();
    places.join(", ")
}

/// The status without how long it has held.
fn waits_for(status: &str) -> &str {
    status.split(',').next().unwrap_or(status)
}

fn is_waiting(stack: &Stack) -> bool {
    !matches!(waits_for(&stack.status), "running" | "runnable" | "syscall")
}

/// The innermost call of the user's; none of one that waits for tests to end.
pub(super) fn own_frame<'s>(own: &Own, stack: &'s Stack) -> Option<&'s Frame> {
    let runs_tests = |frame: &&Frame| {
        !frame.func.starts_with("testing.(*T).Run") && !frame.func.starts_with("testing.(*M).Run")
    };
    stack.frames.iter().take_while(runs_tests).find(|frame| own.has(&frame.func, &frame.line.file))
}

/// `main.f (file.go:12)`
pub(super) fn place(frame: &Frame) -> String {
    format!("{} ({}:{})", frame.func, base(&frame.line.file), frame.line.line)
}

pub(super) fn base(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// The stacks of goroutines that are in the user's code, and others that are wanted.
fn stacks(own: &Own, traceback: &Traceback, wanted: impl Fn(usize) -> bool) -> String {
    let shown = traceback.goroutines.iter().enumerate();
    let shown = shown.filter(|(at, stack)| wanted(*at) && (*at == 0 || own_frame(own, stack).is_some()));
    Traceback { goroutines: shown.map(|(_, stack)| stack.clone()).collect() }.to_string()
}

/// `running tests: TestX (10m0s)`, without the time.
fn running_tests(text: &str) -> String {
    let names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_suffix(')')?.split(" (").next())
        .filter(|name| name.starts_with("Test"))
        .collect();
    if names.is_empty() {
        "the test does not end".to_owned()
    } else {
        format!("{} does not end", names.join(", "))
    }
}

/// What was written, told by a number.
fn output_key(run: &Run) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for text in [&run.stdout, &run.stderr] {
        for byte in normal(&String::from_utf8_lossy(text)).bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
    format!("passed {hash:016x}")
}

/// The text without what changes from run to run: hexadecimal numbers, and times.
pub(super) fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        out += &rest[..at];
        rest = &rest[at..];
        let hex =
            rest.strip_prefix("0x").map(|digits| digits.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
        if let Some(after) = hex {
            out += "0x#";
            rest = after;
            continue;
        }
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - after.len()];
        let unit = ["ns", "µs", "ms", "s"].iter().find(|unit| {
            after.strip_prefix(**unit).is_some_and(|more| !more.starts_with(char::is_alphanumeric))
        });
        match unit {
            Some(unit) => {
                out += "#s";
                rest = &after[unit.len()..];
            }
            None => {
                out += number;
                rest = after;
            }
        }
    }
    out + rest
}

/// Whether a program is a test binary.
pub(super) fn is_test(image: &Image) -> bool {
    !image.funcs_named("testing.tRunner").is_empty()
}

#[cfg(test)]
mod tests {
    use super::{normal, running_tests};

    #[test]
    fn what_changes_is_left_out() {
        assert_eq!(normal("ok x 0.012s at 0xc000012 of 3 in x.go:12"), "ok x #s at 0x# of 3 in x.go:12");
        assert_eq!(normal("10ms, 3m, 7st"), "#s, 3m, 7st");
    }

    #[test]
    fn the_test_that_hangs_is_named() {
        let text = "test timed out after 10m0s\n\trunning tests:\n\t\tTestA (10m0s)\n";
        assert_eq!(running_tests(text), "TestA does not end");
    }
}

//! What `check`, `diff` and `fuzz` share: limits of the guest, which functions, and where findings go.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use goemu::go::arguments::{self, Argument};
use goemu::machine::EngineChoice;
use goemu::outcome::Runtime;
use goemu::pool::Pool;
use goemu::testing::{Case, CaseResult, Finding, Input, State, junit};
use goemu::{Config, Image, Machine, Value};
use goemu_loader::{Func, Param, Signature};
use serde_json::{Value as Json, json};

use crate::binary::{Binary, option};
use crate::calls::jobs;
use crate::changing::Changing;
use crate::progress::Told;
use crate::{FAILED, number, output};

/// Exit status when a property failed.
pub(crate) const FOUND: u8 = 2;
/// Instructions of a call of a test.
const FUEL: u64 = 50_000_000;
/// Bytes of memory of a guest in a test.
const MEMORY: u64 = 512 << 20;

/// What is tried, how long, and with what: options of all commands that make arguments.
#[derive(clap::Args)]
pub(crate) struct Tried {
    /// The function's signature in Go syntax, where the program has none: 'func(a int, s string) (string, error)'
    #[arg(long, value_name = "SIGNATURE")]
    pub(crate) sig: Option<String>,
    /// What an argument is kept to: '1 in 0..100', 's len 0..8', '2 one of 2, 3'
    #[arg(long = "arg", value_name = "CONSTRAINT")]
    pub(crate) constraints: Vec<String>,
    /// Arguments to try, of each function
    #[arg(long, value_name = "N", value_parser = number::count)]
    pub(crate) runs: Option<u64>,
    /// Time to try in, for all functions
    #[arg(long, value_name = "TIME", value_parser = number::time)]
    pub(crate) time: Option<Duration>,
    /// Machines at work, a thread each [default: one for each core; of fuzz: 1]
    #[arg(long, short, value_name = "N", value_parser = number::count)]
    pub(crate) jobs: Option<u64>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) output: Output,
}

impl Tried {
    /// How many arguments are tried, where `usual` ones are unless the user says more: with a time alone, as many as it has room for.
    pub(crate) fn runs(&self, usual: u64) -> u64 {
        self.runs.unwrap_or(if self.time.is_some() { u64::MAX / 64 } else { usual })
    }

    /// A pool for work that can be divided into so many parts.
    pub(crate) fn pool(&self, machine: Machine, told: &Told, parts: u64) -> Pool {
        let jobs = jobs(self.jobs).min(usize::try_from(parts).unwrap_or(usize::MAX));
        Pool::new(machine).interrupted_by(told.interrupt()).jobs(jobs)
    }

    /// The options of a command that has other limits and comes to these.
    pub(crate) fn words_with_limits(&self, sig: Option<&str>, state: Option<State>) -> Vec<String> {
        let mut words = self.words(sig, state);
        for pair in self.limits.named().chunks_exact(2) {
            if !words.contains(&pair[0]) {
                words.extend_from_slice(pair);
            }
        }
        words
    }

    /// The options of a command that repeats something.
    pub(crate) fn words(&self, sig: Option<&str>, state: Option<State>) -> Vec<String> {
        let sig = sig.into_iter().flat_map(|sig| ["--sig".to_owned(), sig.to_owned()]);
        sig.chain(self.limits.words(state)).collect()
    }
}

/// The arguments of the command line, for a function that takes these.
pub(crate) fn given(inputs: &[Input], texts: &[String], image: &Image) -> Result<Vec<Value>> {
    let param = |input: &Input| Param { name: input.name.clone(), ty: input.ty.clone() };
    let params = inputs.iter().map(param).collect();
    let signature = Signature { params, results: Vec::new(), variadic: false };
    let given: Vec<Argument<'_>> = texts.iter().map(|text| Argument::Text(text)).collect();
    Ok(arguments::parse(&signature, &given, image).map_err(goemu::Error::from)?)
}

/// Limits of the guest.
#[derive(clap::Args)]
pub(crate) struct Limits {
    /// What everything random follows from: the same seed is the same test [default: 1]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Instructions that one call may execute: what needs more does not return [default: 50m]
    #[arg(long, value_name = "N", value_parser = number::count)]
    fuel: Option<u64>,
    /// Time of this computer that a call may take: what needs more does not return: 10s, 200ms [default: no limit but --fuel]
    #[arg(long, value_name = "TIME", value_parser = number::time)]
    timeout: Option<Duration>,
    /// Bytes of memory that the program may have [default: 512m]
    #[arg(long, value_name = "N", value_parser = number::bytes)]
    max_memory: Option<u64>,
    /// What runs the program's instructions: the translator where this computer can, or the interpreter [default: auto]
    #[arg(long, value_name = "ENGINE")]
    engine: Option<Engine>,
    /// What stands in for Go's runtime: hooks, or the program's own, started up to main.main [default: auto]
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<Choice>,
    /// First initialise the program's packages, though calls may use no variables
    #[arg(long)]
    init: bool,
    #[command(flatten)]
    changing: Changing,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Engine {
    Auto,
    Interpreter,
    Translator,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Choice {
    Auto,
    Hooked,
    Real,
}

/// The word that an option takes for this.
fn word(choice: &impl ValueEnum) -> Option<String> {
    choice.to_possible_value().map(|value| value.get_name().to_owned())
}

impl Limits {
    pub(crate) fn config(&self) -> Result<Config> {
        let default = Config::default();
        Ok(Config {
            changes: self.changing.changes()?,
            seed: self.seed.unwrap_or(default.seed),
            fuel: self.fuel.unwrap_or(FUEL),
            deadline: self.timeout,
            max_memory: self.max_memory.unwrap_or(MEMORY),
            engine: match self.engine {
                None | Some(Engine::Auto) => EngineChoice::Auto,
                Some(Engine::Interpreter) => EngineChoice::Interpreter,
                Some(Engine::Translator) => EngineChoice::Translator,
            },
            runtime: match self.runtime {
                None | Some(Choice::Auto) => None,
                Some(Choice::Hooked) => Some(Runtime::Hooked),
                Some(Choice::Real) => Some(Runtime::Real),
            },
            ..default
        })
    }

    /// A machine for calls within these limits.
    pub(crate) fn machine(&self, image: Image, binary: &Binary) -> Result<Machine> {
        let mut machine = Machine::with_config(image, binary.config(self.config()?))?;
        if self.init {
            machine.ready_packages()?;
        }
        Ok(machine)
    }

    /// All limits, for a command whose own ones are others.
    fn named(&self) -> Vec<String> {
        let mut words = vec!["--fuel".to_owned(), self.fuel.unwrap_or(FUEL).to_string()];
        words.extend(["--max-memory".to_owned(), self.max_memory.unwrap_or(MEMORY).to_string()]);
        let timeout = |time: Duration| ["--timeout".to_owned(), format!("{}ms", time.as_millis().max(1))];
        words.extend(self.timeout.into_iter().flat_map(timeout));
        words
    }

    /// These options again, for a command that repeats something that was found in a machine in this state.
    fn words(&self, state: Option<State>) -> Vec<String> {
        let mut words = Vec::new();
        let mut option = |name: &str, value| words.extend(option(name, value));
        let real = state.filter(|state| state.runtime == Runtime::Real).map(|_| Choice::Real);
        let runtime = self.runtime.filter(|choice| *choice != Choice::Auto).or(real);
        option("seed", self.seed.map(|n| n.to_string()));
        option("fuel", self.fuel.map(|n| n.to_string()));
        option("max-memory", self.max_memory.map(|n| n.to_string()));
        option("engine", self.engine.filter(|engine| *engine != Engine::Auto).as_ref().and_then(word));
        option("runtime", runtime.as_ref().and_then(word));
        let initialised = state.is_some_and(|state| state.initialised && state.runtime == Runtime::Hooked);
        words.extend((self.init || initialised).then(|| "--init".to_owned()));
        words.extend(self.changing.words());
        words
    }
}

/// Where findings go.
#[derive(clap::Args)]
pub(crate) struct Output {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Write the results as JUnit's XML, too
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    junit: Option<PathBuf>,
    /// Write a Go test of what was found, too: a file for the folder of the function's package
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    emit_test: Option<PathBuf>,
    /// Tell of no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

impl Output {
    /// The files that are written.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.junit, &self.emit_test].into_iter().flatten()
    }

    /// Writes the files that were asked for, when all else is told: the exit status.
    pub(crate) fn end(&self, suite: &str, cases: &[Case], findings: &[&Finding]) -> u8 {
        let status = if findings.is_empty() { 0 } else { FOUND };
        self.files(suite, cases, findings).map_or_else(unwritten, |()| status)
    }

    fn files(&self, suite: &str, cases: &[Case], findings: &[&Finding]) -> Result<()> {
        if let Some(path) = &self.junit {
            write(path, &junit(suite, cases))?;
        }
        if let (Some(path), Some(finding)) = (&self.emit_test, findings.first()) {
            match &finding.test {
                Some(Ok(test)) => write(path, test)?,
                Some(Err(why)) => output::note(&format!("no Go test is written: {why}")),
                None => output::note("no Go test is written: there is none for such a finding"),
            }
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// What was found in a test.
pub(crate) fn findings_of(case: &Case) -> &[Finding] {
    match &case.result {
        CaseResult::Failed(findings) => findings,
        _ => &[],
    }
}

/// A test that could not be made, and why.
pub(crate) fn skipped_of(case: &Case) -> Option<(&str, &str)> {
    match &case.result {
        CaseResult::Skipped(why) => Some((&case.name, why)),
        _ => None,
    }
}

/// The exit status of a command; an error is an object where objects are wanted.
pub(crate) fn ended(done: Result<u8>, json: bool) -> Result<u8> {
    match done {
        Err(error) if json => {
            print(&error_object(&error))?;
            Ok(FAILED)
        }
        done => done,
    }
}

/// The exit status where the results are told, and a file of them cannot be written.
pub(crate) fn unwritten(error: anyhow::Error) -> u8 {
    output::complain(&output::message(&error));
    FAILED
}

/// An object on a line of its own.
pub(crate) fn print(object: &Json) -> Result<()> {
    let mut out = output::stdout();
    writeln!(out, "{object}")?;
    Ok(out.flush()?)
}

/// An error as the one JSON object of a command.
pub(crate) fn error_object(error: &anyhow::Error) -> serde_json::Value {
    json!({ "error": output::message(error) })
}

/// Words as a shell takes them.
pub(crate) fn shell(words: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    let quoted = |word: &String| match word.as_str() {
        "" => "''".to_owned(),
        word if word.chars().all(plain) => word.to_owned(),
        word if word.chars().any(char::is_control) => format!("$'{}'", escaped(word)),
        word => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// As bash's `$'...'` has it.
fn escaped(word: &str) -> String {
    let letter = |c: char| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if c.is_control() => c.to_string().bytes().map(|byte| format!("\\x{byte:02x}")).collect(),
        c => c.to_string(),
    };
    word.chars().map(letter).collect()
}

/// Functions that a pattern with `*` or `?` means: exported ones, and all of package main; without those that the linker or the
/// compiler made.
pub(crate) fn matching<'i>(image: &'i Image, pattern: &str) -> Result<Vec<Func<'i>>> {
    let made = |name: &str| {
        name.contains(".func")
            || name.contains('-')
            || name.contains("..")
            || name.ends_with(".init")
            || name.contains(".init.")
    };
    let own = |name: &str| name.starts_with("main.") || is_exported(name);
    let wanted = |name: &str| {
        goemu::pattern::matches(pattern, name) && !made(name) && own(name) && name != "main.main"
    };
    let found: Vec<Func<'i>> = image.defined_funcs().filter(|func| wanted(func.name())).collect();
    if found.is_empty() {
        bail!(
            "no functions are matched by {pattern} (unexported ones only of package main); see `goemu funcs`"
        );
    }
    Ok(found)
}

/// Whether a function or method has an exported name, and its receiver too.
fn is_exported(name: &str) -> bool {
    let rest = name.rsplit('/').next().unwrap_or(name);
    let parts = rest.split('.').skip(1).map(|part| part.trim_start_matches(['(', '*']));
    parts.clone().count() > 0 && parts.into_iter().all(|part| part.starts_with(char::is_uppercase))
}

#[cfg(test)]
mod tests {
    use super::{is_exported, shell};

    #[test]
    fn words_are_quoted_for_a_shell() {
        let words = ["-b", "a b", "it's", "", "x\ny'"].map(str::to_owned);
        assert_eq!(shell(&words), r"-b 'a b' 'it'\''s' '' $'x\x0ay\''");
    }

    #[test]
    fn exported_names() {
        for (name, exported) in [
            ("strings.Index", true),
            ("strings.indexFunc", false),
            ("strings.(*Reader).Read", true),
            ("strings.(*byteReplacer).Replace", false),
            ("unicode/utf8.RuneLen", true),
        ] {
            assert_eq!(is_exported(name), exported, "{name}");
        }
    }
}

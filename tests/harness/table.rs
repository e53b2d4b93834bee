//! One line of a native table, called on one build, and compared.
//!
//! What goemu is known not to do is in `testdata/native/gaps.tsv`, with the reason. A gap that is none any more
//! is an error, so that the list stays true.

use std::fmt;
use std::fs;
use std::sync::{Arc, OnceLock};

use goemu::machine::Config;
use goemu::outcome::{Returned, Runtime};
use goemu::{Image, Machine, Value};
use goemu_loader::Kind;

use crate::fixtures::{Case, Outcome, binary, testdata};

/// A checked-in build: `corpus-go1.27-pie`.
pub struct Build {
    /// Its file's name.
    pub name: String,
    /// The Go release that made it: 27.
    pub version: u16,
    image: OnceLock<Arc<Image>>,
}

/// How a call ended, as far as the table knows: two of these are compared.
#[derive(Debug, PartialEq, Eq)]
pub struct Ending {
    /// `returned 5`, `panic: text`, `fatal error: text`.
    outcome: String,
    /// What was written to stderr.
    printed: String,
}

impl Build {
    /// A build by its file's name, which says program, release and mode.
    pub fn new(name: &str) -> Build {
        let release = name.split_once("-go1.").and_then(|(_, rest)| rest.split('-').next()?.parse().ok());
        let version = release.unwrap_or_else(|| panic!("{name} does not name its Go release"));
        Build { name: name.to_owned(), version, image: OnceLock::new() }
    }

    /// The program that it is a build of: `corpus`.
    pub fn program(&self) -> &str {
        self.name.split("-go").next().unwrap_or_default()
    }

    /// Whether it has no debug information, so that signatures must be given.
    pub fn is_stripped(&self) -> bool {
        !self.image().sections().iter().any(|section| section.name.ends_with("debug_info"))
    }

    fn image(&self) -> &Arc<Image> {
        self.image.get_or_init(|| {
            let path = binary(&self.name).unwrap_or_else(|| panic!("{} is not built", self.name));
            Arc::new(Image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        })
    }

    /// Whether it is a program for Linux that needs no libraries.
    pub fn can_start(&self) -> bool {
        let foreign = ["-gcc", "-plugin", "-shared"].iter().any(|mode| self.name.contains(mode));
        self.image().target().os == goemu_loader::Os::Linux && !foreign
    }

    /// A machine with this build. The stack is smaller than Go's, so that an endless recursion ends sooner.
    pub fn machine(&self) -> Machine {
        self.machine_with(None, 64 << 20)
    }

    /// A machine whose program was started. Go copies stacks that are too small, so that the limit is smaller still.
    pub fn started(&self) -> Machine {
        self.machine_with(Some(Runtime::Real), 16 << 20)
    }

    fn machine_with(&self, runtime: Option<Runtime>, max_stack: u64) -> Machine {
        let config = Config { max_stack, runtime, ..Config::default() };
        Machine::with_config(Arc::clone(self.image()), config).expect("a machine")
    }

    /// Where a function is.
    pub fn entry(&self, function: &str) -> u64 {
        let funcs = self.image().funcs_named(function);
        funcs.first().unwrap_or_else(|| panic!("{}: no {function}", self.name)).entry()
    }

    /// Whether it has a function of this name.
    pub fn has(&self, function: &str) -> bool {
        !self.image().funcs_named(function).is_empty()
    }

    /// The signature of a function as text, from the debug information of the build that was not stripped.
    pub fn signature(&self, function: &str) -> Option<String> {
        let func = self.image().funcs_named(function).into_iter().next()?;
        Some(self.image().signature(&func).ok()??.to_string())
    }
}

/// Makes the call of a case; `signature` is needed where the build has no debug information.
pub fn call(machine: &mut Machine, case: &Case, signature: Option<&str>) -> Result<Ending, goemu::Error> {
    call_as(machine, &case.function, case, signature)
}

/// Makes the call of a case on the function of this name or address.
pub fn call_as(
    machine: &mut Machine,
    func: &str,
    case: &Case,
    signature: Option<&str>,
) -> Result<Ending, goemu::Error> {
    report(machine, func, case, signature).map(|(ending, _)| ending)
}

/// Makes the call of a case on the function of this name or address, and says which runtime served it.
pub fn report(
    machine: &mut Machine,
    func: &str,
    case: &Case,
    signature: Option<&str>,
) -> Result<(Ending, Runtime), goemu::Error> {
    let args: Vec<&str> = case.args.iter().map(String::as_str).collect();
    let call = machine.call(func)?;
    let call = match signature {
        Some(text) => call.signature(text)?,
        None => call,
    };
    let report = call.literals(&args)?.run()?;
    let outcome = match &report.outcome {
        goemu::Outcome::Returned(Returned::Values(values)) => {
            let texts: Vec<String> = values.iter().map(|result| shown(&result.value)).collect();
            returned(&texts.join(", "))
        }
        goemu::Outcome::Returned(raw) => format!("returned raw {raw}"),
        other => other.to_string(),
    };
    // The tables leave out what a program printed that ended in a fatal error: the runtime's words are among it.
    let outcome = match machine.image().plugin_path() {
        // A plugin's package main goes by the plugin's path.
        Some(path) => outcome.replace(&format!("{path}."), "main."),
        None => outcome,
    };
    let fatal = matches!(report.outcome, goemu::Outcome::Exited { fatal: Some(_), .. });
    let printed = if fatal { String::new() } else { String::from_utf8_lossy(&report.stderr).into_owned() };
    Ok((Ending { outcome, printed }, report.runtime))
}

fn returned(results: &str) -> String {
    format!("returned {results}")
}

/// A result as the table has it: the type of a nil interface cannot be seen from within Go.
fn shown(value: &Value) -> String {
    match value {
        Value::Nil(Some(ty)) if matches!(ty.kind, Kind::Interface { .. }) => "nil".to_owned(),
        value => value.to_string(),
    }
}

impl From<&Case> for Ending {
    fn from(case: &Case) -> Ending {
        let outcome = match &case.outcome {
            Outcome::Returned(results) => returned(results),
            Outcome::Panicked { text, .. } => format!("panic: {text}"),
            Outcome::Fatal(text) => format!("fatal error: {text}"),
        };
        Ending { outcome, printed: case.printed.clone() }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.outcome)?;
        if self.printed.is_empty() { Ok(()) } else { write!(f, ", having printed {:?}", self.printed) }
    }
}

/// Calls that are known to go wrong.
#[derive(Debug)]
pub struct Gap {
    /// The builds, `*` standing for anything, patterns separated by commas.
    builds: String,
    /// The calls as Go source, `*` standing for anything: `main.divide(*, 0)`.
    calls: String,
    /// Why.
    pub reason: String,
}

impl Gap {
    /// Whether this is about the case on the build.
    pub fn covers(&self, build: &Build, case: &Case) -> bool {
        self.is_about(build) && matches(&self.calls, &source(case))
    }

    /// Whether this is about the build.
    pub fn is_about(&self, build: &Build) -> bool {
        self.builds.split(',').any(|builds| matches(builds, &build.name))
    }
}

impl Gap {
    /// Whether it is for want of a started program, which the real runtime has.
    pub fn is_of_hooks(&self) -> bool {
        ["initialisation", "scheduler"].iter().any(|word| self.reason.contains(word))
    }
}

/// The known gaps.
pub fn gaps() -> Vec<Gap> {
    let text = fs::read_to_string(testdata("native/gaps.tsv")).expect("testdata/native/gaps.tsv");
    let rows = text.lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| {
        let columns: Vec<&str> = row.split('\t').collect();
        let [builds, calls, reason] = columns[..] else { panic!("three columns expected: {row}") };
        Gap { builds: builds.to_owned(), calls: calls.to_owned(), reason: reason.to_owned() }
    })
    .collect()
}

/// A case's call as Go source.
pub fn source(case: &Case) -> String {
    format!("{}({})", case.function, case.args.join(", "))
}

/// Whether `text` is what `pattern` says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    let tails = text.char_indices().map(|(at, _)| &text[at..]).chain([""]);
    tails.into_iter().any(|tail| matches(rest, tail))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text) in [("*", ""), ("a*", "a"), ("*c", "abc"), ("a*c*", "abcd"), ("ab", "ab")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*", "ba"), ("*c", "abcd"), ("a*c*d", "acbc"), ("", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn builds_say_what_they_are() {
        let build = super::Build::new("corpus-go1.15-stripped");
        assert_eq!((build.program(), build.version), ("corpus", 15));
    }
}

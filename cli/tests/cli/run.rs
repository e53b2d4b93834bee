//! Runs the built program.

#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Command;

use goemu_tests::fixtures::{binary, present};

/// The note that comes when no program is named.
pub(crate) const DEMO: &str =
    "goemu: no program given (-b PATH or GOEMU_BINARY): this is the built-in demo\n";

/// What a run of the program gave.
#[derive(Debug, PartialEq)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn new(status: i32, stdout: &str, stderr: &str) -> Ran {
        Ran { status, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
    }
}

/// The program, with nothing of the environment that changes what it does.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_goemu"));
    for name in ["GOEMU_BINARY", "NO_COLOR", "CLICOLOR_FORCE", "COMPLETE"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn goemu(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
    ran(command().args(args))
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        status: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The corpus of functions as a release of Go built it: `go1.27-stripped`.
pub(crate) fn corpus(build: &str) -> PathBuf {
    let name = format!("corpus-{build}");
    binary(&name).unwrap_or_else(|| panic!("{name} is not built"))
}

/// Those of these builds of the corpus that are there, see [`present`].
pub(crate) fn there(builds: &[&'static str]) -> Vec<&'static str> {
    let there = present(builds.iter().map(|build| format!("corpus-{build}")));
    builds.iter().copied().filter(|build| there.contains(&format!("corpus-{build}"))).collect()
}

/// `goemu call` of a function of the corpus, the words of the command line divided by blanks.
pub(crate) fn call(build: &str, line: &str) -> Ran {
    ran(command().env("GOEMU_BINARY", corpus(build)).arg("call").args(line.split(' ')))
}

/// A file with these contents, for one test.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

//! `cargo xtask`: what developers of goemu run. One file per task; users of goemu need none of it.
//!
//! Tasks that run guests need goemu. `cargo xtask` builds this program without it (the feature `goemu`), in seconds, and
//! builds it again with it for such a task.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task runner talks to its user")]

#[cfg(not(feature = "goemu"))]
use std::ffi::OsString;

use clap::{Parser, Subcommand};

mod ci;
mod clean;
mod cover;
#[cfg(feature = "goemu")]
mod defers;
#[cfg(feature = "goemu")]
mod facts;
mod fixtures;
#[cfg(feature = "goemu")]
mod gotest;
#[cfg(feature = "goemu")]
mod guess;
mod hostile;
#[cfg(feature = "goemu")]
mod library;
mod lockstep;
#[cfg(feature = "goemu")]
mod objdump_diff;
#[cfg(feature = "goemu")]
mod oracle;
mod perfetto;
mod python;
mod run;
#[cfg(feature = "goemu")]
mod signatures;
mod stdtest;
mod toolchains;
mod walls;
#[cfg(feature = "goemu")]
mod wild;

/// Tasks of goemu's developers.
#[derive(Parser)]
#[command(name = "cargo xtask", after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

/// What the program says of tasks that it was built without.
const AFTER_HELP: &str = if cfg!(feature = "goemu") {
    ""
} else {
    "Tasks that run guests; goemu is built first (`cargo xtask TASK --help`):\n  \
     objdump-diff, defers, gotest, signatures, oracle, facts, guess, library, wild"
};

#[derive(Subcommand)]
enum Task {
    /// Install the pinned Go toolchains that fixtures are built with.
    Toolchains(toolchains::Args),
    /// Build the Go programs of testdata, run them natively, record what they did.
    Fixtures(fixtures::Args),
    /// Record what Go prints where cases of the checked-in programs panic.
    Tracebacks,
    /// Check the walls of ARCHITECTURE.md on the source text.
    Walls,
    /// Run random instruction sequences on both engines, and compare all that they do.
    Lockstep(lockstep::Args),
    /// Run the tests of Go's standard library natively and under `goemu run`, and write docs/stdtest.md.
    Stdtest(stdtest::Args),
    /// Measure what guests that mean harm take of the host, and write docs/hostile.md.
    Hostile(hostile::Args),
    /// Check clean functions of Go's library on a million values each, and write docs/clean.md.
    Clean(clean::Args),
    /// Compare coverage with that of `go test -cover`, and print a table.
    Cover(cover::Args),
    /// Let Perfetto's trace processor read timelines, and compare what it has read.
    Perfetto(perfetto::Args),
    /// Accept what the golden tests see now as what they expect.
    Bless,
    /// Build the Python package and test it in a clean environment.
    Python,
    /// Format, walls, lints, documentation and tests, as they are run before a change is merged.
    Ci,
    #[cfg(feature = "goemu")]
    #[command(flatten)]
    Guests(Guests),
    #[cfg(not(feature = "goemu"))]
    #[command(external_subcommand)]
    Guests(Vec<OsString>),
}

/// The tasks that run guests.
#[cfg(feature = "goemu")]
#[derive(Subcommand)]
enum Guests {
    /// Compare the disassembler with `go tool objdump` over whole programs.
    ObjdumpDiff(objdump_diff::Args),
    /// Build random programs of defers and panics, and compare goemu with their native runs.
    Defers(defers::Args),
    /// Run Go's own test programs natively and in goemu, and write docs/gotest.md.
    Gotest(gotest::Args),
    /// Build functions of random signatures, and compare goemu with their native runs.
    Signatures(signatures::Args),
    /// Compare every instruction with the host processor, and write docs/oracle.md.
    Oracle(oracle::Args),
    /// Check the facts on Go's runtime against the debug information of binaries.
    Facts(facts::Args),
    /// Compare guessed signatures with those that the same program tells unstripped.
    Guess(guess::Args),
    /// Write the table of what the functions of Go's library take and give, from the sources of some releases.
    Library(library::Args),
    /// Call library functions in programs that were not built here, and print a table.
    Wild(wild::Args),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Toolchains(args) => toolchains::main(&args),
        Task::Fixtures(args) => fixtures::main(&args),
        Task::Tracebacks => fixtures::tracebacks::main(),
        Task::Walls => walls::main(),
        Task::Lockstep(args) => lockstep::main(&args),
        Task::Stdtest(args) => stdtest::main(&args),
        Task::Hostile(args) => hostile::main(&args),
        Task::Clean(args) => clean::main(&args),
        Task::Cover(args) => cover::main(&args),
        Task::Perfetto(args) => perfetto::main(&args),
        Task::Bless => ci::bless(),
        Task::Python => python::main(),
        Task::Ci => ci::main(),
        Task::Guests(task) => guests(task),
    }
}

#[cfg(feature = "goemu")]
fn guests(task: Guests) -> anyhow::Result<()> {
    match task {
        Guests::ObjdumpDiff(args) => objdump_diff::main(&args),
        Guests::Defers(args) => defers::main(&args),
        Guests::Gotest(args) => gotest::main(&args),
        Guests::Signatures(args) => signatures::main(&args),
        Guests::Oracle(args) => oracle::main(&args),
        Guests::Facts(args) => facts::main(&args),
        Guests::Guess(args) => guess::main(&args),
        Guests::Library(args) => library::main(&args),
        Guests::Wild(args) => wild::main(&args),
    }
}

/// Builds this program with goemu, and has it carry the task out.
#[cfg(not(feature = "goemu"))]
fn guests(task: Vec<OsString>) -> anyhow::Result<()> {
    let cargo = ["run", "--quiet", "--package", "xtask", "--features", "goemu", "--"];
    let args = cargo.map(OsString::from).into_iter().chain(task);
    run::run(&mut run::command(env!("CARGO"), args))
}

//! `cargo xtask`: what developers of goemu run. One file per task; users of goemu need none of it.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task runner talks to its user")]

use clap::{Parser, Subcommand};

mod ci;
mod defers;
mod facts;
mod fixtures;
mod gotest;
mod objdump_diff;
mod oracle;
mod run;
mod signatures;
mod toolchains;
mod wild;

/// Tasks of goemu's developers.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Compare the disassembler with `go tool objdump` over whole programs.
    ObjdumpDiff(objdump_diff::Args),
    /// Install the pinned Go toolchains that fixtures are built with.
    Toolchains(toolchains::Args),
    /// Build the Go programs of testdata, run them natively, record what they did.
    Fixtures(fixtures::Args),
    /// Build random programs of defers and panics, and compare goemu with their native runs.
    Defers(defers::Args),
    /// Run Go's own test programs natively and in goemu, and write docs/gotest.md.
    Gotest(gotest::Args),
    /// Build functions of random signatures, and compare goemu with their native runs.
    Signatures(signatures::Args),
    /// Record what Go prints where cases of the checked-in programs panic.
    Tracebacks,
    /// Compare every instruction with the host processor, and write docs/oracle.md.
    Oracle(oracle::Args),
    /// Check the facts on Go's runtime against the debug information of binaries.
    Facts(facts::Args),
    /// Call library functions in programs that were not built here, and print a table.
    Wild(wild::Args),
    /// Accept what the golden tests see now as what they expect.
    Bless,
    /// Format, lints, documentation and tests, as they are run before a change is merged.
    Ci,
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::ObjdumpDiff(args) => objdump_diff::main(&args),
        Task::Toolchains(args) => toolchains::main(&args),
        Task::Fixtures(args) => fixtures::main(&args),
        Task::Defers(args) => defers::main(&args),
        Task::Gotest(args) => gotest::main(&args),
        Task::Signatures(args) => signatures::main(&args),
        Task::Tracebacks => fixtures::tracebacks::main(),
        Task::Oracle(args) => oracle::main(&args),
        Task::Facts(args) => facts::main(&args),
        Task::Wild(args) => wild::main(&args),
        Task::Bless => ci::bless(),
        Task::Ci => ci::main(),
    }
}

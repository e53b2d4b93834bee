//! Both engines side by side, as long as asked: on random instruction sequences, or on whole started programs.

use anyhow::Result;

use crate::run::{command, root, run};

/// How long.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Programs of 200 sequences each, run twice, some 40 a second; and as many thousands of faults
    #[arg(long, default_value_t = 5000)]
    seeds: u64,
    /// Whole started programs instead, for so many seconds: after each part of a run, and before each translated block
    #[arg(long, value_name = "SECONDS")]
    programs: Option<u64>,
}

/// Runs the tests of the translator's crate, or the one of whole programs, in a release build.
pub(crate) fn main(args: &Args) -> Result<()> {
    if let Some(seconds) = args.programs {
        let cargo = "test --release --workspace --test machine -- --nocapture lockstep".split(' ');
        return run(command("cargo", cargo)
            .env("GOEMU_LOCKSTEP_SECONDS", seconds.to_string())
            .current_dir(root()));
    }
    let cargo = ["test", "--release", "--package", "goemu-translate"];
    run(command("cargo", cargo).env("GOEMU_LOCKSTEP_SEEDS", args.seeds.to_string()).current_dir(root()))
}

//! Both engines side by side on random instruction sequences, as long as asked.

use anyhow::Result;

use crate::run::{command, root, run};

/// How long.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Programs of 200 sequences each, run twice, some 40 a second; and as many thousands of faults
    #[arg(long, default_value_t = 5000)]
    seeds: u64,
}

/// Runs the tests of the translator's crate, in a release build.
pub(crate) fn main(args: &Args) -> Result<()> {
    let cargo = ["test", "--release", "--package", "goemu-translate"];
    run(command("cargo", cargo).env("GOEMU_LOCKSTEP_SEEDS", args.seeds.to_string()).current_dir(root()))
}

//! `goemu fuzz` of a build without LibAFL: how to get one with it.

use anyhow::{Result, bail};

/// Fuzz a function, guided by the edges that it takes (not in this build)
///
/// LibAFL takes longer to build than all of goemu, so that the command is a
/// feature: cargo build --release -p goemu-cli --features fuzz
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// What a build with LibAFL takes
    #[arg(num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _args: Vec<String>,
}

pub(crate) fn main(_: &Args) -> Result<u8> {
    bail!("this goemu was built without fuzzing: cargo build --release -p goemu-cli --features fuzz has it")
}

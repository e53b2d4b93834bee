//! `cargo xtask oracle`: the long comparison with the processor, and the table that it leaves in the repository.

use std::{fs, path::PathBuf};

use anyhow::Result;
use clap::Parser;

use crate::run::{command, root, run};

/// What to compare.
#[derive(Parser)]
pub(crate) struct Args {
    /// States a form.
    #[arg(long, default_value_t = 2000)]
    states: u64,
    /// Only forms whose name contains this; the table stays as it is.
    #[arg(long)]
    forms: Option<String>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let package = ["test", "--package", "goemu-tests", "--test", "instructions"];
    let mut test = command("cargo", package.iter().chain(&["every_form_agrees_with_the_processor"]));
    test.current_dir(root()).env("GOEMU_ORACLE_STATES", args.states.to_string());
    match &args.forms {
        Some(forms) => test.env("GOEMU_ORACLE_FORMS", forms),
        None => test.env("GOEMU_ORACLE_TABLE", table()?),
    };
    run(&mut test)
}

/// Where the table stands.
fn table() -> Result<PathBuf> {
    let docs = root().join("docs");
    fs::create_dir_all(&docs)?;
    Ok(docs.join("oracle.md"))
}

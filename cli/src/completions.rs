//! `goemu completions`: what a shell needs to complete subcommands, options, and names of functions.
//!
//! The script asks `goemu` itself, so it knows the functions of the program that the command line names.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::Shells;

use crate::binary::Binary;
use crate::output;

/// Names that are offered at once.
const MOST: usize = 500;

/// Print a script that lets a shell complete options and names of functions
///
/// Functions are those of the program that -b or GOEMU_BINARY names.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  source <(goemu completions bash)                       in ~/.bashrc
  source <(goemu completions zsh)                        in ~/.zshrc, after compinit
  goemu completions fish | source                        in ~/.config/fish/config.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Shells that can complete.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names say it")]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let name = format!("{:?}", args.shell).to_lowercase();
    let shells = Shells::builtins();
    let completer = shells.completer(&name).context("this shell cannot complete")?;
    let mut out = output::stdout();
    completer.write_registration("COMPLETE", "goemu", "goemu", "goemu", &mut out)?;
    out.flush()?;
    Ok(0)
}

/// Completes names of functions.
pub(crate) fn functions() -> ArgValueCompleter {
    ArgValueCompleter::new(names)
}

/// Names that begin with `typed`; of package main alone as long as nothing is typed.
fn names(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let start = if typed.is_empty() { "main." } else { typed };
    let Ok(image) = Binary::named(program()).open_quietly() else { return Vec::new() };
    let names = image.funcs().map(|func| func.name()).filter(|name| name.starts_with(start));
    names.take(MOST).map(CompletionCandidate::new).collect()
}

/// The program that the command line under completion names, as far as it is written.
fn program() -> Option<PathBuf> {
    let words: Vec<_> = std::env::args_os().collect();
    let after = |pair: &[std::ffi::OsString]| {
        matches!(pair.first()?.to_str()?, "-b" | "--binary").then(|| pair.get(1).map(PathBuf::from))?
    };
    words.windows(2).find_map(after).or_else(|| std::env::var_os("GOEMU_BINARY").map(PathBuf::from))
}

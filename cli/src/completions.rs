//! `goemu completions`: what a shell needs to complete subcommands, options, and names of functions.
//!
//! The script asks `goemu` itself, so it knows the functions of the program that the command line names.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
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

/// Names that begin with `typed`, or else ends of names that do; of package main alone as long as nothing is typed.
fn names(typed: &OsStr) -> Vec<CompletionCandidate> {
    let Some(word) = typed.to_str() else { return Vec::new() };
    // Bash, whose script alone sets this, ends words at parentheses that are escaped, too: it would add to them.
    if std::env::var_os("_CLAP_COMPLETE_COMP_TYPE").is_some() && word.contains('\\') {
        return Vec::new();
    }
    let typed = unquoted(word);
    let typed = typed.as_str();
    let start = if typed.is_empty() { "main." } else { typed };
    let words: Vec<_> = std::env::args_os().collect();
    let program = program(&words).or_else(|| std::env::var_os("GOEMU_BINARY").map(PathBuf::from));
    let Ok(image) = Binary::named(program).open_quietly() else { return Vec::new() };
    // Shells take parentheses for their own: without them a method has the same name to goemu.
    let written = |name: &str| if typed.contains('(') { name.to_owned() } else { without_signs(name) };
    let all = || image.defined_funcs().map(|func| written(func.name()));
    let mut found: Vec<String> = all().filter(|name| name.starts_with(start)).take(MOST).collect();
    if found.is_empty() {
        found = all().filter_map(|name| end_with(&name, start)).take(MOST).collect();
    }
    let mut seen = HashSet::new();
    found.retain(|name| seen.insert(name.clone()));
    found.into_iter().map(CompletionCandidate::new).collect()
}

/// A name without the signs of a receiver.
fn without_signs(name: &str) -> String {
    name.chars().filter(|letter| !"(*)".contains(*letter)).collect()
}

/// A word as it is written so far, without what keeps the shell from reading its signs: `'main.(*T` and `main.\(\*T`.
fn unquoted(word: &str) -> String {
    if let Some(quoted) = word.strip_prefix(['\'', '"']) {
        return quoted.to_owned();
    }
    word.chars().filter(|letter| *letter != '\\').collect()
}

/// The longest end of a name, from a border on, that begins with `start`.
fn end_with(name: &str, start: &str) -> Option<String> {
    let ends = name.match_indices(['.', '/']).filter_map(|(border, _)| name.get(border + 1..));
    ends.into_iter().find(|end| end.starts_with(start)).map(str::to_owned)
}

/// The program that the command line under completion names, as far as it is written. Some shells make words of their
/// own of `--binary`, `=` and the path.
fn program(words: &[OsString]) -> Option<PathBuf> {
    words.iter().enumerate().find_map(|(at, word)| {
        let following = |n: usize| words.get(at + n);
        match word.to_str()? {
            "-b" | "--binary" => {
                let next = following(1)?;
                let path = if next == "=" { following(2)? } else { next };
                Some(PathBuf::from(path))
            }
            word => {
                let path = word.strip_prefix("--binary=").or_else(|| word.strip_prefix("-b"))?;
                Some(PathBuf::from(path.strip_prefix('=').unwrap_or(path)))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_command_line() {
        for (line, path) in [
            ("goemu call -b x main.f", Some("x")),
            ("goemu call --binary x main.f", Some("x")),
            ("goemu call --binary=x main.f", Some("x")),
            ("goemu call --binary = x main.f", Some("x")),
            ("goemu call -bx main.f", Some("x")),
            ("goemu call main.f", None),
            ("goemu call main.f -b", None),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(program(&words), path.map(PathBuf::from), "{line}");
        }
    }
}

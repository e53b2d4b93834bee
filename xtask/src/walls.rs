//! `cargo xtask walls`: checks the walls of ARCHITECTURE.md on the source text. Each check has a file of its own, with its
//! rules as a table; `cargo test -p xtask` plants a violation of each.

use std::fmt;

use anyhow::{Result, bail};

use crate::run::root;

mod crates;
mod cycles;
mod imports;
mod length;
mod modules;
mod paths;
mod tokens;
mod versions;
mod words;
mod workspace;

/// A place that breaks a wall.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    /// The check that found it.
    wall: &'static str,
    /// The file or folder, from the root of the repository.
    path: String,
    /// The line; 0 where it is none in particular.
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { wall, path, line, what } = self;
        match line {
            0 => write!(f, "{path}: {wall}: {what}"),
            line => write!(f, "{path}:{line}: {wall}: {what}"),
        }
    }
}

/// A check: all places in the workspace that break one kind of wall.
type Check = fn(&[workspace::Crate]) -> Vec<Violation>;

const CHECKS: [Check; 6] =
    [crates::check, modules::check, cycles::check, words::check, versions::check, length::check];

pub(crate) fn main() -> Result<()> {
    let crates = workspace::read(&root())?;
    let mut found: Vec<Violation> = CHECKS.iter().flat_map(|check| check(&crates)).collect();
    // Python's objects know each other, so that the other walls do not hold there.
    found.extend(length::check(&workspace::beside(&root())?));
    found.extend(paths::check(&root())?);
    for violation in &found {
        println!("{violation}");
    }
    let files: usize = crates.iter().map(|of| of.files.len()).sum();
    println!("walls: {files} files of {} crates", crates.len());
    if !found.is_empty() {
        bail!("{} places break the walls of ARCHITECTURE.md", found.len());
    }
    Ok(())
}

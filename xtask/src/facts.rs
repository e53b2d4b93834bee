//! `cargo xtask facts`: checks what goemu knows of Go's runtime against the debug information of binaries.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use goemu_loader::Image;
use goemu_tests::{
    facts::{Found, check},
    fixtures,
};

/// What `cargo xtask facts` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Go binaries with debug information (default: the checked-in fixtures).
    binaries: Vec<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let binaries = if args.binaries.is_empty() { fixtures::checked_in() } else { args.binaries.clone() };
    println!("{:<24} {:>10} {:>6} {:>9} {:>6}", "binary", "go", "agree", "not there", "wrong");
    let mut mismatches = Vec::new();
    for path in binaries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let image = Image::open(&path).with_context(|| path.display().to_string())?;
        let checked = check(&image)?;
        let wrong = checked.iter().filter(|c| !c.agrees());
        mismatches.extend(wrong.map(|c| format!("{name}: {c}")));
        let wrong = checked.iter().filter(|c| !c.agrees()).count();
        let absent = checked.iter().filter(|c| c.found == Found::NoType).count();
        let agree = checked.len() - absent - wrong;
        let go = image.go_version().map_or("?".to_owned(), |version| version.to_string());
        println!("{name:<24} {go:>10} {agree:>6} {absent:>9} {wrong:>6}");
    }
    if !mismatches.is_empty() {
        bail!("facts that are wrong:\n{}", mismatches.join("\n"));
    }
    Ok(())
}

//! `cargo xtask guess`: how good guesses of signatures are. Programs come in pairs: one with debug information, one built from the
//! same sources with `-ldflags="-s -w"`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use goemu::Image;
use goemu_tests::guessing::{Score, score};

/// What `cargo xtask guess` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Programs with debug information, each followed by its stripped build.
    #[arg(required = true)]
    programs: Vec<PathBuf>,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut all = Score::default();
    for pair in args.programs.chunks(2) {
        let [told, stripped] = pair else { bail!("a program without its stripped build") };
        let open = |path: &PathBuf| Image::open(path).with_context(|| path.display().to_string());
        let found = score(&open(told)?, &open(stripped)?);
        println!("{}: {found}", told.display());
        all.sum(found);
    }
    println!("all: {all}");
    Ok(())
}

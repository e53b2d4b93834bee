//! `cargo xtask guess`: how good guesses of signatures are. Programs come in pairs: one with debug information, one built from the
//! same sources with `-ldflags="-s -w"`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use goemu::Image;
use goemu_tests::guessing::Report;

/// What `cargo xtask guess` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Programs with debug information, each followed by its stripped build.
    #[arg(required = true)]
    programs: Vec<PathBuf>,
    /// Print so many rows of what is taken for what.
    #[arg(long, default_value_t = 0)]
    confusion: usize,
    /// Print each parameter whose type is wrong, with the reason that was given.
    #[arg(long)]
    wrong: bool,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let mut report = Report::default();
    for pair in args.programs.chunks(2) {
        let [told, stripped] = pair else { bail!("a program without its stripped build") };
        let open = |path: &PathBuf| Image::open(path).with_context(|| path.display().to_string());
        report.compare(&open(told)?, &open(stripped)?);
    }
    if args.wrong {
        for wrong in &report.wrong {
            let guessed = &wrong.guessed;
            let mark = if guessed.known { "" } else { "?" };
            println!(
                "{}\t{}\t{}\t{}{mark}\t{}",
                wrong.func, wrong.param, wrong.told, guessed.name, guessed.why
            );
        }
    }
    if args.wrong {
        for wrong in &report.by_name.wrong {
            println!("by name: {wrong}");
        }
    }
    let mut rows: Vec<_> = report.confusion.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for ((told, guessed), count) in rows.into_iter().take(args.confusion) {
        println!("{count:6}  {told} -> {guessed}");
    }
    println!("{report}");
    Ok(())
}

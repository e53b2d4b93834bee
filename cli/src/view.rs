//! `goemu view`: one call as a page to look at in a browser.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goemu::Machine;
use goemu::sink::Viewer;
use goemu::sink::view::{MAX_STEPS, MOST_STEPS};
use goemu::trace::Recorder;

use crate::binary::{Binary, DEMO_SOURCE};
use crate::calls::argument;
use crate::confined::{Needs, confine};
use crate::guest::{Guest, PART_OF_MEMORY};
use crate::{called, completions, number, output};

/// Make a page to look at a call step by step, in a browser
///
/// One file that opens from disk and loads nothing from a network: a slider
/// and keys to step forwards and back, source, code, registers, calls with
/// their arguments and results, the stack word by word, the heap, and what
/// Go did (defers, panics, growing stacks, goroutines).
///
/// FUNC and ARGS are those of `goemu call`.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "Exit status: that of the call, as `goemu call` has it.

Examples:
  goemu view main.f1 -o f1.html
  goemu view -b prog main.parse '1 + 2' -o parse.html --source ~/src/prog")]
pub(crate) struct Args {
    /// The function: a name, an end of a name, or an address
    #[arg(add = completions::functions())]
    func: String,
    /// Its arguments in Go syntax; after -- all is an argument
    args: Vec<String>,
    #[command(flatten)]
    binary: Binary,
    /// The page
    #[arg(short, long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    output: PathBuf,
    /// A folder with the program's sources; may be repeated [default: where the program has them]
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    source: Vec<PathBuf>,
    /// Steps that the page shows; what comes after them is only run [default: 1m]
    #[arg(long, value_name = "N", value_parser = number::count)]
    steps: Option<u64>,
    /// The function's signature in Go syntax: 'func(a int, s string) (string, error)'
    #[arg(long, value_name = "SIGNATURE")]
    sig: Option<String>,
    /// The variables that a closure captured: 'n=5, s="x"'
    #[arg(long, value_name = "VALUES")]
    captures: Option<String>,
    #[command(flatten)]
    guest: Guest,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let what = || format!("cannot write the page to {}", args.output.display());
    let steps = args.steps.map_or(Ok(MAX_STEPS), u32::try_from).unwrap_or(u32::MAX);
    if steps > MOST_STEPS {
        bail!("--steps: a page shows at most {MOST_STEPS} steps; goemu call --trace-out writes longer runs");
    }
    let image = args.binary.open()?;
    let config = args.guest.config()?;
    // Sources are where the program says.
    confine(&Needs::of(&config).reading_any().writing([&args.output]));
    let mut machine = Machine::with_config(image, args.binary.config(config))?;
    let most = machine.config().max_memory / PART_OF_MEMORY;
    let viewer = Viewer::with_limit(machine.image().clone(), steps);
    let given = args.args.iter().map(|arg| argument(arg, most)).collect::<Result<Vec<_>>>()?;
    machine.observe(Recorder::with_sink(viewer.sink()));
    let mut call = machine.call(&args.func)?;
    if let Some(sig) = &args.sig {
        call = call.signature(sig).context("--sig")?;
    }
    if let Some(captures) = &args.captures {
        call = call.captures(captures);
    }
    let call = call.literals(&given)?;
    let file = File::create(&args.output).with_context(what)?;
    let report = call.run()?;
    if viewer.is_cut() {
        output::note(&format!("the page shows the first {steps} steps (--steps)"));
    }
    let mut out = BufWriter::new(file);
    viewer
        .write(&report, &|name| args.source_of(name), &mut out)
        .and_then(|()| out.flush())
        .with_context(what)?;
    Ok(called::status(&report.outcome))
}

/// Bytes of a file of source, at most.
const MAX_SOURCE: u64 = 4 << 20;

impl Args {
    /// The text of a file: in the folders that were given, by the longest end of its path that is there; else where the program
    /// has it.
    fn source_of(&self, name: &str) -> Option<String> {
        let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
        let ends = (0..parts.len()).map(|from| parts[from..].join("/"));
        let in_folders = ends.flat_map(|end| self.source.iter().map(move |folder| folder.join(&end)));
        let at_home = Path::new(name);
        let mut paths = in_folders.chain(at_home.is_absolute().then(|| at_home.to_owned()));
        paths.find_map(|path| read(&path)).or_else(|| (name == DEMO_FILE).then(|| DEMO_SOURCE.to_owned()))
    }
}

/// The demo's own name for its source.
const DEMO_FILE: &str = "demo/demo.go";

fn read(path: &Path) -> Option<String> {
    let size = path.metadata().ok().filter(std::fs::Metadata::is_file)?.len();
    (size <= MAX_SOURCE).then(|| std::fs::read_to_string(path).ok()).flatten()
}

//! `goemu export`: what is known of a program, for disassemblers.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use goemu::reverse::export::{SCRIPTS, export};
use goemu::reverse::strings::{Options, list};
use goemu::reverse::unnamed::{Unnamed, unnamed};
use goemu::{Config, Machine};
use serde_json::Value as Json;

use crate::binary::Binary;
use crate::calls::initialise;
use crate::confined::{Needs, confine};
use crate::progress::Told;
use crate::strings::note_rest;
use crate::{notes, number, output};

/// Write what is known of a program for IDA, Ghidra, Binary Ninja, or as JSON
///
/// Functions with their names (also those that only types and tables of interfaces tell, where an obfuscator took the
/// others), signatures, types as structs of C, strings, variables, and the comments of `goemu note`. A script reads the JSON
/// file beside it, and works wherever the tool has put the program.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  goemu export -b prog --ida -o prog          prog.json and prog.ida.py: File, Script file
  goemu export -b prog --ghidra -o prog --decode
  goemu export -b prog --json | jq '.functions | length'")]
pub(crate) struct Args {
    #[command(flatten)]
    binary: Binary,
    /// A script for IDA
    #[arg(long)]
    ida: bool,
    /// A script for Ghidra
    #[arg(long)]
    ghidra: bool,
    /// A script for Binary Ninja
    #[arg(long)]
    binja: bool,
    /// The data alone, on standard output unless -o is given
    #[arg(long)]
    json: bool,
    /// Write PREFIX.json and PREFIX.ida.py, and so on
    #[arg(short, long, value_name = "PREFIX")]
    output: Option<PathBuf>,
    /// Also run what makes strings (`goemu strings`), and comment on who calls it; of variables without names, what they hold once
    /// packages are initialised
    #[arg(long)]
    decode: bool,
    /// Tell no progress
    #[arg(long)]
    quiet: bool,
    /// Time of this computer that each candidate of --decode may take, and initialising packages [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = number::time, requires = "decode")]
    timeout: Option<Duration>,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let wanted = [("ida", args.ida), ("ghidra", args.ghidra), ("binja", args.binja)];
    let scripts: Vec<&str> = wanted.iter().filter(|(_, wanted)| *wanted).map(|(name, _)| *name).collect();
    match (&args.output, scripts.is_empty()) {
        (None, false) => bail!("a script reads a file beside it: -o PREFIX says where"),
        (Some(_), true) if !args.json => bail!("what for? --ida, --ghidra, --binja, or --json alone"),
        (None, true) if !args.json => bail!("what for? --ida, --ghidra or --binja with -o PREFIX, or --json"),
        _ => {}
    }
    let data = data(args)?;
    let Some(prefix) = &args.output else {
        let mut out = output::plain();
        writeln!(out, "{data}")?;
        out.flush()?;
        return Ok(0);
    };
    write(prefix, "json", &format!("{data}\n"))?;
    for (name, text) in SCRIPTS.iter().filter(|(name, _)| scripts.contains(name)) {
        write(prefix, &format!("{name}.py"), text)?;
    }
    Ok(0)
}

fn data(args: &Args) -> Result<Json> {
    let image = args.binary.open()?;
    let notes = args.binary.notes_file().map(|file| notes::read(&file, false)).transpose()?.flatten();
    let config = args.binary.config(Config { deadline: args.timeout, ..Config::default() });
    confine(&Needs::nothing().writing(args.paths()));
    let mut machine = Machine::with_config(image, config)?;
    let image = machine.image().clone();
    let mut told = Told::new(args.quiet, None)?;
    let mut variables = Vec::new();
    if args.decode {
        initialise(&mut machine);
        if image.symbols().next().is_none() {
            variables = unnamed(&machine, &told.interrupt());
        }
    }
    let mut options = Options::default();
    options.decode = args.decode;
    options.time = args.timeout.unwrap_or(options.time);
    let strings = list(machine, &options, &told.interrupt(), &mut |done, all| {
        told.tell(|| format!("{done} of {all} functions"))
    })?;
    told.done();
    note_rest(&strings);
    let notes = notes.filter(|notes| notes.check(&image).is_ok());
    let values: Vec<(u64, String)> = variables.iter().filter_map(value).collect();
    let values = values.iter().map(|(addr, text)| (*addr, text.as_str()));
    let comments: Vec<(u64, &str)> =
        notes.iter().flat_map(|notes| notes.comments(&image)).chain(values).collect();
    Ok(export(&image, &strings, comments.into_iter()))
}

/// What a variable without a name holds once packages are initialised, where that is text or bytes.
fn value(variable: &Unnamed) -> Option<(u64, String)> {
    let look = variable.look.as_ref().filter(|look| matches!(look.ty.as_str(), "string" | "[]byte"))?;
    Some((variable.addr, format!("{} = {}", look.ty, look.text)))
}

impl Args {
    /// The files that are written.
    fn paths(&self) -> Vec<PathBuf> {
        let endings = SCRIPTS.iter().map(|(name, _)| format!("{name}.py")).chain(["json".to_owned()]);
        let prefix = self.output.iter();
        prefix.flat_map(|prefix| endings.clone().map(move |ending| path(prefix, &ending))).collect()
    }
}

fn path(prefix: &Path, ending: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(".");
    path.push(ending);
    PathBuf::from(path)
}

fn write(prefix: &Path, ending: &str, text: &str) -> Result<()> {
    let path = path(prefix, ending);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

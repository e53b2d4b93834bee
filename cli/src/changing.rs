//! What a user changes of a program: options of all commands that run guest code.

use anyhow::Result;
use goemu::changes::{Change, Changes, bytes};

use crate::guest::contents;
use crate::output;

/// The most that a file may have that is put into memory.
const MAX_FILE: u64 = 1 << 30;

/// Changes of the program.
#[derive(clap::Args, Default)]
#[command(next_help_heading = "Changing the program (ADDR: an address, a name, or NAME+0x10)")]
pub(crate) struct Changing {
    /// Let a function give this instead of running: 'main.isDebugged=false', 'main.read="x", nil'; a C function gives a number
    #[arg(long, value_name = "FUNC=VALUES")]
    stub: Vec<String>,
    /// Give a package variable, or a field of one, this value: 'main.debug=true', '0x54c1a0:string="x"'
    #[arg(long, value_name = "VAR[:TYPE]=VALUE")]
    set: Vec<String>,
    /// Put these bytes there before anything runs: 'main.f1+0x10=90 90', '0x54c1a0="text"', ADDR=@FILE
    #[arg(long, value_name = "ADDR=BYTES")]
    patch: Vec<String>,
    /// Begin with this value in a register: AX=5, DX=0xc000010000, X0=1
    #[arg(long, value_name = "REG=NUMBER")]
    reg: Vec<String>,
    /// Put a file into memory where the program has none, to be read and written (rw), or executed (rx)
    #[arg(long, value_name = "FILE@ADDR[:PERM]")]
    map: Vec<String>,
    /// Initialise no package, or all but this one (* and ? match); variables are as in the file
    #[arg(long, value_name = "PACKAGE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    skip_init: Vec<String>,
    /// End before this instruction, and show registers, stack and calls
    #[arg(long, value_name = "ADDR")]
    stop: Vec<String>,
}

impl Changing {
    /// These options again, for a command that repeats something.
    pub(crate) fn words(&self) -> Vec<String> {
        let Changing { stub, set, patch, reg, map, skip_init, stop } = self;
        let options = [
            ("--stub", stub),
            ("--set", set),
            ("--patch", patch),
            ("--reg", reg),
            ("--map", map),
            ("--stop", stop),
        ];
        let each = |(name, texts): (&str, &Vec<String>)| -> Vec<String> {
            texts.iter().flat_map(|text| [name.to_owned(), text.clone()]).collect()
        };
        let mut words: Vec<String> = options.into_iter().flat_map(each).collect();
        words.extend(skip_init.iter().map(|package| format!("--skip-init={package}")));
        words
    }

    /// All of them.
    pub(crate) fn changes(&self) -> Result<Changes> {
        let mut changes = Changes::default();
        for text in &self.map {
            changes.add(Change::map(text, file)?);
        }
        for text in &self.patch {
            changes.add(Change::patch(text, given_bytes)?);
        }
        for text in &self.set {
            changes.add(Change::set(text)?);
        }
        for text in &self.stub {
            changes.add(Change::stub(text)?);
        }
        for text in &self.reg {
            changes.add(Change::register(text)?);
        }
        for package in &self.skip_init {
            changes.add(Change::SkipInit((!package.is_empty()).then(|| package.clone())));
        }
        for place in &self.stop {
            changes.add(Change::Stop(place.clone()));
        }
        Ok(changes)
    }
}

/// Bytes, or those of a file where the text is `@FILE`.
pub(crate) fn given_bytes(text: &str) -> Result<Vec<u8>, String> {
    match text.trim().strip_prefix('@') {
        Some(path) => file(path),
        None => bytes(text),
    }
}

/// What is in a file.
pub(crate) fn file(path: &str) -> Result<Vec<u8>, String> {
    contents(path, path, MAX_FILE).map_err(|error| output::message(&error))
}

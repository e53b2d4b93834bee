//! `goemu run --debug`: a whole program for a debugger to step through, forwards and back.

use std::io;
use std::path::Path;

use anyhow::{Result, bail};
use goemu::program::{Program, status};
use goemu::{Image, Report};
use goemu_debug::dap;
use serde_json::Value as Json;

use super::{Args, Told, status_or_complaint};
use crate::binary::Binary;
use crate::confined::confine;
use crate::output;

/// The program shares nothing with this computer but files: what was read from a terminal could not be gone back over.
pub(super) fn main(args: &Args, binary: &Binary, image: Image) -> Result<u8> {
    if args.door.dap {
        return adapt(args, binary, image);
    }
    let (config, entry) = (args.config(binary, &args.args)?, args.door.open()?);
    confine(&args.needs(&config).sockets(entry.sockets()));
    let mut program = Program::load(image, config)?;
    let report = entry.gdb(program.begin()?, Some(&args.program))?;
    report.map_or(Ok(0), |report| args.end(&program, &report))
}

/// Serves an editor, whose launch may give the program other arguments.
fn adapt(args: &Args, binary: &Binary, image: Image) -> Result<u8> {
    let mut editor = dap::Editor::new(io::stdin(), io::stdout());
    let Some(launch) = editor.launch() else { return Ok(0) };
    let mut program = match args.launched(binary, &launch, image) {
        Ok(program) => program,
        Err(error) => {
            editor.refuse(&output::message(&error));
            return Err(error);
        }
    };
    let session = program.begin()?;
    let left = editor.serve(session)?;
    match left {
        dap::Left::Ended(report) => args.end(&program, &report),
        dap::Left::Gone => Ok(0),
    }
}

impl Args {
    fn launched(&self, binary: &Binary, launch: &Json, image: Image) -> Result<Program> {
        let same = |other: &str| Path::new(other).file_name() == self.program.file_name();
        if let Some(other) = launch["program"].as_str().filter(|other| !same(other)) {
            bail!("the command line says {}, and the launch {other}", self.program.display());
        }
        let text = |arg: &Json| arg.as_str().map_or_else(|| arg.to_string(), str::to_owned);
        let given = launch["args"].as_array().map(|given| given.iter().map(text).collect());
        let config = self.config(binary, &given.unwrap_or_else(|| self.args.clone()))?;
        confine(&self.needs(&config));
        Ok(Program::load(image, config)?)
    }

    fn end(&self, program: &Program, report: &Report) -> Result<u8> {
        let status = status(&report.outcome);
        let told = Told { status, instructions: report.instructions, writes: None, races: None };
        self.keep(program, &report.outcome, &told)?;
        Ok(status_or_complaint(status, &report.outcome))
    }
}

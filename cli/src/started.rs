//! Whole programs, as `run` and `explore` are given them.

use std::path::Path;

use anyhow::{Context, Result, bail};
use goemu::Config;
use goemu::machine::{Access, Dir, EngineChoice, Faults, Files, Process};

use crate::guest::Limits;

/// What a program's environment has by default.
const ENVIRONMENT: [(&str, &str); 4] =
    [("HOME", "/root"), ("PATH", "/usr/bin:/bin"), ("TMPDIR", "/tmp"), ("USER", "root")];

/// What a program is given, and how large its computer is.
#[derive(clap::Args)]
pub(crate) struct Started {
    #[command(flatten)]
    pub(crate) limits: Limits,
    /// The program's working directory [default: /]
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Processors that the program sees, 1 to 64; its threads take turns on one [default: 1; explore: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    processors: Option<u32>,
    /// What goes wrong on purpose, by the seed: delays, drops (of connections), short (reads and writes), full (disk), clock (that jumps), all
    #[arg(long, value_name = "LIST")]
    faults: Option<Faults>,
}

impl Started {
    /// The limits and choices of a machine with a program and its arguments; what is not said is as in `own`.
    pub(crate) fn config(&self, program: &Path, args: &[String], own: Config) -> Result<Config> {
        let text = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let path = program.to_str().context("the program's path is not UTF-8")?;
        let process = Process {
            program: path.to_owned(),
            args: args.to_vec(),
            env: ENVIRONMENT.iter().map(text).collect(),
            ..own.process
        };
        let processors = self.processors.unwrap_or(own.processors);
        let own = Config { engine: EngineChoice::Auto, processors, process, ..own };
        let mut config = self.limits.config(&own)?;
        config.faults = self.faults.unwrap_or_default();
        let path = path_in_guest(program)?;
        config.files = Files {
            current: self.cwd.clone().unwrap_or_else(|| "/".to_owned()),
            program: path.clone(),
            ..config.files
        };
        // The program can read itself.
        config.files.dirs.push(Dir { host: program.to_owned(), guest: path, access: Access::Overlay });
        Ok(config)
    }

    /// These options again, for a command that repeats something on so many processors.
    pub(crate) fn words(&self, processors: u32) -> Vec<String> {
        let mut words = vec!["--processors".to_owned(), processors.to_string()];
        words.extend(self.cwd.iter().flat_map(|dir| ["--cwd".to_owned(), dir.clone()]));
        words.extend(self.faults.iter().flat_map(|faults| ["--faults".to_owned(), faults.to_string()]));
        words.extend(self.limits.words());
        words
    }
}

/// Where the program finds itself.
fn path_in_guest(program: &Path) -> Result<String> {
    match program.file_name().and_then(|name| name.to_str()) {
        Some(name) => Ok(format!("/bin/{name}")),
        None => bail!("{} is no file", program.display()),
    }
}

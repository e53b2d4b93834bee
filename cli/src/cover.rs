//! Coverage of what a command runs: options that several commands share.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use goemu::Machine;
use goemu::coverage::Coverage;
use goemu::go::names::package;
use goemu::sink::Blocks;
use goemu::sink::cover::Scope;

#[derive(clap::Args)]
pub(crate) struct Covering {
    /// Write which lines ran: Go's coverprofile, lcov (FILE.info), or blocks for Lighthouse (FILE.drcov)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    cover: Option<PathBuf>,
    /// The format of --cover [default: by FILE's name]
    #[arg(long, value_name = "FORMAT", requires = "cover")]
    cover_format: Option<CoverFormat>,
    /// Packages that --cover shows, 'main' or 'net/*'; may be repeated [default: the function's own]
    #[arg(long, value_name = "PATTERN", requires = "cover")]
    cover_pkg: Vec<String>,
}

/// How coverage is written.
#[derive(Clone, Copy, ValueEnum)]
enum CoverFormat {
    /// Go's coverprofile: lines
    Go,
    /// A tracefile of lcov: lines and functions
    Lcov,
    /// DynamoRIO's drcov: blocks of instructions
    Drcov,
}

/// Coverage that is being counted.
#[must_use]
#[derive(Default)]
pub(crate) struct Covered(Option<(Arc<Coverage>, Written)>);

/// Where coverage goes, and which of it.
pub(crate) struct Written {
    format: CoverFormat,
    scope: Scope,
    target: Target,
}

/// A file that is written when a run is over. It is made before, so that a run is not lost for a wrong name.
pub(crate) struct Target {
    pub(crate) file: File,
    what: String,
}

impl Target {
    pub(crate) fn new(path: &Path, what: &str) -> Result<Target> {
        let what = format!("{what} to {}", path.display());
        let file = File::create(path).with_context(|| format!("cannot write {what}"))?;
        Ok(Target { file, what })
    }

    pub(crate) fn write(self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
        let mut out = BufWriter::new(self.file);
        write(&mut out).and_then(|()| out.flush()).with_context(|| format!("cannot write {}", self.what))
    }
}

impl Covering {
    pub(crate) fn is_wanted(&self) -> bool {
        self.cover.is_some()
    }

    /// The file that is written.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.cover.as_deref()
    }

    /// Counts what this machine runs from now on; `func` is what it calls.
    pub(crate) fn begin(&self, machine: &mut Machine, func: &str) -> Result<Covered> {
        let Some(written) = self.written(package(func))? else { return Ok(Covered::default()) };
        let coverage = Arc::new(Coverage::new());
        machine.set_coverage(Some(Arc::clone(&coverage)));
        Ok(Covered(Some((coverage, written))))
    }

    /// Where it is to be written, if it is wanted; `package` is shown unless others were named.
    pub(crate) fn written(&self, package: &str) -> Result<Option<Written>> {
        let Some(path) = &self.cover else { return Ok(None) };
        let target = Target::new(path, "the coverage")?;
        Ok(Some(Written { format: self.format(path), scope: self.scope(package), target }))
    }

    fn format(&self, path: &Path) -> CoverFormat {
        self.cover_format.unwrap_or_else(|| match path.extension().and_then(|ext| ext.to_str()) {
            Some("info") => CoverFormat::Lcov,
            Some("drcov") => CoverFormat::Drcov,
            _ => CoverFormat::Go,
        })
    }

    fn scope(&self, package: &str) -> Scope {
        if self.cover_pkg.is_empty() {
            return Scope::Packages(vec![package.to_owned()]);
        }
        Scope::Packages(self.cover_pkg.clone())
    }
}

impl Covered {
    /// Where it is counted, if it is.
    #[cfg(feature = "fuzz")]
    pub(crate) fn counts(&self) -> Option<Arc<Coverage>> {
        self.0.as_ref().map(|(coverage, ..)| Arc::clone(coverage))
    }

    /// Writes what has run.
    pub(crate) fn end(self, machine: &mut Machine) -> Result<()> {
        let Some((coverage, written)) = self.0 else { return Ok(()) };
        machine.set_coverage(None);
        written.write(machine, [&*coverage])
    }
}

impl Written {
    /// Writes what machines that run this one's program have counted, together.
    pub(crate) fn write<'c>(
        self,
        machine: &Machine,
        counted: impl IntoIterator<Item = &'c Coverage>,
    ) -> Result<()> {
        let Written { format, scope, target } = self;
        let (image, blocks) = (machine.image(), Blocks::of_all(counted, machine.memory()));
        target.write(|out| match format {
            CoverFormat::Go => blocks.lines(image, &scope).write_profile(out),
            CoverFormat::Lcov => blocks.lines(image, &scope).write_lcov(out),
            CoverFormat::Drcov => blocks.write_drcov(image, out),
        })
    }
}

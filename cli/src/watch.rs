//! What a run is watched for: options that all commands share that run guest code.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use goemu::Machine;
use goemu::coverage::Coverage;
use goemu::go::names::package;
use goemu::sink::cover::Scope;
use goemu::sink::{Blocks, JsonLines, Profiler, Tenet, Timeline};
use goemu::trace::{Detail, Filter, Only, Place, Recorder, Sink, Text};

/// What a run is watched for.
#[derive(clap::Args)]
pub(crate) struct Watching {
    /// Show on standard error what happens: every instruction, the tree of calls, or what Go's runtime does
    #[arg(long, value_name = "DETAIL", num_args = 0..=1, require_equals = true, default_missing_value = "insns")]
    trace: Option<Trace>,
    /// Write the trace to a file instead
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    trace_out: Option<PathBuf>,
    /// Write the trace as text, as lines of JSON, or for Tenet (every instruction) [default: text]
    #[arg(long, value_name = "FORMAT")]
    trace_format: Option<TraceFormat>,
    /// Trace only this: functions ('main.f*'), addresses (0x45e1a0-0x45e200), goroutine:N, event:KIND; may be repeated
    #[arg(long, value_name = "PATTERN")]
    only: Vec<Only>,
    /// Begin the trace where a function is entered, at an address, or after #N instructions
    #[arg(long, value_name = "PLACE")]
    from: Option<Place>,
    /// End the trace before that
    #[arg(long, value_name = "PLACE")]
    until: Option<Place>,
    /// Trace so many calls inside each other; 1 is the function alone
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Write which lines ran: Go's coverprofile, lcov (FILE.info), or blocks for Lighthouse (FILE.drcov)
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    cover: Option<PathBuf>,
    /// The format of --cover [default: by FILE's name]
    #[arg(long, value_name = "FORMAT", requires = "cover")]
    cover_format: Option<CoverFormat>,
    /// Packages that --cover shows, 'main' or 'net/*'; may be repeated [default: the function's own]
    #[arg(long, value_name = "PATTERN", requires = "cover")]
    cover_pkg: Vec<String>,
    /// Write instructions and allocations by stack, for `go tool pprof`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    profile: Option<PathBuf>,
    /// Write goroutines and calls over time, for ui.perfetto.dev
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    timeline: Option<PathBuf>,
}

/// What a trace shows.
#[derive(Clone, Copy, ValueEnum)]
enum Trace {
    /// Every instruction, what it changed, and between them what Go does
    Insns,
    /// The tree of calls, with arguments and results
    Calls,
    /// Stack growth, defers, panics
    Events,
}

impl From<Trace> for Detail {
    fn from(trace: Trace) -> Detail {
        match trace {
            Trace::Insns => Detail::Instructions,
            Trace::Calls => Detail::Calls,
            Trace::Events => Detail::Events,
        }
    }
}

/// How a trace is written.
#[derive(Clone, Copy, ValueEnum)]
enum TraceFormat {
    Text,
    Json,
    Tenet,
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

/// Files that are written when the run is over. They are made before, so that a run is not lost for a wrong name.
#[must_use]
#[derive(Default)]
pub(crate) struct Watched {
    cover: Option<(Arc<Coverage>, CoverFormat, Scope, Target)>,
    profile: Option<(Profiler, Target)>,
}

/// A file that is written.
struct Target {
    file: File,
    what: String,
}

impl Target {
    fn new(path: &Path, what: &str) -> Result<Target> {
        let what = format!("{what} to {}", path.display());
        let file = File::create(path).with_context(|| format!("cannot write {what}"))?;
        Ok(Target { file, what })
    }

    fn write(self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<()> {
        let mut out = BufWriter::new(self.file);
        write(&mut out).and_then(|()| out.flush()).with_context(|| format!("cannot write {}", self.what))
    }
}

impl Watching {
    /// The first of these options that was given.
    pub(crate) fn wanted(&self) -> Option<&'static str> {
        let given = [
            ("--trace", self.is_traced()),
            ("--cover", self.cover.is_some()),
            ("--profile", self.profile.is_some()),
            ("--timeline", self.timeline.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    fn is_traced(&self) -> bool {
        let narrowed = self.from.is_some() || self.until.is_some() || self.depth.is_some();
        let written = self.trace.is_some() || self.trace_out.is_some() || self.trace_format.is_some();
        written || narrowed || !self.only.is_empty()
    }

    /// Lets this machine's next call, of this function, be watched.
    pub(crate) fn begin(&self, machine: &mut Machine, func: &str) -> Result<Watched> {
        self.trace(machine)?;
        let mut watched = Watched::default();
        if let Some(path) = &self.cover {
            let cover = Arc::new(Coverage::new());
            machine.set_coverage(Some(Arc::clone(&cover)));
            let target = Target::new(path, "the coverage")?;
            watched.cover = Some((cover, self.cover_format(path), self.scope(func), target));
        }
        if let Some(path) = &self.profile {
            let profiler = Profiler::default();
            machine.observe(profiler.observer());
            watched.profile = Some((profiler, Target::new(path, "the profile")?));
        }
        if let Some(path) = &self.timeline {
            let out = BufWriter::new(Target::new(path, "the timeline")?.file);
            machine.observe(Recorder::with_sink(Timeline::new(out)));
        }
        Ok(watched)
    }

    fn cover_format(&self, path: &Path) -> CoverFormat {
        self.cover_format.unwrap_or_else(|| match path.extension().and_then(|ext| ext.to_str()) {
            Some("info") => CoverFormat::Lcov,
            Some("drcov") => CoverFormat::Drcov,
            _ => CoverFormat::Go,
        })
    }

    fn scope(&self, func: &str) -> Scope {
        if self.cover_pkg.is_empty() {
            return Scope::Packages(vec![package(func).to_owned()]);
        }
        Scope::Packages(self.cover_pkg.clone())
    }

    fn trace(&self, machine: &mut Machine) -> Result<()> {
        if !self.is_traced() {
            return Ok(());
        }
        let out: Box<dyn Write + Send> = match &self.trace_out {
            Some(path) => Box::new(Target::new(path, "the trace")?.file),
            None => Box::new(io::stderr()),
        };
        let out = BufWriter::new(out);
        let detail = self.trace.unwrap_or(Trace::Insns).into();
        match self.trace_format.unwrap_or(TraceFormat::Text) {
            TraceFormat::Text => self.observe(machine, Text::new(out, detail)),
            TraceFormat::Json => self.observe(machine, JsonLines::new(out, detail)),
            TraceFormat::Tenet => self.observe(machine, Tenet::new(out)),
        }
        Ok(())
    }

    fn observe(&self, machine: &mut Machine, sink: impl Sink + Send + 'static) {
        machine.observe(Recorder::with_sink(sink).narrowed(self.filter()));
    }

    fn filter(&self) -> Filter {
        let mut filter = self.only.iter().cloned().fold(Filter::default(), Filter::only);
        if let Some(from) = &self.from {
            filter = filter.from(from.clone());
        }
        if let Some(until) = &self.until {
            filter = filter.until(until.clone());
        }
        self.depth.map_or(filter.clone(), |depth| filter.depth(depth))
    }
}

impl Watched {
    /// The run is over: writes what was asked for.
    pub(crate) fn end(self, machine: &mut Machine) -> Result<()> {
        if let Some((cover, format, scope, target)) = self.cover {
            machine.set_coverage(None);
            let (image, blocks) = (machine.image(), Blocks::of(&cover, machine.memory()));
            target.write(|out| match format {
                CoverFormat::Go => blocks.lines(image, &scope).write_profile(out),
                CoverFormat::Lcov => blocks.lines(image, &scope).write_lcov(out),
                CoverFormat::Drcov => blocks.write_drcov(image, out),
            })?;
        }
        if let Some((profiler, target)) = self.profile {
            target.write(|out| profiler.write(machine.image(), out))?;
        }
        Ok(())
    }
}

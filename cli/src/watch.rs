//! What a run is watched for: options that all commands share that run guest code.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use goemu::Machine;
use goemu::sink::{JsonLines, Profiler, Tenet, Timeline};
use goemu::trace::{Detail, Filter, Only, Place, Recorder, Sink, Text};

use crate::cover::{Covered, Covering, Target};
use crate::kept::Writes;

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
    #[command(flatten)]
    covering: Covering,
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

/// What is written when the run is over.
#[must_use]
pub(crate) struct Watched {
    covered: Covered,
    profile: Option<(Profiler, Target)>,
    /// What is written meanwhile, and where to.
    written: Vec<(Writes, PathBuf)>,
}

impl Watching {
    /// The first of these options that was given.
    pub(crate) fn wanted(&self) -> Option<&'static str> {
        let given = [
            ("--trace", self.is_traced()),
            ("--cover", self.covering.is_wanted()),
            ("--profile", self.profile.is_some()),
            ("--timeline", self.timeline.is_some()),
        ];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// The files that what is seen is written to.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let written = [&self.trace_out, &self.profile, &self.timeline].into_iter().flatten();
        written.map(PathBuf::as_path).chain(self.covering.file())
    }

    fn is_traced(&self) -> bool {
        let narrowed = self.from.is_some() || self.until.is_some() || self.depth.is_some();
        let written = self.trace.is_some() || self.trace_out.is_some() || self.trace_format.is_some();
        written || narrowed || !self.only.is_empty()
    }

    /// Lets this machine's next call, of this function, be watched.
    pub(crate) fn begin(&self, machine: &mut Machine, func: &str) -> Result<Watched> {
        let mut written = Vec::new();
        self.trace(machine, &mut written)?;
        let covered = self.covering.begin(machine, func)?;
        let mut watched = Watched { covered, profile: None, written };
        if let Some(path) = &self.profile {
            let profiler = Profiler::default();
            machine.observe(profiler.observer());
            watched.profile = Some((profiler, Target::new(path, "the profile")?));
        }
        if let Some(path) = &self.timeline {
            let writes = Writes::default();
            let out = BufWriter::new(writes.to(Target::new(path, "the timeline")?.file));
            watched.written.push((writes, path.clone()));
            machine.observe(Recorder::with_sink(Timeline::new(out)));
        }
        Ok(watched)
    }

    fn trace(&self, machine: &mut Machine, written: &mut Vec<(Writes, PathBuf)>) -> Result<()> {
        if !self.is_traced() {
            return Ok(());
        }
        let out: Box<dyn Write + Send> = match &self.trace_out {
            Some(path) => {
                let writes = Writes::default();
                written.push((writes.clone(), path.clone()));
                Box::new(writes.to(Target::new(path, "the trace")?.file))
            }
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
    /// The run is over, and its observers are gone: writes what was asked for.
    pub(crate) fn end(self, machine: &mut Machine) -> Result<()> {
        for (writes, path) in self.written {
            if let Some(error) = writes.error() {
                bail!("{} is not whole: {error}", path.display());
            }
        }
        self.covered.end(machine)?;
        if let Some((profiler, target)) = self.profile {
            target.write(|out| profiler.write(machine.image(), out))?;
        }
        Ok(())
    }
}

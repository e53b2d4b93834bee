//! `goemu explore`: a program under many schedules.

mod budget;
mod merge;
mod report;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use goemu::explore::{self, Distinct, Found, Minimal, Options, Outcomes, Tale};
use goemu::pool::{self, Progress};
use goemu::program::{Program, Strategy};
use goemu::races;
use goemu::{Config, Image};
use goemu_loader::Image as Loaded;

use crate::binary::warning;
use crate::confined::{Needs, confine};
use crate::cover::Covering;
use crate::progress::Told;
use crate::started::Started;
use crate::tested::{self, FOUND, shell};
use crate::{number, output};
use budget::Budget;
use report::{Given, Report};

/// Instructions of a run.
const FUEL: u64 = 200_000_000;
/// Processors that the program sees.
const PROCESSORS: u32 = 4;
/// Runs and time for making the schedule of a failure smaller.
const SMALLER: (usize, Duration) = (2000, Duration::from_secs(20));

/// Run a program under many schedules, and find the one that breaks it
///
/// PROGRAM is a Go program for Linux, above all a test binary (go test -c). It is
/// started once; from there each seed is a run in which chance decides when a
/// thread is stopped, for how long, and which goes on. What comes of the runs is
/// told apart: panics, fatal errors, deadlocks, failed tests, goroutines that
/// wait for ever at the end of a test, runs that do not end, other output. Each
/// has a command that repeats it, anywhere.
///
/// The schedule of the first failure is made smaller, to as few stops as the
/// failure needs, and told by goroutines, functions and lines.
///
/// The program sees nothing of this computer but what --dir gives; see goemu run.
#[derive(clap::Args)]
#[command(verbatim_doc_comment, subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
#[command(after_long_help = "Exit status:
  0  nothing failed in any run
  1  goemu could not: bad options, a program that cannot be started
  2  something failed

Examples:
  go test -c ./pkg && goemu explore pkg.test
  goemu explore --test 'TestCache$' --seeds 1..5000 pkg.test
  goemu explore --budget 10m --first-failure pkg.test -test.short
  goemu explore --races --seeds 1..100 pkg.test            data races, without -race
  goemu explore --strategy pct:5 --processors 8 ./server --selftest
  goemu explore --cover pkg.out pkg.test      then: go tool cover -html pkg.out
  goemu explore --shard 3/8 --json pkg.test > 3.json      one of eight machines
  goemu explore merge *.json --junit report.xml           what all of them found")]
pub(crate) struct Args {
    #[command(subcommand)]
    merge: Option<Sub>,
    /// The program
    #[arg(value_hint = clap::ValueHint::FilePath, required = true)]
    program: Option<PathBuf>,
    /// Its arguments; goemu's own options come before PROGRAM
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
    /// The tests to run, of a test binary: its -test.run
    #[arg(long, value_name = "REGEXP")]
    test: Option<String>,
    /// The seeds, each a run: A..B with both ends, or N for 1..N [default: 1..1000]
    #[arg(long, value_name = "A..B", value_parser = budget::seeds)]
    seeds: Option<RangeInclusive<u64>>,
    /// What decides which thread runs: random, pct[:DEPTH[/LENGTH]], delay[:DELAYS[/LENGTH]] [default: all in turn]
    #[arg(long, value_name = "STRATEGY")]
    strategy: Option<Strategy>,
    /// Runs or time to spend: 500, 2m
    #[arg(long, value_name = "N|TIME", value_parser = budget::budget)]
    budget: Option<Budget>,
    /// End with the first failure
    #[arg(long)]
    first_failure: bool,
    /// Of the seeds, only the K-th of each N: the work of one of N machines
    #[arg(long, value_name = "K/N", value_parser = budget::shard)]
    shard: Option<(u64, u64)>,
    /// Runs at the same time [default: one for each processor of this computer]
    #[arg(long, short, value_name = "N")]
    jobs: Option<usize>,
    /// Look for data races in every run, too; the program need not be built with -race
    #[arg(long)]
    races: bool,
    /// Memory for accesses that may race, in MiB, of each run at the same time; older ones are forgotten beyond it [default: 512]
    #[arg(long, value_name = "MIB", value_parser = number::count, requires = "races")]
    races_memory: Option<u64>,
    /// Another output than that of most runs is a failure, too
    #[arg(long)]
    same_output: bool,
    /// Goroutines that wait for ever when the program has ended are failures: of test binaries, of all programs, of none
    #[arg(long, value_name = "OF", default_value = "tests")]
    leaks: Leaks,
    /// Do not make the schedule of a failure smaller
    #[arg(long)]
    no_minimise: bool,
    /// Write the smaller schedule, for goemu run --schedule
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    write_schedule: Option<PathBuf>,
    #[command(flatten)]
    started: Started,
    #[command(flatten)]
    covering: Covering,
    #[command(flatten)]
    output: Output,
}

/// Where findings go.
#[derive(clap::Args)]
struct Output {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write the results as JUnit's XML, too
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    junit: Option<PathBuf>,
    /// Tell of no progress
    #[arg(long, short)]
    quiet: bool,
}

#[derive(clap::Subcommand)]
enum Sub {
    Merge(merge::Args),
}

/// Whose goroutines must not wait for ever.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Leaks {
    Tests,
    All,
    None,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    match &args.merge {
        Some(Sub::Merge(merge)) => tested::ended(merge::main(merge), merge.is_json()),
        None => tested::ended(explored(args), args.output.json),
    }
}

fn explored(args: &Args) -> Result<u8> {
    let path = args.program.as_deref().context("which program? (see goemu explore --help)")?;
    let image = Image::open(path)?;
    if let Some(warning) = warning(&image) {
        output::note(&warning);
    }
    let given = given(args, path, &image)?;
    let own = Config { fuel: FUEL, processors: PROCESSORS, ..Config::default() };
    let mut config = args.started.config(path, &given.args, own)?;
    // The seed of what happens before main.main is the same for all.
    config.seed = Config::default().seed;
    let needs = Needs::of(&config).writing(&args.output.junit).writing(&args.write_schedule);
    confine(&needs.writing(args.covering.file()));
    let mut told = Told::new(args.output.quiet, args.budget.and_then(Budget::time))?;
    let mut options = options(args);
    options.interrupt = told.interrupt();
    options.cover = args.covering.is_wanted();
    let covered = args.covering.written(tested_package(&image))?;
    let wanted = options.count();
    let began = Instant::now();
    let mut follow = |outcomes: &Outcomes, progress: Progress| told.tell(|| line(outcomes, progress, wanted));
    let mut found = explore::explore(Program::load(image, config)?, &options, &mut follow)?;
    told.done();
    if let Some(covered) = covered {
        covered.write(&found.machine, found.coverage.iter().map(|coverage| &**coverage))?;
    }
    if args.same_output {
        found.outcomes.fail_outputs();
    }
    let explained = if args.no_minimise || told.is_interrupted() { None } else { explain(&mut found)? };
    if let (Some(path), Some((_, Some(minimal), _))) = (&args.write_schedule, &explained) {
        report::write_schedule(path, minimal)?;
    }
    let report = Report {
        given,
        outcomes: found.outcomes,
        complete: found.complete,
        seconds: began.elapsed().as_secs_f64(),
        explained: explained.map(|(_, minimal, tale)| (minimal, tale)),
    };
    report.write(args.output.json, args.output.junit.as_deref())?;
    Ok(if report.outcomes.failed > 0 { FOUND } else { 0 })
}

/// The package that a test binary tests; of other programs, main.
fn tested_package(image: &Loaded) -> &str {
    image.build_info().path.strip_suffix(".test").unwrap_or("main")
}

/// What is explored, in words that repeat it.
fn given(args: &Args, path: &Path, image: &Loaded) -> Result<Given> {
    let mut program = args.args.clone();
    if let Some(test) = &args.test {
        if image.funcs_named("testing.tRunner").is_empty() {
            bail!("--test is for test binaries, which go test -c makes; {} is none", path.display());
        }
        program.insert(0, format!("-test.run={test}"));
    }
    let name = path.display().to_string();
    let mut after = vec![name.clone()];
    after.extend(program.iter().cloned());
    let mut before = vec!["goemu".to_owned(), "run".to_owned()];
    before.extend(args.started.words(PROCESSORS));
    before.extend(args.races.then(|| "--races".to_owned()));
    before.extend(args.races_memory.iter().flat_map(|mib| ["--races-memory".to_owned(), mib.to_string()]));
    let shard = args.shard.map_or((1, 1), |(k, n)| (k, n));
    Ok(Given { program: name, args: program, before: shell(&before), after: shell(&after), shard })
}

fn options(args: &Args) -> Options {
    let mut options = Options::default();
    let endless = matches!(args.budget, Some(Budget::Time(_)));
    let last = if endless { u64::MAX } else { *options.seeds.end() };
    let one = args.started.limits.seed().map(|seed| seed..=seed);
    options.seeds = args.seeds.clone().or(one).unwrap_or(1..=last);
    if let Some(Budget::Runs(runs)) = args.budget {
        let first = *options.seeds.start();
        let wanted = args.seeds.as_ref().map_or(u64::MAX, |seeds| *seeds.end());
        options.seeds = first..=wanted.min(first.saturating_add(runs.saturating_sub(1)));
    }
    if let Some((k, n)) = args.shard {
        options.shard = (k - 1, n);
    }
    if let Some(strategy) = &args.strategy {
        options.strategies = vec![strategy.clone()];
    }
    options.leaks = match args.leaks {
        Leaks::Tests => None,
        Leaks::All => Some(true),
        Leaks::None => Some(false),
    };
    if args.races {
        let mut limits = races::Limits::default();
        limits.shadow = args.races_memory.map_or(limits.shadow, |mib| mib.saturating_mul(1 << 20));
        options.races = Some(limits);
    }
    options.first_failure = args.first_failure;
    options.jobs = args.jobs.unwrap_or_else(pool::cores);
    options.time_each = Some(args.started.limits.timeout().unwrap_or(Duration::from_secs(60)));
    options
}

/// The first failure's schedule made smaller, and its tale.
fn explain(found: &mut Found) -> Result<Option<(Distinct, Option<Minimal>, Tale)>> {
    let Some(failure) = found.outcomes.failures().next().cloned() else { return Ok(None) };
    let minimal = explore::minimise(&mut found.machine, &failure, SMALLER.0, SMALLER.1)?;
    let tale = explore::tale(&mut found.machine, &failure, minimal.as_ref())?;
    Ok(Some((failure, minimal, tale)))
}

fn line(outcomes: &Outcomes, progress: Progress, wanted: u64) -> String {
    let seconds = progress.elapsed.as_secs_f64().max(0.001);
    let rate = progress.done as f64 / seconds;
    let of = if wanted > u64::from(u32::MAX) { String::new() } else { format!(" of {wanted}") };
    let different = outcomes.failures().count();
    format!(
        "{}{of} runs, {} failed ({different} different), {rate:.0} a second",
        progress.done, outcomes.failed
    )
}

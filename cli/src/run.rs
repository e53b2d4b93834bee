//! `goemu run`: a whole program, with its streams, files and exit status.

mod debugged;
mod raced;
mod signals;
mod stdin;
mod taken_out;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use goemu::Outcome;
use goemu::machine::{Config, Signals};
use goemu::program::{Decision, Program, Schedule, Strategy, Stream};
use goemu::races::{self, Races};
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::confined::{Needs, confine};
use crate::debug::Door;
use crate::looking::Looking;
use crate::started::Started;
use crate::{hint, number, output, stopped};

/// Exit status when the program had to be stopped.
const STOPPED: u8 = 3;
/// Exit status after data races, as programs have it that are built with -race.
const RACY: u8 = 66;

/// Run a whole program, from its entry to its end
///
/// PROGRAM is a Go program for Linux, a test binary (go test -c) among them. It
/// runs on an emulated Linux of its own: threads, time, a file system in
/// memory, a network within itself. Nothing of this computer is reached but
/// what --dir gives; other programs cannot be started.
///
/// Time is virtual: it passes with instructions, and jumps when all threads
/// sleep. The order of threads, and all that is random, follow from --seed: the
/// same command is the same run, to the instruction.
///
/// Standard streams are those of goemu. Ctrl-C goes to the program, a second
/// one ends goemu.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Exit status:
  that of the program; 66 if that is 0 and --races has found any; 1 if goemu
  could not run it; 3 if a limit ended it
  (--fuel, --timeout, --max-output), or all its threads wait for ever; 0 if
  it came to --stop

Examples:
  goemu run ./prog -v input.txt
  goemu run --dir .:/src --cwd /src ./prog main.go
  goemu run --dir testdata:/w/testdata:ro --cwd /w ./strings.test -test.v
  goemu run --out results ./prog       what it wrote in its file system
  goemu run --set 'main.debug=true' --stop main.check+0x40 ./prog
  goemu run --seed 7 --processors 4 ./pkg.test -test.run TestRace
  goemu run --races ./pkg.test         data races, without -race")]
pub(crate) struct Args {
    /// The program
    #[arg(value_hint = clap::ValueHint::FilePath)]
    program: PathBuf,
    /// Its arguments; goemu's own options come before PROGRAM
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
    #[command(flatten)]
    started: Started,
    #[command(flatten)]
    looking: Looking,
    /// Wait at the first instruction for a debugger, which can step forwards and back; output is kept until the end
    #[arg(long, conflicts_with_all = ["clock", "dump", "watch_mem", "races", "strategy", "schedule"])]
    debug: bool,
    #[command(flatten)]
    door: Door,
    /// What is noted of the program (`goemu note`) ["" for none; default: PROGRAM.goemu.toml]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    notes: Option<PathBuf>,
    /// Put what the program has made and written into this folder of this computer, which must be empty or missing
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// The clock: of the program's own, or this computer's [default: virtual]
    #[arg(long, value_name = "CLOCK")]
    clock: Option<Clock>,
    /// Let chance decide which thread runs, as goemu explore does: turns, random, pct[:DEPTH[/LENGTH]], delay[:DELAYS[/LENGTH]].
    /// Standard input is empty then, and Ctrl-C ends goemu
    #[arg(long, value_name = "STRATEGY", conflicts_with = "clock")]
    strategy: Option<Strategy>,
    /// Decide as this file says, which goemu explore wrote: a line for each decision
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["clock", "strategy"])]
    schedule: Option<PathBuf>,
    /// Report data races to standard error; the program need not be built with -race
    #[arg(long)]
    races: bool,
    /// Exit status where the program's own is 0 and there were data races
    #[arg(long, value_name = "N", default_value_t = RACY, requires = "races")]
    races_status: u8,
    /// Memory for accesses that may race, in MiB; older ones are forgotten beyond it [default: 512]
    #[arg(long, value_name = "MIB", value_parser = number::count, requires = "races")]
    races_memory: Option<u64>,
    /// Write one JSON object to this file: outcome, status, instructions
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    json: Option<PathBuf>,
}

/// Where time comes from.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clock {
    /// Passes with instructions, from 2009-11-10 23:00 UTC on: the same run has the same times on any day
    Virtual,
    /// This computer's: the program sleeps as long as it says, and files of --dir are not of the future
    Host,
}

/// What is told of a run beside its outcome.
struct Told {
    status: Option<u8>,
    instructions: u64,
    writes: Option<Json>,
    races: Option<Vec<Json>>,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    let binary = Binary::named(Some(args.program.clone())).with_notes(args.notes.clone());
    let image = binary.open()?;
    if args.debug {
        return debugged::main(args, &binary, image);
    }
    if let Some(option) = args.door.wanted() {
        bail!("{option} needs --debug");
    }
    let mut config = args.config(&binary, &args.args)?;
    let schedule = args.schedule(config.seed)?;
    if schedule.is_some() {
        // What happens before main.main is the same for all seeds.
        config.seed = Config::default().seed;
    }
    confine(&args.needs(&config));
    let mut program = Program::load(image, config)?;
    if args.clock == Some(Clock::Host) {
        program.share_clock();
    }
    if schedule.is_none() {
        let signals = Signals::default();
        program.share_input(stdin::Input::new(signals.clone()));
        program.share_signals(signals.clone());
        signals::pass_on(signals)?;
    }
    program.stream(Box::new(|stream, bytes| match stream {
        Stream::Output => io::stdout().write_all(bytes).and_then(|()| io::stdout().flush()),
        Stream::Error => io::stderr().write_all(bytes),
    }));
    let races = args.races.then(|| args.watch_races(&mut program)).transpose()?;
    let looks = args.looking.begin(program.machine())?;
    let run = match &schedule {
        Some(schedule) => {
            program.start()?;
            program.run_scheduled(schedule)?
        }
        None => program.run()?,
    };
    program.machine().unobserve();
    let races = races.map_or_else(Vec::new, |races| races.take());
    looks.dump(program.machine().memory())?;
    looks.tell();
    let status = match run.status() {
        Some(0) if !races.is_empty() => Some(args.races_status),
        status => status,
    };
    let told = Told {
        status,
        instructions: run.instructions,
        writes: looks.object(),
        races: args.races.then(|| races.iter().map(raced::json).collect()),
    };
    args.keep(&program, &run.outcome, &told)?;
    if let Outcome::Stopped(stopped) = &run.outcome {
        output::say(&output::escaped_lines(&stopped::text(stopped, program.machine().image())));
        return Ok(0);
    }
    Ok(status_or_complaint(status, &run.outcome))
}

/// The program's status; where it has none, why is said.
fn status_or_complaint(status: Option<u8>, outcome: &Outcome) -> u8 {
    status.unwrap_or_else(|| {
        output::complain(&stopped(outcome));
        STOPPED
    })
}

/// Where it was stopped, if the user wanted that.
fn stopped_at(outcome: &Outcome) -> Option<Json> {
    if let Outcome::Stopped(stopped) = outcome { Some(stopped::object(stopped)) } else { None }
}

/// Why the program was stopped.
fn stopped(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Deadlock(_) => "all threads of the program wait for ever".to_owned(),
        other => hint::outcome(other),
    }
}

impl Args {
    /// Tells data races as they are found.
    fn watch_races(&self, program: &mut Program) -> Result<Races> {
        let default = races::Limits::default();
        let shadow = self.races_memory.map_or(default.shadow, |mib| mib.saturating_mul(1 << 20));
        let races = Races::watch(program.machine(), races::Limits { shadow, ..default })?;
        races.listen(|race| output::say(race.to_string().trim_end()));
        Ok(races)
    }

    /// What decides which thread runs, if not their order.
    fn schedule(&self, seed: u64) -> Result<Option<Schedule>> {
        let strategy = match (&self.strategy, &self.schedule) {
            (Some(strategy), _) => strategy.clone(),
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("--schedule {}", path.display()))?;
                Strategy::replay(decisions(&text).with_context(|| format!("--schedule {}", path.display()))?)
            }
            (None, None) => return Ok(None),
        };
        let mut schedule = Schedule::default();
        (schedule.strategy, schedule.seed) = (strategy, seed);
        Ok(Some(schedule))
    }

    /// Writes the files that were asked for.
    fn keep(&self, program: &Program, outcome: &Outcome, told: &Told) -> Result<()> {
        if let Some(out) = &self.out {
            taken_out::write(out, &program.changes()).with_context(|| format!("--out {}", out.display()))?;
        }
        let Some(path) = &self.json else { return Ok(()) };
        let object = json!({
            "outcome": outcome.word(),
            "status": told.status,
            "instructions": told.instructions,
            "stopped": stopped_at(outcome),
            "writes": told.writes,
            "races": told.races,
        });
        std::fs::write(path, format!("{object}\n")).with_context(|| format!("--json {}", path.display()))
    }

    /// What is opened later.
    fn needs(&self, config: &Config) -> Needs {
        Needs::of(config).writing(self.looking.files()).writing(&self.json).changing(&self.out)
    }

    fn config(&self, binary: &Binary, given: &[String]) -> Result<Config> {
        let default = Config::default();
        // A debugger's session keeps what is printed.
        let max_output = if self.debug { default.max_output } else { u64::MAX };
        let own = Config { fuel: u64::MAX, max_output, ..default };
        Ok(binary.config(self.started.config(&self.program, given, own)?))
    }
}

/// A line for each; what follows # is a remark.
fn decisions(text: &str) -> Result<Vec<Decision>> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let decision = |line: &str| line.parse().map_err(anyhow::Error::msg);
    lines.filter(|line| !line.is_empty()).map(decision).collect()
}

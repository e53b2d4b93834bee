//! `goemu check`: properties of a function, tried on values of its own types.

mod sweep;

use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use goemu::Machine;
use goemu::pool::Pool;
use goemu::testing::{Case, CaseResult, Check, Checked, Finding, PART};
use serde_json::{Value as Json, json};

use crate::asked::Asked;
use crate::binary::Binary;
use crate::confined::{Needs, confine};
use crate::cover::Covering;
use crate::progress::Told;
use crate::tested::{self, Tried};
use crate::{completions, output};

/// Arguments of a function.
const RUNS: u64 = 10_000;

/// Test a function on values of its own types
///
/// Makes arguments, small ones first, and asks that FUNC returns for all of
/// them: no panic, fault, deadlock, endless loop or memory without bounds.
/// Options ask for more. What fails is made as small as can be, and shown
/// with the command that repeats it.
///
/// Types come from the program, or --sig; where neither tells them, they are
/// guessed from the code. A FUNC with * or ? is a pattern: all functions that
/// it matches and whose types are known are tested, exported ones, and all
/// of package main. VALUES are tried instead of made ones.
///
/// 10k arguments are tried, of a pattern 1k for each function. What is found
/// follows from --seed, whatever --jobs is.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "Constraints:
  --arg '1 in 0..100'       numbers from 0 to 99; 0..=100 has 100 as well
  --arg 's len 0..8'        strings, slices and maps of so many elements
  --arg '2 one of 2, 3, 5'  these values, in Go syntax
  Arguments are named by number, from 1, or by name.

Exit status:
  0  nothing was found
  1  goemu could not: unknown function, no values of a type, bad options
  2  something was found

Examples:
  goemu check -b prog main.parse
  goemu check -b prog main.parse --panics 'index out of range' --time 1m
  goemu check -b prog main.encode --inverse main.decode
  goemu check -b prog main.fast --same-as main.slow --arg '1 in 0..1000'
  goemu check -b prog main.normalise --idempotent --emit-test found_test.go
  goemu check -b prog 'strings.*' --runs 100k --junit report.xml
  goemu check -b prog main.parse --cover parse.out   then: go tool cover -html parse.out
  goemu check -b stripped main.parse --sig 'func(s string) (int, error)'")]
pub(crate) struct Args {
    /// The function: a name, an end of a name, an address; or a pattern
    #[arg(add = completions::functions())]
    func: String,
    /// Arguments to try instead of made ones, in Go syntax, one for each parameter; after --
    #[arg(last = true)]
    values: Vec<String>,
    #[command(flatten)]
    binary: Binary,
    #[command(flatten)]
    tried: Tried,
    #[command(flatten)]
    covering: Covering,
    #[command(flatten)]
    asked: Asked,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    tested::ended(check(args), args.tried.output.json)
}

fn check(args: &Args) -> Result<u8> {
    let tried = &args.tried;
    let image = args.binary.open()?;
    confine(&Needs::nothing().writing(tried.output.paths()).writing(args.covering.file()));
    let mut machine = tried.limits.machine(image, &args.binary)?;
    let mut told = Told::new(tried.output.quiet, tried.time)?;
    machine.set_interrupt(told.interrupt());
    let known = machine.find(&args.func).map(|func| func.name().to_owned()).ok();
    let covered = args.covering.begin(&mut machine, known.as_deref().unwrap_or(&args.func))?;
    // What other machines run is not counted.
    let parts = |parts: u64| if args.covering.is_wanted() { 1 } else { parts };
    let (status, mut pool) = if known.is_none() && args.func.contains(['*', '?']) {
        let image = machine.image().clone();
        let funcs = tested::matching(&image, &args.func)?;
        let mut pool = tried.pool(machine, &told, parts(funcs.len() as u64));
        (sweep::sweep(args, &mut pool, &mut told, &funcs)?, pool)
    } else {
        let mut pool = tried.pool(machine, &told, parts(tried.runs(RUNS).div_ceil(PART)));
        (single(args, &mut pool, &mut told)?, pool)
    };
    covered.end(pool.machine())?;
    Ok(status)
}

/// Tests one function.
fn single(args: &Args, pool: &mut Pool, told: &mut Told) -> Result<u8> {
    let sig = args.asked.signature(pool.machine(), &args.func, &args.tried)?;
    let check = args.asked.check(pool.machine(), &args.func, sig.as_deref(), &args.tried)?;
    let began = Instant::now();
    let checked = match args.values.is_empty() {
        true => run(args, &check, pool, told),
        false => one(args, &check, pool.machine()),
    };
    told.done();
    let mut checked = checked?;
    if let Some(finding) = &mut checked.finding {
        finding.repeat = Some(args.asked.repeat(&args.binary, sig.as_deref(), finding, &args.tried));
    }
    let result = match &checked.finding {
        Some(finding) => CaseResult::Failed(vec![finding.clone()]),
        None => CaseResult::Passed,
    };
    let name = check.subject().name().to_owned();
    let case = Case { name: name.clone(), seconds: began.elapsed().as_secs_f64(), result };
    let findings: Vec<&Finding> = checked.finding.iter().collect();
    if args.tried.output.json {
        tested::print(&object(&name, &checked))?;
    } else {
        say(&name, &checked, args.tried.time.is_some())?;
    }
    Ok(args.tried.output.end("goemu check", &[case], &findings))
}

fn run(args: &Args, check: &Check, pool: &mut Pool, told: &mut Told) -> Result<Checked> {
    let name = check.subject().name().to_owned();
    let checked = check.run_on(pool, args.tried.runs(RUNS), |progress| {
        let seconds = progress.elapsed.as_secs_f64().max(0.001);
        let rate = progress.runs as f64 / seconds;
        let shrinking = if progress.shrinking { ", making a failure smaller" } else { "" };
        told.tell(|| format!("{name}: {} runs, {rate:.0} a second{shrinking}", progress.runs))
    })?;
    Ok(checked)
}

/// The arguments of the command line.
fn one(args: &Args, check: &Check, machine: &mut Machine) -> Result<Checked> {
    let values = tested::given(check.subject().inputs(), &args.values, machine.image())?;
    Ok(check.run_with(machine, &values)?)
}

fn say(name: &str, checked: &Checked, timed: bool) -> Result<()> {
    let mut out = output::stdout();
    if let Some(finding) = &checked.finding {
        write!(out, "{finding}")?;
    } else {
        let early = if checked.complete || timed { "" } else { "; ended early" };
        writeln!(out, "{name}: nothing found in {} runs{early}", checked.runs)?;
    }
    out.flush()?;
    if checked.discarded > checked.runs {
        output::note(&format!("{} made arguments were not allowed", checked.discarded));
    }
    if let Some(why) = &checked.refusal {
        output::note(&format!("{} calls could not be made: {why}", checked.unserved));
    }
    Ok(())
}

fn object(name: &str, checked: &Checked) -> Json {
    json!({
        "function": name,
        "runs": checked.runs,
        "discarded": checked.discarded,
        "unserved": checked.unserved,
        "refusal": checked.refusal,
        "interrupted": !checked.complete,
        "finding": checked.finding.as_ref().map(Finding::json),
    })
}

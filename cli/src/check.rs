//! `goemu check`: properties of a function, tried on values of its own types.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use goemu::go::arguments::{self, Argument};
use goemu::testing::{Case, CaseResult, Check, Checked, Finding, Property};
use goemu::{Image, Machine};
use goemu_loader::{Param, Signature};
use regex_lite::Regex;
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::cover::Covering;
use crate::progress::Told;
use crate::tested::{self, FOUND, Limits, Output, shell};
use crate::{completions, number, output, progress};

/// Arguments of one function of a sweep.
const SWEPT: u64 = 1000;
/// Arguments of a function.
const RUNS: u64 = 10_000;

/// Test a function on values of its own types
///
/// Makes arguments, small ones first, and asks that FUNC returns for all of
/// them: no panic, fault, deadlock, endless loop or memory without bounds.
/// Options ask for more. What fails is made as small as can be, and shown
/// with the command that repeats it.
///
/// Types come from the program, or --sig. A FUNC with * or ? is a pattern:
/// all functions that it matches are tested, exported ones, and all of
/// package main. VALUES are tried instead of made ones.
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
    /// The function's signature in Go syntax: 'func(a int, s string) (string, error)'
    #[arg(long, value_name = "SIGNATURE")]
    sig: Option<String>,
    /// Panics whose text matches are as they should be
    #[arg(long, value_name = "REGEXP")]
    panics: Option<String>,
    /// Another function of the program gives the same
    #[arg(long, value_name = "FUNC")]
    same_as: Option<String>,
    /// Another function, given the results, gives the arguments; errors are no results
    #[arg(long, value_name = "FUNC")]
    inverse: Option<String>,
    /// The function, given its result, gives it again
    #[arg(long)]
    idempotent: bool,
    /// The last two arguments may change places
    #[arg(long)]
    commutes: bool,
    /// The first argument that has an order may grow, and the result does not get smaller
    #[arg(long)]
    monotone: bool,
    /// A function that takes the arguments and the results gives true
    #[arg(long, value_name = "FUNC")]
    holds: Option<String>,
    /// The result does not depend on chance, and arguments are left as they are
    #[arg(long)]
    pure: bool,
    /// The result, in Go syntax
    #[arg(long, value_name = "LITERAL")]
    expect: Option<String>,
    /// No call takes more instructions
    #[arg(long, value_name = "N", value_parser = number::count)]
    max_instructions: Option<u64>,
    /// What an argument is kept to: '1 in 0..100', 's len 0..8', '2 one of 2, 3'
    #[arg(long = "arg", value_name = "CONSTRAINT")]
    constraints: Vec<String>,
    /// Only arguments that this function gives true for
    #[arg(long, value_name = "FUNC")]
    assume: Option<String>,
    /// Arguments to try [default: 10k; of a pattern, 1k for each function]
    #[arg(long, value_name = "N", value_parser = number::count)]
    runs: Option<u64>,
    /// Time to try in; of a pattern, for all functions
    #[arg(long, value_name = "TIME", value_parser = progress::duration)]
    time: Option<Duration>,
    #[command(flatten)]
    covering: Covering,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    tested::ended(check(args), args.output.json)
}

fn check(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    let mut machine = Machine::with_config(image, args.limits.config())?;
    let mut told = Told::new(args.output.quiet, args.time)?;
    machine.set_interrupt(told.interrupt());
    let known = machine.find(&args.func).map(|func| func.name().to_owned()).ok();
    let covered = args.covering.begin(&mut machine, known.as_deref().unwrap_or(&args.func))?;
    let status = if known.is_none() && args.func.contains(['*', '?']) {
        sweep(args, &mut machine, &mut told)?
    } else {
        single(args, &mut machine, &mut told)?
    };
    covered.end(&mut machine)?;
    Ok(status)
}

/// Tests one function.
fn single(args: &Args, machine: &mut Machine, told: &mut Told) -> Result<u8> {
    let check = args.check(machine, &args.func)?;
    let began = Instant::now();
    let checked = match args.values.is_empty() {
        true => run(args, &check, machine, told, RUNS),
        false => one(args, &check, machine),
    };
    told.done();
    let mut checked = checked?;
    if let Some(finding) = &mut checked.finding {
        finding.repeat = Some(args.repeat(machine.image(), finding));
    }
    let result = match &checked.finding {
        Some(finding) => CaseResult::Failed(vec![finding.clone()]),
        None => CaseResult::Passed,
    };
    let name = check.subject().name().to_owned();
    let case = Case { name: name.clone(), seconds: began.elapsed().as_secs_f64(), result };
    let findings: Vec<&Finding> = checked.finding.iter().collect();
    args.output.files("goemu check", &[case], &findings)?;
    if args.output.json {
        tested::print(&object(&name, &checked))?;
    } else {
        say(&name, &checked, args.time.is_some())?;
    }
    Ok(if checked.finding.is_some() { FOUND } else { 0 })
}

fn run(args: &Args, check: &Check, machine: &mut Machine, told: &mut Told, usual: u64) -> Result<Checked> {
    let runs = args.runs.unwrap_or(if args.time.is_some() { u64::MAX / 64 } else { usual });
    let name = check.subject().name().to_owned();
    let checked = check.run_watched(machine, runs, |progress| {
        let seconds = progress.elapsed.as_secs_f64().max(0.001);
        let rate = progress.runs as f64 / seconds;
        let shrinking = if progress.shrinking { ", making a failure smaller" } else { "" };
        told.tell(|| format!("{name}: {} runs, {rate:.0} a second{shrinking}", progress.runs))
    })?;
    Ok(checked)
}

/// The arguments of the command line.
fn one(args: &Args, check: &Check, machine: &mut Machine) -> Result<Checked> {
    let inputs = check.subject().inputs();
    let param = |input: &goemu::testing::Input| Param { name: input.name.clone(), ty: input.ty.clone() };
    let signature =
        Signature { params: inputs.iter().map(param).collect(), results: Vec::new(), variadic: false };
    let given: Vec<Argument<'_>> = args.values.iter().map(|value| Argument::Text(value)).collect();
    let values = arguments::parse(&signature, &given, &**machine.image()).map_err(goemu::Error::from)?;
    Ok(check.run_with(machine, &values)?)
}

/// Tests all functions that the pattern matches.
fn sweep(args: &Args, machine: &mut Machine, told: &mut Told) -> Result<u8> {
    if args.sig.is_some() || !args.values.is_empty() {
        bail!("--sig and VALUES are for one function, not for a pattern");
    }
    let image = machine.image().clone();
    let funcs = tested::matching(&image, &args.func)?;
    let mut cases = Vec::new();
    let (mut runs, mut interrupted) = (0, false);
    for func in &funcs {
        let began = Instant::now();
        let address = format!("{:#x}", func.entry());
        let result = match args.check(machine, &address) {
            Err(error) => CaseResult::Skipped(output::message(&error)),
            Ok(check) => match run(args, &check, machine, told, SWEPT) {
                Err(error) => CaseResult::Skipped(output::message(&error)),
                Ok(checked) => {
                    runs += checked.runs;
                    interrupted = !checked.complete;
                    match checked.finding {
                        Some(mut finding) => {
                            finding.repeat = Some(args.repeat(&image, &finding));
                            told.done();
                            if !args.output.json {
                                writeln!(output::stdout(), "{finding}")?;
                            }
                            CaseResult::Failed(vec![finding])
                        }
                        None => CaseResult::Passed,
                    }
                }
            },
        };
        cases.push(Case { name: func.name().to_owned(), seconds: began.elapsed().as_secs_f64(), result });
        if interrupted {
            break;
        }
    }
    told.done();
    let findings: Vec<&Finding> = cases.iter().flat_map(findings_of).collect();
    args.output.files("goemu check", &cases, &findings)?;
    summary(args, &cases, &findings, (funcs.len(), runs, interrupted))?;
    Ok(if findings.is_empty() { 0 } else { FOUND })
}

fn findings_of(case: &Case) -> &[Finding] {
    match &case.result {
        CaseResult::Failed(findings) => findings,
        _ => &[],
    }
}

fn summary(
    args: &Args,
    cases: &[Case],
    findings: &[&Finding],
    (funcs, runs, interrupted): (usize, u64, bool),
) -> Result<()> {
    let skipped = |case: &Case| match &case.result {
        CaseResult::Skipped(why) => Some((case.name.clone(), why.clone())),
        _ => None,
    };
    let skipped: Vec<(String, String)> = cases.iter().filter_map(skipped).collect();
    if args.output.json {
        return tested::print(&json!({
            "functions": funcs,
            "tested": cases.len() - skipped.len(),
            "runs": runs,
            "interrupted": interrupted,
            "findings": findings.iter().map(|finding| finding.json()).collect::<Json>(),
            "skipped": skipped.iter().map(|(name, why)| json!({ "function": name, "why": why })).collect::<Json>(),
        }));
    }
    let mut out = output::stdout();
    let tested = cases.len() - skipped.len();
    writeln!(out, "{tested} functions tested, {runs} runs, {} failed", findings.len())?;
    if !skipped.is_empty() {
        writeln!(out, "{} skipped, for example {}", skipped.len(), skipped[0].1)?;
    }
    if interrupted {
        writeln!(out, "ended early: {} functions were not tested", funcs - cases.len())?;
    }
    Ok(out.flush()?)
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

impl Args {
    fn properties(&self) -> Vec<Property> {
        let named = [
            self.same_as.clone().map(Property::SameAs),
            self.inverse.clone().map(Property::Inverse),
            self.holds.clone().map(Property::Holds),
            self.expect.clone().map(Property::Expect),
            self.idempotent.then_some(Property::Idempotent),
            self.commutes.then_some(Property::Commutes),
            self.monotone.then_some(Property::Monotone),
            self.pure.then_some(Property::Pure),
        ];
        named.into_iter().flatten().collect()
    }

    fn check(&self, machine: &Machine, func: &str) -> Result<Check> {
        let mut check = Check::new(machine, func, self.sig.as_deref())?;
        for constraint in &self.constraints {
            check = check.constrain(machine, constraint).context("--arg")?;
        }
        for property in self.properties() {
            let option = property.name();
            check = check.property(machine, property).with_context(|| format!("--{option}"))?;
        }
        if let Some(assume) = &self.assume {
            check = check.assume(machine, assume).context("--assume")?;
        }
        if let Some(most) = self.max_instructions {
            check = check.max_instructions(most);
        }
        if let Some(text) = &self.panics {
            let regex = Regex::new(text).with_context(|| format!("--panics {text}"))?;
            check = check.allow_panics(move |text| regex.is_match(text));
        }
        Ok(check)
    }

    /// The command that shows the finding again.
    fn repeat(&self, image: &Image, finding: &Finding) -> String {
        let mut words = vec!["goemu".to_owned()];
        let returns = finding.property == "returns";
        words.push(if returns { "call" } else { "check" }.to_owned());
        words.extend(tested::program(image));
        words.push(finding.subject.clone());
        if let Some(sig) = &self.sig {
            words.extend(["--sig".to_owned(), sig.clone()]);
        }
        if !returns {
            words.extend(self.properties().iter().flat_map(Property::words));
            words.extend(
                self.max_instructions.iter().flat_map(|n| ["--max-instructions".to_owned(), n.to_string()]),
            );
        }
        words.extend(self.limits.words());
        words.push("--".to_owned());
        words.extend(finding.input.iter().map(|given| given.value.clone()));
        shell(&words)
    }
}

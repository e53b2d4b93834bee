//! `goemu diff`: the same functions in two builds, on the same values.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use goemu::go::arguments::{self, Argument};
use goemu::testing::{Case, CaseResult, Compared, Diff, Finding};
use goemu::{Image, Machine};
use goemu_loader::{Param, Signature};
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::progress::Told;
use crate::tested::{self, FOUND, Limits, Output, shell};
use crate::{completions, number, output, progress};

/// Arguments of a function, and of each function of a sweep.
const RUNS: u64 = 10_000;
const SWEPT: u64 = 500;

/// Compare the same functions of two builds on the same values
///
/// OLD and NEW are two releases of Go, two versions of a program, two levels
/// of optimisation, or two systems. Results, panics and output are compared
/// as Go values: addresses do not count, nor the words of errors. A
/// difference is made as small as can be.
///
/// Without FUNC, all functions that both builds have and that can be given
/// values are compared: exported ones, and all of package main. FUNC may be a
/// pattern, with * or ?. VALUES are tried instead of made ones.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "Exit status:
  0  no difference was found
  1  goemu could not: bad file, unknown function, no values of a type
  2  the builds differ

Examples:
  goemu diff -b prog-1.19 -b prog-1.27 strconv.ParseInt
  goemu diff -b prog-1.19 -b prog-1.27 'strconv.*' --runs 5k
  goemu diff -b prog-noopt -b prog                      all functions that both have
  goemu diff -b prog.exe -b prog --time 5m --junit report.xml")]
pub(crate) struct Args {
    /// Functions: names, or patterns
    #[arg(add = completions::functions())]
    funcs: Vec<String>,
    /// Arguments to try instead of made ones, in Go syntax, one for each parameter; after --
    #[arg(last = true)]
    values: Vec<String>,
    /// The two builds, the old one first
    #[arg(short = 'b', long = "binary", value_name = "PATH", value_hint = clap::ValueHint::FilePath, required = true)]
    binaries: Vec<PathBuf>,
    /// The signature of the function, where the builds have none: 'func(a int, s string) (string, error)'
    #[arg(long, value_name = "SIGNATURE")]
    sig: Option<String>,
    /// What an argument is kept to: '1 in 0..100', 's len 0..8', '2 one of 2, 3'
    #[arg(long = "arg", value_name = "CONSTRAINT")]
    constraints: Vec<String>,
    /// Arguments to try for each function [default: 10k; of several functions, 500]
    #[arg(long, value_name = "N", value_parser = number::count)]
    runs: Option<u64>,
    /// Time to try in, for all functions
    #[arg(long, value_name = "TIME", value_parser = progress::duration)]
    time: Option<Duration>,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    tested::ended(diff(args), args.output.json)
}

/// The two builds.
struct Builds {
    old: Machine,
    new: Machine,
    told: Told,
}

fn diff(args: &Args) -> Result<u8> {
    let [old, new] = args.binaries.as_slice() else {
        bail!("two builds are compared: -b OLD -b NEW, not {}", args.binaries.len());
    };
    let open = |path: &PathBuf| -> Result<Machine> {
        let image = Binary::named(Some(path.clone())).open()?;
        Ok(Machine::with_config(image, args.limits.config())?)
    };
    let (old, new) = (open(old)?, open(new)?);
    let told = Told::new(args.output.quiet, args.time)?;
    let mut builds = Builds { old, new, told };
    builds.old.set_interrupt(builds.told.interrupt());
    builds.new.set_interrupt(builds.told.interrupt());
    let names = names(args, builds.old.image(), builds.new.image())?;
    match names.as_slice() {
        [only] if args.funcs.len() == 1 => single(args, &mut builds, only),
        _ => sweep(args, &mut builds, &names),
    }
}

/// The functions that are compared.
fn names(args: &Args, old: &Image, new: &Image) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let everything = ["*".to_owned()];
    let patterns = if args.funcs.is_empty() { &everything[..] } else { &args.funcs[..] };
    for pattern in patterns {
        let exact = goemu::go::names::find(old, pattern);
        match exact {
            Ok(func) => names.push(func.name().to_owned()),
            Err(error) if !pattern.contains(['*', '?']) => return Err(error.into()),
            Err(_) => {
                let other: HashSet<&str> = new.defined_funcs().map(|func| func.name()).collect();
                let both = tested::matching(old, pattern)?.into_iter().map(|func| func.name().to_owned());
                names.extend(both.filter(|name| other.contains(name.as_str())));
            }
        }
    }
    if names.is_empty() {
        bail!("the builds have no function in common; see `goemu funcs`");
    }
    Ok(names)
}

fn prepare(args: &Args, builds: &Builds, name: &str) -> Result<Diff> {
    let mut diff = Diff::new(&builds.old, &builds.new, name, args.sig.as_deref())?;
    for constraint in &args.constraints {
        diff.constrain(&builds.old, constraint).context("--arg")?;
    }
    Ok(diff)
}

fn compare(args: &Args, builds: &mut Builds, name: &str, usual: u64, note: &str) -> Result<Compared> {
    let diff = prepare(args, builds, name)?;
    let Builds { old, new, told } = builds;
    if !args.values.is_empty() {
        let inputs = diff.subject().inputs();
        let params = inputs.iter().map(|input| Param { name: input.name.clone(), ty: input.ty.clone() });
        let signature = Signature { params: params.collect(), results: Vec::new(), variadic: false };
        let given: Vec<Argument<'_>> = args.values.iter().map(|value| Argument::Text(value)).collect();
        let values = arguments::parse(&signature, &given, &**old.image()).map_err(goemu::Error::from)?;
        return Ok(diff.run_with(old, new, &values)?);
    }
    let runs = args.runs.unwrap_or(usual);
    let mut compared =
        diff.run(old, new, runs, |progress| told.tell(|| format!("{note}{name}: {} runs", progress.runs)))?;
    if let Some(finding) = &mut compared.finding {
        finding.repeat = Some(args.repeat(finding));
    }
    Ok(compared)
}

fn single(args: &Args, builds: &mut Builds, name: &str) -> Result<u8> {
    let began = Instant::now();
    let compared = compare(args, builds, name, RUNS, "")?;
    builds.told.done();
    let case = case(name, began, Ok(&compared));
    let findings: Vec<&Finding> = compared.finding.iter().collect();
    args.output.files("goemu diff", &[case], &findings)?;
    if args.output.json {
        tested::print(&json!({
            "function": name,
            "runs": compared.runs,
            "unserved": compared.unserved,
            "refusal": compared.refusal,
            "interrupted": !compared.complete,
            "finding": compared.finding.as_ref().map(Finding::json),
        }))?;
    } else {
        let mut out = output::stdout();
        match &compared.finding {
            Some(finding) => write!(out, "{finding}")?,
            None => writeln!(out, "{name}: no difference in {} runs", compared.runs)?,
        }
        out.flush()?;
        if let Some(why) = &compared.refusal {
            output::note(&format!("{} calls could not be made: {why}", compared.unserved));
        }
    }
    Ok(if compared.finding.is_some() { FOUND } else { 0 })
}

fn case(name: &str, began: Instant, compared: Result<&Compared, String>) -> Case {
    let result = match compared {
        Err(why) => CaseResult::Skipped(why),
        Ok(compared) => match &compared.finding {
            Some(finding) => CaseResult::Failed(vec![finding.clone()]),
            None => CaseResult::Passed,
        },
    };
    Case { name: name.to_owned(), seconds: began.elapsed().as_secs_f64(), result }
}

/// Compares all of these functions, with a budget each.
fn sweep(args: &Args, builds: &mut Builds, names: &[String]) -> Result<u8> {
    let (mut cases, mut runs, mut interrupted) = (Vec::new(), 0, false);
    for (at, name) in names.iter().enumerate() {
        let began = Instant::now();
        let note = format!("{} of {}, ", at + 1, names.len());
        let compared = compare(args, builds, name, SWEPT, &note);
        if builds.told.tell(|| format!("{note}{name}")).is_break() {
            interrupted = true;
        }
        let compared = compared.map_err(|error| output::message(&error));
        runs += compared.as_ref().map_or(0, |compared| compared.runs);
        cases.push(case(name, began, compared.as_ref().map_err(Clone::clone)));
        if interrupted {
            break;
        }
    }
    builds.told.done();
    let findings: Vec<&Finding> = cases.iter().flat_map(findings_of).collect();
    args.output.files("goemu diff", &cases, &findings)?;
    let skipped: Vec<(&str, &str)> = cases.iter().filter_map(skipped_of).collect();
    let compared = cases.len() - skipped.len();
    if args.output.json {
        tested::print(&json!({
            "functions": names.len(),
            "compared": compared,
            "runs": runs,
            "interrupted": interrupted,
            "findings": findings.iter().map(|finding| finding.json()).collect::<Json>(),
            "skipped": skipped.iter().map(|(name, why)| json!({ "function": name, "why": why })).collect::<Json>(),
        }))?;
    } else {
        table(&findings, &skipped, (compared, names.len() - cases.len(), runs))?;
    }
    Ok(if findings.is_empty() { 0 } else { FOUND })
}

fn findings_of(case: &Case) -> &[Finding] {
    match &case.result {
        CaseResult::Failed(findings) => findings,
        _ => &[],
    }
}

fn skipped_of(case: &Case) -> Option<(&str, &str)> {
    match &case.result {
        CaseResult::Skipped(why) => Some((&case.name, why)),
        _ => None,
    }
}

/// What differs, a line for each function, and the counts.
fn table(
    findings: &[&Finding],
    skipped: &[(&str, &str)],
    (compared, left, runs): (usize, usize, u64),
) -> Result<()> {
    let mut out = output::stdout();
    let width = findings.iter().map(|finding| finding.subject.chars().count()).max().unwrap_or(0);
    for finding in findings {
        let given: Vec<&str> = finding.input.iter().map(|given| given.value.as_str()).collect();
        let detail =
            |name: &str| finding.details.iter().find(|(of, _)| of == name).map_or("", |(_, text)| text);
        let line = format!("({}): {} != {}", given.join(", "), detail("old"), detail("new"));
        writeln!(out, "{:width$}  {}", finding.subject, short(&goemu::testing::escaped(&line)))?;
    }
    if !findings.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "{compared} functions compared, {runs} runs, {} differ", findings.len())?;
    if let Some((name, why)) = skipped.first() {
        writeln!(out, "{} skipped, for example {name}: {why}", skipped.len())?;
    }
    if left > 0 {
        writeln!(out, "ended early: {left} functions were not compared")?;
    }
    Ok(out.flush()?)
}

/// The beginning of a long line.
fn short(line: &str) -> String {
    const SHOWN: usize = 160;
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line.to_owned(),
    }
}

impl Args {
    /// The command that shows the difference again.
    fn repeat(&self, finding: &Finding) -> String {
        let mut words = vec!["goemu".to_owned(), "diff".to_owned()];
        words.extend(self.binaries.iter().flat_map(|path| ["-b".to_owned(), path.display().to_string()]));
        words.push(finding.subject.clone());
        words.extend(self.sig.iter().flat_map(|sig| ["--sig".to_owned(), sig.clone()]));
        words.extend(self.limits.words());
        words.push("--".to_owned());
        words.extend(finding.input.iter().map(|given| given.value.clone()));
        shell(&words)
    }
}

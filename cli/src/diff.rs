//! `goemu diff`: the same functions in two builds, on the same values.

use std::collections::HashSet;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use goemu::machine::Interrupt;
use goemu::pool::{Follow, Pool, Progress};
use goemu::testing::{Case, CaseResult, Compared, Diff, Finding, PART, Spares};
use goemu::{Image, Machine};
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::confined::{Needs, confine};
use crate::progress::Told;
use crate::tested::{self, Tried, findings_of, shell, skipped_of};
use crate::{completions, output};

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
///
/// 10k values are tried, of several functions 500 for each. What is found
/// follows from --seed, whatever --jobs is.
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
    #[command(flatten)]
    tried: Tried,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    tested::ended(diff(args), args.tried.output.json)
}

/// The two builds: machines of the old one in a pool, and as many of the new one.
struct Builds {
    old: Pool,
    new: Spares,
    told: Told,
}

fn diff(args: &Args) -> Result<u8> {
    let [old, new] = args.binaries.as_slice() else {
        bail!("two builds are compared: -b OLD -b NEW, not {}", args.binaries.len());
    };
    let tried = &args.tried;
    let open = |path: &PathBuf| -> Result<(Image, Binary)> {
        let binary = Binary::named(Some(path.clone()));
        Ok((binary.open()?, binary))
    };
    let (old, new) = (open(old)?, open(new)?);
    confine(&Needs::nothing().writing(tried.output.paths()));
    let machine = |(image, binary): (Image, Binary)| tried.limits.machine(image, &binary);
    let (old, mut new) = (machine(old)?, machine(new)?);
    let told = Told::new(tried.output.quiet, tried.time)?;
    new.set_interrupt(told.interrupt());
    let names = names(args, old.image(), new.image())?;
    let is_one = args.funcs.len() == 1 && names.len() == 1;
    let parts = if is_one { tried.runs(RUNS).div_ceil(PART) } else { names.len() as u64 };
    let old = tried.pool(old, &told, parts);
    let mut builds = Builds { new: Spares::new(new, old.count())?, old, told };
    match names.as_slice() {
        [only] if is_one => single(args, &mut builds, only),
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

fn prepare(args: &Args, old: &Machine, new: &Machine, name: &str) -> Result<Diff> {
    let mut diff = Diff::new(old, new, name, args.tried.sig.as_deref())?;
    for constraint in &args.tried.constraints {
        diff.constrain(old, constraint).context("--arg")?;
    }
    Ok(diff)
}

/// Compares one function on all machines.
fn compare(args: &Args, builds: &mut Builds, name: &str) -> Result<Compared> {
    let Builds { old, new, told } = builds;
    let diff = new.lend(|new| Ok(prepare(args, old.machine(), new, name)))??;
    if !args.values.is_empty() {
        let values = tested::given(diff.subject().inputs(), &args.values, old.machine().image())?;
        return Ok(new.lend(|new| diff.run_with(old.machine(), new, &values))?);
    }
    let mut compared = diff.run_on(old, new, args.tried.runs(RUNS), |progress| {
        told.tell(|| format!("{name}: {} runs", progress.runs))
    })?;
    if let Some(finding) = &mut compared.finding {
        finding.repeat = Some(args.repeat(finding));
    }
    Ok(compared)
}

/// Compares one of several functions, on two machines.
fn compare_one(
    args: &Args,
    (old, new): (&mut Machine, &mut Machine),
    name: &str,
    interrupt: &Interrupt,
) -> Result<Compared> {
    let watch = |_| if interrupt.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let diff = prepare(args, old, new, name)?;
    let mut compared = diff.run(old, new, args.tried.runs.unwrap_or(SWEPT), watch)?;
    if let Some(finding) = &mut compared.finding {
        finding.repeat = Some(args.repeat(finding));
    }
    Ok(compared)
}

fn single(args: &Args, builds: &mut Builds, name: &str) -> Result<u8> {
    let began = Instant::now();
    let compared = compare(args, builds, name)?;
    builds.told.done();
    let case = case(name, began, Ok(&compared));
    let findings: Vec<&Finding> = compared.finding.iter().collect();
    if args.tried.output.json {
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
            None => {
                let early = if compared.complete || args.tried.time.is_some() { "" } else { "; ended early" };
                writeln!(out, "{name}: no difference in {} runs{early}", compared.runs)?;
            }
        }
        out.flush()?;
        if let Some(why) = &compared.refusal {
            output::note(&format!("{} calls could not be made: {why}", compared.unserved));
        }
    }
    Ok(args.tried.output.end("goemu diff", &[case], &findings))
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

/// What came of one function of several.
struct Tested {
    case: Case,
    runs: u64,
    /// Whether it was not interrupted.
    complete: bool,
}

/// Compares all of these functions, with a budget each.
fn sweep(args: &Args, builds: &mut Builds, names: &[String]) -> Result<u8> {
    let Builds { old, new, told } = builds;
    let interrupt = old.interrupt();
    let work = |old: &mut Machine, name: &String| {
        let began = Instant::now();
        let compared = new.lend(|new| Ok(compare_one(args, (old, new), name, &interrupt)));
        let compared =
            compared.map_err(anyhow::Error::from).flatten().map_err(|error| output::message(&error));
        let (runs, complete) = compared.as_ref().map_or((0, true), |of| (of.runs, of.complete));
        Tested { case: case(name, began, compared.as_ref().map_err(Clone::clone)), runs, complete }
    };
    let mut done = Done { told, count: names.len(), cases: Vec::new(), runs: 0 };
    old.run(names.iter(), work, &mut done)?;
    let Done { told, cases, runs, .. } = done;
    told.done();
    let findings: Vec<&Finding> = cases.iter().flat_map(findings_of).collect();
    let skipped: Vec<(&str, &str)> = cases.iter().filter_map(skipped_of).collect();
    let (compared, left) = (cases.len() - skipped.len(), names.len() - cases.len());
    if args.tried.output.json {
        tested::print(&json!({
            "functions": names.len(),
            "compared": compared,
            "runs": runs,
            "interrupted": left > 0,
            "findings": findings.iter().map(|finding| finding.json()).collect::<Json>(),
            "skipped": skipped.iter().map(|(name, why)| json!({ "function": name, "why": why })).collect::<Json>(),
        }))?;
    } else {
        table(&findings, &skipped, (compared, left, runs))?;
    }
    Ok(args.tried.output.end("goemu diff", &cases, &findings))
}

/// What was compared so far.
struct Done<'t> {
    told: &'t mut Told,
    /// Functions to compare.
    count: usize,
    cases: Vec<Case>,
    runs: u64,
}

impl Follow<Tested> for Done<'_> {
    fn result(&mut self, tested: Tested) -> ControlFlow<()> {
        self.runs += tested.runs;
        // A function that was not compared to its end is not the same.
        self.cases.extend(tested.complete.then_some(tested.case));
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _: Progress) -> ControlFlow<()> {
        let (done, count, runs) = (self.cases.len(), self.count, self.runs);
        self.told.tell(|| format!("{done} of {count} functions, {runs} runs"))
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
        words.extend(self.tried.words(self.tried.sig.as_deref(), finding.state));
        words.push("--".to_owned());
        words.extend(finding.input.iter().map(|given| given.value.clone()));
        shell(&words)
    }
}

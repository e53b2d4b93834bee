//! `goemu fuzz`: coverage-guided fuzzing of a function, by LibAFL.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use goemu::testing::{Case, CaseResult, Check, Finding, Property};
use goemu::{Image, Machine};
use goemu_fuzzer::{Fuzz, Fuzzed, Options, Progress};
use regex_lite::Regex;
use serde_json::{Value as Json, json};

use crate::binary::Binary;
use crate::progress::Told;
use crate::tested::{self, FOUND, Limits, Output, shell};
use crate::{completions, number, output, progress};

/// Fuzz a function, guided by the edges that it takes
///
/// LibAFL changes values of FUNC's own types and keeps those that reach new
/// edges of its code, which either engine counts. What values are compared
/// with is put in their place. FUNC fails as for `goemu check`: it does not
/// return, or a property does not hold. Failures are told apart by panic and
/// place, made as small as can be, and shown with the command that repeats
/// them. It goes on until something is found, or Ctrl-C.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_long_help = "The corpus:
  --corpus DIR is read at the beginning and written as inputs are found, so
  that another run goes on from there. Files are those of Go's own fuzzing
  (go test fuzz v1) where all types are basic ones, else JSON: a list of Go
  literals. Failures go to DIR/crashes.

Exit status:
  0  nothing was found
  1  goemu could not: unknown function, no values of a type, bad options
  2  something was found

Examples:
  goemu fuzz -b prog main.parse
  goemu fuzz -b prog main.parse --corpus testdata/fuzz/FuzzParse --jobs 8 --time 10m
  goemu fuzz -b stripped main.parse --sig 'func(b []byte) error' --keep-going --time 1m
  goemu fuzz -b prog main.parse --listen 0.0.0.0:1337
  goemu fuzz -b prog main.parse --join otherhost:1337")]
pub(crate) struct Args {
    /// The function: a name, an end of a name, or an address
    #[arg(add = completions::functions())]
    func: String,
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
    /// Another function, given the results, gives the arguments
    #[arg(long, value_name = "FUNC")]
    inverse: Option<String>,
    /// A function that takes the arguments and the results gives true
    #[arg(long, value_name = "FUNC")]
    holds: Option<String>,
    /// What an argument is kept to: '1 in 0..100', 's len 0..8', '2 one of 2, 3'
    #[arg(long = "arg", value_name = "CONSTRAINT")]
    constraints: Vec<String>,
    /// The folder of inputs
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    corpus: Option<PathBuf>,
    /// Machines at work, a thread each [default: 1]
    #[arg(long, short, value_name = "N", value_parser = number::count)]
    jobs: Option<u64>,
    /// Share inputs with the fuzzers of another process, at its --listen
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "listen")]
    join: Option<String>,
    /// Let other processes join here
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
    /// Calls to make, about
    #[arg(long, value_name = "N", value_parser = number::count)]
    runs: Option<u64>,
    /// Time to fuzz for
    #[arg(long, value_name = "TIME", value_parser = progress::duration)]
    time: Option<Duration>,
    #[command(flatten)]
    limits: Limits,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    tested::ended(fuzz(args), args.output.json)
}

fn fuzz(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    let mut machine = Machine::with_config(image, args.limits.config())?;
    let mut told = Told::new(args.output.quiet, args.time)?;
    machine.set_interrupt(told.interrupt());
    let image = machine.image().clone();
    let check = args.check(&machine)?;
    let name = check.subject().name().to_owned();
    let options = Options {
        corpus: args.corpus.clone(),
        runs: args.runs,
        jobs: usize::try_from(args.jobs.unwrap_or(1)).unwrap_or(usize::MAX).clamp(1, 1024),
        keep_going: args.keep_going,
        join: args.join.clone(),
        listen: args.listen,
    };
    let began = Instant::now();
    let fuzzed = Fuzz::new(check, options).run(machine, |progress| told.tell(|| line(&name, &progress)));
    told.done();
    let mut fuzzed = fuzzed?;
    for finding in &mut fuzzed.findings {
        finding.repeat = Some(args.repeat(&image, finding));
    }
    let result = match fuzzed.findings.as_slice() {
        [] => CaseResult::Passed,
        findings => CaseResult::Failed(findings.to_vec()),
    };
    let case = Case { name: name.clone(), seconds: began.elapsed().as_secs_f64(), result };
    let findings: Vec<&Finding> = fuzzed.findings.iter().collect();
    args.output.files("goemu fuzz", &[case], &findings)?;
    match args.output.json {
        true => tested::print(&object(&name, &fuzzed))?,
        false => say(&name, &fuzzed)?,
    }
    Ok(if fuzzed.findings.is_empty() { 0 } else { FOUND })
}

/// How far it is, as fuzzers say it.
fn line(name: &str, progress: &Progress) -> String {
    let Progress { runs, corpus, edges, findings, elapsed, .. } = *progress;
    let seconds = elapsed.as_secs_f64().max(0.001);
    let rate = runs as f64 / seconds;
    format!(
        "{name}: {seconds:.0}s, exec {runs}, {rate:.0}/sec, corpus {corpus}, edges {edges}, crashes {findings}"
    )
}

fn say(name: &str, fuzzed: &Fuzzed) -> Result<()> {
    let mut out = output::stdout();
    for finding in &fuzzed.findings {
        write!(out, "{finding}")?;
    }
    writeln!(out, "{}", line(name, &fuzzed.progress))?;
    out.flush()?;
    if fuzzed.junk > 0 {
        output::note(&format!("{} files of the corpus are no inputs of this function", fuzzed.junk));
    }
    if fuzzed.unserved > 0 {
        output::note(&format!("{} calls could not be made", fuzzed.unserved));
    }
    if fuzzed.lost_broker {
        output::note("the broker has gone: nothing was shared any more, and the work ended");
    }
    if let Some(why) = &fuzzed.unwritten {
        output::note(&format!("inputs could not be written: {why}"));
    }
    Ok(())
}

fn object(name: &str, fuzzed: &Fuzzed) -> Json {
    json!({
        "function": name,
        "runs": fuzzed.progress.runs,
        "seconds": fuzzed.progress.elapsed.as_secs_f64(),
        "corpus": fuzzed.progress.corpus,
        "minimised": fuzzed.minimised,
        "edges": fuzzed.progress.edges,
        "unserved": fuzzed.unserved,
        "junk": fuzzed.junk,
        "unwritten": fuzzed.unwritten,
        "lost_broker": fuzzed.lost_broker,
        "findings": fuzzed.findings.iter().map(Finding::json).collect::<Json>(),
    })
}

impl Args {
    fn properties(&self) -> Vec<Property> {
        let named = [
            self.same_as.clone().map(Property::SameAs),
            self.inverse.clone().map(Property::Inverse),
            self.holds.clone().map(Property::Holds),
        ];
        named.into_iter().flatten().collect()
    }

    fn check(&self, machine: &Machine) -> Result<Check> {
        let mut check = Check::new(machine, &self.func, self.sig.as_deref())?;
        for constraint in &self.constraints {
            check = check.constrain(machine, constraint).context("--arg")?;
        }
        for property in self.properties() {
            let option = property.name();
            check = check.property(machine, property).with_context(|| format!("--{option}"))?;
        }
        if let Some(text) = &self.panics {
            let regex = Regex::new(text).with_context(|| format!("--panics {text}"))?;
            check = check.allow_panics(move |text| regex.is_match(text));
        }
        Ok(check)
    }

    /// The command that shows the finding again.
    fn repeat(&self, image: &Image, finding: &Finding) -> String {
        let returns = finding.property == "returns";
        let command = if returns { "call" } else { "check" };
        let mut words = vec!["goemu".to_owned(), command.to_owned()];
        words.extend(tested::program(image));
        words.push(finding.subject.clone());
        words.extend(self.sig.iter().flat_map(|sig| ["--sig".to_owned(), sig.clone()]));
        if !returns {
            words.extend(self.properties().iter().flat_map(Property::words));
        }
        words.extend(self.limits.words());
        words.push("--".to_owned());
        words.extend(finding.input.iter().map(|given| given.value.clone()));
        shell(&words)
    }
}

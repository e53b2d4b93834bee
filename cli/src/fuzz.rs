//! `goemu fuzz`: coverage-guided fuzzing of a function, by LibAFL.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, anyhow};
use goemu::testing::{Case, CaseResult, Finding};
use goemu_fuzzer::{Error, Fuzz, Fuzzed, Options, Progress};
use serde_json::{Value as Json, json};

use crate::asked::Asked;
use crate::binary::Binary;
use crate::calls::jobs;
use crate::confined::{Needs, Sockets, confine};
use crate::cover::{Covered, Covering};
use crate::progress::Told;
use crate::tested::{self, Tried};
use crate::{completions, output};

/// Fuzz a function, guided by the edges that it takes
///
/// LibAFL changes values of FUNC's own types and keeps those that reach new
/// edges of its code, which either engine counts. Types come from the
/// program, or --sig; where neither tells them, they are guessed from the
/// code. What values are compared with is put in their place. FUNC fails as for `goemu check`: it does not
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
  goemu fuzz -b stripped parse                what it takes is guessed
  goemu fuzz -b stripped main.parse --sig 'func(b []byte) error' --keep-going --time 1m
  goemu fuzz -b prog main.parse --time 1m --cover parse.out   what all calls ran, but for Go's runtime
  goemu fuzz -b prog main.parse --listen 0.0.0.0:1337
  goemu fuzz -b prog main.parse --join otherhost:1337")]
pub(crate) struct Args {
    /// The function: a name, an end of a name, or an address
    #[arg(add = completions::functions())]
    func: String,
    #[command(flatten)]
    binary: Binary,
    /// The folder of inputs
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    corpus: Option<PathBuf>,
    /// Share inputs with the fuzzers of another process, at its --listen
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "listen")]
    join: Option<String>,
    /// Let other processes join here
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Go on after a failure
    #[arg(long)]
    keep_going: bool,
    #[command(flatten)]
    covering: Covering,
    #[command(flatten)]
    tried: Tried,
    #[command(flatten)]
    asked: Asked,
}

impl Args {
    /// What is opened later. Jobs share what they find over sockets.
    fn needs(&self) -> Needs {
        let alone = self.tried.jobs.unwrap_or(1) <= 1 && self.join.is_none() && self.listen.is_none();
        let needs = Needs::nothing().writing(self.tried.output.paths()).writing(self.covering.file());
        needs.changing(&self.corpus).sockets(if alone { Sockets::None } else { Sockets::Connect })
    }
}

pub(crate) fn main(args: &Args) -> Result<u8> {
    tested::ended(fuzz(args), args.tried.output.json)
}

fn fuzz(args: &Args) -> Result<u8> {
    let image = args.binary.open()?;
    let tried = &args.tried;
    confine(&args.needs());
    let mut machine = tried.limits.machine(image, &args.binary)?;
    let mut told = Told::new(tried.output.quiet, tried.time)?;
    machine.set_interrupt(told.interrupt());
    let sig = args.asked.signature(&machine, &args.func, tried)?;
    let check = args.asked.check(&machine, &args.func, sig.as_deref(), tried)?;
    let name = check.subject().name().to_owned();
    // All jobs count here; its machine makes no calls.
    let mut counting = if args.covering.is_wanted() { Some(machine.fork()?) } else { None };
    let covered = match &mut counting {
        Some(machine) => args.covering.begin(machine, &name)?,
        None => Covered::default(),
    };
    let options = Options {
        corpus: args.corpus.clone(),
        runs: tried.runs,
        jobs: jobs(Some(tried.jobs.unwrap_or(1))),
        keep_going: args.keep_going,
        join: args.join.clone(),
        listen: args.listen,
        cover: covered.counts(),
    };
    let began = Instant::now();
    let fuzzed = Fuzz::new(check, options).run(machine, |progress| told.tell(|| line(&name, &progress)));
    told.done();
    let mut fuzzed = fuzzed.map_err(|error| match error {
        Error::Broker => anyhow!("{error} (--listen, --join)"),
        error => error.into(),
    })?;
    for finding in &mut fuzzed.findings {
        finding.repeat = Some(args.asked.repeat(&args.binary, sig.as_deref(), finding, tried));
    }
    let result = match fuzzed.findings.as_slice() {
        [] => CaseResult::Passed,
        findings => CaseResult::Failed(findings.to_vec()),
    };
    let case = Case { name: name.clone(), seconds: began.elapsed().as_secs_f64(), result };
    let findings: Vec<&Finding> = fuzzed.findings.iter().collect();
    match tried.output.json {
        true => tested::print(&object(&name, &fuzzed))?,
        false => say(&name, &fuzzed)?,
    }
    let status = tried.output.end("goemu fuzz", &[case], &findings);
    let counted = counting.map_or(Ok(()), |mut machine| covered.end(&mut machine));
    Ok(counted.map_or_else(tested::unwritten, |()| status))
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

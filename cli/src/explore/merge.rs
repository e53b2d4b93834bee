//! `goemu explore merge`: what several machines have found.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Error, Result, bail};
use goemu::explore::Outcomes;
use serde_json::Value as Json;

use super::Output;
use super::report::{Given, Report};
use crate::tested::FOUND;

/// Put together what goemu explore --json has found on several machines
///
/// All files must be of the same program with the same arguments. The report is
/// that of one machine that has run all seeds.
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
#[command(after_help = "Exit status: as that of goemu explore

Examples:
  goemu explore merge 1.json 2.json 3.json
  goemu explore merge shard-*.json --json > all.json
  goemu explore merge shard-*.json --junit report.xml")]
pub(super) struct Args {
    /// What goemu explore --json has printed
    #[arg(required = true, value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Args {
    pub(super) fn is_json(&self) -> bool {
        self.output.json
    }
}

pub(super) fn main(args: &Args) -> Result<u8> {
    let mut all: Option<Report> = None;
    let mut shards = Vec::new();
    for path in &args.files {
        let name = path.display();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let json: Json = serde_json::from_str(&text)
            .with_context(|| format!("{name} is no report of goemu explore --json"))?;
        if let Some(error) = json["error"].as_str() {
            bail!("{name}: goemu explore has failed there: {error}");
        }
        for shard in json["shards"].as_array().into_iter().flatten() {
            let own = (shard.to_string(), json["seeds"].to_string());
            if shard != "1/1" && shards.contains(&own) {
                bail!("{name}: shard {shard} is there twice");
            }
            shards.push(own);
        }
        let report = report(&json).with_context(|| format!("{name} is no report of goemu explore --json"))?;
        match &mut all {
            None => all = Some(report),
            Some(all) if all.given.program != report.given.program || all.given.args != report.given.args => {
                bail!(
                    "{name} is of another program, or of other arguments, than {}",
                    args.files[0].display()
                );
            }
            Some(all) => {
                all.outcomes.merge(report.outcomes);
                all.complete &= report.complete;
                all.seconds = all.seconds.max(report.seconds);
            }
        }
    }
    let report = all.context("which files?")?;
    report.write(args.output.json, args.output.junit.as_deref())?;
    Ok(if report.outcomes.failed > 0 { FOUND } else { 0 })
}

fn report(json: &Json) -> Result<Report> {
    let outcomes = Outcomes::of_json(json).map_err(Error::msg)?;
    let text = |json: &Json| json.as_str().map(str::to_owned).context("there is no command");
    let args = json["args"].as_array().context("there are no arguments")?;
    let given = Given {
        program: text(&json["program"])?,
        args: args.iter().map(text).collect::<Result<_>>()?,
        before: text(&json["command"]["before"])?,
        after: text(&json["command"]["after"])?,
        shard: (1, 1),
    };
    let complete = json["complete"].as_bool().unwrap_or(false);
    let seconds = json["seconds"].as_f64().unwrap_or_default();
    Ok(Report { given, outcomes, complete, seconds, explained: None })
}

//! What was found, as text, JSON and JUnit.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use goemu::explore::{Distinct, Minimal, Outcomes, Tale};
use goemu::testing::{Case, CaseResult, Finding, junit};
use serde_json::{Value as Json, json};

use crate::output::{self, escaped};
use crate::tested;

/// Lines of stacks that are shown.
const LINES: usize = 40;
/// Parts of a tale that are shown: the last ones.
const PARTS: usize = 40;

/// What was explored, in words that repeat it.
pub(super) struct Given {
    pub(super) program: String,
    pub(super) args: Vec<String>,
    /// The command that repeats a run: what comes before the seed and the strategy, and what after.
    pub(super) before: String,
    pub(super) after: String,
    pub(super) shard: (u64, u64),
}

/// All that there is to say.
pub(super) struct Report {
    pub(super) given: Given,
    pub(super) outcomes: Outcomes,
    pub(super) complete: bool,
    pub(super) seconds: f64,
    /// Of the first failure: the smaller schedule, where there is one, and the tale.
    pub(super) explained: Option<(Option<Minimal>, Tale)>,
}

impl Report {
    /// The command that repeats an outcome.
    fn repeat(&self, one: &Distinct) -> String {
        let Given { before, after, .. } = &self.given;
        format!("{before} --seed {} --strategy {} {after}", one.first.seed, one.first.strategy)
    }

    pub(super) fn write(&self, as_json: bool, junit_path: Option<&Path>) -> Result<()> {
        if let Some(path) = junit_path {
            fs::write(path, self.junit()).with_context(|| format!("cannot write {}", path.display()))?;
        }
        if as_json {
            return tested::print(&self.json());
        }
        let mut out = output::stdout();
        out.write_all(self.text().as_bytes())?;
        Ok(out.flush()?)
    }

    fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.put(&mut out);
        out
    }

    fn put(&self, out: &mut String) -> std::fmt::Result {
        let all = &self.outcomes;
        let failures = all.failures().count();
        write!(out, "{}: {} runs in {:.1} s", escaped(&self.given.program), all.runs, self.seconds)?;
        match (all.failed, failures) {
            (0, _) => writeln!(out, ", none failed")?,
            (failed, 1) => writeln!(out, ", {failed} failed")?,
            (failed, failures) => writeln!(out, ", {failed} failed, in {failures} different ways")?,
        }
        if !self.complete {
            writeln!(out, "not all seeds were run")?;
        }
        for one in &all.list {
            self.put_outcome(out, one)?;
        }
        if all.dropped > 0 {
            writeln!(out, "\nmore outcomes than can be told, in {} runs", all.dropped)?;
        }
        if let Some((minimal, tale)) = &self.explained {
            put_tale(out, minimal.as_ref(), tale)?;
        }
        Ok(())
    }

    fn put_outcome(&self, out: &mut String, one: &Distinct) -> std::fmt::Result {
        let seen = &one.seen;
        let mark = if seen.kind.is_failure() { "FAIL" } else { "ok" };
        writeln!(out, "\n{mark} {} of {}: {}", one.count, self.outcomes.runs, escaped(&seen.what))?;
        if seen.kind.is_failure() || self.outcomes.list.len() > 1 {
            writeln!(out, "  first with seed {}: {}", one.first.seed, escaped(&self.repeat(one)))?;
        }
        let lines: Vec<&str> = seen.stacks.lines().collect();
        for line in lines.iter().take(LINES) {
            writeln!(out, "    {}", goemu::testing::escaped(line))?;
        }
        if lines.len() > LINES {
            writeln!(out, "    ... {} more lines", lines.len() - LINES)?;
        }
        Ok(())
    }

    fn json(&self) -> Json {
        let mut object = self.outcomes.json();
        let Given { program, args, before, after, shard } = &self.given;
        for (one, json) in
            self.outcomes.list.iter().zip(object["outcomes"].as_array_mut().into_iter().flatten())
        {
            json["repeat"] = self.repeat(one).into();
        }
        object["program"] = program.as_str().into();
        object["args"] = json!(args);
        object["command"] = json!({ "before": before, "after": after });
        object["shards"] = json!([format!("{}/{}", shard.0, shard.1)]);
        object["complete"] = self.complete.into();
        object["seconds"] = self.seconds.into();
        object["explained"] =
            self.explained.as_ref().map_or(Json::Null, |(minimal, tale)| explained(minimal.as_ref(), tale));
        object
    }

    fn junit(&self) -> String {
        let finding = |one: &Distinct| {
            let mut finding = Finding::new(&self.given.program, one.seen.kind.word(), &one.seen.what);
            finding.key.clone_from(&one.seen.key);
            (finding.seed, finding.runs) = (one.first.seed, self.outcomes.runs);
            finding.traceback = Some(one.seen.stacks.clone()).filter(|stacks| !stacks.is_empty());
            finding.repeat = Some(self.repeat(one));
            finding
        };
        let failures: Vec<Finding> = self.outcomes.failures().map(finding).collect();
        let result = if failures.is_empty() { CaseResult::Passed } else { CaseResult::Failed(failures) };
        let name = std::iter::once(&self.given.program).chain(&self.given.args);
        let name = name.map(String::as_str).collect::<Vec<_>>().join(" ");
        junit("goemu explore", &[Case { name, seconds: self.seconds, result }])
    }
}

fn put_tale(out: &mut String, minimal: Option<&Minimal>, tale: &Tale) -> std::fmt::Result {
    match minimal {
        Some(minimal) => {
            let (before, after) = minimal.preemptions;
            let most = if minimal.complete { "" } else { "at most " };
            writeln!(
                out,
                "\nThe first failure needs {most}{after} of the {before} stops of its run ({} more runs):",
                minimal.runs
            )?;
        }
        None => writeln!(out, "\nThe first failure, which its decisions alone do not repeat:")?,
    }
    if !tale.same {
        writeln!(out, "  (watched, it went another way)")?;
    }
    let from = tale.parts.len().saturating_sub(PARTS);
    if from > 0 || tale.cut {
        writeln!(out, "  ...")?;
    }
    for part in &tale.parts[from..] {
        writeln!(out, "  {}", escaped(&part.to_string()))?;
    }
    Ok(())
}

fn explained(minimal: Option<&Minimal>, tale: &Tale) -> Json {
    let minimal = minimal.map(|minimal| {
        json!({
            "stops_before": minimal.preemptions.0,
            "stops": minimal.preemptions.1,
            "complete": minimal.complete,
            "runs": minimal.runs,
            "schedule": minimal.decisions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    });
    let line =
        |line: &goemu::explore::Line| json!({ "func": line.func, "file": line.file, "line": line.line });
    let parts = tale.parts.iter().map(|part| {
        let lines: Vec<Json> = part.lines.iter().map(line).collect();
        json!({ "goroutine": part.goroutine, "stopped": part.stopped, "lines": lines })
    });
    json!({ "minimal": minimal, "tale": parts.collect::<Vec<_>>(), "same": tale.same })
}

/// A line for each decision, for `goemu run --schedule`.
pub(super) fn write_schedule(path: &Path, minimal: &Minimal) -> Result<()> {
    let mut text = format!("# goemu run --seed {}; a line for each decision\n", minimal.of.seed);
    for decision in &minimal.decisions {
        let _ = writeln!(text, "{decision}");
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

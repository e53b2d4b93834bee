//! All functions that a pattern matches, tested one after the other on each machine of a pool.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Result, bail};
use goemu::Machine;
use goemu::pool::{Follow, Pool, Progress};
use goemu::testing::{Case, CaseResult, Finding};
use goemu_loader::Func;
use serde_json::{Value as Json, json};

use super::Args;
use crate::output;
use crate::progress::Told;
use crate::tested::{self, findings_of, skipped_of};

/// Arguments of one function.
const SWEPT: u64 = 1000;

/// What came of one function.
struct Tested {
    case: Case,
    runs: u64,
    /// Whether it was not interrupted.
    complete: bool,
}

pub(super) fn sweep(args: &Args, pool: &mut Pool, told: &mut Told, funcs: &[Func<'_>]) -> Result<u8> {
    if args.tried.sig.is_some() || !args.values.is_empty() {
        bail!("--sig and VALUES are for one function, not for a pattern");
    }
    let interrupt = pool.interrupt();
    let work = |machine: &mut Machine, func: &Func<'_>| test(args, machine, func, &|| interrupt.is_raised());
    let json = args.tried.output.json;
    let mut done = Done { told, json, count: funcs.len(), cases: Vec::new(), runs: 0, failed: None };
    pool.run(funcs.iter(), work, &mut done)?;
    let Done { told, cases, runs, failed, .. } = done;
    told.done();
    failed.map_or(Ok(()), Err)?;
    let findings: Vec<&Finding> = cases.iter().flat_map(findings_of).collect();
    summary(args, &cases, &findings, (funcs.len(), runs))?;
    Ok(args.tried.output.end("goemu check", &cases, &findings))
}

fn test(args: &Args, machine: &mut Machine, func: &Func<'_>, is_over: &dyn Fn() -> bool) -> Tested {
    let began = Instant::now();
    let address = format!("{:#x}", func.entry());
    let watch = |_| if is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let checked = args.asked.check(machine, &address, None, &args.tried).and_then(|check| {
        let runs = args.tried.runs.unwrap_or(SWEPT);
        Ok(check.run_watched(machine, runs, watch)?)
    });
    let (mut runs, mut complete) = (0, true);
    let result = match checked {
        Err(error) => CaseResult::Skipped(output::message(&error)),
        Ok(checked) => {
            (runs, complete) = (checked.runs, checked.complete);
            checked.finding.map_or(CaseResult::Passed, |mut finding| {
                finding.repeat = Some(args.asked.repeat(&args.binary, None, &finding, &args.tried));
                CaseResult::Failed(vec![finding])
            })
        }
    };
    let case = Case { name: func.name().to_owned(), seconds: began.elapsed().as_secs_f64(), result };
    Tested { case, runs, complete }
}

/// What was tested so far; findings are shown as they come.
struct Done<'t> {
    told: &'t mut Told,
    json: bool,
    /// Functions to test.
    count: usize,
    cases: Vec<Case>,
    runs: u64,
    failed: Option<anyhow::Error>,
}

impl Follow<Tested> for Done<'_> {
    fn result(&mut self, tested: Tested) -> ControlFlow<()> {
        self.runs += tested.runs;
        // A function that was not tested to its end has not passed.
        if !tested.complete {
            return ControlFlow::Continue(());
        }
        for finding in findings_of(&tested.case).iter().filter(|_| !self.json) {
            self.told.done();
            if let Err(error) = writeln!(output::stdout(), "{finding}") {
                self.failed = Some(error.into());
                return ControlFlow::Break(());
            }
        }
        self.cases.push(tested.case);
        ControlFlow::Continue(())
    }

    fn progress(&mut self, _: Progress) -> ControlFlow<()> {
        let (done, count, runs) = (self.cases.len(), self.count, self.runs);
        self.told.tell(|| format!("{done} of {count} functions, {runs} runs"))
    }
}

fn summary(args: &Args, cases: &[Case], findings: &[&Finding], (funcs, runs): (usize, u64)) -> Result<()> {
    let skipped: Vec<(&str, &str)> = cases.iter().filter_map(skipped_of).collect();
    let (tested, left) = (cases.len() - skipped.len(), funcs - cases.len());
    if args.tried.output.json {
        return tested::print(&json!({
            "functions": funcs,
            "tested": tested,
            "runs": runs,
            "interrupted": left > 0,
            "findings": findings.iter().map(|finding| finding.json()).collect::<Json>(),
            "skipped": skipped.iter().map(|(name, why)| json!({ "function": name, "why": why })).collect::<Json>(),
        }));
    }
    let mut out = output::stdout();
    writeln!(out, "{tested} functions tested, {runs} runs, {} failed", findings.len())?;
    if let Some((_, why)) = skipped.first() {
        writeln!(out, "{} skipped, for example {why}", skipped.len())?;
    }
    if left > 0 {
        writeln!(out, "ended early: {left} functions were not tested")?;
    }
    Ok(out.flush()?)
}

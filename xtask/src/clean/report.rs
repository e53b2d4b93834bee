//! docs/clean.md, and the lines on the terminal.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{RELEASE, Tested};

/// One function, for the terminal.
pub(super) fn line(tested: &Tested) -> String {
    let func = &tested.func;
    if let Some(why) = &tested.skipped {
        return format!("{func}: skipped: {why}");
    }
    let mut line = format!("{func}: {} runs, {:.0} s", tested.runs, tested.seconds);
    for panic in &tested.panics {
        let whose = if panic.native { "as Go" } else { "FALSE ALARM" };
        let _ = write!(line, "; {whose}: {} on {}", panic.text, panic.input);
    }
    line
}

/// The document.
pub(super) fn page(all: &BTreeMap<&str, Vec<&Tested>>, runs: u64) -> String {
    let mut page = format!(
        "# Functions that are as they should be

`cargo xtask clean` checks each exported function and method of some packages of {RELEASE} on {runs} values that goemu makes
of its parameters' types, and writes this page. What fails is made a Go test and run natively: the same panic is Go's own, is allowed from
then on, and the function is checked again. A failure that Go does not have is a false alarm. Seconds are those of the clock.

| package | functions | executions | seconds | panic as in Go | skipped | false alarms |
|---|--:|--:|--:|--:|--:|--:|
"
    );
    for (package, tested) in all {
        let count = |of: &dyn Fn(&Tested) -> bool| tested.iter().filter(|one| of(one)).count();
        let executed: u64 = tested.iter().map(|one| one.runs).sum();
        let seconds: f64 = tested.iter().map(|one| one.seconds).sum();
        let _ = writeln!(
            page,
            "| `{package}` | {} | {executed} | {seconds:.0} | {} | {} | {} |",
            tested.len(),
            count(&|one| one.panics.iter().any(|panic| panic.native)),
            count(&|one| one.skipped.is_some()),
            count(&|one| one.panics.iter().any(|panic| !panic.native)),
        );
    }
    page.push_str("\n## Panics\n\n| function | the smallest input | panic | |\n|---|---|---|---|\n");
    for tested in all.values().flatten() {
        for panic in &tested.panics {
            let whose = if panic.native { "as in Go" } else { "false alarm" };
            let _ = writeln!(
                page,
                "| `{}` | {} | {} | {whose} |",
                tested.func,
                cell(&panic.input),
                cell(&panic.text)
            );
        }
    }
    let fewer: Vec<&Tested> =
        all.values().flatten().copied().filter(|one| one.runs < runs || one.skipped.is_some()).collect();
    if !fewer.is_empty() {
        page.push_str("\n## Fewer executions, or none\n\n| function | executions | |\n|---|--:|---|\n");
    }
    for tested in fewer {
        let why = tested.skipped.as_deref().unwrap_or("no more values");
        let _ = writeln!(page, "| `{}` | {} | {} |", tested.func, tested.runs, cell(why));
    }
    page
}

/// Text in a cell of a table, as code.
fn cell(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|").replace('`', "'"))
}

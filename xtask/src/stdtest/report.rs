//! `docs/stdtest.md`.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Result;

use super::verdicts::{Compared, NOT_RUN, Other, Verdict};

/// Runs shorter than this, in seconds, say nothing of speed.
const SHORT: f64 = 0.2;

/// What tests say that start another program, or this one again.
const PROCESSES: [&str; 10] = [
    NOT_RUN,
    "fork/exec",
    "cannot exec",
    "can't exec",
    "cannot start",
    "executable file not found",
    "StartProcess",
    "subprocess",
    "operation not permitted",
    "'go' command",
];

/// Writes the table of all runs in a folder.
pub(super) fn write(work: &Path, to: &Path) -> Result<()> {
    let mut text = String::from(
        "# Go's own tests\n\nWritten by `cargo xtask stdtest`: the tests of Go's standard library (`go test -c`), run natively and by \
         `goemu run`, with `-test.short -test.v`, in their folders, without a `go` command. Counted are tests that pass natively, \
         with those inside of others; *the same* pass under goemu too. Examples of go/types that start `go`, and end the program where \
         they cannot, are not run under goemu, and count as not passing. Times are processor time of whole runs.\n",
    );
    let mut releases: Vec<_> = fs::read_dir(work)?.collect::<Result<_, _>>()?;
    releases.sort_by_key(fs::DirEntry::file_name);
    for release in releases.iter().filter(|release| release.path().is_dir()) {
        let mut packages: Vec<_> = fs::read_dir(release.path())?.collect::<Result<_, _>>()?;
        packages.retain(|file| file.path().extension().is_some_and(|end| end == "goemu"));
        packages.sort_by_key(fs::DirEntry::file_name);
        let read = |file: &fs::DirEntry| {
            let name = file.path().file_stem().unwrap_or_default().to_string_lossy().replace('_', "/");
            let compared = Compared::read(&file.path(), &name)?;
            Ok((name, compared))
        };
        let packages: Vec<(String, Compared)> = packages.iter().map(read).collect::<Result<_>>()?;
        // Writing to a string cannot fail.
        let _ = put(&mut text, &release.file_name().to_string_lossy(), &packages);
    }
    Ok(fs::write(to, text)?)
}

fn put(out: &mut String, release: &str, packages: &[(String, Compared)]) -> std::fmt::Result {
    let (mut passed, mut same, mut processes, mut whole) = (0, 0, 0, 0);
    let (mut native, mut here) = (0.0, 0.0);
    let mut rows = String::new();
    let mut names = String::new();
    for (package, compared) in packages {
        let (count, others) = (compared.passed(), compared.others());
        let starting = others.iter().filter(|other| starts_programs(other, &others)).count();
        passed += count;
        same += count - others.len();
        processes += starting;
        whole += usize::from(compared.here.whole);
        native += compared.native.seconds;
        here += compared.here.seconds;
        let ratio = match compared.native.seconds {
            seconds if seconds < SHORT => String::new(),
            seconds => format!("{:.1}", compared.here.seconds / seconds),
        };
        let end = if compared.here.whole { "" } else { compared.here.ended.as_str() };
        writeln!(
            rows,
            "| {package} | {count} | {} | {starting} | {} | {ratio} | {end} |",
            count - others.len(),
            others.len() - starting
        )?;
        let cut = |other: &&Other| other.verdict.is_none() && !compared.here.whole;
        for other in innermost(&others).filter(|other| !starts_programs(other, &others) && !cut(other)) {
            writeln!(names, "| {package} | {} | {} |", escaped(&other.name, 60), why(other))?;
        }
        let missing = others.iter().filter(cut).count();
        if missing > 0 {
            let last =
                compared.here.last.as_deref().map_or_else(String::new, |last| format!(", after {last}"));
            writeln!(names, "| {package} | {missing} tests{last} | not reached |")?;
        }
    }
    writeln!(
        out,
        "\n## Go {release}\n\n{} packages, {whole} of them to their summary. {passed} tests pass natively; {same} of them under goemu \
         ({:.2} %), {:.2} % of those that start no program. Processor time: {native:.0} s natively, {here:.0} s under goemu.\n",
        packages.len(),
        percent(same, passed),
        percent(same, passed - processes)
    )?;
    writeln!(
        out,
        "| package | pass natively | the same | start programs | others | time, native = 1 | ended |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|---|\n{rows}")?;
    writeln!(out, "### Other than natively\n\n| package | test | here |\n|---|---|---|\n{names}")
}

fn percent(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of.max(1) as f64
}

/// Whether a test needs another process, which goemu refuses; of a test that consists of others, whether all of those do.
fn starts_programs(other: &Other, others: &[Other]) -> bool {
    let says = |other: &Other| PROCESSES.iter().any(|words| other.said.contains(words));
    let inside = format!("{}/", other.name);
    let mut inner = others.iter().filter(|one| one.name.starts_with(&inside)).peekable();
    says(other) || inner.peek().is_some() && inner.all(says)
}

/// Without tests that others among them are inside of.
fn innermost(others: &[Other]) -> impl Iterator<Item = &Other> {
    others.iter().filter(move |one| {
        let inside = format!("{}/", one.name);
        !others.iter().any(|other| other.name.starts_with(&inside) && other.verdict == one.verdict)
    })
}

fn why(other: &Other) -> String {
    let verdict = match other.verdict {
        None => "not reached",
        Some(Verdict::Skip) => "skipped",
        Some(_) => "failed",
    };
    let said = escaped(other.said.trim(), 140);
    if said.is_empty() { verdict.to_owned() } else { format!("{verdict}: {said}") }
}

/// Text for a cell of a table.
fn escaped(text: &str, most: usize) -> String {
    let text = text.replace('\n', " ");
    let short: String = text.chars().filter(|c| !c.is_control()).take(most).collect();
    format!("`{}`", short.replace('|', "/").replace('`', "'")).replace("``", "")
}

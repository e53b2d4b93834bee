//! `cargo xtask gotest`: the test programs of Go itself, natively and in goemu.
//!
//! Go's own repository has programs that test the language (`test/`). Those of a single file that say `// run` are
//! built by the release that they belong to and run to their end, once natively and once as `goemu call main.main`
//! does it. Both must write the same and end the same. `docs/gotest.md` has what came of it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result};
use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine, Outcome, Report};

use crate::run::root;
use crate::toolchains::{self, go_command};

/// What `cargo xtask gotest` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that `cargo xtask toolchains` filled.
    #[arg(long, default_value_os_t = toolchains::default_dir())]
    toolchains: PathBuf,
    /// Instructions that a program may execute.
    #[arg(long, default_value_t = 20_000_000_000)]
    fuel: u64,
    /// Only every n-th program.
    #[arg(long, default_value_t = 1)]
    every: usize,
    /// Only programs whose path contains this; nothing is written to docs then.
    only: Option<String>,
}

/// The release whose tests these are: its tree has them.
const RELEASE: &str = "go1.19";
/// Where the programs are, below `test`.
const FOLDERS: [&str; 6] = [".", "chan", "interface", "ken", "typeparam", "fixedbugs"];
/// How long a program may run natively.
const NATIVE: Duration = Duration::from_secs(20);

/// Why programs are known to differ.
const GAPS: [(&str, &str); 5] = [
    ("const7.go", "writes a file and runs the Go compiler"),
    ("winbatch.go", "reads the folders of Go's tree"),
    ("fixedbugs/issue52127.go", "writes files and runs the Go compiler"),
    ("fixedbugs/issue21576.go", "writes files and runs the Go compiler"),
    ("fixedbugs/issue36437.go", "makes a folder and runs the Go compiler"),
];

/// What became of one program.
enum Verdict {
    /// Both did the same.
    Same,
    /// It is no program that could be compared: why.
    Left(String),
    /// They differ: how.
    Differs(String),
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let tree = args.toolchains.join(RELEASE);
    let programs = programs(&tree.join("test"))?;
    let wanted = |path: &&String| args.only.as_ref().is_none_or(|only| path.contains(only));
    let mut verdicts = Vec::new();
    for path in programs.iter().filter(wanted).step_by(args.every.max(1)) {
        let verdict = compare(args, &tree, path).with_context(|| path.clone())?;
        let said = match &verdict {
            Verdict::Same => "same",
            Verdict::Left(why) | Verdict::Differs(why) => why,
        };
        println!("{path}: {said}");
        verdicts.push((path.clone(), verdict));
    }
    if args.only.is_none() {
        fs::write(root().join("docs/gotest.md"), report(&verdicts, args.every))?;
    }
    Ok(())
}

/// The programs of one file that are to be run without more.
fn programs(test: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let entries =
            fs::read_dir(test.join(folder)).with_context(|| format!("{RELEASE} has no test/{folder}"))?;
        for entry in entries {
            let path = entry?.path();
            let is_program = path.extension().is_some_and(|extension| extension == "go")
                && fs::read_to_string(&path).is_ok_and(|text| text.lines().next() == Some("// run"));
            if is_program {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                found.push(if folder == "." { name } else { format!("{folder}/{name}") });
            }
        }
    }
    found.sort();
    Ok(found)
}

fn compare(args: &Args, tree: &Path, path: &str) -> Result<Verdict> {
    let work = root().join("target/gotest");
    fs::create_dir_all(&work)?;
    let program = work.join(path.replace('/', "_").trim_end_matches(".go"));
    let mut go = go_command(tree);
    go.args(["build", "-o"]).arg(&program).arg(tree.join("test").join(path));
    let built = go.env("GOWORK", "off").current_dir(&work).output()?;
    if !built.status.success() {
        return Ok(Verdict::Left("it does not build alone".to_owned()));
    }
    let native = natively(&program, &work)?;
    let verdict = match native {
        Some(native) => judge(&native, emulated(args, &program)),
        None => Verdict::Left(format!("it runs longer than {} seconds natively", NATIVE.as_secs())),
    };
    fs::remove_file(&program)?;
    Ok(verdict)
}

/// Runs a program; none where it takes too long.
fn natively(program: &Path, work: &Path) -> Result<Option<Output>> {
    let (out, err) = (work.join("stdout"), work.join("stderr"));
    let mut command = Command::new(program);
    command.env_clear().current_dir(work).stdin(Stdio::null());
    let mut child = command.stdout(fs::File::create(&out)?).stderr(fs::File::create(&err)?).spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(Output { status, stdout: fs::read(out)?, stderr: fs::read(err)? }));
        }
        if started.elapsed() > NATIVE {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn emulated(args: &Args, program: &Path) -> Result<Report> {
    let config = Config { runtime: Some(Runtime::Real), fuel: args.fuel, ..Config::default() };
    let mut machine = Machine::with_config(Image::open(program)?, config)?;
    Ok(machine.call("main.main")?.run()?)
}

/// Whether both did the same. What Go prints of a panic or a fatal error is compared up to its first line: below are
/// addresses.
fn judge(native: &Output, report: Result<Report>) -> Verdict {
    let report = match report {
        Ok(report) => report,
        Err(error) => return Verdict::Differs(format!("error: {error}")),
    };
    let (code, died) = match &report.outcome {
        Outcome::Returned(_) => (0, false),
        Outcome::Exited { code, fatal } => (*code, fatal.is_some()),
        Outcome::Panicked(_) | Outcome::Deadlock(_) => (2, true),
        other => return Verdict::Differs(other.to_string()),
    };
    if native.status.code() != Some(code) {
        return Verdict::Differs(format!("natively {}, here: {}", native.status, report.outcome));
    }
    if native.stdout != report.stdout {
        return Verdict::Differs("its standard output".to_owned());
    }
    let mut stderr = report.stderr.clone();
    if died {
        stderr.extend(report.outcome.to_string().into_bytes());
    }
    let first = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
    let same = if died { first(&native.stderr) == first(&stderr) } else { native.stderr == stderr };
    if same { Verdict::Same } else { Verdict::Differs("its standard error".to_owned()) }
}

/// `docs/gotest.md`
fn report(verdicts: &[(String, Verdict)], every: usize) -> String {
    let same = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Same)).count();
    let left = verdicts.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Left(_))).count();
    let compared = verdicts.len() - left;
    let some = if every > 1 {
        format!(" This is one program in {every} (`--every {every}`).")
    } else {
        String::new()
    };
    let mut text = format!(
        "# Go's own test programs\n\nWritten by `cargo xtask gotest`: the single-file programs of `test/` in {RELEASE} that \
         say `// run`, built by it, run natively and by `goemu call main.main --runtime real`. Standard output, standard \
         error and exit status must be the same.{some}\n\n| programs | compared | the same | differ |\n|---|---|---|---|\n\
         | {} | {compared} | {same} ({} %) | {} |\n",
        verdicts.len(),
        same * 100 / compared.max(1),
        compared - same,
    );
    for (title, differs) in [("Different", true), ("Not compared", false)] {
        let _ = write!(text, "\n## {title}\n\n| program | why |\n|---|---|\n");
        for (path, verdict) in verdicts {
            match verdict {
                Verdict::Differs(how) if differs => {
                    let gap =
                        GAPS.iter().find(|(known, _)| known == path).map_or("not known", |(_, why)| why);
                    let _ = writeln!(text, "| {path} | {}; {gap} |", line(how));
                }
                Verdict::Left(why) if !differs => drop(writeln!(text, "| {path} | {} |", line(why))),
                _ => {}
            }
        }
    }
    text
}

/// As a cell of a table.
fn line(text: &str) -> String {
    text.replace('|', "\\|").lines().next().unwrap_or_default().to_owned()
}

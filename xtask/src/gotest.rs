//! `cargo xtask gotest`: the test programs of Go itself, natively and in goemu.
//!
//! Go's own repository has programs that test the language (`test/`). Those of a single file that say `// run` are
//! built by the release that they belong to and run to their end, once natively and once by `goemu run`. Both must write
//! the same and end the same. `docs/gotest.md` has what came of it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result};

use crate::run::root;
use crate::toolchains::{self, go_command};

/// What `cargo xtask gotest` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The folder that `cargo xtask toolchains` filled.
    #[arg(long, default_value_os_t = toolchains::default_dir())]
    toolchains: PathBuf,
    /// The goemu to run; one that is optimised.
    #[arg(long, default_value_os_t = root().join("target/release/goemu"))]
    goemu: PathBuf,
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
/// How long it may run under goemu.
const EMULATED: Duration = Duration::from_secs(300);

/// Why programs are known to differ.
const GAPS: [(&str, &str); 2] = [
    ("const7.go", "runs the Go compiler"),
    ("fixedbugs/issue21576.go", "writes files and runs the Go compiler"),
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
    let mut emulator = Command::new(&args.goemu);
    let tree = tree.display();
    emulator
        .args(["run", "--fuel", &args.fuel.to_string(), "--dir", &format!("{tree}:{tree}")])
        .arg(&program);
    let native = output(&mut Command::new(&program), &work, NATIVE)?;
    let verdict = match native {
        Some(native) => match output(&mut emulator, &work, EMULATED)? {
            Some(here) => judge(&native, &here),
            None => Verdict::Differs(format!("it runs longer than {} seconds", EMULATED.as_secs())),
        },
        None => Verdict::Left(format!("it runs longer than {} seconds natively", NATIVE.as_secs())),
    };
    fs::remove_file(&program)?;
    Ok(verdict)
}

/// Runs a command; none where it takes longer than `limit`.
fn output(command: &mut Command, work: &Path, limit: Duration) -> Result<Option<Output>> {
    let (out, err) = (work.join("stdout"), work.join("stderr"));
    command.env_clear().current_dir(work).stdin(Stdio::null());
    let mut child = command.stdout(fs::File::create(&out)?).stderr(fs::File::create(&err)?).spawn()?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(Output { status, stdout: fs::read(out)?, stderr: fs::read(err)? }));
        }
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether both did the same. What Go prints of a panic or a fatal error is compared up to its first line: below are
/// addresses.
fn judge(native: &Output, here: &Output) -> Verdict {
    let first = |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
    if native.status != here.status {
        let said = first(&here.stderr);
        return Verdict::Differs(format!("natively {}, here: {} {said}", native.status, here.status));
    }
    if native.stdout != here.stdout {
        return Verdict::Differs("its standard output".to_owned());
    }
    let died = !native.status.success();
    let same = if died { first(&native.stderr) == first(&here.stderr) } else { native.stderr == here.stderr };
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
         say `// run`, built by it, run natively and by `goemu run`. Standard output, standard \
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

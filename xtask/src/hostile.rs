//! `cargo xtask hostile`: what guests that mean harm take of the host, a process each, and docs/hostile.md. Linux alone tells it.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

use crate::run::{command, output, root, run};

/// What `cargo xtask hostile` takes.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The program goemu; it is built where none is given.
    #[arg(long)]
    goemu: Option<PathBuf>,
    /// Guests whose names contain this.
    #[arg(long)]
    only: Option<String>,
    /// Leave docs/hostile.md as it is.
    #[arg(long)]
    dry: bool,
}

/// The guests, whose sources are in `testdata/go/hostile`; the file says what its columns are.
const GUESTS: &str = include_str!("../../testdata/hostile.tsv");

/// A guest: function, arguments, the type of its results, what it does; and in which runtimes it is measured.
struct Guest {
    runtimes: &'static str,
    name: &'static str,
    given: &'static str,
    results: &'static str,
    what: &'static str,
    /// What it takes is the host's to know: the limit of time ends it.
    waits: bool,
}

impl Guest {
    fn signature(&self) -> String {
        let params = vec!["int"; self.given.split_whitespace().count()].join(", ");
        format!("func({params}) {}", self.results).trim().to_owned()
    }
}

/// The guests of a runtime.
fn guests(runtime: &str) -> Result<Vec<Guest>> {
    let or_none = |cell: &'static str| if cell == "-" { "" } else { cell };
    let whole = |cell: &'static str| cell.split('|').next().unwrap_or_default();
    let rows = GUESTS.lines().filter(|line| !line.starts_with('#'));
    let guests = rows.map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
        [runtimes, expected, name, given, results, what] => {
            let (given, results, waits) = (or_none(whole(given)), or_none(results), expected == "waits");
            Ok(Guest { runtimes, name, given, results, what, waits })
        }
        _ => bail!("testdata/hostile.tsv: a row of other columns: {line}"),
    });
    let mut guests: Vec<Guest> = guests.collect::<Result<_>>()?;
    guests.retain(|guest| [runtime, "both"].contains(&guest.runtimes));
    Ok(guests)
}

/// What a process took.
#[derive(Clone, Copy, Default)]
struct Taken {
    seconds: f64,
    /// At its peak.
    mebibytes: u64,
}

/// Seconds of processor time for the default fuel, and mebibytes at the default limit of memory.
const MOST: Taken = Taken { seconds: 10.0, mebibytes: 2048 * 12 / 10 };
/// The same for what its limit of time ends: with starting, and giving the memory back.
const MOST_BY_TIME: f64 = 10.5;
/// After so many a process is ended.
const ENDED: f64 = 60.0;
/// The limit of time for calls that fuel or memory must end.
const LONGEST: &str = "2m";

pub(crate) fn main(args: &Args) -> Result<()> {
    let goemu = match &args.goemu {
        Some(goemu) => goemu.clone(),
        None => build()?,
    };
    let mut over = Vec::new();
    let mut page = HEAD.to_owned();
    for runtime in ["real", "hooked"] {
        writeln!(page, "\n## {}\n\n{COLUMNS}", title(runtime))?;
        for guest in &guests(runtime)? {
            let Guest { name, given, what, .. } = guest;
            if args.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
                continue;
            }
            let (translated, first) = measure(&goemu, guest, runtime, "translator")?;
            let (interpreted, ending) = measure(&goemu, guest, runtime, "interpreter")?;
            let by_time = [&first, &ending].iter().any(|ending| **ending == "out_of_time");
            let call = format!("{name} {given}");
            let row = format!(
                "| `{}` | {what} | {:.1} | {} | {:.1} | {} | {ending} |",
                call.trim(),
                translated.seconds,
                translated.mebibytes,
                interpreted.seconds,
                interpreted.mebibytes
            );
            println!("{runtime} {row}");
            writeln!(page, "{row}")?;
            let most = if guest.waits { MOST_BY_TIME } else { MOST.seconds };
            if by_time && !guest.waits || [translated, interpreted].iter().any(|taken| taken.is_more(most)) {
                over.push(call.trim().to_owned());
            }
        }
    }
    if !args.dry && args.only.is_none() {
        fs::write(root().join("docs/hostile.md"), page).context("cannot write docs/hostile.md")?;
    }
    match over.is_empty() {
        true => Ok(()),
        false => bail!("more than {} s or {} MiB: {}", MOST.seconds, MOST.mebibytes, over.join(", ")),
    }
}

fn title(runtime: &str) -> &'static str {
    if runtime == "real" { "The program's own runtime" } else { "Hooks" }
}

const HEAD: &str = "# What hostile guests take

Fuel and memory are limits of the host's time and memory, whatever the guest does. `cargo xtask hostile` makes this page: it calls functions
that were written to cost more than they seem to (`testdata/go/hostile`), each in a process of its own with the default limits (10^9 instructions,
2 GiB) and a budget of 10 s of processor time and 1.2 times the memory; a row beyond is an error. `tests/machine/hostile.rs` is the
part of it that every test run makes, with smaller limits.

Not within the budget are 10^9 vector instructions that are interpreted (`--engine interpreter`, an observer, a loop that no translated code is entered
for): the slowest take up to three times the time, on hosts that have none of these instructions some minutes. `--timeout` ends them.

Nor is what waits for the host's own memory: fuel counts instructions, not misses of its caches, which take hundreds of times as long, natively too.
Jumps to 100,000 places in an order without locality (`shuffledTargets`) and loads that each miss (`chase`) are ended by the limit of time that calls
of the command line have by themselves, 10 s. No other row may end so.

`--timeout` ends all of these sooner, reading what they returned included; printing it may take a second more (`longerNames`).

The columns: seconds of processor time and MiB at the peak, with the translator and with the interpreter, and how the call ended.
";
const COLUMNS: &str = "| guest | what it does | s | MiB | s | MiB | end |\n|---|---|--:|--:|--:|--:|---|";

fn build() -> Result<PathBuf> {
    run(command("cargo", ["build", "--release", "--workspace", "--bin", "goemu"]).current_dir(root()))?;
    let metadata =
        output(command("cargo", ["metadata", "--no-deps", "--format-version=1"]).current_dir(root()))?;
    let target = metadata.split_once("\"target_directory\":\"").and_then(|(_, rest)| rest.split_once('"'));
    let (target, _) = target.context("cargo metadata names no target folder")?;
    Ok(Path::new(target).join("release/goemu"))
}

/// Calls a guest in a process of its own: what it took, and how it ended.
fn measure(goemu: &Path, guest: &Guest, runtime: &str, engine: &str) -> Result<(Taken, String)> {
    let Guest { name, given, .. } = guest;
    let program = root().join("testdata/bin/hostile-go1.27-stripped");
    let mut command = Command::new(goemu);
    command.arg("call").arg("-b").arg(program).args(["--json", "--runtime", runtime, "--engine", engine]);
    if !guest.waits {
        // Processor time is what is measured: the default is time of a host that may be busy.
        command.args(["--timeout", LONGEST]);
    }
    command.arg("--sig").arg(guest.signature()).arg(format!("main.{name}")).args(given.split_whitespace());
    let answer = tempfile(name);
    command.stdin(Stdio::null()).stdout(fs::File::create(&answer)?).stderr(Stdio::null());
    let child = command.spawn().with_context(|| format!("cannot start {}", goemu.display()))?;
    let taken = watch(child)?;
    let text = fs::read_to_string(&answer).unwrap_or_default();
    fs::remove_file(answer)?;
    Ok((taken, ending(&text)))
}

fn tempfile(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("goemu-hostile-{}-{name}", std::process::id()))
}

/// How a call ended, of the object that it printed.
fn ending(text: &str) -> String {
    let field = |name: &str| {
        let (_, rest) = text.split_once(&format!("\"{name}\":\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let word = field("outcome").or_else(|| field("error")).unwrap_or_else(|| "killed".to_owned());
    match field("fault") {
        Some(fault) => format!("{word}: {fault}"),
        None => word,
    }
}

/// Waits for a process, looking at what it takes.
fn watch(mut child: Child) -> Result<Taken> {
    let folder = PathBuf::from(format!("/proc/{}", child.id()));
    let mut taken = Taken::default();
    loop {
        let stat =
            fs::read_to_string(folder.join("stat")).context("Linux alone tells what a process takes")?;
        // Behind the name, which may have blanks: the state is the first, times of user and system are the 12th and 13th.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
        taken.seconds = (ticks(11) + ticks(12)) / 100.0;
        let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        taken.mebibytes = taken.mebibytes.max(peak.unwrap_or_default() / 1024);
        if fields.first() == Some(&"Z") {
            break;
        }
        if taken.seconds > ENDED {
            child.kill()?;
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.wait()?;
    Ok(taken)
}

impl Taken {
    fn is_more(&self, seconds: f64) -> bool {
        self.seconds > seconds || self.mebibytes > MOST.mebibytes
    }
}

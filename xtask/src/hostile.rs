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

/// A guest: function, arguments, what it does. Their sources are in `testdata/go/hostile`.
struct Guest(&'static str, &'static str, &'static str);

/// In the real runtime, where guests make system calls.
const REAL: &[Guest] = &[
    Guest("codeStos", "32768", "REP STOSB over 128 MiB of pages that were executed"),
    Guest("codeStos", "262144", "the same over 1 GiB"),
    Guest("plainStos", "262144", "REP STOSB over 1 GiB of fresh pages"),
    Guest("hugeMmap", "", "maps 2^38 bytes"),
    Guest("hugeMprotect", "", "protects 2^38 bytes"),
    Guest("badWrite", "", "writes from addresses that are not mapped"),
    Guest("badFdWrite", "", "writes 1 MiB to a file that is not open"),
    Guest("writevZero", "", "writev of 1,024 empty vectors"),
    Guest("emptyReads", "", "readv of 1,024 empty vectors"),
    Guest("manyRanges", "70000", "reserves 70,000 pages"),
    Guest("findLoop", "", "looks for room among 65,000 reservations"),
    Guest("frontLoop", "", "reserves and unmaps before 65,000 reservations"),
    Guest("frontLoopMem", "", "the same with memory"),
    Guest("mapStorm", "", "maps and unmaps a page"),
    Guest("mapStormBig", "", "maps and unmaps 1 GiB"),
    Guest("vmaLimit", "70000", "changes every other page of a mapping"),
    Guest("vmaCrash", "70000 100", "splits mappings beyond their limit"),
    Guest("holes", "20000", "unmaps every other page of a mapping"),
    Guest("partsLoop", "", "changes every other page of 20,000, and forgets them"),
    Guest("pinLoop", "", "pins objects"),
    Guest("touchBig", "", "writes to 512 MiB of variables"),
    Guest("unmapBig", "", "unmaps 512 MiB and maps it elsewhere"),
    Guest("threads", "4096", "makes 4,096 threads that sleep"),
    Guest("threadsGetpid", "", "system calls beside 4,096 sleeping threads"),
    Guest("threadsWake", "", "wakes nobody among 4,096 threads"),
    Guest("threadsWakeAll", "", "wakes 4,096 threads"),
    Guest("threadsTgkill", "", "signals a thread that is not there"),
    Guest("epollWait", "", "polls 1,009 pipes"),
    Guest("epollOnce", "4000 2000", "writes to a pipe that 4,000 threads wait for with 1,009 others"),
    Guest("pipeLoop", "", "makes and closes pipes beside 505 others"),
    Guest("nestedSignals", "4000", "4,000 threads of 250 nested signals"),
    Guest("ownSignals", "", "sends itself blocked signals"),
    Guest("sleepMax", "", "sleeps for the longest time"),
    Guest("manyTimers", "", "makes timers"),
    Guest("manyFiles", "", "makes empty files with long names"),
    Guest("manyEntries", "", "lists a folder of 20,000 files"),
    Guest("pathOfLinks", "", "opens a path through 39 links of 4 KB"),
    Guest("emptyMessages", "", "sends messages without bytes that nobody receives"),
    Guest("longCode", "", "executes 192 MiB of instructions of one byte"),
    Guest("manyJumps", "", "executes 32 Mi jumps to the next instruction"),
    Guest("longNames", "", "returns 60,000 structs with names of 4 KB"),
    Guest("longerNames", "", "the same, 64 of them in each"),
    Guest("allStacks", "", "asks for the stacks of 5,000 goroutines"),
    Guest("deadStacks", "", "ends in a deadlock of 100,000 goroutines"),
    Guest("dupLoop", "", "takes and frees the last of 65,000 numbers of files"),
    Guest("lockLoop", "", "locks a file beside 65,000 open ones"),
    Guest("closeRange", "", "closes 65,000 numbers that stand for nothing"),
    Guest("workingFolder", "", "asks for the path of a folder beside 20,000 others"),
    Guest("noEntries", "", "lists 20,000 files into no room"),
    Guest("growFile", "", "makes a file 512 MiB long, and empty again"),
    Guest("mapFile", "", "maps a file of 256 MiB where there is no room"),
    Guest("readPages", "", "reads into 1,024 places of 1 MiB"),
    Guest("randomBytes", "", "reads random numbers"),
    Guest("manyPorts", "", "gives sockets ports"),
    Guest("peekBytes", "", "looks at 256 KiB that a socket holds"),
    Guest("manySockets", "", "opens sockets and fills each"),
    Guest("manyPipes", "", "opens pipes and fills each"),
    Guest("manyOptions", "", "sets options of a socket"),
    Guest("deepFolders", "", "makes folders in folders"),
    Guest("protectPages", "", "takes a permission from 1 GiB, and gives it back"),
    Guest("forgetPages", "", "gives back 1 GiB that was not written"),
    Guest("badPoll", "", "polls 65,536 files"),
    Guest("printLoop", "", "prints byte by byte"),
    Guest("codeStorm", "", "changes one of a million instructions, and executes all"),
    Guest("growMap", "", "fills a map"),
    Guest("grownString", "", "appends to a string"),
    Guest("manyGoroutines", "", "makes goroutines that wait"),
    Guest("manySleepers", "", "makes goroutines that sleep"),
    Guest("compareAll", "", "compares 512 MiB with themselves"),
    Guest("scanAll", "", "looks for a byte in 512 MiB"),
    Guest("moveOverlapping", "", "moves 256 MiB by a byte"),
    Guest("moveOverCode", "", "moves 64 MiB of pages that were executed by a byte"),
    Guest("straddling", "", "writes across the border of two pages that were executed"),
    Guest("aliases", "", "writes code to a file that is mapped, and executes it there"),
    Guest("jumpTable", "", "jumps through a table of 100,000 targets"),
    Guest("newCode", "", "writes loops that become hot, each to a new place"),
    Guest("hugeFunction", "", "executes a function of 8 MiB with a branch every ten bytes"),
    Guest("ownPage", "", "changes its own page in a loop"),
    Guest("turningCode", "", "changes a hot loop every 200 rounds"),
    Guest("manyPages", "", "changes hot functions in 60,000 pages"),
    Guest("shortBlocks", "", "jumps through a million blocks of one instruction"),
    Guest("smallFunctions", "", "calls small functions, 24 deep, twice each"),
    Guest("slowMix", "", "computes vectors after what is not translated"),
    Guest("slowerMix", "", "the same, rounded upwards"),
    Guest("slowX87", "", "computes in x87's registers"),
    Guest("slowBytes", "", "computes vectors of bytes after what is not translated"),
    Guest("slowTranscendentals", "", "computes sines and logarithms in x87's registers"),
    Guest("slowFloats", "", "divides numbers below the normal ones, eight at a time"),
    Guest("slowStrings", "", "compares strings by PCMPESTRI"),
    Guest("saveStates", "", "saves and restores all registers"),
    Guest("trapFlag", "", "sets the flag of alignment"),
    Guest("sharedFile", "", "writes a file that is mapped"),
    Guest("sharedSync", "", "syncs a mapping of 256 MiB"),
    Guest("coreMap", "", "asks which pages of 1 GiB are in memory"),
    Guest("fileToFile", "", "copies a file of 64 MiB within the kernel"),
    Guest("splicing", "", "moves 64 KiB from pipe to pipe"),
    Guest("manyAttributes", "", "gives a file attributes of 60 KB"),
    Guest("selectAll", "", "selects among 1,024 files"),
    Guest("manyUnix", "", "connects to a name beside 60,000 others"),
    Guest("netlinks", "", "asks for the interfaces, and reads no answer"),
    Guest("deepPaths", "", "walks a path of 800 parts, 2,000 folders deep"),
    Guest("renameTrees", "", "moves 20,000 folders in each other"),
    Guest("epollNest", "", "polls an epoll in an epoll, a thousand times"),
    Guest("epollMany", "", "writes to a pipe that 5,000 epolls have"),
    Guest("shortSleeps", "", "sleeps for a nanosecond"),
    Guest("protectStorm", "", "protects a page among 30,000 ranges"),
];

/// With hooks, where they do the work.
const HOOKED: &[Guest] = &[
    Guest("touchBig", "", "writes to 512 MiB of variables"),
    Guest("longNames", "", "returns 60,000 structs with names of 4 KB"),
    Guest("longerNames", "", "the same, 64 of them in each"),
    Guest("allStacks", "", "asks for the stacks of 5,000 goroutines"),
    Guest("deadStacks", "", "ends in a deadlock of 100,000 goroutines"),
    Guest("growMap", "", "fills a map"),
    Guest("pinLoop", "", "pins objects"),
    Guest("grownString", "", "appends to a string"),
    Guest("manyGoroutines", "", "makes goroutines that wait"),
    Guest("manySleepers", "", "makes goroutines that sleep"),
    Guest("slowTranscendentals", "", "computes sines and logarithms in x87's registers"),
    Guest("saveStates", "", "saves and restores all registers"),
];

/// In both.
const BOTH: &[Guest] = &[
    Guest("faultStorm", "", "recovers from faults"),
    Guest("nestedPanics", "", "panics in the deferred calls of 20,000 panics"),
    Guest("manyFinalizers", "", "sets finalizers"),
    Guest("collectStorm", "", "collects beside a million objects"),
    Guest("readStats", "", "reads the collector's statistics"),
    Guest("deepCallers", "", "asks for its callers, 60,000 calls deep"),
    Guest("bigSelect", "", "selects among 65,000 channels"),
    Guest("bigStrings", "", "makes runes of 64 MiB, and a string of these"),
    Guest("hugeMaps", "", "makes maps for a million entries"),
    Guest("timerStorm", "", "starts timers beside 200,000 others"),
    Guest("wakeAll", "", "wakes 10,000 goroutines"),
    Guest("ring", "", "returns a map of 100,000 entries that hold it"),
    Guest("hugeString", "", "returns a string of 2^62 bytes"),
    Guest("emptyElems", "", "returns 2^62 elements without size"),
    Guest("sameStrings", "", "returns a million strings of 1 MiB"),
    Guest("loudErrors", "", "returns 1,000 errors whose methods do not end"),
    Guest("joined", "", "returns an error in 100,000 others"),
    Guest("brokenMap", "", "returns a map whose tables are junk"),
    Guest("panicking", "", "panics with that map of itself"),
    Guest("badSort", "", "sorts by a comparison that is always true"),
];

/// What a process took.
#[derive(Clone, Copy, Default)]
struct Taken {
    seconds: f64,
    /// At its peak.
    mebibytes: u64,
}

/// Seconds of processor time for the default fuel, and mebibytes at the default limit of memory.
const MOST: Taken = Taken { seconds: 10.0, mebibytes: 2048 * 12 / 10 };
/// After so many a process is ended.
const ENDED: f64 = 60.0;

pub(crate) fn main(args: &Args) -> Result<()> {
    let goemu = match &args.goemu {
        Some(goemu) => goemu.clone(),
        None => build()?,
    };
    let mut over = Vec::new();
    let mut page = HEAD.to_owned();
    for (runtime, guests) in [("real", REAL), ("hooked", HOOKED)] {
        writeln!(page, "\n## {}\n\n{COLUMNS}", title(runtime))?;
        for guest in guests.iter().chain(BOTH) {
            let Guest(name, given, what) = guest;
            if args.only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
                continue;
            }
            let (translated, _) = measure(&goemu, guest, runtime, "translator")?;
            let (interpreted, ending) = measure(&goemu, guest, runtime, "interpreter")?;
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
            if [translated, interpreted].iter().any(Taken::is_too_much) {
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

Nor are guests that make the translator begin again and again: hot code that changes itself, its own page or one of thousands (`turningCode`, `ownPage`,
`manyPages`), or is written to ever new places (`newCode`). They take up to three times the budget; `shortBlocks` takes a little more than it. Jumps through a
table of 100,000 targets (`jumpTable`) took more than a minute with both engines. `--timeout` ends all of them.

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
    let Guest(name, given, _) = guest;
    let program = root().join("testdata/bin/hostile-go1.27-stripped");
    let mut command = Command::new(goemu);
    command.arg("call").arg("-b").arg(program).args(["--json", "--runtime", runtime, "--engine", engine]);
    command
        .arg("--sig")
        .arg(signature(name, given))
        .arg(format!("main.{name}"))
        .args(given.split_whitespace());
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

fn signature(name: &str, given: &str) -> String {
    let params = vec!["int"; given.split_whitespace().count()].join(", ");
    let results = match name {
        "ring" => "*main.node",
        "hugeString" => "string",
        "emptyElems" => "[]struct {}",
        "sameStrings" => "[]string",
        "loudErrors" => "[]error",
        "joined" => "error",
        "brokenMap" => "map[string]int",
        "deepCallers" => "int",
        "longNames" => "[]main.wide",
        "longerNames" => "[]main.wider",
        _ => "",
    };
    format!("func({params}) {results}").trim().to_owned()
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
    fn is_too_much(&self) -> bool {
        self.seconds > MOST.seconds || self.mebibytes > MOST.mebibytes
    }
}

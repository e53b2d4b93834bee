//! `goemu fuzz`: processes that share inputs, a disk that is full, Ctrl-C. Only in builds that have it.

#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::run::{Ran, command, ran};

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(60);

fn planted() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/planted-go1.27")
}

fn fuzz(args: &[&str]) -> Command {
    let mut fuzz = command();
    fuzz.env("GOEMU_BINARY", planted()).arg("fuzz").args(args);
    fuzz
}

/// A folder of its own for one test.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzzed-{name}"));
    let _ = fs::remove_dir_all(&folder);
    folder
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries.filter(|entry| entry.path().is_file()).count()
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "{what} has not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn start(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Ran {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Ctrl-C.
fn interrupt(child: &Child) {
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

/// Every property of `goemu check` is one of `goemu fuzz`.
#[test]
fn properties_are_those_of_check() {
    for (args, property, input) in [
        (&["main.twice", "--same-as", "main.twiceRight"][..], "same-as main.twiceRight", "64"),
        (&["main.swap", "--inverse", "main.swap"], "inverse main.swap", "1"),
        (&["main.add", "--pure"], "pure", "1"),
        (&["main.trim", "--idempotent"], "idempotent", "\"  \""),
        (&["main.mix", "--commutes"], "commutes", "0"),
        (&["main.grade", "--monotone"], "monotone", "80"),
        (&["main.twiceRight", "--expect", "6", "--arg", "1 in 3..5"], "expect 6", "4"),
        (&["main.halvings", "--max-instructions", "20", "--arg", "1 in 1..100"], "max-instructions", "16"),
    ] {
        let found = ran(fuzz(args).args(["--runs", "50k", "--json", "--quiet", "--fuel", "2m"]));
        assert_eq!(found.status, 2, "{args:?}: {found:?}");
        let finding = &json(&found)["findings"][0];
        assert_eq!(finding["property"], property, "{found:?}");
        assert_eq!(finding["input"][0]["value"], input, "{found:?}");
        let repeat = finding["repeat"].as_str().unwrap();
        let words = repeat.replacen("goemu", env!("CARGO_BIN_EXE_goemu"), 1);
        let again = ran(Command::new("bash").args(["-c", &words]));
        assert_eq!(again.status, 2, "{repeat}: {again:?}");
    }
    let panics = ["main.ratio", "--panics", "divide", "--runs", "2k", "--quiet"];
    assert_eq!(ran(&mut fuzz(&panics)).status, 0);
}

/// One process listens, another joins it over loopback: what the first has found, the second gets, and the other way round.
#[test]
fn two_processes_share_what_they_find() {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (one, two) = (folder("one"), folder("two"));
    let options = |folder: &Path, option: &str| {
        let mut fuzz = fuzz(&["main.encode", option, &address.to_string(), "--quiet", "--json", "--corpus"]);
        fuzz.arg(folder);
        fuzz
    };
    let mut listening = options(&one, "--listen");
    let first = start(listening.args(["--seed", "1"]).take());
    wait_until("an input of the first", || files(&one) > 0);
    let mut joining = options(&two, "--join");
    let second = end(start(joining.args(["--seed", "99", "--runs", "20k"]).take()));
    interrupt(&first);
    let first = end(first);
    for ran in [&first, &second] {
        assert_eq!(ran.status, 0, "{ran:?}");
        let object = json(ran);
        assert!(object["corpus"].as_u64() > Some(0) && object["findings"].as_array().unwrap().is_empty());
    }
    assert_eq!(json(&second)["lost_broker"], false, "{second:?}");
    assert!(files(&one) > 0 && files(&two) > 0);
    // The other end is gone.
    let late = ran(&mut options(&two, "--join"));
    assert!(late.status == 1 && late.stdout.contains("error"), "{late:?}");
}

/// Whoever connects, says junk, or is killed: the one that listens goes on, and lets others in.
#[test]
fn strangers_and_the_killed_end_nothing() {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (one, two) = (folder("strangers"), folder("killed"));
    let options = |folder: &Path, option: &str| {
        let mut fuzz = fuzz(&["main.encode", option, &address.to_string(), "--quiet", "--json", "--corpus"]);
        fuzz.arg(folder);
        fuzz
    };
    let first = start(options(&one, "--listen"));
    wait_until("an input of the first", || files(&one) > 0);
    for said in
        [&b""[..], b"a", b"junkjunkjunkjunkjunk", &[0xff; 400], &[0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 9]]
    {
        let mut stranger = std::net::TcpStream::connect(address).unwrap();
        stranger.write_all(said).unwrap();
    }
    let mut killed = start(options(&two, "--join"));
    wait_until("an input of the one that is killed", || files(&two) > 0);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let second = end(start(options(&two, "--join").args(["--runs", "20k"]).take()));
    assert!(second.status == 0 && json(&second)["lost_broker"] == false, "{second:?}");
    interrupt(&first);
    let first = end(first);
    assert!(first.status == 0 && first.stderr.is_empty(), "{first:?}");
    assert_eq!(json(&first)["lost_broker"], false, "{first:?}");
}

trait Take {
    fn take(&mut self) -> Command;
}

impl Take for Command {
    /// The command itself, where it was put together by reference.
    fn take(&mut self) -> Command {
        std::mem::replace(self, Command::new("true"))
    }
}

/// Where nothing can be written, what is found is told all the same, and that it was not written.
#[test]
fn a_full_disk_loses_no_finding() {
    let corpus = folder("full");
    fs::create_dir_all(&corpus).unwrap();
    fs::write(corpus.join("crashes"), "no folder").unwrap();
    let args = ["main.record", "--quiet", "--seed", "1", "--corpus"];
    let found = ran(fuzz(&args).arg(&corpus));
    assert_eq!(found.status, 2, "{found:?}");
    assert!(found.stdout.contains("b = []byte{1}\n"), "{found:?}");
    assert!(found.stderr.contains("inputs could not be written: "), "{found:?}");
}

/// A disk that gets full in the middle: what was written before stays, and nothing is half written.
#[test]
fn a_full_disk_loses_no_input() {
    let (corpus, goemu) = (folder("filling"), env!("CARGO_BIN_EXE_goemu"));
    let fuzz = format!(
        "fuzz -b '{}' main.encode --json --quiet --corpus '{}'",
        planted().display(),
        corpus.display()
    );
    let mut shell = Command::new("bash");
    let child = start(shell.args(["-c", &format!("trap '' XFSZ; exec '{goemu}' {fuzz}")]).take());
    wait_until("an input", || files(&corpus) >= 3);
    // From now on no file may have a byte.
    let limited = Command::new("prlimit").args(["--fsize=0", "--pid", &child.id().to_string()]).status();
    assert!(limited.unwrap().success());
    std::thread::sleep(Duration::from_secs(2));
    interrupt(&child);
    let ended = end(child);
    assert_eq!(ended.status, 0, "{ended:?}");
    let unwritten = json(&ended)["unwritten"].as_str().is_some_and(|why| why.contains("too large"));
    assert!(unwritten && files(&corpus) > 0, "{ended:?}");
    for entry in fs::read_dir(&corpus).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        assert!(text.starts_with("go test fuzz v1\nstring("), "{text}");
    }
}

/// The first Ctrl-C ends the search: the corpus is there, and what was done is told. Another search goes on from it.
#[test]
fn ctrl_c_keeps_what_was_found() {
    let corpus = folder("interrupted");
    let mut command = fuzz(&["main.encode", "--json", "--quiet", "--seed", "3", "--corpus"]);
    let child = start(command.arg(&corpus).take());
    wait_until("an input", || files(&corpus) >= 5);
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&child);
    let ended = end(child);
    assert_eq!(ended.status, 0, "{ended:?}");
    let first = json(&ended);
    assert!(first["runs"].as_u64() > Some(0) && files(&corpus) > 0, "{ended:?}");
    let mut again = fuzz(&["main.encode", "--json", "--quiet", "--runs", "100", "--corpus"]);
    let second = json(&ran(again.arg(&corpus)));
    assert!(second["edges"].as_u64() >= first["edges"].as_u64(), "{first} {second}");
    assert_eq!(second["junk"], 0);
}

/// A failure that was found when Ctrl-C came is told with its input.
#[test]
fn ctrl_c_keeps_failures() {
    let corpus = folder("failures");
    let args = ["main.record", "--keep-going", "--json", "--quiet", "--corpus"];
    let child = start(fuzz(&args).arg(&corpus).take());
    wait_until("a failure", || files(&corpus.join("crashes")) > 0);
    interrupt(&child);
    let ended = end(child);
    assert_eq!(ended.status, 2, "{ended:?}");
    assert_eq!(json(&ended)["findings"][0]["input"][0]["value"], "[]byte{1}");
}

/// What all jobs have run is one report.
#[test]
fn coverage_is_of_all_jobs() {
    let folder = folder("cover");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("fuzz.out");
    let file = path.to_str().unwrap();
    let ran =
        end(start(fuzz(&["main.twiceRight", "--runs", "500", "--jobs", "2", "--quiet", "--cover", file])));
    assert!(matches!(ran.status, 0 | 2), "{ran:?}");
    let report = fs::read_to_string(&path).unwrap();
    assert!(report.starts_with("mode: count\n"), "{report}");
    let most = report.lines().filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).max();
    // A call of each run at least, whichever job made it.
    assert!(most >= Some(400), "{most:?} {report}");
}

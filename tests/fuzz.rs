//! The fuzzer on functions with a wrong case each: what guidance finds, corpora, several jobs, two fuzzers with one broker.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goemu::testing::Check;
use goemu::{Config, Image, Machine};
use goemu_fuzzer::{Fuzz, Fuzzed, Options};
use goemu_tests::fixtures::binary;

fn machine() -> Machine {
    let program = binary("planted-go1.27").unwrap();
    let config = Config { fuel: 2_000_000, max_memory: 256 << 20, ..Config::default() };
    Machine::with_config(Image::open(program).unwrap(), config).unwrap()
}

fn fuzz(func: &str, options: Options) -> Fuzzed {
    let machine = machine();
    let check = Check::new(&machine, func, None).unwrap();
    Fuzz::new(check, options).run(machine, |_| ControlFlow::Continue(())).unwrap()
}

fn input(fuzzed: &Fuzzed) -> Vec<String> {
    let finding = fuzzed.findings.first().expect("something is found");
    finding.input.iter().map(|given| given.value.clone()).collect()
}

/// A folder of its own for one test.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    folder
}

#[test]
fn planted_bugs_are_found_and_made_small() {
    let options = || Options { runs: Some(300_000), ..Options::default() };
    assert_eq!(input(&fuzz("main.magic", options())), ["[]byte{127, 69, 76, 70}"]);
    assert_eq!(input(&fuzz("main.record", options())), ["[]byte{1}"]);
    assert_eq!(input(&fuzz("main.checked", options())), ["[]byte{0, 0, 0, 1}"]);
}

#[test]
fn a_corpus_is_written_read_and_small() {
    let corpus = folder("corpus");
    let options = |runs| Options { runs: Some(runs), corpus: Some(corpus.clone()), ..Options::default() };
    let first = fuzz("main.encode", options(5000));
    assert!(first.findings.is_empty() && first.junk == 0 && first.unwritten.is_none());
    let files: Vec<PathBuf> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty() && files.len() <= first.progress.corpus, "{files:?}");
    assert!(first.minimised <= first.progress.corpus);
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.starts_with("go test fuzz v1\nstring(\""), "{text}");
    }
    // Another run goes on from there; what is no input is counted.
    fs::write(corpus.join("junk"), "\x00\x01").unwrap();
    fs::write(corpus.join("other"), "go test fuzz v1\nint(5)\nint(6)\n").unwrap();
    let second = fuzz("main.encode", options(200));
    assert_eq!(second.junk, 2);
    assert!(second.progress.edges >= first.progress.edges, "{first:?} {second:?}");
}

/// Types that Go's own fuzzing does not take are kept as JSON; failures have a folder of their own.
#[test]
fn other_types_are_kept_as_json() {
    let corpus = folder("json");
    let fuzzed = fuzz(
        "main.lastButOne",
        Options { runs: Some(50_000), corpus: Some(corpus.clone()), ..Options::default() },
    );
    assert_eq!(input(&fuzzed), ["[]int{0, 0, 0, 0}"]);
    let crash = fs::read_dir(corpus.join("crashes")).unwrap().next().unwrap().unwrap().path();
    assert_eq!(fs::read_to_string(crash).unwrap(), "[\"[]int{0, 0, 0, 0}\"]\n");
}

/// The same seed is the same search, as long as one job is at work.
#[test]
fn one_job_follows_from_the_seed() {
    let fuzz = || fuzz("main.magic", Options { runs: Some(300_000), ..Options::default() });
    let (a, b) = (fuzz(), fuzz());
    assert_eq!(
        (a.findings, a.progress.runs, a.progress.corpus),
        (b.findings, b.progress.runs, b.progress.corpus)
    );
}

#[test]
fn several_jobs_share_one_broker() {
    let fuzzed = fuzz("main.magic", Options { runs: Some(400_000), jobs: 2, ..Options::default() });
    assert_eq!(input(&fuzzed), ["[]byte{127, 69, 76, 70}"]);
}

/// One fuzzer listens, the other joins it; inputs go both ways. The first ends when the second has.
#[test]
fn two_fuzzers_share_inputs_by_a_broker() {
    let listen: SocketAddr = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&done);
    let first = std::thread::spawn(move || {
        let machine = machine();
        let check = Check::new(&machine, "main.encode", None).unwrap();
        let options = Options { listen: Some(listen), ..Options::default() };
        let watch =
            |_| if over.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        Fuzz::new(check, options).run(machine, watch).unwrap()
    });
    std::thread::sleep(Duration::from_millis(700));
    let joined = fuzz(
        "main.encode",
        Options { runs: Some(20_000), join: Some(listen.to_string()), ..Options::default() },
    );
    done.store(true, Ordering::Relaxed);
    let first = first.join().unwrap();
    assert!(first.findings.is_empty() && joined.findings.is_empty());
    assert!(joined.progress.runs >= 20_000 && !joined.lost_broker, "{joined:?}");
    assert!(joined.progress.corpus > 0 && first.progress.corpus > 0);
}

//! Execution traces that hooks write. Each is read here by the rules of Go's own readers (`internal/trace`): what an event may name,
//! and what has to be so when it comes. Where Go is (in the path, or named by `GOEMU_GO`), it reads them, too.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod reader;

use std::process::Command;

use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine, Outcome, Value};
use goemu_tests::fixtures::{binary, releases};

use reader::Told;

/// One release of each form.
const FORMS: [u16; 6] = [15, 21, 22, 24, 25, 27];

fn call(version: u16, runtime: Runtime, func: &str, sig: &str, args: &[&str]) -> Outcome {
    let image = Image::open(binary(&format!("tracing-go1.{version}-stripped")).unwrap()).unwrap();
    let config = Config { runtime: Some(runtime), max_memory: 1 << 30, ..Config::default() };
    let mut machine = Machine::with_config(image, config).unwrap();
    machine.call(func).unwrap().signature(sig).unwrap().literals(args).unwrap().run().unwrap().outcome
}

/// The bytes of a list, which a function returns first.
fn bytes(outcome: &Outcome) -> Vec<u8> {
    match outcome.values().unwrap_or_else(|| panic!("{outcome}"))[0] {
        Value::Bytes(bytes) => bytes.bytes.clone(),
        other => panic!("{other:?}"),
    }
}

/// A trace as it was read, here and by Go.
fn read(version: u16, trace: &[u8]) -> Told {
    let told = reader::read(trace);
    let go = std::env::var("GOEMU_GO").unwrap_or_else(|_| "go".to_owned());
    let file = std::env::temp_dir().join(format!("goemu-trace-{version}-{}", std::process::id()));
    std::fs::write(&file, trace).unwrap();
    // Releases before name it otherwise.
    let read = Command::new(go).args(["tool", "trace", "-d=parsed"]).arg(&file).output();
    std::fs::remove_file(&file).unwrap();
    if let Ok(read) = read
        && !String::from_utf8_lossy(&read.stderr).contains("Usage")
    {
        assert!(read.status.success(), "{version}: {}", String::from_utf8_lossy(&read.stderr));
        assert!(String::from_utf8_lossy(&read.stdout).contains("key"), "{version}");
    }
    told
}

/// The texts are those of native runs.
#[test]
fn traces_are_started_and_stopped() {
    for version in releases("tracing", "-stripped", &FORMS) {
        for runtime in [Runtime::Hooked, Runtime::Real] {
            let say = |func| call(version, runtime, func, "func() string", &[]).to_string();
            assert_eq!(say("main.started"), r#""<nil> true""#, "{version}, {runtime:?}");
            let second = if version < 25 {
                "runtime error: tracing is already enabled"
            } else {
                "execution tracer already enabled"
            };
            let twice = format!(r#""<nil>, {second}, <nil>, true true false""#);
            assert_eq!(say("main.twice"), twice, "{version}, {runtime:?}");
            let direct = r#""<nil>, runtime error: tracing is already enabled, go true""#;
            assert_eq!(say("main.read"), direct, "{version}, {runtime:?}");
        }
    }
}

/// What the program notes, and what its goroutines do.
#[test]
fn traces_tell_what_the_program_does() {
    let notes = [
        r#"g1 task 1 of 0 "whole" in main.noted"#,
        r#"g1 region "first part" in main.noted"#,
        r#"g1 log "key" "value" in main.noted.func1"#,
        r#"g1 log "" "5 and more" in main.noted.func1"#,
        r#"g1 log "where" "within" in main.within"#,
        r#"g1 end of region "first part" in main.noted"#,
    ];
    for version in releases("tracing", "-stripped", &FORMS) {
        let trace = bytes(&call(version, Runtime::Hooked, "main.noted", "func() []byte", &[]));
        let told = read(version, &trace);
        assert_eq!(told.notes[..notes.len()], notes, "{version}");
        let all = told.notes.join("\n");
        assert_eq!(all.matches(r#" region "sending" in main.noted.func2"#).count(), 6, "{version}: {all}");
        assert!(all.contains(r#"log "timer" "fired" in main.noted.func4"#), "{version}: {all}");
        assert!(all.ends_with("g1 end of task 1 in runtime/trace.(*Task).End"), "{version}: {all}");
        // The reader, three that send, one that receives, the timer's two, one that unlocks.
        assert_eq!(told.made, 8, "{version}");
        for reason in ["chan send", "chan receive", "sync", "sleep", "runtime.Gosched"] {
            assert!(told.reasons.contains(reason), "{version}: {:?}", told.reasons);
        }
        assert!(told.woken_by.contains("runtime.chanrecv2"), "{version}: {:?}", told.woken_by);
    }
}

/// One that lasts for seconds, and has more in it than is handed over at once.
#[test]
fn long_traces_have_parts() {
    for version in releases("tracing", "-stripped", &FORMS) {
        let trace = bytes(&call(version, Runtime::Hooked, "main.longer", "func(int) []byte", &["9000"]));
        let told = read(version, &trace);
        assert_eq!(told.notes.len(), 9000 + 3, "{version}");
        assert_eq!(told.notes[1234], r#"g1 log "count" "this is number 1233" in main.longer"#, "{version}");
        assert!(trace.len() > 100_000, "{version}: {}", trace.len());
        assert!(version < 22 || told.generations >= 3, "{version}: {}", told.generations);
    }
}

/// A recorder and a trace at once, and coroutines.
#[test]
fn flight_recorders_have_what_was_last() {
    for version in releases("tracing", "-stripped", &[25, 27]) {
        let outcome = call(version, Runtime::Hooked, "main.flown", "func() ([]byte, string)", &[]);
        let told = read(version, &bytes(&outcome));
        let said = outcome.values().unwrap()[1].to_string();
        assert_eq!(said, r#""<nil> true true false false true true""#, "{version}");
        let notes = [
            r#"g1 task 1 of 0 "flown" in main.flown"#,
            r#"log "in" "coroutine" in main.flown.func1"#,
            r#"g1 log "next" "0" in main.flown"#,
            r#"g1 log "next" "1" in main.flown"#,
            r#"g1 log "key" "late" in main.flown"#,
            r#"g1 log "key" "later" in main.flown"#,
        ];
        assert_eq!(told.notes.len(), notes.len(), "{version}: {:?}", told.notes);
        for (note, expected) in told.notes.iter().zip(notes) {
            assert!(note.ends_with(expected), "{version}: {note}");
        }
    }
}

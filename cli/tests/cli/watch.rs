//! What is written of a run: traces for others, coverage, profiles, timelines.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what was written has failed")]
#![allow(clippy::print_stderr, reason = "a test says why it is skipped")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::run::{Ran, call, command, corpus, goemu, ran};

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The sources of the corpus.
fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/go/corpus")
}

/// A call with an option that names a file: what is in the file.
fn written(name: &str, option: &str, line: &str) -> Vec<u8> {
    let path = target(name);
    let mut run = command();
    run.env("GOEMU_BINARY", corpus("go1.27")).arg("call").arg(option).arg(&path).args(line.split(' '));
    let Ran { status, stderr, .. } = ran(&mut run);
    assert!(stderr.is_empty() && status != 1, "{status} {stderr}");
    std::fs::read(path).unwrap()
}

fn lines(text: &[u8]) -> Vec<Json> {
    let text = String::from_utf8(text.to_vec()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The `go` of this computer, where it has one.
fn go(args: &[&str], dir: &Path) -> Option<String> {
    let go = std::env::var("GOEMU_GO").unwrap_or_else(|_| "go".to_owned());
    let Ok(output) = Command::new(go).args(args).current_dir(dir).env("GOFLAGS", "-mod=mod").output() else {
        eprintln!("skipped: no go here (GOEMU_GO names one)");
        return None;
    };
    assert!(output.status.success(), "go {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn traces_are_lines_of_json() {
    let records = lines(&written("trace.jsonl", "--trace-out", "main.fib 3 --trace-format json"));
    assert_eq!((&records[0]["type"], &records[0]["func"]), (&"trace".into(), &"main.fib".into()));
    let steps: Vec<_> = records.iter().filter(|record| record["type"] == "step").collect();
    let numbers: Vec<_> = steps.iter().map(|step| step["n"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..steps.len() as u64).collect::<Vec<_>>());
    let of = |kind: &str| records.iter().filter(|r| r["type"] == kind && r["func"] == "main.fib").count();
    assert_eq!((of("call"), of("return"), of("stack_check")), (5, 5, 5));
    let last = records.last().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"call_ended".into(), &"returned".into()));
    let report: Json = serde_json::from_str(&call("go1.27", "main.fib 3 --json").stdout).unwrap();
    assert_eq!(report["instructions"].as_u64().unwrap(), steps.len() as u64);
}

/// Replays a log of Tenet: each line changes what the lines before it said.
#[test]
fn a_log_for_tenet_has_the_registers_of_the_trace() {
    let log =
        String::from_utf8(written("trace.tenet", "--trace-out", "main.fib 3 --trace-format tenet")).unwrap();
    let steps = lines(&written("tenet.jsonl", "--trace-out", "main.fib 3 --trace-format json"));
    let mut steps = steps.iter().filter(|record| record["type"] == "step");
    let mut state = std::collections::HashMap::new();
    let mut last_rip = String::new();
    for (number, line) in log.lines().enumerate() {
        for (name, value) in line.split(',').map(|pair| pair.split_once('=').unwrap()) {
            match name {
                "mr" | "mw" => assert!(value.starts_with("0x") && value.contains(':'), "{line}"),
                _ => drop(state.insert(name.to_owned(), value.to_owned())),
            }
        }
        if number == 0 {
            assert_eq!(state.len(), 17, "the first line has all registers: {line}");
        } else {
            let step = steps.next().unwrap();
            assert_eq!(step["pc"], last_rip.as_str());
            for (name, value) in step["registers"].as_object().into_iter().flatten() {
                let lower = name.to_lowercase();
                let name = if lower.starts_with('r') { lower } else { format!("r{lower}") };
                assert!(
                    name.starts_with("rx") || state[&name] == *value.as_str().unwrap(),
                    "{name} in {line}"
                );
            }
        }
        last_rip.clone_from(&state["rip"]);
    }
    assert!(steps.next().is_none());
}

#[test]
fn traces_are_narrowed() {
    let steps = |options: &str| {
        let line = format!("main.fib 5 --trace-format json {options}");
        let records = lines(&written("narrow.jsonl", "--trace-out", &line));
        assert_eq!(records.last().unwrap()["event"], "call_ended");
        records.into_iter().filter(|record| record["type"] == "step").collect::<Vec<_>>()
    };
    let all = steps("--depth 100");
    let outermost = steps("--depth 1");
    assert!(!outermost.is_empty() && outermost.len() * 5 < all.len(), "{} {}", outermost.len(), all.len());
    let some = steps("--from #10 --until #20");
    assert_eq!(
        some.iter().map(|step| step["n"].as_u64().unwrap()).collect::<Vec<_>>(),
        (10..20).collect::<Vec<_>>()
    );
    let pc = all[0]["pc"].as_str().unwrap();
    let entries = steps(&format!("--only {pc}"));
    assert_eq!(entries.len(), 15, "fib(5) makes 15 calls");
    assert!(steps("--only nothing.*").is_empty());
    assert_eq!(steps("--only goroutine:1").len(), all.len());
    assert!(steps("--only goroutine:2").is_empty());
    for (option, wrong) in
        [("--only", "event:x"), ("--only", "0xq"), ("--from", "#x"), ("--only", "goroutine:")]
    {
        let ran = call("go1.27", &format!("main.fib 5 {option} {wrong}"));
        assert!(ran.status == 1 && ran.stderr.lines().count() == 1, "{ran:?}");
    }
}

#[test]
fn coverage_is_that_of_the_run() {
    let profile = String::from_utf8(written("cover.out", "--cover", "main.f1")).unwrap();
    assert!(profile.starts_with("mode: count\ncorpus/"), "{profile}");
    let count = |line: u32| {
        let prefix = format!("corpus/defers.go:{line}.1,");
        profile.lines().find_map(|row| Some(row.strip_prefix(&prefix)?.rsplit(' ').next()?.to_owned()))
    };
    let source = std::fs::read_to_string(sources().join("defers.go")).unwrap();
    let at = |text: &str| source.lines().position(|line| line.contains(text)).unwrap() as u32 + 1;
    assert_eq!(count(at("func f1()")).as_deref(), Some("1"));
    assert_eq!(count(at("func f2()")).as_deref(), Some("0"));
    let lcov = String::from_utf8(written("cover.info", "--cover", "main.f1")).unwrap();
    assert!(lcov.contains("\nFNDA:1,main.f1\n") && lcov.contains("\nFNDA:0,main.f2\n"), "{lcov}");
    assert_eq!(lcov.matches("SF:").count(), lcov.matches("end_of_record").count());
    let drcov = written("cover.drcov", "--cover", "main.f1");
    let at = drcov.windows(10).position(|part| part == b"BB Table: ").unwrap();
    let head = std::str::from_utf8(&drcov[at..at + 20]).unwrap();
    let blocks: usize = head["BB Table: ".len()..].split(' ').next().unwrap().parse().unwrap();
    let table = at + drcov[at..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    assert_eq!(drcov.len() - table, 8 * blocks);
}

/// The method that the compiler makes for an interface has the code of the method that it stands for.
#[test]
fn coverage_counts_what_was_inlined_in_made_methods() {
    let profile = String::from_utf8(written("made.out", "--cover", "main.areas 2")).unwrap();
    let source = std::fs::read_to_string(sources().join("interfaces.go")).unwrap();
    let line = source.lines().position(|line| line.contains("func (c circle) area()")).unwrap() + 1;
    let row = format!("corpus/interfaces.go:{line}.1,");
    assert!(profile.lines().any(|found| found.starts_with(&row) && found.ends_with(" 1 1")), "{profile}");
}

#[test]
fn go_reads_coverage() {
    let profile = String::from_utf8(written("read-by-go.out", "--cover", "main.f1")).unwrap();
    // Other files of the program are made when it is built.
    let is_known = |line: &&str| line.starts_with("mode:") || line.starts_with("corpus/defers.go");
    let known = profile.lines().filter(is_known).collect::<Vec<_>>();
    let path = target("read-by-go.out");
    std::fs::write(&path, known.join("\n") + "\n").unwrap();
    let module = target("corpus-module");
    std::fs::create_dir_all(&module).unwrap();
    for file in std::fs::read_dir(sources()).unwrap() {
        let file = file.unwrap().path();
        std::fs::copy(&file, module.join(file.file_name().unwrap())).unwrap();
    }
    std::fs::write(module.join("go.mod"), "module corpus\n\ngo 1.27\n").unwrap();
    let Some(table) = go(&["tool", "cover", "-func", path.to_str().unwrap()], &module) else { return };
    let covered = |func: &str| {
        table.lines().any(|row| row.split_whitespace().nth(1) == Some(func) && !row.ends_with("\t0.0%"))
    };
    assert!(covered("f1") && !covered("f2"), "{table}");
}

#[test]
fn go_reads_profiles() {
    let path = target("profile.pb.gz");
    let line = format!("main.fib 10 --json --profile {}", path.display());
    let report: Json = serde_json::from_str(&call("go1.27", &line).stdout).unwrap();
    let Some(text) = go(&["tool", "pprof", "-raw", path.to_str().unwrap()], Path::new(".")) else { return };
    assert!(text.contains("instructions/count[dflt] alloc_objects/count alloc_space/bytes"), "{text}");
    let samples = text.split("Samples:\n").nth(1).unwrap().split("Locations\n").next().unwrap();
    let counts = samples.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    assert_eq!(counts.sum::<u64>(), report["instructions"].as_u64().unwrap());
    let top = go(&["tool", "pprof", "-top", path.to_str().unwrap()], Path::new(".")).unwrap();
    assert!(top.contains("100%") && top.contains("main.fib"), "{top}");
}

#[test]
fn timelines_are_balanced() {
    for func in
        ["main.fib 6", "main.pipeline 3 5", "main.mutexCount 3 4", "main.panicNested", "main.recovered 1"]
    {
        let file: Json = serde_json::from_slice(&written("timeline.json", "--timeline", func)).unwrap();
        let mut open = std::collections::HashMap::new();
        let mut last = 0;
        for event in file["traceEvents"].as_array().unwrap() {
            let depth = open.entry(event["tid"].as_u64().unwrap()).or_insert(0_i64);
            match event["ph"].as_str().unwrap() {
                "B" => *depth += 1,
                "E" => *depth -= 1,
                _ => {}
            }
            assert!(*depth >= 0, "{func}: {event}");
            let ts = event["ts"].as_u64().unwrap();
            assert!(ts >= last, "{func}: {event}");
            last = ts;
        }
        assert!(open.values().all(|depth| *depth == 0), "{func}: {open:?}");
    }
}

/// What Perfetto's importer and Chrome's format ask of each event: an arrow begins in an open slice, and ends in one, or, without `bp`,
/// in the next one of its track.
#[test]
fn timelines_have_the_form_that_perfetto_reads() {
    let (mut arrows, mut to_new) = (0, 0);
    for func in ["main.pipeline 3 5", "main.mutexCount 3 4", "main.panicNested"] {
        let file: Json = serde_json::from_slice(&written("form.json", "--timeline", func)).unwrap();
        assert_eq!(file["displayTimeUnit"], "ns");
        let (mut depth, mut begun) = (std::collections::HashMap::new(), std::collections::HashMap::new());
        let mut awaited: Vec<u64> = Vec::new();
        for event in file["traceEvents"].as_array().unwrap() {
            let (tid, what) = (event["tid"].as_u64().unwrap(), event.to_string());
            assert!(event["pid"].is_u64() && event["ts"].is_u64(), "{what}");
            let depth = depth.entry(tid).or_insert(0_u32);
            match event["ph"].as_str().unwrap() {
                "M" => assert!(event["name"] == "thread_name" && event["args"]["name"].is_string(), "{what}"),
                "B" => {
                    assert!(event["name"].is_string() && event["cat"].is_string(), "{what}");
                    awaited.retain(|waiting| *waiting != tid);
                    *depth += 1;
                }
                "E" => *depth -= 1,
                "i" => assert!(event["name"].is_string() && event["s"] == "t", "{what}"),
                "C" => assert!(event["args"].as_object().unwrap().values().all(Json::is_u64), "{what}"),
                "s" => {
                    assert!(*depth > 0, "{what}");
                    assert!(begun.insert(event["id"].as_u64().unwrap(), tid).is_none(), "{what}");
                }
                "f" => {
                    let from = begun.remove(&event["id"].as_u64().unwrap());
                    assert!(from.is_some_and(|from| from != tid), "{what}");
                    if event["bp"] == "e" {
                        assert!(*depth > 0, "{what}");
                    } else {
                        assert_eq!(*depth, 0, "{what}");
                        awaited.push(tid);
                        to_new += 1;
                    }
                    arrows += 1;
                }
                _ => panic!("{what}"),
            }
        }
        assert!(awaited.is_empty(), "{func}: arrows to goroutines that call nothing: {awaited:?}");
    }
    assert!(arrows > 10 && to_new > 3, "{arrows} {to_new}");
}

#[test]
fn files_that_cannot_be_written_are_named_before_the_call() {
    for option in ["--trace-out", "--cover", "--profile", "--timeline"] {
        let ran = goemu(["call", "main.f1", option, "/nosuch/file"]);
        assert!(ran.status == 1 && ran.stdout.is_empty(), "{ran:?}");
        assert!(ran.stderr.lines().last().unwrap().contains("/nosuch/file"), "{ran:?}");
    }
}

#[test]
fn coverage_of_many_calls_is_their_union() {
    let path = target("check.out");
    let mut run = command();
    run.env("GOEMU_BINARY", corpus("go1.27"))
        .args(["check", "main.deferCond", "--runs", "50", "--cover"])
        .arg(&path);
    let Ran { status, stderr, .. } = ran(&mut run);
    assert_eq!(status, 0, "{stderr}");
    let both = std::fs::read_to_string(path).unwrap();
    let one = String::from_utf8(written("one.out", "--cover", "main.deferCond false")).unwrap();
    let source = std::fs::read_to_string(sources().join("defers.go")).unwrap();
    let line = source.lines().position(|line| line.contains("s += 7")).unwrap() + 1;
    let ran = |profile: &str| {
        let prefix = format!("corpus/defers.go:{line}.1,");
        let row = profile.lines().find(|row| row.starts_with(&prefix)).unwrap_or_else(|| panic!("{profile}"));
        !row.ends_with(" 0")
    };
    assert!(ran(&both) && !ran(&one), "{both}");
}

//! Programs under many schedules: `goemu explore`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::run::{command, ran};

fn program() -> PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/concurrency-go1.27")
}

fn file(name: &str) -> PathBuf {
    std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("explore-{name}"))
}

/// What was found is repeated by the command that the report has.
#[test]
fn a_failure_is_told_and_its_command_repeats_it() {
    let (junit, schedule) = (file("junit.xml"), file("schedule"));
    let mut explore = command();
    explore.args([
        "explore",
        "-q",
        "--seeds",
        "40",
        "--first-failure",
        "--json",
        "--test",
        "TestMapWritesBug$",
    ]);
    explore.arg("--junit").arg(&junit).arg("--write-schedule").arg(&schedule);
    let found = ran(explore.arg(program()));
    assert_eq!(found.status, 2, "{}", found.stderr);
    let report: Json = serde_json::from_str(&found.stdout).unwrap();
    let first = &report["outcomes"][0];
    assert_eq!((&first["kind"], &first["failure"]), (&"fatal".into(), &true.into()), "{report}");
    assert!(std::fs::read_to_string(&junit).unwrap().contains("concurrent map writes"));
    let (seed, strategy) = (first["seed"].to_string(), first["strategy"].as_str().unwrap());
    for how in [vec!["--strategy", strategy], vec!["--schedule", schedule.to_str().unwrap()]] {
        let mut run = command();
        run.args(["run", "--processors", "4", "--seed", &seed]).args(how);
        let again = ran(run.arg(program()).arg("-test.run=TestMapWritesBug$"));
        assert!(
            again.status == 2 && again.stderr.contains("fatal error: concurrent map writes"),
            "{}",
            again.stderr
        );
    }
    assert!(report["explained"]["minimal"]["stops"].as_u64().unwrap() <= 4, "{report}");
    std::fs::remove_file(junit).unwrap();
    std::fs::remove_file(schedule).unwrap();
}

/// What was changed of the program is part of the command, which finds the same.
#[test]
fn the_command_that_repeats_has_the_changes() {
    let change = ["--patch", "runtime.memequal_varlen=90"];
    let mut explore = command();
    explore.args(["explore", "-q", "--seeds", "2", "--test", "TestLoopVariableBug$"]).args(change);
    let found = ran(explore.arg(program()));
    let commands = found.stdout.lines().filter(|line| line.contains("first with seed"));
    let told: Vec<&str> = commands.collect();
    assert!(!told.is_empty(), "{}{}", found.stdout, found.stderr);
    assert!(told.iter().all(|line| line.contains(&change.join(" "))), "{told:?}");
}

#[test]
fn shards_put_together_are_the_whole() {
    let explore = |shard: Option<&str>| {
        let mut explore = command();
        explore.args([
            "explore",
            "-q",
            "--no-minimise",
            "--seeds",
            "12",
            "--json",
            "--test",
            "TestContextLeakBug$",
        ]);
        explore.args(shard.map(|shard| ["--shard", shard]).into_iter().flatten());
        ran(explore.arg(program()))
    };
    let names = ["1/2", "2/2"].map(|shard| {
        let name = file(&format!("{}.json", &shard[..1]));
        std::fs::write(&name, explore(Some(shard)).stdout).unwrap();
        name
    });
    let merged = ran(command().args(["explore", "merge", "--json"]).args(&names));
    let whole = explore(None);
    let [merged_json, whole_json] =
        [&merged, &whole].map(|ran| serde_json::from_str::<Json>(&ran.stdout).unwrap());
    assert_eq!((merged.status, &merged_json["outcomes"]), (whole.status, &whole_json["outcomes"]));
    assert_eq!(merged_json["runs"], 12);
    let twice = ran(command().args(["explore", "merge"]).arg(&names[0]).arg(&names[0]));
    assert!(twice.status == 1 && twice.stderr.contains("is there twice"), "{}", twice.stderr);
    for name in names {
        std::fs::remove_file(name).unwrap();
    }
}

#[test]
fn nothing_found_is_status_0() {
    let found = ran(command()
        .args(["explore", "-q", "--seeds", "5", "--test", "TestLostUpdateFixed$"])
        .arg(program()));
    assert_eq!(found.status, 0, "{}{}", found.stdout, found.stderr);
    assert!(found.stdout.contains("5 runs") && found.stdout.contains("none failed"), "{}", found.stdout);
}

#[test]
fn what_cannot_be_explored_is_said_on_one_line() {
    let whole = program().with_file_name("whole-go1.27-stripped");
    let no_report = file("no-report");
    std::fs::write(&no_report, "{}").unwrap();
    let cases: [(&[&str], &PathBuf, &str); 5] = [
        (&["explore", "--test", "X"], &whole, "go test -c"),
        (&["explore", "--shard", "3/2"], &whole, "K/N"),
        (&["explore", "--seeds", "9..3"], &whole, "A..B"),
        (&["explore", "--strategy", "best"], &whole, "strategies are"),
        (&["explore", "merge"], &no_report, "is no report of goemu explore --json"),
    ];
    for (args, path, says) in cases {
        let ran = ran(command().args(args).arg(path));
        assert_eq!((ran.status, ran.stderr.lines().count()), (1, 1), "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
    }
    std::fs::remove_file(no_report).unwrap();
}

/// What all runs together executed: a branch that one schedule takes is there, whichever machine ran it.
#[test]
fn coverage_is_that_of_all_runs() {
    let cover = |name: &str, seeds: &str, jobs: &str| {
        let out = file(name);
        let mut explore = command();
        explore.args(["explore", "-q", "--no-minimise", "--seeds", seeds, "--jobs", jobs]);
        explore.args(["--test", "TestMapWritesBug$", "--cover"]).arg(&out);
        let ran = ran(explore.arg(program()));
        assert!(matches!(ran.status, 0 | 2), "{}", ran.stderr);
        let text = std::fs::read_to_string(&out).unwrap();
        std::fs::remove_file(out).unwrap();
        text
    };
    let counts = |text: &str| -> Vec<(String, u64)> {
        let count = |line: &str| line.rsplit_once(' ').map(|(at, n)| (at.to_owned(), n.parse().unwrap()));
        text.lines().skip(1).filter_map(count).collect()
    };
    let alone = counts(&cover("cover-1.out", "6", "1"));
    let together = counts(&cover("cover-2.out", "6", "2"));
    let ran = |all: &[(String, u64)]| all.iter().filter(|(_, count)| *count > 0).count();
    assert!(ran(&alone) > 3 && ran(&alone) < alone.len(), "{} of {}", ran(&alone), alone.len());
    assert!(alone == together, "as many machines as there are, the runs are the same");
    let (first, both) =
        (counts(&cover("cover-3.out", "1..3", "2")), counts(&cover("cover-4.out", "4..6", "2")));
    // The start, which comes to main, is in both.
    let runs = |all: &[(String, u64)]| -> Vec<(String, u64)> {
        all.iter().filter(|(at, _)| !at.contains("main.go")).cloned().collect()
    };
    let sum: Vec<_> = first.iter().zip(&both).map(|((at, a), (_, b))| (at.clone(), a + b)).collect();
    assert!(runs(&sum) == runs(&alone), "the parts together are the whole");
    let info = cover("cover.info", "2", "2");
    assert!(info.starts_with("TN:") && info.contains("\nDA:"), "{info}");
}

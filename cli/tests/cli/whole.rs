//! Whole programs: `goemu run`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value as Json;

use crate::run::{command, ran};

fn program(name: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin").join(name)
}

#[test]
fn a_program_runs_to_its_end_with_its_own_status() {
    let out = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("run.json");
    let ran = ran(command().args(["run", "--json"]).arg(&out).arg(program("whole-go1.27-stripped")));
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.starts_with("\u{1}case\t0\n\u{1}returned\t"), "{}", ran.stderr);
    let told: Json = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
    std::fs::remove_file(&out).unwrap();
    assert_eq!((&told["outcome"], &told["status"]), (&"exited".into(), &0.into()));
}

#[test]
fn limits_end_a_program_with_status_3() {
    for (option, value, says) in [("--fuel", "1m", "out of fuel"), ("--max-output", "9", "too much output")] {
        let ran = ran(command().args(["run", option, value]).arg(program("whole-go1.27-stripped")));
        assert_eq!(ran.status, 3);
        assert!(ran.stderr.contains(says) && ran.stderr.contains(option), "{}", ran.stderr);
    }
}

#[test]
fn what_cannot_be_run_is_said_on_one_line() {
    let missing = ran(command().args(["run", "--dir", "/nowhere:/x"]).arg(program("whole-go1.27-stripped")));
    assert_eq!((missing.status, missing.stderr.lines().count()), (1, 1), "{}", missing.stderr);
    let windows = ran(command().arg("run").arg(program("corpus-go1.27-windows")));
    assert_eq!((windows.status, windows.stderr.lines().count()), (1, 1), "{}", windows.stderr);
}

#[test]
fn data_races_are_told_and_change_the_status() {
    let out = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("races.json");
    let case = |number: &str, more: &[&str]| {
        let mut command = command();
        command.args(["run", "--races", "--env", &format!("GOEMU_CASE={number}"), "--json"]).arg(&out);
        let ran = ran(command.args(more).arg(program("races-go1.27")));
        let told: Json = serde_json::from_str(&std::fs::read_to_string(&out).unwrap()).unwrap();
        std::fs::remove_file(&out).unwrap();
        (ran, told)
    };
    // The first of the programs has no race, the last one has.
    let (clean, told) = case("0", &[]);
    assert_eq!((clean.status, &told["races"]), (0, &Json::Array(Vec::new())), "{}", clean.stderr);
    let (racy, told) = case("69", &[]);
    assert_eq!((racy.status, &told["status"]), (66, &66.into()));
    assert!(racy.stderr.contains("WARNING: DATA RACE"), "{}", racy.stderr);
    let race = &told["races"][0];
    assert!(race["access"]["write"].as_bool().unwrap() || race["previous"]["write"].as_bool().unwrap());
    assert!(race["access"]["stack"][0]["line"].as_u64().unwrap() > 0, "{race}");
    let (racy, _) = case("69", &["--races-status", "5", "--races-memory", "1"]);
    assert_eq!(racy.status, 5);
}

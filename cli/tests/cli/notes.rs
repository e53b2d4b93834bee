//! `goemu note` and `goemu guess`: what is known of a program beside what its file tells.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::run::{Ran, command, corpus, ran};

/// A copy of a program in a folder of its own, for notes beside it.
fn program(test: &str, build: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("notes-{test}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("prog");
    fs::copy(corpus(build), &program).unwrap();
    program
}

fn on(program: &PathBuf, args: &[&str]) -> Ran {
    ran(command().env("GOEMU_BINARY", program).args(args))
}

fn note(program: &PathBuf, args: &[&str]) {
    assert_eq!(on(program, &[&["note"], args].concat()), Ran::new(0, "", ""), "{args:?}");
}

#[test]
fn notes_are_read_by_all_commands() {
    let program = program("all", "go1.27-stripped");
    let missing = on(&program, &["note"]);
    assert!(missing.status == 1 && missing.stderr.contains("nothing is noted: there is no "), "{missing:?}");
    note(&program, &["name", "main.fib", "main.fibonacci"]);
    note(&program, &["sig", "fibonacci", "func(n int) int"]);
    note(&program, &["comment", "main.fibonacci", "slow"]);
    assert_eq!(on(&program, &["call", "fibonacci", "10"]), Ran::new(0, "55\n", ""));
    assert_eq!(on(&program, &["call", "main.fib", "10"]), Ran::new(0, "55\n", ""), "by its own name");
    let funcs = on(&program, &["funcs", "main.fibonacci"]);
    assert!(funcs.stdout.contains("main.fibonacci(n int) int"), "{funcs:?}");
    let other = program.with_file_name("moved.toml");
    fs::rename(program.with_file_name("prog.goemu.toml"), &other).unwrap();
    assert_eq!(on(&program, &["call", "fibonacci", "10"]).status, 1);
    let given = on(&program, &["call", "fibonacci", "10", "--notes", other.to_str().unwrap()]);
    assert_eq!(given, Ran::new(0, "55\n", ""));
}

#[test]
fn notes_are_text_to_compare() {
    let program = program("text", "go1.27-stripped");
    note(&program, &["sig", "main.fib", "func(n int) int"]);
    note(&program, &["type", "main.pair", "struct { First int; Second string }"]);
    note(&program, &["var", "0x577b60", "main.things", "[]main.pair"]);
    note(&program, &["stub", "main.fib=7"]);
    let file = program.with_file_name("prog.goemu.toml");
    let text = fs::read_to_string(&file).unwrap();
    let fib = text.lines().find(|line| line.starts_with("[functions.0x")).unwrap().to_owned();
    let lines: Vec<_> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with("build-id = ")).collect();
    assert_eq!(
        lines,
        [
            fib.as_str(),
            "sig = \"func(n int) int\"",
            "[types]",
            "\"main.pair\" = \"struct { First int; Second string }\"",
            "[variables.0x577b60]",
            "name = \"main.things\"",
            "type = \"[]main.pair\"",
            "[settings]",
            "stub = [\"main.fib=7\"]",
        ]
    );
    assert_eq!(on(&program, &["note"]).stdout, text);
    // A person's comments stay.
    fs::write(&file, format!("# mine\n{text}")).unwrap();
    assert_eq!(on(&program, &["call", "main.fib", "10"]), Ran::new(0, "7\n", ""));
    let vars = on(&program, &["vars", "main.things"]);
    assert!(vars.stdout.starts_with("0x577b60  main.things []main.pair = "), "{vars:?}");
    note(&program, &["forget", "main.fib=7"]);
    assert_eq!(on(&program, &["call", "main.fib", "10"]), Ran::new(0, "55\n", ""));
    assert!(fs::read_to_string(&file).unwrap().starts_with("# mine\n"));
}

#[test]
fn notes_on_another_program_are_not_used() {
    let program = program("other", "go1.27");
    note(&program, &["stub", "main.fib=7"]);
    fs::copy(corpus("go1.15"), &program).unwrap();
    let ran = on(&program, &["call", "main.fib", "10"]);
    assert!(ran.stdout == "55\n" && ran.stderr.contains("these notes are on another program"), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1);
    let file = program.with_file_name("prog.goemu.toml");
    let given = on(&program, &["call", "main.fib", "10", "--notes", file.to_str().unwrap()]);
    assert!(given.status == 1 && given.stderr.contains("these notes are on another program"), "{given:?}");
    note(&program, &["adopt"]);
    assert_eq!(on(&program, &["call", "main.fib", "10"]), Ran::new(0, "7\n", ""));
}

#[test]
fn what_does_not_fit_is_not_noted() {
    let program = program("wrong", "go1.27-stripped");
    for (args, message) in [
        (&["name", "nosuch", "x"][..], "no function nosuch"),
        (&["name", "main.fib"], "goemu note name FUNC NAME is wanted"),
        (&["sig", "main.fib", "func(x nosuch)"], "nosuch"),
        (&["var", "0x577b60", "main.x", "nosuch"], "variables.0x577b60: "),
        (&["comment", "main.fib+1", "x"], "inside a function"),
        (&["stub", "main.nosuch=1"], "no function main.nosuch"),
        (&["forget", "main.fib"], "nothing is noted of main.fib"),
        (&["skip-init", "nosuch"], "no package nosuch has initialisers (`goemu funcs"),
    ] {
        let ran = on(&program, &[&["note"], args].concat());
        assert!(ran.status == 1 && ran.stderr.contains(message), "{args:?}: {ran:?}");
        assert!(!program.with_file_name("prog.goemu.toml").exists(), "{args:?}");
    }
    let file = program.with_file_name("prog.goemu.toml");
    for (text, message) in [("x = [", "line 1"), ("[functions.0x1]\nname = 'a'", "another program")] {
        fs::write(&file, text).unwrap();
        let ran = on(&program, &["call", "main.fib", "10"]);
        assert!(ran.stderr.contains(message), "{text}: {ran:?}");
    }
}

#[test]
fn guesses_come_with_reasons() {
    let program = corpus("go1.27-stripped");
    let text = on(&program, &["guess", "main.fib"]);
    assert!(text.status == 0 && text.stdout.starts_with("main.fib  func(int) int\n  AX "), "{text:?}");
    let ran = on(&program, &["guess", "main.levenshtein", "--json"]);
    let guess: Json = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(guess["signature"], "func(string, string) int");
    assert_eq!(guess["params"][0]["places"], serde_json::json!(["AX", "BX"]));
    let looks = on(&program, &["call", "main.itoa", "7"]);
    assert!(looks.stdout.contains("AX looks like string \"7\""), "{looks:?}");
}

//! Changing a program from the command line, and looking at its memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::OsStr;

use serde_json::Value as Json;

use crate::run::{Ran, command, corpus, file, ran};

fn call(args: &[&str]) -> Ran {
    ran(command().env("GOEMU_BINARY", corpus("go1.27")).arg("call").args(args))
}

fn json(args: &[&str]) -> Json {
    let ran = call(&[args, &["--json"]].concat());
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn options_change_a_call() {
    assert_eq!(call(&["main.fib", "4", "--reg", "AX=10"]), Ran::new(0, "55\n", ""));
    assert_eq!(call(&["main.fib", "4", "--patch", "main.fib=b807000000c3"]), Ran::new(0, "7\n", ""));
    let code = file("seven.bin", &[0xb8, 7, 0, 0, 0, 0xc3]);
    let patch = format!("main.fib=@{}", code.display());
    assert_eq!(call(&["main.fib", "4", "--patch", &patch]), Ran::new(0, "7\n", ""));
    for (option, text, message) in [
        ("--set", "main.word", "set main.word: VARIABLE=VALUE is wanted"),
        ("--patch", "main.fib=9", "bytes are hexadecimal, two digits each"),
        ("--patch", "main.fib=@/nosuch/file", "cannot read /nosuch/file"),
        ("--reg", "EAX=1", "there are AX to DX"),
        ("--map", "x", "FILE@ADDRESS is wanted"),
        ("--dump", "main.word+16", "ADDR+LEN=FILE is wanted"),
        ("--watch-mem", "main.word", "ADDR+LEN is wanted"),
        ("--watch-mem", "main.word+5000", "at most 4096 bytes can be watched"),
    ] {
        let ran = call(&["main.fib", "4", option, text]);
        assert!(ran.status == 1 && ran.stderr.contains(message), "{option} {text}: {ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "{option} {text}: {ran:?}");
    }
}

#[test]
fn a_stop_shows_where_it_is() {
    let ran = call(&["main.fib", "4", "--stop", "main.fib+0x1a"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    for part in [
        "stopped at 0x4898fa (main.fib+0x1a)\nAX  0x0000000000000004  CX",
        "runtime.goexit+0x1\n",
        "goroutine 1 [stopped]:\nmain.fib(",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    let object = json(&["main.fib", "4", "--stop", "main.fib+0x1a"]);
    assert_eq!(
        (object["outcome"].as_str(), &object["stopped"]["registers"]["AX"]),
        (Some("stopped"), &"0x4".into())
    );
    assert_eq!(object["traceback"][0]["frames"][0]["function"], "main.fib");
}

#[test]
fn memory_is_dumped_and_watched() {
    let out = file("word.bin", b"");
    let dump = format!("main.word+16={}", out.display());
    assert_eq!(call(&["main.fib", "4", "--dump", &dump]), Ran::new(0, "3\n", ""));
    assert_eq!(std::fs::read(&out).unwrap()[8..], 5_u64.to_le_bytes());
    let watched = call(&["main.fib", "1", "--watch-mem", "main.word+16"]);
    assert_eq!(watched, Ran::new(0, "1\n", "goemu: nothing has changed what is watched\n"));
    let ran = call(&["main.panicFrames", "2", "--watch-mem", "main.unwound+8"]);
    assert!(ran.stderr.contains(" (main."), "{ran:?}");
}

#[test]
fn whole_programs_are_changed_too() {
    let run = |args: &[&OsStr]| ran(command().arg("run").args(args).arg(corpus("go1.27")));
    let stopped = run(&["--stop".as_ref(), "main.main".as_ref()]);
    assert_eq!((stopped.status, stopped.stdout.as_str()), (0, ""));
    assert!(
        stopped.stderr.starts_with("stopped at 0x") && stopped.stderr.contains("(main.main)\n"),
        "{stopped:?}"
    );
    let no_init = run(&["--skip-init".as_ref()]);
    assert!(no_init.status == 1 && no_init.stderr.contains("name the packages"), "{no_init:?}");
}

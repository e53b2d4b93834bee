//! What a process is given and sent, hooked and in the program's own runtime: signals, settings of GODEBUG, arguments,
//! environment, standard input.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use goemu::machine::Process;
use goemu::outcome::Runtime;
use goemu::{Config, Error, Image, Machine};
use goemu_tests::fixtures::{binary, cases};
use goemu_tests::table::{Ending, call, source};

/// The builds have no debug information.
fn signature(function: &str) -> &'static str {
    match function {
        "main.nobody" | "main.notified" | "main.waits" | "main.untilStopped" | "main.arguments" => {
            "func() string"
        }
        "main.inOrder" => "func(rounds int) string",
        "main.full" | "main.stopped" | "main.untilSignal" => "func() (a, b string)",
        "main.ignored" => "func() (before, after, reset bool)",
        "main.interrupted" => "func(rounds int) (seen, sum int)",
        "main.panicNil" => "func() (value interface{}, deferred bool)",
        "main.unrecovered" => "func()",
        "main.environment" => "func(name string) (string, bool)",
        "main.forgotten" => "func(size int) (a, b, c byte)",
        "main.unmapped" => "func(rounds int) int",
        "main.terminal" => "func(file int) string",
        "main.fired" => "func() (size, room int, stopped, reset bool)",
        "main.words" => "func() (count int, longest string)",
        "main.twice" => "func(n int) (string, string, bool)",
        other => panic!("no signature of {other}"),
    }
}

/// The builds that there are; the first and the last are checked in.
fn builds() -> Vec<(u16, Arc<Image>)> {
    let path = |version| binary(&format!("process-go1.{version}-stripped"));
    let there = [15, 19, 21, 23, 25, 27].into_iter().filter_map(|version| Some((version, path(version)?)));
    let images: Vec<_> =
        there.map(|(version, path)| (version, Arc::new(Image::open(path).unwrap()))).collect();
    assert!(images.first().unwrap().0 == 15 && images.last().unwrap().0 == 27);
    images
}

#[test]
fn every_case_ends_as_it_does_natively() {
    let mut wrong = Vec::new();
    for (version, image) in builds() {
        let cases = cases("process", version);
        assert!(cases.len() >= 14, "only {} cases", cases.len());
        for runtime in [None, Some(Runtime::Real)] {
            let config = Config { runtime, ..Config::default() };
            let mut machine = Machine::with_config(Arc::clone(&image), config).unwrap();
            for case in &cases {
                let expected = Ending::from(case).to_string();
                let found = call(&mut machine, case, Some(signature(&case.function)));
                let found = found.map_or_else(|error| error.to_string(), |found| found.to_string());
                if found != expected {
                    let case = source(case);
                    wrong.push(format!(
                        "Go 1.{version}, {runtime:?}: {case}: native {expected}, here {found}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// A process that is given something.
fn given() -> Process {
    let text = |text: &str| text.to_owned();
    Process {
        program: text("goemu"),
        args: vec![text("-v"), text(""), text("a b=\u{e9}")],
        env: vec![(text("HOME"), text("/root")), (text("EMPTY"), text("")), (text("HOME"), text("/later=x"))],
        stdin: b"abc the quick\nbrown fox".as_slice().into(),
    }
}

#[test]
fn a_program_finds_what_it_was_given() {
    for (version, image) in builds() {
        for runtime in [Runtime::Hooked, Runtime::Real] {
            let config = Config { runtime: Some(runtime), process: given(), ..Config::default() };
            let mut machine = Machine::with_config(Arc::clone(&image), config).unwrap();
            // Each call reads from the beginning.
            for (func, args, expected) in [
                ("main.arguments", &[][..], "\"-v||a b=\u{e9}\""),
                ("main.environment", &["HOME"], "\"/root\", true"),
                ("main.environment", &["EMPTY"], "\"\", true"),
                ("main.environment", &["PATH"], "\"\", false"),
                ("main.words", &[], "5, \"quick\""),
                ("main.twice", &["3"], "\"abc\", \" the quick\\nbrown fox\", true"),
                ("main.words", &[], "5, \"quick\""),
            ] {
                let call = machine.call(func).unwrap().signature(signature(func)).unwrap();
                let report = call.literals(args).unwrap().run().unwrap();
                assert_eq!(report.outcome.to_string(), expected, "Go 1.{version}, {runtime}: {func}");
            }
        }
    }
}

/// GODEBUG is a variable like others, and stronger than what the program says.
#[test]
fn settings_come_from_the_environment() {
    for (version, image) in builds() {
        for runtime in [Runtime::Hooked, Runtime::Real] {
            let env = vec![("GODEBUG".to_owned(), "panicnil=0".to_owned())];
            let process = Process { env, ..Process::default() };
            let config = Config { runtime: Some(runtime), process, ..Config::default() };
            let mut machine = Machine::with_config(Arc::clone(&image), config).unwrap();
            let call = machine.call("main.panicNil").unwrap();
            let report =
                call.signature(signature("main.panicNil")).unwrap().run().unwrap().outcome.to_string();
            let is_nil = report.starts_with("interface {}(nil)");
            assert_eq!(is_nil, version < 21, "Go 1.{version}, {runtime}: {report}");
        }
    }
}

#[test]
fn what_no_process_can_be_given_is_an_error() {
    let (_, image) = builds().swap_remove(0);
    for runtime in [None, Some(Runtime::Real)] {
        let process = Process { args: vec!["a\0b".to_owned()], ..Process::default() };
        let config = Config { runtime, process, ..Config::default() };
        let error = Machine::with_config(Arc::clone(&image), config).err();
        assert!(matches!(error, Some(Error::Process(_))), "{error:?}");
    }
}

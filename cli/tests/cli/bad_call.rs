//! Calls that cannot be made: one clear line, status 1.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::run::{Ran, call, command, goemu, ran};

#[test]
fn calls_that_cannot_be_made() {
    for (line, message) in [
        ("main.fibb 1", "no function main.fibb; did you mean main.fib, main.f1, main.f2?"),
        ("zzzzzz", "no function zzzzzz (see `goemu funcs` for all names)"),
        ("0x10", "no function at 0x10 (see `goemu funcs`)"),
        ("fib", "0 arguments given to func(n int) int"),
        ("fib 1 2", "2 arguments given to func(n int) int"),
        ("addOverflow8 1 300", "argument 2 (b int8), column 1: 300 overflows int8\n  300\n  ^"),
        ("unsigned8 -1 0", "argument 1 (a uint8), column 1: -1 overflows uint8\n  -1\n  ^"),
        ("fib 1 --sig func(", "--sig: expected a type at column 6: found the end"),
        ("fib @/no/such/file", "cannot read @/no/such/file: No such file or directory (os error 2)"),
        (
            "fib @/dev/zero --max-memory 80m",
            "@/dev/zero has more than 20971520 bytes, a quarter of the memory that the program may have (--max-memory)",
        ),
        ("fib 1 --stdin /no/such", "cannot read --stdin /no/such: No such file or directory (os error 2)"),
        ("fib 1 --env A", "invalid value 'A' for '--env <NAME=VALUE>': NAME=VALUE is wanted (see --help)"),
        ("fib @/dev/null", "argument 1 (n int): a int is wanted, and this is a string"),
        (
            "fib 1 --fuel ten",
            "invalid value 'ten' for '--fuel <N>': write a whole number, as in 500, 64k, 10m, 2g or 1_000_000 (see --help)",
        ),
        (
            "fib 1 --feul 10",
            "unexpected argument '--feul' found; tip: a similar argument exists: '--fuel' (see --help)",
        ),
        (
            "fib 1 --trace=x",
            "invalid value 'x' for '--trace[=<DETAIL>]' [possible values: insns, calls, events] (see --help)",
        ),
        (
            "fib 1 --trace-out /no/such/file",
            "cannot write the trace to /no/such/file: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(call("go1.27", line), Ran::new(1, "", &format!("goemu: {message}\n")), "{line}");
    }
}

#[test]
fn several_functions_of_one_name() {
    let Ran { status, stdout, stderr } = call("go1.27", "name");
    assert_eq!((status, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("goemu: name is ambiguous: "), "{stderr}");
    assert!(stderr.contains("main.circle.name (0x") && stderr.contains("main.box.name (0x"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1);
}

#[test]
fn more_arguments_than_a_guess_has_parts() {
    let Ran { status, stderr, .. } = call("go1.27-stripped", "fib 10 11");
    assert_eq!(status, 1);
    let message =
        "goemu: the parameters of main.fib are not known, and guessed to be func(uint64): 2 arguments given;";
    assert!(stderr.starts_with(message), "{stderr}");
}

#[test]
fn errors_are_json_where_that_is_asked_for() {
    let error = "{\"error\":\"0 arguments given to func(n int) int\"}\n";
    assert_eq!(call("go1.27", "fib --json"), Ran::new(1, error, ""));
}

#[test]
fn too_little_memory_is_said() {
    let Ran { status, stdout, stderr } = call("go1.27", "fib 1 --max-memory 64k");
    assert_eq!((status, stdout.as_str(), stderr.lines().count()), (1, "", 1), "{stderr}");
    assert!(stderr.starts_with("goemu: "), "{stderr}");
}

#[test]
fn arguments_that_are_not_text() {
    let strange = OsStr::from_bytes(b"a\xff");
    for args in [[strange, "x".as_ref()], ["f1".as_ref(), strange]] {
        let Ran { status, stderr, .. } = ran(command().arg("call").args(args));
        assert_eq!((status, stderr.lines().count()), (1, 1), "{stderr}");
        assert!(stderr.starts_with("goemu: invalid UTF-8"), "{stderr}");
    }
}

#[test]
fn no_function_named() {
    let message = "goemu: the following required arguments were not provided: <FUNC> (see --help)\n";
    assert_eq!(goemu(["call"]), Ran::new(1, "", message));
}

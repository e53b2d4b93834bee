//! How calls end: results on standard output, reasons on standard error, and the status of each.

use crate::run::{DEMO, Ran, call, goemu, there};

#[test]
fn the_demo() {
    for (func, result) in [("main.f1", "1\n"), ("f2", "5\n"), ("main.f3", "1\n"), ("main.c", "2\n")] {
        assert_eq!(goemu(["call", func]), Ran::new(0, result, DEMO), "{func}");
    }
}

#[test]
fn results_in_go_syntax() {
    for (line, result) in [
        ("fib 10", "55\n"),
        ("addOverflow8 127 -1", "126, -128, -127\n"),
        ("addOverflow8 0x7f -- -1", "126, -128, -127\n"),
        ("quicksort []int{3,1,2}", "[]int{1, 2, 3}\n"),
        ("quicksort []int{3,1,2} --plain", "[1 2 3]\n"),
        ("anyValue 3", "main.point{x:1, y:2}\n"),
        ("main.init.0", ""),
    ] {
        let ran = call("go1.27", line);
        assert_eq!((ran.status, ran.stdout.as_str()), (0, result), "{line}: {}", ran.stderr);
    }
}

#[test]
fn a_signature_for_a_stripped_program() {
    let guessed = call("go1.27-stripped", "fib 10");
    assert_eq!((guessed.status, guessed.stdout.as_str()), (0, "AX=0x37\n"));
    let label = "goemu: the signature of main.fib is not known; guessed from its code: func(uint64) (--sig gives it)\n";
    assert_eq!(guessed.stderr, label);
    let sig = ["call", "fib", "10", "--sig", "func(n int) int"];
    let path = crate::run::corpus("go1.27-stripped");
    let ran = crate::run::ran(crate::run::command().env("GOEMU_BINARY", path).args(sig));
    assert_eq!(ran, Ran::new(0, "55\n", ""));
}

#[test]
fn panics_as_go_prints_them() {
    for build in there(&["go1.15", "go1.21", "go1.27"]) {
        for (how, message) in [
            (0, "boom"),
            (1, "runtime error: index out of range [101] with length 3"),
            (2, "runtime error: integer divide by zero"),
            (3, "runtime error: invalid memory address or nil pointer dereference"),
        ] {
            let ran = call(build, &format!("unrecovered {how}"));
            let start = format!("panic: {message}");
            assert!(ran.stderr.starts_with(&start), "{build} {how}: {}", ran.stderr);
            assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{build} {how}");
        }
    }
}

#[test]
fn recursion_without_end_is_gos_stack_overflow() {
    for build in ["go1.15", "go1.27"] {
        let ran = call(build, "deep 100000000 --max-stack 1m");
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{build}: {}", ran.stderr);
        assert!(ran.stderr.contains("fatal error: stack overflow\n"), "{build}: {}", ran.stderr);
    }
}

#[test]
fn loops_end_with_their_fuel() {
    let message = "goemu: out of fuel: the limit of 1000000 instructions is reached (raise it with --fuel)\n";
    assert_eq!(call("go1.27", "loops 1000000000 --fuel 1m"), Ran::new(3, "", message));
}

#[test]
fn what_the_guest_prints_goes_through() {
    let ran = call("go1.27", "printAll 1 2 -1.5 hello true");
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "1\n"));
    assert!(ran.stderr.contains("hello"), "{}", ran.stderr);
}

#[test]
fn one_json_object() {
    let ran = call("go1.27", "fib 1 --json");
    let expected = concat!(
        r#"{"function":"main.fib","outcome":"returned","#,
        r#""results":[{"name":"","type":"int","value":"1","data":{"kind":"int","value":1,"type":"int"}}],"panic":null,"fault":null,"#,
        r#""stdout":"","stderr":"","instructions":"#
    );
    assert!(ran.stdout.starts_with(expected), "{}", ran.stdout);
    assert!(
        ran.stdout.ends_with(",\"go\":\"go1.27.3\",\"guessed\":null}\n") && ran.stderr.is_empty(),
        "{ran:?}"
    );
    for (line, status, parts) in [
        ("unrecovered 0 --json", 2, [r#""outcome":"panicked""#, r#""panic":"boom""#]),
        ("loops 1000000000 --fuel 1k --json", 3, [r#""outcome":"out_of_fuel""#, r#""results":[]"#]),
        ("deep 100000000 --max-stack 1m --json", 2, [r#""fault":"stack overflow""#, r#""exit_code":2"#]),
        ("printAll 1 2 -1.5 hello true --json", 0, [r#""outcome":"returned""#, r#"hello"#]),
    ] {
        let ran = call("go1.27", line);
        assert_eq!((ran.status, ran.stderr.as_str(), ran.stdout.lines().count()), (status, "", 1), "{line}");
        assert!(parts.iter().all(|part| ran.stdout.contains(part)), "{line}: {}", ran.stdout);
    }
    let ran = call("go1.15-stripped", "f1 --json");
    assert!(ran.stdout.ends_with("\"registers\":{\"0(FP)\":\"0x1\"}}\n"), "{}", ran.stdout);
}

#[test]
fn traces_go_to_standard_error_or_a_file() {
    for detail in ["--trace", "--trace=insns", "--trace=calls", "--trace=events"] {
        let ran = goemu(["call", "main.f1", detail]);
        assert_eq!((ran.status, ran.stdout.as_str()), (0, "1\n"));
        assert!(ran.stderr.contains("main.f1") && ran.stderr.lines().count() > 5, "{}", ran.stderr);
    }
    let path = crate::run::file("trace", b"");
    let to_file = goemu(["call", "main.f1", "--trace-out", path.to_str().unwrap()]);
    assert_eq!(to_file, Ran::new(0, "1\n", DEMO));
    assert!(std::fs::read_to_string(path).unwrap().contains("runtime.deferprocStack"));
}

/// A trace that is not whole is no trace. A small stack of the shell's is enough, and so are files that may not be large: what
/// goemu keeps in memory are files, too.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_the_shells_limits_are_none() {
    let ran = goemu(["call", "main.f1", "--trace-out", "/dev/full"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stderr.contains("/dev/full is not whole: No space left"), "{}", ran.stderr);
    for limit in ["-s 128", "-f 100"] {
        let script = format!("ulimit {limit}; exec \"$0\" call main.f1");
        let limited = std::process::Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_goemu")])
            .output()
            .unwrap();
        assert_eq!((limited.status.code(), limited.stdout.as_slice()), (Some(0), &b"1\n"[..]), "{limit}");
    }
}

/// Where the host has no room for guards around the guest's space, code is interpreted; who asks for translated code is told.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn little_address_space_is_enough_for_the_interpreter() {
    let limited = |command: &str| {
        let script = format!("ulimit -v 20000000; exec \"$0\" {command}");
        let ran =
            std::process::Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_goemu")]).output();
        let ran = ran.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
    };
    assert_eq!(limited("call main.f1"), (Some(0), "1\n".to_owned(), DEMO.to_owned()));
    let why = "the host has no room for guards around the guest's space (look at `ulimit -v`)";
    for runtime in ["auto", "real"] {
        let (status, out, error) = limited(&format!("call main.f1 --engine translator --runtime {runtime}"));
        assert_eq!((status, out.as_str()), (Some(1), ""));
        assert!(error.contains(why), "{error}");
    }
    let (_, out, _) = limited("call main.f1 --json");
    assert!(out.contains(r#""engine":"interpreter","interpreted_because":"the host has no room"#), "{out}");
    let (_, out, _) = limited("info");
    assert!(out.contains(&format!("interpreter ({why})")), "{out}");
}

#[test]
fn a_call_has_a_time() {
    let ran = call("go1.27", "loops 9223372036854775807 --fuel 1000g --timeout 200ms");
    assert_eq!((ran.status, ran.stdout.as_str()), (3, ""));
    assert!(ran.stderr.contains("out of time (raise it with --timeout)"), "{}", ran.stderr);
}

/// The other commands that run a function.
#[test]
fn all_commands_have_a_time() {
    let page = crate::run::file("page", b"");
    let (program, page) = (crate::run::corpus("go1.27"), page.to_str().unwrap());
    let program = program.to_str().unwrap();
    let endless = "9223372036854775807";
    let limits = ["--fuel", "1000g", "--timeout", "200ms"];
    for (line, status, told) in [
        (&["check", "-b", program, "main.loops"][..], 2, "out of time"),
        (&["view", "-b", program, "main.loops", "--steps", "10", "-o", page], 3, ""),
    ] {
        let given: &[&str] = if line[0] == "check" { &["--", endless] } else { &[endless] };
        let ran = goemu(line.iter().chain(&limits).chain(given));
        assert!(ran.status == status && ran.stdout.contains(told), "{line:?}: {ran:?}");
    }
    for line in ["info --timeout 1h", "peek 0x400000 --timeout 1s", "vars --timeout 1s --json main"] {
        let words: Vec<&str> = line.split(' ').collect();
        let ran = goemu([&words[..], &["-b", program]].concat());
        assert_eq!(ran.status, 0, "{line}: {ran:?}");
    }
}

#[test]
fn bytes_of_files_and_of_standard_input() {
    // The check value of CRC-32.
    let path = crate::run::file("bytes", b"123456789");
    for arg in [format!("@{}", path.display()), "[]byte(\"123456789\")".to_owned()] {
        assert_eq!(call("go1.27", &format!("crc32 0 {arg}")), Ran::new(0, "0xcbf43926\n", ""));
    }
    let mut command = crate::run::command();
    command.args(["call", "crc32", "0", "@-"]).env("GOEMU_BINARY", crate::run::corpus("go1.27"));
    let stdin = std::fs::File::open(path).unwrap();
    assert_eq!(crate::run::ran(command.stdin(stdin)), Ran::new(0, "0xcbf43926\n", ""));
}

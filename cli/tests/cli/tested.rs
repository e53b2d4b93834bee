//! `goemu check` and `goemu diff`: findings as text, JSON, JUnit and Go tests; sweeps; the status.

use std::path::PathBuf;

use crate::run::{Ran, command, corpus, ran};

fn planted() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/planted-go1.27")
}

fn on_planted(args: &[&str]) -> Ran {
    ran(command().env("GOEMU_BINARY", planted()).args(args))
}

fn json(ran: &Ran) -> serde_json::Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn a_finding_says_what_with_which_input_and_how_to_repeat_it() {
    let found = on_planted(&["check", "main.ratio", "--seed", "2"]);
    assert_eq!(found.status, 2, "{found:?}");
    for part in [
        "main.ratio: panic: runtime error: integer divide by zero\n",
        "  a = 0\n  b = -7\n",
        "    main.ratio(",
        "planted-go1.27 main.ratio --seed 2 -- 0 -7\n",
    ] {
        assert!(found.stdout.contains(part), "{part}: {}", found.stdout);
    }
    assert_eq!(found, on_planted(&["check", "main.ratio", "--seed", "2"]));
    let nothing = on_planted(&["check", "main.twiceRight", "--runs", "100"]);
    assert_eq!(nothing, Ran::new(0, "main.twiceRight: nothing found in 100 runs\n", ""));
}

/// The command of a finding fails as the search did.
#[test]
fn findings_are_repeated_by_their_command() {
    for args in [
        &["check", "main.ratio", "--json"][..],
        &["check", "main.encode", "--inverse", "main.decode", "--json"],
        &["check", "main.grade", "--monotone", "--json"],
    ] {
        let found = json(&on_planted(args));
        let repeat = found["finding"]["repeat"].as_str().expect("a command");
        let words = repeat.replacen("goemu", env!("CARGO_BIN_EXE_goemu"), 1);
        let again = ran(std::process::Command::new("bash").args(["-c", &words]));
        assert_eq!(again.status, 2, "{repeat}: {again:?}");
    }
}

/// `call` has other limits than tests have.
#[test]
fn what_exceeds_a_limit_is_repeated_with_it() {
    let found = json(&on_planted(&["check", "main.halvings", "--json", "--fuel", "1m"]));
    let repeat = found["finding"]["repeat"].as_str().expect("a command");
    assert!(repeat.contains(" --fuel 1000000 --max-memory 536870912 -- 0"), "{repeat}");
    let words = repeat.replacen("goemu", env!("CARGO_BIN_EXE_goemu"), 1);
    let again = ran(std::process::Command::new("bash").args(["-c", &words]));
    assert_eq!(again.status, 3, "{repeat}: {again:?}");
}

/// A call in hooks, in hooks with initialised packages, and in the program's own runtime has different room before the limit of
/// memory. The smallest input is next to the limit of the state that the search was in, and the command names that state.
#[test]
fn what_needs_too_much_memory_is_repeated_in_the_same_state() {
    let limits = ["--max-memory", "48m", "--jobs", "1", "--json", "--quiet"];
    for args in [
        &["check", "strings.Repeat", "--arg", "s len 1..3", "--arg", "count in 1..100000000"][..],
        &["check", "strings.Repeat", "--arg", "s len 1..3", "--arg", "count in 1..100000000", "--init"],
        &[
            "check",
            "strings.Repeat",
            "--arg",
            "1 len 1..3",
            "--arg",
            "2 in 1..100000000",
            "--runtime",
            "hooked",
        ],
        &["check", "strings.Repeat", "--arg", "1 len 1..3", "--arg", "2 in 1..100000000", "--pure"],
    ] {
        let found = json(&on_planted(&[args, &limits].concat()));
        let finding = &found["finding"];
        let what = finding["what"].as_str().expect("a finding");
        assert!(what.contains("out of memory"), "{finding}");
        assert_eq!(finding["flaky"], serde_json::Value::Null, "{finding}");
        let repeat = finding["repeat"].as_str().expect("a command");
        let words = repeat.replacen("goemu", env!("CARGO_BIN_EXE_goemu"), 1);
        let again = ran(std::process::Command::new("bash").args(["-c", &words]));
        assert_eq!(again.status, 2, "{repeat}: {again:?}");
        assert!((again.stdout + &again.stderr).contains("out of memory"), "{repeat}");
    }
}

/// `timeout` sends its signal twice, to the program and to its group. That is no wish to end without a word.
#[test]
#[cfg(unix)]
fn a_signal_that_comes_twice_at_once_ends_the_search_with_its_report() {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    for (first, second) in [("-TERM", "-TERM"), ("-INT", "-INT"), ("-INT", "-TERM")] {
        let mut check = command();
        check.env("GOEMU_BINARY", planted()).args(["check", "main.twiceRight", "--time", "60s"]);
        let child = check.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(1500));
        for signal in [first, second] {
            let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
            assert!(sent.expect("kill").success());
            std::thread::sleep(Duration::from_millis(10));
        }
        let ended = child.wait_with_output().expect("it ends");
        let stdout = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert!(stdout.starts_with("main.twiceRight: nothing found in "), "{stdout}");
    }
}

/// What was changed of the program is part of the command.
#[test]
fn a_changed_program_is_tested() {
    // The result of main.twiceRight is 0: xor eax, eax; ret.
    let change = ["--patch", "main.twiceRight=31 c0 c3"];
    let same = ["check", "main.twiceRight", "--expect", "0", "--quiet"];
    assert_eq!(on_planted(&same).status, 2);
    assert_eq!(on_planted(&[&same[..], &change[..]].concat()).status, 0);
    let wrong =
        on_planted(&[&["check", "main.twiceRight", "--expect", "1", "--quiet"][..], &change[..]].concat());
    assert_eq!(wrong.status, 2, "{wrong:?}");
    assert!(wrong.stdout.contains("--patch 'main.twiceRight=31 c0 c3'"), "{wrong:?}");
}

#[test]
fn findings_as_files() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (xml, test) = (folder.join("found.xml"), folder.join("found_test.go"));
    let paths = [xml.to_str().unwrap(), test.to_str().unwrap()];
    let found = on_planted(&["check", "trim", "--idempotent", "--junit", paths[0], "--emit-test", paths[1]]);
    assert_eq!(found.status, 2, "{found:?}");
    let text = std::fs::read_to_string(&xml).unwrap();
    assert!(text.contains("tests=\"1\" failures=\"1\"") && text.contains("type=\"idempotent\""), "{text}");
    let text = std::fs::read_to_string(&test).unwrap();
    assert!(text.contains("want0 := trim(trim(\"  \"))") && text.contains("func TestTrimFound("), "{text}");
}

#[test]
fn patterns_test_many_functions() {
    let swept = on_planted(&["check", "main.*ight", "--runs", "50", "--json"]);
    assert_eq!(swept.status, 0, "{swept:?}");
    let object = json(&swept);
    assert_eq!((object["functions"].as_u64(), object["tested"].as_u64()), (Some(2), Some(2)));
    let text = on_planted(&["check", "main.n*", "--runs", "200"]);
    assert_eq!(text.status, 2, "{text:?}");
    assert!(
        text.stdout.contains("\n3 functions tested, ") && text.stdout.ends_with(" 3 failed\n"),
        "{text:?}"
    );
}

#[test]
fn what_cannot_be_checked_is_an_error_in_one_line() {
    for (args, part) in [
        (&["check", "main.nosuch"][..], "no function main.nosuch"),
        (&["check", "main.keys", "--commutes"], "--commutes: main.keys cannot be tested so"),
        (&["check", "main.ratio", "--arg", "3 in 0..5"], "there is no argument 3: it takes a, b"),
        (&["check", "main.ratio", "--panics", "("], "--panics ("),
        (&["check", "nosuch*"], "no functions are matched by nosuch*"),
        (&["diff", "-b", "x"], "two builds are compared"),
    ] {
        let failed = on_planted(args);
        assert!(failed.status == 1 && failed.stderr.contains(part), "{args:?}: {failed:?}");
        assert_eq!(failed.stderr.lines().count(), 1, "{failed:?}");
    }
}

#[test]
fn builds_are_compared() {
    let (old, new) = (corpus("go1.15"), corpus("go1.27"));
    let builds = ["diff", "-b", old.to_str().unwrap(), "-b", new.to_str().unwrap()];
    let same = ran(command().args(builds).args(["main.fib", "--arg", "1 in 0..15", "--runs", "50"]));
    assert_eq!(same, Ran::new(0, "main.fib: no difference in 50 runs\n", ""));
    let sweep = ran(command().args(builds).args(["main.rev*", "main.gcd", "--runs", "50", "--json"]));
    let object = json(&sweep);
    assert!(object["compared"].as_u64() > Some(1), "{sweep:?}");
    assert_eq!(object["findings"].as_array().map(Vec::len), Some(0), "{sweep:?}");
}

/// What a build without LibAFL says of the command.
#[cfg(not(feature = "fuzz"))]
#[test]
fn fuzzing_is_a_feature() {
    let failed = on_planted(&["fuzz", "main.magic", "--runs", "5"]);
    let message = "goemu: this goemu was built without fuzzing: cargo build --release -p goemu-cli --features fuzz has it\n";
    assert_eq!(failed, Ran::new(1, "", message));
}

/// A stripped program does not tell what a function takes: it is guessed, and the guess is part of the command.
#[test]
fn a_function_without_a_signature_is_tested_by_a_guess() {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/corpus-go1.27-stripped");
    let on_stripped = |args: &[&str]| ran(command().env("GOEMU_BINARY", &program).args(args));
    let found = on_stripped(&["check", "divide", "--quiet"]);
    assert_eq!(found.status, 2, "{found:?}");
    assert!(
        found.stderr.contains("the signature of main.divide is not known; guessed from its code: func(int"),
        "{found:?}"
    );
    let repeat =
        found.stdout.lines().find_map(|line| line.trim().strip_prefix("repeat: goemu ")).expect("a command");
    assert!(repeat.contains("main.divide --sig 'func(int"), "{repeat}");
    let words = format!("{} {repeat}", env!("CARGO_BIN_EXE_goemu"));
    let again = ran(std::process::Command::new("bash").args(["-c", &words]));
    assert_eq!(again.status, 2, "{repeat}: {again:?}");
    assert!(again.stderr.contains("divide by zero"), "{again:?}");
    // Results are compared by their types.
    let results = on_stripped(&["check", "divide", "--pure"]);
    assert_eq!(results.status, 1, "{results:?}");
    assert!(results.stderr.contains("--sig"), "{results:?}");
}

/// What was found is told, though a file of it cannot be written.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_loses_no_finding() {
    for (option, name) in [("--junit", "main.ratio"), ("--emit-test", "main.ratio"), ("--junit", "main.rat*")]
    {
        let found = on_planted(&["check", name, "--quiet", option, "/dev/full"]);
        assert_eq!(found.status, 1, "{found:?}");
        assert!(
            found.stdout.contains("main.ratio: panic: runtime error: integer divide by zero"),
            "{found:?}"
        );
        let message = "goemu: cannot write /dev/full: No space left on device (os error 28)\n";
        assert!(found.stderr.ends_with(message), "{found:?}");
    }
    let found = json(&on_planted(&["check", "main.ratio", "--json", "--junit", "/dev/full"]));
    assert_eq!(found["finding"]["subject"], "main.ratio");
}

//! What a runtime that did not start could get wrong: memory that is never freed, finalizers that never run, checks that are
//! left out. The values are those of native runs of the same programs, the same in all releases.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::outcome::Runtime;
use goemu::{Config, Error, Image, Machine, Outcome, Report};
use goemu_tests::fixtures::{binary, releases};

/// The oldest and the newest release, whose builds CI has.
fn versions() -> Vec<u16> {
    releases("corners", "-stripped", &[15, 27])
}

fn call(version: u16, config: Config, func: &str, sig: &str, args: &[&str]) -> Result<Report, Error> {
    let image = Image::open(binary(&format!("corners-go1.{version}-stripped")).unwrap()).unwrap();
    Machine::with_config(image, config)?.call(func)?.signature(sig)?.literals(args)?.run()
}

fn with(runtime: Option<Runtime>) -> Config {
    // Started programs need more.
    let max_memory = if runtime == Some(Runtime::Hooked) { 64 << 20 } else { 1 << 30 };
    Config { runtime, max_memory, ..Config::default() }
}

/// Each function allocates many times the memory that it may have.
#[test]
fn the_hooked_heap_is_collected() {
    let hooked = || with(Some(Runtime::Hooked));
    for version in versions() {
        let returns = |func: &str, sig: &str, args: &[&str], value: &str| {
            let report = call(version, hooked(), func, sig, args).unwrap();
            assert_eq!(report.outcome.to_string(), value, "{version}: {func}, {:?}", report.doubt);
            assert_eq!(report.doubt, None);
        };
        returns("main.churn", "func(n, size int) int", &["30000", "10000"], "300030000");
        returns("main.grow", "func(n int) int", &["20000"], "20000");
        returns("main.timed", "func(n int) int", &["3000"], "3000");
        returns("main.keep", "func(n int) int", &["2000"], "3020670");
        let many = call(version, hooked(), "main.keep", "func(n int) int", &["100000"]).unwrap();
        let free = Config { max_memory: 2 << 30, ..hooked() };
        let plenty = call(version, free, "main.keep", "func(n int) int", &["100000"]).unwrap();
        assert_eq!(many.outcome, plenty.outcome, "{version}");
        assert_eq!(many.outcome.word(), "returned", "{version}: {}", many.outcome);
    }
}

/// A collection does not free what the call still uses: the same function, with collections that come at other places.
#[test]
fn collections_change_no_result() {
    for version in versions() {
        for max_memory in [24 << 20, 32 << 20, 48 << 20] {
            let config = Config { max_memory, ..with(Some(Runtime::Hooked)) };
            let report = call(version, config, "main.keep", "func(n int) int", &["30000"]).unwrap();
            assert_eq!(report.outcome.to_string(), "7486670", "{version}, {max_memory}");
        }
    }
}

#[test]
fn who_watches_the_collector_is_served_by_the_real_one() {
    for version in versions() {
        for runtime in [None, Some(Runtime::Real)] {
            let value = |func: &str, sig: &str| {
                call(version, with(runtime), func, sig, &[]).unwrap().outcome.to_string()
            };
            assert_eq!(value("main.finalized", "func() string"), "\"finalized\"", "{version}, {runtime:?}");
            assert_eq!(value("main.pooled", "func() bool"), "true", "{version}, {runtime:?}");
            assert_eq!(value("main.collections", "func() bool"), "true", "{version}, {runtime:?}");
        }
        let hooked = || with(Some(Runtime::Hooked));
        let refused = call(version, hooked(), "main.finalized", "func() string", &[]).unwrap_err();
        assert!(refused.to_string().contains("run finalizers"), "{version}: {refused}");
        for func in ["main.pooled", "main.collections"] {
            let report = call(version, hooked(), func, "func() bool", &[]).unwrap();
            assert_eq!(report.outcome.to_string(), "true", "{version}: {func}");
        }
    }
}

/// The arguments of a `go` statement have a limit where they are copied to the new stack.
#[test]
fn goroutines_are_given_what_they_can_be() {
    for version in versions() {
        for (kind, value) in [("0", "1993"), ("1", "2001")] {
            for runtime in [Runtime::Hooked, Runtime::Real] {
                let made =
                    call(version, with(Some(runtime)), "main.startWith", "func(kind int) int", &[kind]);
                let text = match made.unwrap().outcome {
                    Outcome::Exited { fatal: Some(fatal), .. } => fatal.text,
                    outcome => outcome.to_string(),
                };
                let too_many = "newproc: function arguments too large for new goroutine";
                let expected = if kind == "1" && version == 15 { too_many } else { value };
                assert_eq!(text, expected, "{version}, {runtime:?}");
            }
        }
    }
}

/// Hooks keep the checks of what they replace, in the words of the release.
#[test]
fn finalizers_are_checked() {
    for version in versions() {
        for kind in 0..10 {
            let args = [&*kind.to_string()];
            let text = |runtime| {
                let report = call(version, with(Some(runtime)), "main.badFinalizer", "func(kind int)", &args);
                match report.unwrap().outcome {
                    Outcome::Exited { fatal: Some(fatal), .. } => fatal.text,
                    outcome => outcome.word().to_owned(),
                }
            };
            let (hooked, real) = (text(Runtime::Hooked), text(Runtime::Real));
            assert_eq!(hooked, real, "{version}: {kind}");
            // A byte may share the memory of an object without pointers.
            let wrong = kind != 7 && kind != 5;
            assert_eq!(hooked.starts_with("runtime.SetFinalizer: "), wrong, "{version}: {kind}: {hooked}");
        }
    }
}

/// What hooks cannot do is not passed off as the program's fate.
#[test]
fn a_doubtful_end_says_so() {
    if !versions().contains(&27) {
        return;
    }
    let config = Config { max_memory: 24 << 20, ..with(Some(Runtime::Hooked)) };
    let report = call(27, config, "main.churn", "func(n, size int) int", &["5", "30000000"]).unwrap();
    assert_eq!(report.outcome.to_string(), "fatal error: runtime: out of memory");
    assert!(report.doubt.unwrap().contains("used up"));
}

/// What a program asks of its own goroutines and memory: the values of native runs.
#[test]
fn a_program_is_told_of_itself() {
    for version in versions() {
        for runtime in [None, Some(Runtime::Hooked), Some(Runtime::Real)] {
            let value = |func: &str, sig: &str| match call(version, with(runtime), func, sig, &[]) {
                Ok(report) => report.outcome.to_string(),
                Err(error) => error.to_string(),
            };
            assert_eq!(value("main.counted", "func() string"), r#""1 2 3 3 0""#, "{version}, {runtime:?}");
            assert_eq!(value("main.created", "func() string"), r#""main.created""#, "{version}, {runtime:?}");
            let memory = r#""true 0 16 true true true""#;
            assert_eq!(value("main.memory", "func() string"), memory, "{version}, {runtime:?}");
            let profiled = value("main.profiled", "func() bool");
            if runtime == Some(Runtime::Hooked) {
                assert!(profiled.contains("a profile of several goroutines"), "{version}: {profiled}");
            } else {
                assert_eq!(profiled, "true", "{version}, {runtime:?}");
            }
        }
    }
}

/// The same of what is newer than the oldest release.
#[test]
fn a_program_of_a_newer_release_is_told_of_itself() {
    for version in versions().into_iter().filter(|version| *version >= 25) {
        for runtime in [None, Some(Runtime::Hooked), Some(Runtime::Real)] {
            let value =
                |func: &str, sig: &str, args: &[&str]| match call(version, with(runtime), func, sig, args) {
                    Ok(report) => match report.outcome {
                        Outcome::Exited { fatal: Some(fatal), .. } => fatal.text,
                        outcome => outcome.to_string(),
                    },
                    Err(error) => error.to_string(),
                };
            let told = |func: &str| value(func, "func() bool", &[]);
            assert_eq!(told("main.defaultProcessors"), "true", "{version}, {runtime:?}");
            assert_eq!(told("main.cleanupOfVariable"), "true", "{version}, {runtime:?}");
            let channel = value("main.timerChannel", "func() string", &[]);
            assert_eq!(channel, r#""0 0 0 0""#, "{version}, {runtime:?}");
            let (cycles, hooked) = (told("main.cycles"), runtime == Some(Runtime::Hooked));
            assert!(if hooked { cycles.contains("reading metrics") } else { cycles == "true" }, "{cycles}");
            for (made, used) in [("false", "false"), ("true", "true"), ("true", "false"), ("false", "true")] {
                let sum = value("main.lockedCoroutine", "func(made, used bool) int", &[made, used]);
                let expected = match (made == used, hooked) {
                    (true, _) => "6",
                    (false, true) => "a coroutine on another thread than it was made on",
                    (false, false) => "coro: OS thread locking must match locking at coroutine creation",
                };
                assert!(sum.starts_with(expected), "{version}, {runtime:?}: {made}, {used}: {sum}");
            }
        }
    }
}

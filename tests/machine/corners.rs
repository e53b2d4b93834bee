//! What a runtime that did not start could get wrong: memory that is never freed, finalizers that never run, checks that are
//! left out. The values are those of native runs of the same programs, the same in all releases.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use goemu::outcome::Runtime;
use goemu::{Config, Error, Image, Machine, Outcome, Report};
use goemu_loader::Perm;
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
fn who_watches_the_collector_is_served() {
    for version in versions() {
        for runtime in [None, Some(Runtime::Hooked), Some(Runtime::Real)] {
            let value = |func: &str, sig: &str| {
                call(version, with(runtime), func, sig, &[]).unwrap().outcome.to_string()
            };
            assert_eq!(value("main.finalized", "func() string"), "\"finalized\"", "{version}, {runtime:?}");
            assert_eq!(value("main.pooled", "func() bool"), "true", "{version}, {runtime:?}");
            assert_eq!(value("main.collections", "func() bool"), "true", "{version}, {runtime:?}");
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
            let measured = r#""true true true 2 true true true""#;
            assert_eq!(value("main.measured", "func() string"), measured, "{version}, {runtime:?}");
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

/// What a call comes to: its value, the text of a fatal error, or why it cannot be made.
fn said(version: u16, runtime: Option<Runtime>, func: &str, sig: &str, args: &[&str]) -> String {
    match call(version, with(runtime), func, sig, args) {
        Ok(report) => match report.outcome {
            Outcome::Exited { fatal: Some(fatal), .. } => fatal.text,
            outcome => outcome.to_string(),
        },
        Err(error) => error.to_string(),
    }
}

/// The values are those of native runs.
#[test]
fn what_is_pinned_is_checked() {
    const OBJECTS_AND_VARIABLES: u32 = 5;
    const FOREIGN: [u32; 2] = [5, 6];
    let wrong = ["is nil", "is not a pointer: int", "is not a pointer: string", "is not a pointer: []int"];
    let more = ["is not a pointer: map[int]int", "is not a pointer: chan int", "is not a pointer: func()"];
    for version in releases("corners", "-stripped", &[21, 23, 24, 27]) {
        for runtime in [None, Some(Runtime::Hooked), Some(Runtime::Real)] {
            let pin =
                |kind: u32| said(version, runtime, "main.pin", "func(kind int) string", &[&kind.to_string()]);
            for kind in 0..OBJECTS_AND_VARIABLES {
                assert_eq!(pin(kind), r#""pinned 14""#, "{version}, {runtime:?}: {kind}");
            }
            for kind in FOREIGN {
                let expected = match (version, runtime) {
                    (21, Some(Runtime::Hooked)) => "pinning what is neither an object nor a variable",
                    (21, _) => r#""runtime error: runtime.Pinner.Pin: argument is not a Go pointer""#,
                    _ => r#""pinned 14""#,
                };
                assert!(pin(kind).starts_with(expected), "{version}, {runtime:?}: {kind}: {}", pin(kind));
            }
            for (kind, text) in (7..).zip(wrong.iter().chain(&more)) {
                let expected = format!(r#""runtime error: runtime.Pinner: argument {text}""#);
                assert_eq!(pin(kind), expected, "{version}, {runtime:?}");
            }
        }
    }
}

/// The values are those of native runs: up to Go 1.24, variables have no weak pointers.
#[test]
fn weak_pointers_are_those_of_the_release() {
    const VARIABLE: u32 = 2;
    for version in releases("corners", "-stripped", &[24, 27]) {
        for runtime in [None, Some(Runtime::Hooked), Some(Runtime::Real)] {
            for (kind, collected) in (0..4).flat_map(|kind| [(kind, "false"), (kind, "true")]) {
                let args = [&*kind.to_string(), collected];
                let weakly =
                    said(version, runtime, "main.weakly", "func(kind int, collected bool) string", &args);
                let expected = match (version, kind) {
                    (24, VARIABLE) => "getWeakHandle on invalid pointer",
                    _ => r#""true true true""#,
                };
                assert!(
                    weakly.starts_with(expected),
                    "{version}, {runtime:?}: {kind}, {collected}: {weakly}"
                );
            }
        }
    }
    for version in releases("corners", "-stripped", &[23, 24, 27]) {
        for runtime in [None, Some(Runtime::Hooked), Some(Runtime::Real)] {
            let canonical =
                |a, b| said(version, runtime, "main.canonical", "func(a, b string) (bool, string)", &[a, b]);
            assert_eq!(canonical(r#""ab""#, r#""ab""#), r#"true, "abab""#, "{version}, {runtime:?}");
            assert_eq!(canonical(r#""ab""#, r#""a""#), r#"false, "aba""#, "{version}, {runtime:?}");
        }
    }
    // Go 1.23 makes them for its own packages only, of objects only.
    for version in releases("corners", "-stripped", &[23]) {
        let image = Image::open(binary(&format!("corners-go1.{version}-stripped")).unwrap()).unwrap();
        let data = image.segments().iter().find(|segment| segment.perm.contains(Perm::WRITE)).unwrap().addr;
        for runtime in [Runtime::Hooked, Runtime::Real] {
            let (func, sig) = ("internal/weak.runtime_registerWeakPointer", "func(at uintptr) uintptr");
            let text = said(version, Some(runtime), func, sig, &[&data.to_string()]);
            assert_eq!(text, "getWeakHandle on invalid pointer", "{version}, {runtime:?}");
        }
    }
}

/// What the start of the runtime makes of a variable that programs may read: whether anybody asks for a profile of memory, the linker
/// has seen.
#[test]
fn memory_is_sampled_as_the_linker_saw_fit() {
    const USUAL: u64 = 512 << 10;
    for (name, rate) in [("typed-go1.27", 0), ("world-go1.27", 0), ("corpus-go1.15", USUAL)] {
        let image = Arc::new(Image::open(binary(name).unwrap()).unwrap());
        let variable = image.symbol("runtime.MemProfileRate").unwrap().addr;
        for runtime in [Runtime::Hooked, Runtime::Real] {
            let mut machine = Machine::with_config(Arc::clone(&image), with(Some(runtime))).unwrap();
            machine.initialise().unwrap();
            assert_eq!(machine.memory().read(variable), Ok(rate.to_le_bytes()), "{name}, {runtime:?}");
        }
    }
}

//! Programs that were started: their own runtime serves calls, and what they do stays within limits.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use goemu::machine::Config;
use goemu::outcome::Runtime;
use goemu::trace::Detail;
use goemu::{Error, Image, Machine, Outcome, Report};
use goemu_tests::fixtures::{VERSIONS, binary, releases};
use goemu_tests::trace::traced;

fn image(name: &str) -> Arc<Image> {
    Arc::new(Image::open(binary(name).unwrap()).unwrap())
}

fn machine(name: &str, runtime: Option<Runtime>, seed: u64) -> Machine {
    let config = Config { runtime, seed, ..Config::default() };
    Machine::with_config(image(name), config).unwrap()
}

fn real(name: &str) -> Machine {
    machine(name, Some(Runtime::Real), 1)
}

fn call(machine: &mut Machine, func: &str, args: &[&str]) -> Report {
    machine.call(func).unwrap().literals(args).unwrap().run().unwrap()
}

#[test]
fn hooks_serve_what_they_can_and_the_real_runtime_the_rest() {
    let mut machine = machine("world-go1.27", None, 1);
    // The poller is the system's.
    let polls = ("runtime.netpollinit", &[][..], Runtime::Real);
    for (func, args, serves) in [
        ("main.locks", &["4"][..], Runtime::Hooked),
        polls,
        ("main.timers", &["5"][..], Runtime::Hooked),
        polls,
    ] {
        let report = call(&mut machine, func, args);
        assert!(matches!(report.outcome, Outcome::Returned(_)), "{func}: {report:?}");
        assert_eq!(report.runtime, serves, "{func}");
    }
}

#[test]
fn hooked_is_hooked_alone() {
    let mut machine = machine("world-go1.27", Some(Runtime::Hooked), 1);
    let refused = machine.call("runtime.netpollinit").unwrap().run();
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
}

#[test]
fn what_cannot_be_started_says_so() {
    let config = Config { runtime: Some(Runtime::Real), max_memory: 16 << 20, ..Config::default() };
    let mut small = Machine::with_config(image("corpus-go1.27"), config).unwrap();
    let error = small.call("main.add").unwrap().arg(1).arg(2).run().unwrap_err();
    assert!(error.to_string().contains("cannot be started"), "{error}");
    assert!(error.to_string().ends_with("it may need up to 128 MiB of memory"), "{error}");
}

/// The same seed is the same run to the instruction; another seed is another order, where Go leaves it open.
/// A program with C in it is not started, also where nothing but Go's own table names its functions.
#[test]
fn cgo_is_seen_without_symbols() {
    let mut bytes = std::fs::read(binary("corpus-go1.27-stripped").unwrap()).unwrap();
    let name = bytes.windows(12).position(|name| name == b"\0main.sieve\0").unwrap() + 1;
    bytes[name..name + 10].copy_from_slice(b"crosscall2");
    let config = Config { runtime: Some(Runtime::Real), ..Config::default() };
    let started = Machine::with_config(Image::parse(bytes).unwrap(), config);
    let error = started.err().map_or_else(String::new, |error| error.to_string());
    assert!(error.contains("it uses cgo"), "{error}");
}

#[test]
fn the_seed_decides() {
    let run = |seed| {
        let mut machine = machine("world-go1.27", Some(Runtime::Real), seed);
        let booted = machine.booted().unwrap().instructions;
        let calls = [("main.atomics", "100"), ("main.timers", "30"), ("main.locks", "4")];
        let reports = calls.map(|(func, arg)| call(&mut machine, func, &[arg]));
        (booted, reports)
    };
    let (first, again, other) = (run(7), run(7), run(8));
    assert_eq!(first, again);
    assert_ne!(first.1.map(|report| report.instructions), other.1.map(|report| report.instructions));
}

#[test]
fn calls_start_from_the_same_state() {
    let mut machine = real("corpus-go1.15");
    let first = call(&mut machine, "main.pipeline", &["3", "10"]);
    let between = call(&mut machine, "main.deadlock", &[]);
    let again = call(&mut machine, "main.pipeline", &["3", "10"]);
    assert_eq!(first, again);
    assert_eq!(between.outcome.word(), "deadlock");
}

/// All goroutines' stacks come with it, as Go prints them.
#[test]
fn a_deadlock_shows_who_waits() {
    for version in releases("corpus", "", &VERSIONS) {
        let report = call(&mut real(&format!("corpus-go1.{version}")), "main.deadlock", &[]);
        let Outcome::Deadlock(traceback) = &report.outcome else { panic!("1.{version}: {report:?}") };
        let stack = &traceback.goroutines[0];
        assert_eq!((stack.goroutine, stack.frames[0].func.as_str()), (1, "main.deadlock"), "1.{version}");
        assert!(stack.status.starts_with("chan "), "1.{version}: {}", stack.status);
        assert!(stack.frames[0].line.file.ends_with(".go"), "{stack:?}");
        assert!(report.stderr.is_empty(), "1.{version}");
    }
}

/// A panic's traceback is the one that hooks give, but for what lies in memory.
#[test]
fn panics_are_those_of_the_hooked_runtime() {
    for version in releases("corpus", "", &[15, 19, 23, 27]) {
        let name = format!("corpus-go1.{version}");
        let places = |runtime| {
            let report = call(&mut machine(&name, Some(runtime), 1), "main.index", &["[]int{4, 5, 6}", "3"]);
            let Outcome::Panicked(panic) = report.outcome else { panic!("{report:?}") };
            let frames = panic.traceback.goroutines[0].frames.clone();
            let frames: Vec<_> = frames.into_iter().map(|f| (f.func, f.line, f.offset)).collect();
            (panic.value.to_string(), panic.text, frames)
        };
        assert_eq!(places(Runtime::Real), places(Runtime::Hooked), "{name}");
    }
}

/// `main.main` is the whole program.
#[test]
fn a_whole_program_runs() {
    let report = call(&mut real("world-go1.27"), "main.main", &[]);
    assert!(
        matches!(report.outcome, Outcome::Returned(_) | Outcome::Exited { fatal: None, .. }),
        "{report:?}"
    );
    assert!(String::from_utf8_lossy(&report.stderr).contains("returned"), "{report:?}");
}

/// Stacks and heaps are elsewhere in the two runtimes.
fn without_addresses(text: &str) -> String {
    let part = |part: &str| {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits >= 10 { format!("ADDRESS{}", &part[digits..]) } else { format!("0x{part}") }
    };
    let (first, rest) = text.split_once("0x").unwrap_or((text, ""));
    let rest = rest.split("0x").map(part).collect::<String>();
    if text.contains("0x") { format!("{first}{rest}") } else { text.to_owned() }
}

/// The tree of calls is the one that hooks give: the scheduler is not in it. Where the stack has to grow depends on how
/// large it was; what is called then is where it would have been.
#[test]
fn traces_show_the_call_alone() {
    for version in [15, 27] {
        let name = format!("corpus-go1.{version}");
        for (func, args) in [("main.f1", &[][..]), ("main.fib", &["6"]), ("main.deep", &["200"])] {
            let tree = |runtime| {
                let mut machine = machine(&name, Some(runtime), 1);
                let text = without_addresses(&traced(&mut machine, Detail::Calls, func, args).0);
                // Deep calls have their depth before them.
                let of_depth = |c: char| c.is_ascii_digit() || " []".contains(c);
                let grows = |line: &&str| !line.trim_start_matches(of_depth).starts_with("runtime.morestack");
                text.lines().filter(grows).map(|line| format!("{line}\n")).collect::<String>()
            };
            let (real, hooked) = (tree(Runtime::Real), tree(Runtime::Hooked));
            assert!(hooked.lines().count() > 2, "{hooked}");
            assert_eq!(real, hooked, "{name} {func}");
        }
    }
}

/// Whoever watches sees one call, by whatever runtime it is served.
#[test]
fn a_watched_call_is_seen_once() {
    let mut machine = machine("corpus-go1.27", None, 1);
    for func in ["main.goroutineSum", "main.fib"] {
        let (text, report) = traced(&mut machine, Detail::Calls, func, &["5"]);
        let begins = text.lines().filter(|line| line.starts_with(&format!("{func}("))).count();
        assert_eq!((begins, report.outcome.word()), (1, "returned"), "{text}");
    }
}

/// Nothing of it is cut off in either runtime.
#[test]
fn a_panic_has_its_whole_text() {
    for version in [15, 27] {
        for runtime in [Runtime::Hooked, Runtime::Real] {
            let mut machine = machine(&format!("corpus-go1.{version}"), Some(runtime), 1);
            let Outcome::Panicked(panic) = call(&mut machine, "runtime.gopanic", &["\"text \\t\""]).outcome
            else {
                panic!("1.{version}");
            };
            assert_eq!(panic.text, "text \t", "1.{version} {runtime}");
        }
    }
}

/// What hooks would answer otherwise than a program that was started is left to it, or refused.
#[test]
fn what_only_a_started_program_knows_is_not_made_up() {
    let hooked = |build: &str, func: &str, signature: &str, args: &[&str]| {
        let mut machine = machine(build, Some(Runtime::Hooked), 1);
        let call = machine.call(func).unwrap().signature(signature).unwrap();
        call.literals(args).unwrap().run().map(|report| report.outcome.to_string()).unwrap_err().to_string()
    };
    // Go takes a file without a poller for one that has no deadlines.
    let set = "func(fd uintptr, wall, ext, loc uintptr, mode int) error";
    let error =
        hooked("whole-go1.27-stripped", "internal/poll.setDeadlineImpl", set, &["0", "0", "0", "0", "114"]);
    assert!(error.contains("a deadline of a file"), "{error}");
    // A thread waits for signals, so that Go does not find all asleep.
    for build in ["process-go1.15-stripped", "process-go1.27-stripped"] {
        let error = hooked(build, "os/signal.signal_recv", "func() uint32", &[]);
        assert!(error.contains("waiting for a signal"), "{build}: {error}");
    }
}

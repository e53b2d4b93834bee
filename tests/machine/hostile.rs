//! Guests that cost a host more than they seem to: a short run of `cargo xtask hostile`, with a hundredth of the fuel. Time is processor
//! time, and memory is what the guest has and what is kept for it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use goemu::machine::EngineChoice;
use goemu::outcome::Runtime;
use goemu::{Call, Config, Image, Machine};
use goemu_tests::fixtures::binary;
use goemu_tests::work::work;

const FUEL: u64 = 10_000_000;
const MEMORY: u64 = 256 << 20;
/// Of ten million of fuel in a build that is not optimised: ten times what it takes at most.
const MOST: Duration = Duration::from_secs(20);

/// The guests; the file says what its columns are.
const GUESTS: &str = include_str!("../../testdata/hostile.tsv");

/// The guests of which so much is expected, and what the short test calls them with.
fn guests(expected: &str) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    let rows = GUESTS.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t'));
    rows.filter_map(move |mut cells| {
        let wanted = cells.nth(1)? == expected;
        let (name, given) = (cells.next()?, cells.next()?);
        wanted.then(|| (name, given.split_once('|').map(|(_, short)| short)))
    })
}

fn call<'m>(machine: &'m mut Machine, guest: &str, given: Option<&str>) -> Call<'m> {
    let signature = if given.is_some() { "func(int)" } else { "func()" };
    let call = machine.call(&format!("main.{guest}")).unwrap().signature(signature).unwrap();
    call.literals(&Vec::from_iter(given)).unwrap()
}

fn machine(runtime: Runtime) -> Machine {
    let image = Image::open(binary("hostile-go1.27-stripped").unwrap()).unwrap();
    // Variables of 512 MiB are mapped, and not touched.
    let max_memory = MEMORY + (512 << 20);
    let config = Config { fuel: FUEL, max_memory, runtime: Some(runtime), ..Config::default() };
    Machine::with_config(image, config).unwrap()
}

#[test]
fn work_is_charged_by_what_it_is() {
    let mut machine = machine(Runtime::Real);
    let mut wrong = Vec::new();
    for (guest, given) in ["endless", "kept", "waits"].into_iter().flat_map(guests) {
        let call = call(&mut machine, guest, given);
        let (time, report) = work(|| call.run().unwrap());
        if time > MOST || report.outcome.word() == "returned" {
            wrong.push(format!("{guest}: {time:?}, {}", report.outcome));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Calls start from the same state, which guests cannot make dear to go back to: a call that follows them is what it was.
#[test]
fn what_calls_start_from_is_restored() {
    for engine in [EngineChoice::Auto, EngineChoice::Interpreter] {
        let image = Image::open(binary("hostile-go1.27-stripped").unwrap()).unwrap();
        let max_memory = MEMORY + (1 << 30);
        let runtime = Some(Runtime::Real);
        let config = Config { fuel: 2_000_000, max_memory, runtime, engine, ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        let touched = |machine: &mut Machine| {
            let call = machine.call("main.maxThreads").unwrap().signature("func() (int, int)").unwrap();
            call.run().unwrap().outcome.to_string()
        };
        let expected = touched(&mut machine);
        for guest in ["dirtyKept", "replaceKept", "protectKept", "ownText"] {
            let (time, ()) = work(|| {
                for _ in 0..3 {
                    assert_eq!(call(&mut machine, guest, None).run().unwrap().outcome.word(), "out_of_fuel");
                    assert_eq!(touched(&mut machine), expected, "{guest}");
                }
            });
            assert!(time < MOST, "{guest}, {engine:?}: {time:?}");
        }
    }
}

/// Guests that keep the host's memory and none of their own: with the fuel for it, each ends by the limit of memory.
#[test]
fn what_is_kept_beside_the_guests_memory_is_limited() {
    for (guest, given) in guests("kept") {
        let image = Image::open(binary("hostile-go1.27-stripped").unwrap()).unwrap();
        let max_memory = (128 << 20) + (512 << 20);
        let config =
            Config { fuel: 200_000_000, max_memory, runtime: Some(Runtime::Real), ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        let report = call(&mut machine, guest, given).run().unwrap();
        assert_eq!(report.outcome.word(), "memory_limit", "{guest}: {}", report.outcome);
    }
}

/// A deadline is looked at by what calls cost, too: these take a millisecond each, and execute a few instructions.
#[test]
fn deadlines_count_what_calls_cost() {
    let image = Image::open(binary("hostile-go1.27-stripped").unwrap()).unwrap();
    let deadline = Some(Duration::from_millis(300));
    let config = Config { runtime: Some(Runtime::Real), deadline, fuel: u64::MAX / 4, ..Config::default() };
    let mut machine = Machine::with_config(image, config).unwrap();
    // It is started once, which has a time of its own.
    machine.call("main.closeRange").unwrap().signature("func()").unwrap().run().unwrap();
    let (time, report) =
        work(|| machine.call("main.badPoll").unwrap().signature("func()").unwrap().run().unwrap());
    assert_eq!(report.outcome.word(), "out_of_time", "{}", report.outcome);
    assert!(time < Duration::from_secs(2), "{time:?}");
}

/// And while code is decoded that comes to no place where fuel is looked at: these are millions of instructions.
#[test]
fn deadlines_count_what_decoding_takes() {
    for engine in [EngineChoice::Auto, EngineChoice::Interpreter] {
        let image = Image::open(binary("hostile-go1.27-stripped").unwrap()).unwrap();
        let deadline = Some(Duration::from_secs(1));
        let config = Config { runtime: Some(Runtime::Real), deadline, engine, ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        machine.call("main.closeRange").unwrap().signature("func()").unwrap().run().unwrap();
        let (time, report) =
            work(|| machine.call("main.longCode").unwrap().signature("func()").unwrap().run().unwrap());
        assert_eq!(report.outcome.word(), "out_of_time", "{}", report.outcome);
        assert!(report.instructions < 4_000_000, "{engine:?}: {time:?}, {}", report.instructions);
    }
}

/// Hosts keep only so many parts of a mapping apart; the guest gets all that it asks for.
#[test]
fn mappings_of_many_parts_are_served() {
    for engine in [EngineChoice::Auto, EngineChoice::Interpreter] {
        let image = Image::open(binary("hostile-go1.27-stripped").unwrap()).unwrap();
        let config = Config { runtime: Some(Runtime::Real), engine, ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        let call = machine.call("main.vmaLimit").unwrap().signature("func(n int) int").unwrap();
        assert_eq!(call.literals(&["70000"]).unwrap().run().unwrap().outcome.to_string(), "0", "{engine:?}");
        let call = machine.call("main.holes").unwrap().signature("func(n int) int").unwrap();
        assert_eq!(call.literals(&["10000"]).unwrap().run().unwrap().outcome.to_string(), "0", "{engine:?}");
        let call = machine.call("main.vmaCrash").unwrap().signature("func(n, m int) int").unwrap();
        let call = call.literals(&["20000", "19900"]).unwrap();
        assert_eq!(call.run().unwrap().outcome.to_string(), "-1", "{engine:?}");
    }
}

/// Each value has the names of its fields, which are longer than what the guest has of it.
#[test]
fn names_in_results_are_counted() {
    for (guest, ty) in [("longNames", "[]main.wide"), ("longerNames", "[]main.wider")] {
        let mut machine = machine(Runtime::Hooked);
        let call = machine.call(&format!("main.{guest}")).unwrap();
        let call = call.signature(&format!("func() {ty}")).unwrap();
        let report = call.run().unwrap();
        let text = format!("{:?}", report.outcome);
        assert!(text.len() < 256 << 20, "{guest}: {} bytes", text.len());
    }
}

/// Hooked as natively, which the program's own runtime is.
#[test]
fn settings_of_the_runtime_are_kept() {
    let ended = |runtime, guest: &str, results: &str| {
        let mut machine = machine(runtime);
        let call = machine.call(&format!("main.{guest}")).unwrap();
        let report = call.signature(&format!("func() {results}")).unwrap().run().unwrap();
        let error = String::from_utf8_lossy(&report.stderr).lines().next().unwrap_or_default().to_owned();
        (report.outcome.to_string(), error)
    };
    for (guest, results, outcome, error) in [
        ("maxStack", "(int, int)", "1000000000, 65536", ""),
        ("maxThreads", "(int, int)", "10000, 200", ""),
        (
            "smallStack",
            "int",
            "fatal error: stack overflow",
            "runtime: goroutine stack exceeds 65536-byte limit",
        ),
        ("processors", "(int, int, int)", "1, 3, 1", ""),
        (
            "badProcessors",
            "int",
            "fatal error: procresize: invalid arg",
            "fatal error: procresize: invalid arg",
        ),
        ("noThreads", "int", "fatal error: thread exhaustion", "runtime: program exceeds 0-thread limit"),
    ] {
        for runtime in [Runtime::Hooked, Runtime::Real] {
            let found = ended(runtime, guest, results);
            assert_eq!(found, (outcome.to_owned(), error.to_owned()), "{guest}, {runtime:?}");
        }
    }
}

/// The tracer's buffers are not there, and hooks write the trace.
#[test]
fn every_runtime_writes_traces() {
    let run = |runtime| {
        let image = Image::open(binary("hostile-go1.27-stripped").unwrap()).unwrap();
        let config = Config { runtime, ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        let call = machine.call("main.traced").unwrap().signature("func() string").unwrap();
        call.run().map(|report| report.outcome.to_string()).map_err(|error| error.to_string())
    };
    for runtime in [None, Some(Runtime::Real), Some(Runtime::Hooked)] {
        assert_eq!(run(runtime).unwrap(), "\"<nil> true\"", "{runtime:?}");
    }
}

/// Go 1.26 and later refuse cleanups that keep their own object: so do hooks, and the program's runtime says it in its words.
#[test]
fn cleanups_that_keep_their_object_are_refused() {
    let run = |runtime, which: &str| {
        let image = Image::open(binary("hostile-go1.27-stripped").unwrap()).unwrap();
        let config = Config { runtime, ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        let call = machine.call("main.selfCleanup").unwrap().signature("func(int) string").unwrap();
        call.literals(&[which]).unwrap().run().map(|report| report.outcome.to_string())
    };
    let why = ["ptr is within arg", "cleanup function closes over ptr"];
    for (which, why) in ["0", "1"].into_iter().zip(why) {
        for runtime in [None, Some(Runtime::Real)] {
            let text = run(runtime, which).unwrap();
            assert_eq!(
                text,
                format!("panic: runtime.AddCleanup: {why}, cleanup will never run"),
                "{runtime:?}"
            );
        }
        let refused = run(Some(Runtime::Hooked), which).unwrap_err().to_string();
        assert!(refused.contains("a cleanup that would never run"), "{refused}");
    }
    for runtime in [None, Some(Runtime::Real), Some(Runtime::Hooked)] {
        assert_eq!(run(runtime, "2").unwrap(), "\"added\"", "{runtime:?}");
    }
}

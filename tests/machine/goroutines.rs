//! Goroutines: which of them waits for what when none can run, the same run for the same seed, and no more of them than
//! there is room for. What they compute is in the tables of the corpus.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::hook::{Action, HookContext};
use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine, Outcome, Report};
use goemu_tests::fixtures::{binary, present};

fn call(build: &str, config: Config, func: &str, args: &[&str]) -> Report {
    let image = Image::open(binary(build).unwrap()).unwrap();
    let mut machine = Machine::with_config(image, config).unwrap();
    machine.call(func).unwrap().literals(args).unwrap().run().unwrap()
}

#[test]
fn a_deadlock_says_who_waits_for_what() {
    for (func, status) in [("main.deadlock", "chan receive"), ("main.selectForever", "select (no cases)")] {
        let builds = ["corpus-go1.15", "corpus-go1.22", "corpus-go1.27", "corpus-go1.27-stripped"];
        for build in present(builds) {
            let image = Image::open(binary(&build).unwrap()).unwrap();
            let mut machine = Machine::new(image).unwrap();
            let call = machine.call(func).unwrap().signature("func()").unwrap();
            let outcome = call.run().unwrap().outcome;
            assert_eq!(outcome.to_string(), "fatal error: all goroutines are asleep - deadlock!", "{build}");
            let Outcome::Deadlock(traceback) = outcome else { panic!("{build}: {outcome}") };
            let [stack] = &traceback.goroutines[..] else { panic!("{build}: {traceback}") };
            assert_eq!((stack.goroutine, stack.status.as_str()), (1, status), "{build}");
            assert_eq!(stack.frames[0].func, func, "{build}");
        }
    }
}

/// Also without symbols, and in programs for other systems: Go's list of reasons is found by how it begins.
#[test]
fn a_reason_is_found_in_the_program() {
    let stripped = ["15-stripped", "27-stripped", "15-darwin-stripped", "15-windows-stripped"];
    for build in stripped.map(|build| format!("corpus-go1.{build}")) {
        let mut machine = Machine::new(Image::open(binary(&build).unwrap()).unwrap()).unwrap();
        let call = machine.call("runtime.chanrecv1").unwrap().signature("func(c, elem uintptr)").unwrap();
        let outcome = call.literals(&["0", "0"]).unwrap().run().unwrap().outcome;
        let traceback = outcome.traceback().unwrap();
        assert_eq!(traceback.goroutines[0].status, "chan receive (nil chan)", "{build}");
    }
}

#[test]
fn a_seed_gives_the_same_run_and_every_seed_the_same_sum() {
    for build in ["corpus-go1.15", "corpus-go1.27"] {
        let run = |seed| {
            let config = Config { seed, ..Config::default() };
            call(build, config, "main.selectLoop", &["10"])
        };
        let runs: Vec<Report> = (1..6).map(run).collect();
        for (seed, first) in (1..).zip(&runs) {
            assert_eq!(first, &run(seed), "{build}: seed {seed}");
            assert_eq!(first.outcome.to_string(), "45, -45", "{build}: seed {seed}");
        }
        let others = runs.iter().filter(|run| run.instructions != runs[0].instructions).count();
        assert!(others > 0, "{build}: another seed is another order");
    }
}

#[test]
fn more_goroutines_than_there_is_room_for_are_out_of_memory() {
    let config = Config { max_memory: 64 << 20, fuel: 100_000_000, ..Config::default() };
    let report = call("corpus-go1.27", config, "main.goroutineSum", &["10000000"]);
    match report.outcome {
        Outcome::Exited { code: 2, fatal: Some(fatal) } => assert_eq!(fatal.text, "runtime: out of memory"),
        other => panic!("{other}"),
    }
}

/// Functions of timers run on the system's stack: what they start has no creator.
#[test]
fn a_timer_is_no_goroutine() {
    let image = Image::open(binary("world-go1.27").unwrap()).unwrap();
    let config = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
    let mut machine = Machine::with_config(image, config).unwrap();
    let throw = machine.find("runtime.throw").unwrap().entry();
    let dies = move |cx: &mut HookContext<'_>| {
        cx.cpu.rip = throw;
        Ok(Action::Resume)
    };
    machine.hook("main.afterFuncs.func1", dies).unwrap();
    let outcome = machine.call("main.afterFuncs").unwrap().literals(&["1"]).unwrap().run().unwrap().outcome;
    let creator = outcome.traceback().unwrap().goroutines[0].created_by.clone().unwrap();
    assert_eq!((creator.func.as_str(), creator.goroutine), ("time.goFunc", None));
}

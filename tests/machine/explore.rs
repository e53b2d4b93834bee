//! Programs under many schedules: known bugs are found, mended programs are left alone, and what was found is repeated.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::time::Duration;

use goemu::Image;
use goemu::explore::{self, Found, Options, SeenKind};
use goemu::machine::{Config, EngineChoice, Process};
use goemu::program::{Program, Schedule, Strategy};
use goemu_tests::fixtures::binary;

const PROGRAM: &str = "concurrency-go1.27";

fn load(test: &str, engine: EngineChoice) -> Program {
    let args = vec![format!("-test.run=^({test})$")];
    let process = Process { program: "concurrency".to_owned(), args, ..Process::default() };
    let config = Config { processors: 4, fuel: 200_000_000, process, engine, ..Config::default() };
    Program::load(Image::open(binary(PROGRAM).unwrap()).unwrap(), config).unwrap()
}

fn explored(test: &str, seeds: u64, first_failure: bool) -> Found {
    let mut options = Options::default();
    (options.seeds, options.first_failure) = (1..=seeds, first_failure);
    explore::explore(load(test, EngineChoice::Auto), &options, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// Each bug is found as what it is; a few seeds are enough for these.
#[test]
fn known_bugs_are_found() {
    for (test, kind, text) in [
        ("TestMapWritesBug", SeenKind::Fatal, "concurrent map writes"),
        ("TestContextLeakBug", SeenKind::Leak, "chan send in main.contextLeak.func1"),
        ("TestErrorLeakBug", SeenKind::Leak, "chan send in main.errorLeak.func1"),
        ("TestSelectDefaultBug", SeenKind::Deadlock, "chan receive in main.selectDefault"),
        ("TestOnceReentryBug", SeenKind::Deadlock, "chan send in main.onceReentry"),
        ("TestUseBeforeInitBug", SeenKind::Panicked, "nil pointer dereference in main.(*server).run"),
        ("TestAddInsideBug", SeenKind::Exited, "of 3 were waited for"),
        ("TestLoopVariableBug", SeenKind::Exited, "of 3 numbers were seen"),
        ("TestAppendBug", SeenKind::Exited, "of 3 were appended"),
        ("TestTimerStopBug", SeenKind::Exited, "used after Stop"),
    ] {
        let found = explored(test, 40, false).outcomes;
        let matching = found.failures().find(|one| one.seen.kind == kind && one.seen.what.contains(text));
        assert!(matching.is_some(), "{test}: {found:?}");
    }
}

#[test]
fn mended_tests_do_not_fail() {
    let found = explored("Test.*Fixed", 40, false);
    assert_eq!((found.outcomes.failed, found.outcomes.runs), (0, 40), "{:?}", found.outcomes.list);
    assert!(found.complete);
}

/// A run is its seed and its strategy; what it decided repeats it, on either engine.
#[test]
fn a_seed_is_one_run_and_its_decisions_repeat_it() {
    for strategy in ["random", "pct:3/50000", "delay:3/50000"] {
        for seed in [3, 4] {
            let run = |strategy: Strategy, engine| {
                let mut program = load("TestCheckThenActBug|TestContextLeakBug", engine);
                program.start().unwrap();
                let mut schedule = Schedule::default();
                (schedule.strategy, schedule.seed, schedule.settles) = (strategy, seed, true);
                program.run_scheduled(&schedule).unwrap()
            };
            let first = run(strategy.parse().unwrap(), EngineChoice::Auto);
            assert_eq!(run(strategy.parse().unwrap(), EngineChoice::Auto), first, "{strategy} {seed}");
            assert_eq!(run(strategy.parse().unwrap(), EngineChoice::Interpreter), first, "{strategy} {seed}");
            let again = run(Strategy::replay(first.decisions.clone()), EngineChoice::Auto);
            let told =
                |run: &goemu::program::Run| (run.outcome.clone(), run.stdout.clone(), run.instructions);
            assert_eq!(told(&again), told(&first), "{strategy} {seed}");
        }
    }
}

#[test]
fn a_failing_schedule_is_made_smaller_and_told() {
    let mut found = explored("TestMapWritesBug", 200, true);
    let failure = found.outcomes.failures().next().unwrap().clone();
    let time = Duration::from_secs(60);
    let minimal = explore::minimise(&mut found.machine, &failure, 300, time).unwrap().unwrap();
    assert!(minimal.preemptions.1 <= minimal.preemptions.0 && minimal.preemptions.1 <= 4, "{minimal:?}");
    let tale = explore::tale(&mut found.machine, &failure, Some(&minimal)).unwrap();
    assert!(tale.same);
    let writes = |part: &explore::Part| part.lines.iter().any(|line| line.func == "main.mapWrites.func1");
    let writers: Vec<u64> =
        tale.parts.iter().filter(|part| writes(part)).map(|part| part.goroutine).collect();
    assert!(writers.iter().any(|writer| *writer != writers[0]), "{tale:?}");
}

/// A program that ends before `main.main`, or that is no test binary, is explored as well.
#[test]
fn programs_that_are_no_tests() {
    let image = Image::open(binary("whole-go1.27-stripped").unwrap()).unwrap();
    let program = Program::load(image, Config { processors: 4, ..Config::default() }).unwrap();
    let mut options = Options::default();
    options.seeds = 1..=8;
    let found = explore::explore(program, &options, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!((found.outcomes.runs, found.outcomes.failed), (8, 0), "{:?}", found.outcomes.list);
}

fn waits(mode: &str) -> Program {
    let process = Process { program: "waits".to_owned(), args: vec![mode.to_owned()], ..Process::default() };
    let config = Config { processors: 4, fuel: 100_000_000, process, ..Config::default() };
    Program::load(Image::open(binary("waits-go1.27-stripped").unwrap()).unwrap(), config).unwrap()
}

/// A goroutine that waits for another by asking, and is the first by its priority, does not go first for ever.
#[test]
fn who_asks_again_and_again_lets_others_run() {
    for (mode, depth, seed) in [("asks", 2, 1..=12), ("asks", 3, 1..=12), ("looks", 3, 1..=12)] {
        let mut options = Options::default();
        options.seeds = seed;
        options.strategies = vec![Strategy::Pct { depth, length: 0 }];
        let found = explore::explore(waits(mode), &options, &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!((found.outcomes.runs, found.outcomes.failed), (12, 0), "{mode} {:?}", found.outcomes.list);
    }
}

/// In a stripped program, too, a goroutine that waits when the program ends is told, in every schedule.
#[test]
fn a_goroutine_that_is_left_waiting_is_told() {
    let mut options = Options::default();
    (options.seeds, options.leaks) = (1..=8, Some(true));
    let found = explore::explore(waits("left"), &options, &mut |_, _| ControlFlow::Continue(())).unwrap();
    assert_eq!((found.outcomes.runs, found.outcomes.failed), (8, 8), "{:?}", found.outcomes.list);
    let all: Vec<_> = found.outcomes.failures().collect();
    let [only] = all[..] else { panic!("{:?}", found.outcomes.list) };
    assert_eq!((only.seen.kind, only.count), (SeenKind::Leak, 8), "{only:?}");
    assert!(only.seen.what.contains("chan receive in main.receives"), "{only:?}");
}

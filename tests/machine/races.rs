//! Data races: programs that have one each, and programs that have none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goemu::Image;
use goemu::explore::{self, SeenKind};
use goemu::machine::{Config, EngineChoice, Process};
use goemu::program::Program;
use goemu::races::{Limits, Location, Race, Races};
use goemu_tests::fixtures::{binary, cases, releases};

/// The functions with a number each, as the program counts them.
fn functions() -> Vec<(usize, String)> {
    cases("races", 27).into_iter().map(|case| case.function).enumerate().collect()
}

/// A program that will run one case.
fn program(image: &Arc<Image>, number: usize, config: Config) -> Program {
    let env = vec![("GOEMU_CASE".to_owned(), number.to_string())];
    let config = Config { process: Process { env, ..Process::default() }, ..config };
    Program::load(Arc::clone(image), config).unwrap()
}

/// The races of one case.
fn races_of(image: &Arc<Image>, number: usize, config: Config, limits: Limits) -> Vec<Race> {
    let mut program = program(image, number, config);
    let races = Races::watch(program.machine(), limits).unwrap();
    let run = program.run().unwrap();
    assert_eq!(run.status(), Some(0), "case {number}: {}", run.outcome);
    races.take()
}

fn image(version: u16) -> Arc<Image> {
    Arc::new(Image::open(binary(&format!("races-go1.{version}")).unwrap()).unwrap())
}

fn newest() -> Arc<Image> {
    image(27)
}

fn number_of(function: &str) -> usize {
    let (number, _) = functions().into_iter().find(|(_, name)| name == function).unwrap();
    number
}

fn is_clean(function: &str) -> bool {
    function.starts_with("main.clean")
}

#[test]
fn races_are_found_and_nothing_else() {
    let functions = functions();
    let clean = functions.iter().filter(|(_, function)| is_clean(function)).count();
    assert!(clean >= 30 && functions.len() - clean >= 40);
    let mut wrong = Vec::new();
    for version in releases("races", "", &[23, 25, 27]) {
        let image = image(version);
        for (number, function) in &functions {
            let found = races_of(&image, *number, Config::default(), Limits::default());
            match (found.first(), is_clean(function)) {
                (None, false) => wrong.push(format!("go1.{version} {function}: nothing found")),
                (Some(race), true) => wrong.push(format!("go1.{version} {function}: {race}")),
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_schedule_makes_a_race_of_none() {
    let image = newest();
    for (number, function) in functions().iter().filter(|(_, function)| is_clean(function)) {
        for (seed, processors) in [(1, 1), (2, 4)] {
            let config = Config { seed, processors, ..Config::default() };
            let found = races_of(&image, *number, config, Limits::default());
            assert!(found.is_empty(), "{function}, seed {seed}: {}", found[0]);
        }
    }
}

#[test]
fn a_seed_tells_the_same_races_on_either_engine() {
    let (image, number) = (newest(), number_of("main.sliceAppend"));
    let found = |engine| {
        let config = Config { engine, seed: 5, processors: 3, ..Config::default() };
        races_of(&image, number, config, Limits::default())
    };
    let first = found(EngineChoice::Interpreter);
    assert!(!first.is_empty());
    assert_eq!(first, found(EngineChoice::Interpreter));
    assert_eq!(first, found(EngineChoice::Auto));
}

#[test]
fn watching_changes_nothing() {
    let (image, number) = (newest(), number_of("main.cleanSelect"));
    let alone = program(&image, number, Config::default()).run().unwrap();
    let mut watched = program(&image, number, Config::default());
    let _races = Races::watch(watched.machine(), Limits::default()).unwrap();
    assert_eq!(watched.run().unwrap(), alone);
}

#[test]
fn a_report_has_both_accesses_and_the_variable() {
    let found = races_of(&newest(), number_of("main.counter"), Config::default(), Limits::default());
    let [race] = found.as_slice() else { panic!("{} races", found.len()) };
    assert!(race.access.write && race.previous.write);
    assert_ne!(race.access.goroutine.id, race.previous.goroutine.id);
    assert_eq!(race.location, Location::Variable { name: Some("main.number".to_owned()), offset: 0 });
    let text = race.to_string();
    for part in [
        "WARNING: DATA RACE\nWrite at 0x",
        "\n\nPrevious write at 0x",
        "  main.counter.func1()\n      races/racy.go:",
        "\nLocation is variable main.number\n",
        " (finished) created at:\n  main.counter()\n",
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

#[test]
fn a_report_has_where_the_object_was_allocated() {
    let found = races_of(&newest(), number_of("main.structField"), Config::default(), Limits::default());
    let Location::Object { size, ty, goroutine, allocated, addr } = &found[0].location else {
        panic!("{:?}", found[0].location)
    };
    assert_eq!((*goroutine, ty.as_deref()), (1, Some("main.record")));
    assert!(*size == 96 && found[0].addr == addr + 16);
    assert!(allocated.iter().any(|place| place.func == "main.structField"), "{allocated:?}");
}

#[test]
fn what_is_forgotten_makes_no_race() {
    let limits = Limits { shadow: 1, stacks: 1, objects: 1, ..Limits::default() };
    let image = newest();
    for function in ["main.cleanMany", "main.cleanMemoryReuse", "main.cleanSyncMap"] {
        assert_eq!(races_of(&image, number_of(function), Config::default(), limits), []);
    }
    // A stack that is not known is said to be so.
    let limits = Limits { stacks: 1, objects: 1, ..Limits::default() };
    let found = races_of(&image, number_of("main.counter"), Config::default(), limits);
    assert!(found[0].to_string().contains("[failed to restore the stack]"));
}

#[test]
fn a_run_after_another_has_no_past() {
    let image = newest();
    let mut program = program(&image, number_of("main.structField"), Config::default());
    let races = Races::watch(program.machine(), Limits::default()).unwrap();
    let heard = Arc::new(Mutex::new(0));
    let count = Arc::clone(&heard);
    races.listen(move |_| *count.lock().unwrap() += 1);
    program.run().unwrap();
    let first = races.take();
    assert!(!first.is_empty());
    program.run().unwrap();
    assert_eq!(races.take(), first);
    assert_eq!(*heard.lock().unwrap(), 2 * first.len());
}

#[test]
fn programs_without_names_are_refused() {
    let image = Image::open(binary("bad-go1.27-stripped").unwrap()).unwrap();
    let mut stripped = Program::load(image, Config::default()).unwrap();
    assert!(Races::watch(stripped.machine(), Limits::default()).is_ok(), "stripped programs have names");
    // The same program, with another name for it.
    let mut bytes = std::fs::read(binary("races-go1.27").unwrap()).unwrap();
    let name = b"\0runtime.newproc1\0";
    let places: Vec<usize> =
        bytes.windows(name.len()).enumerate().filter(|(_, at)| at == name).map(|(at, _)| at).collect();
    assert!(!places.is_empty());
    places.iter().for_each(|at| bytes[at + 9] = b'x');
    let mut hashed = Program::load(Image::parse(bytes).unwrap(), Config::default()).unwrap();
    let error = Races::watch(hashed.machine(), Limits::default()).err().unwrap();
    assert!(error.to_string().contains("runtime.newproc1"), "{error}");
}

fn explored(image: &Arc<Image>, function: &str, seeds: u64) -> explore::Found {
    let config = Config { processors: 4, ..Config::default() };
    let mut options = explore::Options::default();
    (options.seeds, options.races, options.jobs) = (1..=seeds, Some(Limits::default()), 2);
    let program = program(image, number_of(function), config);
    explore::explore(program, &options, &mut |_, _| ControlFlow::Continue(())).unwrap()
}

/// Each of many schedules tells its races, on any of the machines; what was known before `main.main` counts.
#[test]
fn exploring_tells_races_too() {
    let image = newest();
    let mut found = explored(&image, "main.counter", 6);
    assert_eq!((found.outcomes.runs, found.outcomes.failed), (6, 6), "{:?}", found.outcomes.list);
    let race = found.outcomes.failures().find(|one| one.seen.kind == SeenKind::Race).unwrap().clone();
    assert!(race.seen.what.contains("write in main.counter"), "{}", race.seen.what);
    assert!(race.seen.stacks.contains("WARNING: DATA RACE"), "{}", race.seen.stacks);
    let minimal = explore::minimise(&mut found.machine, &race, 50, Duration::from_secs(60)).unwrap().unwrap();
    let tale = explore::tale(&mut found.machine, &race, Some(&minimal)).unwrap();
    assert!(tale.same && minimal.preemptions.1 <= minimal.preemptions.0);
    for function in ["main.cleanMutex", "main.cleanOnce", "main.cleanSelect", "main.cleanPool"] {
        let found = explored(&image, function, 6);
        assert_eq!((found.outcomes.runs, found.outcomes.failed), (6, 0), "{:?}", found.outcomes.list);
    }
}

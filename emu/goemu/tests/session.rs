//! Sessions: stopping changes nothing of a run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use goemu::outcome::Runtime;
use goemu::trace::{Detail, Tracer};
use goemu::{Config, Error, Image, Machine, Outcome, Report, Session, Stop};

fn machine(build: &str, runtime: Option<Runtime>) -> Machine {
    let path = format!("{}/../../testdata/bin/{build}", env!("CARGO_MANIFEST_DIR"));
    let config = Config { runtime, ..Config::default() };
    Machine::with_config(Image::open(path).unwrap(), config).unwrap()
}

fn run(machine: &mut Machine, func: &str, args: &[&str]) -> Report {
    machine.call(func).unwrap().literals(args).unwrap().run().unwrap()
}

fn start<'m>(machine: &'m mut Machine, func: &str, args: &[&str]) -> Session<'m> {
    machine.call(func).unwrap().literals(args).unwrap().start().unwrap()
}

/// Calls with loops, deferred calls, panics, growing stacks, goroutines that take turns, timers and output.
const CALLS: &[(&str, &[&str])] = &[
    ("main.fib", &["12"]),
    ("main.f1", &[]),
    ("main.deferLoop", &["9"]),
    ("main.deferNilFunc", &["1"]),
    ("main.deep", &["3000"]),
    ("main.quicksort", &["[]int{5, 3, 9, 1, 7, 7, 2}"]),
    ("main.jumpTable", &["3"]),
    ("main.channelBuffered", &["20"]),
    ("main.pipeline", &["3", "10"]),
    ("main.selectLoop", &["10"]),
    ("main.mutexCount", &["3", "20"]),
    ("main.sendOnClosed", &["1"]),
    ("main.deadlock", &[]),
    ("main.deferPrint", &["3"]),
    ("main.deferRecursive", &["5"]),
];

const BUILDS: [&str; 2] = ["corpus-go1.15", "corpus-go1.27"];
const RUNTIMES: [Option<Runtime>; 3] = [None, Some(Runtime::Hooked), Some(Runtime::Real)];

#[test]
fn single_steps_are_the_same_run() {
    for build in BUILDS {
        for runtime in RUNTIMES {
            let mut machine = machine(build, runtime);
            for (func, args) in CALLS {
                let whole = run(&mut machine, func, args);
                let mut session = start(&mut machine, func, args);
                let mut steps = 0;
                while session.step().unwrap() == Stop::Stepped {
                    steps += 1;
                }
                assert!(steps > 0 && session.is_over(), "{build} {runtime:?} {func}");
                assert_eq!(session.finish().unwrap(), whole, "{build} {runtime:?} {func}");
            }
        }
    }
}

#[test]
fn breakpoints_at_all_functions_are_the_same_run() {
    for build in BUILDS {
        for runtime in RUNTIMES {
            let mut machine = machine(build, runtime);
            let entries: Vec<u64> = machine.image().funcs().map(|func| func.entry()).collect();
            let mut stops = 0;
            for (func, args) in CALLS {
                let whole = run(&mut machine, func, args);
                let mut session = start(&mut machine, func, args);
                entries.iter().for_each(|&entry| session.add_breakpoint(entry));
                while session.resume().unwrap() == Stop::Breakpoint {
                    assert!(session.breakpoints().contains(&session.machine().cpu().rip));
                    stops += 1;
                }
                assert_eq!(session.finish().unwrap(), whole, "{build} {runtime:?} {func}");
            }
            assert!(stops > 1000, "{build} {runtime:?}: {stops}");
        }
    }
}

/// What a tracer writes.
#[derive(Clone, Default)]
struct Text(Arc<Mutex<Vec<u8>>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stepped_run_is_traced_as_a_whole_one() {
    for runtime in [Runtime::Hooked, Runtime::Real] {
        let mut machine = machine("corpus-go1.27", Some(runtime));
        let (text, calls) = (Text::default(), ["main.f1", "main.deferLoop", "main.pipeline"]);
        machine.observe(Tracer::new(text.clone(), Detail::Instructions));
        for (func, args) in CALLS.iter().filter(|(func, _)| calls.contains(func)) {
            run(&mut machine, func, args);
            let whole = std::mem::take(&mut *text.0.lock().unwrap());
            let mut session = start(&mut machine, func, args);
            while session.step().unwrap() == Stop::Stepped {}
            session.finish().unwrap();
            let stepped = std::mem::take(&mut *text.0.lock().unwrap());
            assert!(whole.len() > 1000, "{func}");
            assert!(whole == stepped, "{runtime:?} {func}");
        }
    }
}

#[test]
fn a_session_stops_where_it_is_told() {
    let mut machine = machine("corpus-go1.27", None);
    let fib = machine.find("main.fib").unwrap().entry();
    let mut session = start(&mut machine, "main.fib", &["6"]);
    let mut arguments = Vec::new();
    session.add_breakpoint(fib);
    assert_eq!(session.machine().cpu().rip, fib);
    arguments.push(session.machine().cpu().gpr(0));
    while session.resume().unwrap() == Stop::Breakpoint {
        arguments.push(session.machine().cpu().gpr(0));
    }
    // fib(6) calls itself 24 times.
    assert_eq!((arguments.len(), &arguments[..3]), (25, &[6, 5, 4][..]));
    assert_eq!(session.step().unwrap(), Stop::Ended);
    assert_eq!(session.finish().unwrap().outcome.to_string(), "8");
}

#[test]
fn what_a_session_changes_is_of_its_call_alone() {
    let mut machine = machine("corpus-go1.27", None);
    let fib = machine.find("main.fib").unwrap().entry();
    let mut session = start(&mut machine, "main.fib", &["20"]);
    assert_eq!(session.run_to(fib).unwrap(), Stop::Breakpoint);
    session.cpu_mut().set_gpr(0, 1);
    session.remove_breakpoint(fib);
    assert!(session.breakpoints().is_empty());
    let changed = session.finish().unwrap();
    assert_eq!(run(&mut machine, "main.fib", &["10"]).outcome.to_string(), "55");
    // The inner call of fib(19) was made one of fib(1).
    assert_eq!(changed.outcome.to_string(), (2584 + 1).to_string());
}

#[test]
fn a_session_that_is_dropped_leaves_the_machine_usable() {
    for runtime in RUNTIMES {
        let mut machine = machine("corpus-go1.27", runtime);
        let fib = machine.find("main.fib").unwrap().entry();
        let mut session = start(&mut machine, "main.fib", &["15"]);
        session.add_breakpoint(fib);
        session.resume().unwrap();
        drop(session);
        assert_eq!(run(&mut machine, "main.fib", &["15"]).outcome.to_string(), "610", "{runtime:?}");
    }
}

#[test]
fn fuel_ends_a_session_as_it_ends_a_call() {
    let mut machine = machine("corpus-go1.27", None);
    machine.set_fuel(10_000);
    let whole = run(&mut machine, "main.fib", &["25"]);
    assert!(matches!(whole.outcome, Outcome::OutOfFuel { limit: 10_000 }));
    let mut session = start(&mut machine, "main.fib", &["25"]);
    while session.step().unwrap() == Stop::Stepped {}
    assert!(matches!(session.outcome(), Some(Outcome::OutOfFuel { .. })));
    assert_eq!(session.finish().unwrap(), whole);
}

/// Looking takes no time of the guest's, and going back takes none.
#[test]
fn a_deadline_ends_a_session_that_runs_too_long() {
    let limit = Duration::from_millis(100);
    for runtime in [Runtime::Hooked, Runtime::Real] {
        let path = format!("{}/../../testdata/bin/corpus-go1.27", env!("CARGO_MANIFEST_DIR"));
        let fuel = u64::MAX >> 1;
        let config = Config { deadline: Some(limit), fuel, runtime: Some(runtime), ..Config::default() };
        let mut machine = Machine::with_config(Image::open(path).unwrap(), config).unwrap();
        let mut session = start(&mut machine, "main.loops", &["9223372036854775807"]);
        assert_eq!(session.resume_for(1000).unwrap(), Stop::Paused);
        std::thread::sleep(2 * limit);
        assert_eq!(session.resume_for(1000).unwrap(), Stop::Paused);
        assert_eq!(session.resume().unwrap(), Stop::Ended);
        assert_eq!(session.outcome(), Some(&Outcome::OutOfTime));
        assert_eq!(session.step_back().unwrap(), Stop::Stepped);
        assert_eq!(session.finish().unwrap().outcome, Outcome::OutOfTime);
    }
}

#[test]
fn wrong_arguments_do_not_start_and_leave_the_machine_usable() {
    for runtime in RUNTIMES {
        let mut machine = machine("corpus-go1.27", runtime);
        let wrong = machine.call("main.fib").unwrap().arg("text").start().err();
        assert!(matches!(wrong, Some(Error::Argument(_))), "{wrong:?}");
        assert_eq!(run(&mut machine, "main.fib", &["9"]).outcome.to_string(), "34", "{runtime:?}");
    }
}

/// What there is to see of a stopped call: registers, and the words around its stack pointer.
fn state(session: &Session<'_>) -> (u64, Vec<u64>, Vec<Option<[u8; 8]>>) {
    let (cpu, memory) = (session.machine().cpu(), session.machine().memory());
    let registers = (0..16).map(|n| cpu.gpr(n)).chain([cpu.rflags()]).collect();
    let stack = (0..8).map(|n| memory.read(cpu.gpr(4).wrapping_add(8 * n)).ok()).collect();
    (cpu.rip, registers, stack)
}

#[test]
fn going_back_shows_each_state_again() {
    for build in BUILDS {
        for runtime in [Some(Runtime::Hooked), Some(Runtime::Real)] {
            let mut machine = machine(build, runtime);
            for (func, args) in CALLS {
                let whole = run(&mut machine, func, args);
                let mut session = start(&mut machine, func, args);
                let mut states = vec![state(&session)];
                while session.step().unwrap() == Stop::Stepped {
                    states.push(state(&session));
                    assert_eq!(session.position() + 1, states.len() as u64, "{build} {runtime:?} {func}");
                }
                let what = format!("{build} {runtime:?} {func}");
                let last = session.position();
                // Each step back takes the way from the beginning: not all of them.
                let some = states.len() / 40 + 1;
                for position in (0..states.len().min(last as usize)).rev().step_by(some) {
                    session.go_to(position as u64 + 1).unwrap();
                    let stop = session.step_back().unwrap();
                    assert_eq!(stop == Stop::Beginning, position == 0, "{what} {position}");
                    assert_eq!(session.position(), position as u64, "{what}");
                    assert!(state(&session) == states[position], "{what}: another state at {position}");
                }
                assert_eq!(session.finish().unwrap(), whole, "{what}");
            }
        }
    }
}

#[test]
fn going_back_stops_at_breakpoints() {
    let mut machine = machine("corpus-go1.27", None);
    let entry = machine.find("main.fib").unwrap().entry();
    let mut session = start(&mut machine, "main.fib", &["8"]);
    session.add_breakpoint(entry);
    let mut positions = Vec::new();
    while session.resume().unwrap() == Stop::Breakpoint {
        positions.push(session.position());
    }
    assert_eq!(positions.len(), 66, "fib(8) makes 67 calls");
    for position in positions.iter().rev() {
        assert_eq!(session.resume_back().unwrap(), Stop::Breakpoint);
        assert_eq!((session.position(), session.machine().cpu().rip), (*position, entry));
    }
    assert_eq!(session.resume_back().unwrap(), Stop::Breakpoint);
    assert_eq!((session.position(), session.resume_back().unwrap()), (0, Stop::Beginning));
    assert_eq!((session.position(), session.step_back().unwrap()), (0, Stop::Beginning));
    assert_eq!(session.resume().unwrap(), Stop::Breakpoint);
    assert_eq!(session.position(), positions[0]);
    // What the user changes stays changed: that is where going back ends.
    let (changed, word) = (session.position(), session.machine().cpu().gpr(0) + 1);
    session.cpu_mut().set_gpr(0, word);
    assert_eq!((session.step_back().unwrap(), session.position()), (Stop::Beginning, changed));
    session.step().unwrap();
    session.step().unwrap();
    session.remove_breakpoint(entry);
    assert_eq!(session.resume_back().unwrap(), Stop::Beginning);
    assert_eq!((session.position(), session.machine().cpu().gpr(0)), (changed, word));
}

#[test]
fn going_back_in_a_long_run() {
    let mut machine = machine("corpus-go1.27", None);
    let mut session = start(&mut machine, "main.fib", &["27"]);
    assert_eq!(session.go_to(9_000_000).unwrap(), Stop::Stepped);
    let there = state(&session);
    assert_eq!(session.go_to(9_000_500).unwrap(), Stop::Stepped);
    assert_eq!(session.go_to(3_000_000).unwrap(), Stop::Stepped);
    assert_eq!(session.go_to(9_000_001).unwrap(), Stop::Stepped);
    let begin = std::time::Instant::now();
    session.step_back().unwrap();
    let took = begin.elapsed();
    assert!(state(&session) == there, "another state");
    eprintln!("a step back took {took:?}");
    // The aim is 0.2 s; tests may run unoptimised on a busy computer.
    assert!(took.as_secs() < 5, "{took:?}");
}

#[test]
fn a_session_without_history_stays_where_it_is() {
    let mut machine = machine("corpus-go1.27", None);
    let whole = run(&mut machine, "main.fib", &["12"]);
    let mut session = start(&mut machine, "main.fib", &["12"]);
    session.forget_history();
    session.go_to(100).unwrap();
    assert_eq!((session.step_back().unwrap(), session.position()), (Stop::Beginning, 100));
    assert_eq!((session.resume_back().unwrap(), session.position()), (Stop::Beginning, 100));
    assert_eq!(session.finish().unwrap(), whole);
}

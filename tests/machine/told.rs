//! What traces say of written memory is what debug information says of the same place, and of the same moment.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use goemu::go::locals::{Role, Variable};
use goemu::observe::{Interest, Observer, View};
use goemu::outcome::Runtime;
use goemu::trace::{Detail, Moment, Record, Recorder, Sink, Written};
use goemu::{Config, Image, Machine, Session, Stop};
use goemu_tests::fixtures::{binary, cases, present};
use iced_x86::Instruction;

/// Instructions of a call that are followed.
const FOLLOWED: u64 = 20_000;

/// Instructions after a write in which its variable comes into scope.
const NEAR: usize = 12;

/// What was written, after how many instructions.
#[derive(Clone, Default)]
struct Told {
    now: u64,
    written: Arc<Mutex<Vec<(u64, Written)>>>,
}

impl Sink for Told {
    fn detail(&self) -> Detail {
        Detail::Events
    }

    fn moment(&mut self, moment: Moment) {
        self.now = moment.instructions;
    }

    fn record(&mut self, record: &Record<'_>) {
        if let Record::Written(written) = record {
            self.written.lock().unwrap().push((self.now, (*written).clone()));
        }
    }
}

/// Instructions that observers have seen begin: in a started program, those of the call's own goroutine.
#[derive(Clone, Default)]
struct Seen(Arc<AtomicU64>);

impl Observer for Seen {
    fn interest(&self) -> Interest {
        Interest::INSTRUCTIONS
    }

    fn before(&mut self, _: &View<'_>, _: &Instruction) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// The variables of the innermost call of a function, if it is under way.
fn variables(session: &mut Session<'_>, func: &str) -> Option<Vec<Variable>> {
    let running = session.goroutines().remove(0);
    let machine = session.machine();
    let stack = machine.stack_of(&running, true);
    let number = stack.goroutines.first()?.frames.iter().position(|frame| frame.func == func)?;
    Some(machine.locals_of(&running, number).unwrap())
}

/// How many events of a call debug information confirms, and those that it does not.
fn compare(machine: &mut Machine, func: &str, args: &[&str], wrong: &mut Vec<String>) -> (usize, usize) {
    let found = compare_call(machine, func, args, wrong);
    machine.unobserve();
    found
}

fn compare_call(machine: &mut Machine, func: &str, args: &[&str], wrong: &mut Vec<String>) -> (usize, usize) {
    let told = Told::default();
    machine.observe(Recorder::with_sink(told.clone()));
    let ran = machine.call(func).unwrap().literals(args).unwrap().run();
    machine.unobserve();
    if ran.is_err() {
        return (0, 0);
    }
    let events = std::mem::take(&mut *told.written.lock().unwrap());
    let seen = Seen::default();
    machine.observe(seen.clone());
    let Ok(mut session) = machine.call(func).unwrap().literals(args).unwrap().start() else { return (0, 0) };
    let (mut results, mut captured) = (0, 0);
    for (after, written) in events.into_iter().take_while(|(after, _)| *after < FOLLOWED) {
        while seen.0.load(Relaxed) < after {
            if session.step().unwrap() == Stop::Ended {
                return (results, captured);
            }
        }
        match &written {
            Written::Result { func: of, result, value, .. } if !result.is_empty() => {
                let Some(known) = variables(&mut session, of) else { continue };
                let own = known.iter().find(|own| own.role == Role::Result && own.name == *result);
                match own.map(|own| &own.value) {
                    None => wrong.push(format!("{func}{args:?} at {after}: {written}: no such result")),
                    Some(Ok(own)) if own.to_string() != *value => {
                        wrong.push(format!("{func}{args:?} at {after}: {written}: it is {own}"));
                    }
                    Some(Ok(_)) => results += 1,
                    Some(Err(_)) => {}
                }
            }
            Written::Captured { func: of, value, .. } => {
                // The variable of a loop is in scope again some instructions later.
                let confirmed = (0..NEAR).any(|_| {
                    let known = variables(&mut session, of).unwrap_or_default();
                    known.iter().any(|own| holds(own, *value)) || session.step().unwrap() == Stop::Ended
                });
                if confirmed {
                    captured += 1;
                } else {
                    wrong.push(format!("{func}{args:?} at {after}: {written}: no such variable"));
                }
            }
            _ => {}
        }
    }
    (results, captured)
}

/// Whether a variable has this first word, as far as its text tells.
fn holds(own: &Variable, value: u64) -> bool {
    own.value.as_ref().map_or(true, |own| word(&own.to_string()).is_none_or(|word| word == value))
}

/// The word that a number or truth value is; none of other values, whose first words are not seen.
fn word(text: &str) -> Option<u64> {
    match text {
        "true" => Some(1),
        "false" => Some(0),
        text => text.parse::<i64>().map(i64::cast_unsigned).or_else(|_| text.parse()).ok(),
    }
}

/// The functions that defer, panic, capture or range.
fn is_of_interest(name: &str) -> bool {
    ["defer", "panic", "closure", "range"].iter().any(|word| name.contains(word))
}

/// Compares the calls of a program: one of each function, and with hooks all of the oldest and of the newest release.
fn compare_calls(program: &str, runtime: Runtime, wrong: &mut Vec<String>) {
    let version = program["corpus-go1.".len()..][..2].parse().unwrap();
    let config = Config { runtime: Some(runtime), ..Config::default() };
    let image = Image::open(binary(program).unwrap()).unwrap();
    let mut machine = Machine::with_config(image, config).unwrap();
    let (mut results, mut captured) = (0, 0);
    let mut of = String::new();
    for case in cases("corpus", version).iter().filter(|case| is_of_interest(&case.function)) {
        let is_next = std::mem::replace(&mut of, case.function.clone()) != case.function;
        if !(is_next || runtime == Runtime::Hooked && matches!(version, 15 | 27)) {
            continue;
        }
        let args: Vec<&str> = case.args.iter().map(String::as_str).collect();
        let before = wrong.len();
        let found = compare(&mut machine, &case.function, &args, wrong);
        results += found.0;
        captured += found.1;
        wrong.iter_mut().skip(before).for_each(|text| *text = format!("{program} {runtime:?}: {text}"));
    }
    assert!(results + captured > 20, "{program} {runtime:?}: {results} results, {captured} captured");
}

/// Builds that have debug information, one of each release that there is.
const PROGRAMS: [&str; 12] = [
    "corpus-go1.15",
    "corpus-go1.15-noopt",
    "corpus-go1.19",
    "corpus-go1.21",
    "corpus-go1.22",
    "corpus-go1.23",
    "corpus-go1.24",
    "corpus-go1.25",
    "corpus-go1.26",
    "corpus-go1.27",
    "corpus-go1.27-noopt",
    "corpus-go1.27-pie",
];

#[test]
fn results_and_captured_variables_are_those_of_the_source() {
    let mut wrong = Vec::new();
    for program in present(PROGRAMS) {
        for runtime in [Runtime::Hooked, Runtime::Real] {
            compare_calls(&program, runtime, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{} are wrong\n{}", wrong.len(), wrong.join("\n"));
}

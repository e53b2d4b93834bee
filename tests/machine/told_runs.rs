//! What traces say of stacks, calls and deferred calls is what the run does, and what debug information says.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use goemu::machine::Config;
use goemu::observe::{Event, View};
use goemu::outcome::Runtime;
use goemu::trace::{CallKind, Detail, Record, Recorder, Sink};
use goemu::{Image, Machine};
use goemu_tests::fixtures::{binary, cases, present};

/// Instructions that a call has, with the start of the program: those that take more are looked at in part.
const FUEL: [(Runtime, u64); 2] = [(Runtime::Hooked, 30_000), (Runtime::Real, 3_000_000)];
/// Calls of a started program that are looked at.
const STARTED: usize = 6;
/// Instructions from a stack check to the call that asks for more stack.
const NEAR: usize = 40;

/// What a trace told.
#[derive(Clone, Debug)]
enum Said {
    /// An instruction of this function.
    Step(String),
    /// A stack check of this function.
    Check { func: String, margin: i64, asked: bool },
    /// A deferred call: the text, and what debug information says that is captured, if it does.
    Deferred(String, Option<Vec<u64>>),
    /// A deferred call begins: whether it has the arguments that were told as it was deferred.
    Runs(bool),
    /// A call begins.
    Call,
}

/// What was told.
#[derive(Clone, Default)]
struct Told {
    said: Arc<Mutex<Vec<Said>>>,
    /// Deferred calls by function and arguments.
    deferred: Vec<(u64, Vec<u8>)>,
}

impl Told {
    /// Whether a deferred call that begins has the arguments of one that was told.
    fn begins(&mut self, at: &View<'_>, func: u64, sp: u64) -> Option<Said> {
        let args = sp + 8;
        let same = |(of, bytes): &(u64, Vec<u8>)| {
            let mut now = vec![0; bytes.len()];
            *of == func && at.memory.read_bytes(args, &mut now).is_ok() && now == *bytes
        };
        self.deferred.iter().rfind(|(of, _)| *of == func)?;
        let found = self.deferred.iter().rposition(same);
        if let Some(found) = found {
            self.deferred.remove(found);
        }
        Some(Said::Runs(found.is_some()))
    }
}

impl Sink for Told {
    fn detail(&self) -> Detail {
        Detail::Instructions
    }

    fn record(&mut self, record: &Record<'_>) {
        let said = match record {
            Record::Step(step) => {
                let pc = step.instruction().ip();
                Said::Step(here(step.view(), pc))
            }
            Record::StackCheck(check) => {
                Said::Check { func: check.func.clone(), margin: check.margin, asked: check.asked }
            }
            Record::Event(event) => match event.event {
                Event::DeferPushed { func, args, .. } if !args.is_empty() => {
                    self.deferred.push((*func, args.clone()));
                    return;
                }
                Event::DeferRuns { func, sp, .. } => match self.begins(event.at, *func, *sp) {
                    Some(said) => said,
                    None => return,
                },
                Event::DeferPushed { func, closure, .. } => {
                    Said::Deferred(event.words.to_owned(), captured(event.at, *func, *closure))
                }
                // The hook stands for morestack, of which there are no instructions.
                Event::StackGrew { .. } => Said::Step("runtime.morestack".to_owned()),
                _ => return,
            },
            Record::Call(change) => match &change.kind {
                CallKind::Returned(_) => return,
                _ if change.func.starts_with("runtime.morestack") => return,
                _ => Said::Call,
            },
            _ => return,
        };
        self.said.lock().unwrap().push(said);
    }
}

/// The name of the function at an address.
fn here(at: &View<'_>, pc: u64) -> String {
    at.image.func_at(pc).map_or_else(String::new, |func| func.name().to_owned())
}

/// The words of a closure's variables, by debug information; none where that does not say where they are.
fn captured(at: &View<'_>, func: u64, closure: u64) -> Option<Vec<u64>> {
    let mut locals = at.image.locals(&at.image.func_at(func)?).unwrap();
    locals.retain(|local| local.closure_offset.is_some());
    locals.sort_by_key(|local| local.closure_offset);
    let words = locals.iter().flat_map(|local| {
        let at = closure + local.closure_offset.unwrap();
        (at..at + local.ty.size.max(1)).step_by(8)
    });
    let word = |addr: u64| at.memory.read(addr).ok().map(u64::from_le_bytes);
    Some(words.filter_map(word).collect::<Vec<_>>()).filter(|words| !words.is_empty())
}

/// The hexadecimal numbers of a text about captured variables.
fn words(text: &str) -> Vec<u64> {
    let list = text.split_once("captured ").unwrap().1.split_once("; it belongs").unwrap().0;
    let numbers = list.split([',', ' ', '(']).filter_map(|word| word.strip_prefix("0x"));
    numbers.map(|number| u64::from_str_radix(number, 16).unwrap()).collect()
}

/// What is told of a call.
fn told(machine: &mut Machine, func: &str, args: &[&str]) -> Vec<Said> {
    let told = Told::default();
    machine.observe(Recorder::with_sink(told.clone()));
    let _ = machine.call(func).unwrap().literals(args).unwrap().run();
    machine.unobserve();
    std::mem::take(&mut *told.said.lock().unwrap())
}

/// Whether a function that has compared the stack with its guard goes on to ask for more.
fn asks_for_more(rest: &[Said], func: &str) -> bool {
    let leaves = rest.iter().skip(1).take(NEAR).find(|said| !matches!(said, Said::Step(of) if of == func));
    matches!(leaves, Some(Said::Step(of)) if of.starts_with("runtime.morestack"))
}

/// Whether a text has all the words that debug information says, in this order; it may know more where code was optimised.
fn has_all(text: &str, known: &[u64]) -> bool {
    let mut said = words(text).into_iter();
    known.iter().all(|word| said.any(|said| said == *word))
}

/// How many events of each kind are confirmed, and what is wrong.
fn compare(said: &[Said], wrong: &mut Vec<String>) -> [usize; 4] {
    let mut found = [0; 4];
    for (n, event) in said.iter().enumerate() {
        let (before, rest) = said.split_at(n);
        match event {
            Said::Check { func, margin, asked } => {
                let is_here = matches!(before.last(), Some(Said::Step(of)) if of == func);
                let grows = *margin <= 0 || *asked;
                let ends = !rest.iter().skip(1).any(|said| matches!(said, Said::Step(of) if of != func));
                if is_here && asks_for_more(rest, func) == grows {
                    found[usize::from(grows)] += 1;
                } else if !ends {
                    wrong.push(format!("{n}: {event:?} after {:?}, then {:?}", before.last(), rest.get(1)));
                }
            }
            Said::Deferred(text, Some(known)) if has_all(text, known) => found[2] += 1,
            Said::Deferred(text, Some(known)) => wrong.push(format!("{n}: {text}: it captures {known:x?}")),
            Said::Runs(true) => found[3] += 1,
            Said::Runs(false) => wrong.push(format!("{n}: a deferred call runs with other arguments")),
            Said::Step(_) | Said::Call | Said::Deferred(_, None) => {}
        }
    }
    found
}

#[test]
fn stack_checks_and_deferred_calls_are_those_of_the_run() {
    let mut wrong = Vec::new();
    for program in present([
        "corpus-go1.15",
        "corpus-go1.19",
        "corpus-go1.21",
        "corpus-go1.22",
        "corpus-go1.23",
        "corpus-go1.24",
        "corpus-go1.25",
        "corpus-go1.26",
        "corpus-go1.27",
        "corpus-go1.27-noopt",
    ]) {
        let version = program["corpus-go1.".len()..][..2].parse().unwrap();
        for (runtime, fuel) in FUEL {
            let config = Config { runtime: Some(runtime), fuel, ..Config::default() };
            let image = Arc::new(Image::open(binary(&program).unwrap()).unwrap());
            let mut machine = Machine::with_config(image, config).unwrap();
            let mut found = [0; 4];
            let cases = cases("corpus", version);
            // A case of each function; of started programs, whose calls have many instructions, of some.
            let mut of = String::new();
            let cases = cases.iter().filter(|case| {
                std::mem::replace(&mut of, case.function.clone()) != case.function
                    && (runtime == Runtime::Hooked
                        || case.function.contains("defer")
                        || case.function == "main.deepArgs")
            });
            for case in cases.take(if runtime == Runtime::Hooked { usize::MAX } else { STARTED }) {
                let args: Vec<&str> = case.args.iter().map(String::as_str).collect();
                let before = wrong.len();
                let more = compare(&told(&mut machine, &case.function, &args), &mut wrong);
                found.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
                let place = format!("{program} {runtime:?} {}", case.function);
                wrong.iter_mut().skip(before).for_each(|text| *text = format!("{place}: {text}"));
            }
            println!("{program} {runtime:?}: {found:?}");
            assert!(found[0] > 100 && found[1] > 0, "{program} {runtime:?}: {found:?}");
            // Up to Go 1.16 records have arguments; since 1.23 debug information says what closures capture.
            let has_words = version <= 15 || version >= 23;
            assert!(!has_words || found[2] + found[3] > 5, "{program} {runtime:?}: {found:?}");
        }
    }
    assert!(wrong.is_empty(), "{} are wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// Jumps from the end of one function to another.
#[derive(Clone, Default)]
struct Jumps(Arc<Mutex<Vec<String>>>);

impl Sink for Jumps {
    fn detail(&self) -> Detail {
        Detail::Calls
    }

    fn record(&mut self, record: &Record<'_>) {
        let Record::Call(change) = record else { return };
        let line = match &change.kind {
            CallKind::Jumped { from } => format!("{from} > {}", change.call()),
            CallKind::Returned(Some(results)) if change.func.ends_with("area") => {
                format!("{} = {results}", change.func)
            }
            _ => return,
        };
        self.0.lock().unwrap().push(line);
    }
}

/// The method of an embedded field is jumped to by the one that the compiler makes (later releases copy it there).
#[test]
fn a_function_that_is_jumped_to_returns_in_place_of_the_other() {
    for program in present(["corpus-go1.15", "corpus-go1.15-pie", "corpus-go1.19"]) {
        for runtime in [Runtime::Hooked, Runtime::Real] {
            let config = Config { runtime: Some(runtime), ..Config::default() };
            let image = Image::open(binary(&program).unwrap()).unwrap();
            let mut machine = Machine::with_config(image, config).unwrap();
            let jumps = Jumps::default();
            machine.observe(Recorder::with_sink(jumps.clone()));
            machine.call("main.areas").unwrap().literals(&["3"]).unwrap().run().unwrap();
            let mut lines = jumps.0.lock().unwrap().clone();
            lines.retain(|line| line.contains("rect"));
            let expected = [
                "main.(*rect).area = 7.5",
                "main.(*box).area > main.(*rect).area(&main.rect{w:1, h:1})",
                "main.(*rect).area = 1",
            ];
            assert_eq!(lines, expected, "{program} {runtime:?}");
        }
    }
}

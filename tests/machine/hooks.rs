//! Users' hooks: functions replaced and watched, with arguments and results as Go values, in both conventions.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use goemu::outcome::Runtime;
use goemu::{Config, Error, Image, Machine, Outcome, Value};
use goemu_tests::fixtures::{binary, present};

#[allow(dead_code, reason = "its main only prints")]
#[path = "../../emu/goemu/examples/hook.rs"]
mod example;

/// A release with arguments on the stack, and three builds of one with arguments in registers.
const BUILDS: [&str; 4] = ["corpus-go1.15", "corpus-go1.27", "corpus-go1.27-pie", "corpus-go1.27-noopt"];

fn machine(build: &str) -> Machine {
    Machine::new(Image::open(binary(build).unwrap()).unwrap()).unwrap()
}

fn outcome(machine: &mut Machine, func: &str, args: &[&str]) -> String {
    let call = machine.call(func).unwrap().literals(args).unwrap();
    call.run().unwrap_or_else(|error| panic!("{error}")).outcome.to_string()
}

/// What a watcher has been shown.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn watch(&self, machine: &mut Machine, func: &str) {
        let list = Arc::clone(&self.0);
        machine.watch(func, None, move |call| list.lock().unwrap().push(call.to_string())).unwrap();
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[test]
fn a_replaced_function_gives_what_the_hook_says() {
    for build in &present(BUILDS) {
        let mut machine = machine(build);
        machine.replace("main.itoa", None, |args| Some(vec![format!("<{}>", args[0]).into()])).unwrap();
        let args = ["a", "b", "7"];
        assert_eq!(outcome(&mut machine, "main.concatMany", &args), r#""a-b-<7>ab""#, "{build}");
        // The first hook is asked last: it replaces what this one leaves alone.
        let only_seven = |args: &[Value]| (args[0] != Value::Int(7)).then(|| vec!["other".into()]);
        machine.replace("main.itoa", None, only_seven).unwrap();
        assert_eq!(outcome(&mut machine, "main.concatMany", &args), r#""a-b-<7>ab""#, "{build}");
        assert_eq!(outcome(&mut machine, "main.itoa", &["8"]), r#""other""#, "{build}");
    }
}

#[test]
fn results_of_every_kind_can_be_given() {
    for build in &present(BUILDS) {
        let mut machine = machine(build);
        let many: Vec<Value> = (1..=11).map(Value::Int).chain([Value::from("end")]).collect();
        machine.replace("main.resultMany", None, move |_| Some(many.clone())).unwrap();
        let expected = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, \"end\"";
        assert_eq!(outcome(&mut machine, "main.resultMany", &["5"]), expected, "{build}");
        let half = |args: &[Value]| Some(vec![args[1].clone(), args[0].clone()]);
        machine.replace("main.swap", None, half).unwrap();
        assert_eq!(outcome(&mut machine, "main.swap", &["x", "y"]), r#""y", "x""#, "{build}");
        machine.replace("main.newton", None, |_| Some(vec![0.5.into()])).unwrap();
        assert_eq!(outcome(&mut machine, "main.newton", &["2", "3"]), "0.5", "{build}");
    }
}

#[test]
fn a_watched_function_shows_its_calls_and_results() {
    for build in &present(BUILDS) {
        let (mut machine, seen) = (machine(build), Seen::default());
        seen.watch(&mut machine, "main.fib");
        assert_eq!(outcome(&mut machine, "main.fib", &["2"]), "1", "{build}");
        let expected = [
            "main.fib(2)",
            "main.fib(1)",
            "main.fib(1) = 1",
            "main.fib(0)",
            "main.fib(0) = 0",
            "main.fib(2) = 1",
        ];
        assert_eq!(seen.take(), expected, "{build}");
    }
}

#[test]
fn a_call_that_panics_does_not_return() {
    for build in &present(BUILDS) {
        let (mut machine, seen) = (machine(build), Seen::default());
        seen.watch(&mut machine, "main.raise");
        outcome(&mut machine, "main.unrecovered", &["0"]);
        assert_eq!(seen.take(), ["main.raise(0)"], "{build}");
        // What is left of that call does not come up in the next.
        outcome(&mut machine, "main.recovered", &["1"]);
        assert_eq!(seen.take(), ["main.raise(1)"], "{build}");
    }
}

#[test]
fn hooks_on_the_runtime_leave_it_working() {
    for build in &present(BUILDS) {
        let (mut machine, count) = (machine(build), Arc::new(Mutex::new(0)));
        let counted = Arc::clone(&count);
        machine
            .hook("runtime.mallocgc", move |_: &mut goemu::hook::HookContext<'_>| {
                *counted.lock().unwrap() += 1;
                Ok(goemu::hook::Action::Run)
            })
            .unwrap();
        assert_eq!(outcome(&mut machine, "main.reverse", &["abc"]), r#""cba""#, "{build}");
        assert!(*count.lock().unwrap() > 0, "{build}");
    }
}

#[test]
fn what_does_not_fit_is_said() {
    let mut machine = machine("corpus-go1.27");
    machine.replace("main.itoa", None, |_| Some(vec![])).unwrap();
    let wrong = machine.call("main.itoa").unwrap().arg(1).run().unwrap_err();
    assert_eq!(wrong.to_string(), "0 results given for func(n int) string");
    machine.replace("main.itoa", None, |_| Some(vec![1.into()])).unwrap();
    let wrong = machine.call("main.itoa").unwrap().arg(1).run().unwrap_err();
    assert!(wrong.to_string().starts_with("result 1 "), "{wrong}");
    assert!(wrong.to_string().ends_with("string is wanted, and this is an integer"), "{wrong}");
    let unknown = machine.watch("main.nothing", None, |_| ()).unwrap_err();
    assert!(matches!(unknown, Error::NoSuchFunction { .. }), "{unknown}");
}

#[test]
fn stripped_programs_need_a_signature() {
    let mut machine = machine("corpus-go1.27-stripped");
    let missing = machine.replace("main.add", None, |_| None).unwrap_err();
    assert!(matches!(missing, Error::NoSignature(_)), "{missing}");
    let by_address = format!("{:#x}", machine.find("main.add").unwrap().entry());
    let sum = |args: &[Value]| Some(vec![Value::Int(i64::try_from(&args[0]).ok()? * 100)]);
    machine.replace(&by_address, Some("func(a, b int) int"), sum).unwrap();
    let call = machine.call("main.add").unwrap().signature("func(a, b int) int").unwrap();
    match call.arg(2).arg(3).run().unwrap().outcome {
        Outcome::Returned(returned) => assert_eq!(returned.to_string(), "200"),
        other => panic!("{other}"),
    }
}

#[test]
fn the_example_shows_both() {
    let seen = Seen::default();
    let list = Arc::clone(&seen.0);
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/bin/corpus-go1.27");
    let [fib, joined] = example::calls(program, move |text| list.lock().unwrap().push(text)).unwrap();
    assert_eq!((fib.to_string(), joined.to_string()), ("2".into(), r#""a-b-<7>ab""#.into()));
    assert_eq!(seen.take().len(), 10);
}

/// A call that hooks on the runtime cannot serve is made again in the real one; users' hooks are asked once.
#[test]
fn a_call_that_moves_to_the_real_runtime_is_seen_once() {
    const SYSCALL: &str = "internal/runtime/syscall/linux.Syscall6";
    const SIGNATURE: &str = "func(num, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2, errno uintptr)";
    const SCHED_YIELD: i64 = 24;
    let (mut machine, seen) = (machine("corpus-go1.27"), Seen::default());
    let list = Arc::clone(&seen.0);
    machine.watch(SYSCALL, Some(SIGNATURE), move |call| list.lock().unwrap().push(call.to_string())).unwrap();
    let call = machine.call(SYSCALL).unwrap().signature(SIGNATURE).unwrap();
    let report = call.args([SCHED_YIELD, 0, 0, 0, 0, 0, 0]).run().unwrap();
    assert_eq!(report.runtime, Runtime::Real, "a thread can only yield where there are threads");
    let begins = format!("{SYSCALL}(0x18, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)");
    assert_eq!(seen.take(), [begins.clone(), format!("{begins} = 0x0, 0x0, 0x0")]);
}

/// Nor are they asked twice by a call that packages are initialised for, or by that.
#[test]
fn a_call_that_initialises_packages_is_seen_once() {
    let (mut machine, seen) = (machine("world-go1.27"), Seen::default());
    seen.watch(&mut machine, "main.initialised");
    seen.watch(&mut machine, "main.init.1");
    assert_eq!(outcome(&mut machine, "main.initialised", &["3"]), r#"9, 285, "total 285""#);
    let expected = ["main.initialised(3)", r#"main.initialised(3) = 9, 285, "total 285""#];
    assert_eq!(seen.take(), expected);
}

/// In programs with C the runtime asks C to set a signal's handler, which asks a library that is not in the file.
#[test]
fn handlers_of_signals_are_set_without_c() {
    for name in ["cgo-go1.15-gcc", "cgo-go1.27-gcc-pie"] {
        let image = Image::open(binary(name).unwrap()).unwrap();
        let config = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        let call = machine.call("runtime.sigaction").unwrap();
        let call = call.signature("func(signal uint32, new, old *[4]uint64)").unwrap();
        let report = call.literals(&["10", "&[4]uint64{}", "nil"]).unwrap().run().unwrap();
        assert_eq!(report.outcome.word(), "returned", "{name}");
    }
}

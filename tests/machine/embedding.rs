//! What other languages need of the library: calls the short way with types that are known at run time only, calls that are given
//! up from outside, hooks that fail, sessions that hold no borrow.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use goemu::machine::Interrupt;
use goemu::outcome::Runtime;
use goemu::prepared::{Given, Got};
use goemu::{Config, Error, Machine, Stop, Value};
use goemu_loader::Kind;
use goemu_tests::table::Build;

/// Of the convention by stack, and of that by registers.
const BUILDS: [&str; 2] = ["corpus-go1.15", "corpus-go1.27"];

fn prepared(machine: &Machine, name: &str) -> Option<goemu::Prepared> {
    machine.function(name, None).unwrap().prepared(&**machine.image())
}

#[test]
fn prepared_calls_give_what_the_long_way_gives() {
    for build in BUILDS {
        let mut machine = Build::new(build).machine();
        let add = prepared(&machine, "main.add").unwrap();
        let results = add.call(&mut machine, &[Given::Bits(40), Given::Bits(-2i64 as u64)]).unwrap().unwrap();
        assert_eq!(results.as_slice(), [Got::Bits(38)], "{build}");
        let itoa = prepared(&machine, "main.itoa").unwrap();
        let results = itoa.call(&mut machine, &[Given::Bits(-70i64 as u64)]).unwrap().unwrap();
        assert_eq!(results.as_slice(), [Got::Bytes(b"-70".to_vec())], "{build}");
        let concat = prepared(&machine, "main.concat").unwrap();
        for (a, b) in [("a", "bc"), ("", "x"), ("", "")] {
            let given = [Given::Bytes(a.as_bytes()), Given::Bytes(b.as_bytes())];
            let results = concat.call(&mut machine, &given).unwrap().unwrap();
            let long = machine.call("main.concat").unwrap().arg(a).arg(b).run().unwrap();
            assert_eq!(long.outcome.values().unwrap(), [&Value::from(format!("{a}{b}"))], "{build}");
            assert_eq!(results.as_slice(), [Got::Bytes(format!("{a}{b}").into_bytes())], "{build}");
        }
    }
}

#[test]
fn prepared_calls_leave_what_they_cannot_to_the_long_way() {
    for build in BUILDS {
        let mut machine = Build::new(build).machine();
        let divide = prepared(&machine, "main.divide").unwrap();
        assert_eq!(divide.call(&mut machine, &[Given::Bits(1), Given::Bits(0)]).unwrap(), None, "{build}");
        assert!(divide.call(&mut machine, &[Given::Bits(1)]).is_err(), "{build}");
        assert_eq!(divide.call(&mut machine, &[Given::Nil, Given::Bits(1)]).unwrap(), None, "{build}");
    }
}

#[test]
fn a_call_that_is_given_up_leaves_the_machine_usable() {
    let mut machine = Build::new("bad-go1.27-stripped").machine();
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    machine.set_interrupt(Interrupt::asking(move || count.fetch_add(1, Ordering::Relaxed) == 2));
    let endless = |machine: &mut Machine| {
        machine.call("main.spin").unwrap().signature("func()").unwrap().run().unwrap().outcome.word()
    };
    assert_eq!(endless(&mut machine), "interrupted");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    machine.set_fuel(10_000_000);
    assert_eq!(endless(&mut machine), "out_of_fuel");
}

#[test]
fn a_hook_that_fails_ends_the_call() {
    for build in BUILDS {
        let mut machine = Build::new(build).machine();
        machine
            .try_replace("main.itoa", None, |_, args| match args {
                [Value::Int(7)] => Err(Error::Hook("no sevens".to_owned())),
                _ => Ok(None),
            })
            .unwrap();
        let call = |machine: &mut Machine, n: i64| machine.call("main.itoa").unwrap().arg(n).run();
        assert_eq!(call(&mut machine, 7).unwrap_err().to_string(), "a hook ended the call: no sevens");
        assert_eq!(call(&mut machine, 8).unwrap().outcome.to_string(), "\"8\"");
        machine
            .try_watch("main.itoa", None, |_, seen| match seen.results {
                Some([Value::String(text)]) if text == b"9" => Err(Error::Hook("nine".to_owned())),
                _ => Ok(()),
            })
            .unwrap();
        assert_eq!(call(&mut machine, 9).unwrap_err().to_string(), "a hook ended the call: nine");
        assert_eq!(call(&mut machine, 10).unwrap().outcome.to_string(), "\"10\"");
    }
}

#[test]
fn a_suspended_session_goes_on() {
    let mut machine = Build::new("corpus-go1.27").machine();
    let whole = machine.call("main.fib").unwrap().arg(10).run().unwrap();
    let mut session = machine.call("main.fib").unwrap().arg(10).start().unwrap();
    let entry = session.machine().cpu().rip;
    session.add_breakpoint(entry);
    for _ in 0..5 {
        let suspended = session.suspend();
        session = suspended.attach(&mut machine);
        assert_eq!(session.resume().unwrap(), Stop::Breakpoint);
        assert_eq!(session.step().unwrap(), Stop::Stepped);
    }
    let report = session.suspend().attach(&mut machine).finish().unwrap();
    assert_eq!(
        (report.outcome.to_string(), report.instructions),
        (whole.outcome.to_string(), whole.instructions)
    );
}

#[test]
fn going_back_ends_where_the_user_has_changed_something() {
    let mut machine = Build::new("corpus-go1.27").machine();
    let mut session = machine.call("main.fib").unwrap().arg(10).start().unwrap();
    session.step().unwrap();
    session.step().unwrap();
    session.cpu_mut().set_gpr(goemu::cpu::gpr::RAX, 7);
    assert_eq!(session.step_back().unwrap(), Stop::Beginning);
    assert_eq!(session.resume_back().unwrap(), Stop::Beginning);
    assert_eq!(session.position(), 2);
    assert_eq!(session.finish().unwrap().outcome.to_string(), "13");
}

#[test]
fn a_suspended_session_is_over_where_its_machine_has_made_other_calls() {
    let mut machine = Build::new("corpus-go1.27").machine();
    let suspended = machine.call("main.fib").unwrap().arg(10).start().unwrap().suspend();
    machine.call("main.fib").unwrap().arg(3).run().unwrap();
    let mut session = suspended.attach(&mut machine);
    assert!(matches!(session.step(), Err(Error::SessionOver)));
}

#[test]
fn a_function_value_can_be_called_where_its_state_was_kept() {
    let mut machine = Build::new("corpus-go1.27").machine();
    let report = machine.call("main.makeAdder").unwrap().arg(5).run().unwrap();
    let values = report.outcome.values().unwrap();
    let [Value::Func(func)] = values.as_slice() else { panic!("{values:?}") };
    machine.keep();
    let code = format!("{:#x}", func.code);
    let add = machine.function(&code, Some("func(int) int")).unwrap().with_closure_at(func.closure);
    let report = add.call(&mut machine, &[37.into()]).unwrap();
    assert_eq!(report.outcome.to_string(), "42");
}

#[test]
fn the_guest_calls_functions_of_the_host() {
    for build in BUILDS {
        for runtime in [None, Some(Runtime::Real)] {
            let config = Config { runtime, ..Config::default() };
            let mut machine =
                Machine::with_config(Arc::clone(Build::new(build).machine().image()), config).unwrap();
            let asked = Arc::new(AtomicU32::new(0));
            let counter = Arc::clone(&asked);
            let double = machine
                .host_function("func(int) int", move |_, args| match args {
                    [Value::Int(13)] => Err(Error::Hook("thirteen".to_owned())),
                    [Value::Int(n)] => {
                        counter.fetch_add(1, Ordering::Relaxed);
                        Ok(vec![Value::Int(2 * n)])
                    }
                    _ => Ok(Vec::new()),
                })
                .unwrap();
            let chain = |machine: &mut Machine, fs: Vec<Value>, n: i64| {
                machine
                    .call("main.chain")
                    .unwrap()
                    .arg(fs)
                    .arg(n)
                    .run()
                    .map(|report| report.outcome.to_string())
            };
            let fs = vec![double.clone(), double.clone(), double.clone()];
            assert_eq!(chain(&mut machine, fs, 5).unwrap(), "40", "{build}");
            assert_eq!(asked.load(Ordering::Relaxed), 3, "{build}: each call is seen once");
            let error = chain(&mut machine, vec![double.clone()], 13).unwrap_err();
            assert_eq!(error.to_string(), "a hook ended the call: thirteen");

            let wrong = machine.host_function("func(int) int", |_, _| Ok(vec![Value::from("x")])).unwrap();
            let error = chain(&mut machine, vec![wrong], 1).unwrap_err().to_string();
            assert!(error.contains("result 1"), "{error}");
            let mut forked = machine.fork().unwrap();
            assert_eq!(chain(&mut forked, vec![double], 1).unwrap(), "2", "{build}: a fork has them");
        }
    }
}

#[test]
fn host_functions_are_of_a_type_and_bounded() {
    let mut machine = Build::new("corpus-go1.27").machine();
    let chain = machine.function("main.chain", None).unwrap();
    let params = chain.signature().unwrap().params.clone();
    assert!(
        machine.host_function_of(&params[0].ty, |_, _| Ok(Vec::new())).is_err(),
        "a slice is no function"
    );
    let Kind::Slice(elem) = &params[0].ty.kind else { panic!("{:?}", params[0].ty) };
    let elem = machine.image().resolve(elem).unwrap();
    let one = machine.host_function_of(&elem, |_, args| Ok(args.to_vec())).unwrap();
    let same = machine.call("main.chain").unwrap().arg(vec![one]).arg(7).run().unwrap();
    assert_eq!(same.outcome.to_string(), "7");
    assert!(machine.host_function("func(", |_, _| Ok(Vec::new())).is_err());
    let full = (0..5000).find_map(|_| machine.host_function("func()", |_, _| Ok(Vec::new())).err());
    assert!(full.unwrap().to_string().contains("no room"));
}

/// The signals that wait on this thread, as the system says.
#[cfg(target_os = "linux")]
fn waiting_signals() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find(|line| line.starts_with("SigBlk:")).unwrap().to_owned()
}

/// While code is translated, signals wait; not any more when a call has ended in a panic of the caller's.
#[cfg(target_os = "linux")]
#[test]
fn a_call_that_ends_in_a_panic_lets_signals_go() {
    let build = Build::new("corpus-go1.27");
    for mut machine in [build.machine(), build.started()] {
        let fib = machine.function("main.fib", None).unwrap();
        let before = waiting_signals();
        fib.call(&mut machine, &[Value::from(15)]).unwrap();
        machine.set_fuel(u64::MAX >> 1);
        let asked = AtomicU32::new(0);
        machine.set_interrupt(Interrupt::asking(move || {
            assert!(asked.fetch_add(1, Ordering::Relaxed) < 3, "the caller's panic");
            false
        }));
        let call = std::panic::AssertUnwindSafe(|| fib.call(&mut machine, &[Value::from(60)]));
        assert!(std::panic::catch_unwind(call).is_err());
        assert_eq!(waiting_signals(), before);
    }
}

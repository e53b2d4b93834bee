//! Variables of calls under way, by the debug information of optimised and unoptimised code.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::go::locals::{Missing, Role, Variable};
use goemu::{Image, Machine, Session, Stop};
use goemu_tests::fixtures::{binary, cases, present};

fn machine(program: &str) -> Machine {
    Machine::new(Image::open(binary(program).unwrap()).unwrap()).unwrap()
}

fn here(session: &mut Session<'_>, call: usize) -> Vec<Variable> {
    let running = session.goroutines().remove(0);
    session.machine().locals_of(&running, call).unwrap()
}

/// At a function's first instruction, its parameters are what the signature and the calling convention say.
#[test]
fn parameters_are_the_arguments() {
    let mut compared = 0;
    for program in present(["corpus-go1.15", "corpus-go1.27", "corpus-go1.27-pie", "corpus-go1.27-noopt"]) {
        let version = if program.contains("1.15") { 15 } else { 27 };
        let mut machine = machine(&program);
        for case in cases("corpus", version).into_iter().take(120) {
            let args: Vec<&str> = case.args.iter().map(String::as_str).collect();
            let Ok(call) = machine.call(&case.function).unwrap().literals(&args) else { continue };
            let Ok(mut session) = call.start() else { continue };
            let Some(arguments) = session.arguments_here() else { continue };
            for argument in &arguments {
                let found = here(&mut session, 0);
                let found =
                    found.iter().find(|found| found.role == Role::Parameter && found.name == argument.name);
                let Some(Variable { value, ty, .. }) = found else { continue };
                let Ok(value) = value else { continue };
                assert_eq!(
                    (value, ty),
                    (&argument.value, &argument.ty),
                    "{program} {} {argument:?}",
                    case.function
                );
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

/// Every instruction of whole calls has variables that can be read, or a reason why not.
#[test]
fn each_instruction_has_its_variables() {
    for program in present(["corpus-go1.15", "corpus-go1.27", "corpus-go1.27-noopt"]) {
        let mut machine = machine(&program);
        let (func, arg) = ("main.sieve", "30");
        let entry = machine.find(func).unwrap().entry();
        let mut session = machine.call(func).unwrap().literals(&[arg]).unwrap().start().unwrap();
        let (mut values, mut missing, mut j_seen) = (0, 0, Vec::new());
        loop {
            let rip = session.machine().cpu().rip;
            let inside = session.machine().image().func_at(rip).is_some_and(|func| func.entry() == entry);
            if inside {
                for variable in here(&mut session, 0) {
                    match &variable.value {
                        Ok(value) if variable.name == "j" => j_seen.push(value.to_string()),
                        Ok(_) => values += 1,
                        Err(Missing::OptimisedAway | Missing::Partly) => missing += 1,
                        Err(other) => panic!("{program} {rip:#x} {}: {other}", variable.name),
                    }
                }
            }
            if session.step().unwrap() == Stop::Ended {
                break;
            }
        }
        j_seen.dedup();
        assert!(values > 300, "{program} {values} {missing}");
        // Of 2, then of 3 and of 5.
        for part in [["4", "6", "8"], ["9", "12", "15"], ["25", "30", "35"]] {
            let part: Vec<_> = part.iter().filter(|n| **n != "35").map(|n| (*n).to_owned()).collect();
            assert!(j_seen.windows(part.len()).any(|seen| seen == part), "{program} {part:?} in {j_seen:?}");
        }
    }
}

/// Callers have variables too; what was in a register is said to be gone.
#[test]
fn callers_have_variables() {
    for program in present(["corpus-go1.27-noopt", "corpus-go1.15"]) {
        let mut machine = machine(&program);
        let entry = machine.find("main.fib").unwrap().entry();
        let mut session = machine.call("main.fib").unwrap().literals(&["6"]).unwrap().start().unwrap();
        session.add_breakpoint(entry);
        for _ in 0..3 {
            assert_eq!(session.resume().unwrap(), Stop::Breakpoint);
        }
        for (call, n) in [(0, "3"), (1, "4"), (2, "5"), (3, "6")] {
            let found = here(&mut session, call);
            let found = found.iter().find(|variable| variable.name == "n").unwrap();
            assert_eq!(found.to_string(), format!("n int = {n}"), "{program}");
        }
        assert!(here(&mut session, 1000).is_empty());
    }
}

#[test]
fn a_stripped_program_has_none() {
    let mut machine = machine("corpus-go1.27-stripped");
    let mut session = machine.call("main.f1").unwrap().start().unwrap();
    assert!(here(&mut session, 0).is_empty());
}

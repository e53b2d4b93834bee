//! Many calls in a row: objects that translated code makes by itself, and signals that wait meanwhile.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use goemu::coverage::{Coverage, Edge};
use goemu::machine::EngineChoice;
use goemu::{Config, Image, Machine, Report, Value};
use goemu_tests::fixtures::binary;

/// The signals that this thread blocks.
fn blocked() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find(|line| line.starts_with("SigBlk")).unwrap().to_owned()
}

fn machine(engine: EngineChoice) -> Machine {
    let image = Image::open(binary("typed-go1.27").unwrap()).unwrap();
    Machine::with_config(image, Config { engine, ..Config::default() }).unwrap()
}

fn pack(machine: &mut Machine, n: i64) -> Report {
    machine.call("main.pack").unwrap().arg(Value::from(b"abc".to_vec())).arg(n).run().unwrap()
}

/// Calls until what is hot has been translated.
fn warm(engine: EngineChoice) -> Machine {
    let mut machine = machine(engine);
    let pack = machine.func::<(&[u8], i64), String>("main.pack").unwrap();
    for n in 0..3000 {
        assert_eq!(pack.call(&mut machine, (b"abc", n)).unwrap().unwrap(), format!("abc{n}"));
    }
    machine
}

#[test]
fn objects_of_translated_code_cost_what_hooks_cost() {
    let (mut one, mut other) = (warm(EngineChoice::Interpreter), warm(EngineChoice::Auto));
    let whole = pack(&mut one, 987_654_321);
    for fuel in (0..whole.instructions + 300).step_by(7).chain([10_000, 6000, 5200, 5121, 5120, 5119]) {
        one.set_fuel(fuel);
        other.set_fuel(fuel);
        let (a, b) = (pack(&mut one, 987_654_321), pack(&mut other, 987_654_321));
        assert_eq!(a.outcome, b.outcome, "{fuel}");
        assert_eq!((a.instructions, a.stdout, a.stderr), (b.instructions, b.stdout, b.stderr), "{fuel}");
        let (a, b) = (one.cpu(), other.cpu());
        assert_eq!((a.rip, a.gprs(), a.rflags(), a.tsc), (b.rip, b.gprs(), b.rflags(), b.tsc), "{fuel}");
    }
}

#[test]
fn edges_are_counted_where_objects_are_made() {
    let counts = [EngineChoice::Interpreter, EngineChoice::Auto].map(|engine| {
        let mut machine = warm(engine);
        let coverage = Arc::new(Coverage::new());
        machine.set_coverage(Some(Arc::clone(&coverage)));
        for n in 0..3000 {
            pack(&mut machine, n);
        }
        let mut counts: Vec<(Edge, u64)> = coverage.edges().into_iter().collect();
        counts.sort_unstable_by_key(|(edge, _)| (edge.from, edge.to));
        counts
    });
    assert!(counts[0].len() > 20 && counts[0] == counts[1]);
}

#[test]
fn garbage_is_collected_at_the_same_places() {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../emu/goemu/benches/guest/library-go1.27");
    for (function, n) in [("main.roundTrips", 3000), ("main.maps", 2000), ("main.sortSlice", 3000)] {
        let ran = [EngineChoice::Interpreter, EngineChoice::Auto].map(|engine| {
            // So little that there are collections.
            let config = Config { engine, max_memory: 96 << 20, ..Config::default() };
            let mut machine = Machine::with_config(Image::open(program).unwrap(), config).unwrap();
            let report = |machine: &mut Machine| {
                let call = machine.call(function).unwrap().signature("func(n int) int").unwrap();
                let report = call.arg(n).run().unwrap();
                (report.outcome.to_string(), report.instructions, machine.cpu().tsc)
            };
            [report(&mut machine), report(&mut machine)]
        });
        assert_eq!(ran[0], ran[1], "{function}");
    }
}

#[test]
fn signals_are_what_they_were_after_a_burst() {
    let before = blocked();
    let (mut one, mut other) = (warm(EngineChoice::Auto), warm(EngineChoice::Auto));
    let pack = one.func::<(&[u8], i64), String>("main.pack").unwrap();
    let call = |machine: &mut Machine, n: i64| {
        assert_eq!(pack.call(machine, (b"n", n)).unwrap().unwrap(), format!("n{n}"));
    };
    one.burst(|machine| (0..1000).for_each(|n| call(machine, n)));
    assert_eq!(blocked(), before, "after one machine's");
    one.burst(|one| {
        other.burst(|other| {
            for n in 0..1000 {
                call(one, n);
                call(other, n);
            }
        });
    });
    assert_eq!(blocked(), before, "after two machines', one in the other");
    let ended = catch_unwind(AssertUnwindSafe(|| {
        one.burst(|machine| {
            call(machine, 1);
            std::panic::resume_unwind(Box::new("over"));
        });
    }));
    assert!(ended.is_err());
    assert_eq!(blocked(), before, "after a panic");
    one.burst(|machine| {
        call(machine, 1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let before = blocked();
                call(machine, 2);
                assert_eq!(blocked(), before, "on another thread");
            });
        });
    });
    assert_eq!(blocked(), before, "after calls on two threads");
    call(&mut one, 3);
    assert_eq!(blocked(), before);
}

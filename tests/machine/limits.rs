//! What goes wrong in a guest ends the call with an outcome that says so, and nothing else.
//!
//! Code that no compiler writes is written over `main.add` of a fixture.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use goemu::exit::FaultKind;
use goemu::machine::Config;
use goemu::outcome::Runtime;
use goemu::trace::Detail;
use goemu::{Error, Image, Machine, Outcome, Report, Value};
use goemu_tests::fixtures::binary;
use goemu_tests::trace::traced;

fn corpus() -> Image {
    Image::open(binary("corpus-go1.27").unwrap()).unwrap()
}

/// The corpus with other code in `main.add`.
fn patched(code: &[u8]) -> Image {
    let image = corpus();
    let entry = image.funcs_named("main.add")[0].entry();
    let segment = image.segments().iter().find(|s| (s.addr..s.addr + s.mem_size).contains(&entry)).unwrap();
    let at = (segment.file_offset + (entry - segment.addr)) as usize;
    let mut bytes = fs::read(binary("corpus-go1.27").unwrap()).unwrap();
    bytes[at..at + code.len()].copy_from_slice(code);
    Image::parse(bytes).unwrap()
}

/// Calls a function with small limits.
fn call(image: Image, func: &str, args: &[&str]) -> Result<Report, Error> {
    let config = Config { fuel: 1_000_000, max_memory: 64 << 20, max_stack: 1 << 20, ..Config::default() };
    Machine::with_config(image, config)?.call(func)?.literals(args)?.run()
}

/// Calls other code in the place of `main.add`.
fn run(code: &[u8]) -> Outcome {
    call(patched(code), "main.add", &["1", "2"]).unwrap().outcome
}

#[track_caller]
fn assert_fatal(report: &Report, reason: &str) {
    match &report.outcome {
        Outcome::Exited { code: 2, fatal: Some(fatal) } => assert_eq!(fatal.text, reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_endless_loop_runs_out_of_fuel() {
    // l: jmp l
    assert_eq!(run(&[0xeb, 0xfe]), Outcome::OutOfFuel { limit: 1_000_000 });
    let report = call(corpus(), "main.loops", &["9223372036854775807"]).unwrap();
    assert_eq!(report.outcome, Outcome::OutOfFuel { limit: 1_000_000 });
    assert!((1_000_000..1_001_000).contains(&report.instructions), "{}", report.instructions);
    assert!(report.outcome.to_string().contains("1000000"), "{}", report.outcome);
}

/// What a call returns is read in its time, too: where that is over, it is no value that ends somewhere.
#[test]
fn results_that_cannot_be_read_in_time_are_none() {
    let mut machine = Machine::new(Image::open(binary("corpus-go1.27").unwrap()).unwrap()).unwrap();
    let call = |machine: &mut Machine| machine.call("main.fib").unwrap().arg(5).run().unwrap().outcome;
    assert_eq!(call(&mut machine).to_string(), "5");
    machine.set_deadline(Some(Instant::now()));
    assert_eq!(call(&mut machine), Outcome::OutOfTime);
    machine.set_deadline(Some(Instant::now() + Duration::from_secs(3600)));
    assert_eq!(call(&mut machine).to_string(), "5");
}

/// The limit of time ends endless guests of every kind, and a call that stays within it is the same run.
#[test]
fn a_deadline_ends_what_fuel_would_not_yet() {
    let limit = Duration::from_millis(500);
    for runtime in [Runtime::Hooked, Runtime::Real] {
        let machine = |name: &str, deadline| {
            let (fuel, runtime) = (u64::MAX >> 1, Some(runtime));
            let config = Config { deadline, fuel, runtime, ..Config::default() };
            Machine::with_config(Image::open(binary(name).unwrap()).unwrap(), config).unwrap()
        };
        for guest in ["sleeping", "yielding", "deferring", "ticking"] {
            let mut machine = machine("bad-go1.27-stripped", Some(limit));
            let begun = Instant::now();
            let call = machine.call(&format!("main.{guest}")).unwrap().signature("func()").unwrap();
            assert_eq!(call.run().unwrap().outcome, Outcome::OutOfTime, "{guest}");
            assert!(begun.elapsed() < Duration::from_secs(20), "{guest}: {:?}", begun.elapsed());
        }
        let calls = |deadline| {
            let mut machine = machine("corpus-go1.27", deadline);
            let call = |machine: &mut Machine, args: [i64; 1]| {
                machine.call("main.loops").unwrap().args(args).run().unwrap()
            };
            (call(&mut machine, [400_000]), machine.call("main.goroutineSum").unwrap().arg(20).run().unwrap())
        };
        let without = calls(None);
        assert_eq!(calls(Some(Duration::from_secs(3600))), without);
        assert!(without.0.instructions > 1 << 20, "long enough to look at the clock");
        let mut machine = machine("corpus-go1.27", Some(limit));
        let report = machine.call("main.loops").unwrap().arg(i64::MAX).run().unwrap();
        assert_eq!(report.outcome, Outcome::OutOfTime);
        assert_eq!(report.outcome.word(), "out_of_time");
    }
}

#[test]
fn what_is_done_at_once_costs_fuel_too() {
    // l: mov esi, text; mov ecx, 65536; rep lodsb; jmp l
    let text =
        corpus().segments().iter().find(|s| s.perm.contains(goemu_loader::Perm::EXEC)).unwrap().addr as u32;
    let mut code = vec![0xbe];
    code.extend(text.to_le_bytes());
    code.extend([0xb9, 0, 0, 1, 0, 0xf3, 0xac, 0xeb, 0xf2]);
    let report = call(patched(&code), "main.add", &["1", "2"]).unwrap();
    assert_eq!(report.outcome, Outcome::OutOfFuel { limit: 1_000_000 });
    assert!((100..1000).contains(&report.instructions), "{} instructions", report.instructions);
}

/// A loop of calls that hooks carry out takes a few instructions for each, and more of the host.
#[test]
fn what_hooks_do_costs_fuel() {
    for guest in ["sleeping", "yielding", "deferring", "ticking"] {
        let image = Image::open(binary("bad-go1.27-stripped").unwrap()).unwrap();
        let config = Config { fuel: 1_000_000, runtime: Some(Runtime::Hooked), ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        let call = machine.call(&format!("main.{guest}")).unwrap().signature("func()").unwrap();
        let report = call.run().unwrap();
        assert_eq!(report.outcome, Outcome::OutOfFuel { limit: 1_000_000 }, "{guest}");
        assert!(report.instructions < 800_000, "{guest}: {} instructions", report.instructions);
    }
}

#[test]
fn an_endless_recursion_overflows_the_stack() {
    let report = call(corpus(), "main.stackOverflow", &["1"]).unwrap();
    assert_fatal(&report, "stack overflow");
    let printed = String::from_utf8(report.stderr).unwrap();
    assert!(printed.contains("goroutine stack exceeds 1048576-byte limit"), "{printed}");
}

#[test]
fn a_stack_takes_no_more_memory_than_the_machine_may_have() {
    let config = Config { max_memory: 16 << 20, max_stack: 1 << 30, ..Config::default() };
    let mut machine = Machine::with_config(corpus(), config).unwrap();
    let report = machine.call("main.stackOverflow").unwrap().arg(1).run().unwrap();
    assert_fatal(&report, "runtime: out of memory");
    assert!(machine.memory().mapped() <= 16 << 20);
}

#[test]
fn an_allocation_beyond_the_limit_is_out_of_memory() {
    let report = call(corpus(), "main.sieve", &["1000000000"]).unwrap();
    assert_fatal(&report, "runtime: out of memory");
}

#[test]
fn a_length_that_cannot_be_is_a_panic() {
    let report = call(corpus(), "main.sieve", &["9223372036854775806"]).unwrap();
    assert_eq!(report.outcome.to_string(), "panic: runtime error: makeslice: len out of range");
}

#[test]
fn a_nil_pointer_is_a_panic() {
    for (func, args) in [("main.(*rect).area", &["nil"][..]), ("main.(*point).scale", &["nil", "2"])] {
        let outcome = call(corpus(), func, args).unwrap().outcome;
        assert_eq!(
            outcome.to_string(),
            "panic: runtime error: invalid memory address or nil pointer dereference",
            "{func}"
        );
    }
}

#[track_caller]
fn assert_fault(outcome: &Outcome, text: &str) {
    assert!(matches!(outcome, Outcome::Faulted { .. }), "{outcome:?}");
    assert_eq!(outcome.to_string(), text);
}

/// The address of `main.add`.
fn add() -> u64 {
    corpus().funcs_named("main.add")[0].entry()
}

#[test]
fn a_wild_pointer_faults() {
    // mov rax, 0x7000000000; mov rax, [rax]
    let outcome = run(&[0x48, 0xb8, 0, 0, 0, 0, 0x70, 0, 0, 0, 0x48, 0x8b, 0]);
    let pc = add() + 10;
    let text = format!("fault in main.add: read of 0x7000000000 at pc {pc:#x}: nothing is mapped there");
    assert_fault(&outcome, &text);
}

#[test]
fn a_write_to_code_faults() {
    // lea rax, [rip-7]; mov [rax], al
    let outcome = run(&[0x48, 0x8d, 0x05, 0xf9, 0xff, 0xff, 0xff, 0x88, 0]);
    let (to, pc) = (add(), add() + 7);
    let text = format!("fault in main.add: write to {to:#x} at pc {pc:#x}: the page does not allow it");
    assert_fault(&outcome, &text);
}

#[test]
fn a_jump_into_data_faults() {
    let image = corpus();
    let data = image
        .segments()
        .iter()
        .find(|s| !s.perm.contains(goemu_loader::Perm::EXEC) && s.mem_size > 0)
        .unwrap()
        .addr;
    // mov rax, data; jmp rax
    let mut code = vec![0x48, 0xb8];
    code.extend(data.to_le_bytes());
    code.extend([0xff, 0xe0]);
    assert_fault(&run(&code), &format!("fault: jump to {data:#x} at pc {data:#x}: it is not code"));
}

#[test]
fn what_goemu_does_not_have_is_named() {
    let pc = add();
    // vpxord zmm0, zmm0, zmm0
    let form = "VPXORD zmm k1z zmm zmmm512b32 (AVX512F: 62 f1 7d 48 ef c0)";
    let text = format!("fault in main.add: unsupported instruction {form} at pc {pc:#x}");
    assert_fault(&run(&[0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0]), &text);
    // ud2
    assert_fault(&run(&[0x0f, 0x0b]), &format!("fault in main.add: invalid instruction at pc {pc:#x}"));
    // mov eax, 24 (sched_yield); syscall
    let config = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
    let mut machine = Machine::with_config(patched(&[0xb8, 24, 0, 0, 0, 0x0f, 0x05]), config).unwrap();
    let refused = machine.call("main.add").unwrap().arg(1).arg(2).run().unwrap_err();
    assert_eq!(refused.to_string(), "system call 24 is not supported here (asked for by main.add)");
}

#[test]
fn instructions_of_the_kernel_fault() {
    // hlt; int3; in al, dx; mov cr0, rax
    for code in [&[0xf4][..], &[0xcc], &[0xec], &[0x0f, 0x22, 0xc0]] {
        match run(code) {
            Outcome::Faulted { fault, func } => {
                assert_eq!((fault.pc, func.as_deref()), (add(), Some("main.add")), "{code:x?}");
                assert!(!matches!(fault.kind, FaultKind::Memory(_)), "{code:x?}: {fault}");
            }
            other => panic!("{code:x?}: {other:?}"),
        }
    }
}

#[test]
fn the_same_call_is_the_same_run() {
    let calls: [(&str, &[&str]); 3] =
        [("main.deferLoop", &["4"]), ("main.mapUse", &["50"]), ("main.divide", &["1", "0"])];
    for (func, args) in calls {
        let mut machine = Machine::new(corpus()).unwrap();
        let first = traced(&mut machine, Detail::Instructions, func, args);
        let again = traced(&mut machine, Detail::Instructions, func, args);
        let other = traced(&mut Machine::new(corpus()).unwrap(), Detail::Instructions, func, args);
        let unwatched = machine.call(func).unwrap().literals(args).unwrap().run().unwrap();
        assert!(first.1.instructions > 10, "{func}");
        assert!(first == again && first == other, "{func}");
        assert_eq!(first.1, unwatched, "{func}: watching changes nothing");
    }
}

#[test]
fn machines_run_side_by_side() {
    let image = Arc::new(corpus());
    let fib = |n: i64| {
        let mut machine = Machine::new(Arc::clone(&image)).unwrap();
        let report = machine.call("main.fib").unwrap().arg(n).run().unwrap();
        i64::try_from(report.outcome.value().unwrap()).unwrap()
    };
    let found: Vec<i64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|n| scope.spawn(move || fib(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(found, [0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610]);
}

/// A package variable of the corpus.
fn unwound(machine: &Machine) -> i64 {
    let symbol = machine.image().symbol("main.unwound").unwrap();
    i64::from_le_bytes(machine.memory().read(symbol.addr).unwrap())
}

#[test]
fn what_one_call_writes_the_next_does_not_see() {
    let mut machine = Machine::new(corpus()).unwrap();
    for frames in [7, 3] {
        let report = machine.call("main.panicFrames").unwrap().arg(frames).run().unwrap();
        assert_eq!(report.outcome.value(), Some(&Value::Int(frames * 10 + 4)));
        assert_eq!(unwound(&machine), frames);
        machine.call("main.add").unwrap().arg(1).arg(2).run().unwrap();
        assert_eq!(unwound(&machine), 0);
    }
}

#[test]
fn what_is_kept_the_next_call_sees() {
    let mut machine = Machine::new(corpus()).unwrap();
    machine.call("main.panicFrames").unwrap().arg(7).run().unwrap();
    machine.keep();
    machine.call("main.add").unwrap().arg(1).arg(2).run().unwrap();
    assert_eq!(unwound(&machine), 7);
    let report = machine.call("main.panicFrames").unwrap().arg(2).run().unwrap();
    assert_eq!((report.outcome.value(), unwound(&machine)), (Some(&Value::Int(24)), 2));
    machine.reset().unwrap();
    assert_eq!(unwound(&machine), 7);
}

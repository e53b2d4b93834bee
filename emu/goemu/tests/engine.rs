//! An engine from outside: whatever runs the code, a call is the same run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use goemu::coverage::{Coverage, Edge};
use goemu::cpu::Cpu;
use goemu::decode::{decode, polls};
use goemu::engine::{Bar, Chooser, Detail, Engine, Stops, Watch};
use goemu::exit::Exit;
use goemu::interp::Interpreter;
use goemu::machine::EngineChoice;
use goemu::memory::Memory;
use goemu::outcome::Runtime;
use goemu::trace::Tracer;
use goemu::{Config, Image, Machine, Report};

/// Executes one instruction after the other, each decoded anew: no blocks, nothing that is kept.
#[derive(Default)]
struct SingleSteps {
    inner: Interpreter,
    stops: Stops,
    bar: Option<Bar>,
    chooser: Option<Chooser>,
}

impl SingleSteps {
    fn go(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        mut watch: Option<&mut dyn Watch>,
    ) -> Exit {
        memory.forget_cost();
        loop {
            let insn = decode(memory, cpu.rip).ok();
            if let (Some(insn), Some(bar)) = (&insn, &self.bar)
                && bar(insn)
            {
                return Exit::Guarded;
            }
            if let (Some(insn), Some(watch)) = (&insn, &mut watch) {
                watch.block(cpu, memory, std::slice::from_ref(insn));
                match watch.detail() {
                    Detail::Blocks => {}
                    Detail::Chosen if self.chooser.as_ref().is_some_and(|chooses| chooses(insn)) => {
                        watch.chosen(cpu, memory, insn);
                    }
                    Detail::Chosen => {}
                    Detail::Before | Detail::BeforeAndAfter => watch.before(cpu, memory, insn),
                }
            }
            match self.inner.step(cpu, memory) {
                None => *fuel -= 1,
                Some(exit) => {
                    *fuel -= i64::from(matches!(exit, Exit::Syscall | Exit::Halt));
                    return exit;
                }
            }
            let Some(insn) = insn else { continue };
            if let Some(watch) = watch.as_mut().filter(|watch| watch.detail() == Detail::BeforeAndAfter) {
                watch.after(cpu, memory, &insn);
            }
            if polls(&insn, cpu.rip) {
                if memory.is_costly() {
                    *fuel = fuel.saturating_sub(memory.take_cost());
                }
                if *fuel <= 0 {
                    return Exit::OutOfFuel;
                }
            }
            if self.stops.contains(&cpu.rip) {
                return Exit::Stopped;
            }
        }
    }
}

impl Engine for SingleSteps {
    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit {
        self.go(cpu, memory, fuel, None)
    }

    fn step(&mut self, cpu: &mut Cpu, memory: &mut Memory) -> Option<Exit> {
        self.inner.step(cpu, memory)
    }

    fn run_watched(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        watch: &mut dyn Watch,
    ) -> Exit {
        self.go(cpu, memory, fuel, Some(watch))
    }

    fn set_stops(&mut self, stops: Stops) {
        self.stops = stops;
    }

    fn set_bar(&mut self, bar: Option<Bar>) {
        self.bar = bar;
    }

    fn set_chooser(&mut self, chooser: Option<Chooser>) {
        self.chooser = chooser;
    }

    fn set_coverage(&mut self, coverage: Option<Arc<Coverage>>) {
        self.inner.set_coverage(coverage);
    }

    fn forget(&mut self, _: Range<u64>) {}
}

const CALLS: &[(&str, &[&str])] = &[
    ("main.fib", &["12"]),
    ("main.f1", &[]),
    ("main.deferNilFunc", &["1"]),
    ("main.deep", &["3000"]),
    ("main.quicksort", &["[]int{5, 3, 9, 1, 7, 7, 2}"]),
    ("main.pipeline", &["3", "10"]),
    ("main.selectLoop", &["10"]),
    ("main.mutexCount", &["3", "20"]),
    ("main.deadlock", &[]),
    ("main.deferPrint", &["3"]),
    ("main.printAll", &["1", "2", "1.5", "true", "\"x\""]),
];

fn machine(build: &str, config: Config) -> Machine {
    let path = format!("{}/../../testdata/bin/{build}", env!("CARGO_MANIFEST_DIR"));
    Machine::with_config(Image::open(path).unwrap(), config).unwrap()
}

fn reports(machine: &mut Machine) -> Vec<Result<Report, String>> {
    let run = |(func, args): &(&str, &[&str])| {
        let call = machine.call(func).and_then(|call| call.literals(args));
        call.and_then(|call| call.run()).map_err(|error| error.to_string())
    };
    CALLS.iter().map(run).collect()
}

#[test]
fn a_call_is_the_same_run_on_an_engine_from_outside() {
    for build in ["corpus-go1.15", "corpus-go1.27"] {
        for runtime in [None, Some(Runtime::Hooked), Some(Runtime::Real)] {
            for seed in [0, 7] {
                let config = Config { runtime, seed, ..Config::default() };
                let mut usual = machine(build, config.clone());
                let mut other = machine(build, config);
                other.set_engine(|| Box::new(SingleSteps::default()));
                let (usual, other) = (reports(&mut usual), reports(&mut other));
                assert!(usual.iter().filter(|report| report.is_ok()).count() > 9, "{build}: {usual:?}");
                for ((usual, other), call) in usual.into_iter().zip(other).zip(CALLS) {
                    assert_eq!(usual, other, "{build} {runtime:?} seed {seed} {call:?}");
                }
            }
        }
    }
}

#[test]
fn observers_see_the_same_on_an_engine_from_outside() {
    let trace = |own: bool| {
        let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("engine-{own}"));
        let mut machine = machine("corpus-go1.27", Config::default());
        if own {
            machine.set_engine(|| Box::new(SingleSteps::default()));
        }
        let out = std::io::BufWriter::new(std::fs::File::create(&file).unwrap());
        machine.observe(Tracer::new(out, goemu::trace::Detail::Instructions));
        machine.call("main.f1").unwrap().run().unwrap();
        drop(machine);
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        text
    };
    let usual = trace(false);
    assert!(usual.lines().count() > 20);
    assert_eq!(usual, trace(true));
}

/// A translator that translates and enters whatever comes; the interpreter where the host has none.
fn eager() -> Box<dyn Engine> {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    if let Ok(mut engine) = goemu_translate::Translator::new() {
        engine.set_heat(0);
        return Box::new(engine);
    }
    Box::new(Interpreter::new())
}

#[test]
fn a_call_is_the_same_run_when_all_of_it_is_translated() {
    for build in ["corpus-go1.15", "corpus-go1.27"] {
        for runtime in [Some(Runtime::Hooked), Some(Runtime::Real)] {
            let config = Config { runtime, engine: EngineChoice::Interpreter, ..Config::default() };
            let mut usual = machine(build, config.clone());
            let mut other = machine(build, config);
            other.set_engine(eager);
            let (usual, other) = (reports(&mut usual), reports(&mut other));
            for ((usual, other), call) in usual.into_iter().zip(other).zip(CALLS) {
                assert_eq!(usual, other, "{build} {runtime:?} {call:?}");
            }
        }
    }
}

#[test]
fn edges_are_counted_alike_by_all_engines() {
    fn count(choice: EngineChoice, own: bool, runtime: Option<Runtime>) -> Vec<BTreeMap<Edge, u64>> {
        let engine = if choice == EngineChoice::Translator { EngineChoice::Auto } else { choice };
        let config = Config { runtime, engine, ..Config::default() };
        let mut machine = machine("corpus-go1.27", config);
        if own {
            machine.set_engine(|| Box::new(SingleSteps::default()));
        } else if choice == EngineChoice::Translator {
            machine.set_engine(eager);
        }
        let coverage = Arc::new(Coverage::new());
        machine.set_coverage(Some(Arc::clone(&coverage)));
        let counts = |(func, args): &(&str, &[&str])| {
            coverage.clear();
            let call = machine.call(func).and_then(|call| call.literals(args));
            // A call that cannot be served has counted nothing that is asked for.
            call.and_then(|call| call.run()).map_or_else(|_| BTreeMap::new(), |_| coverage.edges())
        };
        CALLS.iter().map(counts).collect()
    }
    for runtime in [None, Some(Runtime::Hooked), Some(Runtime::Real)] {
        let usual = count(EngineChoice::Interpreter, false, runtime);
        let sizes: Vec<_> = usual.iter().map(BTreeMap::len).collect();
        assert!(sizes.iter().filter(|size| **size > 5).count() > 7, "{runtime:?}: {sizes:?}");
        let fib = usual[0].values().max();
        assert!(fib.is_some_and(|count| *count > 200), "{fib:?}");
        let others = [
            (EngineChoice::Interpreter, true),
            (EngineChoice::Auto, false),
            (EngineChoice::Translator, false),
        ];
        for (choice, own) in others {
            for (at, (usual, other)) in usual.iter().zip(count(choice, own, runtime)).enumerate() {
                let call = CALLS[at].0;
                let only = |one: &BTreeMap<Edge, u64>, other: &BTreeMap<Edge, u64>| -> Vec<_> {
                    let differs = |(edge, count): &(&Edge, &u64)| other.get(edge) != Some(count);
                    one.iter().filter(differs).map(|(edge, count)| (*edge, *count)).collect()
                };
                let differ = (only(usual, &other), only(&other, usual));
                assert!(*usual == other, "{call} {runtime:?} {choice:?} {own}: {differ:x?}");
            }
        }
    }
}

#[test]
fn coverage_counts_calls_alone_and_only_where_it_is_asked_to() {
    let mut machine = machine("corpus-go1.27", Config::default());
    let fib = machine.find("main.fib").unwrap();
    let range = fib.entry()..fib.end();
    let coverage = Arc::new(Coverage::within(vec![range.clone()]));
    machine.set_coverage(Some(Arc::clone(&coverage)));
    machine.call("main.fib").unwrap().arg(10).run().unwrap();
    let once = coverage.blocks();
    // fib(10) makes 177 calls; each arrives at the entry.
    assert_eq!(once.get(&range.start), Some(&177), "{once:x?}");
    assert!(once.keys().all(|block| range.contains(block)));
    machine.call("main.fib").unwrap().arg(10).run().unwrap();
    let twice = coverage.blocks();
    assert!(once.iter().all(|(block, count)| twice.get(block) == Some(&(2 * count))), "{twice:x?}");
    machine.set_coverage(None);
    machine.call("main.fib").unwrap().arg(10).run().unwrap();
    assert_eq!(coverage.blocks(), twice);
}

//! `cargo bench`: how fast guest code runs, as a ratio to the same code run natively, in one run.
//!
//! Prints a table: the functions of `guest/*.go`, natively (the programs measure themselves), in both of goemu's engines, in
//! qemu-user and Valgrind where they are installed, and in Unicorn and icicle where `python3` has them (`pip install unicorn
//! icicle-emu`) for what needs no runtime; then calls a second, start-up, and what watching and counting edges cost. Compare ratios, not times: machines differ, and so
//! do moments. `cargo bench -- calls` measures one part alone: functions, calls, start-up, watching, edges; `cargo bench -- functions
//! fib` one function.
#![allow(clippy::print_stdout, reason = "the table is the point")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use goemu::coverage::Coverage;
use goemu::machine::EngineChoice;
use goemu::observe::{Interest, Observer, View};
use goemu::outcome::Runtime;
use goemu::trace::{Detail, Tracer};
use goemu::{Config, Function, Image, Machine, Value};

/// A function, its argument, chosen to run for a millisecond natively, and the program that has it.
type Work = (&'static str, i64, &'static str);

/// What needs nothing of Go's runtime.
const PLAIN: [Work; 8] = [
    ("calls", 400_000, "guest"),
    ("fib", 27, "guest"),
    ("sieve", 200_000, "guest"),
    ("nbody", 20_000, "guest"),
    ("mix", 500_000, "guest"),
    ("matmul", 64, "guest"),
    ("quicksort", 50_000, "guest"),
    ("search", 8_000, "guest"),
];

/// What runs in Go's own runtime.
const LIBRARY: [Work; 7] = [
    ("maps", 20_000, "library"),
    ("roundTrips", 500, "library"),
    ("digest", 3_000, "library"),
    ("match", 1_000, "library"),
    ("sortSlice", 20_000, "library"),
    ("pingPong", 5_000, "library"),
    ("render", 200, "template"),
];

/// Each measurement goes on for this long, and counts its fastest round.
const LONG: Duration = Duration::from_millis(1500);

/// Calls in a round.
const ROUND: i64 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-') && arg != "interpreter").collect();
    let wants = |part: &str| asked.is_empty() || asked.iter().any(|one| one == part);
    if wants("functions") {
        functions(&asked)?;
    }
    if wants("calls") {
        calls(&mut machine()?)?;
    }
    if wants("start-up") {
        start_up()?;
    }
    if wants("watching") {
        watching()?;
    }
    if wants("edges") {
        edges()?;
    }
    Ok(())
}

fn guest() -> PathBuf {
    program("guest")
}

fn program(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("benches/guest/{name}-go1.27"))
}

fn typed_program() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/bin/typed-go1.27")
}

fn machine() -> Result<Machine, goemu::Error> {
    machine_on(engine())
}

fn machine_on(engine: EngineChoice) -> Result<Machine, goemu::Error> {
    let config = Config { fuel: u64::MAX >> 1, engine, ..Config::default() };
    Machine::with_config(Image::open(guest())?, config)
}

/// `cargo bench -- interpreter` measures the interpreter where there is one column.
fn engine() -> EngineChoice {
    let interpreter = std::env::args().any(|arg| arg == "interpreter");
    if interpreter { EngineChoice::Interpreter } else { EngineChoice::Auto }
}

/// The fastest of many rounds.
fn fastest<E>(mut round: impl FnMut() -> Result<(), E>) -> Result<Duration, E> {
    let (start, mut best) = (Instant::now(), Duration::MAX);
    while start.elapsed() < LONG {
        let from = Instant::now();
        round()?;
        best = best.min(from.elapsed());
    }
    Ok(best)
}

/// Both engines and what else there is, each as often as native.
fn functions(asked: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:<12}{:>12}{:>14}{:>8}{:>14}{:>8}{:>8}{:>10}{:>9}{:>8}",
        "function",
        "native",
        "translator",
        "ratio",
        "interpreter",
        "ratio",
        "qemu",
        "valgrind",
        "unicorn",
        "icicle"
    );
    let all = PLAIN.into_iter().chain(LIBRARY);
    let known = |name: &str| PLAIN.iter().chain(&LIBRARY).any(|(known, ..)| *known == name);
    let some = asked.iter().any(|name| known(name));
    let (mut plain, mut every) = (Vec::new(), Vec::new());
    for work in all.filter(|(name, ..)| !some || asked.iter().any(|one| one == name)) {
        let ratio = row(work)?;
        every.push(ratio);
        if PLAIN.contains(&work) {
            plain.push(ratio);
        }
    }
    println!(
        "times native, geometric means: {:.2} of what needs no runtime, {:.2} of all; at most {:.2}",
        mean(&plain),
        mean(&every),
        every.iter().copied().fold(0.0, f64::max)
    );
    Ok(())
}

/// The geometric mean.
fn mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

/// One line of the table; gives how many times native the translator took.
fn row((name, n, file): Work) -> Result<f64, Box<dyn std::error::Error>> {
    let native = by_itself(&[], file, name, n).ok_or("the guest says nothing")?;
    let (translated, _) = emulated(EngineChoice::Auto, (name, n, file))?;
    let (interpreted, _) = emulated(EngineChoice::Interpreter, (name, n, file))?;
    let ratio = |time: Duration| time.as_secs_f64() / native.as_secs_f64();
    let peer = |time: Option<Duration>| time.map_or("-".to_owned(), |time| format!("{:.1}", ratio(time)));
    println!(
        "{name:<12}{:>9.2} ms{:>11.2} ms{:>8.2}{:>11.2} ms{:>8.1}{:>8}{:>10}{:>9}{:>8}",
        native.as_secs_f64() * 1e3,
        translated.as_secs_f64() * 1e3,
        ratio(translated),
        interpreted.as_secs_f64() * 1e3,
        ratio(interpreted),
        peer(by_itself(&["qemu-x86_64", "-cpu", "max"], file, name, n)),
        peer(by_itself(&["valgrind", "--tool=none", "-q"], file, name, n)),
        peer(by_script("in_unicorn.py", (name, n, file))),
        peer(by_script("in_icicle.py", (name, n, file))),
    );
    Ok(ratio(translated))
}

/// The fastest call, and its instructions.
fn emulated(engine: EngineChoice, work: Work) -> Result<(Duration, u64), goemu::Error> {
    called(&mut machine_for(engine, work)?, work)
}

fn machine_for(engine: EngineChoice, (.., file): Work) -> Result<Machine, goemu::Error> {
    let runtime = if file == "guest" { None } else { Some(Runtime::Real) };
    let config = Config { fuel: u64::MAX >> 1, engine, runtime, ..Config::default() };
    Machine::with_config(Image::open(program(file))?, config)
}

fn called(machine: &mut Machine, (name, n, _): Work) -> Result<(Duration, u64), goemu::Error> {
    let function = machine.function(&format!("main.{name}"), Some("func(n int) int"))?;
    let mut instructions = 0;
    let time = fastest(|| {
        instructions = function.call(machine, &[n.into()])?.instructions;
        Ok::<_, goemu::Error>(())
    })?;
    Ok((time, instructions))
}

/// What a guest program says of itself, run by this computer, or by another program. `None` where that is not installed.
fn by_itself(runner: &[&str], file: &str, name: &str, n: i64) -> Option<Duration> {
    let program = program(file).into_os_string();
    let line: Vec<_> =
        runner.iter().map(|part| part.into()).chain([program, name.into(), n.to_string().into()]).collect();
    let (command, args) = line.split_first()?;
    let out = Command::new(command).args(args).env("GOMAXPROCS", "1").output().ok()?;
    let text = String::from_utf8(out.stderr).ok()?;
    Some(Duration::from_nanos(text.lines().last()?.trim().parse().ok()?))
}

/// The same function in another emulator that a script drives, if that is installed. None of them has Go's runtime.
fn by_script(script: &str, (name, n, file): Work) -> Option<Duration> {
    if file != "guest" {
        return None;
    }
    let entry = machine().ok()?.find(&format!("main.{name}")).ok()?.entry();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches").join(script);
    let args = [script.into(), guest().into_os_string(), format!("{entry:#x}").into(), n.to_string().into()];
    let out = Command::new("python3").args(args).output().ok()?;
    let nanoseconds = String::from_utf8(out.stdout).ok()?.trim().parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

fn calls(machine: &mut Machine) -> Result<(), goemu::Error> {
    println!("\n{:<44}{:>12}", "calls through the Rust API, state restored", "a second");
    let add = machine.function("main.add", Some("func(a, b int) int"))?;
    many("add(a, b int) int", machine, &add, &[40.into(), 2.into()])?;
    let f1 = machine.function("main.f1", Some("func() int"))?;
    many("f1() int, which defers a call", machine, &f1, &[])?;
    let add = machine.func::<(i64, i64), i64>("main.add")?;
    let time = fastest(|| (0..ROUND).try_for_each(|n| add.call(machine, (n, 2)).map(drop)))?;
    println!("{:<44}{:>12.0}", "add(a, b int) int, typed", ROUND as f64 / time.as_secs_f64());
    typed()
}

/// A call in Rust's types: bytes and a number in, text out.
fn typed() -> Result<(), goemu::Error> {
    let config = Config { engine: engine(), ..Config::default() };
    let mut machine = Machine::with_config(Image::open(typed_program())?, config)?;
    let pack = machine.func::<(&[u8], i64), String>("main.pack")?;
    let time = fastest(|| (0..ROUND).try_for_each(|n| pack.call(&mut machine, (b"abc", n)).map(drop)))?;
    println!("{:<44}{:>12.0}", "pack(b []byte, n int) string, typed", ROUND as f64 / time.as_secs_f64());
    let time = machine.burst(|machine| {
        fastest(|| (0..ROUND).try_for_each(|n| pack.call(machine, (b"abc", n)).map(drop)))
    })?;
    println!("{:<44}{:>12.0}", "the same in a burst", ROUND as f64 / time.as_secs_f64());
    Ok(())
}

fn many(what: &str, machine: &mut Machine, function: &Function, args: &[Value]) -> Result<(), goemu::Error> {
    let time = fastest(|| (0..ROUND).try_for_each(|_| function.call(machine, args).map(drop)))?;
    println!("{what:<44}{:>12.0}", ROUND as f64 / time.as_secs_f64());
    Ok(())
}

fn start_up() -> Result<(), goemu::Error> {
    let time = fastest(|| {
        machine()?.call("main.f1")?.signature("func() int")?.run()?;
        Ok::<_, goemu::Error>(())
    })?;
    println!("\n{:<44}{:>9.2} ms", "open, map and call f1 once", time.as_secs_f64() * 1e3);
    let time = fastest(|| {
        let config = Config { engine: engine(), runtime: Some(Runtime::Real), ..Config::default() };
        Machine::with_config(Image::open(typed_program())?, config).map(drop)
    })?;
    println!("{:<44}{:>9.2} ms", "open and start a program of 2 MB", time.as_secs_f64() * 1e3);
    Ok(())
}

/// Counts instructions: the least that an observer can do. By blocks, or one by one.
struct Count(Interest, u64);

impl Observer for Count {
    fn interest(&self) -> Interest {
        self.0
    }

    fn block(&mut self, _: &View<'_>, insns: &[iced_x86::Instruction]) {
        self.1 += insns.len() as u64;
    }

    fn before(&mut self, _: &View<'_>, _: &iced_x86::Instruction) {
        self.1 += 1;
    }
}

/// A machine whose calls are made once, watched or not: none can end in nothing.
fn ready() -> Result<Machine, goemu::Error> {
    let config = Config { runtime: Some(Runtime::Hooked), engine: engine(), ..Config::default() };
    let mut machine = Machine::with_config(Image::open(guest())?, config)?;
    machine.initialise()?;
    Ok(machine)
}

fn watching() -> Result<(), Box<dyn std::error::Error>> {
    println!("\n{:<44}{:>14}", "fib(20)", "instructions/s");
    let (nobody, mut counted, mut shown, mut traced) = (ready()?, ready()?, ready()?, ready()?);
    counted.observe(Count(Interest::BLOCKS, 0));
    shown.observe(Count(Interest::BEFORE, 0));
    traced.observe(Tracer::new(std::io::sink(), Detail::Instructions));
    let machines = [
        ("nobody watches", nobody),
        ("an observer counts instructions", counted),
        ("an observer is shown every instruction", shown),
        ("text of every instruction", traced),
    ];
    for (what, mut machine) in machines {
        let mut instructions = 0;
        let time = fastest(|| {
            instructions =
                machine.call("main.fib")?.signature("func(n int) int")?.arg(20).run()?.instructions;
            Ok::<_, goemu::Error>(())
        })?;
        println!("{what:<44}{:>12.1} M", instructions as f64 / time.as_secs_f64() / 1e6);
    }
    Ok(())
}

/// The functions of the table on one machine, before and while edges are counted.
fn edges() -> Result<(), Box<dyn std::error::Error>> {
    println!("\n{:<12}{:>14}{:>14}{:>8}", "function", "unwatched", "edges counted", "ratio");
    let mut every = Vec::new();
    for work in PLAIN.into_iter().chain(LIBRARY) {
        let mut machine = machine_for(engine(), work)?;
        let (unwatched, _) = called(&mut machine, work)?;
        machine.set_coverage(Some(Arc::new(Coverage::new())));
        let (counted, _) = called(&mut machine, work)?;
        let ratio = counted.as_secs_f64() / unwatched.as_secs_f64();
        println!(
            "{:<12}{:>11.2} ms{:>11.2} ms{ratio:>8.2}",
            work.0,
            unwatched.as_secs_f64() * 1e3,
            counted.as_secs_f64() * 1e3
        );
        every.push(ratio);
    }
    println!("times unwatched, geometric mean: {:.2}", mean(&every));
    Ok(())
}

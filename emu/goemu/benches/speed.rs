//! `cargo bench`: how fast guest code runs, as a ratio to the same code run natively, in one run.
//!
//! Prints a table: the functions of `guest/guest.go`, natively (the program measures itself), in both of goemu's engines, and in
//! Unicorn where `python3` has it (`pip install unicorn`); then calls a second, start-up, and what
//! watching costs. Compare ratios, not times: machines differ, and so do moments. `cargo bench -- calls` measures one part
//! alone: functions, calls, start-up, watching.
#![allow(clippy::print_stdout, reason = "the table is the point")]

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use goemu::machine::EngineChoice;
use goemu::observe::{Interest, Observer, View};
use goemu::outcome::Runtime;
use goemu::trace::{Detail, Tracer};
use goemu::{Config, Function, Image, Machine, Value};

/// Functions and their argument, chosen to run for milliseconds natively.
const FUNCTIONS: [(&str, i64); 5] =
    [("fib", 27), ("sieve", 200_000), ("quicksort", 50_000), ("mix", 500_000), ("matmul", 64)];

/// Each measurement goes on for this long, and counts its fastest round.
const LONG: Duration = Duration::from_millis(1500);

/// Calls in a round.
const ROUND: i64 = 1000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-') && arg != "interpreter").collect();
    let wants = |part: &str| asked.is_empty() || asked.iter().any(|one| one == part);
    if wants("functions") {
        functions()?;
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
    Ok(())
}

fn guest() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/guest/guest-go1.27")
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

/// Both engines, each as often as native: a function, how long it took, and instructions.
fn functions() -> Result<(), Box<dyn std::error::Error>> {
    println!(
        "{:<12}{:>12}{:>14}{:>8}{:>14}{:>8}{:>18}{:>10}",
        "function", "native", "translator", "ratio", "interpreter", "ratio", "instructions/s", "unicorn"
    );
    let (mut product, mut translator) = (1.0, machine_on(EngineChoice::Auto)?);
    let mut interpreter = machine_on(EngineChoice::Interpreter)?;
    for (name, n) in FUNCTIONS {
        let native = native(name, n)?;
        let (translated, _) = emulated(&mut translator, name, n)?;
        let (interpreted, instructions) = emulated(&mut interpreter, name, n)?;
        let ratio = |time: Duration| time.as_secs_f64() / native.as_secs_f64();
        product *= ratio(translated);
        let unicorn =
            unicorn(&interpreter, name, n).map_or("-".to_owned(), |time| format!("{:.1}", ratio(time)));
        println!(
            "{name:<12}{:>9.2} ms{:>11.2} ms{:>8.2}{:>11.2} ms{:>8.1}{:>16.0} M{unicorn:>10}",
            native.as_secs_f64() * 1e3,
            translated.as_secs_f64() * 1e3,
            ratio(translated),
            interpreted.as_secs_f64() * 1e3,
            ratio(interpreted),
            instructions as f64 / translated.as_secs_f64() / 1e6,
        );
    }
    println!("geometric mean of the translator: {:.2}", f64::powf(product, 1.0 / FUNCTIONS.len() as f64));
    Ok(())
}

/// The fastest call, and its instructions.
fn emulated(machine: &mut Machine, name: &str, n: i64) -> Result<(Duration, u64), goemu::Error> {
    let function = machine.function(&format!("main.{name}"), Some("func(n int) int"))?;
    let mut instructions = 0;
    let time = fastest(|| {
        instructions = function.call(machine, &[n.into()])?.instructions;
        Ok::<_, goemu::Error>(())
    })?;
    Ok((time, instructions))
}

/// What the guest program says of itself, run by this computer.
fn native(name: &str, n: i64) -> Result<Duration, Box<dyn std::error::Error>> {
    let out = Command::new(guest()).args([name, &n.to_string()]).env("GOMAXPROCS", "1").output()?;
    let text = String::from_utf8(out.stderr)?;
    Ok(Duration::from_nanos(text.trim().parse().map_err(|_| format!("guest said {text:?}"))?))
}

/// The same function in Unicorn, if there is one.
fn unicorn(machine: &Machine, name: &str, n: i64) -> Option<Duration> {
    let entry = machine.find(&format!("main.{name}")).ok()?.entry();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("benches/in_unicorn.py");
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
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/bin/typed-go1.27");
    let config = Config { engine: engine(), ..Config::default() };
    let mut machine = Machine::with_config(Image::open(program)?, config)?;
    let pack = machine.func::<(&[u8], i64), String>("main.pack")?;
    let time = fastest(|| (0..ROUND).try_for_each(|n| pack.call(&mut machine, (b"abc", n)).map(drop)))?;
    println!("{:<44}{:>12.0}", "pack(b []byte, n int) string, typed", ROUND as f64 / time.as_secs_f64());
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

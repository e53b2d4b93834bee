//! Pools: the results of one machine, in order, however many there are.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use goemu::outcome::Runtime;
use goemu::pool::{Follow, Pool, Progress, Watch};
use goemu::{Config, Image, Machine, Outcome, Report, Value};

fn machine(build: &str, runtime: Option<Runtime>) -> Machine {
    let path = format!("{}/../../testdata/bin/{build}", env!("CARGO_MANIFEST_DIR"));
    let config = Config { runtime, fuel: 1 << 40, ..Config::default() };
    Machine::with_config(Image::open(path).unwrap(), config).unwrap()
}

fn call(machine: &mut Machine, (func, args): (&str, Vec<String>)) -> Report {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    machine.call(func).unwrap().literals(&args).unwrap().run().unwrap()
}

fn jobs() -> impl Iterator<Item = (&'static str, Vec<String>)> + Send {
    let calls = ["main.fib", "main.deep", "main.deferLoop", "main.channelBuffered", "main.selectLoop"];
    (0..60).map(move |n| (calls[n % calls.len()], vec![(n % 11 + 1).to_string()]))
}

#[test]
fn results_are_those_of_one_machine_in_order() {
    for runtime in [Some(Runtime::Hooked), Some(Runtime::Real), None] {
        let mut one = machine("corpus-go1.27", runtime);
        let alone: Vec<Report> = jobs().map(|job| call(&mut one, job)).collect();
        let mut pool = Pool::new(machine("corpus-go1.27", runtime)).jobs(3);
        for _ in 0..2 {
            let mut together = Vec::new();
            let ended = pool.run(jobs(), call, &mut Watch::new(|report| together.push(report))).unwrap();
            assert!(ended.complete && ended.done == alone.len());
            assert_eq!(together, alone, "{runtime:?}");
        }
    }
}

#[test]
fn forks_start_from_the_kept_state_and_share_hooks() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let mut machine = machine("corpus-go1.27", Some(Runtime::Hooked));
    machine
        .replace("main.fib", None, move |args| {
            counter.fetch_add(1, Ordering::Relaxed);
            (args[0] == Value::from(3)).then(|| vec![1000.into()])
        })
        .unwrap();
    let mut pool = Pool::new(machine).jobs(2);
    let mut values = Vec::new();
    let fib = |machine: &mut Machine, n: i32| {
        machine.call("main.fib").unwrap().arg(n).run().unwrap().outcome.value().cloned().unwrap()
    };
    pool.run(3..5, fib, &mut Watch::new(|value: Value| values.push(value.to_string()))).unwrap();
    // fib(4) is fib(3) + fib(2), which is fib(1) + fib(0).
    assert_eq!(values, ["1000", "1001"]);
    assert_eq!(calls.load(Ordering::Relaxed), 1 + 5);
}

/// A call that takes longer than anybody waits.
fn endless(machine: &mut Machine, _: usize) -> Outcome {
    machine.call("main.fib").unwrap().arg(80).run().unwrap().outcome
}

#[test]
fn jobs_have_a_time_each() {
    for runtime in [Runtime::Hooked, Runtime::Real] {
        let machine = machine("corpus-go1.27", Some(runtime));
        let mut pool = Pool::new(machine).jobs(2).time_each(Some(Duration::from_millis(50)));
        let mut outcomes = Vec::new();
        let ended = pool.run(0..3, endless, &mut Watch::new(|outcome| outcomes.push(outcome))).unwrap();
        assert!(ended.complete);
        assert_eq!(outcomes, [Outcome::OutOfTime, Outcome::OutOfTime, Outcome::OutOfTime]);
        let fib = pool.machine().call("main.fib").unwrap().arg(10).run().unwrap();
        assert_eq!(fib.outcome.value(), Some(&Value::from(55)), "the time is over with the work");
    }
}

/// Interrupts when so many jobs were begun.
struct Impatient(Vec<Outcome>, usize);

impl Follow<Outcome> for Impatient {
    fn result(&mut self, result: Outcome) -> ControlFlow<()> {
        self.0.push(result);
        ControlFlow::Continue(())
    }

    fn progress(&mut self, progress: Progress) -> ControlFlow<()> {
        if progress.begun >= self.1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn an_interrupt_keeps_what_there_is() {
    let mut pool = Pool::new(machine("corpus-go1.27", None)).jobs(2);
    let work = |machine: &mut Machine, n: usize| {
        if n < 5 {
            machine.call("main.fib").unwrap().arg(5).run().unwrap().outcome
        } else {
            endless(machine, n)
        }
    };
    let mut impatient = Impatient(Vec::new(), 7);
    let ended = pool.run(0.., work, &mut impatient).unwrap();
    assert!(!ended.complete && ended.done == 7);
    let returned = impatient.0.iter().filter(|outcome| matches!(outcome, Outcome::Returned(_))).count();
    assert_eq!((returned, &impatient.0[5..]), (5, &[Outcome::Interrupted, Outcome::Interrupted][..]));
    assert!(pool.interrupt().is_raised());
    pool.interrupt().clear();
    let mut outcomes = 0;
    assert!(pool.run(0..5, work, &mut Watch::new(|_| outcomes += 1)).unwrap().complete);
    assert_eq!(outcomes, 5, "it works again");
}

/// Wants no more than the first result.
struct First(usize);

impl Follow<Outcome> for First {
    fn result(&mut self, _: Outcome) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Break(())
    }
}

#[test]
fn a_result_may_be_the_last_that_is_wanted() {
    let mut pool = Pool::new(machine("corpus-go1.27", None)).jobs(2);
    let work = |machine: &mut Machine, n: usize| {
        if n == 0 {
            machine.call("main.fib").unwrap().arg(5).run().unwrap().outcome
        } else {
            endless(machine, n)
        }
    };
    let (mut first, began) = (First(0), Instant::now());
    let ended = pool.run(0.., work, &mut first).unwrap();
    assert_eq!((first.0, ended.done, ended.complete), (1, 1, false));
    assert!(began.elapsed() < Duration::from_secs(60) && !pool.interrupt().is_raised());
}

#[test]
fn results_do_not_run_far_ahead() {
    let mut pool = Pool::new(machine("corpus-go1.27", None)).jobs(2);
    let finished = AtomicUsize::new(0);
    let work = |_: &mut Machine, n: usize| {
        if n == 0 {
            // The others are done, as far as they may be.
            std::thread::sleep(Duration::from_millis(200));
            return finished.load(Ordering::Relaxed);
        }
        finished.fetch_add(1, Ordering::Relaxed)
    };
    let mut first = None;
    pool.run(
        0..5000,
        work,
        &mut Watch::new(|n: usize| {
            first.get_or_insert(n);
        }),
    )
    .unwrap();
    assert!(first.unwrap() <= 128, "{first:?}");
}

#[test]
fn slices_change_nothing_of_a_run() {
    for runtime in [Runtime::Hooked, Runtime::Real] {
        let mut machine = machine("corpus-go1.27", Some(runtime));
        for (func, args) in [
            ("main.fib", vec!["24"]),
            ("main.pipeline", vec!["5", "3000"]),
            ("main.mutexCount", vec!["3", "30000"]),
        ] {
            let run =
                |machine: &mut Machine| machine.call(func).unwrap().literals(&args).unwrap().run().unwrap();
            machine.set_deadline(None);
            let whole = run(&mut machine);
            machine.set_deadline(Instant::now().checked_add(Duration::from_secs(600)));
            let cut = run(&mut machine);
            assert!(
                whole.instructions > 1 << 20,
                "{func}: {} instructions are one slice",
                whole.instructions
            );
            assert_eq!(cut, whole, "{runtime:?} {func}");
        }
    }
}

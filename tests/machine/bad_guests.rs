//! Guests that mean harm end in an outcome that says what they did: in both runtimes, of an old release and the newest, in
//! bounded time and memory. Their sources are in `testdata/go/bad`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use goemu::outcome::Runtime;
use goemu::{Config, Error, Image, Machine, Report};
use goemu_tests::fixtures::{binary, releases};

/// What a guest ends in.
enum Ends {
    /// In both runtimes alike.
    In(&'static str),
    /// Hooked, and in the real one.
    By(&'static str, &'static str),
    /// In both runtimes in one of these: what is used up first differs.
    Either(&'static str, &'static str),
    /// Hooked not at all, for this reason; so in the real one.
    Real(&'static str, &'static str),
}
use Ends::{By, In, Real};

const FUEL: &str = "out of fuel: the limit of ..";
const MEMORY: &str = "fatal error: runtime: out of memory";
const STACK: &str = "fatal error: stack overflow";
const REFUSED: &str = "\"operation not permitted\"";

/// Guest, results, how it ends; `..` stands for anything. Hooked, nothing is ever freed, and what is large costs no
/// instructions, so that memory may end where in the real runtime fuel does.
#[rustfmt::skip]
const GUESTS: &[(&str, &str, Ends)] = &[
    // Hooked, the stack ends above the caller's frame; in the real runtime there is more, and the return is wild.
    ("smash", "int", By(
        "fault in main.smash: write to 0xbf00000000 at pc ..: nothing is mapped there",
        "fault: jump to 0x4141414141414141 at pc 0x4141414141414141: nothing is mapped there",
    )),
    ("wild", "", In("fault: jump to 0x1234 at pc 0x1234: nothing is mapped there")),
    ("wildReturn", "", In("fault: jump to 0x7ffffffffffffff8 at pc ..: nothing is mapped there")),
    ("text", "", In("fault in main.text: write to 0x4..: the page does not allow it")),
    ("farString", "string", In("(string)(0x8 /* unreadable */)")),
    ("farSlice", "int", In("fault in main.farSlice: read of 0x40000000010 at pc ..: nothing is mapped there")),
    ("farInterface", "interface{}", In("(interface {})(0x1234 /* of unknown type */)")),
    ("farFunc", "func()", In("(func())(0x77777 /* unreadable */)")),
    ("farMap", "map[string]int", In("(map[string]int)(0x400000 /* unreadable */)")),
    ("nilCall", "", In("panic: runtime error: invalid memory address or nil pointer dereference")),
    ("tera", "int", By(MEMORY, "fatal error: out of memory")),
    ("giga", "int", In(MEMORY)),
    ("gigas", "", Ends::Either(MEMORY, FUEL)),
    ("doubled", "", In(FUEL)),
    ("entries", "", In(FUEL)),
    ("channels", "", By(MEMORY, FUEL)),
    ("bomb", "", In(FUEL)),
    ("forks", "", In(FUEL)),
    ("deepGoroutines", "", In(STACK)),
    ("spin", "", In(FUEL)),
    ("selecting", "", In(FUEL)),
    ("ticking", "", In(FUEL)),
    ("timers", "", In(FUEL)),
    ("sleeping", "", In(FUEL)),
    ("yielding", "", In(FUEL)),
    ("printing", "", In(FUEL)),
    ("writing", "", In(FUEL)),
    ("recursing", "", In(STACK)),
    ("deferring", "", In(FUEL)),
    ("panicking", "", In(STACK)),
    ("unlocked", "", In("fatal error: sync: unlock of unlocked mutex")),
    ("unheld", "", In("panic: sync: negative WaitGroup counter")),
    ("waiting", "", In("fatal error: all goroutines are asleep - deadlock!")),
    ("noMain", "", In("fatal error: no goroutines (main called runtime.Goexit) - deadlock!")),
    ("exiting", "", In("exit status 7")),
    ("killed", "string", Real("a signal to the process itself is not supported here ..", "exit status 137")),
    ("executed", "string", In(REFUSED)),
    ("opened", "string", In("\"no error\"")),
    ("dialled", "string", Real("a socket is not supported here ..", "\"no error\"")),
    ("locked", "string", In("\"no error\"")),
];

/// A machine with limits far below the usual ones: the real runtime of Go 1.15 takes 64 MiB to start.
fn machine(image: &Arc<Image>, runtime: Option<Runtime>) -> Machine {
    let limits = Config { fuel: 1_500_000, max_memory: 128 << 20, max_stack: 32 << 10, ..Config::default() };
    Machine::with_config(Arc::clone(image), Config { runtime, ..limits }).unwrap()
}

fn call(machine: &mut Machine, guest: &str, results: &str) -> Result<Report, Error> {
    machine.call(&format!("main.{guest}"))?.signature(&format!("func() {results}"))?.run()
}

/// Whether a text is as expected, where `..` stands for anything.
fn fits(found: &str, expected: &str) -> bool {
    match expected.split_once("..") {
        None => found == expected,
        Some((start, end)) => found.starts_with(start) && found.ends_with(end),
    }
}

#[test]
fn every_bad_guest_ends_as_it_should() {
    let mut wrong = Vec::new();
    for version in releases("bad", "-stripped", &[15, 27]) {
        let path = binary(&format!("bad-go1.{version}-stripped")).unwrap();
        let image = Arc::new(Image::open(path).unwrap());
        let [mut hooked, mut real, mut auto] =
            [Some(Runtime::Hooked), Some(Runtime::Real), None].map(|runtime| machine(&image, runtime));
        for (guest, results, ends) in GUESTS {
            let mut look = |machine: &mut Machine, expected: &str| {
                let ended = call(machine, guest, results);
                let found = ended.map_or_else(|error| error.to_string(), |report| report.outcome.to_string());
                let memory = machine.memory().mapped();
                let other = if let Ends::Either(_, other) = ends { fits(&found, other) } else { false };
                if !(fits(&found, expected) || other) || memory > 128 << 20 {
                    let runtime = machine.config().runtime;
                    wrong.push(format!("Go 1.{version}, {runtime:?}: {guest}: {found}; {memory} bytes"));
                }
            };
            let (by_hooks, by_real) = match ends {
                In(both) | Ends::Either(both, _) => (both, both),
                By(hooks, real) | Real(hooks, real) => (hooks, real),
            };
            look(&mut hooked, by_hooks);
            look(&mut real, by_real);
            // The choice between them is that of the hooked way, but where that cannot.
            if let Real(..) = ends {
                look(&mut auto, by_real);
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

//! What observers are told of a call by a started program's own runtime is what they are told where hooks serve it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};

use goemu::machine::Config;
use goemu::observe::{Event, Interest, Observer, View};
use goemu::outcome::Runtime;
use goemu::{Image, Machine};
use goemu_loader::TypeRef;
use goemu_tests::fixtures::{binary, cases, releases};

/// What the runtime keeps of its own and uses again: a started program may have some at hand.
const POOLED: [&str; 1] = ["runtime._defer"];

/// Calls whose events are not the same: what other goroutines do is told by hooks only, maps up to Go 1.23 have overflow
/// buckets by a seed of the runtime's, and an endless recursion ends by fuel where stacks are copied.
fn differs(func: &str, version: u16) -> bool {
    const GOROUTINES: [&str; 6] =
        ["goroutineSum", "pipeline", "selectLoop", "mutexCount", "goroutinePanics", "deadlock"];
    let name = func.trim_start_matches("main.");
    GOROUTINES.contains(&name) || name == "stackOverflow" || name.starts_with("map") && version < 24
}

/// Events, without what differs between two heaps and two stacks.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Observer for Told {
    fn interest(&self) -> Interest {
        Interest::EVENTS
    }

    fn event(&mut self, at: &View<'_>, event: &Event) {
        let name = |addr: &u64| at.image.func_at(*addr).map_or("?", |func| func.name());
        let text = match event {
            Event::DeferPushed { by, func, args, .. } => {
                format!("{by} {} with {} bytes", name(func), args.len())
            }
            Event::DeferRuns { func, .. } => format!("deferreturn runs {}", name(func)),
            Event::Allocated { ty, .. } if POOLED.contains(&type_name(at, *ty).as_str()) => return,
            Event::Allocated { size, ty, .. } => format!("allocated {size} for {}", type_name(at, *ty)),
            Event::Panicking { ty, .. } => format!("panic of {ty:#x}"),
            Event::DefersDone | Event::DefersLeftToRuntime | Event::RecoverCalled | Event::Recovered => {
                format!("{event:?}")
            }
            Event::CallEnded(outcome) => outcome.word().to_owned(),
            // Stacks are elsewhere, and of other sizes.
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

fn type_name(at: &View<'_>, ty: u64) -> String {
    let known = at.image.resolve(&TypeRef::Rtype(ty)).ok().filter(|_| ty != 0);
    known.map_or_else(String::new, |known| known.name.clone())
}

fn told(image: &Arc<Image>, runtime: Runtime) -> (Machine, Told) {
    let config = Config { runtime: Some(runtime), max_stack: 1 << 20, fuel: 20_000_000, ..Config::default() };
    let mut machine = Machine::with_config(Arc::clone(image), config).unwrap();
    let told = Told::default();
    machine.observe(told.clone());
    (machine, told)
}

/// The events of a call; none where it was not carried out.
fn events(machine: &mut Machine, told: &Told, func: &str, args: &[String]) -> Option<Vec<String>> {
    told.0.lock().unwrap().clear();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    machine.call(func).unwrap().literals(&args).unwrap().run().ok()?;
    Some(told.0.lock().unwrap().clone())
}

#[test]
fn both_runtimes_tell_the_same() {
    let mut wrong = Vec::new();
    let builds = [(15, ""), (15, "-noopt"), (19, ""), (23, ""), (27, ""), (27, "-noopt")];
    let is_there = |(version, mode): &(u16, &str)| !releases("corpus", mode, &[*version]).is_empty();
    for (version, mode) in builds.into_iter().filter(is_there) {
        let path = binary(&format!("corpus-go1.{version}{mode}")).unwrap();
        let image = Arc::new(Image::open(path).unwrap());
        let (mut hooked, hooked_told) = told(&image, Runtime::Hooked);
        let (mut real, real_told) = told(&image, Runtime::Real);
        let mut compared = 0;
        for case in cases("corpus", version).iter().filter(|case| !differs(&case.function, version)) {
            let Some(by_hooks) = events(&mut hooked, &hooked_told, &case.function, &case.args) else {
                continue;
            };
            let by_real = events(&mut real, &real_told, &case.function, &case.args).unwrap();
            compared += usize::from(by_hooks.len() > 2);
            if by_hooks != by_real {
                let at = by_hooks.iter().zip(&by_real).take_while(|(a, b)| a == b).count();
                let differ = (by_hooks.get(at), by_real.get(at));
                wrong.push(format!(
                    "1.{version}{mode} {}({}) event {at} of {} and {}: {differ:?}",
                    case.function,
                    case.args.join(", "),
                    by_hooks.len(),
                    by_real.len()
                ));
            }
        }
        assert!(compared > 100, "1.{version}{mode}: {compared}");
    }
    assert!(wrong.is_empty(), "{} differ\n{}", wrong.len(), wrong.join("\n"));
}

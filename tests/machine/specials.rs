//! What a collection sees to, with hooks alone and in the program's own runtime: finalizers, cleanups, weak pointers. Which objects are
//! still used is known by what the compiler has noted of stacks. The values are those of native runs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine};
use goemu_tests::fixtures::{binary, releases};

/// What each says, in all releases.
const ALL: &[(&str, &str)] = &[
    ("Blocks", "in|out fin-second"),
    ("Captured", "|c|fin-c"),
    ("Chain", "fin-a|fin-b|"),
    ("Cond", "|fin-cond1"),
    ("Containers", "fin-iface fin-slice|2 0 0 3 <nil>"),
    ("Count", "0fin-x"),
    ("Deep", "fin-d|1276||51|fin-e"),
    ("Defers", "mid deferred-df fin-df|mid deferred-dl1 deferred-dl0 fin-dl1 fin-dl0"),
    ("Faults", "2"),
    ("Files", "<nil>"),
    ("Goexit", "ge fin-ge"),
    ("Goroutine", "fin-dead|gx|fin-g"),
    ("Kept", "|fin-a"),
    ("Kinds", "method-meth T:str *main.object-any method-odd"),
    ("Local", "fin-a"),
    ("ManyArgs", "3|9|2"),
    ("Method", "mv||fin-mv"),
    ("Nested", "outer fin-inner"),
    ("Order", "fin-4 fin-3 fin-2 fin-1 fin-0"),
    ("Panics", "p|fin-p"),
    ("Pool", "|fin-pool|true"),
    ("Printed", "T:pr 0|fin-pr"),
    ("Reflect", "rl||fin-rl|mf||fin-mf"),
    ("Results", "|3|fin-rb|rafin-ra"),
    ("Resurrect", "saved|true|again-r"),
    ("StackObject", "fin-so"),
    ("StackStruct", "|1|fin-h2 fin-h1"),
    ("StackStructLive", "|h1h2fin-h2 fin-h1"),
    ("Timer", "|fired-timer fin-timer"),
    ("Unset", "none"),
];

/// Since Go 1.24.
const NEWER: &[(&str, &str)] = &[
    (
        "Bad",
        "runtime.AddCleanup: ptr is nil|runtime.AddCleanup: ptr is equal to arg, cleanup will never run|<nil>",
    ),
    ("Cache", "made-a made-b evicted-b|aa|evicted-a0"),
    ("CleanupAndFinalizer", "fin-cf|clean-arg|"),
    ("CleanupKept", "|t|c-one"),
    ("Pulled", "x|itfin-it|"),
    ("Unique", "truesome0some0true"),
    ("Weak", "true true truew true false true"),
    ("WeakFin", "wftrue|truewffalse"),
    ("Zone", "trueeth3eth3"),
];

/// Which goroutine runs cleanups, and in which order, depends on the release.
const UPTO_24: &[(&str, &str)] = &[("BlockedFin", "|cleaned"), ("Cleanups", "pad9 c-one {1 x 2.5}|")];
const SINCE_25: &[(&str, &str)] = &[("BlockedFin", "cleaned|"), ("Cleanups", "{1 x 2.5} c-one pad9|")];

fn special(version: u16, kind: &str, runtime: Option<Runtime>) -> String {
    let image = Image::open(binary(&format!("corners-go1.{version}-stripped")).unwrap()).unwrap();
    let mut machine = Machine::with_config(image, Config { runtime, ..Config::default() }).unwrap();
    let call = machine.call("main.special").unwrap().signature("func(kind string) string").unwrap();
    match call.literals(&[&*format!("{kind:?}")]).unwrap().run() {
        Ok(report) => {
            assert_eq!(report.doubt, None, "{version}: {kind}");
            report.outcome.to_string()
        }
        Err(error) => error.to_string(),
    }
}

fn check(version: u16, expected: &[(&str, &str)]) {
    for runtime in [Runtime::Hooked, Runtime::Real] {
        for (kind, said) in expected {
            let value = special(version, kind, Some(runtime));
            assert_eq!(value, format!("{said:?}"), "{version}, {runtime:?}: {kind}");
        }
    }
}

#[test]
fn finalizers_run_when_their_objects_are_not_used_any_more() {
    for version in releases("corners", "-stripped", &[15, 27]) {
        check(version, ALL);
    }
}

#[test]
fn cleanups_and_weak_pointers_follow_their_objects() {
    for version in releases("corners", "-stripped", &[24, 27]) {
        check(version, NEWER);
        check(version, if version <= 24 { UPTO_24 } else { SINCE_25 });
    }
}

/// Each value has its own type: cleanups are called with it as they were given it, in no order that Go promises.
#[test]
fn cleanups_take_any_type() {
    for version in releases("corners", "-stripped", &[24, 27]) {
        let said = special(version, "Generic", Some(Runtime::Hooked));
        for part in ["[1 2 3]", "T:pp", "err", "s"] {
            assert!(said.contains(part), "{version}: {said}");
        }
    }
}

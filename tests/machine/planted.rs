//! Functions with one wrong case each: found, and shrunk to the smallest input that is known.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use goemu::pool::Pool;
use goemu::testing::{Check, Diff, Finding, PART, Property, Spares};
use goemu::{Config, Image, Machine};
use goemu_tests::fixtures::{binary, present};

/// Instructions of a call: enough for all of these functions, few for those that do not end.
const FUEL: u64 = 2_000_000;

fn machine(seed: u64) -> Machine {
    let image = Image::open(binary("planted-go1.27").unwrap()).unwrap();
    let config = Config { seed, fuel: FUEL, max_memory: 256 << 20, ..Config::default() };
    Machine::with_config(image, config).unwrap()
}

fn find(machine: &mut Machine, func: &str, property: Option<Property>) -> Finding {
    let mut check = Check::new(machine, func, None).unwrap();
    if let Some(property) = property {
        check = check.property(machine, property).unwrap();
    }
    if func == "main.round" {
        // What an infinite number is as an integer, Go leaves open.
        check = check.constrain(machine, "x in -1000..1000").unwrap();
    }
    let checked = check.run(machine, 20_000).unwrap();
    checked.finding.unwrap_or_else(|| panic!("{func}: nothing in {} runs", checked.runs))
}

/// A function, the option that finds it out, and the smallest inputs.
type Planted = (&'static str, Option<Property>, &'static [&'static str]);

fn planted() -> Vec<Planted> {
    let of = |make: fn(String) -> Property, name: &str| Some(make(format!("main.{name}")));
    vec![
        ("main.lastButOne", None, &["[]int{0, 0, 0, 0}"]),
        ("main.twice", of(Property::SameAs, "twiceRight"), &["64"]),
        ("main.nameOf", None, &["nil"]),
        ("main.round", of(Property::SameAs, "roundRight"), &["-0.5"]),
        ("main.swap", of(Property::Inverse, "swap"), &["1"]),
        ("main.sorted", Some(Property::Pure), &["[]int{1, 0}"]),
        ("main.add", Some(Property::Pure), &["1"]),
        ("main.magic", None, &["[]byte{127, 69, 76, 70}"]),
        ("main.checked", None, &["[]byte{0, 0, 0, 1}"]),
        ("main.record", None, &["[]byte{1}"]),
        ("main.ratio", None, &["0", "-7"]),
        ("main.halvings", None, &["0"]),
        ("main.nested", None, &[r#""(""#]),
        ("main.describe", None, &["nil"]),
        ("main.number", None, &["false"]),
        ("main.send", None, &["3"]),
        ("main.mix", Some(Property::Commutes), &["0", "1"]),
        ("main.trim", Some(Property::Idempotent), &[r#""  ""#]),
        ("main.grade", Some(Property::Monotone), &["80", "100"]),
        ("main.encode", of(Property::Inverse, "decode"), &[r#""aaaaaaaaaa""#]),
    ]
}

#[test]
fn planted_bugs_are_found_and_shrunk() {
    let mut machine = machine(1);
    for (func, property, smallest) in planted() {
        let finding = find(&mut machine, func, property);
        let input: Vec<&str> = finding.input.iter().map(|given| given.value.as_str()).collect();
        assert_eq!(input, smallest, "{finding}");
        assert!(finding.minimal, "{finding}");
    }
}

/// Which maps are walked in which order follows from the seed.
#[test]
fn planted_bugs_of_order_and_letters_are_found() {
    let mut machine = machine(1);
    let keys = find(&mut machine, "main.keys", Some(Property::Pure));
    let what = ["the result depends on chance", "called again, it gives something else"];
    assert!(what.contains(&keys.what.as_str()), "{keys}");
    assert_eq!(keys.input[0].value.matches(": 0").count(), 2, "{keys}");
    let capitalise =
        find(&mut machine, "main.capitalise", Some(Property::Holds("main.staysValid".to_owned())));
    assert_eq!(capitalise.input[0].value, "\"\u{e9}\"", "{capitalise}");
}

/// The same seed is the same search.
#[test]
fn findings_follow_from_the_seed() {
    for seed in [1, 7] {
        let find = || find(&mut machine(seed), "main.magic", None);
        assert_eq!(find(), find());
    }
}

/// What is found does not depend on how many machines look for it.
#[test]
fn many_machines_find_what_one_finds() {
    let mut alone = machine(1);
    let mut pool = Pool::new(machine(1)).jobs(3);
    let go_on = |_| ControlFlow::Continue(());
    // Some are found by the first part; of one nothing is.
    for func in ["main.record", "main.magic", "main.checked", "main.twiceRight"] {
        let check = Check::new(&alone, func, None).unwrap();
        let one = check.run(&mut alone, 10_000).unwrap();
        let many = check.run_on(&mut pool, 10_000, go_on).unwrap();
        assert_eq!((one.runs, one.complete, one.finding), (many.runs, many.complete, many.finding), "{func}");
    }
    // By another part: what an earlier one has done is counted.
    let late = Check::new(&alone, "main.checked", None).unwrap();
    let late = late.constrain(&alone, "b len 24..34").unwrap();
    let late = late.allow_panics(|text| !text.ends_with("with length 27"));
    let one = late.run(&mut alone, 20_000).unwrap();
    let many = late.run_on(&mut pool, 20_000, go_on).unwrap();
    assert!(one.runs > PART && one.finding.is_some(), "{one:?}");
    assert_eq!((one.runs, one.finding), (many.runs, many.finding));
}

/// The same of two builds, and without further options.
#[test]
fn many_machines_compare_as_two_do() {
    let open = |name: &str| Machine::new(Image::open(binary(name).unwrap()).unwrap()).unwrap();
    let (mut old, mut new) = (open("corpus-go1.15"), open("corpus-go1.27"));
    let mut diff = Diff::new(&old, &new, "main.fib", None).unwrap();
    diff.constrain(&old, "1 in 0..12").unwrap();
    let one = diff.run(&mut old, &mut new, 5000, |_| ControlFlow::Continue(())).unwrap();
    let (mut pool, spares) = (Pool::new(old).jobs(2), Spares::new(new, 2).unwrap());
    let mut told = 0;
    let many = diff.run_on(&mut pool, &spares, 5000, |_| {
        told += 1;
        ControlFlow::Continue(())
    });
    let many = many.unwrap();
    assert_eq!((one.runs, one.complete, one.finding), (many.runs, many.complete, many.finding));
    assert!(many.runs == 5000 && told > 0);
    let ended = diff.run_on(&mut pool, &spares, u64::MAX, |_| ControlFlow::Break(())).unwrap();
    assert!(!ended.complete && ended.finding.is_none());
}

#[test]
fn findings_tell_all() {
    let mut machine = machine(1);
    let finding = find(&mut machine, "main.record", None);
    assert_eq!(finding.what, "panic: runtime error: index out of range [1] with length 1");
    assert_eq!((finding.property.as_str(), finding.flaky.as_deref()), ("returns", None));
    assert!(finding.traceback.as_ref().unwrap().contains("main.record("), "{finding}");
    let json = finding.json();
    assert_eq!(json["input"][0]["value"], "[]byte{1}");
    let test = finding.test.unwrap().unwrap();
    let expected = "package main

import (
\t\"testing\"
)

// panic: runtime error: index out of range [1] with length 1
func TestRecordFound(t *testing.T) {
\trecord([]byte{1})
}
";
    assert_eq!(test, expected);
}

#[test]
fn constraints_and_assumptions_keep_arguments() {
    let mut machine = machine(1);
    let check = Check::new(&machine, "main.ratio", None).unwrap();
    let checked = check.clone().constrain(&machine, "b in 0..1000").unwrap().run(&mut machine, 2000).unwrap();
    assert!(checked.finding.is_none() && checked.runs == 2000 && checked.complete);
    let finding =
        check.constrain(&machine, "2 one of 5, -7, 8").unwrap().run(&mut machine, 2000).unwrap().finding;
    assert_eq!(finding.unwrap().input[1].value, "-7");
    let check = Check::new(&machine, "main.lastButOne", None).unwrap();
    let checked = check.constrain(&machine, "a len 5..9").unwrap().run(&mut machine, 1000).unwrap();
    assert!(checked.finding.is_none());
    let allowed =
        Check::new(&machine, "main.ratio", None).unwrap().allow_panics(|text| text.contains("divide"));
    assert!(allowed.run(&mut machine, 2000).unwrap().finding.is_none());
}

#[test]
fn what_cannot_be_tested_is_said() {
    let machine = machine(1);
    let error = |func: &str, property| {
        let check = Check::new(&machine, func, None)?;
        check.property(&machine, property).map(|_| ())
    };
    for (func, property, part) in [
        ("main.nameOf", Property::Idempotent, "does not give one value of the type that it takes"),
        ("main.keys", Property::Commutes, "its last two arguments are not of one type"),
        ("main.keys", Property::Monotone, "no argument has an order"),
        ("main.twice", Property::SameAs("main.trim".to_owned()), "a func(int8) int is wanted"),
        ("main.twice", Property::Expect("x".to_owned()), "x is no result"),
    ] {
        let message = error(func, property).unwrap_err().to_string();
        assert!(message.contains(part), "{func}: {message}");
    }
}

/// Where a program was stripped, or is for another system, a signature is all that is needed.
#[test]
fn stripped_programs_and_those_of_other_systems_are_tested() {
    for build in ["corpus-go1.27-stripped", "corpus-go1.15-windows-stripped", "corpus-go1.15-darwin-stripped"]
    {
        let mut machine = Machine::new(Image::open(binary(build).unwrap()).unwrap()).unwrap();
        let signature = "func(a, b int) (int, int)";
        let check = Check::new(&machine, "main.divide", Some(signature)).unwrap();
        let finding = check.run(&mut machine, 2000).unwrap().finding.expect(build);
        let input: Vec<&str> = finding.input.iter().map(|given| given.value.as_str()).collect();
        assert_eq!(input, ["0", "0"], "{build}: {finding}");
        assert!(finding.what.contains("integer divide by zero"), "{build}: {finding}");
    }
}

/// Functions of the runtime are no values: called by others, they end the program.
#[test]
fn functions_are_given_functions_that_others_may_call() {
    let mut machine = machine(1);
    let check = Check::new(&machine, "sync.(*Once).Do", None).unwrap();
    let finding = check.run(&mut machine, 2000).unwrap().finding;
    let given = finding.map(|finding| finding.input[1].value.clone()).unwrap_or_default();
    assert!(!given.contains("runtime") && !given.starts_with("internal/"), "{given}");
}

#[test]
fn tests_import_the_packages_of_functions() {
    let Some(library) = present(["library-go1.27"]).pop() else { return };
    let mut machine = Machine::new(Image::open(binary(&library).unwrap()).unwrap()).unwrap();
    let check = Check::new(&machine, "strings.TrimFunc", None).unwrap();
    let check = check.property(&machine, Property::Expect("\"a\"".to_owned())).unwrap();
    let check = check.constrain(&machine, "2 one of unicode.IsLetter").unwrap();
    let test = check.run(&mut machine, 100).unwrap().finding.unwrap().test.unwrap().unwrap();
    assert!(test.contains("TrimFunc(\"\", unicode.IsLetter)") && test.contains("\t\"unicode\"\n"), "{test}");
}

/// Functions of Go's own library that panic for nothing do not.
#[test]
fn clean_functions_give_no_alarm() {
    let Some(library) = present(["library-go1.27"]).pop() else { return };
    let mut machine = Machine::new(Image::open(binary(&library).unwrap()).unwrap()).unwrap();
    let funcs: Vec<String> = machine
        .image()
        .defined_funcs()
        .map(|func| func.name().to_owned())
        .filter(|name| {
            let of = [
                "strconv.Parse",
                "strconv.Quote",
                "strconv.Format",
                "strings.Index",
                "strings.Has",
                "unicode/utf8.",
            ];
            of.iter().any(|of| name.starts_with(of))
        })
        .collect();
    let mut tested = 0;
    for func in &funcs {
        let Ok(check) = Check::new(&machine, func, None) else { continue };
        // `FormatInt` says that it panics for such bases.
        let check = check.allow_panics(|text| text.contains("illegal") && text.contains("base"));
        let checked = check.run(&mut machine, 200).unwrap();
        assert!(checked.finding.is_none(), "{}", checked.finding.unwrap());
        tested += 1;
    }
    assert!(tested >= 8, "{tested} of {funcs:?}");
}

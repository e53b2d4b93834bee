//! What traces look like. `cargo xtask bless` accepts what they look like now.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use expect_test::expect_file;
use goemu::trace::Detail;
use goemu::{Image, Machine};
use goemu_tests::fixtures::{binary, testdata};
use goemu_tests::trace::traced;

const DETAILS: [(Detail, &str); 3] =
    [(Detail::Instructions, "insns"), (Detail::Calls, "calls"), (Detail::Events, "events")];

/// Compares the traces of a call with `testdata/traces/NAME.DETAIL.txt`.
fn check(machine: &mut Machine, name: &str, detail: &(Detail, &str), func: &str, args: &[&str]) {
    let (detail, word) = *detail;
    let (text, _) = traced(machine, detail, func, args);
    expect_file![testdata(&format!("traces/{name}.{word}.txt"))].assert_eq(&text);
}

fn demo(release: &str) {
    let image = Image::open(testdata("../cli/demo").join(format!("demo-{release}"))).unwrap();
    let mut machine = Machine::new(image).unwrap();
    for func in ["f1", "f2", "f3", "c"] {
        for detail in &DETAILS {
            check(&mut machine, &format!("{release}.{func}"), detail, &format!("main.{func}"), &[]);
        }
    }
}

#[test]
fn the_demo_by_an_old_compiler() {
    demo("go1.15");
}

#[test]
fn the_demo_by_a_new_compiler() {
    demo("go1.27");
}

fn corpus(name: &str, details: &[(Detail, &str)], func: &str, args: &[&str]) {
    for release in ["go1.15", "go1.27"] {
        let path = binary(&format!("corpus-{release}")).unwrap();
        let mut machine = Machine::new(Image::open(path).unwrap()).unwrap();
        for detail in details {
            check(&mut machine, &format!("{release}.{name}"), detail, func, args);
        }
    }
}

#[test]
fn a_recursion_that_grows_the_stack() {
    corpus("deep", &DETAILS[2..], "main.deep", &["100"]);
}

#[test]
fn a_panic_that_is_recovered() {
    corpus("panic", &DETAILS[1..], "main.panicFrames", &["2"]);
}

#[test]
fn a_panic_that_is_not_recovered() {
    corpus("divide", &DETAILS[1..], "main.divide", &["1", "0"]);
}

/// A line of the tree of calls does not grow with the stack: what a deep recursion writes would be quadratic.
#[test]
fn deep_calls_are_numbered() {
    let mut machine = Machine::new(Image::open(binary("corpus-go1.27").unwrap()).unwrap()).unwrap();
    let (text, _) = traced(&mut machine, Detail::Calls, "deep", &["3000"]);
    let longest = text.lines().map(str::len).max().unwrap();
    assert!(longest < 300, "{longest}");
    let line = |depth: usize, what: &str| text.lines().any(|line| line == format!("{:depth$}{what}", ""));
    assert!(line(200, "main.deep(2900)"), "{}", &text[..3000]);
    assert!(line(200, "[1500] main.deep(1500)"));
}

//! Property tests of compiled Go functions, written as users of goemu write them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, LazyLock};

use goemu::{Image, Machine, Outcome, Value};
use goemu_tests::fixtures::binary;
use proptest::prelude::*;

static IMAGE: LazyLock<Arc<Image>> =
    LazyLock::new(|| Arc::new(Image::open(binary("corpus-go1.27").unwrap()).unwrap()));

/// Calls a function of the program with these arguments.
fn call<const N: usize>(func: &str, args: [Value; N]) -> Outcome {
    let mut machine = Machine::new(Arc::clone(&IMAGE)).unwrap();
    machine.call(func).unwrap().args(args).run().unwrap().outcome
}

/// Calls a function that returns one value.
fn value<T, const N: usize>(func: &str, args: [Value; N]) -> T
where
    T: for<'a> TryFrom<&'a Value>,
{
    let outcome = call(func, args);
    outcome.value().and_then(|value| T::try_from(value).ok()).unwrap_or_else(|| panic!("{func}: {outcome}"))
}

/// The runtime's structures refer to each other, by the hundred.
#[test]
fn values_of_any_type_are_of_some_size() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for name in ["[128]*runtime.sudog", "runtime.p", "runtime.g", "runtime.mheap"] {
        let ty = IMAGE.type_named(name).unwrap().unwrap_or_else(|| panic!("no {name}"));
        let strategy = goemu::strategy::strategy_for(&ty, &**IMAGE);
        for _ in 0..10 {
            let text = strategy.new_tree(&mut runner).unwrap().current().to_string();
            assert!(text.len() < 2 << 20, "{name}: {}", text.len());
        }
    }
}

/// Euclid's algorithm.
fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn add_wraps_and_commutes(a: i64, b: i64) {
        let sum: i64 = value("main.add", [a.into(), b.into()]);
        prop_assert_eq!(sum, a.wrapping_add(b));
        prop_assert_eq!(sum, value::<i64, 2>("main.add", [b.into(), a.into()]));
    }

    #[test]
    fn divide_is_rusts_or_a_panic(a: i64, b in prop_oneof![any::<i64>(), -3..=3_i64]) {
        let outcome = call("main.divide", [a.into(), b.into()]);
        if b == 0 {
            prop_assert_eq!(outcome.to_string(), "panic: runtime error: integer divide by zero");
        } else {
            let expected = (Value::Int(a.wrapping_div(b)), Value::Int(a.wrapping_rem(b)));
            prop_assert_eq!(outcome.values(), Some(vec![&expected.0, &expected.1]));
        }
    }

    #[test]
    fn index_is_an_element_or_a_panic(list in prop::collection::vec(any::<i64>(), 0..8), at in -2..10_i64) {
        let outcome = call("main.index", [list.clone().into(), at.into()]);
        match usize::try_from(at).ok().and_then(|at| list.get(at)) {
            Some(element) => prop_assert_eq!(outcome.value(), Some(&Value::Int(*element))),
            None => prop_assert!(outcome.to_string().starts_with("panic: runtime error: index out of range")),
        }
    }

    #[test]
    fn quicksort_sorts(mut list in prop::collection::vec(any::<i64>(), 0..64)) {
        let sorted: Vec<i64> = value("main.quicksort", [list.clone().into()]);
        list.sort_unstable();
        prop_assert_eq!(sorted, list);
    }

    #[test]
    fn reverse_reverses_bytes_and_undoes_itself(text in "[ -~]{0,40}") {
        let reversed: String = value("main.reverse", [text.as_str().into()]);
        prop_assert_eq!(&reversed, &text.chars().rev().collect::<String>());
        prop_assert_eq!(value::<String, 1>("main.reverse", [reversed.into()]), text);
    }

    #[test]
    fn caesar_is_undone_by_the_opposite_key(text in "[ -~]{0,40}", key in 0..26_i64) {
        let secret: String = value("main.caesar", [text.as_str().into(), key.into()]);
        prop_assert_eq!(value::<String, 2>("main.caesar", [secret.into(), (-key).into()]), text);
    }

    #[test]
    fn gcd_is_euclids(a: u64, b: u64) {
        prop_assert_eq!(value::<u64, 2>("main.gcd", [a.into(), b.into()]), gcd(a, b));
    }

    #[test]
    fn point_plus_adds_fields(a: (i64, i64), b: (i64, i64)) {
        let point = |(x, y): (i64, i64)| Value::structure([("x", Value::from(x)), ("y", Value::from(y))]);
        let outcome = call("main.point.plus", [point(a), point(b)]);
        let sum = outcome.value().unwrap();
        prop_assert_eq!(sum.field("x"), Some(&Value::Int(a.0.wrapping_add(b.0))));
        prop_assert_eq!(sum.field("y"), Some(&Value::Int(a.1.wrapping_add(b.1))));
    }

    #[test]
    fn levenshtein_is_a_distance(a in "[abc]{0,6}", b in "[abc]{0,6}") {
        let distance = |a: &str, b: &str| value::<usize, 2>("main.levenshtein", [a.into(), b.into()]);
        prop_assert_eq!(distance(&a, &b), distance(&b, &a));
        prop_assert_eq!(distance(&a, &b) == 0, a == b);
        prop_assert!(distance(&a, &b) <= a.len().max(b.len()));
    }
}

#[test]
fn fib_is_the_sum_of_the_two_before() {
    let fib = |n: i64| value::<i64, 1>("main.fib", [n.into()]);
    for n in 2..16 {
        assert_eq!(fib(n), fib(n - 1) + fib(n - 2));
    }
}

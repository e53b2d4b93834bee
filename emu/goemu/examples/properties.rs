//! Property tests of compiled Go functions, an example each for integers, strings, slices and structs.
//!
//! `cargo run --example properties` tries each property on random arguments. In a test crate the bodies of these
//! functions are the tests.

use std::cell::RefCell;

use goemu::{Image, Machine, Value};
use proptest::prelude::*;

/// The program under test: any Go binary.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");

fn main() -> Result<(), goemu::Error> {
    let machine = RefCell::new(Machine::new(Image::open(PROGRAM)?)?);
    integers(&machine)?;
    strings(&machine)?;
    slices(&machine)?;
    structs(&machine)
}

/// `func divide(a, b int) (int, int)`: what it returns, or the panic that it ends in.
fn integers(machine: &RefCell<Machine>) -> Result<(), goemu::Error> {
    let divide = machine.borrow().func::<(i64, i64), (i64, i64)>("main.divide")?;
    proptest!(|(a: i64, b in prop_oneof![any::<i64>(), -2..=2_i64])| {
        match divide.call(&mut machine.borrow_mut(), (a, b))? {
            Ok((quotient, rest)) => {
                prop_assert_eq!((quotient, rest), (a.wrapping_div(b), a.wrapping_rem(b)));
            }
            Err(ended) => {
                prop_assert_eq!(b, 0);
                prop_assert_eq!(ended.to_string(), "panic: runtime error: integer divide by zero");
            }
        }
    });
    Ok(())
}

/// `func reverse(s string) string`, of bytes: twice is the same again.
fn strings(machine: &RefCell<Machine>) -> Result<(), goemu::Error> {
    let reverse = machine.borrow().func::<(&str,), String>("main.reverse")?;
    proptest!(|(text in "[ -~]*")| {
        let machine = &mut machine.borrow_mut();
        let once = reverse.call(machine, (&text,))?.map_err(|ended| TestCaseError::fail(ended.to_string()))?;
        let reversed: String = text.chars().rev().collect();
        prop_assert_eq!(&once, &reversed);
        prop_assert_eq!(reverse.call(machine, (&once,))?, Ok(text));
    });
    Ok(())
}

/// `func quicksort(a []int) []int`
fn slices(machine: &RefCell<Machine>) -> Result<(), goemu::Error> {
    let quicksort = machine.borrow().func::<(Vec<i64>,), Vec<i64>>("main.quicksort")?;
    proptest!(|(numbers: Vec<i64>)| {
        let sorted = quicksort.call(&mut machine.borrow_mut(), (numbers.clone(),))?;
        let mut expected = numbers;
        expected.sort();
        prop_assert_eq!(sorted, Ok(expected));
    });
    Ok(())
}

/// `func (p point) plus(q point) point`: structs are values with named fields.
fn structs(machine: &RefCell<Machine>) -> Result<(), goemu::Error> {
    let plus = machine.borrow().func::<(Value, Value), Value>("main.point.plus")?;
    let point = |x: i64, y: i64| Value::structure([("x", x.into()), ("y", y.into())]);
    proptest!(|(a: (i64, i64), b: (i64, i64))| {
        let sum = plus.call(&mut machine.borrow_mut(), (point(a.0, a.1), point(b.0, b.1)))?;
        let sum = sum.map_err(|ended| TestCaseError::fail(ended.to_string()))?;
        prop_assert_eq!(sum.field("x"), Some(&Value::Int(a.0.wrapping_add(b.0))));
        prop_assert_eq!(sum.field("y"), Some(&Value::Int(a.1.wrapping_add(b.1))));
    });
    Ok(())
}

#[test]
fn all_hold() {
    assert!(main().is_ok());
}

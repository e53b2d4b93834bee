//! Calls in Rust's types that pass and return numbers alone take a short way, without values and reports. It gives what
//! the long way does, for every width, by registers and by the stack.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;

use goemu::outcome::Outcome;
use goemu::typed::{GoArgs, GoResults, TypedFunction};
use goemu::{Machine, Value};
use goemu_tests::table::Build;
use proptest::prelude::*;

/// Of the convention by stack, and of that by registers.
const BUILDS: [&str; 2] = ["corpus-go1.15", "corpus-go1.27"];

/// A function of one build, called both ways.
struct Both<A, R> {
    machine: RefCell<Machine>,
    typed: TypedFunction<A, R>,
}

impl<A: GoArgs, R: GoResults + std::fmt::Debug> Both<A, R> {
    fn of(name: &str) -> [Both<A, R>; 2] {
        BUILDS.map(|build| {
            let machine = Build::new(build).machine();
            let typed = machine.func(name).unwrap();
            Both { machine: RefCell::new(machine), typed }
        })
    }

    /// What each way gives, as text: NaN is no other NaN's equal.
    fn call(&self, args: A::Given<'_>, values: &[Value]) -> (String, String) {
        let mut machine = self.machine.borrow_mut();
        let short = match self.typed.call(&mut machine, args).unwrap() {
            Ok(results) => format!("{results:?}"),
            Err(outcome) => outcome.to_string(),
        };
        let outcome = self.typed.function().call(&mut machine, values).unwrap().outcome;
        (short, text::<R>(&outcome))
    }
}

fn text<R: GoResults + std::fmt::Debug>(outcome: &Outcome) -> String {
    match outcome.values() {
        Some(values) => format!("{:?}", R::from_values(&values).unwrap()),
        None => outcome.to_string(),
    }
}

/// One test for each function: its arguments and results.
macro_rules! both_ways {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $results:ty;)+) => {$(
        #[test]
        #[allow(non_snake_case, reason = "tests are named like the functions")]
        fn $name() {
            let builds = Both::<($($ty,)*), $results>::of(concat!("main.", stringify!($name)));
            proptest!(ProptestConfig::with_cases(64), |($($arg: $ty),*)| {
                for build in &builds {
                    let (short, long) = build.call(($($arg,)*), &[$(Value::from($arg)),*]);
                    prop_assert_eq!(short, long);
                }
            });
        }
    )+};
}

both_ways! {
    widths(a: i8, b: i16, c: i32, d: i64, e: u8, f: u16, g: u32, h: u64) -> (i8, i16, i32, i64, u8, u16, u32, u64);
    unsigned8(a: u8, b: u8) -> (u8, u8, u8, u8, u8);
    rotate(x: u64, n: u64) -> (u64, u32, u64);
    shifts(x: i64, n: u64) -> (i64, i64, u64, u32, i8);
    compare(a: i64, b: i64) -> (bool, bool, bool, bool, bool, bool, bool);
    convertInt(n: i64) -> (f64, f32, u8, i16, u32, f64);
    convertFloat(f: f64) -> (i64, i64, f32, i32);
    floats(a: f64, b: f64) -> (f64, f64, f64, f64, f64);
    boolInt(b: bool) -> i64;
    deferBits(mask: u8) -> i64;
}

/// What does not return goes the long way: the reason is the same, and nothing of the first try is left.
#[test]
fn a_panic_and_an_end_of_fuel_are_told() {
    for build in BUILDS {
        let mut machine = Build::new(build).machine();
        let divide = machine.func::<(i64, i64), (i64, i64)>("main.divide").unwrap();
        assert_eq!(divide.call(&mut machine, (7, 2)).unwrap(), Ok((3, 1)));
        let panicked = divide.call(&mut machine, (7, 0)).unwrap().unwrap_err();
        assert_eq!(panicked.to_string(), "panic: runtime error: integer divide by zero");
        assert!(!panicked.traceback().unwrap().goroutines.is_empty());
        machine.set_fuel(10);
        let fib = machine.func::<(i64,), i64>("main.fib").unwrap();
        assert!(matches!(fib.call(&mut machine, (20,)).unwrap(), Err(Outcome::OutOfFuel { limit: 10 })));
        machine.set_fuel(1 << 30);
        assert_eq!(fib.call(&mut machine, (20,)).unwrap(), Ok(6765));
    }
}

/// Observers and users' hooks see typed calls, too.
#[test]
fn typed_calls_can_be_replaced() {
    let mut machine = Build::new("corpus-go1.27").machine();
    let fib = machine.func::<(i64,), i64>("main.fib").unwrap();
    assert_eq!(fib.call(&mut machine, (10,)).unwrap(), Ok(55));
    machine.replace("main.fib", None, |_| Some(vec![Value::from(7)])).unwrap();
    assert_eq!(fib.call(&mut machine, (10,)).unwrap(), Ok(7));
}

/// Text and bytes: a string that is no UTF-8 is an error either way, and a panic is the outcome.
#[test]
fn text_and_bytes_go_the_short_way() {
    for build in BUILDS {
        let mut machine = Build::new(build).machine();
        let concat = machine.func::<(&str, String), String>("main.concat").unwrap();
        for (a, b) in [("a", "bc"), ("", "x"), ("", ""), ("\u{e9}", "\u{1f600}")] {
            assert_eq!(
                concat.call(&mut machine, (a, b.to_owned())).unwrap(),
                Ok(format!("{a}{b}")),
                "{build}"
            );
        }
        let bytes = machine.func::<(&[u8], &str), String>("main.concat").unwrap();
        assert!(bytes.call(&mut machine, (b"\xc3", "\u{e9}")).is_err(), "{build}");
        assert_eq!(bytes.call(&mut machine, (b"x", "y")).unwrap(), Ok("xy".to_owned()), "{build}");
        let itoa = machine.func::<(i64,), String>("main.itoa").unwrap();
        assert_eq!(itoa.call(&mut machine, (-70,)).unwrap(), Ok("-70".to_owned()), "{build}");
    }
}

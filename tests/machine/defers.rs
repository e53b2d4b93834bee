//! A random program of deferred calls, panics, recoveries and `runtime.Goexit` ends as it does natively. `cargo xtask defers` makes
//! others, and compares them too.

use goemu::Image;
use goemu::Machine;
use goemu::machine::Config;
use goemu::outcome::Runtime;
use goemu_tests::fixtures::{Outcome, binary, cases, releases};
use goemu_tests::table::{Ending, call, source};

/// Every function of the program.
const SIGNATURE: &str = "func(x int) (s int)";

#[test]
fn a_random_program_ends_as_it_does_natively() {
    let mut wrong = Vec::new();
    for version in releases("defers", "-stripped", &[15, 27]) {
        let name = format!("defers-go1.{version}-stripped");
        let path = binary(&name).unwrap_or_else(|| panic!("{name} is not there"));
        let hooked = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
        let image = Image::open(path).expect("a Go program");
        let mut machine = Machine::with_config(image, hooked).expect("a machine");
        let cases = cases("defers", version);
        let panics = cases.iter().filter(|case| matches!(case.outcome, Outcome::Panicked { .. })).count();
        assert!(cases.len() > 100 && panics > 15, "{name}: {} cases, {panics} panics", cases.len());
        for case in &cases {
            let expected = Ending::from(case);
            let found = call(&mut machine, case, Some(SIGNATURE));
            let found = found.map_or_else(|error| error.to_string(), |found| found.to_string());
            if found != expected.to_string() {
                wrong.push(format!("{name} {}: native {expected}, goemu {found}", source(case)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}

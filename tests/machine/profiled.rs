//! How a program is built changes what of the runtime it calls. Builds with a profile (`default.pgo`) put functions of the runtime that hooks stand at into their callers: allocation, waiting, looking for
//! tables of methods. Builds that check conversions of unsafe pointers (`-d=checkptr`) look for objects. The values are those of native runs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine};
use goemu_tests::fixtures::{binary, releases};

const VALUES: [(&str, &str, &str); 6] = [
    ("pingPong", "10", "55"),
    ("locked", "10", "40"),
    ("selected", "10", "135"),
    ("allocated", "1000", "556000"),
    ("asserted", "100", "2280"),
    ("slept", "2", "2"),
];

#[test]
fn what_is_put_into_callers_is_served() {
    for version in releases("profiled", "-stripped", &[24, 27]) {
        let image = Image::open(binary(&format!("profiled-go1.{version}-stripped")).unwrap()).unwrap();
        let is_inlined = |name: &str| image.funcs().any(|func| func.inlined().any(|inlined| inlined == name));
        assert!(version < 24 || is_inlined("runtime.gopark"), "{version}: the profile was not used");
        let config = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        for (func, n, value) in VALUES {
            let call = machine.call(&format!("main.{func}")).unwrap().signature("func(n int) int").unwrap();
            let report = call.literals(&[n]).unwrap().run().unwrap();
            assert_eq!(report.outcome.to_string(), value, "{version}: {func}");
            assert_eq!(report.doubt, None, "{version}: {func}");
        }
    }
}

/// Packages of the library convert such pointers as they are initialised.
#[test]
fn checked_pointers_are_found() {
    for version in releases("corpus", "-checkptr", &[23]) {
        let image = Image::open(binary(&format!("corpus-go1.{version}-checkptr")).unwrap()).unwrap();
        let config = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
        let mut machine = Machine::with_config(image, config).unwrap();
        machine.initialise().unwrap();
        let call = machine.call("main.fib").unwrap().signature("func(n int) int").unwrap();
        let report = call.literals(&["10"]).unwrap().run().unwrap();
        assert_eq!((report.outcome.to_string(), report.doubt), ("55".to_owned(), None), "{version}");
    }
}

//! Initialised programs are as started ones: package variables have their values.

use goemu::machine::Config;
use goemu::outcome::{Returned, Runtime};
use goemu::{Error, Image, Machine, Outcome};
use goemu_tests::fixtures::{VERSIONS, binary, cases, present};
use goemu_tests::table::{Build, Ending, call, source};

/// Functions of `world` that read what initialisation has set.
const READERS: [&str; 4] = ["main.initialised", "main.lookup", "main.describe", "main.environment"];

/// The builds of `world` that there are.
fn worlds() -> impl Iterator<Item = Build> {
    let modes = ["", "-noopt", "-stripped", "-pie"];
    let names = VERSIONS.iter().flat_map(move |minor| modes.map(|mode| format!("world-go1.{minor}{mode}")));
    names.filter(|name| binary(name).is_some()).map(|name| Build::new(&name))
}

#[test]
fn package_variables_are_set() {
    let builds: Vec<Build> = worlds().collect();
    assert!(!builds.is_empty(), "one build is checked in");
    let mut wrong = Vec::new();
    for build in builds {
        let mut machine = build.machine();
        let cases = cases(build.program(), build.version);
        for case in cases.iter().filter(|case| READERS.contains(&case.function.as_str())) {
            let whole = Build::new(&format!("world-go1.{}", build.version));
            let signature =
                build.name.ends_with("-stripped").then(|| whole.signature(&case.function)).flatten();
            match call(&mut machine, case, signature.as_deref()) {
                Ok(found) if found == Ending::from(case) => {}
                other => wrong.push(format!("{}: {}: {other:?}", build.name, source(case))),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A call that uses no package variable does not wait for them; the first that does is not the last.
#[test]
fn packages_wait_until_they_are_needed() {
    let mut machine = Build::new("world-go1.27").machine();
    let hooked = |machine: &mut Machine, func: &str, arg: i64| {
        let report = machine.call(func).and_then(|call| call.arg(arg).run()).expect(func);
        assert_eq!(report.uninitialised, None);
        (report.outcome.to_string(), report.instructions)
    };
    machine.set_fuel(3000);
    assert_eq!(hooked(&mut machine, "main.initialised", 3).0, r#"9, 285, "total 285""#);
    assert_eq!(hooked(&mut machine, "main.initialised", 4).0, r#"16, 285, "total 285""#);
    let again = machine.initialise().expect("nothing to do");
    assert_eq!(again.functions, 0);
}

#[test]
fn a_second_time_does_nothing() {
    let mut machine = Build::new("world-go1.27").machine();
    let first = machine.initialise().expect("the first time");
    let second = machine.initialise().expect("the second time");
    assert!(first.functions > 20, "{first:?}");
    assert_eq!(second.functions, 0, "{second:?}");
}

/// With little fuel the error names the package's function, and calls can be made all the same.
#[test]
fn what_does_not_end_is_named() {
    let mut machine = Build::new("world-go1.27").machine();
    machine.set_fuel(9000);
    match machine.initialise() {
        Err(Error::Initialisation { func, why, .. }) => {
            assert!(func.contains(".init"), "{func}");
            assert!(why.contains("fuel"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    machine.set_fuel(1_000_000);
    let report = machine.call("main.describe").and_then(|call| call.arg(7).run()).expect("a call");
    assert!(matches!(report.outcome, Outcome::Returned(Returned::Values(_))), "{report:?}");
}

/// What was initialised before a package that cannot be stays so.
#[test]
fn packages_before_one_that_fails_are_initialised() {
    let whole = Build::new("world-go1.27").machine().initialise().expect("initialisation");
    let mut machine = Build::new("world-go1.27").machine();
    machine.set_fuel(9000);
    machine.initialise().expect_err("too little fuel");
    machine.set_fuel(1_000_000_000);
    let rest = machine.initialise().expect("the rest");
    assert!((1..whole.functions).contains(&rest.functions), "{} of {}", rest.functions, whole.functions);
    let report = machine.call("main.initialised").and_then(|call| call.arg(3).run()).expect("a call");
    assert_eq!(report.outcome.to_string(), r#"9, 285, "total 285""#);
}

/// Programs compare tables of methods by address: an assertion gives the one that the compiler made, as in a started
/// program, and not a second one. (Else `errors.Is` does not find an error that went through an assertion.)
#[test]
fn assertions_give_the_tables_that_the_compiler_made() {
    let names = ["corpus-go1.15", "corpus-go1.19", "corpus-go1.23", "corpus-go1.27", "corpus-go1.27-pie"];
    for name in present(names) {
        let image = std::sync::Arc::new(Image::open(binary(&name).expect("a fixture")).expect("a program"));
        let [error, string] = ["error", "*errors.errorString"]
            .map(|ty| image.descriptor_named(ty).unwrap_or_else(|| panic!("{name}: no {ty}")));
        let made = image.itab(error, string).unwrap_or_else(|| panic!("{name}: no table"));
        let config = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
        let mut machine = Machine::with_config(image, config).expect("a machine");
        let call = machine.call("runtime.getitab").expect("the runtime has it");
        let call = call.signature("func(inter, typ uintptr, canfail bool) uintptr").expect("a signature");
        let outcome = call.arg(error).arg(string).arg(true).run().expect("a call").outcome;
        assert_eq!(outcome.to_string(), format!("{made:#x}"), "{name}");
    }
}

//! Functions of random signatures take and give what they do natively. `cargo xtask signatures` makes others, and
//! compares them too.

use std::fs;

use goemu::{Error, Image, Machine};
use goemu_loader::LoadError;
use goemu_tests::fixtures::{binary, cases, releases, testdata};
use goemu_tests::table::{Ending, call, source};

/// The declaration of a function in the program's source: `func (p0 S8) m25(p1 float64) (string, S8)`.
fn declaration<'s>(program: &'s str, function: &str) -> &'s str {
    let name = function.rsplit('.').next().expect("a name");
    let mut lines = program.lines().filter(|line| line.starts_with("func "));
    let line = lines.find(|line| line.contains(&format!(" {name}("))).expect("a declaration");
    line.strip_suffix(" {").expect("a body")
}

/// Makes every call, and tells how many needed the declaration.
fn calls_given_declarations(version: u16, program: &str) -> usize {
    let name = format!("signatures-go1.{version}");
    let path = binary(&name).unwrap_or_else(|| panic!("{name} is not there"));
    let mut machine = Machine::new(Image::open(path).expect("a Go program")).expect("a machine");
    let cases = cases("signatures", version);
    assert!(cases.len() > 100, "{name}: {} cases", cases.len());
    let (mut given, mut wrong) = (0, Vec::new());
    for case in &cases {
        let expected = Ending::from(case);
        let mut found = call(&mut machine, case, None);
        if matches!(found, Err(Error::Load(LoadError::Unordered { .. }))) {
            given += 1;
            found = call(&mut machine, case, Some(declaration(program, &case.function)));
        }
        let found = found.map_or_else(|error| error.to_string(), |found| found.to_string());
        if found != expected.to_string() {
            wrong.push(format!("{name} {}: native {expected}, goemu {found}", source(case)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
    given
}

#[test]
fn functions_of_random_signatures_do_what_they_do_natively() {
    let program = fs::read_to_string(testdata("go/signatures/signatures.go")).expect("it is there");
    // On the stack, values without size are where others begin, so that their order is not always known.
    for version in releases("signatures", "", &[15, 27]) {
        let given = calls_given_declarations(version, &program);
        let expected = if version == 15 { 1..40 } else { 0..1 };
        assert!(expected.contains(&given), "1.{version}: {given} calls by declaration");
    }
}

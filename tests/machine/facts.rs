//! The facts on Go's runtime, checked against the debug information of a binary of each release.

use goemu_loader::Image;
use goemu_tests::{
    facts::{Found, check},
    fixtures::{VERSIONS, binary, releases},
};

#[test]
fn facts_agree_with_the_debug_information_of_every_release() {
    for version in releases("corpus", "", &VERSIONS) {
        agree(&format!("corpus-go1.{version}"), version);
    }
}

#[test]
fn facts_agree_with_the_debug_information_of_other_systems() {
    agree("corpus-go1.27-darwin", 27);
    agree("corpus-go1.27-windows", 27);
}

/// Compares the facts with the debug information of a build.
fn agree(name: &str, version: u16) {
    let path = binary(name).expect("a fixture");
    let image = Image::open(path).expect("a Go program");
    assert_eq!(image.facts().version.minor, version);
    let checked = check(&image).expect("debug information");
    let wrong: Vec<String> = checked.iter().filter(|c| !c.agrees()).map(ToString::to_string).collect();
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    let compared = checked.iter().filter(|c| matches!(c.found, Found::Offset(_))).count();
    assert!(compared > 100, "{name}: only {compared} facts could be compared");
}

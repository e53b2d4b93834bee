//! The facts on Go's runtime, checked against the debug information of a binary of each release.

use goemu_loader::Image;
use goemu_tests::{
    facts::{Found, check},
    fixtures::{VERSIONS, binary},
};

#[test]
fn facts_agree_with_the_debug_information_of_every_release() {
    for version in VERSIONS {
        let path = binary(&format!("corpus-go1.{version}")).expect("a checked-in fixture");
        let image = Image::open(path).unwrap();
        assert_eq!(image.facts().version.minor, version);
        let checked = check(&image).unwrap();
        let wrong: Vec<String> = checked.iter().filter(|c| !c.agrees()).map(ToString::to_string).collect();
        assert!(wrong.is_empty(), "go1.{version}:\n{}", wrong.join("\n"));
        let compared = checked.iter().filter(|c| matches!(c.found, Found::Offset(_))).count();
        assert!(compared > 100, "go1.{version}: only {compared} facts could be compared");
    }
}

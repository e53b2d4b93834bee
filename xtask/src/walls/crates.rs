//! Which crate may depend on which, by their manifests.

use super::{Violation, workspace::Crate};

/// The crates of the workspace, and those of them that each may depend on.
const CRATES: [(&str, &[&str]); 10] = [
    ("goemu-memory", &[]),
    ("goemu-x86", &["goemu-memory"]),
    ("goemu-translate", &["goemu-memory", "goemu-x86"]),
    ("goemu-loader", &[]),
    ("goemu", &["goemu-memory", "goemu-x86", "goemu-translate", "goemu-loader"]),
    ("goemu-debug", &["goemu"]),
    ("goemu-cli", &["goemu", "goemu-debug", "goemu-loader"]),
    ("goemu-tests", &["goemu", "goemu-loader", "goemu-memory", "goemu-x86", "goemu-translate"]),
    ("goemu-fuzz", &["goemu", "goemu-loader", "goemu-tests"]),
    ("xtask", &["goemu", "goemu-loader", "goemu-tests"]),
];

/// Tests of a crate that this one does not need may use it.
const HARNESS: &str = "goemu-tests";

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    crates.iter().flat_map(|of| check_crate(of, &CRATES)).collect()
}

fn check_crate(of: &Crate, rules: &[(&str, &[&str])]) -> Vec<Violation> {
    let violation =
        |what: String| Violation { wall: "crates", path: format!("{}/Cargo.toml", of.folder), line: 0, what };
    let Some((_, allowed)) = rules.iter().find(|(name, _)| *name == of.name) else {
        return vec![violation(format!("{} has no row in the table of crates", of.name))];
    };
    let is_ours = |name: &str| rules.iter().any(|(ours, _)| *ours == name);
    // A crate may name itself in its `dev-dependencies`, to switch features on.
    let is_barred = |name: &&str| is_ours(name) && !allowed.contains(name) && *name != of.name;
    let below_harness = rules.iter().any(|(name, below)| *name == HARNESS && below.contains(&&*of.name));
    let of_tests =
        |section: &str, name: &str| section == "dev-dependencies" && name == HARNESS && !below_harness;
    let names = of.dependencies.iter().filter(|(section, name)| !of_tests(section, name));
    let barred = names.map(|(_, name)| name.as_str()).filter(is_barred);
    barred.map(|name| violation(format!("{} may not depend on {name}", of.name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_against_the_arrows_is_found() {
        let rules: [(&str, &[&str]); 4] =
            [("low", &[]), ("high", &["low"]), ("unused", &[]), ("goemu-tests", &["low"])];
        let of = |name: &str, section: &str, needs: &str| {
            let dependencies = vec![(section.to_owned(), needs.to_owned())];
            check_crate(&Crate { name: name.to_owned(), dependencies, ..Crate::default() }, &rules).len()
        };
        assert_eq!(of("high", "dependencies", "low"), 0);
        assert_eq!(of("low", "dependencies", "serde"), 0);
        assert_eq!(of("low", "dependencies", "high"), 1);
        assert_eq!(of("low", "dev-dependencies", "high"), 1);
        assert_eq!(of("high", "dev-dependencies", "goemu-tests"), 0);
        assert_eq!(of("high", "dependencies", "goemu-tests"), 1);
        assert_eq!(of("low", "dev-dependencies", "goemu-tests"), 1, "a cycle");
        assert_eq!(of("new", "dependencies", "low"), 1, "a crate without a row");
    }
}

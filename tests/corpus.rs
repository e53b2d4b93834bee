//! Every case of the corpus and the other programs, on every build that is there, against what it did natively on
//! Linux: on those that are checked in, and on those that `cargo xtask fixtures` left in `target/fixtures`.
//!
//! One test for a build and function: `cargo test --test corpus go1.27-pie::main.f1`.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use goemu::Machine;
use goemu_tests::fixtures::{Case, VERSIONS, all_binaries, cases, releases, signature_in_source};
use goemu_tests::table::{Build, Ending, Gap, call, gaps, source};
use libtest_mimic::{Arguments, Failed, Trial};

/// The programs that have builds and a table.
const PROGRAMS: [&str; 4] = ["corpus", "library", "world", "cgo"];

fn main() -> ExitCode {
    let gaps = Arc::new(gaps());
    let builds: Vec<Arc<Build>> = built().iter().map(|name| Arc::new(Build::new(name))).collect();
    let mut trials = vec![{
        let (builds, gaps) = (builds.clone(), Arc::clone(&gaps));
        Trial::test("the tables are complete", move || complete(&builds, &gaps))
    }];
    for build in &builds {
        let whole = whole(build, &builds);
        if build.can_start() {
            let (build, whole, gaps) = (Arc::clone(build), whole.clone(), Arc::clone(&gaps));
            let name = format!("{}::real", build.name);
            trials.push(Trial::test(name, move || real(&build, whole.as_deref(), &gaps)));
        }
        for (function, cases) in by_function(build) {
            let (build, whole, gaps) = (Arc::clone(build), whole.clone(), Arc::clone(&gaps));
            let name = format!("{}::{function}", build.name);
            trials.push(Trial::test(name, move || compare(&build, whole.as_deref(), &cases, &gaps)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The build that tells the signatures of a stripped one: they are the same for all systems, and but for the corpus,
/// whose functions differ, for all releases.
fn whole(build: &Build, builds: &[Arc<Build>]) -> Option<Arc<Build>> {
    let same_release = format!("{}-go1.{}", build.program(), build.version);
    let same_sources = |other: &Build| other.program() == build.program() && !other.is_stripped();
    let mut others = builds.iter().rev().filter(|_| build.is_stripped());
    let found = others.clone().find(|other| other.name == same_release);
    found.or_else(|| others.find(|other| build.program() != "corpus" && same_sources(other))).cloned()
}

/// The names of the builds that there are.
fn built() -> Vec<String> {
    let mut names = all_binaries();
    names.retain(|name| PROGRAMS.iter().any(|program| name.starts_with(&format!("{program}-go"))));
    names
}

fn by_function(build: &Build) -> BTreeMap<String, Vec<Case>> {
    let mut functions: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases(build.program(), build.version) {
        functions.entry(case.function.clone()).or_default().push(case);
    }
    functions
}

/// Every release has builds, every build has many cases, every gap of a build that is there is about some case.
fn complete(builds: &[Arc<Build>], gaps: &[Gap]) -> Result<(), Failed> {
    let is_there = |gap: &&Gap| builds.iter().any(|build| gap.is_about(build));
    let mut unused: Vec<&Gap> = gaps.iter().filter(is_there).collect();
    for build in builds {
        let cases = cases(build.program(), build.version);
        assert!(cases.len() > 20, "{}: only {} cases", build.name, cases.len());
        unused.retain(|gap| !cases.iter().any(|case| gap.covers(build, case)));
    }
    assert!(unused.is_empty(), "gaps of no case: {unused:?}");
    for version in releases("corpus", "", &VERSIONS) {
        assert!(builds.iter().any(|build| build.version == version), "no build of Go 1.{version}");
    }
    Ok(())
}

/// Makes all calls in the program's own runtime, which is started once. It has fewer gaps than hooks have: one that is
/// none here is no error.
fn real(build: &Build, whole: Option<&Build>, gaps: &[Gap]) -> Result<(), Failed> {
    let mut machine = build.started();
    let mut wrong = Vec::new();
    for case in cases(build.program(), build.version) {
        let gap = gaps.iter().any(|gap| gap.covers(build, &case) && !gap.is_of_hooks());
        if let Err(failed) = compare_on(&mut machine, build, whole, &[case], &[])
            && !gap
        {
            wrong.push(failed.message().unwrap_or_default().to_owned());
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Makes the calls of one function.
fn compare(build: &Build, whole: Option<&Build>, cases: &[Case], gaps: &[Gap]) -> Result<(), Failed> {
    compare_on(&mut build.machine(), build, whole, cases, gaps)
}

fn compare_on(
    machine: &mut Machine,
    build: &Build,
    whole: Option<&Build>,
    cases: &[Case],
    gaps: &[Gap],
) -> Result<(), Failed> {
    let mut wrong = Vec::new();
    for case in cases {
        let signature = match whole {
            // Older releases do not have all functions.
            Some(whole) if !whole.has(&case.function) => signature_in_source(build.program(), &case.function),
            Some(whole) => whole.signature(&case.function),
            None => None,
        };
        let expected = Ending::from(case);
        let difference = match call(machine, case, signature.as_deref()) {
            Ok(found) if found == expected => None,
            Ok(found) => Some(format!("native: {expected}\n    goemu:  {found}")),
            Err(error) => Some(format!("native: {expected}\n    goemu:  error: {error}")),
        };
        match (difference, gaps.iter().find(|gap| gap.covers(build, case))) {
            (Some(difference), None) => wrong.push(format!("{}\n    {difference}", source(case))),
            (None, Some(gap)) => {
                wrong.push(format!("{} works, and gaps.tsv lists it: {}", source(case), gap.reason));
            }
            _ => {}
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

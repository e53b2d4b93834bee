//! Which runtime serves the functions of the fixture programs, build by build, and whether they do what they did
//! natively: the proof that `docs/semantics.md` shows.
//!
//! What was measured is in `testdata/native/served.tsv`: for each build a row that counts, and one for each function that
//! hooks do not serve or that differs. The document follows from that file alone.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use goemu::Machine;
use goemu::outcome::Runtime;

use crate::fixtures::{Case, VERSIONS, all_binaries, binary, cases, testdata};
use crate::table::{Build, Ending, Gap, call, gaps, report, source};

/// The programs that are measured, and what is in them.
pub const PROGRAMS: [(&str, &str); 3] = [
    ("corpus", "the language: control flow, calls, panics, memory, types, goroutines"),
    ("library", "the standard library, as people call it"),
    ("world", "started programs: initialisation, reflection, time, locks, the operating system"),
];
/// The modes that are measured: the end of a build's name, and the flags.
pub const MODES: [(&str, &str); 3] = [("", "default"), ("-noopt", "-N -l"), ("-stripped", "-s -w")];

/// What was seen of one build.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Functions with cases.
    pub functions: usize,
    /// Calls that were made.
    pub calls: usize,
    /// The functions of which not every call is served hooked and as natively, and what became of those.
    pub others: BTreeMap<String, (Fate, String)>,
}

/// What became of a function that hooks do not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// The real runtime served it, as natively.
    Real,
    /// It does what it did natively in the real runtime alone.
    RealAlone,
    /// It does what it did natively in neither.
    Gap,
    /// Hooks serve it; in the real runtime it differs.
    HookedAlone,
}

const FATES: [(Fate, &str); 4] = [
    (Fate::Real, "real"),
    (Fate::RealAlone, "real alone"),
    (Fate::Gap, "gap"),
    (Fate::HookedAlone, "hooked alone"),
];

impl Fate {
    fn word(self) -> &'static str {
        FATES.iter().find(|(fate, _)| *fate == self).map_or("", |(_, word)| word)
    }
}

/// The builds that are measured, as far as they are there, in the order of the document.
pub fn builds() -> Vec<String> {
    let there = all_binaries();
    all().into_iter().filter(|name| there.contains(name)).collect()
}

fn all() -> Vec<String> {
    let of = |version: u16| {
        MODES.iter().flat_map(move |(mode, _)| {
            PROGRAMS.iter().map(move |(program, _)| format!("{program}-go1.{version}{mode}"))
        })
    };
    VERSIONS.iter().flat_map(|version| of(*version)).collect()
}

/// Makes every call of a build twice: as the choice is by itself, and in the real runtime.
///
/// # Panics
/// Where the build is not there.
pub fn measure(name: &str) -> Served {
    let (build, gaps) = (Build::new(name), gaps());
    let whole = name.strip_suffix("-stripped").filter(|whole| binary(whole).is_some()).map(Build::new);
    let (mut auto, mut real) = (build.machine(), build.started());
    let mut served = Served::default();
    for (function, cases) in by_function(&build) {
        let signature = whole.as_ref().and_then(|whole| whole.signature(&function));
        served.functions += 1;
        served.calls += cases.len();
        let hooked = worst(&cases, |case| by_itself(&mut auto, case, signature.as_deref()));
        let real = worst(&cases, |case| in_real(&mut real, case, signature.as_deref()));
        let other = match (hooked, real) {
            (None, None) => continue,
            (Some((Seen::Moved, why)), None) => (Fate::Real, why),
            (Some((Seen::Differs, why)), None) => (Fate::RealAlone, why),
            (Some((_, why)), Some(_)) => (Fate::Gap, why),
            (None, Some((_, why))) => (Fate::HookedAlone, why),
        };
        let (fate, why) = other;
        let named = cases.iter().find_map(|case| gap_of(&gaps, &build, case));
        let why = if fate == Fate::Real { why } else { named.unwrap_or(why) };
        served.others.insert(function, (fate, why));
    }
    served
}

fn by_function(build: &Build) -> BTreeMap<String, Vec<Case>> {
    let mut functions: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases(build.program(), build.version) {
        functions.entry(case.function.clone()).or_default().push(case);
    }
    functions
}

fn gap_of(gaps: &[Gap], build: &Build, case: &Case) -> Option<String> {
    gaps.iter().find(|gap| gap.covers(build, case)).map(|gap| gap.reason.clone())
}

/// What is to be said of a call that hooks did not serve as natively.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Seen {
    Moved,
    Differs,
}

/// The worst that is to be said of a function's calls.
fn worst(cases: &[Case], see: impl FnMut(&Case) -> Option<(Seen, String)>) -> Option<(Seen, String)> {
    // Of several the first, so that the file does not change for nothing.
    cases.iter().filter_map(see).reduce(|worst, next| if next.0 > worst.0 { next } else { worst })
}

fn by_itself(machine: &mut Machine, case: &Case, signature: Option<&str>) -> Option<(Seen, String)> {
    let made = report(machine, &case.function, case, signature);
    let served = made.as_ref().ok().map(|(_, runtime)| *runtime);
    if let Some(difference) = difference(case, made.map(|(ending, _)| ending)) {
        return Some((Seen::Differs, difference));
    }
    (served == Some(Runtime::Real)).then(|| (Seen::Moved, String::new()))
}

fn in_real(machine: &mut Machine, case: &Case, signature: Option<&str>) -> Option<(Seen, String)> {
    difference(case, call(machine, case, signature)).map(|difference| (Seen::Differs, difference))
}

fn difference(case: &Case, made: Result<Ending, goemu::Error>) -> Option<String> {
    let expected = Ending::from(case);
    match made {
        Ok(found) if found == expected => None,
        Ok(found) => Some(format!("{}: natively {expected}, here {found}", source(case))),
        Err(error) => Some(format!("{}: {error}", source(case))),
    }
}

/// The file's text.
pub fn write(all: &BTreeMap<String, Served>) -> String {
    let mut text = "# build\tfunction\tserved\twhy; of function *: functions, calls\n".to_owned();
    for (build, served) in all {
        let _ = writeln!(text, "{build}\t*\t{}\t{}", served.functions, served.calls);
        for (function, (fate, why)) in &served.others {
            let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let _ = writeln!(text, "{build}\t{function}\t{}\t{why}", fate.word());
        }
    }
    text
}

/// What the file says.
///
/// # Panics
/// Where a row is not as [`write()`] makes them.
pub fn read() -> BTreeMap<String, Served> {
    let text = fs::read_to_string(testdata("native/served.tsv")).unwrap_or_default();
    let mut all: BTreeMap<String, Served> = BTreeMap::new();
    for row in text.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [build, function, served, why] = columns[..] else { panic!("four columns expected: {row}") };
        let entry = all.entry(build.to_owned()).or_default();
        if function == "*" {
            let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("no number: {row}"));
            (entry.functions, entry.calls) = (number(served), number(why));
            continue;
        }
        let fate = FATES.iter().find(|(_, word)| *word == served).unwrap_or_else(|| panic!("{row}")).0;
        entry.others.insert(function.to_owned(), (fate, why.to_owned()));
    }
    all
}

const HEAD: &str = "# Go's semantics, function by function

Made by `cargo xtask bless` from `testdata/native/served.tsv`, which is measured on the builds that are there; the tests fail
where the file no longer holds for a checked-in build. `cargo xtask fixtures` makes the builds that are not checked in.

Every function of the fixture programs is called with the arguments in its source and compared with its native run: results,
output, the text of its panic or fatal error. ([`tests/machine/tracebacks.rs`](../tests/machine/tracebacks.rs) compares tracebacks, frame by
frame.) Each call is made twice: as goemu chooses by itself, which is hooked, or where hooks cannot serve it the real runtime;
and in the real runtime.

";

/// The document.
pub fn document(all: &BTreeMap<String, Served>) -> String {
    let mut text = HEAD.to_owned();
    for (program, what) in PROGRAMS {
        let _ = writeln!(text, "- `testdata/go/{program}`: {what}");
    }
    text.push_str(
        "\n| Go | build | functions | calls | served hooked | by the real runtime | as natively | in the real runtime, as natively |\n\
         |---|---|--:|--:|--:|--:|--:|--:|\n",
    );
    for version in VERSIONS {
        for (mode, flags) in MODES {
            summary(&mut text, all, version, (mode, flags));
        }
    }
    text.push_str(
        "\n## Functions that hooks do not serve\n\nThe real runtime does, in the builds that are named.\n\n",
    );
    list(&mut text, all, |fate| fate == Fate::Real);
    text.push_str("\n## Gaps\n\nFunctions that differ from their native run.\n\n");
    list(&mut text, all, |fate| fate != Fate::Real);
    text
}

/// One line of the table: all programs of one build.
fn summary(text: &mut String, all: &BTreeMap<String, Served>, version: u16, (mode, flags): (&str, &str)) {
    let of = |(program, _): &(&str, &str)| all.get(&format!("{program}-go1.{version}{mode}"));
    let builds: Vec<&Served> = PROGRAMS.iter().filter_map(of).collect();
    let functions: usize = builds.iter().map(|served| served.functions).sum();
    let calls: usize = builds.iter().map(|served| served.calls).sum();
    let with = |fates: &[Fate]| {
        let others = builds.iter().flat_map(|served| served.others.values());
        others.filter(|(fate, _)| fates.contains(fate)).count()
    };
    let real = with(&[Fate::Real]);
    let wrong = with(&[Fate::Gap, Fate::RealAlone]);
    let wrong_in_real = with(&[Fate::Gap, Fate::HookedAlone]);
    let _ = writeln!(
        text,
        "| 1.{version} | {flags} | {functions} | {calls} | {} | {real} | {} | {} |",
        functions - real - wrong,
        functions - wrong,
        functions - wrong_in_real
    );
}

/// The functions with such a fate, the builds, and why.
fn list(text: &mut String, all: &BTreeMap<String, Served>, wanted: impl Fn(Fate) -> bool) {
    let mut functions: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for build in self::all() {
        let Some(served) = all.get(&build) else { continue };
        let program = build.split('-').next().unwrap_or_default();
        for (function, (fate, why)) in served.others.iter().filter(|(_, (fate, _))| wanted(*fate)) {
            let why = if *fate == Fate::Real { String::new() } else { format!("{}: {why}", fate.word()) };
            functions.entry((format!("{program}: `{function}`"), why)).or_default().push(build.clone());
        }
    }
    if functions.is_empty() {
        text.push_str("None.\n");
        return;
    }
    text.push_str("| function | builds | |\n|---|---|---|\n");
    for ((function, why), builds) in functions {
        let _ = writeln!(text, "| {function} | {} | {} |", named(&builds, all), why.replace('|', "\\|"));
    }
}

/// Builds of one program, in short: `all`, or versions and modes.
fn named(builds: &[String], all: &BTreeMap<String, Served>) -> String {
    let program = builds[0].split('-').next().unwrap_or_default();
    let every = all.keys().filter(|name| name.split('-').next() == Some(program)).count();
    if builds.len() == every {
        return "all".to_owned();
    }
    let mode = |(end, flags): &(&str, &str)| {
        let of = |version: &&u16| builds.contains(&format!("{program}-go1.{version}{end}"));
        let versions: Vec<String> =
            VERSIONS.iter().filter(of).map(|version| format!("1.{version}")).collect();
        (!versions.is_empty()).then(|| format!("{flags}: {}", versions.join(" ")))
    };
    MODES.iter().filter_map(mode).collect::<Vec<_>>().join("; ")
}

//! Documents that are made from the code: they fail here when they are stale, and `cargo xtask bless` writes them.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use expect_test::expect_file;
use goemu::Image;
use goemu::runtime::{ROWS, Row, When, recognised_by};
use goemu_loader::Os;
use goemu_tests::fixtures::{VERSIONS, all_binaries, binary, present, testdata};

const HEAD: &str = "# Hooks on Go's runtime

Made from the table in `emu/goemu/src/runtime/table.rs` by `cargo xtask bless`.

A function of the runtime is replaced only where it needs what a goroutine of our making does not have; everything else runs
from the program's own text. Functions that are watched run, too: observers are told. The last column says how a function is
found in programs whose names are hashed or gone; where it is empty, it then runs from the program's text.

| function | releases | hook | why | without a name |
|---|---|---|---|---|
";

fn releases((from, to): (u16, u16)) -> String {
    match (from, to) {
        (0, u16::MAX) => "all".to_owned(),
        (from, u16::MAX) => format!("1.{from} and later"),
        (0, to) => format!("up to 1.{to}"),
        (from, to) => format!("1.{from} to 1.{to}"),
    }
}

fn row(text: &mut String, row: &Row) {
    let kind = match row.when {
        When::Replaces => "replaces",
        When::Watches => "watches",
        // Object files and started programs are not the document's.
        _ => return,
    };
    let how = recognised_by(row.name).unwrap_or_default();
    let releases = releases(row.versions);
    let system = row.os.map_or_else(String::new, |os| format!(", {os:?}"));
    let _ = writeln!(text, "| `{}` | {releases}{system} | {kind} | {} | {how} |", row.name, row.why);
}

#[test]
fn hooks() {
    let mut text = HEAD.to_owned();
    ROWS.iter().for_each(|of| row(&mut text, of));
    expect_file![testdata("../docs/hooks.md")].assert_eq(&text);
}

/// The releases and systems of the fixtures, each with the functions that programs have there.
fn functions() -> HashMap<(u16, Os), BTreeSet<String>> {
    let mut functions: HashMap<(u16, Os), BTreeSet<String>> = HashMap::new();
    let objects = std::fs::read_dir(testdata("objects")).expect("the folder is there");
    let objects = objects.map(|entry| entry.expect("the folder can be read").path());
    for path in all_binaries().iter().filter_map(|name| binary(name)).chain(objects) {
        let Ok(image) = Image::open(path) else { continue };
        let of = functions.entry((image.facts().version.minor, image.target().os)).or_default();
        of.extend(image.funcs().map(|func| func.name().to_owned()));
    }
    functions
}

/// Where a row is for releases that no fixture has, or for functions that none uses, that is listed. The builds of all releases
/// tell which: where some are missing, only what they would add is not known.
#[test]
fn functions_of_all_rows_exist() {
    let functions = functions();
    let exists = |row: &Row, name: &str| match row.name.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == row.name,
    };
    let has = |row: &&Row| {
        let holds = |(minor, os): &(u16, Os)| {
            (row.versions.0..=row.versions.1).contains(minor) && row.os.is_none_or(|only| only == *os)
        };
        { functions.iter() }.any(|(of, names)| holds(of) && names.iter().any(|name| exists(row, name)))
    };
    let missing: BTreeSet<String> = { ROWS.iter() }
        .filter(|row| !has(row))
        .map(|row| format!("{} {} {:?}\n", row.name, releases(row.versions), row.when))
        .collect();
    let builds = VERSIONS.map(|version| format!("corpus-go1.{version}"));
    let complete =
        present(builds.iter().chain(&["world-go1.25-windows-stripped".to_owned()])).len() > VERSIONS.len();
    let listed = std::fs::read_to_string(testdata("rows-without-fixture.txt")).expect("the list is there");
    let listed: BTreeSet<String> = listed.lines().map(|line| format!("{line}\n")).collect();
    let stale: Vec<&String> = listed.difference(&missing).collect();
    assert!(stale.is_empty(), "a fixture has what rows-without-fixture.txt lists: {stale:?}");
    if complete {
        expect_file![testdata("rows-without-fixture.txt")]
            .assert_eq(&missing.into_iter().collect::<String>());
    }
}

//! Documents that are made from the code: they fail here when they are stale, and `cargo xtask bless` writes them.

use std::fmt::Write;

use expect_test::expect_file;
use goemu::runtime::{Entry, HOOKS, Kind, recognised_by};
use goemu_tests::fixtures::testdata;

const HEAD: &str = "# Hooks on Go's runtime

Made from the table in `emu/goemu/src/runtime/hooked.rs` by `cargo xtask bless`.

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

fn row(text: &mut String, entry: &Entry) {
    let name =
        if entry.name.contains('.') { entry.name.to_owned() } else { format!("runtime.{}", entry.name) };
    let kind = match entry.kind {
        Kind::Replaces => "replaces",
        Kind::Watches => "watches",
    };
    let how = recognised_by(entry.name).unwrap_or_default();
    let releases = releases(entry.versions);
    let system = entry.os.map_or_else(String::new, |os| format!(", {os:?}"));
    let _ = writeln!(text, "| `{name}` | {releases}{system} | {kind} | {} | {how} |", entry.why);
}

#[test]
fn hooks() {
    let mut text = HEAD.to_owned();
    HOOKS.iter().for_each(|entry| row(&mut text, entry));
    expect_file![testdata("../docs/hooks.md")].assert_eq(&text);
}

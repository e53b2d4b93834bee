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

/// What the functions check, print and set that are replaced; those that are not named do neither.
const KEPT: &str = "
## What is kept

What a replaced function checks, panics with, prints and sets is the hook's to do. Functions of Go 1.27.3 were read for it, and
compared with those of 1.15, 1.19 and 1.21 to 1.26, as far as they check, panic or print. What is not named here checks nothing but
the runtime's own state (threads, locks, spans), which is not there.

| function | kept | not kept |
|---|---|---|
| `morestack` | the limit of `debug.SetMaxStack`, its texts, `fatal error: stack overflow` |  |
| `mallocgc` and its kin | objects of size 0 share one address; out of memory is fatal, in the words of the release | profiles, `GODEBUG` |
| `deferproc`, `deferprocStack`, `deferreturn` | records as the program's `gopanic` wants them; a nil function panics when it runs |  |
| `fatalpanic`, `throw`, `fatal`, `exit` | texts, tracebacks and status, as the release has them | `GOTRACEBACK` |
| `cgocall` | C that is not in the file ends in an error that names it |  |
| `cgoCheckPointer`, `cgoCheckResult`, `cgoIsGoPointer`, `cgoCheckUnknownPointer`, `isPinned` | each check, its panic and text, `GODEBUG=cgocheck=0`: the program's own code asks goemu what memory is Go's | where nothing but the object is known: words that are no pointers, and have the value of one |
| `Pin`, `Unpin` | the panics of what is no pointer; where objects were pinned, `GC` is left to the program's own runtime | the panic where a pinner is freed that has objects |
| `newproc` | `go of nil func value`; up to Go 1.16, the limit of 2,008 bytes of arguments |  |
| `goexit1` | `no goroutines (main called runtime.Goexit) - deadlock!` |  |
| `gopark` | deadlocks, with what each goroutine waits for |  |
| `timeSleep`, `time.Sleep` | no time, or less, returns at once |  |
| `newTimer`, `startTimer`, `resetTimer`, `modTimer`, `stopTimer` | whether it would have fired; since Go 1.23 what was sent is taken back | times and periods that package time never gives |
| `chanlen`, `chancap` | nil; 0 for channels of timers since Go 1.23, by reflection, too |  |
| `newcoro`, `coroswitch` | `coroswitch on exited coro`; a thread that a goroutine has for itself goes with it, and where Go dies for it the call is left to the program's own runtime |  |
| `Stack` | its size, the whole text of all goroutines |  |
| `GOMAXPROCS`, `SetDefaultGOMAXPROCS` | the variable of that name; the lower half of the number; 0 and less ask; a lower half below 0 is fatal |  |
| `setMaxStack`, `setMaxThreads` | the number before; fewer threads than there are is fatal |  |
| `NumGoroutine` | without the runtime's own; where compilers put it into its callers, they see `allglen`, which hooks keep |  |
| `goroutineProfileWithLabels` | of one goroutine the program's own code; of several it is left to the program's own runtime |  |
| `SetFinalizer` | each check and its text; variables have none |  |
| `AddCleanup`, `findObject`, `addCleanup` | the program's own code checks and panics; since Go 1.26, where it panics as the cleanup would never run, the call is left to the program's own runtime | without names a cleanup is noted alone, and a collection is left to the program's own runtime |
| `GC` | pools are emptied, `NumGC` counts, weak pointers end, finalizers and cleanups run before it returns, in the order of the release: what stacks hold is known as the compiler has noted it | where that is not noted (assembly, a goroutine that was interrupted) and it matters, it is left to the program's own runtime |
| `ReadMemStats` | the heap's bytes and objects, the stacks', `NextGC`, `NumGC`, `NumForcedGC`, `EnableGC`, the sizes of small objects | times, and what the runtime itself needs, are 0 |
| `readGCStats`, `readMetrics` (but in initialisation), `WriteHeapDump`, `newm` | refused by name, so that the program's own runtime answers |  |
| `StartTrace`, `StopTrace`, `traceAdvance`, `ReadTrace`, `userTaskCreate` and its kin | a trace in the form of the release: what goroutines do on the one processor, and why, with their stacks; tasks, regions and messages; the errors, and who waits for whom; flight recorders | collections, system calls, sizes of the heap, samples, stacks where time wakes somebody; `GODEBUG` |
| `setGCPercent`, `setMemoryLimit` | the program's own code runs, once its packages are initialised |  |
| `getitab` | a table that the compiler made; all others, and the panics, are the program's own code |  |
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
    text += KEPT;
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
    let exists = |row: &Row, name: &str| match row.name.split_once('*') {
        Some((start, end)) => name.starts_with(start) && name.ends_with(end),
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

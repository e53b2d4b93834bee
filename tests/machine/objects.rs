//! Object files, linked in memory: what their functions return, without a runtime and on any system.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use expect_test::expect_file;
use goemu::go::read::ReadOptions;
use goemu::trace::Detail;
use goemu::{Error, Image, Machine, Outcome};
use goemu_tests::fixtures::testdata;
use goemu_tests::trace::traced;

fn objects(prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(testdata("objects")).unwrap().map(|entry| entry.unwrap().path());
    let named =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "o")).filter(named).collect();
    paths.sort();
    paths
}

fn machine(path: &PathBuf) -> Machine {
    let image = Image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Machine::new(image).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn object(name: &str) -> Machine {
    machine(&testdata("objects").join(name))
}

#[test]
fn deferred_closures_change_results_in_every_release() {
    let paths = objects("deferr-");
    assert!(paths.len() >= 24 + 28, "{} objects", paths.len());
    for path in paths {
        let mut machine = machine(&path);
        for (func, expected) in [("c", "2"), ("f1", "1"), ("f2", "5"), ("f3", "1")] {
            let call = machine.call(func).unwrap().signature("func() (r int)").unwrap();
            let report = call.run().unwrap_or_else(|error| panic!("{} {func}: {error}", path.display()));
            assert_eq!(report.outcome.to_string(), expected, "{} {func}", path.display());
        }
    }
}

/// Programs, and how many objects there are of each.
const NATIVE: [(&str, usize); 6] =
    [("helpers", 11), ("maps", 5), ("channels", 6), ("ranges", 3), ("finalizers", 5), ("cleanups", 3)];

/// `helpers.txt` and the like are what the programs print natively, the same by every release.
#[test]
fn what_code_asks_of_the_runtime_gives_the_native_results() {
    for (program, least) in NATIVE {
        let native = std::fs::read_to_string(testdata(&format!("objects/{program}.txt"))).unwrap();
        let paths = objects(&format!("{program}-"));
        assert!(paths.len() >= least, "{} objects", paths.len());
        for path in paths {
            let report = machine(&path).call("main").unwrap().run();
            let report = report.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(String::from_utf8_lossy(&report.stderr), native, "{}", path.display());
            assert_eq!(report.outcome.word(), "returned", "{}", path.display());
        }
    }
}

/// `prints.txt` is what the program prints natively up to Go 1.25, `prints-1.26.txt` since.
#[test]
fn numbers_are_printed_as_the_release_prints_them() {
    for (release, native) in [("1.15", ""), ("1.19", ""), ("1.25", ""), ("1.26", "-1.26"), ("1.27", "-1.26")]
    {
        let native = std::fs::read_to_string(testdata(&format!("objects/prints{native}.txt"))).unwrap();
        let report = object(&format!("prints-{release}-linux-opt.o")).call("main").unwrap().run();
        let report = report.unwrap_or_else(|error| panic!("{release}: {error}"));
        assert_eq!(String::from_utf8_lossy(&report.stderr), native, "{release}");
        assert_eq!(report.outcome.word(), "returned", "{release}");
    }
}

/// Maps go in as arguments and come out as results.
#[test]
fn maps_of_objects_are_values() {
    for release in ["1.19", "1.22", "1.24", "1.27"] {
        let mut machine = object(&format!("maps-{release}-linux-opt.o"));
        let mut value = |func: &str, args: &[&str]| {
            let report = machine.call(func).unwrap().literals(args).unwrap().run();
            report.unwrap_or_else(|error| panic!("{release} {func}: {error}")).outcome.to_string()
        };
        let counts = value("counts", &["\"x y x\""]);
        assert!(counts.contains("\"x\":2") && counts.contains("\"y\":1"), "{release}: {counts}");
        let given = "map[main.pair]int{{name: \"a\", n: 3, f: 1.5}: 4, {name: \"b\"}: 5}";
        assert_eq!(value("find", &[given, "{name: \"a\", n: 3, f: 1.5}"]), "4, true", "{release}");
        assert_eq!(value("find", &[given, "{name: \"a\", n: 4, f: 1.5}"]), "0, false", "{release}");
        let text = if release == "1.27" { ": func()" } else { " func()" };
        assert!(value("failing", &["2"]).ends_with(&format!("hash of unhashable type{text}\"")), "{release}");
    }
}

#[test]
fn a_deadlock_says_where_goroutines_wait() {
    for name in ["channels-1.15-linux-opt.o", "channels-1.27-windows-noopt.o"] {
        let report = object(name).call("stuck").unwrap().run().unwrap();
        let Outcome::Deadlock(traceback) = report.outcome else { panic!("{name}: {}", report.outcome) };
        let text = traceback.to_string();
        let main = text.starts_with("goroutine 1 [chan receive]:\nmain.stuck(");
        let other = text.contains("goroutine 2 [select (no cases)]:\nmain.stuck.func1(");
        assert!(main && other && text.contains("created by main.stuck"), "{name}: {text}");
    }
}

/// The texts of run-time errors come with them, as those of a program's own errors do.
#[test]
fn runtime_errors_as_results_have_their_texts() {
    for name in ["channels-1.15-linux-opt.o", "channels-1.27-linux-opt.o"] {
        let mut machine = object(name);
        machine.set_reading(ReadOptions { errors: true, ..ReadOptions::default() });
        let report = machine.call("caught").unwrap().literals(&["0"]).unwrap().run().unwrap();
        let text = report.outcome.to_string();
        assert!(text.ends_with("/* runtime error: integer divide by zero */"), "{name}: {text}");
    }
}

/// What a closure captured is told by the object's debug information, since Go 1.23.
#[test]
fn closures_are_given_what_they_captured() {
    for release in ["1.23", "1.25", "1.27"] {
        let mut machine = object(&format!("ranges-{release}-linux-opt.o"));
        let call = machine.call("main.adder.func1").unwrap().captures("n=40");
        let report = call.literals(&["2"]).unwrap().run().unwrap();
        assert_eq!(report.outcome.to_string(), "42", "{release}");
    }
}

#[test]
fn panics_without_a_value_say_so() {
    const TEXT: &str = "panic called with nil argument";
    for (release, text) in [("1.23", TEXT.to_owned()), ("1.27", format!("runtime error: {TEXT}"))] {
        let report =
            object(&format!("ranges-{release}-linux-opt.o")).call("nilPanic").unwrap().run().unwrap();
        let Outcome::Panicked(panic) = report.outcome else { panic!("{release}: {}", report.outcome) };
        assert_eq!(panic.text, text, "{release}");
    }
}

#[test]
fn panics_that_nobody_recovers_say_why() {
    for name in ["helpers-1.15-linux-opt.o", "helpers-1.21-linux-opt.o", "helpers-1.27-linux-noopt.o"] {
        let mut machine = object(name);
        let mut text = |func: &str, args: &[&str]| {
            let report = machine.call(func).unwrap().literals(args).unwrap().run().unwrap();
            match report.outcome {
                Outcome::Panicked(panic) => panic.text,
                other => panic!("{name} {func}: {other}"),
            }
        };
        assert_eq!(text("fails", &[]), "failure 9", "{name}");
        assert_eq!(text("divide", &["1", "0"]), "runtime error: integer divide by zero", "{name}");
        let nil = "runtime error: invalid memory address or nil pointer dereference";
        assert_eq!(text("deref", &["nil"]), nil, "{name}");
        let bounds = "runtime error: slice bounds out of range [2:1]";
        assert_eq!(text("part", &["abc", "2", "1"]), bounds, "{name}");
    }
}

/// The listing of the web page is of such an object, but for the operands that the linker fills in.
#[test]
fn objects_for_macos_have_the_bytes_of_the_listing() {
    let listing = std::fs::read_to_string(testdata("listings/deferr.txt")).unwrap();
    for name in ["deferr-1.14.15-darwin.o", "deferr-1.15.15-darwin.o"] {
        let image = Image::open(testdata("objects").join(name)).unwrap();
        let (mut at, mut compared) = (0, 0);
        for line in listing.lines() {
            if let Some(func) = line.strip_prefix("# c").filter(|rest| rest.is_empty() || *rest == ".func1") {
                at = image.funcs_named(&format!("main.c{func}"))[0].entry();
            }
            let columns: Vec<&str> = line.split(" | ").collect();
            let [_, hex, _, ..] = columns[..] else { continue };
            let Some(expected) = bytes(hex) else { continue };
            let found = image.bytes(at, expected.len()).unwrap();
            let relocated = columns.get(3).and_then(|column| range(column)).unwrap_or(0..0);
            for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
                assert!(relocated.contains(&index) || found == expected, "{name} {line}");
            }
            (at, compared) = (at + expected.len() as u64, compared + 1);
        }
        assert_eq!(compared, 37, "{name}");
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs =
        hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    pairs.collect()
}

/// `5..9` of `[5:9]R_TLS_LE`.
fn range(column: &str) -> Option<std::ops::Range<usize>> {
    let (range, _) = column.strip_prefix('[')?.split_once(']')?;
    let (start, end) = range.split_once(':')?;
    Some(start.parse().ok()?..end.parse().ok()?)
}

#[test]
fn the_trace_of_an_object_explains_the_listing() {
    let mut machine = object("deferr-1.14.15-darwin.o");
    let (text, report) = traced(&mut machine, Detail::Instructions, "c", &[]);
    expect_file![testdata("traces/object.c.insns.txt")].assert_eq(&text);
    assert_eq!(report.outcome.to_string(), "2");
}

#[test]
fn names_are_those_of_objects_and_of_files_too() {
    let machine = object("deferr-1.14.15-darwin.o");
    for name in ["c", "\"\".c", "%22%22.c", "main.c", "deferr.c"] {
        assert_eq!(machine.find(name).map(|func| func.name().to_owned()).unwrap(), "main.c", "{name}");
    }
    assert_eq!(machine.find("\"\".c.func1").unwrap().name(), "main.c.func1");
}

#[test]
fn what_is_missing_is_named_when_it_is_reached() {
    for release in ["1.15", "1.27"] {
        let mut alone = object(&format!("use-{release}.o"));
        let run = |machine: &mut Machine, func: &str| {
            let call = machine.call(func).unwrap();
            if func == "read" { call.run() } else { call.arg(4).run() }
        };
        assert_eq!(run(&mut alone, "maybe").unwrap().outcome.to_string(), "4");
        for (func, missing) in [("use", "lib.Scaled"), ("read", "lib.Scale")] {
            match run(&mut alone, func) {
                Err(Error::Undefined { name, caller }) => {
                    assert_eq!((name.as_str(), caller), (missing, Some(format!("main.{func}"))));
                }
                other => panic!("{release} {func}: {other:?}"),
            }
        }
        let files = [format!("use-{release}.o"), format!("lib-{release}.a")];
        let files = files.map(|name| testdata("objects").join(name));
        let mut both = Machine::new(Image::open_all(&files).unwrap()).unwrap();
        assert_eq!(run(&mut both, "use").unwrap().outcome.to_string(), "13");
        assert_eq!(run(&mut both, "read").unwrap().outcome.to_string(), "3");
        assert_eq!(run(&mut both, "lib.Scaled").unwrap().outcome.to_string(), "12");
    }
}

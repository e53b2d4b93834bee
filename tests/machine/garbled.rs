//! Programs without names: every function's name is a hash, the function table's magic number is changed, the section
//! headers are gone, and so are symbols and debug information, as obfuscators leave them. Calls by address do what
//! they do natively all the same.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

use goemu::Function;
use goemu::go::names::find;
use goemu::machine::{Config, Process};
use goemu::outcome::Runtime;
use goemu::runtime::recognised;
use goemu::testing::Check;
use goemu::{Image, Machine};
use goemu_loader::{Func, FuncId};
use goemu_tests::fixtures::{VERSIONS, binary, cases, present, releases};
use goemu_tests::table::{Build, Ending, call_as, gaps, source};

/// Where the header of an ELF file has the offset and the number of its section headers.
const SECTION_HEADERS: [std::ops::Range<usize>; 2] = [0x28..0x30, 0x3c..0x40];

/// The build with hashed names.
fn renamed(name: &str) -> Vec<u8> {
    let mut bytes = fs::read(binary(name).unwrap()).unwrap();
    let image = Image::parse(bytes.clone()).unwrap();
    // The names are slices of the file's bytes.
    let place = |name: &str| {
        let inside = |segment: &&goemu_loader::Segment| {
            image.segment_bytes(segment).as_ptr_range().contains(&name.as_ptr())
        };
        let segment = image.segments().iter().find(inside).unwrap();
        let start = name.as_ptr() as usize - image.segment_bytes(segment).as_ptr() as usize;
        segment.file_offset as usize + start
    };
    let places: Vec<(usize, usize)> =
        image.funcs().map(|func| (place(func.name()), func.name().len())).collect();
    for (at, len) in places {
        let mut hasher = DefaultHasher::new();
        bytes[at..at + len].hash(&mut hasher);
        let hash: Vec<u8> = format!("{:016x}", hasher.finish()).bytes().cycle().take(len).collect();
        bytes[at..at + len].copy_from_slice(&hash);
    }
    bytes
}

/// The build without names.
fn garbled(name: &str) -> Vec<u8> {
    let mut bytes = renamed(name);
    let image = Image::parse(bytes.clone()).unwrap();
    // Older tables cannot be told from other bytes without it.
    if image.facts().version.minor >= 18 {
        let table = image.module().unwrap().pclntab;
        let holds = |segment: &&goemu_loader::Segment| {
            (segment.addr..segment.addr + segment.file_size).contains(&table)
        };
        let segment = image.segments().iter().find(holds).unwrap();
        let at = (table - segment.addr + segment.file_offset) as usize;
        bytes[at..at + 4].copy_from_slice(&[0x5a, 0x13, 0x77, 0xc4]);
    }
    for range in SECTION_HEADERS {
        bytes[range].fill(0);
    }
    bytes
}

/// A Windows program whose functions' names are hashed: its clock goes on all the same.
#[test]
fn clocks_of_windows_go_on_without_names() {
    for name in ["corpus-go1.15-windows-stripped", "corpus-go1.27-windows"] {
        let whole = Machine::new(Image::open(binary(name).unwrap()).unwrap()).unwrap();
        let clock = whole.image().funcs_named("runtime.nanotime1")[0].entry();
        let hashed = Machine::new(Image::parse(renamed(name)).unwrap()).unwrap();
        assert!(hashed.image().funcs_named("runtime.nanotime1").is_empty(), "{name}");
        for mut machine in [whole, hashed] {
            let call = machine.call(&format!("{clock:#x}")).unwrap().signature("func() (t int64)").unwrap();
            // A second after the start, and a bit: packages may be initialised before.
            let time: u64 = call.run().unwrap().outcome.to_string().parse().unwrap();
            assert!((1_000_000_001..1_010_000_000).contains(&time), "{name}: {time}");
        }
    }
}

/// What initialisation needs of the runtime is recognised: calls of Windows' libraries, weak pointers, cleanups, tables of interfaces.
#[test]
fn programs_without_names_are_initialised() {
    let names = [
        "corpus-go1.15-windows-stripped",
        "corpus-go1.27-windows",
        "world-go1.15",
        "world-go1.25-windows-stripped",
        "world-go1.27",
    ];
    for name in present(names) {
        let mut hashed = Machine::new(Image::parse(renamed(&name)).unwrap()).unwrap();
        let done = hashed.initialise().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(done.functions > 10 && done.stderr.is_empty(), "{name}: {done:?}");
    }
}

/// What is recognised is what has the name, and what of it a program has is recognised: in programs of all systems.
#[test]
fn what_is_recognised_is_what_has_the_name() {
    let names = [
        "corners-go1.15-stripped",
        "corners-go1.21-stripped",
        "corners-go1.23-stripped",
        "corners-go1.24-stripped",
        "corners-go1.27-stripped",
        "corpus-go1.15-darwin-stripped",
        "corpus-go1.15-windows-stripped",
        "corpus-go1.27-darwin",
        "corpus-go1.27-windows",
        "corpus-go1.19",
        "corpus-go1.21",
        "corpus-go1.22",
        "corpus-go1.23",
        "corpus-go1.24",
        "corpus-go1.25",
        "corpus-go1.26",
        "process-go1.15-stripped",
        "process-go1.27-stripped",
        "whole-go1.27-stripped",
        "world-go1.15",
        "world-go1.25-windows-stripped",
        "world-go1.27",
    ];
    // What does the work of another, and is found in its place.
    let same = [
        ("newproc1", "newproc1"),
        ("goschedImpl", "preemptPark"),
        ("timeSleep", "scavengeSleep"),
        ("timeSleep", "(*scavengerState).sleep"),
        ("time.startTimer", "addtimer"),
        ("internal/poll.runtime_pollServerInit", "netpollinit"),
        ("timeSleep", "time.Sleep"),
        ("nanotime1", "time.now"),
        ("printpanics", "printpanics"),
        ("chanlen", "reflect.chanlen"),
        ("chanlen", "internal/reflectlite.chanlen"),
        ("chancap", "reflect.chancap"),
    ];
    // What is small enough for the compiler to put it where it is called, or is found by what not every program has.
    let wanted = [
        "GC",
        "chanlen",
        "chancap",
        "goroutineProfileWithLabelsConcurrent",
        "internal/weak.runtime_makeStrongFromWeak",
        "weak.runtime_makeStrongFromWeak",
        "GOMAXPROCS",
        "SetDefaultGOMAXPROCS",
        "ReadMemStats",
        "coroswitch",
        "goexit1",
        "newcoro",
        "startTheWorld",
        "stopTheWorld",
        "time.newTimer",
        "timeSleep",
        "os/signal.signal_recv",
        "os/signal.signalWaitUntilIdle",
        "internal/poll.runtime_pollOpen",
        "runtime/debug.setMaxStack",
    ];
    let mut wrong = Vec::new();
    for name in present(names) {
        let image = Image::open(binary(&name).unwrap()).unwrap();
        let found = recognised(&image);
        for (what, entry) in &found {
            let func = image.func_at(*entry).unwrap();
            let short = func.name().strip_prefix("runtime.").unwrap_or(func.name());
            let is_same = same.iter().any(|(of, other)| of == what && *other == short);
            let is_like = |(start, end)| short.starts_with(start) && short.ends_with(end);
            let is_kin = what.split_once('*').is_some_and(is_like);
            let of_sizes = *what == "mallocgc" && short.starts_with("mallocgc");
            if !(short == *what || is_same || is_kin || of_sizes) {
                wrong.push(format!("{name}: {what} is {}", func.name()));
            }
        }
        for what in wanted {
            let full = if what.contains(['.', '/']) { what.to_owned() } else { format!("runtime.{what}") };
            let named = image.funcs_named(&full);
            let found =
                |func: &Func<'_>| found.iter().any(|(of, entry)| *of == what && *entry == func.entry());
            // Wrappers between calling conventions have the same name.
            let own = named.iter().filter(|func| func.func_id() != FuncId::Wrapper);
            if !named.is_empty() && !own.clone().any(found) {
                wrong.push(format!("{name}: {what} is not recognised"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The calls of a build without names that do not do what they do natively.
fn wrong(name: &str, bytes: Vec<u8>) -> (usize, Vec<String>) {
    let whole = Build::new(name);
    let image = Image::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(image.funcs_named("main.add").is_empty() && image.symbols().next().is_none(), "{name}");
    let config = Config { max_stack: 64 << 20, ..Config::default() };
    let mut machine = Machine::with_config(image, config).unwrap();
    let (gaps, mut count, mut wrong) = (gaps(), 0, Vec::new());
    for case in cases("corpus", whole.version) {
        if gaps.iter().any(|gap| gap.covers(&whole, &case)) {
            continue;
        }
        let Some(signature) = whole.signature(&case.function) else { continue };
        count += 1;
        let address = format!("{:#x}", whole.entry(&case.function));
        let expected = Ending::from(&case);
        let found = call_as(&mut machine, &address, &case, Some(&signature));
        match found {
            Ok(found) if found == expected => {}
            Ok(found) => wrong.push(format!("{name} {}: native {expected}, goemu {found}", source(&case))),
            Err(error) => wrong.push(format!("{name} {}: native {expected}, goemu {error}", source(&case))),
        }
    }
    (count, wrong)
}

#[test]
fn names_are_not_needed() {
    let mut all = Vec::new();
    for version in releases("corpus", "", &VERSIONS) {
        let name = format!("corpus-go1.{version}");
        let (count, wrong) = wrong(&name, garbled(&name));
        assert!(count > 200, "{name}: only {count} calls");
        all.extend(wrong);
    }
    assert!(all.is_empty(), "{} wrong\n{}", all.len(), all.join("\n"));
}

/// Where a program begins is found by what it is, and its packages are initialised.
#[test]
fn programs_without_names_begin() {
    for version in releases("corpus", "", &VERSIONS) {
        let name = format!("corpus-go1.{version}");
        let named = Image::open(binary(&name).unwrap()).unwrap();
        let image = Image::parse(garbled(&name)).unwrap();
        let main = find(&image, "main.main").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(main.entry(), named.funcs_named("main.main")[0].entry(), "{name}");
        assert!(find(&image, "main.mains").is_err());
    }
    let pie = Image::parse(renamed("corpus-go1.27-pie")).unwrap();
    assert!(find(&pie, "main.main").is_ok());
    for version in releases("world", "", &[15, 27]) {
        let name = format!("world-go1.{version}");
        let named = Image::open(binary(&name).unwrap()).unwrap();
        let function = named.funcs_named("main.initialised")[0].entry();
        let signature = Function::find(&named, "main.initialised", None).unwrap();
        let signature = signature.signature().unwrap().to_string();
        let mut outcomes = Vec::new();
        // The table's number is what it was: Go's own runtime looks at it.
        for (image, func) in [
            (named, "main.initialised".to_owned()),
            (Image::parse(renamed(&name)).unwrap(), format!("{function:#x}")),
        ] {
            let config = Config { runtime: Some(Runtime::Real), ..Config::default() };
            let mut machine = Machine::with_config(image, config).unwrap();
            let call = machine.call(&func).unwrap().signature(&signature).unwrap();
            outcomes.push(call.arg(3).run().unwrap().outcome.to_string());
        }
        assert_eq!(outcomes[0], outcomes[1], "{name}");
        assert!(outcomes[0].contains(", "), "{name}: {}", outcomes[0]);
    }
}

/// Settings of GODEBUG, the program's own and those that it is given, hold in a program without names.
#[test]
fn settings_are_read_without_names() {
    let name = "process-go1.27-stripped";
    let named = Image::open(binary(name).unwrap()).unwrap();
    let function = format!("{:#x}", named.funcs_named("main.panicNil")[0].entry());
    for (env, is_nil) in [(vec![], true), (vec![("GODEBUG".to_owned(), "panicnil=0".to_owned())], false)] {
        let process = Process { env, ..Process::default() };
        let config = Config { runtime: Some(Runtime::Hooked), process, ..Config::default() };
        let mut machine = Machine::with_config(Image::parse(renamed(name)).unwrap(), config).unwrap();
        let call = machine.call(&function).unwrap().signature("func() (interface{}, bool)").unwrap();
        let outcome = call.run().unwrap().outcome.to_string();
        assert_eq!(outcome.starts_with("interface {}(nil)"), is_nil, "{outcome}");
    }
}

/// Hooked calls in a program whose functions have no names: pools are empty after collections, coroutines hand over, cleanups are
/// stopped, goroutines end before their functions do.
#[test]
fn hooks_are_set_without_names() {
    let cases: [(&str, &str, &[&str], &str); 8] = [
        ("corners", "main.pooled", &[], "true"),
        ("corners", "main.counted", &[], r#""1 2 3 3 0""#),
        ("corners", "main.stopped", &[], "2"),
        ("corners", "main.goneEarly", &[], r#""<nil> ended""#),
        ("corners", "main.lockedCoroutine", &["false", "false"], "6"),
        ("corners", "main.canonical", &[r#""a""#, r#""a""#], r#"true, "aa""#),
        ("corners", "main.timerChannel", &[], r#""0 0 0 0""#),
        ("corners", "main.timerSizes", &[], r#""0 0""#),
    ];
    for version in releases("corners", "-stripped", &[15, 21, 23, 24, 27]) {
        for (program, func, args, value) in cases {
            let name = format!("{program}-go1.{version}-stripped");
            let named = Image::open(binary(&name).unwrap()).unwrap();
            let Some(entry) = named.funcs_named(func).first().map(Func::entry) else { continue };
            let value = if func == "main.timerSizes" && version < 23 { r#""1 1""# } else { value };
            let signature = match func {
                "main.lockedCoroutine" => "func(made, used bool) int",
                "main.canonical" => "func(a, b string) (bool, string)",
                "main.pooled" => "func() bool",
                "main.stopped" => "func() int",
                _ => "func() string",
            };
            let config = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
            let mut machine = Machine::with_config(Image::parse(renamed(&name)).unwrap(), config).unwrap();
            let call = machine.call(&format!("{entry:#x}")).unwrap().signature(signature).unwrap();
            let report = call.literals(args).unwrap().run();
            let ended = report.map_or_else(|error| error.to_string(), |report| report.outcome.to_string());
            assert_eq!(ended, value, "{name}: {func}");
        }
    }
}

/// Profiles of several goroutines, which hooks do not make, are made by the program's own runtime.
#[test]
fn profiles_of_goroutines_are_left_to_the_runtime() {
    for version in releases("corners", "-stripped", &[15, 21, 23, 24, 27]) {
        let name = format!("corners-go1.{version}-stripped");
        let entry = Image::open(binary(&name).unwrap()).unwrap().funcs_named("main.profiled")[0].entry();
        for runtime in [Some(Runtime::Hooked), None] {
            let config = Config { runtime, ..Config::default() };
            let mut machine = Machine::with_config(Image::parse(renamed(&name)).unwrap(), config).unwrap();
            let call = machine.call(&format!("{entry:#x}")).unwrap().signature("func() bool").unwrap();
            match (runtime, call.run()) {
                (None, Ok(report)) => assert_eq!(report.runtime, Runtime::Real, "{name}"),
                (Some(_), Err(error)) => {
                    let text = error.to_string();
                    assert!(
                        text.starts_with("a profile of several goroutines is not supported"),
                        "{name}: {text}"
                    );
                }
                (_, ended) => panic!("{name} {runtime:?}: {ended:?}"),
            }
        }
    }
}

/// A goroutine that the runtime has started for itself is none that waits when the first has ended.
#[test]
fn goroutines_of_the_runtime_are_none_of_the_program() {
    for version in releases("corners", "-stripped", &[15, 21, 23, 24, 27]) {
        let name = format!("corners-go1.{version}-stripped");
        let entry = Image::open(binary(&name).unwrap()).unwrap().funcs_named("runtime.Goexit")[0].entry();
        let config = Config { runtime: Some(Runtime::Hooked), ..Config::default() };
        let mut machine = Machine::with_config(Image::parse(renamed(&name)).unwrap(), config).unwrap();
        machine.initialise().unwrap();
        let call = machine.call(&format!("{entry:#x}")).unwrap().signature("func()").unwrap();
        let outcome = call.run().unwrap().outcome.to_string();
        assert!(
            outcome.contains("no goroutines (main called runtime.Goexit) - deadlock!"),
            "{name}: {outcome}"
        );
    }
}

/// What the processor can do is known in programs without names, and where compiled code asks for it.
#[test]
fn features_of_the_processor_are_known() {
    for version in releases("corpus", "", &VERSIONS) {
        let name = format!("corpus-go1.{version}");
        let named = Image::open(binary(&name).unwrap()).unwrap();
        let copies =
            ["POPCNT", "SSE41", "FMA"].map(|of| named.symbol(&format!("runtime.x86Has{of}")).unwrap().addr);
        for bytes in [fs::read(binary(&name).unwrap()).unwrap(), renamed(&name)] {
            let mut machine = Machine::new(Image::parse(bytes).unwrap()).unwrap();
            machine.initialise().unwrap();
            let flags = copies.map(|at| machine.memory().read::<1>(at).unwrap());
            assert_eq!(flags, [[1]; 3], "{name}");
        }
    }
}

/// Where nothing has a name, a function is tested by its address and the signature that somebody found out.
#[test]
fn functions_without_names_are_tested() {
    let named = Image::open(binary("planted-go1.27").unwrap()).unwrap();
    let config = Config { fuel: 2_000_000, ..Config::default() };
    let image = Image::parse(garbled("planted-go1.27")).unwrap();
    let mut machine = Machine::with_config(image, config).unwrap();
    for (func, signature, smallest) in [
        ("main.record", "func(b []byte) int", &["[]byte{1}"][..]),
        ("main.magic", "func(b []byte) int", &["[]byte{127, 69, 76, 70}"]),
        ("main.lastButOne", "func(a []int) int", &["[]int{0, 0, 0, 0}"]),
        ("main.nested", "func(s string) int", &["\"(\""]),
        ("main.halvings", "func(n uint32) int", &["0"]),
        ("main.ratio", "func(a, b int) int", &["0", "-7"]),
    ] {
        let entry = named.funcs_named(func).first().unwrap().entry();
        let address = format!("{entry:#x}");
        let check = Check::new(&machine, &address, Some(signature)).unwrap();
        let finding = check.run(&mut machine, 20_000).unwrap().finding.expect(func);
        let input: Vec<&str> = finding.input.iter().map(|given| given.value.as_str()).collect();
        assert_eq!(input, smallest, "{func}: {finding}");
        assert!(!finding.subject.contains("main."), "{finding}");
    }
}

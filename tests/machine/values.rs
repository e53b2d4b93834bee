//! Values in and out of `testdata/go/typed`, of every release and mode that was built: against what the program did
//! natively, and in what a table of cases cannot say: captured variables, dictionaries, arguments that change, texts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use goemu::go::read::ReadOptions;
use goemu::typed::GoError;
use goemu::{Machine, Value};
use goemu_tests::fixtures::{VERSIONS, binary, cases, present, testdata};
use goemu_tests::table::{Build, Ending, call, source};
use proptest::prelude::*;

const MODES: [&str; 4] = ["", "-noopt", "-pie", "-stripped"];
/// Builds that are checked in: the others are tested where they were made.
const CHECKED_IN: [&str; 2] = ["typed-go1.15-stripped", "typed-go1.27"];

fn builds() -> Vec<Build> {
    let names = VERSIONS.iter().flat_map(|version| MODES.map(|mode| format!("typed-go1.{version}{mode}")));
    let found: Vec<String> = names.filter(|name| binary(name).is_some()).collect();
    assert!(CHECKED_IN.iter().all(|name| found.iter().any(|found| found == name)), "{found:?}");
    found.iter().map(|name| Build::new(name)).collect()
}

fn is_stripped(build: &Build) -> bool {
    build.name.ends_with("-stripped")
}

/// Initialised, so that package variables have their values.
fn machine(build: &Build) -> Machine {
    let mut machine = build.machine();
    machine.initialise().unwrap_or_else(|error| panic!("{}: {error}", build.name));
    machine
}

/// The signature of a function as its source has it: `func(m map[string]int, k string) int`.
fn signature(function: &str) -> String {
    let name = function.strip_prefix("main.").unwrap_or(function);
    for file in ["typed.go", "generic.go"] {
        let source = fs::read_to_string(testdata("go/typed").join(file)).expect("the program's source");
        for line in source.lines() {
            if let Some(rest) = line.strip_prefix(&format!("func {name}("))
                && let Some((head, _)) = rest.split_once(" {")
            {
                return format!("func({head}");
            }
        }
    }
    panic!("no declaration of {function}");
}

#[test]
fn cases_give_the_native_results() {
    for build in builds() {
        let mut machine = machine(&build);
        let mut wrong = Vec::new();
        for case in cases("typed", build.version) {
            // Only debug information knows variables by name.
            if is_stripped(&build) && case.args.iter().any(|arg| arg == "errLost") {
                continue;
            }
            let given = is_stripped(&build).then(|| signature(&case.function));
            let expected = Ending::from(&case);
            match call(&mut machine, &case, given.as_deref()) {
                Ok(found) if found == expected => {}
                Ok(found) => wrong.push(format!("{}\n  native: {expected}\n  goemu: {found}", source(&case))),
                Err(error) => wrong.push(format!("{}\n  {error}", source(&case))),
            }
        }
        assert!(wrong.is_empty(), "{}:\n{}", build.name, wrong.join("\n"));
    }
}

/// What a call prints of its results, and of the arguments afterwards.
fn run(
    machine: &mut Machine,
    function: &str,
    signature: Option<&str>,
    captures: Option<&str>,
    args: &[&str],
) -> Result<(String, Vec<String>), goemu::Error> {
    let mut call = machine.call(function)?;
    if let Some(signature) = signature {
        call = call.signature(signature)?;
    }
    if let Some(captures) = captures {
        call = call.captures(captures);
    }
    let report = call.literals(args)?.run()?;
    let arguments = report.arguments.iter().map(|arg| format!("{} = {}", arg.name, arg.value));
    Ok((report.outcome.to_string(), arguments.collect()))
}

#[test]
fn arguments_are_read_again() {
    for build in builds() {
        let mut machine = machine(&build);
        machine.set_reading(ReadOptions { arguments: true, ..ReadOptions::default() });
        let signature = is_stripped(&build).then(|| signature("main.scale"));
        let args = ["{{1, 2}, {3, 4}}", "3", "&point{5, 6}", r#"{"a": 1}"#];
        let (_, after) = run(&mut machine, "main.scale", signature.as_deref(), None, &args).unwrap();
        let expected = [
            "ps = []main.point{main.point{x:3, y:6}, main.point{x:9, y:12}}",
            "k = 3",
            "p = &main.point{x:6, y:5}",
            r#"m = map[string]int{"a":1, "k":3}"#,
        ];
        assert_eq!(after, expected, "{}", build.name);
    }
}

#[test]
fn closures_find_what_they_captured() {
    for build in builds() {
        let mut machine = machine(&build);
        machine.set_reading(ReadOptions { arguments: true, ..ReadOptions::default() });
        let stripped = is_stripped(&build);
        let signature = |text| stripped.then_some(text);
        let (adder, counter) = ("main.makeAdder.func1", "main.makeCounter.func1");

        let sig = signature("func(x int) (int, string)");
        for captures in [r#"n=5, s="x""#, r#"5, "x""#] {
            let (found, _) = run(&mut machine, adder, sig, Some(captures), &["37"]).unwrap();
            assert_eq!(found, r#"42, "x""#, "{}", build.name);
        }
        let shared = if stripped { "count=&int(5)" } else { "count=5" };
        let (found, after) = run(&mut machine, counter, signature("func() int"), Some(shared), &[]).unwrap();
        assert_eq!(found, "6", "{}", build.name);
        assert_eq!(after.len(), 1, "{}", build.name);
        assert_eq!(after[0] == "count = 6", !stripped, "{}: {after:?}", build.name);

        let sig = signature("func(k int) point");
        let (found, _) = run(&mut machine, "main.bind.func1", sig, Some("p=point{1, 2}"), &["3"]).unwrap();
        assert_eq!(found, "main.point{x:3, y:6}", "{}", build.name);

        let missing = run(&mut machine, counter, signature("func() int"), None, &[]).unwrap_err().to_string();
        assert!(missing.contains(": give them"), "{}: {missing}", build.name);
        let sig = signature("func(x int) (int, string)");
        let short = run(&mut machine, adder, sig, Some("n=5"), &["1"]).unwrap_err().to_string();
        assert!(short.contains("bytes of them"), "{}: {short}", build.name);
        for malformed in ["n=", "n=5,,", "=5", "n=5 s=6", "n=zzz"] {
            assert!(run(&mut machine, adder, sig, Some(malformed), &["1"]).is_err(), "{malformed}");
        }
    }
}

/// Whether a name is one that the compiler gives to what is called through a closure.
fn is_closure(name: &str) -> bool {
    let last = name.rsplit(['.', '·']).next().unwrap_or_default();
    let numbered =
        |prefix: &str| last.strip_prefix(prefix).is_some_and(|n| n.starts_with(|c: char| c.is_ascii_digit()));
    let made = ["func", "gowrap", "deferwrap", "dwrap", "", "gobody", "-range"]
        .iter()
        .any(|prefix| numbered(prefix));
    // Hashing and comparing of a number of bytes that the closure has.
    made || name.ends_with("-fm")
        || name.contains("-range")
        || name.contains("varlen")
        || name == "runtime.getclosureptr"
}

#[test]
fn only_closures_want_captured_variables() {
    let mut wanted = 0;
    let names = ["corpus-go1.15", "corpus-go1.19", "corpus-go1.27", "corpus-go1.27-noopt", "world-go1.27"];
    for name in present(names) {
        let build = Build::new(&name);
        let machine = build.machine();
        let image = machine.image().clone();
        for func in image.funcs() {
            let function = machine.function(&format!("{:#x}", func.entry()), Some("func()"));
            if function.is_ok_and(|function| function.needs_captures()) {
                assert!(is_closure(func.name()), "{name}: {}", func.name());
                wanted += 1;
            }
        }
    }
    assert!(wanted > 100, "{wanted}");
}

#[test]
fn generic_functions_get_their_dictionary() {
    for build in builds().iter().filter(|build| build.version >= 18 && !is_stripped(build)) {
        let mut machine = machine(build);
        let mut check = |function: &str, args: &[&str], expected: &str| {
            let found = run(&mut machine, function, None, None, args).map(|(found, _)| found);
            assert_eq!(
                found.map_err(|e| e.to_string()).as_deref(),
                Ok(expected),
                "{} {function}",
                build.name
            );
        };
        check("mapTo[int,string]", &["{1, 20}", "itoa"], r#"[]string{"1", "20"}"#);
        check(
            "main.mapTo[string, int]",
            &[r#"{"a"}"#, "nil"],
            "panic: runtime error: invalid memory address or nil pointer dereference",
        );
        check("total[celsius]", &["{1, 2.5}"], "3.5");
        check("nameOf[int]", &["1"], r#""int""#);
        check("nameOf[celsius]", &["1"], r#""celsius""#);
        check("nameOf[float64]", &["1"], r#""other""#);
        check("nameOf[*point]", &["nil"], r#""pointer""#);
        check("nameOf[*point]", &["&point{1, 2}"], r#""pointer""#);
        check("main.(*stack[int]).push", &["&stack[int]{items: {1, 2}}", "3"], "3");
        check("stack[string].top", &[r#"{items: {"a", "b"}}"#], r#""b", true"#);
        let unknown = run(&mut machine, "nameOf[*codeError]", None, None, &["nil"]).unwrap_err().to_string();
        assert!(unknown.contains("dictionary") && unknown.contains("[int]"), "{}: {unknown}", build.name);
        let several = run(&mut machine, "nameOf[go.shape.float64]", None, None, &["1"]);
        assert!(several.is_err() || build.version < 20, "{}: {several:?}", build.name);
    }
}

#[test]
fn calls_show_the_dictionary_of_a_stripped_function() {
    for build in builds().iter().filter(|build| build.version >= 18 && is_stripped(build)) {
        let mut machine = machine(build);
        for (function, signature, argument, expected) in [
            ("total[int]", "func(xs []int) int", "{1, 2}", "3"),
            ("total[celsius]", "func(xs []celsius) celsius", "{1, 2.5}", "3.5"),
            ("nameOf[int]", "func(x int) string", "1", "\"int\""),
            ("nameOf[string]", "func(x string) string", "x", "\"string\""),
        ] {
            let found = run(&mut machine, function, Some(signature), None, &[argument]);
            let found = found.map(|(found, _)| found).map_err(|error| error.to_string());
            assert_eq!(found.as_deref(), Ok(expected), "{} {function}", build.name);
        }
    }
}

#[test]
fn errors_and_stringers_say_their_text() {
    for build in builds() {
        let mut machine = machine(&build);
        let signature = |name| is_stripped(&build).then(|| signature(name));
        machine.set_reading(ReadOptions { errors: true, stringers: true, ..ReadOptions::default() });
        let parts = signature("main.parts");
        let (found, _) = run(&mut machine, "main.parts", parts.as_deref(), None, &["3"]).unwrap();
        let expected = "main.circle{r:3} /* circle of 3 */, &main.rect{w:3, h:1}, []error{(*main.codeError)(";
        assert!(found.starts_with(expected), "{}: {found}", build.name);
        assert!(found.contains("/* code 3 */, error(nil), ") && found.ends_with("/* lost */}"), "{found}");
    }
}

#[test]
fn values_that_contain_themselves_end() {
    for build in builds() {
        let mut machine = machine(&build);
        let signature = is_stripped(&build).then(|| signature("main.ring"));
        let (found, _) = run(&mut machine, "main.ring", signature.as_deref(), None, &["2"]).unwrap();
        assert!(found.starts_with(r#"&main.node{name:"first", next:(*main.node)(0xc0"#), "{found}");
    }
}

#[test]
fn rust_types_are_the_signature() {
    let build = Build::new("typed-go1.27");
    let mut machine = machine(&build);
    let pack = machine.func::<(&[u8], i64), String>("main.pack").unwrap();
    for n in [0, 7, -12] {
        let bytes = format!("n{n}=");
        assert_eq!(pack.call(&mut machine, (bytes.as_bytes(), n)).unwrap(), Ok(format!("n{n}={n}")));
    }
    let add = machine.func::<(Value, &str), (i64, i64, i64)>("main.addAndDelete").unwrap();
    let map = Value::map([("a", 1), ("b", 2)]);
    assert_eq!(add.call(&mut machine, (map, "c")).unwrap(), Ok((2, 302, 341)));

    let check = machine.func::<(i64,), Result<(), GoError>>("main.check").unwrap();
    assert_eq!(check.call(&mut machine, (0,)).unwrap(), Ok(Ok(())));
    let failed = check.call(&mut machine, (3,)).unwrap().unwrap().unwrap_err();
    assert_eq!((failed.text.as_str(), failed.value.field("code")), ("code 3", Some(&Value::Int(3))));

    let refuse = machine.func::<(i64,), i64>("main.refuse").unwrap();
    assert_eq!(refuse.call(&mut machine, (0,)).unwrap(), Ok(0));
    let panicked = refuse.call(&mut machine, (1,)).unwrap().unwrap_err();
    assert_eq!(panicked.to_string(), "panic: refused");

    let plus = Value::structure([("x", 1.into()), ("y", 2.into())]);
    let by_point = machine.func::<(Value, Value), String>("main.byPoint").unwrap();
    let map = Value::map([(plus.clone(), "here")]);
    assert_eq!(by_point.call(&mut machine, (map, plus)).unwrap(), Ok("here".to_owned()));

    for error in [
        machine.func::<(&str, i64), String>("main.pack").map(drop),
        machine.func::<(&[u8], i32), String>("main.pack").map(drop),
        machine.func::<(&[u8],), String>("main.pack").map(drop),
        machine.func::<(&[u8], i64), ()>("main.pack").map(drop),
        machine.func::<(&[u8], i64), Result<String, GoError>>("main.pack").map(drop),
    ] {
        let text = error.unwrap_err().to_string();
        assert!(text.contains("func(b []uint8, n int) string"), "{text}");
    }
}

#[test]
fn rust_types_stand_for_a_signature_that_was_stripped() {
    let build = Build::new("typed-go1.15-stripped");
    let mut machine = machine(&build);
    let pack = machine.func::<(&[u8], i64), String>("main.pack").unwrap();
    assert_eq!(pack.call(&mut machine, (b"abc", 7)).unwrap(), Ok("abc7".to_owned()));
    let check = machine.func::<(i64,), Result<(), GoError>>("main.check").unwrap();
    let failed = check.call(&mut machine, (3,)).unwrap().unwrap().unwrap_err();
    assert_eq!(failed.text, "code 3");
}

/// Every entry is found again, by the guest's own lookup, whatever the size of the map.
#[test]
fn large_maps_hold_their_entries() {
    for build in builds().iter().filter(|build| build.name.matches('-').count() == 1) {
        let mut machine = machine(build);
        let look_up = machine.function("main.lookUp", None).unwrap();
        let sum = machine.function("main.sumMap", None).unwrap();
        for size in [1_i64, 7, 8, 9, 14, 15, 53, 113, 897, 2500] {
            let map = Value::map((0..size).map(|n| (n * n, n.to_string())));
            for n in [0, size / 2, size - 1] {
                let report = look_up.call(&mut machine, &[map.clone(), (n * n).into()]).unwrap();
                assert_eq!(report.outcome.to_string(), format!("\"{n}\", true"), "{} {size}", build.name);
            }
            let report = look_up.call(&mut machine, &[map.clone(), (-1).into()]).unwrap();
            assert_eq!(report.outcome.to_string(), "\"\", false", "{} {size}", build.name);
            // Going through it finds each once.
            let map = Value::map((0..size).map(|n| (format!("{n:05}"), 1)));
            let report = sum.call(&mut machine, &[map]).unwrap();
            assert_eq!(report.outcome.to_string(), format!("{}, false", 6 * size), "{} {size}", build.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// What the guest adds to a map that was made here is what Rust would have.
    #[test]
    fn maps_grow_like_the_guests_own(keys in proptest::collection::hash_set("[a-e]{0,3}", 0..40), k in "[a-e]{0,3}") {
        for name in CHECKED_IN {
            let build = Build::new(name);
            let mut machine = build.machine();
            let signature = is_stripped(&build).then(|| signature("main.addAndDelete"));
            let function = machine.function("main.addAndDelete", signature.as_deref()).unwrap();
            let map = Value::map(keys.iter().map(|key| (key.as_str(), 1)));
            let report = function.call(&mut machine, &[map, k.as_str().into()]).unwrap();
            let mut expected = keys.clone();
            expected.insert(k.clone());
            expected.remove("a");
            let of_k = if k == "a" { 0 } else { 40 + i64::from(keys.contains(&k)) };
            let of_b = if k == "b" { of_k } else { i64::from(expected.contains("b")) };
            let found = report.outcome.to_string();
            let sum = of_k + 299 + of_b;
            prop_assert_eq!(found, format!("{}, {}, {sum}", expected.len(), expected.len() + 300));
        }
    }
}

#[test]
fn what_cannot_be_given_says_why() {
    let build = Build::new("typed-go1.27");
    let mut machine = machine(&build);
    let mut message = |function: &str, args: &[&str]| {
        run(&mut machine, function, None, None, args).map(|(found, _)| found).unwrap_err().to_string()
    };
    for (function, args, part) in [
        ("main.byAny", ["{[]int{1}: 5}", "1"], "hash of unhashable type []int"),
        (
            "main.sameShape",
            ["point{1, 2}", "nil"],
            "main.point does not implement main.shape: it has no method area",
        ),
        ("main.sameShape", ["circle{q: 1}", "nil"], "has no field q; its fields are r"),
        ("main.addAndDelete", [r#"{"a": 1, "a": 2}"#, "x"], "is given twice"),
        ("main.byPoint", ["{{1, 2, 3}: \"\"}", "point{}"], "takes 2 values, not 3"),
        ("main.byPoint", ["{}", "{z: 1}"], "has no field z"),
    ] {
        let text = message(function, &args);
        assert!(text.contains(part), "{function} {args:?}: {text}");
    }
    let far = message("main.takeNode", &["{naem: \"x\"}"]);
    assert!(far.contains("did you mean name?"), "{far}");
}

/// Values of any type can be made, given, and read again as what they were.
#[test]
fn random_values_of_a_type_arrive() {
    use goemu::strategy::strategy_for;
    let build = Build::new("typed-go1.27");
    let machine = std::cell::RefCell::new(machine(&build));
    let image = machine.borrow().image().clone();
    machine.borrow_mut().set_reading(ReadOptions { arguments: true, ..ReadOptions::default() });
    for name in ["main.depth", "main.takeNode", "main.mixed", "main.byArray", "main.byWide", "main.nested"] {
        let function = machine.borrow().function(name, None).unwrap();
        let params = &function.signature().expect("debug information").params;
        let args: Vec<_> = params.iter().map(|param| strategy_for(&param.ty, &*image)).collect();
        proptest!(ProptestConfig::with_cases(48), |(args in args)| {
            let report = function.call(&mut machine.borrow_mut(), &args).unwrap();
            let word = report.outcome.word();
            prop_assert!(word == "returned" || word == "panicked", "{}", report.outcome);
            prop_assert_eq!(report.arguments.len(), args.len());
        });
    }
}

/// The file offset and length of the image's type descriptors.
fn descriptors(bytes: &[u8]) -> (usize, usize) {
    let image = goemu::Image::parse(bytes.to_vec()).unwrap();
    let types = image.module().and_then(|module| module.types).expect("type descriptors");
    let segment =
        image.segments().iter().find(|s| (s.addr..s.addr + s.mem_size).contains(&types.start)).unwrap();
    let inside = (types.start - segment.addr) as usize;
    let of_segment = image.segment_bytes(segment);
    let len = ((types.end - types.start) as usize).min(of_segment.len() - inside);
    let start = of_segment.as_ptr() as usize;
    let head = &of_segment[inside..inside + 256.min(len)];
    let at =
        bytes.windows(head.len()).position(|window| window == head).expect("the descriptors in the file");
    assert!(start > 0 && len > 1000);
    (at, len)
}

/// Type descriptors that lie: an error, or an outcome, in bounded time.
#[test]
fn damaged_descriptors_do_no_harm() {
    for (name, seed) in [("typed-go1.27", 1_u64), ("typed-go1.15-stripped", 2)] {
        let original = fs::read(binary(name).unwrap()).unwrap();
        let (at, len) = descriptors(&original);
        let mut random = seed;
        let mut next = move || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as usize
        };
        for round in 0..60 {
            let mut bytes = original.clone();
            // From a few damaged bytes to one in a hundred.
            for _ in 0..1 + round * round * len / 360_000 {
                bytes[at + next() % len] = next() as u8;
            }
            let Ok(image) = goemu::Image::parse(bytes) else { continue };
            let config = goemu::Config { fuel: 200_000, max_memory: 256 << 20, ..goemu::Config::default() };
            let Ok(mut machine) = Machine::with_config(image, config) else { continue };
            machine.set_reading(ReadOptions {
                errors: true,
                stringers: true,
                arguments: true,
                ..ReadOptions::default()
            });
            for (function, args) in [
                ("main.byAny", &["{1: 10, point{1, 2}: 40, nil: 60}", "1"][..]),
                ("main.codeOf", &["&codeError{7, \"bad\"}"][..]),
                ("main.totalArea", &["{circle{1}, &rect{2, 2.5}}"][..]),
                ("main.takeNode", &["{name: \"x\", tags: {\"a\": {1, 2}}, any: point{1, 2}}"][..]),
                ("main.parts", &["3"][..]),
                ("main.ring", &["3"][..]),
            ] {
                let signature = name.ends_with("-stripped").then(|| signature(function));
                // Whatever comes of it: no panic of goemu's own.
                let _ = run(&mut machine, function, signature.as_deref(), None, args);
            }
        }
    }
}

#[test]
fn closures_of_generic_functions_have_its_dictionary() {
    for build in builds().iter().filter(|build| build.version >= 18) {
        // Up to Go 1.20 a stripped file does not tell the instances apart.
        if is_stripped(build) && build.version < 21 {
            continue;
        }
        let mut machine = machine(build);
        let mut check = |function: &str, signature: &str, captures: &str, args: &[&str], expected: &str| {
            let signature = is_stripped(build).then_some(signature);
            let found = run(&mut machine, function, signature, Some(captures), args).map(|(found, _)| found);
            let found = found.unwrap_or_else(|error| error.to_string());
            assert_eq!(found, expected, "{} {function} {captures}", build.name);
        };
        let sig = "func(end string) string";
        let float = if is_stripped(build) { "float64(3)" } else { "x=3" };
        let shown = |word: &str| format!("\"z {word}!\"");
        check("namer[int].func1", sig, r#"label="z", x=3"#, &["!"], &shown("int"));
        check("main.namer[celsius].func1", sig, &format!(r#"label="z", {float}"#), &["!"], &shown("celsius"));
        if !is_stripped(build) {
            check("namer[*point].func1", sig, r#"label="z", x=nil"#, &["!"], &shown("pointer"));
            let sig = "func(x int) (int, string)";
            check("counter[int].func1", sig, r#"count=10, step=5, label="n""#, &["2"], r#"18, "n""#);
        }
        // Debug information of Go 1.23 and later knows where count and label are: step is what they leave.
        if !is_stripped(build) && build.version >= 23 {
            let sig = "func(x float64) (float64, string)";
            let captures = r#"label="c", step=5, count=10"#;
            check("counter[celsius].func1", sig, captures, &["2"], r#"18, "c""#);
        }
    }
}

#[test]
fn captured_variables_of_other_names_are_refused() {
    for build in builds().iter().filter(|build| !is_stripped(build)) {
        let mut machine = machine(build);
        let captures = Some(r#"n=5, t="x""#);
        let found = run(&mut machine, "main.makeAdder.func1", None, captures, &["37"]);
        let message = found.unwrap_err().to_string();
        assert!(message.contains("there is no t; it may have"), "{}: {message}", build.name);
        assert!(message.contains("n int") && message.contains("s string"), "{}: {message}", build.name);
    }
}

//! Strings that a program names, and strings that it makes; who uses them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;
use std::sync::Arc;

use goemu::machine::{EngineChoice, Interrupt};
use goemu::reverse::decrypt::Callers;
use goemu::reverse::export::export;
use goemu::reverse::strings::{Certainty, Listing, Options, Origin, list};
use goemu::reverse::xrefs::{Target, Xref, XrefKind, references};
use goemu::{Config, Image, Machine};

fn image(build: &str) -> Arc<Image> {
    Arc::new(Image::open(format!("{}/../../testdata/bin/{build}", env!("CARGO_MANIFEST_DIR"))).unwrap())
}

/// The build without the names of functions, but those of the runtime, which cost time to run through.
fn nameless(build: &str) -> Arc<Image> {
    let named = image(build);
    let mut bytes = std::fs::read(named.path().unwrap()).unwrap();
    let own = Image::parse(bytes.clone()).unwrap();
    let mut names: Vec<(usize, usize)> = Vec::new();
    for func in own.funcs().filter(|func| !func.name().starts_with("runtime.")) {
        let at = func.name().as_ptr() as usize;
        let of = |segment: &&goemu_loader::Segment| {
            own.segment_bytes(segment).as_ptr_range().contains(&(at as *const u8))
        };
        let segment = own.segments().iter().find(of).unwrap();
        let start = at - own.segment_bytes(segment).as_ptr() as usize;
        names.push((segment.file_offset as usize + start, func.name().len()));
    }
    for (at, len) in names {
        bytes[at..at + len].fill(0);
    }
    Arc::new(Image::parse(bytes).unwrap())
}

fn listing(build: &str) -> Listing {
    listing_of(image(build))
}

fn listing_of(image: Arc<Image>) -> Listing {
    let mut machine = Machine::new(image).unwrap();
    machine.initialise().unwrap();
    list(machine, &Options::default(), &Interrupt::default(), &mut |_, _| ControlFlow::Continue(())).unwrap()
}

const BUILDS: [&str; 2] = ["decoders-go1.21-stripped", "decoders-go1.27-stripped"];

/// What a decoder makes of bytes that are copied as a whole, among them those that stand for what is unknown.
const COPIED: (&str, usize, &str) =
    ("a long text that is copied as a whole before it is decoded, ", 6, "with bytes of any value among it");

fn copied() -> Vec<u8> {
    (COPIED.0.repeat(COPIED.1) + COPIED.2).into_bytes()
}

/// What the decoders make.
const MADE: [&str; 18] = [
    "text behind an exclusive or",
    "swapped letters",
    "split over a switch",
    "grown from a seed",
    "with keys from elsewhere",
    "through a proxy",
    "a cipher of 256 states",
    "out of a table",
    "one of many",
    "another of many",
    "compared and forgotten",
    "swapped behind a loop of unknown length",
    "swapped behind a branch that is not taken",
    "handed on by a goroutine",
    "behind a pointer to a slice",
    "after a long loop",
    "after a second long loop",
    "c3.hidden.example",
];

#[test]
fn decoders_are_run() {
    for build in BUILDS {
        let listing = listing(build);
        let file = std::fs::read(image(build).path().unwrap()).unwrap();
        for text in MADE {
            assert!(!file.windows(text.len()).any(|part| part == text.as_bytes()), "{text} is in the file");
            let found = listing.strings.iter().find(|found| found.value == text.as_bytes());
            let found = found.unwrap_or_else(|| panic!("{build}: no {text:?}"));
            assert!(
                found.origin != Origin::Constant && found.certainty > Certainty::Possible,
                "{build}: {found:?}"
            );
        }
        assert!(listing.strings.iter().any(|found| found.value == copied()), "{build}");
        // Nothing is made up, nor of what the program is given.
        for found in listing.strings.iter().filter(|found| found.origin == Origin::Decoded) {
            // The last is a constant of one of them.
            let others: [&[u8]; 3] = [b"value in a map", b"made of its arguments", &copied()];
            let known = MADE.map(str::as_bytes).iter().chain(&others).any(|text| found.value == *text);
            assert!(known, "{build}: {found:?}");
        }
        assert_eq!(listing.cut, 0, "{build}");
    }
}

/// Limits are instructions: neither the engine nor the host's load changes what is found.
#[test]
fn engines_find_the_same() {
    let with = |engine| {
        let config = Config { engine, ..Config::default() };
        let mut machine = Machine::with_config(image(BUILDS[1]), config).unwrap();
        machine.initialise().unwrap();
        let mut options = Options::default();
        options.fuel = 2_000;
        list(machine, &options, &Interrupt::default(), &mut |_, _| ControlFlow::Continue(())).unwrap()
    };
    let (interpreted, translated) = (with(EngineChoice::Interpreter), with(EngineChoice::Translator));
    assert_eq!((interpreted.strings, interpreted.cut), (translated.strings, translated.cut));
}

#[test]
fn names_are_not_needed() {
    let image = nameless("decoders-go1.27-stripped");
    assert!(image.funcs_named("main.byXor").is_empty() && image.funcs().any(|func| func.name().is_empty()));
    let listing = listing_of(image);
    let found = |text: &&str| listing.strings.iter().any(|found| found.value == text.as_bytes());
    let missing: Vec<&str> = MADE.into_iter().filter(|text| !found(text)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    // Go's own packages are not told apart.
    let decoded = listing.strings.iter().filter(|found| found.origin == Origin::Decoded);
    let others: Vec<_> =
        decoded.filter(|found| !MADE.map(str::as_bytes).contains(&&found.value[..])).collect();
    assert!(others.len() < 10, "{others:?}");
}

/// A disassembler's own name for a function tells more than one that is its address alone.
#[test]
fn exports_name_no_functions_without_a_name() {
    let image = nameless("decoders-go1.27-stripped");
    let data = export(&image, &Listing::default(), std::iter::empty());
    let funcs = data["functions"].as_array().unwrap();
    let without = |func: &&serde_json::Value| func["name"] == "" && func["recovered"].is_null();
    assert!(funcs.iter().filter(without).count() > 10);
    assert!(funcs.iter().all(|func| without(&func) == func["label"].is_null()));
}

#[test]
fn variables_that_initialisation_sets_are_read() {
    for build in BUILDS {
        let listing = listing(build);
        for text in ["c3.hidden.example", "value in a map"] {
            let made = |origin| {
                listing.strings.iter().any(|found| found.value == text.as_bytes() && found.origin == origin)
            };
            assert!(made(Origin::Initialised), "{build}: {text}");
        }
    }
}

#[test]
fn constants_come_with_their_users() {
    for build in BUILDS {
        let (listing, image) = (listing(build), image(build));
        for text in
            ["a constant of a branch", "a constant for another function", "the last constant", "enough"]
        {
            // println is given its end of line, too.
            let found = listing.strings.iter().find(|found| found.value.trim_ascii() == text.as_bytes());
            let found = found.unwrap_or_else(|| panic!("{build}: no {text:?}"));
            let users: Vec<_> =
                found.users.iter().filter_map(|user| Some(image.func_at(user.func?)?.name())).collect();
            let wanted = if text == "enough" { "main.byKeys" } else { "main.plain" };
            assert_eq!(users, [wanted], "{build}: {text}");
            assert_eq!(
                (found.origin, found.certainty),
                (Origin::Constant, Certainty::Certain),
                "{build}: {text}"
            );
        }
    }
}

/// Lists that code names as a whole: whoever uses them has their elements.
#[test]
fn elements_of_lists_have_users() {
    let image = image(BUILDS[1]);
    let mut options = Options::default();
    options.decode = false;
    let machine = Machine::new(image.clone()).unwrap();
    let listing =
        list(machine, &options, &Interrupt::default(), &mut |_, _| ControlFlow::Continue(())).unwrap();
    let package = |entry: u64| image.func_at(entry).unwrap().name().split('.').next().unwrap().to_owned();
    let users = |text: &str| {
        let found = listing.strings.iter().find(|found| found.value == text.as_bytes());
        let found = found.unwrap_or_else(|| panic!("no {text:?}"));
        found.users.iter().filter_map(|user| Some(package(user.func?))).collect::<Vec<_>>()
    };
    assert_eq!(users("function not implemented").first().map(String::as_str), Some("syscall"));
    assert_eq!(users("37252902984619140625").first().map(String::as_str), Some("internal/strconv"));
}

fn users(image: &Image, target: &Target) -> Vec<(String, Xref)> {
    let found = references(image, target, &Interrupt::default());
    let name = |xref: &Xref| {
        xref.func.and_then(|func| image.func_at(func)).map_or("data", |func| func.name()).to_owned()
    };
    found.into_iter().map(|xref| (name(&xref), xref)).collect()
}

#[test]
fn callers_come_with_constant_arguments() {
    for build in BUILDS {
        let image = image(build);
        let entry = image.funcs_named("main.shifted")[0].entry();
        let mut shifts = Vec::new();
        for (name, xref) in users(&image, &Target::Function(entry)) {
            let XrefKind::Call(site) = &xref.kind else { continue };
            assert_eq!(name, "main.byMany", "{build}");
            shifts.push(format!("{:?}", site.registers[2].unwrap()));
        }
        shifts.sort();
        assert_eq!(shifts, ["Number(1)", "Number(2)"], "{build}");
    }
}

/// Each text that a call gives is found from the function that is called, too.
#[test]
fn calls_give_their_texts_where_they_are() {
    for build in BUILDS {
        let image = image(build);
        let listing = listing(build);
        let mut machine = Machine::new(image.clone()).unwrap();
        machine.initialise().unwrap();
        let (mut callers, mut seen) = (Callers::default(), Vec::new());
        for found in listing.strings.iter().filter(|found| found.origin == Origin::Decoded) {
            let refs = references(&image, &Target::Function(found.addr), &Interrupt::default());
            let calls =
                refs.iter().filter(|xref| matches!(xref.kind, XrefKind::Call(_) | XrefKind::Closure(_)));
            for xref in calls.filter(|xref| found.users.iter().any(|user| user.at == xref.at)) {
                let func = image.func_at(xref.func.unwrap()).unwrap();
                let text = callers.text(&mut machine, &func, xref.at, 10_000_000, &Interrupt::default());
                assert_eq!(text.as_ref(), Some(&found.value), "{build}: {:#x}", xref.at);
                seen.push(String::from_utf8(found.value.clone()).unwrap());
            }
        }
        for wanted in ["value in a map", "through a proxy", "a cipher of 256 states"] {
            assert!(seen.iter().any(|text| text == wanted), "{build}: {wanted} of {seen:?}");
        }
    }
}

#[test]
fn users_of_a_text_and_of_function_values() {
    for build in BUILDS {
        let image = image(build);
        let text = users(&image, &Target::Text(b"last constant".to_vec()));
        assert!(
            text.iter().any(|(name, xref)| name == "main.plain" && matches!(xref.kind, XrefKind::Text(..))),
            "{build}: {text:?}"
        );
        // It is in the list that init makes, and it is never called.
        let entry = image.funcs_named("main.byXor")[0].entry();
        let value = users(&image, &Target::Function(entry));
        assert!(
            !value.is_empty()
                && value.iter().all(|(_, xref)| matches!(xref.kind, XrefKind::Value(_) | XrefKind::Word(_))),
            "{build}: {value:?}"
        );
    }
}

#[test]
fn an_interrupt_keeps_what_was_found() {
    let machine = Machine::new(image(BUILDS[1])).unwrap();
    let interrupt = Interrupt::default();
    let mut stop = |done, _| if done > 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let listing = list(machine, &Options::default(), &interrupt, &mut stop).unwrap();
    assert!(listing.interrupted && listing.left > 0 && !listing.strings.is_empty());
}

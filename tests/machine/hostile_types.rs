//! Types that lie: debug information and type descriptors that were changed at random. Whatever they say of functions
//! and values, asking, calling and printing ends, in an answer or an error.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

use goemu::disasm::write_listing;
use goemu::go::guess::guess;
use goemu::go::literal::parse_value;
use goemu::go::names::package;
use goemu::go::print::{Format, Style};
use goemu::go::read::{ReadOptions, Reader};
use goemu::strategy::strategy_for;
use goemu::{Config, Image, Machine, Outcome, Value};
use goemu_loader::{Func, Type, TypeRef};
use goemu_tests::fixtures::{Case, cases, testdata};
use goemu_tests::table::call;
use goemu_tests::work::{GRAIN, work};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// How many times the work of the program as it was built a changed one may take, with all that is asked of it.
const MOST: u32 = 200;
/// Functions and types of a program that are asked for.
const ASKED: usize = 40;
/// Texts of which most types have one that is a value of theirs.
const LITERALS: [&str; 8] = ["0", "nil", "{}", "&{}", "\"x\"", "{0: 1}", "{{}}", "{nil, 1}"];

/// A program and the bytes of it that may be changed.
struct Program {
    bytes: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Program {
    fn changed(&self, changes: &[(Index, Index, u64, usize)]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (place, at, value, width) in changes {
            let place = &self.places[place.index(self.places.len())];
            let at = place.start + at.index(place.len());
            let end = (at + width).min(bytes.len());
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
        bytes
    }
}

fn long(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

fn short(bytes: &[u8], at: usize) -> usize {
    u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()).into()
}

/// An ELF program with its debug information uncompressed at the end of the file.
fn unpacked(name: &str) -> Program {
    const COMPRESSED: u8 = 8; // SHF_COMPRESSED, in the second byte of the flags
    let mut bytes = std::fs::read(testdata("bin").join(name)).unwrap();
    let image = Image::parse(bytes.clone()).unwrap();
    let (headers, count) = (long(&bytes, 0x28), short(&bytes, 0x3c));
    let header = |index: usize| headers + 64 * index;
    let names = long(&bytes, header(short(&bytes, 0x3e)) + 24);
    let mut places = Vec::new();
    for at in (0..count).map(header) {
        let start = names + u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let end = start + bytes[start..].iter().position(|byte| *byte == 0).unwrap();
        let section = String::from_utf8(bytes[start..end].to_vec()).unwrap();
        if !section.starts_with(".debug_") || bytes[at + 9] & COMPRESSED == 0 {
            continue;
        }
        let data = image.section_data(&section).unwrap().into_owned();
        let place = bytes.len()..bytes.len() + data.len();
        bytes[at + 9] &= !COMPRESSED;
        bytes[at + 24..at + 32].copy_from_slice(&place.start.to_le_bytes());
        bytes[at + 32..at + 40].copy_from_slice(&data.len().to_le_bytes());
        bytes.extend(data);
        match section.as_str() {
            ".debug_info" => places.extend(std::iter::repeat_n(place, 20)),
            ".debug_abbrev" | ".debug_str" | ".debug_addr" | ".debug_loc" | ".debug_loclists" => {
                places.push(place)
            }
            _ => {}
        }
    }
    assert!(places.len() > 20, "{name}: {places:?}");
    Program { bytes, places }
}

/// A stripped program, and where its type descriptors are.
fn stripped(name: &str) -> Program {
    /// Bytes that a descriptor has at least, with what follows it by its kind.
    const SIZE: usize = 88;
    let bytes = std::fs::read(testdata("bin").join(name)).unwrap();
    let image = Image::parse(bytes.clone()).unwrap();
    let place = |ty: TypeRef| {
        let TypeRef::Rtype(addr) = ty else { return None };
        let segment = image.segments().iter().find(|segment| segment.contains(addr))?;
        let at = (segment.file_offset + (addr - segment.addr)) as usize;
        Some(at..at + SIZE)
    };
    let places: Vec<_> = image.types().filter_map(place).collect();
    assert!(places.len() > 100, "{name}: {}", places.len());
    Program { bytes, places }
}

static WITH_DEBUG_INFORMATION: LazyLock<[Program; 2]> =
    LazyLock::new(|| ["corpus-go1.27", "typed-go1.27"].map(unpacked));
static STRIPPED: LazyLock<[Program; 2]> =
    LazyLock::new(|| ["typed-go1.15-stripped", "corpus-go1.27-stripped"].map(stripped));

fn machine(image: Image) -> Option<Machine> {
    let config = Config {
        fuel: 100_000,
        max_memory: 64 << 20,
        max_stack: 1 << 20,
        runtime: Some(goemu::outcome::Runtime::Hooked),
        ..Config::default()
    };
    let mut machine = Machine::with_config(image, config).ok()?;
    machine.set_reading(ReadOptions {
        arguments: true,
        errors: true,
        stringers: true,
        ..ReadOptions::default()
    });
    Some(machine)
}

/// Some value of a type, if a literal makes one.
fn value(ty: &Type, image: &Image) -> Option<Value> {
    LITERALS.iter().find_map(|text| parse_value(text, ty, image).ok())
}

fn printed(value: &Value) -> usize {
    [Style::Go, Style::Plain].map(|style| Format::new(style).show(value).to_string().len()).iter().sum()
}

/// What a function is said to be, and a call of it.
fn ask(machine: &mut Machine, func: &Func<'_>) -> usize {
    let image = func.image();
    let mut text = format!("{} {:?}", guess(image, func), image.locals(func));
    write_listing(&mut text, image, func).unwrap();
    let mut answers = text.len();
    let Ok(function) = machine.function(func.name(), None) else { return answers };
    let Some(signature) = function.signature() else { return answers };
    let args: Option<Vec<Value>> = signature.params.iter().map(|param| value(&param.ty, image)).collect();
    let Some(Ok(report)) = args.map(|args| function.call(machine, &args)) else { return answers };
    if let Outcome::Returned(goemu::outcome::Returned::Values(values)) = &report.outcome {
        answers += values.iter().map(|value| printed(&value.value)).sum::<usize>();
    }
    answers + report.arguments.iter().map(|argument| printed(&argument.value)).sum::<usize>()
}

/// Values of a type: read from data that has none, from a literal, and at random.
fn make(ty: &std::sync::Arc<Type>, image: &Image, machine: &Machine, at: u64) -> usize {
    let reader = Reader::new(machine.memory(), image);
    let made = value(ty, image).map_or(0, |value| printed(&value));
    let random = strategy_for(ty, image).new_tree(&mut TestRunner::deterministic());
    made + printed(&reader.at(ty, at)) + random.map_or(0, |tree| printed(&tree.current()))
}

/// Asks some of the functions of package main, from this one on.
fn functions(machine: &mut Machine, start: usize) -> usize {
    let image = machine.image().clone();
    let own: Vec<Func<'_>> = image.funcs().filter(|func| package(func.name()) == "main").collect();
    if own.is_empty() {
        return 0;
    }
    let first = start % own.len();
    own.iter().cycle().skip(first).take(ASKED.min(own.len())).map(|func| ask(machine, func)).sum()
}

/// Makes values of some types, from this one on.
fn types(machine: &Machine, start: usize) -> usize {
    let image = machine.image();
    let all: Vec<TypeRef> = image.types().collect();
    if all.is_empty() {
        return 0;
    }
    let data = image.segments().iter().map(|segment| segment.addr + segment.mem_size / 2);
    let places: Vec<u64> = data.collect();
    let some = all.iter().cycle().skip(start % all.len()).take(ASKED);
    let resolved = some.filter_map(|ty| image.resolve(ty).ok());
    resolved.zip(places.iter().cycle()).map(|(ty, at)| make(&ty, image, machine, *at)).sum()
}

/// The calls of a fixture that need no variables.
fn calls(machine: &mut Machine, program: &str, version: u16, start: usize) -> usize {
    let all: Vec<Case> = cases(program, version).into_iter().filter(|case| !case.args.is_empty()).collect();
    let some = all.iter().cycle().skip(start % all.len()).take(ASKED);
    some.filter(|case| call(machine, case, None).is_ok()).count()
}

/// Numbers near the ends of their ranges.
fn nasty() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        any::<u8>().prop_map(u64::from),
        Just(u64::MAX),
        (0u32..64).prop_map(|bit| 1 << bit),
        (0u64..4096).prop_map(|less| u64::MAX - less),
    ]
}

fn changes(most: usize) -> impl Strategy<Value = Vec<(Index, Index, u64, usize)>> {
    prop::collection::vec((any::<Index>(), any::<Index>(), nasty(), 1..9usize), 1..most)
}

/// All that is asked of a program with debug information.
fn ask_with_debug_information(bytes: Vec<u8>, start: usize) -> (usize, usize) {
    let Some(mut machine) = Image::parse(bytes).ok().and_then(machine) else { return (0, 0) };
    (functions(&mut machine, start), types(&machine, start))
}

/// All that is asked of a stripped program.
fn ask_stripped(program: usize, bytes: Vec<u8>, start: usize) -> (usize, usize) {
    let Some(mut machine) = Image::parse(bytes).ok().and_then(machine) else { return (0, 0) };
    let answers = (functions(&mut machine, start), types(&machine, start));
    let (fixture, version) = [("typed", 15), ("corpus", 27)][program];
    calls(&mut machine, fixture, version, start);
    answers
}

/// Asks a program as it was built, of some of its functions and types: the answers, and the most work.
fn honest(ask: impl Fn(usize) -> (usize, usize)) -> Duration {
    let asked = [0, ASKED, 2 * ASKED].map(|start| work(|| ask(start)));
    for (_, (functions, types)) in &asked[..1] {
        assert!(*functions > 10_000 && *types > 500, "{functions} {types}");
    }
    asked.into_iter().map(|(work, _)| work).max().unwrap().max(GRAIN)
}

/// The work of the programs as they were built.
static HONEST_WITH_DEBUG_INFORMATION: LazyLock<[Duration; 2]> = LazyLock::new(|| {
    [0, 1].map(|program| {
        honest(|start| ask_with_debug_information(WITH_DEBUG_INFORMATION[program].bytes.clone(), start))
    })
});
static HONEST_STRIPPED: LazyLock<[Duration; 2]> = LazyLock::new(|| {
    [0, 1].map(|program| honest(|start| ask_stripped(program, STRIPPED[program].bytes.clone(), start)))
});

#[test]
fn programs_that_tell_the_truth_answer() {
    // Each asserts that there are answers.
    LazyLock::force(&HONEST_WITH_DEBUG_INFORMATION);
    LazyLock::force(&HONEST_STRIPPED);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn debug_information_that_lies(program in 0..2usize, changes in changes(300), start in any::<usize>()) {
        let honest = HONEST_WITH_DEBUG_INFORMATION[program];
        let bytes = WITH_DEBUG_INFORMATION[program].changed(&changes);
        let (work, _) = work(|| ask_with_debug_information(bytes, start));
        prop_assert!(work < MOST * honest, "{work:?}, as it was built {honest:?}");
    }

    #[test]
    fn descriptors_that_lie(program in 0..2usize, changes in changes(200), start in any::<usize>()) {
        let honest = HONEST_STRIPPED[program];
        let bytes = STRIPPED[program].changed(&changes);
        let (work, _) = work(|| ask_stripped(program, bytes, start));
        prop_assert!(work < MOST * honest, "{work:?}, as it was built {honest:?}");
    }
}

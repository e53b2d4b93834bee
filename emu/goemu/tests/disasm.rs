//! The disassembler against the rows of `testdata/disasm`, and on arbitrary bytes.

use std::{fmt::Write, fs, path::Path};

use goemu::disasm::{Symbols, Walk, go_syntax, write_listing};
use goemu_loader::Image;
use proptest::prelude::*;

/// The symbols of one program, in no order.
#[derive(Default)]
struct Table(Vec<(u64, u64, String)>);

impl Symbols for Table {
    fn symbol(&self, address: u64) -> Option<(&str, u64)> {
        let (start, _, name) =
            self.0.iter().find(|(start, size, _)| (*start..start + size).contains(&address))?;
        Some((name, *start))
    }
}

fn number(text: &str) -> u64 {
    text.strip_prefix("0x")
        .map_or_else(|| text.parse(), |hex| u64::from_str_radix(hex, 16))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits"))
        .collect()
}

/// Checks the rows of one file: what was wrong, and how many rows there were.
fn check(file: &str) -> (String, usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/disasm").join(file);
    let rows = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut symbols = Table::default();
    let (mut wrong, mut count) = (String::new(), 0);
    for (row, line) in (1..).zip(rows.lines()) {
        if line.starts_with('#') {
            symbols = Table::default();
        } else if let Some(symbol) = line.strip_prefix("= ") {
            let mut fields = symbol.splitn(3, ' ');
            let mut next = || fields.next().expect("start, size and name");
            symbols.0.push((number(next()), number(next()), next().to_owned()));
        } else if let [hex, address, expected] = line.splitn(3, " | ").collect::<Vec<_>>()[..] {
            let code = bytes(hex);
            let lines: Vec<String> = Walk::new(&code, number(address), code.len())
                .map(|step| go_syntax(&step.insn, step.bytes, &symbols))
                .collect();
            count += 1;
            if lines != [expected] {
                writeln!(wrong, "{file}:{row}: {hex}: {lines:?}, want {expected:?}")
                    .expect("a String takes everything");
            }
        }
    }
    (wrong, count)
}

#[test]
fn rows_of_the_tool_are_equal() {
    for (file, at_least) in [("objdump.txt", 900), ("decoder.txt", 1000), ("assembler.txt", 1000)] {
        let (wrong, count) = check(file);
        assert!(wrong.is_empty(), "\n{wrong}");
        assert!(count > at_least, "{file}: only {count} rows were read");
    }
}

/// What `go tool objdump -s` prints of some functions of the demonstration programs.
#[test]
fn listings_of_the_tool_are_equal() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for version in ["go1.15", "go1.27"] {
        let image = Image::open(root.join(format!("cli/demo/demo-{version}"))).unwrap();
        let golden = root.join(format!("testdata/disasm/listing-{version}.txt"));
        let expected = fs::read_to_string(golden).unwrap();
        let functions = expected.trim_end_matches('\n').split("\n\n");
        assert!(functions.clone().count() >= 4, "{version}: hardly a function");
        for function in functions {
            let (name, _) = function.strip_prefix("TEXT ").and_then(|rest| rest.split_once("(SB)")).unwrap();
            let func = image.funcs_named(name).into_iter().next().unwrap_or_else(|| panic!("{name}"));
            let mut ours = String::new();
            write_listing(&mut ours, &image, &func).unwrap();
            assert_eq!(ours.trim_end_matches('\n'), function, "{version}: {name}");
        }
    }
}

#[test]
fn a_symbol_is_named_with_the_distance_from_its_start() {
    let symbols = Table(vec![(0x40_2000, 0x10, "main.x".to_owned())]);
    let lea = [0x48, 0x8d, 0x05, 0x01, 0x10, 0x00, 0x00];
    let text = |address| {
        let step = Walk::new(&lea, address, 1).next().unwrap();
        go_syntax(&step.insn, step.bytes, &symbols)
    };
    assert_eq!(text(0x40_0ff8), "LEAQ main.x(SB), AX");
    assert_eq!(text(0x40_0ffc), "LEAQ main.x+4(SB), AX");
    assert_eq!(text(0x40_1008), "LEAQ 0x1001(IP), AX");
}

#[test]
fn a_target_from_address_zero_is_relative() {
    let step = Walk::new(&[0xeb, 0xfe], 0, 2).next().unwrap();
    assert_eq!(go_syntax(&step.insn, step.bytes, &()), "JMP .-2");
}

#[test]
fn a_walk_ends_where_it_was_told_and_may_look_further() {
    let code = [0x90, 0x06, 0x48, 0x89, 0xe5];
    let lines: Vec<(u64, String)> = Walk::new(&code, 0x1000, 3)
        .map(|step| (step.insn.ip(), go_syntax(&step.insn, step.bytes, &())))
        .collect();
    let expected = [(0x1000, "NOPL"), (0x1001, "?"), (0x1002, "MOVQ SP, BP")];
    assert_eq!(lines, expected.map(|(address, text)| (address, text.to_owned())));
}

proptest! {
    #[test]
    fn every_byte_is_in_one_line(code in prop::collection::vec(any::<u8>(), 0..64), address: u64) {
        let mut walked = Vec::new();
        for step in Walk::new(&code, address, code.len()) {
            prop_assert!(!go_syntax(&step.insn, step.bytes, &()).is_empty());
            walked.extend_from_slice(step.bytes);
        }
        prop_assert_eq!(walked, code);
    }
}

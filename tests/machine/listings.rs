//! Two published listings, run on the bare parts: memory, processor, interpreter. There is no program and no
//! goroutine here. What Go's runtime does at the addresses that the code calls, the tests do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::ops::Range;

use goemu::Perm;
use goemu::cpu::{Cpu, gpr};
use goemu::decode::decode;
use goemu::disasm::{Symbols, go_syntax};
use goemu::engine::{Engine, Stops};
use goemu::exit::Exit;
use goemu::interp::Interpreter;
use goemu::memory::{Contents, Memory};
use goemu_tests::fixtures::testdata;
use proptest::prelude::*;

/// `runtime.g`, with the word at `TLS` that points to it. Old compilers find it at FS:-8 or GS:0.
const G: u64 = 0x6000_0000;
const STACKGUARD0: u64 = G + 0x10;
const TLS: u64 = G + 0x800;
/// A closure: the word there is the address of its code.
const CLOSURE: u64 = G + 0x900;
const STACK: Range<u64> = 0x5000_0000..0x5001_0000;
/// Where calls return to. Nothing is mapped there.
const HOME: u64 = 0x7000_0000;

/// One instruction of a listing.
struct Row {
    addr: u64,
    bytes: Vec<u8>,
    text: String,
    reloc: Option<Reloc>,
}

/// Bytes of an instruction that the linker fills in.
struct Reloc {
    bytes: Range<usize>,
    kind: String,
    symbol: String,
}

fn listing(name: &str) -> Vec<Row> {
    let text = fs::read_to_string(testdata("listings").join(name)).unwrap();
    let rows: Vec<Row> = text.lines().filter(|line| line.starts_with("0x")).map(row).collect();
    assert!(!rows.is_empty());
    rows
}

fn row(line: &str) -> Row {
    let columns: Vec<&str> = line.split(" | ").collect();
    let hex = columns[1].as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    Row {
        addr: u64::from_str_radix(&columns[0][2..], 16).unwrap(),
        bytes: hex.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect(),
        text: columns[2].to_owned(),
        reloc: columns.get(3).map(|text| reloc(text)),
    }
}

/// `[1:5]R_CALL:runtime.deferreturn`
fn reloc(text: &str) -> Reloc {
    let (range, rest) = text.trim_start_matches('[').split_once(']').unwrap();
    let (start, end) = range.split_once(':').unwrap();
    let (kind, symbol) = rest.split_once(':').unwrap_or((rest, ""));
    let bytes = start.parse().unwrap()..end.parse().unwrap();
    Reloc { bytes, kind: kind.to_owned(), symbol: symbol.to_owned() }
}

/// Does what the linker does, with the addresses of symbols.
fn bind(rows: &mut [Row], symbols: &HashMap<&str, u64>) {
    for row in rows {
        let Some(reloc) = &row.reloc else { continue };
        match reloc.kind.as_str() {
            // The distance from the end of the instruction, which the field ends.
            "R_CALL" | "R_PCREL" => {
                let end = row.addr + row.bytes.len() as u64;
                let distance = i32::try_from(symbols[reloc.symbol.as_str()] as i64 - end as i64).unwrap();
                row.bytes[reloc.bytes.clone()].copy_from_slice(&distance.to_le_bytes());
            }
            // The offset of g from the segment's base is 0 here: the base is chosen so.
            "R_TLS_LE" => {}
            other => panic!("relocation {other}"),
        }
    }
}

/// Code, a stack, a g.
struct Bare {
    cpu: Cpu,
    memory: Memory,
    engine: Interpreter,
    executed: i64,
}

impl Bare {
    fn new(rows: &[Row], stops: &[u64]) -> Bare {
        let mut memory = Memory::new(1 << 20).unwrap();
        let addrs = rows.iter().map(|row| row.addr);
        let code = addrs.clone().min().unwrap()..addrs.max().unwrap() + 1;
        memory.map(code, Perm::READ | Perm::EXEC, Contents::Zero).unwrap();
        for row in rows {
            memory.poke(row.addr, &row.bytes).unwrap();
        }
        memory.map(G..G + 0x1000, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
        memory.map(STACK, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
        let mut engine = Interpreter::new();
        engine.set_stops(stops.iter().copied().chain([HOME]).collect::<Stops>());
        let mut bare = Bare { cpu: Cpu::default(), memory, engine, executed: 0 };
        bare.set(TLS, G);
        bare.cpu.fs_base = TLS + 8;
        bare.cpu.gs_base = TLS;
        bare
    }

    fn word(&self, addr: u64) -> u64 {
        u64::from_le_bytes(self.memory.read(addr).unwrap())
    }

    fn set(&mut self, addr: u64, word: u64) {
        self.memory.write(addr, word.to_le_bytes()).unwrap();
    }

    fn sp(&self) -> u64 {
        self.cpu.gpr(gpr::RSP)
    }

    /// Begins a call: the return address is at SP, `above` is the word over it.
    fn enter(&mut self, entry: u64, above: u64) {
        let sp = STACK.end - 0x1000;
        self.set(sp, HOME);
        self.set(sp + 8, above);
        self.cpu.set_gpr(gpr::RSP, sp);
        self.cpu.rip = entry;
        self.executed = 0;
    }

    /// Runs to the next stop address.
    fn run(&mut self) -> u64 {
        let mut fuel = 1000;
        assert_eq!(self.engine.run(&mut self.cpu, &mut self.memory, &mut fuel), Exit::Stopped);
        self.executed += 1000 - fuel;
        self.cpu.rip
    }

    /// Returns from the function that a stop address stands for.
    fn ret(&mut self) {
        self.cpu.rip = self.word(self.sp());
        self.cpu.set_gpr(gpr::RSP, self.sp() + 8);
    }
}

#[test]
fn listed_bytes_are_one_instruction_each() {
    for name in ["main.txt", "deferr.txt"] {
        let rows = listing(name);
        let bare = Bare::new(&rows, &[]);
        for row in &rows {
            let insn = decode(&bare.memory, row.addr).unwrap();
            assert!(!insn.is_invalid() && insn.len() == row.bytes.len(), "{:#x} {}", row.addr, row.text);
        }
    }
}

/// The names of the second listing.
struct Names;

impl Symbols for Names {
    fn symbol(&self, address: u64) -> Option<(&str, u64)> {
        (0xa67..0xaf2).contains(&address).then_some(("c", 0xa67))
    }
}

#[test]
fn the_second_listing_is_what_the_disassembler_prints() {
    let rows = listing("deferr.txt");
    let bare = Bare::new(&rows, &[]);
    for row in &rows {
        let insn = decode(&bare.memory, row.addr).unwrap();
        // Go's newer tools show the operands of a comparison from left to right.
        let listed = match row.text.strip_prefix("CMPQ ").and_then(|operands| operands.split_once(", ")) {
            Some((second, first)) => format!("CMPQ {first}, {second}"),
            None => row.text.clone(),
        };
        assert_eq!(go_syntax(&insn, &row.bytes, &Names), listed, "{:#x}", row.addr);
    }
}

const MAIN: u64 = 0x44c150;
const MORESTACK_NOCTXT: u64 = 0x444570;
const F1_F2_F3: [u64; 3] = [0x44c190, 0x44c210, 0x44c2a0];
const RBP: u64 = 0x1234_5678;

/// Runs main.main where SP is `margin` bytes above the stack's guard: the functions that it called, how often
/// the stack grew, how many instructions it took.
fn run_main(margin: i64) -> (Vec<u64>, usize, i64) {
    let stops: Vec<u64> = F1_F2_F3.into_iter().chain([MORESTACK_NOCTXT]).collect();
    let mut bare = Bare::new(&listing("main.txt"), &stops);
    bare.enter(MAIN, 0);
    let sp = bare.sp();
    bare.cpu.set_gpr(gpr::RBP, RBP);
    bare.set(STACKGUARD0, sp.wrapping_add_signed(-margin));
    let (mut calls, mut grown) = (Vec::new(), 0);
    loop {
        match bare.run() {
            HOME => break,
            MORESTACK_NOCTXT => {
                assert_eq!(
                    (bare.sp(), bare.word(bare.sp())),
                    (sp - 8, 0x44c18b),
                    "nothing was pushed before"
                );
                bare.set(STACKGUARD0, STACK.start);
                grown += 1;
            }
            callee => calls.push(callee),
        }
        bare.ret();
    }
    assert_eq!((bare.sp(), bare.cpu.gpr(gpr::RBP)), (sp + 8, RBP), "the caller's frame is as it was");
    (calls, grown, bare.executed)
}

#[test]
fn main_with_room_on_the_stack_runs_through() {
    for margin in [1, 8, 0x1000] {
        assert_eq!(run_main(margin), (F1_F2_F3.to_vec(), 0, 12), "margin {margin}");
    }
}

#[test]
fn main_without_room_asks_for_a_stack_and_starts_again() {
    for margin in [0, -1, -0x1000, i64::MIN / 2] {
        // CALL morestack and the JMP after it, and the first three instructions twice.
        assert_eq!(run_main(margin), (F1_F2_F3.to_vec(), 1, 12 + 5), "margin {margin}");
    }
}

#[test]
fn closures_change_what_they_captured() {
    let bare = RefCell::new(Bare::new(&listing("main.txt"), &[]));
    let variable = G + 0x100;
    let after = |closure: u64, value: u64| {
        let mut bare = bare.borrow_mut();
        bare.set(variable, value);
        bare.enter(closure, variable);
        assert_eq!(bare.run(), HOME);
        bare.word(variable)
    };
    proptest!(|(value: u64)| {
        prop_assert_eq!(after(0x44c320, value), value.wrapping_add(1), "f1.func1: result++");
        prop_assert_eq!(after(0x44c330, value), value.wrapping_add(5), "f2.func1: t = t + 5");
        prop_assert_eq!(after(0x44c340, value), value, "f3.func1: r is its own, and not used");
    });
}

const DEFERPROC_STACK: u64 = 0x4000_0000;
const DEFERRETURN: u64 = 0x4000_1000;
const MORESTACK: u64 = 0x4000_2000;
/// `_defer` before Go 1.17: the size of the arguments, the closure, and the arguments after the header.
const DEFER_SIZ: u64 = 0;
const DEFER_FN: u64 = 0x18;
const DEFER_ARGS: u64 = 0x48;

/// A deferred call: closure and arguments.
struct Deferred {
    closure: u64,
    args: Vec<u64>,
}

impl Bare {
    /// `runtime.deferprocStack(d *_defer)`
    fn deferproc_stack(&mut self, answer: u64) -> Deferred {
        let record = self.word(self.sp() + 8);
        let words = (self.word(record + DEFER_SIZ) & 0xffff_ffff) / 8;
        let args = (0..words).map(|n| self.word(record + DEFER_ARGS + 8 * n)).collect();
        let closure = self.word(record + DEFER_FN);
        self.cpu.set_gpr(gpr::RAX, answer);
        self.ret();
        Deferred { closure, args }
    }

    /// `runtime.deferreturn(arg0 uintptr)`, in its old form: it becomes the deferred call, which returns to
    /// the CALL of deferreturn, five bytes before the return address.
    fn deferreturn(&mut self, deferred: Option<Deferred>) {
        let Some(Deferred { closure, args }) = deferred else { return self.ret() };
        let sp = self.sp();
        for (n, arg) in (0..).zip(args) {
            self.set(sp + 8 + 8 * n, arg);
        }
        self.set(sp, self.word(sp) - 5);
        self.cpu.set_gpr(gpr::RDX, closure);
        self.cpu.rip = self.word(closure);
    }
}

/// Calls c, deferprocStack returning `answer`: what c returned, and what it asked of the runtime.
fn run_c(margin: i64, answer: u64) -> (u64, Vec<&'static str>) {
    let symbols = HashMap::from([
        ("c.func1·f", CLOSURE),
        ("runtime.deferprocStack", DEFERPROC_STACK),
        ("runtime.deferreturn", DEFERRETURN),
        ("runtime.morestack_noctxt", MORESTACK),
    ]);
    let mut rows = listing("deferr.txt");
    bind(&mut rows, &symbols);
    let mut bare = Bare::new(&rows, &[DEFERPROC_STACK, DEFERRETURN, MORESTACK]);
    bare.set(CLOSURE, 0xb34);
    bare.enter(0xa67, 0xdead);
    let result = bare.sp() + 8;
    bare.set(STACKGUARD0, bare.sp().wrapping_add_signed(-margin));
    let (mut deferred, mut asked) = (None, Vec::new());
    loop {
        match bare.run() {
            HOME => return (bare.word(result), asked),
            DEFERPROC_STACK => {
                asked.push("deferprocStack");
                let pushed = bare.deferproc_stack(answer);
                assert_eq!((pushed.closure, &pushed.args[..]), (CLOSURE, &[result][..]), "it captures &i");
                // deferprocStack returns 1 only after the deferred call ran, and recovered from a panic.
                deferred = (answer == 0).then_some(pushed);
            }
            DEFERRETURN => {
                asked.push("deferreturn");
                bare.deferreturn(deferred.take());
            }
            MORESTACK => {
                asked.push("morestack");
                bare.set(STACKGUARD0, STACK.start);
                bare.ret();
            }
            other => panic!("stopped at {other:#x}"),
        }
    }
}

#[test]
fn c_returns_2() {
    assert_eq!(run_c(0x800, 0), (2, vec!["deferprocStack", "deferreturn", "deferreturn"]));
    assert_eq!(run_c(0, 0), (2, vec!["morestack", "deferprocStack", "deferreturn", "deferreturn"]));
}

#[test]
fn c_after_a_recovered_panic_returns_what_was_stored() {
    assert_eq!(run_c(0x800, 1), (0, vec!["deferprocStack", "deferreturn"]));
}

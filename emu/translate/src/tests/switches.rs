//! Jumps by tables of addresses: with every index, from everywhere, with tables that change.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;
use goemu_x86::memory::{Contents, PAGE, Perm};

use super::loops::Random;
use super::{CODE, Pair};

/// Where the table lies: a page that is only read.
const TABLE: u64 = 0x40_0000;
const CASES: usize = 11;

/// Where its parts lie in the code: the front compares the index; then the switch, its cases, what other indexes do, and the end.
const SWITCH: usize = 0x11;
const CASE: usize = 0x20;
const CASE_LEN: usize = 15;
const OTHER: usize = CASE + CASES * CASE_LEN;
const JOIN: usize = OTHER + 3;

/// A loop of RCX rounds that jumps by RSI, the low bits of the round, and adds something for each case.
fn program(mask: u8) -> Vec<u8> {
    let near = |opcode: &[u8], at: usize, to: u64| {
        let next = CODE + (at + opcode.len() + 4) as u64;
        [opcode, &(to.wrapping_sub(next) as i32).to_le_bytes()].concat()
    };
    let to = |at: usize| CODE + at as u64;
    // mov rsi,rcx; and rsi,mask; cmp rsi,10; ja other
    let mut code = [
        &[0x48, 0x89, 0xce, 0x48, 0x83, 0xe6, mask, 0x48, 0x83, 0xfe, 10][..],
        &near(&[0x0f, 0x87], 0xb, to(OTHER)),
    ]
    .concat();
    // mov [rsp+8],rsi; lea rax,[rip+table]; jmp [rax+rsi*8]
    code.extend([0x48, 0x89, 0x74, 0x24, 8]);
    code.extend(near(&[0x48, 0x8d, 0x05], 0x16, TABLE));
    code.extend([0xff, 0x24, 0xf0]);
    for n in 0..CASES {
        // lea rbx,[rbx+rbx+n]; add [rsp+8],rbx; jmp join
        code.extend([0x48, 0x8d, 0x5c, 0x1b, n as u8, 0x48, 0x01, 0x5c, 0x24, 8]);
        code.extend(near(&[0xe9], code.len(), to(JOIN)));
    }
    // inc r9; dec rcx; jne front; hlt
    code.extend([0x49, 0xff, 0xc1, 0x48, 0xff, 0xc9]);
    code.extend(near(&[0x0f, 0x85], JOIN + 3, to(0)));
    code.push(0xf4);
    code
}

fn cases() -> Vec<u64> {
    (0..CASES).map(|n| CODE + (CASE + n * CASE_LEN) as u64).collect()
}

fn pair(program: &[u8], table: &[u64]) -> Pair {
    let mut pair = Pair::new(program);
    let bytes: Vec<u8> = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
    for memory in [&mut pair.one.memory, &mut pair.other.memory] {
        memory.map(TABLE..TABLE + PAGE, Perm::READ, Contents::Bytes(&bytes)).unwrap();
    }
    pair
}

#[test]
fn go_to_their_targets_directly() {
    let program = program(15);
    let mut pair = pair(&program, &cases());
    pair.set(gpr::RCX, 50_000);
    assert_eq!(pair.run(1 << 40, 0, "all cases"), Exit::Halt);
    let (ran, entered) = pair.other.engine.translated();
    assert!(ran > 300_000 && entered < 400, "{ran} instructions, entered {entered} times");
    assert!(pair.other.engine.switches() > 0, "the jump was not known");
}

#[test]
fn random_tables_and_fuel() {
    let mut random = Random(0x5eed_0023);
    for round in 0..300 {
        let program = program(random.of(&[7, 15, 31]));
        let places: Vec<_> =
            cases().into_iter().chain([CODE, CODE + SWITCH as u64, CODE + 1, TABLE, 8]).collect();
        let odd = random.next(3) == 0;
        let choose = |random: &mut Random| if odd { random.of(&places) } else { random.of(&cases()) };
        let table: Vec<u64> = (0..CASES).map(|_| choose(&mut random)).collect();
        let mut pair = pair(&program, &table);
        pair.count_edges(round % 2 == 1);
        pair.set(gpr::RCX, 500 + random.next(3000));
        let fuel = if random.next(2) == 0 { 1 << 20 } else { random.next(20_000) as i64 };
        let _ = pair.run(fuel, 0, &format!("round {round}"));
    }
}

#[test]
fn indexes_beyond_the_comparison_are_no_way_out() {
    // Control comes behind the comparison, with any index.
    for index in [
        11,
        12,
        15,
        16,
        17,
        255,
        511,
        1 << 16,
        1 << 33,
        1 << 34,
        1 << 40,
        1 << 60,
        1 << 61,
        !0,
        !0 << 4,
        1 << 63,
    ] {
        let program = program(15);
        let mut pair = pair(&program, &cases());
        pair.set(gpr::RCX, 5000);
        assert_eq!(pair.run(1 << 40, 0, "warm"), Exit::Halt);
        for guest in [&mut pair.one.cpu, &mut pair.other.cpu] {
            guest.rip = CODE + SWITCH as u64;
        }
        pair.set(gpr::RSI, index);
        pair.set(gpr::RCX, 100);
        let _ = pair.run(100_000, 0, &format!("index {index:#x}"));
        pair.other.engine.set_heat(0);
        for guest in [&mut pair.one.cpu, &mut pair.other.cpu] {
            guest.rip = CODE + SWITCH as u64;
        }
        pair.set(gpr::RSI, index);
        pair.set(gpr::RCX, 100);
        let _ = pair.run(100_000, 0, &format!("index {index:#x} at once"));
    }
}

#[test]
fn a_table_that_changes_is_read_again() {
    let program = program(15);
    let mut pair = pair(&program, &cases());
    pair.set(gpr::RCX, 5000);
    assert_eq!(pair.run(1 << 40, 0, "before"), Exit::Halt);
    for memory in [&mut pair.one.memory, &mut pair.other.memory] {
        memory.poke(TABLE + 8, &cases()[7].to_le_bytes()).unwrap();
    }
    let again = |pair: &mut Pair, what: &str| {
        for cpu in [&mut pair.one.cpu, &mut pair.other.cpu] {
            cpu.rip = CODE;
        }
        pair.set(gpr::RCX, 5000);
        pair.run(1 << 40, 0, what)
    };
    assert_eq!(again(&mut pair, "poked"), Exit::Halt);
    for memory in [&mut pair.one.memory, &mut pair.other.memory] {
        memory.protect(TABLE..TABLE + PAGE, Perm::empty()).unwrap();
    }
    assert!(matches!(again(&mut pair, "unreadable"), Exit::Fault(_)), "the table cannot be read");
}

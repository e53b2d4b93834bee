//! Indirect calls that have gone to one function, and then go elsewhere.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;

use super::loops::Random;
use super::{CODE, DATA, Pair};

/// Where the functions lie, and what each is: `inc rax; ret`, `add rax,3; ret`, one too large to be translated in place, one that faults.
const FUNCTIONS: [u64; 4] = [CODE + 0x100, CODE + 0x120, CODE + 0x140, CODE + 0x400];

/// A loop of RCX rounds that calls the function in RDX, or the one at DATA.
fn program(by_memory: bool) -> Vec<u8> {
    let mut code = vec![0xcc; 0x420];
    let call: &[u8] = if by_memory { &[0xff, 0x13] } else { &[0xff, 0xd2] };
    // l: call; add rbp,rax; cmp rcx,r8; jne n; mov rdx,rsi; mov [rbx],rsi; n: dec rcx; jne l; hlt
    let front = [
        call,
        &[0x48, 0x01, 0xc5],
        &[0x4c, 0x39, 0xc1, 0x75, 6, 0x48, 0x89, 0xf2, 0x48, 0x89, 0x33],
        &[0x48, 0xff, 0xc9],
    ]
    .concat();
    let back = -(front.len() as i8 + 2);
    code[..front.len()].copy_from_slice(&front);
    code[front.len()..front.len() + 3].copy_from_slice(&[0x75, back as u8, 0xf4]);
    code[0x100..0x104].copy_from_slice(&[0x48, 0xff, 0xc0, 0xc3]);
    code[0x120..0x125].copy_from_slice(&[0x48, 0x83, 0xc0, 3, 0xc3]);
    let large = [&[0x48, 0xff, 0xc0].repeat(60)[..], &[0xc3]].concat();
    code[0x140..0x140 + large.len()].copy_from_slice(&large);
    // mov rdi,[rdi]; ret: RDI is 0
    code[0x400..0x404].copy_from_slice(&[0x48, 0x8b, 0x3f, 0xc3]);
    code
}

/// Calls `first`, and from the round `change` on `then`.
fn run(
    by_memory: bool,
    first: u64,
    then: u64,
    (rounds, change): (u64, u64),
    fuel: i64,
    heat: i32,
) -> (Exit, Pair) {
    let mut pair = Pair::new(&program(by_memory));
    pair.other.engine.set_heat(heat);
    pair.count_edges(rounds % 2 == 1);
    for memory in [&mut pair.one.memory, &mut pair.other.memory] {
        memory.poke(DATA, &first.to_le_bytes()).unwrap();
    }
    for (n, value) in [
        (gpr::RDX, first),
        (gpr::RSI, then),
        (gpr::RCX, rounds),
        (gpr::R8, rounds.wrapping_sub(change)),
        (gpr::RBX, DATA),
    ] {
        pair.set(n, value);
    }
    let what = format!("{by_memory} {first:#x} {then:#x} {rounds} {change} {fuel}");
    (pair.run(fuel, 0, &what), pair)
}

#[test]
fn stay_in_translated_code_where_they_go_to_one_function() {
    for by_memory in [false, true] {
        for function in &FUNCTIONS[..3] {
            let (exit, pair) = run(by_memory, *function, 0, (50_000, 50_001), 1 << 40, 16);
            assert_eq!(exit, Exit::Halt);
            let (ran, entered) = pair.other.engine.translated();
            assert!(ran > 300_000 && entered < 50, "{ran} instructions, entered {entered} times");
        }
    }
}

#[test]
fn go_through_the_table_where_they_go_elsewhere() {
    for by_memory in [false, true] {
        for (first, then) in [(0, 1), (1, 0), (0, 2), (2, 1)] {
            let functions = (FUNCTIONS[first], FUNCTIONS[then]);
            let (exit, pair) = run(by_memory, functions.0, functions.1, (50_000, 2000), 1 << 40, 16);
            assert_eq!(exit, Exit::Halt);
            let (ran, entered) = pair.other.engine.translated();
            assert!(ran > 300_000 && entered < 200, "{ran} instructions, entered {entered} times");
        }
    }
}

#[test]
fn random_targets_and_fuel() {
    let mut random = Random(0x5eed_0024);
    let odd = [0, 8, CODE + 1, CODE + 0x101, DATA, !0, 1 << 40, CODE + 0x1_0000_0100];
    for _ in 0..400 {
        let first = random.of(&FUNCTIONS[..3]);
        let then = if random.next(2) == 0 { random.of(&FUNCTIONS) } else { random.of(&odd) };
        let rounds = 200 + random.next(2000);
        let fuel = if random.next(2) == 0 { 1 << 20 } else { random.next(20_000) as i64 };
        let _ = run(
            random.next(2) == 0,
            first,
            then,
            (rounds, random.next(rounds)),
            fuel,
            random.of(&[0, 1, 16]),
        );
    }
}

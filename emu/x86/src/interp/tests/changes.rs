//! Code that changes: what is dropped, and what leads there afterwards.

use super::{CODE, machine};
use crate::cpu::gpr;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::interp::Interpreter;
use crate::memory::{Contents, Memory, Perm};

const FAR: u64 = 0x10_0000;

/// Runs from [`CODE`] to HLT.
fn run(engine: &mut Interpreter, cpu: &mut crate::cpu::Cpu, memory: &mut Memory) {
    cpu.rip = CODE;
    assert_eq!(engine.run(cpu, memory, &mut 100_000_000), Exit::Halt);
}

/// A write drops what has the bytes, whatever leads there, and nothing else: the number of decoded instructions tells.
#[test]
fn a_write_drops_the_blocks_that_it_changes_and_no_others() {
    // l: call f; call rdx (g); jmp n; n: dec ecx; jne l; hlt; f at 32: mov al,1; ret; g at 48: mov bl,1; ret
    let mut code = vec![
        0xe8, 27, 0, 0, 0, 0xff, 0xd2, 0xeb, 0, 0xff, 0xc9, 0x75, 0xf3, 0xf4, // 0
    ];
    code.resize(64, 0xcc);
    code[32..35].copy_from_slice(&[0xb0, 1, 0xc3]);
    code[48..51].copy_from_slice(&[0xb3, 1, 0xc3]);
    let (mut engine, mut cpu, mut memory) = machine(&code);
    memory.protect(CODE..CODE + 0x1000, Perm::READ | Perm::EXEC).unwrap();
    let mut known = 0;
    for round in 1..40_u8 {
        cpu.set_gpr(gpr::RCX, 3);
        cpu.set_gpr(gpr::RDX, CODE + 48);
        run(&mut engine, &mut cpu, &mut memory);
        let values = [cpu.gpr(gpr::RAX) as u8, cpu.gpr(gpr::RBX) as u8];
        let (f, g) = (1 + (round - 1) / 2, 1 + round / 2);
        assert_eq!(values, [f, g], "round {round}");
        let decoded = engine.blocks.decoded();
        // The function that has changed, of two instructions.
        assert!(round == 1 || decoded == known + 2, "round {round}: {}", decoded - known);
        known = decoded;
        // One of the two functions gives a number more, in turn.
        let (at, value) = if round % 2 == 1 { (49, g + 1) } else { (33, f + 1) };
        memory.poke(CODE + at, &[value]).unwrap();
    }
}

/// Indirect jumps from one place: to one target for long, then to others, some of which change.
#[test]
fn indirect_jumps_find_the_targets_that_are_there() {
    // jmp rdx; targets at 16, 32 and 48: mov al,n; hlt
    let mut code = vec![0xcc; 64];
    code[..2].copy_from_slice(&[0xff, 0xe2]);
    for n in 1..4 {
        code[n * 16..n * 16 + 3].copy_from_slice(&[0xb0, n as u8, 0xf4]);
    }
    let (mut engine, mut cpu, mut memory) = machine(&code);
    let mut go = |engine: &mut Interpreter, memory: &mut Memory, n: u64| {
        cpu.set_gpr(gpr::RDX, CODE + n * 16);
        run(engine, &mut cpu, memory);
        cpu.gpr(gpr::RAX) as u8
    };
    for n in [1, 1, 1, 2, 1, 2, 3, 3, 1] {
        assert_eq!(u64::from(go(&mut engine, &mut memory, n)), n);
    }
    for (round, n) in [1, 2, 3, 3, 2, 1, 1, 2, 3].into_iter().enumerate() {
        memory.poke(CODE + n * 16 + 1, &[round as u8 + 100]).unwrap();
        assert_eq!(usize::from(go(&mut engine, &mut memory, n)), round + 100);
        engine.forget(CODE + n * 16..CODE + n * 16 + 1);
        assert_eq!(usize::from(go(&mut engine, &mut memory, n)), round + 100);
    }
}

/// Jumps through a table of so many targets take the time of jumps, not of searches, and each finds its own.
#[test]
fn many_targets_are_found() {
    const TARGETS: u64 = 20_000;
    let (mut engine, mut cpu, _) = machine(&[]);
    let mut memory = Memory::new(8 << 20).unwrap();
    // l: mov rdx,[rdi+rsi*8]; call rdx; inc rsi; cmp rsi,rcx; jb l; hlt
    let code = [0x48, 0x8b, 0x14, 0xf7, 0xff, 0xd2, 0x48, 0xff, 0xc6, 0x48, 0x39, 0xce, 0x72, 0xf2, 0xf4];
    memory.map(CODE..CODE + 0x1000, Perm::all(), Contents::Bytes(&code)).unwrap();
    // Each: xor rax,rdx; ret
    let functions: Vec<u8> = [0x48, 0x31, 0xd0, 0xc3].repeat(4).repeat(TARGETS as usize);
    let table: Vec<u8> = (0..TARGETS).flat_map(|n| (FAR + n * 7919 % TARGETS * 16).to_le_bytes()).collect();
    let (at, stack) = (FAR + TARGETS * 16, FAR + TARGETS * 32);
    let exec = Perm::READ | Perm::EXEC;
    memory.map(FAR..FAR + TARGETS * 16, exec, Contents::Bytes(&functions)).unwrap();
    memory.map(at.next_multiple_of(4096)..stack, Perm::READ, Contents::Bytes(&table)).unwrap();
    memory
        .map(stack.next_multiple_of(4096)..(stack + 8192).next_multiple_of(4096), Perm::all(), Contents::Zero)
        .unwrap();
    cpu.set_gpr(gpr::RSP, stack + 8192);
    cpu.set_gpr(gpr::RDI, at.next_multiple_of(4096));
    cpu.set_gpr(gpr::RCX, TARGETS);
    let all = (0..TARGETS).fold(0, |all, n| all ^ (FAR + n * 16));
    let mut known = 0;
    for round in 0..6 {
        cpu.set_gpr(gpr::RSI, 0);
        cpu.set_gpr(gpr::RAX, 0);
        run(&mut engine, &mut cpu, &mut memory);
        assert_eq!(cpu.gpr(gpr::RAX), all, "round {round}");
        assert!(round == 0 || engine.blocks.decoded() == known);
        known = engine.blocks.decoded();
    }
    // Nearly all are in the table that is looked at first.
    let there = (0..TARGETS).filter(|n| engine.blocks.quick(FAR + n * 16).is_some()).count();
    assert!(there as u64 > TARGETS * 9 / 10, "{there}");
}

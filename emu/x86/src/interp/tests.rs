//! The loop: blocks, links, stops, fuel, faults. What single instructions do is tested elsewhere.

mod changes;
mod floats;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use iced_x86::Code;

use crate::cpu::{Cpu, gpr};
use crate::engine::Detail;
use crate::engine::{Engine, Stops, Watch};
use crate::exit::{Exit, Fault, FaultKind, Form};
use crate::interp::Interpreter;
use crate::memory::Perm;
use crate::memory::{Access, Cause, Contents, MemFault, Memory};

const CODE: u64 = 0x1000;
const STACK: u64 = 0x8000;

/// A machine with `code` at 0x1000 (writable too) and a stack below 0x8000.
fn machine(code: &[u8]) -> (Interpreter, Cpu, Memory) {
    let mut memory = Memory::new(1 << 20).unwrap();
    memory.map(CODE..CODE + 0x1000, Perm::all(), Contents::Bytes(code)).unwrap();
    memory.map(STACK - 0x1000..STACK, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
    let mut cpu = Cpu::default();
    cpu.rip = CODE;
    cpu.set_gpr(gpr::RSP, STACK);
    (Interpreter::new(), cpu, memory)
}

/// xor eax,eax; mov ecx,10; l: add rax,rcx; dec rcx; jne l; hlt
const SUM: [u8; 16] = [0x31, 0xc0, 0xb9, 10, 0, 0, 0, 0x48, 0x01, 0xc8, 0x48, 0xff, 0xc9, 0x75, 0xf8, 0xf4];

#[test]
fn a_loop_runs_and_counts_its_instructions() {
    let (mut engine, mut cpu, mut memory) = machine(&SUM);
    let mut fuel = 1000;
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::Halt);
    assert_eq!(cpu.gpr(gpr::RAX), 55);
    assert_eq!(cpu.rip, CODE + 16);
    assert_eq!(1000 - fuel, 2 + 3 * 10 + 1);
}

#[test]
fn fuel_ends_at_a_backward_jump_and_the_run_goes_on() {
    let (mut engine, mut cpu, mut memory) = machine(&SUM);
    let mut fuel = 6;
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::OutOfFuel);
    assert_eq!((cpu.rip, cpu.gpr(gpr::RCX), fuel), (CODE + 7, 8, -2));
    fuel = 100;
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::Halt);
    assert_eq!(cpu.gpr(gpr::RAX), 55);
}

#[test]
fn stops_are_seen_wherever_control_arrives() {
    // Fallen into, jumped to, and passed when starting from one.
    let (mut engine, mut cpu, mut memory) = machine(&SUM);
    engine.set_stops(Stops::from([CODE + 10, CODE + 7]));
    let mut fuel = 1000;
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::Stopped);
    assert_eq!(cpu.rip, CODE + 7);
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::Stopped);
    assert_eq!((cpu.rip, cpu.gpr(gpr::RAX)), (CODE + 10, 10));
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::Stopped);
    assert_eq!((cpu.rip, cpu.gpr(gpr::RCX)), (CODE + 7, 9));
}

#[test]
fn a_stop_is_seen_each_time_until_it_is_taken_away() {
    // l: call rax; call f; jmp l; f: nop; g: ret
    let code = [0xff, 0xd0, 0xe8, 2, 0, 0, 0, 0xeb, 0xf7, 0x90, 0xc3];
    let (mut engine, mut cpu, mut memory) = machine(&code);
    cpu.set_gpr(gpr::RAX, CODE + 9);
    engine.set_stops(Stops::from([2, 9, 10].map(|at| CODE + at)));
    // By an indirect call, fallen into, returned to, by a direct call, fallen into; a run begins at each.
    for at in [9, 10, 2, 9, 10].repeat(5) {
        assert_eq!(engine.run(&mut cpu, &mut memory, &mut 100), Exit::Stopped);
        assert_eq!(cpu.rip, CODE + at);
    }
    engine.set_stops(Stops::default());
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut 100), Exit::OutOfFuel);
    engine.set_stops(Stops::from([CODE + 7]));
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut 100), Exit::Stopped);
    assert_eq!(cpu.rip, CODE + 7);
}

#[test]
fn stepping_gets_where_running_gets() {
    let (mut engine, mut cpu, mut memory) = machine(&SUM);
    let mut steps = 0;
    let exit = loop {
        if let Some(exit) = engine.step(&mut cpu, &mut memory) {
            break exit;
        }
        steps += 1;
    };
    assert_eq!((exit, steps), (Exit::Halt, 2 + 3 * 10));
    assert_eq!((cpu.rip, cpu.gpr(gpr::RAX)), (CODE + 16, 55));
}

#[test]
fn calls_return() {
    // call f; hlt; f: mov eax,7; ret
    let code = [0xe8, 1, 0, 0, 0, 0xf4, 0xb8, 7, 0, 0, 0, 0xc3];
    let (mut engine, mut cpu, mut memory) = machine(&code);
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut 100), Exit::Halt);
    assert_eq!((cpu.gpr(gpr::RAX), cpu.gpr(gpr::RSP)), (7, STACK));
    let pushed = memory.read::<8>(STACK - 8).map(u64::from_le_bytes);
    assert_eq!(pushed, Ok(CODE + 5));
}

#[test]
fn a_fault_changes_nothing_and_points_at_its_instruction() {
    // nop; add [rax],ecx with rax = 0x20
    let (mut engine, mut cpu, mut memory) = machine(&[0x90, 0x01, 0x08]);
    cpu.set_gpr(gpr::RAX, 0x20);
    let before = cpu.rflags();
    let fault = MemFault { addr: 0x20, access: Access::Read, cause: Cause::Unmapped };
    let exit = engine.run(&mut cpu, &mut memory, &mut 100);
    assert_eq!(exit, Exit::Fault(Fault { pc: CODE + 1, kind: FaultKind::Memory(fault) }));
    assert_eq!((cpu.rip, cpu.rflags()), (CODE + 1, before));
}

#[test]
fn what_is_missing_is_named() {
    // vpxord zmm0,zmm0,zmm0
    let (mut engine, mut cpu, mut memory) = machine(&[0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0]);
    let exit = engine.run(&mut cpu, &mut memory, &mut 100);
    let form = Form::new(Code::EVEX_Vpxord_zmm_k1z_zmm_zmmm512b32, &[0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0]);
    let fault = Fault { pc: CODE, kind: FaultKind::Unsupported(form) };
    assert_eq!(exit, Exit::Fault(fault));
    let told = "VPXORD zmm k1z zmm zmmm512b32 (AVX512F: 62 f1 7d 48 ef c0)";
    assert_eq!(fault.to_string(), format!("unsupported instruction {told} at pc 0x1000"));
    // pop fs
    let (mut engine, mut cpu, mut memory) = machine(&[0x0f, 0xa1]);
    let exit = engine.step(&mut cpu, &mut memory);
    let Some(Exit::Fault(fault)) = exit else { panic!("{exit:?}") };
    assert_eq!(fault.to_string(), "unsupported instruction POP FS (X64: 0f a1) at pc 0x1000");
}

#[test]
fn jumps_to_what_is_no_code_fault_there() {
    // jmp rax
    for (target, cause) in [(STACK - 16, Cause::Denied), (0, Cause::Unmapped), (u64::MAX, Cause::Unmapped)] {
        let (mut engine, mut cpu, mut memory) = machine(&[0xff, 0xe0]);
        cpu.set_gpr(gpr::RAX, target);
        let fault = MemFault { addr: target, access: Access::Fetch, cause };
        let exit = engine.run(&mut cpu, &mut memory, &mut 100);
        assert_eq!(exit, Exit::Fault(Fault { pc: target, kind: FaultKind::Memory(fault) }));
    }
}

#[test]
fn code_that_changes_is_decoded_again() {
    // l: mov eax,1; mov byte [rip-6+..],2 => the immediate of the first; dec ecx; jne l; hlt
    let code = [0xb8, 1, 0, 0, 0, 0xc6, 0x05, 0xf5, 0xff, 0xff, 0xff, 2, 0xff, 0xc9, 0x75, 0xf0, 0xf4];
    let (mut engine, mut cpu, mut memory) = machine(&code);
    cpu.set_gpr(gpr::RCX, 2);
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut 100), Exit::Halt);
    assert_eq!(cpu.gpr(gpr::RAX), 2);
}

#[test]
fn code_that_changes_is_seen_by_the_next_instruction() {
    // mov byte [rip+0],0x90; stc, which becomes nop; hlt
    let (mut engine, mut cpu, mut memory) = machine(&[0xc6, 0x05, 0, 0, 0, 0, 0x90, 0xf9, 0xf4]);
    let mut fuel = 100;
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::Halt);
    assert_eq!((cpu.flags.cf(), fuel), (false, 97));
}

#[test]
fn where_fuel_is_tested_does_not_depend_on_where_blocks_begin() {
    // nop; l: dec ecx; jne l; hlt. Entered at the NOP, the block begins before the branch's target.
    let code = [0x90, 0xff, 0xc9, 0x75, 0xfc, 0xf4];
    for (entry, ecx) in [(CODE, 3), (CODE + 1, 3)] {
        let mut memory = Memory::new(1 << 20).unwrap();
        memory.map(CODE..CODE + 0x1000, Perm::READ | Perm::EXEC, Contents::Bytes(&code)).unwrap();
        let (mut engine, mut cpu) = (Interpreter::new(), Cpu::default());
        cpu.rip = entry;
        cpu.set_gpr(gpr::RCX, ecx);
        assert_eq!(engine.run(&mut cpu, &mut memory, &mut 1), Exit::OutOfFuel);
        assert_eq!((cpu.rip, cpu.gpr(gpr::RCX)), (CODE + 1, ecx - 1), "after one round");
    }
}

#[test]
fn long_operations_are_paid_for_where_fuel_is_tested() {
    // rep stosb; mov eax,1; jmp +0; hlt: a jump forwards takes nothing. Then: l: rep stosb; jmp l.
    let costly = |code: &[u8]| {
        let mut memory = Memory::new(1 << 20).unwrap();
        memory.map(CODE..CODE + 0x1000, Perm::READ | Perm::EXEC, Contents::Bytes(code)).unwrap();
        memory.map(0x2_0000..0x4_0000, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
        let (mut engine, mut cpu, mut fuel) = (Interpreter::new(), Cpu::default(), 100);
        (cpu.rip, cpu.direction) = (CODE, false);
        cpu.set_gpr(gpr::RDI, 0x2_0000);
        cpu.set_gpr(gpr::RCX, 0x1_0000);
        let exit = engine.run(&mut cpu, &mut memory, &mut fuel);
        (exit, fuel)
    };
    assert_eq!(costly(&[0xf3, 0xaa, 0xb8, 1, 0, 0, 0, 0xeb, 0, 0xf4]), (Exit::Halt, 96));
    assert_eq!(costly(&[0xf3, 0xaa, 0xeb, 0xfc]), (Exit::OutOfFuel, 98 - 0x1_0000 / 8));
}

#[test]
fn what_lies_beyond_the_caches_takes_longer() {
    let (mut engine, mut cpu, mut memory) = machine(&[0xf3, 0x48, 0xab, 0xf4]); // rep stosq; hlt
    memory.set_limit(1 << 24);
    memory.map(0x100_0000..0x180_0000, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
    let mut cost = |megabytes: u64| {
        cpu.rip = CODE;
        cpu.set_gpr(gpr::RCX, megabytes << 17);
        cpu.set_gpr(gpr::RDI, 0x100_0000);
        memory.forget_cost();
        assert_eq!(engine.run(&mut cpu, &mut memory, &mut 1000), Exit::Halt);
        memory.take_cost()
    };
    assert_eq!([cost(1), cost(8)], [1 << 14, (8 << 14) + (7 << 17)]);
}

#[test]
fn repeated_rounds_do_what_single_ones_do() {
    // rep movs/stos, and l: movs/stos; dec ecx; jne l
    for (repeated, single) in [(0xa4, 0xa4), (0xa5, 0xa5), (0xaa, 0xaa), (0xab, 0xab)] {
        for (from, to, count) in
            [(0, 100, 700), (0, 8, 300), (0, 1, 600), (300, 0, 900), (3, 2000, 5000), (0, 240, 999)]
        {
            let run = |code: &[u8]| {
                let mut memory = Memory::new(1 << 20).unwrap();
                memory.map(CODE..CODE + 0x1000, Perm::READ | Perm::EXEC, Contents::Bytes(code)).unwrap();
                let bytes: Vec<u8> = (0..0x3000_u32).map(|n| (n * 7 + n / 251) as u8).collect();
                memory.map(0x2_0000..0x2_3000, Perm::READ | Perm::WRITE, Contents::Bytes(&bytes)).unwrap();
                let (mut engine, mut cpu) = (Interpreter::new(), Cpu::default());
                cpu.rip = CODE;
                cpu.set_gpr(gpr::RAX, 0x1122_3344_5566_7788);
                cpu.set_gpr(gpr::RSI, 0x2_0000 + from);
                cpu.set_gpr(gpr::RDI, 0x2_0000 + to);
                cpu.set_gpr(gpr::RCX, count);
                let exit = engine.run(&mut cpu, &mut memory, &mut 1_000_000);
                let mut after = vec![0; 0x3000];
                memory.peek(0x2_0000, &mut after);
                let faulted = matches!(exit, Exit::Fault(_));
                (faulted, after, cpu.gpr(gpr::RSI), cpu.gpr(gpr::RDI), cpu.gpr(gpr::RCX))
            };
            let many = run(&[0xf3, repeated, 0xf4]);
            let one = run(&[single, 0xff, 0xc9, 0x75, 0xfb, 0xf4]);
            assert!(
                many == one,
                "{repeated:#x} from {from} to {to}, {count} times: {:?} {:?}",
                many.0,
                one.0
            );
        }
    }
}

#[test]
fn restoring_memory_brings_back_the_code() {
    let (mut engine, mut cpu, mut memory) = machine(&[0xb8, 1, 0, 0, 0, 0xf4]);
    let snapshot = memory.snapshot();
    for expected in [9, 1, 9] {
        cpu.rip = CODE;
        if expected == 9 {
            memory.poke(CODE + 1, &[9]).unwrap();
        } else {
            memory.restore(snapshot).unwrap();
        }
        assert_eq!(engine.run(&mut cpu, &mut memory, &mut 100), Exit::Halt);
        assert_eq!(cpu.gpr(gpr::RAX), expected);
    }
}

#[test]
fn watching_sees_every_instruction_and_changes_none() {
    #[derive(Default)]
    struct Count(Vec<u64>, usize);
    impl Watch for Count {
        fn before(&mut self, cpu: &Cpu, _: &Memory, insn: &iced_x86::Instruction) {
            assert_eq!(cpu.rip, insn.ip());
            self.0.push(cpu.rip);
        }
        fn after(&mut self, _: &Cpu, _: &Memory, _: &iced_x86::Instruction) {
            self.1 += 1;
        }
    }
    let (mut engine, mut cpu, mut memory) = machine(&SUM);
    let mut count = Count::default();
    let mut fuel = 1000;
    assert_eq!(engine.run_watched(&mut cpu, &mut memory, &mut fuel, &mut count), Exit::Halt);
    assert_eq!(count.0.len() as i64, 1000 - fuel);
    assert_eq!(count.1, count.0.len() - 1, "the last one left");
    assert_eq!(cpu.gpr(gpr::RAX), 55);
}

#[test]
fn watching_blocks_sees_every_instruction_once() {
    #[derive(Default)]
    struct Seen(Vec<u64>);
    impl Watch for Seen {
        fn detail(&self) -> Detail {
            Detail::Blocks
        }
        fn block(&mut self, cpu: &Cpu, _: &Memory, insns: &[iced_x86::Instruction]) {
            assert_eq!(cpu.rip, insns[0].ip());
            self.0.extend(insns.iter().map(|insn| insn.ip()));
        }
        fn before(&mut self, _: &Cpu, _: &Memory, _: &iced_x86::Instruction) {
            unreachable!("it is not wanted");
        }
    }
    let (mut engine, mut cpu, mut memory) = machine(&SUM);
    let (mut fuel, mut seen) = (1000, Seen::default());
    assert_eq!(engine.run_watched(&mut cpu, &mut memory, &mut fuel, &mut seen), Exit::Halt);
    assert_eq!((cpu.gpr(gpr::RAX), seen.0.len() as i64), (55, 1000 - fuel));
    assert_eq!((seen.0[0], seen.0[2], seen.0[5], seen.0[32]), (CODE, CODE + 7, CODE + 7, CODE + 15));
}

#[test]
fn watching_chosen_instructions_sees_these_alone() {
    #[derive(Default)]
    struct Seen(Vec<u64>);
    impl Watch for Seen {
        fn detail(&self) -> Detail {
            Detail::Chosen
        }
        fn chosen(&mut self, cpu: &Cpu, _: &Memory, insn: &iced_x86::Instruction) {
            assert_eq!(cpu.rip, insn.ip());
            self.0.push(insn.ip());
        }
        fn before(&mut self, _: &Cpu, _: &Memory, _: &iced_x86::Instruction) {
            unreachable!("it is not wanted");
        }
    }
    let (mut engine, mut cpu, mut memory) = machine(&SUM);
    engine.set_chooser(Some(Arc::new(|insn| insn.ip() == CODE + 7)));
    let (mut fuel, mut seen) = (1000, Seen::default());
    assert_eq!(engine.run_watched(&mut cpu, &mut memory, &mut fuel, &mut seen), Exit::Halt);
    assert_eq!((cpu.gpr(gpr::RAX), seen.0), (55, vec![CODE + 7; 10]));
    // Without a choice nothing is shown.
    engine.set_chooser(None);
    cpu.rip = CODE;
    let mut seen = Seen::default();
    assert_eq!(engine.run_watched(&mut cpu, &mut memory, &mut 1000, &mut seen), Exit::Halt);
    assert!(seen.0.is_empty());
}

/// Code that is executed once each, without a jump back, ends where fuel does all the same.
#[test]
fn decoding_without_end_costs_fuel() {
    const SIZE: u64 = 40 << 20;
    let mut memory = Memory::new(SIZE + (1 << 20)).unwrap();
    let nops = vec![0x90; SIZE as usize];
    memory.map(CODE..CODE + SIZE, Perm::all(), Contents::Bytes(&nops)).unwrap();
    let (mut engine, mut cpu) = (Interpreter::new(), Cpu::default());
    cpu.rip = CODE;
    let mut fuel = 1 << 20;
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::OutOfFuel);
    assert!(cpu.rip < CODE + SIZE / 2 + (1 << 16), "{:#x}", cpu.rip);
}

/// Whoever waits is heard while it is decoded, too, long before that costs fuel; and changes nothing of a run that goes on.
#[test]
fn decoding_without_end_can_be_ended() {
    const SIZE: u64 = 2 << 20;
    let run = |late: bool| {
        let mut memory = Memory::new(SIZE + (1 << 20)).unwrap();
        let mut nops = vec![0x90; SIZE as usize];
        *nops.last_mut().unwrap() = 0xf4;
        memory.map(CODE..CODE + SIZE, Perm::READ | Perm::EXEC, Contents::Bytes(&nops)).unwrap();
        let (mut engine, mut cpu) = (Interpreter::new(), Cpu::default());
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        engine.set_late(Some(Arc::new(move || count.fetch_add(1, Ordering::Relaxed) > 1 && late)));
        cpu.rip = CODE;
        let mut fuel = 1 << 30;
        let exit = engine.run(&mut cpu, &mut memory, &mut fuel);
        (exit, cpu.rip - CODE, (1 << 30) - fuel, asked.load(Ordering::Relaxed), engine.was_late())
    };
    let (exit, ran, counted, asked, late) = run(false);
    assert_eq!((exit, ran, counted, late), (Exit::Halt, SIZE, SIZE as i64, false));
    assert!(asked > 10);
    let (exit, ran, counted, _, late) = run(true);
    assert_eq!((exit, counted, late), (Exit::OutOfFuel, ran as i64, true));
    assert!(ran < SIZE / 2, "{ran}");
}

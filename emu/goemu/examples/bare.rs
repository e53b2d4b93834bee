//! A bare machine: no Go, no program, a dozen bytes of code.
//!
//! `cargo run --example bare`
#![allow(clippy::print_stdout, reason = "an example shows something")]

use goemu::Perm;
use goemu::cpu::{Cpu, gpr};
use goemu::engine::{Engine, Stops};
use goemu::exit::Exit;
use goemu::interp::Interpreter;
use goemu::memory::{Contents, Memory, MemoryError};

/// xor eax, eax; l: add rax, rcx; dec rcx; jne l; hlt
const CODE: [u8; 11] = [0x31, 0xc0, 0x48, 0x01, 0xc8, 0x48, 0xff, 0xc9, 0x75, 0xf8, 0xf4];

fn main() -> Result<(), MemoryError> {
    let mut memory = Memory::new(1 << 20)?;
    memory.map(0x1000..0x2000, Perm::READ | Perm::EXEC, Contents::Bytes(&CODE))?;
    let mut cpu = Cpu::default();
    cpu.rip = 0x1000;
    cpu.set_gpr(gpr::RCX, 100);

    // Freely, until HLT; `fuel` counts instructions down.
    let (mut engine, mut fuel) = (Interpreter::new(), 1_000_000);
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::Halt);
    println!("1 + ... + 100 = {} in {} instructions", cpu.gpr(gpr::RAX), 1_000_000 - fuel);

    // Until a stop address, then one step.
    engine.set_stops(Stops::from([0x1005]));
    (cpu.rip, cpu.flags) = (0x1000, Default::default());
    cpu.set_gpr(gpr::RCX, 3);
    assert_eq!(engine.run(&mut cpu, &mut memory, &mut fuel), Exit::Stopped);
    assert_eq!(engine.step(&mut cpu, &mut memory), None);
    let (rcx, rflags, ymm0) = (cpu.gpr(gpr::RCX), cpu.rflags(), cpu.ymm[0]);
    println!("at {:#x}: RCX={rcx} RFLAGS={rflags:#x} YMM0={ymm0:x?}", cpu.rip);
    Ok(())
}

//! Any bytes as code: printed, then run.
#![no_main]

use goemu::Perm;
use goemu::cpu::{Cpu, gpr};
use goemu::disasm::{Walk, go_syntax};
use goemu::engine::Engine;
use goemu::interp::Interpreter;
use goemu::memory::{Contents, Memory};
use libfuzzer_sys::fuzz_target;

const CODE: u64 = 0x1000;
const DATA: u64 = 0x10000;

fuzz_target!(|bytes: &[u8]| {
    let code = bytes.get(..0x1000).unwrap_or(bytes);
    for step in Walk::new(code, CODE, code.len()) {
        let _ = go_syntax(&step.insn, step.bytes, &());
    }
    let mut memory = Memory::new(1 << 20).expect("memory");
    memory.map(CODE..CODE + 0x1000, Perm::all(), Contents::Bytes(code)).expect("code");
    memory.map(DATA..DATA + 0x4000, Perm::READ | Perm::WRITE, Contents::Zero).expect("data");
    let mut cpu = Cpu::default();
    cpu.rip = CODE;
    for register in 0..16 {
        cpu.set_gpr(register, DATA + 0x1000 + 64 * u64::from(register));
    }
    cpu.set_gpr(gpr::RSP, DATA + 0x3000);
    let mut fuel = 2000;
    let _ = Interpreter::new().run(&mut cpu, &mut memory, &mut fuel);
});

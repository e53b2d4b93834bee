//! The bare processor and its memory, as a program uses them that has nothing else of goemu.

use goemu_x86::cpu::{Cpu, gpr};
use goemu_x86::engine::Engine;
use goemu_x86::exit::{Exit, FaultKind};
use goemu_x86::iced_x86::{Decoder, DecoderOptions, Mnemonic};
use goemu_x86::interp::Interpreter;
use goemu_x86::memory::{Contents, Memory, MemoryError, Perm};

const CODE: u64 = 0x1000;
const DATA: u64 = 0x8000;

fn machine(code: &[u8]) -> (Cpu, Memory) {
    let mut memory = Memory::new(1 << 20).expect("address space");
    memory
        .map(CODE..CODE + 0x1000, Perm::READ | Perm::EXEC, Contents::Bytes(code))
        .expect("the range is free");
    memory.map(DATA..DATA + 0x2000, Perm::READ | Perm::WRITE, Contents::Zero).expect("the range is free");
    let mut cpu = Cpu::default();
    assert!(cpu.set_named("rip", CODE) && cpu.set_named("rsp", DATA + 0x1000));
    (cpu, memory)
}

#[test]
fn an_unsupported_form_is_told_with_its_operands_and_bytes() {
    let forms: [(&[u8], &str); 5] = [
        (&[0x0f, 0xa1], "unsupported instruction POP FS (X64: 0f a1) at pc 0x1000"),
        (&[0x0f, 0xa9], "unsupported instruction POP GS (X64: 0f a9) at pc 0x1000"),
        (&[0x0f, 0x00, 0xc0], "unsupported instruction SLDT r32m16 (INTEL386: 0f 00 c0) at pc 0x1000"),
        (
            &[0x62, 0xf1, 0x7d, 0x48, 0xef, 0xc0],
            "unsupported instruction VPXORD zmm k1z zmm zmmm512b32 (AVX512F: 62 f1 7d 48 ef c0) at pc 0x1000",
        ),
        (&[0x66, 0x0f, 0xc8], "unsupported instruction BSWAP r16 (INTEL486: 66 0f c8) at pc 0x1000"),
    ];
    for (bytes, told) in forms {
        let (mut cpu, mut memory) = machine(bytes);
        let exit = Interpreter::new().run(&mut cpu, &mut memory, &mut 100);
        let Exit::Fault(fault) = exit else { panic!("{bytes:02x?} ended by {exit:?}") };
        let FaultKind::Unsupported(form) = fault.kind else { panic!("{bytes:02x?}: {fault}") };
        assert_eq!(form.bytes(), bytes);
        assert_eq!(fault.to_string(), told);
        assert_eq!(cpu.named("ip"), Some(CODE), "a fault leaves RIP at the instruction");
    }
}

#[test]
fn pages_without_permissions_are_seen_from_outside_alone() {
    // MOV RAX, [RDI]; HLT
    let (mut cpu, mut memory) = machine(&[0x48, 0x8b, 0x07, 0xf4]);
    memory.poke(DATA, &[1, 2, 3, 4, 5, 6, 7, 8]).expect("it is mapped");
    memory.protect(DATA..DATA + 0x1000, Perm::empty()).expect("it is mapped");
    assert!(cpu.set_named("DI", DATA));
    let exit = Interpreter::new().run(&mut cpu, &mut memory, &mut 100);
    assert!(
        matches!(exit, Exit::Fault(fault) if matches!(fault.kind, FaultKind::Memory(of) if of.addr == DATA))
    );
    let Exit::Fault(fault) = exit else { return };
    let says = format!("read of {DATA:#x} at pc {:#x}: the page does not allow it", fault.pc);
    assert_eq!(Box::<dyn std::error::Error>::from(fault).to_string(), says);
    let mut bytes = [0; 4];
    memory.peek(DATA + 2, &mut bytes);
    assert_eq!(bytes, [3, 4, 5, 6]);
    memory.poke(DATA + 2, &[9]).expect("permissions do not matter from outside");
    memory.peek(DATA, &mut bytes);
    assert_eq!(bytes, [1, 2, 9, 4]);
}

#[test]
fn mapped_ranges_are_listed_and_replaced() {
    let (mut cpu, mut memory) = machine(&[0xf4]);
    let (code, data) = (Perm::READ | Perm::EXEC, Perm::READ | Perm::WRITE);
    assert_eq!(
        memory.ranges(),
        [(CODE..CODE + 0x1000, code), (DATA..DATA + 0x2000, data)].map(|(range, perm)| (range, perm))
    );
    memory.protect(DATA + 0x1000..DATA + 0x2000, Perm::empty()).expect("it is mapped");
    assert_eq!(memory.ranges().len(), 3);

    let mut engine = Interpreter::new();
    assert!(matches!(engine.run(&mut cpu, &mut memory, &mut 100), Exit::Halt));
    // MOV EAX, 7; HLT: over the code that was decoded just now.
    let other = [0xb8, 7, 0, 0, 0, 0xf4];
    let taken = memory.map(CODE..CODE + 0x1000, code, Contents::Bytes(&other));
    assert!(matches!(taken, Err(MemoryError::Occupied { addr: CODE })));
    memory.replace(CODE..CODE + 0x1000, code, Contents::Bytes(&other)).expect("there is room");
    cpu.rip = CODE;
    assert!(matches!(engine.run(&mut cpu, &mut memory, &mut 100), Exit::Halt));
    assert_eq!(cpu.gpr(gpr::RAX), 7);
}

#[test]
fn registers_have_names() {
    let mut cpu = Cpu::default();
    for (n, name) in (1..).zip(gpr::NAMES) {
        assert!(cpu.set_named(name, n), "{name}");
    }
    assert_eq!(cpu.gprs(), std::array::from_fn(|n| n as u64 + 1));
    for name in ["rip", "rflags", "fs_base", "gs_base", "mxcsr"] {
        let before = cpu.named(name).unwrap_or_else(|| panic!("no {name}"));
        assert!(cpu.set_named(name, before ^ 0x400));
        assert_eq!(cpu.named(name), Some(before ^ 0x400), "{name}");
    }
    assert_eq!((cpu.fs_base, cpu.gs_base, cpu.direction), (0x400, 0x400, true));
    assert!(!cpu.set_named("eip0", 1) && cpu.named("").is_none());
}

#[test]
fn the_decoder_is_the_one_that_users_get() {
    let mut decoder = Decoder::with_ip(64, &[0x90], CODE, DecoderOptions::NONE);
    assert_eq!(decoder.decode().mnemonic(), Mnemonic::Nop);
    let (_, memory) = machine(&[0x90]);
    let insn = goemu_x86::decode::decode(&memory, CODE).expect("it is code");
    assert_eq!(insn.mnemonic(), Mnemonic::Nop);
}

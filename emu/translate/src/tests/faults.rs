//! Faults inside translated code: the guest stands before the instruction that faulted, with every register as the
//! interpreter has it, flags and vectors included.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;
use iced_x86::{Code, Encoder, Instruction, MemoryOperand, Register};

use super::random::Random;
use super::{CODE, DATA, Guest, Pair, STACK};

/// Registers that addresses are made of. RSP too, but not as index.
const BASES: [Register; 8] = [
    Register::RAX,
    Register::RBX,
    Register::RSI,
    Register::RDI,
    Register::R8,
    Register::R13,
    Register::R14,
    Register::RSP,
];

/// An access to memory, of one to 32 bytes, that may be anywhere.
fn access(random: &mut Random) -> Instruction {
    let base = BASES[random.below(8) as usize];
    let index = if random.below(3) == 0 { BASES[random.below(7) as usize] } else { Register::None };
    let displacement = match random.below(4) {
        0 => 0,
        1 => random.below(256) as i64 - 128,
        2 => random.below(1 << 20) as i64 - (1 << 19),
        _ => random.below(1 << 32) as i64 - (1 << 31),
    };
    let scale = 1 << random.below(4);
    let size = if displacement == 0 { 0 } else { 8 };
    let at = MemoryOperand::new(base, index, scale, displacement, size, false, Register::None);
    let other = BASES[random.below(7) as usize];
    let made = match random.below(12) {
        0 => Instruction::with2(Code::Mov_r64_rm64, other, at),
        1 => Instruction::with2(Code::Mov_rm64_r64, at, other),
        2 => Instruction::with2(Code::Add_rm64_r64, at, other),
        3 => Instruction::with2(Code::Mov_rm8_r8, at, Register::BL),
        4 => Instruction::with2(Code::Movzx_r32_rm16, Register::R9D, at),
        5 => Instruction::with2(Code::VEX_Vmovdqu_ymm_ymmm256, Register::YMM3, at),
        6 => Instruction::with2(Code::VEX_Vmovdqu_ymmm256_ymm, at, Register::YMM4),
        7 => Instruction::with2(Code::Movups_xmmm128_xmm, at, Register::XMM5),
        8 => Instruction::with2(Code::Cmp_rm32_r32, at, Register::ECX),
        9 => Instruction::with1(Code::Push_rm64, at),
        10 => Instruction::with2(Code::Xchg_rm64_r64, at, other),
        _ => Instruction::with1(Code::Inc_rm32, at),
    };
    made.unwrap()
}

/// An instruction that changes registers and flags, all of them defined.
fn between(random: &mut Random) -> Instruction {
    let (a, b) = (BASES[random.below(7) as usize], BASES[random.below(7) as usize]);
    let made = match random.below(7) {
        0 => Instruction::with2(Code::Add_r64_rm64, a, b),
        1 => Instruction::with2(Code::Sub_r64_rm64, a, b),
        2 => Instruction::with2(
            Code::Lea_r64_m,
            a,
            MemoryOperand::with_base_displ(b, random.below(4096) as i64),
        ),
        3 => Instruction::with2(Code::Mov_r64_rm64, a, b),
        4 => Instruction::with2(Code::Mov_r64_rm64, Register::R14, b),
        5 => {
            Instruction::with2(Code::Add_rm64_imm32, Register::RSP, random.below(1 << 22) as i32 - (1 << 21))
        }
        _ => Instruction::with1(Code::Inc_rm64, a),
    };
    made.unwrap()
}

/// A program: some accesses with instructions between them, at [`CODE`].
fn program(random: &mut Random) -> Vec<u8> {
    let mut encoder = Encoder::new(64);
    let mut at = CODE;
    for _ in 0..1 + random.below(4) {
        for insn in [between(random), access(random)] {
            // What cannot be encoded is left out.
            at += encoder.encode(&insn, at).unwrap_or(0) as u64;
        }
    }
    let mut code = encoder.take_buffer();
    code.push(0xf4);
    code
}

fn value(random: &mut Random) -> u64 {
    match random.below(8) {
        0..=2 => DATA + random.below(0x3f00),
        3 => random.below(64),
        4 => (DATA + 0x4000).wrapping_sub(random.below(40)),
        5 => (1_u64 << random.below(64)).wrapping_sub(random.below(40)),
        6 => (random.below(1 << 40)).wrapping_neg(),
        _ => random.next(),
    }
}

/// 10,000 faults, of accesses wherever registers point. `GOEMU_LOCKSTEP_SEEDS` makes it as many thousands.
#[test]
fn after_a_fault_every_register_is_the_interpreters() {
    let seeds = std::env::var("GOEMU_LOCKSTEP_SEEDS").ok().and_then(|text| text.parse().ok());
    let mut random = Random(11);
    let (mut faults, mut translated) = (0, 0);
    let wanted = seeds.map_or(10_000, |seeds: u64| seeds.max(10) * 1000);
    while faults < wanted {
        let code = program(&mut random);
        let mut pair = Pair::new(&code);
        pair.other.engine.set_heat(0);
        let snapshots = (pair.one.memory.snapshot(), pair.other.memory.snapshot());
        for round in 0..60 {
            pair.one.memory.restore(snapshots.0).unwrap();
            pair.other.memory.restore(snapshots.1).unwrap();
            for n in 0..16 {
                let value = value(&mut random);
                pair.set(n, value);
            }
            if random.below(4) != 0 {
                pair.set(gpr::RSP, STACK - 0x800);
            }
            let (flags, lane) = (random.next() & 0x8d5, u128::from(random.next()));
            for cpu in [&mut pair.one.cpu, &mut pair.other.cpu] {
                cpu.rip = CODE;
                cpu.set_rflags(flags);
                cpu.ymm[4] = [lane, !lane];
            }
            let exit = pair.run(1 << 20, 0, &format!("round {round}: {code:02x?}"));
            faults += u64::from(matches!(exit, Exit::Fault(_)));
        }
        translated += pair.translated();
    }
    assert!(translated > faults / 2, "{translated}");
}

/// Machines come and go, on two threads: none leaves memory, mappings or files behind.
#[test]
fn machines_leave_nothing_behind() {
    // l: dec ecx; mov [rdi],ecx; jne l; hlt
    let code = [0xff, 0xc9, 0x89, 0x0f, 0x75, 0xfa, 0xf4];
    let once = |_| {
        let mut guest =
            Guest::new(crate::Translator::new().unwrap(), &code, super::Perm::READ | super::Perm::EXEC);
        guest.engine.set_heat(1);
        guest.cpu.set_gpr(gpr::RCX, 1000);
        guest.cpu.set_gpr(gpr::RDI, DATA);
        assert_eq!(guest.run(&mut (1 << 20)), Exit::Halt);
        assert!(guest.engine.translated().0 > 1000);
    };
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).map_or(0, Iterator::count);
    let maps = || std::fs::read_to_string("/proc/self/maps").unwrap().matches("goemu-code").count();
    once(0);
    let before = (count("fd"), maps());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| (0..100).for_each(once));
        }
    });
    // Other tests run meanwhile: each has a few machines at a time.
    let after = (count("fd"), maps());
    assert!(after.0 < before.0 + 40 && after.1 < before.1 + 40, "{before:?} {after:?}");
}

/// R14 is loaded with numbers that are no addresses, as code does that only computes: after a few rounds this costs no more signals.
#[test]
fn numbers_in_r14_stay_in_translated_code() {
    // l: mov r14,[rsi]; mov r14,[rsi+8]; add rax,r14; xor rbx,rax; mov r14,rsi; add rax,[r14]; dec rcx; jne l; hlt
    let code = [
        0x4c, 0x8b, 0x36, 0x4c, 0x8b, 0x76, 0x08, 0x4c, 0x01, 0xf0, 0x48, 0x31, 0xc3, 0x49, 0x89, 0xf6, 0x49,
        0x03, 0x06, 0x48, 0xff, 0xc9, 0x75, 0xe8, 0xf4,
    ];
    let mut pair = Pair::new(&code);
    for memory in [&mut pair.one.memory, &mut pair.other.memory] {
        for at in [DATA, DATA + 8] {
            memory.write(at, 0xfedc_ba98_7654_3210_u64.to_le_bytes()).unwrap();
        }
    }
    pair.set(gpr::RSI, DATA);
    pair.set(gpr::RCX, 10_000);
    assert_eq!(pair.run(1 << 40, 0, "numbers"), Exit::Halt);
    assert!(pair.translated() > 79_000, "{}", pair.translated());
}

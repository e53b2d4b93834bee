//! Numbers below the normal ones: both engines charge alike for them, and note the same exceptions.

use goemu_x86::alu::float::Mxcsr;
use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;
use iced_x86::Code as C;
use iced_x86::{Encoder, Instruction, MemoryOperand, Register as R};

use super::escape::hot;
use super::random::Random;
use super::{CODE, DATA, Pair};

/// Instructions that compute with floats: of two vector operands, SSE, the first of which is the destination.
const SSE: [C; 46] = [
    C::Addps_xmm_xmmm128,
    C::Addpd_xmm_xmmm128,
    C::Addss_xmm_xmmm32,
    C::Addsd_xmm_xmmm64,
    C::Subps_xmm_xmmm128,
    C::Subpd_xmm_xmmm128,
    C::Subss_xmm_xmmm32,
    C::Subsd_xmm_xmmm64,
    C::Mulps_xmm_xmmm128,
    C::Mulpd_xmm_xmmm128,
    C::Mulss_xmm_xmmm32,
    C::Mulsd_xmm_xmmm64,
    C::Divps_xmm_xmmm128,
    C::Divpd_xmm_xmmm128,
    C::Divss_xmm_xmmm32,
    C::Divsd_xmm_xmmm64,
    C::Minps_xmm_xmmm128,
    C::Minsd_xmm_xmmm64,
    C::Maxss_xmm_xmmm32,
    C::Maxpd_xmm_xmmm128,
    C::Sqrtps_xmm_xmmm128,
    C::Sqrtpd_xmm_xmmm128,
    C::Sqrtss_xmm_xmmm32,
    C::Sqrtsd_xmm_xmmm64,
    C::Haddps_xmm_xmmm128,
    C::Haddpd_xmm_xmmm128,
    C::Hsubps_xmm_xmmm128,
    C::Addsubps_xmm_xmmm128,
    C::Addsubpd_xmm_xmmm128,
    C::Comiss_xmm_xmmm32,
    C::Comisd_xmm_xmmm64,
    C::Ucomiss_xmm_xmmm32,
    C::Ucomisd_xmm_xmmm64,
    C::Cvtss2sd_xmm_xmmm32,
    C::Cvtsd2ss_xmm_xmmm64,
    C::Cvtps2pd_xmm_xmmm64,
    C::Cvtpd2ps_xmm_xmmm128,
    C::Cvtps2dq_xmm_xmmm128,
    C::Cvttps2dq_xmm_xmmm128,
    C::Cvttpd2dq_xmm_xmmm128,
    C::Cvtdq2ps_xmm_xmmm128,
    C::Cvtdq2pd_xmm_xmmm64,
    C::VEX_Vcvtph2ps_ymm_xmmm128,
    C::VEX_Vcvtps2pd_ymm_xmmm128,
    C::VEX_Vsqrtps_ymm_ymmm256,
    C::VEX_Vsqrtpd_ymm_ymmm256,
];

/// The same with an immediate.
const WITH_IMMEDIATE: [C; 8] = [
    C::Cmpps_xmm_xmmm128_imm8,
    C::Cmppd_xmm_xmmm128_imm8,
    C::Cmpss_xmm_xmmm32_imm8,
    C::Roundps_xmm_xmmm128_imm8,
    C::Roundpd_xmm_xmmm128_imm8,
    C::Dpps_xmm_xmmm128_imm8,
    C::Dppd_xmm_xmmm128_imm8,
    C::VEX_Vcvtps2ph_xmmm128_ymm_imm8,
];

/// Of three operands, whole registers.
const WIDE: [C; 20] = [
    C::VEX_Vaddps_ymm_ymm_ymmm256,
    C::VEX_Vaddpd_ymm_ymm_ymmm256,
    C::VEX_Vsubps_ymm_ymm_ymmm256,
    C::VEX_Vmulps_ymm_ymm_ymmm256,
    C::VEX_Vmulpd_ymm_ymm_ymmm256,
    C::VEX_Vdivps_ymm_ymm_ymmm256,
    C::VEX_Vdivpd_ymm_ymm_ymmm256,
    C::VEX_Vminps_ymm_ymm_ymmm256,
    C::VEX_Vmaxpd_ymm_ymm_ymmm256,
    C::VEX_Vhaddps_ymm_ymm_ymmm256,
    C::VEX_Vaddsubpd_ymm_ymm_ymmm256,
    C::VEX_Vfmadd132ps_ymm_ymm_ymmm256,
    C::VEX_Vfmadd213pd_ymm_ymm_ymmm256,
    C::VEX_Vfmadd231ps_ymm_ymm_ymmm256,
    C::VEX_Vfmsub213ps_ymm_ymm_ymmm256,
    C::VEX_Vfnmadd231pd_ymm_ymm_ymmm256,
    C::VEX_Vfnmsub132ps_ymm_ymm_ymmm256,
    C::VEX_Vfmaddsub213ps_ymm_ymm_ymmm256,
    C::VEX_Vfmsubadd231pd_ymm_ymm_ymmm256,
    C::VEX_Vfmaddsub132pd_ymm_ymm_ymmm256,
];

fn vector(random: &mut Random, wide: bool) -> R {
    (if wide { R::YMM0 } else { R::XMM0 }) + random.below(6) as u32
}

/// One of them, with registers or memory.
fn instruction(random: &mut Random) -> Instruction {
    let one_of = |random: &mut Random, all: &[C]| all[random.below(all.len() as u64) as usize];
    match random.below(4) {
        0 => {
            let code = one_of(random, &WITH_IMMEDIATE);
            let stores = code == C::VEX_Vcvtps2ph_xmmm128_ymm_imm8;
            let imm = random.below(256) as u32;
            Instruction::with3(code, vector(random, false), vector(random, stores), imm).unwrap()
        }
        1 => {
            let code = one_of(random, &WIDE);
            let (a, b) = (vector(random, true), vector(random, true));
            if random.below(3) == 0 {
                let from = MemoryOperand::with_base_displ(R::RDI, random.below(64) as i64 * 8);
                return Instruction::with3(code, a, b, from).unwrap();
            }
            Instruction::with3(code, a, b, vector(random, true)).unwrap()
        }
        _ => {
            let code = one_of(random, &SSE);
            let kinds = code.op_code().op_kinds();
            let wide = |n: usize| format!("{:?}", kinds[n]).contains("ymm");
            let first = vector(random, wide(0));
            if random.below(3) == 0 {
                let from = MemoryOperand::with_base_displ(R::RDI, random.below(32) as i64 * 16);
                return Instruction::with2(code, first, from).unwrap();
            }
            Instruction::with2(code, first, vector(random, wide(1))).unwrap()
        }
    }
}

/// A number of 32 bits, often below the normal ones or near them, or one that brings others there.
fn single(random: &mut Random) -> u32 {
    let sign = (random.below(2) as u32) << 31;
    let odd = [
        0x3f80_0000,
        0x3f00_0000,
        0x4000_0000,
        0x7f80_0000,
        0x7fc0_0001,
        0x7f80_0001,
        0x7f7f_ffff,
        0x3f80_0003,
    ];
    sign | match random.below(8) {
        0 => 0,
        1 => random.below(1 << 23) as u32,
        2 => 1 << random.below(23),
        3 => 0x0080_0000 + random.below(4) as u32,
        4 => 0x0080_0000 + random.below(1 << 25) as u32,
        5 => odd[random.below(8) as usize],
        6 => 0x3f80_0000 - (random.below(12) as u32) * 0x0080_0000,
        _ => random.next() as u32 & 0x7fff_ffff,
    }
}

fn lane(random: &mut Random) -> u128 {
    if random.below(2) == 0 {
        return (0..4).fold(0, |all, n| all | u128::from(single(random)) << (32 * n));
    }
    let double = |random: &mut Random| {
        let top = u64::from(single(random));
        // The same kinds: the exponent has three bits more.
        let exponent = if top & 0x7f80_0000 == 0 { 0 } else { (top >> 23 & 0xff) * 8 + 7 };
        let fraction = [top & 0xf, random.next(), (top & 0x7f_ffff) << 29][random.below(3) as usize];
        (top & 1 << 31) << 32 | exponent.min(0x7ff) << 52 | fraction & ((1 << 52) - 1)
    };
    u128::from(double(random)) << 64 | u128::from(double(random))
}

/// Any rounding, masks, flags, and numbers below the normal ones taken for zero.
fn mxcsr(random: &mut Random) -> u32 {
    let flags = random.next() as u32 & Mxcsr::FLAGS;
    match random.below(4) {
        0 => 0x1f80,
        1 => 0x1f80 | flags | (random.next() as u32 & 0xe040),
        2 => 0x1f80 | flags,
        _ => random.next() as u32 & 0xffff,
    }
}

fn assemble(insns: &[Instruction]) -> Vec<u8> {
    let mut encoder = Encoder::new(64);
    for insn in insns {
        encoder.encode(insn, CODE).unwrap();
    }
    encoder.take_buffer()
}

/// Random sequences: results, flags, where it faults, and what was charged.
#[test]
fn floats_of_all_kinds_do_the_same_and_cost_the_same() {
    let (mut charged, mut translated, mut random) = (0, 0, Random(1));
    for _ in 0..3000 {
        let insns: Vec<_> = (0..1 + random.below(4)).map(|_| instruction(&mut random)).collect();
        let mut pair = Pair::new(&hot(&assemble(&insns)));
        pair.other.engine.set_heat(0);
        for _ in 0..6 {
            for n in 0..16 {
                pair.set(n, DATA + 0x100);
            }
            let data: Vec<u8> = (0..40).flat_map(|_| lane(&mut random).to_le_bytes()).collect();
            let registers: [[u128; 2]; 16] = std::array::from_fn(|_| [lane(&mut random), lane(&mut random)]);
            let state = mxcsr(&mut random);
            for (cpu, memory) in
                [(&mut pair.one.cpu, &mut pair.one.memory), (&mut pair.other.cpu, &mut pair.other.memory)]
            {
                memory.write_bytes(DATA + 0x100, &data).unwrap();
                (cpu.rip, cpu.mxcsr, cpu.ymm) = (CODE, state, registers);
            }
            let what = format!("{insns:?} with {state:#x}, {registers:x?}");
            pair.run(1 << 20, 0, &what);
            let cost = pair.one.memory.take_cost();
            assert_eq!(cost, pair.other.memory.take_cost(), "{what}");
            charged += cost;
        }
        translated += pair.translated();
    }
    assert!(charged > 100_000 && translated > 10_000, "{charged}, {translated}");
}

/// l: vdivps ymm2,ymm0,ymm1; vsqrtps ymm3,ymm1; vfmadd213ps ymm2,ymm1,ymm0; dec ecx; jne l; hlt
const LOOP: [u8; 18] = [
    0xc5, 0xfc, 0x5e, 0xd1, 0xc5, 0xfc, 0x51, 0xd9, 0xc4, 0xe2, 0x75, 0xa8, 0xd0, 0xff, 0xc9, 0x75, 0xef,
    0xf4,
];

/// Fuel ends such a loop long before its instructions are as many, at the same one.
#[test]
fn fuel_ends_slow_loops_early_and_alike() {
    for rounding in [0, 0x4000] {
        let mut pair = Pair::new(&LOOP);
        pair.set(gpr::RCX, 1_000_000);
        for cpu in [&mut pair.one.cpu, &mut pair.other.cpu] {
            cpu.mxcsr |= rounding;
            let all = |x: u32| (0..4).fold(0, |lane, n| lane | u128::from(x) << (32 * n));
            cpu.ymm[0] = [all(7), all(7)];
            cpu.ymm[1] = [all(0x3f80_0003), all(0x3f80_0003)];
        }
        assert_eq!(pair.run(100_000, 0, "slow"), Exit::OutOfFuel);
        let rounds = 1_000_000 - pair.one.cpu.gpr(gpr::RCX);
        assert!((400..600).contains(&rounds), "{rounds}");
        assert_eq!(pair.one.memory.charged(), pair.other.memory.charged());
        // What interrupts the loop for its operands leaves no trace in the flags, whatever was noted before.
        assert_eq!(pair.other.cpu.mxcsr & Mxcsr::FLAGS, pair.one.cpu.mxcsr & Mxcsr::FLAGS);
    }
}

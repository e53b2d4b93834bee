//! What the host's processor carries out is what exact arithmetic computes, with the same exceptions and the same charge.

use std::sync::atomic::Ordering;

use iced_x86::{Decoder, DecoderOptions, Instruction};

use crate::alu::float::host::WITHOUT;
use crate::cpu::Cpu;
use crate::interp::op::Op;
use crate::interp::{lower, supports};
use crate::memory::{Contents, Memory, Perm};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number of this format's fields: often at a border of what is normal, often with few bits set.
    fn number(&mut self, exponent_bits: u32, fraction_bits: u32) -> u64 {
        let special = (1 << exponent_bits) - 1;
        let exponent = match self.next() % 8 {
            0 => 0,
            1 => self.next() % 4,
            2 => special - self.next() % 3,
            3 => (special / 2 + self.next() % 60).wrapping_sub(30) & special,
            4 => special / 2,
            _ => self.next() & special,
        };
        let fraction = match self.next() % 4 {
            0 => 0,
            1 => self.next() % 8,
            2 => 1 << (self.next() % u64::from(fraction_bits)),
            _ => self.next(),
        };
        let sign = self.next() & 1;
        sign << (exponent_bits + fraction_bits)
            | exponent << fraction_bits
            | fraction & ((1 << fraction_bits) - 1)
    }

    fn lane(&mut self) -> u128 {
        let double = |random: &mut Random| u128::from(random.number(11, 52));
        let single = |random: &mut Random| u128::from(random.number(8, 23));
        match self.next() % 4 {
            0 => u128::from(self.next()) << 64 | u128::from(self.next()),
            1 => double(self) << 64 | double(self),
            2 => (0..8).fold(0, |all, n| all | u128::from(self.number(5, 10)) << (16 * n)),
            _ => (0..4).fold(0, |all, n| all | single(self) << (32 * n)),
        }
    }

    fn mxcsr(&mut self) -> u32 {
        match self.next() % 4 {
            0 => 0x1f80,
            1 => 0x1f80 | self.next() as u32 & 0x3f,
            2 => 0x1f80 | self.next() as u32 & 0xe07f,
            _ => self.next() as u32 & 0xffff,
        }
    }
}

/// Vector instructions of two and three operands, on registers and on memory at RAX.
fn instructions() -> Vec<Instruction> {
    let opcodes = |map: u8| match map {
        1 => [0x7c, 0x7d].into_iter().chain(0x51..=0x6d).chain(0x74..=0x76).chain(0xd0..=0xfe).collect(),
        2 => (0..=0x40).chain(0x96..=0xbf).collect::<Vec<u8>>(),
        _ => vec![],
    };
    let mut all = Vec::new();
    let mut add = |bytes: &[u8]| {
        let insn = Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode();
        let vector = insn.op0_register().is_xmm() || insn.op0_register().is_ymm();
        if !insn.is_invalid() && insn.len() == bytes.len() && vector && supports(&insn) {
            all.push(insn);
        }
    };
    for modrm in [0xca, 0x08] {
        for map in [1, 2] {
            for opcode in opcodes(map) {
                for pp in 0..4 {
                    for wide in [0, 4] {
                        // W, and the second operand: register 1, or none.
                        for odd in [0x70, 0x78, 0xf0] {
                            add(&[0xc4, 0xe0 | map, odd | wide | pp, opcode, modrm]);
                        }
                    }
                    let prefix = [0x66, 0xf3, 0xf2].get(usize::from(pp).wrapping_sub(1)).copied();
                    let map = [&[0x0f][..], &[0x0f, 0x38]][usize::from(map) - 1];
                    add(&[prefix.as_slice(), map, &[opcode, modrm]].concat());
                }
            }
        }
    }
    for imm in 0..32 {
        for (wide, opcode) in [(0x79, 8), (0x7d, 8), (0x79, 9), (0x7d, 9)] {
            add(&[0xc4, 0xe3, wide, opcode, 0xca, imm]);
        }
        for wide in [0x70, 0x74, 0x71, 0x75] {
            add(&[0xc4, 0xe1, wide, 0xc2, 0xca, imm]);
        }
    }
    all
}

/// The state after an instruction, whether it was done, and what it counts for.
fn outcome(op: &Op, cpu: &Cpu, memory: &mut Memory) -> (bool, u32, [[u128; 2]; 4], i64) {
    let mut cpu = cpu.clone();
    let done = (op.run)(&mut cpu, memory, op).is_ok();
    (done, cpu.mxcsr, std::array::from_fn(|n| cpu.ymm[n]), memory.take_cost())
}

#[test]
fn the_host_computes_what_exact_arithmetic_does() {
    if !crate::alu::float::host::available() {
        return;
    }
    let mut memory = Memory::new(1 << 20).unwrap();
    memory.map(0x1000..0x2000, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
    let (mut random, mut charged) = (Random(7), 0);
    let all = instructions();
    assert!(all.len() > 700, "{}", all.len());
    for insn in &all {
        WITHOUT.store(true, Ordering::Relaxed);
        let exact = lower(insn);
        WITHOUT.store(false, Ordering::Relaxed);
        let host = lower(insn);
        for _ in 0..800 {
            let mut cpu = Cpu::default();
            cpu.mxcsr = random.mxcsr();
            for register in &mut cpu.ymm {
                *register = [random.lane(), random.lane()];
            }
            let bytes: Vec<u8> = (0..2).flat_map(|_| random.lane().to_le_bytes()).collect();
            memory.write_bytes(0x1000, &bytes).unwrap();
            cpu.set_gpr(0, 0x1000);
            let (a, b) = (outcome(&exact, &cpu, &mut memory), outcome(&host, &cpu, &mut memory));
            let before: [_; 4] = std::array::from_fn(|n| cpu.ymm[n]);
            assert!(a == b, "{:?}, {:#x}, {before:x?}, {bytes:x?}\n{a:x?}\n{b:x?}", insn.code(), cpu.mxcsr);
            charged += a.3;
        }
    }
    assert!(charged > 1_000_000, "{charged}");
}

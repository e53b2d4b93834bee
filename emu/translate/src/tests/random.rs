//! Random instructions, with operands near what is mapped and far from it. Bytes are random, so that everything that the
//! decoder knows comes up; what the manual leaves undefined of the flags is not compared.

use goemu_x86::cpu::gpr;
use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

use super::{CODE, DATA, Pair, STACK};

/// Bytes for one sequence: a jump to its end, the sequence, HLT, and a jump back, which makes it hot.
const SLOT: usize = 128;

/// SplitMix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Bytes of a likely instruction: prefixes, maps and opcodes that are worth trying, the rest at random.
    fn bytes(&mut self) -> [u8; 15] {
        let mut bytes: [u8; 15] = std::array::from_fn(|_| self.next() as u8);
        let mut at = 0;
        let mut put = |byte| {
            bytes[at] = byte;
            at += 1;
        };
        if self.below(8) == 0 {
            put([0x66, 0xf2, 0xf3, 0xf0, 0x64, 0x2e][self.below(6) as usize]);
        }
        match self.below(8) {
            0..=3 => put(0x48 | self.below(8) as u8),
            4 => put(0x40 | self.below(16) as u8),
            5 => {
                put(0xc4);
                put(0xe1 + self.below(3) as u8);
            }
            _ => {}
        }
        if self.below(3) == 0 {
            put(0x0f);
        }
        bytes
    }

    /// A value that is a good address, almost one, a small number, or anything.
    fn value(&mut self) -> u64 {
        match self.below(8) {
            0..=3 => DATA + self.below(0x3f00),
            4 => self.below(64),
            5 => (DATA + 0x4000).wrapping_sub(self.below(40)),
            6 => [0, 1 << 40, (1 << 40) - 4, 1 << 46, !7, 1 << 63, 0x7fff_ffff_f000, !0]
                [self.below(8) as usize],
            _ => self.next(),
        }
    }
}

/// Flags of RFLAGS by iced's bits.
fn rflags(bits: u32) -> u64 {
    use iced_x86::RflagsBits as B;
    let pairs = [(B::CF, 1), (B::PF, 4), (B::AF, 0x10), (B::ZF, 0x40), (B::SF, 0x80), (B::OF, 0x800)];
    pairs.into_iter().filter(|(bit, _)| bits & bit != 0).fold(0, |all, (_, flag)| all | flag)
}

/// An instruction for the sequence; none that leaves it, and none whose result one cannot foresee.
fn instruction(random: &mut Random, undefined: &mut u64) -> (Instruction, Vec<u8>) {
    loop {
        let bytes = random.bytes();
        let insn = Decoder::with_ip(64, &bytes, CODE, DecoderOptions::NONE).decode();
        let plain = insn.flow_control() == FlowControl::Next && insn.mnemonic() != Mnemonic::Hlt;
        // BSF, BSR of 0 and shifts of 16 bits by more leave their result undefined.
        let odd = matches!(insn.mnemonic(), Mnemonic::Bsf | Mnemonic::Bsr | Mnemonic::Shld | Mnemonic::Shrd);
        let reads = rflags(insn.rflags_read());
        let known = plain && !odd && !insn.is_invalid() && goemu_x86::interp::supports(&insn);
        if known && reads & *undefined == 0 && !insn.is_ip_rel_memory_operand() {
            // A shift by 0 changes no flag, so that what was undefined stays so.
            let certain = !matches!(insn.op_count(), 2 | 3) || insn.op1_register() != iced_x86::Register::CL;
            if certain {
                *undefined &= !rflags(insn.rflags_written() | insn.rflags_cleared() | insn.rflags_set());
            }
            *undefined |= rflags(insn.rflags_undefined());
            // The manual defines OF of rotations by 1 alone.
            if matches!(insn.mnemonic(), Mnemonic::Rcl | Mnemonic::Rcr | Mnemonic::Rol | Mnemonic::Ror) {
                *undefined |= 0x800;
            }
            return (insn, bytes[..insn.len()].to_vec());
        }
    }
}

struct Sequence {
    start: u64,
    undefined: u64,
    text: String,
}

/// Many sequences in one program.
fn program(random: &mut Random, count: usize) -> (Vec<u8>, Vec<Sequence>) {
    let (mut code, mut sequences) = (Vec::new(), Vec::new());
    for n in 0..count {
        let start = n * SLOT;
        let (mut undefined, mut ever, mut text) = (0, 0, String::new());
        let mut body = Vec::new();
        for _ in 0..1 + random.below(6) {
            let (insn, bytes) = instruction(random, &mut undefined);
            // It may fault at any of them.
            ever |= undefined;
            text += &format!("{:?} {bytes:02x?}; ", insn.code());
            body.extend(bytes);
        }
        body.push(0xf4);
        code.extend([0xe9]);
        code.extend((body.len() as i32).to_le_bytes());
        let back = -(body.len() as i32 + 5);
        code.extend(&body);
        code.extend([0xe9]);
        code.extend(back.to_le_bytes());
        code.resize(start + SLOT, 0xcc);
        sequences.push(Sequence { start: CODE + start as u64, undefined: ever, text });
    }
    (code, sequences)
}

fn run(seed: u64, count: usize) -> u64 {
    let mut random = Random(seed);
    let (code, sequences) = program(&mut random, count);
    let mut pair = Pair::new(&code);
    let snapshots = (pair.one.memory.snapshot(), pair.other.memory.snapshot());
    for Sequence { start, undefined, text } in &sequences {
        for round in 0..2 {
            pair.one.memory.restore(snapshots.0).unwrap();
            pair.other.memory.restore(snapshots.1).unwrap();
            for n in 0..16 {
                let value = random.value();
                pair.set(n, value);
            }
            let stack = if random.below(8) == 0 { random.value() } else { STACK - 0x800 };
            pair.set(gpr::RSP, stack);
            // Counts of repeated instructions are kept short.
            let count = random.below(64);
            pair.set(gpr::RCX, count);
            for n in 0..16 {
                let value =
                    [u128::from(random.next()) << 64 | u128::from(random.next()), random.next().into()];
                (pair.one.cpu.ymm[n], pair.other.cpu.ymm[n]) = (value, value);
            }
            let flags = random.next() & 0x8d5;
            // Mostly as programs have it; else any rounding and masks.
            let mxcsr = if random.below(4) == 0 { random.next() as u32 & 0xffc0 } else { 0x1f80 };
            for cpu in [&mut pair.one.cpu, &mut pair.other.cpu] {
                (cpu.rip, cpu.mxcsr) = (*start, mxcsr);
                cpu.set_rflags(flags);
            }
            let what = format!("seed {seed} round {round}: {text}");
            pair.run(1 << 30, *undefined, &what);
        }
    }
    pair.translated()
}

/// `GOEMU_LOCKSTEP_SEEDS` makes it longer: `cargo xtask lockstep` sets it.
#[test]
fn random_sequences_do_the_same() {
    let seeds = std::env::var("GOEMU_LOCKSTEP_SEEDS").ok().and_then(|text| text.parse().ok());
    let translated: u64 = (0..seeds.unwrap_or(50)).map(|seed| run(seed, 200)).sum();
    assert!(translated > 4000, "{translated}");
}

//! Random loops: comparisons, branches over accesses, indexes and steps, so that what is known of addresses goes round, and comes
//! from comparisons. Both engines must fault at the same round with the same registers.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;
use iced_x86::{Code, Encoder, Instruction, MemoryOperand, Register};

use super::{CODE, DATA, Pair};
use crate::layout;

pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    pub(super) fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.next(all.len() as u64) as usize]
    }
}

pub(super) const REGISTERS: [Register; 6] =
    [Register::RAX, Register::RBX, Register::RSI, Register::RDI, Register::R8, Register::R9];
const NUMBERS: [i32; 10] = [0, 1, 8, 0x40, 0x200, 0xfff, 0x1_0000, 0x7fff_ffff, -1, -0x1000];

pub(super) fn bytes(insn: Result<Instruction, iced_x86::IcedError>) -> Vec<u8> {
    let mut encoder = Encoder::new(64);
    encoder.encode(&insn.unwrap(), 0).unwrap();
    encoder.take_buffer()
}

fn operand(random: &mut Random) -> MemoryOperand {
    let (base, index) = (random.of(&REGISTERS), random.of(&REGISTERS));
    let displacement = random.of(&[0_i64, 8, -8, 0x100, 0x2000]);
    match random.next(3) {
        0 => MemoryOperand::with_base_displ(base, displacement),
        _ => MemoryOperand::with_base_index_scale_displ_size(
            base,
            index,
            random.of(&[1, 1, 2, 8]),
            displacement,
            8,
        ),
    }
}

/// An instruction, perhaps after a comparison and a branch over it.
pub(super) fn piece(random: &mut Random) -> Vec<u8> {
    let (a, b, n) = (random.of(&REGISTERS), random.of(&REGISTERS), random.of(&NUMBERS));
    let small = random.of(&[1_i32, 8, 16, 0x1000, -8]);
    let body = bytes(match random.next(14) {
        0..=2 => Instruction::with2(Code::Mov_r64_rm64, a, operand(random)),
        3 | 4 => Instruction::with2(Code::Mov_rm64_r64, operand(random), a),
        5 => Instruction::with2(Code::Lea_r64_m, a, operand(random)),
        6 => Instruction::with2(Code::Mov_rm64_r64, a, b),
        7 => Instruction::with2(Code::Add_rm64_imm32, a, small),
        8 => Instruction::with2(Code::Sub_rm64_imm32, a, small),
        9 => Instruction::with2(Code::And_rm64_imm32, a, n),
        10 => Instruction::with2(Code::Add_r64_rm64, a, b),
        11 => Instruction::with2(Code::Shl_rm64_imm8, a, random.of(&[1_u32, 3, 5, 6])),
        12 => Instruction::with2(Code::Shr_rm64_imm8, a, random.of(&[1_u32, 29, 30, 33])),
        _ => Instruction::with2(Code::Movzx_r64_rm8, a, operand(random)),
    });
    let compare = match random.next(4) {
        0 => Instruction::with2(Code::Cmp_rm64_r64, random.of(&REGISTERS), random.of(&REGISTERS)),
        1 => Instruction::with2(Code::Cmp_rm64_imm32, random.of(&REGISTERS), n),
        _ => return body,
    };
    // Above, below, not above, not below, and others.
    let condition = random.of(&[7_u8, 2, 6, 3, 7, 3, 12, 4]);
    [bytes(compare), vec![0x70 | condition, body.len() as u8], body].concat()
}

fn program(random: &mut Random) -> Vec<u8> {
    let mut code: Vec<u8> = (0..3 + random.next(9)).flat_map(|_| piece(random)).collect();
    // dec ecx; jne to the front; hlt
    code.extend([0xff, 0xc9, 0x0f, 0x85]);
    code.extend((-(code.len() as i32 + 4)).to_le_bytes());
    code.push(0xf4);
    code
}

fn run(seed: u64) -> (u64, u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let code = program(&mut random);
    let mut pair = Pair::new(&code);
    pair.other.engine.set_heat(0);
    pair.count_edges(seed % 2 == 1);
    let mut rounds = 0;
    for state in 0..6 {
        for n in [gpr::RAX, gpr::RSI, gpr::R9] {
            pair.set(
                n,
                random.of(&[0, 1, 3, 0x10, 0x200, 1 << 33, 1 << 34, (1 << 34) + 8, 1 << 40, u64::MAX]),
            );
        }
        if random.next(2) == 0 {
            // From the data, this leads to what lies below the space: there an access that got out would succeed.
            let below = (layout::RETURNS as i64 as u64).wrapping_sub(DATA).wrapping_add(0x4000);
            pair.set(random.of(&[gpr::RAX, gpr::RSI, gpr::R9]), random.of(&[below, below >> 3, below >> 1]));
        }
        for n in [gpr::RBX, gpr::RDI, gpr::R8] {
            let odd = (1 << 40) - 8 * random.next(4);
            pair.set(n, random.of(&[DATA, DATA + 0x100, DATA + 0x1000, DATA + 0x3ff8, odd]));
        }
        pair.set(gpr::RCX, 30);
        (pair.one.cpu.rip, pair.other.cpu.rip) = (CODE, CODE);
        let exit = pair.run(1 << 20, 0, &format!("seed {seed}, state {state}: {code:02x?}"));
        rounds += u64::from(exit == Exit::Halt);
    }
    (rounds, pair.translated())
}

#[test]
fn random_loops_do_the_same() {
    let seeds = std::env::var("GOEMU_LOCKSTEP_SEEDS").ok().and_then(|text| text.parse().ok());
    let all = (0..seeds.unwrap_or(40) * 25).map(run).fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
    // A good part comes to its end, and what it does is translated.
    assert!(all.0 > 100 && all.1 > 10_000, "{all:?}");
}

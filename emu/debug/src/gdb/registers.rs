//! The registers as gdb numbers them: general purpose, x87, XMM, the upper halves of YMM, the bases of FS and GS.

use gdbstub::arch::{Arch, RegId, Registers};
use goemu::cpu::Cpu;

/// x86-64 with AVX.
pub(super) enum X86 {}

impl Arch for X86 {
    type Usize = u64;
    type Registers = Regs;
    type RegId = Number;
    type BreakpointKind = usize;

    fn target_description_xml() -> Option<&'static str> {
        Some(DESCRIPTION)
    }
}

/// Our numbers of gdb's order: rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8 to r15.
const ORDER: [u8; 16] = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];

/// Segment selectors of a 64-bit process on Linux: cs, ss, ds, es, fs, gs.
const SELECTORS: [u32; 6] = [0x33, 0x2b, 0, 0, 0, 0];

/// Registers as bytes, in gdb's order. `None` for what is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Regs {
    pub(super) bytes: Vec<Option<u8>>,
    pc: u64,
}

/// Bytes of each register: general purpose and RIP, eflags and segments, x87 registers, x87 control, XMM, MXCSR, upper halves
/// of YMM, bases.
const SIZES: [(usize, usize); 8] = [(17, 8), (7, 4), (8, 10), (8, 4), (16, 16), (1, 4), (16, 16), (2, 8)];

/// The place of a register among the bytes: where, how many.
fn place(number: usize) -> Option<(usize, usize)> {
    let (mut first, mut at) = (0, 0);
    for (count, size) in SIZES {
        if number < first + count {
            return Some((at + (number - first) * size, size));
        }
        (first, at) = (first + count, at + count * size);
    }
    None
}

/// The number of a register, in gdb's order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number(pub(super) usize);

impl RegId for Number {
    fn from_raw_id(id: usize) -> Option<(Number, Option<std::num::NonZeroUsize>)> {
        let (_, size) = place(id)?;
        Some((Number(id), std::num::NonZeroUsize::new(size)))
    }
}

impl Registers for Regs {
    type ProgramCounter = u64;

    fn pc(&self) -> u64 {
        self.pc
    }

    fn gdb_serialize(&self, mut write_byte: impl FnMut(Option<u8>)) {
        self.bytes.iter().for_each(|byte| write_byte(*byte));
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        self.bytes = bytes.iter().copied().map(Some).collect();
        Ok(())
    }
}

impl Regs {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes.iter().copied().map(Some));
    }

    /// All of a processor.
    pub(super) fn of(cpu: &Cpu) -> Regs {
        let mut regs = Regs { bytes: Vec::new(), pc: cpu.rip };
        ORDER.iter().for_each(|n| regs.put(&cpu.gpr(*n).to_le_bytes()));
        regs.put(&cpu.rip.to_le_bytes());
        regs.put(&(cpu.rflags() as u32).to_le_bytes());
        SELECTORS.iter().for_each(|selector| regs.put(&selector.to_le_bytes()));
        regs.put_x87(cpu);
        cpu.ymm.iter().for_each(|ymm| regs.put(&ymm[0].to_le_bytes()));
        regs.put(&cpu.mxcsr.to_le_bytes());
        cpu.ymm.iter().for_each(|ymm| regs.put(&ymm[1].to_le_bytes()));
        regs.put(&cpu.fs_base.to_le_bytes());
        regs.put(&cpu.gs_base.to_le_bytes());
        regs
    }

    fn put_x87(&mut self, cpu: &Cpu) {
        let x87 = &cpu.x87;
        for i in 0..8 {
            let value = x87.peek(i);
            self.put(&value.significand.to_le_bytes());
            self.put(&value.exponent.to_le_bytes());
        }
        let tag = (0..8).fold(0_u32, |tag, n| tag | (u32::from(x87.tags >> n & 1 == 0) * (3 << (2 * n))));
        for word in [u32::from(x87.control), u32::from(x87.status), tag, 0, 0, 0, 0, 0] {
            self.put(&word.to_le_bytes());
        }
    }

    /// Those of a goroutine that does not run: of a switch, only these remain.
    pub(super) fn resting(pc: u64, sp: u64, bp: u64) -> Regs {
        let size = SIZES.iter().map(|(count, size)| count * size).sum();
        let mut regs = Regs { bytes: vec![None; size], pc };
        for (number, value) in [(16, pc), (7, sp), (6, bp)] {
            let (at, _) = place(number).unwrap_or_default();
            let bytes = value.to_le_bytes().map(Some);
            regs.bytes[at..at + 8].copy_from_slice(&bytes);
        }
        regs
    }

    /// The bytes of one register; `None` where it is not known.
    pub(super) fn get(&self, Number(number): Number) -> Option<Vec<u8>> {
        let (at, size) = place(number)?;
        self.bytes.get(at..at + size)?.iter().copied().collect()
    }

    /// Changes one.
    pub(super) fn set(&mut self, Number(number): Number, bytes: &[u8]) -> Option<()> {
        let (at, size) = place(number)?;
        let to = self.bytes.get_mut(at..at + size).filter(|_| bytes.len() == size)?;
        to.iter_mut().zip(bytes).for_each(|(to, byte)| *to = Some(*byte));
        Some(())
    }

    fn word(&self, number: usize) -> Option<u128> {
        let bytes = self.get(Number(number))?;
        let mut all = [0; 16];
        all.get_mut(..bytes.len())?.copy_from_slice(&bytes);
        Some(u128::from_le_bytes(all))
    }

    /// Puts them into a processor. x87 and segments stay as they are.
    pub(super) fn write(&self, cpu: &mut Cpu) -> Option<()> {
        for (number, n) in ORDER.iter().enumerate() {
            cpu.set_gpr(*n, self.word(number)? as u64);
        }
        cpu.rip = self.word(16)? as u64;
        cpu.set_rflags(self.word(17)? as u64);
        for n in 0..16 {
            cpu.ymm[n] = [self.word(40 + n)?, self.word(57 + n)?];
        }
        cpu.mxcsr = self.word(56)? as u32;
        (cpu.fs_base, cpu.gs_base) = (self.word(73)? as u64, self.word(74)? as u64);
        Some(())
    }
}

/// What gdb is told of these registers.
const DESCRIPTION: &str = include_str!("target.xml");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_has_the_registers_that_are_sent() {
        let count: usize = SIZES.iter().map(|(count, _)| count).sum();
        assert_eq!(DESCRIPTION.matches("<reg name=").count(), count);
        let bytes: usize = SIZES.iter().map(|(count, size)| count * size).sum();
        assert_eq!(Regs::of(&Cpu::default()).bytes.len(), bytes);
        assert_eq!(place(75), None);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut cpu = Cpu::default();
        let mut regs = Regs::of(&cpu);
        for number in (0..17).chain(40..75) {
            let (_, size) = place(number).unwrap();
            regs.set(Number(number), &vec![number as u8; size]).unwrap();
        }
        regs.write(&mut cpu).unwrap();
        let again = Regs::of(&cpu);
        for number in (0..17).chain(40..75) {
            assert_eq!(again.get(Number(number)), regs.get(Number(number)), "{number}");
        }
        assert_eq!((cpu.rip, cpu.gpr(3)), (0x1010_1010_1010_1010, 0x0101_0101_0101_0101));
    }
}

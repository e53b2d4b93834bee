//! What one instruction reads and writes, as masks: for who follows what is known through code.

use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, OpAccess, Register, RflagsBits, UsedMemory,
};

/// The flags that conditions look at.
const FLAGS: u32 =
    RflagsBits::OF | RflagsBits::SF | RflagsBits::ZF | RflagsBits::AF | RflagsBits::CF | RflagsBits::PF;
/// The bit of the first vector register.
pub(super) const VECTORS: u32 = 16;

/// What an instruction reads and writes.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    /// Registers that it reads: see [`bit`].
    pub(super) reads: u32,
    /// Registers that it writes.
    pub(super) writes: u32,
    pub(super) reads_flags: bool,
    pub(super) writes_flags: bool,
    pub(super) memory: Vec<Access>,
}

/// A place in memory that an instruction names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    /// The registers that its address is made of.
    pub(super) registers: u32,
    base: Option<u8>,
    index: Option<u8>,
    scale: u64,
    displacement: u64,
    /// Of a segment, whose address is not followed.
    pub(super) is_thread_local: bool,
    pub(super) size: u64,
    pub(super) reads: bool,
    pub(super) writes: bool,
}

impl Access {
    /// Its address, with these values of the general-purpose registers.
    pub(super) fn addr(&self, gpr: impl Fn(u8) -> u64) -> u64 {
        let base = self.base.map_or(0, &gpr);
        let index = self.index.map_or(0, &gpr);
        base.wrapping_add(index.wrapping_mul(self.scale)).wrapping_add(self.displacement)
    }
}

/// The bit of a register in masks: sixteen general-purpose ones, sixteen vectors. 0 for all others.
pub(super) fn bit(register: Register) -> u32 {
    if register.is_gpr() {
        return 1 << (register.full_register().number() & 15);
    }
    if register.is_vector_register() && register.number() < 16 {
        return 1 << (VECTORS + register.number() as u32);
    }
    0
}

/// What an instruction reads and writes.
pub(super) fn effects(infos: &mut InstructionInfoFactory, insn: &Instruction) -> Effects {
    let info = infos.info(insn);
    let mut effects = Effects {
        reads_flags: insn.rflags_read() & FLAGS != 0,
        writes_flags: insn.rflags_modified() & FLAGS != 0,
        ..Effects::default()
    };
    for used in info.used_registers() {
        if is_read(used.access()) {
            effects.reads |= bit(used.register());
        }
        if is_written(used.access()) {
            effects.writes |= bit(used.register());
        }
    }
    effects.memory = info.used_memory().iter().map(|used| access(insn, used)).collect();
    effects
}

fn access(insn: &Instruction, used: &UsedMemory) -> Access {
    let number = |register: Register| {
        (register != Register::None && register.is_gpr())
            .then(|| register.full_register().number() as u8 & 15)
    };
    // Addresses relative to RIP come as numbers.
    let (base, index) = (number(used.base()), number(used.index()));
    let at = |register: Option<u8>| register.map_or(0, |n| 1_u32 << n);
    Access {
        registers: at(base) | at(index),
        base,
        index,
        scale: u64::from(used.scale()),
        displacement: used.displacement(),
        is_thread_local: matches!(used.segment(), Register::FS | Register::GS),
        size: match (used.memory_size().size() as u64, insn.flow_control()) {
            (0, FlowControl::Next) => 1,
            (size, _) => size,
        },
        reads: is_read(used.access()),
        writes: is_written(used.access()),
    }
}

fn is_read(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

fn is_written(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions, InstructionInfoFactory, Register};

    use super::{bit, effects};

    fn of(bytes: &[u8]) -> super::Effects {
        let insn = Decoder::with_ip(64, bytes, 0x1000, DecoderOptions::NONE).decode();
        effects(&mut InstructionInfoFactory::new(), &insn)
    }

    #[test]
    fn registers_flags_and_places_are_told() {
        // xor eax, eax: what was in it does not matter.
        let zero = of(&[0x31, 0xc0]);
        assert_eq!((zero.reads, zero.writes, zero.writes_flags), (0, bit(Register::RAX), true));
        // mov [rcx+rdx*2+8], bl
        let store = of(&[0x88, 0x5c, 0x51, 0x08]);
        assert_eq!(store.reads, bit(Register::RBX) | bit(Register::RCX) | bit(Register::RDX));
        assert_eq!((store.writes, store.memory[0].size, store.memory[0].writes), (0, 1, true));
        let registers = |n| [0, 100, 10, 0][usize::from(n)];
        assert_eq!(store.memory[0].addr(registers), 128);
        // mov rax, [rip+0x10]
        let load = of(&[0x48, 0x8b, 0x05, 0x10, 0, 0, 0]);
        assert_eq!((load.memory[0].addr(|_| 0), load.memory[0].registers), (0x1017, 0));
        // cmovl eax, ecx
        assert!(of(&[0x0f, 0x4c, 0xc1]).reads_flags);
    }
}

//! Operations: decoded instructions, with everything resolved that does not depend on the machine's state.

use iced_x86::{EncodingKind, Instruction, OpKind, Register};

use crate::cpu::{Cpu, ZERO, register_number};
use crate::exit::Trap;
use crate::memory::Memory;

/// Where control goes after an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// To the next one.
    Next,
    /// To the target that the block names.
    Taken,
    /// To [`Cpu::rip`], which the handler has set.
    Indirect,
}

/// A handler's result. `?` propagates a trap of the guest.
pub(crate) type Step = Result<Flow, Trap>;

/// Executes one operation. A free function, specialised by width and by the locations of the operands.
pub(crate) type Handler = fn(&mut Cpu, &mut Memory, &Op) -> Step;

/// One instruction, ready to run: half a cache line.
#[derive(Clone, Copy)]
pub(crate) struct Op {
    /// What it does.
    pub(crate) run: Handler,
    /// The immediate, sign-extended; for calls the return address; for two immediates, the second in
    /// bits 32 and up.
    pub(crate) imm: u64,
    /// Displacement of the memory operand; RIP is included if the address is relative to it.
    pub(crate) disp: u64,
    /// Register number of each operand that is a register.
    pub(crate) reg: [u8; 4],
    /// Base of the memory operand.
    pub(crate) base: u8,
    /// Index of the memory operand.
    pub(crate) index: u8,
    /// Shift of the index ([`SHIFT`]), the form of vector operands ([`VEX`], [`WIDE`], [`IN_MEMORY`]), and [`CHOSEN`].
    scale: u8,
    /// Segment base and address size of the memory operand, if they are not the usual ones.
    pub(crate) odd: AddressMode,
}

/// In [`Op::scale`]: the shift.
const SHIFT: u8 = 3;
/// In [`Op::scale`]: the encoding is VEX.
const VEX: u8 = 4;
/// In [`Op::scale`]: there is a YMM register.
const WIDE: u8 = 8;
/// In [`Op::scale`]: one of the operands is in memory.
const IN_MEMORY: u8 = 16;

/// In [`Op::scale`]: a watch has chosen the instruction.
const CHOSEN: u8 = 32;

/// What an address may have besides base, index and displacement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressMode {
    /// Nothing.
    No,
    /// The base of FS is added.
    Fs,
    /// The base of GS is added.
    Gs,
    /// Cut to 32 bits (prefix 67h).
    Short,
    /// Cut to 32 bits, the base of FS added.
    ShortFs,
    /// Cut to 32 bits, the base of GS added.
    ShortGs,
}

impl Op {
    /// An operation with an instruction's operands and this handler.
    pub(crate) fn new(run: Handler, insn: &Instruction) -> Op {
        let mut op = Op {
            run,
            imm: insn.next_ip(),
            disp: insn.memory_displacement64(),
            reg: [0; 4],
            base: slot(insn.memory_base()),
            index: slot(insn.memory_index()),
            scale: insn.memory_index_scale().trailing_zeros() as u8 | encoding(insn),
            odd: odd_address(insn),
        };
        let mut immediates = 0;
        for n in 0..insn.op_count().min(4) {
            match insn.op_kind(n) {
                OpKind::Register => {
                    let register = insn.op_register(n);
                    op.reg[n as usize] = register_number(register).unwrap_or(0);
                    op.scale |= if register.is_ymm() { WIDE } else { 0 };
                }
                OpKind::Memory => op.scale |= IN_MEMORY,
                OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {}
                kind if is_immediate(kind) => {
                    let imm = insn.try_immediate(n).unwrap_or(0);
                    op.imm = if immediates == 0 { imm } else { op.imm & 0xffff_ffff | imm << 32 };
                    immediates += 1;
                }
                _ => {}
            }
        }
        op
    }

    /// Whether the encoding is VEX, so that the destination is cleared above the result.
    #[inline(always)]
    pub(crate) fn is_vex(&self) -> bool {
        self.scale & VEX != 0
    }

    /// Whether there is a YMM register.
    #[inline(always)]
    pub(crate) fn is_wide(&self) -> bool {
        self.scale & WIDE != 0
    }

    /// Whether one of the operands is in memory.
    #[inline(always)]
    pub(crate) fn in_memory(&self) -> bool {
        self.scale & IN_MEMORY != 0
    }

    /// The same operation, which a watch has chosen.
    pub(crate) fn to_be_shown(mut self) -> Op {
        self.scale |= CHOSEN;
        self
    }

    /// Whether a watch has chosen it.
    #[inline(always)]
    pub(crate) fn is_chosen(&self) -> bool {
        self.scale & CHOSEN != 0
    }

    /// The address of the memory operand.
    #[inline(always)]
    pub(crate) fn addr(&self, cpu: &Cpu) -> u64 {
        self.addr_at(cpu, cpu.gpr(self.index))
    }

    /// The address of the memory operand for an index that is not in a general-purpose register.
    #[inline(always)]
    pub(crate) fn addr_at(&self, cpu: &Cpu, index: u64) -> u64 {
        let addr = cpu.gpr(self.base).wrapping_add(index << (self.scale & SHIFT)).wrapping_add(self.disp);
        if self.odd == AddressMode::No { addr } else { self.odd_addr(cpu, addr) }
    }

    #[cold]
    #[inline(never)]
    fn odd_addr(&self, cpu: &Cpu, addr: u64) -> u64 {
        let short = addr & 0xffff_ffff;
        match self.odd {
            AddressMode::No => addr,
            AddressMode::Fs => addr.wrapping_add(cpu.fs_base),
            AddressMode::Gs => addr.wrapping_add(cpu.gs_base),
            AddressMode::Short => short,
            AddressMode::ShortFs => short.wrapping_add(cpu.fs_base),
            AddressMode::ShortGs => short.wrapping_add(cpu.gs_base),
        }
    }
}

/// Whether an operand is an immediate.
pub(crate) fn is_immediate(kind: OpKind) -> bool {
    matches!(
        kind,
        OpKind::Immediate8
            | OpKind::Immediate8_2nd
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

/// The slot of the register file for a base or index. RIP is part of the displacement already; the index of
/// a gather is the number of a vector register.
fn slot(register: Register) -> u8 {
    match register {
        Register::None | Register::RIP | Register::EIP => ZERO,
        other => register_number(other).unwrap_or(ZERO),
    }
}

fn encoding(insn: &Instruction) -> u8 {
    if insn.code().encoding() == EncodingKind::VEX { VEX } else { 0 }
}

fn odd_address(insn: &Instruction) -> AddressMode {
    let short = insn.memory_base().size() == 4
        || (insn.memory_index().is_gpr32())
        || (insn.memory_base() == Register::None
            && insn.memory_index() == Register::None
            && insn.memory_displ_size() == 4);
    match (insn.segment_prefix(), short) {
        (Register::FS, false) => AddressMode::Fs,
        (Register::GS, false) => AddressMode::Gs,
        (Register::FS, true) => AddressMode::ShortFs,
        (Register::GS, true) => AddressMode::ShortGs,
        (_, true) => AddressMode::Short,
        (_, false) => AddressMode::No,
    }
}

//! Operands: their widths and locations, and how handlers read and write them.

use iced_x86::{Instruction, OpKind};

use super::op::{Op, is_immediate};
use crate::alu::Uint;
use crate::cpu::Cpu;
use crate::exit::Trap;
use crate::memory::{MemFault, Memory};

/// An integer that memory can hold.
pub(crate) trait Int: Uint {
    /// Loads it.
    fn load(memory: &Memory, addr: u64) -> Result<Self, MemFault>;
    /// Stores it.
    fn store(self, memory: &mut Memory, addr: u64) -> Result<(), MemFault>;
}

macro_rules! int {
    ($($t:ty)*) => { $(
        impl Int for $t {
            #[inline(always)]
            fn load(memory: &Memory, addr: u64) -> Result<Self, MemFault> {
                memory.read(addr).map(<$t>::from_le_bytes)
            }
            #[inline(always)]
            fn store(self, memory: &mut Memory, addr: u64) -> Result<(), MemFault> {
                memory.write(addr, self.to_le_bytes())
            }
        }
    )* };
}

int! { u8 u16 u32 u64 }

/// A location that can be read.
pub(crate) trait Source {
    /// Reads it.
    fn get<T: Int>(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<T, Trap>;
}

/// A location that can be read and written.
pub(crate) trait Place: Source {
    /// Whether it is memory.
    const IN_MEMORY: bool;
    /// Writes it.
    fn put<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op, value: T) -> Result<(), Trap>;
}

/// Operand `N` is a general-purpose register.
pub(crate) struct Reg<const N: usize>;
/// The memory operand.
pub(crate) struct Mem;
/// The (first) immediate.
pub(crate) struct Imm;

impl<const N: usize> Source for Reg<N> {
    #[inline(always)]
    fn get<T: Int>(cpu: &Cpu, _: &Memory, op: &Op) -> Result<T, Trap> {
        Ok(cpu.read(op.reg[N]))
    }
}

impl<const N: usize> Place for Reg<N> {
    const IN_MEMORY: bool = false;
    #[inline(always)]
    fn put<T: Int>(cpu: &mut Cpu, _: &mut Memory, op: &Op, value: T) -> Result<(), Trap> {
        cpu.write(op.reg[N], value);
        Ok(())
    }
}

impl Source for Mem {
    #[inline(always)]
    fn get<T: Int>(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<T, Trap> {
        Ok(T::load(memory, op.addr(cpu))?)
    }
}

impl Place for Mem {
    const IN_MEMORY: bool = true;
    #[inline(always)]
    fn put<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op, value: T) -> Result<(), Trap> {
        Ok(value.store(memory, op.addr(cpu))?)
    }
}

impl Source for Imm {
    #[inline(always)]
    fn get<T: Int>(_: &Cpu, _: &Memory, op: &Op) -> Result<T, Trap> {
        Ok(T::truncate(op.imm))
    }
}

/// The kind of an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A register.
    Reg,
    /// Memory, with base, index and displacement.
    Mem,
    /// An immediate.
    Imm,
    /// No operand, an implied one, or a branch target.
    Other,
}

/// The form of operand `n`.
pub(crate) fn form(insn: &Instruction, n: u32) -> Form {
    if n >= insn.op_count() {
        return Form::Other;
    }
    match insn.op_kind(n) {
        OpKind::Register => Form::Reg,
        OpKind::Memory => Form::Mem,
        kind if is_immediate(kind) => Form::Imm,
        _ => Form::Other,
    }
}

/// Bytes of operand `n`: a register's own, a memory operand's, for an immediate those of operand 0.
pub(crate) fn width(insn: &Instruction, n: u32) -> usize {
    match form(insn, n) {
        Form::Reg => insn.op_register(n).size(),
        Form::Mem => insn.memory_size().size(),
        Form::Imm if n > 0 => width(insn, 0),
        _ => 0,
    }
}

/// An expression with `$T` as the integer of `$width` bytes; `None` where there is no such integer.
macro_rules! by_width {
    ($width:expr, $T:ident => $handler:expr) => {
        match $width {
            1 => {
                type $T = u8;
                Some($handler as $crate::interp::op::Handler)
            }
            wide => $crate::interp::operand::by_wide_width!(wide, $T => $handler),
        }
    };
}

/// The same for the widths that all but byte operations have.
macro_rules! by_wide_width {
    ($width:expr, $T:ident => $handler:expr) => {
        match $width {
            2 => {
                type $T = u16;
                Some($handler as $crate::interp::op::Handler)
            }
            4 => {
                type $T = u32;
                Some($handler as $crate::interp::op::Handler)
            }
            8 => {
                type $T = u64;
                Some($handler as $crate::interp::op::Handler)
            }
            _ => None,
        }
    };
}
pub(crate) use {by_wide_width, by_width};

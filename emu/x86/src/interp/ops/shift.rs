//! Shifts and rotates: SHL SHR SAR ROL ROR RCL RCR SHLD SHRD, and SHLX SHRX SARX RORX of BMI2.

use iced_x86::{Instruction, OpKind, Register};

use crate::alu::{Uint, shift};
use crate::cpu::{Cpu, Flags, gpr};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Imm, Int, Mem, Place, Reg, Source, by_wide_width, by_width, form, width};
use crate::memory::Memory;

/// A shift by a count.
pub(crate) trait Shift {
    /// Result and flags.
    fn apply<T: Uint>(a: T, count: u8, flags: Flags) -> (T, Flags);
}

/// A shift that fills from a second operand.
pub(crate) trait DoubleShift {
    /// Result and flags.
    fn apply<T: Uint>(a: T, b: T, count: u8, flags: Flags) -> (T, Flags);
}

/// A shift without flags, its count as wide as its operand.
pub(crate) trait PlainShift {
    /// Result.
    fn apply<T: Uint>(a: T, count: T) -> T;
}

operations! { Shift (a: T, count: u8, flags: Flags) -> (T, Flags):
    Shl = shift::shl;
    Shr = shift::shr;
    Sar = shift::sar;
    Rol = shift::rol;
    Ror = shift::ror;
    RolBy = shift::rol_by;
    RorBy = shift::ror_by;
    Rcl = shift::rcl;
    Rcr = shift::rcr;
}

operations! { DoubleShift (a: T, b: T, count: u8, flags: Flags) -> (T, Flags):
    Shld = shift::shld;
    Shrd = shift::shrd;
}

operations! { PlainShift (a: T, count: T) -> T:
    Shlx = shift::shlx;
    Shrx = shift::shrx;
    Sarx = shift::sarx;
}

/// The count is CL.
pub(crate) struct Cl;

impl Source for Cl {
    #[inline(always)]
    fn get<T: Int>(cpu: &Cpu, _: &Memory, _: &Op) -> Result<T, crate::exit::Trap> {
        Ok(cpu.read(gpr::RCX))
    }
}

#[inline(always)]
fn run_shift<T: Int, A: Place, N: Source, F: Shift>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, count) = (A::get::<T>(cpu, memory, op)?, N::get::<u8>(cpu, memory, op)?);
    let (r, flags) = F::apply(a, count, cpu.flags);
    A::put(cpu, memory, op, r)?;
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// First operand shifted by the second: an immediate (1 included) or CL.
pub(crate) fn shift<F: Shift>(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), by_cl(insn, 1)) {
        (Form::Reg, false) => by_width!(width(insn, 0), T => run_shift::<T, Reg<0>, Imm, F>),
        (Form::Reg, true) => by_width!(width(insn, 0), T => run_shift::<T, Reg<0>, Cl, F>),
        (Form::Mem, false) => by_width!(width(insn, 0), T => run_shift::<T, Mem, Imm, F>),
        (Form::Mem, true) => by_width!(width(insn, 0), T => run_shift::<T, Mem, Cl, F>),
        _ => None,
    }
}

/// ROL, ROR: those of a register by an immediate do something else to OF.
pub(crate) fn rotate<ByCl: Shift, ByNumber: Shift>(insn: &Instruction) -> Option<Handler> {
    let by_number = insn.op0_kind() == OpKind::Register && !by_cl(insn, 1);
    if by_number { shift::<ByNumber>(insn) } else { shift::<ByCl>(insn) }
}

fn by_cl(insn: &Instruction, n: u32) -> bool {
    insn.op_kind(n) == OpKind::Register && insn.op_register(n) == Register::CL
}

fn run_double<T: Int, A: Place, N: Source, F: DoubleShift>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (a, b) = (A::get::<T>(cpu, memory, op)?, cpu.read::<T>(op.reg[1]));
    let (r, flags) = F::apply(a, b, N::get::<u8>(cpu, memory, op)?, cpu.flags);
    A::put(cpu, memory, op, r)?;
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// SHLD, SHRD: the count is an immediate or CL.
pub(crate) fn double_shift<F: DoubleShift>(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), by_cl(insn, 2)) {
        (Form::Reg, false) => by_wide_width!(width(insn, 0), T => run_double::<T, Reg<0>, Imm, F>),
        (Form::Reg, true) => by_wide_width!(width(insn, 0), T => run_double::<T, Reg<0>, Cl, F>),
        (Form::Mem, false) => by_wide_width!(width(insn, 0), T => run_double::<T, Mem, Imm, F>),
        (Form::Mem, true) => by_wide_width!(width(insn, 0), T => run_double::<T, Mem, Cl, F>),
        _ => None,
    }
}

fn run_plain<T: Int, A: Source, F: PlainShift>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let r = F::apply(A::get::<T>(cpu, memory, op)?, cpu.read::<T>(op.reg[2]));
    cpu.write(op.reg[0], r);
    Ok(Flow::Next)
}

/// SHLX, SHRX, SARX: second operand shifted by the third.
pub(crate) fn plain_shift<F: PlainShift>(insn: &Instruction) -> Option<Handler> {
    match form(insn, 1) {
        Form::Reg => by_wide_width!(width(insn, 0), T => run_plain::<T, Reg<1>, F>),
        Form::Mem => by_wide_width!(width(insn, 0), T => run_plain::<T, Mem, F>),
        _ => None,
    }
}

fn run_rorx<T: Int, A: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let r = shift::rorx(A::get::<T>(cpu, memory, op)?, op.imm as u8);
    cpu.write(op.reg[0], r);
    Ok(Flow::Next)
}

/// RORX
pub(crate) fn rorx(insn: &Instruction) -> Option<Handler> {
    match form(insn, 1) {
        Form::Reg => by_wide_width!(width(insn, 0), T => run_rorx::<T, Reg<1>>),
        Form::Mem => by_wide_width!(width(insn, 0), T => run_rorx::<T, Mem>),
        _ => None,
    }
}

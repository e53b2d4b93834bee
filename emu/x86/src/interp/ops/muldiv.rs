//! Products and quotients: MUL IMUL DIV IDIV MULX, and CBW CWD and their kin, which prepare them.

use iced_x86::Instruction;

use crate::alu::{Uint, muldiv};
use crate::cpu::{Cpu, HIGH, gpr};
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Imm, Int, Mem, Reg, Source, by_wide_width, by_width, form, width};
use crate::memory::Memory;

/// Where the high half of a product or dividend is: AH for bytes, else DX.
const fn high<T: Uint>() -> u8 {
    if T::BITS == 8 { gpr::RAX | HIGH } else { gpr::RDX }
}

fn run_mul<T: Int, B: Source, const SIGNED: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (cpu.read::<T>(gpr::RAX), B::get::<T>(cpu, memory, op)?);
    let (low, top, flags) = if SIGNED { muldiv::imul(a, b) } else { muldiv::mul(a, b) };
    cpu.write(gpr::RAX, low);
    cpu.write(high::<T>(), top);
    cpu.flags = flags;
    Ok(Flow::Next)
}

fn wide_mul<const SIGNED: bool>(insn: &Instruction) -> Option<Handler> {
    match form(insn, 0) {
        Form::Reg => by_width!(width(insn, 0), T => run_mul::<T, Reg<0>, SIGNED>),
        Form::Mem => by_width!(width(insn, 0), T => run_mul::<T, Mem, SIGNED>),
        _ => None,
    }
}

/// MUL
pub(crate) fn mul(insn: &Instruction) -> Option<Handler> {
    wide_mul::<false>(insn)
}

#[inline(always)]
fn run_imul<T: Int, A: Source, B: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (A::get::<T>(cpu, memory, op)?, B::get::<T>(cpu, memory, op)?);
    let (low, _, flags) = muldiv::imul(a, b);
    cpu.write(op.reg[0], low);
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// IMUL of one, two or three operands.
pub(crate) fn imul(insn: &Instruction) -> Option<Handler> {
    match (insn.op_count(), form(insn, 1)) {
        (1, _) => wide_mul::<true>(insn),
        (2, Form::Reg) => by_wide_width!(width(insn, 0), T => run_imul::<T, Reg<0>, Reg<1>>),
        (2, Form::Mem) => by_wide_width!(width(insn, 0), T => run_imul::<T, Reg<0>, Mem>),
        (3, Form::Reg) => by_wide_width!(width(insn, 0), T => run_imul::<T, Reg<1>, Imm>),
        (3, Form::Mem) => by_wide_width!(width(insn, 0), T => run_imul::<T, Mem, Imm>),
        _ => None,
    }
}

fn run_div<T: Int, B: Source, const SIGNED: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let divisor = B::get::<T>(cpu, memory, op)?;
    let (top, low) = (cpu.read::<T>(high::<T>()), cpu.read::<T>(gpr::RAX));
    let divide = if SIGNED { muldiv::idiv } else { muldiv::div };
    let (quotient, remainder) = divide(top, low, divisor).ok_or(Trap::new(TrapKind::Divide))?;
    cpu.write(gpr::RAX, quotient);
    cpu.write(high::<T>(), remainder);
    Ok(Flow::Next)
}

fn divide<const SIGNED: bool>(insn: &Instruction) -> Option<Handler> {
    match form(insn, 0) {
        Form::Reg => by_width!(width(insn, 0), T => run_div::<T, Reg<0>, SIGNED>),
        Form::Mem => by_width!(width(insn, 0), T => run_div::<T, Mem, SIGNED>),
        _ => None,
    }
}

/// DIV
pub(crate) fn div(insn: &Instruction) -> Option<Handler> {
    divide::<false>(insn)
}

/// IDIV
pub(crate) fn idiv(insn: &Instruction) -> Option<Handler> {
    divide::<true>(insn)
}

fn run_mulx<T: Int, B: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (cpu.read::<T>(gpr::RDX), B::get::<T>(cpu, memory, op)?);
    let (low, top, _) = muldiv::mul(a, b);
    // With one register twice, the high half is what stays.
    cpu.write(op.reg[1], low);
    cpu.write(op.reg[0], top);
    Ok(Flow::Next)
}

/// MULX
pub(crate) fn mulx(insn: &Instruction) -> Option<Handler> {
    match form(insn, 2) {
        Form::Reg => by_wide_width!(width(insn, 0), T => run_mulx::<T, Reg<2>>),
        Form::Mem => by_wide_width!(width(insn, 0), T => run_mulx::<T, Mem>),
        _ => None,
    }
}

/// Half of the accumulator, sign-extended into all of it: CBW, CWDE, CDQE.
fn run_widen<H: Int, T: Int>(cpu: &mut Cpu, _: &mut Memory, _: &Op) -> Step {
    let wide = T::truncate(cpu.read::<H>(gpr::RAX).sext());
    cpu.write(gpr::RAX, wide);
    Ok(Flow::Next)
}

/// CBW
pub(crate) fn cbw(_: &Instruction) -> Option<Handler> {
    Some(run_widen::<u8, u16>)
}

/// CWDE
pub(crate) fn cwde(_: &Instruction) -> Option<Handler> {
    Some(run_widen::<u16, u32>)
}

/// CDQE
pub(crate) fn cdqe(_: &Instruction) -> Option<Handler> {
    Some(run_widen::<u32, u64>)
}

/// The accumulator's sign in all of DX: CWD, CDQ, CQO.
fn run_sign<T: Int>(cpu: &mut Cpu, _: &mut Memory, _: &Op) -> Step {
    let sign = if cpu.read::<T>(gpr::RAX).is_negative() { !T::ZERO } else { T::ZERO };
    cpu.write(gpr::RDX, sign);
    Ok(Flow::Next)
}

/// CWD
pub(crate) fn cwd(_: &Instruction) -> Option<Handler> {
    Some(run_sign::<u16>)
}

/// CDQ
pub(crate) fn cdq(_: &Instruction) -> Option<Handler> {
    Some(run_sign::<u32>)
}

/// CQO
pub(crate) fn cqo(_: &Instruction) -> Option<Handler> {
    Some(run_sign::<u64>)
}

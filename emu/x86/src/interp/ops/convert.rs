//! Between floats and general-purpose registers: CVTSI2SD and back, COMISD.

use iced_x86::Instruction;

use super::packed::{self, Load, Xmm, is_vex, set_lane, with_mxcsr, ymm};
use crate::alu::float::{self, Float, HostFloat, Rounding};
use crate::alu::simd::{Element, first, with_first};
use crate::cpu::{Cpu, Flags, Rflags};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, Mem, Reg, Source, form, width};
use crate::memory::Memory;

#[inline(always)]
fn run_compare<F: Float + Element, S: packed::Source, const SIGNALING: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (a, b) = (first::<F>(ymm(cpu, op.reg[0])[0]), first::<F>(S::get::<true>(cpu, memory, op)?));
    let flags = with_mxcsr(cpu, memory, |env| float::compare_flags(a, b, SIGNALING, env))?;
    cpu.flags = Flags::from_rflags(Rflags::from_bits_truncate(flags));
    Ok(Flow::Next)
}

/// UCOMISS, UCOMISD; signaling: COMISS, COMISD
pub(crate) fn compare<F: Float + Element, const SIGNALING: bool>(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    match (form(insn, 1), F::BITS) {
        (Form::Reg, _) => Some(run_compare::<F, Xmm<1>, SIGNALING>),
        (Form::Mem, 32) => Some(run_compare::<F, Load<4>, SIGNALING>),
        (Form::Mem, _) => Some(run_compare::<F, Load<8>, SIGNALING>),
        _ => None,
    }
}

/// The rest of the lane is that of operand `A`.
#[inline(always)]
fn run_from_integer<F: HostFloat + Element, T: Int, S: Source, const A: usize, const VEX: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (rest, integer) = (ymm(cpu, op.reg[A])[0], S::get::<T>(cpu, memory, op)?.sext() as i64);
    let number: F = with_mxcsr(cpu, memory, |env| float::from_i64(integer, env))?;
    set_lane::<VEX>(cpu, op, with_first(rest, number));
    Ok(Flow::Next)
}

/// CVTSI2SS, CVTSI2SD
pub(crate) fn from_integer<F: HostFloat + Element>(insn: &Instruction) -> Option<Handler> {
    let vex = is_vex(insn)?;
    let n = if vex { 2 } else { 1 };
    Some(match (vex, form(insn, n), width(insn, n)) {
        (false, Form::Reg, 4) => run_from_integer::<F, u32, Reg<1>, 0, false>,
        (false, Form::Reg, 8) => run_from_integer::<F, u64, Reg<1>, 0, false>,
        (false, Form::Mem, 4) => run_from_integer::<F, u32, Mem, 0, false>,
        (false, Form::Mem, 8) => run_from_integer::<F, u64, Mem, 0, false>,
        (true, Form::Reg, 4) => run_from_integer::<F, u32, Reg<2>, 1, true>,
        (true, Form::Reg, 8) => run_from_integer::<F, u64, Reg<2>, 1, true>,
        (true, Form::Mem, 4) => run_from_integer::<F, u32, Mem, 1, true>,
        (true, Form::Mem, 8) => run_from_integer::<F, u64, Mem, 1, true>,
        _ => return None,
    })
}

#[inline(always)]
fn run_to_integer<F: Float + Element, S: packed::Source, const TRUNCATE: bool, const WIDE: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let number = first::<F>(S::get::<true>(cpu, memory, op)?);
    let integer = with_mxcsr(cpu, memory, |env| {
        let rounding = if TRUNCATE { Rounding::Zero } else { env.rounding() };
        if WIDE {
            float::to_i64(number, rounding, env) as u64
        } else {
            float::to_i32(number, rounding, env) as u32 as u64
        }
    })?;
    cpu.set_gpr(op.reg[0], integer);
    Ok(Flow::Next)
}

/// CVTSS2SI, CVTSD2SI; truncating: CVTTSS2SI, CVTTSD2SI
pub(crate) fn to_integer<F: Float + Element, const TRUNCATE: bool>(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    if width(insn, 0) == 8 {
        to_width::<F, TRUNCATE, true>(insn)
    } else {
        to_width::<F, TRUNCATE, false>(insn)
    }
}

fn to_width<F: Float + Element, const TRUNCATE: bool, const WIDE: bool>(
    insn: &Instruction,
) -> Option<Handler> {
    match (form(insn, 1), F::BITS) {
        (Form::Reg, _) => Some(run_to_integer::<F, Xmm<1>, TRUNCATE, WIDE>),
        (Form::Mem, 32) => Some(run_to_integer::<F, Load<4>, TRUNCATE, WIDE>),
        (Form::Mem, _) => Some(run_to_integer::<F, Load<8>, TRUNCATE, WIDE>),
        _ => None,
    }
}

//! Vector instructions whose elements change their size: PMOVSX and its kin widen, CVTPD2PS and its kin narrow.

use iced_x86::Instruction;

use super::packed::{Load, Source, Xmm, choose, is_vex, load256, set_lane, with_mxcsr, ymm};
use crate::alu::float::Mxcsr;
use crate::cpu::Cpu;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, form};
use crate::memory::{Access, Memory};

/// Makes a lane of a part of one.
pub(crate) trait Widen {
    /// Where one lane's elements are in memory.
    type Mem: Source;
    /// Where two lanes' elements are in memory.
    type WideMem: Source;

    /// The lane that the elements of `a` give, from the low one on (`upper` 0) or for the upper lane (1).
    fn apply(a: u128, upper: usize, env: &mut Mxcsr) -> u128;
}

/// Makes half a lane of a lane.
pub(crate) trait Narrow {
    /// The narrowed elements.
    fn apply(a: u128, imm: u8, env: &mut Mxcsr) -> u64;
}

/// One lane, not inlined in the handlers that share it.
#[inline(never)]
fn lane<F: Widen>(a: u128, upper: usize, env: &mut Mxcsr) -> u128 {
    F::apply(a, upper, env)
}

fn run_widen<F: Widen, S: Source, const VEX: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let source = S::get::<VEX>(cpu, memory, op)?;
    let result = with_mxcsr(cpu, |env| lane::<F>(source, 0, env))?;
    set_lane::<VEX>(cpu, op, result);
    Ok(Flow::Next)
}

fn run_widen256<F: Widen, S: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let source = S::get::<true>(cpu, memory, op)?;
    let lanes = with_mxcsr(cpu, |env| [lane::<F>(source, 0, env), lane::<F>(source, 1, env)])?;
    cpu.ymm[usize::from(op.reg[0] & 15)] = lanes;
    Ok(Flow::Next)
}

/// First operand = the low elements of the second, widened.
pub(crate) fn widen<F: Widen>(insn: &Instruction) -> Option<Handler> {
    match (is_vex(insn)?, insn.op0_register().is_ymm()) {
        (false, _) => choose(insn, 1, run_widen::<F, Xmm<1>, false>, run_widen::<F, F::Mem, false>),
        (true, false) => choose(insn, 1, run_widen::<F, Xmm<1>, true>, run_widen::<F, F::Mem, true>),
        (true, true) => choose(insn, 1, run_widen256::<F, Xmm<1>>, run_widen256::<F, F::WideMem>),
    }
}

fn run_narrow<F: Narrow, S: Source, const VEX: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let source = S::get::<VEX>(cpu, memory, op)?;
    let half = with_mxcsr(cpu, |env| F::apply(source, op.imm as u8, env))?;
    set_lane::<VEX>(cpu, op, half.into());
    Ok(Flow::Next)
}

/// Both halves of the result.
#[inline(always)]
fn narrow_ymm<F: Narrow>(cpu: &mut Cpu, source: [u128; 2], imm: u8) -> Result<u128, crate::exit::Trap> {
    with_mxcsr(cpu, |env| {
        let low = F::apply(source[0], imm, env);
        u128::from(low) | u128::from(F::apply(source[1], imm, env)) << 64
    })
}

fn run_narrow256<F: Narrow, const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let source = if MEM { load256(cpu, memory, op)? } else { ymm(cpu, op.reg[1]) };
    let lane = narrow_ymm::<F>(cpu, source, op.imm as u8)?;
    set_lane::<true>(cpu, op, lane);
    Ok(Flow::Next)
}

/// First operand = the elements of the second, narrowed; the rest of the register is cleared.
pub(crate) fn narrow<F: Narrow>(insn: &Instruction) -> Option<Handler> {
    let wide = insn.op1_register().is_ymm() || insn.memory_size().size() == 32;
    match (is_vex(insn)?, wide) {
        (false, _) => choose(insn, 1, run_narrow::<F, Xmm<1>, false>, run_narrow::<F, Load<16>, false>),
        (true, false) => choose(insn, 1, run_narrow::<F, Xmm<1>, true>, run_narrow::<F, Load<16>, true>),
        (true, true) => choose(insn, 1, run_narrow256::<F, false>, run_narrow256::<F, true>),
    }
}

fn run_narrow_store<F: Narrow, const WIDE: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (source, addr) = (ymm(cpu, op.reg[1]), op.addr(cpu));
    memory.check(addr, if WIDE { 16 } else { 8 }, Access::Write)?;
    if WIDE {
        let lane = narrow_ymm::<F>(cpu, source, op.imm as u8)?;
        memory.write(addr, lane.to_le_bytes())?;
    } else {
        let half = with_mxcsr(cpu, |env| F::apply(source[0], op.imm as u8, env))?;
        memory.write(addr, half.to_le_bytes())?;
    }
    Ok(Flow::Next)
}

/// VCVTPS2PH, whose first operand may be memory.
pub(crate) fn narrow_store<F: Narrow>(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), insn.op1_register().is_ymm()) {
        (Form::Mem, false) => is_vex(insn)?.then_some(run_narrow_store::<F, false>),
        (Form::Mem, true) => is_vex(insn)?.then_some(run_narrow_store::<F, true>),
        _ => narrow::<F>(insn),
    }
}

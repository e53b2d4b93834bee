//! Vector instructions whose elements change their size: PMOVSX and its kin widen, CVTPD2PS and its kin narrow.

use iced_x86::Instruction;

use super::packed::{
    Source, choose_any, is_vex, on_host, set_lane, set_low, set_result, set_ymm, source, with_mxcsr, ymm,
};
use crate::alu::float::Mxcsr;
use crate::alu::float::host::{self, Host};
use crate::cpu::Cpu;
use crate::exit::Trap;
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

/// [`Widen::apply`].
type ApplyWiden = fn(u128, usize, &mut Mxcsr) -> u128;

/// All forms of one operation, distinguished at run time. `bytes` are the sizes in memory of one lane's and of two
/// lanes' elements.
#[inline(never)]
fn widen_lanes(cpu: &mut Cpu, memory: &mut Memory, op: &Op, bytes: [usize; 2], apply: ApplyWiden) -> Step {
    let source = source(cpu, memory, op, 1, bytes[usize::from(op.is_wide())])?[0];
    if op.is_wide() {
        let lanes = with_mxcsr(cpu, memory, |env| [apply(source, 0, env), apply(source, 1, env)])?;
        set_ymm(cpu, op, lanes);
    } else {
        let low = with_mxcsr(cpu, memory, |env| apply(source, 0, env))?;
        set_low(cpu, op, low);
    }
    Ok(Flow::Next)
}

fn run_widen<F: Widen>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    widen_lanes(cpu, memory, op, [F::Mem::BYTES, F::WideMem::BYTES], F::apply)
}

fn run_widen_on<F: Widen, H: Host>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let wide = op.is_wide();
    let source = source(cpu, memory, op, 1, if wide { F::WideMem::BYTES } else { F::Mem::BYTES })?;
    let Some(lanes) = on_host::<H>(cpu, memory, op, [source; 3], wide) else {
        return run_widen::<F>(cpu, memory, op);
    };
    set_result(cpu, op, lanes);
    Ok(Flow::Next)
}

/// As [`widen`], by the host where it is one that can.
pub(crate) fn widen_on<F: Widen, H: Host>(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    choose_any(insn, 1, if host::available() { run_widen_on::<F, H> } else { run_widen::<F> })
}

/// First operand = the low elements of the second, widened.
pub(crate) fn widen<F: Widen>(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    choose_any(insn, 1, run_widen::<F>)
}

fn run_narrow<F: Narrow>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let source = source(cpu, memory, op, 1, 16)?[0];
    let half = with_mxcsr(cpu, memory, |env| F::apply(source, op.imm as u8, env))?;
    set_low(cpu, op, half.into());
    Ok(Flow::Next)
}

/// Both halves of the result.
#[inline(always)]
fn narrow_ymm<F: Narrow>(cpu: &mut Cpu, memory: &Memory, source: [u128; 2], imm: u8) -> Result<u128, Trap> {
    with_mxcsr(cpu, memory, |env| {
        let low = F::apply(source[0], imm, env);
        u128::from(low) | u128::from(F::apply(source[1], imm, env)) << 64
    })
}

fn run_narrow256<F: Narrow>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let source = source(cpu, memory, op, 1, 32)?;
    let lane = narrow_ymm::<F>(cpu, memory, source, op.imm as u8)?;
    set_lane::<true>(cpu, op, lane);
    Ok(Flow::Next)
}

fn run_narrow_on<F: Narrow, H: Host, const WIDE: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let source = source(cpu, memory, op, 1, if WIDE { 32 } else { 16 })?;
    match on_host::<H>(cpu, memory, op, [source; 3], WIDE) {
        Some(lanes) if WIDE => set_lane::<true>(cpu, op, lanes[0]),
        Some(lanes) => set_low(cpu, op, lanes[0]),
        None if WIDE => return run_narrow256::<F>(cpu, memory, op),
        None => return run_narrow::<F>(cpu, memory, op),
    }
    Ok(Flow::Next)
}

/// As [`narrow`], by the host where it is one that can.
pub(crate) fn narrow_on<F: Narrow, H: Host>(insn: &Instruction) -> Option<Handler> {
    if !host::available() {
        return narrow::<F>(insn);
    }
    let wide = is_narrowed_wide(insn)?;
    choose_any(insn, 1, if wide { run_narrow_on::<F, H, true> } else { run_narrow_on::<F, H, false> })
}

/// Whether the source of an instruction that narrows has two lanes.
fn is_narrowed_wide(insn: &Instruction) -> Option<bool> {
    Some(is_vex(insn)? && (insn.op1_register().is_ymm() || insn.memory_size().size() == 32))
}

/// First operand = the elements of the second, narrowed; the rest of the register is cleared.
pub(crate) fn narrow<F: Narrow>(insn: &Instruction) -> Option<Handler> {
    let wide = is_narrowed_wide(insn)?;
    choose_any(insn, 1, if wide { run_narrow256::<F> } else { run_narrow::<F> })
}

fn run_narrow_store<F: Narrow, const WIDE: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (source, addr) = (ymm(cpu, op.reg[1]), op.addr(cpu));
    memory.check(addr, if WIDE { 16 } else { 8 }, Access::Write)?;
    if WIDE {
        let lane = narrow_ymm::<F>(cpu, memory, source, op.imm as u8)?;
        memory.write(addr, lane.to_le_bytes())?;
    } else {
        let half = with_mxcsr(cpu, memory, |env| F::apply(source[0], op.imm as u8, env))?;
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

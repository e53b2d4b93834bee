//! Vector instructions with three sources: fused multiply-add, blends by a register, SHA256RNDS2.

use iced_x86::Instruction;

use super::packed::{
    Source, choose_any, is_vex, on_host, set_low, set_result, set_ymm, source, with_mxcsr, ymm,
};
use crate::alu::float::Mxcsr;
use crate::alu::float::host::{self, Host};
use crate::alu::simd::Ymm;
use crate::cpu::Cpu;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::memory::Memory;

/// An operation on one lane.
pub(crate) trait Triple {
    /// The operand that may be memory, if it is.
    type Mem: Source;

    /// The lane that `a` and `b` (the second and third operand; of legacy instructions the first two) and
    /// the third source give.
    fn apply(a: u128, b: u128, c: u128, env: &mut Mxcsr) -> u128;
}

/// [`Triple::apply`].
type Apply = fn(u128, u128, u128, &mut Mxcsr) -> u128;

/// All forms of one operation, distinguished at run time. `n` is the operand number of the first source, `c` the third
/// source, `bytes` the size of the second one in memory, where it is not both lanes.
#[inline(never)]
fn lanes(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
    (n, c): (usize, Ymm),
    bytes: usize,
    apply: Apply,
) -> Step {
    if op.is_wide() {
        let (a, b) = (ymm(cpu, op.reg[n]), source(cpu, memory, op, n + 1, 32)?);
        let both =
            with_mxcsr(cpu, memory, |env| [apply(a[0], b[0], c[0], env), apply(a[1], b[1], c[1], env)])?;
        set_ymm(cpu, op, both);
    } else {
        let (a, b) = (ymm(cpu, op.reg[n])[0], source(cpu, memory, op, n + 1, bytes)?[0]);
        let low = with_mxcsr(cpu, memory, |env| apply(a, b, c[0], env))?;
        set_low(cpu, op, low);
    }
    Ok(Flow::Next)
}

fn run_fused<F: Triple>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let destination = ymm(cpu, op.reg[0]);
    lanes(cpu, memory, op, (1, destination), F::Mem::BYTES, F::apply)
}

fn run_blended<F: Triple>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (n, third) = if op.is_vex() { (1, op.reg[3]) } else { (0, 0) };
    let third = ymm(cpu, third);
    lanes(cpu, memory, op, (n, third), F::Mem::BYTES, F::apply)
}

fn run_fused_on<F: Triple, H: Host>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let wide = op.is_wide();
    let b = source(cpu, memory, op, 2, if wide { 32 } else { F::Mem::BYTES })?;
    let operands = [ymm(cpu, op.reg[1]), b, ymm(cpu, op.reg[0])];
    let Some(result) = on_host::<H>(cpu, memory, op, operands, wide) else {
        return run_fused::<F>(cpu, memory, op);
    };
    set_result(cpu, op, result);
    Ok(Flow::Next)
}

/// Fused multiply-add: the destination is a source too.
pub(crate) fn fused<F: Triple, H: Host>(insn: &Instruction) -> Option<Handler> {
    let scalar = F::Mem::BYTES != 16;
    if !is_vex(insn)? || (scalar && insn.op0_register().is_ymm()) {
        return None;
    }
    choose_any(insn, 2, if host::available() { run_fused_on::<F, H> } else { run_fused::<F> })
}

/// A third source in XMM0, without being named (legacy), or in the fourth operand (VEX).
pub(crate) fn blended<F: Triple>(insn: &Instruction) -> Option<Handler> {
    choose_any(insn, if is_vex(insn)? { 2 } else { 1 }, run_blended::<F>)
}

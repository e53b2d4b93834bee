//! Vector instructions with three sources: fused multiply-add, blends by a register, SHA256RNDS2.

use iced_x86::Instruction;

use super::packed::{Source, Xmm, choose, is_vex, load256, set_lane, with_mxcsr, ymm};
use crate::alu::float::Mxcsr;
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

/// Where the third source is.
trait Third {
    /// Number of the operand before the one that may be memory.
    const A: usize;
    fn get(cpu: &Cpu, op: &Op) -> Ymm;
}

/// The destination: fused multiply-add.
struct Destination;
/// The fourth operand: blends of AVX.
struct Fourth;
/// XMM0, which is implied: legacy blends, SHA256RNDS2.
struct Implied;

impl Third for Destination {
    const A: usize = 1;
    fn get(cpu: &Cpu, op: &Op) -> Ymm {
        ymm(cpu, op.reg[0])
    }
}

impl Third for Fourth {
    const A: usize = 1;
    fn get(cpu: &Cpu, op: &Op) -> Ymm {
        ymm(cpu, op.reg[3])
    }
}

impl Third for Implied {
    const A: usize = 0;
    fn get(cpu: &Cpu, _: &Op) -> Ymm {
        ymm(cpu, 0)
    }
}

/// One lane, not inlined in the handlers that share it.
#[inline(never)]
fn lane<F: Triple>(a: u128, b: u128, c: u128, env: &mut Mxcsr) -> u128 {
    F::apply(a, b, c, env)
}

fn run<F: Triple, C: Third, B: Source, const VEX: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b, c) = (ymm(cpu, op.reg[C::A])[0], B::get::<VEX>(cpu, memory, op)?, C::get(cpu, op)[0]);
    let result = with_mxcsr(cpu, |env| lane::<F>(a, b, c, env))?;
    set_lane::<VEX>(cpu, op, result);
    Ok(Flow::Next)
}

fn run256<F: Triple, C: Third, const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let b = if MEM { load256(cpu, memory, op)? } else { ymm(cpu, op.reg[2]) };
    let (a, c) = (ymm(cpu, op.reg[1]), C::get(cpu, op));
    let lanes = with_mxcsr(cpu, |env| [lane::<F>(a[0], b[0], c[0], env), lane::<F>(a[1], b[1], c[1], env)])?;
    cpu.ymm[usize::from(op.reg[0] & 15)] = lanes;
    Ok(Flow::Next)
}

fn vex<F: Triple, C: Third>(insn: &Instruction) -> Option<Handler> {
    if !insn.op0_register().is_ymm() {
        return choose(insn, 2, run::<F, C, Xmm<2>, true>, run::<F, C, F::Mem, true>);
    }
    if F::Mem::WHOLE { choose(insn, 2, run256::<F, C, false>, run256::<F, C, true>) } else { None }
}

/// Fused multiply-add: the destination is a source too.
pub(crate) fn fused<F: Triple>(insn: &Instruction) -> Option<Handler> {
    if is_vex(insn)? { vex::<F, Destination>(insn) } else { None }
}

/// A third source in XMM0 (legacy) or in the fourth operand (VEX).
pub(crate) fn blended<F: Triple>(insn: &Instruction) -> Option<Handler> {
    if is_vex(insn)? {
        return vex::<F, Fourth>(insn);
    }
    choose(insn, 1, run::<F, Implied, Xmm<1>, false>, run::<F, Implied, F::Mem, false>)
}

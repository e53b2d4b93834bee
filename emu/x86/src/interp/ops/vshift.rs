//! Vector shifts by one count for all elements: PSLLW and its kin, PSLLDQ, PSRLDQ.

use iced_x86::Instruction;

use super::packed::{Load, Source, Xmm, choose, is_vex, set_lane, ymm};
use crate::cpu::Cpu;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, form};
use crate::memory::Memory;

/// An operation on one lane.
pub(crate) trait Shift<Count> {
    /// The lane shifted.
    fn apply(a: u128, count: Count) -> u128;
}

/// Shifts operand `A` into operand 0: both lanes where `WIDE`.
#[inline(always)]
fn run<const A: usize, const VEX: bool, const WIDE: bool>(
    cpu: &mut Cpu,
    op: &Op,
    shift: impl Fn(u128) -> u128,
) {
    let a = ymm(cpu, op.reg[A]);
    if WIDE {
        cpu.ymm[usize::from(op.reg[0] & 15)] = a.map(shift);
    } else {
        set_lane::<VEX>(cpu, op, shift(a[0]));
    }
}

fn run_immediate<F: Shift<u64>, const A: usize, const VEX: bool, const WIDE: bool>(
    cpu: &mut Cpu,
    _: &mut Memory,
    op: &Op,
) -> Step {
    let count = op.imm & 0xff;
    run::<A, VEX, WIDE>(cpu, op, |a| F::apply(a, count));
    Ok(Flow::Next)
}

fn run_bytes<F: Shift<u8>, const A: usize, const VEX: bool, const WIDE: bool>(
    cpu: &mut Cpu,
    _: &mut Memory,
    op: &Op,
) -> Step {
    let count = op.imm as u8;
    run::<A, VEX, WIDE>(cpu, op, |a| F::apply(a, count));
    Ok(Flow::Next)
}

/// The count is the low quadword of a register or of 16 bytes of memory.
fn run_counted<F: Shift<u64>, S: Source, const A: usize, const VEX: bool, const WIDE: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let count = S::get::<VEX>(cpu, memory, op)? as u64;
    run::<A, VEX, WIDE>(cpu, op, |a| F::apply(a, count));
    Ok(Flow::Next)
}

/// By an immediate or by a vector register.
pub(crate) fn shift<F: Shift<u64>>(insn: &Instruction) -> Option<Handler> {
    let (vex, wide) = (is_vex(insn)?, insn.op0_register().is_ymm());
    if form(insn, insn.op_count() - 1) == Form::Imm {
        return Some(match (vex, wide) {
            (false, _) => run_immediate::<F, 0, false, false>,
            (true, false) => run_immediate::<F, 1, true, false>,
            (true, true) => run_immediate::<F, 1, true, true>,
        });
    }
    match (vex, wide) {
        (false, _) => choose(
            insn,
            1,
            run_counted::<F, Xmm<1>, 0, false, false>,
            run_counted::<F, Load<16>, 0, false, false>,
        ),
        (true, false) => choose(
            insn,
            2,
            run_counted::<F, Xmm<2>, 1, true, false>,
            run_counted::<F, Load<16>, 1, true, false>,
        ),
        (true, true) => choose(
            insn,
            2,
            run_counted::<F, Xmm<2>, 1, true, true>,
            run_counted::<F, Load<16>, 1, true, true>,
        ),
    }
}

/// Whole lanes by bytes.
pub(crate) fn by_bytes<F: Shift<u8>>(insn: &Instruction) -> Option<Handler> {
    Some(match (is_vex(insn)?, insn.op0_register().is_ymm()) {
        (false, _) => run_bytes::<F, 0, false, false>,
        (true, false) => run_bytes::<F, 1, true, false>,
        (true, true) => run_bytes::<F, 1, true, true>,
    })
}

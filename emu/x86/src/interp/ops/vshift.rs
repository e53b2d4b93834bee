//! Vector shifts by one count for all elements: PSLLW and its kin, PSLLDQ, PSRLDQ.

use iced_x86::Instruction;

use super::packed::{choose_any, is_vex, set_low, set_ymm, source, ymm};
use crate::cpu::Cpu;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, form};
use crate::memory::Memory;

/// An operation on one lane.
pub(crate) trait Shift<Count> {
    /// The lane shifted.
    fn apply(a: u128, count: Count) -> u128;
}

/// Shifts the operand before the count into operand 0.
#[inline(never)]
fn lanes<Count: Copy>(cpu: &mut Cpu, op: &Op, count: Count, apply: fn(u128, Count) -> u128) -> Step {
    let a = ymm(cpu, op.reg[usize::from(op.is_vex())]);
    if op.is_wide() {
        set_ymm(cpu, op, a.map(|lane| apply(lane, count)));
    } else {
        set_low(cpu, op, apply(a[0], count));
    }
    Ok(Flow::Next)
}

fn run_immediate<F: Shift<u64>>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    lanes(cpu, op, op.imm & 0xff, F::apply)
}

fn run_bytes<F: Shift<u8>>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    lanes(cpu, op, op.imm as u8, F::apply)
}

/// The count is the low quadword of a register or of 16 bytes of memory.
fn run_counted<F: Shift<u64>>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let count = source(cpu, memory, op, 1 + usize::from(op.is_vex()), 16)?[0] as u64;
    lanes(cpu, op, count, F::apply)
}

/// By an immediate or by a vector register.
pub(crate) fn shift<F: Shift<u64>>(insn: &Instruction) -> Option<Handler> {
    let vex = is_vex(insn)?;
    if form(insn, insn.op_count() - 1) == Form::Imm {
        return Some(run_immediate::<F>);
    }
    choose_any(insn, if vex { 2 } else { 1 }, run_counted::<F>)
}

/// Whole lanes by bytes.
pub(crate) fn by_bytes<F: Shift<u8>>(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    Some(run_bytes::<F>)
}

//! Segment registers as programs see them on Linux: they can be read and pushed. In 64-bit mode they have no meaning but
//! the bases of FS and GS, which are separate registers.

use iced_x86::{Instruction, OpKind, Register};

use crate::cpu::{Cpu, gpr};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, Mem, Place, Reg, form, width};
use crate::memory::Memory;

/// Selectors of the user's code and data, as Linux has them.
const CODE: u16 = 0x33;
const DATA: u16 = 0x2b;

fn run_read<T: Int, A: Place, const SELECTOR: u16>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    A::put(cpu, memory, op, T::truncate(SELECTOR.into()))?;
    Ok(Flow::Next)
}

fn read_selector<const SELECTOR: u16>(insn: &Instruction) -> Option<Handler> {
    Some(match (form(insn, 0), width(insn, 0)) {
        (Form::Mem, _) => run_read::<u16, Mem, SELECTOR>,
        (Form::Reg, 2) => run_read::<u16, Reg<0>, SELECTOR>,
        (Form::Reg, _) => run_read::<u64, Reg<0>, SELECTOR>,
        _ => return None,
    })
}

/// MOV from a segment register
pub(crate) fn read(insn: &Instruction) -> Option<Handler> {
    if insn.op1_kind() != OpKind::Register {
        return None;
    }
    match insn.op1_register() {
        Register::CS => read_selector::<CODE>(insn),
        Register::SS => read_selector::<DATA>(insn),
        Register::DS | Register::ES | Register::FS | Register::GS => read_selector::<0>(insn),
        _ => None,
    }
}

fn run_push<T: Int>(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Step {
    let sp = cpu.gpr(gpr::RSP).wrapping_sub(u64::from(T::BITS / 8));
    T::truncate(0).store(memory, sp)?;
    cpu.set_gpr(gpr::RSP, sp);
    Ok(Flow::Next)
}

/// PUSH FS, PUSH GS
pub(crate) fn push(insn: &Instruction) -> Option<Handler> {
    if !matches!(insn.op0_register(), Register::FS | Register::GS) {
        return None;
    }
    Some(if insn.stack_pointer_increment() == -2 { run_push::<u16> } else { run_push::<u64> })
}

//! The control and status words, and the stack itself.

use iced_x86::{Instruction, Mnemonic as M, OpKind, Register};

use super::{held, pop, unit};
use crate::cpu::gpr;
use crate::interp::op::{Flow, Handler};
use crate::interp::operand::Int;

/// FXCH
pub(crate) fn exchange(_: &Instruction) -> Option<Handler> {
    Some(|cpu, _, op| {
        let (x87, i) = (unit(cpu)?, op.reg[1]);
        x87.set_c1(false);
        if let (Some(top), Some(other)) = (held(x87, 0), held(x87, i)) {
            x87.set(0, other);
            x87.set(i, top);
        }
        Ok(Flow::Next)
    })
}

/// FFREE, FFREEP
pub(crate) fn free(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Ffree => |cpu, _, op| {
            unit(cpu)?.free(op.reg[0]);
            Ok(Flow::Next)
        },
        M::Ffreep => |cpu, _, op| {
            let x87 = unit(cpu)?;
            x87.free(op.reg[0]);
            pop(x87);
            Ok(Flow::Next)
        },
        _ => return None,
    })
}

/// FINCSTP, FDECSTP
pub(crate) fn turn(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Fincstp => |cpu, _, _| {
            let x87 = unit(cpu)?;
            x87.turn(1);
            x87.set_c1(false);
            Ok(Flow::Next)
        },
        M::Fdecstp => |cpu, _, _| {
            let x87 = unit(cpu)?;
            x87.turn(7);
            x87.set_c1(false);
            Ok(Flow::Next)
        },
        _ => return None,
    })
}

/// FLDCW, FNSTCW, FNSTSW, FNCLEX, FNINIT, FNOP, WAIT, and instructions that had an effect on an 8087 or 80287 only.
pub(crate) fn control(insn: &Instruction) -> Option<Handler> {
    let to_register = insn.op0_kind() == OpKind::Register && insn.op0_register() == Register::AX;
    Some(match insn.mnemonic() {
        M::Fldcw => |cpu, memory, op| {
            let addr = op.addr(cpu);
            let x87 = unit(cpu)?;
            x87.set_control(u16::load(memory, addr)?);
            Ok(Flow::Next)
        },
        M::Fnstcw => |cpu, memory, op| {
            cpu.x87.control.store(memory, op.addr(cpu))?;
            Ok(Flow::Next)
        },
        M::Fnstsw if to_register => |cpu, _, _| {
            cpu.write(gpr::RAX, cpu.x87.status);
            Ok(Flow::Next)
        },
        M::Fnstsw => |cpu, memory, op| {
            cpu.x87.status.store(memory, op.addr(cpu))?;
            Ok(Flow::Next)
        },
        M::Fnclex => |cpu, _, _| {
            cpu.x87.status &= 0x7f00;
            Ok(Flow::Next)
        },
        M::Fninit => |cpu, _, _| {
            cpu.x87.reset();
            Ok(Flow::Next)
        },
        M::Fnop | M::Wait => |cpu, _, _| {
            unit(cpu)?;
            Ok(Flow::Next)
        },
        M::Fneni | M::Fndisi | M::Fnsetpm => |_, _, _| Ok(Flow::Next),
        _ => return None,
    })
}

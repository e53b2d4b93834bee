//! Jumps: JMP Jcc JRCXZ LOOP.

use iced_x86::{Code, Instruction, Mnemonic};

use super::mov::{by_condition, condition};
use crate::alu::Uint;
use crate::cpu::{Cpu, gpr};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Mem, Reg, Source, form};
use crate::memory::Memory;

fn taken_if(holds: bool) -> Step {
    Ok(if holds { Flow::Taken } else { Flow::Next })
}

fn run_jump_to<A: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    cpu.rip = A::get::<u64>(cpu, memory, op)?;
    Ok(Flow::Indirect)
}

/// JMP, near.
pub(crate) fn jmp(insn: &Instruction) -> Option<Handler> {
    match (insn.code(), form(insn, 0)) {
        (Code::Jmp_rel8_64 | Code::Jmp_rel32_64, _) => Some(|_, _, _| Ok(Flow::Taken)),
        (Code::Jmp_rm64, Form::Reg) => Some(run_jump_to::<Reg<0>>),
        (Code::Jmp_rm64, Form::Mem) => Some(run_jump_to::<Mem>),
        _ => None,
    }
}

#[inline(always)]
fn run_jcc<const C: u8>(cpu: &mut Cpu, _: &mut Memory, _: &Op) -> Step {
    taken_if(cpu.flags.holds(condition::<C>()))
}

/// Jcc
pub(crate) fn jcc(insn: &Instruction) -> Option<Handler> {
    by_condition!(insn, C => Some(run_jcc::<C> as Handler))
}

/// JRCXZ, JECXZ
pub(crate) fn jrcxz(insn: &Instruction) -> Option<Handler> {
    match insn.code() {
        Code::Jrcxz_rel8_64 => Some(|cpu, _, _| taken_if(cpu.gpr(gpr::RCX) == 0)),
        Code::Jecxz_rel8_64 => Some(|cpu, _, _| taken_if(cpu.read::<u32>(gpr::RCX) == 0)),
        _ => None,
    }
}

/// Decrements RCX (ECX with a 67h prefix), and jumps while it is not 0.
fn run_loop<T: Uint>(cpu: &mut Cpu, also: bool) -> Step {
    let count = cpu.read::<T>(gpr::RCX).minus(T::ONE);
    cpu.write(gpr::RCX, count);
    taken_if(count != T::ZERO && also)
}

/// LOOP, LOOPE, LOOPNE
pub(crate) fn loops(insn: &Instruction) -> Option<Handler> {
    let wide =
        matches!(insn.code(), Code::Loop_rel8_64_RCX | Code::Loope_rel8_64_RCX | Code::Loopne_rel8_64_RCX);
    match (insn.mnemonic(), wide) {
        (Mnemonic::Loop, true) => Some(|cpu, _, _| run_loop::<u64>(cpu, true)),
        (Mnemonic::Loope, true) => Some(|cpu, _, _| run_loop::<u64>(cpu, cpu.flags.zf())),
        (Mnemonic::Loopne, true) => Some(|cpu, _, _| run_loop::<u64>(cpu, !cpu.flags.zf())),
        (Mnemonic::Loop, false) => Some(|cpu, _, _| run_loop::<u32>(cpu, true)),
        (Mnemonic::Loope, false) => Some(|cpu, _, _| run_loop::<u32>(cpu, cpu.flags.zf())),
        (Mnemonic::Loopne, false) => Some(|cpu, _, _| run_loop::<u32>(cpu, !cpu.flags.zf())),
        _ => None,
    }
}

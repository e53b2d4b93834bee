//! The stack: PUSH POP PUSHF POPF ENTER LEAVE, CALL and RET.

use iced_x86::{Code, Instruction};

use crate::cpu::{Cpu, gpr};
use crate::exit::Trap;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Imm, Int, Mem, Reg, Source, form};
use crate::memory::{Access, Memory};

#[inline(always)]
fn push<T: Int>(cpu: &mut Cpu, memory: &mut Memory, value: T) -> Result<(), Trap> {
    let sp = cpu.gpr(gpr::RSP).wrapping_sub(u64::from(T::BITS / 8));
    value.store(memory, sp)?;
    cpu.set_gpr(gpr::RSP, sp);
    Ok(())
}

#[inline(always)]
fn pop<T: Int>(cpu: &mut Cpu, memory: &Memory) -> Result<T, Trap> {
    let sp = cpu.gpr(gpr::RSP);
    let value = T::load(memory, sp)?;
    cpu.set_gpr(gpr::RSP, sp.wrapping_add(u64::from(T::BITS / 8)));
    Ok(value)
}

#[inline(always)]
fn run_push<T: Int, A: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = A::get::<T>(cpu, memory, op)?;
    push(cpu, memory, value)?;
    Ok(Flow::Next)
}

/// How many bytes PUSH and POP move: 8, or 2 with an operand-size prefix.
fn is_word(insn: &Instruction) -> bool {
    insn.stack_pointer_increment().unsigned_abs() == 2
}

/// PUSH
pub(crate) fn push_operand(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), is_word(insn)) {
        (Form::Reg, _) if !insn.op0_register().is_gpr() => None,
        (Form::Reg, false) => Some(run_push::<u64, Reg<0>>),
        (Form::Reg, true) => Some(run_push::<u16, Reg<0>>),
        (Form::Mem, false) => Some(run_push::<u64, Mem>),
        (Form::Mem, true) => Some(run_push::<u16, Mem>),
        (Form::Imm, false) => Some(run_push::<u64, Imm>),
        (Form::Imm, true) => Some(run_push::<u16, Imm>),
        _ => None,
    }
}

#[inline(always)]
fn run_pop<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = pop::<T>(cpu, memory)?;
    // After the pop, so that POP RSP keeps what was popped.
    cpu.write(op.reg[0], value);
    Ok(Flow::Next)
}

/// The address is computed with RSP past the popped value; a store that faults leaves RSP alone.
fn run_pop_memory<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let sp = cpu.gpr(gpr::RSP);
    let value = pop::<T>(cpu, memory)?;
    if let Err(fault) = value.store(memory, op.addr(cpu)) {
        cpu.set_gpr(gpr::RSP, sp);
        return Err(fault.into());
    }
    Ok(Flow::Next)
}

/// POP
pub(crate) fn pop_operand(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), is_word(insn)) {
        (Form::Reg, _) if !insn.op0_register().is_gpr() => None,
        (Form::Reg, false) => Some(run_pop::<u64>),
        (Form::Reg, true) => Some(run_pop::<u16>),
        (Form::Mem, false) => Some(run_pop_memory::<u64>),
        (Form::Mem, true) => Some(run_pop_memory::<u16>),
        _ => None,
    }
}

fn run_pushf<T: Int>(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Step {
    let flags = T::truncate(cpu.rflags());
    push(cpu, memory, flags)?;
    Ok(Flow::Next)
}

/// PUSHFQ, PUSHF
pub(crate) fn pushf(insn: &Instruction) -> Option<Handler> {
    Some(if insn.code() == Code::Pushfq { run_pushf::<u64> } else { run_pushf::<u16> })
}

fn run_popf<T: Int>(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Step {
    let flags = pop::<T>(cpu, memory)?;
    cpu.set_rflags(flags.zext());
    Ok(Flow::Next)
}

/// POPFQ, POPF
pub(crate) fn popf(insn: &Instruction) -> Option<Handler> {
    Some(if insn.code() == Code::Popfq { run_popf::<u64> } else { run_popf::<u16> })
}

fn run_leave<T: Int>(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Step {
    let bp = cpu.gpr(gpr::RBP);
    let value = T::load(memory, bp)?;
    cpu.set_gpr(gpr::RSP, bp.wrapping_add(u64::from(T::BITS / 8)));
    cpu.write(gpr::RBP, value);
    Ok(Flow::Next)
}

/// LEAVE
pub(crate) fn leave(insn: &Instruction) -> Option<Handler> {
    Some(if insn.code() == Code::Leaveq { run_leave::<u64> } else { run_leave::<u16> })
}

/// The frame pointers of enclosing procedures are copied from the caller's frame, the new one comes last.
fn run_enter<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (size, level) = (op.imm & 0xffff, op.imm >> 32 & 31);
    // All engines interpret it.
    memory.charge(level);
    let bytes = u64::from(T::BITS / 8);
    let below = |addr: u64, n: u64| addr.wrapping_sub(n * bytes);
    let (sp, bp) = (cpu.gpr(gpr::RSP), cpu.gpr(gpr::RBP));
    let frame = below(sp, 1);
    let end = below(frame, level).wrapping_sub(size);
    // All of it must be writable down to the new top, before any of it is written.
    memory.check(below(frame, level), (bytes * (level + 1)) as usize, Access::Write)?;
    for n in 1..level {
        memory.check(below(bp, n), bytes as usize, Access::Read)?;
    }
    memory.check(end, bytes as usize, Access::Write)?;
    T::truncate(bp).store(memory, frame)?;
    for n in 1..level {
        T::load(memory, below(bp, n))?.store(memory, below(frame, n))?;
    }
    if level > 0 {
        T::truncate(frame).store(memory, below(frame, level))?;
    }
    cpu.write(gpr::RBP, T::truncate(frame));
    cpu.set_gpr(gpr::RSP, end);
    Ok(Flow::Next)
}

/// ENTER
pub(crate) fn enter(insn: &Instruction) -> Option<Handler> {
    Some(if insn.code() == Code::Enterq_imm16_imm8 { run_enter::<u64> } else { run_enter::<u16> })
}

/// The return address is the immediate, the target is the block's.
fn run_call(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    push(cpu, memory, op.imm)?;
    Ok(Flow::Taken)
}

fn run_call_to<A: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let target = A::get::<u64>(cpu, memory, op)?;
    push(cpu, memory, op.imm)?;
    cpu.rip = target;
    Ok(Flow::Indirect)
}

/// CALL, near.
pub(crate) fn call(insn: &Instruction) -> Option<Handler> {
    match insn.code() {
        Code::Call_rel32_64 => Some(run_call),
        Code::Call_rm64 if form(insn, 0) == Form::Reg => Some(run_call_to::<Reg<0>>),
        Code::Call_rm64 => Some(run_call_to::<Mem>),
        _ => None,
    }
}

fn run_ret(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Step {
    cpu.rip = pop(cpu, memory)?;
    Ok(Flow::Indirect)
}

fn run_ret_imm(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    cpu.rip = pop(cpu, memory)?;
    cpu.set_gpr(gpr::RSP, cpu.gpr(gpr::RSP).wrapping_add(op.imm & 0xffff));
    Ok(Flow::Indirect)
}

/// RET, near.
pub(crate) fn ret(insn: &Instruction) -> Option<Handler> {
    match insn.code() {
        Code::Retnq => Some(run_ret),
        Code::Retnq_imm16 => Some(run_ret_imm),
        _ => None,
    }
}

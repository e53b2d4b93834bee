//! Sums, logic, comparisons: ADD ADC SUB SBB AND OR XOR CMP TEST INC DEC NEG NOT, ADCX ADOX ANDN, XADD.

use iced_x86::Instruction;

use crate::alu::{Uint, arith};
use crate::cpu::{Cpu, Flags};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Imm, Int, Mem, Place, Reg, Source, by_wide_width, by_width, form, width};
use crate::memory::Memory;

/// An operation of two operands and the flags.
pub(crate) trait Binary {
    /// Result and flags.
    fn apply<T: Uint>(a: T, b: T, flags: Flags) -> (T, Flags);
}

/// An operation of one operand and the flags.
pub(crate) trait Unary {
    /// Result and flags.
    fn apply<T: Uint>(a: T, flags: Flags) -> (T, Flags);
}

operations! { Binary (a: T, b: T, flags: Flags) -> (T, Flags):
    Add = arith::add;
    Adc = arith::adc;
    Sub = arith::sub;
    Sbb = arith::sbb;
    And = arith::and;
    Or = arith::or;
    Xor = arith::xor;
    Adcx = arith::adcx;
    Adox = arith::adox;
    Andn = arith::andn;
}

operations! { Unary (a: T, flags: Flags) -> (T, Flags):
    Inc = arith::inc;
    Dec = arith::dec;
    Neg = arith::neg;
    Not = arith::not;
}

#[inline(always)]
fn run_binary<T: Int, A: Place, B: Source, F: Binary>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (A::get::<T>(cpu, memory, op)?, B::get::<T>(cpu, memory, op)?);
    let (r, flags) = F::apply(a, b, cpu.flags);
    A::put(cpu, memory, op, r)?;
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// First operand = first operand, second operand.
pub(crate) fn binary<F: Binary>(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), form(insn, 1)) {
        (Form::Reg, Form::Reg) => by_width!(width(insn, 0), T => run_binary::<T, Reg<0>, Reg<1>, F>),
        (Form::Reg, Form::Mem) => by_width!(width(insn, 0), T => run_binary::<T, Reg<0>, Mem, F>),
        (Form::Reg, Form::Imm) => by_width!(width(insn, 0), T => run_binary::<T, Reg<0>, Imm, F>),
        (Form::Mem, Form::Reg) => by_width!(width(insn, 0), T => run_binary::<T, Mem, Reg<1>, F>),
        (Form::Mem, Form::Imm) => by_width!(width(insn, 0), T => run_binary::<T, Mem, Imm, F>),
        _ => None,
    }
}

#[inline(always)]
fn run_compare<T: Int, A: Source, B: Source, F: Binary>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (A::get::<T>(cpu, memory, op)?, B::get::<T>(cpu, memory, op)?);
    cpu.flags = F::apply(a, b, cpu.flags).1;
    Ok(Flow::Next)
}

/// The flags of an operation whose result is not kept: CMP, TEST.
pub(crate) fn compare<F: Binary>(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), form(insn, 1)) {
        (Form::Reg, Form::Reg) => by_width!(width(insn, 0), T => run_compare::<T, Reg<0>, Reg<1>, F>),
        (Form::Reg, Form::Mem) => by_width!(width(insn, 0), T => run_compare::<T, Reg<0>, Mem, F>),
        (Form::Reg, Form::Imm) => by_width!(width(insn, 0), T => run_compare::<T, Reg<0>, Imm, F>),
        (Form::Mem, Form::Reg) => by_width!(width(insn, 0), T => run_compare::<T, Mem, Reg<1>, F>),
        (Form::Mem, Form::Imm) => by_width!(width(insn, 0), T => run_compare::<T, Mem, Imm, F>),
        _ => None,
    }
}

#[inline(always)]
fn run_unary<T: Int, A: Place, F: Unary>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (r, flags) = F::apply(A::get::<T>(cpu, memory, op)?, cpu.flags);
    A::put(cpu, memory, op, r)?;
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// The only operand = what it becomes.
pub(crate) fn unary<F: Unary>(insn: &Instruction) -> Option<Handler> {
    match form(insn, 0) {
        Form::Reg => by_width!(width(insn, 0), T => run_unary::<T, Reg<0>, F>),
        Form::Mem => by_width!(width(insn, 0), T => run_unary::<T, Mem, F>),
        _ => None,
    }
}

fn run_ternary<T: Int, B: Source, F: Binary>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (cpu.read::<T>(op.reg[1]), B::get::<T>(cpu, memory, op)?);
    let (r, flags) = F::apply(a, b, cpu.flags);
    cpu.write(op.reg[0], r);
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// First operand = second operand, third operand: ANDN.
pub(crate) fn ternary<F: Binary>(insn: &Instruction) -> Option<Handler> {
    match form(insn, 2) {
        Form::Reg => by_wide_width!(width(insn, 0), T => run_ternary::<T, Reg<2>, F>),
        Form::Mem => by_wide_width!(width(insn, 0), T => run_ternary::<T, Mem, F>),
        _ => None,
    }
}

fn run_xadd<T: Int, A: Place>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (A::get::<T>(cpu, memory, op)?, cpu.read::<T>(op.reg[1]));
    let (r, flags) = arith::add(a, b, cpu.flags);
    // With one register twice, the sum is what stays. A store that faults must come first.
    A::put(cpu, memory, op, r)?;
    if A::IN_MEMORY || op.reg[0] != op.reg[1] {
        cpu.write(op.reg[1], a);
    }
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// XADD
pub(crate) fn xadd(insn: &Instruction) -> Option<Handler> {
    match form(insn, 0) {
        Form::Reg => by_width!(width(insn, 0), T => run_xadd::<T, Reg<0>>),
        Form::Mem => by_width!(width(insn, 0), T => run_xadd::<T, Mem>),
        _ => None,
    }
}

//! Arithmetic: FADD and its kin, FSQRT, FPREM, FXTRACT.

use iced_x86::{Instruction, Mnemonic as M};

use super::{
    Double, Int16, Int32, Single, Source, empty, note_denormal, outcome, pop, replace_by_two, settle, unit,
};
use crate::alu::float::{Extended, F80, Quotient};
use crate::cpu::{Cpu, X87};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, form};
use crate::memory::Memory;

/// What an operation counts for beside itself, in instructions: it is exact arithmetic, which all engines interpret.
const WORK: u64 = 8;

/// An operation of two numbers.
pub(crate) trait Arithmetic {
    fn apply(a: F80, b: F80, env: &mut Extended) -> F80;
}

/// ST(`reg[0]`) = ST(`reg[0]`), ST(`reg[1]`).
fn run_registers<F: Arithmetic, const POP: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let (x87, to, from) = (unit(cpu)?, op.reg[0], op.reg[1]);
    let full = x87.holds(to) && x87.holds(from);
    if let Some(result) = outcome(x87, full, |x87, env| F::apply(x87.peek(to), x87.peek(from), env)) {
        x87.set(to, result);
        if POP {
            pop(x87);
        }
    }
    Ok(Flow::Next)
}

fn run_memory<F: Arithmetic, S: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let addr = op.addr(cpu);
    let x87 = unit(cpu)?;
    let (operand, denormal) = S::get(memory, addr)?;
    let full = x87.holds(0);
    let result = outcome(x87, full, |x87, env| {
        let result = F::apply(x87.peek(0), operand, env);
        note_denormal(env, denormal && !x87.peek(0).is_nan());
        result
    });
    if let Some(result) = result {
        x87.set(0, result);
    }
    Ok(Flow::Next)
}

/// FADD, FADDP, FIADD and their kin
pub(crate) fn arithmetic<F: Arithmetic>(insn: &Instruction) -> Option<Handler> {
    use M::{Faddp, Fdivp, Fdivrp, Fiadd, Fidiv, Fidivr, Fimul, Fisub, Fisubr, Fmulp, Fsubp, Fsubrp};
    let m = insn.mnemonic();
    let integer = matches!(m, Fiadd | Fimul | Fisub | Fisubr | Fidiv | Fidivr);
    Some(match (form(insn, 0), integer, insn.memory_size().size()) {
        (Form::Mem, false, 4) => run_memory::<F, Single>,
        (Form::Mem, false, 8) => run_memory::<F, Double>,
        (Form::Mem, true, 2) => run_memory::<F, Int16>,
        (Form::Mem, true, 4) => run_memory::<F, Int32>,
        (Form::Reg, ..) if matches!(m, Faddp | Fmulp | Fsubp | Fsubrp | Fdivp | Fdivrp) => {
            run_registers::<F, true>
        }
        (Form::Reg, ..) => run_registers::<F, false>,
        _ => return None,
    })
}

/// ST(0) = f(ST(0)).
fn run_unary(cpu: &mut Cpu, memory: &Memory, op: impl Fn(F80, &mut Extended) -> F80) -> Step {
    memory.charge(WORK);
    let x87 = unit(cpu)?;
    let full = x87.holds(0);
    if let Some(result) = outcome(x87, full, |x87, env| op(x87.peek(0), env)) {
        x87.set(0, result);
    }
    Ok(Flow::Next)
}

/// FCHS, FABS, FSQRT, FRNDINT, F2XM1
pub(crate) fn unary(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Fchs => |cpu, memory, _| run_unary(cpu, memory, |x, _| x.negated()),
        M::Fabs => |cpu, memory, _| run_unary(cpu, memory, |x, _| x.magnitude()),
        M::Fsqrt => |cpu, memory, _| run_unary(cpu, memory, F80::sqrt),
        M::Frndint => |cpu, memory, _| run_unary(cpu, memory, F80::round_to_integral),
        M::F2xm1 => |cpu, memory, _| run_unary(cpu, memory, F80::exp2_minus_1),
        _ => return None,
    })
}

/// FPREM, FPREM1: the quotient's lowest bits become condition codes; C2 says that another step is needed.
fn run_remainder<const NEAREST: bool>(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Step {
    memory.charge(WORK);
    let x87 = unit(cpu)?;
    if !x87.holds(0) || !x87.holds(1) {
        x87.status &= !X87::C2;
        if let Some(indefinite) = empty(x87) {
            x87.set(0, indefinite);
        }
        return Ok(Flow::Next);
    }
    let mut env = Extended::new(x87.control);
    let (value, quotient) = F80::remainder(x87.peek(0), x87.peek(1), NEAREST, &mut env);
    x87.status &= !X87::C2;
    if settle(x87, &env) {
        x87.set(0, value);
        set_quotient(x87, quotient);
    }
    Ok(Flow::Next)
}

fn set_quotient(x87: &mut X87, quotient: Quotient) {
    match quotient {
        Quotient::None => {}
        Quotient::NotYet => x87.set_conditions(X87::C2),
        Quotient::Bits(bits) => {
            let codes = [(X87::C0, 4), (X87::C3, 2), (X87::C1, 1)];
            let set = codes.into_iter().filter(|(_, bit)| bits & bit != 0);
            x87.set_conditions(set.fold(0, |all, (code, _)| all | code));
        }
    }
}

fn run_scale(cpu: &mut Cpu, memory: &mut Memory, _: &Op) -> Step {
    memory.charge(WORK);
    let x87 = unit(cpu)?;
    let full = x87.holds(0) && x87.holds(1);
    if let Some(result) = outcome(x87, full, |x87, env| F80::scale(x87.peek(0), x87.peek(1), env)) {
        x87.set(0, result);
    }
    Ok(Flow::Next)
}

/// FXTRACT: the exponent in the place of the number, the significand above it.
fn run_extract(cpu: &mut Cpu, _: &mut Memory, _: &Op) -> Step {
    let x87 = unit(cpu)?;
    replace_by_two(x87, |x87| {
        let mut env = Extended::new(x87.control);
        let parts = F80::extract(x87.peek(0), &mut env);
        settle(x87, &env).then_some(parts)
    });
    Ok(Flow::Next)
}

/// FPREM, FPREM1, FSCALE, FXTRACT
pub(crate) fn unary_pair(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Fprem => run_remainder::<false>,
        M::Fprem1 => run_remainder::<true>,
        M::Fscale => run_scale,
        M::Fxtract => run_extract,
        _ => return None,
    })
}

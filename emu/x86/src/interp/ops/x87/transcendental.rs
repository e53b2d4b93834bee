//! FSIN and its kin, FPATAN, FYL2X: their operands and results on the stack.

use iced_x86::{Instruction, Mnemonic as M};

use super::{empty, outcome, pop, replace_by_two, settle, unit};
use crate::alu::float::{Extended, F80};
use crate::cpu::{Cpu, X87};
use crate::interp::op::{Flow, Handler, Step};
use crate::memory::Memory;

/// What a function takes, in instructions: it is computed on wide integers.
const WORK: u64 = 240;

/// Takes the angle from the stack. If it is too large, C2 is set and the angle stays.
fn angle<R>(x87: &mut X87, of: impl Fn(F80, &mut Extended) -> Option<R>) -> Option<R> {
    let mut env = Extended::new(x87.control);
    match of(x87.peek(0), &mut env) {
        Some(result) => settle(x87, &env).then(|| {
            x87.status &= !X87::C2;
            result
        }),
        None => {
            x87.set_c1(false);
            x87.status |= X87::C2;
            None
        }
    }
}

fn run_angle(cpu: &mut Cpu, memory: &Memory, of: impl Fn(F80, &mut Extended) -> Option<F80>) -> Step {
    memory.charge(WORK);
    let x87 = unit(cpu)?;
    let result = if x87.holds(0) { angle(x87, of) } else { empty(x87) };
    if let Some(result) = result {
        x87.set(0, result);
    }
    Ok(Flow::Next)
}

/// The first result takes the angle's place, the second is pushed.
fn run_angle_pair(
    cpu: &mut Cpu,
    memory: &Memory,
    of: impl Fn(F80, &mut Extended) -> Option<(F80, F80)>,
) -> Step {
    memory.charge(WORK);
    replace_by_two(unit(cpu)?, |x87| angle(x87, of));
    Ok(Flow::Next)
}

/// FSIN, FCOS, FSINCOS, FPTAN
pub(crate) fn of_angle(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Fsin => |cpu, memory, _| run_angle(cpu, memory, F80::sin),
        M::Fcos => |cpu, memory, _| run_angle(cpu, memory, F80::cos),
        M::Fsincos => |cpu, memory, _| run_angle_pair(cpu, memory, F80::sin_cos),
        M::Fptan => |cpu, memory, _| run_angle_pair(cpu, memory, F80::tan),
        _ => return None,
    })
}

/// ST(1) = f(ST(1), ST(0)), and pops.
fn run_two(cpu: &mut Cpu, memory: &Memory, of: impl Fn(F80, F80, &mut Extended) -> F80) -> Step {
    memory.charge(WORK);
    let x87 = unit(cpu)?;
    let full = x87.holds(0) && x87.holds(1);
    if let Some(result) = outcome(x87, full, |x87, env| of(x87.peek(1), x87.peek(0), env)) {
        x87.set(1, result);
        pop(x87);
    }
    Ok(Flow::Next)
}

/// FPATAN, FYL2X, FYL2XP1
pub(crate) fn of_two(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Fpatan => |cpu, memory, _| run_two(cpu, memory, F80::atan),
        M::Fyl2x => |cpu, memory, _| run_two(cpu, memory, F80::times_log2),
        M::Fyl2xp1 => |cpu, memory, _| run_two(cpu, memory, F80::times_log2_plus_1),
        _ => return None,
    })
}

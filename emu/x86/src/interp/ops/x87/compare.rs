//! Comparisons: FCOM and its kin, FTST, FXAM.

use iced_x86::{Code, Instruction, Mnemonic as M};

use super::{Double, Int16, Int32, Single, Source, empty, note_denormal, pop, unit};
use crate::alu::float::{Compared, Extended, F80, Mxcsr, Tag};
use crate::cpu::{Cpu, Flags, Rflags, X87};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::memory::Memory;

/// Compares ST(0) with a number (`None`: its register is empty). No outcome if an exception is not
/// masked.
fn compared(x87: &mut X87, other: Option<F80>, denormal: bool, signaling: bool) -> Option<Compared> {
    let Some(other) = other.filter(|_| x87.holds(0)) else {
        return empty(x87).map(|_| Compared::Unordered);
    };
    let mut env = Extended::new(x87.control);
    let outcome = F80::compare(x87.peek(0), other, signaling, &mut env);
    note_denormal(&mut env, denormal && outcome != Compared::Unordered);
    x87.raise(env.flags as u16);
    (env.flags & Mxcsr::BEFORE & env.unmasked == 0).then_some(outcome)
}

/// Puts an outcome into the condition codes, and pops.
fn conclude(x87: &mut X87, outcome: Option<Compared>, pops: u8) {
    let Some(outcome) = outcome else { return };
    x87.set_conditions(match outcome {
        Compared::Less => X87::C0,
        Compared::Equal => X87::C3,
        Compared::Greater => 0,
        Compared::Unordered => X87::C0 | X87::C2 | X87::C3,
    });
    (0..pops).for_each(|_| pop(x87));
}

fn run_compare<const SIGNALING: bool, const POPS: u8>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    // FCOMPP has no operands: it means ST(1).
    let (x87, i) = (unit(cpu)?, if POPS == 2 { 1 } else { op.reg[1] });
    let other = x87.holds(i).then(|| x87.peek(i));
    let outcome = compared(x87, other, false, SIGNALING);
    conclude(x87, outcome, POPS);
    Ok(Flow::Next)
}

fn run_compare_memory<S: Source, const POPS: u8>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    let x87 = unit(cpu)?;
    let (other, denormal) = S::get(memory, addr)?;
    let outcome = compared(x87, Some(other), denormal, true);
    conclude(x87, outcome, POPS);
    Ok(Flow::Next)
}

/// FCOM, FCOMP, FCOMPP, FUCOM, FUCOMP, FUCOMPP, FICOM, FICOMP
pub(crate) fn compare(insn: &Instruction) -> Option<Handler> {
    Some(match insn.code() {
        Code::Fcom_st0_sti | Code::Fcom_st0_sti_DCD0 => run_compare::<true, 0>,
        Code::Fcomp_st0_sti | Code::Fcomp_st0_sti_DCD8 | Code::Fcomp_st0_sti_DED0 => run_compare::<true, 1>,
        Code::Fcompp => run_compare::<true, 2>,
        Code::Fucom_st0_sti => run_compare::<false, 0>,
        Code::Fucomp_st0_sti => run_compare::<false, 1>,
        Code::Fucompp => run_compare::<false, 2>,
        Code::Fcom_m32fp => run_compare_memory::<Single, 0>,
        Code::Fcom_m64fp => run_compare_memory::<Double, 0>,
        Code::Fcomp_m32fp => run_compare_memory::<Single, 1>,
        Code::Fcomp_m64fp => run_compare_memory::<Double, 1>,
        Code::Ficom_m16int => run_compare_memory::<Int16, 0>,
        Code::Ficom_m32int => run_compare_memory::<Int32, 0>,
        Code::Ficomp_m16int => run_compare_memory::<Int16, 1>,
        Code::Ficomp_m32int => run_compare_memory::<Int32, 1>,
        _ => return None,
    })
}

fn run_compare_flags<const SIGNALING: bool, const POPS: u8>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let x87 = unit(cpu)?;
    let other = x87.holds(op.reg[1]).then(|| x87.peek(op.reg[1]));
    let Some(outcome) = compared(x87, other, false, SIGNALING) else { return Ok(Flow::Next) };
    (0..POPS).for_each(|_| pop(x87));
    cpu.flags = Flags::from_rflags(match outcome {
        Compared::Less => Rflags::CF,
        Compared::Equal => Rflags::ZF,
        Compared::Greater => Rflags::empty(),
        Compared::Unordered => Rflags::CF | Rflags::PF | Rflags::ZF,
    });
    Ok(Flow::Next)
}

/// FCOMI, FCOMIP, FUCOMI, FUCOMIP
pub(crate) fn compare_flags(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Fcomi => run_compare_flags::<true, 0>,
        M::Fcomip => run_compare_flags::<true, 1>,
        M::Fucomi => run_compare_flags::<false, 0>,
        M::Fucomip => run_compare_flags::<false, 1>,
        _ => return None,
    })
}

/// FXAM: the kind and the sign of what ST(0) holds; the sign of an empty register, too.
fn run_examine(cpu: &mut Cpu, _: &mut Memory, _: &Op) -> Step {
    let x87 = unit(cpu)?;
    let top = x87.peek(0);
    let kind = match top.tag() {
        _ if !x87.holds(0) => X87::C3 | X87::C0,
        Tag::Unsupported => 0,
        Tag::Nan => X87::C0,
        Tag::Normal => X87::C2,
        Tag::Infinity => X87::C2 | X87::C0,
        Tag::Zero => X87::C3,
        Tag::Denormal => X87::C3 | X87::C2,
    };
    x87.set_conditions(kind | if top.negative() { X87::C1 } else { 0 });
    Ok(Flow::Next)
}

/// FTST, FXAM
pub(crate) fn examine(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Ftst => |cpu, _, _| {
            let x87 = unit(cpu)?;
            let outcome = compared(x87, Some(F80::ZERO), false, true);
            conclude(x87, outcome, 0);
            Ok(Flow::Next)
        },
        M::Fxam => run_examine,
        _ => return None,
    })
}

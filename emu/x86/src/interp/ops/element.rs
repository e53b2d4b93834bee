//! Single elements and single bits of vectors: PINSRB, PEXTRB, INSERTPS, PMOVMSKB, PTEST and their kin.

use iced_x86::Instruction;

use super::packed::{self, Load, Xmm, choose, is_vex, load256, set_lane, ymm};
use crate::alu::simd::{self, Element, Ymm};
use crate::cpu::{Cpu, Flags, Rflags};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, Mem, Reg, Source, form};
use crate::memory::Memory;

#[inline(always)]
fn run_insert<T: Int + Element, S: Source, const A: usize, const VEX: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let value = S::get::<T>(cpu, memory, op)?;
    let lane = simd::insert(ymm(cpu, op.reg[A])[0], value, op.imm as u8);
    set_lane::<VEX>(cpu, op, lane);
    Ok(Flow::Next)
}

/// PINSRB and its kin: an element from a general-purpose register or memory.
pub(crate) fn insert<T: Int + Element>(insn: &Instruction) -> Option<Handler> {
    let vex = is_vex(insn)?;
    Some(match (vex, form(insn, if vex { 2 } else { 1 })) {
        (false, Form::Reg) => run_insert::<T, Reg<1>, 0, false>,
        (false, Form::Mem) => run_insert::<T, Mem, 0, false>,
        (true, Form::Reg) => run_insert::<T, Reg<2>, 1, true>,
        (true, Form::Mem) => run_insert::<T, Mem, 1, true>,
        _ => return None,
    })
}

#[inline(always)]
fn run_extract<T: Int + Element, const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value: T = simd::extract(ymm(cpu, op.reg[1])[0], op.imm as u8);
    if MEM {
        value.store(memory, op.addr(cpu))?;
    } else {
        cpu.set_gpr(op.reg[0], value.zext());
    }
    Ok(Flow::Next)
}

/// PEXTRB and its kin: an element to a general-purpose register, zero-extended, or to memory.
pub(crate) fn extract<T: Int + Element>(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    match form(insn, 0) {
        Form::Reg => Some(run_extract::<T, false>),
        Form::Mem => Some(run_extract::<T, true>),
        _ => None,
    }
}

#[inline(always)]
fn run_insertps<S: packed::Source, const A: usize, const VEX: bool, const MEM: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let imm = op.imm as u8;
    let value = simd::extract(S::get::<VEX>(cpu, memory, op)?, if MEM { 0 } else { imm >> 6 });
    let lane = simd::insertps(ymm(cpu, op.reg[A])[0], value, imm);
    set_lane::<VEX>(cpu, op, lane);
    Ok(Flow::Next)
}

/// INSERTPS
pub(crate) fn insertps(insn: &Instruction) -> Option<Handler> {
    let vex = is_vex(insn)?;
    Some(match (vex, form(insn, if vex { 2 } else { 1 })) {
        (false, Form::Reg) => run_insertps::<Xmm<1>, 0, false, false>,
        (false, Form::Mem) => run_insertps::<Load<4>, 0, false, true>,
        (true, Form::Reg) => run_insertps::<Xmm<2>, 1, true, false>,
        (true, Form::Mem) => run_insertps::<Load<4>, 1, true, true>,
        _ => return None,
    })
}

/// Bits out of a lane.
pub(crate) trait Signs {
    /// How many.
    const COUNT: u32;
    /// The top bits of the elements.
    fn of(lane: u128) -> u32;
}

/// PMOVMSKB
pub(crate) struct Bytes;
/// MOVMSKPS
pub(crate) struct Singles;
/// MOVMSKPD
pub(crate) struct Doubles;

impl Signs for Bytes {
    const COUNT: u32 = 16;
    fn of(lane: u128) -> u32 {
        simd::pmovmskb(lane)
    }
}

impl Signs for Singles {
    const COUNT: u32 = 4;
    fn of(lane: u128) -> u32 {
        simd::movmskps(lane)
    }
}

impl Signs for Doubles {
    const COUNT: u32 = 2;
    fn of(lane: u128) -> u32 {
        simd::movmskpd(lane)
    }
}

fn run_mask<F: Signs, const WIDE: bool>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let a = ymm(cpu, op.reg[1]);
    let upper = if WIDE { F::of(a[1]) << F::COUNT } else { 0 };
    cpu.set_gpr(op.reg[0], (F::of(a[0]) | upper).into());
    Ok(Flow::Next)
}

/// The top bits of all elements, in a general-purpose register.
pub(crate) fn mask<F: Signs>(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    Some(if insn.op1_register().is_ymm() { run_mask::<F, true> } else { run_mask::<F, false> })
}

/// Which bits a test looks at.
pub(crate) trait Tested {
    /// Ones at these bits.
    const BITS: u128;
}

/// PTEST
pub(crate) struct AllBits;
/// VTESTPS
pub(crate) struct SingleSigns;
/// VTESTPD
pub(crate) struct DoubleSigns;

impl Tested for AllBits {
    const BITS: u128 = u128::MAX;
}

impl Tested for SingleSigns {
    const BITS: u128 = 0x80000000_80000000_80000000_80000000;
}

impl Tested for DoubleSigns {
    const BITS: u128 = 0x80000000_00000000_80000000_00000000;
}

/// ZF: no bit is in both. CF: no bit is in `b` alone.
fn set_test_flags<F: Tested>(cpu: &mut Cpu, a: Ymm, b: Ymm) {
    let none = |lanes: [u128; 2]| (lanes[0] | lanes[1]) & F::BITS == 0;
    let mut flags = Rflags::empty();
    flags.set(Rflags::ZF, none([a[0] & b[0], a[1] & b[1]]));
    flags.set(Rflags::CF, none([!a[0] & b[0], !a[1] & b[1]]));
    cpu.flags = Flags::from_rflags(flags);
}

#[inline(always)]
fn run_test<F: Tested, S: packed::Source, const VEX: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (a, b) = (ymm(cpu, op.reg[0])[0], S::get::<VEX>(cpu, memory, op)?);
    set_test_flags::<F>(cpu, [a, 0], [b, 0]);
    Ok(Flow::Next)
}

fn run_test256<F: Tested, const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let b = if MEM { load256(cpu, memory, op)? } else { ymm(cpu, op.reg[1]) };
    set_test_flags::<F>(cpu, ymm(cpu, op.reg[0]), b);
    Ok(Flow::Next)
}

/// PTEST, VTESTPS, VTESTPD
pub(crate) fn test<F: Tested>(insn: &Instruction) -> Option<Handler> {
    let vex = is_vex(insn)?;
    match (vex, insn.op0_register().is_ymm()) {
        (true, true) => choose(insn, 1, run_test256::<F, false>, run_test256::<F, true>),
        (true, false) => choose(insn, 1, run_test::<F, Xmm<1>, true>, run_test::<F, Load<16>, true>),
        (false, _) => choose(insn, 1, run_test::<F, Xmm<1>, false>, run_test::<F, Load<16>, false>),
    }
}

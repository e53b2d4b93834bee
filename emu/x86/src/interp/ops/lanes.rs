//! AVX and AVX2 instructions that move data across lanes: permutes, inserts, extracts, broadcasts.

use iced_x86::Instruction;

use super::packed::{Lane, Load, Shape, Source, Xmm, is_vex, load256, packed, set_lane, ymm};
use crate::alu::float::Mxcsr;
use crate::alu::simd::{self, Element, Ymm, each};
use crate::cpu::Cpu;
use crate::exit::Trap;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, form};
use crate::memory::Memory;

/// An operation on two whole registers.
pub(crate) trait Crossing {
    /// The register that `a` and `b` give.
    fn apply(a: Ymm, b: Ymm, imm: u8) -> Ymm;
}

/// VPERM2F128, VPERM2I128
pub(crate) struct Perm2;
/// VPERMD, VPERMPS
pub(crate) struct PermD;

impl Crossing for Perm2 {
    fn apply(a: Ymm, b: Ymm, imm: u8) -> Ymm {
        simd::vperm2i128(a, b, imm)
    }
}

impl Crossing for PermD {
    fn apply(a: Ymm, b: Ymm, _: u8) -> Ymm {
        simd::vpermd(a, b)
    }
}

fn source256<const N: usize, const MEM: bool>(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<Ymm, Trap> {
    if MEM { load256(cpu, memory, op) } else { Ok(ymm(cpu, op.reg[N])) }
}

fn run_pair<F: Crossing, const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let b = source256::<2, MEM>(cpu, memory, op)?;
    cpu.ymm[usize::from(op.reg[0] & 15)] = F::apply(ymm(cpu, op.reg[1]), b, op.imm as u8);
    Ok(Flow::Next)
}

/// First operand = the second and third, across lanes.
pub(crate) fn pair<F: Crossing>(insn: &Instruction) -> Option<Handler> {
    match (is_vex(insn)?, form(insn, 2)) {
        (true, Form::Reg) => Some(run_pair::<F, false>),
        (true, Form::Mem) => Some(run_pair::<F, true>),
        _ => None,
    }
}

fn run_vpermq<const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let a = source256::<1, MEM>(cpu, memory, op)?;
    cpu.ymm[usize::from(op.reg[0] & 15)] = simd::vpermq(a, op.imm as u8);
    Ok(Flow::Next)
}

/// VPERMQ, VPERMPD
pub(crate) fn vpermq(insn: &Instruction) -> Option<Handler> {
    match (is_vex(insn)?, form(insn, 1)) {
        (true, Form::Reg) => Some(run_vpermq::<false>),
        (true, Form::Mem) => Some(run_vpermq::<true>),
        _ => None,
    }
}

struct PermilpsImmediate;
struct PermilpdImmediate;
struct Permilps;
struct Permilpd;

impl Lane for PermilpsImmediate {
    type Mem = Load<16>;
    const SHAPE: Shape = Shape { unary: true, upper_imm: 0 };
    fn apply(_: u128, b: u128, imm: u8, _: &mut Mxcsr) -> u128 {
        simd::pshufd(b, imm)
    }
}

impl Lane for PermilpdImmediate {
    type Mem = Load<16>;
    const SHAPE: Shape = Shape { unary: true, upper_imm: 2 };
    fn apply(_: u128, b: u128, imm: u8, _: &mut Mxcsr) -> u128 {
        simd::shufpd(b, b, imm)
    }
}

impl Lane for Permilps {
    type Mem = Load<16>;
    fn apply(a: u128, b: u128, _: u8, _: &mut Mxcsr) -> u128 {
        simd::vpermilps(a, b)
    }
}

impl Lane for Permilpd {
    type Mem = Load<16>;
    fn apply(a: u128, b: u128, _: u8, _: &mut Mxcsr) -> u128 {
        simd::vpermilpd(a, b)
    }
}

/// VPERMILPS
pub(crate) fn vpermilps(insn: &Instruction) -> Option<Handler> {
    if form(insn, 2) == Form::Imm { packed::<PermilpsImmediate>(insn) } else { packed::<Permilps>(insn) }
}

/// VPERMILPD
pub(crate) fn vpermilpd(insn: &Instruction) -> Option<Handler> {
    if form(insn, 2) == Form::Imm { packed::<PermilpdImmediate>(insn) } else { packed::<Permilpd>(insn) }
}

fn run_insert<S: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let lane = S::get::<true>(cpu, memory, op)?;
    cpu.ymm[usize::from(op.reg[0] & 15)] = simd::vinserti128(ymm(cpu, op.reg[1]), lane, op.imm as u8);
    Ok(Flow::Next)
}

/// VINSERTF128, VINSERTI128
pub(crate) fn insert(insn: &Instruction) -> Option<Handler> {
    match (is_vex(insn)?, form(insn, 2)) {
        (true, Form::Reg) => Some(run_insert::<Xmm<2>>),
        (true, Form::Mem) => Some(run_insert::<Load<16>>),
        _ => None,
    }
}

fn run_extract<const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let lane = simd::vextracti128(ymm(cpu, op.reg[1]), op.imm as u8);
    if MEM {
        memory.write(op.addr(cpu), lane.to_le_bytes())?;
    } else {
        set_lane::<true>(cpu, op, lane);
    }
    Ok(Flow::Next)
}

/// VEXTRACTF128, VEXTRACTI128
pub(crate) fn extract(insn: &Instruction) -> Option<Handler> {
    match (is_vex(insn)?, form(insn, 0)) {
        (true, Form::Reg) => Some(run_extract::<false>),
        (true, Form::Mem) => Some(run_extract::<true>),
        _ => None,
    }
}

fn run_broadcast<T: Element, S: Source, const WIDE: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let value: T = simd::first(S::get::<true>(cpu, memory, op)?);
    let lane = each(|_| value);
    cpu.ymm[usize::from(op.reg[0] & 15)] = [lane, if WIDE { lane } else { 0 }];
    Ok(Flow::Next)
}

fn broadcast_from<T: Element, const WIDE: bool>(insn: &Instruction) -> Option<Handler> {
    Some(match (form(insn, 1), T::COUNT) {
        (Form::Reg, _) => run_broadcast::<T, Xmm<1>, WIDE>,
        (Form::Mem, 16) => run_broadcast::<T, Load<1>, WIDE>,
        (Form::Mem, 8) => run_broadcast::<T, Load<2>, WIDE>,
        (Form::Mem, 4) => run_broadcast::<T, Load<4>, WIDE>,
        (Form::Mem, 2) => run_broadcast::<T, Load<8>, WIDE>,
        _ => return None,
    })
}

/// VPBROADCASTB and its kin: one element everywhere.
pub(crate) fn broadcast<T: Element>(insn: &Instruction) -> Option<Handler> {
    match (is_vex(insn)?, insn.op0_register().is_ymm()) {
        (true, true) => broadcast_from::<T, true>(insn),
        (true, false) => broadcast_from::<T, false>(insn),
        _ => None,
    }
}

/// VBROADCASTF128, VBROADCASTI128: both lanes the same, from memory.
pub(crate) fn broadcast128(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?.then_some(|cpu, memory, op| {
        let lane = Load::<16>::get::<true>(cpu, memory, op)?;
        cpu.ymm[usize::from(op.reg[0] & 15)] = [lane; 2];
        Ok(Flow::Next)
    })
}

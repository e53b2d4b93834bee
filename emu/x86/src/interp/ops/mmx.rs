//! MMX: 64-bit vectors in the significands of the x87 registers. They compute what one half of an SSE lane
//! computes, so the functions are those of SSE.
//!
//! All of these except EMMS mark the x87 stack full, with its top in register 0, and raise a pending exception of an
//! earlier x87 instruction.

use iced_x86::{Code, Instruction, Mnemonic as M, OpKind};

use super::packed::{self, Load, Xmm, choose_any, set_lane, with_mxcsr, ymm};
use super::x87::unit;
use crate::alu::float::{self, Rounding};
use crate::alu::simd;
use crate::cpu::{Cpu, gpr};
use crate::exit::Trap;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, Mem, Place, Reg, Source, form};
use crate::memory::{Access, Memory};

/// An operation on a vector. `b` is the second operand, or the immediate if that takes its place.
pub(crate) trait Mmx {
    fn apply(a: u64, b: u64, imm: u8) -> u64;
}

/// Where a 64-bit operand is: an MMX register, memory of that size or half of it.
trait Operand {
    fn get(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u64, Trap>;
}

/// MMX register operand `N`.
struct Mm<const N: usize>;
struct Quad;
struct Half;

impl<const N: usize> Operand for Mm<N> {
    fn get(cpu: &Cpu, _: &Memory, op: &Op) -> Result<u64, Trap> {
        Ok(cpu.x87.mm(op.reg[N]))
    }
}

impl Operand for Quad {
    fn get(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u64, Trap> {
        Ok(u64::load(memory, op.addr(cpu))?)
    }
}

impl Operand for Half {
    fn get(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u64, Trap> {
        Ok(u32::load(memory, op.addr(cpu))?.into())
    }
}

/// Sets MMX register operand 0.
fn set(cpu: &mut Cpu, op: &Op, value: u64) {
    cpu.x87.enter_mmx();
    cpu.x87.set_mm(op.reg[0], value);
}

/// The part that all operations share: the first operand and `b` give the first operand.
#[inline(never)]
fn run(cpu: &mut Cpu, op: &Op, b: u64, apply: fn(u64, u64, u8) -> u64) -> Step {
    let a = cpu.x87.mm(op.reg[0]);
    set(cpu, op, apply(a, b, op.imm as u8));
    Ok(Flow::Next)
}

/// The second operand: a register, or in memory.
#[inline(never)]
fn second<InMemory: Operand>(cpu: &mut Cpu, memory: &Memory, op: &Op) -> Result<u64, Trap> {
    unit(cpu)?;
    if op.in_memory() { InMemory::get(cpu, memory, op) } else { Ok(cpu.x87.mm(op.reg[1])) }
}

fn run_from<F: Mmx, InMemory: Operand>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let b = second::<InMemory>(cpu, memory, op)?;
    run(cpu, op, b, F::apply)
}

fn run_immediate<F: Mmx>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    unit(cpu)?;
    run(cpu, op, op.imm & 0xff, F::apply)
}

/// First operand = both, by `F`.
pub(crate) fn mmx<F: Mmx>(insn: &Instruction) -> Option<Handler> {
    choose_any(insn, 1, run_from::<F, Quad>)
}

/// The same where the second operand takes half as much memory: PUNPCKLBW and its kin.
pub(crate) fn low<F: Mmx>(insn: &Instruction) -> Option<Handler> {
    choose_any(insn, 1, run_from::<F, Half>)
}

/// The same where the second operand may be the immediate: shifts.
pub(crate) fn shift<F: Mmx>(insn: &Instruction) -> Option<Handler> {
    if form(insn, 1) == Form::Imm { Some(run_immediate::<F>) } else { mmx::<F>(insn) }
}

fn run_in<T: Int, B: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    unit(cpu)?;
    let value = B::get::<T>(cpu, memory, op)?.zext();
    set(cpu, op, value);
    Ok(Flow::Next)
}

fn run_out<T: Int, A: Place>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    unit(cpu)?;
    let value = T::truncate(cpu.x87.mm(op.reg[1]));
    A::put(cpu, memory, op, value)?;
    cpu.x87.enter_mmx();
    Ok(Flow::Next)
}

fn run_move(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    unit(cpu)?;
    let value = cpu.x87.mm(op.reg[1]);
    set(cpu, op, value);
    Ok(Flow::Next)
}

/// MOVD, MOVQ, MOVNTQ
pub(crate) fn moves(insn: &Instruction) -> Option<Handler> {
    Some(match insn.code() {
        Code::Movq_mm_mmm64 | Code::Movq_mmm64_mm if form(insn, 0) == form(insn, 1) => run_move,
        Code::Movq_mm_mmm64 => run_in::<u64, Mem>,
        Code::Movq_mmm64_mm | Code::Movntq_m64_mm => run_out::<u64, Mem>,
        Code::Movd_mm_rm32 if form(insn, 1) == Form::Mem => run_in::<u32, Mem>,
        Code::Movd_mm_rm32 => run_in::<u32, Reg<1>>,
        Code::Movq_mm_rm64 if form(insn, 1) == Form::Mem => run_in::<u64, Mem>,
        Code::Movq_mm_rm64 => run_in::<u64, Reg<1>>,
        Code::Movd_rm32_mm if form(insn, 0) == Form::Mem => run_out::<u32, Mem>,
        Code::Movd_rm32_mm => run_out::<u32, Reg<0>>,
        Code::Movq_rm64_mm if form(insn, 0) == Form::Mem => run_out::<u64, Mem>,
        Code::Movq_rm64_mm => run_out::<u64, Reg<0>>,
        _ => return None,
    })
}

/// MOVQ2DQ, MOVDQ2Q: between an MMX register and an XMM register's low half.
pub(crate) fn between(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Movq2dq => |cpu, _, op| {
            unit(cpu)?;
            let value = cpu.x87.mm(op.reg[1]);
            cpu.x87.enter_mmx();
            set_lane::<false>(cpu, op, value.into());
            Ok(Flow::Next)
        },
        M::Movdq2q => |cpu, _, op| {
            unit(cpu)?;
            let value = ymm(cpu, op.reg[1])[0] as u64;
            set(cpu, op, value);
            Ok(Flow::Next)
        },
        _ => return None,
    })
}

fn run_insert<B: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    unit(cpu)?;
    let (a, word) = (cpu.x87.mm(op.reg[0]), B::get::<u16>(cpu, memory, op)?);
    set(cpu, op, simd::insert(a.into(), word, op.imm as u8 & 3) as u64);
    Ok(Flow::Next)
}

/// PINSRW, PEXTRW, PMOVMSKB
pub(crate) fn elements(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Pinsrw if form(insn, 1) == Form::Mem => run_insert::<Mem>,
        M::Pinsrw => run_insert::<Reg<1>>,
        M::Pextrw => |cpu, _, op| {
            unit(cpu)?;
            let word: u16 = simd::extract(cpu.x87.mm(op.reg[1]).into(), op.imm as u8 & 3);
            cpu.x87.enter_mmx();
            cpu.set_gpr(op.reg[0], word.into());
            Ok(Flow::Next)
        },
        M::Pmovmskb => |cpu, _, op| {
            unit(cpu)?;
            let signs = simd::pmovmskb(cpu.x87.mm(op.reg[1]).into());
            cpu.x87.enter_mmx();
            cpu.set_gpr(op.reg[0], signs.into());
            Ok(Flow::Next)
        },
        _ => return None,
    })
}

/// MASKMOVQ: bytes whose mask has its top bit set, to where RDI points.
pub(crate) fn maskmovq(insn: &Instruction) -> Option<Handler> {
    (insn.op0_kind() == OpKind::MemorySegRDI).then_some(|cpu: &mut Cpu, memory: &mut Memory, op: &Op| {
        unit(cpu)?;
        let (values, mask) = (cpu.x87.mm(op.reg[1]).to_le_bytes(), cpu.x87.mm(op.reg[2]).to_le_bytes());
        let base = op.addr(cpu).wrapping_add(cpu.gpr(gpr::RDI));
        let chosen = || (0..8).filter(|&i| mask[i] & 0x80 != 0);
        for i in chosen() {
            memory.check(base.wrapping_add(i as u64), 1, Access::Write)?;
        }
        for i in chosen() {
            values[i].store(memory, base.wrapping_add(i as u64))?;
        }
        cpu.x87.enter_mmx();
        Ok(Flow::Next)
    })
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn joined([low, high]: [u32; 2]) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn run_to_singles<B: Operand>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    unit(cpu)?;
    let integers = halves(B::get(cpu, memory, op)?);
    let singles = with_mxcsr(cpu, memory, |env| integers.map(|n| float::from_i32::<u32>(n as i32, env)))?;
    cpu.x87.enter_mmx();
    let rest = ymm(cpu, op.reg[0])[0] & !u128::from(u64::MAX);
    set_lane::<false>(cpu, op, rest | u128::from(joined(singles)));
    Ok(Flow::Next)
}

/// Memory is no MMX register: then this is an instruction of SSE2 alone.
fn run_to_doubles<B: Operand, const MMX: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    if MMX {
        unit(cpu)?;
    }
    let integers = halves(B::get(cpu, memory, op)?);
    let doubles = with_mxcsr(cpu, memory, |env| integers.map(|n| float::from_i32::<u64>(n as i32, env)))?;
    if MMX {
        cpu.x87.enter_mmx();
    }
    set_lane::<false>(cpu, op, u128::from(doubles[1]) << 64 | u128::from(doubles[0]));
    Ok(Flow::Next)
}

/// CVTPI2PS, CVTPI2PD
pub(crate) fn from_integers(insn: &Instruction) -> Option<Handler> {
    Some(match (insn.mnemonic(), form(insn, 1)) {
        (M::Cvtpi2ps, Form::Reg) => run_to_singles::<Mm<1>>,
        (M::Cvtpi2ps, Form::Mem) => run_to_singles::<Quad>,
        (M::Cvtpi2pd, Form::Reg) => run_to_doubles::<Mm<1>, true>,
        (M::Cvtpi2pd, Form::Mem) => run_to_doubles::<Quad, false>,
        _ => return None,
    })
}

fn run_from_singles<B: packed::Source, const TRUNCATE: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    unit(cpu)?;
    let singles = halves(B::get::<false>(cpu, memory, op)? as u64);
    let integers = with_mxcsr(cpu, memory, |env| {
        let rounding = if TRUNCATE { Rounding::Zero } else { env.rounding() };
        singles.map(|single| float::to_i32(single, rounding, env) as u32)
    })?;
    set(cpu, op, joined(integers));
    Ok(Flow::Next)
}

fn run_from_doubles<B: packed::Source, const TRUNCATE: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    unit(cpu)?;
    let lane = B::get::<false>(cpu, memory, op)?;
    let integers = with_mxcsr(cpu, memory, |env| {
        let rounding = if TRUNCATE { Rounding::Zero } else { env.rounding() };
        [lane as u64, (lane >> 64) as u64].map(|double| float::to_i32(double, rounding, env) as u32)
    })?;
    set(cpu, op, joined(integers));
    Ok(Flow::Next)
}

/// CVTPS2PI, CVTTPS2PI, CVTPD2PI, CVTTPD2PI
pub(crate) fn to_integers(insn: &Instruction) -> Option<Handler> {
    Some(match (insn.mnemonic(), form(insn, 1)) {
        (M::Cvtps2pi, Form::Reg) => run_from_singles::<Xmm<1>, false>,
        (M::Cvtps2pi, Form::Mem) => run_from_singles::<Load<8>, false>,
        (M::Cvttps2pi, Form::Reg) => run_from_singles::<Xmm<1>, true>,
        (M::Cvttps2pi, Form::Mem) => run_from_singles::<Load<8>, true>,
        (M::Cvtpd2pi, Form::Reg) => run_from_doubles::<Xmm<1>, false>,
        (M::Cvtpd2pi, Form::Mem) => run_from_doubles::<Load<16>, false>,
        (M::Cvttpd2pi, Form::Reg) => run_from_doubles::<Xmm<1>, true>,
        (M::Cvttpd2pi, Form::Mem) => run_from_doubles::<Load<16>, true>,
        _ => return None,
    })
}

/// EMMS: all registers are empty again.
pub(crate) fn emms(_: &Instruction) -> Option<Handler> {
    Some(|cpu, _, _| {
        let x87 = unit(cpu)?;
        x87.enter_mmx();
        x87.tags = 0;
        Ok(Flow::Next)
    })
}

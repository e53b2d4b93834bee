//! Moves between vector registers, memory and general-purpose registers.

use iced_x86::Instruction;

use super::packed::{is_vex, load256, set_lane, ymm};
use crate::cpu::Cpu;
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, Mem, Place, Reg, Source, form, width};
use crate::memory::Memory;

/// #GP for a misaligned address, where alignment is asked for.
#[inline(always)]
fn check_alignment<const ALIGNED: bool>(addr: u64, bytes: u64) -> Result<(), Trap> {
    if ALIGNED && !addr.is_multiple_of(bytes) { Err(Trap::new(TrapKind::Protection)) } else { Ok(()) }
}

fn run_move<const VEX: bool, const FROM: usize, const TO: usize>(
    cpu: &mut Cpu,
    _: &mut Memory,
    op: &Op,
) -> Step {
    let value = ymm(cpu, op.reg[FROM])[0];
    let register = &mut cpu.ymm[usize::from(op.reg[TO] & 15)];
    *register = [value, if VEX { 0 } else { register[1] }];
    Ok(Flow::Next)
}

fn run_move256(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    cpu.ymm[usize::from(op.reg[0] & 15)] = ymm(cpu, op.reg[1]);
    Ok(Flow::Next)
}

fn run_load<const ALIGNED: bool, const VEX: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    check_alignment::<ALIGNED>(addr, 16)?;
    let value = u128::from_le_bytes(memory.read(addr)?);
    set_lane::<VEX>(cpu, op, value);
    Ok(Flow::Next)
}

fn run_load256<const ALIGNED: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    check_alignment::<ALIGNED>(op.addr(cpu), 32)?;
    cpu.ymm[usize::from(op.reg[0] & 15)] = load256(cpu, memory, op)?;
    Ok(Flow::Next)
}

fn run_store<const ALIGNED: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    check_alignment::<ALIGNED>(addr, 16)?;
    memory.write(addr, ymm(cpu, op.reg[1])[0].to_le_bytes())?;
    Ok(Flow::Next)
}

fn run_store256<const ALIGNED: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    check_alignment::<ALIGNED>(addr, 32)?;
    let mut bytes = [0; 32];
    for (half, lane) in bytes.chunks_exact_mut(16).zip(ymm(cpu, op.reg[1])) {
        half.copy_from_slice(&lane.to_le_bytes());
    }
    memory.write(addr, bytes)?;
    Ok(Flow::Next)
}

/// Whole registers: MOVUPS, MOVDQU, LDDQU and, where aligned, MOVAPS, MOVDQA, MOVNTDQ and their kin.
pub(crate) fn whole<const ALIGNED: bool>(insn: &Instruction) -> Option<Handler> {
    let (vex, wide) = (is_vex(insn)?, insn.op0_register().is_ymm() || insn.op1_register().is_ymm());
    Some(match (form(insn, 0), form(insn, 1), wide, vex) {
        (Form::Reg, Form::Reg, true, _) => run_move256,
        (Form::Reg, Form::Mem, true, _) => run_load256::<ALIGNED>,
        (Form::Mem, Form::Reg, true, _) => run_store256::<ALIGNED>,
        (Form::Reg, Form::Reg, _, false) => run_move::<false, 1, 0>,
        (Form::Reg, Form::Reg, _, true) => run_move::<true, 1, 0>,
        (Form::Reg, Form::Mem, _, false) => run_load::<ALIGNED, false>,
        (Form::Reg, Form::Mem, _, true) => run_load::<ALIGNED, true>,
        (Form::Mem, Form::Reg, ..) => run_store::<ALIGNED>,
        _ => return None,
    })
}

/// To a vector register, the rest of the low lane cleared: MOVD, MOVQ, and MOVSS, MOVSD from memory.
#[inline(always)]
fn run_in<T: Int, B: Source, const VEX: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = B::get::<T>(cpu, memory, op)?;
    set_lane::<VEX>(cpu, op, value.zext().into());
    Ok(Flow::Next)
}

/// From a vector register's lowest bits.
#[inline(always)]
fn run_out<T: Int, A: Place>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = T::truncate(ymm(cpu, op.reg[1])[0] as u64);
    A::put(cpu, memory, op, value)?;
    Ok(Flow::Next)
}

/// MOVQ of vector registers: the upper half of the lane is cleared.
fn run_quad<const VEX: bool>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let value = u128::from(ymm(cpu, op.reg[1])[0] as u64);
    set_lane::<VEX>(cpu, op, value);
    Ok(Flow::Next)
}

fn is_vector(insn: &Instruction, n: u32) -> bool {
    form(insn, n) == Form::Reg && insn.op_register(n).is_xmm()
}

fn into_vector<const VEX: bool>(insn: &Instruction) -> Option<Handler> {
    if is_vector(insn, 1) {
        return Some(run_quad::<VEX>);
    }
    Some(match (form(insn, 1), width(insn, 1)) {
        (Form::Reg, 4) => run_in::<u32, Reg<1>, VEX>,
        (Form::Reg, 8) => run_in::<u64, Reg<1>, VEX>,
        (Form::Mem, 4) => run_in::<u32, Mem, VEX>,
        (Form::Mem, 8) => run_in::<u64, Mem, VEX>,
        _ => return None,
    })
}

/// MOVD, MOVQ
pub(crate) fn movd(insn: &Instruction) -> Option<Handler> {
    let vex = is_vex(insn)?;
    if is_vector(insn, 0) {
        return if vex { into_vector::<true>(insn) } else { into_vector::<false>(insn) };
    }
    if !is_vector(insn, 1) {
        return None;
    }
    Some(match (form(insn, 0), width(insn, 0)) {
        (Form::Reg, 4) => run_out::<u32, Reg<0>>,
        (Form::Reg, 8) => run_out::<u64, Reg<0>>,
        (Form::Mem, 4) => run_out::<u32, Mem>,
        (Form::Mem, 8) => run_out::<u64, Mem>,
        _ => return None,
    })
}

/// MOVSS and MOVSD between registers: only the lowest element moves, the rest is that of operand `A`.
fn run_scalar<T: Int, const A: usize, const VEX: bool>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let mask = u128::from(u64::MAX >> (64 - T::BITS));
    let value = (ymm(cpu, op.reg[A])[0] & !mask) | (ymm(cpu, op.reg[A + 1])[0] & mask);
    set_lane::<VEX>(cpu, op, value);
    Ok(Flow::Next)
}

/// MOVSS, MOVSD
pub(crate) fn scalar<T: Int>(insn: &Instruction) -> Option<Handler> {
    let vex = is_vex(insn)?;
    Some(match (form(insn, 0), form(insn, 1), form(insn, 2)) {
        (Form::Reg, Form::Reg, Form::Reg) => run_scalar::<T, 1, true>,
        (Form::Reg, Form::Reg, _) => run_scalar::<T, 0, false>,
        (Form::Reg, Form::Mem, _) if vex => run_in::<T, Mem, true>,
        (Form::Reg, Form::Mem, _) => run_in::<T, Mem, false>,
        (Form::Mem, Form::Reg, _) => run_out::<T, Mem>,
        _ => return None,
    })
}

/// A quadword from memory as one half of the lane; the other half is that of operand `A`.
fn run_half<const HIGH: bool, const A: usize, const VEX: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (loaded, a) = (u128::from(u64::load(memory, op.addr(cpu))?), ymm(cpu, op.reg[A])[0]);
    let low = u128::from(u64::MAX);
    let value = if HIGH { loaded << 64 | (a & low) } else { (a & !low) | loaded };
    set_lane::<VEX>(cpu, op, value);
    Ok(Flow::Next)
}

fn run_high_out(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    ((ymm(cpu, op.reg[1])[0] >> 64) as u64).store(memory, op.addr(cpu))?;
    Ok(Flow::Next)
}

fn half<const HIGH: bool>(insn: &Instruction, store: Handler) -> Option<Handler> {
    match (form(insn, 0), form(insn, 1), form(insn, 2)) {
        (Form::Mem, Form::Reg, _) => Some(store),
        (Form::Reg, Form::Mem, _) => Some(run_half::<HIGH, 0, false>),
        (Form::Reg, Form::Reg, Form::Mem) => Some(run_half::<HIGH, 1, true>),
        _ => None,
    }
}

/// MOVLPS, MOVLPD
pub(crate) fn low_half(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    half::<false>(insn, run_out::<u64, Mem>)
}

/// MOVHPS, MOVHPD
pub(crate) fn high_half(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    half::<true>(insn, run_high_out)
}

/// One half of each source: the high ones (MOVHLPS: `b` below `a`), or the low ones.
fn run_halves<const HIGH: bool, const A: usize, const VEX: bool>(
    cpu: &mut Cpu,
    _: &mut Memory,
    op: &Op,
) -> Step {
    let (a, b) = (ymm(cpu, op.reg[A])[0], ymm(cpu, op.reg[A + 1])[0]);
    let low = u128::from(u64::MAX);
    let value = if HIGH { (a & !low) | b >> 64 } else { (a & low) | b << 64 };
    set_lane::<VEX>(cpu, op, value);
    Ok(Flow::Next)
}

/// MOVHLPS
pub(crate) fn movhlps(insn: &Instruction) -> Option<Handler> {
    Some(if is_vex(insn)? { run_halves::<true, 1, true> } else { run_halves::<true, 0, false> })
}

/// MOVLHPS
pub(crate) fn movlhps(insn: &Instruction) -> Option<Handler> {
    Some(if is_vex(insn)? { run_halves::<false, 1, true> } else { run_halves::<false, 0, false> })
}

fn run_movnti<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    cpu.read::<T>(op.reg[1]).store(memory, op.addr(cpu))?;
    Ok(Flow::Next)
}

/// MOVNTI
pub(crate) fn movnti(insn: &Instruction) -> Option<Handler> {
    Some(if width(insn, 1) == 8 { run_movnti::<u64> } else { run_movnti::<u32> })
}

/// VZEROUPPER
pub(crate) fn vzeroupper(_: &Instruction) -> Option<Handler> {
    Some(|cpu, _, _| {
        cpu.ymm.iter_mut().for_each(|register| register[1] = 0);
        Ok(Flow::Next)
    })
}

/// VZEROALL
pub(crate) fn vzeroall(_: &Instruction) -> Option<Handler> {
    Some(|cpu, _, _| {
        cpu.ymm = [[0; 2]; 16];
        Ok(Flow::Next)
    })
}

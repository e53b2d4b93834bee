//! Moves between vector registers, memory and general-purpose registers, and bitwise logic: the part of
//! SSE that every Go function uses.

use iced_x86::{Instruction, Mnemonic};

use crate::cpu::Cpu;
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, Mem, Place, Reg, Source, form, width};
use crate::memory::Memory;

/// The low lane of vector register operand `n`.
#[inline(always)]
pub(crate) fn low(cpu: &Cpu, op: &Op, n: usize) -> u128 {
    cpu.ymm[usize::from(op.reg[n] & 15)][0]
}

/// Sets the low lane of vector register operand `n`; the upper lane stays, as with all legacy SSE.
#[inline(always)]
pub(crate) fn set_low(cpu: &mut Cpu, op: &Op, n: usize, value: u128) {
    cpu.ymm[usize::from(op.reg[n] & 15)][0] = value;
}

/// Loads 16 bytes; where alignment is asked for, a misaligned address is #GP.
#[inline(always)]
pub(crate) fn load128<const ALIGNED: bool>(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u128, Trap> {
    let addr = op.addr(cpu);
    if ALIGNED && !addr.is_multiple_of(16) {
        return Err(Trap::new(TrapKind::Protection));
    }
    Ok(u128::from_le_bytes(memory.read(addr)?))
}

fn run_move_load<const ALIGNED: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = load128::<ALIGNED>(cpu, memory, op)?;
    set_low(cpu, op, 0, value);
    Ok(Flow::Next)
}

fn run_move_store<const ALIGNED: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    if ALIGNED && !addr.is_multiple_of(16) {
        return Err(Trap::new(TrapKind::Protection));
    }
    memory.write(addr, low(cpu, op, 1).to_le_bytes())?;
    Ok(Flow::Next)
}

fn run_move(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let value = low(cpu, op, 1);
    set_low(cpu, op, 0, value);
    Ok(Flow::Next)
}

fn move128<const ALIGNED: bool>(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), form(insn, 1)) {
        (Form::Reg, Form::Reg) => Some(run_move),
        (Form::Reg, Form::Mem) => Some(run_move_load::<ALIGNED>),
        (Form::Mem, Form::Reg) => Some(run_move_store::<ALIGNED>),
        _ => None,
    }
}

/// MOVUPS, MOVUPD, MOVDQU, LDDQU
pub(crate) fn movu(insn: &Instruction) -> Option<Handler> {
    move128::<false>(insn)
}

/// MOVAPS, MOVAPD, MOVDQA, MOVNTDQ and the other non-temporal forms
pub(crate) fn mova(insn: &Instruction) -> Option<Handler> {
    move128::<true>(insn)
}

/// To a vector register, the rest of the low lane cleared: MOVD, MOVQ, and MOVSS, MOVSD from memory.
#[inline(always)]
fn run_in<T: Int, B: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = B::get::<T>(cpu, memory, op)?;
    set_low(cpu, op, 0, value.zext().into());
    Ok(Flow::Next)
}

/// From a vector register's lowest bits.
#[inline(always)]
fn run_out<T: Int, A: Place>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = T::truncate(low(cpu, op, 1) as u64);
    A::put(cpu, memory, op, value)?;
    Ok(Flow::Next)
}

/// MOVQ of vector registers: the upper half of the lane is cleared.
fn run_quad(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let value = u128::from(low(cpu, op, 1) as u64);
    set_low(cpu, op, 0, value);
    Ok(Flow::Next)
}

fn is_vector(insn: &Instruction, n: u32) -> bool {
    form(insn, n) == Form::Reg && insn.op_register(n).is_xmm()
}

/// MOVD, MOVQ
pub(crate) fn movd(insn: &Instruction) -> Option<Handler> {
    let (into, from) = (is_vector(insn, 0), is_vector(insn, 1));
    let bytes = width(insn, if into { 1 } else { 0 });
    match (into, from, form(insn, 0), form(insn, 1), bytes) {
        (true, true, ..) => Some(run_quad),
        (true, _, _, Form::Reg, 4) => Some(run_in::<u32, Reg<1>>),
        (true, _, _, Form::Reg, 8) => Some(run_in::<u64, Reg<1>>),
        (true, _, _, Form::Mem, 4) => Some(run_in::<u32, Mem>),
        (true, _, _, Form::Mem, 8) => Some(run_in::<u64, Mem>),
        (_, true, Form::Reg, _, 4) => Some(run_out::<u32, Reg<0>>),
        (_, true, Form::Reg, _, 8) => Some(run_out::<u64, Reg<0>>),
        (_, true, Form::Mem, _, 4) => Some(run_out::<u32, Mem>),
        (_, true, Form::Mem, _, 8) => Some(run_out::<u64, Mem>),
        _ => None,
    }
}

/// MOVSS and MOVSD between registers: only the lowest element moves.
fn run_scalar<T: Int>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let mask = u128::from(u64::MAX >> (64 - T::BITS));
    let value = (low(cpu, op, 0) & !mask) | (low(cpu, op, 1) & mask);
    set_low(cpu, op, 0, value);
    Ok(Flow::Next)
}

fn scalar<T: Int>(insn: &Instruction) -> Option<Handler> {
    match (is_vector(insn, 0), is_vector(insn, 1)) {
        (true, true) => Some(run_scalar::<T>),
        (true, false) => Some(run_in::<T, Mem>),
        (false, true) => Some(run_out::<T, Mem>),
        _ => None,
    }
}

/// MOVSS
pub(crate) fn movss(insn: &Instruction) -> Option<Handler> {
    scalar::<u32>(insn)
}

/// MOVSD of SSE2; the string instruction of that name has no vector operand.
pub(crate) fn movsd(insn: &Instruction) -> Option<Handler> {
    scalar::<u64>(insn)
}

#[inline(always)]
fn run_logic<const MEMORY: bool, F: Logic>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let b = if MEMORY { load128::<true>(cpu, memory, op)? } else { low(cpu, op, 1) };
    let r = F::apply(low(cpu, op, 0), b);
    set_low(cpu, op, 0, r);
    Ok(Flow::Next)
}

trait Logic {
    fn apply(a: u128, b: u128) -> u128;
}

struct And;
struct Andn;
struct Or;
struct Xor;

impl Logic for And {
    fn apply(a: u128, b: u128) -> u128 {
        a & b
    }
}

impl Logic for Andn {
    fn apply(a: u128, b: u128) -> u128 {
        !a & b
    }
}

impl Logic for Or {
    fn apply(a: u128, b: u128) -> u128 {
        a | b
    }
}

impl Logic for Xor {
    fn apply(a: u128, b: u128) -> u128 {
        a ^ b
    }
}

fn pick<F: Logic>(insn: &Instruction) -> Option<Handler> {
    if insn.op0_register().is_mm() {
        return None;
    }
    match form(insn, 1) {
        Form::Reg => Some(run_logic::<false, F>),
        Form::Mem => Some(run_logic::<true, F>),
        _ => None,
    }
}

/// ANDPS ANDPD PAND, ANDNPS .., ORPS .., XORPS ..
pub(crate) fn logic(insn: &Instruction) -> Option<Handler> {
    match insn.mnemonic() {
        Mnemonic::Andps | Mnemonic::Andpd | Mnemonic::Pand => pick::<And>(insn),
        Mnemonic::Andnps | Mnemonic::Andnpd | Mnemonic::Pandn => pick::<Andn>(insn),
        Mnemonic::Orps | Mnemonic::Orpd | Mnemonic::Por => pick::<Or>(insn),
        Mnemonic::Xorps | Mnemonic::Xorpd | Mnemonic::Pxor => pick::<Xor>(insn),
        _ => None,
    }
}

//! Vector instructions that work lane by lane: one shape for SSE, VEX.128 and VEX.256, packed and scalar,
//! integer and floating-point, with and without an immediate.
//!
//! The first source is the operand before the last vector operand: for legacy instructions that is the
//! destination itself. Instructions of one source ignore it.

use iced_x86::{EncodingKind, Instruction};

use crate::alu::float::Mxcsr;
use crate::alu::simd::Ymm;
use crate::cpu::Cpu;
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, form};
use crate::memory::Memory;

/// An operation on one lane.
pub(crate) trait Lane {
    /// The second source where it is in memory: [`Load`] of 16 bytes, or of one element for scalars.
    type Mem: Source;
    /// Whether there is one source only, so that the VEX form has no operand more than the legacy one.
    const UNARY: bool = false;
    /// How far the immediate is shifted for the upper lane, where each lane has its own bits of it.
    const UPPER_IMM: u32 = 0;

    /// The lane that `a` and `b` give. Scalars keep the rest of `a`.
    fn apply(a: u128, b: u128, imm: u8, env: &mut Mxcsr) -> u128;
}

/// Runs a computation that may raise floating-point exceptions; one that is not masked is a fault.
#[inline(always)]
pub(crate) fn with_mxcsr<R>(cpu: &mut Cpu, compute: impl FnOnce(&mut Mxcsr) -> R) -> Result<R, Trap> {
    let mut env = Mxcsr(cpu.mxcsr);
    if env.unmasked(Mxcsr::FLAGS) == 0 {
        let result = compute(&mut env);
        cpu.mxcsr = env.0;
        return Ok(result);
    }
    // Clearing the old exceptions shows which ones are new.
    env.0 &= !Mxcsr::FLAGS;
    let result = compute(&mut env);
    let mut raised = env.0 & Mxcsr::FLAGS;
    // An exception that is found before the computation prevents it: then nothing was rounded.
    if env.unmasked(raised & Mxcsr::BEFORE) != 0 {
        raised &= Mxcsr::BEFORE;
    }
    cpu.mxcsr |= raised;
    if env.unmasked(raised) != 0 { Err(Trap::new(TrapKind::Float)) } else { Ok(result) }
}

/// Vector register `n`.
#[inline(always)]
pub(crate) fn ymm(cpu: &Cpu, n: u8) -> Ymm {
    cpu.ymm[usize::from(n & 15)]
}

/// Sets vector register operand 0: VEX clears what is above the result, legacy SSE keeps it.
#[inline(always)]
pub(crate) fn set_lane<const VEX: bool>(cpu: &mut Cpu, op: &Op, value: u128) {
    let register = &mut cpu.ymm[usize::from(op.reg[0] & 15)];
    register[0] = value;
    if VEX {
        register[1] = 0;
    }
}

/// Whether an instruction's encoding is VEX; `None` for encodings that goemu does not have.
pub(crate) fn is_vex(insn: &Instruction) -> Option<bool> {
    let vector = |n| !insn.op_register(n).is_mm();
    match insn.code().encoding() {
        EncodingKind::Legacy => (0..insn.op_count()).all(vector).then_some(false),
        EncodingKind::VEX => Some(true),
        _ => None,
    }
}

/// A source of up to 128 bits.
pub(crate) trait Source {
    /// Whether it is a whole lane.
    const WHOLE: bool;

    /// The lane, zero-extended from memory operands that are smaller.
    fn get<const VEX: bool>(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u128, Trap>;
}

/// Vector register operand `N`.
pub(crate) struct Xmm<const N: usize>;
/// Memory of `BYTES` bytes. Whole lanes must be aligned for legacy instructions: else #GP.
pub(crate) struct Load<const BYTES: usize>;

impl<const N: usize> Source for Xmm<N> {
    const WHOLE: bool = true;

    #[inline(always)]
    fn get<const VEX: bool>(cpu: &Cpu, _: &Memory, op: &Op) -> Result<u128, Trap> {
        Ok(ymm(cpu, op.reg[N])[0])
    }
}

impl<const BYTES: usize> Source for Load<BYTES> {
    const WHOLE: bool = BYTES == 16;

    #[inline(always)]
    fn get<const VEX: bool>(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u128, Trap> {
        let addr = op.addr(cpu);
        if Self::WHOLE && !VEX && !addr.is_multiple_of(16) {
            return Err(Trap::new(TrapKind::Protection));
        }
        let mut lane = [0; 16];
        lane[..BYTES].copy_from_slice(&memory.read::<BYTES>(addr)?);
        Ok(u128::from_le_bytes(lane))
    }
}

/// Loads both lanes.
#[inline(always)]
pub(crate) fn load256(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<Ymm, Trap> {
    let bytes = memory.read::<32>(op.addr(cpu))?;
    let lane = |from: usize| u128::from_le_bytes(std::array::from_fn(|i| bytes[from + i]));
    Ok([lane(0), lane(16)])
}

/// One lane. Not inlined, so that the many handlers that share it stay small: inlining takes most of this crate's
/// compile time.
#[inline(never)]
fn lane<F: Lane>(a: u128, b: u128, imm: u8, env: &mut Mxcsr) -> u128 {
    F::apply(a, b, imm, env)
}

fn run<F: Lane, const A: usize, B: Source, const VEX: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (a, b) = (ymm(cpu, op.reg[A])[0], B::get::<VEX>(cpu, memory, op)?);
    let result = with_mxcsr(cpu, |env| lane::<F>(a, b, op.imm as u8, env))?;
    set_lane::<VEX>(cpu, op, result);
    Ok(Flow::Next)
}

fn run256<F: Lane, const A: usize, const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let b = if MEM { load256(cpu, memory, op)? } else { ymm(cpu, op.reg[A + 1]) };
    let (a, imm) = (ymm(cpu, op.reg[A]), op.imm as u8);
    let lanes = with_mxcsr(cpu, |env| {
        [lane::<F>(a[0], b[0], imm, env), lane::<F>(a[1], b[1], imm >> F::UPPER_IMM, env)]
    })?;
    cpu.ymm[usize::from(op.reg[0] & 15)] = lanes;
    Ok(Flow::Next)
}

/// The handler for operand `n` in a register or in memory.
pub(crate) fn choose(insn: &Instruction, n: u32, register: Handler, memory: Handler) -> Option<Handler> {
    match form(insn, n) {
        Form::Reg => Some(register),
        Form::Mem => Some(memory),
        _ => None,
    }
}

fn vex<F: Lane>(insn: &Instruction) -> Option<Handler> {
    let wide = insn.op0_register().is_ymm();
    if wide && !F::Mem::WHOLE {
        return None;
    }
    match (F::UNARY, wide) {
        (true, false) => choose(insn, 1, run::<F, 0, Xmm<1>, true>, run::<F, 0, F::Mem, true>),
        (true, true) => choose(insn, 1, run256::<F, 0, false>, run256::<F, 0, true>),
        (false, false) => choose(insn, 2, run::<F, 1, Xmm<2>, true>, run::<F, 1, F::Mem, true>),
        (false, true) => choose(insn, 2, run256::<F, 1, false>, run256::<F, 1, true>),
    }
}

/// First operand = both sources, lane by lane.
pub(crate) fn packed<F: Lane>(insn: &Instruction) -> Option<Handler> {
    if is_vex(insn)? {
        return vex::<F>(insn);
    }
    choose(insn, 1, run::<F, 0, Xmm<1>, false>, run::<F, 0, F::Mem, false>)
}

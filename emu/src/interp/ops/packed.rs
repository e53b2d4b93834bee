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
use crate::interp::op::{Flow, Handler, Op, Step, is_immediate};
use crate::interp::operand::{Form, form};
use crate::memory::Memory;

/// What happens to one lane.
pub(crate) trait Lane {
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
    // Which exceptions are new is only to be seen when the old ones are out of the way.
    env.0 &= !Mxcsr::FLAGS;
    let result = compute(&mut env);
    let raised = env.0 & Mxcsr::FLAGS;
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

/// Whether an instruction's encoding is VEX; none for those that goemu does not have.
pub(crate) fn is_vex(insn: &Instruction) -> Option<bool> {
    let vector = |n| !insn.op_register(n).is_mm();
    match insn.code().encoding() {
        EncodingKind::Legacy => (0..insn.op_count()).all(vector).then_some(false),
        EncodingKind::VEX => Some(true),
        _ => None,
    }
}

/// A second source of up to 128 bits.
pub(crate) trait Source {
    /// The lane, zero-extended from memory operands that are smaller.
    fn get(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u128, Trap>;
}

/// Vector register operand `N`.
pub(crate) struct Xmm<const N: usize>;
/// Memory of `BYTES` bytes, anywhere.
pub(crate) struct Load<const BYTES: usize>;
/// 16 bytes of memory at a multiple of 16: else #GP, as legacy SSE has it.
pub(crate) struct Aligned;

impl<const N: usize> Source for Xmm<N> {
    #[inline(always)]
    fn get(cpu: &Cpu, _: &Memory, op: &Op) -> Result<u128, Trap> {
        Ok(ymm(cpu, op.reg[N])[0])
    }
}

impl<const BYTES: usize> Source for Load<BYTES> {
    #[inline(always)]
    fn get(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u128, Trap> {
        let mut lane = [0; 16];
        lane[..BYTES].copy_from_slice(&memory.read::<BYTES>(op.addr(cpu))?);
        Ok(u128::from_le_bytes(lane))
    }
}

impl Source for Aligned {
    #[inline(always)]
    fn get(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u128, Trap> {
        let addr = op.addr(cpu);
        if !addr.is_multiple_of(16) {
            return Err(Trap::new(TrapKind::Protection));
        }
        Ok(u128::from_le_bytes(memory.read(addr)?))
    }
}

/// Loads both lanes.
#[inline(always)]
pub(crate) fn load256(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<Ymm, Trap> {
    let bytes = memory.read::<32>(op.addr(cpu))?;
    let lane = |from: usize| u128::from_le_bytes(std::array::from_fn(|i| bytes[from + i]));
    Ok([lane(0), lane(16)])
}

/// An expression with `$S` as the source that operand `$n` is.
macro_rules! by_source {
    ($insn:expr, $n:expr, $vex:expr, $S:ident => $handler:expr) => {{
        use $crate::interp::ops::packed::{Aligned, Load, Xmm};
        match (form($insn, $n), $n, $insn.memory_size().size(), $vex) {
            (Form::Reg, 1, ..) => {
                type $S = Xmm<1>;
                Some($handler as $crate::interp::op::Handler)
            }
            (Form::Reg, 2, ..) => {
                type $S = Xmm<2>;
                Some($handler as $crate::interp::op::Handler)
            }
            (Form::Mem, _, 16, false) => {
                type $S = Aligned;
                Some($handler as $crate::interp::op::Handler)
            }
            (Form::Mem, _, 16, true) => {
                type $S = Load<16>;
                Some($handler as $crate::interp::op::Handler)
            }
            (Form::Mem, _, 8, _) => {
                type $S = Load<8>;
                Some($handler as $crate::interp::op::Handler)
            }
            (Form::Mem, _, 4, _) => {
                type $S = Load<4>;
                Some($handler as $crate::interp::op::Handler)
            }
            (Form::Mem, _, 2, _) => {
                type $S = Load<2>;
                Some($handler as $crate::interp::op::Handler)
            }
            _ => None,
        }
    }};
}
pub(crate) use by_source;

#[inline(always)]
fn run<F: Lane, const A: usize, B: Source, const VEX: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (a, b) = (ymm(cpu, op.reg[A])[0], B::get(cpu, memory, op)?);
    let lane = with_mxcsr(cpu, |env| F::apply(a, b, op.imm as u8, env))?;
    set_lane::<VEX>(cpu, op, lane);
    Ok(Flow::Next)
}

#[inline(always)]
fn run256<F: Lane, const A: usize, const MEM: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let b = if MEM { load256(cpu, memory, op)? } else { ymm(cpu, op.reg[A + 1]) };
    let (a, imm) = (ymm(cpu, op.reg[A]), op.imm as u8);
    let lanes = with_mxcsr(cpu, |env| {
        [F::apply(a[0], b[0], imm, env), F::apply(a[1], b[1], imm >> F::UPPER_IMM, env)]
    })?;
    cpu.ymm[usize::from(op.reg[0] & 15)] = lanes;
    Ok(Flow::Next)
}

/// The number of the last operand that is no immediate.
pub(crate) fn last_operand(insn: &Instruction) -> u32 {
    let operands = insn.op_count();
    let immediates = (0..operands).filter(|&n| is_immediate(insn.op_kind(n))).count() as u32;
    operands.saturating_sub(immediates + 1)
}

/// First operand = both sources, lane by lane.
pub(crate) fn packed<F: Lane>(insn: &Instruction) -> Option<Handler> {
    let vex = is_vex(insn)?;
    let b = last_operand(insn);
    if insn.op0_register().is_ymm() {
        return match (form(insn, b), b) {
            (Form::Reg, 1) => Some(run256::<F, 0, false>),
            (Form::Reg, 2) => Some(run256::<F, 1, false>),
            (Form::Mem, 1) => Some(run256::<F, 0, true>),
            (Form::Mem, 2) => Some(run256::<F, 1, true>),
            _ => None,
        };
    }
    match (b, vex) {
        (1, false) => by_source!(insn, 1, false, S => run::<F, 0, S, false>),
        (1, true) => by_source!(insn, 1, true, S => run::<F, 0, S, true>),
        (2, true) => by_source!(insn, 2, true, S => run::<F, 1, S, true>),
        _ => None,
    }
}

//! Vector instructions that work lane by lane: one shape for SSE, VEX.128 and VEX.256, packed and scalar,
//! integer and floating-point, with and without an immediate.
//!
//! The first source is the operand before the last vector operand: for legacy instructions that is the
//! destination itself. Instructions of one source ignore it.

use iced_x86::{EncodingKind, Instruction};

use crate::alu::float::host::{self, Host, Numbers, Operands, Run};
use crate::alu::float::{Mxcsr, Rounding};
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
    /// The operands besides that.
    const SHAPE: Shape = Shape { unary: false, upper_imm: 0 };

    /// The lane that `a` and `b` give. Scalars keep the rest of `a`.
    fn apply(a: u128, b: u128, imm: u8, env: &mut Mxcsr) -> u128;
}

/// What the operands of an operation on lanes are.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Whether there is one source only, so that the VEX form has no operand more than the legacy one.
    pub(crate) unary: bool,
    /// How far the immediate is shifted for the upper lane, where each lane has its own bits of it.
    pub(crate) upper_imm: u8,
}

/// [`Lane::apply`].
type Apply = fn(u128, u128, u8, &mut Mxcsr) -> u128;

/// What an instruction counts for, in instructions, that met numbers below the normal ones: a processor takes so long for one, and
/// this crate's own arithmetic for eight. That depends on the operands and MXCSR alone: a host's processor that carries the
/// instruction out says the same by its exceptions DE and UE, if they are not masked. Others that are [slow](Mxcsr::SLOW) are
/// interpreted by all engines.
const SLOW: u64 = 100;

/// Runs a computation that may raise floating-point exceptions; one that is not masked is a fault.
#[inline(always)]
pub(crate) fn with_mxcsr<R>(
    cpu: &mut Cpu,
    memory: &Memory,
    compute: impl FnOnce(&mut Mxcsr) -> R,
) -> Result<R, Trap> {
    let mut env = Mxcsr(cpu.mxcsr);
    if env.unmasked(Mxcsr::FLAGS) == 0 {
        let result = compute(&mut env);
        cpu.mxcsr = env.0;
        if env.0 & Mxcsr::SLOW != 0 {
            cpu.mxcsr = charged(env, memory);
        }
        return Ok(result);
    }
    // Clearing the old exceptions shows which ones are new.
    env.0 &= !Mxcsr::FLAGS;
    let result = compute(&mut env);
    charged(env, memory);
    let mut raised = env.0 & Mxcsr::FLAGS;
    // An exception that is found before the computation prevents it: then nothing was rounded.
    if env.unmasked(raised & Mxcsr::BEFORE) != 0 {
        raised &= Mxcsr::BEFORE;
    }
    cpu.mxcsr |= raised;
    if env.unmasked(raised) != 0 { Err(Trap::new(TrapKind::Float)) } else { Ok(result) }
}

/// Charges for numbers below the normal ones; the register without what is not a bit of it.
#[cold]
fn charged(env: Mxcsr, memory: &Memory) -> u32 {
    if env.0 & Mxcsr::SLOW != 0 {
        memory.charge(SLOW);
    }
    env.0 & !Mxcsr::SLOW
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

/// The same, for handlers that distinguish the encodings at run time.
#[inline(always)]
pub(crate) fn set_low(cpu: &mut Cpu, op: &Op, value: u128) {
    if op.is_vex() { set_lane::<true>(cpu, op, value) } else { set_lane::<false>(cpu, op, value) }
}

/// Sets all of vector register operand 0.
#[inline(always)]
pub(crate) fn set_ymm(cpu: &mut Cpu, op: &Op, value: Ymm) {
    cpu.ymm[usize::from(op.reg[0] & 15)] = value;
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
    /// How many bytes it has.
    const BYTES: usize;

    /// The lane, zero-extended from memory operands that are smaller.
    fn get<const VEX: bool>(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u128, Trap>;
}

/// Vector register operand `N`.
pub(crate) struct Xmm<const N: usize>;
/// Memory of `BYTES` bytes. Whole lanes must be aligned for legacy instructions: else #GP.
pub(crate) struct Load<const BYTES: usize>;

impl<const N: usize> Source for Xmm<N> {
    const BYTES: usize = 16;

    #[inline(always)]
    fn get<const VEX: bool>(cpu: &Cpu, _: &Memory, op: &Op) -> Result<u128, Trap> {
        Ok(ymm(cpu, op.reg[N])[0])
    }
}

impl<const BYTES: usize> Source for Load<BYTES> {
    const BYTES: usize = BYTES;

    #[inline(always)]
    fn get<const VEX: bool>(cpu: &Cpu, memory: &Memory, op: &Op) -> Result<u128, Trap> {
        let addr = op.addr(cpu);
        if BYTES == 16 && !VEX && !addr.is_multiple_of(16) {
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

/// The second source, for handlers that distinguish forms at run time: register operand `n`, or memory of `bytes`
/// bytes, zero-extended.
#[inline(always)]
pub(crate) fn source(cpu: &Cpu, memory: &Memory, op: &Op, n: usize, bytes: usize) -> Result<Ymm, Trap> {
    if !op.in_memory() {
        return Ok(ymm(cpu, op.reg[n & 3]));
    }
    Ok(match bytes {
        32 => load256(cpu, memory, op)?,
        16 if op.is_vex() => [Load::<16>::get::<true>(cpu, memory, op)?, 0],
        16 => [Load::<16>::get::<false>(cpu, memory, op)?, 0],
        8 => [Load::<8>::get::<true>(cpu, memory, op)?, 0],
        4 => [Load::<4>::get::<true>(cpu, memory, op)?, 0],
        _ => [Load::<2>::get::<true>(cpu, memory, op)?, 0],
    })
}

/// All forms of one operation, distinguished at run time. Handlers for each form were half of this crate's code, and
/// inlining this function into the handlers would be as much.
#[inline(never)]
fn lanes(cpu: &mut Cpu, memory: &mut Memory, op: &Op, bytes: usize, shape: Shape, apply: Apply) -> Step {
    let n = usize::from(op.is_vex() && !shape.unary);
    let imm = op.imm as u8;
    if op.is_wide() {
        let (a, b) = (ymm(cpu, op.reg[n]), source(cpu, memory, op, n + 1, 32)?);
        let upper_imm = imm >> shape.upper_imm;
        let both =
            with_mxcsr(cpu, memory, |env| [apply(a[0], b[0], imm, env), apply(a[1], b[1], upper_imm, env)])?;
        set_ymm(cpu, op, both);
    } else {
        let (a, b) = (ymm(cpu, op.reg[n])[0], source(cpu, memory, op, n + 1, bytes)?[0]);
        let low = with_mxcsr(cpu, memory, |env| apply(a, b, imm, env))?;
        set_low(cpu, op, low);
    }
    Ok(Flow::Next)
}

/// What the host makes of an instruction; `None` if it is to be computed here, because it may fault.
#[inline(always)]
pub(crate) fn on_host<H: Host>(
    cpu: &mut Cpu,
    memory: &Memory,
    op: &Op,
    operands: Operands,
    wide: bool,
) -> Option<Ymm> {
    with_host(cpu, memory, op, operands, wide, (H::RUN, H::NUMBERS))
}

#[inline(never)]
fn with_host(
    cpu: &mut Cpu,
    memory: &Memory,
    op: &Op,
    mut operands: Operands,
    wide: bool,
    host: (Run, Numbers),
) -> Option<Ymm> {
    let env = host::carry_out(host, &mut operands, wide, op.imm as u8, Mxcsr(cpu.mxcsr))?;
    cpu.mxcsr = env.0;
    if env.0 & Mxcsr::SLOW != 0 {
        cpu.mxcsr = charged(env, memory);
    }
    Some(operands[0])
}

/// Sets vector register operand 0, all or the low lane of it.
#[inline(always)]
pub(crate) fn set_result(cpu: &mut Cpu, op: &Op, value: Ymm) {
    if op.is_wide() { set_ymm(cpu, op, value) } else { set_low(cpu, op, value[0]) }
}

fn run_on<F: Lane, H: Host>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let n = usize::from(op.is_vex() && !F::SHAPE.unary);
    let b = source(cpu, memory, op, n + 1, if op.is_wide() { 32 } else { F::Mem::BYTES })?;
    let operands = [ymm(cpu, op.reg[n]), b, [0; 2]];
    let Some(result) = on_host::<H>(cpu, memory, op, operands, op.is_wide()) else {
        return run::<F>(cpu, memory, op);
    };
    set_result(cpu, op, result);
    Ok(Flow::Next)
}

fn run<F: Lane>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    lanes(cpu, memory, op, F::Mem::BYTES, F::SHAPE, F::apply)
}

/// The legacy form of a scalar, with a handler for each source: Go's compiler uses it for all floating-point code.
fn run_scalar<F: Lane, B: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (ymm(cpu, op.reg[0])[0], B::get::<false>(cpu, memory, op)?);
    let result = with_mxcsr(cpu, memory, |env| F::apply(a, b, op.imm as u8, env))?;
    set_lane::<false>(cpu, op, result);
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

/// `handler`, if operand `n` is in a register or in memory.
#[inline(never)]
pub(crate) fn choose_any(insn: &Instruction, n: u32, handler: Handler) -> Option<Handler> {
    choose(insn, n, handler, handler)
}

/// The number of the operand that may be in memory.
#[inline(never)]
fn last_source(insn: &Instruction, shape: Shape) -> Option<u32> {
    Some(if is_vex(insn)? && !shape.unary { 2 } else { 1 })
}

/// First operand = both sources, lane by lane.
pub(crate) fn packed<F: Lane>(insn: &Instruction) -> Option<Handler> {
    choose_any(insn, last_source(insn, F::SHAPE)?, run::<F>)
}

/// The same, by the host where it is one that can.
pub(crate) fn packed_on<F: Lane, H: Host>(insn: &Instruction) -> Option<Handler> {
    if !host::available() {
        return packed::<F>(insn);
    }
    choose_any(insn, last_source(insn, F::SHAPE)?, run_on::<F, H>)
}

/// The legacy form of a scalar with the usual rounding, which is fast here; else by the host.
fn run_scalar_on<F: Lane, B: Source, H: Host>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    match Mxcsr(cpu.mxcsr).rounding() {
        Rounding::Nearest => run_scalar::<F, B>(cpu, memory, op),
        _ => run_on::<F, H>(cpu, memory, op),
    }
}

/// As [`scalar`], by the host where it is one that can.
pub(crate) fn scalar_on<F: Lane, H: Host>(insn: &Instruction) -> Option<Handler> {
    if insn.op0_register().is_ymm() || !host::available() {
        return scalar::<F>(insn);
    }
    if is_vex(insn)? {
        return packed_on::<F, H>(insn);
    }
    choose(insn, 1, run_scalar_on::<F, Xmm<1>, H>, run_scalar_on::<F, F::Mem, H>)
}

/// The lowest element of the first operand = that of both sources. There is no form with YMM registers.
pub(crate) fn scalar<F: Lane>(insn: &Instruction) -> Option<Handler> {
    if is_vex(insn)? {
        return if insn.op0_register().is_ymm() { None } else { packed::<F>(insn) };
    }
    choose(insn, 1, run_scalar::<F, Xmm<1>>, run_scalar::<F, F::Mem>)
}

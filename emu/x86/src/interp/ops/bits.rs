//! Single bits and bit fields: BT BTS BTR BTC BSF BSR TZCNT LZCNT POPCNT BSWAP MOVBE, BMI1, BMI2, CRC32.

use iced_x86::Instruction;

use super::arith::Unary;
use crate::alu::bits::{self, BitOp};
use crate::alu::{Uint, crc32};
use crate::cpu::{Cpu, Flags};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, Mem, Place, Reg, Source, by_wide_width, by_width, form, width};
use crate::memory::Memory;

operations! { Unary (a: T, flags: Flags) -> (T, Flags):
    Tzcnt = bits::tzcnt;
    Lzcnt = bits::lzcnt;
    Popcnt = bits::popcnt;
    Blsr = bits::blsr;
    Blsi = bits::blsi;
    Blsmsk = bits::blsmsk;
}

const TEST: u8 = BitOp::Test as u8;
const SET: u8 = BitOp::Set as u8;
const RESET: u8 = BitOp::Reset as u8;

/// The operation with the number `N`.
#[inline(always)]
fn bit_op<const N: u8>() -> BitOp {
    match N {
        TEST => BitOp::Test,
        SET => BitOp::Set,
        RESET => BitOp::Reset,
        _ => BitOp::Complement,
    }
}

fn run_bit<T: Int, A: Place, const IMM: bool, const N: u8>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let index = if IMM { op.imm as u32 } else { cpu.read::<T>(op.reg[1]).zext() as u32 };
    let (r, flags) = bits::bit(bit_op::<N>(), A::get::<T>(cpu, memory, op)?, index, cpu.flags);
    if N != TEST {
        A::put(cpu, memory, op, r)?;
    }
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// With memory and an index in a register the bit may lie anywhere: the index is signed and counts from
/// the operand's address.
fn run_bit_string<T: Int, const N: u8>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let index = cpu.read::<T>(op.reg[1]).sext() as i64;
    let units = index >> T::BITS.trailing_zeros();
    let addr = op.addr(cpu).wrapping_add((units * i64::from(T::BITS / 8)) as u64);
    let (r, flags) = bits::bit(bit_op::<N>(), T::load(memory, addr)?, index as u32, cpu.flags);
    if N != TEST {
        r.store(memory, addr)?;
    }
    cpu.flags = flags;
    Ok(Flow::Next)
}

fn bit<const N: u8>(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 0), form(insn, 1)) {
        (Form::Reg, Form::Imm) => by_wide_width!(width(insn, 0), T => run_bit::<T, Reg<0>, true, N>),
        (Form::Reg, Form::Reg) => by_wide_width!(width(insn, 0), T => run_bit::<T, Reg<0>, false, N>),
        (Form::Mem, Form::Imm) => by_wide_width!(width(insn, 0), T => run_bit::<T, Mem, true, N>),
        (Form::Mem, Form::Reg) => by_wide_width!(width(insn, 0), T => run_bit_string::<T, N>),
        _ => None,
    }
}

/// BT
pub(crate) fn bt(insn: &Instruction) -> Option<Handler> {
    bit::<TEST>(insn)
}

/// BTS
pub(crate) fn bts(insn: &Instruction) -> Option<Handler> {
    bit::<SET>(insn)
}

/// BTR
pub(crate) fn btr(insn: &Instruction) -> Option<Handler> {
    bit::<RESET>(insn)
}

/// BTC
pub(crate) fn btc(insn: &Instruction) -> Option<Handler> {
    bit::<{ BitOp::Complement as u8 }>(insn)
}

fn run_scan<T: Int, B: Source, const REVERSE: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let source = B::get::<T>(cpu, memory, op)?;
    let scan = if REVERSE { bits::bsr } else { bits::bsf };
    let (index, flags) = scan(source, cpu.flags);
    if let Some(index) = index {
        cpu.write(op.reg[0], index);
    }
    cpu.flags = flags;
    Ok(Flow::Next)
}

fn scan<const REVERSE: bool>(insn: &Instruction) -> Option<Handler> {
    match form(insn, 1) {
        Form::Reg => by_wide_width!(width(insn, 0), T => run_scan::<T, Reg<1>, REVERSE>),
        Form::Mem => by_wide_width!(width(insn, 0), T => run_scan::<T, Mem, REVERSE>),
        _ => None,
    }
}

/// BSF
pub(crate) fn bsf(insn: &Instruction) -> Option<Handler> {
    scan::<false>(insn)
}

/// BSR
pub(crate) fn bsr(insn: &Instruction) -> Option<Handler> {
    scan::<true>(insn)
}

fn run_count<T: Int, B: Source, F: Unary>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (r, flags) = F::apply(B::get::<T>(cpu, memory, op)?, cpu.flags);
    cpu.write(op.reg[0], r);
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// First operand = a function of the second, with flags: TZCNT, LZCNT, POPCNT, BLSR, BLSI, BLSMSK.
pub(crate) fn count<F: Unary>(insn: &Instruction) -> Option<Handler> {
    match form(insn, 1) {
        Form::Reg => by_wide_width!(width(insn, 0), T => run_count::<T, Reg<1>, F>),
        Form::Mem => by_wide_width!(width(insn, 0), T => run_count::<T, Mem, F>),
        _ => None,
    }
}

fn run_bswap<T: Int>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    let r = cpu.read::<T>(op.reg[0]).reversed();
    cpu.write(op.reg[0], r);
    Ok(Flow::Next)
}

/// BSWAP. With 16 bits the result is undefined; there is no handler for it.
pub(crate) fn bswap(insn: &Instruction) -> Option<Handler> {
    match width(insn, 0) {
        4 => Some(run_bswap::<u32>),
        8 => Some(run_bswap::<u64>),
        _ => None,
    }
}

fn run_movbe_load<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let r = Mem::get::<T>(cpu, memory, op)?.reversed();
    cpu.write(op.reg[0], r);
    Ok(Flow::Next)
}

fn run_movbe_store<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let r = cpu.read::<T>(op.reg[1]).reversed();
    Mem::put(cpu, memory, op, r)?;
    Ok(Flow::Next)
}

/// MOVBE
pub(crate) fn movbe(insn: &Instruction) -> Option<Handler> {
    match form(insn, 0) {
        Form::Reg => by_wide_width!(width(insn, 0), T => run_movbe_load::<T>),
        Form::Mem => by_wide_width!(width(insn, 0), T => run_movbe_store::<T>),
        _ => None,
    }
}

/// An operation on two operands, without flags or with new ones.
pub(crate) trait Field {
    /// Result, and flags where they change.
    fn apply<T: Uint>(a: T, b: T) -> (T, Option<Flags>);
}

/// BEXTR: the third operand names the field.
pub(crate) struct Bextr;
/// BZHI: the third operand is the first bit to clear.
pub(crate) struct Bzhi;
/// PDEP: the third operand is the mask.
pub(crate) struct Pdep;
/// PEXT: the third operand is the mask.
pub(crate) struct Pext;

impl Field for Bextr {
    fn apply<T: Uint>(a: T, b: T) -> (T, Option<Flags>) {
        let (r, flags) = bits::bextr(a, b);
        (r, Some(flags))
    }
}

impl Field for Bzhi {
    fn apply<T: Uint>(a: T, b: T) -> (T, Option<Flags>) {
        let (r, flags) = bits::bzhi(a, b);
        (r, Some(flags))
    }
}

impl Field for Pdep {
    fn apply<T: Uint>(a: T, b: T) -> (T, Option<Flags>) {
        (bits::pdep(a, b), None)
    }
}

impl Field for Pext {
    fn apply<T: Uint>(a: T, b: T) -> (T, Option<Flags>) {
        (bits::pext(a, b), None)
    }
}

fn run_field<T: Int, A: Source, B: Source, F: Field>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (A::get::<T>(cpu, memory, op)?, B::get::<T>(cpu, memory, op)?);
    let (r, flags) = F::apply(a, b);
    cpu.write(op.reg[0], r);
    cpu.flags = flags.unwrap_or(cpu.flags);
    Ok(Flow::Next)
}

/// First operand = second operand, third operand. One of them may be memory: the second of BEXTR and
/// BZHI, the third of PDEP and PEXT.
pub(crate) fn field<F: Field>(insn: &Instruction) -> Option<Handler> {
    match (form(insn, 1), form(insn, 2)) {
        (Form::Reg, Form::Reg) => by_wide_width!(width(insn, 0), T => run_field::<T, Reg<1>, Reg<2>, F>),
        (Form::Mem, Form::Reg) => by_wide_width!(width(insn, 0), T => run_field::<T, Mem, Reg<2>, F>),
        (Form::Reg, Form::Mem) => by_wide_width!(width(insn, 0), T => run_field::<T, Reg<1>, Mem, F>),
        _ => None,
    }
}

fn run_crc32<T: Int, B: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let data = B::get::<T>(cpu, memory, op)?;
    let crc = crc32::crc32c(cpu.read(op.reg[0]), data.zext(), T::BITS / 8);
    cpu.write(op.reg[0], crc);
    Ok(Flow::Next)
}

/// CRC32
pub(crate) fn crc32(insn: &Instruction) -> Option<Handler> {
    match form(insn, 1) {
        Form::Reg => by_width!(width(insn, 1), T => run_crc32::<T, Reg<1>>),
        Form::Mem => by_width!(width(insn, 1), T => run_crc32::<T, Mem>),
        _ => None,
    }
}

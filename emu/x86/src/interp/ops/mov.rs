//! Moves of general-purpose registers: MOV MOVZX MOVSX MOVSXD LEA XCHG CMPXCHG CMOVcc SETcc, and instructions
//! that set single flags.

use iced_x86::{ConditionCode, Instruction};

use crate::alu::arith;
use crate::cpu::{Cpu, Flags, Rflags, gpr};
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Imm, Int, Mem, Place, Reg, Source, by_wide_width, by_width, form, width};
use crate::memory::Memory;

#[inline(always)]
fn run_mov<T: Int, A: Place, B: Source>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = B::get::<T>(cpu, memory, op)?;
    A::put(cpu, memory, op, value)?;
    Ok(Flow::Next)
}

/// MOV, of general-purpose registers.
pub(crate) fn mov(insn: &Instruction) -> Option<Handler> {
    let general = |n| form(insn, n) != Form::Reg || insn.op_register(n).is_gpr();
    if !(general(0) && general(1)) {
        return None;
    }
    match (form(insn, 0), form(insn, 1)) {
        (Form::Reg, Form::Reg) => by_width!(width(insn, 0), T => run_mov::<T, Reg<0>, Reg<1>>),
        (Form::Reg, Form::Mem) => by_width!(width(insn, 0), T => run_mov::<T, Reg<0>, Mem>),
        (Form::Reg, Form::Imm) => by_width!(width(insn, 0), T => run_mov::<T, Reg<0>, Imm>),
        (Form::Mem, Form::Reg) => by_width!(width(insn, 0), T => run_mov::<T, Mem, Reg<1>>),
        (Form::Mem, Form::Imm) => by_width!(width(insn, 0), T => run_mov::<T, Mem, Imm>),
        _ => None,
    }
}

/// The source is narrower than the destination by sign or by zeros.
#[inline(always)]
fn run_extend<T: Int, S: Int, B: Source, const SIGNED: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let source = B::get::<S>(cpu, memory, op)?;
    cpu.write(op.reg[0], T::truncate(if SIGNED { source.sext() } else { source.zext() }));
    Ok(Flow::Next)
}

fn extend<const SIGNED: bool>(insn: &Instruction) -> Option<Handler> {
    match (width(insn, 1), form(insn, 1)) {
        (1, Form::Reg) => by_wide_width!(width(insn, 0), T => run_extend::<T, u8, Reg<1>, SIGNED>),
        (1, Form::Mem) => by_wide_width!(width(insn, 0), T => run_extend::<T, u8, Mem, SIGNED>),
        (2, Form::Reg) => by_wide_width!(width(insn, 0), T => run_extend::<T, u16, Reg<1>, SIGNED>),
        (2, Form::Mem) => by_wide_width!(width(insn, 0), T => run_extend::<T, u16, Mem, SIGNED>),
        (4, Form::Reg) => by_wide_width!(width(insn, 0), T => run_extend::<T, u32, Reg<1>, SIGNED>),
        (4, Form::Mem) => by_wide_width!(width(insn, 0), T => run_extend::<T, u32, Mem, SIGNED>),
        _ => None,
    }
}

/// MOVZX
pub(crate) fn movzx(insn: &Instruction) -> Option<Handler> {
    extend::<false>(insn)
}

/// MOVSX, MOVSXD
pub(crate) fn movsx(insn: &Instruction) -> Option<Handler> {
    extend::<true>(insn)
}

#[inline(always)]
fn run_lea<T: Int>(cpu: &mut Cpu, _: &mut Memory, op: &Op) -> Step {
    cpu.write(op.reg[0], T::truncate(op.addr(cpu)));
    Ok(Flow::Next)
}

/// LEA: without segment bases.
pub(crate) fn lea(insn: &Instruction) -> Option<Handler> {
    match insn.segment_prefix() {
        iced_x86::Register::FS | iced_x86::Register::GS => None,
        _ => by_wide_width!(width(insn, 0), T => run_lea::<T>),
    }
}

fn run_xchg<T: Int, A: Place>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, b) = (A::get::<T>(cpu, memory, op)?, cpu.read::<T>(op.reg[1]));
    A::put(cpu, memory, op, b)?;
    cpu.write(op.reg[1], a);
    Ok(Flow::Next)
}

/// XCHG
pub(crate) fn xchg(insn: &Instruction) -> Option<Handler> {
    match form(insn, 0) {
        Form::Reg => by_width!(width(insn, 0), T => run_xchg::<T, Reg<0>>),
        Form::Mem => by_width!(width(insn, 0), T => run_xchg::<T, Mem>),
        _ => None,
    }
}

fn run_cmpxchg<T: Int, A: Place>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (a, expected) = (A::get::<T>(cpu, memory, op)?, cpu.read::<T>(gpr::RAX));
    let (_, flags) = arith::sub(expected, a, cpu.flags);
    // The destination is written either way, as processors do, so that a page must be writable.
    let new = if a == expected { cpu.read::<T>(op.reg[1]) } else { a };
    if A::IN_MEMORY || a == expected {
        A::put(cpu, memory, op, new)?;
    }
    if a != expected {
        cpu.write(gpr::RAX, a);
    }
    cpu.flags = flags;
    Ok(Flow::Next)
}

/// CMPXCHG
pub(crate) fn cmpxchg(insn: &Instruction) -> Option<Handler> {
    match form(insn, 0) {
        Form::Reg => by_width!(width(insn, 0), T => run_cmpxchg::<T, Reg<0>>),
        Form::Mem => by_width!(width(insn, 0), T => run_cmpxchg::<T, Mem>),
        _ => None,
    }
}

/// Half of CMPXCHG8B or CMPXCHG16B: RDX:RAX is compared with memory, RCX:RBX is stored.
fn run_cmpxchg_pair<T: Int>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (low_at, step) = (op.addr(cpu), u64::from(T::BITS / 8));
    if T::BITS == 64 && !low_at.is_multiple_of(16) {
        return Err(Trap::new(TrapKind::Protection));
    }
    let high_at = low_at.wrapping_add(step);
    let (low, high) = (T::load(memory, low_at)?, T::load(memory, high_at)?);
    let equal = low == cpu.read::<T>(gpr::RAX) && high == cpu.read::<T>(gpr::RDX);
    let (new_low, new_high) =
        if equal { (cpu.read::<T>(gpr::RBX), cpu.read::<T>(gpr::RCX)) } else { (low, high) };
    let mut bytes = [0; 16];
    let size = T::BITS as usize / 8;
    bytes[..size].copy_from_slice(&new_low.zext().to_le_bytes()[..size]);
    bytes[size..2 * size].copy_from_slice(&new_high.zext().to_le_bytes()[..size]);
    memory.write_bytes(low_at, &bytes[..2 * size])?;
    if !equal {
        cpu.write(gpr::RAX, low);
        cpu.write(gpr::RDX, high);
    }
    cpu.flags = cpu.flags.with_zero(equal);
    Ok(Flow::Next)
}

/// CMPXCHG8B
pub(crate) fn cmpxchg8b(_: &Instruction) -> Option<Handler> {
    Some(run_cmpxchg_pair::<u32>)
}

/// CMPXCHG16B
pub(crate) fn cmpxchg16b(_: &Instruction) -> Option<Handler> {
    Some(run_cmpxchg_pair::<u64>)
}

/// The condition of which `C` is the number in an opcode's low four bits.
#[inline(always)]
pub(crate) fn condition<const C: u8>() -> ConditionCode {
    match C {
        0 => ConditionCode::o,
        1 => ConditionCode::no,
        2 => ConditionCode::b,
        3 => ConditionCode::ae,
        4 => ConditionCode::e,
        5 => ConditionCode::ne,
        6 => ConditionCode::be,
        7 => ConditionCode::a,
        8 => ConditionCode::s,
        9 => ConditionCode::ns,
        10 => ConditionCode::p,
        11 => ConditionCode::np,
        12 => ConditionCode::l,
        13 => ConditionCode::ge,
        14 => ConditionCode::le,
        _ => ConditionCode::g,
    }
}

/// An expression with `$C` as the number of an instruction's condition.
macro_rules! by_condition {
    ($insn:expr, $C:ident => $handler:expr) => {
        $crate::interp::ops::mov::by_condition!(@ $insn, $C => $handler;
            o 0, no 1, b 2, ae 3, e 4, ne 5, be 6, a 7, s 8, ns 9, p 10, np 11, l 12, ge 13, le 14, g 15)
    };
    (@ $insn:expr, $C:ident => $handler:expr; $($name:ident $n:literal),*) => {
        match $insn.condition_code() {
            $(iced_x86::ConditionCode::$name => { const $C: u8 = $n; $handler })*
            _ => None,
        }
    };
}
pub(crate) use by_condition;

#[inline(always)]
fn run_cmov<T: Int, B: Source, const C: u8>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (old, new) = (cpu.read::<T>(op.reg[0]), B::get::<T>(cpu, memory, op)?);
    // A 32-bit move that does not happen clears the upper half all the same.
    cpu.write(op.reg[0], if cpu.flags.holds(condition::<C>()) { new } else { old });
    Ok(Flow::Next)
}

/// CMOVcc
pub(crate) fn cmov(insn: &Instruction) -> Option<Handler> {
    match form(insn, 1) {
        Form::Reg => {
            by_condition!(insn, C => by_wide_width!(width(insn, 0), T => run_cmov::<T, Reg<1>, C>))
        }
        Form::Mem => by_condition!(insn, C => by_wide_width!(width(insn, 0), T => run_cmov::<T, Mem, C>)),
        _ => None,
    }
}

#[inline(always)]
fn run_set<A: Place, const C: u8>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let value = u8::from(cpu.flags.holds(condition::<C>()));
    A::put(cpu, memory, op, value)?;
    Ok(Flow::Next)
}

/// SETcc
pub(crate) fn set(insn: &Instruction) -> Option<Handler> {
    match form(insn, 0) {
        Form::Reg => by_condition!(insn, C => Some(run_set::<Reg<0>, C> as Handler)),
        Form::Mem => by_condition!(insn, C => Some(run_set::<Mem, C> as Handler)),
        _ => None,
    }
}

/// NOP, and hints that change nothing: PAUSE, ENDBR64, PREFETCHh, fences.
pub(crate) fn nop(_: &Instruction) -> Option<Handler> {
    Some(|_, _, _| Ok(Flow::Next))
}

/// STC, CLC and CMC.
pub(crate) fn carry(insn: &Instruction) -> Option<Handler> {
    match insn.mnemonic() {
        iced_x86::Mnemonic::Stc => Some(|cpu, _, _| set_carry(cpu, true)),
        iced_x86::Mnemonic::Clc => Some(|cpu, _, _| set_carry(cpu, false)),
        iced_x86::Mnemonic::Cmc => Some(|cpu, _, _| set_carry(cpu, !cpu.flags.cf())),
        _ => None,
    }
}

fn set_carry(cpu: &mut Cpu, cf: bool) -> Step {
    cpu.flags = cpu.flags.with_carry(cf);
    Ok(Flow::Next)
}

/// STD and CLD.
pub(crate) fn direction(insn: &Instruction) -> Option<Handler> {
    fn set(cpu: &mut Cpu, down: bool) -> Step {
        cpu.direction = down;
        Ok(Flow::Next)
    }
    match insn.mnemonic() {
        iced_x86::Mnemonic::Std => Some(|cpu, _, _| set(cpu, true)),
        iced_x86::Mnemonic::Cld => Some(|cpu, _, _| set(cpu, false)),
        _ => None,
    }
}

/// Flags that LAHF and SAHF move: SF, ZF, AF, PF, CF.
const LOW_FLAGS: u64 = 0xd5;

/// LAHF
pub(crate) fn lahf(_: &Instruction) -> Option<Handler> {
    Some(|cpu, _, _| {
        let flags = (cpu.flags.rflags().bits() & LOW_FLAGS) | 2;
        cpu.write(gpr::RAX | crate::cpu::HIGH, flags as u8);
        Ok(Flow::Next)
    })
}

/// SAHF
pub(crate) fn sahf(_: &Instruction) -> Option<Handler> {
    Some(|cpu, _, _| {
        let low = u64::from(cpu.read::<u8>(gpr::RAX | crate::cpu::HIGH)) & LOW_FLAGS;
        let kept = cpu.flags.rflags().bits() & !LOW_FLAGS;
        cpu.flags = Flags::from_rflags(Rflags::from_bits_truncate(kept | low));
        Ok(Flow::Next)
    })
}

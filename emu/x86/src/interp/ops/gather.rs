//! Gathers of AVX2: elements at addresses that follow from a vector of indices.

use iced_x86::{Instruction, Register};

use super::packed::{is_vex, ymm};
use crate::alu::simd::{Element, insert, ymm_each, ymm_get};
use crate::cpu::Cpu;
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::Int;
use crate::memory::Memory;

/// Loads the elements whose mask has its top bit set, lowest first. If one faults, the elements before it are in the
/// destination already and cleared in the mask, so that the instruction can be restarted.
fn run<T: Int + Element, I: Element + Into<i64>, const WIDE: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let (target, indices, mask) = (op.reg[0], ymm(cpu, op.index), op.reg[2]);
    // As many elements as the vectors of both have room for.
    let lanes = if WIDE { 2 } else { 1 };
    let count = lanes * T::COUNT.min(I::COUNT);
    // The whole mask is extended to ones and zeros first: that is visible if a load faults.
    // All engines interpret it.
    memory.charge(count as u64);
    let old = ymm(cpu, mask);
    let chosen = |i| i < lanes * T::COUNT && ymm_get::<T>(old, i).is_negative();
    let sign = |i| if chosen(i) { T::truncate(u64::MAX) } else { T::ZERO };
    cpu.ymm[usize::from(mask & 15)] = ymm_each(sign);
    for i in (0..count).filter(|&i| chosen(i)) {
        let index: i64 = ymm_get::<I>(indices, i).into();
        let value = T::load(memory, op.addr_at(cpu, index as u64))?;
        set_element::<T, WIDE>(cpu, target, i, value);
        set_element::<T, WIDE>(cpu, mask, i, T::ZERO);
    }
    let loaded = ymm(cpu, target);
    cpu.ymm[usize::from(target & 15)] =
        ymm_each(|i| if i < count { ymm_get::<T>(loaded, i) } else { T::ZERO });
    cpu.ymm[usize::from(mask & 15)] = [0; 2];
    Ok(Flow::Next)
}

/// Replaces one element; the upper lane is cleared unless `WIDE`.
fn set_element<T: Int + Element, const WIDE: bool>(cpu: &mut Cpu, register: u8, i: usize, value: T) {
    let mut new = ymm(cpu, register);
    if !WIDE {
        new[1] = 0;
    }
    let lane = &mut new[i / T::COUNT % 2];
    *lane = insert(*lane, value, (i % T::COUNT) as u8);
    cpu.ymm[usize::from(register & 15)] = new;
}

/// Two of the three registers are the same: #UD.
fn invalid(_: &mut Cpu, _: &mut Memory, _: &Op) -> Step {
    Err(Trap::new(TrapKind::Invalid))
}

/// VPGATHERDD, VGATHERDPD and their kin: elements `T`, indices `I`.
pub(crate) fn gather<T: Int + Element, I: Element + Into<i64>>(insn: &Instruction) -> Option<Handler> {
    if !is_vex(insn)? {
        return None;
    }
    let number = |register: Register| register.number();
    let (target, index, mask) =
        (number(insn.op0_register()), number(insn.memory_index()), number(insn.op2_register()));
    if target == index || target == mask || index == mask {
        return Some(invalid);
    }
    let wide = insn.op0_register().is_ymm() || insn.memory_index().is_ymm();
    Some(if wide { run::<T, I, true> } else { run::<T, I, false> })
}

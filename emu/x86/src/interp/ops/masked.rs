//! Loads and stores of selected elements: VMASKMOVPS, VPMASKMOVD, MASKMOVDQU. Other elements are not accessed
//! and cannot fault.

use iced_x86::{Instruction, OpKind};

use super::packed::{is_vex, ymm};
use crate::alu::simd::{Element, Ymm, ymm_get};
use crate::cpu::{Cpu, gpr};
use crate::exit::Trap;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, Int, form};
use crate::memory::{Access, Memory};

/// The places of the elements whose top bit is set in `mask`.
fn chosen<T: Int + Element>(mask: Ymm, count: usize) -> impl Iterator<Item = usize> {
    (0..count).filter(move |&i| ymm_get::<T>(mask, i).is_negative())
}

fn address<T: Int>(base: u64, i: usize) -> u64 {
    base.wrapping_add(i as u64 * u64::from(T::BITS / 8))
}

fn run_load<T: Int + Element, const LANES: usize>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (base, mut loaded) = (op.addr(cpu), [0; 2]);
    for i in chosen::<T>(ymm(cpu, op.reg[1]), LANES * T::COUNT) {
        loaded[i / T::COUNT] |= T::load(memory, address::<T>(base, i))?.at(i % T::COUNT);
    }
    cpu.ymm[usize::from(op.reg[0] & 15)] = loaded;
    Ok(Flow::Next)
}

/// Elements that are stored in the time of an instruction. All engines interpret these.
const ELEMENTS: u64 = 2;

/// Stores the elements chosen, if all of them can be stored.
fn store<T: Int + Element>(
    memory: &mut Memory,
    base: u64,
    mask: Ymm,
    values: Ymm,
    count: usize,
) -> Result<(), Trap> {
    memory.charge(count as u64 / ELEMENTS);
    for i in chosen::<T>(mask, count) {
        memory.check(address::<T>(base, i), T::BITS as usize / 8, Access::Write)?;
    }
    for i in chosen::<T>(mask, count) {
        ymm_get::<T>(values, i).store(memory, address::<T>(base, i))?;
    }
    Ok(())
}

fn run_store<T: Int + Element, const LANES: usize>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let (mask, values) = (ymm(cpu, op.reg[1]), ymm(cpu, op.reg[2]));
    store::<T>(memory, op.addr(cpu), mask, values, LANES * T::COUNT)?;
    Ok(Flow::Next)
}

/// VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ
pub(crate) fn maskmov<T: Int + Element>(insn: &Instruction) -> Option<Handler> {
    let wide = insn.op1_register().is_ymm();
    Some(match (is_vex(insn)?, form(insn, 0), wide) {
        (true, Form::Reg, false) => run_load::<T, 1>,
        (true, Form::Reg, true) => run_load::<T, 2>,
        (true, Form::Mem, false) => run_store::<T, 1>,
        (true, Form::Mem, true) => run_store::<T, 2>,
        _ => return None,
    })
}

/// MASKMOVDQU: bytes to where RDI points.
pub(crate) fn maskmovdqu(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    let run: Handler = |cpu, memory, op| {
        let (values, mask) = (ymm(cpu, op.reg[1]), ymm(cpu, op.reg[2]));
        let base = op.addr(cpu).wrapping_add(cpu.gpr(gpr::RDI));
        store::<u8>(memory, base, mask, values, 16)?;
        Ok(Flow::Next)
    };
    (insn.op0_kind() == OpKind::MemorySegRDI).then_some(run)
}

//! The unit's state as FNSTENV and FNSAVE lay it out (SDM volume 1, section 8.1.10).
//!
//! The addresses of the last instruction and its operand are not kept: those fields are zero. Processors differ in these
//! fields as well, and most fill them for exceptions only.

use iced_x86::{Code, Instruction};

use super::unit;
use crate::alu::float::{F80, Tag};
use crate::cpu::{Cpu, X87};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::memory::{Access, Memory};

/// Bytes of the layout with 32-bit fields, and of the one with 16-bit fields that an operand-size prefix asks for.
const WIDE: usize = 28;
const NARROW: usize = 14;

/// Two bits a register: valid, zero, special, empty.
fn tag_word(x87: &X87) -> u16 {
    (0..8).fold(0, |word, physical| {
        let full = x87.tags >> physical & 1 != 0;
        let tag = match x87.registers[physical].tag() {
            _ if !full => 3,
            Tag::Normal => 0,
            Tag::Zero => 1,
            _ => 2,
        };
        word | tag << (2 * physical)
    })
}

/// The environment in `SIZE` bytes.
fn write<const SIZE: usize>(x87: &X87) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let field = SIZE / 7;
    for (n, word) in [x87.control, x87.status, tag_word(x87)].into_iter().enumerate() {
        bytes[n * field..][..2].copy_from_slice(&word.to_le_bytes());
        bytes[n * field + 2..(n + 1) * field].fill(0xff);
    }
    if SIZE == WIDE {
        // The upper half of the operand's segment.
        bytes[26..28].fill(0xff);
    }
    bytes
}

fn read<const SIZE: usize>(x87: &mut X87, bytes: [u8; SIZE]) {
    let field = SIZE / 7;
    let word = |n: usize| u16::from_le_bytes([bytes[n * field], bytes[n * field + 1]]);
    (x87.status, x87.tags) = (word(1), 0);
    for physical in 0..8 {
        let full = word(2) >> (2 * physical) & 3 != 3;
        x87.tags |= u8::from(full) << physical;
    }
    x87.set_control(word(0));
}

fn run_store_environment<const SIZE: usize>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.write(op.addr(cpu), write::<SIZE>(&cpu.x87))?;
    cpu.x87.set_control(cpu.x87.control | X87::EXCEPTIONS);
    Ok(Flow::Next)
}

fn run_load_environment<const SIZE: usize>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    let addr = op.addr(cpu);
    let x87 = unit(cpu)?;
    read::<SIZE>(x87, memory.read(addr)?);
    Ok(Flow::Next)
}

/// What FNSAVE and FRSTOR count for beside themselves, in instructions.
const WORK: u64 = 8;

fn run_save<const SIZE: usize>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let addr = op.addr(cpu);
    memory.check(addr, SIZE + 80, Access::Write)?;
    memory.write(addr, write::<SIZE>(&cpu.x87))?;
    for i in 0..8 {
        let at = addr.wrapping_add((SIZE + 10 * usize::from(i)) as u64);
        memory.write(at, cpu.x87.peek(i).to_bytes())?;
    }
    cpu.x87.reset();
    Ok(Flow::Next)
}

fn run_restore<const SIZE: usize>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let addr = op.addr(cpu);
    let mut x87 = *unit(cpu)?;
    read::<SIZE>(&mut x87, memory.read(addr)?);
    for i in 0..8 {
        let at = addr.wrapping_add((SIZE + 10 * usize::from(i)) as u64);
        let slot = x87.slot(i);
        x87.registers[slot] = F80::from_bytes(memory.read(at)?);
    }
    cpu.x87 = x87;
    Ok(Flow::Next)
}

/// FNSTENV, FLDENV, FNSAVE, FRSTOR
pub(crate) fn environment(insn: &Instruction) -> Option<Handler> {
    Some(match insn.code() {
        Code::Fnstenv_m28byte => run_store_environment::<WIDE>,
        Code::Fnstenv_m14byte => run_store_environment::<NARROW>,
        Code::Fldenv_m28byte => run_load_environment::<WIDE>,
        Code::Fldenv_m14byte => run_load_environment::<NARROW>,
        Code::Fnsave_m108byte => run_save::<WIDE>,
        Code::Fnsave_m94byte => run_save::<NARROW>,
        Code::Frstor_m108byte => run_restore::<WIDE>,
        Code::Frstor_m94byte => run_restore::<NARROW>,
        _ => return None,
    })
}

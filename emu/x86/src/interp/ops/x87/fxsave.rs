//! FXSAVE and FXRSTOR: the x87 unit, MXCSR and the vector registers' low lanes in 512 bytes (SDM volume 2A, table
//! 3-43). The addresses of the last x87 instruction and its operand are zero, as in FNSTENV.

use iced_x86::{Instruction, Mnemonic as M};

use crate::alu::float::{F80, Mxcsr};
use crate::cpu::{Cpu, X87};
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::memory::{MemFault, Memory};

/// Where the parts of the area are.
pub(super) const MXCSR: u64 = 24;
pub(super) const REGISTERS: u64 = 32;
pub(super) const VECTORS: u64 = 160;
/// Bytes that are written; the rest of the 512 is the program's own.
const WRITTEN: usize = 416;

/// The words at the start of the area: control, status and, a bit a register, which are full.
pub(super) fn x87_header(x87: &X87) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..2].copy_from_slice(&x87.control.to_le_bytes());
    bytes[2..4].copy_from_slice(&x87.status.to_le_bytes());
    bytes[4] = x87.tags;
    bytes
}

/// Registers ST(0) to ST(7), 16 bytes each.
pub(super) fn x87_registers(x87: &X87) -> [u8; 128] {
    let mut bytes = [0; 128];
    for (i, slot) in bytes.chunks_exact_mut(16).enumerate() {
        slot[..10].copy_from_slice(&x87.peek(i as u8).to_bytes());
    }
    bytes
}

/// One lane of all vector registers.
pub(super) fn lanes(cpu: &Cpu, lane: usize) -> [u8; 256] {
    let mut bytes = [0; 256];
    for (slot, register) in bytes.chunks_exact_mut(16).zip(cpu.ymm) {
        slot.copy_from_slice(&register[lane].to_le_bytes());
    }
    bytes
}

/// MXCSR, and the bits of it that exist.
pub(super) fn mxcsr_words(mxcsr: u32) -> [u8; 8] {
    (u64::from(Mxcsr::VALID) << 32 | u64::from(mxcsr)).to_le_bytes()
}

/// The x87 unit that an area at `addr` holds.
pub(super) fn load_x87(memory: &Memory, addr: u64) -> Result<X87, MemFault> {
    let header: [u8; 24] = memory.read(addr)?;
    let word = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let mut x87 = X87 { status: word(2), tags: header[4], ..X87::default() };
    for i in 0..8 {
        let slot = x87.slot(i);
        x87.registers[slot] = F80::from_bytes(memory.read(addr.wrapping_add(REGISTERS + 16 * u64::from(i)))?);
    }
    x87.set_control(word(0));
    Ok(x87)
}

/// One lane of all vector registers.
pub(super) fn load_lanes(memory: &Memory, addr: u64) -> Result<[u128; 16], MemFault> {
    let bytes: [u8; 256] = memory.read(addr)?;
    let lane = |n: usize| u128::from_le_bytes(std::array::from_fn(|i| bytes[16 * n + i]));
    Ok(std::array::from_fn(lane))
}

/// An MXCSR that may be loaded.
pub(super) fn checked_mxcsr(value: u32) -> Result<u32, Trap> {
    if value & !Mxcsr::VALID != 0 { Err(Trap::new(TrapKind::Protection)) } else { Ok(value) }
}

pub(super) fn aligned(addr: u64, to: u64) -> Result<u64, Trap> {
    if addr.is_multiple_of(to) { Ok(addr) } else { Err(Trap::new(TrapKind::Protection)) }
}

/// What copying the state takes, in instructions.
pub(super) const WORK: u64 = 16;

fn run_save(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let addr = aligned(op.addr(cpu), 16)?;
    let mut area = [0; WRITTEN];
    area[..24].copy_from_slice(&x87_header(&cpu.x87));
    area[24..32].copy_from_slice(&mxcsr_words(cpu.mxcsr));
    area[32..160].copy_from_slice(&x87_registers(&cpu.x87));
    area[160..].copy_from_slice(&lanes(cpu, 0));
    memory.write(addr, area)?;
    Ok(Flow::Next)
}

fn run_restore(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let addr = aligned(op.addr(cpu), 16)?;
    let x87 = load_x87(memory, addr)?;
    let mxcsr = u32::from_le_bytes(memory.read(addr.wrapping_add(MXCSR))?);
    let vectors = load_lanes(memory, addr.wrapping_add(VECTORS))?;
    cpu.mxcsr = checked_mxcsr(mxcsr)?;
    cpu.x87 = x87;
    cpu.ymm.iter_mut().zip(vectors).for_each(|(register, lane)| register[0] = lane);
    Ok(Flow::Next)
}

/// FXSAVE, FXSAVE64, FXRSTOR, FXRSTOR64: both widths differ in the fields that are zero only.
pub(crate) fn fxsave(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Fxsave | M::Fxsave64 => run_save,
        M::Fxrstor | M::Fxrstor64 => run_restore,
        _ => return None,
    })
}

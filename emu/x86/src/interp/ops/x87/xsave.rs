//! XSAVE and its kin: x87, SSE and AVX state, each by itself (SDM volume 1, chapter 13). The area of FXSAVE is followed by
//! a header, which says which parts are present, and the upper lanes.

use iced_x86::{Instruction, Mnemonic as M};

use super::fxsave::{
    MXCSR, REGISTERS, VECTORS, WORK, aligned, checked_mxcsr, lanes, load_lanes, load_x87, mxcsr_words,
    x87_header, x87_registers,
};
use crate::cpu::cpuid::XCR0;
use crate::cpu::{Cpu, MXCSR_DEFAULT, X87, gpr};
use crate::exit::{Trap, TrapKind};
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::memory::{Access, MemFault, Memory};

/// Parts of the state, as bits of XCR0.
const X87_STATE: u64 = 1;
const SSE: u64 = 2;
const AVX: u64 = 4;

/// Offsets of the header and of the upper lanes, and the area's size.
const HEADER: u64 = 512;
const UPPER: u64 = 576;
const END: u64 = 832;
/// In the second word of the header: the area is compacted.
const COMPACTED: u64 = 1 << 63;

/// The requested parts, from EDX and EAX.
fn requested(cpu: &Cpu) -> u64 {
    (cpu.gpr(gpr::RDX) << 32 | cpu.gpr(gpr::RAX) & 0xffff_ffff) & XCR0
}

/// The parts that are not in their initial state.
fn in_use(cpu: &Cpu) -> u64 {
    let fresh = |lane: usize| cpu.ymm.iter().all(|register| register[lane] == 0);
    let part = |used: bool, bit: u64| if used { bit } else { 0 };
    part(cpu.x87 != X87::default(), X87_STATE) | part(!fresh(0), SSE) | part(!fresh(1), AVX)
}

/// Writes `parts`.
fn save(cpu: &Cpu, memory: &mut Memory, addr: u64, parts: u64, mxcsr: bool) -> Result<(), MemFault> {
    if parts & X87_STATE != 0 {
        memory.write(addr, x87_header(&cpu.x87))?;
        memory.write(addr.wrapping_add(REGISTERS), x87_registers(&cpu.x87))?;
    }
    if mxcsr {
        memory.write(addr.wrapping_add(MXCSR), mxcsr_words(cpu.mxcsr))?;
    }
    if parts & SSE != 0 {
        memory.write(addr.wrapping_add(VECTORS), lanes(cpu, 0))?;
    }
    if parts & AVX != 0 {
        memory.write(addr.wrapping_add(UPPER), lanes(cpu, 1))?;
    }
    Ok(())
}

/// The area's address, if all of it can be written.
fn writable(cpu: &Cpu, memory: &Memory, op: &Op, parts: u64) -> Result<u64, Trap> {
    let addr = aligned(op.addr(cpu), 64)?;
    let end = if parts & AVX != 0 { END } else { UPPER };
    memory.check(addr, end as usize, Access::Write)?;
    Ok(addr)
}

/// XSAVE writes all requested parts, XSAVEOPT those in use.
fn run_save<const ALL: bool>(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let (parts, used) = (requested(cpu), in_use(cpu));
    let addr = writable(cpu, memory, op, parts)?;
    let written = if ALL { parts } else { parts & used };
    save(cpu, memory, addr, written, parts & (SSE | AVX) != 0)?;
    let before = u64::from_le_bytes(memory.read(addr.wrapping_add(HEADER))?);
    memory.write(addr.wrapping_add(HEADER), (before & !parts | parts & used).to_le_bytes())?;
    Ok(Flow::Next)
}

fn run_save_compacted(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let parts = requested(cpu);
    let used = in_use(cpu) | if cpu.mxcsr != MXCSR_DEFAULT { SSE } else { 0 };
    let addr = writable(cpu, memory, op, parts)?;
    let written = parts & used;
    save(cpu, memory, addr, written, written & SSE != 0)?;
    memory.write(addr.wrapping_add(HEADER), written.to_le_bytes())?;
    memory.write(addr.wrapping_add(HEADER + 8), (parts | COMPACTED).to_le_bytes())?;
    Ok(Flow::Next)
}

/// The parts that an area holds, and whether it is compacted; #GP for a header that is not well-formed.
fn header(memory: &Memory, addr: u64) -> Result<(u64, bool), Trap> {
    let bytes: [u8; 64] = memory.read(addr.wrapping_add(HEADER))?;
    let word = |n: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[8 * n + i]));
    let (held, compaction) = (word(0), word(1));
    let compacted = compaction & COMPACTED != 0;
    let parts = compaction & !COMPACTED;
    let well_formed = if compacted {
        parts & !XCR0 == 0 && held & !parts == 0 && (2..8).all(|n| word(n) == 0)
    } else {
        held & !XCR0 == 0 && compaction == 0 && word(2) == 0
    };
    if well_formed { Ok((held, compacted)) } else { Err(Trap::new(TrapKind::Protection)) }
}

/// Requested parts that the area does not hold return to their initial state.
fn run_restore(cpu: &mut Cpu, memory: &mut Memory, op: &Op) -> Step {
    memory.charge(WORK);
    let (parts, addr) = (requested(cpu), aligned(op.addr(cpu), 64)?);
    let (held, compacted) = header(memory, addr)?;
    let part = |bit: u64| parts & held & bit != 0;
    let x87 = if part(X87_STATE) { load_x87(memory, addr)? } else { X87::default() };
    let low = if part(SSE) { load_lanes(memory, addr.wrapping_add(VECTORS))? } else { [0; 16] };
    let high = if part(AVX) { load_lanes(memory, addr.wrapping_add(UPPER))? } else { [0; 16] };
    let mxcsr = if compacted && held & SSE == 0 {
        MXCSR_DEFAULT
    } else {
        u32::from_le_bytes(memory.read(addr.wrapping_add(MXCSR))?)
    };
    let with_mxcsr = parts & SSE != 0 || parts & AVX != 0 && !compacted;
    if with_mxcsr {
        cpu.mxcsr = checked_mxcsr(mxcsr)?;
    }
    if parts & X87_STATE != 0 {
        cpu.x87 = x87;
    }
    for (bit, lane, values) in [(SSE, 0, low), (AVX, 1, high)] {
        if parts & bit != 0 {
            cpu.ymm.iter_mut().zip(values).for_each(|(register, value)| register[lane] = value);
        }
    }
    Ok(Flow::Next)
}

/// XSAVE, XSAVEOPT, XSAVEC, XRSTOR
pub(crate) fn xsave(insn: &Instruction) -> Option<Handler> {
    Some(match insn.mnemonic() {
        M::Xsave | M::Xsave64 => run_save::<true>,
        M::Xsaveopt | M::Xsaveopt64 => run_save::<false>,
        M::Xsavec | M::Xsavec64 => run_save_compacted,
        M::Xrstor | M::Xrstor64 => run_restore,
        _ => return None,
    })
}

//! PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: the memory operand may lie anywhere, even of the legacy forms.

use iced_x86::Instruction;

use super::packed::{Load, Source, Xmm, is_vex, ymm};
use crate::alu::simd::{StringCompare, StringLength, pcmpstr};
use crate::cpu::{Cpu, Flags, Rflags, gpr};
use crate::exit::Trap;
use crate::interp::op::{Flow, Handler, Op, Step};
use crate::interp::operand::{Form, form};
use crate::memory::Memory;

/// What a comparison counts for, in instructions. All engines interpret it.
const WORK: u64 = 14;

/// Compares and sets the flags. `EXPLICIT`: the lengths are in EAX and EDX, or in RAX and RDX where `WIDE`.
#[inline(always)]
fn compare<S: Source, const EXPLICIT: bool, const WIDE: bool>(
    cpu: &mut Cpu,
    memory: &Memory,
    op: &Op,
) -> Result<StringCompare, Trap> {
    memory.charge(WORK);
    // As with VEX: no alignment is asked for.
    let (a, b) = (ymm(cpu, op.reg[0])[0], S::get::<true>(cpu, memory, op)?);
    let length = |n| if WIDE { cpu.gpr(n) as i64 } else { (cpu.gpr(n) as i32).into() };
    let lengths = match EXPLICIT {
        true => StringLength::Explicit(length(gpr::RAX), length(gpr::RDX)),
        false => StringLength::Implicit,
    };
    let found = pcmpstr(a, b, lengths, op.imm as u8);
    cpu.flags = Flags::from_rflags(Rflags::from_bits_truncate(found.flags));
    Ok(found)
}

fn run_index<S: Source, const EXPLICIT: bool, const WIDE: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let found = compare::<S, EXPLICIT, WIDE>(cpu, memory, op)?;
    cpu.set_gpr(gpr::RCX, found.index.into());
    Ok(Flow::Next)
}

fn run_mask<S: Source, const EXPLICIT: bool, const WIDE: bool, const VEX: bool>(
    cpu: &mut Cpu,
    memory: &mut Memory,
    op: &Op,
) -> Step {
    let found = compare::<S, EXPLICIT, WIDE>(cpu, memory, op)?;
    cpu.ymm[0][0] = found.mask;
    if VEX {
        cpu.ymm[0][1] = 0;
    }
    Ok(Flow::Next)
}

/// Whether the lengths are 64 bits wide: REX.W or VEX.W, which iced shows in the name.
fn wide(insn: &Instruction) -> bool {
    use iced_x86::Mnemonic as M;
    matches!(insn.mnemonic(), M::Pcmpestri64 | M::Vpcmpestri64 | M::Pcmpestrm64 | M::Vpcmpestrm64)
}

/// The index of the first or last match, in ECX.
pub(crate) fn index<const EXPLICIT: bool>(insn: &Instruction) -> Option<Handler> {
    is_vex(insn)?;
    Some(match (form(insn, 1), wide(insn)) {
        (Form::Reg, false) => run_index::<Xmm<1>, EXPLICIT, false>,
        (Form::Reg, true) => run_index::<Xmm<1>, EXPLICIT, true>,
        (Form::Mem, false) => run_index::<Load<16>, EXPLICIT, false>,
        (Form::Mem, true) => run_index::<Load<16>, EXPLICIT, true>,
        _ => return None,
    })
}

/// All matches, in XMM0.
pub(crate) fn mask<const EXPLICIT: bool>(insn: &Instruction) -> Option<Handler> {
    Some(match (form(insn, 1), wide(insn), is_vex(insn)?) {
        (Form::Reg, false, false) => run_mask::<Xmm<1>, EXPLICIT, false, false>,
        (Form::Reg, true, false) => run_mask::<Xmm<1>, EXPLICIT, true, false>,
        (Form::Mem, false, false) => run_mask::<Load<16>, EXPLICIT, false, false>,
        (Form::Mem, true, false) => run_mask::<Load<16>, EXPLICIT, true, false>,
        (Form::Reg, false, true) => run_mask::<Xmm<1>, EXPLICIT, false, true>,
        (Form::Reg, true, true) => run_mask::<Xmm<1>, EXPLICIT, true, true>,
        (Form::Mem, false, true) => run_mask::<Load<16>, EXPLICIT, false, true>,
        (Form::Mem, true, true) => run_mask::<Load<16>, EXPLICIT, true, true>,
        _ => return None,
    })
}

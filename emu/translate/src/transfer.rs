//! The processor's state on its way into translated code and out of it.

use goemu_x86::alu::float::Mxcsr;
use goemu_x86::cpu::{Cpu, Flags, Rflags, gpr};
use goemu_x86::memory::Memory;

use crate::facts::RSP_SLACK;
use crate::host::enter::{FAULTS, State, Window};

/// The masks of the exceptions DE and UE in MXCSR, which translated code runs without: processors compute slowly with numbers below the
/// normal ones, and the interpreter charges for that.
const REFUSED_FLOATS: u32 = (Mxcsr::DE | Mxcsr::UE) << MASK_SHIFT;
const MASK_SHIFT: u32 = 7;

/// Whether the state is one that translated code may begin with: string instructions count upwards, RSP is as near to the
/// space as blocks assume ([`RSP_SLACK`]), and the host's processor takes MXCSR.
pub(crate) fn is_fit(cpu: &Cpu) -> bool {
    let slack = u64::from(RSP_SLACK);
    let above = cpu.gpr(gpr::RSP).wrapping_add(slack);
    !cpu.direction && above <= (1 << 40) + 2 * slack && cpu.mxcsr <= 0xffff
}

/// Fills in the state.
pub(crate) fn load(cpu: &Cpu, window: &mut Window, count: i64) {
    let near = |addr: u64| if addr < 1 << 40 { addr } else { FAULTS };
    let state = window.state();
    state.gpr = cpu.gprs();
    state.rflags = cpu.flags.rflags().bits() | 0x202;
    state.count = count;
    state.mxcsr = cpu.mxcsr & !REFUSED_FLOATS;
    state.fs_base = near(cpu.fs_base);
    state.safe_r14 = near(cpu.gpr(gpr::R14));
}

/// Takes the state out. Where the host refused an instruction, exceptions that are new and would have been refused are that
/// instruction's, which the interpreter carries out.
pub(crate) fn store(cpu: &mut Cpu, window: &mut Window, refused: bool) {
    let state = window.state();
    (0..16).zip(state.gpr).for_each(|(n, value)| cpu.set_gpr(n, value));
    cpu.flags = Flags::from_rflags(Rflags::from_bits_truncate(state.rflags) & Rflags::ARITHMETIC);
    let mut flags = state.mxcsr & Mxcsr::FLAGS;
    if refused {
        flags &= cpu.mxcsr | !(REFUSED_FLOATS >> MASK_SHIFT);
    }
    cpu.mxcsr = cpu.mxcsr & !Mxcsr::FLAGS | flags;
}

/// What translated code may hand out.
pub(crate) fn lend(memory: &Memory, window: &mut Window) {
    let (bump, state) = (memory.bump(), window.state());
    let rest = bump.rest();
    (state.bump, state.bumped) = ([rest.start, rest.end], bump.objects().len() as u64);
}

/// Notes the objects that translated code has made. `rest` is the fuel that is left where its count is 0.
pub(crate) fn note_objects(memory: &mut Memory, window: &mut Window, rest: i64) {
    let &mut State { bumped, bump: [next, _], bumped_at, .. } = window.state();
    for n in memory.bump().objects().len()..bumped as usize {
        let object = window.bumped(n);
        memory.bump_mut().took(object, next, rest + bumped_at);
    }
}

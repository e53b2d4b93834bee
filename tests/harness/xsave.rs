//! Which parts of the processor's state XSAVE and XRSTOR are asked for. Hosts have parts that goemu has not (AVX-512,
//! AMX, MPX, protection keys) and may lack some that it has. Such parts are left out of what is asked for and of the
//! areas' headers; everything else is compared.

use std::sync::OnceLock;

use iced_x86::{Instruction, Mnemonic as M};

use crate::{
    native::{CODE, State, host_xcr0},
    oracle::Emulated,
};

/// XGETBV
const XGETBV: [u8; 3] = [0x0f, 0x01, 0xd0];

/// Whether an instruction saves or restores the parts that EDX and EAX name.
pub fn names_parts(insn: &Instruction) -> bool {
    saves(insn) || matches!(insn.mnemonic(), M::Xrstor | M::Xrstor64)
}

/// Whether an instruction saves the parts that EDX and EAX name.
pub fn saves(insn: &Instruction) -> bool {
    matches!(insn.mnemonic(), M::Xsave | M::Xsave64 | M::Xsavec | M::Xsavec64 | M::Xsaveopt | M::Xsaveopt64)
}

/// Parts that either the host or goemu has and the other has not, as bits of XCR0.
pub fn one_sided() -> u64 {
    let (host, guest) = both();
    host ^ guest
}

/// A part that neither has: XRSTOR refuses an area that says it holds one.
pub fn unknown_part() -> u64 {
    let (host, guest) = both();
    let free = !(host | guest);
    free & free.wrapping_neg()
}

/// The XCR0 of the host and of goemu.
fn both() -> (u64, u64) {
    static BOTH: OnceLock<(u64, u64)> = OnceLock::new();
    *BOTH.get_or_init(|| (host_xcr0(), guest_xcr0()))
}

fn guest_xcr0() -> u64 {
    let mut emulated = Emulated::default();
    emulated.place(&XGETBV);
    let mut state = State::default();
    emulated.run(&mut state).unwrap_or_else(|trap| panic!("XGETBV at {CODE:#x} ended in {trap:?}"));
    requested(&state)
}

/// The parts that EDX and EAX name.
pub fn requested(state: &State) -> u64 {
    state.gpr[2] << 32 | state.gpr[0] & 0xffff_ffff
}

/// Takes the parts that only one of the two has out of EDX and EAX, in `state`.
pub fn ask_for_common(state: &mut State) {
    state.gpr[0] &= !(one_sided() & 0xffff_ffff);
    state.gpr[2] &= !(one_sided() >> 32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_parts_of_one_side_are_left_out() {
        let mut state = State::default();
        (state.gpr[0], state.gpr[2]) = (u64::MAX, u64::MAX);
        ask_for_common(&mut state);
        assert_eq!(requested(&state), !one_sided());
        assert_eq!(guest_xcr0() & 3, 3, "x87 and SSE are always there");
        assert_eq!(unknown_part().count_ones(), 1);
        assert_eq!(unknown_part() & (host_xcr0() | guest_xcr0()), 0);
    }
}

//! The generators of random numbers in `m`, by which Go's runtime orders maps and chooses among the cases of a select, and
//! which package math/rand is seeded by. A started runtime seeds them from the kernel; here a seed does.

use goemu_loader::Image;
use iced_x86::Mnemonic;

use crate::cpu::Cpu;
use crate::disasm::Walk;
use crate::memory::{Memory, MemoryError};

/// The seed of a machine that was given none.
const USUAL: u64 = 1;
/// Where `chacha8rand.State` has its seed, its words; the index of the next number; and where it ends.
const CHACHA8_SEED: u64 = 256;
const CHACHA8_WORDS: u64 = 4;
const CHACHA8_INDEX: u64 = 288;
const CHACHA8_SIZE: u64 = 304;

/// Sets the generators of the `m` at an address by a seed.
pub(super) fn seed(image: &Image, memory: &mut Memory, m: u64, seed: u64) -> Result<(), MemoryError> {
    let rules = image.facts().rules();
    // A shift register that holds zero gives zero for ever. The others begin with it, unless another seed is given.
    if seed == USUAL && !rules.shifts_for_chance() {
        return Ok(());
    }
    let mut numbers = Cpu::default();
    numbers.entropy = seed;
    let mut next = || numbers.next_random();
    if let Some(fastrand) = image.facts().m.fastrand {
        let state = (next() | 1 << 32 | 1).to_le_bytes();
        // What follows a single word is another field.
        return memory
            .poke(m + fastrand, if rules.has_two_words_for_chance() { &state } else { &state[..4] });
    }
    let Some(chacha8) = chacha8(image) else { return Ok(()) };
    for word in 0..CHACHA8_WORDS {
        memory.poke(m + chacha8 + CHACHA8_SEED + 8 * word, &next().to_le_bytes())?;
    }
    // `cheaprand`, which follows it.
    memory.poke(m + chacha8 + CHACHA8_SIZE, &next().to_le_bytes()[..4])
}

/// Where `m` has its `chacha8`: the systems' own fields lie before it, so that the code of `runtime.rand` tells it.
fn chacha8(image: &Image) -> Option<u64> {
    let rand = *image.funcs_named("runtime.rand").first()?;
    let size = usize::try_from(rand.end().saturating_sub(rand.entry())).ok()?;
    let code = image.bytes(rand.entry(), size)?;
    let (mut addressed, mut used) = (Vec::new(), Vec::new());
    let walk = Walk::new(code, rand.entry(), size).map(|decoded| decoded.insn);
    for insn in walk.filter(|insn| !insn.is_ip_rel_memory_operand()) {
        let list = if insn.mnemonic() == Mnemonic::Lea { &mut addressed } else { &mut used };
        list.push(insn.memory_displacement64());
    }
    let has_index = |at: &u64| [0, 4].iter().all(|field| used.contains(&(at + CHACHA8_INDEX + field)));
    addressed.into_iter().find(|at| (1..1 << 13).contains(at) && has_index(at))
}

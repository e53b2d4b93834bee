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

/// Where an `m` has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chance {
    fastrand: Option<u64>,
    /// Whether it has two words.
    two_words: bool,
    shifts: bool,
    chacha8: Option<u64>,
}

impl Chance {
    /// Where a program has them.
    pub(crate) fn of(image: &Image) -> Chance {
        let (facts, rules) = (image.facts(), image.facts().rules());
        let fastrand = facts.m.fastrand;
        let chacha8 = if fastrand.is_some() { None } else { chacha8(image) };
        let (two_words, shifts) = (rules.has_two_words_for_chance(), rules.shifts_for_chance());
        Chance { fastrand, two_words, shifts, chacha8 }
    }

    /// Sets those of the `m` at an address, which was not used yet, by a seed.
    pub(crate) fn seed(&self, memory: &mut Memory, m: u64, seed: u64) -> Result<(), MemoryError> {
        // A shift register that holds zero gives zero for ever. The others begin with it, unless another seed is given.
        if seed == USUAL && !self.shifts {
            return Ok(());
        }
        self.set(memory, m, seed)
    }

    /// Sets those of the `m` at an address, which may have been used, by a seed and the number of a thread.
    pub(crate) fn mix(&self, memory: &mut Memory, m: u64, seed: u64, thread: u64) -> Result<(), MemoryError> {
        let mut numbers = Cpu::default();
        numbers.entropy = seed ^ thread << 32;
        self.set(memory, m, numbers.next_random())?;
        if let Some(chacha8) = self.chacha8 {
            // Numbers that were made before are not given any more.
            let made: [u8; 4] = memory.read(m.wrapping_add(chacha8 + CHACHA8_INDEX + 4)).unwrap_or_default();
            memory.poke(m.wrapping_add(chacha8 + CHACHA8_INDEX), &made)?;
        }
        Ok(())
    }

    fn set(&self, memory: &mut Memory, m: u64, seed: u64) -> Result<(), MemoryError> {
        let mut numbers = Cpu::default();
        numbers.entropy = seed;
        let mut next = || numbers.next_random();
        if let Some(fastrand) = self.fastrand {
            let state = (next() | 1 << 32 | 1).to_le_bytes();
            // What follows a single word is another field.
            return memory.poke(m.wrapping_add(fastrand), if self.two_words { &state } else { &state[..4] });
        }
        let Some(chacha8) = self.chacha8 else { return Ok(()) };
        let at = m.wrapping_add(chacha8);
        for word in 0..CHACHA8_WORDS {
            memory.poke(at.wrapping_add(CHACHA8_SEED + 8 * word), &next().to_le_bytes())?;
        }
        // `cheaprand`, which follows it.
        memory.poke(at.wrapping_add(CHACHA8_SIZE), &next().to_le_bytes()[..4])
    }
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

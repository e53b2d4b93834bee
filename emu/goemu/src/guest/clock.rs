//! The virtual clock of a machine, in nanoseconds since it was made. It is the processor's counter (`Cpu::tsc`), so there is
//! one clock for RDTSC, for hooks and for system calls.
//!
//! It advances with instructions, by [`TSC_STEP`](crate::cpu::TSC_STEP) and a little more with each reading, and jumps to the next deadline when everything waits. So a
//! loop that waits for a time ends, and a benchmark of a second fits into the default fuel.

use crate::cpu::Cpu;

/// Nanoseconds that an instruction takes. A benchmark of one second, with its shorter trials, is at most
/// half of the default fuel.
const INSTRUCTION: i64 = 4;

/// Nanoseconds by which readings differ.
const JITTER: u64 = 256;

/// The time.
pub(crate) fn now(cpu: &Cpu) -> u64 {
    cpu.tsc
}

/// The time, for the guest: no two readings take the same, as on a processor. Programs take that for random (`crypto/internal/entropy`).
pub(crate) fn read(cpu: &mut Cpu) -> u64 {
    pass(cpu, cpu.chance(cpu.tsc) % JITTER);
    cpu.next_tsc()
}

/// Instructions were executed.
pub(crate) fn advance(cpu: &mut Cpu, instructions: i64) {
    let passed = instructions.max(0).saturating_mul(INSTRUCTION);
    cpu.tsc = cpu.tsc.saturating_add(passed.unsigned_abs());
}

/// Something has taken so many nanoseconds.
pub(crate) fn pass(cpu: &mut Cpu, nanoseconds: u64) {
    cpu.tsc = cpu.tsc.saturating_add(nanoseconds);
}

/// It is that late now, if it was not later already.
pub(crate) fn jump(cpu: &mut Cpu, to: u64) {
    cpu.tsc = cpu.tsc.max(to);
}

/// Instructions until a deadline; 1 at least.
pub(crate) fn until(cpu: &Cpu, deadline: u64) -> i64 {
    let nanoseconds = i64::try_from(deadline.saturating_sub(cpu.tsc)).unwrap_or(i64::MAX);
    (nanoseconds / INSTRUCTION).max(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::cpu::TSC_STEP;

    /// Of the lowest byte, which the entropy source of FIPS 140 takes, each value comes up, none often; and the same again from the same state.
    #[test]
    fn readings_differ_and_follow_from_the_state() {
        let readings = |entropy| {
            let mut cpu = Cpu::default();
            cpu.entropy = entropy;
            (0..4096).map(|_| read(&mut cpu)).collect::<Vec<u64>>()
        };
        let (one, two) = (readings(1), readings(2));
        assert_eq!(one, readings(1));
        assert_ne!(one, two);
        let steps: Vec<u64> = one.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(steps.iter().all(|step| (TSC_STEP..TSC_STEP + JITTER).contains(step)));
        let bytes: BTreeSet<u8> = steps.iter().map(|step| *step as u8).collect();
        assert_eq!(bytes.len(), 256);
    }
}

//! The virtual clock of a machine, in nanoseconds since it was made. It is the processor's counter (`Cpu::tsc`), so there is
//! one clock for RDTSC, for hooks and for system calls.
//!
//! It advances with instructions, by [`TSC_STEP`](crate::cpu::TSC_STEP) with each reading, and jumps to the next deadline when everything waits. So a
//! loop that waits for a time ends, and a benchmark of a second fits into the default fuel.

use crate::cpu::Cpu;

/// Nanoseconds that an instruction takes. A benchmark of one second, with its shorter trials, is at most
/// half of the default fuel.
const INSTRUCTION: i64 = 4;

/// The time.
pub(crate) fn now(cpu: &Cpu) -> u64 {
    cpu.tsc
}

/// The time, for the guest.
pub(crate) fn read(cpu: &mut Cpu) -> u64 {
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

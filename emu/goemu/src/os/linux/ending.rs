//! The end of a program whose goroutines go on for a while, so that those that wait for ever can be told from those that were not
//! asked yet.

use crate::cpu::gpr;
use crate::hook::{HookContext, HookError};
use crate::outcome::Outcome;

/// How long that takes at most, in nanoseconds.
const SETTLE: u64 = 30_000_000_000;
/// How many instructions that takes at most.
const WORK: i64 = 10_000_000;
/// How often only one thread waits for a time before nothing more is expected: Go's monitor never stops to look.
const ALONE: u32 = 8;

/// A program that has ended.
#[derive(Clone)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    /// How much it had printed.
    pub(super) printed: (usize, usize),
    /// When it is over in any case.
    deadline: u64,
    /// Instructions that are left.
    left: i64,
    /// How often in a row only one thread waited for a time.
    alone: u32,
}

impl Ending {
    pub(super) fn new(outcome: Outcome, now: u64, printed: (usize, usize)) -> Ending {
        Ending { outcome, printed, deadline: now.saturating_add(SETTLE), left: WORK, alone: 0 }
    }

    pub(super) fn deadline(&self) -> u64 {
        self.deadline
    }

    /// Instructions until it is over in any case.
    pub(super) fn left(&self) -> i64 {
        self.left.max(1)
    }

    pub(super) fn ran(&mut self, instructions: i64) {
        self.left = self.left.saturating_sub(instructions);
    }

    /// Whether something of it ran all the time.
    pub(super) fn is_busy(&self) -> bool {
        self.left <= 0
    }

    /// Whether it has taken all that it may.
    pub(super) fn is_late(&self, now: u64) -> bool {
        self.deadline <= now || self.left <= 0
    }

    /// All threads sleep, with these deadlines: whether nothing comes of waiting.
    pub(super) fn is_over(&mut self, deadlines: &[u64]) -> bool {
        self.alone = if deadlines.len() > 1 { 0 } else { self.alone + 1 };
        let first = deadlines.iter().min();
        self.alone > ALONE || first.is_none_or(|first| *first >= self.deadline)
    }
}

/// Lets the goroutine of a `g` that ends the program wait for ever, as `select {}` does: its thread would keep one of Go's processors,
/// whose goroutines no thread took up, and for which every collection waited. Whether it does: not on another stack than its own.
pub(super) fn park(cx: &mut HookContext<'_>, g: u64) -> Result<bool, HookError> {
    /// Bytes of the arguments of `gopark`: function, lock, reasons, frames to skip. All are 0.
    const ARGUMENTS: u64 = 40;
    const ROOM: u64 = 256;
    let (facts, sp) = (cx.image.facts(), cx.cpu.gpr(gpr::RSP));
    let field = |offset: u64| cx.word(g.wrapping_add(offset));
    let is_own = (field(facts.g.stack_lo)?.saturating_add(ROOM)..field(facts.g.stack_hi)?).contains(&sp);
    let entry = |name: &str| cx.image.funcs_named(name).first().map(|func| func.entry());
    let (Some(park), Some(exit)) = (entry("runtime.gopark"), entry("runtime.goexit")) else {
        return Ok(false);
    };
    if field(facts.g.goid)? == 0 || !is_own {
        return Ok(false);
    }
    let frame = (sp - ARGUMENTS) & !15;
    cx.memory.write_bytes(frame, &[0; ARGUMENTS as usize])?;
    // Whoever walks the stack ends there.
    cx.set_word(frame - 8, exit + 1)?;
    let (registers, register_abi) =
        ([gpr::RAX, gpr::RBX, gpr::RCX, gpr::RDI, gpr::RSI], facts.register_abi());
    registers.into_iter().for_each(|register| cx.cpu.set_gpr(register, 0));
    if register_abi {
        cx.cpu.set_gpr(gpr::R14, g);
        cx.cpu.ymm[15] = [0; 2];
    }
    cx.cpu.set_gpr(gpr::RSP, frame - 8);
    cx.cpu.rip = park;
    Ok(true)
}

//! Going back: states that were saved on the way, and the way from there done again.
//!
//! The same call is the same run, so nothing has to be recorded. A position is the number of steps since the beginning:
//! instructions, and answers of the machine that count as steps of their own.

use crate::call::function::UnderWay;
use crate::error::Error;
use crate::machine::{Machine, Progress, Saved};

/// Steps between two saved states, at least.
const INTERVAL: u64 = 1 << 20;
/// The part of the way so far that may have to be done again.
const PART: u64 = 32;
/// Bytes of memory that saved states may keep. When they do, no more are made, and going back takes longer.
const MAX_KEPT: u64 = 512 << 20;
/// An engine that runs looks at its fuel where control goes backwards, calls and returns; from so many steps before its aim
/// on it executes single instructions.
pub(crate) const MARGIN: u64 = 512;

/// A state that was saved.
struct Checkpoint {
    position: u64,
    saved: Saved,
    fuel: i64,
    /// Work that was charged since the call began.
    charged: u64,
}

/// The saved states of a session, oldest first.
#[derive(Default)]
pub(crate) struct History {
    checkpoints: Vec<Checkpoint>,
    /// What the machine had answered when the call began.
    answered: u64,
    /// The way back is not needed any more.
    over: bool,
}

impl History {
    /// Begins anew: what was before cannot be gone back to.
    pub(crate) fn forget(&mut self) {
        self.checkpoints.clear();
    }

    /// Saves nothing any more.
    pub(crate) fn end(&mut self) {
        self.over = true;
    }

    pub(crate) fn begin(&mut self, machine: &Machine) {
        self.forget();
        self.answered = machine.answered();
    }

    /// Whether nothing can be gone back to: the user has changed the present state.
    pub(crate) fn is_empty(&self) -> bool {
        self.checkpoints.is_empty()
    }

    /// The first position that can be gone back to.
    pub(crate) fn first(&self) -> u64 {
        self.checkpoints.first().map_or(0, |first| first.position)
    }

    pub(crate) fn position(&self, under_way: &UnderWay, machine: &Machine) -> u64 {
        under_way.instructions(machine) + machine.answered().saturating_sub(self.answered)
    }

    /// Steps that may be taken before the next state is to be saved; saves one if it is time.
    pub(crate) fn keep(&mut self, under_way: &mut UnderWay, machine: &mut Machine) -> u64 {
        if self.over {
            return u64::MAX;
        }
        let position = self.position(under_way, machine);
        let interval = INTERVAL.max(position / PART);
        let next = self.checkpoints.last().map_or(0, |last| last.position + interval);
        if position < next {
            return next - position;
        }
        let (memory, beside) = (machine.memory(), machine.memory().beside());
        let copies = beside.saturating_mul(self.checkpoints.len() as u64 + 1);
        if !self.checkpoints.is_empty() && memory.kept().saturating_add(copies) >= MAX_KEPT {
            return interval;
        }
        machine.settle(&mut under_way.fuel);
        let charged = under_way.charged_since(machine);
        let (fuel, saved) = (under_way.fuel, machine.save());
        self.checkpoints.push(Checkpoint { position, saved, fuel, charged });
        interval
    }

    /// Goes back to the last saved state at or before a position.
    fn restore(
        &mut self,
        to: u64,
        under_way: &mut UnderWay,
        machine: &mut Machine,
    ) -> Result<Option<u64>, Error> {
        let count = self.checkpoints.partition_point(|checkpoint| checkpoint.position <= to);
        if count == 0 {
            return Ok(None);
        }
        self.checkpoints.truncate(count);
        let Some(last) = self.checkpoints.last() else { return Ok(None) };
        machine.go_back_to(&last.saved)?;
        under_way.go_back(machine, last.fuel, last.charged);
        Ok(Some(last.position))
    }

    /// Goes to a position, from the last saved state before it. Whether it was reached exactly.
    pub(crate) fn go_to(
        &mut self,
        to: u64,
        under_way: &mut UnderWay,
        machine: &mut Machine,
    ) -> Result<bool, Error> {
        let mut margin = MARGIN;
        loop {
            let Some(mut at) = self.restore(to, under_way, machine)? else { return Ok(false) };
            while at < to {
                let left = to - at;
                let progress = if left > margin {
                    machine.run_part(&mut under_way.fuel, left - margin)?
                } else {
                    machine.run_one(&mut under_way.fuel)?
                };
                if let Progress::Ended(_) = progress {
                    break;
                }
                at = self.position(under_way, machine);
            }
            if self.position(under_way, machine) == to {
                return Ok(true);
            }
            // Straight code longer than the margin.
            margin = margin.saturating_mul(64);
            if margin > to.saturating_mul(64) {
                return Ok(false);
            }
        }
    }

    /// The last position before `end` at which RIP is at a breakpoint.
    pub(crate) fn last_stop(
        &mut self,
        mut end: u64,
        under_way: &mut UnderWay,
        machine: &mut Machine,
    ) -> Result<Option<u64>, Error> {
        while end > 0 {
            let Some(mut at) = self.restore(end - 1, under_way, machine)? else { return Ok(None) };
            let (start, mut found) = (at, None);
            loop {
                if at >= end {
                    break;
                }
                if machine.breakpoints().contains(&machine.cpu().rip) {
                    found = Some(at);
                }
                let progress = machine.run_part(&mut under_way.fuel, (end - at).min(INTERVAL))?;
                at = self.position(under_way, machine);
                if let Progress::Ended(_) = progress {
                    break;
                }
            }
            if found.is_some() {
                return Ok(found);
            }
            end = start;
        }
        Ok(None)
    }
}

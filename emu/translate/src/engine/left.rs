//! Why translated code was left, and where the guest is then.

use goemu_x86::coverage::Path;
use goemu_x86::cpu::{Cpu, gpr};
use goemu_x86::memory::Memory;

use super::parts::Parts;
use crate::cache::{At, Spot, Stub};
use crate::host::enter::{Left, Window};
use crate::layout;

/// Times that R14 may be found to be no address where it is loaded, or a call to go elsewhere than it did, until that place looks no
/// more.
const LOOKS: u8 = 4;

/// What follows when translated code has been left.
pub(super) enum After {
    /// The interpreter goes on.
    Interpret,
    /// Control comes to RIP.
    Arrive,
    /// The same, through a table that should know it.
    Enter { table: i32 },
}

/// Where the guest is.
pub(super) struct Leaving {
    pub(super) after: After,
    /// Its address, as far as the place that was left knows it.
    pub(super) pc: u64,
    /// Instructions that are not counted down yet.
    pub(super) pending: i32,
    /// Edges that were taken and are not counted yet.
    pub(super) taken: Path,
}

impl Parts {
    /// What follows, and where. `None` for a place that is not known.
    pub(super) fn why(&mut self, left: Left, cpu: &mut Cpu, window: &Window) -> Option<Leaving> {
        match left {
            Left::Refused(address) => self.refused(address, cpu, window),
            Left::Stub(number) => {
                let (after, pc, pending) = match *self.cache.stubs.get(number as usize)? {
                    Stub::Interpret { pc, pending } => (After::Interpret, pc, pending),
                    Stub::Arrive { pc, pending, .. } => (After::Arrive, pc, pending),
                    Stub::Return => (After::Enter { table: layout::RETURNS }, 0, 0),
                    Stub::Jump => (After::Enter { table: layout::JUMPS }, 0, 0),
                    // Nobody looks any more.
                    Stub::Look { pc, pending, .. } => (After::Interpret, pc, pending),
                };
                Some(Leaving { after, pc, pending, taken: Path::default() })
            }
        }
    }

    /// The host refused an instruction: its registers are made the guest's again.
    fn refused(&mut self, address: u64, cpu: &mut Cpu, window: &Window) -> Option<Leaving> {
        let Spot { pc, pending, off, at, taken, .. } = self.cache.spot(address)?;
        cpu.set_gpr(gpr::RSP, cpu.gpr(gpr::RSP).wrapping_add(off.into()));
        if at == At::Biased {
            let base = window.base() as u64;
            cpu.set_gpr(gpr::RDI, cpu.gpr(gpr::RDI).wrapping_sub(base));
        }
        self.look_no_more(address, at);
        let after = match at {
            At::Pc | At::Biased | At::Look { .. } | At::Guess { .. } => After::Interpret,
            At::Return => After::Enter { table: layout::RETURNS },
            At::Jump => After::Enter { table: layout::JUMPS },
        };
        Some(Leaving { after, pc, pending, taken })
    }

    /// Where a place that looks has found too often what it looks for, it does so no more.
    fn look_no_more(&mut self, address: u64, at: At) {
        if !matches!(at, At::Look { .. } | At::Guess { .. }) {
            return;
        }
        let found = self.found.entry(address).or_default();
        *found += 1;
        match at {
            At::Look { end } if *found == LOOKS => self.cache.pass_over(address, end),
            At::Guess { other } if *found == LOOKS => self.cache.redirect(address, other),
            _ => {}
        }
    }
}

impl After {
    /// Where the guest goes on; `pc` is what the place knows of it.
    pub(super) fn target(&self, pc: u64, cpu: &Cpu, memory: &Memory, window: &mut Window) -> u64 {
        match self {
            After::Enter { table: layout::RETURNS } => {
                // RET has just read it, and nothing was written since.
                let mut addr = [0; 8];
                memory.peek(cpu.gpr(gpr::RSP).wrapping_sub(8), &mut addr);
                u64::from_le_bytes(addr)
            }
            After::Enter { .. } => window.state().jump,
            After::Interpret | After::Arrive => pc,
        }
    }
}

//! The goroutines of a machine, for debuggers that look into a stopped call.

use goemu_loader::Image;

use super::Machine;
use crate::cpu::gpr;
use crate::go::goroutine_list;
use crate::go::traceback::unwind::Start;
use crate::go::traceback::{Stack, Traceback};
use crate::memory::Memory;
use crate::outcome::Runtime;
use crate::runtime::hooked;

/// Goroutines that are listed.
const MAX_LISTED: u64 = 1 << 16;

/// In the status of a goroutine: the collector looks at its stack.
const SCANNED: u32 = 0x1000;

/// A goroutine of a stopped call.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GoroutineState {
    /// Its number.
    pub number: u64,
    /// What it does, in Go's words: `running`, `chan receive`.
    pub status: String,
    /// Where it goes on, and its stack pointer.
    pub at: Start,
    /// The frame pointer there.
    pub bp: u64,
    /// Where the `go` statement was that started it: its function goes on there. 0 where that is not known.
    pub created_at: u64,
}

impl Machine {
    /// The goroutines: the running one first. In a started program whose functions have no names, it is the only one,
    /// as nothing tells where the others are.
    pub fn goroutines(&mut self) -> Vec<GoroutineState> {
        let running = self.running();
        let mut all = vec![running];
        if self.runtime() == Runtime::Hooked {
            all.extend(
                hooked::goroutines::resting(&self.cx())
                    .into_iter()
                    .map(|(number, status, at, bp)| GoroutineState { number, status, at, bp, created_at: 0 }),
            );
        } else {
            let own = all.first().map_or(0, |running| running.number);
            all.extend(
                others(&self.guest.image, &self.guest.memory).into_iter().filter(|other| other.number != own),
            );
        }
        all
    }

    fn running(&self) -> GoroutineState {
        let (g, facts) = (self.guest.goroutine.g, self.guest.image.facts());
        let field = |offset: u64| self.guest.memory.read(g.wrapping_add(offset)).map(u64::from_le_bytes);
        let (number, created_at) = (field(facts.g.goid).unwrap_or(1), field(facts.g.gopc).unwrap_or(0));
        let at = Start { pc: self.guest.cpu.rip, sp: self.guest.cpu.gpr(gpr::RSP), trap: true };
        GoroutineState {
            number,
            status: "running".to_owned(),
            at,
            bp: self.guest.cpu.gpr(gpr::RBP),
            created_at,
        }
    }

    /// What the call under way has written to standard output and standard error.
    pub fn output(&self) -> (&[u8], &[u8]) {
        (&self.guest.world.stdout, &self.guest.world.stderr)
    }

    /// The calls that a goroutine is in, as Go prints them; with `runtime` also those within Go's runtime.
    pub fn stack_of(&self, goroutine: &GoroutineState, runtime: bool) -> Traceback {
        let GoroutineState { number, status, at, .. } = goroutine;
        Traceback::of_one(Stack::read(&self.guest.image, &self.guest.memory, *at, (*number, status), runtime))
    }
}

/// The goroutines of a started program: those in `runtime.allgs` that are neither dead nor the running one.
fn others(image: &Image, memory: &Memory) -> Vec<GoroutineState> {
    let facts = image.facts();
    let word = |addr: u64| memory.read(addr).map_or(0, u64::from_le_bytes);
    let Some(list) = goroutine_list::address(image) else { return Vec::new() };
    let (first, count) = (word(list), word(list.wrapping_add(8)).min(MAX_LISTED));
    let goroutine = |n: u64| {
        let g = word(first.wrapping_add(8 * n));
        let status = memory.read(g.wrapping_add(facts.g.atomicstatus)).map_or(0, u32::from_le_bytes);
        let sched = |field: u64| word(g.wrapping_add(facts.g.sched).wrapping_add(field));
        let at = Start { pc: sched(facts.gobuf.pc), sp: sched(facts.gobuf.sp), trap: false };
        let number = word(g.wrapping_add(facts.g.goid));
        let alive = number != 0 && u64::from(status) != facts.numbers.g_dead && at.pc != 0;
        // Its frame pointer is where the frame says.
        let waits = u64::from(status & !SCANNED) == facts.numbers.g_waiting;
        let status = if waits { "waiting" } else { "runnable" }.to_owned();
        let created_at = word(g.wrapping_add(facts.g.gopc));
        alive.then_some(GoroutineState { number, status, at, bp: 0, created_at })
    };
    (0..count).filter_map(goroutine).collect()
}

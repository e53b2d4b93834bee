//! Profiles for `go tool pprof`: instructions and allocations by stack, exact, not sampled.
//!
//! ```no_run
//! use goemu::sink::Profiler;
//! use goemu::{Image, Machine};
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! let profiler = Profiler::default();
//! machine.observe(profiler.observer());
//! machine.call("main.f1")?.run()?;
//! let file = std::fs::File::create("out.pb.gz").expect("it can be written");
//! profiler.write(machine.image(), file).expect("it can be written");
//! # Ok::<(), goemu::Error>(())
//! ```

mod pprof;
mod wire;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use goemu_loader::Image;
use iced_x86::Instruction;
use rustc_hash::FxHashMap;

use super::calls::{Calls, Node};
use crate::observe::{Event, Interest, Observer, View};

/// What was counted, by calls.
#[derive(Default)]
struct Counts {
    calls: Calls,
    /// How often each block ran, by call and address.
    blocks: FxHashMap<(Node, u64), u64>,
    /// The instructions of blocks, as they were last.
    code: FxHashMap<u64, Box<[u64]>>,
    /// Objects and bytes that were allocated, by call and address.
    allocated: FxHashMap<(Node, u64), (u64, u64)>,
}

/// A profile that observers add to: each clone is the same one.
#[derive(Clone, Default)]
pub struct Profiler(Arc<Mutex<Counts>>);

impl Profiler {
    /// An observer that counts for this profile. Give it to one machine.
    pub fn observer(&self) -> ProfileObserver {
        ProfileObserver { counts: Counts::default(), to: self.clone() }
    }

    /// Writes the profile in pprof's format, compressed. It has what calls counted that have ended.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, image: &Image, to: impl Write) -> io::Result<()> {
        pprof::write(&self.0.lock().unwrap_or_else(PoisonError::into_inner), image, to)
    }
}

/// Watches for a [`Profiler`].
pub struct ProfileObserver {
    counts: Counts,
    to: Profiler,
}

impl ProfileObserver {
    fn hand_over(&mut self) {
        let mut to = self.to.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Counts { calls, blocks, code, allocated } = std::mem::take(&mut self.counts);
        if to.blocks.is_empty() && to.allocated.is_empty() {
            *to = Counts { calls, blocks, code, allocated };
            return;
        }
        let mut moved = FxHashMap::default();
        for ((node, pc), count) in blocks {
            let node = to.calls.tree.adopt(&calls.tree, node, &mut moved);
            *to.blocks.entry((node, pc)).or_default() += count;
        }
        for ((node, pc), (objects, bytes)) in allocated {
            let node = to.calls.tree.adopt(&calls.tree, node, &mut moved);
            let known = to.allocated.entry((node, pc)).or_default();
            *known = (known.0 + objects, known.1 + bytes);
        }
        to.code.extend(code);
    }
}

impl Observer for ProfileObserver {
    fn interest(&self) -> Interest {
        Interest::BLOCKS | Interest::EVENTS
    }

    fn block(&mut self, at: &View<'_>, insns: &[Instruction]) {
        let Some(start) = insns.first().map(Instruction::ip) else { return };
        let Counts { calls, blocks, code, .. } = &mut self.counts;
        let node = calls.block(at, insns);
        *blocks.entry((node, start)).or_default() += 1;
        let known = code.entry(start).or_default();
        if known.len() < insns.len() {
            *known = insns.iter().map(Instruction::ip).collect();
        }
    }

    fn event(&mut self, at: &View<'_>, event: &Event) {
        let node = self.counts.calls.event(at, event);
        match event {
            Event::Allocated { size, .. } => {
                let known = self.counts.allocated.entry((node, at.cpu.rip)).or_default();
                *known = (known.0 + 1, known.1.saturating_add(*size));
            }
            Event::CallEnded(_) => self.hand_over(),
            _ => {}
        }
    }
}

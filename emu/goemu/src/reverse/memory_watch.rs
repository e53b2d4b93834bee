//! The instructions that change memory, with the calls that they are in.
//!
//! ```
//! use goemu::reverse::memory_watch::MemoryWatch;
//! use goemu::{Image, Machine};
//!
//! # let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");
//! let mut machine = Machine::new(Image::open(program)?)?;
//! // The stack, where the call is about to be.
//! let sp = machine.goroutine().stack_hi - 0x100;
//! let watch = MemoryWatch::new(sp..sp + 0x100);
//! machine.observe(watch.observer());
//! machine.call("main.fib")?.arg(3).run()?;
//! assert!(watch.writes().iter().any(|write| write.place.starts_with("main.fib")));
//! # Ok::<(), goemu::Error>(())
//! ```

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use iced_x86::Instruction;

use crate::cpu::gpr;
use crate::go::traceback::Stack;
use crate::go::traceback::unwind::Start;
use crate::location::describe;
use crate::observe::{Interest, Observer, View};

/// Bytes that are watched at most.
pub const MAX_BYTES: u64 = 4096;
/// Writes that are remembered.
const MAX_WRITES: usize = 1000;

/// A change of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Write {
    /// The first byte that changed.
    pub addr: u64,
    /// What was there, from the first byte to the last that changed.
    pub before: Vec<u8>,
    /// What is there now.
    pub after: Vec<u8>,
    /// The instruction that did it; where it was none that was shown, the one that came next.
    pub pc: u64,
    /// The same as listings show it.
    pub place: String,
    /// Whether this instruction did it. If not, a function of the runtime that goemu carries out did, a system call, or a
    /// goroutine that is not the call's.
    pub by_instruction: bool,
    /// The calls that it is in.
    pub stack: Stack,
}

/// Remembers changes of a range of memory. Writing what is there already is no change.
#[derive(Clone)]
pub struct MemoryWatch {
    range: Range<u64>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    writes: Vec<Write>,
    /// All, those too that are not remembered.
    count: u64,
}

impl MemoryWatch {
    /// Watches a range, of which the first [`MAX_BYTES`] are looked at.
    pub fn new(range: Range<u64>) -> MemoryWatch {
        let end = range.end.min(range.start.saturating_add(MAX_BYTES));
        MemoryWatch { range: range.start..end, seen: Arc::default() }
    }

    /// For [`Machine::observe`](crate::Machine::observe).
    pub fn observer(&self) -> impl Observer + Send + use<> {
        let size = (self.range.end.saturating_sub(self.range.start)) as usize;
        Watcher { watch: self.clone(), was: None, now: vec![0; size] }
    }

    /// The first of them, a thousand at most.
    pub fn writes(&self) -> Vec<Write> {
        self.seen().writes.clone()
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.seen().count
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Watcher {
    watch: MemoryWatch,
    /// What was there when it was last looked at; none before the first look.
    was: Option<Vec<u8>>,
    now: Vec<u8>,
}

impl Watcher {
    /// Looks what has changed.
    fn look(&mut self, at: &View<'_>, pc: u64, by_instruction: bool) {
        // What is not mapped yet is as if it were zero.
        if at.memory.read_bytes(self.watch.range.start, &mut self.now).is_err() {
            self.now.fill(0);
            at.memory.peek(self.watch.range.start, &mut self.now);
        }
        let Some(was) = &mut self.was else {
            self.was = Some(self.now.clone());
            return;
        };
        if *was == self.now {
            return;
        }
        let differs = |index: &usize| was[*index] != self.now[*index];
        let first = (0..was.len()).find(differs).unwrap_or(0);
        let last = (first..was.len()).rev().find(differs).unwrap_or(first);
        let changed = (was[first..=last].to_vec(), self.now[first..=last].to_vec());
        was.copy_from_slice(&self.now);
        let mut seen = self.watch.seen();
        seen.count += 1;
        if seen.writes.len() < MAX_WRITES {
            let addr = self.watch.range.start + first as u64;
            seen.writes.push(write(at, addr, changed, pc, by_instruction));
        }
    }
}

fn write(
    at: &View<'_>,
    addr: u64,
    (before, after): (Vec<u8>, Vec<u8>),
    pc: u64,
    by_instruction: bool,
) -> Write {
    let goid = at.memory.read(at.g.wrapping_add(at.image.facts().g.goid)).map_or(0, u64::from_le_bytes);
    // The instruction is over, but for calls and jumps it is still the function that RIP is in.
    let start = Start { pc: at.cpu.rip, sp: at.cpu.gpr(gpr::RSP), trap: true };
    let stack = Stack::read(at.image, at.memory, start, (goid, "running"), true);
    Write { addr, before, after, pc, place: describe(at.image, pc), by_instruction, stack }
}

impl Observer for Watcher {
    fn interest(&self) -> Interest {
        Interest::INSTRUCTIONS
    }

    fn before(&mut self, at: &View<'_>, insn: &Instruction) {
        self.look(at, insn.ip(), false);
    }

    fn after(&mut self, at: &View<'_>, insn: &Instruction) {
        self.look(at, insn.ip(), true);
    }
}

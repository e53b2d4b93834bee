//! The collector of the hooked heap: it marks what can be reached, and frees the rest. Nothing moves.
//!
//! It is conservative: every word that could be the address of an object keeps it. Roots are registers, stacks, the program's
//! variables, and all that is goemu's own or older than the call. Objects without pointers, as their types say, are not
//! looked into. It runs at places that depend on the program alone: where a hook begins, after so many bytes; and where
//! memory is used up.

use std::ops::Range;

use goemu_loader::Perm;
use goemu_loader::facts::Growth;

use crate::cpu::{Cpu, gpr};
use crate::guest::heap::{Heap, Kind};
use crate::hook::HookContext;
use crate::memory::{Memory, PAGE};

/// Words that are looked at in the time of an instruction; what marking an object takes; and a page of the heap, in sweeping.
const WORDS: u64 = 2;
const OBJECT: u64 = 4;
const SWEPT: u64 = 4;

/// What has been marked.
struct Marker<'a> {
    heap: &'a Heap,
    memory: &'a Memory,
    /// A bit for each granule where a marked object begins.
    marks: Vec<u64>,
    /// Marked objects that were not looked into yet: granules.
    open: Vec<u64>,
    work: u64,
}

/// Frees what cannot be reached.
pub(in crate::runtime) fn collect(cx: &mut HookContext<'_>) {
    let heap = &cx.world.heap;
    let words = heap.granules().div_ceil(64) as usize;
    let mut marker = Marker { heap, memory: cx.memory, marks: vec![0; words], open: Vec::new(), work: 0 };
    marker.registers(cx.cpu);
    for range in roots(cx) {
        marker.range(range);
    }
    marker.known(cx);
    marker.own_objects();
    let (marks, work) = (marker.marks, marker.work);
    let limit = cx.memory.limit();
    cx.memory.charge(work + words as u64 * 64 / (PAGE / 8) * SWEPT);
    let world = &mut **cx.world;
    let heap = &world.heap;
    let lives = |at: u64| match heap.find(at) {
        Some((granule, Kind::Pointers | Kind::Data)) => heap.is_kept(at) || is_set(&marks, granule),
        _ => true,
    };
    world.scheduler.forget_timers(lives);
    let sizes = Growth::of(cx.image.facts().version.minor);
    world.heap.sweep(limit, sizes, |granule| !is_set(&marks, granule));
}

/// Memory that may hold the only address of an object.
fn roots(cx: &HookContext<'_>) -> Vec<Range<u64>> {
    let space = cx.memory.space();
    let writable = cx.image.segments().iter().filter(|segment| segment.perm.contains(Perm::WRITE));
    let writable = writable.filter(|segment| segment.addr < space);
    let mut roots: Vec<_> =
        writable.map(|segment| segment.addr..segment.addr.saturating_add(segment.mem_size)).collect();
    let sp = cx.cpu.gpr(gpr::RSP);
    let stack = cx.goroutine.stack_lo..cx.goroutine.stack_hi;
    // Elsewhere the runtime is on the system's stack.
    roots.push(if stack.contains(&sp) { sp..stack.end } else { stack });
    roots.extend(cx.goroutine.shared());
    // Beyond the space the call has written to these pages.
    roots.extend(cx.memory.far_written());
    roots.extend(cx.world.scheduler.resting().map(|resting| resting.sp..resting.goroutine.stack_hi));
    roots
}

impl Marker<'_> {
    fn registers(&mut self, cpu: &Cpu) {
        (0..16).for_each(|register| self.word(cpu.gpr(register)));
        for half in cpu.ymm.iter().flatten() {
            self.word(*half as u64);
            self.word((*half >> 64) as u64);
        }
        self.drain();
    }

    /// What goemu knows of goroutines, timers and finalizers beside guest memory.
    fn known(&mut self, cx: &HookContext<'_>) {
        for resting in cx.world.scheduler.resting() {
            resting.args.iter().chain([&resting.closure]).for_each(|word| self.word(*word));
            if let Some(cpu) = &resting.registers {
                self.registers(cpu);
            }
        }
        for (at, timer) in cx.world.scheduler.timers().filter(|(_, timer)| timer.place.is_some()) {
            [*at, timer.f, timer.arg[0], timer.arg[1], timer.channel]
                .into_iter()
                .for_each(|word| self.word(word));
        }
        for (object, closure) in &cx.world.lifetimes.finalizers {
            self.word(*object);
            self.word(*closure);
        }
        cx.world.lifetimes.pins.keys().for_each(|object| self.word(*object));
        let (ty, data) = cx.world.ending.panic_value.unwrap_or_default();
        [ty, data].into_iter().for_each(|word| self.word(word));
        self.drain();
    }

    /// What is goemu's own or older than the call stays, and so does what it refers to.
    fn own_objects(&mut self) {
        for (granule, kind) in self.heap.all() {
            let stays = kind == Kind::Fixed || self.heap.is_kept(self.heap.address(granule));
            if stays && matches!(kind, Kind::Fixed | Kind::Pointers) {
                self.range(self.heap.address(granule)..self.heap.end_of(granule));
            }
        }
    }

    /// Marks what words of memory refer to, and all that can be reached from there.
    fn range(&mut self, range: Range<u64>) {
        self.words(range);
        self.drain();
    }

    fn words(&mut self, range: Range<u64>) {
        let mut page = [0; PAGE as usize];
        let mut at = range.start.next_multiple_of(8);
        self.work += range.end.saturating_sub(at) / 8 / WORDS;
        while at < range.end {
            let end = (at / PAGE + 1).saturating_mul(PAGE).min(range.end);
            let Some(bytes) = page.get_mut(..(end - at) as usize) else { return };
            if self.memory.perm(at).is_some() {
                self.memory.peek(at, bytes);
                bytes.as_chunks().0.iter().for_each(|word| self.word(u64::from_le_bytes(*word)));
            }
            at = end;
        }
    }

    /// A word that may be an address.
    #[inline]
    fn word(&mut self, word: u64) {
        if word < self.heap.start() || word >= self.heap.top() || self.heap.is_kept(word) {
            return;
        }
        let Some((granule, kind @ (Kind::Pointers | Kind::Data))) = self.heap.find(word) else { return };
        let Some(marks) = self.marks.get_mut((granule / 64) as usize) else { return };
        let bit = 1 << (granule % 64);
        if *marks & bit == 0 {
            *marks |= bit;
            self.work += OBJECT;
            if kind == Kind::Pointers {
                self.open.push(granule);
            }
        }
    }

    fn drain(&mut self) {
        while let Some(granule) = self.open.pop() {
            self.words(self.heap.address(granule)..self.heap.end_of(granule));
        }
    }
}

fn is_set(marks: &[u64], granule: u64) -> bool {
    marks.get((granule / 64) as usize).is_some_and(|word| word >> (granule % 64) & 1 != 0)
}

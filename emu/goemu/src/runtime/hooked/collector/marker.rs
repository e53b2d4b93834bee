//! Marks what can be reached: which roots there are, and what objects refer to.

use std::ops::Range;

use goemu_loader::Perm;

use crate::cpu::Cpu;
use crate::guest::heap::{Heap, Kind};
use crate::hook::HookContext;
use crate::memory::{Memory, PAGE};

/// Words that are looked at in the time of an instruction; and what marking an object takes.
const WORDS: u64 = 2;
const OBJECT: u64 = 4;

/// What has been marked.
pub(super) struct Marker<'a> {
    heap: &'a Heap,
    pub(super) memory: &'a Memory,
    /// A bit for each granule where a marked object begins.
    marks: Vec<u64>,
    /// Marked objects that were not looked into yet: granules.
    open: Vec<u64>,
    work: u64,
}

impl<'a> Marker<'a> {
    pub(super) fn new(cx: &'a HookContext<'_>) -> Marker<'a> {
        let heap = &cx.world.heap;
        let words = heap.granules().div_ceil(64) as usize;
        Marker { heap, memory: cx.memory, marks: vec![0; words], open: Vec::new(), work: 0 }
    }

    /// The marks, and the work in instructions.
    pub(super) fn done(self) -> (Vec<u64>, u64) {
        (self.marks, self.work)
    }

    /// Takes time for something else, in instructions.
    pub(super) fn charge(&mut self, work: u64) {
        self.work += work;
    }

    /// Marks from all roots but stacks and registers.
    pub(super) fn what_goemu_knows(&mut self, cx: &HookContext<'_>) {
        variables(cx).into_iter().for_each(|range| self.range(range));
        self.known(cx);
        self.own_objects();
    }

    /// What may be left over: registers of goroutines that had to rest anywhere.
    pub(super) fn doubtful(&mut self, cx: &HookContext<'_>) {
        for cpu in cx.world.scheduler.resting().filter_map(|resting| resting.registers.as_deref()) {
            self.registers(cpu);
        }
    }

    /// The value of the newest panic, which may be over. Where the program's own code panics, its stack has the value as well.
    pub(super) fn panic_value(&mut self, cx: &HookContext<'_>) {
        let (ty, data) = cx.world.ending.panic_value.unwrap_or_default();
        [ty, data].into_iter().for_each(|word| self.word(word));
        self.drain();
    }

    pub(super) fn registers(&mut self, cpu: &Cpu) {
        (0..16).for_each(|register| self.word(cpu.gpr(register)));
        for half in cpu.ymm.iter().flatten() {
            self.word(*half as u64);
            self.word((*half >> 64) as u64);
        }
        self.drain();
    }

    /// What goemu knows of goroutines and timers beside guest memory.
    fn known(&mut self, cx: &HookContext<'_>) {
        for resting in cx.world.scheduler.resting() {
            resting.args.iter().chain([&resting.closure]).for_each(|word| self.word(*word));
        }
        for (at, timer) in cx.world.scheduler.timers().filter(|(_, timer)| timer.place.is_some()) {
            [*at, timer.f, timer.arg[0], timer.arg[1], timer.channel]
                .into_iter()
                .for_each(|word| self.word(word));
        }
        cx.world.lifetimes.pins.keys().for_each(|object| self.word(*object));
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

    /// Marks what can be reached from an object, if not the object itself.
    pub(super) fn content(&mut self, object: u64) {
        if let Some((granule, Kind::Pointers)) = self.heap.find(object) {
            self.words(self.heap.address(granule)..self.heap.end_of(granule));
        }
    }

    /// The granule of an object that is not marked, and is the program's.
    pub(super) fn unmarked(&self, object: u64) -> Option<u64> {
        let (granule, kind) = self.heap.find(object)?;
        let can_die = matches!(kind, Kind::Pointers | Kind::Data) && !self.heap.is_kept(object);
        (can_die && !is_set(&self.marks, granule)).then_some(granule)
    }

    /// Marks what words of memory refer to, and all that can be reached from there.
    pub(super) fn range(&mut self, range: Range<u64>) {
        self.words(range);
        self.drain();
    }

    fn words(&mut self, range: Range<u64>) {
        let memory = self.memory;
        self.work += range.end.saturating_sub(range.start) / 8 / WORDS;
        each_word(memory, range, &mut |word| self.word(word));
    }

    /// A word that may be an address.
    #[inline]
    pub(super) fn word(&mut self, word: u64) {
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

    pub(super) fn drain(&mut self) {
        while let Some(granule) = self.open.pop() {
            self.words(self.heap.address(granule)..self.heap.end_of(granule));
        }
    }
}

/// The aligned words of a range, where there is memory.
#[inline]
pub(super) fn each_word(memory: &Memory, range: Range<u64>, see: &mut impl FnMut(u64)) {
    let mut page = [0; PAGE as usize];
    let mut at = range.start.next_multiple_of(8);
    while at < range.end {
        let end = (at / PAGE + 1).saturating_mul(PAGE).min(range.end);
        let Some(bytes) = page.get_mut(..(end - at) as usize) else { return };
        if memory.perm(at).is_some() {
            memory.peek(at, bytes);
            bytes.as_chunks().0.iter().for_each(|word| see(u64::from_le_bytes(*word)));
        }
        at = end;
    }
}

pub(super) fn is_set(marks: &[u64], granule: u64) -> bool {
    marks.get((granule / 64) as usize).is_some_and(|word| word >> (granule % 64) & 1 != 0)
}

/// Memory beside stacks that may hold the only address of an object.
fn variables(cx: &HookContext<'_>) -> Vec<Range<u64>> {
    let space = cx.memory.space();
    let writable = cx.image.segments().iter().filter(|segment| segment.perm.contains(Perm::WRITE));
    let writable = writable.filter(|segment| segment.addr < space);
    let mut variables: Vec<_> =
        writable.map(|segment| segment.addr..segment.addr.saturating_add(segment.mem_size)).collect();
    variables.extend(cx.goroutine.shared());
    // Beyond the space the call has written to these pages.
    variables.extend(cx.memory.far_written());
    variables
}

//! Which edges of the guest's code ran, and how often: what coverage reports and fuzzers look at.
//!
//! An edge is one way that control took at the end of a block: from a jump, a branch or a call to its target, or from a
//! branch that was not taken to the next instruction. Where the target is not in the instruction (returns, indirect jumps and
//! calls, and whatever places RIP between two runs), it counts as from nowhere: its target alone says where control came
//! from, as return addresses and the cases of a switch do. So each arrival at a block is one edge, and all engines count
//! the same edges the same number of times.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use iced_x86::{FlowControl, Instruction, OpKind};
use rustc_hash::FxHashMap;

/// Counters of one allocation, and how many allocations there can be.
const CHUNK: usize = 1 << 12;
const CHUNKS: usize = 1 << 10;
/// Counters of one edge, at most.
const PLACES: usize = 4;

/// One way that control took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    /// Address of the instruction at the end of a block; 0 where its target is not in it.
    pub from: u64,
    /// Where control went: the first instruction of a block.
    pub to: u64,
}

/// Counts the edges that an engine runs through, see [`crate::engine::Engine::set_coverage`].
///
/// Edges are numbered in the order in which they are seen first; a number never changes. One engine counts at a time: where
/// two do, counts are lost. A goroutine or thread that goes on after another counts as one more arrival where it goes on.
#[derive(Debug)]
pub struct Coverage {
    within: Vec<Range<u64>>,
    known: Mutex<Known>,
    counters: Box<[OnceLock<Box<[AtomicU64]>>]>,
    beside: Mutex<Beside>,
    /// RIP when an engine left last: where it goes on, control did not go anywhere.
    place: AtomicU64,
    /// Whether something was counted since all counts were 0.
    used: AtomicBool,
}

#[derive(Debug, Default)]
struct Known {
    numbers: FxHashMap<Edge, u32>,
    edges: Vec<Edge>,
}

/// Further counters of edges that are counted at several places of the code: an addition waits for the one before it to the same
/// counter, and a loop that is unrolled need not.
#[derive(Debug, Default)]
struct Beside(BTreeMap<(u32, usize), Box<AtomicU64>>);

/// No address of guest code.
const NOWHERE: u64 = u64::MAX;

impl Default for Coverage {
    fn default() -> Coverage {
        Coverage::new()
    }
}

/// Counts that were put aside, see [`Coverage::save`].
#[derive(Clone, Debug, Default)]
pub struct Saved(Vec<u64>);

impl Coverage {
    /// Counts all edges.
    pub fn new() -> Coverage {
        Coverage::within(Vec::new())
    }

    /// Counts edges whose target lies in one of these ranges; all, if there are none. Other code costs nothing.
    pub fn within(ranges: Vec<Range<u64>>) -> Coverage {
        let counters = std::iter::repeat_with(OnceLock::new).take(CHUNKS).collect();
        Coverage {
            within: ranges,
            known: Mutex::default(),
            counters,
            beside: Mutex::default(),
            place: AtomicU64::new(NOWHERE),
            used: AtomicBool::new(false),
        }
    }

    /// How many edges have been seen: their numbers are below this.
    pub fn len(&self) -> usize {
        self.known().edges.len()
    }

    /// Whether none has been seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no further edge can be counted: some four million have been seen.
    pub fn is_full(&self) -> bool {
        self.len() == CHUNK * CHUNKS
    }

    /// The edge of a number.
    pub fn edge(&self, number: usize) -> Option<Edge> {
        self.known().edges.get(number).copied()
    }

    /// How often the edge of a number was taken; 0 if there is none.
    pub fn count(&self, number: usize) -> u64 {
        let number = number as u32;
        let own = self.counter(number).map_or(0, |counter| counter.load(Ordering::Relaxed));
        let beside = self.beside();
        let counters = beside.0.range((number, 0)..=(number, PLACES));
        counters.fold(own, |sum, (_, counter)| sum.wrapping_add(counter.load(Ordering::Relaxed)))
    }

    /// Shows every edge that was taken: its number and how often. This is the cheap way, for a look after each call.
    pub fn each(&self, mut show: impl FnMut(usize, u64)) {
        self.counts(|at, count| {
            if count > 0 {
                show(at, count);
            }
        });
    }

    /// Shows every edge that was taken, and sets all counts to 0: [`Coverage::each`] and [`Coverage::clear`] at once.
    pub fn drain(&self, mut show: impl FnMut(usize, u64)) {
        self.forget_place();
        for ((number, _), beside) in &self.beside().0 {
            if let (Some(own), more @ 1..) = (self.counter(*number), beside.swap(0, Ordering::Relaxed)) {
                own.store(own.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
            }
        }
        self.counters().for_each(|(at, counter)| match counter.load(Ordering::Relaxed) {
            0 => {}
            count => {
                counter.store(0, Ordering::Relaxed);
                show(at, count);
            }
        });
        self.used.store(false, Ordering::Relaxed);
    }

    /// The edges that were taken, and how often.
    pub fn edges(&self) -> BTreeMap<Edge, u64> {
        let (edges, mut counted) = (self.known().edges.clone(), BTreeMap::new());
        self.each(|at, count| counted.extend(edges.get(at).map(|&edge| (edge, count))));
        counted
    }

    /// The blocks that were entered, by the addresses where they begin, and how often. One reaches to the next change of
    /// control: [`crate::decode::decode_block`].
    pub fn blocks(&self) -> BTreeMap<u64, u64> {
        let mut blocks = BTreeMap::new();
        self.edges().into_iter().for_each(|(edge, count)| *blocks.entry(edge.to).or_default() += count);
        blocks
    }

    /// Sets all counts to 0.
    pub fn clear(&self) {
        self.drain(|_, _| {});
    }

    /// The counts as they are, for [`Coverage::restore`]: hidden runs leave none.
    pub fn save(&self) -> Saved {
        if !self.used.load(Ordering::Relaxed) {
            return Saved::default();
        }
        let mut counts = Vec::new();
        self.counts(|_, count| counts.push(count));
        Saved(counts)
    }

    /// Brings counts back.
    pub fn restore(&self, saved: &Saved) {
        self.beside().0.values().for_each(|counter| counter.store(0, Ordering::Relaxed));
        for (at, counter) in self.counters() {
            counter.store(saved.0.get(at).copied().unwrap_or_default(), Ordering::Relaxed);
        }
    }

    /// Wherever an engine goes on next, control has come there.
    pub fn forget_place(&self) {
        self.place.store(NOWHERE, Ordering::Relaxed);
    }

    /// For engines: a run begins at RIP.
    #[inline]
    pub fn begin(&self, rip: u64) {
        self.used.store(true, Ordering::Relaxed);
        if self.place.load(Ordering::Relaxed) != rip {
            self.take(Edge { from: 0, to: rip });
        }
    }

    /// For engines: a run has ended at RIP.
    #[inline]
    pub fn end(&self, rip: u64) {
        self.place.store(rip, Ordering::Relaxed);
    }

    /// For engines: an instruction was executed, and control is at `to` now.
    pub fn went(&self, insn: &Instruction, to: u64) {
        if let Some(edge) = edge(insn, to) {
            self.take(edge);
        }
    }

    /// For engines: counts an edge.
    pub fn take(&self, edge: Edge) {
        if let Some(counter) = self.number(edge).and_then(|number| self.counter(number)) {
            add(counter);
        }
    }

    /// For engines: the number of an edge; `None` where it is not to be counted.
    pub fn number(&self, edge: Edge) -> Option<u32> {
        let wanted = self.within.is_empty() || self.within.iter().any(|range| range.contains(&edge.to));
        if !wanted {
            return None;
        }
        let mut known = self.known();
        if let Some(&number) = known.numbers.get(&edge) {
            return Some(number);
        }
        let number = known.edges.len();
        let chunk = self.counters.get(number / CHUNK)?;
        chunk.get_or_init(|| std::iter::repeat_with(AtomicU64::default).take(CHUNK).collect());
        known.edges.push(edge);
        known.numbers.insert(edge, number as u32);
        Some(number as u32)
    }

    /// For engines: the counter of an edge. It stays where it is as long as the coverage lives.
    #[inline]
    pub fn counter(&self, number: u32) -> Option<&AtomicU64> {
        let chunk = self.counters.get(number as usize / CHUNK)?.get()?;
        chunk.get(number as usize % CHUNK)
    }

    /// For engines: where an edge is counted at one of several places of the code; the first has its own counter. It stays where it is
    /// as long as the coverage lives.
    pub fn counter_of(&self, number: u32, place: usize) -> Option<*mut u64> {
        match place % PLACES {
            0 => self.counter(number).map(AtomicU64::as_ptr),
            place => Some(self.beside().0.entry((number, place)).or_default().as_ptr()),
        }
    }

    /// For engines: counts the edge of a number.
    #[inline]
    pub fn add(&self, number: u32) {
        if let Some(counter) = self.counter(number) {
            add(counter);
        }
    }

    /// The counters of all edges that have been seen, in order.
    fn counters(&self) -> impl Iterator<Item = (usize, &AtomicU64)> {
        let chunks = self.counters.iter().map_while(OnceLock::get);
        chunks.flat_map(|chunk| chunk.iter()).take(self.len()).enumerate()
    }

    /// Shows all edges that have been seen, in order, and how often they were taken.
    fn counts(&self, mut show: impl FnMut(usize, u64)) {
        // Nothing is locked while it is shown.
        let beside: Vec<_> = self
            .beside()
            .0
            .iter()
            .map(|((at, _), more)| (*at as usize, more.load(Ordering::Relaxed)))
            .collect();
        let mut beside = beside.into_iter().peekable();
        for (at, own) in self.counters() {
            let mut count = own.load(Ordering::Relaxed);
            while let Some((_, more)) = beside.next_if(|(of, _)| *of == at) {
                count = count.wrapping_add(more);
            }
            show(at, count);
        }
    }

    fn beside(&self) -> std::sync::MutexGuard<'_, Beside> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline]
fn add(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The edge by which control came to `to` after an instruction, if that ends a block.
pub fn edge(insn: &Instruction, to: u64) -> Option<Edge> {
    let near = matches!(insn.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
    match insn.flow_control() {
        FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch | FlowControl::Call if near => {
            Some(Edge { from: insn.ip(), to })
        }
        FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::IndirectCall
        | FlowControl::Return => Some(Edge { from: 0, to }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What code does at one of the places where it counts an edge.
    fn add(coverage: &Coverage, number: u32, place: usize, count: u64) {
        let at = coverage.counter_of(number, place).unwrap();
        let beside = coverage.beside();
        let counter =
            beside.0.get(&(number, place)).map_or(coverage.counter(number).unwrap(), |beside| beside);
        assert_eq!(counter.as_ptr(), at);
        counter.fetch_add(count, Ordering::Relaxed);
        coverage.used.store(true, Ordering::Relaxed);
    }

    fn shown(coverage: &Coverage) -> Vec<(usize, u64)> {
        let mut shown = Vec::new();
        // Whoever is shown an edge may ask for more of it.
        coverage.each(|at, count| {
            assert_eq!(count, coverage.count(at));
            shown.push((at, count));
        });
        shown
    }

    /// The fifth place has the first one's again.
    #[test]
    fn an_edge_has_what_all_its_counters_have() {
        let coverage = Coverage::new();
        let numbers = [1, 2, 3].map(|to| coverage.number(Edge { from: 0, to }).unwrap());
        for (place, count) in [(0, 1), (1, 10), (2, 100), (3, 1000), (4, 10_000)] {
            add(&coverage, numbers[1], place, count);
        }
        add(&coverage, numbers[2], 1, 7);
        assert_eq!(shown(&coverage), [(1, 11_111), (2, 7)]);
        assert_eq!(coverage.edges().values().copied().collect::<Vec<_>>(), [11_111, 7]);
        let saved = coverage.save();
        add(&coverage, numbers[0], 3, 5);
        coverage.restore(&saved);
        assert_eq!(shown(&coverage), [(1, 11_111), (2, 7)]);
        let mut drained = Vec::new();
        coverage.drain(|at, count| drained.push((at, count)));
        assert_eq!(drained, [(1, 11_111), (2, 7)]);
        assert_eq!(shown(&coverage), []);
    }
}

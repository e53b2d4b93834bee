//! Which edges of the guest's code ran, and how often: what coverage reports and fuzzers look at.
//!
//! An edge is one way that control took at the end of a block: from a jump, a branch or a call to its target, or from a
//! branch that was not taken to the next instruction. Where the target is not in the instruction (returns, indirect jumps and
//! calls, and whatever places RIP between two runs), it counts as from nowhere: its target alone says where control came
//! from, as return addresses and the cases of a switch do. So each arrival at a block is one edge, and all engines count
//! the same edges the same number of times.

mod counters;
mod paths;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use iced_x86::{FlowControl, Instruction, OpKind};
use rustc_hash::FxHashMap;

use counters::{Counters, add};
pub use paths::Path;
use paths::Paths;

/// Edges, at most.
const MOST: usize = 1 << 22;

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
    counters: Counters,
    paths: Mutex<Paths>,
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
        Coverage {
            within: ranges,
            known: Mutex::default(),
            counters: Counters::new(MOST),
            paths: Mutex::default(),
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
        self.len() == self.counters.most()
    }

    /// The edge of a number.
    pub fn edge(&self, number: usize) -> Option<Edge> {
        self.known().edges.get(number).copied()
    }

    /// How often the edge of a number was taken; 0 if there is none.
    pub fn count(&self, number: usize) -> u64 {
        let mut count = self.counters.get(number).map_or(0, |counter| counter.load(Ordering::Relaxed));
        self.paths().each(|edge, more| {
            if edge as usize == number {
                count = count.wrapping_add(more);
            }
        });
        count
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
        self.paths().settle(&self.counters);
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
        self.paths().clear();
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
            add(counter, 1);
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
        self.counters.make(number)?;
        known.edges.push(edge);
        known.numbers.insert(edge, number as u32);
        Some(number as u32)
    }

    /// For engines: the counter of an edge. It stays where it is as long as the coverage lives.
    #[inline]
    pub fn counter(&self, number: u32) -> Option<&AtomicU64> {
        self.counters.get(number as usize)
    }

    /// For engines: the path that the edge of a number makes longer. `None` if what was taken before must be counted first.
    pub fn join(&self, before: Path, number: u32) -> Option<Path> {
        self.paths().join(before, number)
    }

    /// For engines: where a path is counted at one of several places of the code. It stays where it is as long as the coverage lives.
    /// `None` for no edge.
    pub fn counter_of(&self, path: Path, place: usize) -> Option<*mut u64> {
        let mut paths = self.paths();
        let counter = paths.counter(path, place);
        counter.or_else(|| self.counter(paths.edges(path).next()?).map(AtomicU64::as_ptr))
    }

    /// For engines: counts the edges of a path.
    pub fn add_path(&self, path: Path) {
        self.paths().edges(path).for_each(|edge| self.add(edge));
    }

    /// For engines: counts the edge of a number.
    #[inline]
    pub fn add(&self, number: u32) {
        if let Some(counter) = self.counter(number) {
            add(counter, 1);
        }
    }

    /// The counters of all edges that have been seen, in order.
    fn counters(&self) -> impl Iterator<Item = (usize, &AtomicU64)> {
        self.counters.first(self.len())
    }

    /// Shows all edges that have been seen, in order, and how often they were taken.
    fn counts(&self, mut show: impl FnMut(usize, u64)) {
        let mut counts: Vec<u64> =
            self.counters().map(|(_, counter)| counter.load(Ordering::Relaxed)).collect();
        self.paths().each(|edge, more| {
            if let Some(count) = counts.get_mut(edge as usize) {
                *count = count.wrapping_add(more);
            }
        });
        // Nothing is locked while it is shown.
        counts.into_iter().enumerate().for_each(|(at, count)| show(at, count));
    }

    fn paths(&self) -> MutexGuard<'_, Paths> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    /// What code does at one of the places where it counts a path.
    fn count(coverage: &Coverage, path: Path, place: usize, count: u64) {
        let at = coverage.counter_of(path, place).unwrap();
        let paths = coverage.paths();
        let mut counters = paths.all().chain(coverage.counters().map(|(_, own)| own));
        counters.find(|one| one.as_ptr() == at).unwrap().fetch_add(count, Ordering::Relaxed);
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

    #[test]
    fn an_edge_has_what_all_its_counters_have() {
        let coverage = Coverage::new();
        let numbers = [1, 2, 3].map(|to| coverage.number(Edge { from: 0, to }).unwrap());
        let one = numbers.map(|number| coverage.join(Path::default(), number).unwrap());
        let both = coverage.join(one[1], numbers[2]).unwrap();
        let all = coverage.join(both, numbers[1]).unwrap();
        // The fifth place has the first one's again.
        for (place, times) in [(0, 1), (1, 10), (2, 100), (3, 1000), (4, 10_000)] {
            count(&coverage, one[1], place, times);
        }
        count(&coverage, both, 1, 7);
        count(&coverage, all, 0, 100_000);
        coverage.add(numbers[2]);
        coverage.add_path(both);
        assert_eq!(shown(&coverage), [(1, 211_119), (2, 100_009)]);
        assert_eq!(coverage.edges().values().copied().collect::<Vec<_>>(), [211_119, 100_009]);
        let saved = coverage.save();
        count(&coverage, one[0], 3, 5);
        coverage.restore(&saved);
        assert_eq!(shown(&coverage), [(1, 211_119), (2, 100_009)]);
        let mut drained = Vec::new();
        coverage.drain(|at, count| drained.push((at, count)));
        assert_eq!(drained, [(1, 211_119), (2, 100_009)]);
        assert_eq!(shown(&coverage), []);
    }

    #[test]
    fn paths_are_bounded_and_single_edges_always_counted() {
        let coverage = Coverage::new();
        let number = |to| coverage.number(Edge { from: 0, to }).unwrap();
        let first = coverage.join(Path::default(), number(0)).unwrap();
        let longest = std::iter::successors(Some(first), |&path| coverage.join(path, number(1))).last();
        assert_eq!(coverage.paths().edges(longest.unwrap()).count(), 16);
        // All paths that there can be, with all their counters.
        let numbers: Vec<u32> = (0..600).map(number).collect();
        let mut made = 0;
        for &from in &numbers {
            let from = coverage.join(Path::default(), from).unwrap();
            for path in numbers.iter().filter_map(|&number| coverage.join(from, number)) {
                (0..4).for_each(|place| assert!(coverage.counter_of(path, place).is_some()));
                made += 1;
            }
        }
        assert!(made < numbers.len() * numbers.len(), "there is no bound: {made}");
        for &number in &numbers {
            let one = coverage.join(Path::default(), number).unwrap();
            (0..4).for_each(|place| count(&coverage, one, place, 1));
        }
        assert_eq!(shown(&coverage), numbers.iter().map(|&n| (n as usize, 4)).collect::<Vec<_>>());
        // A path of another coverage is none.
        let other = Coverage::new();
        let strange = coverage.join(first, numbers[1]).unwrap();
        assert_eq!((other.join(strange, 0), other.counter_of(strange, 0)), (None, None));
    }
}

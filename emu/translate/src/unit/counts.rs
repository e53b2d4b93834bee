//! Counting edges: not each where it is taken, but all that were taken since the last count, where control may have come from several
//! places or goes where that is not known.
//!
//! A block that is entered with edges that are not counted is entered from one place only, so that they are the same each time. Where
//! control leaves in the middle, they are counted by who looks why it left ([`crate::cache::Spot`]).

use goemu_x86::coverage::{Edge, Path};
use iced_x86::Instruction;

use super::Unit;
use super::live::successors;

/// Blocks that are looked at, at most.
const MOST: usize = 4000;

impl Unit<'_> {
    /// What was taken once an edge is, too. `None` if what was taken before must be counted first.
    fn joined(&self, before: Path, edge: Edge) -> Option<Path> {
        let coverage = self.limits.coverage;
        match coverage.and_then(|coverage| Some((coverage, coverage.number(edge)?))) {
            Some((coverage, number)) => coverage.join(before, number),
            None => Some(before),
        }
    }

    fn take_edge(&mut self, edge: Edge) {
        if self.joined(self.taken, edge).is_none() {
            self.count_taken();
        }
        self.taken = self.joined(self.taken, edge).unwrap_or_default();
    }

    /// Control goes from an instruction to an address.
    pub(super) fn take(&mut self, from: &Instruction, to: u64) {
        self.take_edge(Edge { from: from.ip(), to });
    }

    /// Control comes to an address by a return, or an indirect jump or call.
    pub(super) fn take_arrival(&mut self, to: u64) {
        self.take_edge(Edge { from: 0, to });
    }

    /// What was taken once control goes to each of the addresses that a branch leads to.
    pub(super) fn fork(&mut self, branch: &Instruction, ways: [u64; 2]) -> [Path; 2] {
        let edges = ways.map(|to| Edge { from: branch.ip(), to });
        if edges.iter().any(|&edge| self.joined(self.taken, edge).is_none()) {
            self.count_taken();
        }
        edges.map(|edge| self.joined(self.taken, edge).unwrap_or_default())
    }

    /// The arrival at an address alone.
    pub(super) fn arrival_at(&self, to: u64) -> Path {
        self.joined(Path::default(), Edge { from: 0, to }).unwrap_or_default()
    }

    /// Counts what was taken. T is lost.
    pub(super) fn count_taken(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        self.count_path(taken);
    }

    /// Counts a path, at each place by another one of a few counters.
    pub(super) fn count_path(&mut self, path: Path) {
        let Some(coverage) = self.limits.coverage.filter(|_| !path.is_empty()) else { return };
        let places = self.counted.entry(path).or_default();
        *places += 1;
        if let Some(counter) = coverage.counter_of(path, *places - 1) {
            self.emitter.add_one(counter as u64);
        }
    }

    /// Whether control comes to a block from so few places that edges need not be counted on the way, as far as it is known.
    pub(super) fn is_apart(&self, pc: u64, ways: usize) -> bool {
        self.ways.get(&pc).is_none_or(|known| *known <= ways)
    }

    /// Counts the ways that lead to the blocks that follow one.
    pub(super) fn look_around(&mut self, pc: u64) {
        if self.limits.coverage.is_none() {
            return;
        }
        let mut next = vec![pc];
        while let Some(pc) = next.pop() {
            if self.around.len() > MOST || !self.is_wanted(pc) || !self.around.insert(pc) {
                continue;
            }
            let Some(decoded) = self.decoded(pc) else { continue };
            for to in successors(&decoded) {
                *self.ways.entry(to).or_default() += 1;
                next.push(to);
            }
        }
    }
}

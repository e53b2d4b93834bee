//! Counting edges: numbers of the ways out of each block, remembered beside it.

use std::sync::Arc;

use iced_x86::FlowControl;

use super::Watching;
use super::code::{Block, Blocks, Id};
use super::op::Flow;
use crate::coverage::{Coverage, Edge};
use crate::cpu::Cpu;
use crate::memory::Memory;

/// A number that is not known yet, and that of what is not counted.
const UNKNOWN: u32 = u32::MAX;
const UNCOUNTED: u32 = u32::MAX - 1;

/// Entries of the table by which indirect jumps find their edge. A power of two.
const QUICK: usize = 1 << 10;

/// What counts edges, and what it remembers of blocks.
pub(super) struct Edges {
    pub(super) coverage: Arc<Coverage>,
    /// For each block the numbers of the edges to the next one and to its target.
    ways: Vec<[u32; 2]>,
    /// Of which version of the blocks.
    version: u64,
    quick: Vec<(u64, u32)>,
}

impl Edges {
    pub(super) fn new(coverage: Arc<Coverage>) -> Edges {
        Edges { coverage, ways: Vec::new(), version: 0, quick: vec![(0, UNKNOWN); QUICK] }
    }

    /// Control has left a block; RIP is set if it went there by an indirect jump.
    #[inline]
    fn went(&mut self, blocks: &Blocks, id: Id, block: Block, flow: Flow, rip: u64) {
        let number = match flow {
            Flow::Indirect => self.indirect(rip),
            Flow::Next | Flow::Taken => {
                let way = usize::from(flow == Flow::Taken);
                let known = self.ways.get(id.number()).map(|ways| ways[way]);
                match known.filter(|number| *number != UNKNOWN && self.version == blocks.version()) {
                    Some(number) => number,
                    None => self.direct(blocks, id, block, way),
                }
            }
        };
        self.coverage.add(number);
    }

    #[inline]
    fn indirect(&mut self, rip: u64) -> u32 {
        let slot = &mut self.quick[(rip ^ rip >> 10) as usize % QUICK];
        if slot.0 != rip || slot.1 == UNKNOWN {
            *slot = (rip, self.coverage.number(Edge { from: 0, to: rip }).unwrap_or(UNCOUNTED));
        }
        slot.1
    }

    #[cold]
    fn direct(&mut self, blocks: &Blocks, id: Id, block: Block, way: usize) -> u32 {
        if self.version != blocks.version() {
            self.ways.clear();
            self.version = blocks.version();
        }
        if self.ways.len() <= id.number() {
            self.ways.resize(id.number() + 1, [UNKNOWN; 2]);
        }
        let last = blocks.insns(block).last();
        let edge = last.and_then(|last| match way {
            0 if last.flow_control() != FlowControl::ConditionalBranch => None,
            0 => Some(Edge { from: last.ip(), to: blocks.next_rip(id) }),
            _ => Some(Edge { from: last.ip(), to: blocks.taken_rip(id) }),
        });
        let number = edge.and_then(|edge| self.coverage.number(edge)).unwrap_or(UNCOUNTED);
        self.ways[id.number()][way] = number;
        number
    }
}

/// What watches a run, with edges counted.
pub(super) struct Covered<'a, W>(pub(super) W, pub(super) &'a mut Edges);

impl<W: Watching> Watching for Covered<'_, W> {
    #[inline(always)]
    fn run(&mut self, blocks: &Blocks, block: Block, cpu: &mut Cpu, memory: &mut Memory) -> super::Ran {
        self.0.run(blocks, block, cpu, memory)
    }

    #[inline(always)]
    fn went(&mut self, blocks: &Blocks, id: Id, block: Block, flow: Flow, rip: u64) {
        self.1.went(blocks, id, block, flow, rip);
    }
}

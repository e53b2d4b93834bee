//! Decoded blocks, found by address, linked to each other.

use std::cell::Cell;
use std::ops::{Range, RangeInclusive};

use iced_x86::Instruction;
use rustc_hash::{FxHashMap, FxHashSet};

use super::op::{Flow, Op};
use super::table::{barrier, lower};
use crate::decode::{BlockEnd, MAX_INSN, decode_block};
use crate::engine::{Bar, Chooser, Stops};
use crate::memory::{MemFault, Memory, PAGE, Perm};

/// Number of a block, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u32);

impl Id {
    const NONE: Id = Id(u32::MAX);

    #[inline(always)]
    pub(super) fn is_some(self) -> bool {
        self.0 != u32::MAX
    }

    #[inline(always)]
    pub(super) fn number(self) -> usize {
        self.0 as usize
    }
}

/// One block: where its operations are, and what follows it.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// Number of its first operation.
    first: u32,
    /// Number of its operations.
    pub(super) len: u32,
    /// Whether fuel is tested where it jumps: backwards, or as a call.
    pub(super) polls: bool,
    /// The block after it, once known.
    pub(super) next: Id,
    /// The block at its target, once known.
    pub(super) taken: Id,
    /// Address after it.
    pub(super) next_rip: u64,
    /// Address of its target; if it ends in an indirect jump, where that went: 0 at first, [`SEVERAL`] if to more than one address.
    pub(super) taken_rip: u64,
    /// How often control came here, as far as that is counted.
    heat: i32,
}

/// An indirect jump had more than one target.
pub(super) const SEVERAL: u64 = u64::MAX;

/// Entries of the table that indirect jumps look at first. A power of two.
const QUICK: usize = 1 << 12;

/// Operations to keep before all are dropped: a quarter of a gigabyte, more than any program has.
const MAX_OPS: usize = 1 << 21;
/// Operations that there is room for at first: more than starting a program takes.
const FIRST: usize = 1 << 15;
/// Bytes of the host's memory that an operation takes which is a block by itself, about.
const OP: u64 = 160;
/// The part of the guest's memory that decoded code may take, beside it.
const PART: u64 = 8;

/// Operations that a program may have without being charged for decoding them, which would make its run depend on what was
/// decoded before; and the instructions that decoding one takes as long as, and making a block.
const PLENTY: u64 = 1 << 23;
const DECODING: u64 = 40;
const MAKING: u64 = 80;
/// Blocks that a program may have without being charged for the search among them when code is written, and how many are looked at in
/// the time of an instruction.
const FEW: usize = 1 << 16;
const SEEN: u64 = 4;

/// Changes kept before everything counts as changed.
const MAX_CHANGES: usize = 1 << 12;

/// All decoded blocks.
pub(super) struct Blocks {
    /// Addresses at which every block ends.
    pub(super) stops: FxHashSet<u64>,
    /// Which instructions are guarded.
    bar: Option<Bar>,
    /// Which instructions a watch is shown.
    chooser: Option<Chooser>,
    blocks: Vec<Block>,
    ops: Vec<Op>,
    insns: Vec<Instruction>,
    /// Operations that were ever decoded.
    decoded: u64,
    by_addr: FxHashMap<u64, Id>,
    /// The pages that bytes of blocks are in.
    pages: FxHashSet<u64>,
    quick: Vec<(u64, Id)>,
    version: u64,
    /// From how many arrivals on a block is hot.
    pub(super) hot: i32,
    /// Whether to keep changes.
    pub(super) keep_changes: bool,
    /// Writes to decoded pages, while they are kept.
    pub(super) changes: Vec<Range<u64>>,
}

/// Arrivals after which a block is hot: translating an instruction takes some hundred times as long as interpreting it.
pub(super) const HOT: i32 = 100;

impl Default for Blocks {
    fn default() -> Blocks {
        Blocks {
            stops: FxHashSet::default(),
            bar: None,
            chooser: None,
            blocks: Vec::new(),
            ops: Vec::new(),
            insns: Vec::new(),
            decoded: 0,
            by_addr: FxHashMap::default(),
            pages: FxHashSet::default(),
            quick: vec![(0, Id::NONE); QUICK],
            version: 0,
            hot: HOT,
            keep_changes: false,
            changes: Vec::new(),
        }
    }
}

impl Blocks {
    #[inline(always)]
    pub(super) fn get(&self, id: Id) -> Block {
        self.blocks[id.0 as usize]
    }

    #[inline(always)]
    pub(super) fn ops(&self, block: Block) -> &[Op] {
        &self.ops[block.first as usize..][..block.len as usize]
    }

    pub(super) fn insns(&self, block: Block) -> &[Instruction] {
        &self.insns[block.first as usize..][..block.len as usize]
    }

    /// The indirect jump at the end of a block has a target that it had not.
    pub(super) fn note_target(&mut self, id: Id, target: u64) {
        let known = &mut self.blocks[id.number()].taken_rip;
        *known = if *known == 0 { target } else { SEVERAL };
    }

    /// Where the indirect jump went that ends the block at an address, if it has gone there alone.
    pub(super) fn only_target(&self, addr: u64) -> Option<u64> {
        let block = self.get(*self.by_addr.get(&addr)?);
        let target = block.taken_rip;
        (!block.taken.is_some() && ![0, SEVERAL].contains(&target)).then_some(target)
    }

    /// Counts how often all blocks were dropped: ids of another version are invalid.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The block at an address, if the cache of indirect jumps has it.
    #[inline(always)]
    pub(super) fn quick(&self, addr: u64) -> Id {
        let (at, id) = self.quick[slot(addr)];
        if at == addr { id } else { Id::NONE }
    }

    /// The block at an address, decoded if need be.
    pub(super) fn enter(&mut self, memory: &mut Memory, addr: u64) -> Result<Id, MemFault> {
        if memory.code_written() {
            self.forget_written(memory);
        }
        if let Some(&id) = self.by_addr.get(&addr) {
            return Ok(id);
        }
        if self.ops.len() > most_ops(memory.limit()) {
            self.forget_all();
        }
        // Instructions that end up to this page cannot be changed.
        let firm = Cell::new(if may_change(memory, addr) { None } else { Some(last_page(addr)) });
        let changes = |at: u64| {
            let changes = firm.get().is_none_or(|page| last_page(at) != page && may_change(memory, at));
            firm.set(firm.get().filter(|_| !changes).map(|_| last_page(at)));
            changes
        };
        let cut = |at: u64| self.stops.contains(&at) || changes(at);
        let decoded = decode_block(memory, addr, cut)?;
        let decoded_to = decoded.next();
        memory.mark_code(addr..decoded_to);
        if self.ops.capacity() == 0 {
            // Growing copies, and what is not used costs nothing.
            self.ops.reserve(FIRST);
            self.insns.reserve(FIRST);
        }
        let id = Id(self.blocks.len() as u32);
        let taken_rip = match decoded.end {
            BlockEnd::Jump(to) | BlockEnd::Branch(to) | BlockEnd::Call(to) => to,
            BlockEnd::Next | BlockEnd::Indirect => 0,
        };
        self.blocks.push(Block {
            first: self.ops.len() as u32,
            len: decoded.insns.len() as u32,
            polls: decoded.polls(),
            next: Id::NONE,
            taken: Id::NONE,
            next_rip: decoded.next(),
            taken_rip,
            heat: 0,
        });
        let guarded = |insn: &Instruction| self.bar.as_ref().is_some_and(|bar| bar(insn));
        let chosen = |insn: &Instruction| self.chooser.as_ref().is_some_and(|chooses| chooses(insn));
        self.ops.extend(decoded.insns.iter().map(|insn| {
            let op = if guarded(insn) { barrier(insn) } else { lower(insn) };
            if chosen(insn) { op.to_be_shown() } else { op }
        }));
        self.decoded += decoded.insns.len() as u64;
        if self.decode_much() {
            memory.charge(MAKING + DECODING * decoded.insns.len() as u64);
        }
        self.insns.extend(decoded.insns);
        self.by_addr.insert(addr, id);
        self.pages.extend(pages(&(addr..decoded_to)));
        Ok(id)
    }

    /// Whether more was decoded than any program has: from then on decoding costs fuel, also where control does not poll.
    pub(super) fn decode_much(&self) -> bool {
        self.decoded > PLENTY
    }

    /// Counts that control came to a block; says whether it is hot.
    #[inline(always)]
    pub(super) fn warm(&mut self, id: Id) -> bool {
        let Some(block) = self.blocks.get_mut(id.0 as usize) else { return false };
        block.heat += i32::from(block.heat < i32::MAX);
        block.heat >= self.hot
    }

    /// Whether a block begins at an address that control has come to.
    pub(super) fn has(&self, addr: u64) -> bool {
        self.by_addr.contains_key(&addr)
    }

    /// The block at an address will not be hot for so many arrivals more.
    pub(super) fn cool(&mut self, addr: u64, arrivals: i32) {
        let block = self.by_addr.get(&addr).and_then(|id| self.blocks.get_mut(id.0 as usize));
        if let Some(block) = block {
            block.heat = self.hot.saturating_sub(arrivals);
        }
    }

    /// Address of a block.
    pub(super) fn start(&self, id: Id) -> u64 {
        self.ops_start(id)
    }

    /// Remembers which block follows another.
    pub(super) fn link(&mut self, id: Id, flow: Flow, next: Id) {
        let to = self.ops_start(next);
        let Some(block) = self.blocks.get_mut(id.0 as usize) else { return };
        match flow {
            Flow::Next => block.next = next,
            Flow::Taken => block.taken = next,
            Flow::Indirect => self.quick[slot(to)] = (to, next),
        }
    }

    fn ops_start(&self, id: Id) -> u64 {
        self.insns(self.get(id)).first().map_or(0, |insn| insn.ip())
    }

    /// Sets the addresses to stop at. Blocks may run over them, so all are dropped.
    pub(super) fn set_stops(&mut self, stops: Stops) {
        self.stops = stops.into_iter().collect();
        self.forget_all();
    }

    /// Sets which instructions are guarded.
    pub(super) fn set_bar(&mut self, bar: Option<Bar>) {
        self.bar = bar;
        self.forget_all();
    }

    /// Sets which instructions are shown.
    pub(super) fn set_chooser(&mut self, chooser: Option<Chooser>) {
        self.chooser = chooser;
        self.forget_all();
    }

    /// Drops blocks whose bytes were written.
    pub(super) fn forget_written(&mut self, memory: &mut Memory) {
        let changed = memory.take_code_writes();
        if self.blocks.len() > FEW {
            memory.charge(changed.len() as u64 * self.blocks.len() as u64 / SEEN);
        }
        self.forget(changed);
    }

    /// Drops blocks whose bytes changed. That is rare, and any block may be linked to any other, so one change
    /// drops all.
    pub(super) fn forget(&mut self, changed: Vec<Range<u64>>) {
        if self.keep_changes {
            self.changes.extend_from_slice(&changed);
            if self.changes.len() > MAX_CHANGES {
                self.changes.clear();
                self.changes.push(0..u64::MAX);
            }
        }
        let near: Vec<_> = changed.into_iter().filter(|range| self.is_in_pages(range)).collect();
        let touched = |block: &Block| {
            let start = self.insns[block.first as usize].ip();
            near.iter().any(|range| range.start < block.next_rip && start < range.end)
        };
        if !near.is_empty() && self.blocks.iter().any(touched) {
            self.forget_all();
        }
    }

    /// Whether a range has bytes of a page that bytes of blocks are in.
    fn is_in_pages(&self, range: &Range<u64>) -> bool {
        let mut of_range = pages(range);
        match of_range.end().saturating_sub(*of_range.start()) >= self.pages.len() as u64 {
            true => self.pages.iter().any(|page| of_range.contains(page)),
            false => of_range.any(|page| self.pages.contains(&page)),
        }
    }

    fn forget_all(&mut self) {
        self.blocks.clear();
        self.ops.clear();
        self.insns.clear();
        self.by_addr.clear();
        self.pages.clear();
        self.quick.fill((0, Id::NONE));
        self.version += 1;
    }
}

/// The pages of a range that is not empty.
fn pages(range: &Range<u64>) -> RangeInclusive<u64> {
    range.start / PAGE..=range.end.saturating_sub(1) / PAGE
}

/// Operations to keep, for a guest with so much memory.
fn most_ops(limit: u64) -> usize {
    const LEAST: u64 = 1 << 16;
    MAX_OPS.min((limit / PART / OP).max(LEAST) as usize)
}

/// Whether an instruction at an address could be changed by one before it in the same block: its page, or the next, may be
/// written. Such code runs in blocks of one instruction, so that every change is seen by the next.
fn may_change(memory: &Memory, addr: u64) -> bool {
    [addr, last_byte(addr)]
        .into_iter()
        .any(|at| memory.perm(at).is_some_and(|perm| perm.contains(Perm::WRITE)))
}

/// The last byte that an instruction at an address may have, and its page.
fn last_byte(addr: u64) -> u64 {
    addr.wrapping_add(MAX_INSN as u64 - 1)
}

fn last_page(addr: u64) -> u64 {
    last_byte(addr) / PAGE
}

#[inline(always)]
fn slot(addr: u64) -> usize {
    (addr ^ addr >> 12) as usize % QUICK
}

//! Decoded blocks, found by address, linked to each other.

use std::cell::Cell;
use std::ops::{Range, RangeInclusive};

use iced_x86::Instruction;
use rustc_hash::{FxHashMap, FxHashSet};

use super::links::{Links, Way};
use super::op::{Flow, Op};
use super::table::{barrier, lower};
use crate::decode::{BlockEnd, MAX_INSN, decode_block};
use crate::engine::{Bar, Chooser, Late, Stops};
use crate::memory::{MemFault, Memory, PAGE, Perm};

/// Number of a block, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id(u32);

impl Id {
    /// Not known yet.
    pub(super) const NONE: Id = Id(u32::MAX);
    /// Runs stop there.
    pub(super) const STOP: Id = Id(u32::MAX - 1);

    pub(super) fn of(number: usize) -> Id {
        Id(number as u32)
    }

    #[inline(always)]
    pub(super) fn is_some(self) -> bool {
        self.0 < Id::STOP.0
    }

    #[inline(always)]
    pub(super) fn number(self) -> usize {
        self.0 as usize
    }
}

/// One block: where its operations are, and what follows it. Small, as it is read each time that control comes to it.
#[derive(Clone, Copy)]
pub(super) struct Block {
    /// Number of its first operation.
    first: u32,
    /// The block after it, once known.
    pub(super) next: Id,
    /// The block at its target, once known. Of an indirect jump, as long as it has had one target alone.
    pub(super) taken: Id,
    /// Number of its operations.
    pub(super) len: u8,
    /// Whether fuel is tested where it jumps: backwards, or as a call.
    pub(super) polls: bool,
    /// Whether it ends in an indirect jump.
    indirect: bool,
}

/// The rest of it.
#[derive(Clone, Copy)]
struct Place {
    /// Address after it.
    next_rip: u64,
    /// Address of its target; if it ends in an indirect jump, where that went: 0 at first, [`SEVERAL`] if to more than one address.
    taken_rip: u64,
    /// How often control came here, as far as that is counted.
    heat: i32,
}

/// An indirect jump had more than one target.
pub(super) const SEVERAL: u64 = u64::MAX;

/// Entries of the table that indirect jumps look at first: at the beginning, and at most. Powers of two.
const QUICK: usize = 1 << 12;
const MOST_QUICK: usize = 1 << 18;
/// 2^64 by the golden ratio: what lies at equal distances is spread evenly.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// Operations to keep before all are dropped: a quarter of a gigabyte, more than any program has.
const MAX_OPS: usize = 1 << 21;
/// Operations that there is room for at first: more than starting a program takes.
const FIRST: usize = 1 << 15;
/// Bytes of the host's memory that an operation takes which is a block by itself, about.
const OP: u64 = 160;
/// The part of the guest's memory that decoded code may take, beside it.
const PART: u64 = 8;

/// Operations that a program may have without being charged for decoding them, which would make its run depend on what was
/// decoded before, where a block counts as some more; and the instructions that decoding one takes as long as, and making a block,
/// which lies in a page of its own at worst.
const PLENTY: u64 = 1 << 23;
const BLOCK: u64 = 2;
const DECODING: u64 = 40;
const MAKING: u64 = 200;
/// Instructions that are decoded in some hundredths of a second.
const A_WHILE: u64 = 1 << 17;
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
    places: Vec<Place>,
    ops: Vec<Op>,
    insns: Vec<Instruction>,
    /// Operations that were ever decoded, and what decoding them counts as.
    decoded: u64,
    work: u64,
    /// Who says that a run must end, and from how many decoded operations on that is asked; and whether it was said in this run.
    pub(super) late: Option<Late>,
    asked_at: u64,
    pub(super) is_late: bool,
    by_addr: FxHashMap<u64, Id>,
    /// The blocks that have bytes in a page.
    by_page: FxHashMap<u64, Vec<Id>>,
    /// What leads to each block.
    links: Links,
    quick: Vec<(u64, Id)>,
    /// What its index leaves of a product; and entries that took the place of others.
    shift: u32,
    crowded: usize,
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
            places: Vec::new(),
            ops: Vec::new(),
            insns: Vec::new(),
            decoded: 0,
            work: 0,
            late: None,
            asked_at: 0,
            is_late: false,
            by_addr: FxHashMap::default(),
            by_page: FxHashMap::default(),
            links: Links::default(),
            quick: vec![(0, Id::NONE); QUICK],
            shift: u64::BITS - QUICK.ilog2(),
            crowded: 0,
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
        &self.ops[block.first as usize..][..usize::from(block.len)]
    }

    pub(super) fn insns(&self, block: Block) -> &[Instruction] {
        &self.insns[block.first as usize..][..usize::from(block.len)]
    }

    /// Address after a block.
    pub(super) fn next_rip(&self, id: Id) -> u64 {
        self.places[id.number()].next_rip
    }

    /// Address of a block's target; if it ends in an indirect jump, where that has gone.
    #[inline(always)]
    pub(super) fn taken_rip(&self, id: Id) -> u64 {
        self.places[id.number()].taken_rip
    }

    /// The indirect jump at the end of a block has a target that it had not.
    pub(super) fn note_target(&mut self, id: Id, target: u64) {
        let known = &mut self.places[id.number()].taken_rip;
        *known = if *known == 0 { target } else { SEVERAL };
        self.blocks[id.number()].taken = Id::NONE;
    }

    /// Where the indirect jump went that ends the block at an address, if it has gone there alone.
    pub(super) fn only_target(&self, addr: u64) -> Option<u64> {
        let id = *self.by_addr.get(&addr)?;
        let (block, target) = (self.get(id), self.taken_rip(id));
        (block.indirect && ![0, SEVERAL].contains(&target)).then_some(target)
    }

    /// Counts how often all blocks were dropped: ids of another version are invalid.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The block at an address, if the cache of indirect jumps has it.
    #[inline(always)]
    pub(super) fn quick(&self, addr: u64) -> Id {
        let (at, id) = self.quick[self.slot(addr)];
        if at == addr { id } else { Id::NONE }
    }

    /// The block at which a run begins: many begin where another did. It may be a stop, which jumps must see.
    #[inline]
    pub(super) fn begin(&mut self, memory: &mut Memory, addr: u64) -> Result<Id, MemFault> {
        let known = self.quick(addr);
        if known.is_some() && !memory.code_written() {
            return Ok(known);
        }
        let id = self.enter(memory, addr)?;
        if !self.stops.contains(&addr) {
            self.remember(addr, id);
        }
        Ok(id)
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
            next: Id::NONE,
            taken: Id::NONE,
            len: decoded.insns.len() as u8,
            polls: decoded.polls(),
            indirect: decoded.end == BlockEnd::Indirect,
        });
        self.places.push(Place { next_rip: decoded.next(), taken_rip, heat: 0 });
        let guarded = |insn: &Instruction| self.bar.as_ref().is_some_and(|bar| bar(insn));
        let chosen = |insn: &Instruction| self.chooser.as_ref().is_some_and(|chooses| chooses(insn));
        self.ops.extend(decoded.insns.iter().map(|insn| {
            let op = if guarded(insn) { barrier(insn) } else { lower(insn) };
            if chosen(insn) { op.to_be_shown() } else { op }
        }));
        self.decoded += decoded.insns.len() as u64;
        self.work += BLOCK + decoded.insns.len() as u64;
        if self.decode_much() {
            memory.charge(MAKING + DECODING * decoded.insns.len() as u64);
        }
        if self.decoded >= self.asked_at {
            self.asked_at = self.decoded + A_WHILE;
            self.is_late = self.late.as_ref().is_some_and(|late| late());
        }
        self.insns.extend(decoded.insns);
        self.by_addr.insert(addr, id);
        self.links.add();
        for page in pages(&(addr..decoded_to)) {
            self.by_page.entry(page).or_default().push(id);
        }
        Ok(id)
    }

    /// Instructions that were ever decoded.
    #[cfg(test)]
    pub(super) fn decoded(&self) -> u64 {
        self.decoded
    }

    /// Whether more was decoded than any program has: from then on decoding costs fuel, also where control does not poll.
    pub(super) fn decode_much(&self) -> bool {
        self.work > PLENTY
    }

    /// Counts that control came to a block; says whether it is hot.
    #[inline(always)]
    pub(super) fn warm(&mut self, id: Id) -> bool {
        let Some(place) = self.places.get_mut(id.number()) else { return false };
        place.heat += i32::from(place.heat < i32::MAX);
        place.heat >= self.hot
    }

    /// Whether a block begins at an address that control has come to.
    pub(super) fn has(&self, addr: u64) -> bool {
        self.by_addr.contains_key(&addr)
    }

    /// The block at an address will not be hot for so many arrivals more.
    pub(super) fn cool(&mut self, addr: u64, arrivals: i32) {
        let place = self.by_addr.get(&addr).and_then(|id| self.places.get_mut(id.number()));
        if let Some(place) = place {
            place.heat = self.hot.saturating_sub(arrivals);
        }
    }

    /// Address of a block.
    pub(super) fn start(&self, id: Id) -> u64 {
        self.ops_start(id)
    }

    /// Remembers which block follows another.
    pub(super) fn link(&mut self, id: Id, flow: Flow, next: Id) {
        let to = self.ops_start(next);
        let Some(block) = self.blocks.get_mut(id.number()) else { return };
        let way = match flow {
            Flow::Next => {
                block.next = next;
                Way::Next
            }
            Flow::Taken => {
                block.taken = next;
                Way::Taken
            }
            Flow::Indirect if self.places[id.number()].taken_rip == to => {
                block.taken = next;
                Way::Taken
            }
            Flow::Indirect => return self.remember(to, next),
        };
        self.links.join(id, way, next);
    }

    /// Remembers that runs stop after a block, at an address: until other stops are set, which forgets all blocks.
    pub(super) fn link_stop(&mut self, id: Id, flow: Flow, at: u64) {
        let taken_rip = self.taken_rip(id);
        let Some(block) = self.blocks.get_mut(id.number()) else { return };
        match flow {
            Flow::Next => block.next = Id::STOP,
            Flow::Taken => block.taken = Id::STOP,
            Flow::Indirect if taken_rip == at => block.taken = Id::STOP,
            Flow::Indirect => {}
        }
    }

    /// Puts a target of indirect jumps into their table, which grows where they crowd each other out.
    fn remember(&mut self, to: u64, id: Id) {
        let at = self.slot(to);
        let crowded = self.quick[at].1.is_some() && self.quick[at].0 != to;
        self.crowded += usize::from(crowded);
        self.quick[at] = (to, id);
        if self.crowded > self.quick.len() / 2 && self.quick.len() < MOST_QUICK {
            let more = vec![(0, Id::NONE); self.quick.len() * 4];
            self.shift = u64::BITS - more.len().ilog2();
            let known = std::mem::replace(&mut self.quick, more);
            for (to, id) in known.into_iter().filter(|(_, id)| id.is_some()) {
                let at = self.slot(to);
                self.quick[at] = (to, id);
            }
            self.crowded = 0;
        }
    }

    #[inline(always)]
    fn slot(&self, addr: u64) -> usize {
        (addr.wrapping_mul(GOLDEN) >> self.shift) as usize
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
        self.forget(changed);
    }

    /// Drops blocks whose bytes changed.
    pub(super) fn forget(&mut self, changed: Vec<Range<u64>>) {
        for range in &changed {
            let of_range = pages(range);
            let many = of_range.end().saturating_sub(*of_range.start()) >= self.by_page.len() as u64;
            let touched: Vec<u64> = match many {
                true => self.by_page.keys().copied().filter(|page| of_range.contains(page)).collect(),
                false => of_range.filter(|page| self.by_page.contains_key(page)).collect(),
            };
            touched.into_iter().for_each(|page| self.forget_in(page, range));
        }
        if self.keep_changes {
            self.changes.extend(changed);
            if self.changes.len() > MAX_CHANGES {
                self.changes.clear();
                self.changes.push(0..u64::MAX);
            }
        }
    }

    /// Drops those of a page that have bytes of a range.
    fn forget_in(&mut self, page: u64, range: &Range<u64>) {
        let Some(mut ids) = self.by_page.remove(&page) else { return };
        ids.retain(|&id| {
            let start = self.ops_start(id);
            let touched = start < range.end && range.start < self.next_rip(id);
            if touched {
                self.drop_block(id, start);
            }
            !touched
        });
        if !ids.is_empty() {
            self.by_page.insert(page, ids);
        }
    }

    /// Nothing leads to a block any more. Its operations stay where they are, until all are dropped.
    fn drop_block(&mut self, id: Id, start: u64) {
        if self.by_addr.get(&start) == Some(&id) {
            self.by_addr.remove(&start);
        }
        for (from, way) in self.links.part(id) {
            let Some(block) = self.blocks.get_mut(from.number()) else { continue };
            let link = if way == Way::Next { &mut block.next } else { &mut block.taken };
            if *link == id {
                *link = Id::NONE;
            }
        }
        let at = self.slot(start);
        if self.quick[at].1 == id {
            self.quick[at] = (0, Id::NONE);
        }
    }

    fn forget_all(&mut self) {
        self.blocks.clear();
        self.places.clear();
        self.ops.clear();
        self.insns.clear();
        self.by_addr.clear();
        self.by_page.clear();
        self.links = Links::default();
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

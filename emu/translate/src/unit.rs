//! Translates what hot code leads to: blocks from an address on, along direct jumps.
//!
//! A block is translated for what is known where it is entered. Control that comes with other knowledge goes to another
//! version of it, up to a few; so a loop's first round makes the checks, and its later ones need none.

mod allocate;
mod cold;
mod counts;
mod edges;
mod indirect;
mod inline;
mod live;
mod switch;

use std::collections::VecDeque;
use std::ops::Range;

use goemu_x86::coverage::{Coverage, Path};
use goemu_x86::decode::{Block, BlockEnd};
use goemu_x86::engine::Allocators;
use goemu_x86::memory::Memory;
use iced_x86::{Code, Instruction, InstructionInfoFactory, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cache::{At, Cache, Spot, Stub, Version};
use crate::emit::{Emitter, Label, T, operand};
use crate::facts::Facts;
use crate::kind::{Kind, kind};
use crate::layout::{self, ARRIVED};
use cold::Cold;
use edges::Edge;
use indirect::Called;
use inline::{Callee, Callers};

/// Instructions that are translated at once, at most.
const MOST: usize = 3000;
/// Blocks that are begun and wait, at most.
const QUEUED: usize = 200;
/// Versions of a block that assume something.
const VERSIONS: usize = 4;

/// What must not be executed.
pub(crate) struct Limits<'a> {
    pub(crate) stops: &'a FxHashSet<u64>,
    pub(crate) guarded: &'a dyn Fn(&Instruction) -> bool,
    /// Which blocks are worth it.
    pub(crate) wanted: &'a dyn Fn(u64) -> bool,
    /// Where the indirect call at the end of a block has gone, if to one address alone.
    pub(crate) target: &'a dyn Fn(u64) -> Option<u64>,
    /// What counts edges.
    pub(crate) coverage: Option<&'a Coverage>,
    /// Which stops allocate.
    pub(crate) allocators: &'a Allocators,
    /// Whether each block is looked at.
    pub(crate) looks: bool,
}

/// A block that was begun or is still to be translated.
struct Begun {
    facts: Facts,
    pending: i32,
    since: i32,
    /// The short loop of which it is a further round.
    round: Option<Range<u64>>,
    /// The calls that it is translated in.
    callers: Callers,
    /// Edges that were taken and are not counted where it begins.
    taken: Path,
    label: Label,
}

/// One translation under way.
pub(crate) struct Unit<'a> {
    pub(crate) emitter: Emitter,
    cache: &'a Cache,
    memory: &'a Memory,
    limits: &'a Limits<'a>,
    pub(crate) info: InstructionInfoFactory,
    begun: FxHashMap<u64, Vec<Begun>>,
    queue: VecDeque<(u64, usize)>,
    cold: Vec<Cold>,
    pub(crate) spots: Vec<Spot>,
    /// Why the code leaves, numbered from those of the cache on.
    stubs: Vec<Stub>,
    /// Guest addresses that were read.
    code: Vec<Range<u64>>,
    left: usize,
    /// Instructions since the last look at fuel, at most, where the block ends that is being emitted.
    since: i32,
    /// The short loop of which that block is a further round.
    round: Option<Range<u64>>,
    /// The calls that it is translated in, as they are at the instruction that is being emitted.
    callers: Callers,
    callees: FxHashMap<u64, Callee>,
    /// Where calls return to, and the entries for returns that were emitted before such blocks.
    returns: FxHashSet<u64>,
    decoded: FxHashMap<u64, Option<live::Decoded>>,
    /// Registers that matter at an address.
    live: FxHashMap<u64, u16>,
    entries: Vec<(u64, u32)>,
    /// Tables of jumps, one after the other.
    tables: switch::Ways,
    /// Edges that were taken and are not counted at the instruction that is being emitted.
    taken: Path,
    /// At how many places a path is counted.
    counted: FxHashMap<Path, usize>,
    /// How many ways lead to a block, and from which blocks they are known.
    ways: FxHashMap<u64, usize>,
    around: FxHashSet<u64>,
}

/// What a translation gave.
pub(crate) struct Done {
    code: Vec<u8>,
    spots: Vec<Spot>,
    stubs: Vec<Stub>,
    versions: Vec<(u64, Version)>,
    /// Ways through the table of returns.
    entries: Vec<(u64, u32)>,
    /// Places that its tables of jumps have.
    switches: Vec<u32>,
    /// Guest addresses that were read.
    pub(crate) read: Vec<Range<u64>>,
}

/// Where a block ends, for the code that is emitted next.
pub(crate) enum Next {
    /// The block goes on.
    Go,
    /// It has ended.
    End,
}

impl<'a> Unit<'a> {
    /// Translates from `pc` on. `None` if nothing came of it.
    pub(crate) fn translate(
        cache: &'a Cache,
        memory: &'a Memory,
        limits: &'a Limits<'a>,
        pc: u64,
    ) -> Option<Done> {
        let mut unit = Unit {
            emitter: Emitter::new(cache.code.used() as u32),
            cache,
            memory,
            limits,
            info: InstructionInfoFactory::new(),
            begun: FxHashMap::default(),
            queue: VecDeque::new(),
            cold: Vec::new(),
            spots: Vec::new(),
            stubs: Vec::new(),
            code: Vec::new(),
            left: MOST,
            since: 0,
            round: None,
            callers: Callers::default(),
            callees: FxHashMap::default(),
            returns: FxHashSet::default(),
            decoded: FxHashMap::default(),
            live: FxHashMap::default(),
            entries: Vec::new(),
            tables: Vec::new(),
            taken: Path::default(),
            counted: FxHashMap::default(),
            ways: FxHashMap::default(),
            around: FxHashSet::default(),
        };
        unit.arrival(pc, Path::default())?;
        while let Some((pc, at)) = unit.queue.pop_front() {
            unit.chain(pc, at);
        }
        unit.finish()
    }

    /// The block at an address that control may come to from anywhere, if it has taken nothing, or by a return.
    fn arrival(&mut self, pc: u64, taken: Path) -> Option<edges::Target> {
        self.target(&Edge { since: ARRIVED, arrives: true, taken, ..Edge::polled(pc, &Facts::default()) })
    }

    /// Emits a block, and those that it falls into.
    fn chain(&mut self, mut pc: u64, mut at: usize) {
        // Nothing falls into this.
        self.emitter.align(32);
        self.entry_of_return(pc, at);
        loop {
            let begun = &self.begun[&pc][at];
            let (label, facts, pending) = (begun.label, begun.facts.clone(), begun.pending);
            if self.emitter.place(label).is_some() {
                return;
            }
            (self.since, self.round, self.callers) = (begun.since, begun.round.clone(), begun.callers);
            self.taken = begun.taken;
            self.emitter.bind(label);
            self.look_around(pc);
            let Some(next) = self.block(pc, facts, pending) else { return };
            (pc, at) = next;
        }
    }

    /// Emits one block. Gives the block that is to be emitted next, because this one falls into it.
    fn block(&mut self, pc: u64, mut facts: Facts, pending: i32) -> Option<(u64, usize)> {
        let Some(block) = self.decoded(pc).map(|decoded| decoded.block) else {
            self.interpret(pc, pending);
            return None;
        };
        self.look(pc, pending);
        self.code.push(block.start()..block.next());
        self.left = self.left.saturating_sub(block.insns.len());
        self.since += block.insns.len() as i32;
        let (last, before) = block.insns.split_last()?;
        let (before, pop) = self.pop_of_return(before, last);
        let mut done = pending;
        for insn in before {
            match self.instruction(insn, &mut facts, done) {
                Next::Go => done += 1,
                Next::End => return None,
            }
        }
        if let Some(pop) = pop {
            self.spot(pop.ip(), done, At::Pc);
            self.emitter.load(pop.op0_register(), operand(Register::RSP, 0));
            facts.prove_rsp(0);
            facts.after(pop, std::iter::once(pop.op0_register()));
            self.callers.after(pop, &mut self.info);
            return self.ret(last, facts, done + 2, 8);
        }
        self.end(&block, last, facts, done)
    }

    /// Where a block begins that is looked at: leaves, and goes on behind that.
    fn look(&mut self, pc: u64, pending: i32) {
        if self.limits.looks {
            self.leave(|next| Stub::Look { pc, pending, next });
        }
    }

    /// The POP before a return, which moves RSP together with it.
    fn pop_of_return<'i>(
        &self,
        before: &'i [Instruction],
        last: &Instruction,
    ) -> (&'i [Instruction], Option<&'i Instruction>) {
        let plain = |insn: &Instruction| !(self.limits.guarded)(insn);
        match before.split_last() {
            Some((pop, rest))
                if last.code() == Code::Retnq
                    && kind(pop) == Kind::Pop
                    && pop.op0_register() != Register::R14
                    && plain(pop)
                    && plain(last) =>
            {
                (rest, Some(pop))
            }
            _ => (before, None),
        }
    }

    /// Before a block that calls return to, the way that returns take to it through their table.
    fn entry_of_return(&mut self, pc: u64, at: usize) {
        let begun = &self.begun[&pc][at];
        let arrives = begun.facts.weight() == 0
            && begun.since == ARRIVED
            && begun.pending == 0
            && begun.callers.is_empty()
            && begun.taken == self.arrival_at(pc);
        if !arrives || !self.returns.remove(&pc) {
            return;
        }
        self.taken = Path::default();
        self.entries.push((pc, self.emitter.here()));
        self.spot(pc, 0, At::Return);
        let constant = self.emitter.label();
        self.cold.push(Cold::Constant(constant, pc));
        self.emitter.expect(operand(Register::RSP, -8), constant);
    }

    /// Emits an instruction within a block.
    fn instruction(&mut self, insn: &Instruction, facts: &mut Facts, pending: i32) -> Next {
        let kind = if (self.limits.guarded)(insn) { Kind::Interpreted } else { kind(insn) };
        self.spot(insn.ip(), pending, At::Pc);
        match self.copy(kind, insn, facts, pending) {
            Some(()) => {
                self.callers.after(insn, &mut self.info);
                Next::Go
            }
            None => {
                self.interpret(insn.ip(), pending);
                Next::End
            }
        }
    }

    /// Emits the last instruction of a block.
    fn end(
        &mut self,
        block: &Block,
        last: &Instruction,
        mut facts: Facts,
        pending: i32,
    ) -> Option<(u64, usize)> {
        let kind = if (self.limits.guarded)(last) { Kind::Interpreted } else { kind(last) };
        let done = pending + 1;
        self.spot(last.ip(), pending, At::Pc);
        if matches!(kind, Kind::Jump | Kind::Branch(_) | Kind::IndirectJump) {
            self.settle_rsp(&mut facts);
        }
        match (kind, block.end) {
            (Kind::Jump, BlockEnd::Jump(to)) => self.jump(block, last, to, &facts, done),
            (Kind::Branch(condition), BlockEnd::Branch(to)) => {
                self.branch(block, last, (to, condition), &facts, done)
            }
            (Kind::Call, BlockEnd::Call(to)) if self.call_in_place(last, to, false).is_some() => {
                self.enter_in_place(to, &mut facts, done)
            }
            (Kind::Call, BlockEnd::Call(to)) if self.allocates(last, to) => {
                self.allocate(last, to, facts, done)
            }
            (Kind::Call, BlockEnd::Call(to)) => {
                self.begin_leaving(last, done);
                self.push_return(last.next_ip());
                self.take(last, to);
                self.count_taken();
                let way = self.way_of_call(to);
                self.emitter.jump(way);
                self.prepare_return(last.next_ip());
                None
            }
            (Kind::Return, _) => self.ret(last, facts, done, 0),
            (Kind::IndirectJump, _) if self.switch(block, last, &mut facts, pending).is_some() => None,
            (Kind::IndirectJump | Kind::IndirectCall, _) => {
                let expected = kind == Kind::IndirectCall;
                match expected.then(|| self.expected_call(block, last, &mut facts, pending)).flatten() {
                    Some(Called::InPlace(to)) => return self.enter_in_place(to, &mut facts, done),
                    Some(Called::Left) => {}
                    None if self.indirect(kind, last, &mut facts, done, true).is_some() => {}
                    None => self.interpret(last.ip(), pending),
                }
                None
            }
            (Kind::Jump | Kind::Branch(_) | Kind::Call | Kind::Interpreted, _) => {
                self.interpret(last.ip(), pending);
                None
            }
            _ => match self.copy(kind, last, &mut facts, pending) {
                Some(()) => {
                    self.callers.after(last, &mut self.info);
                    self.spot(last.next_ip(), done, At::Pc);
                    self.settle_rsp(&mut facts);
                    self.fall(&self.edge_to(block.next(), &facts, done))
                }
                None => {
                    self.interpret(last.ip(), pending);
                    None
                }
            },
        }
    }

    /// Between blocks RSP must be near: an access says so, or the interpreter takes over.
    fn settle_rsp(&mut self, facts: &mut Facts) {
        if !facts.rsp_is_settled() {
            self.emitter.load(T, operand(Register::RSP, 0));
            facts.prove_rsp(0);
        }
    }

    /// Before an instruction that leaves its function: counts it and what came before it, and looks at fuel. Where that is
    /// spent, the interpreter carries it out and looks again.
    pub(crate) fn begin_leaving(&mut self, insn: &Instruction, done: i32) {
        self.emitter.count(-done);
        self.spot(insn.ip(), -1, At::Pc);
        self.emitter.poll(0);
    }

    /// Pushes a return address.
    fn push_return(&mut self, addr: u64) {
        match i32::try_from(addr) {
            Ok(addr) => self.emitter.store_imm(operand(Register::RSP, -8), addr),
            Err(_) => {
                self.emitter.set(T, addr);
                self.emitter.store(operand(Register::RSP, -8), T);
            }
        }
        self.emitter.lea(Register::RSP, Register::RSP, -8);
    }

    /// A call will return here: that is translated, too.
    fn prepare_return(&mut self, addr: u64) {
        // If there is no room for it, it waits until it is hot itself.
        let _ = self.arrival(addr, self.arrival_at(addr));
        self.returns.insert(addr);
    }

    /// A return. RSP is that much lower than it should be, where a POP has not moved it.
    fn ret(&mut self, insn: &Instruction, mut facts: Facts, done: i32, off: i32) -> Option<(u64, usize)> {
        if let Some(back) = self.return_in_place(insn, &mut facts, done - 1, off) {
            self.spot(back, done, At::Pc);
            self.settle_rsp(&mut facts);
            return self.fall(&self.edge_to(back, &facts, done));
        }
        self.count_taken();
        self.emitter.count(-done);
        self.spot_below(insn.ip(), -1, off);
        if self.since > ARRIVED {
            self.emitter.poll(0);
        }
        if insn.code() == Code::Retnq {
            self.emitter.load_word(operand(Register::RSP, off));
            self.emitter.lea(Register::RSP, Register::RSP, off + 8);
            self.emitter.jump_by_table(layout::RETURNS);
            return None;
        }
        self.emitter.load(T, operand(Register::RSP, 0));
        self.emitter.lea(Register::RSP, Register::RSP, 8 + i32::from(insn.immediate16()));
        self.jump_by_t();
        None
    }

    /// Bytes of the guest's space.
    pub(crate) fn space(&self) -> u64 {
        self.memory.space()
    }

    /// Leaves for the interpreter.
    fn interpret(&mut self, pc: u64, pending: i32) {
        let way = self.way_to_interpret(pc, pending);
        self.emitter.jump(way);
    }

    pub(crate) fn way_to_interpret(&mut self, pc: u64, pending: i32) -> Label {
        let way = self.emitter.label();
        self.cold.push(Cold::Interpret(way, pc, (pending, self.taken)));
        way
    }

    pub(crate) fn spot(&mut self, pc: u64, pending: i32, at: At) {
        let place = self.emitter.here();
        // Instructions that nothing is emitted for need none.
        if self.spots.last().is_some_and(|last| last.place == place) {
            self.spots.pop();
        }
        self.spots.push(Spot { place, pc, pending, off: 0, at, taken: self.taken });
    }

    /// What the last spot covers, up to here, was a look at R14.
    pub(crate) fn looked(&mut self) {
        let end = self.emitter.here();
        if let Some(spot) = self.spots.last_mut() {
            spot.at = At::Look { end };
        }
    }

    /// The same, where RSP is `off` lower than it should be.
    fn spot_below(&mut self, pc: u64, pending: i32, off: i32) {
        self.spot(pc, pending, At::Pc);
        if let Some(spot) = self.spots.last_mut() {
            spot.off = off as u8;
        }
    }

    /// Emits the ways out, and gives what there is.
    fn finish(mut self) -> Option<Done> {
        // Nothing of it can be refused.
        self.taken = Path::default();
        self.spot(0, 0, At::Pc);
        for cold in std::mem::take(&mut self.cold) {
            self.emit_cold(cold)?;
        }
        let emitter = &self.emitter;
        let begun = self.begun.into_iter().flat_map(|(pc, all)| all.into_iter().map(move |one| (pc, one)));
        // Control comes to those inside calls, or behind edges that are not counted, from nowhere else.
        let begun = begun.filter(|(_, one)| one.callers.is_empty() && one.taken.is_empty());
        let versions = begun.filter_map(|(pc, Begun { facts, pending, since, label, .. })| {
            Some((pc, Version::new(facts, pending, since, emitter.place(label)?)))
        });
        let versions = versions.collect();
        for spot in &mut self.spots {
            if let At::Guess { other } = &mut spot.at {
                *other = emitter.place(Label::of(*other))?;
            }
        }
        let switches = self.tables.iter().map(|&way| emitter.place(way)).collect::<Option<_>>()?;
        let (code, entries) = (self.emitter.finish()?, self.entries);
        Some(Done {
            code,
            spots: self.spots,
            stubs: self.stubs,
            versions,
            entries,
            switches,
            read: self.code,
        })
    }
}

impl Done {
    /// Bytes of code.
    pub(crate) fn len(&self) -> usize {
        self.code.len()
    }

    /// Puts it into the cache; says whether it fits.
    pub(crate) fn keep(self, cache: &mut Cache, stops: &FxHashSet<u64>) -> bool {
        if cache.is_full() || !cache.code.append(&self.code) {
            return false;
        }
        cache.spots.extend(self.spots);
        for stub in &self.stubs {
            if let Stub::Arrive { pc, jump, .. } = *stub
                && !stops.contains(&pc)
            {
                cache.wait(pc, jump);
            }
        }
        cache.stubs.extend(self.stubs);
        self.versions.into_iter().for_each(|(pc, version)| cache.add(pc, version));
        self.entries.into_iter().for_each(|(pc, place)| cache.add_return(pc, place));
        cache.switches.extend(self.switches);
        true
    }
}

//! Translates what hot code leads to: blocks from an address on, along direct jumps.
//!
//! A block is translated for what is known where it is entered. Control that comes with other knowledge goes to another
//! version of it, up to a few; so a loop's first round makes the checks, and its later ones need none.

use std::collections::VecDeque;

use goemu_x86::coverage::{Coverage, Edge};
use goemu_x86::decode::{Block, BlockEnd, decode_block};
use goemu_x86::memory::Memory;
use iced_x86::{Code, Instruction, InstructionInfoFactory, OpKind, Register};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cache::{At, Cache, Spot, Stub, Version, emit_stub};
use crate::emit::{Emitter, Label, T, at, operand};
use crate::facts::Facts;
use crate::host::enter::{JUMP, R14};
use crate::kind::{Kind, kind};
use crate::layout;

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
    /// What counts edges.
    pub(crate) coverage: Option<&'a Coverage>,
}

/// A block to go to.
#[derive(Clone, Copy)]
struct Target {
    label: Label,
    /// What it counts as pending.
    pending: i32,
    /// Whether an earlier translation made it.
    foreign: bool,
}

/// A block that was begun or is still to be translated.
struct Begun {
    facts: Facts,
    pending: i32,
    label: Label,
}

/// Ways out that are emitted behind the code.
enum Cold {
    /// Counts what is pending, then goes on to the block at an address.
    Count(Label, i32, Target, u64),
    /// Adds 1 to a counter of the host's, then goes on at another label.
    Edge(Label, u64, Label),
    /// Leaves: to an address that is not translated.
    Arrive(Label, u64, i32),
    /// Leaves for the interpreter.
    Interpret(Label, u64, i32),
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
    /// Guest addresses that were read.
    code: Vec<std::ops::Range<u64>>,
    left: usize,
}

/// What a translation gave.
pub(crate) struct Done {
    code: Vec<u8>,
    spots: Vec<Spot>,
    stubs: Vec<Stub>,
    versions: Vec<(u64, Version)>,
    /// Guest addresses that were read.
    pub(crate) read: Vec<std::ops::Range<u64>>,
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
            code: Vec::new(),
            left: MOST,
        };
        unit.block_at(pc, &Facts::default(), 0)?;
        while let Some((pc, at)) = unit.queue.pop_front() {
            unit.chain(pc, at);
        }
        unit.finish()
    }

    /// The block at an address for what is known, translated or to be. `None` if it is not to be translated.
    fn block_at(&mut self, pc: u64, facts: &Facts, pending: i32) -> Option<Target> {
        if self.limits.stops.contains(&pc) {
            return None;
        }
        let facts = facts.settled();
        let known = self.cache.versions(pc).iter().map(|v| (&v.facts, v.pending, Err(v.place)));
        let begun = self.begun.get(&pc).into_iter().flatten().map(|b| (&b.facts, b.pending, Ok(b.label)));
        let all: Vec<_> = known.chain(begun).collect();
        let exact = all.iter().find(|(have, ..)| **have == facts);
        let many = all.iter().filter(|(have, ..)| have.weight() > 0).count() >= VERSIONS;
        let best =
            || all.iter().filter(|(have, ..)| facts.imply(have)).max_by_key(|(have, ..)| have.weight());
        let found = exact.or_else(|| if many || self.left == 0 { best() } else { None });
        let found = found.map(|&(_, pending, place)| (pending, place));
        if let Some((pending, place)) = found {
            let foreign = place.is_err();
            let label = place.unwrap_or_else(|place| self.emitter.known(place));
            return Some(Target { label, pending, foreign });
        }
        if self.left == 0 || self.queue.len() > QUEUED {
            return None;
        }
        let facts = if many { Facts::default().settled() } else { facts };
        let label = self.emitter.label();
        let blocks = self.begun.entry(pc).or_default();
        blocks.push(Begun { facts, pending, label });
        self.queue.push_back((pc, blocks.len() - 1));
        Some(Target { label, pending, foreign: false })
    }

    /// Emits a block, and those that it falls into.
    fn chain(&mut self, mut pc: u64, mut at: usize) {
        // Nothing falls into this.
        self.emitter.align(32);
        loop {
            let begun = &self.begun[&pc][at];
            let (label, facts, pending) = (begun.label, begun.facts.clone(), begun.pending);
            if self.emitter.place(label).is_some() {
                return;
            }
            self.emitter.bind(label);
            let Some(next) = self.block(pc, facts, pending) else { return };
            (pc, at) = next;
        }
    }

    /// Emits one block. Gives the block that is to be emitted next, because this one falls into it.
    fn block(&mut self, pc: u64, mut facts: Facts, pending: i32) -> Option<(u64, usize)> {
        let stops = self.limits.stops;
        let Ok(block) = decode_block(self.memory, pc, |at| stops.contains(&at)) else {
            self.interpret(pc, pending);
            return None;
        };
        self.code.push(block.start()..block.next());
        self.left = self.left.saturating_sub(block.insns.len());
        let (last, before) = block.insns.split_last()?;
        let mut done = pending;
        for insn in before {
            match self.instruction(insn, &mut facts, done) {
                Next::Go => done += 1,
                Next::End => return None,
            }
        }
        self.end(&block, last, facts, done)
    }

    /// Emits an instruction within a block.
    fn instruction(&mut self, insn: &Instruction, facts: &mut Facts, pending: i32) -> Next {
        let kind = if (self.limits.guarded)(insn) { Kind::Interpreted } else { kind(insn) };
        self.spot(insn.ip(), pending, At::Pc);
        match self.copy(kind, insn, facts, pending) {
            Some(()) => Next::Go,
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
        if matches!(kind, Kind::Jump | Kind::Branch(_)) {
            self.settle_rsp(&mut facts);
        }
        match (kind, block.end) {
            (Kind::Jump, BlockEnd::Jump(to)) => {
                self.count_edge(last, to);
                if block.polls() {
                    self.go_polled(to, &facts, done);
                    return None;
                }
                self.fall(to, &facts, done)
            }
            (Kind::Branch(condition), BlockEnd::Branch(to)) => {
                if block.polls() {
                    let past = self.emitter.label();
                    self.emitter.jump_if(condition ^ 1, past);
                    self.count_edge(last, to);
                    self.go_polled(to, &facts, done);
                    self.emitter.bind(past);
                } else {
                    let way = self.way(to, &facts, done);
                    let way = self.counted_way(last, to, way);
                    self.emitter.jump_if(condition, way);
                }
                self.count_edge(last, block.next());
                self.fall(block.next(), &facts, done)
            }
            (Kind::Call, BlockEnd::Call(to)) => {
                self.begin_leaving(last, done);
                self.push_return(last.next_ip());
                self.count_edge(last, to);
                let way = self.way_of_call(to);
                self.emitter.jump(way);
                self.prepare_return(last.next_ip());
                None
            }
            (Kind::Return, _) => {
                self.ret(last, done);
                None
            }
            (Kind::IndirectJump | Kind::IndirectCall, _) => {
                if self.indirect(kind, last, &mut facts, done).is_none() {
                    self.interpret(last.ip(), pending);
                }
                None
            }
            (Kind::Jump | Kind::Branch(_) | Kind::Call | Kind::Interpreted, _) => {
                self.interpret(last.ip(), pending);
                None
            }
            _ => match self.copy(kind, last, &mut facts, pending) {
                Some(()) => {
                    self.spot(last.next_ip(), done, At::Pc);
                    self.settle_rsp(&mut facts);
                    self.fall(block.next(), &facts, done)
                }
                None => {
                    self.interpret(last.ip(), pending);
                    None
                }
            },
        }
    }

    /// The counter of the edge from an instruction, if it is counted.
    fn edge(&self, from: &Instruction, to: u64) -> Option<u64> {
        let coverage = self.limits.coverage?;
        let counter = coverage.counter(coverage.number(Edge { from: from.ip(), to })?)?;
        Some(counter.as_ptr() as u64)
    }

    /// Emits what counts an edge.
    fn count_edge(&mut self, from: &Instruction, to: u64) {
        if let Some(counter) = self.edge(from, to) {
            self.emitter.add_one(counter);
        }
    }

    /// The same, for who jumps to a label.
    fn counted_way(&mut self, from: &Instruction, to: u64, then: Label) -> Label {
        let Some(counter) = self.edge(from, to) else { return then };
        let way = self.emitter.label();
        self.cold.push(Cold::Edge(way, counter, then));
        way
    }

    /// Between blocks RSP must be near: an access says so, or the interpreter takes over.
    fn settle_rsp(&mut self, facts: &mut Facts) {
        if !facts.rsp_is_settled() {
            self.emitter.load(T, operand(Register::RSP, 0));
            facts.prove_rsp(0);
        }
    }

    /// Code goes on here with a block: one that is to be emitted now, or a jump to it.
    fn fall(&mut self, pc: u64, facts: &Facts, pending: i32) -> Option<(u64, usize)> {
        let before = self.queue.len();
        let Some(target) = self.block_at(pc, facts, pending) else {
            let way = self.arrive(pc, pending);
            self.emitter.jump(way);
            return None;
        };
        if self.queue.len() > before {
            return self.queue.pop_back();
        }
        self.go_on(target, pc, pending);
        None
    }

    /// Goes to a block forwards. Fuel is no matter there, but the count must not run far below 0, where it is no index that
    /// faults: one translation is short, and between two it is looked at. The interpreter knows what to do then.
    fn go_on(&mut self, target: Target, pc: u64, pending: i32) {
        self.emitter.count(target.pending - pending);
        if target.foreign {
            self.spot(pc, target.pending, At::Pc);
            self.emitter.poll(target.pending);
        }
        self.emitter.jump(target.label);
    }

    /// A label that leads to a block forwards.
    fn way(&mut self, pc: u64, facts: &Facts, pending: i32) -> Label {
        let Some(target) = self.block_at(pc, facts, pending) else { return self.arrive(pc, pending) };
        if target.pending == pending && !target.foreign {
            return target.label;
        }
        let way = self.emitter.label();
        self.cold.push(Cold::Count(way, pending, target, pc));
        way
    }

    /// A label that leads to a function, after fuel was looked at.
    fn way_of_call(&mut self, pc: u64) -> Label {
        match self.block_at(pc, &Facts::default(), 0) {
            Some(target) if target.pending == 0 => target.label,
            _ => self.way(pc, &Facts::default(), 0),
        }
    }

    fn arrive(&mut self, pc: u64, pending: i32) -> Label {
        let way = self.emitter.label();
        self.cold.push(Cold::Arrive(way, pc, pending));
        way
    }

    /// Goes to a block after looking at fuel, as where control goes backwards.
    fn go_polled(&mut self, pc: u64, facts: &Facts, pending: i32) {
        let block = self.block_at(pc, facts, 0);
        let has = block.map_or(0, |target| target.pending);
        self.spot(pc, has, At::Polled);
        self.emitter.count(has - pending);
        self.emitter.poll(has);
        let way = block.map_or_else(|| self.arrive(pc, 0), |target| target.label);
        self.emitter.jump(way);
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
        let _ = self.block_at(addr, &Facts::default(), 0);
    }

    fn ret(&mut self, insn: &Instruction, done: i32) {
        self.begin_leaving(insn, done);
        if insn.code() == Code::Retnq {
            self.emitter.load_word(operand(Register::RSP, 0));
            self.emitter.lea(Register::RSP, Register::RSP, 8);
            return self.emitter.jump_by_table(layout::RETURNS);
        }
        self.emitter.load(T, operand(Register::RSP, 0));
        self.emitter.lea(Register::RSP, Register::RSP, 8 + i32::from(insn.immediate16()));
        self.jump_by_t();
    }

    /// Goes where T says.
    fn jump_by_t(&mut self) {
        self.emitter.store(at(layout::STATE + JUMP), T);
        self.emitter.load_word(at(layout::STATE + JUMP));
        self.emitter.jump_by_table(layout::JUMPS);
    }

    fn indirect(&mut self, kind: Kind, insn: &Instruction, facts: &mut Facts, done: i32) -> Option<()> {
        if kind == Kind::IndirectJump {
            self.settle_rsp(facts);
        }
        // What may refuse comes before what cannot be taken back.
        let target = match insn.op0_kind() {
            OpKind::Register => None,
            _ => Some(self.address(insn, facts)?),
        };
        match target {
            Some(from) => self.emitter.load(T, from),
            None if insn.op0_register() == Register::R14 => self.emitter.load(T, at(layout::STATE + R14)),
            None => self.emitter.copy(T, insn.op0_register()),
        }
        self.emitter.store(at(layout::STATE + JUMP), T);
        self.begin_leaving(insn, done);
        if kind == Kind::IndirectCall {
            self.push_return(insn.next_ip());
        }
        self.emitter.load_word(at(layout::STATE + JUMP));
        self.emitter.jump_by_table(layout::JUMPS);
        if kind == Kind::IndirectCall {
            self.prepare_return(insn.next_ip());
        }
        Some(())
    }

    /// Bytes of the guest's space.
    pub(crate) fn space(&self) -> u64 {
        self.memory.space()
    }

    /// Leaves for the interpreter.
    fn interpret(&mut self, pc: u64, pending: i32) {
        let way = self.emitter.label();
        self.cold.push(Cold::Interpret(way, pc, pending));
        self.emitter.jump(way);
    }

    pub(crate) fn spot(&mut self, pc: u64, pending: i32, at: At) {
        let place = self.emitter.here();
        // Instructions that nothing is emitted for need none.
        if self.spots.last().is_some_and(|last| last.place == place) {
            self.spots.pop();
        }
        self.spots.push(Spot { place, pc, pending, at });
    }

    /// Emits the ways out, and gives what there is.
    fn finish(mut self) -> Option<Done> {
        let (mut stubs, first) = (Vec::new(), self.cache.stubs.len());
        // Nothing of it can be refused.
        self.spot(0, 0, At::Pc);
        for cold in std::mem::take(&mut self.cold) {
            let number = (first + stubs.len()) as u32;
            match cold {
                Cold::Count(way, pending, target, pc) => {
                    self.emitter.bind(way);
                    self.go_on(target, pc, pending);
                }
                Cold::Edge(way, counter, then) => {
                    self.emitter.bind(way);
                    self.emitter.add_one(counter);
                    self.emitter.jump(then);
                }
                Cold::Interpret(way, pc, pending) => {
                    self.emitter.bind(way);
                    emit_stub(&mut self.emitter, number);
                    stubs.push(Stub::Interpret { pc, pending });
                }
                Cold::Arrive(way, pc, pending) => {
                    self.emitter.bind(way);
                    // Counts everything down, so that the jump fits whatever it will go to.
                    self.emitter.count(-pending);
                    self.spot(pc, 0, At::Pc);
                    self.emitter.poll(0);
                    let out = self.emitter.label();
                    let jump = self.emitter.jump(out);
                    self.emitter.bind(out);
                    emit_stub(&mut self.emitter, number);
                    stubs.push(Stub::Arrive { pc, pending: 0, jump });
                }
            }
        }
        let emitter = &self.emitter;
        let begun = self.begun.into_iter().flat_map(|(pc, all)| all.into_iter().map(move |one| (pc, one)));
        let versions = begun.filter_map(|(pc, Begun { facts, pending, label })| {
            Some((pc, Version { facts, pending, place: emitter.place(label)? }))
        });
        let versions = versions.collect();
        Some(Done { code: self.emitter.finish()?, spots: self.spots, stubs, versions, read: self.code })
    }
}

impl Done {
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
        true
    }
}

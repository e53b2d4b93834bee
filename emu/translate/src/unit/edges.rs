//! How control goes from block to block: which version of a block it goes to, what is counted on the way, and where fuel is looked
//! at.
//!
//! Translated code looks at fuel seldom: it is entered with [`crate::layout::MARGIN`] less than there is, and the interpreter, which looks
//! at it wherever the rule says, runs what is left. So it is enough that code never runs for longer than that margin without a
//! look. `since` is how long it may have run, at most: each version of a block has such a number, and control goes only to
//! versions whose number is not smaller than its own, or looks first. A loop that is short is so unrolled a few times.

use std::ops::Range;

use goemu_x86::decode::Block;
use iced_x86::Instruction;

use super::inline::Callers;
use super::{Begun, Cold, Unit, VERSIONS};
use crate::cache::At;
use crate::emit::Label;
use crate::facts::Facts;
use crate::layout::ARRIVED;

/// Instructions that code may have run for without a look at fuel, at most, where it goes from block to block. A block, of 64 at
/// most, and [`crate::layout::MARGIN`] come after it.
const MOST_SINCE: i32 = ARRIVED + 128;
/// Versions of a block differ by so many instructions at least, so that ways come together again.
const ROUND: i32 = 16;
/// What an unrolled round of a loop counts for, at least: it bounds how often it is unrolled.
const UNROLLED: i32 = 64;
/// Bytes of a loop that is unrolled, at most.
const SHORT_LOOP: u64 = 256;
/// Versions of a block, whatever they assume.
const COPIES: usize = 16;

/// A block to go to.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) label: Label,
    /// What it counts as pending.
    pub(super) pending: i32,
    /// Whether fuel is to be looked at on the way.
    polls: bool,
}

/// Where control goes, and from what.
#[derive(Clone)]
pub(super) struct Edge<'f> {
    pub(super) pc: u64,
    pub(super) facts: &'f Facts,
    /// Instructions executed and not counted down.
    pub(super) pending: i32,
    /// Instructions since the last look at fuel, at most.
    pub(super) since: i32,
    /// The short loop that it begins in.
    pub(super) round: Option<Range<u64>>,
    /// The calls that it is in.
    pub(super) callers: Callers,
    /// Whether control may come from anywhere.
    pub(super) arrives: bool,
    /// Whether it goes backwards.
    pub(super) back: bool,
}

impl<'f> Edge<'f> {
    /// An edge where fuel was looked at and everything is counted.
    pub(super) fn polled(pc: u64, facts: &'f Facts) -> Edge<'f> {
        let callers = Callers::default();
        Edge { pc, facts, pending: 0, since: 0, round: None, callers, arrives: false, back: false }
    }
}

impl Unit<'_> {
    /// The block that an edge leads to, translated or to be. `None` if it is not to be translated.
    pub(super) fn target(&mut self, edge: &Edge<'_>) -> Option<Target> {
        let pc = edge.pc;
        if self.limits.stops.contains(&pc) || !self.is_wanted(pc) {
            return None;
        }
        let polls = edge.since > MOST_SINCE;
        let since = if polls { 0 } else { edge.since };
        let live = edge.callers.backs().fold(self.live(pc), |all, back| all | self.live(back));
        let mut facts = edge.facts.settled(live);
        if let Some(switch) = self.decoded(pc).and_then(|decoded| decoded.switch) {
            facts.keep_limit(edge.facts, switch.index);
        }
        let known = self.cache.versions(pc).iter().filter(|_| edge.callers.is_empty());
        let known = known.map(|v| (&v.facts, v.pending, v.since, Err(v.place)));
        let begun = self.begun.get(&pc).into_iter().flatten().filter(|b| b.callers == edge.callers);
        let begun = begun.map(|b| (&b.facts, b.pending, b.since, Ok(b.label)));
        let all: Vec<_> = known.chain(begun).collect();
        let different: Vec<&Facts> = all.iter().map(|(have, ..)| *have).filter(|f| f.weight() > 0).collect();
        let kinds = different.iter().enumerate().filter(|(n, one)| !different[..*n].contains(one)).count();
        if edge.back {
            different.iter().for_each(|have| facts.widen(have));
        }
        let exact = |facts: &Facts| all.iter().any(|(have, ..)| **have == *facts);
        if kinds >= VERSIONS && !exact(&facts) {
            facts = facts.reduced();
        }
        let has_exact = exact(&facts);
        let spent = self.left == 0 || self.queue.len() > super::QUEUED;
        let few = has_exact || kinds < 2 * VERSIONS || facts.weight() == 0;
        // The facts to go with: what is known, or the most of it that some version assumes.
        let usable =
            |have: &Facts| if has_exact { *have == facts } else { (!few || spent) && facts.imply(have) };
        let usable = all.iter().filter(|(have, ..)| usable(have));
        let usable: Vec<_> =
            usable.map(|&(f, pending, has, place)| (f.weight(), pending, has, place)).collect();
        let ready = usable.iter().filter(|(_, _, has, _)| *has >= since);
        let ready = ready.max_by_key(|(weight, _, has, _)| (*weight, -has));
        let inside = edge.round.as_ref().is_some_and(|round| round.contains(&pc));
        let far = ready.is_none_or(|(_, _, has, _)| has - since > UNROLLED);
        let better = inside || edge.arrives || (has_exact && ready.is_some());
        let make = !spent && (all.len() < COPIES || edge.arrives) && far && (usable.is_empty() || better);
        let found = if make { None } else { ready.or(usable.iter().max_by_key(|(weight, ..)| *weight)) };
        if let Some(&(_, pending, has, place)) = found {
            let label = place.unwrap_or_else(|place| self.emitter.known(place));
            return Some(Target { label, pending, polls: polls || has < since });
        }
        if spent {
            let outside = || Edge { callers: Callers::default(), ..edge.clone() };
            return if edge.callers.is_empty() { None } else { self.target(&outside()) };
        }
        let facts = if few { facts } else { Facts::default().settled(0) };
        let label = self.emitter.label();
        let round = edge.round.clone().filter(|_| inside);
        let blocks = self.begun.entry(pc).or_default();
        let (pending, callers) = (edge.pending, edge.callers);
        blocks.push(Begun { facts, pending, since: rounded(since), round, callers, label });
        self.queue.push_back((pc, blocks.len() - 1));
        Some(Target { label, pending: edge.pending, polls })
    }

    /// Code goes on here with a block: one that is to be emitted now, or a jump to it.
    pub(super) fn fall(&mut self, edge: &Edge<'_>) -> Option<(u64, usize)> {
        let before = self.queue.len();
        let Some(target) = self.target(edge) else {
            let way = self.arrive(edge.pc, edge.pending);
            self.emitter.jump(way);
            return None;
        };
        if self.queue.len() > before && !target.polls {
            return self.queue.pop_back();
        }
        self.go_on(target, edge.pc, edge.pending);
        None
    }

    /// Goes to a block, and looks at fuel first if it must.
    pub(super) fn go_on(&mut self, target: Target, pc: u64, pending: i32) {
        self.emitter.count(target.pending - pending);
        if target.polls {
            self.spot(pc, target.pending, At::Pc);
            self.emitter.poll(target.pending);
        }
        self.emitter.jump(target.label);
    }

    /// A label that leads to a block.
    pub(super) fn way(&mut self, edge: &Edge<'_>) -> Label {
        let Some(target) = self.target(edge) else { return self.arrive(edge.pc, edge.pending) };
        if target.pending == edge.pending && !target.polls {
            return target.label;
        }
        let way = self.emitter.label();
        self.cold.push(Cold::Count(way, edge.pending, target, edge.pc));
        way
    }

    /// A label that leads to a function, after fuel was looked at.
    pub(super) fn way_of_call(&mut self, pc: u64) -> Label {
        self.way(&Edge::polled(pc, &Facts::default()))
    }

    pub(super) fn arrive(&mut self, pc: u64, pending: i32) -> Label {
        let way = self.emitter.label();
        self.cold.push(Cold::Arrive(way, pc, pending));
        way
    }

    /// Looks at fuel where a block ends in a jump or a branch, which is still to come, and leads to a label from there. Gives
    /// what is pending then.
    fn polled_way(&mut self, last: &Instruction, to: u64, facts: &Facts, done: i32) -> (Label, i32) {
        let target = self.target(&Edge { back: true, ..Edge::polled(to, facts) });
        let has = target.map_or(0, |target| target.pending);
        self.emitter.count(has - done);
        self.spot(last.ip(), has - 1, At::Pc);
        self.emitter.poll(has);
        (target.map_or_else(|| self.arrive(to, 0), |target| target.label), has)
    }

    /// The short loop that a branch backwards ends.
    fn short_loop(last: &Instruction, to: u64) -> Option<Range<u64>> {
        (last.next_ip() - to <= SHORT_LOOP).then(|| to..last.next_ip())
    }

    /// The next round of a short loop, if it needs no look at fuel.
    fn next_round(&mut self, last: &Instruction, to: u64, facts: &Facts, done: i32) -> Option<Target> {
        let since = self.since.max(ROUND) + UNROLLED;
        if since > MOST_SINCE {
            return None;
        }
        let round = Some(Self::short_loop(last, to)?);
        let edge = Edge { since, round, back: true, ..self.edge_to(to, facts, done) };
        self.target(&edge).filter(|target| !target.polls)
    }

    /// A label that leads to a block, which counts something else as pending.
    fn adjusted(&mut self, target: Target, pc: u64, done: i32) -> Label {
        if target.pending == done {
            return target.label;
        }
        let way = self.emitter.label();
        self.cold.push(Cold::Count(way, done, target, pc));
        way
    }

    /// Ends a block with a jump.
    pub(super) fn jump(
        &mut self,
        block: &Block,
        last: &Instruction,
        to: u64,
        facts: &Facts,
        done: i32,
    ) -> Option<(u64, usize)> {
        if !block.polls() {
            self.count_edge(last, to);
            return self.fall(&self.edge_to(to, facts, done));
        }
        let way = match self.next_round(last, to, facts, done) {
            Some(target) => self.adjusted(target, to, done),
            None => self.polled_way(last, to, facts, done).0,
        };
        self.count_edge(last, to);
        self.emitter.jump(way);
        None
    }

    /// Ends a block with a conditional jump.
    pub(super) fn branch(
        &mut self,
        block: &Block,
        last: &Instruction,
        (to, condition): (u64, u8),
        facts: &Facts,
        mut done: i32,
    ) -> Option<(u64, usize)> {
        let (taken, not) = (facts.where_branch(condition, true), facts.where_branch(condition, false));
        let next = block.next();
        if !block.polls() {
            if self.is_wanted(to) && !self.is_wanted(next) {
                // What was never executed is not in the way.
                let out = self.way(&self.edge_to(next, &not, done));
                self.leave_if(last, (next, condition ^ 1), out);
                self.count_edge(last, to);
                return self.fall(&self.edge_to(to, &taken, done));
            }
            let way = self.way(&self.edge_to(to, &taken, done));
            return self.branch_or_fall(block, last, (to, condition), way, &not, done);
        }
        let before = self.queue.len();
        if let Some(target) = self.next_round(last, to, &taken, done) {
            if self.queue.len() > before && target.pending == done {
                // The next round follows here.
                let round = self.queue.pop_back();
                let out = self.way(&self.edge_to(next, &not, done));
                self.leave_if(last, (next, condition ^ 1), out);
                self.count_edge(last, to);
                return round;
            }
            let way = self.adjusted(target, to, done);
            return self.branch_or_fall(block, last, (to, condition), way, &not, done);
        }
        let way;
        (way, done) = self.polled_way(last, to, &taken, done);
        self.since = 0;
        self.branch_or_fall(block, last, (to, condition), way, &not, done)
    }

    /// A conditional jump, and what follows it where it is not taken.
    fn branch_or_fall(
        &mut self,
        block: &Block,
        last: &Instruction,
        to: (u64, u8),
        way: Label,
        not: &Facts,
        done: i32,
    ) -> Option<(u64, usize)> {
        self.leave_if(last, to, way);
        self.count_edge(last, block.next());
        self.fall(&self.edge_to(block.next(), not, done))
    }

    /// A conditional jump away from the code that follows.
    fn leave_if(&mut self, last: &Instruction, (to, condition): (u64, u8), way: Label) {
        let way = self.counted_way(last, to, way);
        self.emitter.jump_if(condition, way);
    }

    pub(super) fn is_wanted(&self, pc: u64) -> bool {
        (self.limits.wanted)(pc)
    }

    /// The edge from the block that is being emitted.
    pub(super) fn edge_to<'f>(&self, pc: u64, facts: &'f Facts, pending: i32) -> Edge<'f> {
        let (since, round, callers) = (self.since, self.round.clone(), self.callers);
        Edge { pc, facts, pending, since, round, callers, arrives: false, back: false }
    }
}

fn rounded(since: i32) -> i32 {
    (since + ROUND - 1) / ROUND * ROUND
}

//! How control goes from block to block: which version of a block it goes to, what is counted on the way, and where fuel is looked
//! at.
//!
//! Translated code looks at fuel seldom: it is entered with [`crate::layout::MARGIN`] less than there is, and the interpreter, which looks
//! at it wherever the rule says, runs what is left. So it is enough that code never runs for longer than that margin without a
//! look. `since` is how long it may have run, at most: each version of a block has such a number, and control goes only to
//! versions whose number is not smaller than its own, or looks first. A loop that is short is so unrolled a few times.

use std::ops::Range;

use goemu_x86::coverage::Path;
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
    /// Edges that were taken and that it counts.
    taken: Path,
    /// Whether fuel is to be looked at on the way.
    polls: bool,
}

/// A version of a block.
struct Known<'u> {
    facts: &'u Facts,
    pending: i32,
    since: i32,
    /// Where it is: in the code that is emitted, or in the cache.
    place: Result<Label, u32>,
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
    /// Edges that were taken, this one too, and are not counted.
    pub(super) taken: Path,
}

impl<'f> Edge<'f> {
    /// An edge where fuel was looked at and everything is counted.
    pub(super) fn polled(pc: u64, facts: &'f Facts) -> Edge<'f> {
        let (callers, taken) = (Callers::default(), Path::default());
        Edge { pc, facts, pending: 0, since: 0, round: None, callers, arrives: false, back: false, taken }
    }

    /// What is not counted: instructions, and edges that were taken.
    fn uncounted(&self) -> (i32, Path) {
        (self.pending, self.taken)
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
        let taken = self.carried(edge);
        let spent = self.left == 0 || self.queue.len() > super::QUEUED;
        let all = self.known(edge, taken);
        let (facts, kinds) = assumed(&all, facts, edge.back);
        let exact = is_exact(&all, &facts);
        let few = exact || kinds < 2 * VERSIONS || facts.weight() == 0;
        // The facts to go with: what is known, or the most of it that some version assumes.
        let fits = |have: &Facts| if exact { *have == facts } else { (!few || spent) && facts.imply(have) };
        let usable: Vec<&Known<'_>> = all.iter().filter(|known| fits(known.facts)).collect();
        let ready = usable.iter().filter(|known| known.since >= since);
        let ready = ready.max_by_key(|known| (known.facts.weight(), -known.since));
        let inside = edge.round.as_ref().is_some_and(|round| round.contains(&pc));
        let far = ready.is_none_or(|known| known.since - since > UNROLLED);
        let better = inside || edge.arrives || (exact && ready.is_some());
        let make = !spent && (all.len() < COPIES || edge.arrives) && far && (usable.is_empty() || better);
        let best = || ready.or(usable.iter().max_by_key(|known| known.facts.weight()));
        let found = if make { None } else { best() };
        if let Some(&&Known { pending, since: has, place, .. }) = found {
            let label = place.unwrap_or_else(|place| self.emitter.known(place));
            return Some(Target { label, pending, taken, polls: polls || has < since });
        }
        if spent {
            let (callers, none) = (Callers::default(), Path::default());
            let outside = Edge { callers, taken: none, ..edge.clone() };
            return if edge.callers.is_empty() && taken.is_empty() { None } else { self.target(&outside) };
        }
        let facts = if few { facts } else { Facts::default().settled(0) };
        let label = self.emitter.label();
        let round = edge.round.clone().filter(|_| inside);
        let blocks = self.begun.entry(pc).or_default();
        let (pending, callers) = (edge.pending, edge.callers);
        blocks.push(Begun { facts, pending, since: rounded(since), round, callers, taken, label });
        self.queue.push_back((pc, blocks.len() - 1));
        Some(Target { label, pending: edge.pending, taken, polls })
    }

    /// The versions of a block that an edge may lead to, if what they assume is true.
    fn known(&self, edge: &Edge<'_>, taken: Path) -> Vec<Known<'_>> {
        let anywhere = edge.callers.is_empty() && taken.is_empty();
        let cached = self.cache.versions(edge.pc).iter().filter(|_| anywhere);
        let cached = cached.map(|version| {
            let (facts, place) = (&version.facts, Err(version.place));
            Known { facts, pending: version.pending, since: version.since, place }
        });
        let begun = self.begun.get(&edge.pc).into_iter().flatten();
        let begun = begun.filter(|begun| begun.callers == edge.callers && begun.taken == taken);
        let begun = begun.map(|begun| {
            let (facts, place) = (&begun.facts, Ok(begun.label));
            Known { facts, pending: begun.pending, since: begun.since, place }
        });
        cached.chain(begun).collect()
    }

    /// What of the edges that were taken the block does not find counted: all, or none of them.
    fn carried(&self, edge: &Edge<'_>) -> Path {
        let again = edge.back && edge.round.is_some();
        let carries = edge.arrives || self.is_apart(edge.pc, if again { 2 } else { 1 });
        if carries { edge.taken } else { Path::default() }
    }

    /// Code goes on here with a block: one that is to be emitted now, or a jump to it.
    pub(super) fn fall(&mut self, edge: &Edge<'_>) -> Option<(u64, usize)> {
        let before = self.queue.len();
        let Some(target) = self.target(edge) else {
            self.taken = edge.taken;
            let way = self.arrive(edge.pc, edge.pending);
            self.emitter.jump(way);
            return None;
        };
        if self.queue.len() > before && !target.polls {
            if target.taken != edge.taken {
                self.count_path(edge.taken);
            }
            return self.queue.pop_back();
        }
        self.go_on(target, edge.pc, edge.uncounted());
        None
    }

    /// Counts what is not counted, as far as a block does not, looks at fuel if it must, and goes to the block.
    pub(super) fn go_on(&mut self, target: Target, pc: u64, (pending, taken): (i32, Path)) {
        if target.taken != taken {
            self.count_path(taken);
        }
        self.emitter.count(target.pending - pending);
        if target.polls {
            self.taken = target.taken;
            self.spot(pc, target.pending, At::Pc);
            self.emitter.poll(target.pending);
        }
        self.emitter.jump(target.label);
    }

    /// A label that leads to a block.
    pub(super) fn way(&mut self, edge: &Edge<'_>) -> Label {
        match self.target(edge) {
            Some(target) => self.way_to(target, edge.pc, edge.uncounted()),
            None => self.arrive_with(edge.pc, edge.uncounted()),
        }
    }

    /// A label that leads to a block, after what is not counted was counted.
    fn way_to(&mut self, target: Target, pc: u64, uncounted: (i32, Path)) -> Label {
        if (target.pending, target.taken) == uncounted && !target.polls {
            return target.label;
        }
        let way = self.emitter.label();
        self.cold.push(Cold::Count(way, uncounted, target, pc));
        way
    }

    /// A label that leads to a function, after fuel was looked at.
    pub(super) fn way_of_call(&mut self, pc: u64) -> Label {
        self.way(&Edge::polled(pc, &Facts::default()))
    }

    pub(super) fn arrive(&mut self, pc: u64, pending: i32) -> Label {
        self.arrive_with(pc, (pending, self.taken))
    }

    fn arrive_with(&mut self, pc: u64, uncounted: (i32, Path)) -> Label {
        let way = self.emitter.label();
        self.cold.push(Cold::Arrive(way, pc, uncounted));
        way
    }

    /// Looks at fuel where a block ends in a jump or a branch, which is still to come. Gives the block that it leads to, and what is
    /// pending then.
    fn poll_before(
        &mut self,
        last: &Instruction,
        to: u64,
        facts: &Facts,
        done: i32,
    ) -> (Option<Target>, i32) {
        let target = self.target(&Edge { back: true, ..Edge::polled(to, facts) });
        let has = target.map_or(0, |target| target.pending);
        self.emitter.count(has - done);
        self.spot(last.ip(), has - 1, At::Pc);
        self.emitter.poll(has);
        (target, has)
    }

    /// The short loop that a branch backwards ends.
    fn short_loop(last: &Instruction, to: u64) -> Option<Range<u64>> {
        (last.next_ip() - to <= SHORT_LOOP).then(|| to..last.next_ip())
    }

    /// The next round of a short loop, if it needs no look at fuel.
    fn next_round(&mut self, last: &Instruction, edge: Edge<'_>) -> Option<Target> {
        let since = self.since.max(ROUND) + UNROLLED;
        if since > MOST_SINCE {
            return None;
        }
        let round = Some(Self::short_loop(last, edge.pc)?);
        self.target(&Edge { since, round, back: true, ..edge }).filter(|target| !target.polls)
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
            self.take(last, to);
            return self.fall(&self.edge_to(to, facts, done));
        }
        let [taken, _] = self.fork(last, [to, to]);
        let edge = Edge { taken, ..self.edge_to(to, facts, done) };
        if let Some(target) = self.next_round(last, edge) {
            self.go_on(target, to, (done, taken));
            return None;
        }
        match self.poll_before(last, to, facts, done) {
            (Some(target), has) => self.go_on(target, to, (has, taken)),
            (None, has) => {
                let way = self.arrive_with(to, (has, taken));
                self.emitter.jump(way);
            }
        }
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
        let (jumps, falls) = (facts.where_branch(condition, true), facts.where_branch(condition, false));
        let next = block.next();
        let [taken, not] = self.fork(last, [to, next]);
        let edge = Edge { taken, ..self.edge_to(to, &jumps, done) };
        let other = Edge { taken: not, ..self.edge_to(next, &falls, done) };
        if !block.polls() {
            if self.is_wanted(to) && !self.is_wanted(next) {
                // What was never executed is not in the way.
                let out = self.way(&other);
                self.emitter.jump_if(condition ^ 1, out);
                return self.fall(&edge);
            }
            let way = self.way(&edge);
            self.emitter.jump_if(condition, way);
            return self.fall(&other);
        }
        let before = self.queue.len();
        if let Some(target) = self.next_round(last, edge.clone()) {
            if self.queue.len() > before && target.pending == done {
                // The next round follows here.
                let round = self.queue.pop_back();
                let out = self.way(&other);
                self.emitter.jump_if(condition ^ 1, out);
                if target.taken != taken {
                    self.count_path(taken);
                }
                return round;
            }
            let way = self.way_to(target, to, (done, taken));
            self.emitter.jump_if(condition, way);
            return self.fall(&other);
        }
        let target;
        (target, done) = self.poll_before(last, to, &jumps, done);
        self.since = 0;
        let way = match target {
            Some(target) => self.way_to(target, to, (done, taken)),
            None => self.arrive_with(to, (done, taken)),
        };
        self.emitter.jump_if(condition, way);
        self.fall(&Edge { taken: not, ..self.edge_to(next, &falls, done) })
    }

    pub(super) fn is_wanted(&self, pc: u64) -> bool {
        (self.limits.wanted)(pc)
    }

    /// The edge from the block that is being emitted.
    pub(super) fn edge_to<'f>(&self, pc: u64, facts: &'f Facts, pending: i32) -> Edge<'f> {
        let (since, round, callers, taken) = (self.since, self.round.clone(), self.callers, self.taken);
        Edge { pc, facts, pending, since, round, callers, arrives: false, back: false, taken }
    }
}

/// What a version assumes that is made for these facts, and how many different things the versions assume that there are.
fn assumed(all: &[Known<'_>], mut facts: Facts, back: bool) -> (Facts, usize) {
    let different: Vec<&Facts> = all.iter().map(|known| known.facts).filter(|f| f.weight() > 0).collect();
    let kinds = different.iter().enumerate().filter(|(n, one)| !different[..*n].contains(one)).count();
    if back {
        different.iter().for_each(|have| facts.widen(have));
    }
    if kinds >= VERSIONS && !is_exact(all, &facts) {
        facts = facts.reduced();
    }
    (facts, kinds)
}

fn is_exact(all: &[Known<'_>], facts: &Facts) -> bool {
    all.iter().any(|known| known.facts == facts)
}

fn rounded(since: i32) -> i32 {
    (since + ROUND - 1) / ROUND * ROUND
}

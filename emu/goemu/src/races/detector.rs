//! The detector: follows a run instruction by instruction.

use std::sync::Arc;

use goemu_loader::Image;
use iced_x86::Instruction;
use rustc_hash::{FxHashMap, FxHashSet};

use super::class::{self, Class};
use super::goroutines::{Goroutines, Who};
use super::objects::Objects;
use super::orders::Orders;
use super::plan::{Does, Operand, Plan};
use super::report::{self, Access, Goroutine, Location, Race};
use super::shadow::{Cell, Kind, Shadow};
use super::stacks::{Here, Stacks};
use super::{Limits, Races, lock};
use crate::cpu::gpr;
use crate::hook::INT_REGISTERS;
use crate::observe::{Chooser, Interest, Observer, Phase, View};

/// Below are pages that are never mapped.
const NIL_PAGE: u64 = 4096;

/// Watches a machine for data races.
pub(super) struct Detector {
    pub(super) image: Arc<Image>,
    plans: FxHashMap<u64, Option<Arc<Plan>>>,
    /// Whether the program's own code is at an address to which a call returns.
    callers: FxHashMap<u64, bool>,
    /// Races by the ends of their stacks, in both orders.
    reported: FxHashSet<[[u64; 2]; 2]>,
    /// Whether the program has ended: what its threads do then is not told.
    ended: bool,
    races: Races,
    pub(super) run: Run,
}

/// What is known of a run.
#[derive(Clone)]
pub(super) struct Run {
    pub(super) goroutines: Goroutines,
    pub(super) shadow: Shadow,
    pub(super) orders: Orders,
    pub(super) stacks: Stacks,
    pub(super) objects: Objects,
}

/// What is known where runs start.
#[derive(Clone)]
pub(super) struct Kept {
    run: Run,
    reported: FxHashSet<[[u64; 2]; 2]>,
    races: Vec<Race>,
}

impl Run {
    fn new(limits: &Limits) -> Run {
        Run {
            goroutines: Goroutines::default(),
            shadow: Shadow::new(limits.shadow),
            orders: Orders::default(),
            stacks: Stacks::new(limits.stacks),
            objects: Objects::new(limits.objects),
        }
    }
}

impl Kept {
    fn nothing(limits: &Limits) -> Kept {
        Kept { run: Run::new(limits), reported: FxHashSet::default(), races: Vec::new() }
    }
}

impl Detector {
    pub(super) fn new(image: Arc<Image>, races: Races) -> Detector {
        Detector {
            image,
            plans: FxHashMap::default(),
            callers: FxHashMap::default(),
            reported: FxHashSet::default(),
            ended: false,
            run: Run::new(&races.limits),
            races,
        }
    }

    fn plan(&mut self, insn: &Instruction) -> Option<Arc<Plan>> {
        if let Some(plan) = self.plans.get(&insn.ip()) {
            return plan.clone();
        }
        let plan = self.races.planner.plan(insn).map(Arc::new);
        self.plans.insert(insn.ip(), plan.clone());
        plan
    }

    /// A word of an argument, at a function's entry.
    pub(super) fn arg(&self, at: &View<'_>, n: usize) -> u64 {
        self.result(at, 0, n)
    }

    /// A word of a result, where a function returns whose arguments take so many words.
    pub(super) fn result(&self, at: &View<'_>, args: usize, n: usize) -> u64 {
        match INT_REGISTERS.get(n).filter(|_| self.image.facts().register_abi()) {
            Some(register) => at.cpu.gpr(*register),
            None => word(at, at.cpu.gpr(gpr::RSP).wrapping_add(8 * (1 + args + n) as u64)),
        }
    }

    /// Whether the program's own code calls, at a function's entry.
    pub(super) fn is_called_by_program(&mut self, at: &View<'_>) -> bool {
        let pc = word(at, at.cpu.gpr(gpr::RSP));
        let image = &self.image;
        *self.callers.entry(pc).or_insert_with(|| class::of_caller(image, pc) == Class::Program)
    }

    /// The stack of a `g`, as the run has it now.
    pub(super) fn stack_bounds(&mut self, at: &View<'_>, index: usize) -> (u64, u64) {
        let sp = at.cpu.gpr(gpr::RSP);
        let known = self.run.goroutines.all[index].stack;
        if known.0 <= sp && sp < known.1 {
            return known;
        }
        let facts = &self.image.facts().g;
        let stack =
            (word(at, at.g.wrapping_add(facts.stack_lo)), word(at, at.g.wrapping_add(facts.stack_hi)));
        self.run.goroutines.all[index].stack = stack;
        stack
    }

    /// The stack of calls at an instruction whose function has its return address so far from the stack pointer.
    pub(super) fn stack(&mut self, at: &View<'_>, index: usize, depth: u64) -> u32 {
        let here = self.here(at, index, depth);
        let calls = &mut self.run.goroutines.all[index].calls;
        self.run.stacks.stack(&self.image, at.memory, calls, here)
    }

    /// The same without the function itself.
    pub(super) fn stack_around(&mut self, at: &View<'_>, index: usize, depth: u64) -> u32 {
        let here = self.here(at, index, depth);
        let calls = &mut self.run.goroutines.all[index].calls;
        self.run.stacks.around(&self.image, at.memory, calls, here)
    }

    fn here(&mut self, at: &View<'_>, index: usize, depth: u64) -> Here {
        let (_, stack_hi) = self.stack_bounds(at, index);
        Here { pc: at.cpu.rip, frame: at.cpu.gpr(gpr::RSP).wrapping_add(depth), stack_hi }
    }

    /// An access of the running goroutine.
    pub(super) fn access(
        &mut self,
        at: &View<'_>,
        index: usize,
        depth: u64,
        (addr, size): (u64, u64),
        kind: Kind,
    ) {
        if addr < NIL_PAGE || size == 0 {
            return;
        }
        let (lo, hi) = self.stack_bounds(at, index);
        if lo <= addr && addr < hi {
            return;
        }
        let Some(goroutine) = &self.run.goroutines.all[index].goroutine else { return };
        let (slot, count) = (goroutine.knows.slot, goroutine.knows.now);
        if self.run.shadow.has(addr, size, slot, count, kind) {
            return;
        }
        let stack = self.stack(at, index, depth);
        let Some(goroutine) = &self.run.goroutines.all[index].goroutine else { return };
        let new = Cell { count, stack, slot, bytes: 0, kind };
        let knows = &goroutine.knows;
        let found = self.run.shadow.access(addr, size, new, |slot, count| knows.knows(slot, count));
        if let Some((old, first)) = found {
            self.found(first, &new, &old);
        }
    }

    /// A race.
    fn found(&mut self, addr: u64, new: &Cell, old: &Cell) {
        let (one, other) = (self.run.stacks.ends(new.stack), self.run.stacks.ends(old.stack));
        let ends = if one <= other { [one, other] } else { [other, one] };
        if self.ended || self.reported.len() >= self.races.limits.reports || !self.reported.insert(ends) {
            return;
        }
        let location = self.location(addr);
        let race = Race { addr, access: self.access_of(new), previous: self.access_of(old), location };
        if let Some(listener) = &mut *lock(&self.races.shared.listener) {
            listener(&race);
        }
        lock(&self.races.shared.races).push(race);
    }

    fn access_of(&self, cell: &Cell) -> Access {
        let who = self.run.goroutines.who(cell.slot, cell.count).unwrap_or_default();
        Access {
            write: cell.kind.write,
            atomic: cell.kind.atomic,
            goroutine: self.goroutine_of(who),
            stack: self.places(cell.stack),
        }
    }

    fn goroutine_of(&self, who: Who) -> Goroutine {
        Goroutine {
            id: who.id,
            finished: who.ended,
            creator: who.creator,
            created: self.places_of_calls(who.created),
        }
    }

    /// The calls of a stack, of which the innermost address is that of an instruction.
    fn places(&self, stack: u32) -> Vec<report::Place> {
        report::places(&self.image, &self.run.stacks.addresses(stack), true)
    }

    /// The same where that is an address to which a call returns.
    fn places_of_calls(&self, stack: u32) -> Vec<report::Place> {
        report::places(&self.image, &self.run.stacks.addresses(stack), false)
    }

    fn location(&self, addr: u64) -> Location {
        match self.run.objects.at(addr) {
            Some(object) => Location::Object {
                addr: object.addr,
                size: object.size,
                ty: report::type_name(&self.image, object.ty),
                goroutine: object.goroutine,
                allocated: self.places_of_calls(object.stack),
            },
            None => report::variable(&self.image, addr),
        }
    }

    fn accesses(&mut self, at: &View<'_>, index: usize, depth: u64, operands: &[Operand]) {
        for operand in operands {
            let addr = operand.addr(at.cpu);
            if !operand.writes && self.may_be_atomic_load(at, index, depth, addr, operand) {
                continue;
            }
            let kind = Kind { write: operand.writes, atomic: false };
            self.access(at, index, depth, (addr, operand.size), kind);
        }
    }

    /// A plain load of a word that atomic instructions access may be Go's atomic load.
    fn may_be_atomic_load(
        &mut self,
        at: &View<'_>,
        index: usize,
        depth: u64,
        addr: u64,
        operand: &Operand,
    ) -> bool {
        if !matches!(operand.size, 4 | 8) || !self.acquire_word(index, addr) {
            return false;
        }
        self.access(at, index, depth, (addr, operand.size), Kind { write: false, atomic: true });
        true
    }

    fn repeats(&mut self, at: &View<'_>, index: usize, depth: u64, element: u64, reads: bool) {
        let size = at.cpu.gpr(gpr::RCX).saturating_mul(element);
        if reads {
            self.access(at, index, depth, (at.cpu.gpr(gpr::RSI), size), Kind::default());
        }
        let write = Kind { write: true, atomic: false };
        self.access(at, index, depth, (at.cpu.gpr(gpr::RDI), size), write);
    }
}

/// A word of the guest's memory; 0 where that cannot be read.
pub(super) fn word(at: &View<'_>, addr: u64) -> u64 {
    at.memory.read(addr).map_or(0, u64::from_le_bytes)
}

impl Observer for Detector {
    fn interest(&self) -> Interest {
        Interest::CHOSEN
    }

    fn chooser(&self) -> Option<Chooser> {
        let planner = Arc::clone(&self.races.planner);
        Some(Arc::new(move |insn| planner.plan(insn).is_some()))
    }

    fn phase(&mut self, phase: Phase) {
        match phase {
            Phase::Kept => {
                let races = lock(&self.races.shared.races).clone();
                let kept = Kept { run: self.run.clone(), reported: self.reported.clone(), races };
                *lock(&self.races.shared.kept) = Some(Arc::new(kept));
            }
            Phase::Restored => {
                let kept = lock(&self.races.shared.kept).clone();
                let kept = kept.map_or_else(|| Kept::nothing(&self.races.limits), |kept| Kept::clone(&kept));
                (self.run, self.reported, self.ended) = (kept.run, kept.reported, false);
                *lock(&self.races.shared.races) = kept.races;
            }
            Phase::Ended => self.ended = true,
        }
    }

    fn chosen(&mut self, at: &View<'_>, insn: &Instruction) {
        let Some(plan) = self.plan(insn) else { return };
        let (index, depth) = (self.run.goroutines.index(at.g), plan.depth);
        let is_goroutine = self.run.goroutines.all[index].goroutine.is_some();
        match &plan.does {
            Does::Begins(role) => self.begins(at, index, *role),
            Does::Ends(role) => self.ends(at, index, *role),
            Does::CallsCoroutine => self.coroutine_begins(at, index),
            _ if !is_goroutine => {}
            Does::Accesses(operands) => self.accesses(at, index, depth, operands),
            Does::Atomic(operand, atomic) => self.atomic(at, index, depth, operand, *atomic),
            Does::MayLoad(operand) => {
                self.acquire_word(index, operand.addr(at.cpu));
            }
            Does::Repeats { element, reads } => self.repeats(at, index, depth, *element, *reads),
            Does::ChannelIndex { operand, send } => self.channel_index(at, index, operand, *send),
            Does::Syscall => self.syscall(at, index, depth),
            Does::Answered => self.answered(at, index, depth),
            Does::CallsFinalizer => self.run.goroutines.learn_all(index),
        }
    }
}

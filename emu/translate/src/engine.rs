//! The engine: interprets, translates what is hot, goes in, and answers why code came out.

mod credit;
mod left;
mod look;
mod parts;
mod run;

use std::ops::Range;
use std::sync::Arc;

use goemu_x86::coverage::Coverage;
use goemu_x86::cpu::Cpu;
use goemu_x86::engine::{Allocators, Bar, Chooser, Engine, Late, Stops, Watch};
use goemu_x86::exit::Exit;
use goemu_x86::interp::Interpreter;
use goemu_x86::memory::{Memory, PAGE};
use iced_x86::Instruction;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::unit::{Done, Limits, Unit};
use crate::{Unavailable, host};
use credit::{Credit, Worth};
pub use look::Look;
use parts::Parts;
use run::{Held, Run};

/// Runs for which signals wait, at most.
const RUNS_HELD: u32 = 256;
/// Instructions that a machine interprets before it translates anything. Starting a program takes some 300 000, and less time than
/// translating what is hot in them.
const WARM_UP: i64 = 1 << 19;
/// The part of the guest's limit of memory that translated code may take, and what it may take in any case; more is forgotten.
const CODE_PART: u64 = 32;
const LEAST_CODE: u64 = 1 << 20;

/// Runs guest code on the host's processor where it is hot, and interprets the rest.
pub struct Translator {
    interpreter: Interpreter,
    stops: FxHashSet<u64>,
    bar: Option<Bar>,
    allocators: Allocators,
    /// Counts edges; the code has addresses of its counters.
    coverage: Option<Arc<Coverage>>,
    /// What translated code needs, once some is.
    parts: Option<Parts>,
    /// Whether that could not be had, or the host does not keep up.
    refused: bool,
    /// How often control came to addresses that are not translated.
    heat: FxHashMap<u64, u32>,
    /// What came of entering code at an address.
    worth: FxHashMap<u64, Worth>,
    /// How often an address was left to the interpreter.
    cooled: FxHashMap<u64, u32>,
    /// Instructions and entries of those that are forgotten.
    before: (u64, u64),
    /// Who looks at each translated block.
    look: Option<Look>,
    /// Translate and enter whatever comes, hot or not, worth it or not.
    eager: bool,
    /// What is left of [`WARM_UP`], or of a rest.
    cold: i64,
    credit: Credit,
    /// Pages whose bytes were translated.
    pages: FxHashSet<u64>,
    /// Whether the signals may stay prepared between runs, and how they are; `since` counts what has run.
    keeps: bool,
    held: Option<Held>,
}

impl Translator {
    /// A translator that has translated nothing. What it needs of the host it takes when there is something hot; if
    /// that cannot be had, it goes on interpreting.
    ///
    /// # Errors
    /// Where the processor cannot run translated code. [`crate::check`] looks at more.
    pub fn new() -> Result<Translator, Unavailable> {
        host::check()?;
        let mut interpreter = Interpreter::new();
        interpreter.keep_code_writes();
        interpreter.set_heat(i32::MAX);
        Ok(Translator {
            interpreter,
            stops: FxHashSet::default(),
            bar: None,
            allocators: Allocators::default(),
            coverage: None,
            parts: None,
            refused: false,
            heat: FxHashMap::default(),
            worth: FxHashMap::default(),
            cooled: FxHashMap::default(),
            before: (0, 0),
            look: None,
            eager: false,
            cold: WARM_UP,
            credit: Credit::default(),
            pages: FxHashSet::default(),
            keeps: false,
            held: None,
        })
    }

    /// From how many arrivals on an address is hot: for tests, which want translated code at once. With 0 a run begins in
    /// translated code, and all that is translated is entered, worth it or not.
    pub fn set_heat(&mut self, arrivals: i32) {
        (self.eager, self.cold) = (arrivals == 0, 0);
        self.interpreter.set_heat(arrivals);
    }

    /// Instructions that ran in translated code, and how often it was entered: for tests and measurements.
    pub fn translated(&self) -> (u64, u64) {
        self.worth
            .values()
            .fold(self.before, |(ran, entered), worth| (ran + worth.ran, entered + worth.entered))
    }

    /// Entries of jumps by tables.
    #[cfg(test)]
    pub(crate) fn switches(&self) -> usize {
        self.parts.as_ref().map_or(0, |parts| parts.cache.switches.len())
    }

    fn open(&mut self, memory: &mut Memory) -> Option<()> {
        if self.parts.is_none() {
            self.parts = Some(Parts::new()?);
        }
        self.parts.as_mut()?.open(memory)
    }

    /// Forgets all translated code.
    fn clear(&mut self) {
        if let Some(parts) = &mut self.parts {
            self.credit.forgot(parts.cache.blocks());
            parts.clear();
        }
        self.pages.clear();
        self.heat.clear();
        self.before = self.translated();
        self.worth.clear();
        self.cooled.clear();
    }

    fn forget_changed(&mut self, memory: &mut Memory) {
        if memory.code_written() {
            self.interpreter.take_code_writes(memory);
        }
        let changed = self.interpreter.changed_code();
        if !self.pages.is_empty() && changed.iter().any(|range| self.touches(range)) {
            self.clear();
        }
    }

    fn touches(&self, range: &Range<u64>) -> bool {
        let mut pages = range.start / PAGE..range.end.div_ceil(PAGE);
        match pages.end - pages.start > self.pages.len() as u64 {
            true => self.pages.iter().any(|page| pages.contains(page)),
            false => pages.any(|page| self.pages.contains(&page)),
        }
    }

    /// Translates from an address on; says whether there is code for it now.
    fn translate(&mut self, memory: &mut Memory, pc: u64) -> bool {
        let used = self.parts.as_ref().map_or(0, |parts| parts.cache.code_size()) as u64;
        if used > LEAST_CODE.max(memory.limit() / CODE_PART) {
            self.clear();
        }
        let Some(parts) = &mut self.parts else { return false };
        let bar = &self.bar;
        let guarded = |insn: &Instruction| bar.as_ref().is_some_and(|bar| bar(insn));
        let wanted = |at: u64| self.eager || at == pc || self.interpreter.has_executed(at);
        let coverage = self.coverage.as_deref();
        let target = |block: u64| self.interpreter.only_target(block);
        let (stops, allocators, target) = (&self.stops, &self.allocators, &target);
        let limits = Limits {
            stops,
            guarded: &guarded,
            wanted: &wanted,
            target,
            coverage,
            allocators,
            looks: self.look.is_some(),
        };
        let done = Unit::translate(&parts.cache, memory, &limits, pc);
        self.credit.translated(done.as_ref().map_or(0, Done::len));
        let Some(done) = done else { return false };
        for range in &done.read {
            memory.mark_code(range.clone());
            self.pages.extend(range.start / PAGE..range.end.div_ceil(PAGE));
        }
        if !done.keep(&mut parts.cache, &self.stops) {
            self.clear();
            return false;
        }
        parts.cache.plain(pc).is_some()
    }
}

impl Engine for Translator {
    fn name(&self) -> &'static str {
        if self.refused { "interpreter" } else { "translator" }
    }

    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit {
        memory.forget_cost();
        if let Some(parts) = &mut self.parts {
            parts.rest(memory);
        }
        if let Some(coverage) = &self.coverage {
            coverage.begin(cpu.rip);
        }
        // They are some hundred bytes, which are not moved for nothing.
        let mut held = if self.held.is_some() { self.held.take() } else { None };
        if let Some(held) = &mut held {
            (held.since, held.runs) = (held.since + *fuel, held.runs + 1);
        }
        let exit = self.go(&mut Run { cpu, memory, fuel, held: &mut held });
        if let Some(mut held) = held.filter(|held| self.keeps && held.runs < RUNS_HELD) {
            held.since -= *fuel;
            self.held = Some(held);
        }
        if let Some(coverage) = &self.coverage {
            coverage.end(cpu.rip);
        }
        exit
    }

    fn keep_ready(&mut self, ready: bool) {
        if self.keeps != ready {
            self.let_go();
        }
        self.keeps = ready;
    }

    fn let_go(&mut self) {
        self.held = None;
    }

    fn step(&mut self, cpu: &mut Cpu, memory: &mut Memory) -> Option<Exit> {
        self.interpreter.step(cpu, memory)
    }

    fn run_watched(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        watch: &mut dyn Watch,
    ) -> Exit {
        self.interpreter.run_watched(cpu, memory, fuel, watch)
    }

    fn set_stops(&mut self, stops: Stops) {
        let new: FxHashSet<u64> = stops.iter().copied().collect();
        if new != self.stops {
            self.stops = new;
            self.clear();
            self.interpreter.set_stops(stops);
        }
    }

    fn set_allocators(&mut self, allocators: &Allocators) {
        if *allocators != self.allocators {
            self.allocators.clone_from(allocators);
            self.clear();
        }
    }

    fn set_late(&mut self, late: Option<Late>) {
        self.interpreter.set_late(late);
    }

    fn set_bar(&mut self, bar: Option<Bar>) {
        self.clear();
        self.bar.clone_from(&bar);
        self.interpreter.set_bar(bar);
    }

    fn set_chooser(&mut self, chooser: Option<Chooser>) {
        // Watched code is the interpreter's.
        self.interpreter.set_chooser(chooser);
    }

    fn set_coverage(&mut self, coverage: Option<Arc<Coverage>>) {
        // Code counts where the old one's counters are.
        self.clear();
        self.coverage.clone_from(&coverage);
        self.interpreter.set_coverage(coverage);
    }

    fn forget(&mut self, code: Range<u64>) {
        if self.touches(&code) {
            self.clear();
        }
        self.interpreter.forget(code);
    }
}

//! The engine: interprets, translates what is hot, goes in, and answers why code came out.

mod credit;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use goemu_x86::coverage::{Coverage, Edge};
use goemu_x86::cpu::{Cpu, gpr};
use goemu_x86::engine::{Allocators, Bar, Chooser, Engine, Stops, Watch};
use goemu_x86::exit::Exit;
use goemu_x86::interp::Interpreter;
use goemu_x86::memory::{Memory, PAGE};
use iced_x86::Instruction;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::cache::{At, Cache, Stub};
use crate::host::enter::{Left, Window};
use crate::host::signals::{Inside, SignalStack, install};
use crate::layout::{self, CHUNK, MARGIN};
use crate::transfer::{is_fit, lend, load, note_objects, store};
use crate::unit::{Done, Limits, Unit};
use crate::{Unavailable, host};
use credit::{Credit, Worth};

/// Times that control must come to an address from translated code before that is translated, too.
const HOT: u32 = 16;
/// What it costs to enter and leave translated code, in instructions that the interpreter executes meanwhile: once the signals
/// are prepared; with preparing them; and more where the host refuses an instruction, which takes a signal.
const ENTRY: i64 = 40;
const FIRST_ENTRY: i64 = 400;
const REFUSAL: i64 = 500;
/// What it costs more to enter code again and again, by a search for each, if there is much of it.
const SEARCH: i64 = 40;
/// Times that R14 may be found to be no address where it is loaded, or a call to go elsewhere than it did, until that place looks no
/// more.
const LOOKS: u8 = 4;
/// Runs for which signals wait, at most.
const RUNS_HELD: u32 = 256;
/// Instructions that are interpreted while signals wait, at most.
const DETOUR: i64 = 50_000;
/// Instructions that a machine interprets before it translates anything. Starting a program takes some 300 000, and less time than
/// translating what is hot in them.
const WARM_UP: i64 = 1 << 19;
/// Runs that enter no translated code, after which the guest's space is no longer prepared for it: watching pages through the host
/// costs calls that do without a little. So often it is prepared again, each time for more runs.
const IDLE: u32 = 256;
const REOPENED: u32 = 8;
/// The part of the guest's limit of memory that translated code may take, and what it may take in any case; more is forgotten.
const CODE_PART: u64 = 32;
const LEAST_CODE: u64 = 1 << 20;

/// Numbers of translators and of what they forgot: tables of another one hold addresses that mean nothing.
static OWNERS: AtomicU64 = AtomicU64::new(1);

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

struct Parts {
    cache: Cache,
    stack: Arc<SignalStack>,
    owner: u64,
    /// How often a guest's space was prepared, and whether it is still.
    opened: u32,
    open: bool,
    /// Runs since code was entered.
    idle: u32,
    /// How often R14 was found to be no address, or a call went elsewhere, by the place that looks.
    data: FxHashMap<u64, u8>,
}

/// The signals are prepared for translated code, since there was so much fuel, and for so many runs.
struct Held {
    inside: Inside,
    since: i64,
    runs: u32,
}

/// What follows when translated code has been left.
enum After {
    /// The interpreter goes on.
    Interpret,
    /// Control comes to RIP.
    Arrive,
    /// The same, through a table that should know it.
    Enter { table: i32 },
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
            let (cache, stack) = (Cache::new().ok()?, Arc::new(SignalStack::new()?));
            let owner = OWNERS.fetch_add(1, Ordering::Relaxed);
            install().then_some(())?;
            self.parts = Some(Parts {
                cache,
                stack,
                owner,
                opened: 0,
                open: false,
                idle: 0,
                data: FxHashMap::default(),
            });
        }
        let parts = self.parts.as_mut()?;
        if !memory.hosts_code() {
            // It was, and the host did not keep up; or this is another guest's memory, which is not worth a second try.
            (!parts.open && parts.opened <= REOPENED).then_some(())?;
            memory.host_code(&layout::pages())?;
            (parts.opened, parts.open) = (parts.opened + 1, true);
        }
        Some(())
    }

    /// A run begins: where the last ones entered no translated code, the space is what it was before.
    fn rest(&mut self, memory: &mut Memory) {
        let Some(parts) = self.parts.as_mut().filter(|parts| parts.open) else { return };
        parts.idle += 1;
        if parts.idle >= IDLE << parts.opened {
            (parts.open, parts.idle) = (false, 0);
            memory.unhost_code();
        }
    }

    /// Forgets all translated code.
    fn clear(&mut self) {
        if let Some(parts) = &mut self.parts {
            self.credit.forgot(parts.cache.blocks());
            parts.cache.clear();
            parts.data.clear();
            parts.owner = OWNERS.fetch_add(1, Ordering::Relaxed);
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
        let limits = Limits { stops, guarded: &guarded, wanted: &wanted, target, coverage, allocators };
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

    /// Runs translated code from RIP, as long as there is some. `Some` if the run is over.
    fn run_translated(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        held: &mut Option<Held>,
    ) -> Option<Exit> {
        self.forget_changed(memory);
        if self.refused {
            return None;
        }
        if self.open(memory).is_none() {
            self.refused = true;
            self.interpreter.set_heat(i32::MAX);
            return None;
        }
        let base = memory.host_code(&layout::pages())?;
        let mut window = Window::new(base.wrapping_offset(layout::STATE as isize), base);
        held.take_if(|held| !held.inside.is_for(base));
        let (mut hot, mut again) = (true, false);
        loop {
            // Signals that wait are let through from time to time.
            held.take_if(|held| held.since - *fuel > CHUNK);
            if self.parts.as_ref()?.cache.plain(cpu.rip).is_none() {
                let heat = self.heat.entry(cpu.rip).or_default();
                *heat += 1;
                if !hot && *heat < HOT && !self.eager {
                    return None;
                }
                if !self.translate(memory, cpu.rip) {
                    self.interpreter.cool(cpu.rip, i32::MAX);
                    return None;
                }
            }
            hot = false;
            if *fuel <= MARGIN
                || !memory.hosts_code()
                || !is_fit(cpu)
                || self.is_poor(cpu.rip)
                || self.rests()
            {
                return None;
            }
            let prepared = held.is_some();
            if !prepared {
                let parts = self.parts.as_ref()?;
                let inside = Inside::new(Arc::clone(&parts.stack), parts.cache.code.start(), &mut window);
                *held = inside.map(|inside| Held { inside, since: *fuel, runs: 0 });
            }
            // None: the host has other signal handlers now.
            let entry = if prepared { ENTRY } else { FIRST_ENTRY };
            self.credit.spend(if again { SEARCH } else { 0 });
            again = true;
            let after = self.go(cpu, memory, fuel, &mut window, &held.as_ref()?.inside, entry)?;
            if let (After::Enter { .. }, Some(coverage)) = (&after, &self.coverage) {
                coverage.take(Edge { from: 0, to: cpu.rip });
            }
            match after {
                // Checks that follow an instruction may leave where the next one is a stop.
                _ if self.stops.contains(&cpu.rip) => return Some(Exit::Stopped),
                After::Interpret => return None,
                After::Arrive => {}
                After::Enter { table } => self.enter_by_table(cpu.rip, table, &mut window),
            }
        }
    }

    /// The same. Where objects were made in it, the run is over before anything is interpreted.
    fn go_on(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        held: &mut Option<Held>,
    ) -> Option<Exit> {
        let exit = self.run_translated(cpu, memory, fuel, held);
        let made = !memory.bump().objects().is_empty();
        exit.or_else(|| made.then_some(Exit::OutOfFuel))
    }

    /// Interprets until there is an exit or hot code: for long only after signals were let through, and in a new machine whatever is
    /// hot for a while.
    fn interpret(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        held: &mut Option<Held>,
        arrives: bool,
    ) -> Option<Exit> {
        while held.is_some() || self.cold > 0 {
            let most = if held.is_some() { DETOUR } else { self.cold };
            let (part, whole) = ((*fuel).min(most), *fuel);
            let mut left = part;
            let exit = self.interpreter.run_until_hot(cpu, memory, &mut left, arrives);
            *fuel = whole - part + left;
            self.warm_up(part - left);
            self.credit.interpreted(part - left);
            if !matches!(exit, Some(Exit::OutOfFuel)) || *fuel <= 0 {
                return exit;
            }
            // A run begins at a stop without seeing it.
            if self.stops.contains(&cpu.rip) {
                return Some(Exit::Stopped);
            }
            *held = None;
        }
        let whole = *fuel;
        let exit = self.interpreter.run_until_hot(cpu, memory, fuel, arrives);
        self.credit.interpreted(whole - *fuel);
        exit
    }

    /// So many instructions were interpreted.
    fn warm_up(&mut self, instructions: i64) {
        if self.cold > 0 {
            self.cold -= instructions;
            if self.cold <= 0 {
                self.interpreter.set_heat(Interpreter::HEAT);
            }
        }
    }

    fn enter_by_table(&mut self, pc: u64, table: i32, window: &mut Window) {
        let Some(parts) = &mut self.parts else { return };
        let counter = self.coverage.as_deref().and_then(|coverage| {
            let counter = coverage.counter(coverage.number(Edge { from: 0, to: pc })?)?;
            Some(counter.as_ptr() as u64)
        });
        let returns = table == layout::RETURNS;
        if let Some(entry) = parts.cache.entry(pc, returns, counter) {
            let ((of_returns, of_jumps), cache) = (parts.cache.misses(), &parts.cache);
            let miss = if returns { of_returns } else { of_jumps };
            window.set_entry(table, pc, cache.address(entry), miss, cache.shared(returns));
        }
    }

    /// Enters the code for RIP and brings out the state. `None` if there is none.
    fn go(
        &mut self,
        cpu: &mut Cpu,
        memory: &mut Memory,
        fuel: &mut i64,
        window: &mut Window,
        inside: &Inside,
        mut cost: i64,
    ) -> Option<After> {
        let parts = self.parts.as_mut()?;
        let cache = &parts.cache;
        let version = cache.plain(cpu.rip)?;
        let (target, chunk) = (cache.address(version.place), (*fuel - MARGIN).min(CHUNK));
        if window.state().owner != parts.owner {
            window.prepare(parts.owner, cache.misses());
        }
        window.set_switches(cache.switches.len(), |n| cache.address(cache.switches[n]));
        load(cpu, window, chunk + i64::from(version.pending));
        let costs = memory.cost_left();
        window.state().cost_left = costs;
        lend(memory, window);
        let entered = cpu.rip;
        parts.idle = 0;
        let left = window.enter(inside, target, &mut cpu.ymm);
        store(cpu, window, matches!(left, Left::Refused(_)));
        memory.charge(costs.saturating_sub(window.state().cost_left));
        note_objects(memory, window, *fuel - chunk);
        let (after, pc, pending) = match left {
            Left::Refused(address) => {
                cost += REFUSAL;
                let spot = cache.spot(address)?;
                cpu.set_gpr(gpr::RSP, cpu.gpr(gpr::RSP).wrapping_add(spot.off.into()));
                if spot.at == At::Biased {
                    let base = window.base() as u64;
                    cpu.set_gpr(gpr::RDI, cpu.gpr(gpr::RDI).wrapping_sub(base));
                }
                if matches!(spot.at, At::Look { .. } | At::Guess { .. }) {
                    let found = parts.data.entry(address).or_default();
                    *found += 1;
                    match spot.at {
                        At::Look { end } if *found == LOOKS => parts.cache.pass_over(address, end),
                        At::Guess { other } if *found == LOOKS => parts.cache.redirect(address, other),
                        _ => {}
                    }
                }
                let after = match spot.at {
                    At::Pc | At::Biased | At::Look { .. } | At::Guess { .. } => After::Interpret,
                    At::Return => After::Enter { table: layout::RETURNS },
                    At::Jump => After::Enter { table: layout::JUMPS },
                };
                (after, spot.pc, spot.pending)
            }
            Left::Stub(number) => match *cache.stubs.get(number as usize)? {
                Stub::Interpret { pc, pending } => (After::Interpret, pc, pending),
                Stub::Arrive { pc, pending, .. } => (After::Arrive, pc, pending),
                Stub::Return => (After::Enter { table: layout::RETURNS }, 0, 0),
                Stub::Jump => (After::Enter { table: layout::JUMPS }, 0, 0),
            },
        };
        cpu.rip = match after {
            After::Enter { table: layout::RETURNS } => {
                // RET has just read it, and nothing was written since.
                let mut addr = [0; 8];
                memory.peek(cpu.gpr(gpr::RSP).wrapping_sub(8), &mut addr);
                u64::from_le_bytes(addr)
            }
            After::Enter { .. } => window.state().jump,
            _ => pc,
        };
        let ran = chunk - (window.state().count - i64::from(pending));
        *fuel -= ran;
        self.credit.entered(cost, ran);
        self.worth.entry(entered).or_default().add(cost, ran);
        Some(after)
    }
}

impl Engine for Translator {
    fn name(&self) -> &'static str {
        if self.refused { "interpreter" } else { "translator" }
    }

    fn run(&mut self, cpu: &mut Cpu, memory: &mut Memory, fuel: &mut i64) -> Exit {
        memory.forget_cost();
        self.rest(memory);
        if let Some(coverage) = &self.coverage {
            coverage.begin(cpu.rip);
        }
        // They are some hundred bytes, which are not moved for nothing.
        let mut held = if self.held.is_some() { self.held.take() } else { None };
        if let Some(held) = &mut held {
            (held.since, held.runs) = (held.since + *fuel, held.runs + 1);
        }
        let begun = if self.eager { self.go_on(cpu, memory, fuel, &mut held) } else { None };
        let exit = begun.unwrap_or_else(|| {
            // A run's beginning is an arrival.
            let mut arrives = true;
            loop {
                match self.interpret(cpu, memory, fuel, &mut held, arrives) {
                    // As most short calls end: the rest of an exit is neither there nor moved.
                    Some(Exit::Stopped) => break Exit::Stopped,
                    Some(exit) => break exit,
                    None => arrives = false,
                }
                if *fuel > MARGIN
                    && let Some(exit) = self.go_on(cpu, memory, fuel, &mut held)
                {
                    break exit;
                }
            }
        });
        if let Some(held) = held.filter(|held| self.keeps && held.runs < RUNS_HELD) {
            self.held = Some(Held { since: held.since - *fuel, ..held });
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

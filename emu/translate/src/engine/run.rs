//! One run: in translated code where there is some that pays, else in the interpreter, until there is a reason to leave.

use std::sync::Arc;

use goemu_x86::coverage::Edge;
use goemu_x86::cpu::Cpu;
use goemu_x86::exit::Exit;
use goemu_x86::interp::Interpreter;
use goemu_x86::memory::Memory;

use super::Translator;
use super::left::{After, Leaving};
use super::look::show;
use crate::host::enter::{Left, Window};
use crate::host::signals::Inside;
use crate::layout::{self, CHUNK, MARGIN};
use crate::transfer::{is_fit, lend, load, note_objects, store};

/// Times that control must come to an address from translated code before that is translated, too.
const HOT: u32 = 16;
/// What it costs to enter and leave translated code, in instructions that the interpreter executes meanwhile: once the signals
/// are prepared; with preparing them; and more where the host refuses an instruction, which takes a signal.
const ENTRY: i64 = 40;
const FIRST_ENTRY: i64 = 400;
const REFUSAL: i64 = 500;
/// What it costs more to enter code again and again, by a search for each, if there is much of it.
const SEARCH: i64 = 40;
/// Instructions that are interpreted while signals wait, at most.
const DETOUR: i64 = 50_000;

/// The signals are prepared for translated code, since there was so much fuel, and for so many runs.
pub(super) struct Held {
    inside: Inside,
    pub(super) since: i64,
    pub(super) runs: u32,
}

/// What a run works on, and how the signals are.
pub(super) struct Run<'a> {
    pub(super) cpu: &'a mut Cpu,
    pub(super) memory: &'a mut Memory,
    pub(super) fuel: &'a mut i64,
    pub(super) held: &'a mut Option<Held>,
}

impl Translator {
    /// Runs until there is a reason to leave.
    #[inline(always)]
    pub(super) fn go(&mut self, run: &mut Run<'_>) -> Exit {
        let begun = if self.eager { self.go_on(run) } else { None };
        if let Some(exit) = begun {
            return exit;
        }
        // A run's beginning is an arrival.
        let mut arrives = true;
        loop {
            match self.interpret(run, arrives) {
                // As most short calls end: the rest of an exit is neither there nor moved.
                Some(Exit::Stopped) => return Exit::Stopped,
                Some(exit) => return exit,
                None => arrives = false,
            }
            if *run.fuel > MARGIN
                && let Some(exit) = self.go_on(run)
            {
                return exit;
            }
        }
    }

    /// Goes on in translated code. Where objects were made in it, the run is over before anything is interpreted.
    fn go_on(&mut self, run: &mut Run<'_>) -> Option<Exit> {
        let exit = self.run_translated(run);
        let made = !run.memory.bump().objects().is_empty();
        exit.or_else(|| made.then_some(Exit::OutOfFuel))
    }

    /// Interprets until there is an exit or hot code: for long only after signals were let through, and in a new machine whatever is
    /// hot for a while.
    #[inline]
    fn interpret(&mut self, run: &mut Run<'_>, arrives: bool) -> Option<Exit> {
        while run.held.is_some() || self.cold > 0 {
            let most = if run.held.is_some() { DETOUR } else { self.cold };
            let (part, whole) = ((*run.fuel).min(most), *run.fuel);
            let mut left = part;
            let exit = self.interpreter.run_until_hot(run.cpu, run.memory, &mut left, arrives);
            *run.fuel = whole - part + left;
            self.warm_up(part - left);
            self.credit.interpreted(part - left);
            if !matches!(exit, Some(Exit::OutOfFuel)) || *run.fuel <= 0 || self.interpreter.was_late() {
                return exit;
            }
            // A run begins at a stop without seeing it.
            if self.stops.contains(&run.cpu.rip) {
                return Some(Exit::Stopped);
            }
            *run.held = None;
        }
        let whole = *run.fuel;
        let exit = self.interpreter.run_until_hot(run.cpu, run.memory, run.fuel, arrives);
        self.credit.interpreted(whole - *run.fuel);
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

    /// Runs translated code from RIP, as long as there is some. `Some` if the run is over.
    fn run_translated(&mut self, run: &mut Run<'_>) -> Option<Exit> {
        self.forget_changed(run.memory);
        if self.refused {
            return None;
        }
        if self.open(run.memory).is_none() {
            self.refused = true;
            self.interpreter.set_heat(i32::MAX);
            return None;
        }
        let base = run.memory.host_code(&layout::pages())?;
        let mut window = Window::new(base.wrapping_offset(layout::STATE as isize), base);
        run.held.take_if(|held| !held.inside.is_for(base));
        let (mut hot, mut again) = (true, false);
        loop {
            // Signals that wait are let through from time to time.
            run.held.take_if(|held| held.since - *run.fuel > CHUNK);
            if !self.has_code(run, hot) || !self.may_enter(run) {
                return None;
            }
            hot = false;
            let cost = self.prepare(run, &mut window);
            self.credit.spend(if again { SEARCH } else { 0 });
            again = true;
            let after = self.enter(run, &mut window, cost)?;
            if let (After::Enter { .. }, Some(coverage)) = (&after, &self.coverage) {
                coverage.take(Edge { from: 0, to: run.cpu.rip });
            }
            match after {
                // Checks that follow an instruction may leave where the next one is a stop.
                _ if self.stops.contains(&run.cpu.rip) => return Some(Exit::Stopped),
                After::Interpret => return None,
                After::Arrive => {}
                After::Enter { table } => self.enter_by_table(run.cpu.rip, table, &mut window),
            }
        }
    }

    /// Whether there is code for RIP: where it is hot, it is translated.
    fn has_code(&mut self, run: &mut Run<'_>, hot: bool) -> bool {
        let pc = run.cpu.rip;
        if self.parts.as_ref().is_none_or(|parts| parts.cache.plain(pc).is_some()) {
            return self.parts.is_some();
        }
        let heat = self.heat.entry(pc).or_default();
        *heat += 1;
        if !hot && *heat < HOT && !self.eager {
            return false;
        }
        let translated = self.translate(run.memory, pc);
        if !translated {
            self.interpreter.cool(pc, i32::MAX);
        }
        translated
    }

    /// Whether code may be entered, and pays.
    fn may_enter(&mut self, run: &Run<'_>) -> bool {
        let may = *run.fuel > MARGIN && run.memory.hosts_code() && is_fit(run.cpu);
        may && !self.is_poor(run.cpu.rip) && !self.rests()
    }

    /// Prepares the signals, unless they are. What entering costs.
    fn prepare(&mut self, run: &mut Run<'_>, window: &mut Window) -> i64 {
        if run.held.is_some() {
            return ENTRY;
        }
        let inside = self
            .parts
            .as_ref()
            .and_then(|parts| Inside::new(Arc::clone(&parts.stack), parts.cache.code.start(), window));
        *run.held = inside.map(|inside| Held { inside, since: *run.fuel, runs: 0 });
        FIRST_ENTRY
    }

    /// Enters the code for RIP and brings out the state. `None` if there is none, or the host has other signal handlers now.
    fn enter(&mut self, run: &mut Run<'_>, window: &mut Window, cost: i64) -> Option<After> {
        let Run { cpu, memory, fuel, held } = run;
        let (parts, inside) = (self.parts.as_mut()?, &held.as_ref()?.inside);
        let version = parts.cache.plain(cpu.rip)?;
        let (target, chunk) = (parts.cache.address(version.place), (**fuel - MARGIN).min(CHUNK));
        if window.state().owner != parts.owner {
            window.prepare(parts.owner, parts.cache.misses());
        }
        let (cache, entered) = (&parts.cache, cpu.rip);
        window.set_switches(cache.switches.len(), |n| cache.address(cache.switches[n]));
        load(cpu, window, chunk + i64::from(version.pending));
        let costs = memory.cost_left();
        window.state().cost_left = costs;
        lend(memory, window);
        parts.idle = 0;
        let mut left = window.enter(inside, target, &mut cpu.ymm);
        if let Some(look) = &mut self.look {
            left = show(look, parts, inside, window, left, (cpu, memory, **fuel - chunk));
        }
        let refused = matches!(left, Left::Refused(_));
        store(cpu, window, refused);
        memory.charge(costs.saturating_sub(window.state().cost_left));
        note_objects(memory, window, **fuel - chunk);
        let Leaving { after, pc, pending, taken } = parts.why(left, cpu, window)?;
        if let Some(coverage) = self.coverage.as_deref().filter(|_| !taken.is_empty()) {
            coverage.add_path(taken);
        }
        cpu.rip = after.target(pc, cpu, memory, window);
        let ran = chunk - (window.state().count - i64::from(pending));
        **fuel -= ran;
        let cost = if refused { cost + REFUSAL } else { cost };
        self.credit.entered(cost, ran);
        self.worth.entry(entered).or_default().add(cost, ran);
        Some(after)
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
}

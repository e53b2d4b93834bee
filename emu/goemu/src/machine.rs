//! A machine: one program in memory, its goroutines, one processor, and the answer to each exit of the engine.

mod boot;
mod bump;
mod burst;
mod call_goroutine;
mod config;
mod cover;
mod engines;
mod faults;
mod fork;
mod goroutines;
pub(crate) mod history;
mod load;
mod locals;
mod packages;
mod run;
mod stopping;
mod watch;
mod whole;

use std::any::Any;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use goemu_loader::{Func, Image};

use crate::changes::Resolved;
use crate::coverage::Coverage;
use crate::cpu::Cpu;
use crate::engine::Engine;
use crate::error::Error;
use crate::go::chance::Chance;
use crate::go::names;
use crate::go::read::ReadOptions;
use crate::guest::address_map::RETURN_ADDR;
pub use crate::guest::faults::Faults;
pub use crate::guest::files::{Access, Changed, ChangedKind, Dir, Files};
use crate::guest::goroutine::{Goroutine, TOP_BLOCK};
pub use crate::guest::outside::Signals;
use crate::guest::outside::Sink;
pub use crate::guest::process::Process;
use crate::guest::state::{Guest, State};
use crate::guest::tracked::Tracked;
use crate::guest::world::World;
use crate::hook::{Gate, Gated, Hook, HookContext, Hooks};
use crate::memory::Memory;
use crate::observe::{Interest, Observer, Observers, Phase};
use crate::os::{NoOs, Os};
use crate::outcome::{Report, Runtime};
use crate::runtime::{install, real};
pub use boot::Booted;
use call_goroutine::{CallGoroutine, FreshGoroutine};
pub use config::Config;
pub use engines::EngineChoice;
use engines::MakeEngine;
pub use goroutines::GoroutineState;
pub(crate) use history::Saved;
pub use packages::Initialised;
use packages::Packages;
pub(crate) use run::Progress;
pub use stopping::Interrupt;
use stopping::Stopping;

/// One program, ready for calls.
///
/// Every call starts from the same state, that of the new machine: what one call writes, the next does not
/// see. [`Machine::keep`] makes the present state the one to start from.
pub struct Machine {
    pub(crate) guest: Guest,
    config: Config,
    engine: Box<dyn Engine>,
    /// What the user wants engines to be made by.
    make_engine: Option<MakeEngine>,
    hooks: Hooks,
    /// Shuts the user's own.
    gate: Gate,
    /// Those among them that were put there from outside.
    own_hooks: Vec<(u64, Arc<Gated>)>,
    observers: Observers,
    /// What the user changes of the program.
    changes: Arc<Resolved>,
    /// Where the engine counts edges.
    coverage: Option<Arc<Coverage>>,
    /// What an observer's owner keeps with it.
    pub(crate) of_observer: Option<Arc<dyn Any + Send + Sync>>,
    os: Box<dyn Os>,
    call_goroutine: &'static dyn CallGoroutine,
    /// The address that calls return to.
    pub(crate) return_addr: u64,
    /// Whether hooks on what a started program's runtime does are set.
    event_hooks: bool,
    /// Whether the engine leaves at hooks that only tell observers.
    events_wanted: bool,
    /// Whether the engine shows instructions that observers have chosen.
    chooses: bool,
    /// Addresses at which a session wants to stop.
    breakpoints: HashSet<u64>,
    /// Where output goes as it comes.
    sink: Option<Sink>,
    /// How often the machine went back to the state that calls start from.
    pub(crate) resets: u64,
    /// What ends calls from outside.
    stopping: Stopping,
    /// Instructions after which a session wants the machine to look at something.
    part: i64,
    /// Whether calls follow each other, with little in between.
    bursts: bool,
    /// Whether the engine may make objects of some functions.
    allocates: bool,
    /// Instructions that were executed, of which the system was not told yet.
    carried: i64,
    /// Exits that were answered and that are steps without being instructions.
    answered: u64,
    /// The state that calls start from.
    start: State,
    /// What the program did until `main.main`, if it was started.
    booted: Option<Booted>,
    packages: Packages,
    /// The function that was to use package variables before they have their values.
    early: Option<String>,
    /// The same program started, for what this machine cannot serve.
    real: Option<Box<Machine>>,
    /// Why there is none, once its start was tried.
    unstartable: Option<String>,
    /// Functions that were found to need that.
    real_only: HashSet<u64>,
    reading: ReadOptions,
    /// Whether calls start from a state that the user made.
    own_start: bool,
    /// End of the call's stack, as observers were told of it.
    pub(crate) shown_stack: u64,
    /// The entry of Go's `sigpanic`, once a fault has asked for it.
    sigpanic: OnceCell<Option<u64>>,
}

/// What makes a machine hooked or real.
struct Parts {
    guest: Guest,
    hooks: Hooks,
    os: Box<dyn Os>,
    call_goroutine: &'static dyn CallGoroutine,
    changes: Arc<Resolved>,
}

/// The address that calls return to.
fn return_addr(image: &Image) -> u64 {
    names::goexit(image).map_or(RETURN_ADDR, |func| func.entry() + 1)
}

/// A processor as it starts.
fn processor(config: &Config) -> Cpu {
    let mut cpu = Cpu::default();
    (cpu.level, cpu.entropy) = (config.cpu, config.seed);
    cpu
}

impl Machine {
    /// A machine with this program, and default limits.
    ///
    /// # Errors
    /// Those of [`Machine::with_config`].
    pub fn new(image: impl Into<Arc<Image>>) -> Result<Machine, Error> {
        Machine::with_config(image, Config::default())
    }

    /// A machine with this program.
    ///
    /// # Errors
    /// When the program does not fit the limit of memory, the configuration asks for what the host or the program does not
    /// have, or a real runtime was asked for and the program's start fails.
    pub fn with_config(image: impl Into<Arc<Image>>, config: Config) -> Result<Machine, Error> {
        let image = image.into();
        config.process.check()?;
        config.engine.check()?;
        if config.runtime == Some(Runtime::Real) {
            return Machine::boot(image, config);
        }
        let changes = Arc::new(Resolved::of(&config.changes, &image)?);
        let mut memory = Memory::new(config.max_memory)?;
        let mut cpu = processor(&config);
        load::map(&image, &mut memory)?;
        changes.write(&mut memory)?;
        let goroutine = Goroutine::new(&image, &mut memory, &mut cpu, config.max_stack)?;
        Chance::of(&image).seed(&mut memory, goroutine.m(), config.seed)?;
        // Where most calls put it: what is there already need not be restored after each.
        memory.poke(goroutine.stack_hi - TOP_BLOCK - 8, &return_addr(&image).to_le_bytes())?;
        let mut world = World::new(memory.space(), &config.process, &image);
        world.output.left = config.max_output;
        world.alone = config.runtime == Some(Runtime::Hooked);
        world.random_order = config.seed != Config::default().seed;
        // As the runtime's start does.
        let asked = config.process.variable("GOMAXPROCS").and_then(|number| number.parse().ok());
        world.processors = asked.filter(|number: &i32| *number > 0).map_or(1, i32::cast_unsigned);
        world.prepare(&mut memory);
        let mut hooks = Hooks::default();
        install::hooked(&image, &mut hooks, &mut memory, &mut world);
        if image.is_linked_here() {
            install::objects(&image, &mut hooks);
        }
        let parts = Parts {
            guest: Guest {
                image,
                memory,
                cpu,
                goroutine: Tracked::new(goroutine),
                world: Tracked::new(world),
            },
            hooks,
            os: Box::new(NoOs::new(&config.files)),
            call_goroutine: &FreshGoroutine,
            changes,
        };
        let mut machine = Machine::of(config, parts)?;
        if !machine.changes.is_empty() {
            machine.make_changes(false)?;
            machine.keep_state();
        }
        machine.set_home();
        machine.bar_variables();
        if machine.changes.skips_all {
            machine.skip_packages()?;
        }
        Ok(machine)
    }

    fn of(config: Config, parts: Parts) -> Result<Machine, Error> {
        let Parts { mut guest, hooks, os, call_goroutine, changes } = parts;
        config.engine.check_memory(&guest.memory)?;
        let (start, engine) = (guest.save(), config.engine.make(&guest.memory));
        Ok(Machine {
            guest,
            config,
            engine,
            make_engine: None,
            hooks,
            gate: Gate::default(),
            own_hooks: Vec::new(),
            observers: Observers::default(),
            changes,
            coverage: None,
            of_observer: None,
            os,
            call_goroutine,
            return_addr: RETURN_ADDR,
            event_hooks: false,
            events_wanted: false,
            chooses: false,
            breakpoints: HashSet::new(),
            sink: None,
            resets: 0,
            stopping: Stopping::default(),
            part: i64::MAX,
            bursts: false,
            allocates: false,
            carried: 0,
            answered: 0,
            start,
            booted: None,
            packages: Packages::default(),
            early: None,
            real: None,
            unstartable: None,
            real_only: HashSet::new(),
            own_start: false,
            shown_stack: 0,
            reading: ReadOptions::default(),
            sigpanic: OnceCell::new(),
        })
    }

    /// Calls return to where goroutines do, so that unwinders find the end of the stack there.
    fn set_home(&mut self) {
        self.return_addr = return_addr(&self.guest.image);
        let home = (self.return_addr, Some(self.guest.goroutine.g));
        (self.guest.world.return_addr, self.guest.world.call_g) = home;
        self.start.world.revise(|world| (world.return_addr, world.call_g) = home);
        self.set_stops();
    }

    /// The program.
    pub fn image(&self) -> &Arc<Image> {
        &self.guest.image
    }

    /// Limits and choices.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Changes how many instructions a call may execute, see [`Config::fuel`].
    pub fn set_fuel(&mut self, fuel: u64) {
        self.config.fuel = fuel;
    }

    /// What is made of the values of a call when it has ended.
    pub fn reading(&self) -> ReadOptions {
        self.reading
    }

    /// Changes what is made of the values of a call: limits, methods that are run for texts.
    pub fn set_reading(&mut self, reading: ReadOptions) {
        self.reading = reading;
    }

    /// The guest's memory.
    pub fn memory(&self) -> &Memory {
        &self.guest.memory
    }

    /// The memory of the machine that has served a call: this one's, or that of the same program started.
    pub fn memory_after(&self, report: &Report) -> &Memory {
        match &self.real {
            Some(real) if report.runtime == Runtime::Real => &real.guest.memory,
            _ => &self.guest.memory,
        }
    }

    /// The guest's memory, to be changed between calls: what is there when the state is [kept](Machine::keep), calls start from.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.guest.memory
    }

    /// The processor.
    pub fn cpu(&self) -> &Cpu {
        &self.guest.cpu
    }

    /// The goroutine that runs, or ran last.
    pub fn goroutine(&self) -> &Goroutine {
        &self.guest.goroutine
    }

    /// The function that a name means, as [`Machine::call`] finds it.
    ///
    /// # Errors
    /// When no function or more than one has such a name.
    pub fn find(&self, func: &str) -> Result<Func<'_>, Error> {
        names::find(&self.guest.image, func)
    }

    /// Puts a hook on a function, which is found as [`Machine::call`] finds it. Hooks that were there before are
    /// asked where this one lets the function run. See [`Machine::replace`] and [`Machine::watch`] for hooks that
    /// get arguments and results as values.
    ///
    /// # Errors
    /// Those of [`Machine::find`].
    pub fn hook(&mut self, func: &str, hook: impl Hook + 'static) -> Result<(), Error> {
        let entry = names::find(&self.guest.image, func)?.entry();
        self.hook_at([entry], hook);
        Ok(())
    }

    /// Puts a hook on addresses where instructions begin.
    pub(crate) fn hook_at(&mut self, addrs: impl IntoIterator<Item = u64>, hook: impl Hook + 'static) {
        self.hook_or_instead(addrs, Arc::new(hook), None);
    }

    /// The same; `instead` is asked while the users' hooks are shut.
    pub(crate) fn hook_or_instead(
        &mut self,
        addrs: impl IntoIterator<Item = u64>,
        hook: Arc<dyn Hook>,
        instead: Option<Arc<dyn Hook>>,
    ) {
        let own = Arc::new(Gated { hook, instead, gate: self.gate.clone() });
        for addr in addrs {
            let hook: Arc<dyn Hook> = Arc::clone(&own) as _;
            self.hooks.add(addr, Arc::clone(&hook));
            self.own_hooks.push((addr, Arc::clone(&own)));
            if let Some(real) = &mut self.real {
                real.hooks.add(addr, hook);
                real.set_stops();
            }
        }
        self.set_stops();
    }

    /// Puts a hook on an address for good: the program is as the user has changed it, in every call.
    pub(crate) fn add_change(&mut self, addr: u64, hook: impl Hook + 'static) {
        self.hooks.add(addr, Arc::new(hook));
        self.set_stops();
    }

    /// What the user changes of the program.
    pub(crate) fn user_changes(&self) -> &Arc<Resolved> {
        &self.changes
    }

    /// An address of a range at which no hook stands, where there is one; they are `step` bytes apart.
    pub(crate) fn free_of_hooks(&self, range: Range<u64>, step: usize) -> Option<u64> {
        range.step_by(step).find(|addr| self.hooks.at(*addr).is_none())
    }

    /// Whether users' hooks are passed over.
    pub(crate) fn shut_hooks(&self, shut: bool) {
        self.gate.shut(shut);
    }

    /// Lets somebody watch from now on.
    pub fn observe(&mut self, observer: impl Observer + Send + 'static) {
        self.observers.add(Box::new(observer));
        self.mind_observers();
    }

    /// Sends all observers away.
    pub fn unobserve(&mut self) {
        self.observers.clear();
        self.of_observer = None;
        self.mind_observers();
    }

    /// Others watch than before: hooks that only tell of events are set, or passed over.
    pub(crate) fn mind_observers(&mut self) {
        let chooser = self.observers.chooser();
        if self.chooses || chooser.is_some() {
            self.chooses = chooser.is_some();
            self.engine.set_chooser(chooser);
        }
        let wanted = self.observers.want(Interest::EVENTS);
        let installs = wanted && self.booted.is_some() && !self.event_hooks;
        if installs {
            self.event_hooks = true;
            real::tell_events(&self.guest.image, &mut self.hooks);
        }
        if installs || wanted != self.events_wanted {
            self.events_wanted = wanted;
            self.set_stops();
        }
    }

    /// Where calls return to.
    pub(crate) fn return_addr(&self) -> u64 {
        self.return_addr
    }

    /// The addresses at which a session stops.
    pub(crate) fn breakpoints(&self) -> &HashSet<u64> {
        &self.breakpoints
    }

    /// Changes the addresses at which a session stops.
    pub(crate) fn set_breakpoints(&mut self, breakpoints: HashSet<u64>) {
        if self.breakpoints != breakpoints {
            self.breakpoints = breakpoints;
            self.set_stops();
        }
    }

    fn set_stops(&mut self) {
        let mut stops = self.hooks.stops(self.events_wanted);
        stops.insert(self.return_addr);
        stops.extend(&self.breakpoints);
        self.engine.set_stops(stops);
        self.set_allocators();
    }

    /// Goes back to the state that calls start from. Calls do this themselves.
    ///
    /// # Errors
    /// When the host refuses memory that the state had.
    #[inline]
    pub fn reset(&mut self) -> Result<(), Error> {
        if let Some(coverage) = &self.coverage {
            coverage.forget_place();
        }
        self.guest.restore(&self.start)?;
        self.carried = 0;
        self.os.reset();
        self.observers.phase(Phase::Restored);
        self.resets = self.resets.wrapping_add(1);
        Ok(())
    }

    /// Makes the present state the one that calls start from: package variables, the heap. The real runtime does not
    /// know of it, so that from now on hooks alone serve calls (unless this machine is the real one).
    pub fn keep(&mut self) {
        self.own_start = true;
        self.keep_state();
    }

    pub(crate) fn keep_state(&mut self) {
        self.guest.world.stdout.clear();
        self.guest.world.stderr.clear();
        self.guest.world.keep();
        self.os.keep();
        self.start = self.guest.rebase();
        self.observers.phase(Phase::Kept);
    }

    pub(crate) fn observers(&mut self) -> &mut Observers {
        &mut self.observers
    }

    pub(crate) fn cx(&mut self) -> HookContext<'_> {
        HookContext::of(&mut self.guest, &mut self.observers)
    }
}

//! A machine: one program in memory, one goroutine, one processor, and the answers to why it stopped.

mod boot;
mod config;
mod faults;
mod ground;
mod load;
mod packages;
mod process;
mod watch;

use std::cell::OnceCell;
use std::collections::HashSet;
use std::sync::Arc;

use goemu_loader::{Func, Image};

use crate::call::{self, Call};
use crate::cpu::{Cpu, gpr};
use crate::engine::Engine;
use crate::error::Error;
use crate::exit::{Exit, Fault};
use crate::function::Function;
use crate::go::goroutine::{Goroutine, TOP_BLOCK};
use crate::go::read::Reading;
use crate::go::world::World;
use crate::go::{helpers, names, runtime, started};
use crate::hook::{Action, Cx, Gate, Gated, Hook, Hooks, Refused};
use crate::imports;
use crate::interp::Interpreter;
use crate::memory::{Memory, Snapshot};
use crate::observe::{Event, Interest, Observer, Observers};
use crate::os::{self, Answer, NoOs, Os};
use crate::outcome::{Outcome, Runtime};
pub use boot::Booted;
pub use config::Config;
use ground::{Ground, Made};
use packages::Packages;
pub use process::Process;
use watch::WatchAll;

/// Where a call returns to in a program without `runtime.goexit`. Nothing is mapped there.
const NOWHERE: u64 = 0x7e_0000_0000;

/// What answering a hook and a system call takes, in instructions, whatever it does.
const HOOK: u64 = 10;
const SYSCALL: u64 = 40;

/// One program, ready for calls.
///
/// Every call starts from the same state, that of the new machine: what one call writes, the next does not
/// see. [`Machine::keep`] makes the present state the one to start from.
pub struct Machine {
    pub(crate) image: Arc<Image>,
    config: Config,
    pub(crate) memory: Memory,
    pub(crate) cpu: Cpu,
    pub(crate) goroutine: Goroutine,
    pub(crate) world: World,
    engine: Box<dyn Engine>,
    hooks: Hooks,
    /// Shuts the user's own.
    gate: Gate,
    /// Those among them that were put there from outside.
    own_hooks: Vec<(u64, Arc<dyn Hook>)>,
    observers: Observers,
    os: Box<dyn Os>,
    ground: &'static dyn Ground,
    /// The address that calls return to.
    pub(crate) home: u64,
    /// Whether the engine leaves at hooks that only tell observers.
    told: bool,
    start: Start,
    /// What the program did until `main.main`, if it was started.
    booted: Option<Booted>,
    packages: Packages,
    /// The function that was to use package variables before they have their values.
    early: Option<String>,
    /// The same program started, for what this machine cannot serve.
    real: Option<Box<Machine>>,
    /// Functions that were found to need that.
    real_only: HashSet<u64>,
    reading: Reading,
    /// Whether calls start from a state that the user made.
    own_start: bool,
    /// End of the call's stack, as observers were told of it.
    pub(crate) shown_stack: u64,
    /// The entry of Go's `sigpanic`, once a fault has asked for it.
    sigpanic: OnceCell<Option<u64>>,
}

/// What makes a machine hooked or real.
struct Parts {
    memory: Memory,
    cpu: Cpu,
    goroutine: Goroutine,
    world: World,
    hooks: Hooks,
    os: Box<dyn Os>,
    ground: &'static dyn Ground,
}

/// The state that calls start from.
struct Start {
    memory: Snapshot,
    cpu: Cpu,
    goroutine: Goroutine,
    world: World,
}

/// The address that calls return to.
fn home(image: &Image) -> u64 {
    names::goexit(image).map_or(NOWHERE, |func| func.entry() + 1)
}

/// A processor as it starts.
fn processor(config: &Config) -> Cpu {
    let mut cpu = Cpu::default();
    (cpu.level, cpu.entropy) = (config.cpu, config.seed);
    cpu
}

impl Machine {
    /// A machine with this program, and default limits.
    pub fn new(image: impl Into<Arc<Image>>) -> Result<Machine, Error> {
        Machine::with_config(image, Config::default())
    }

    /// A machine with this program.
    pub fn with_config(image: impl Into<Arc<Image>>, config: Config) -> Result<Machine, Error> {
        let image = image.into();
        config.process.check()?;
        if config.runtime == Some(Runtime::Real) {
            return Machine::boot(image, config);
        }
        let mut memory = Memory::new(config.max_memory)?;
        let mut cpu = processor(&config);
        load::map(&image, &mut memory)?;
        let goroutine = Goroutine::new(&image, &mut memory, &mut cpu, config.max_stack)?;
        // Where most calls put it: what is there already need not be restored after each.
        memory.poke(goroutine.stack_hi - TOP_BLOCK - 8, &home(&image).to_le_bytes())?;
        let mut world = World::new(memory.space(), &config.process);
        world.random_order = config.seed != Config::default().seed;
        world.prepare(&mut memory);
        let mut hooks = Hooks::default();
        runtime::install(&image, &mut hooks);
        if image.is_linked_here() {
            helpers::install(&image, &mut hooks);
        }
        let parts = Parts { memory, cpu, goroutine, world, hooks, os: Box::new(NoOs), ground: &Made };
        let mut machine = Machine::of(image, config, parts);
        machine.set_home();
        machine.bar_variables();
        Ok(machine)
    }

    fn of(image: Arc<Image>, config: Config, parts: Parts) -> Machine {
        let Parts { mut memory, cpu, goroutine, world, hooks, os, ground } = parts;
        let snapshot = memory.snapshot();
        let start =
            Start { memory: snapshot, cpu: cpu.clone(), goroutine: goroutine.clone(), world: world.clone() };
        Machine {
            image,
            config,
            memory,
            cpu,
            goroutine,
            world,
            engine: Box::new(Interpreter::new()),
            hooks,
            gate: Gate::default(),
            own_hooks: Vec::new(),
            observers: Observers::default(),
            os,
            ground,
            home: NOWHERE,
            told: false,
            start,
            booted: None,
            packages: Packages::default(),
            early: None,
            real: None,
            real_only: HashSet::new(),
            own_start: false,
            shown_stack: 0,
            reading: Reading::default(),
            sigpanic: OnceCell::new(),
        }
    }

    /// Calls return to where goroutines do, so that unwinders find the end of the stack there.
    fn set_home(&mut self) {
        self.home = home(&self.image);
        for world in [&mut self.world, &mut self.start.world] {
            (world.home, world.home_g) = (self.home, Some(self.goroutine.g));
        }
        self.set_stops();
    }

    /// The program.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
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
    pub fn reading(&self) -> Reading {
        self.reading
    }

    /// Changes what is made of the values of a call: limits, methods that are run for texts.
    pub fn set_reading(&mut self, reading: Reading) {
        self.reading = reading;
    }

    /// The guest's memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The processor.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// A call of a function: by its full name, by an end of it that no other function has (`f1` for
    /// `main.f1`), or by address (`0x45e1a0`).
    pub fn call(&mut self, func: &str) -> Result<Call<'_>, Error> {
        let image = Arc::clone(&self.image);
        let found = names::find(&image, func)?;
        Ok(Call::new(self, found.entry(), func))
    }

    /// A function to be called many times. Its signature, in Go syntax, is needed where the program has no debug
    /// information.
    pub fn function(&self, func: &str, signature: Option<&str>) -> Result<Function, Error> {
        let found = names::find(&self.image, func)?;
        let package = names::package(found.name());
        let given = signature.map(|text| call::signature(&self.image, text, package)).transpose()?;
        let signature = call::known_signature(&found, func, given)?;
        Function::new(&found, signature)?.with_dictionary(self, func)
    }

    /// The function that a name means, as [`Machine::call`] finds it.
    pub fn find(&self, func: &str) -> Result<Func<'_>, Error> {
        names::find(&self.image, func)
    }

    /// Puts a hook on a function, which is found as [`Machine::call`] finds it. Hooks that were there before are
    /// asked where this one lets the function run. See [`Machine::replace`] and [`Machine::watch`] for hooks that
    /// get arguments and results as values.
    pub fn hook(&mut self, func: &str, hook: impl Hook + 'static) -> Result<(), Error> {
        let entry = names::find(&self.image, func)?.entry();
        self.hook_at([entry], hook);
        Ok(())
    }

    /// Puts a hook on addresses where instructions begin.
    pub(crate) fn hook_at(&mut self, addrs: impl IntoIterator<Item = u64>, hook: impl Hook + 'static) {
        let hook: Arc<dyn Hook> = Arc::new(Gated { hook: Arc::new(hook), gate: self.gate.clone() });
        for addr in addrs {
            self.hooks.add(addr, Arc::clone(&hook));
            self.own_hooks.push((addr, Arc::clone(&hook)));
            if let Some(real) = &mut self.real {
                real.hooks.add(addr, Arc::clone(&hook));
                real.set_stops();
            }
        }
        self.set_stops();
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
        self.mind_observers();
    }

    /// Others watch than before: hooks that only tell of events are set, or passed over.
    pub(crate) fn mind_observers(&mut self) {
        let wanted = self.observers.want(Interest::EVENTS);
        if self.booted.is_some() && wanted != self.told {
            self.told = wanted;
            if wanted {
                started::tell_events(&self.image, &mut self.hooks);
            }
            self.set_stops();
        }
    }

    fn set_stops(&mut self) {
        let mut stops = self.hooks.stops(self.told);
        stops.insert(self.home);
        self.engine.set_stops(stops);
    }

    /// Goes back to the state that calls start from. Calls do this themselves.
    pub fn reset(&mut self) -> Result<(), Error> {
        self.memory.restore(self.start.memory)?;
        self.cpu.clone_from(&self.start.cpu);
        self.goroutine.clone_from(&self.start.goroutine);
        self.world.clone_from(&self.start.world);
        self.os.reset();
        Ok(())
    }

    /// Makes the present state the one that calls start from: package variables, the heap. The real runtime does not
    /// know of it, so that from now on hooks alone serve calls (unless this machine is the real one).
    pub fn keep(&mut self) {
        self.own_start = true;
        self.keep_state();
    }

    pub(crate) fn keep_state(&mut self) {
        self.world.stdout.clear();
        self.world.stderr.clear();
        self.os.keep();
        self.start = Start {
            memory: self.memory.rebase(),
            cpu: self.cpu.clone(),
            goroutine: self.goroutine.clone(),
            world: self.world.clone(),
        };
    }

    /// Runs until the call is over: `None` where it returned.
    pub(crate) fn run(&mut self, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        self.memory.forget_cost();
        loop {
            // The start and every return to the machine may be at a hook.
            if self.cpu.rip == self.home {
                if self.cx().is_of_call() {
                    return Ok(None);
                }
                if self.goroutine.stack.is_some() {
                    match self.answer_hook(&runtime::goroutines::ended)? {
                        Next::End(outcome) => return Ok(Some(outcome)),
                        Next::Run | Next::Again => continue,
                    }
                }
            }
            if let Some(hooks) = self.hooks.at(self.cpu.rip) {
                match self.answer_hooks(&hooks)? {
                    Next::Run => {}
                    Next::Again if self.memory.is_costly() && self.settle(fuel) => {
                        return Ok(Some(self.out_of_fuel()));
                    }
                    Next::Again => continue,
                    Next::End(outcome) => return Ok(Some(outcome)),
                }
            }
            if let Some(outcome) = self.step(fuel)? {
                return Ok(Some(outcome));
            }
        }
    }

    /// Runs the engine once and answers why it left. `Some` ends the call.
    fn step(&mut self, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        match self.run_slice(fuel) {
            Exit::Stopped => Ok(None),
            Exit::OutOfFuel if *fuel > 0 => self.turn(),
            Exit::OutOfFuel => Ok(Some(self.out_of_fuel())),
            Exit::Barred => Err(self.not_initialised()),
            Exit::Syscall => self.answer_syscall(),
            Exit::Fault(fault) if imports::is_call(&fault) => match self.answer_hook(&imports::call)? {
                Next::End(outcome) => Ok(Some(outcome)),
                Next::Run | Next::Again => Ok(None),
            },
            Exit::Fault(fault) => match self.undefined(fault) {
                Some(error) => Err(error),
                None => Ok(self.answer_fault(fault)),
            },
            Exit::Halt => {
                let pc = self.cpu.rip.wrapping_sub(1);
                Ok(self.answer_fault(Fault { pc, kind: crate::exit::FaultKind::Protection }))
            }
        }
    }

    /// Takes what hooks and system calls have cost; whether that was all the fuel.
    fn settle(&self, fuel: &mut i64) -> bool {
        *fuel = fuel.saturating_sub(self.memory.take_cost());
        *fuel <= 0
    }

    fn out_of_fuel(&mut self) -> Outcome {
        let (ground, limit) = (self.ground, self.config.fuel);
        ground.ended(&mut self.cx(), Outcome::OutOfFuel { limit })
    }

    /// Runs the engine until the system wants to be asked, at most.
    fn run_slice(&mut self, fuel: &mut i64) -> Exit {
        self.settle(fuel);
        let slice = self.with_os(|os, cx| os.slice(cx)).min(*fuel);
        let mut left = slice;
        let exit = self.run_engine(&mut left);
        let ran = slice.saturating_sub(left);
        *fuel = fuel.saturating_sub(ran);
        self.settle(fuel);
        self.with_os(|os, cx| os.ran(cx, ran));
        self.follow();
        exit
    }

    /// Another thread or goroutine of the program may go on.
    fn turn(&mut self) -> Result<Option<Outcome>, Error> {
        let turned = self.with_os(|os, cx| os.turn(cx));
        self.follow();
        match turned {
            Ok(Action::End(outcome)) => Ok(Some(outcome)),
            Ok(_) => Ok(None),
            Err(refused) => match self.refused(refused)? {
                Next::End(outcome) => Ok(Some(outcome)),
                Next::Run | Next::Again => Ok(None),
            },
        }
    }

    /// Looks which goroutine runs.
    fn follow(&mut self) {
        let Machine { image, cpu, memory, goroutine, os, .. } = self;
        if let Some(g) = os.g(cpu, memory) {
            goroutine.follow(image, memory, g);
        }
    }

    fn with_os<T>(&mut self, act: impl FnOnce(&mut dyn Os, &mut Cx<'_>) -> T) -> T {
        let Machine { image, cpu, memory, goroutine, world, observers, os, .. } = self;
        act(&mut **os, &mut Cx { image, cpu, memory, goroutine, world, observers })
    }

    fn run_engine(&mut self, fuel: &mut i64) -> Exit {
        if self.observers.want(Interest::INSTRUCTIONS | Interest::BLOCKS) {
            let g = self.world.home_g.unwrap_or(self.goroutine.g);
            let (image, os, observers) = (&*self.image, &*self.os, &mut self.observers);
            let follows = os.g(&self.cpu, &self.memory).is_some();
            let stack_hi = self.shown_stack;
            let mut watch = WatchAll { image, os, g, follows, stack_hi, shown: true, observers };
            let exit = self.engine.run_watched(&mut self.cpu, &mut self.memory, fuel, &mut watch);
            self.shown_stack = watch.stack_hi;
            return exit;
        }
        self.engine.run(&mut self.cpu, &mut self.memory, fuel)
    }

    fn answer_hooks(&mut self, hooks: &[Arc<dyn Hook>]) -> Result<Next, Error> {
        for hook in hooks {
            match self.answer_hook(&**hook)? {
                Next::Run => {}
                next => return Ok(next),
            }
        }
        Ok(Next::Run)
    }

    fn answer_hook(&mut self, hook: &dyn Hook) -> Result<Next, Error> {
        let answer = hook.call(&mut self.cx());
        // Who only watches costs no fuel: the call ends as it does unwatched.
        if !matches!(answer, Ok(Action::Run)) {
            self.memory.charge(HOOK);
        }
        match answer {
            Ok(Action::Run) => Ok(Next::Run),
            Ok(Action::Resume) => Ok(Next::Again),
            Ok(Action::End(outcome)) => Ok(Next::End(outcome)),
            Ok(Action::Return) => Ok(self.ret()),
            Err(refused) => self.refused(refused),
        }
    }

    /// Returns from a function that a hook has carried out.
    fn ret(&mut self) -> Next {
        let sp = self.cpu.gpr(gpr::RSP);
        match self.memory.read(sp) {
            Ok(address) => {
                self.cpu.rip = u64::from_le_bytes(address);
                self.cpu.set_gpr(gpr::RSP, sp.wrapping_add(8));
                Next::Again
            }
            Err(fault) => self.faulted(fault),
        }
    }

    fn refused(&mut self, refused: Refused) -> Result<Next, Error> {
        match refused {
            Refused::Error(error) => {
                if let Error::Uninitialised { func } = &error {
                    self.early = Some(func.clone());
                }
                Err(error)
            }
            Refused::Fault(fault) => Ok(self.faulted(fault)),
        }
    }

    /// What a hook did in the guest's name, the guest's memory did not allow.
    fn faulted(&mut self, fault: crate::memory::MemFault) -> Next {
        let fault = Fault { pc: self.cpu.rip, kind: crate::exit::FaultKind::Memory(fault) };
        self.answer_fault(fault).map_or(Next::Again, Next::End)
    }

    fn answer_syscall(&mut self) -> Result<Option<Outcome>, Error> {
        let number = self.cpu.gpr(gpr::RAX);
        self.memory.charge(SYSCALL);
        let Machine { image, cpu, memory, goroutine, world, observers, os, ground, .. } = self;
        let mut cx = Cx { image, cpu, memory, goroutine, world, observers };
        match os.syscall(&mut cx) {
            Ok(Answer::Return(result)) => {
                // Those of other threads are not the call's.
                if os.g(cx.cpu, cx.memory).is_none_or(|g| cx.world.home_g == Some(g)) {
                    cx.emit(|_| Event::Syscall { number, result });
                }
                os::set_result(cx.image.target().os, cx.cpu, result);
                // The kernel clobbers RCX and R11.
                cx.cpu.set_gpr(gpr::RCX, cx.cpu.rip);
                cx.cpu.set_gpr(gpr::R11, cx.cpu.rflags());
                Ok(None)
            }
            Ok(Answer::Resume) => {
                self.follow();
                Ok(None)
            }
            Ok(Answer::End(outcome)) => Ok(Some(ground.ended(&mut cx, outcome))),
            Err(refused) => match self.refused(refused)? {
                Next::End(outcome) => Ok(Some(outcome)),
                Next::Run | Next::Again => Ok(None),
            },
        }
    }

    pub(crate) fn observers(&mut self) -> &mut Observers {
        &mut self.observers
    }

    pub(crate) fn cx(&mut self) -> Cx<'_> {
        let Machine { image, cpu, memory, goroutine, world, observers, .. } = self;
        Cx { image, cpu, memory, goroutine, world, observers }
    }
}

/// What the machine does after a hook.
enum Next {
    /// Runs from here, though there is a hook.
    Run,
    /// Looks at RIP again.
    Again,
    /// The call is over.
    End(Outcome),
}

//! What a program has run before `main.main`: the runtime's start, as far as calls need it, and the initialisation
//! of its packages. Carried out on the machine's goroutine; no scheduler is started.
//!
//! Go 1.13 and later keep a task for each package: a state and the functions to call. Up to 1.20 a task names
//! those it depends on (`runtime.doInit`); since 1.21 the linker has put them in order (`runtime.doInit1`,
//! `cmd/link/internal/ld/inittask.go`). Before 1.13 `main.init` does all.

mod tasks;

use std::sync::Arc;

use goemu_loader::{Func, Image, Os};

use crate::call::function::Function;
use crate::error::Error;
use crate::go::cgo;
use crate::go::names::called;
use crate::go::signature;
use crate::go::start::{self, Start};
use crate::go::value::Value;
use crate::guest::goroutine::min_stack;
use crate::guest::state::Guest;
use crate::machine::{Initialised, Machine};
use crate::memory::{MemoryError, PAGE};
use crate::outcome::Outcome;
use tasks::{Task, Tasks};

/// Functions that give the size of a page.
const PAGE_SIZE_GIVEN: [&str; 2] = ["syscall.runtime_getpagesize", "syscall.Getpagesize"];
/// Of the auxiliary vector AT_PAGESZ alone, without which the runtime would look for files that tell it.
const AUXV: [u64; 4] = [6, 4096, 0, 0];

impl Machine {
    /// Runs what a started program has run before `main.main`, and makes that the state that calls start from:
    /// the processor's features are known ([`Config::cpu`](crate::Config) says which), package variables have their
    /// values. A second time does nothing.
    ///
    /// # Errors
    /// [`Error::Initialisation`] where a package's initialisation does not return: the first. Calls then start from a
    /// state in which the others are initialised, as far as they do without it.
    pub fn initialise(&mut self) -> Result<Initialised, Error> {
        let fuel = i64::try_from(self.config().fuel).unwrap_or(i64::MAX);
        self.in_time(|machine| machine.initialise_with(fuel))
    }

    /// As [`Machine::initialise`], with so many instructions.
    pub(crate) fn initialise_with(&mut self, fuel: i64) -> Result<Initialised, Error> {
        if self.is_initialised() {
            return Ok(Initialised::default());
        }
        self.unbar_variables();
        self.shut_hooks(true);
        self.set_starting(true);
        let done = self.run_tasks(fuel);
        self.set_starting(false);
        self.shut_hooks(false);
        match &done {
            Ok(done) => self.initialised(done),
            Err(_) => self.bar_variables(),
        }
        done
    }

    fn run_tasks(&mut self, fuel: i64) -> Result<Initialised, Error> {
        self.reset()?;
        let image = Arc::clone(self.image());
        let tasks = Tasks::of(&image, &self.guest.memory)?;
        let start = Start::of(&image);
        let mut init = Init { machine: self, image: &image, start, fuel, done: Initialised::default() };
        // Of a process that was dumped the runtime has started, and is not set back.
        if image.is_dump() && tasks.started {
            init.know_processor()?;
        } else {
            init.start_runtime()?;
        }
        init.run_runtime(&tasks.runtime)?;
        let ran = init.run_packages(&tasks.packages);
        let mut done = init.done;
        done.instructions = fuel.saturating_sub(init.fuel).max(0) as u64;
        if ran.is_err() {
            // What the last package began is undone.
            self.reset()?;
        }
        // Calls begin on a new stack, however far initialisation has grown it.
        let Guest { image, memory, goroutine, .. } = &mut self.guest;
        goroutine.set_stack(image, memory, min_stack(image))?;
        done.stdout = std::mem::take(&mut self.guest.world.stdout);
        done.stderr = std::mem::take(&mut self.guest.world.stderr);
        self.set_variables()?;
        self.keep_state();
        ran.map(|()| done)
    }
}

struct Init<'m> {
    machine: &'m mut Machine,
    image: &'m Image,
    start: Start,
    fuel: i64,
    done: Initialised,
}

impl Init<'_> {
    /// The parts of `rt0_go` and `schedinit` that need nothing of the operating system, where they are functions of
    /// their own: arguments and environment, the processor's features, the number of processors, the list of modules, the settings of GODEBUG.
    fn start_runtime(&mut self) -> Result<(), Error> {
        let argv = self.argv()?;
        let args = [Value::from(self.machine.guest.world.process.argc() as i64), Value::from(argv)];
        self.run_named("runtime.args", "func(c int32, v uintptr)", &args)?;
        self.know_processor()?;
        // Elsewhere it asks libraries for what only a started program has.
        if self.image.target().os != Os::Linux || !self.run_named("runtime.osinit", "func()", &[])? {
            self.count_processors()?;
            self.size_pages()?;
        }
        // Reflection looks for types in the list of modules.
        for name in [
            "runtime.modulesinit",
            "runtime.goargs",
            "runtime.goenvs",
            "runtime.goenvs_unix",
            "runtime.parsedebugvars",
        ] {
            self.run_named(name, "func()", &[])?;
        }
        // What parsedebugvars is since Go 1.26.
        if self.run_named("runtime.parseRuntimeDebugVars", "func(godebug string)", &[self.settings()])? {
            self.run_named("runtime.finishDebugVarsSetup", "func()", &[])?;
        }
        // The collector's settings, GOGC among them.
        self.run_named("runtime.gcinit", "func()", &[])?;
        self.profile_memory()
    }

    /// `runtime.MemProfileRate` is 0 where the linker saw that nobody asks for a profile.
    fn profile_memory(&mut self) -> Result<(), Error> {
        let Some([unused, rate]) = start::memory_profile(self.image) else { return Ok(()) };
        let memory = &mut self.machine.guest.memory;
        if memory.read::<1>(unused).is_ok_and(|[unused]| unused == 1) {
            memory.poke(rate, &0_u64.to_le_bytes())?;
        }
        Ok(())
    }

    /// What the processor can do that is emulated here: another one than that of a process that was dumped.
    fn know_processor(&mut self) -> Result<(), Error> {
        // Up to Go 1.20 it finds GODEBUG by itself.
        let takes_env = self.image.facts().rules().cpu_is_given_settings();
        let (signature, args) =
            if takes_env { ("func(env string)", vec![self.settings()]) } else { ("func()", vec![]) };
        if !self.run_named("runtime.cpuinit", signature, &args)? {
            self.run_named("internal/cpu.Initialize", "func(env string)", &[self.settings()])?;
            self.copy_features()?;
        }
        Ok(())
    }

    /// GODEBUG.
    fn settings(&self) -> Value {
        Value::from(self.machine.guest.world.process.variable("GODEBUG").unwrap_or_default())
    }

    /// The program's arguments in guest memory, as the kernel leaves them on the stack.
    fn argv(&mut self) -> Result<u64, Error> {
        let mac = self.image.target().os == Os::Darwin;
        // macOS has texts instead of the vector, the first of them the program's path.
        let more = |name| if mac { [name, 0, 0, 0] } else { AUXV };
        let process = Arc::clone(&self.machine.guest.world.process);
        let Guest { memory, world, .. } = &mut self.machine.guest;
        let size = process.block(0, more).len() as u64;
        let argv = world.alloc(memory, size).map_err(|_| MemoryError::Limit { limit: memory.limit() })?;
        memory.poke(argv, &process.block(argv, more))?;
        Ok(argv)
    }

    /// The runtime's own copies of what compiled code asks, where `cpuinit` is part of `schedinit` (Go 1.22 and later).
    fn copy_features(&mut self) -> Result<(), Error> {
        let memory = &mut self.machine.guest.memory;
        for (from, to) in &self.start.features {
            if let Ok(feature) = memory.read::<1>(*from) {
                memory.poke(*to, &feature)?;
            }
        }
        Ok(())
    }

    /// `runtime.ncpu`, which `osinit` has from the system.
    fn count_processors(&mut self) -> Result<(), Error> {
        let named = self.image.symbol("runtime.ncpu").or(self.image.symbol("runtime.numCPUStartup"));
        match named.map(|symbol| symbol.addr).or(self.start.processors) {
            Some(at) => Ok(self.machine.guest.memory.poke(at, &1_u32.to_le_bytes())?),
            None => Ok(()),
        }
    }

    /// `runtime.physPageSize`, likewise; where a stripped program has it, the function says that gives it.
    fn size_pages(&mut self) -> Result<(), Error> {
        let named = self.image.symbol("runtime.physPageSize").map(|symbol| symbol.addr);
        let read =
            || PAGE_SIZE_GIVEN.iter().find_map(|name| cgo::read_by(self.image, name, 8).first().copied());
        match named.or_else(read).or(self.start.page_size) {
            Some(at) => Ok(self.machine.guest.memory.poke(at, &PAGE.to_le_bytes())?),
            None => Ok(()),
        }
    }

    /// Runs a function of the runtime, if the program has it. What does not return is undone.
    fn run_named(&mut self, name: &str, signature: &str, args: &[Value]) -> Result<bool, Error> {
        let found = || self.image.func_at(self.start.function(name)?);
        let Some(func) = named(self.image, name).or_else(found) else { return Ok(false) };
        self.try_run(&func, signature, args)
    }

    /// The runtime's own packages. Some of their functions start goroutines, or need the collector: calls here do
    /// without.
    fn run_runtime(&mut self, tasks: &[Task]) -> Result<(), Error> {
        for task in tasks {
            for &entry in &task.functions {
                let func = self.image.func_at(entry).ok_or(Error::NoFunctionAt(entry))?;
                self.try_run(&func, "func()", &[])?;
            }
            self.mark(task, self.image.facts().numbers.init_done)?;
            self.machine.keep_state();
        }
        Ok(())
    }

    /// All packages in their order. One that fails is left as it was, and those that come after it have their turn: few
    /// of them need it.
    fn run_packages(&mut self, tasks: &[Task]) -> Result<(), Error> {
        let mut failed = Vec::new();
        for task in tasks {
            if self.is_done(task) {
                continue;
            }
            match self.run_package(task) {
                Ok(()) => self.machine.keep_state(),
                Err(Error::Initialisation { func, why, .. }) => {
                    failed.push((func, why));
                    if self.fuel <= 0 {
                        break;
                    }
                    self.machine.reset()?;
                }
                Err(error) if failed.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let (func, why) = failed.remove(0);
        Err(Error::Initialisation { func, why, others: failed })
    }

    fn run_package(&mut self, task: &Task) -> Result<(), Error> {
        self.mark(task, self.image.facts().numbers.init_running)?;
        for &entry in &task.functions {
            let func = self.image.func_at(entry).ok_or(Error::NoFunctionAt(entry))?;
            self.run(&func, "func()", &[])?;
        }
        self.mark(task, self.image.facts().numbers.init_done)
    }

    /// Whether an earlier attempt, which did not get to the end, has come past it.
    fn is_done(&self, task: &Task) -> bool {
        let mut state = [0; 4];
        let known = task.state.filter(|&at| self.machine.guest.memory.read_bytes(at, &mut state).is_ok());
        known.is_some() && u64::from(u32::from_le_bytes(state)) == self.image.facts().numbers.init_done
    }

    fn mark(&mut self, task: &Task, state: u64) -> Result<(), Error> {
        match task.state {
            Some(at) => Ok(self.machine.guest.memory.poke(at, &(state as u32).to_le_bytes())?),
            None => Ok(()),
        }
    }

    /// Runs a function; goes back to the state before it, and notes that, if it does not return.
    fn try_run(&mut self, func: &Func<'_>, signature: &str, args: &[Value]) -> Result<bool, Error> {
        match self.run(func, signature, args) {
            Ok(()) => {
                self.machine.keep_state();
                Ok(true)
            }
            Err(Error::Initialisation { .. }) => {
                self.machine.reset()?;
                self.done.skipped.push(called(func));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn run(&mut self, func: &Func<'_>, signature: &str, args: &[Value]) -> Result<(), Error> {
        let signature = signature::parse(self.machine.image(), signature, "")?;
        let function = Function::new(func, Some(signature))?;
        let failed = |why: String| Error::Initialisation { func: called(func), why, others: Vec::new() };
        let ended = function
            .proceed(self.machine, args, &mut self.fuel)
            .map_err(|error| failed(error.to_string()))?;
        match ended {
            Outcome::Returned(_) => {
                self.done.functions += 1;
                Ok(())
            }
            outcome => Err(failed(outcome.to_string())),
        }
    }
}

/// The function of this name that is not a wrapper between calling conventions.
fn named<'i>(image: &'i Image, name: &str) -> Option<Func<'i>> {
    let funcs = image.funcs_named(name);
    funcs.iter().find(|func| func.func_id() != goemu_loader::FuncId::Wrapper).or(funcs.first()).copied()
}

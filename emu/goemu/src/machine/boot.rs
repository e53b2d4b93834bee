//! Starting a program: its own runtime runs on the emulated processor until `main.main` is about to be called.
//!
//! By then packages are initialised and the scheduler works; that state is kept, and calls are made from it, on the
//! main goroutine. The operating system is [`Linux`].

use std::ops::Range;
use std::sync::Arc;

use goemu_loader::{Image, Os};

use super::call_goroutine::StartedMain;
use super::stopping::Stopping;
use super::{Config, Machine, Parts, Process, load, processor};
use crate::changes::Resolved;
use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::go::cgo::{self, Variable};
use crate::go::{names, tls};
use crate::guest::address_map::STACK_END;
use crate::guest::goroutine::Goroutine;
use crate::guest::state::Guest;
use crate::guest::tracked::Tracked;
use crate::guest::world::World;
use crate::hook::Hooks;
use crate::memory::{Contents, Memory, MemoryError, PAGE, Perm};
use crate::os::Prepared;
use crate::os::imports;
use crate::os::linux::Linux;
use crate::outcome::{Outcome, Report, Runtime};
use crate::runtime::install;

/// What a program did until `main.main` was to be called.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Booted {
    /// Instructions that were executed.
    pub instructions: u64,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
    /// How it ended, if it did.
    pub ended: Option<Outcome>,
    /// What a schedule needs to know, in a machine for whole programs.
    pub(crate) prepared: Option<Prepared>,
}

/// Size of the first thread's stack. Go assumes 64 KiB at least.
const STACK: u64 = 1 << 20;
/// Bytes of memory with which every program can be started: up to Go 1.17 the runtime takes 64 MiB at once.
const ROOM: u64 = 128 << 20;
/// Auxiliary vector: what the numbers of its entries are.
const AT_PAGESZ: u64 = 6;
const AT_RANDOM: u64 = 25;

impl Machine {
    /// A machine whose program was started, up to the call of `main.main`.
    pub(super) fn boot(image: Arc<Image>, config: Config) -> Result<Machine, Error> {
        Machine::boot_until(image, config, Stopping::default())
    }

    /// The same, unless it is interrupted.
    fn boot_until(image: Arc<Image>, config: Config, stopping: Stopping) -> Result<Machine, Error> {
        let entry = entry(&image)?;
        let main = program_main(&image)?;
        let parts = process(&image, &config, entry)?;
        let mut machine = Machine::of(config, parts)?;
        if !machine.changes.is_empty() {
            machine.make_changes(false)?;
        }
        if machine.changes.skips_all {
            let why = "its own runtime cannot go without: name the packages that it is to skip";
            return Err(Error::Change { change: "skip-init".to_owned(), why: why.to_owned() });
        }
        machine.stopping = stopping;
        machine.in_time(|machine| machine.start_program(main)).map_err(|error| match error {
            // It needs what is not here.
            Error::Unsupported { .. } => Error::Boot { why: error.to_string() },
            error => error,
        })?;
        match machine.booted.as_ref().and_then(|booted| booted.ended.as_ref()) {
            Some(ended @ (Outcome::Interrupted | Outcome::OutOfTime)) => {
                Err(Error::Boot { why: ended.to_string() })
            }
            _ => Ok(machine),
        }
    }

    /// Runs up to `main.main`, and makes that the state that calls start from.
    fn start_program(&mut self, main: u64) -> Result<(), Error> {
        let limit = i64::try_from(self.config.fuel).unwrap_or(i64::MAX);
        let mut fuel = limit;
        self.return_addr = main;
        self.set_stops();
        self.set_starting(true);
        let ended = self.run(&mut fuel)?;
        let instructions = limit.saturating_sub(fuel) as u64;
        let stdout = std::mem::take(&mut self.guest.world.stdout);
        let stderr = std::mem::take(&mut self.guest.world.stderr);
        self.set_starting(false);
        if ended.is_none() {
            self.set_variables()?;
        }
        self.booted = Some(Booted { instructions, stdout, stderr, ended, prepared: None });
        self.keep_state();
        self.set_home();
        Ok(())
    }

    /// Runs to an address, with fuel of its own. An error says what came in between.
    pub(super) fn run_to(&mut self, address: u64) -> Result<(), String> {
        let mut fuel = i64::try_from(self.config.fuel).unwrap_or(i64::MAX);
        let return_addr = std::mem::replace(&mut self.return_addr, address);
        self.set_stops();
        let ended = self.run(&mut fuel);
        self.return_addr = return_addr;
        self.set_stops();
        match ended {
            Ok(None) => Ok(()),
            Ok(Some(outcome)) => Err(outcome.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// What the program did until `main.main`, where it was started.
    pub fn booted(&self) -> Option<&Booted> {
        self.booted.as_ref()
    }

    /// Makes a call here, or where that needs it, in the same program started.
    pub(crate) fn call_with_fallback(
        &mut self,
        func: u64,
        call: &dyn Fn(&mut Machine) -> Result<Report, Error>,
    ) -> Result<Report, Error> {
        self.in_time(|machine| machine.serve_in_time(func, call))
    }

    #[inline]
    fn serve_in_time(
        &mut self,
        func: u64,
        call: &dyn Fn(&mut Machine) -> Result<Report, Error>,
    ) -> Result<Report, Error> {
        if let Some(booted) = &self.booted {
            return match &booted.ended {
                Some(outcome) => self.never_began(func, outcome.clone()),
                None => {
                    let mut served = call(self);
                    self.prepend_startup_output(func, &mut served);
                    served
                }
            };
        }
        if !self.may_fall_back() {
            return self.hooked(func, call);
        }
        if self.real_only.contains(&func) {
            return self.in_real(|real| real.call_with_fallback(func, call));
        }
        let hooked = self.hooked(func, call);
        if !needs_more(&hooked) || !can_start(&self.guest.image) {
            return hooked;
        }
        let hooked = match hooked {
            Ok(report) => return self.in_real_if_doubted(func, report, call),
            Err(error) => error,
        };
        match self.in_real(|real| real.call_with_fallback(func, call)) {
            Err(Error::Boot { .. }) if matches!(hooked, Error::Uninitialised { .. }) => {
                self.unbar_variables();
                self.hooked(func, call)
            }
            Err(real @ Error::Boot { .. }) => {
                Err(Error::Neither { hooked: Box::new(hooked), real: Box::new(real) })
            }
            served => {
                self.real_only.insert(func);
                served
            }
        }
    }

    /// Makes a call again in the same program started, whose answer is the program's own. Where that has none, the first one
    /// stays, and says what is to doubt.
    fn in_real_if_doubted(
        &mut self,
        func: u64,
        doubted: Report,
        call: &dyn Fn(&mut Machine) -> Result<Report, Error>,
    ) -> Result<Report, Error> {
        match self.in_real(|real| real.call_with_fallback(func, call)) {
            Ok(report) if !matches!(report.outcome, Outcome::OutOfFuel { .. } | Outcome::OutOfTime) => {
                self.real_only.insert(func);
                Ok(report)
            }
            _ => Ok(doubted),
        }
    }

    /// Finds out whether this machine serves a call itself, or the same program started does (`true`), and initialises
    /// packages if the call needs it. Where that is not known, the call is made once, unwatched: it is the same run.
    pub(crate) fn rehearse(
        &mut self,
        func: u64,
        call: &dyn Fn(&mut Machine) -> Result<Report, Error>,
    ) -> Result<bool, Error> {
        if let Some(booted) = &self.booted {
            let outcome = booted.ended.clone();
            return outcome.map_or(Ok(false), |outcome| {
                Err(Error::Boot { why: format!("it ends before main.main: {outcome}") })
            });
        }
        if !self.real_only.contains(&func) && (self.waits() || self.may_fall_back()) {
            let observers = std::mem::take(&mut self.observers);
            let tried = self.call_with_fallback(func, call);
            self.observers = observers;
            tried?;
        }
        Ok(self.real_only.contains(&func))
    }

    /// Whether no observer or hook watches a call of this function, and it has not been found to need more than hooks.
    #[inline]
    pub(crate) fn is_plain(&self, func: u64) -> bool {
        let nobody = self.observers.is_empty() && self.own_hooks.is_empty() && !self.changes.has_registers();
        nobody && self.booted.is_none() && !self.real_only.contains(&func)
    }

    /// Makes a [plain](Machine::is_plain) call. `None` where it does not return: the long way tells why, or makes it
    /// return.
    pub(crate) fn serve_plain<T>(&mut self, call: impl FnOnce(&mut Machine) -> Option<T>) -> Option<T> {
        let saved = self.save_counts();
        let served = self.in_time(call).filter(|_| self.guest.world.doubt.is_none());
        self.early = None;
        if served.is_none() {
            self.restore_counts(saved);
        }
        served
    }

    /// Whether calls that hooks cannot serve go to the same program started.
    fn may_fall_back(&self) -> bool {
        self.config.runtime.is_none() && !self.own_start
    }

    /// A hooked call. Where it uses package variables, packages are initialised, and it is made again.
    #[inline]
    fn hooked(
        &mut self,
        func: u64,
        call: &dyn Fn(&mut Machine) -> Result<Report, Error>,
    ) -> Result<Report, Error> {
        let mut served = self.try_hooked(call);
        if let Some(func) = self.early.take() {
            served = if self.ensure_initialised()? {
                self.try_hooked(call)
            } else {
                Err(Error::Uninitialised { func })
            };
        }
        self.prepend_startup_output(func, &mut served);
        served
    }

    /// A hooked call. Observers must see one call only, and users' hooks be asked once, so where this one may end
    /// in nothing they are asked when it is made again. Without them it is the same run, but for what users' hooks
    /// replace. That costs a run: nothing may where packages are initialised and nothing but hooks is to serve.
    #[inline]
    fn try_hooked(&mut self, call: &dyn Fn(&mut Machine) -> Result<Report, Error>) -> Result<Report, Error> {
        let may_end_in_nothing = self.waits() || self.may_fall_back();
        let asked = !self.observers.is_empty() || !self.own_hooks.is_empty();
        if !asked || !may_end_in_nothing {
            let saved = self.save_counts();
            let tried = call(self);
            if self.ends_in_nothing(&tried) {
                self.restore_counts(saved);
            }
            return tried;
        }
        let observers = std::mem::take(&mut self.observers);
        self.shut_hooks(true);
        let tried = call(self);
        self.shut_hooks(false);
        self.observers = observers;
        if self.ends_in_nothing(&tried) { tried } else { call(self) }
    }

    /// Whether a hooked call will be made again in another way.
    fn ends_in_nothing(&self, tried: &Result<Report, Error>) -> bool {
        let needs_more = matches!(tried, Err(Error::Unsupported { .. }));
        let doubted = tried.as_ref().is_ok_and(|report| report.doubt.is_some());
        self.early.is_some()
            || ((needs_more || doubted) && self.may_fall_back() && can_start(&self.guest.image))
    }

    /// Does something in the same program started; observers and fuel go along.
    fn in_real<T>(&mut self, act: impl FnOnce(&mut Machine) -> Result<T, Error>) -> Result<T, Error> {
        let mut real = self.lend_to_real()?;
        let done = act(&mut real);
        self.take_back(real);
        done
    }

    /// The same program started, with this machine's fuel and observers, until it is given
    /// [back](Machine::take_back).
    pub(crate) fn lend_to_real(&mut self) -> Result<Box<Machine>, Error> {
        let mut real = match self.real.take() {
            Some(real) => real,
            None if self.unstartable.is_some() => {
                return Err(Error::Boot { why: self.unstartable.clone().unwrap_or_default() });
            }
            None => {
                let config = Config { runtime: Some(Runtime::Real), ..self.config.clone() };
                let image = Arc::clone(&self.guest.image);
                let booted = self
                    .off_the_clock(|machine| Machine::boot_until(image, config, machine.stopping.clone()));
                if let (Err(Error::Boot { why }), false) = (&booted, self.must_end()) {
                    self.unstartable = Some(why.clone());
                }
                let mut real = booted?;
                let own = self.own_hooks.iter();
                own.for_each(|(addr, hook)| real.hooks.add(*addr, Arc::clone(hook) as _));
                real.set_stops();
                if let Some(make) = &self.make_engine {
                    real.use_engine(Arc::clone(make));
                }
                Box::new(real)
            }
        };
        real.config.fuel = self.config.fuel;
        real.stopping = self.stopping.clone();
        real.reading = self.reading;
        self.share_coverage(&mut real);
        std::mem::swap(&mut self.observers, &mut real.observers);
        real.mind_observers();
        Ok(real)
    }

    /// Keeps the program started for further calls, and takes the observers back from it.
    pub(crate) fn take_back(&mut self, mut real: Box<Machine>) {
        std::mem::swap(&mut self.observers, &mut real.observers);
        self.real = Some(real);
    }

    /// The report of a program that ended before `main.main`: the outcome of that function, and of no other.
    fn never_began(&self, func: u64, outcome: Outcome) -> Result<Report, Error> {
        let main = names::find(&self.guest.image, "main.main")?.entry();
        if func != main {
            let room = self.config.max_memory < ROOM;
            let advice = if room {
                format!("; it may need up to {} MiB of memory", ROOM >> 20)
            } else {
                String::new()
            };
            return Err(Error::Boot { why: format!("it ends before main.main: {outcome}{advice}") });
        }
        let mut served = Ok(Report {
            outcome,
            runtime: Runtime::Real,
            uninitialised: None,
            doubt: None,
            instructions: 0,
            arguments: Vec::new(),
            stdout: Vec::new(),
            stderr: Vec::new(),
        });
        self.prepend_startup_output(func, &mut served);
        served
    }

    /// A call of `main.main` is the whole program: what it has printed as it started is part of it.
    pub(crate) fn prepend_startup_output(&self, func: u64, served: &mut Result<Report, Error>) {
        let booted = self.booted.as_ref().map(|booted| (&booted.stdout, &booted.stderr));
        let Some((stdout, stderr)) = booted.or(self.packages.printed()) else { return };
        let Ok(report) = served else { return };
        // Names are not looked at for nothing.
        let printed = !stdout.is_empty() || !stderr.is_empty();
        if printed && names::find(&self.guest.image, "main.main").is_ok_and(|main| main.entry() == func) {
            report.stdout.splice(0..0, stdout.iter().copied());
            report.stderr.splice(0..0, stderr.iter().copied());
        }
    }
}

/// Whether a call is to be made in the same program started: hooks could not serve it, or its answer may be theirs.
fn needs_more(hooked: &Result<Report, Error>) -> bool {
    match hooked {
        Ok(report) => report.doubt.is_some(),
        Err(error) => matches!(error, Error::Unsupported { .. } | Error::Uninitialised { .. }),
    }
}

/// The parts of a machine with a program that is about to begin.
pub(super) fn process(image: &Arc<Image>, config: &Config, entry: Entry) -> Result<Parts, Error> {
    let mut memory = Memory::new(config.max_memory)?;
    load::map(image, &mut memory)?;
    let changes = Arc::new(Resolved::of(&config.changes, image)?);
    changes.write(&mut memory)?;
    let mut cpu = processor(config);
    let leaves_c_out = cgo::is_used(image) && !matches!(entry, Entry::C(_));
    let c_blocks = leaves_c_out && tls::is_among_cs(image);
    let mut world = World::beside(memory.space(), &config.process);
    if leaves_c_out {
        leave_c_out(image, &mut memory, &mut world, c_blocks)?;
    }
    let stack = first_stack(&mut memory, &mut cpu, &config.process)?;
    enter(&mut cpu, entry, config.process.argc());
    if c_blocks {
        let block = world.alloc(&mut memory, tls::BLOCK).map_err(|_| out_of_memory(&memory))?;
        cpu.fs_base = tls::prepare(&mut memory, block)?;
    }
    world.output.left = config.max_output;
    let mut mapped = mapped(image, stack, &world);
    mapped.extend(changes.mapped());
    let os =
        Linux::new(memory.space(), &mapped, &config.files, config.processors, (tls::slot(image), c_blocks))?
            .with_faults(config.faults);
    let mut hooks = Hooks::default();
    install::started(image, &mut hooks);
    let goroutine = Goroutine::unknown(config.max_stack);
    let (goroutine, world) = (Tracked::new(goroutine), Tracked::new(world));
    let guest = Guest { image: Arc::clone(image), memory, cpu, goroutine, world };
    Ok(Parts { guest, hooks, os: Box::new(os), call_goroutine: &StartedMain, changes })
}

/// Whether there is something to start.
pub(super) fn can_start(image: &Image) -> bool {
    entry(image).is_ok()
}

/// Where a program begins, and with its arguments where.
#[derive(Clone, Copy)]
pub(super) enum Entry {
    /// As the kernel enters it: arguments on the stack.
    Kernel(u64),
    /// The same, at the C library that the file has: it starts Go, and makes its threads.
    C(u64),
    /// As C's `main`: their number and their address in RDI and RSI.
    Main(u64),
}

/// Where the program begins, if it is one that can be started.
pub(super) fn entry(image: &Image) -> Result<Entry, Error> {
    let no = |why: &str| Error::Boot { why: why.to_owned() };
    if image.target().os != Os::Linux {
        return Err(no("only programs for Linux can be"));
    }
    if image.is_dump() {
        return Err(no(
            "it is a dump of memory, whose variables are no longer those of a program that starts",
        ));
    }
    if !image.funcs_named("_rt0_amd64_linux_lib").is_empty() && image.plugin_path().is_none() {
        return Err(no("it is a library, which only the program that loads it starts"));
    }
    let function = |name: &str| image.funcs_named(name).first().map(goemu_loader::Func::entry);
    // Where another linker was used, the file's entry is that of the C library, which is not needed.
    let in_c = || image.imports().iter().any(|import| import.name == "__libc_start_main");
    match function("_rt0_amd64_linux") {
        Some(entry) => Ok(Entry::Kernel(entry)),
        // What the C library would call as `main`.
        None if in_c() => function("runtime.rt0_go")
            .map(Entry::Main)
            .ok_or_else(|| no("it begins in the system's C library")),
        None => {
            let begins =
                if cgo::is_used(image) && !has_go_at_entry(image) { Entry::C } else { Entry::Kernel };
            image.entry().map(begins).ok_or_else(|| no("it has no entry"))
        }
    }
}

/// Whether the entry is a function of Go's: those of C are unknown, or have no package.
fn has_go_at_entry(image: &Image) -> bool {
    let func = image.entry().and_then(|entry| image.func_at(entry));
    func.is_some_and(|func| func.name().starts_with("_rt0") || func.name().contains('.'))
}

fn out_of_memory(memory: &Memory) -> Error {
    MemoryError::Limit { limit: memory.limit() }.into()
}

/// Where `main.main` is.
fn program_main(image: &Image) -> Result<u64, Error> {
    let found = names::find(image, "main.main").map(|func| func.entry());
    found.map_err(|error| Error::Boot { why: error.to_string() })
}

/// Makes the runtime start without C. Where C's linker has placed `g`, something must still be called to set up the first
/// thread: a function that does nothing, since its block is there already.
fn leave_c_out(image: &Image, memory: &mut Memory, world: &mut World, c_blocks: bool) -> Result<(), Error> {
    let why = "it uses cgo, and where its runtime says so was not found";
    for variable in cgo::variables(image).ok_or_else(|| Error::Boot { why: why.to_owned() })? {
        match variable {
            Variable::Init(addr) if c_blocks => {
                memory.poke(addr, &imports::nothing(world).to_le_bytes())?;
            }
            Variable::Init(addr) | Variable::Function(addr) => memory.poke(addr, &[0; 8])?,
            Variable::IsCgo(addr) => memory.poke(addr, &[0])?,
        }
    }
    Ok(())
}

/// Points the processor, whose stack pointer is at the number of arguments, to the entry.
fn enter(cpu: &mut Cpu, entry: Entry, argc: u64) {
    cpu.rip = match entry {
        Entry::Kernel(addr) | Entry::C(addr) => addr,
        Entry::Main(addr) => {
            let sp = cpu.gpr(gpr::RSP);
            cpu.set_gpr(gpr::RDI, argc);
            cpu.set_gpr(gpr::RSI, sp + 8);
            // As if called: the stack is a word off.
            cpu.set_gpr(gpr::RSP, sp - 8);
            addr
        }
    };
}

/// The ranges that hold memory when the program starts.
fn mapped(image: &Image, stack: Range<u64>, world: &World) -> Vec<Range<u64>> {
    let segments = image.segments().iter().map(|s| s.addr..s.addr.saturating_add(s.mem_size));
    segments.chain([stack]).chain(world.arenas()).collect()
}

/// Bytes of random numbers at the end of the stack (`AT_RANDOM`).
const RANDOM: u64 = 16;

fn stack_end(memory: &Memory) -> u64 {
    if memory.space() >= 1 << 40 { STACK_END } else { memory.space() / 2 }
}

/// Puts random numbers at the end of the stack.
pub(super) fn put_random(memory: &mut Memory, cpu: &mut Cpu) -> Result<(), Error> {
    let numbers = [cpu.next_random(), cpu.next_random()];
    memory.poke(stack_end(memory) - RANDOM, &numbers.map(u64::to_le_bytes).concat())?;
    Ok(())
}

/// The stack as the kernel leaves it: arguments, environment, auxiliary vector.
fn first_stack(memory: &mut Memory, cpu: &mut Cpu, process: &Process) -> Result<Range<u64>, Error> {
    let (end, random) = (stack_end(memory), stack_end(memory) - RANDOM);
    let block = |at| process.block(at, |_| [AT_PAGESZ, PAGE, AT_RANDOM, random, 0, 0]);
    let size = block(0).len() as u64;
    let stack = end - STACK - size.next_multiple_of(PAGE)..end;
    memory.map(stack.clone(), Perm::READ | Perm::WRITE, Contents::Zero)?;
    put_random(memory, cpu)?;
    let sp = (random - size - 8) & !15;
    memory.poke(sp, &process.argc().to_le_bytes())?;
    memory.poke(sp + 8, &block(sp + 8))?;
    cpu.set_gpr(gpr::RSP, sp);
    Ok(stack)
}

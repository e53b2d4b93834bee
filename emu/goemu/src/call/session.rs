//! A call that can be stepped, stopped, looked into and resumed.
//!
//! ```no_run
//! use goemu::{Image, Machine, Stop};
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! let target = machine.find("main.add")?.entry();
//! let mut session = machine.call("main.f1")?.start()?;
//! session.add_breakpoint(target);
//! while session.resume()? == Stop::Breakpoint {
//!     println!("main.add is called with {:#x}", session.machine().cpu().gpr(0));
//! }
//! println!("{}", session.finish()?.outcome);
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! A session changes nothing of the run: instructions, schedule and outcome are those of [`Call::run`](crate::Call::run),
//! however often it stops. The machine is borrowed until the session is dropped; a session that is dropped before its
//! call is over leaves no trace.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use goemu_loader::Param;

use crate::call::function::{Function, UnderWay};
use crate::call::happened::{Happened, Log};
use crate::call::history::{History, MARGIN};
use crate::call::invoke::frame_at;
use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::go::abi::assign;
use crate::go::passing;
use crate::go::read::Reader;
use crate::go::value::Value;
use crate::machine::{GoroutineState, Machine, Progress};
use crate::memory::Memory;
use crate::outcome::{NamedValue, Outcome, Report};

/// Bytes of a call's stack block that are looked at.
const MAX_BLOCK: u64 = 1 << 16;

/// Why a session has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The instruction was executed, or the hook at its address was carried out.
    Stepped,
    /// RIP is at a breakpoint, which was not executed yet.
    Breakpoint,
    /// The call is over: [`Session::finish`] has its outcome.
    Ended,
    /// So many instructions were executed, and there was no other reason to stop: [`Session::resume_for`].
    Paused,
    /// Going back has come to the beginning.
    Beginning,
}

/// What is under way.
#[derive(Clone)]
enum Run {
    Call(Arc<Function>),
    Program,
}

/// How far the call is.
enum State {
    UnderWay,
    /// It is over; `None` where it returned.
    Ended(Option<Outcome>),
    /// It could not go on.
    Failed,
}

/// A call under way. [`Call::start`](crate::Call::start) and [`Function::start`] give it; of a whole program,
/// [`Program::start`](crate::program::Program::start).
pub struct Session<'m> {
    /// The user's machine.
    machine: &'m mut Machine,
    /// The same program started, where that serves the call.
    real: Option<Box<Machine>>,
    run: Run,
    /// `None` until the call has begun.
    under_way: Option<UnderWay>,
    state: State,
    /// Whether another session goes on with the call.
    goes_on: bool,
    history: History,
    /// Time that the guest has run, of what [`Config::deadline`](crate::Config::deadline) allows. Going back takes none.
    spent: Duration,
}

/// A call under way, without the machine that it was begun on: [`Session::suspend`].
pub struct Suspended {
    real: Option<Box<Machine>>,
    run: Run,
    under_way: Option<UnderWay>,
    state: State,
    history: History,
    spent: Duration,
    /// The serving machine's count of calls, by which it is known whether there was another one since.
    resets: u64,
}

impl Suspended {
    /// Goes on with the call on the machine that it was begun on. If that has made other calls since, the session is over.
    pub fn attach(self, machine: &mut Machine) -> Session<'_> {
        let Suspended { mut real, run, under_way, mut state, history, spent, resets } = self;
        if serving(&mut real, machine).resets != resets && matches!(state, State::UnderWay) {
            state = State::Failed;
        }
        Session { machine, real, run, under_way, state, goes_on: false, history, spent }
    }

    /// The machine that serves the call, where that is not the one it was begun on.
    pub fn started(&self) -> Option<&Machine> {
        self.real.as_deref()
    }
}

impl<'m> Session<'m> {
    /// Begins the call, from the starting state of the machine that serves it.
    pub(crate) fn begin(
        machine: &'m mut Machine,
        real: bool,
        function: Function,
        args: &[Value],
    ) -> Result<Session<'m>, Error> {
        let real = if real { Some(machine.lend_to_real()?) } else { None };
        let function = Arc::new(function);
        let mut session = Session::new(machine, real, Run::Call(Arc::clone(&function)));
        let serving = serving(&mut session.real, session.machine);
        session.under_way = Some(function.begin(serving, args)?);
        session.history.begin(serving);
        Ok(session)
    }

    /// A whole program that is about to begin on its machine.
    pub(crate) fn of_program(machine: &'m mut Machine) -> Session<'m> {
        let under_way = UnderWay::of_program(machine);
        let mut session = Session::new(machine, None, Run::Program);
        session.under_way = Some(under_way);
        session.history.begin(session.machine);
        session
    }

    fn new(machine: &'m mut Machine, real: Option<Box<Machine>>, run: Run) -> Session<'m> {
        let (state, history) = (State::UnderWay, History::default());
        Session { machine, real, run, under_way: None, state, goes_on: false, history, spent: Duration::ZERO }
    }

    /// The machine that serves the call, to look into: its memory, processor, goroutine.
    pub fn machine(&self) -> &Machine {
        self.real.as_deref().unwrap_or(self.machine)
    }

    /// The goroutines of the call: the running one first.
    pub fn goroutines(&mut self) -> Vec<GoroutineState> {
        serving(&mut self.real, self.machine).goroutines()
    }

    /// Saves no states from now on: the session runs as fast as a call, and cannot go back.
    pub fn forget_history(&mut self) {
        self.history.forget();
        self.history.end();
    }

    /// The arguments of a function that is about to begin: where the call is at the first instruction of one whose signature
    /// is known.
    pub fn arguments_here(&self) -> Option<Vec<NamedValue>> {
        let machine = self.machine();
        let (image, cpu, memory) = (machine.image(), machine.cpu(), machine.memory());
        let func = image.func_at(cpu.rip).filter(|func| func.entry() == cpu.rip)?;
        let signature = image.signature(&func).ok().flatten()?;
        let places = assign(func.abi(), &signature).ok()?;
        let frame =
            frame_at(cpu, memory, cpu.gpr(gpr::RSP).wrapping_add(8), places.stack_size.min(MAX_BLOCK));
        let reader = Reader::new(memory, &**image);
        let values = passing::arguments(&signature, &places, &frame, &reader).ok()?;
        let named = |(param, value): (&Param, Value)| NamedValue::new(&param.name, &param.ty, value);
        Some(signature.params.iter().zip(values).map(named).collect())
    }

    /// The processor, to be changed while the call is stopped.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        self.history.forget();
        &mut serving(&mut self.real, self.machine).guest.cpu
    }

    /// The memory, to be changed while the call is stopped.
    pub fn memory_mut(&mut self) -> &mut Memory {
        self.history.forget();
        &mut serving(&mut self.real, self.machine).guest.memory
    }

    /// Instructions executed so far.
    pub fn instructions(&self) -> u64 {
        self.under_way.as_ref().map_or(0, |under_way| under_way.instructions(self.machine()))
    }

    /// How the call ended, if it has and did not return.
    pub fn outcome(&self) -> Option<&Outcome> {
        if let State::Ended(Some(outcome)) = &self.state { Some(outcome) } else { None }
    }

    /// Whether the call is over.
    pub fn is_over(&self) -> bool {
        !matches!(self.state, State::UnderWay)
    }

    /// The addresses of the breakpoints.
    pub fn breakpoints(&self) -> &HashSet<u64> {
        self.machine().breakpoints()
    }

    /// Stops before the instruction at this address is executed, by whatever goroutine or thread.
    pub fn add_breakpoint(&mut self, addr: u64) {
        let mut breakpoints = self.breakpoints().clone();
        breakpoints.insert(addr);
        serving(&mut self.real, self.machine).set_breakpoints(breakpoints);
    }

    /// Takes a breakpoint away; whether there was one.
    pub fn remove_breakpoint(&mut self, addr: u64) -> bool {
        let mut breakpoints = self.breakpoints().clone();
        let removed = breakpoints.remove(&addr);
        serving(&mut self.real, self.machine).set_breakpoints(breakpoints);
        removed
    }

    /// Executes the instruction at RIP, or the hook that is there: what a hook does is one step.
    ///
    /// # Errors
    /// What the machine cannot serve. The call cannot go on after it, and further steps end in
    /// [`Error::SessionOver`].
    pub fn step(&mut self) -> Result<Stop, Error> {
        self.go(|machine, fuel, _| machine.run_one(fuel), Stop::Stepped)
    }

    /// Runs to the next breakpoint or the end of the call. A breakpoint at RIP does not stop it.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn resume(&mut self) -> Result<Stop, Error> {
        loop {
            let stop = self.resume_for(u64::MAX)?;
            if stop != Stop::Paused {
                return Ok(stop);
            }
        }
    }

    /// As [`Session::resume`], for about so many instructions at most: to look at something else now and then.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn resume_for(&mut self, instructions: u64) -> Result<Stop, Error> {
        let end = self.position().saturating_add(instructions);
        loop {
            let left = end.saturating_sub(self.position());
            if left == 0 {
                return Ok(Stop::Paused);
            }
            let stop = self.run_part(left)?;
            if stop != Stop::Paused || self.breakpoints().contains(&self.machine().cpu().rip) {
                return Ok(if stop == Stop::Paused { Stop::Breakpoint } else { stop });
            }
        }
    }

    /// Runs to wherever the machine comes back next, after so many instructions at most.
    fn run_part(&mut self, most: u64) -> Result<Stop, Error> {
        self.go(move |machine, fuel, part| machine.run_part(fuel, part.min(most)), Stop::Paused)
    }

    /// Runs to this address, to another breakpoint, or to the end of the call.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn run_to(&mut self, addr: u64) -> Result<Stop, Error> {
        let known = self.breakpoints().contains(&addr);
        self.add_breakpoint(addr);
        let stop = self.resume();
        if !known {
            self.remove_breakpoint(addr);
        }
        stop
    }

    /// Lets go of the machine, for programs that cannot keep a borrow: [`Suspended::attach`] goes on.
    pub fn suspend(mut self) -> Suspended {
        self.goes_on = true;
        Suspended {
            resets: self.machine().resets,
            real: self.real.take(),
            run: self.run.clone(),
            under_way: self.under_way.take(),
            state: std::mem::replace(&mut self.state, State::Failed),
            history: std::mem::take(&mut self.history),
            spent: self.spent,
        }
    }

    /// Lets the machine go on with `run`, which is told how many instructions it may execute.
    fn go(
        &mut self,
        run: impl FnOnce(&mut Machine, &mut i64, u64) -> Result<Progress, Error>,
        stopped: Stop,
    ) -> Result<Stop, Error> {
        let under_way = match (&self.state, &mut self.under_way) {
            (State::UnderWay, Some(under_way)) => under_way,
            (State::Ended(_), _) => return Ok(Stop::Ended),
            _ => return Err(Error::SessionOver),
        };
        let machine = serving(&mut self.real, self.machine);
        let part = self.history.keep(under_way, machine);
        let fuel = &mut under_way.fuel;
        match machine.in_rest_of_time(&mut self.spent, |machine| run(machine, fuel, part)) {
            Ok(Progress::Going) => Ok(stopped),
            Ok(Progress::Ended(outcome)) => {
                self.state = State::Ended(outcome);
                Ok(Stop::Ended)
            }
            Err(error) => {
                self.state = State::Failed;
                Err(error)
            }
        }
    }

    /// Steps taken since the call began: instructions, hooks that were carried out, faults that became panics.
    pub fn position(&self) -> u64 {
        let under_way = self.under_way.as_ref();
        under_way.map_or(0, |under_way| self.history.position(under_way, self.machine()))
    }

    /// Goes back by one step: the opposite of [`Session::step`], also from the end of the call.
    ///
    /// What a session's user has changed is where going back ends: [`Session::cpu_mut`] and [`Session::memory_mut`] make
    /// the present state the first one. Observers are not told of what is done again; hooks of users are called again.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn step_back(&mut self) -> Result<Stop, Error> {
        let position = self.position();
        if position == 0 { Ok(Stop::Beginning) } else { self.go_to(position - 1) }
    }

    /// Goes back to where RIP was at a breakpoint last, or to the beginning.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn resume_back(&mut self) -> Result<Stop, Error> {
        if self.history.is_empty() {
            return Ok(Stop::Beginning);
        }
        let end = self.position();
        let found = self.again(|history, under_way, machine| history.last_stop(end, under_way, machine))?;
        match found {
            Some(position) => self.go_to(position).map(|_| Stop::Breakpoint),
            None => self.go_to(0).map(|_| Stop::Beginning),
        }
    }

    /// Goes to a position before or after the present one. Where the history begins later, or the call ends before, it
    /// goes there.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn go_to(&mut self, position: u64) -> Result<Stop, Error> {
        while position > self.position() {
            let left = position - self.position();
            let stop = if left > MARGIN { self.run_part(left - MARGIN)? } else { self.step()? };
            if stop == Stop::Ended {
                return Ok(stop);
            }
        }
        if position == self.position() {
            return Ok(Stop::Stepped);
        }
        if self.history.is_empty() {
            return Ok(Stop::Beginning);
        }
        let first = self.history.first();
        let to = position.max(first);
        let exact = self.again(|history, under_way, machine| history.go_to(to, under_way, machine))?;
        if !exact {
            self.state = State::Failed;
            return Err(Error::SessionOver);
        }
        Ok(if position > first { Stop::Stepped } else { Stop::Beginning })
    }

    /// What Go's runtime has done since the beginning: deferred calls, growing stacks, panics, allocations, switches of goroutines.
    /// The way is done again for it, from where going back ends.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn events(&mut self) -> Result<Vec<Happened>, Error> {
        let (end, over) = (self.position(), matches!(self.state, State::Ended(_)));
        if self.history.is_empty() {
            return Ok(Vec::new());
        }
        let ended = if let State::Ended(outcome) = &self.state { outcome.clone() } else { None };
        self.go_to(self.history.first())?;
        let machine = serving(&mut self.real, self.machine);
        let (observers, counts) = (machine.take_observers(), machine.coverage().map(|counts| counts.save()));
        let log = Log::default();
        machine.observe(log.clone());
        let events = self.tell(end, &log);
        let machine = serving(&mut self.real, self.machine);
        machine.unobserve();
        machine.put_observers(observers);
        machine.mind_observers();
        if let (Some(coverage), Some(counts)) = (machine.coverage(), counts) {
            coverage.restore(&counts);
        }
        if over {
            self.state = State::Ended(ended);
        }
        events
    }

    /// Goes to a position, and tells what happens on the way.
    fn tell(&mut self, end: u64, log: &Log) -> Result<Vec<Happened>, Error> {
        let mut events = Vec::new();
        while self.position() < end {
            let (before, left) = (self.position(), end - self.position());
            let stop = if left > MARGIN { self.run_part(left - MARGIN)? } else { self.step()? };
            log.take(before, &mut events);
            if stop == Stop::Ended {
                break;
            }
        }
        Ok(events)
    }

    /// Does a part of the way again, unobserved.
    fn again<T>(
        &mut self,
        run: impl FnOnce(&mut History, &mut UnderWay, &mut Machine) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let under_way = self.under_way.as_mut().ok_or(Error::SessionOver)?;
        let machine = serving(&mut self.real, self.machine);
        let observers = machine.take_observers();
        let counts = machine.coverage().map(|coverage| coverage.save());
        let done = run(&mut self.history, under_way, machine);
        machine.put_observers(observers);
        if let (Some(coverage), Some(counts)) = (machine.coverage(), counts) {
            coverage.restore(&counts);
        }
        self.state = if done.is_ok() { State::UnderWay } else { State::Failed };
        done
    }

    /// Runs to the end of the call, past all breakpoints, and tells how it ended.
    ///
    /// # Errors
    /// As [`Session::step`]; and what [`Call::run`](crate::Call::run) says of results that cannot be read.
    pub fn finish(mut self) -> Result<Report, Error> {
        serving(&mut self.real, self.machine).set_breakpoints(HashSet::new());
        self.history.end();
        self.resume()?;
        let State::Ended(ended) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(Error::SessionOver);
        };
        let under_way = self.under_way.take().ok_or(Error::SessionOver)?;
        let Session { real, machine, run, .. } = &mut self;
        let serving = serving(real, machine);
        match run {
            Run::Program => Ok(program_report(serving, under_way.instructions(serving), ended)),
            Run::Call(function) => {
                let mut report = function.finish(serving, &under_way, ended);
                serving.prepend_startup_output(function.entry(), &mut report);
                report
            }
        }
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if self.goes_on {
            return;
        }
        serving(&mut self.real, self.machine).set_breakpoints(HashSet::new());
        if let Some(real) = self.real.take() {
            self.machine.take_back(real);
        }
    }
}

fn serving<'a>(real: &'a mut Option<Box<Machine>>, machine: &'a mut Machine) -> &'a mut Machine {
    match real {
        Some(real) => real,
        None => machine,
    }
}

/// The report of a whole program that has come to its end.
fn program_report(machine: &Machine, instructions: u64, ended: Option<Outcome>) -> Report {
    let (stdout, stderr) = (machine.guest.world.stdout.clone(), machine.guest.world.stderr.clone());
    Report {
        outcome: ended.unwrap_or(Outcome::Exited { code: 0, fatal: None }),
        runtime: machine.runtime(),
        uninitialised: None,
        doubt: machine.guest.world.doubt.map(str::to_owned),
        instructions,
        arguments: Vec::new(),
        stdout,
        stderr,
    }
}

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

use crate::call::function::{Function, UnderWay};
use crate::cpu::Cpu;
use crate::error::Error;
use crate::go::value::Value;
use crate::machine::{Machine, Progress};
use crate::memory::Memory;
use crate::outcome::{Outcome, Report};

/// Why a session has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The instruction was executed, or the hook at its address was carried out.
    Stepped,
    /// RIP is at a breakpoint, which was not executed yet.
    Breakpoint,
    /// The call is over: [`Session::finish`] has its outcome.
    Ended,
}

/// How far the call is.
enum State {
    UnderWay,
    /// It is over; `None` where it returned.
    Ended(Option<Outcome>),
    /// It could not go on.
    Failed,
}

/// A call under way. [`Call::start`](crate::Call::start) and [`Function::start`] give it.
pub struct Session<'m> {
    /// The user's machine.
    machine: &'m mut Machine,
    /// The same program started, where that serves the call.
    real: Option<Box<Machine>>,
    function: Arc<Function>,
    /// `None` until the call has begun.
    under_way: Option<UnderWay>,
    state: State,
    /// Whether another session goes on with the call.
    goes_on: bool,
}

/// A call under way, without the machine that it was begun on: [`Session::suspend`].
pub struct Suspended {
    real: Option<Box<Machine>>,
    function: Arc<Function>,
    under_way: Option<UnderWay>,
    state: State,
    /// The serving machine's count of calls, by which it is known whether there was another one since.
    resets: u64,
}

impl Suspended {
    /// Goes on with the call on the machine that it was begun on. If that has made other calls since, the session is over.
    pub fn attach(self, machine: &mut Machine) -> Session<'_> {
        let Suspended { mut real, function, under_way, mut state, resets } = self;
        if serving(&mut real, machine).resets != resets && matches!(state, State::UnderWay) {
            state = State::Failed;
        }
        Session { machine, real, function, under_way, state, goes_on: false }
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
        let (function, state) = (Arc::new(function), State::UnderWay);
        let mut session = Session { machine, real, function, under_way: None, state, goes_on: false };
        let serving = serving(&mut session.real, session.machine);
        session.under_way = Some(session.function.begin(serving, args)?);
        Ok(session)
    }

    /// The machine that serves the call, to look into: its memory, processor, goroutine.
    pub fn machine(&self) -> &Machine {
        self.real.as_deref().unwrap_or(self.machine)
    }

    /// The processor, to be changed while the call is stopped.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        &mut serving(&mut self.real, self.machine).cpu
    }

    /// The memory, to be changed while the call is stopped.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut serving(&mut self.real, self.machine).memory
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
        self.go(Machine::run_one, Stop::Stepped)
    }

    /// Runs to the next breakpoint or the end of the call. A breakpoint at RIP does not stop it.
    ///
    /// # Errors
    /// As [`Session::step`].
    pub fn resume(&mut self) -> Result<Stop, Error> {
        self.go(Machine::run_to_breakpoint, Stop::Breakpoint)
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
            function: Arc::clone(&self.function),
            under_way: self.under_way.take(),
            state: std::mem::replace(&mut self.state, State::Failed),
        }
    }

    fn go(
        &mut self,
        run: fn(&mut Machine, &mut i64) -> Result<Progress, Error>,
        stopped: Stop,
    ) -> Result<Stop, Error> {
        let under_way = match (&self.state, &mut self.under_way) {
            (State::UnderWay, Some(under_way)) => under_way,
            (State::Ended(_), _) => return Ok(Stop::Ended),
            _ => return Err(Error::SessionOver),
        };
        match run(serving(&mut self.real, self.machine), &mut under_way.fuel) {
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

    /// Runs to the end of the call, past all breakpoints, and tells how it ended.
    ///
    /// # Errors
    /// As [`Session::step`]; and what [`Call::run`](crate::Call::run) says of results that cannot be read.
    pub fn finish(mut self) -> Result<Report, Error> {
        serving(&mut self.real, self.machine).set_breakpoints(HashSet::new());
        self.resume()?;
        let State::Ended(ended) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(Error::SessionOver);
        };
        let under_way = self.under_way.take().ok_or(Error::SessionOver)?;
        let Session { real, machine, function, .. } = &mut self;
        let serving = serving(real, machine);
        let mut report = function.finish(serving, &under_way, ended);
        serving.prepend_startup_output(function.entry(), &mut report);
        report
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

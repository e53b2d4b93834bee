//! Running: the one place that answers why an engine came back.

use super::Machine;
use super::watch::WatchAll;
use crate::cpu::{Cpu, gpr};
use crate::decode::{decode, polls};
use crate::engine::{Engine, Watch};
use crate::error::Error;
use crate::exit::{Exit, Fault, FaultKind};
use crate::guest::state::Guest;
use crate::hook::{Action, Hook, HookContext, HookError};
use crate::memory::{MemFault, Memory};
use crate::observe::{Event, Interest};
use crate::os::imports;
use crate::os::{self, Os, SyscallReturn};
use crate::outcome::Outcome;
use crate::runtime::hooked;

/// What answering a hook and a system call takes, in instructions, whatever it does.
pub(super) const HOOK: u64 = 10;
const SYSCALL: u64 = 40;

/// How far a run has come.
pub(crate) enum Progress {
    /// The call goes on.
    Going,
    /// The call is over; `None` where it returned.
    Ended(Option<Outcome>),
}

/// A machine whose engine is kept ready until the run is over, also where it ends in a panic: the host's signals wait meanwhile.
pub(super) struct Ready<'m>(pub(super) &'m mut Machine);

impl Drop for Ready<'_> {
    fn drop(&mut self) {
        self.0.engine.keep_ready(self.0.bursts_here());
    }
}

impl Machine {
    /// Runs until the call is over: `None` where it returned.
    pub(crate) fn run(&mut self, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        let hidden = self.save_hidden();
        let ended = self.run_to_end(fuel);
        self.restore_counts(hidden);
        ended
    }

    /// The same for a call that most likely returns at once: whether it returned. If not, `ended` says how it ended: an outcome is
    /// large, and is not moved for nothing.
    #[inline]
    pub(crate) fn run_short(&mut self, fuel: &mut i64, ended: &mut Option<Outcome>) -> Result<bool, Error> {
        let plain = self.coverage.is_none() && self.os.steps() == 0 && self.runs_alone();
        let plain = plain && (!self.bursts || self.bursts_here());
        if !plain || self.hooks.at(self.guest.cpu.rip).is_some() {
            *ended = self.run(fuel)?;
            return Ok(ended.is_none());
        }
        self.guest.memory.forget_cost();
        // What is large is not taken apart before it is looked at.
        let left = self.run_slice(fuel);
        let returned = matches!(left.0, Exit::Stopped) && self.guest.cpu.rip == self.return_addr;
        if returned && !self.stopping.is_due() && self.cx().is_of_call() {
            return Ok(true);
        }
        *ended = self.left(left.0, left.1, fuel)?;
        if ended.is_some() {
            return Ok(false);
        }
        self.engine.keep_ready(true);
        *ended = Ready(self).0.run_on(fuel)?;
        Ok(ended.is_none())
    }

    #[inline]
    fn run_to_end(&mut self, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        self.guest.memory.forget_cost();
        if !self.runs_alone() {
            return self.run_on(fuel);
        }
        self.engine.keep_ready(true);
        Ready(self).0.run_on(fuel)
    }

    /// Whether nothing of the user's runs before the call is over, and no hook waits for anything: the engine need not
    /// put the host in order for each.
    pub(super) fn runs_alone(&self) -> bool {
        self.own_hooks.is_empty() && self.observers.is_empty()
    }

    #[inline]
    fn run_on(&mut self, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        loop {
            if let Progress::Ended(outcome) = self.advance(fuel, Machine::run_engine_once)? {
                return Ok(outcome);
            }
        }
    }

    /// Runs until the machine has to look at something, for so many instructions at most, and a few more: to where control goes
    /// backwards, calls or returns.
    pub(crate) fn run_part(&mut self, fuel: &mut i64, most: u64) -> Result<Progress, Error> {
        self.part = i64::try_from(most).unwrap_or(i64::MAX).max(1);
        let progress = self.advance(fuel, Machine::run_engine_once);
        self.part = i64::MAX;
        progress
    }

    /// Executes one instruction, or the hook at RIP.
    pub(crate) fn run_one(&mut self, fuel: &mut i64) -> Result<Progress, Error> {
        self.advance(fuel, Machine::run_one_instruction)
    }

    /// Answers what RIP is at, or lets `go` execute something.
    #[inline(always)]
    fn advance(
        &mut self,
        fuel: &mut i64,
        go: impl FnOnce(&mut Machine, &mut i64) -> Result<Option<Outcome>, Error>,
    ) -> Result<Progress, Error> {
        // The start and every return to the machine may be at a hook.
        if self.guest.cpu.rip == self.return_addr {
            if self.cx().is_of_call() {
                return Ok(Progress::Ended(None));
            }
            if self.guest.goroutine.stack.is_some() {
                self.answered += 1;
                return Ok(match self.answer_hook(&hooked::goroutines::ended)? {
                    Next::End(outcome) => Progress::Ended(Some(outcome)),
                    Next::Run | Next::Again => Progress::Going,
                });
            }
        }
        if let Some(hooks) = self.hooks.at(self.guest.cpu.rip).map(<[_]>::len) {
            hooked::collect_if_due(&mut self.cx());
            match self.answer_hooks(hooks)? {
                Next::Run => {}
                Next::Again => {
                    self.answered += 1;
                    if self.guest.memory.is_costly() && self.settle(fuel) {
                        return Ok(Progress::Ended(Some(self.out_of_fuel())));
                    }
                    return Ok(Progress::Going);
                }
                Next::End(outcome) => return Ok(Progress::Ended(Some(outcome))),
            }
        }
        Ok(go(self, fuel)?.map_or(Progress::Going, |outcome| Progress::Ended(Some(outcome))))
    }

    /// Runs the engine once and answers why it left. `Some` ends the call.
    fn run_engine_once(&mut self, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        if self.os.steps() > 0 {
            return self.run_one_instruction(fuel);
        }
        self.settle(fuel);
        let (exit, whole) = self.run_slice(fuel);
        self.left(exit, whole, fuel)
    }

    /// Answers why the engine left a slice. `Some` ends the call.
    fn left(&mut self, exit: Exit, whole: bool, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        if self.stopping.is_due()
            && let Some(outcome) = self.stopping.look()
        {
            let call_goroutine = self.call_goroutine;
            return Ok(Some(call_goroutine.ended(&mut self.cx(), outcome)));
        }
        // A part of a slice ends no turn.
        if !whole && matches!(exit, Exit::OutOfFuel) {
            return Ok(None);
        }
        self.answer(exit, fuel)
    }

    /// Executes the instruction at RIP and answers why the engine left, if it did. `Some` ends the call.
    fn run_one_instruction(&mut self, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        self.settle(fuel);
        let slice = self.with_os(|os, cx| os.slice(cx)).min(*fuel);
        let steps = self.os.steps();
        let (exit, ran, polls) = self.step_engine();
        *fuel = fuel.saturating_sub(ran);
        self.settle(fuel);
        self.with_os(|os, cx| os.ran(cx, ran));
        self.follow();
        match exit {
            Some(exit) => self.answer(exit, fuel),
            None if steps > 0 && steps <= ran => self.answer(Exit::OutOfFuel, fuel),
            // Where an engine that runs on would look at its fuel.
            None if polls && (slice <= ran || *fuel <= 0) => self.answer(Exit::OutOfFuel, fuel),
            None => Ok(None),
        }
    }

    /// Answers why the engine left. `Some` ends the call.
    fn answer(&mut self, exit: Exit, fuel: &mut i64) -> Result<Option<Outcome>, Error> {
        match exit {
            Exit::Stopped => Ok(None),
            Exit::OutOfFuel if *fuel > 0 => self.turn(),
            Exit::OutOfFuel => Ok(Some(self.out_of_fuel())),
            Exit::Guarded => Err(self.not_initialised()),
            Exit::Syscall => self.answer_syscall(),
            Exit::Fault(fault) => {
                self.answered += 1;
                self.answer_call_or_fault(fault)
            }
            Exit::Halt => {
                let pc = self.guest.cpu.rip.wrapping_sub(1);
                Ok(self.answer_fault(Fault { pc, kind: FaultKind::Protection }))
            }
        }
    }

    fn answer_call_or_fault(&mut self, fault: Fault) -> Result<Option<Outcome>, Error> {
        if imports::is_call(&fault) {
            return match self.answer_hook(&imports::call)? {
                Next::End(outcome) => Ok(Some(outcome)),
                Next::Run | Next::Again => Ok(None),
            };
        }
        match self.undefined(fault) {
            Some(error) => Err(error),
            None => Ok(self.answer_fault(fault)),
        }
    }

    /// Takes what hooks and system calls have cost; whether that was all the fuel.
    pub(crate) fn settle(&self, fuel: &mut i64) -> bool {
        let Guest { memory, world, .. } = &self.guest;
        let cost = memory.take_cost();
        *fuel = fuel.saturating_sub(cost);
        self.stopping.charged(cost);
        memory.set_beside(self.os.held().saturating_add(world.held()));
        if world.output.spent || memory.is_overdrawn() {
            *fuel = 0;
        }
        *fuel <= 0
    }

    fn out_of_fuel(&mut self) -> Outcome {
        let (call_goroutine, limit) = (self.call_goroutine, self.config.fuel);
        if self.guest.world.output.spent {
            return Outcome::OutputLimit { limit: self.config.max_output };
        }
        if self.guest.memory.is_overdrawn() {
            return Outcome::MemoryLimit { limit: self.guest.memory.limit() };
        }
        call_goroutine.ended(&mut self.cx(), Outcome::OutOfFuel { limit })
    }

    /// Runs the engine until the system wants to be asked, or somebody may want to stop the call. Whether it ran as long as the
    /// system lets it. What was done before is settled.
    #[inline]
    fn run_slice(&mut self, fuel: &mut i64) -> (Exit, bool) {
        let carried = std::mem::take(&mut self.carried);
        let whole = self.with_os(|os, cx| os.slice(cx)).min(fuel.saturating_add(carried)) - carried;
        if let Some(late) = self.stopping.untold() {
            self.engine.set_late(late);
        }
        let slice = self.stopping.part_of(whole).min(self.part);
        let slice = self.lend(slice, *fuel);
        let mut left = slice;
        let exit = self.run_engine(&mut left);
        let ran = slice.saturating_sub(left);
        if let Some(at) = self.note_objects()
            && matches!(exit, Exit::OutOfFuel)
            && ran < whole
        {
            // What ran since then belongs to the next slice.
            self.carried = at - left;
        }
        self.stopping.ran(ran);
        *fuel = fuel.saturating_sub(ran);
        self.settle(fuel);
        let told = ran + carried - self.carried;
        self.with_os(|os, cx| os.ran(cx, told));
        self.follow();
        (exit, ran >= whole)
    }

    /// Another thread or goroutine of the program may go on.
    fn turn(&mut self) -> Result<Option<Outcome>, Error> {
        self.engine.let_go();
        let call_goroutine = self.call_goroutine;
        let turned = self.with_os(|os, cx| os.turn(cx).unwrap_or_else(|| call_goroutine.turn(cx)));
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
    pub(super) fn follow(&mut self) {
        let Guest { image, cpu, memory, goroutine, .. } = &mut self.guest;
        if let Some(g) = self.os.g(cpu, memory) {
            goroutine.follow(image, memory, g);
        }
    }

    pub(super) fn with_os<T>(&mut self, act: impl FnOnce(&mut dyn Os, &mut HookContext<'_>) -> T) -> T {
        act(&mut *self.os, &mut HookContext::of(&mut self.guest, &mut self.observers))
    }

    fn run_engine(&mut self, fuel: &mut i64) -> Exit {
        if !self.observers.want(Interest::INSTRUCTIONS | Interest::BLOCKS | Interest::CHOSEN) {
            return self.engine.run(&mut self.guest.cpu, &mut self.guest.memory, fuel);
        }
        self.watched(|engine, cpu, memory, watch| engine.run_watched(cpu, memory, fuel, watch))
    }

    /// Executes one instruction: why the engine left, how many instructions that counts as, and whether an engine that
    /// runs on would look at its fuel after it.
    fn step_engine(&mut self) -> (Option<Exit>, i64, bool) {
        let insn = decode(&self.guest.memory, self.guest.cpu.rip).ok();
        let exit = if self.observers.want(Interest::INSTRUCTIONS | Interest::BLOCKS | Interest::CHOSEN) {
            self.watched(|engine, cpu, memory, watch| {
                let Some(insn) = insn else { return engine.step(cpu, memory) };
                watch.block(cpu, memory, &[insn]);
                watch.before(cpu, memory, &insn);
                let exit = engine.step(cpu, memory);
                if exit.is_none() {
                    watch.after(cpu, memory, &insn);
                }
                exit
            })
        } else {
            self.engine.step(&mut self.guest.cpu, &mut self.guest.memory)
        };
        let ran = matches!(exit, None | Some(Exit::Syscall | Exit::Halt));
        let polls = insn.is_some_and(|insn| polls(&insn, self.guest.cpu.rip));
        (exit, i64::from(ran), polls)
    }

    /// Lets the engine run with all observers watching.
    fn watched<T>(
        &mut self,
        run: impl FnOnce(&mut dyn Engine, &mut Cpu, &mut Memory, &mut dyn Watch) -> T,
    ) -> T {
        let g = self.guest.world.call_g.unwrap_or(self.guest.goroutine.g);
        let (image, os, observers) = (&*self.guest.image, &*self.os, &mut self.observers);
        let whole = self.guest.world.call_g.is_none();
        let follows = !whole && os.g(&self.guest.cpu, &self.guest.memory).is_some();
        let stack_hi = self.shown_stack;
        let chooser = observers.chooser();
        let mut watch = WatchAll { image, os, g, follows, whole, stack_hi, shown: true, observers, chooser };
        let done = run(&mut *self.engine, &mut self.guest.cpu, &mut self.guest.memory, &mut watch);
        self.shown_stack = watch.stack_hi;
        done
    }

    /// Asks the hooks at RIP, of which there are so many.
    fn answer_hooks(&mut self, hooks: usize) -> Result<Next, Error> {
        let at = self.guest.cpu.rip;
        for n in 0..hooks {
            let Some(hook) = self.hooks.at(at).and_then(|hooks| hooks.get(n)) else { break };
            let answer = hook.call(&mut HookContext::of(&mut self.guest, &mut self.observers));
            match self.answered_by_hook(answer)? {
                Next::Run => {}
                next => return Ok(next),
            }
        }
        Ok(Next::Run)
    }

    fn answer_hook(&mut self, hook: &dyn Hook) -> Result<Next, Error> {
        let answer = hook.call(&mut self.cx());
        self.answered_by_hook(answer)
    }

    fn answered_by_hook(&mut self, answer: Result<Action, HookError>) -> Result<Next, Error> {
        // An observer costs no fuel: the call ends as it does unwatched.
        if !matches!(answer, Ok(Action::Run)) {
            self.guest.memory.charge(HOOK);
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
        let sp = self.guest.cpu.gpr(gpr::RSP);
        match self.guest.memory.read(sp) {
            Ok(address) => {
                self.guest.cpu.rip = u64::from_le_bytes(address);
                self.guest.cpu.set_gpr(gpr::RSP, sp.wrapping_add(8));
                Next::Again
            }
            Err(fault) => self.faulted(fault),
        }
    }

    fn refused(&mut self, refused: HookError) -> Result<Next, Error> {
        match refused {
            HookError::Error(error) => {
                if let Error::Uninitialised { func } = &error {
                    self.early = Some(func.clone());
                }
                Err(error)
            }
            HookError::Fault(fault) => Ok(self.faulted(fault)),
        }
    }

    /// What a hook did in the guest's name, the guest's memory did not allow.
    fn faulted(&mut self, fault: MemFault) -> Next {
        let fault = Fault { pc: self.guest.cpu.rip, kind: FaultKind::Memory(fault) };
        self.answer_fault(fault).map_or(Next::Again, Next::End)
    }

    fn answer_syscall(&mut self) -> Result<Option<Outcome>, Error> {
        let number = self.guest.cpu.gpr(gpr::RAX);
        let args = os::registers(&self.guest.cpu);
        if !self.os.is_quick(number) {
            self.engine.let_go();
        }
        self.guest.memory.charge(SYSCALL);
        let answered = self.with_os(|os, cx| os.syscall(cx));
        if self.sink.is_some() {
            self.drain();
        }
        let Machine { guest, observers, os, call_goroutine, .. } = self;
        let mut cx = HookContext::of(guest, observers);
        match answered {
            Ok(SyscallReturn::Return(result)) => {
                // Those of other threads are not the call's.
                if os.g(cx.cpu, cx.memory).is_none_or(|g| cx.world.call_g == Some(g)) {
                    cx.emit(|view| {
                        let (name, args) = os::named(view.image.target().os, number, args);
                        Event::Syscall { number, name, args, result }
                    });
                }
                os::set_result(cx.image.target().os, cx.cpu, result);
                // The kernel clobbers RCX and R11.
                cx.cpu.set_gpr(gpr::RCX, cx.cpu.rip);
                cx.cpu.set_gpr(gpr::R11, cx.cpu.rflags());
                Ok(None)
            }
            Ok(SyscallReturn::Resume) => {
                self.follow();
                Ok(None)
            }
            Ok(SyscallReturn::End(outcome)) => Ok(Some(call_goroutine.ended(&mut cx, outcome))),
            Err(refused) => match self.refused(refused)? {
                Next::End(outcome) => Ok(Some(outcome)),
                Next::Run | Next::Again => Ok(None),
            },
        }
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

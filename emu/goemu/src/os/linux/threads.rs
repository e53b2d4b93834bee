//! Threads, which take turns: one runs until it waits, yields, or its turn ends while others can
//! run. The next one follows from their order, or from a schedule: runs are reproducible.

use super::ending::{self, Ending};
use super::record::record;
use super::signal::{self, AltStack, OfThread, Signals};
use super::traits::Traits;
use super::{Args, Kernel, errno, futex};
use crate::cpu::{Cpu, gpr};
use crate::go::meeting::Meetings;
use crate::go::own::OwnCode;
use crate::go::tls;
use crate::go::traceback::Traceback;
use crate::guest::clock;
use crate::guest::schedule::{Place, Schedule, TURN};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;
use crate::outcome::Outcome;

/// The most threads.
const MOST: usize = 4096;
/// The time of a `sched_yield`, in nanoseconds, so that time passes in a loop of them.
const YIELD: u64 = 250;

/// Flags of `clone`.
const CLONE_VM: u64 = 0x100;
const CLONE_THREAD: u64 = 0x10000;
const CLONE_SETTLS: u64 = 0x80000;
const CLONE_PARENT_SETTID: u64 = 0x10_0000;
const CLONE_CHILD_CLEARTID: u64 = 0x20_0000;

/// The threads of the process, the running one among them.
#[derive(Clone)]
pub(super) struct Threads {
    /// The action of each signal.
    pub(super) signals: Signals,
    pub(super) list: Vec<Thread>,
    pub(super) running: usize,
    /// Instructions of its turn that the running thread has used, so that a thread that leaves the engine often loses
    /// its turn too.
    pub(super) used: i64,
    next_tid: u32,
    /// The offset of `g` in a thread's block, from FS.
    pub(super) g_slot: i64,
    /// The user's code.
    pub(super) own_code: OwnCode,
    /// Where its goroutines meet.
    pub(super) meetings: Meetings,
    /// What decides which thread runs, if not their order alone.
    pub(super) schedule: Schedule,
    /// The program has ended, and what is left of it runs on for a while.
    pub(super) ending: Option<Ending>,
    /// Whether a program that has ended runs on for a while.
    pub(super) settles: bool,
    /// How much a program that ran on had printed when it ended.
    pub(super) printed: Option<(usize, usize)>,
    /// Whether a program that ran on did so for as many instructions as it may.
    pub(super) busy: bool,
    /// Threads that were looked at so far, beyond once for each system call and turn.
    pub(super) work: u64,
    /// Bytes of the host's memory that threads and signals have ever asked for.
    pub(super) added: u64,
}

/// One thread. Registers of the running one are in the machine's processor.
#[derive(Clone)]
pub(super) struct Thread {
    pub(super) tid: u32,
    pub(super) cpu: Cpu,
    pub(super) wait: Option<Wait>,
    /// Where the kernel writes 0 and wakes when the thread ends.
    clear_tid: u64,
    pub(super) alt_stack: AltStack,
    pub(super) signals: OfThread,
    /// What a call that is made again after a wait keeps: its deadline, or the file that it opened.
    pub(super) memo: Option<u64>,
    /// Instructions that it has executed.
    pub(super) ran: u64,
    /// Whether its source of random numbers was not set by the seed yet.
    pub(super) is_new: bool,
    pub(super) traits: Traits,
    /// Whether its system call has come late on purpose.
    pub(super) late: bool,
}

/// A thread's wait.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    pub(super) on: On,
    /// The deadline, if there is one.
    pub(super) deadline: Option<u64>,
    /// The result of its system call at the deadline.
    pub(super) late: i64,
}

/// Events that end a wait before its deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    /// Nothing.
    Time,
    /// A wake of the futex at this address.
    Futex(u64),
    /// A change of any file. The system call is made again.
    Change,
    /// Nothing: it was stopped, and has not asked to wait.
    Stall,
    /// An event of this epoll's files: the address and size of the buffer for events.
    Epoll { file: u64, to: u64, room: u64 },
}

impl Default for Threads {
    fn default() -> Threads {
        let (alt_stack, signals) = (AltStack::default(), OfThread::default());
        let (cpu, wait) = (Cpu::default(), None);
        let (memo, ran, is_new) = (None, 0, true);
        let traits = Traits::default();
        let first = Thread {
            tid: 1,
            cpu,
            wait,
            clear_tid: 0,
            alt_stack,
            signals,
            memo,
            ran,
            is_new,
            traits,
            late: false,
        };
        Threads {
            signals: Signals::default(),
            list: vec![first],
            running: 0,
            used: 0,
            next_tid: 2,
            g_slot: 0,
            own_code: OwnCode::default(),
            meetings: Meetings::default(),
            schedule: Schedule::default(),
            ending: None,
            settles: false,
            printed: None,
            busy: false,
            work: 0,
            added: 0,
        }
    }
}

impl Threads {
    /// What looking at all threads takes, in instructions.
    pub(super) fn cost(&self) -> u64 {
        self.list.len() as u64
    }

    /// The running thread.
    pub(super) fn running(&mut self) -> &mut Thread {
        let last = self.list.len() - 1;
        &mut self.list[self.running.min(last)]
    }

    /// The end of a program that has run on; what it has printed since does not count.
    pub(super) fn ended(&mut self) -> Option<Outcome> {
        let ending = self.ending.take()?;
        self.printed = Some(ending.printed);
        self.busy = ending.is_busy();
        Some(ending.outcome)
    }

    /// The thread with this number.
    pub(super) fn numbered(&mut self, tid: u64) -> Option<&mut Thread> {
        self.list.iter_mut().find(|thread| u64::from(thread.tid) == tid)
    }

    /// The other threads that can run, the next in order first.
    pub(super) fn ready(&self) -> impl Iterator<Item = usize> {
        let count = self.list.len();
        let order = (1..count).map(move |step| (self.running + step) % count);
        order.filter(|&at| self.list[at].wait.is_none())
    }

    /// Instructions that the running thread may execute before the scheduler checks the others.
    pub(super) fn slice(&mut self, cx: &HookContext<'_>) -> i64 {
        if self.schedule.aims() && self.meetings.has(cx.memory, cx.cpu.rip) {
            self.schedule.aimed();
        }
        let turn = if self.schedule.is_usual() {
            let left = TURN.saturating_sub(self.used).max(1);
            if self.ready().next().is_some() { left } else { i64::MAX }
        } else {
            let ready: Vec<usize> = self.ready().collect();
            self.schedule.slice(self.place(self.running, cx), &self.places(&ready, cx))
        };
        let deadlines = self.deadlines().map(|deadline| clock::until(cx.cpu, deadline));
        let work = self.ending.as_ref().map_or(i64::MAX, Ending::left);
        deadlines.fold(turn.min(work), i64::min)
    }

    /// When others want to run again, and when what is left of a program that has ended is stopped.
    fn deadlines(&self) -> impl Iterator<Item = u64> {
        let others = self.list.iter().enumerate().filter(|(at, _)| *at != self.running);
        let waits = others.filter_map(|(_, thread)| thread.wait?.deadline);
        waits.chain(self.ending.as_ref().map(Ending::deadline))
    }

    /// Counts executed instructions of the running thread.
    pub(super) fn ran(&mut self, instructions: i64) {
        self.used = self.used.saturating_add(instructions);
        let contended = !self.schedule.is_usual() && self.ready().next().is_some();
        self.schedule.ran(instructions, contended);
        if let Some(ending) = &mut self.ending {
            ending.ran(instructions);
        }
        let running = self.running();
        running.ran = running.ran.saturating_add(instructions.unsigned_abs());
    }

    /// Ends a slice: another thread runs if the turn is over, or one has waited long enough. The outcome ends the program.
    pub(super) fn turn(&mut self, cx: &mut HookContext<'_>) -> Result<Option<Outcome>, HookError> {
        cx.memory.charge(self.list.len() as u64);
        let now = clock::now(cx.cpu);
        let woken = self.wake_late(now);
        if self.ending.as_ref().is_some_and(|ending| ending.is_late(now)) {
            return Ok(self.ended());
        }
        if !self.schedule.is_usual() {
            return self.scheduled_turn(cx);
        }
        let next = self.ready().next();
        if (woken || self.used >= TURN)
            && let Some(next) = next
        {
            self.change(cx, next);
        }
        Ok(None)
    }

    /// A signal that came from outside is sent to a thread that takes it: a running one rather than one that
    /// waits, whose wait ends.
    pub(super) fn interrupt(&mut self, signal: u64) -> Option<Outcome> {
        let takes = |thread: &Thread| !thread.signals.holds(signal);
        let running = self.list.iter().position(|thread| takes(thread) && thread.wait.is_none());
        let at = running.or_else(|| self.list.iter().position(takes)).unwrap_or(0);
        let thread = self.list.get_mut(at)?;
        if let SyscallReturn::End(outcome) = signal::send(&self.signals, thread, signal) {
            return Some(outcome);
        }
        thread.notice();
        None
    }

    /// Saves the processor's registers and loads another thread's. Its counter and its source of random numbers
    /// continue.
    pub(super) fn change(&mut self, cx: &mut HookContext<'_>, next: usize) {
        if let Some(old) = self.list.get_mut(self.running) {
            old.cpu.clone_from(cx.cpu);
        }
        self.load(cx, next);
    }

    fn load(&mut self, cx: &mut HookContext<'_>, next: usize) {
        let (tsc, entropy) = (cx.cpu.tsc, cx.cpu.entropy);
        cx.cpu.clone_from(&self.list[next].cpu);
        (cx.cpu.tsc, cx.cpu.entropy) = (tsc, entropy);
        self.running = next;
        self.used = 0;
        if !self.schedule.is_usual() {
            let place = self.place(next, cx);
            self.schedule.begin(place);
        }
    }

    /// Ends the waits whose deadlines have passed; whether there were any.
    pub(super) fn wake_late(&mut self, now: u64) -> bool {
        let mut woken = false;
        for thread in &mut self.list {
            if let Some(wait) = thread.wait
                && wait.deadline.is_some_and(|deadline| deadline <= now)
            {
                thread.resume(wait.late);
                woken = true;
            }
        }
        woken
    }

    /// Suspends the running thread, and runs another. If all wait, time jumps to the first deadline.
    pub(super) fn wait(&mut self, cx: &mut HookContext<'_>, wait: Wait) -> Result<SyscallReturn, HookError> {
        clobber(cx.cpu);
        let running = self.running();
        running.wait = Some(wait);
        running.cpu.clone_from(cx.cpu);
        self.go_on(cx)
    }

    /// Suspends the running thread until a time.
    pub(super) fn sleep(
        &mut self,
        cx: &mut HookContext<'_>,
        deadline: u64,
    ) -> Result<SyscallReturn, HookError> {
        self.wait(cx, Wait { on: On::Time, deadline: Some(deadline), late: 0 })
    }

    /// Suspends the running thread until a file changes; then it makes its system call again.
    pub(super) fn wait_for_change(
        &mut self,
        cx: &mut HookContext<'_>,
        deadline: Option<u64>,
    ) -> Result<SyscallReturn, HookError> {
        call_again(cx.cpu);
        self.wait(cx, Wait { on: On::Change, deadline, late: 0 })
    }

    /// The same, for so many nanoseconds since the call was first made. After that it returns `late`.
    pub(super) fn wait_until(
        &mut self,
        cx: &mut HookContext<'_>,
        timeout: Option<u64>,
        late: i64,
    ) -> Result<SyscallReturn, HookError> {
        let now = clock::now(cx.cpu);
        let memo = &mut self.running().memo;
        let deadline = timeout.map(|timeout| *memo.get_or_insert(now.saturating_add(timeout)));
        if deadline.is_some_and(|deadline| deadline <= now) {
            *memo = None;
            return Ok(SyscallReturn::Return(late));
        }
        self.wait_for_change(cx, deadline)
    }

    /// A file has changed: threads that wait for that try again.
    pub(super) fn try_again(&mut self) {
        self.wake(On::Change, u64::MAX, 0);
    }

    /// Picks the thread to run; the running one (whose registers are saved) is the last choice.
    pub(super) fn go_on(&mut self, cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
        cx.memory.charge(self.list.len() as u64);
        loop {
            self.wake_late(clock::now(cx.cpu));
            if let Some(next) = self.choose(cx) {
                self.load(cx, next);
                return Ok(SyscallReturn::Resume);
            }
            let deadlines = self.list.iter().filter_map(|thread| thread.wait?.deadline);
            let deadlines: Vec<u64> = deadlines.collect();
            if self.ending.as_mut().is_some_and(|ending| ending.is_over(&deadlines))
                && let Some(outcome) = self.ended()
            {
                return Ok(SyscallReturn::End(outcome));
            }
            match deadlines.into_iter().min() {
                Some(first) => {
                    let late = self.schedule.late(self.place(self.running, cx));
                    cx.world.outside.pass(cx.cpu, first.saturating_add(late));
                }
                None if cx.world.outside.may_signal() => cx.world.outside.wait(cx.cpu),
                None => return Ok(SyscallReturn::End(Outcome::Deadlock(Traceback::default()))),
            }
            if let Some(outcome) = signal::from_outside(self, cx) {
                return Ok(SyscallReturn::End(outcome));
            }
        }
    }

    /// Ends up to `most` waits of this kind, oldest thread first, with these results. Returns their number.
    pub(super) fn wake(&mut self, on: On, most: u64, result: i64) -> u64 {
        let waits = |thread: &Thread| thread.wait.is_some_and(|wait| wait.on == on);
        let mut waiting: Vec<usize> = (0..self.list.len()).filter(|&at| waits(&self.list[at])).collect();
        let running = self.list.get(self.running);
        let (thread, ran) = running.map_or((0, 0), |thread| (thread.tid, thread.ran));
        let place = Place { thread, ran, ..Place::default() };
        self.work += self.list.len() as u64;
        let mut woken = 0;
        while woken < most && most - woken < waiting.len() as u64 {
            self.work += waiting.len() as u64;
            let at = self.schedule.wake(place, &self.numbers(&waiting));
            self.list[waiting.remove(at)].resume(result);
            woken += 1;
        }
        if woken < most {
            woken += waiting.len() as u64;
            waiting.into_iter().for_each(|at| self.list[at].resume(result));
        }
        woken
    }

    /// The waits for an epoll's events: thread, address and size of the buffer.
    pub(super) fn pollers(&self) -> Vec<On> {
        let waits = self.list.iter().filter_map(|thread| Some(thread.wait?.on));
        waits.filter(|on| matches!(on, On::Epoll { .. })).collect()
    }
}

impl Thread {
    /// A signal has come: a system call that waits ends, or is made again after the handler. A thread that was stopped stays so.
    pub(super) fn notice(&mut self) {
        let waits = self.wait.is_some_and(|wait| wait.on != On::Stall);
        if waits && self.signals.waits() {
            self.resume(-errno::EINTR);
        }
    }

    /// Its system call returns.
    fn resume(&mut self, result: i64) {
        if self.wait.take().is_some_and(|wait| !matches!(wait.on, On::Change | On::Stall)) {
            self.cpu.set_gpr(gpr::RAX, result as u64);
        }
    }
}

/// The state of the processor when a system call has returned.
pub(super) fn returned(cpu: &mut Cpu, result: i64) {
    cpu.set_gpr(gpr::RAX, result as u64);
    clobber(cpu);
}

/// The processor is at the system call again.
pub(super) fn call_again(cpu: &mut Cpu) {
    const SYSCALL: u64 = 2;
    cpu.rip = cpu.rip.wrapping_sub(SYSCALL);
}

/// SYSCALL leaves its return address and flags in registers.
fn clobber(cpu: &mut Cpu) {
    cpu.set_gpr(gpr::RCX, cpu.rip);
    cpu.set_gpr(gpr::R11, cpu.rflags());
}

/// `clone(flags, stack, parent_tid, child_tid, tls)`: a new thread. A new process is
/// refused.
pub(super) fn clone(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [flags, stack, parent_tid, child_tid, tls, _] = args;
    if flags & (CLONE_VM | CLONE_THREAD) != CLONE_VM | CLONE_THREAD {
        return Ok(SyscallReturn::Return(-errno::EPERM));
    }
    if kernel.threads.list.len() >= MOST {
        return Ok(SyscallReturn::Return(-errno::EAGAIN));
    }
    let mut cpu = cx.cpu.clone();
    clobber(&mut cpu);
    cpu.set_gpr(gpr::RAX, 0);
    cpu.set_gpr(gpr::RSP, stack);
    if flags & CLONE_SETTLS != 0 {
        match block(kernel, cx, tls)? {
            Some(block) => cpu.fs_base = block,
            None => return Ok(SyscallReturn::Return(-errno::EAGAIN)),
        }
    }
    let threads = &mut kernel.threads;
    let tid = threads.next_tid;
    if flags & CLONE_PARENT_SETTID != 0 {
        cx.memory.write(parent_tid, tid.to_le_bytes())?;
    }
    threads.next_tid = tid.wrapping_add(1).max(2);
    let clear_tid = if flags & CLONE_CHILD_CLEARTID != 0 { child_tid } else { 0 };
    let (alt_stack, signals) = (AltStack::default(), threads.running().signals.inherited());
    let (wait, memo, ran, is_new, traits) = (None, None, 0, true, threads.running().traits);
    threads.added += record::<Thread>();
    threads.list.push(Thread {
        tid,
        cpu,
        wait,
        clear_tid,
        alt_stack,
        signals,
        memo,
        ran,
        is_new,
        traits,
        late: false,
    });
    Ok(SyscallReturn::Return(i64::from(tid)))
}

/// `clone3(arguments, size)`: C libraries ask for threads by it, and by `clone` where a kernel does not know it.
pub(super) fn clone3(_: &mut Kernel, _: &mut HookContext<'_>, _: Args) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(-errno::ENOSYS))
}

/// `sched_yield()`
pub(super) fn sched_yield(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    _: Args,
) -> Result<SyscallReturn, HookError> {
    clock::pass(cx.cpu, YIELD);
    returned(cx.cpu, 0);
    Ok(kernel.threads.give_way(cx)?.map_or(SyscallReturn::Resume, SyscallReturn::End))
}

/// `gettid()`
pub(super) fn gettid(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    _: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(i64::from(kernel.threads.running().tid)))
}

/// `set_tid_address(pointer)`
pub(super) fn set_tid_address(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let thread = kernel.threads.running();
    thread.clear_tid = args[0];
    Ok(SyscallReturn::Return(i64::from(thread.tid)))
}

/// `exit(code)`: the thread ends, and the program with the last one.
pub(super) fn exit(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let threads = &mut kernel.threads;
    if threads.list.len() == 1 {
        return exit_group(kernel, cx, args);
    }
    let at = threads.running.min(threads.list.len() - 1);
    let ended = threads.list.remove(at);
    if ended.clear_tid != 0 {
        // As in the kernel, a bad address is ignored.
        let _ = cx.memory.write(ended.clear_tid, [0; 4]);
        threads.wake(On::Futex(ended.clear_tid), futex::ALL, 0);
    }
    // The previous thread is the last choice, so that the next in order is the first.
    threads.running = at.checked_sub(1).unwrap_or(threads.list.len() - 1);
    threads.go_on(cx)
}

/// `exit_group(code)`
pub(super) fn exit_group(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let outcome = Outcome::Exited { code: args[0] as i32, fatal: None };
    let threads = &mut kernel.threads;
    if threads.ending.is_some() {
        // All wait, so that Go's runtime gives up: that is not how the program ended.
        cx.world.ending.dying = None;
    }
    // What dies of an error is not asked what it leaves behind.
    if !threads.settles || cx.world.ending.dying.is_some() || threads.ending.is_some() {
        return Ok(SyscallReturn::End(threads.ended().unwrap_or(outcome)));
    }
    let printed = (cx.world.stdout.len(), cx.world.stderr.len());
    threads.ending = Some(Ending::new(outcome, clock::now(cx.cpu), printed));
    cx.program_ended();
    let g = cx.word(cx.cpu.fs_base.wrapping_add_signed(threads.g_slot)).unwrap_or(0);
    if g != 0 && ending::park(cx, g)? {
        return Ok(SyscallReturn::Resume);
    }
    threads.wait(cx, Wait { on: On::Time, deadline: None, late: 0 })
}

/// A thread's block. What Go asks for is a word of its own in `m`: where C has variables around it, the thread gets memory
/// for them. `None` if there is none.
fn block(kernel: &mut Kernel, cx: &mut HookContext<'_>, asked: u64) -> Result<Option<u64>, HookError> {
    if !kernel.c_blocks {
        return Ok(Some(asked));
    }
    let block = kernel.maps.take(cx.memory, tls::BLOCK);
    Ok(block.map(|block| tls::prepare(cx.memory, block)).transpose()?)
}

/// `arch_prctl(code, address)`: sets the base of FS or GS.
pub(super) fn arch_prctl(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const SET_GS: u64 = 0x1001;
    const SET_FS: u64 = 0x1002;
    match args[0] {
        SET_FS => match block(kernel, cx, args[1])? {
            Some(block) => cx.cpu.fs_base = block,
            None => return Ok(SyscallReturn::Return(-errno::ENOMEM)),
        },
        SET_GS => cx.cpu.gs_base = args[1],
        _ => return Ok(SyscallReturn::Return(-errno::EINVAL)),
    }
    Ok(SyscallReturn::Return(0))
}

//! Threads, which take turns: one runs until it waits, yields, or its turn ends while others can
//! run. The next one follows from their order alone, so that runs are reproducible.

use super::signal::{AltStack, OfThread};
use super::{Args, Kernel, errno, futex};
use crate::cpu::{Cpu, gpr};
use crate::go::traceback::Traceback;
use crate::guest::clock::Clock;
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;
use crate::outcome::Outcome;

/// The most threads.
const MOST: usize = 4096;
/// Instructions of a turn, if another thread can run.
const TURN: i64 = 1_000_000;
/// The time of a `sched_yield`, in nanoseconds, so that time passes in a loop of them.
const YIELD: u64 = 250;

/// Flags of `clone`.
const CLONE_VM: u64 = 0x100;
const CLONE_THREAD: u64 = 0x10000;
const CLONE_SETTLS: u64 = 0x80000;

/// The threads of the process, the running one among them.
#[derive(Clone)]
pub(super) struct Threads {
    list: Vec<Thread>,
    running: usize,
    /// Instructions of its turn that the running thread has used, so that a thread that leaves the engine often loses
    /// its turn too.
    used: i64,
    next_tid: u32,
}

/// One thread. Registers of the running one are in the machine's processor.
#[derive(Clone)]
pub(super) struct Thread {
    pub(super) tid: u32,
    cpu: Cpu,
    wait: Option<Wait>,
    /// Where the kernel writes 0 and wakes when the thread ends.
    clear_tid: u64,
    pub(super) alt_stack: AltStack,
    pub(super) signals: OfThread,
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
    /// An event of this epoll's files: the address and size of the buffer for events.
    Epoll { file: u64, to: u64, room: u64 },
}

impl Default for Threads {
    fn default() -> Threads {
        let (alt_stack, signals) = (AltStack::default(), OfThread::default());
        let first = Thread { tid: 1, cpu: Cpu::default(), wait: None, clear_tid: 0, alt_stack, signals };
        Threads { list: vec![first], running: 0, used: 0, next_tid: 2 }
    }
}

impl Threads {
    /// The running thread.
    pub(super) fn running(&mut self) -> &mut Thread {
        let last = self.list.len() - 1;
        &mut self.list[self.running.min(last)]
    }

    /// The thread with this number.
    pub(super) fn numbered(&mut self, tid: u64) -> Option<&mut Thread> {
        self.list.iter_mut().find(|thread| u64::from(thread.tid) == tid)
    }

    /// Instructions that the running thread may execute before the scheduler checks the others.
    pub(super) fn slice(&self, clock: Clock) -> i64 {
        let others = || self.list.iter().enumerate().filter(|(at, _)| *at != self.running);
        let left = TURN.saturating_sub(self.used).max(1);
        let turn = if others().any(|(_, thread)| thread.wait.is_none()) { left } else { i64::MAX };
        let deadlines = others().filter_map(|(_, thread)| thread.wait?.deadline);
        deadlines.map(|deadline| clock.until(deadline)).fold(turn, i64::min)
    }

    /// Counts executed instructions of the running thread.
    pub(super) fn ran(&mut self, instructions: i64) {
        self.used = self.used.saturating_add(instructions);
    }

    /// Ends a slice.
    pub(super) fn turn(&mut self, cx: &mut HookContext<'_>) {
        cx.memory.charge(self.list.len() as u64);
        self.wake_late(cx.world.clock);
        if let Some(next) = self.next() {
            self.change(cx, next);
        }
    }

    /// The next thread in order that can run, if it is another.
    fn next(&self) -> Option<usize> {
        let count = self.list.len();
        let order = (1..count).map(|step| (self.running + step) % count);
        { order }.find(|&at| self.list[at].wait.is_none())
    }

    /// Saves the processor's registers and loads another thread's. Its counter and its source of random numbers
    /// continue.
    fn change(&mut self, cx: &mut HookContext<'_>, next: usize) {
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
    }

    fn wake_late(&mut self, clock: Clock) {
        for thread in &mut self.list {
            if let Some(wait) = thread.wait
                && wait.deadline.is_some_and(|deadline| deadline <= clock.now())
            {
                thread.resume(wait.late);
            }
        }
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

    /// Picks the thread to run; the running one (whose registers are saved) is the last choice.
    fn go_on(&mut self, cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
        cx.memory.charge(self.list.len() as u64);
        loop {
            self.wake_late(cx.world.clock);
            let ready = self.next().or_else(|| {
                let alive = self.list.get(self.running)?;
                alive.wait.is_none().then_some(self.running)
            });
            if let Some(next) = ready {
                self.load(cx, next);
                return Ok(SyscallReturn::Resume);
            }
            let deadlines = self.list.iter().filter_map(|thread| thread.wait?.deadline);
            match deadlines.min() {
                Some(first) => cx.world.clock.jump(first),
                None => return Ok(SyscallReturn::End(Outcome::Deadlock(Traceback::default()))),
            }
        }
    }

    /// Ends up to `most` waits of this kind, oldest thread first, with these results. Returns their number.
    pub(super) fn wake(&mut self, on: On, most: u64, result: i64) -> u64 {
        let mut woken = 0;
        for thread in &mut self.list {
            if woken < most && thread.wait.is_some_and(|wait| wait.on == on) {
                thread.resume(result);
                woken += 1;
            }
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
    /// Its system call returns.
    fn resume(&mut self, result: i64) {
        self.wait = None;
        self.cpu.set_gpr(gpr::RAX, result as u64);
    }
}

/// The state of the processor when a system call has returned.
pub(super) fn returned(cpu: &mut Cpu, result: i64) {
    cpu.set_gpr(gpr::RAX, result as u64);
    clobber(cpu);
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
    let [flags, stack, _, _, tls, _] = args;
    if flags & (CLONE_VM | CLONE_THREAD) != CLONE_VM | CLONE_THREAD {
        return Ok(SyscallReturn::Return(-errno::EPERM));
    }
    let threads = &mut kernel.threads;
    if threads.list.len() >= MOST {
        return Ok(SyscallReturn::Return(-errno::EAGAIN));
    }
    let mut cpu = cx.cpu.clone();
    clobber(&mut cpu);
    cpu.set_gpr(gpr::RAX, 0);
    cpu.set_gpr(gpr::RSP, stack);
    if flags & CLONE_SETTLS != 0 {
        cpu.fs_base = tls;
    }
    let tid = threads.next_tid;
    threads.next_tid = tid.wrapping_add(1).max(2);
    let (alt_stack, signals) = (AltStack::default(), threads.running().signals.inherited());
    threads.list.push(Thread { tid, cpu, wait: None, clear_tid: 0, alt_stack, signals });
    Ok(SyscallReturn::Return(i64::from(tid)))
}

/// `sched_yield()`
pub(super) fn sched_yield(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    _: Args,
) -> Result<SyscallReturn, HookError> {
    cx.world.clock.jump(cx.world.clock.now() + YIELD);
    returned(cx.cpu, 0);
    kernel.threads.turn(cx);
    Ok(SyscallReturn::Resume)
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
    _: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::End(Outcome::Exited { code: args[0] as i32, fatal: None }))
}

/// `arch_prctl(code, address)`: sets the base of FS or GS.
pub(super) fn arch_prctl(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const SET_GS: u64 = 0x1001;
    const SET_FS: u64 = 0x1002;
    match args[0] {
        SET_FS => cx.cpu.fs_base = args[1],
        SET_GS => cx.cpu.gs_base = args[1],
        _ => return Ok(SyscallReturn::Return(-errno::EINVAL)),
    }
    Ok(SyscallReturn::Return(0))
}

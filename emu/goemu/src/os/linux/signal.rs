//! Signals: those that a program sends itself, as Go's runtime does to preempt goroutines that do not poll
//! (`runtime.preemptM`), those that come from outside, and those of [faults](super::fault_signals).

use std::ops::RangeInclusive;
use std::sync::Arc;

use super::signal_vectors;
use super::threads::{Thread, Threads};
use super::{Args, Kernel, errno};
use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;
use crate::outcome::Outcome;

/// The number of signals; they count from 1.
const COUNT: usize = 64;
/// Bytes of the kernel's `struct sigaction`: handler, flags, restorer, mask.
const ACTION: usize = 32;

const SIG_BLOCK: u64 = 0;
const SIG_UNBLOCK: u64 = 1;
const SIG_SETMASK: u64 = 2;
/// Values that stand for no handler.
const SIG_DFL: u64 = 0;
const SIG_IGN: u64 = 1;
/// Signals that do nothing by default: SIGCHLD, SIGCONT, SIGURG, SIGWINCH.
const NOTHING_BY_DEFAULT: [u64; 4] = [17, 18, 23, 28];
/// Signals that stop a program, which nothing would continue: SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU.
const STOPS: RangeInclusive<u64> = 19..=22;
const SA_ONSTACK: u64 = 0x0800_0000;
const SA_NODEFER: u64 = 0x4000_0000;
const SS_DISABLE: u64 = 2;
/// What a handler is told of its signal.
#[derive(Clone, Copy)]
pub(super) struct Info {
    /// `siginfo.si_code`.
    pub(super) code: i32,
    /// `siginfo.si_addr`, and the address of a page fault (CR2).
    pub(super) address: u64,
    /// The number of the processor's exception.
    pub(super) exception: u64,
}

/// That of a signal sent to a thread: `SI_TKILL`.
const SENT: Info = Info { code: -6, address: 0, exception: 0 };

/// The action of each signal.
#[derive(Clone)]
pub(super) struct Signals {
    actions: Arc<Vec<[u8; ACTION]>>,
}

impl Signals {
    fn actions_mut(&mut self) -> &mut Vec<[u8; ACTION]> {
        Arc::make_mut(&mut self.actions)
    }

    /// Whether the program has a function for a signal.
    pub(super) fn has_handler(&self, number: usize) -> bool {
        self.actions.get(number).is_some_and(|action| Action::of(action).handler > SIG_IGN)
    }
}

impl Default for Signals {
    fn default() -> Signals {
        Signals { actions: Arc::new(vec![[0; ACTION]; COUNT + 1]) }
    }
}

/// `struct sigaltstack`: address, flags, size.
#[derive(Clone, Copy)]
pub(super) struct AltStack([u64; 3]);

impl AltStack {
    /// Its end, if a handler may start there; `None` if there is no such stack, or a handler runs on it already.
    fn top(&self, sp: u64) -> Option<u64> {
        let [start, flags, size] = self.0;
        let end = start.checked_add(size)?;
        (flags & SS_DISABLE == 0 && !(start..end).contains(&sp)).then_some(end)
    }
}

impl Default for AltStack {
    fn default() -> AltStack {
        AltStack([0, SS_DISABLE, 0])
    }
}

/// The signals of one thread. Bit `n - 1` of a set is signal `n`.
#[derive(Clone, Default)]
pub(super) struct OfThread {
    /// Sent and not delivered yet.
    sent: u64,
    /// Blocked.
    held: u64,
    /// The processor at each delivery whose handler has not returned. A handler sees the general registers only.
    interrupted: Vec<Cpu>,
}

/// The most nested deliveries of one thread.
const MOST_INTERRUPTED: usize = 256;

impl OfThread {
    /// Those of a new thread.
    pub(super) fn inherited(&self) -> OfThread {
        OfThread { held: self.held, ..OfThread::default() }
    }

    /// How many handlers have not returned.
    pub(super) fn nested(&self) -> usize {
        self.interrupted.len()
    }

    /// Whether a signal can be delivered.
    pub(super) fn waits(&self) -> bool {
        self.sent & !self.held != 0
    }

    /// Whether it holds a signal back.
    pub(super) fn holds(&self, signal: u64) -> bool {
        self.held & 1 << (signal.max(1) - 1) != 0
    }

    /// Takes the first signal that can be delivered.
    fn take(&mut self) -> Option<usize> {
        let ready = self.sent & !self.held;
        let bit = (ready != 0).then(|| ready.trailing_zeros())?;
        self.sent &= !(1 << bit);
        Some(bit as usize + 1)
    }
}

/// `struct ucontext`: the offsets of its parts, and its size. `struct sigcontext` in it has 8 bytes for each register.
mod ucontext {
    use crate::cpu::gpr;

    pub(super) const STACK: u64 = 16;
    pub(super) const REGISTERS: u64 = 40;
    /// General-purpose registers in their order there; RIP and RFLAGS follow.
    pub(super) const ORDER: [u8; 16] = [
        gpr::R8,
        gpr::R9,
        gpr::R10,
        gpr::R11,
        gpr::R12,
        gpr::R13,
        gpr::R14,
        gpr::R15,
        gpr::RDI,
        gpr::RSI,
        gpr::RBP,
        gpr::RBX,
        gpr::RDX,
        gpr::RAX,
        gpr::RCX,
        gpr::RSP,
    ];
    pub(super) const RIP: u64 = REGISTERS + 128;
    pub(super) const RFLAGS: u64 = RIP + 8;
    pub(super) const SEGMENTS: u64 = RFLAGS + 8;
    pub(super) const EXCEPTION: u64 = SEGMENTS + 16;
    pub(super) const FAULT_ADDRESS: u64 = EXCEPTION + 16;
    /// The address of the vector registers.
    pub(super) const VECTORS: u64 = REGISTERS + 184;
    pub(super) const HELD: u64 = 296;
    pub(super) const SIZE: u64 = 304;
}

/// `tgkill(process, thread, signal)`
pub(super) fn tgkill(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [_, tid, signal, ..] = args;
    let signals = kernel.threads.signals.clone();
    let Some(thread) = kernel.threads.numbered(tid) else { return Ok(SyscallReturn::Return(-errno::ESRCH)) };
    Ok(send(&signals, thread, signal))
}

/// `kill(process, signal)`: of the process itself.
pub(super) fn kill(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const OWN: u64 = 1;
    let [process, signal, ..] = args;
    if process != OWN {
        return Ok(SyscallReturn::Return(-errno::EPERM));
    }
    let signals = kernel.threads.signals.clone();
    Ok(send(&signals, kernel.threads.running(), signal))
}

/// A write to a pipe without readers: the signal, and its error.
pub(super) fn broken_pipe(kernel: &mut Kernel, _: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
    const SIGPIPE: u64 = 13;
    let threads = &mut kernel.threads;
    let signals = threads.signals.clone();
    match send(&signals, threads.running(), SIGPIPE) {
        SyscallReturn::End(outcome) => Ok(SyscallReturn::End(outcome)),
        _ => Ok(SyscallReturn::Return(-errno::EPIPE)),
    }
}

/// Signals have come from outside during a system call: it is made again after their handlers.
pub(super) fn restart(kernel: &mut Kernel, cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
    super::threads::call_again(cx.cpu);
    Ok(from_outside(&mut kernel.threads, cx).map_or(SyscallReturn::Resume, SyscallReturn::End))
}

/// Sends the process what signals have come from outside. `Some` ends it.
pub(super) fn from_outside(threads: &mut Threads, cx: &HookContext<'_>) -> Option<Outcome> {
    let mut come = cx.world.outside.take_signals();
    while come != 0 {
        let signal = u64::from(come.trailing_zeros());
        come &= come - 1;
        if let Some(outcome) = threads.interrupt(signal) {
            return Some(outcome);
        }
    }
    None
}

/// Makes a signal pending if it has a handler. Without one, its default action ends the program or does nothing.
pub(super) fn send(signals: &Signals, thread: &mut Thread, signal: u64) -> SyscallReturn {
    /// A shell adds this to the number of a signal that ended a program.
    const BY_SIGNAL: u64 = 128;
    let action = usize::try_from(signal).ok().and_then(|signal| signals.actions.get(signal));
    match action.map(|action| Action::of(action).handler) {
        None => SyscallReturn::Return(-errno::EINVAL),
        Some(SIG_DFL) if STOPS.contains(&signal) => SyscallReturn::Return(-errno::EPERM),
        Some(SIG_DFL) if signal != 0 && !NOTHING_BY_DEFAULT.contains(&signal) => {
            SyscallReturn::End(Outcome::Exited { code: (BY_SIGNAL + signal) as i32, fatal: None })
        }
        Some(SIG_DFL | SIG_IGN) => SyscallReturn::Return(0),
        Some(_) => {
            thread.signals.sent |= 1 << (signal - 1);
            thread.notice();
            SyscallReturn::Return(0)
        }
    }
}

/// The kernel's `struct sigaction`.
struct Action {
    handler: u64,
    flags: u64,
    restorer: u64,
    held: u64,
}

impl Action {
    fn of(bytes: &[u8; ACTION]) -> Action {
        let mut words =
            bytes.chunks_exact(8).map(|word| word.iter().rev().fold(0, |all, &b| all << 8 | u64::from(b)));
        let mut next = || words.next().unwrap_or_default();
        Action { handler: next(), flags: next(), restorer: next(), held: next() }
    }
}

/// Delivers a signal to the running thread, if one waits.
pub(super) fn deliver(kernel: &mut Kernel, cx: &mut HookContext<'_>) -> Result<(), HookError> {
    let Some(number) = kernel.threads.running().signals.take() else { return Ok(()) };
    if !kernel.threads.signals.has_handler(number) {
        return Ok(());
    }
    start_handler(kernel, cx, number, SENT)
}

/// Starts the handler of a signal, on the signal stack if it asked for that, with the registers saved in memory
/// (`arch/x86/kernel/signal_64.c`).
pub(super) fn start_handler(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    number: usize,
    about: Info,
) -> Result<(), HookError> {
    let threads = &mut kernel.threads;
    let action = Action::of(&threads.signals.actions[number]);
    let thread = threads.running();
    if thread.signals.interrupted.len() == MOST_INTERRUPTED {
        let what = format!("a signal in the handlers of {MOST_INTERRUPTED} others");
        return Err(Error::Unsupported { what, caller: None }.into());
    }
    const RED_ZONE: u64 = 128;
    const SIGINFO: u64 = 128;
    let sp = cx.cpu.gpr(gpr::RSP);
    let top = match thread.alt_stack.top(sp) {
        Some(top) if action.flags & SA_ONSTACK != 0 => top,
        _ => sp.wrapping_sub(RED_ZONE),
    };
    let area = top.wrapping_sub(signal_vectors::SIZE) & !63;
    cx.memory.write_bytes(area, &[0; signal_vectors::SIZE as usize])?;
    signal_vectors::save(cx, area)?;
    // The handler starts as if the restorer had called it.
    let context = area.wrapping_sub(ucontext::SIZE + SIGINFO) & !15;
    let (info, frame) = (context.wrapping_add(ucontext::SIZE), context.wrapping_sub(8));
    cx.set_word(frame, action.restorer)?;
    cx.memory.write_bytes(context, &[0; (ucontext::SIZE + SIGINFO) as usize])?;
    for (word, n) in thread.alt_stack.0.into_iter().zip(0..) {
        cx.set_word(context + ucontext::STACK + 8 * n, word)?;
    }
    for (register, n) in ucontext::ORDER.into_iter().zip(0..) {
        cx.set_word(context + ucontext::REGISTERS + 8 * n, cx.cpu.gpr(register))?;
    }
    cx.set_word(context + ucontext::RIP, cx.cpu.rip)?;
    cx.set_word(context + ucontext::RFLAGS, cx.cpu.rflags())?;
    // CS, GS, FS and SS of a Linux process.
    cx.set_word(context + ucontext::SEGMENTS, 0x33 | 0x2b << 48)?;
    cx.set_word(context + ucontext::EXCEPTION, about.exception)?;
    cx.set_word(context + ucontext::FAULT_ADDRESS, about.address)?;
    cx.set_word(context + ucontext::VECTORS, area)?;
    cx.set_word(context + ucontext::HELD, thread.signals.held)?;
    cx.memory.write(info, (number as u32).to_le_bytes())?;
    cx.memory.write(info + 8, about.code.to_le_bytes())?;
    cx.set_word(info + 16, about.address)?;
    thread.signals.interrupted.push(cx.cpu.clone());
    threads.added += size_of::<Cpu>() as u64;
    let thread = threads.running();
    thread.signals.held |= action.held;
    if action.flags & SA_NODEFER == 0 {
        thread.signals.held |= 1 << (number - 1);
    }
    cx.cpu.set_gpr(gpr::RDI, number as u64);
    cx.cpu.set_gpr(gpr::RSI, info);
    cx.cpu.set_gpr(gpr::RDX, context);
    cx.cpu.set_gpr(gpr::RAX, 0);
    cx.cpu.set_gpr(gpr::RSP, frame);
    cx.cpu.rip = action.handler;
    cx.cpu.direction = false;
    Ok(())
}

/// `rt_sigreturn()`: restores the registers from memory, where the handler may have changed them.
pub(super) fn rt_sigreturn(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    _: Args,
) -> Result<SyscallReturn, HookError> {
    let context = cx.cpu.gpr(gpr::RSP);
    let word = |offset: u64| cx.word(context.wrapping_add(offset));
    let (rip, flags, held) = (word(ucontext::RIP)?, word(ucontext::RFLAGS)?, word(ucontext::HELD)?);
    let mut registers = [0; 16];
    for (register, n) in registers.iter_mut().zip(0..) {
        *register = word(ucontext::REGISTERS + 8 * n)?;
    }
    let area = word(ucontext::VECTORS)?;
    let signals = &mut kernel.threads.running().signals;
    if let Some(before) = signals.interrupted.pop() {
        signal_vectors::restore(cx, area, &before)?;
    }
    signals.held = held;
    for (register, value) in ucontext::ORDER.into_iter().zip(registers) {
        cx.cpu.set_gpr(register, value);
    }
    cx.cpu.set_rflags(flags);
    cx.cpu.rip = rip;
    Ok(SyscallReturn::Resume)
}

/// `rt_sigaction(signal, new, old, size)`
pub(super) fn rt_sigaction(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [signal, new, old, ..] = args;
    let signal = usize::try_from(signal).ok().filter(|&signal| signal > 0);
    let Some(action) = signal.and_then(|signal| kernel.threads.signals.actions_mut().get_mut(signal)) else {
        return Ok(SyscallReturn::Return(-errno::EINVAL));
    };
    let before = *action;
    if new != 0 {
        *action = cx.memory.read(new)?;
    }
    if old != 0 {
        cx.memory.write(old, before)?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `rt_sigprocmask(how, new, old, size)`
pub(super) fn rt_sigprocmask(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [how, new, old, ..] = args;
    let signals = &mut kernel.threads.running().signals;
    let before = signals.held;
    if new != 0 {
        let set = cx.word(new)?;
        signals.held = match how {
            SIG_BLOCK => before | set,
            SIG_UNBLOCK => before & !set,
            SIG_SETMASK => set,
            _ => return Ok(SyscallReturn::Return(-errno::EINVAL)),
        };
    }
    if old != 0 {
        cx.set_word(old, before)?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `sigaltstack(new, old)`
pub(super) fn sigaltstack(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let stack = &mut kernel.threads.running().alt_stack;
    let before = *stack;
    if args[0] != 0 {
        let word = |n: u64| cx.word(args[0].wrapping_add(8 * n));
        *stack = AltStack([word(0)?, word(1)?, word(2)?]);
    }
    if args[1] != 0 {
        for (n, word) in before.0.into_iter().enumerate() {
            cx.set_word(args[1].wrapping_add(8 * n as u64), word)?;
        }
    }
    Ok(SyscallReturn::Return(0))
}

//! Signals while translated code runs.
//!
//! What the host refuses there, it tells by a signal: an access to a page that somebody must look at, a division by zero. The
//! handler notes where and goes on at the way out. Signals that are not about translated code go to the handler that was
//! there before. Inside, RSP is the guest's, so that no frame of a signal may be put there: the handlers run on a stack
//! of their own, and other signals wait until translated code is left.

#![allow(unsafe_code, reason = "installs signal handlers; every block states why it is sound")]

use std::cell::Cell;
use std::mem::zeroed;
use std::ptr::{null, null_mut};
use std::sync::{Arc, OnceLock};

use super::code::SIZE;
use super::enter::{State, Window, refuse, swap_gs};

/// What the host tells of instructions that it refuses.
const SIGNALS: [i32; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL];

/// Handlers that were there before, in the order of [`SIGNALS`].
static BEFORE: OnceLock<Option<[Before; 4]>> = OnceLock::new();

#[derive(Clone, Copy)]
struct Before(libc::sigaction);

// SAFETY: plain numbers; the functions that they name are those of the process.
unsafe impl Send for Before {}
// SAFETY: as above; never changed after they were stored.
unsafe impl Sync for Before {}

thread_local! {
    /// The translated code that this thread is in: its address, and its state.
    static CURRENT: Cell<(u64, *mut State)> = const { Cell::new((0, null_mut())) };

    /// Whether there are [`ThreadSignals`].
    static HELD: Cell<bool> = const { Cell::new(false) };
}

type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void);

/// Installs the handlers, once a process.
pub(crate) fn install() -> bool {
    BEFORE
        .get_or_init(|| {
            let mut before = [Before(unsafe_zeroed()); 4];
            for (signal, old) in SIGNALS.into_iter().zip(&mut before) {
                let mut new: libc::sigaction = unsafe_zeroed();
                new.sa_sigaction = handle as Handler as usize;
                new.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                // SAFETY: both point to live values; the handler only does what handlers may.
                let failed =
                    unsafe { libc::sigfillset(&mut new.sa_mask) | libc::sigaction(signal, &new, &mut old.0) };
                if failed != 0 {
                    return None;
                }
            }
            Some(before)
        })
        .is_some()
}

/// Whether the handler is still the one that a fault of translated code reaches.
fn installed() -> bool {
    let mut now: libc::sigaction = unsafe_zeroed();
    // SAFETY: only asks; the value lives.
    let asked = unsafe { libc::sigaction(libc::SIGSEGV, null(), &mut now) };
    asked == 0 && now.sa_sigaction == handle as Handler as usize
}

/// All bytes zero, which the C structures of this file may be.
fn unsafe_zeroed<T: Plain>() -> T {
    // SAFETY: the types that are `Plain` are C structures of numbers and pointers.
    unsafe { zeroed() }
}

trait Plain {}
impl Plain for libc::sigaction {}
impl Plain for libc::sigset_t {}
impl Plain for libc::stack_t {}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let (start, state) = CURRENT.get();
    // SAFETY: the kernel gives handlers a context and information that live until they return.
    let (registers, by_kernel) =
        unsafe { (&mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs, (*info).si_code > 0) };
    let rip = registers[libc::REG_RIP as usize] as u64;
    if by_kernel && start != 0 && rip.wrapping_sub(start) < SIZE as u64 {
        // SAFETY: CURRENT names the state of the code that this thread is in, and that code is stopped.
        registers[libc::REG_RIP as usize] = unsafe { refuse(state, rip) } as i64;
        return;
    }
    hand_on(signal, info, context);
}

/// Calls the handler that was there before; where that is the default, the signal ends the process as it would have.
fn hand_on(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let at = SIGNALS.iter().position(|&one| one == signal);
    let Some(Before(before)) = at.and_then(|at| BEFORE.get()?.as_ref().map(|all| all[at])) else { return };
    match before.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: what was there before is there again. The instruction is tried once more when this returns, and the
            // system does what it does without us. (One that is ignored ends the process as well, if the kernel sent it.)
            unsafe { libc::sigaction(signal, &before, null_mut()) };
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: with this flag, the number is such a function.
            let call = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            call(signal, info, context);
        }
        handler => {
            // SAFETY: without it, it is a function of the signal alone.
            let call = unsafe { std::mem::transmute::<usize, extern "C" fn(i32)>(handler) };
            call(signal);
        }
    }
}

/// Bytes of the signals' stack: more than the largest frame, with room for handlers that are not ours.
const STACK: usize = 128 << 10;

/// The signals' stack of one translator.
pub(crate) struct SignalStack(*mut libc::c_void);

// SAFETY: it owns its mapping.
unsafe impl Send for SignalStack {}
// SAFETY: of what is shared only the address is looked at.
unsafe impl Sync for SignalStack {}

impl SignalStack {
    /// `None` where the system has no memory, or none that the guest's RSP could not be taken for: the kernel asks whether
    /// RSP lies in this stack, and there it holds a guest's address, below 2^41.
    pub(crate) fn new() -> Option<SignalStack> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let at = unsafe {
            libc::mmap(null_mut(), STACK, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
        };
        if at == libc::MAP_FAILED {
            return None;
        }
        let stack = SignalStack(at);
        (at as u64 > 1 << 41).then_some(stack)
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours; no thread has it as its stack, for `Inside` gave that back.
        unsafe { libc::munmap(self.0, STACK) };
    }
}

/// A thread that is about to enter translated code, once or many times: signals have a stack of their own, and those that are
/// not about instructions wait; GS has the guest's base. All is as it was when this is dropped.
pub(crate) struct Inside {
    mask: libc::sigset_t,
    stack: libc::stack_t,
    gs: u64,
    /// The code that the thread is in, and was in before: that of a machine that uses this one.
    current: (u64, *mut State),
    outer: (u64, *mut State),
    /// The base of the guest's space.
    base: u64,
    /// Which thread it is.
    thread: usize,
    /// Stays mapped as long as it is in use.
    used: Arc<SignalStack>,
}

// SAFETY: its pointers are only given back to the thread that they are from: on another one, `drop` does nothing.
unsafe impl Send for Inside {}

/// A number that no other thread has that lives.
fn this_thread() -> usize {
    CURRENT.with(|current| std::ptr::from_ref(current) as usize)
}

impl Inside {
    /// `None` where another handler has taken the place of ours, or the system refuses.
    pub(crate) fn new(stack: Arc<SignalStack>, code: u64, window: &mut Window) -> Option<Inside> {
        if !installed() {
            return None;
        }
        let (mut blocked, mut mask) = (unsafe_zeroed::<libc::sigset_t>(), unsafe_zeroed());
        // Disarmed while a handler runs: so the kernel never takes a guest's RSP for one that lies in this stack.
        const AUTODISARM: i32 = i32::MIN;
        let ours = libc::stack_t { ss_sp: stack.0, ss_flags: AUTODISARM, ss_size: STACK };
        let mut before = unsafe_zeroed();
        // SAFETY: all pointers are to live values; the stack stays mapped as long as `Inside` has it.
        let refused = unsafe {
            libc::sigfillset(&mut blocked);
            for signal in SIGNALS {
                libc::sigdelset(&mut blocked, signal);
            }
            libc::sigaltstack(&ours, &mut before) != 0
                || libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, &mut mask) != 0
        };
        if refused {
            return None;
        }
        let (base, current) = (window.base() as u64, (code, &raw mut *window.state()));
        let outer = CURRENT.replace(current);
        let gs = swap_gs(base);
        Some(Inside { mask, stack: before, gs, current, outer, base, thread: this_thread(), used: stack })
    }

    /// Whether it is for the space that begins there and for this thread, and the thread was not prepared for another since.
    pub(crate) fn is_for(&self, base: *mut u8) -> bool {
        self.base == base as u64 && self.thread == this_thread() && CURRENT.get() == self.current
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if self.thread != this_thread() {
            // A call ended in a panic, and its machine went to another thread: the first one has the stack for good.
            std::mem::forget(Arc::clone(&self.used));
            return;
        }
        swap_gs(self.gs);
        CURRENT.set(self.outer);
        // SAFETY: both values are what the system gave for this thread. The mask comes last: what waited is
        // delivered as if translated code had never run.
        unsafe {
            libc::sigaltstack(&self.stack, null_mut());
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask, null_mut());
        }
    }
}

/// How the signals of this thread are handled: as they are when this is made, and again when it is dropped, whatever a machine that
/// stays ready has done in between, and on whichever thread.
pub struct ThreadSignals {
    mask: libc::sigset_t,
    stack: libc::stack_t,
    gs: u64,
    current: (u64, *mut State),
}

impl ThreadSignals {
    /// `None` where somebody of this thread has them already, or the system does not tell.
    pub fn hold() -> Option<ThreadSignals> {
        let (mut mask, mut stack) = (unsafe_zeroed(), unsafe_zeroed());
        // SAFETY: only asks; both pointers are to live values.
        let refused = unsafe {
            libc::sigaltstack(null(), &mut stack) != 0
                || libc::pthread_sigmask(libc::SIG_SETMASK, null(), &mut mask) != 0
        };
        if refused || HELD.replace(true) {
            return None;
        }
        let gs = swap_gs(0);
        swap_gs(gs);
        Some(ThreadSignals { mask, stack, gs, current: CURRENT.get() })
    }

    /// Whether somebody of this thread has them.
    pub fn are_held() -> bool {
        HELD.get()
    }
}

impl Drop for ThreadSignals {
    fn drop(&mut self) {
        // As in `Inside`. It holds a pointer, so it is dropped on the thread that it was made on.
        HELD.set(false);
        swap_gs(self.gs);
        CURRENT.set(self.current);
        // SAFETY: both values are what the system gave for this thread, and what was current then is still there: it belongs to a
        // machine that uses the one that is given back.
        unsafe {
            libc::sigaltstack(&self.stack, null_mut());
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.mask, null_mut());
        }
    }
}

//! Linux, as far as Go's runtime needs it to start and to run: threads, futexes, a clock, memory, pipes and epoll.
//!
//! It is a kernel for one process without access to the host. Threads take turns on the machine's one processor, in
//! a reproducible order; the clock advances with executed instructions, and jumps when
//! every thread sleeps. Files, network and other processes are refused with EPERM, an error that a program
//! can handle.
//!
//! [`table`] has a row for each system call; the other files hold one idea each.

mod clock;
mod epoll;
mod files;
mod futex;
mod identity;
mod memory;
mod ranges;
mod signal;
pub mod table;
mod threads;

use std::ops::Range;

pub(crate) use clock::put_time_of_day;

use crate::cpu::{Cpu, gpr};
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::memory::Memory;
use crate::os::errno;
use crate::os::{Os, SyscallReturn};

/// The six arguments of a system call.
type Args = [u64; 6];

/// The operating system of a machine with a started program.
pub(crate) struct Linux {
    now: Kernel,
    /// The state that calls start from.
    kept: Kernel,
    /// The offset of `g` in a thread's block, from FS.
    g_slot: i64,
}

/// The kernel's state of its process.
#[derive(Clone)]
struct Kernel {
    threads: threads::Threads,
    maps: memory::Maps,
    files: files::Files,
    signals: signal::Signals,
}

impl Linux {
    /// A process with one thread, in a space of `space` bytes of which these ranges have memory. Its threads have `g`
    /// in their blocks at this offset.
    pub(crate) fn new(space: u64, mapped: &[Range<u64>], g_slot: i64) -> Linux {
        let now = Kernel {
            threads: threads::Threads::default(),
            maps: memory::Maps::new(space, mapped),
            files: files::Files::default(),
            signals: signal::Signals::default(),
        };
        Linux { kept: now.clone(), now, g_slot }
    }
}

impl Os for Linux {
    fn syscall(&mut self, cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
        let args = [gpr::RDI, gpr::RSI, gpr::RDX, gpr::R10, gpr::R8, gpr::R9].map(|r| cx.cpu.gpr(r));
        let Some(entry) = table::find(cx.cpu.gpr(gpr::RAX)) else {
            return Ok(SyscallReturn::Return(-errno::EPERM));
        };
        match (entry.body)(&mut self.now, cx, args) {
            // An address that the kernel cannot use is an error number, not a fault.
            Err(HookError::Fault(_)) => Ok(SyscallReturn::Return(-errno::EFAULT)),
            Ok(SyscallReturn::Return(result)) if self.now.threads.running().signals.waits() => {
                threads::returned(cx.cpu, result);
                signal::deliver(&mut self.now, cx)?;
                Ok(SyscallReturn::Resume)
            }
            Ok(SyscallReturn::Resume) => {
                signal::deliver(&mut self.now, cx)?;
                Ok(SyscallReturn::Resume)
            }
            answered => answered,
        }
    }

    fn slice(&self, cx: &HookContext<'_>) -> i64 {
        self.now.threads.slice(cx.world.clock)
    }

    fn ran(&mut self, cx: &mut HookContext<'_>, instructions: i64) {
        cx.world.clock.advance(instructions);
        self.now.threads.ran(instructions);
    }

    fn turn(&mut self, cx: &mut HookContext<'_>) -> Option<HookResult> {
        self.now.threads.turn(cx);
        Some(signal::deliver(&mut self.now, cx).map(|()| Action::Resume))
    }

    /// The thread-local slot has it.
    fn g(&self, cpu: &Cpu, memory: &Memory) -> Option<u64> {
        let slot = cpu.fs_base.wrapping_add_signed(self.g_slot);
        memory.read(slot).ok().map(u64::from_le_bytes)
    }

    fn keep(&mut self) {
        self.kept.clone_from(&self.now);
    }

    fn reset(&mut self) {
        self.now.clone_from(&self.kept);
    }

    fn copy(&self) -> Box<dyn Os> {
        Box::new(Linux { now: self.now.clone(), kept: self.kept.clone(), g_slot: self.g_slot })
    }

    fn fork(&self) -> Box<dyn Os> {
        Box::new(Linux { now: self.kept.clone(), kept: self.kept.clone(), g_slot: self.g_slot })
    }
}

//! Linux, as far as Go programs need it: threads, futexes, a clock, memory, files, sockets and epoll.
//!
//! It is a kernel for one process. Files are in memory ([`disk`]), but for folders of the host that it is given; sockets reach
//! sockets of the same process. Threads take turns on the machine's one processor, in
//! a reproducible order; the clock advances with executed instructions, and jumps when
//! every thread sleeps. Other processes are refused with EPERM, an error that a program can handle.
//!
//! [`table`] has a row for each system call; the other files hold one idea each.

mod attributes;
mod clock;
mod connect;
pub mod disk;
mod ending;
mod epoll;
mod fault_signals;
mod faults;
mod files;
mod futex;
mod held;
mod identity;
mod io;
mod memory;
mod net;
mod netlink;
mod paths;
mod pipes;
mod ranges;
mod record;
mod shared;
mod signal;
mod signal_vectors;
mod socket_address;
mod socket_options;
mod sockets;
mod splice;
mod status;
pub mod table;
mod threads;
mod traits;
mod transfer;
mod turns;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use clock::put_time_of_day;
use held::Held;

use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::exit::Fault;
use crate::go::chance::Chance;
use crate::go::traceback::Stack;
use crate::go::traceback::unwind::Start;
use crate::guest::faults::Faults;
use crate::guest::files::{Changed, Files};
use crate::guest::schedule::Schedule;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::memory::Memory;
use crate::os::errno;
use crate::os::{Args, Os, Scheduled, Scheduling, Stopped, SyscallReturn, registers};

/// The operating system of a machine with a started program.
pub(crate) struct Linux {
    now: Kernel,
    /// The state that calls start from.
    kept: Kernel,
    /// The offset of `g` in a thread's block, from FS.
    g_slot: i64,
    /// Where threads have their sources of random numbers, and what those follow from.
    chance: Option<Chance>,
    seed: u64,
    /// Where threads were stopped, if somebody wants to know.
    stops: Option<Vec<Stopped>>,
}

/// The kernel's state of its process.
#[derive(Clone)]
pub(super) struct Kernel {
    /// What the process sees.
    processors: u32,
    threads: threads::Threads,
    maps: memory::Maps,
    shared: shared::Shared,
    files: files::Files,
    disk: Arc<disk::Disk>,
    net: net::Net,
    faults: faults::Faulty,
    held: Held,
    /// Whether a C linker has placed `g` among C's thread-local variables, so that threads need memory for those.
    c_blocks: bool,
}

impl Kernel {
    /// A process with one thread, in a space of `space` bytes of which these ranges have memory.
    pub(super) fn new(
        space: u64,
        mapped: &[Range<u64>],
        files: &Files,
        processors: u32,
    ) -> Result<Kernel, Error> {
        let mut disk = disk::Disk::new(&files.program, files.room, &files.dirs)?;
        disk.start_in(&files.current)?;
        Ok(Kernel {
            processors: processors.clamp(1, 64),
            threads: threads::Threads::default(),
            maps: memory::Maps::new(space, mapped),
            shared: shared::Shared::default(),
            files: files::Files::default(),
            disk: Arc::new(disk),
            net: net::Net::default(),
            faults: faults::Faulty::default(),
            held: Held::default(),
            c_blocks: false,
        })
    }

    /// What its calls have taken so far beyond what each charges by itself, in instructions.
    fn work(&self) -> u64 {
        self.disk.work + self.files.work + self.net.work + self.threads.work
    }

    /// Carries out a system call.
    fn carry_out(
        &mut self,
        entry: &table::Entry,
        cx: &mut HookContext<'_>,
        args: Args,
    ) -> Result<SyscallReturn, HookError> {
        let before = self.work();
        if entry.looks_at_files && self.shared.is_written() {
            shared::store(self, cx);
        }
        let answer = (entry.body)(self, cx, args);
        if self.disk.has_changes() {
            shared::load(self, cx)?;
        }
        if self.held.is_due(self.added()) {
            self.weigh();
        }
        cx.memory.charge(self.work().saturating_sub(before));
        answer
    }

    /// Bytes of the host's memory that its calls have ever asked for.
    fn added(&self) -> u64 {
        self.disk.added + self.files.added + self.net.added + self.threads.added
    }

    /// Finds out how many of them are still there.
    fn weigh(&mut self) {
        let bytes = self.disk.held() + self.files.held() + self.net.held() + self.threads.held();
        self.files.work += self.disk.count() + self.files.count() + self.net.count() + self.threads.cost();
        self.held = Held { bytes, added: self.added() };
    }

    /// Carries out a system call of one thread alone, about files. `None` where it would wait.
    pub(super) fn file_call(&mut self, cx: &mut HookContext<'_>) -> Result<Option<i64>, HookError> {
        let args = registers(cx.cpu);
        let Some(entry) = table::find(cx.cpu.gpr(gpr::RAX)) else { return Ok(Some(-errno::EPERM)) };
        match self.carry_out(entry, cx, args) {
            Ok(SyscallReturn::Return(result)) => Ok(Some(result)),
            Ok(SyscallReturn::Resume | SyscallReturn::End(_)) => Ok(None),
            Err(HookError::Fault(_)) => Ok(Some(-errno::EFAULT)),
            Err(error) => Err(error),
        }
    }

    /// The file system, to be changed.
    fn disk(&mut self) -> &mut disk::Disk {
        Arc::make_mut(&mut self.disk)
    }
}

impl Linux {
    /// A process with one thread, in a space of `space` bytes of which these ranges have memory, with the files and processors of a machine.
    /// Its threads have `g` in their blocks at this offset, and C's variables beside it or not.
    pub(crate) fn new(
        space: u64,
        mapped: &[Range<u64>],
        files: &Files,
        processors: u32,
        (g_slot, c_blocks): (i64, bool),
    ) -> Result<Linux, Error> {
        let mut now = Kernel::new(space, mapped, files, processors)?;
        now.c_blocks = c_blocks;
        now.threads.g_slot = g_slot;
        Ok(Linux { kept: now.clone(), now, g_slot, chance: None, seed: 0, stops: None })
    }

    /// The same with faults on purpose.
    pub(crate) fn with_faults(mut self, faults: Faults) -> Linux {
        (self.now.faults.given, self.kept.faults.given) = (faults, faults);
        self
    }

    /// The running goroutine's calls, and the time.
    fn stack(&self, cx: &HookContext<'_>) -> Option<(Stack, u64)> {
        let g = self.g(cx.cpu, cx.memory)?;
        let goid = cx.word(g.wrapping_add(cx.image.facts().g.goid)).ok()?;
        let start = Start { pc: cx.cpu.rip, sp: cx.cpu.gpr(gpr::RSP), trap: true };
        Some((Stack::read(cx.image, cx.memory, start, (goid, "running"), false), cx.cpu.tsc))
    }

    /// Where the seed is to decide all that is random: the running thread's numbers follow from it, from its first system call on.
    fn seed_thread(&mut self, cx: &mut HookContext<'_>) -> Result<(), HookError> {
        let Some(chance) = self.chance else { return Ok(()) };
        let Some(g) = self.g(cx.cpu, cx.memory).filter(|g| *g != 0) else { return Ok(()) };
        let thread = self.now.threads.running();
        if std::mem::take(&mut thread.is_new) {
            let m = cx.word(g.wrapping_add(cx.image.facts().g.m))?;
            chance.mix(cx.memory, m, self.seed, thread.tid.into())?;
        }
        Ok(())
    }
}

impl Os for Linux {
    fn syscall(&mut self, cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
        let args = [gpr::RDI, gpr::RSI, gpr::RDX, gpr::R10, gpr::R8, gpr::R9].map(|r| cx.cpu.gpr(r));
        // The others are asked when they want to run next.
        cx.memory.charge(self.now.threads.cost());
        self.seed_thread(cx)?;
        let number = cx.cpu.gpr(gpr::RAX);
        let Some(entry) = table::find(number) else {
            return Ok(SyscallReturn::Return(-errno::EPERM));
        };
        if let Some(outcome) = signal::from_outside(&mut self.now.threads, cx) {
            return Ok(SyscallReturn::End(outcome));
        }
        let answer = match faults::before(&mut self.now, cx, number, args)? {
            Ok(args) => self.now.carry_out(entry, cx, args),
            Err(instead) => Ok(instead),
        };
        match answer {
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

    fn signal_fault(&mut self, cx: &mut HookContext<'_>, fault: &Fault) -> Result<bool, HookError> {
        fault_signals::send(&mut self.now, cx, fault)
    }

    fn is_quick(&self, number: u64) -> bool {
        // rt_sigprocmask, getpid, gettimeofday, gettid, clock_gettime
        matches!(number, 14 | 39 | 96 | 186 | 228)
    }

    fn slice(&mut self, cx: &HookContext<'_>) -> i64 {
        self.now.threads.slice(cx).min(cx.world.outside.slice())
    }

    fn ran(&mut self, cx: &mut HookContext<'_>, instructions: i64) {
        cx.world.outside.advance(cx.cpu, instructions);
        self.now.threads.ran(instructions);
    }

    fn turn(&mut self, cx: &mut HookContext<'_>) -> Option<HookResult> {
        if let Some(outcome) = signal::from_outside(&mut self.now.threads, cx) {
            return Some(Ok(Action::End(outcome)));
        }
        let (before, stops_wanted) = (self.now.threads.schedule.made(), self.stops.is_some());
        let at = stops_wanted.then(|| self.stack(cx));
        let turned = self.now.threads.turn(cx);
        if let (Some(Some((stack, time))), Some(stops)) = (at, &mut self.stops)
            && self.now.threads.schedule.made() > before
            && let Some(nanoseconds) = self.now.threads.schedule.stopped_for()
        {
            stops.push(Stopped { stack, time, nanoseconds });
        }
        match turned {
            Ok(None) => {}
            Ok(Some(outcome)) => return Some(Ok(Action::End(outcome))),
            Err(error) => return Some(Err(error)),
        }
        Some(signal::deliver(&mut self.now, cx).map(|()| Action::Resume))
    }

    /// The thread-local slot has it.
    fn steps(&self) -> i64 {
        self.now.threads.schedule.steps()
    }

    fn schedule(&mut self, cx: &mut HookContext<'_>, how: Scheduling) -> Result<(), HookError> {
        let threads = &mut self.now.threads;
        threads.schedule = Schedule::new(&how.strategy, how.seed);
        threads.settles = how.settles;
        threads.own_code = how.prepared.own_code;
        threads.meetings = how.prepared.meetings;
        self.chance = how.prepared.chance;
        self.seed = how.seed;
        self.seed_thread(cx)?;
        self.now.threads.rest(cx)
    }

    fn scheduled(&mut self) -> Scheduled {
        let threads = &mut self.now.threads;
        Scheduled {
            decisions: threads.schedule.take_made(),
            contended: threads.schedule.contended,
            ended: threads.ended(),
            printed: threads.printed,
            busy: threads.busy,
        }
    }

    fn tell_stops(&mut self, tell: bool) -> Vec<Stopped> {
        std::mem::replace(&mut self.stops, tell.then(Vec::new)).unwrap_or_default()
    }

    fn g(&self, cpu: &Cpu, memory: &Memory) -> Option<u64> {
        let slot = cpu.fs_base.wrapping_add_signed(self.g_slot);
        memory.read(slot).ok().map(u64::from_le_bytes)
    }

    fn held(&self) -> u64 {
        self.now.held.now(self.now.added())
    }

    fn changes(&self) -> Vec<Changed> {
        self.now.disk.changes()
    }

    fn keep(&mut self) {
        self.kept.clone_from(&self.now);
    }

    fn reset(&mut self) {
        self.now.clone_from(&self.kept);
    }

    fn copy(&self) -> Box<dyn Os> {
        let (now, kept) = (self.now.clone(), self.kept.clone());
        Box::new(Linux { now, kept, g_slot: self.g_slot, chance: self.chance, seed: self.seed, stops: None })
    }

    fn fork(&self) -> Box<dyn Os> {
        let (now, kept) = (self.kept.clone(), self.kept.clone());
        Box::new(Linux { now, kept, g_slot: self.g_slot, chance: self.chance, seed: self.seed, stops: None })
    }
}

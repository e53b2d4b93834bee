//! System calls: `NoOs` answers those of a goroutine that goemu made, [`linux`] those of a started program.
//!
//! A goroutine that goemu made has no operating system. Its code gets memory, may print, and gets the answers that
//! initialisation needs; every other call ends with an error that names it.

mod bsd;
mod errno;
pub(crate) mod imports;
pub mod linux;
mod posix;

use std::ops::{Range, RangeInclusive};

use goemu_loader::{Image, Os as System};

use self::errno::{EBADF, ENOMEM, EPERM};
use self::linux::Kernel;
use crate::cpu::{Cpu, gpr};
use crate::error::Error;
use crate::exit::Fault;
use crate::go::chance::Chance;
use crate::go::meeting::Meetings;
use crate::go::own::OwnCode;
use crate::go::traceback::Stack;
use crate::guest::clock;
use crate::guest::files::{Changed, Files};
use crate::guest::schedule::{Decision, Strategy};
use crate::hook::{HookContext, HookError, HookResult};
use crate::memory::{Memory, PAGE};
use crate::outcome::Outcome;

pub(crate) use posix::{
    EPOCH, affinity, fill_random, limits, monotonic_start, now, random, read_input, time_of_day, uname,
};

/// The answer to a system call.
#[derive(Debug)]
pub enum SyscallReturn {
    /// Return this result; negative ones are error numbers.
    Return(i64),
    /// The registers are set: another thread runs, or a result is in place.
    Resume,
    /// End the call.
    End(Outcome),
}

/// Answers system calls. The registers are as the guest set them; the machine puts the result in RAX.
pub trait Os: Send {
    /// Answers the call that the guest makes.
    fn syscall(&mut self, cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError>;

    /// Starts the program's own handler of the signal that the system makes of a fault: whether it has one.
    ///
    /// # Errors
    /// The handler's stack cannot be written.
    fn signal_fault(&mut self, cx: &mut HookContext<'_>, fault: &Fault) -> Result<bool, HookError> {
        let _ = (cx, fault);
        Ok(false)
    }

    /// Whether the call of this number is answered at once, without waiting for anything of the host's.
    fn is_quick(&self, number: u64) -> bool {
        let _ = number;
        false
    }

    /// How many instructions may run before its next [turn](Os::turn).
    fn slice(&mut self, cx: &HookContext<'_>) -> i64 {
        let _ = cx;
        i64::MAX
    }

    /// Counts executed instructions.
    fn ran(&mut self, cx: &mut HookContext<'_>, instructions: i64) {
        let _ = (cx, instructions);
    }

    /// Ends a slice: another thread may run. `None` where the system has no threads, so that goroutines take turns.
    fn turn(&mut self, cx: &mut HookContext<'_>) -> Option<HookResult> {
        let _ = cx;
        None
    }

    /// Instructions that are to be executed one by one before the next turn; 0: the engine may run.
    fn steps(&self) -> i64 {
        0
    }

    /// Lets something else than their order decide which thread runs.
    #[allow(private_interfaces, reason = "for systems of this crate")]
    fn schedule(&mut self, cx: &mut HookContext<'_>, how: Scheduling) -> Result<(), HookError> {
        let _ = (cx, how);
        Ok(())
    }

    /// What was decided since.
    #[allow(private_interfaces, reason = "for systems of this crate")]
    fn scheduled(&mut self) -> Scheduled {
        Scheduled::default()
    }

    /// From now on it keeps where it stops threads that could go on, or no longer; what it has kept.
    #[allow(private_interfaces, reason = "for systems of this crate")]
    fn tell_stops(&mut self, tell: bool) -> Vec<Stopped> {
        let _ = tell;
        Vec::new()
    }

    /// The running `g`, if it changes.
    fn g(&self, cpu: &Cpu, memory: &Memory) -> Option<u64> {
        let _ = (cpu, memory);
        None
    }

    /// What the guest has made or written in its file system.
    fn changes(&self) -> Vec<Changed> {
        Vec::new()
    }

    /// About how many bytes of the host's memory it keeps for the guest.
    fn held(&self) -> u64 {
        0
    }

    /// Makes the current state the one that calls start from.
    fn keep(&mut self) {}

    /// Restores the state that calls start from.
    fn reset(&mut self) {}

    /// The same system for another machine, in the state that calls start from.
    fn fork(&self) -> Box<dyn Os>;

    /// The same system as it is now.
    fn copy(&self) -> Box<dyn Os>;
}

/// The six words that a system call is given.
pub(crate) type Args = [u64; 6];

/// What a system call was given.
pub(crate) fn registers(cpu: &Cpu) -> Args {
    [gpr::RDI, gpr::RSI, gpr::RDX, gpr::R10, gpr::R8, gpr::R9].map(|register| cpu.gpr(register))
}

/// The name of a system call and those of its arguments, where it is one that started programs may make.
pub(crate) fn named(
    system: System,
    number: u64,
    args: Args,
) -> (Option<&'static str>, Vec<(&'static str, u64)>) {
    let Some(call) = bsd::linux_number(system, number).and_then(linux::table::find) else {
        return (None, Vec::new());
    };
    (Some(call.name), call.args.split(", ").filter(|name| !name.is_empty()).zip(args).collect())
}

/// What decides which thread runs.
#[derive(Clone, Debug)]
pub(crate) struct Scheduling {
    pub(crate) strategy: Strategy,
    pub(crate) seed: u64,
    /// Whether goroutines of a program that has ended go on until they wait.
    pub(crate) settles: bool,
    pub(crate) prepared: Prepared,
}

/// What a schedule needs to know of a program.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prepared {
    /// Where Go keeps sources of random numbers.
    pub(crate) chance: Option<Chance>,
    /// The user's code.
    pub(crate) own_code: OwnCode,
    /// Where its goroutines meet.
    pub(crate) meetings: Meetings,
}

impl Prepared {
    pub(crate) fn of(image: &Image) -> Prepared {
        let own_code = OwnCode::of(image);
        Prepared { chance: Some(Chance::of(image)), meetings: Meetings::of(image, &own_code), own_code }
    }
}

/// Where a thread was stopped that could have gone on.
#[derive(Clone, Debug)]
pub(crate) struct Stopped {
    /// What its goroutine was in.
    pub(crate) stack: Stack,
    /// When.
    pub(crate) time: u64,
    /// For how long, if not until its turn comes.
    pub(crate) nanoseconds: Option<u64>,
}

/// What a schedule has done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scheduled {
    pub(crate) decisions: Vec<Decision>,
    /// Instructions executed while more than one thread could run.
    pub(crate) contended: u64,
    /// The outcome of a program that has ended and went on.
    pub(crate) ended: Option<Outcome>,
    /// How much it had printed at its end.
    pub(crate) printed: Option<(usize, usize)>,
    /// Whether it went on for as many instructions as it may.
    pub(crate) busy: bool,
}

/// Hands a system call's result to the guest as its system does; negative ones are error numbers.
pub(crate) fn set_result(system: System, cpu: &mut Cpu, result: i64) {
    if !bsd::tells_by_carry(system) {
        return cpu.set_gpr(gpr::RAX, result as u64);
    }
    cpu.flags = cpu.flags.with_carry(result < 0);
    cpu.set_gpr(gpr::RAX, result.unsigned_abs());
}

/// Linux, as far as it is needed to run functions of a program that was never started.
pub(crate) struct NoOs {
    files: Files,
    /// Files, once the guest has asked for any.
    kernel: Option<Box<Kernel>>,
    /// Those that calls start with.
    kept: Option<Box<Kernel>>,
}

/// Linux's calls about files: open to lstat, lseek, pread64 to pipe, dup, dup2, fcntl to umask, capget, statfs, fstatfs, sync,
/// getdents64, utimes, the calls that take a folder, utimensat, fallocate, dup3, pipe2, preadv, pwritev, renameat2,
/// memfd_create, close_range, faccessat2, fchmodat2.
const OF_FILES: [RangeInclusive<u64>; 21] = [
    0..=6,
    8..=8,
    16..=22,
    32..=33,
    72..=95,
    125..=125,
    133..=133,
    137..=138,
    162..=162,
    217..=217,
    235..=235,
    257..=269,
    280..=280,
    285..=285,
    292..=293,
    295..=296,
    316..=316,
    319..=319,
    436..=436,
    439..=439,
    452..=452,
];
/// Among them those whose first argument is an open file: the three standard ones are answered here.
const OF_OPEN_FILES: [u64; 6] = [0, 1, 5, 8, 16, 72];
/// Linux's calls about sockets.
const OF_SOCKETS: RangeInclusive<u64> = 41..=55;

impl NoOs {
    pub(crate) fn new(files: &Files) -> NoOs {
        NoOs { files: files.clone(), kernel: None, kept: None }
    }

    /// The answer to a call about files.
    fn file_call(&mut self, cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
        let kernel = match &mut self.kernel {
            Some(kernel) => kernel,
            None => {
                let kernel = Kernel::new(cx.memory.space(), &[], &self.files, 1)?;
                self.kernel.insert(Box::new(kernel))
            }
        };
        match kernel.file_call(cx)? {
            Some(result) => Ok(SyscallReturn::Return(result)),
            None => Err(unsupported(cx, "waiting for a file")),
        }
    }
}

/// Whether a call of Linux is about files that goemu has beside the standard ones.
fn is_of_files(cx: &HookContext<'_>, number: u64) -> bool {
    const STANDARD: u64 = 3;
    let of_standard = OF_OPEN_FILES.contains(&number) && cx.cpu.gpr(gpr::RDI) < STANDARD;
    OF_FILES.iter().any(|calls| calls.contains(&number)) && !of_standard
}

/// No system call's number.
const NONE: u64 = u64::MAX;
const WRITE: u64 = 1;
const MMAP: u64 = 9;
const MUNMAP: u64 = 11;
const MADVISE: u64 = 28;
const CLONE: u64 = 56;
const EXIT: u64 = 60;
const KILL: u64 = 62;
const EXIT_GROUP: u64 = 231;
/// What getpid gives.
const OWN_PROCESS: u64 = 1;
/// Protection of mmap: it can be written.
const PROT_WRITE: u64 = 2;
/// Flag of mmap: at this address.
const MAP_FIXED: u64 = 0x10;
/// Advice of Linux's madvise, after which the pages are zero.
const MADV_DONTNEED: u64 = 4;

impl Os for NoOs {
    fn copy(&self) -> Box<dyn Os> {
        let (files, kernel, kept) = (self.files.clone(), self.kernel.clone(), self.kept.clone());
        Box::new(NoOs { files, kernel, kept })
    }

    fn fork(&self) -> Box<dyn Os> {
        Box::new(NoOs { files: self.files.clone(), kernel: self.kept.clone(), kept: self.kept.clone() })
    }

    fn keep(&mut self) {
        self.kept.clone_from(&self.kernel);
    }

    fn reset(&mut self) {
        self.kernel.clone_from(&self.kept);
    }

    fn slice(&mut self, cx: &HookContext<'_>) -> i64 {
        cx.world.scheduler.slice(cx.cpu)
    }

    fn ran(&mut self, cx: &mut HookContext<'_>, instructions: i64) {
        clock::advance(cx.cpu, instructions);
        // Most calls have nobody else to run, and leave the scheduler what it is.
        if !cx.world.scheduler.is_idle() {
            cx.world.scheduler.ran(instructions);
        }
    }

    fn syscall(&mut self, cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
        let own_number = cx.cpu.gpr(gpr::RAX);
        let system = cx.image.target().os;
        let number = bsd::linux_number(system, own_number).unwrap_or(NONE);
        match number {
            _ if system == System::Linux && is_of_files(cx, number) => self.file_call(cx),
            // A program that was started has a network.
            _ if system == System::Linux && OF_SOCKETS.contains(&number) => {
                match cx.world.alone && cx.world.starting {
                    true => Ok(SyscallReturn::Return(-EPERM)),
                    false => Err(unsupported(cx, "a socket")),
                }
            }
            WRITE => write(cx),
            MMAP if cx.cpu.gpr(gpr::R10) & MAP_FIXED == 0 => {
                let size = cx.cpu.gpr(gpr::RSI);
                let at = match cx.cpu.gpr(gpr::RDX) & PROT_WRITE {
                    0 => cx.world.map_to_read(cx.memory, size),
                    _ => cx.world.map_pages(cx.memory, size),
                };
                Ok(SyscallReturn::Return(at.map_or(-ENOMEM, |at| at as i64)))
            }
            MUNMAP => {
                if let Some(range) = own_pages(cx) {
                    cx.memory.unmap(range)?;
                }
                Ok(SyscallReturn::Return(0))
            }
            MADVISE => {
                let clears = system == System::Linux && cx.cpu.gpr(gpr::RDX) == MADV_DONTNEED;
                if let Some(range) = own_pages(cx).filter(|_| clears) {
                    cx.memory.discard(range)?;
                }
                Ok(SyscallReturn::Return(0))
            }
            // Another process; threads are started by a function that has a hook.
            CLONE => Ok(SyscallReturn::Return(-EPERM)),
            // A program that was started can do that.
            KILL if cx.cpu.gpr(gpr::RDI) == OWN_PROCESS => {
                Err(unsupported(cx, "a signal to the process itself"))
            }
            EXIT | EXIT_GROUP => {
                let code = cx.cpu.gpr(gpr::RDI) as i32;
                Ok(SyscallReturn::End(Outcome::Exited { code, fatal: None }))
            }
            _ => {
                if let Some(result) = posix::answer(cx, number)? {
                    return Ok(SyscallReturn::Return(result));
                }
                let of = if system == System::Linux { String::new() } else { format!(" of {system:?}") };
                Err(unsupported(cx, &format!("system call {own_number}{of}")))
            }
        }
    }
}

/// The range that munmap and madvise are about, where the guest has mapped it itself.
fn own_pages(cx: &HookContext<'_>) -> Option<Range<u64>> {
    let (start, size) = (cx.cpu.gpr(gpr::RDI), cx.cpu.gpr(gpr::RSI));
    let end = start.checked_add(size)?.checked_next_multiple_of(PAGE)?;
    Some(start..end).filter(|range| start.is_multiple_of(PAGE) && cx.world.gave_pages(range))
}

/// What the guest asks for, after its SYSCALL, and does not get.
fn unsupported(cx: &HookContext<'_>, what: &str) -> HookError {
    let caller = cx.image.func_at(cx.cpu.rip.wrapping_sub(1)).map(|f| f.name().to_owned());
    Error::Unsupported { what: what.to_owned(), caller }.into()
}

/// write(fd, buf, len) to standard output or error.
fn write(cx: &mut HookContext<'_>) -> Result<SyscallReturn, HookError> {
    /// A write may be shorter than asked for; this bounds what one takes of the host's memory.
    const MOST: u64 = 1 << 20;
    let (fd, at) = (cx.cpu.gpr(gpr::RDI), cx.cpu.gpr(gpr::RSI));
    if fd != 1 && fd != 2 {
        return Ok(SyscallReturn::Return(-EBADF));
    }
    let len = cx.cpu.gpr(gpr::RDX).min(MOST);
    let mut bytes = vec![0; len as usize];
    cx.memory.read_bytes(at, &mut bytes)?;
    cx.world.print(fd, &bytes);
    Ok(SyscallReturn::Return(len as i64))
}

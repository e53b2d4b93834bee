//! Calls of a process about itself and the computer: one processor, no limits, user 0.

use super::{Args, Kernel, errno};
use crate::guest::clock;
use crate::hook::{HookContext, HookError};
use crate::os::{self, SyscallReturn, affinity, limits, random};

const SECOND: u64 = 1_000_000_000;

/// Process 1, of user and group 0, child of 0.
pub(super) fn getpid(_: &mut Kernel, _: &mut HookContext<'_>, _: Args) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(1))
}

/// `getuid`, `getgid`, `geteuid`, `getegid`, `getppid`
pub(super) fn zero(_: &mut Kernel, _: &mut HookContext<'_>, _: Args) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(0))
}

/// `sched_getaffinity(pid, size, mask)`
pub(super) fn sched_getaffinity(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(affinity(cx, args[1], args[2], kernel.processors)?))
}

/// `getrlimit(resource, limits)`
pub(super) fn getrlimit(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(limits(cx, args[1])?))
}

/// `prlimit64(pid, resource, new, old)`
pub(super) fn prlimit64(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(limits(cx, args[3])?))
}

/// `getrandom(to, size, flags)`
pub(super) fn getrandom(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(random(cx, args[0], args[1])?))
}

/// `getrusage(who, usage)`: the time since the start was used by the process, nothing by the system.
pub(super) fn getrusage(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const SIZE: usize = 144;
    let used = clock::now(cx.cpu);
    cx.memory.write(args[1], [0; SIZE])?;
    cx.set_word(args[1], used / SECOND)?;
    cx.set_word(args[1].wrapping_add(8), used % SECOND / 1000)?;
    Ok(SyscallReturn::Return(0))
}

/// `times(to)`: in hundredths of a second.
pub(super) fn times(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let used = clock::now(cx.cpu) / (SECOND / 100);
    if args[0] != 0 {
        for (n, word) in (0..).zip([used, 0, 0, 0]) {
            cx.set_word(args[0].wrapping_add(8 * n), word)?;
        }
    }
    Ok(SyscallReturn::Return(used as i64))
}

/// `sysinfo(to)`: the time since the start, and 2 GiB of memory.
pub(super) fn sysinfo(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const MEMORY: u64 = 2 << 30;
    let up = clock::now(cx.cpu) / SECOND;
    // Uptime, three loads, memory, free, shared, buffers, swap, free, processes; high memory, free, unit.
    let words = [up, 0, 0, 0, MEMORY, MEMORY, 0, 0, 0, 0, 1, 0, 0, 1];
    for (n, word) in (0..).zip(words) {
        cx.set_word(args[0].wrapping_add(8 * n), word)?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `capget(header, data)`: no capabilities. A header of another version is told the newest.
pub(super) fn capget(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const NEWEST: u32 = 0x2008_0522;
    const KNOWN: [u32; 3] = [0x1998_0330, 0x2007_1026, NEWEST];
    let version = u32::from_le_bytes(cx.memory.read(args[0])?);
    if !KNOWN.contains(&version) {
        cx.memory.write(args[0], NEWEST.to_le_bytes())?;
        return Ok(SyscallReturn::Return(-errno::EINVAL));
    }
    let size = if version == KNOWN[0] { 12 } else { 24 };
    if args[1] != 0 {
        cx.memory.write_bytes(args[1], &[0; 24][..size])?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `getpriority(which, who)`: 0, as the kernel puts it.
pub(super) fn getpriority(
    _: &mut Kernel,
    _: &mut HookContext<'_>,
    _: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(20))
}

/// `wait4`, `waitid`: there are no other processes.
pub(super) fn no_child(_: &mut Kernel, _: &mut HookContext<'_>, _: Args) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(-errno::ECHILD))
}

/// `uname(utsname)`
pub(super) fn uname(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    os::uname(cx, args[0]).map(SyscallReturn::Return)
}

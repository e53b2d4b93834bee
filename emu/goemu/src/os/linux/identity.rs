//! Calls of a process about itself and the computer: one processor, no limits, user 0.

use super::{Args, Kernel, errno};
use crate::hook::{HookContext, HookError};
use crate::os::{self, SyscallReturn, affinity, limits, random};

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
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(affinity(cx, args[1], args[2])?))
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

/// `getrusage(who, usage)`: nothing was used.
pub(super) fn getrusage(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const SIZE: usize = 144;
    cx.memory.write(args[1], [0; SIZE])?;
    Ok(SyscallReturn::Return(0))
}

/// `uname(utsname)`
pub(super) fn uname(
    _: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    os::uname(cx, args[0]).map(SyscallReturn::Return)
}

/// `readlink`, `readlinkat`, `getcwd`: there is no such file.
pub(super) fn no_file(_: &mut Kernel, _: &mut HookContext<'_>, _: Args) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(-errno::ENOENT))
}

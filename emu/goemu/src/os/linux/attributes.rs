//! Extended attributes: no file has any, and none can be given.

use super::files::{answer, done};
use super::paths::{CURRENT, find, path};
use super::{Args, Kernel, errno};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// Whether there is a file at the path of the first argument.
fn found(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
    follow: bool,
) -> Result<Result<(), i64>, HookError> {
    let path = path(cx, args[0])?;
    Ok(find(kernel, CURRENT, &path, follow).map(drop))
}

/// `listxattr(path, to, size)`
pub(super) fn list(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    done(found(kernel, cx, args, true)?)
}

/// `llistxattr(path, to, size)`
pub(super) fn list_of_link(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    done(found(kernel, cx, args, false)?)
}

/// `flistxattr(file, to, size)`
pub(super) fn list_of_open(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    done(kernel.files.open(args[0]).map(drop))
}

/// `getxattr(path, name, to, size)`
pub(super) fn get(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    answer(found(kernel, cx, args, true)?.and(Err(errno::ENODATA)))
}

/// `lgetxattr(path, name, to, size)`
pub(super) fn get_of_link(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    answer(found(kernel, cx, args, false)?.and(Err(errno::ENODATA)))
}

/// `fgetxattr(file, name, to, size)`
pub(super) fn get_of_open(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    answer(kernel.files.open(args[0]).map(drop).and(Err(errno::ENODATA)))
}

/// `setxattr`, `removexattr` and their kin
pub(super) fn refuse(_: &mut Kernel, _: &mut HookContext<'_>, _: Args) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(-errno::EOPNOTSUPP))
}

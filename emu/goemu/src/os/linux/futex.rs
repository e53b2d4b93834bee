//! Futexes: a thread waits while a word has a value, until another wakes it.

use super::threads::{On, Wait};
use super::{Args, Kernel, clock, errno};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

const WAIT: u64 = 0;
const WAKE: u64 = 1;
/// Without the flags of the operation: private, real-time clock.
const OPERATION: u64 = 0x7f;
/// As a count of threads to wake: all.
pub(super) const ALL: u64 = u64::MAX;

/// `futex(address, operation, value, timeout)`
pub(super) fn futex(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [address, operation, value, timeout, ..] = args;
    match operation & OPERATION {
        WAIT => {
            let found = u32::from_le_bytes(cx.memory.read(address)?);
            if found != value as u32 {
                return Ok(SyscallReturn::Return(-errno::EAGAIN));
            }
            let deadline = match timeout {
                0 => None,
                at => Some(clock::after(cx, clock::timespec(cx, at)?)),
            };
            kernel.threads.wait(cx, Wait { on: On::Futex(address), deadline, late: -errno::ETIMEDOUT })
        }
        WAKE => Ok(SyscallReturn::Return(kernel.threads.wake(On::Futex(address), value, 0) as i64)),
        _ => Ok(SyscallReturn::Return(-errno::EINVAL)),
    }
}

//! What a thread says of itself to the kernel, and asks back: `prctl`.

use super::{Args, Kernel, errno};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// Bytes of a thread's name.
const NAME: usize = 16;

/// Operations of `prctl`.
const GET_KEEPCAPS: u64 = 7;
const SET_KEEPCAPS: u64 = 8;
const SET_NAME: u64 = 15;
const GET_NAME: u64 = 16;
const SET_NO_NEW_PRIVILEGES: u64 = 38;
const GET_NO_NEW_PRIVILEGES: u64 = 39;

/// What a thread has said of itself. It changes nothing here, where there is one user who may do everything.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traits {
    keeps_capabilities: bool,
    no_new_privileges: bool,
    name: [u8; NAME],
}

/// `prctl(operation, value)`
pub(super) fn prctl(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [operation, value, ..] = args;
    let traits = &mut kernel.threads.running().traits;
    let result = match operation {
        GET_KEEPCAPS => i64::from(traits.keeps_capabilities),
        SET_KEEPCAPS if value <= 1 => {
            traits.keeps_capabilities = value == 1;
            0
        }
        GET_NO_NEW_PRIVILEGES => i64::from(traits.no_new_privileges),
        SET_NO_NEW_PRIVILEGES if value == 1 => {
            traits.no_new_privileges = true;
            0
        }
        SET_NAME => {
            let mut name = [0; NAME];
            for (at, byte) in name.iter_mut().take(NAME - 1).enumerate() {
                match cx.memory.read::<1>(value.wrapping_add(at as u64))? {
                    [0] => break,
                    [other] => *byte = other,
                }
            }
            traits.name = name;
            0
        }
        GET_NAME => {
            let name = traits.name;
            cx.memory.write_bytes(value, &name)?;
            0
        }
        _ => -errno::EINVAL,
    };
    Ok(SyscallReturn::Return(result))
}

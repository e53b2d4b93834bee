//! epoll: a thread waits until one of many files can be read or written. Go's timers wait here too.

use super::files::File;
use super::threads::{On, Wait};
use super::{Args, Kernel, clock, errno};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

const IN: u32 = 1;
const OUT: u32 = 4;
/// Edge-triggered: reported once for each change.
const EDGE: u32 = 1 << 31;
/// Bytes of `struct epoll_event`: events, data.
const EVENT: u64 = 12;

/// A file that an epoll watches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interest {
    pub(super) file: u64,
    events: u32,
    data: u64,
    /// The current events that were reported already.
    told: u32,
}

/// `epoll_create1(flags)`, `epoll_create(size)`
pub(super) fn create(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    _: Args,
) -> Result<SyscallReturn, HookError> {
    let file = kernel.files.add(File::Epoll(Vec::new()));
    Ok(SyscallReturn::Return(file.map_or(-errno::EMFILE, |number| number as i64)))
}

/// `epoll_ctl(epoll, operation, file, event)`
pub(super) fn control(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const ADD: u64 = 1;
    const DELETE: u64 = 2;
    let [epoll, operation, file, event, ..] = args;
    // Like files on disk, the standard files cannot be watched.
    match kernel.files.get(file) {
        None => return Ok(SyscallReturn::Return(-errno::EBADF)),
        Some(File::PipeOut(_) | File::PipeIn(_) | File::Counter(_)) => {}
        Some(_) => return Ok(SyscallReturn::Return(-errno::EPERM)),
    }
    let Some(File::Epoll(interests)) = kernel.files.get(epoll) else {
        return Ok(SyscallReturn::Return(-errno::EBADF));
    };
    let known = interests.iter().any(|interest| interest.file == file);
    if (operation == ADD) == known {
        return Ok(SyscallReturn::Return(if known { -errno::EEXIST } else { -errno::ENOENT }));
    }
    interests.retain(|interest| interest.file != file);
    if operation != DELETE {
        let events = u32::from_le_bytes(cx.memory.read(event)?);
        let data = cx.word(event.wrapping_add(4))?;
        interests.push(Interest { file, events, data, told: 0 });
    }
    changed(kernel, cx)?;
    Ok(SyscallReturn::Return(0))
}

/// `epoll_pwait(epoll, events, room, milliseconds, ...)`, `epoll_wait`
pub(super) fn wait(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [file, to, room, timeout, ..] = args;
    let found = tell(kernel, cx, file, to, room)?;
    let timeout = timeout as i32;
    if found != 0 || timeout == 0 {
        return Ok(SyscallReturn::Return(found));
    }
    let deadline = u64::try_from(timeout).ok().map(|timeout| clock::after(cx, timeout * 1_000_000));
    kernel.threads.wait(cx, Wait { on: On::Epoll { file, to, room }, deadline, late: 0 })
}

/// Files may have become ready: wakes the threads that wait for them.
pub(super) fn changed(kernel: &mut Kernel, cx: &mut HookContext<'_>) -> Result<(), HookError> {
    for on in kernel.threads.pollers() {
        let On::Epoll { file, to, room } = on else { continue };
        let found = tell(kernel, cx, file, to, room)?;
        if found != 0 {
            kernel.threads.wake(on, 1, found);
        }
    }
    Ok(())
}

/// Writes the events to report; returns their number, or an error number.
fn tell(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    epoll: u64,
    to: u64,
    room: u64,
) -> Result<i64, HookError> {
    let Some(File::Epoll(interests)) = kernel.files.get(epoll) else { return Ok(-errno::EBADF) };
    let mut interests = std::mem::take(interests);
    let mut count = 0;
    for interest in &mut interests {
        let ready = match kernel.files.get(interest.file).cloned() {
            Some(file) => kernel.files.readiness(&file),
            None => (false, false),
        };
        let holds = interest.events & (if ready.0 { IN } else { 0 } | if ready.1 { OUT } else { 0 });
        let fresh = if interest.events & EDGE != 0 { holds & !interest.told } else { holds };
        interest.told &= holds;
        if fresh != 0 && count < room {
            let at = to.wrapping_add(EVENT * count);
            cx.memory.write(at, fresh.to_le_bytes())?;
            cx.set_word(at.wrapping_add(4), interest.data)?;
            interest.told |= fresh;
            count += 1;
        }
    }
    if let Some(File::Epoll(place)) = kernel.files.get(epoll) {
        *place = interests;
    }
    Ok(count as i64)
}

//! epoll and poll: a thread waits until one of many files can be read or written. Go's timers wait here too.

use super::files::{File, answer, done, flag};
use super::record::record;
use super::threads::{On, Wait};
use super::{Args, Kernel, clock, errno, net};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

pub(super) const IN: u32 = 1;
pub(super) const OUT: u32 = 4;
pub(super) const ERROR: u32 = 8;
pub(super) const HANGUP: u32 = 0x10;
pub(super) const PEER_HANGUP: u32 = 0x2000;
const INVALID: u32 = 0x20;
/// Events that are about reading.
const READS: u32 = IN | ERROR | HANGUP | PEER_HANGUP;
/// Reported once, then not until the interest is changed.
const ONCE: u32 = 1 << 30;
/// Edge-triggered: reported once for each change.
const EDGE: u32 = 1 << 31;
/// Bytes of `struct epoll_event`: events, data.
const EVENT: u64 = 12;
/// What a look at a file costs of fuel.
const LOOK: u64 = 8;

/// A file that an epoll watches.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interest {
    pub(super) file: u64,
    events: u32,
    data: u64,
    /// The events that were reported.
    delivered: u32,
    /// The changes of the file at that time.
    seen: (u64, u64),
}

/// The state of a file: events that hold, and how often it became readable and writable.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    pub(super) events: u32,
    pub(super) changes: (u64, u64),
}

/// `epoll_create1(flags)`
pub(super) fn create(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let flags = args[0] & flag::CLOSE_ON_EXEC | flag::READ_WRITE;
    answer(kernel.files.add(File::Epoll(Vec::new()), flags).ok_or(errno::EMFILE))
}

/// `epoll_create(size)`
pub(super) fn create_sized(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    _: Args,
) -> Result<SyscallReturn, HookError> {
    create(kernel, cx, [0; 6])
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
        None => return done(Err(errno::EBADF)),
        Some(File::Input | File::Output(_) | File::Node(_) | File::Epoll(_)) => {
            return done(Err(errno::EPERM));
        }
        Some(_) => {}
    }
    let Some(File::Epoll(interests)) = kernel.files.get(epoll) else { return done(Err(errno::EBADF)) };
    cx.memory.charge(interests.len() as u64);
    let known = interests.iter().any(|interest| interest.file == file);
    if (operation == ADD) == known {
        return done(Err(if known { errno::EEXIST } else { errno::ENOENT }));
    }
    interests.retain(|interest| interest.file != file);
    if operation != DELETE {
        let events = u32::from_le_bytes(cx.memory.read(event)?);
        let data = cx.word(event.wrapping_add(4))?;
        interests.push(Interest { file, events, data, delivered: 0, seen: (0, 0) });
        kernel.files.added += record::<Interest>();
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
    kernel.threads.try_again();
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
    cx.memory.charge(LOOK * interests.len() as u64);
    let mut count = 0;
    for interest in &mut interests {
        let ready = readiness(kernel, interest.file);
        let holds = ready.events & (interest.events | ERROR | HANGUP);
        let fresh = if interest.events & EDGE != 0 { interest.fresh(holds, ready.changes) } else { holds };
        interest.delivered &= holds;
        if fresh == 0 || count >= room || interest.events == 0 {
            continue;
        }
        let at = to.wrapping_add(EVENT * count);
        cx.memory.write(at, holds.to_le_bytes())?;
        cx.set_word(at.wrapping_add(4), interest.data)?;
        interest.delivered |= holds;
        interest.seen = ready.changes;
        count += 1;
        if interest.events & ONCE != 0 {
            interest.events = 0;
        }
    }
    // The first are the last next time, so that all have their turn.
    if count >= room && !interests.is_empty() {
        interests.rotate_left(1);
    }
    if let Some(File::Epoll(place)) = kernel.files.get(epoll) {
        *place = interests;
    }
    Ok(count as i64)
}

impl Interest {
    /// The events that hold and were not reported since they last changed.
    fn fresh(&self, holds: u32, changes: (u64, u64)) -> u32 {
        let mut fresh = holds & !self.delivered;
        if changes.0 != self.seen.0 {
            fresh |= holds & READS;
        }
        if changes.1 != self.seen.1 {
            fresh |= holds & OUT;
        }
        fresh
    }
}

/// The state of a file.
fn readiness(kernel: &Kernel, number: u64) -> Ready {
    let reads = |holds: bool| if holds { IN } else { 0 };
    match kernel.files.shared(number) {
        None => Ready { events: INVALID, ..Ready::default() },
        Some(File::Input) => Ready { events: IN, ..Ready::default() },
        Some(File::Output(_)) => Ready { events: OUT, ..Ready::default() },
        Some(File::Node(_)) => Ready { events: IN | OUT, ..Ready::default() },
        Some(File::Epoll(_)) => Ready::default(),
        Some(&File::Counter(count, _)) => Ready { events: reads(count > 0) | OUT, changes: (count, 0) },
        Some(&File::PipeOut(pipe)) => {
            let Some(pipe) = kernel.files.pipes.get(pipe) else {
                return Ready { events: HANGUP, ..Ready::default() };
            };
            let events = reads(!pipe.held.is_empty()) | if pipe.is_written() { 0 } else { HANGUP };
            Ready { events, changes: (pipe.arrived, 0) }
        }
        Some(&File::PipeIn(pipe)) => {
            let Some(pipe) = kernel.files.pipes.get(pipe) else {
                return Ready { events: ERROR, ..Ready::default() };
            };
            let broken = !pipe.is_read();
            let room = pipe.held.len() < super::pipes::SIZE;
            let events = if room || broken { OUT } else { 0 } | if broken { ERROR } else { 0 };
            Ready { events, changes: (pipe.drained, pipe.drained) }
        }
        Some(File::Socket(socket)) => net::readiness(&kernel.net, *socket),
    }
}

/// Bytes that can be read at once.
pub(super) fn held(kernel: &mut Kernel, file: &File) -> usize {
    match file {
        File::PipeOut(pipe) | File::PipeIn(pipe) => {
            kernel.files.pipes.get(*pipe).map_or(0, |pipe| pipe.held.len())
        }
        File::Socket(socket) => net::held(&kernel.net, *socket),
        _ => 0,
    }
}

/// `ppoll(files, count, timespec, mask)`
pub(super) fn ppoll(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let timeout = if args[2] == 0 { None } else { Some(clock::timespec(cx, args[2])?) };
    poll_files(kernel, cx, args, timeout)
}

/// `poll(files, count, milliseconds)`
pub(super) fn poll(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let timeout = u64::try_from(args[2] as i32).ok().map(|milliseconds| milliseconds * 1_000_000);
    poll_files(kernel, cx, args, timeout)
}

fn poll_files(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
    timeout: Option<u64>,
) -> Result<SyscallReturn, HookError> {
    /// Bytes of `struct pollfd`: file, events, those that hold.
    const SIZE: u64 = 8;
    const MOST: u64 = 65_536;
    let [at, count, ..] = args;
    if count > MOST {
        return done(Err(errno::EINVAL));
    }
    cx.memory.charge(LOOK * count);
    let mut ready = 0;
    for n in 0..count {
        let at = at.wrapping_add(SIZE * n);
        let [file, events] = [0, 4].map(|offset| cx.memory.read::<4>(at.wrapping_add(offset)));
        let (file, events) = (i32::from_le_bytes(file?), u32::from_le_bytes(events?) & 0xffff);
        let holds = match u64::try_from(file) {
            Ok(file) => readiness(kernel, file).events & (events | ERROR | HANGUP | INVALID),
            Err(_) => 0,
        };
        cx.memory.write(at.wrapping_add(6), (holds as u16).to_le_bytes())?;
        ready += i64::from(holds != 0);
    }
    if ready != 0 || timeout == Some(0) {
        kernel.threads.running().memo = None;
        return Ok(SyscallReturn::Return(ready));
    }
    kernel.threads.wait_until(cx, timeout, 0)
}

//! `splice`: bytes between a pipe and another file, without a buffer of the program's.

use super::disk::Kind;
use super::files::{File, flag};
use super::io::{self, MOST_BYTES, later};
use super::{Args, Kernel, epoll, errno, pipes, signal, transfer};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// Bytes that are taken and put in the time of an instruction.
const BYTES_OF_FUEL: u64 = 8;
/// The pipe does not wait.
const NONBLOCK: u64 = 2;

/// `splice(from, from_at, to, to_at, size, flags)`
pub(super) fn splice(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [from, from_at, to, to_at, size, flags] = args;
    let ends = match (kernel.files.get(from).map(|file| &*file).cloned(), kernel.files.get(to)) {
        (None, _) | (_, None) => Err(errno::EBADF),
        (Some(File::PipeOut(_)), _) if from_at != 0 => Err(errno::ESPIPE),
        (_, Some(File::PipeIn(_))) if to_at != 0 => Err(errno::ESPIPE),
        (Some(File::PipeOut(pipe)), _) => Ok(Pipe::Out(pipe)),
        (_, Some(&mut File::PipeIn(pipe))) => Ok(Pipe::In(pipe)),
        _ => Err(errno::EINVAL),
    };
    let most = size.min(MOST_BYTES) as usize;
    let waits = flags & NONBLOCK == 0;
    match ends {
        Ok(Pipe::Out(pipe)) => out_of_pipe(kernel, cx, (from, pipe, waits), (to, to_at), most),
        Ok(Pipe::In(pipe)) => into_pipe(kernel, cx, (from, from_at), (to, pipe, waits), most),
        Err(error) => Ok(SyscallReturn::Return(-error)),
    }
}

/// Which end of which pipe is one of the files.
enum Pipe {
    Out(usize),
    In(usize),
}

/// What the pipe has goes to a file, which may take less.
fn out_of_pipe(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    (from, pipe, waits): (u64, usize, bool),
    (to, to_at): (u64, u64),
    most: usize,
) -> Result<SyscallReturn, HookError> {
    let appends = kernel.files.open(to).is_ok_and(|open| open.flags & flag::APPEND != 0);
    if appends && matches!(kernel.files.get(to), Some(File::Node(_))) {
        return Ok(SyscallReturn::Return(-errno::EINVAL));
    }
    let bytes = match kernel.files.pipes.front(pipe, most) {
        Ok(bytes) if bytes.is_empty() => return Ok(SyscallReturn::Return(0)),
        Ok(bytes) => bytes,
        Err(error) => return wait(kernel, cx, (from, waits), error),
    };
    cx.memory.charge(bytes.len() as u64 / BYTES_OF_FUEL);
    let at = if to_at == 0 { None } else { Some(cx.word(to_at)?) };
    let written = io::write_bytes(kernel, cx, to, &bytes, at)?;
    if let SyscallReturn::Return(count @ 1..) = written {
        let _ = kernel.files.pipes.take(pipe, count as usize);
        if let Some(at) = at {
            cx.set_word(to_at, at.wrapping_add(count as u64))?;
        }
        epoll::changed(kernel, cx)?;
    }
    Ok(written)
}

/// What a file has goes into the pipe, as far as there is room.
fn into_pipe(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    (from, from_at): (u64, u64),
    (to, pipe, waits): (u64, usize, bool),
    most: usize,
) -> Result<SyscallReturn, HookError> {
    if !kernel.files.pipes.has_reader(pipe) {
        return signal::broken_pipe(kernel, cx);
    }
    let room = kernel.files.pipes.get(pipe).map_or(0, |pipe| pipes::SIZE - pipe.held.len());
    if room == 0 && most > 0 {
        return wait(kernel, cx, (to, waits), errno::EAGAIN);
    }
    let at = if from_at == 0 { None } else { Some(cx.word(from_at)?) };
    let bytes = match take(kernel, cx, from, most.min(room), at) {
        Ok(bytes) => bytes,
        Err(error) => return later(kernel, cx, from, error),
    };
    cx.memory.charge(bytes.len() as u64 / BYTES_OF_FUEL);
    if let Some(at) = at {
        cx.set_word(from_at, at.wrapping_add(bytes.len() as u64))?;
    }
    if !bytes.is_empty() {
        kernel.files.pipes.fill(pipe, &bytes);
        epoll::changed(kernel, cx)?;
    }
    Ok(SyscallReturn::Return(bytes.len() as i64))
}

/// Takes bytes from a socket, another pipe, or a file on the disk.
fn take(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    from: u64,
    most: usize,
    at: Option<u64>,
) -> Result<Vec<u8>, i64> {
    match kernel.files.get(from) {
        Some(&mut File::Socket(socket)) if at.is_none() => {
            transfer::take(kernel, socket, most, false).map(|received| received.bytes)
        }
        Some(File::Node(node)) => {
            let id = node.id;
            match kernel.disk.node(id)?.kind {
                Kind::File(_) => io::take(kernel, cx, from, most, at),
                _ => Err(errno::EINVAL),
            }
        }
        Some(File::PipeOut(_)) => io::take(kernel, cx, from, most, None),
        _ => Err(errno::EINVAL),
    }
}

/// The pipe is empty or full.
fn wait(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    (number, waits): (u64, bool),
    error: i64,
) -> Result<SyscallReturn, HookError> {
    if waits { later(kernel, cx, number, error) } else { Ok(SyscallReturn::Return(-error)) }
}

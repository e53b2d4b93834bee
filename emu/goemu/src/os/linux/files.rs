//! Open files: the three standard ones, and those that the process creates: pipes, event counters, epolls.

use super::{Args, Kernel, epoll, errno};
use crate::hook::{HookContext, HookError};
use crate::os::{self, SyscallReturn};

/// The most open files.
const MOST: usize = 1024;
/// The capacity of a pipe, in bytes.
const PIPE: usize = 1 << 16;
/// A read or write may be shorter than asked for; this bounds what one takes of the host's memory.
const MOST_BYTES: u64 = 1 << 20;

/// An open file.
#[derive(Clone, Debug)]
pub(super) enum File {
    /// Standard input: the process's configured input.
    Input,
    /// Standard output (1) or error (2).
    Output(u64),
    /// Reads from this pipe.
    PipeOut(usize),
    /// Writes to this pipe.
    PipeIn(usize),
    /// `eventfd`: a counter.
    Counter(u64),
    /// An epoll with the files that it watches.
    Epoll(Vec<epoll::Interest>),
}

/// The open files.
#[derive(Clone)]
pub(super) struct Files {
    /// By number.
    pub(super) open: Vec<Option<File>>,
    /// The contents of pipes, by number.
    pipes: Vec<Vec<u8>>,
}

impl Default for Files {
    fn default() -> Files {
        let open = vec![Some(File::Input), Some(File::Output(1)), Some(File::Output(2))];
        Files { open, pipes: Vec::new() }
    }
}

impl Files {
    pub(super) fn get(&mut self, number: u64) -> Option<&mut File> {
        self.open.get_mut(usize::try_from(number).ok()?)?.as_mut()
    }

    /// The lowest free number.
    pub(super) fn add(&mut self, file: File) -> Option<u64> {
        let free = self.open.iter().position(Option::is_none);
        let at = free.or_else(|| (self.open.len() < MOST).then_some(self.open.len()))?;
        if at == self.open.len() {
            self.open.push(None);
        }
        self.open[at] = Some(file);
        Some(at as u64)
    }

    /// Whether a read would return bytes, and whether a write would accept bytes.
    pub(super) fn readiness(&self, file: &File) -> (bool, bool) {
        let held = |pipe: &usize| self.pipes.get(*pipe).map_or(0, Vec::len);
        match file {
            File::Input => (true, false),
            File::Output(_) => (false, true),
            File::PipeOut(pipe) => (held(pipe) > 0 || !self.has_writer(*pipe), false),
            File::PipeIn(pipe) => (false, held(pipe) < PIPE),
            File::Counter(count) => (*count > 0, true),
            File::Epoll(_) => (false, false),
        }
    }

    fn has_writer(&self, pipe: usize) -> bool {
        self.open.iter().flatten().any(|file| matches!(file, File::PipeIn(other) if *other == pipe))
    }

    fn has_reader(&self, pipe: usize) -> bool {
        self.open.iter().flatten().any(|file| matches!(file, File::PipeOut(other) if *other == pipe))
    }

    /// Reads bytes from a file, or returns an error number.
    fn take(&mut self, number: u64, most: usize) -> Result<Vec<u8>, i64> {
        match self.get(number) {
            Some(File::Counter(0)) => Err(errno::EAGAIN),
            Some(File::Counter(_)) if most < 8 => Err(errno::EINVAL),
            Some(File::Counter(count)) => Ok(std::mem::take(count).to_le_bytes().to_vec()),
            Some(&mut File::PipeOut(pipe)) => {
                let writable = self.has_writer(pipe);
                match self.pipes.get_mut(pipe) {
                    Some(held) if held.is_empty() && writable => Err(errno::EAGAIN),
                    Some(held) => Ok(held.drain(..most.min(held.len())).collect()),
                    None => Err(errno::EBADF),
                }
            }
            _ => Err(errno::EBADF),
        }
    }
}

/// `read(file, to, size)`. An empty file returns EAGAIN and does not block: Go opens its pipes that way.
pub(super) fn read(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, to, size, ..] = args;
    if let Some(File::Input) = kernel.files.get(number) {
        return os::read_input(cx, 0, to, size).map(SyscallReturn::Return);
    }
    let most = size.min(MOST_BYTES) as usize;
    cx.memory.check(to, most, crate::memory::Access::Write)?;
    match kernel.files.take(number, most) {
        Ok(bytes) => {
            cx.memory.write_bytes(to, &bytes)?;
            epoll::changed(kernel, cx)?;
            Ok(SyscallReturn::Return(bytes.len() as i64))
        }
        Err(error) => Ok(SyscallReturn::Return(-error)),
    }
}

/// `write(file, from, size)`
pub(super) fn write(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, from, size, ..] = args;
    let mut bytes = vec![0; size.min(MOST_BYTES) as usize];
    cx.memory.read_bytes(from, &mut bytes)?;
    let files = &mut kernel.files;
    match files.get(number) {
        Some(File::Output(which)) => {
            cx.world.print(*which, &bytes);
            return Ok(SyscallReturn::Return(bytes.len() as i64));
        }
        Some(File::Counter(count)) => {
            let Some(word) = bytes.first_chunk() else { return Ok(SyscallReturn::Return(-errno::EINVAL)) };
            *count = count.saturating_add(u64::from_le_bytes(*word));
            bytes.truncate(8);
        }
        Some(&mut File::PipeIn(pipe)) => {
            if !files.has_reader(pipe) {
                return Ok(SyscallReturn::Return(-errno::EPIPE));
            }
            let Some(held) = files.pipes.get_mut(pipe) else {
                return Ok(SyscallReturn::Return(-errno::EBADF));
            };
            if held.len() == PIPE && !bytes.is_empty() {
                return Ok(SyscallReturn::Return(-errno::EAGAIN));
            }
            bytes.truncate(PIPE - held.len());
            held.extend_from_slice(&bytes);
        }
        _ => return Ok(SyscallReturn::Return(-errno::EBADF)),
    }
    epoll::changed(kernel, cx)?;
    Ok(SyscallReturn::Return(bytes.len() as i64))
}

/// `writev(file, vectors, count)`: as many writes.
pub(super) fn writev(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const MOST_VECTORS: u64 = 1024;
    let [number, vectors, count, ..] = args;
    let mut all = 0;
    for n in 0..count.min(MOST_VECTORS) {
        let vector = vectors.wrapping_add(16 * n);
        let (from, size) = (cx.word(vector)?, cx.word(vector.wrapping_add(8))?);
        match write(kernel, cx, [number, from, size, 0, 0, 0])? {
            SyscallReturn::Return(wrote) if wrote >= 0 => {
                all += wrote;
                if (wrote as u64) < size {
                    break;
                }
            }
            other if all == 0 => return Ok(other),
            _ => break,
        }
    }
    Ok(SyscallReturn::Return(all))
}

/// `close(file)`
pub(super) fn close(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let files = &mut kernel.files;
    let slot = usize::try_from(args[0]).ok().and_then(|number| files.open.get_mut(number));
    if slot.and_then(Option::take).is_none() {
        return Ok(SyscallReturn::Return(-errno::EBADF));
    }
    for file in files.open.iter_mut().flatten() {
        if let File::Epoll(interests) = file {
            interests.retain(|interest| interest.file != args[0]);
        }
    }
    epoll::changed(kernel, cx)?;
    Ok(SyscallReturn::Return(0))
}

/// `pipe2(files, flags)`, `pipe(files)`
pub(super) fn pipe(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    cx.memory.check(args[0], 8, crate::memory::Access::Write)?;
    let files = &mut kernel.files;
    if files.open.iter().filter(|file| file.is_none()).count() + MOST - files.open.len() < 2 {
        return Ok(SyscallReturn::Return(-errno::EMFILE));
    }
    // Closed pipes are reused.
    let number = (0..files.pipes.len()).find(|&pipe| !files.has_reader(pipe) && !files.has_writer(pipe));
    let number = number.unwrap_or(files.pipes.len());
    if number == files.pipes.len() {
        files.pipes.push(Vec::new());
    }
    files.pipes[number].clear();
    let ends = [files.add(File::PipeOut(number)), files.add(File::PipeIn(number))];
    for (at, end) in (0..).zip(ends) {
        cx.memory.write(args[0].wrapping_add(4 * at), (end.unwrap_or_default() as u32).to_le_bytes())?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `fstat(file, status)`: all files are reported as pipes.
pub(super) fn fstat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    match kernel.files.get(args[0]) {
        Some(_) => os::pipe_status(cx, args[1]).map(SyscallReturn::Return),
        None => Ok(SyscallReturn::Return(-errno::EBADF)),
    }
}

/// `lseek(file, offset, whence)`: pipes have no position.
pub(super) fn lseek(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(if kernel.files.get(args[0]).is_some() {
        -errno::ESPIPE
    } else {
        -errno::EBADF
    }))
}

/// `ioctl(file, request, argument)`: no file is a terminal.
pub(super) fn ioctl(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(if kernel.files.get(args[0]).is_some() {
        -errno::ENOTTY
    } else {
        -errno::EBADF
    }))
}

/// `eventfd2(count, flags)`
pub(super) fn eventfd(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let file = kernel.files.add(File::Counter(args[0] & 0xffff_ffff));
    Ok(SyscallReturn::Return(file.map_or(-errno::EMFILE, |number| number as i64)))
}

/// `fcntl(file, command, argument)`: F_GETFD, F_SETFD, F_GETFL and F_SETFL.
pub(super) fn fcntl(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const READ_WRITE: i64 = 2;
    const NONBLOCK: i64 = 0x800;
    let result = match (kernel.files.get(args[0]), args[1]) {
        (None, _) => -errno::EBADF,
        (Some(_), 1 | 2 | 4) => 0,
        (Some(File::PipeOut(_) | File::PipeIn(_)), 3) => READ_WRITE | NONBLOCK,
        (Some(_), 3) => READ_WRITE,
        _ => -errno::EPERM,
    };
    Ok(SyscallReturn::Return(result))
}

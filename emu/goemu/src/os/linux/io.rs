//! Reading and writing open files.

use std::sync::Arc;

use super::disk::{Device, Kind};
use super::files::{File, answer, done, flag};
use super::{Args, Kernel, clock, epoll, errno, signal, transfer};
use crate::hook::{HookContext, HookError};
use crate::memory::Access;
use crate::os::SyscallReturn;

/// A read or write may be shorter than asked for; this bounds what one takes of the host's memory.
pub(super) const MOST_BYTES: u64 = 1 << 20;
/// The most buffers of one call.
const MOST_VECTORS: u64 = 1024;
/// What reading one takes and going through it twice, in instructions.
const VECTOR: u64 = 4;
/// Bytes that are copied for one of fuel.
const BYTES_OF_FUEL: u64 = 32;
/// What EAGAIN means for a file that blocks.
const WAIT: i64 = errno::EAGAIN;

/// Where bytes go or come from: at the file's position, or at another.
type At = Option<u64>;

/// `read(file, to, size)`
pub(super) fn read(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, to, size, ..] = args;
    read_to(kernel, cx, number, &[(to, size)], None)
}

/// `pread64(file, to, size, offset)`
pub(super) fn pread64(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, to, size, at, ..] = args;
    read_to(kernel, cx, number, &[(to, size)], Some(at))
}

/// `readv(file, vectors, count)`
pub(super) fn readv(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let vectors = vectors(cx, args[1], args[2])?;
    read_to(kernel, cx, args[0], &vectors, None)
}

/// `preadv(file, vectors, count, offset)`
pub(super) fn preadv(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let vectors = vectors(cx, args[1], args[2])?;
    read_to(kernel, cx, args[0], &vectors, Some(args[3]))
}

/// `write(file, from, size)`
pub(super) fn write(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, from, size, ..] = args;
    write_from(kernel, cx, number, &[(from, size)], None)
}

/// `pwrite64(file, from, size, offset)`
pub(super) fn pwrite64(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, from, size, at, ..] = args;
    write_from(kernel, cx, number, &[(from, size)], Some(at))
}

/// `writev(file, vectors, count)`
pub(super) fn writev(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let vectors = vectors(cx, args[1], args[2])?;
    write_from(kernel, cx, args[0], &vectors, None)
}

/// `pwritev(file, vectors, count, offset)`
pub(super) fn pwritev(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let vectors = vectors(cx, args[1], args[2])?;
    write_from(kernel, cx, args[0], &vectors, Some(args[3]))
}

/// Reads `struct iovec`s: addresses and sizes.
pub(super) fn vectors(cx: &mut HookContext<'_>, at: u64, count: u64) -> Result<Vec<(u64, u64)>, HookError> {
    let count = count.min(MOST_VECTORS);
    cx.memory.charge(VECTOR * count);
    let vector = |n: u64| {
        let at = at.wrapping_add(16 * n);
        Ok((cx.word(at)?, cx.word(at.wrapping_add(8))?))
    };
    (0..count).map(vector).collect()
}

/// How many bytes buffers take, within the limit of one call.
pub(super) fn room(buffers: &[(u64, u64)]) -> usize {
    buffers.iter().fold(0_u64, |all, (_, size)| all.saturating_add(*size)).min(MOST_BYTES) as usize
}

/// Writes bytes into buffers, one after the other.
pub(super) fn scatter(
    cx: &mut HookContext<'_>,
    buffers: &[(u64, u64)],
    mut bytes: &[u8],
) -> Result<(), HookError> {
    cx.memory.charge(bytes.len() as u64 / BYTES_OF_FUEL);
    for (to, size) in buffers {
        let count = bytes.len().min(usize::try_from(*size).unwrap_or(usize::MAX));
        cx.memory.write_bytes(*to, &bytes[..count])?;
        bytes = &bytes[count..];
    }
    Ok(())
}

/// Whether buffers allow an access, within the limit of one call.
fn check(cx: &HookContext<'_>, buffers: &[(u64, u64)], access: Access) -> Result<(), HookError> {
    let mut left = MOST_BYTES;
    for (at, size) in buffers {
        let size = left.min(*size);
        cx.memory.check(*at, size as usize, access)?;
        left -= size;
    }
    Ok(())
}

/// Reads what is in buffers, within the limit of one call.
pub(super) fn gather(cx: &mut HookContext<'_>, buffers: &[(u64, u64)]) -> Result<Vec<u8>, HookError> {
    check(cx, buffers, Access::Read)?;
    let mut bytes = vec![0; room(buffers)];
    let mut done = 0;
    for (from, size) in buffers {
        let count = (bytes.len() - done).min(usize::try_from(*size).unwrap_or(usize::MAX));
        cx.memory.read_bytes(*from, &mut bytes[done..done + count])?;
        done += count;
    }
    cx.memory.charge(bytes.len() as u64 / BYTES_OF_FUEL);
    Ok(bytes)
}

/// Whether what cannot be done now fails, instead of waiting.
pub(super) fn is_nonblocking(kernel: &mut Kernel, number: u64) -> bool {
    kernel.files.open(number).is_ok_and(|open| open.flags & flag::NONBLOCK != 0)
}

/// Ends a call that cannot be done now: the thread waits and tries again, unless the file does not block.
pub(super) fn later(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    number: u64,
    error: i64,
) -> Result<SyscallReturn, HookError> {
    if error == WAIT && !is_nonblocking(kernel, number) {
        return kernel.threads.wait_for_change(cx, None);
    }
    Ok(SyscallReturn::Return(-error))
}

fn read_to(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    number: u64,
    buffers: &[(u64, u64)],
    at: At,
) -> Result<SyscallReturn, HookError> {
    let most = room(buffers);
    check(cx, buffers, Access::Write)?;
    if let Ok(open) = kernel.files.open(number)
        && open.flags & flag::ACCESS == flag::WRITE_ONLY
    {
        return Ok(SyscallReturn::Return(-errno::EBADF));
    }
    let seekable = matches!(kernel.files.get(number), Some(File::Node(_)));
    if at.is_some() && !seekable {
        let known = kernel.files.get(number).is_some();
        return Ok(SyscallReturn::Return(if known { -errno::ESPIPE } else { -errno::EBADF }));
    }
    match kernel.files.get(number) {
        Some(File::Input) => match cx.world.take_input(most) {
            Some(bytes) => {
                scatter(cx, buffers, &bytes)?;
                Ok(SyscallReturn::Return(bytes.len() as i64))
            }
            // A signal has come.
            None => signal::restart(kernel, cx),
        },
        Some(&mut File::Socket(socket)) => transfer::receive(kernel, cx, (number, socket), buffers),
        _ => match take(kernel, cx, number, most, at) {
            Ok(bytes) => {
                scatter(cx, buffers, &bytes)?;
                if !seekable {
                    epoll::changed(kernel, cx)?;
                }
                Ok(SyscallReturn::Return(bytes.len() as i64))
            }
            Err(error) => later(kernel, cx, number, error),
        },
    }
}

/// Takes bytes from a file.
pub(super) fn take(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    number: u64,
    most: usize,
    at: At,
) -> Result<Vec<u8>, i64> {
    let Kernel { files, disk, .. } = kernel;
    match files.get(number) {
        Some(File::Counter(0, _)) => Err(errno::EAGAIN),
        Some(File::Counter(..)) if most < 8 => Err(errno::EINVAL),
        Some(File::Counter(count, one)) => {
            let taken = if *one { 1 } else { *count };
            *count -= taken;
            Ok(taken.to_le_bytes().to_vec())
        }
        Some(&mut File::PipeOut(pipe)) => files.pipes.take(pipe, most),
        Some(File::Node(node)) => {
            let disk = Arc::make_mut(disk);
            match disk.node(node.id)?.kind {
                Kind::Device(Device::Random) => {
                    cx.memory.charge(most as u64 / 4);
                    return Ok(cx.cpu.random_bytes(most));
                }
                Kind::Device(Device::Zero | Device::Full) => return Ok(vec![0; most]),
                Kind::Device(_) => return Ok(Vec::new()),
                _ => {}
            }
            let contents = disk.contents(node.id)?;
            let from = usize::try_from(at.unwrap_or(node.at)).unwrap_or(usize::MAX).min(contents.len());
            let bytes = contents[from..from.saturating_add(most).min(contents.len())].to_vec();
            if at.is_none() {
                node.at += bytes.len() as u64;
            }
            Ok(bytes)
        }
        Some(_) => Err(errno::EINVAL),
        None => Err(errno::EBADF),
    }
}

fn write_from(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    number: u64,
    buffers: &[(u64, u64)],
    at: At,
) -> Result<SyscallReturn, HookError> {
    if let Err(error) = flags_of_written(kernel, number) {
        return Ok(SyscallReturn::Return(-error));
    }
    let bytes = gather(cx, buffers)?;
    write_bytes(kernel, cx, number, &bytes, at)
}

/// The flags of a file that may be written.
fn flags_of_written(kernel: &mut Kernel, number: u64) -> Result<u64, i64> {
    let flags = kernel.files.open(number)?.flags;
    if flags & flag::ACCESS == 0 { Err(errno::EBADF) } else { Ok(flags) }
}

/// Writes bytes to a file, or waits until it takes some.
pub(super) fn write_bytes(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    number: u64,
    bytes: &[u8],
    at: At,
) -> Result<SyscallReturn, HookError> {
    let flags = match flags_of_written(kernel, number) {
        Ok(flags) => flags,
        Err(error) => return Ok(SyscallReturn::Return(-error)),
    };
    match kernel.files.get(number) {
        Some(&mut File::Output(which)) if cx.world.output.closed & 1 << which != 0 => {
            return signal::broken_pipe(kernel, cx);
        }
        Some(&mut File::Output(which)) => {
            cx.world.print(which, bytes);
            return Ok(SyscallReturn::Return(bytes.len() as i64));
        }
        Some(&mut File::Socket(socket)) => {
            return transfer::send(kernel, cx, (number, socket), bytes, None);
        }
        Some(File::Node(_)) => {}
        Some(_) if at.is_some() => return Ok(SyscallReturn::Return(-errno::ESPIPE)),
        _ => {}
    }
    match put(kernel, cx, number, bytes, (at, flags & flag::APPEND != 0)) {
        Ok(count) => {
            if !matches!(kernel.files.get(number), Some(File::Node(_))) {
                epoll::changed(kernel, cx)?;
            }
            Ok(SyscallReturn::Return(count as i64))
        }
        Err(errno::EPIPE) => signal::broken_pipe(kernel, cx),
        Err(error) => later(kernel, cx, number, error),
    }
}

/// Puts bytes into a file: how many.
fn put(
    kernel: &mut Kernel,
    cx: &HookContext<'_>,
    number: u64,
    bytes: &[u8],
    (at, append): (At, bool),
) -> Result<usize, i64> {
    let now = clock::wall(cx);
    let Kernel { files, disk, .. } = kernel;
    match files.get(number) {
        Some(File::Counter(count, _)) => {
            let word = bytes.first_chunk().ok_or(errno::EINVAL)?;
            *count = count.saturating_add(u64::from_le_bytes(*word));
            Ok(8)
        }
        Some(&mut File::PipeIn(pipe)) => {
            files.added += bytes.len() as u64;
            files.pipes.put(pipe, bytes)
        }
        Some(File::Node(node)) => {
            let disk = Arc::make_mut(disk);
            match disk.node(node.id)?.kind {
                Kind::Device(Device::Full) => return Err(errno::ENOSPC),
                Kind::Device(_) => return Ok(bytes.len()),
                Kind::Folder { .. } => return Err(errno::EISDIR),
                _ => {}
            }
            let from = match at {
                Some(at) => at,
                None if append => disk.node(node.id)?.size(),
                None => node.at,
            };
            let count = disk.write(node.id, from, bytes, now)?;
            if at.is_none() {
                node.at = from + count as u64;
            }
            Ok(count)
        }
        Some(_) => Err(errno::EINVAL),
        None => Err(errno::EBADF),
    }
}

/// `lseek(file, offset, whence)`
pub(super) fn lseek(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    answer(seek(kernel, args[0], args[1] as i64, args[2]))
}

fn seek(kernel: &mut Kernel, number: u64, offset: i64, whence: u64) -> Result<u64, i64> {
    let Kernel { files, disk, .. } = kernel;
    let node = match files.get(number) {
        Some(File::Node(node)) => node,
        Some(_) => return Err(errno::ESPIPE),
        None => return Err(errno::EBADF),
    };
    let found = disk.node(node.id)?;
    let size = if found.is_folder() { i64::MAX as u64 } else { found.size() };
    let from = match whence {
        0 => 0,
        1 => node.at,
        2 => size,
        // SEEK_DATA, SEEK_HOLE: there are no holes.
        3 if (offset as u64) < size => return Ok(offset as u64),
        4 if (offset as u64) < size => return Ok(size),
        3 | 4 => return Err(errno::ENXIO),
        _ => return Err(errno::EINVAL),
    };
    let at = i64::try_from(from).ok().and_then(|from| from.checked_add(offset)).filter(|&at| at >= 0);
    node.at = at.ok_or(errno::EINVAL)? as u64;
    if found.is_folder() && node.at == 0 {
        node.listing = None;
    }
    Ok(node.at)
}

/// `sendfile(to, from, offset, size)`: of a file's contents.
pub(super) fn sendfile(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [to, from, offset, size, ..] = args;
    let (id, place) = match kernel.files.get(from) {
        Some(File::Node(node)) => (node.id, node.at),
        Some(_) => return Ok(SyscallReturn::Return(-errno::EINVAL)),
        None => return Ok(SyscallReturn::Return(-errno::EBADF)),
    };
    let at = if offset == 0 { place } else { cx.word(offset)? };
    let size = size.min(MOST_BYTES) as usize;
    let bytes = match kernel.disk.node(id).map(|node| &node.kind) {
        Ok(Kind::File(_)) => take(kernel, cx, from, size, Some(at)),
        _ => Err(errno::EINVAL),
    };
    let bytes = match bytes {
        Ok(bytes) if bytes.is_empty() => return Ok(SyscallReturn::Return(0)),
        Ok(bytes) => bytes,
        Err(error) => return Ok(SyscallReturn::Return(-error)),
    };
    cx.memory.charge(bytes.len() as u64 / BYTES_OF_FUEL);
    let written = write_bytes(kernel, cx, to, &bytes, None)?;
    if let SyscallReturn::Return(count @ 1..) = written {
        let after = at.wrapping_add(count as u64);
        match kernel.files.get(from) {
            _ if offset != 0 => cx.set_word(offset, after)?,
            Some(File::Node(node)) => node.at = after,
            _ => {}
        }
    }
    Ok(written)
}

/// `fsync(file)`, `fdatasync(file)`
pub(super) fn sync(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    done(match kernel.files.get(args[0]) {
        Some(File::Node(_)) => Ok(()),
        Some(_) => Err(errno::EINVAL),
        None => Err(errno::EBADF),
    })
}

/// `ftruncate(file, size)`
pub(super) fn ftruncate(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, size, ..] = args;
    let now = clock::wall(cx);
    let result = kernel.files.open(number).and_then(|open| match &open.file {
        File::Node(node) if open.flags & flag::ACCESS != 0 => Ok(node.id),
        _ => Err(errno::EINVAL),
    });
    let sized =
        |id| if (size as i64) < 0 { Err(errno::EINVAL) } else { kernel.disk().set_size(id, size, now) };
    done(result.and_then(sized))
}

/// `fallocate(file, mode, offset, size)`
pub(super) fn fallocate(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, mode, offset, size, ..] = args;
    let now = clock::wall(cx);
    let id = match kernel.files.node(number) {
        Ok(node) => node.id,
        Err(error) => return done(Err(error)),
    };
    if mode != 0 {
        return done(Err(errno::EOPNOTSUPP));
    }
    let end = offset.saturating_add(size);
    let old = kernel.disk.node(id).map_or(0, super::disk::Node::size);
    done(if end > old { kernel.disk().set_size(id, end, now) } else { Ok(()) })
}

//! Pipes: bytes between two ends.

use std::collections::{BTreeMap, VecDeque};

use super::disk::Id;
use super::files::{File, done, flag};
use super::{Args, Kernel, errno, record::record};
use crate::hook::{HookContext, HookError};
use crate::memory::Access;
use crate::os::SyscallReturn;

/// The capacity of a pipe, in bytes.
pub(super) const SIZE: usize = 1 << 16;

/// A pipe.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipe {
    pub(super) held: VecDeque<u8>,
    /// Open ends.
    readers: usize,
    writers: usize,
    /// How often bytes came, or the last writer went.
    pub(super) arrived: u64,
    /// How often there was room again, or the last reader went.
    pub(super) drained: u64,
    /// Whether a writer has ever been there.
    written: bool,
    /// The node that it is named by.
    node: Option<Id>,
}

impl Pipe {
    /// Whether the end for writing is open, and that for reading.
    pub(super) fn is_written(&self) -> bool {
        self.writers > 0
    }

    pub(super) fn is_read(&self) -> bool {
        self.readers > 0
    }
}

/// The pipes, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipes {
    pipes: BTreeMap<usize, Pipe>,
    /// Those with names.
    named: BTreeMap<Id, usize>,
    next: usize,
}

impl Pipes {
    /// A new one.
    fn make(&mut self) -> usize {
        self.next += 1;
        self.pipes.insert(self.next, Pipe::default());
        self.next
    }

    /// That of a node.
    pub(super) fn of_node(&mut self, id: Id) -> usize {
        if let Some(pipe) = self.named.get(&id) {
            return *pipe;
        }
        let number = self.make();
        self.named.insert(id, number);
        if let Some(pipe) = self.pipes.get_mut(&number) {
            pipe.node = Some(id);
        }
        number
    }

    pub(super) fn get(&self, pipe: usize) -> Option<&Pipe> {
        self.pipes.get(&pipe)
    }

    /// So many ends more (or fewer) are open.
    pub(super) fn opened(&mut self, file: &File, change: isize) {
        let (File::PipeOut(number) | File::PipeIn(number)) = *file else { return };
        let Some(pipe) = self.pipes.get_mut(&number) else { return };
        if matches!(file, File::PipeOut(_)) {
            pipe.readers = pipe.readers.saturating_add_signed(change);
            pipe.drained += u64::from(pipe.readers == 0);
        } else {
            pipe.writers = pipe.writers.saturating_add_signed(change);
            pipe.arrived += u64::from(pipe.writers == 0);
            pipe.written = true;
        }
        if pipe.readers == 0 && pipe.writers == 0 {
            let node = self.pipes.remove(&number).and_then(|pipe| pipe.node);
            node.map(|node| self.named.remove(&node));
        }
    }

    /// Bytes that they take of the host's memory.
    pub(super) fn held(&self) -> u64 {
        self.pipes.values().map(|pipe| record::<Pipe>() + pipe.held.capacity() as u64).sum()
    }

    /// Whether the other end is open.
    pub(super) fn has_writer(&self, pipe: usize) -> bool {
        self.get(pipe).is_some_and(Pipe::is_written)
    }

    pub(super) fn has_reader(&self, pipe: usize) -> bool {
        self.get(pipe).is_some_and(Pipe::is_read)
    }

    /// The bytes that come out next, none at the end; an error number where there are none yet.
    pub(super) fn front(&self, number: usize, most: usize) -> Result<Vec<u8>, i64> {
        let pipe = self.pipes.get(&number).ok_or(errno::EBADF)?;
        if pipe.held.is_empty() && most > 0 {
            // A named one that was not written yet is at its end, too.
            return if pipe.writers > 0 { Err(errno::EAGAIN) } else { Ok(Vec::new()) };
        }
        Ok(pipe.held.iter().take(most).copied().collect())
    }

    /// Takes them out.
    pub(super) fn take(&mut self, number: usize, most: usize) -> Result<Vec<u8>, i64> {
        let bytes = self.front(number, most)?;
        if let Some(pipe) = self.pipes.get_mut(&number) {
            pipe.drained += u64::from(pipe.held.len() == SIZE);
            pipe.held.drain(..bytes.len());
        }
        Ok(bytes)
    }

    /// Puts in bytes that there is room for.
    pub(super) fn fill(&mut self, number: usize, bytes: &[u8]) {
        if let Some(pipe) = self.pipes.get_mut(&number) {
            pipe.held.extend(bytes);
            pipe.arrived += 1;
        }
    }

    /// Puts bytes in, as many as there is room for.
    pub(super) fn put(&mut self, number: usize, bytes: &[u8]) -> Result<usize, i64> {
        /// As many go in together or not at all.
        const TOGETHER: usize = 4096;
        let pipe = self.pipes.get_mut(&number).ok_or(errno::EBADF)?;
        if pipe.readers == 0 {
            return Err(errno::EPIPE);
        }
        let room = SIZE - pipe.held.len();
        if !bytes.is_empty() && (room == 0 || bytes.len() <= TOGETHER && bytes.len() > room) {
            return Err(errno::EAGAIN);
        }
        let count = bytes.len().min(room);
        pipe.held.extend(&bytes[..count]);
        pipe.arrived += 1;
        Ok(count)
    }
}

/// `pipe2(files, flags)`
pub(super) fn pipe2(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [to, flags, ..] = args;
    cx.memory.check(to, 8, Access::Write)?;
    let files = &mut kernel.files;
    if !files.has_room_for_two() {
        return Ok(SyscallReturn::Return(-errno::EMFILE));
    }
    let pipe = files.pipes.make();
    let flags = flags & (flag::NONBLOCK | flag::CLOSE_ON_EXEC);
    let ends =
        [files.add(File::PipeOut(pipe), flags), files.add(File::PipeIn(pipe), flags | flag::WRITE_ONLY)];
    for (at, end) in (0..).zip(ends) {
        cx.memory.write(to.wrapping_add(4 * at), (end.unwrap_or_default() as u32).to_le_bytes())?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `pipe(files)`
pub(super) fn pipe(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    pipe2(kernel, cx, [args[0], 0, 0, 0, 0, 0])
}

/// Opens a named pipe. A blocking open waits until the other end is open.
pub(super) fn open(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    id: Id,
    flags: u64,
) -> Result<SyscallReturn, HookError> {
    let pipe = kernel.files.pipes.of_node(id);
    let access = flags & flag::ACCESS;
    let nonblock = flags & flag::NONBLOCK != 0;
    let pipes = &kernel.files.pipes;
    let (file, other) = match access {
        flag::WRITE_ONLY => (File::PipeIn(pipe), pipes.has_reader(pipe)),
        flag::READ_WRITE => return done(Err(errno::EINVAL)),
        _ => (File::PipeOut(pipe), pipes.has_writer(pipe)),
    };
    if nonblock && access == flag::WRITE_ONLY && !other {
        return done(Err(errno::ENXIO));
    }
    // A thread that waited has its end already, which the other end has found open.
    let number = match kernel.threads.running().memo.take() {
        Some(number) => number,
        None => match kernel.files.add(file, flags) {
            Some(number) => number,
            None => return done(Err(errno::EMFILE)),
        },
    };
    if nonblock || other {
        super::epoll::changed(kernel, cx)?;
        return Ok(SyscallReturn::Return(number as i64));
    }
    super::epoll::changed(kernel, cx)?;
    kernel.threads.running().memo = Some(number);
    kernel.threads.wait_for_change(cx, None)
}

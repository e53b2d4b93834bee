//! Open files: numbers, and what they stand for. Numbers that were made from each other (dup) share one open file.

use std::collections::BTreeSet;

use super::disk::Id;
use super::pipes::Pipes;
use super::{Args, Kernel, disk, epoll, errno, net, record::record};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// The most open files.
pub(super) const MOST: usize = 65_536;

/// Bytes of the host's memory that a number takes, about.
const NUMBER: u64 = 48;

/// Flags of open files.
pub(super) mod flag {
    pub(in crate::os::linux) const ACCESS: u64 = 3;
    pub(in crate::os::linux) const WRITE_ONLY: u64 = 1;
    pub(in crate::os::linux) const READ_WRITE: u64 = 2;
    pub(in crate::os::linux) const CREATE: u64 = 0o100;
    pub(in crate::os::linux) const EXCLUSIVE: u64 = 0o200;
    pub(in crate::os::linux) const TRUNCATE: u64 = 0o1000;
    pub(in crate::os::linux) const APPEND: u64 = 0o2000;
    pub(in crate::os::linux) const NONBLOCK: u64 = 0o4000;
    pub(in crate::os::linux) const DIRECTORY: u64 = 0o200_000;
    pub(in crate::os::linux) const NOFOLLOW: u64 = 0o400_000;
    pub(in crate::os::linux) const CLOSE_ON_EXEC: u64 = 0o2_000_000;
    pub(in crate::os::linux) const PATH: u64 = 0o10_000_000;
    pub(in crate::os::linux) const TEMPORARY: u64 = 0o20_000_000;
    /// Those that fcntl shows and changes.
    pub(in crate::os::linux) const CHANGED: u64 = APPEND | NONBLOCK;
}

/// What an open file is.
#[derive(Clone, Debug)]
pub(super) enum File {
    /// Standard input.
    Input,
    /// Standard output (1) or error (2).
    Output(u64),
    /// A node of the file system.
    Node(OfNode),
    /// Reads from this pipe.
    PipeOut(usize),
    /// Writes to this pipe.
    PipeIn(usize),
    /// `eventfd`: a counter, and whether it counts down by one.
    Counter(u64, bool),
    /// An epoll with the files that it watches.
    Epoll(Vec<epoll::Interest>),
    /// A socket.
    Socket(usize),
}

/// Entries of a folder: names, nodes and kinds.
pub(super) type Listing = Vec<(Vec<u8>, Id, u32)>;

/// An open node.
#[derive(Clone, Debug)]
pub(super) struct OfNode {
    pub(super) id: Id,
    /// The position in a file; in a folder, how many of its entries were read.
    pub(super) at: u64,
    /// The entries of a folder as they were when reading it began.
    pub(super) listing: Option<Listing>,
}

/// An open file, with the state that its descriptors share.
#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) file: File,
    pub(super) flags: u64,
    users: usize,
    /// `flock`: shared or exclusive.
    pub(super) lock: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
struct Number {
    open: usize,
    close_on_exec: bool,
}

/// The open files.
#[derive(Clone)]
pub(super) struct Files {
    numbers: Vec<Option<Number>>,
    /// Those of `numbers` that stand for nothing.
    free: BTreeSet<usize>,
    open: Vec<Option<Open>>,
    /// Places in `open` that are empty, and those of epolls.
    empty: BTreeSet<usize>,
    epolls: BTreeSet<usize>,
    pub(super) pipes: Pipes,
    /// Files and interests that were looked at so far.
    pub(super) work: u64,
    /// Bytes of the host's memory that files, lists of them and pipes have ever asked for.
    pub(super) added: u64,
}

impl Default for Files {
    fn default() -> Files {
        let (numbers, open, pipes) = Default::default();
        let [free, empty, epolls] = Default::default();
        let mut files = Files { numbers, free, open, empty, epolls, pipes, work: 0, added: 0 };
        for file in [File::Input, File::Output(1), File::Output(2)] {
            files.add(file, flag::READ_WRITE);
        }
        files
    }
}

impl Files {
    fn number(&self, number: u64) -> Option<Number> {
        *self.numbers.get(usize::try_from(number).ok()?)?
    }

    /// The open file that a number stands for.
    pub(super) fn open(&mut self, number: u64) -> Result<&mut Open, i64> {
        let open = self.number(number).ok_or(errno::EBADF)?.open;
        self.open.get_mut(open).and_then(Option::as_mut).ok_or(errno::EBADF)
    }

    pub(super) fn get(&mut self, number: u64) -> Option<&mut File> {
        self.open(number).ok().map(|open| &mut open.file)
    }

    /// The same to be looked at.
    pub(super) fn shared(&self, number: u64) -> Option<&File> {
        Some(&self.open.get(self.number(number)?.open)?.as_ref()?.file)
    }

    /// The open node that a number stands for.
    pub(super) fn node(&mut self, number: u64) -> Result<&mut OfNode, i64> {
        match self.get(number) {
            Some(File::Node(node)) => Ok(node),
            Some(_) => Err(errno::EINVAL),
            None => Err(errno::EBADF),
        }
    }

    /// The open file's own number, by which two numbers can be told to be of one.
    pub(super) fn identity(&self, number: u64) -> Option<usize> {
        self.number(number).map(|number| number.open)
    }

    /// Takes the lowest free number, `from` at least.
    fn lowest(&mut self, from: usize) -> Option<usize> {
        let at = self.free.range(from..).next().copied();
        let at = at.unwrap_or(self.numbers.len().max(from));
        (at < MOST).then_some(at)
    }

    /// Lets a number stand for an open file.
    fn give(&mut self, at: usize, number: Number) {
        if at >= self.numbers.len() {
            self.work += (at - self.numbers.len()) as u64;
            self.added += (at + 1 - self.numbers.len()) as u64 * NUMBER;
            self.free.extend(self.numbers.len()..at);
            self.numbers.resize(at + 1, None);
        }
        self.free.remove(&at);
        self.numbers[at] = Some(number);
    }

    /// A new open file under the lowest free number.
    pub(super) fn add(&mut self, file: File, flags: u64) -> Option<u64> {
        let at = self.lowest(0)?;
        let slot = self.empty.pop_first().unwrap_or(self.open.len());
        if slot == self.open.len() {
            self.open.push(None);
        }
        self.pipes.opened(&file, 1);
        self.added += record::<Open>();
        if matches!(file, File::Epoll(_)) {
            self.epolls.insert(slot);
        }
        let close_on_exec = flags & flag::CLOSE_ON_EXEC != 0;
        self.open[slot] = Some(Open { file, flags: flags & !flag::CLOSE_ON_EXEC, users: 1, lock: None });
        self.give(at, Number { open: slot, close_on_exec });
        Some(at as u64)
    }

    /// Whether two more files can be opened.
    pub(super) fn has_room_for_two(&self) -> bool {
        self.numbers.len() - self.free.len() + 2 <= MOST
    }

    /// Another number for an open file: `from` at least, or exactly that.
    fn again(&mut self, number: u64, from: usize, exactly: bool, close_on_exec: bool) -> Result<u64, i64> {
        let open = self.number(number).ok_or(errno::EBADF)?.open;
        let at = if exactly { from } else { self.lowest(from).ok_or(errno::EMFILE)? };
        if at >= MOST {
            return Err(if exactly { errno::EBADF } else { errno::EMFILE });
        }
        self.give(at, Number { open, close_on_exec });
        if let Some(open) = &mut self.open[open] {
            open.users += 1;
        }
        Ok(at as u64)
    }

    /// Takes a number away. The file, where that was its last number.
    fn take(&mut self, number: u64) -> Result<Option<File>, i64> {
        let index = usize::try_from(number).map_err(|_| errno::EBADF)?;
        let at = self.numbers.get_mut(index).and_then(Option::take).ok_or(errno::EBADF)?.open;
        self.free.insert(index);
        for epoll in &self.epolls {
            if let Some(Open { file: File::Epoll(interests), .. }) = &mut self.open[*epoll] {
                self.work += 1 + interests.len() as u64;
                interests.retain(|interest| interest.file != number);
            }
        }
        let Some(open) = &mut self.open[at] else { return Ok(None) };
        open.users -= 1;
        if open.users > 0 {
            return Ok(None);
        }
        let closed = self.open[at].take().map(|open| open.file);
        self.empty.insert(at);
        self.epolls.remove(&at);
        if let Some(file) = &closed {
            self.pipes.opened(file, -1);
        }
        Ok(closed)
    }

    /// What the numbers take, and how much there is to look through.
    pub(super) fn numbers_held(&self) -> u64 {
        self.numbers.len() as u64 * NUMBER
    }

    pub(super) fn count(&self) -> u64 {
        (self.numbers.len() + self.open.len()) as u64
    }

    /// All open files.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &Open)> {
        self.open.iter().enumerate().filter_map(|(at, open)| Some((at, open.as_ref()?)))
    }
}

/// A number, or an error number.
pub(super) fn answer(result: Result<u64, i64>) -> Result<SyscallReturn, HookError> {
    Ok(SyscallReturn::Return(result.map_or_else(|error| -error, |value| value as i64)))
}

/// 0, or an error number.
pub(super) fn done(result: Result<(), i64>) -> Result<SyscallReturn, HookError> {
    answer(result.map(|()| 0))
}

/// Closes a number, and what it stands for.
fn shut(kernel: &mut Kernel, number: u64) -> Result<(), i64> {
    match kernel.files.take(number)? {
        Some(File::Node(node)) => kernel.disk().opened(node.id, false),
        Some(File::Socket(socket)) => net::closed(kernel, socket),
        _ => {}
    }
    Ok(())
}

/// `close(file)`
pub(super) fn close(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let result = shut(kernel, args[0]);
    epoll::changed(kernel, cx)?;
    done(result)
}

/// `close_range(first, last, flags)`
pub(super) fn close_range(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const CLOSE_ON_EXEC: u64 = 4;
    /// What closing one takes, in instructions.
    const CLOSED: u64 = 40;
    let last = args[1].min(kernel.files.numbers.len() as u64);
    if args[2] & CLOSE_ON_EXEC == 0 {
        cx.memory.charge(CLOSED * (last + 1).saturating_sub(args[0]));
        for number in args[0]..=last {
            let _ = shut(kernel, number);
        }
    }
    epoll::changed(kernel, cx)?;
    Ok(SyscallReturn::Return(0))
}

/// `dup(file)`
pub(super) fn dup(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    answer(kernel.files.again(args[0], 0, false, false))
}

/// `dup2(file, number)`, `dup3(file, number, flags)`
pub(super) fn dup_to(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, to, flags, ..] = args;
    if kernel.files.number(number).is_none() {
        return Ok(SyscallReturn::Return(-errno::EBADF));
    }
    if number == to {
        return Ok(SyscallReturn::Return(to as i64));
    }
    let _ = shut(kernel, to);
    let to = usize::try_from(to).unwrap_or(usize::MAX);
    let result = kernel.files.again(number, to, true, flags & flag::CLOSE_ON_EXEC != 0);
    epoll::changed(kernel, cx)?;
    answer(result)
}

/// `dup2(file, number)`, whose third argument is no argument.
pub(super) fn dup2(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    dup_to(kernel, cx, [args[0], args[1], 0, 0, 0, 0])
}

/// `ioctl(file, request, argument)`: no file is a terminal.
pub(super) fn ioctl(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const FIONREAD: u64 = 0x541b;
    const FIONBIO: u64 = 0x5421;
    let [number, request, argument, ..] = args;
    let open = match kernel.files.open(number) {
        Ok(open) => open,
        Err(error) => return Ok(SyscallReturn::Return(-error)),
    };
    match request {
        FIONBIO => {
            let set = u32::from_le_bytes(cx.memory.read(argument)?) != 0;
            open.flags = if set { open.flags | flag::NONBLOCK } else { open.flags & !flag::NONBLOCK };
            Ok(SyscallReturn::Return(0))
        }
        FIONREAD => {
            let file = open.file.clone();
            let held = epoll::held(kernel, &file) as u32;
            cx.memory.write(argument, held.to_le_bytes())?;
            Ok(SyscallReturn::Return(0))
        }
        _ => Ok(SyscallReturn::Return(-errno::ENOTTY)),
    }
}

/// `eventfd2(count, flags)`
pub(super) fn eventfd(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const SEMAPHORE: u64 = 1;
    let file = File::Counter(args[0] & 0xffff_ffff, args[1] & SEMAPHORE != 0);
    answer(kernel.files.add(file, flag::READ_WRITE | args[1] & !SEMAPHORE).ok_or(errno::EMFILE))
}

/// `fcntl(file, command, argument)`
pub(super) fn fcntl(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, command, argument, ..] = args;
    let files = &mut kernel.files;
    if files.number(number).is_none() {
        return Ok(SyscallReturn::Return(-errno::EBADF));
    }
    let at = number as usize;
    let result = match command {
        // F_DUPFD, F_DUPFD_CLOEXEC
        0 | 1030 => {
            let from = usize::try_from(argument).unwrap_or(usize::MAX);
            if from >= MOST { Err(errno::EINVAL) } else { files.again(number, from, false, command != 0) }
        }
        // F_GETFD, F_SETFD
        1 => Ok(files.number(number).is_some_and(|number| number.close_on_exec).into()),
        2 => {
            if let Some(number) = &mut files.numbers[at] {
                number.close_on_exec = argument & 1 != 0;
            }
            Ok(0)
        }
        // F_GETFL, F_SETFL
        3 => files.open(number).map(|open| open.flags),
        4 => files.open(number).map(|open| {
            open.flags = open.flags & !flag::CHANGED | argument & flag::CHANGED;
            0
        }),
        // F_GETLK, F_OFD_GETLK: no other process has locks.
        5 | 36 => {
            const UNLOCKED: u16 = 2;
            cx.memory.write(argument, UNLOCKED.to_le_bytes())?;
            Ok(0)
        }
        // F_SETLK, F_SETLKW and of open files.
        6 | 7 | 37 | 38 => Ok(0),
        // F_SETPIPE_SZ, F_GETPIPE_SZ
        1031 | 1032 => match files.get(number) {
            Some(File::PipeOut(_) | File::PipeIn(_)) => Ok(super::pipes::SIZE as u64),
            _ => Err(errno::EBADF),
        },
        _ => Err(errno::EINVAL),
    };
    answer(result)
}

/// `flock(file, operation)`: another open file may have the lock, of the same process.
pub(super) fn flock(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const EXCLUSIVE: u64 = 2;
    const NONBLOCK: u64 = 4;
    const UNLOCK: u64 = 8;
    let [number, operation, ..] = args;
    let node = match kernel.files.node(number) {
        Ok(node) => node.id,
        Err(errno::EBADF) => return Ok(SyscallReturn::Return(-errno::EBADF)),
        Err(_) => return Ok(SyscallReturn::Return(0)),
    };
    let own = kernel.files.identity(number);
    let wanted = (operation & UNLOCK == 0).then_some(operation & EXCLUSIVE != 0);
    let of_node = |open: &Open| matches!(&open.file, File::Node(other) if other.id == node);
    kernel.files.work += kernel.files.open.len() as u64;
    let taken = kernel.files.all().any(|(at, open)| {
        Some(at) != own
            && of_node(open)
            && open.lock.is_some_and(|exclusive| wanted.is_some_and(|wants| wants || exclusive))
    });
    if taken && operation & NONBLOCK == 0 {
        return kernel.threads.wait_for_change(cx, None);
    }
    if taken {
        return Ok(SyscallReturn::Return(-errno::EAGAIN));
    }
    let result = kernel.files.open(number).map(|open| open.lock = wanted);
    epoll::changed(kernel, cx)?;
    done(result)
}

/// Opens a node.
pub(super) fn open_node(kernel: &mut Kernel, id: Id, flags: u64) -> Result<u64, i64> {
    let file = File::Node(OfNode { id, at: 0, listing: None });
    let number = kernel.files.add(file, flags).ok_or(errno::EMFILE)?;
    kernel.disk().opened(id, true);
    Ok(number)
}

/// The folder that a number stands for, or the current one (`AT_FDCWD`).
pub(super) fn folder(kernel: &mut Kernel, number: u64) -> Result<Id, i64> {
    const CURRENT: i32 = -100;
    if number as i32 == CURRENT {
        return Ok(kernel.disk.current);
    }
    let id = kernel
        .files
        .node(number)
        .map_err(|error| if error == errno::EINVAL { errno::ENOTDIR } else { error })?
        .id;
    if kernel.disk.node(id)?.is_folder() { Ok(id) } else { Err(errno::ENOTDIR) }
}

/// What a file is, as `struct stat` has it, if it is no node.
pub(super) fn mode_of(file: &File) -> u32 {
    match file {
        File::Socket(_) => disk::mode::SOCKET | 0o777,
        File::Counter(..) | File::Epoll(_) => 0o600,
        File::Input | File::Output(_) | File::PipeOut(_) | File::PipeIn(_) | File::Node(_) => {
            disk::mode::PIPE | 0o600
        }
    }
}

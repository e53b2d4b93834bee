//! What nodes and open files are like: `struct stat`, listings, permissions, times.

use super::disk::{Id, Kind, Node};
use super::files::{File, Listing, done, flag, mode_of};
use super::paths::{find, node, path};
use super::{Args, Kernel, clock, errno};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// The folder that old calls begin in: `AT_FDCWD`.
const CURRENT: u64 = -100_i64 as u64;
const NO_FOLLOW: u64 = 0x100;
const SECOND: u64 = 1_000_000_000;
/// The device that all nodes are on.
const DEVICE: u64 = 1;
const BLOCK: u64 = 4096;
const SECTOR: u64 = 512;

/// What `stat` tells.
struct Status {
    node: u64,
    names: u64,
    mode: u32,
    owner: [u32; 2],
    size: u64,
    times: [u64; 3],
}

impl Status {
    fn of(id: Id, node: &Node) -> Status {
        let (names, mode, owner) = (u64::from(node.names), node.mode(), node.owner);
        Status { node: id, names, mode, owner, size: node.size(), times: node.times }
    }

    fn bytes(&self) -> [u8; 144] {
        let mut bytes = [0; 144];
        let mut put = |at: usize, word: u64, size: usize| {
            bytes[at..at + size].copy_from_slice(&word.to_le_bytes()[..size]);
        };
        put(0, DEVICE, 8);
        put(8, self.node, 8);
        put(16, self.names, 8);
        put(24, self.mode.into(), 4);
        put(28, self.owner[0].into(), 4);
        put(32, self.owner[1].into(), 4);
        put(48, self.size, 8);
        put(56, BLOCK, 8);
        put(64, self.size.div_ceil(SECTOR), 8);
        for (at, time) in [72, 88, 104].into_iter().zip(self.times) {
            put(at, time / SECOND, 8);
            put(at + 8, time % SECOND, 8);
        }
        bytes
    }
}

fn tell(
    kernel: &Kernel,
    cx: &mut HookContext<'_>,
    id: Result<Id, i64>,
    to: u64,
) -> Result<SyscallReturn, HookError> {
    let status = id.and_then(|id| Ok(Status::of(id, kernel.disk.node(id)?)));
    match status {
        Ok(status) => {
            cx.memory.write(to, status.bytes())?;
            Ok(SyscallReturn::Return(0))
        }
        Err(error) => done(Err(error)),
    }
}

/// `fstat(file, status)`
pub(super) fn fstat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, to, ..] = args;
    let mode = match kernel.files.get(number) {
        Some(File::Node(node)) => {
            let id = node.id;
            return tell(kernel, cx, Ok(id), to);
        }
        Some(file) => mode_of(file),
        None => return Ok(SyscallReturn::Return(-errno::EBADF)),
    };
    let own = kernel.files.identity(number).unwrap_or_default() as u64;
    let status = Status { node: own, names: 1, mode, owner: [0; 2], size: 0, times: [0; 3] };
    cx.memory.write(to, status.bytes())?;
    Ok(SyscallReturn::Return(0))
}

/// `newfstatat(folder, path, status, flags)`
pub(super) fn fstatat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [from, at, to, flags, ..] = args;
    let path = path(cx, at)?;
    let id = node(kernel, from, &path, flags);
    if path.is_empty() && id == Err(errno::EINVAL) {
        return fstat(kernel, cx, [from, to, 0, 0, 0, 0]);
    }
    tell(kernel, cx, id, to)
}

/// `stat(path, status)`
pub(super) fn stat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    fstatat(kernel, cx, [CURRENT, args[0], args[1], 0, 0, 0])
}

/// `lstat(path, status)`
pub(super) fn lstat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    fstatat(kernel, cx, [CURRENT, args[0], args[1], NO_FOLLOW, 0, 0])
}

/// `statfs(path, to)`
pub(super) fn statfs(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let path = path(cx, args[0])?;
    match find(kernel, CURRENT, &path, true) {
        Ok(_) => tell_disk(kernel, cx, args[1]),
        Err(error) => done(Err(error)),
    }
}

/// `fstatfs(file, to)`
pub(super) fn fstatfs(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    match kernel.files.get(args[0]) {
        Some(_) => tell_disk(kernel, cx, args[1]),
        None => done(Err(errno::EBADF)),
    }
}

fn tell_disk(kernel: &Kernel, cx: &mut HookContext<'_>, to: u64) -> Result<SyscallReturn, HookError> {
    const TMPFS: u64 = 0x0102_1994;
    const NAME: u64 = 255;
    let free = kernel.disk.left() / BLOCK;
    // Type, size of a block, blocks, free ones, those for users, nodes, free ones, number, longest name, fragments, flags.
    let words = [TMPFS, BLOCK, free, free, free, 1 << 20, 1 << 19, DEVICE, NAME, BLOCK, 0, 0, 0, 0, 0];
    for (n, word) in (0..).zip(words) {
        cx.set_word(to.wrapping_add(8 * n), word)?;
    }
    Ok(SyscallReturn::Return(0))
}

/// `getdents64(folder, to, size)`
pub(super) fn getdents64(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [number, to, size, ..] = args;
    let listed = match list(kernel, number) {
        Ok(listed) => listed,
        Err(error) => return done(Err(error)),
    };
    let (at, listing) = listed;
    let (bytes, after) = records(&listing, at, size);
    let (fits, written) = (!bytes.is_empty() || after as usize >= listing.len(), bytes.len() as i64);
    cx.memory.charge(bytes.len() as u64 / 8);
    let put = cx.memory.write_bytes(to, &bytes);
    if let Ok(node) = kernel.files.node(number) {
        (node.at, node.listing) = (if put.is_ok() { after } else { at }, Some(listing));
    }
    put?;
    Ok(SyscallReturn::Return(if fits { written } else { -errno::EINVAL }))
}

/// The records of `struct linux_dirent64` from a position on, as many as there is room for, and the position behind them.
fn records(listing: &Listing, mut at: u64, room: u64) -> (Vec<u8>, u64) {
    let mut bytes = Vec::new();
    for (name, id, kind) in listing.iter().skip(usize::try_from(at).unwrap_or(usize::MAX)) {
        // Number, position of the next, length, kind, name and its end.
        let length = (19 + name.len() + 1).next_multiple_of(8);
        if bytes.len() as u64 + length as u64 > room.min(1 << 20) {
            break;
        }
        at += 1;
        let end = bytes.len() + length;
        bytes.extend(id.to_le_bytes());
        bytes.extend(at.to_le_bytes());
        bytes.extend((length as u16).to_le_bytes());
        bytes.push((kind >> 12) as u8);
        bytes.extend(name);
        bytes.resize(end, 0);
    }
    (bytes, at)
}

/// What copying an entry of a folder takes, in instructions.
const LISTED: u64 = 48;
/// What it takes of the host's memory, about, until that is counted.
const NAMED: u64 = 96;

/// The position in a folder that is read, and its entries.
fn list(kernel: &mut Kernel, number: u64) -> Result<(u64, Listing), i64> {
    let not_a_folder = |error| if error == errno::EINVAL { errno::ENOTDIR } else { error };
    let node = kernel.files.node(number).map_err(not_a_folder)?;
    let (id, at) = (node.id, node.at);
    if let Some(listing) = node.listing.take() {
        return Ok((at, listing));
    }
    let disk = kernel.disk();
    disk.look_into(id)?;
    let count = disk.entries(id)?.len() as u64;
    disk.work += LISTED * count;
    // Names are some twenty bytes long, mostly.
    disk.added += NAMED * count;
    let entries: Vec<_> = disk.entries(id)?.iter().map(|(name, id)| (name.clone(), *id)).collect();
    let parent = disk.parent(id)?;
    let dots = [(b".".to_vec(), id), (b"..".to_vec(), parent)];
    let all = dots.into_iter().chain(entries);
    let kind = |id| disk.node(id).map_or(0, |node| node.kind.bits());
    Ok((at, all.map(|(name, id)| (name, id, kind(id))).collect()))
}

/// `fchmodat(folder, path, mode)`
pub(super) fn fchmodat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    fchmodat2(kernel, cx, [args[0], args[1], args[2], 0, 0, 0])
}

/// `fchmodat2(folder, path, mode, flags)`
pub(super) fn fchmodat2(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [from, at, permissions, flags, ..] = args;
    let (path, now) = (path(cx, at)?, clock::wall(cx));
    let id = node(kernel, from, &path, flags);
    done(id.and_then(|id| match kernel.disk.node(id)?.kind {
        Kind::Link(_) => Err(errno::EOPNOTSUPP),
        _ => kernel.disk().set_permissions(id, permissions as u32, now),
    }))
}

/// `chmod(path, mode)`
pub(super) fn chmod(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    fchmodat(kernel, cx, [CURRENT, args[0], args[1], 0, 0, 0])
}

/// `fchmod(file, mode)`
pub(super) fn fchmod(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let now = clock::wall(cx);
    let id = kernel.files.node(args[0]).map(|node| node.id);
    done(id.and_then(|id| kernel.disk().set_permissions(id, args[1] as u32, now)))
}

/// Sets the owner; -1 leaves one as it is.
fn set_owner(kernel: &mut Kernel, id: Id, owner: [u64; 2], now: u64) -> Result<(), i64> {
    kernel.disk.may_write(id)?;
    let node = kernel.disk().node_mut(id)?;
    for (own, new) in node.owner.iter_mut().zip(owner) {
        if new as u32 != u32::MAX {
            *own = new as u32;
        }
    }
    node.times[2] = now;
    Ok(())
}

/// `fchownat(folder, path, user, group, flags)`
pub(super) fn fchownat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [from, at, user, group, flags, _] = args;
    let (path, now) = (path(cx, at)?, clock::wall(cx));
    let id = node(kernel, from, &path, flags);
    done(id.and_then(|id| set_owner(kernel, id, [user, group], now)))
}

/// `chown(path, user, group)`
pub(super) fn chown(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    fchownat(kernel, cx, [CURRENT, args[0], args[1], args[2], 0, 0])
}

/// `lchown(path, user, group)`
pub(super) fn lchown(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    fchownat(kernel, cx, [CURRENT, args[0], args[1], args[2], NO_FOLLOW, 0])
}

/// `fchown(file, user, group)`
pub(super) fn fchown(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let now = clock::wall(cx);
    let id = kernel.files.node(args[0]).map(|node| node.id);
    done(id.and_then(|id| set_owner(kernel, id, [args[1], args[2]], now)))
}

/// `utimensat(folder, path, times, flags)`: without a path, of the folder's number itself.
pub(super) fn utimensat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    /// In place of nanoseconds: now; as it is.
    const NOW: u64 = (1 << 30) - 1;
    const OMIT: u64 = (1 << 30) - 2;
    let [from, at, times, flags, ..] = args;
    let now = clock::wall(cx);
    let mut new = [Some(now); 2];
    if times != 0 {
        for (n, time) in (0..).zip(&mut new) {
            let at = times.wrapping_add(16 * n);
            *time = match cx.word(at.wrapping_add(8))? {
                NOW => Some(now),
                OMIT => None,
                nanoseconds if nanoseconds >= SECOND => return done(Err(errno::EINVAL)),
                _ => Some(clock::timespec(cx, at)?),
            };
        }
    }
    let id = if at == 0 {
        kernel.files.node(from).map(|node| node.id)
    } else {
        let path = path(cx, at)?;
        node(kernel, from, &path, flags)
    };
    done(id.and_then(|id| set_times(kernel, id, new, now)))
}

fn set_times(kernel: &mut Kernel, id: Id, new: [Option<u64>; 2], now: u64) -> Result<(), i64> {
    kernel.disk.may_write(id)?;
    let node = kernel.disk().node_mut(id)?;
    for (own, new) in node.times.iter_mut().zip(new) {
        *own = new.unwrap_or(*own);
    }
    node.times[2] = now;
    Ok(())
}

/// `utimes(path, times)`: microseconds.
pub(super) fn utimes(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let (path, now) = (path(cx, args[0])?, clock::wall(cx));
    let mut new = [Some(now); 2];
    if args[1] != 0 {
        for (n, time) in (0..).zip(&mut new) {
            let at = args[1].wrapping_add(16 * n);
            let (seconds, micros) = (cx.word(at)?, cx.word(at.wrapping_add(8))?);
            *time = Some(seconds.saturating_mul(SECOND).saturating_add(micros.saturating_mul(1000)));
        }
    }
    let id = find(kernel, CURRENT, &path, true);
    done(id.and_then(|id| set_times(kernel, id, new, now)))
}

/// `memfd_create(name, flags)`: a file without a name.
pub(super) fn memfd_create(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const CLOSE_ON_EXEC: u64 = 1;
    let now = clock::wall(cx);
    let flags = flag::READ_WRITE | if args[1] & CLOSE_ON_EXEC != 0 { flag::CLOSE_ON_EXEC } else { 0 };
    let made = kernel.disk().make_unnamed(now).and_then(|id| super::files::open_node(kernel, id, flags));
    super::files::answer(made)
}

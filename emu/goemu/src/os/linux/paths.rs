//! System calls that take paths.

use super::disk::{Disk, Found, Id, Kind, Rename, mode};
use super::files::{File, answer, done, flag, folder, open_node};
use super::{Args, Kernel, clock, errno, pipes};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// The folder that old calls begin in: `AT_FDCWD`.
pub(super) const CURRENT: u64 = -100_i64 as u64;
const NO_FOLLOW: u64 = 0x100;
const REMOVE_FOLDER: u64 = 0x200;
const FOLLOW: u64 = 0x400;
const EMPTY_PATH: u64 = 0x1000;

/// A path in guest memory.
pub(super) fn path(cx: &mut HookContext<'_>, at: u64) -> Result<Vec<u8>, HookError> {
    const MOST: usize = 4097;
    let mut path = Vec::new();
    while path.len() < MOST {
        let at = at.wrapping_add(path.len() as u64);
        let piece = (4096 - at % 4096).min((MOST - path.len()) as u64) as usize;
        let start = path.len();
        path.resize(start + piece, 0);
        cx.memory.read_bytes(at, &mut path[start..])?;
        if let Some(end) = path[start..].iter().position(|&byte| byte == 0) {
            path.truncate(start + end);
            break;
        }
    }
    cx.memory.charge(path.len() as u64 / 8);
    Ok(path)
}

/// Walks to a path.
fn walk(kernel: &mut Kernel, from: u64, path: &[u8], follow: bool) -> Result<Found, i64> {
    let from = if path.first() == Some(&b'/') { super::disk::ROOT } else { folder(kernel, from)? };
    kernel.disk().walk(from, path, follow)
}

/// The node at a path.
pub(super) fn find(kernel: &mut Kernel, from: u64, path: &[u8], follow: bool) -> Result<Id, i64> {
    let from = if path.first() == Some(&b'/') { super::disk::ROOT } else { folder(kernel, from)? };
    kernel.disk().find(from, path, follow)
}

/// The node that a call with flags is about: of a path, or where that is empty, of the folder's number.
pub(super) fn node(kernel: &mut Kernel, from: u64, path: &[u8], flags: u64) -> Result<Id, i64> {
    if path.is_empty() && flags & EMPTY_PATH != 0 {
        return match kernel.files.get(from) {
            Some(File::Node(node)) => Ok(node.id),
            Some(_) => Err(errno::EINVAL),
            None => folder(kernel, from),
        };
    }
    find(kernel, from, path, flags & NO_FOLLOW == 0)
}

/// Where a new node is to be made. A link that is there already is not followed, whatever comes after its name.
fn place(kernel: &mut Kernel, from: u64, path: &[u8], is_folder: bool) -> Result<super::disk::Place, i64> {
    let slashes = path.iter().rev().take_while(|byte| **byte == b'/').count();
    let name = match &path[..path.len() - slashes] {
        [] => path,
        name => name,
    };
    let mut found = walk(kernel, from, name, false)?;
    found.slash |= slashes > 0;
    kernel.disk.free_place(found, is_folder)
}

/// `openat(folder, path, flags, mode)`
pub(super) fn openat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [from, at, flags, permissions, ..] = args;
    let path = path(cx, at)?;
    if let Some(number) = own_number(&path) {
        return super::files::dup(kernel, cx, [number, 0, 0, 0, 0, 0]);
    }
    let now = clock::wall(cx);
    let id = match open_or_make(kernel, from, &path, (flags, permissions as u32), now) {
        Ok(id) => id,
        Err(error) => return Ok(SyscallReturn::Return(-error)),
    };
    if flags & flag::PATH == 0 && matches!(kernel.disk.node(id).map(|node| &node.kind), Ok(Kind::Pipe)) {
        return pipes::open(kernel, cx, id, flags);
    }
    answer(open_node(kernel, id, flags))
}

/// The number in a path that stands for an open file of the process.
fn own_number(path: &[u8]) -> Option<u64> {
    let standard = [(&b"/dev/stdin"[..], 0), (b"/dev/stdout", 1), (b"/dev/stderr", 2)];
    if let Some((_, number)) = standard.iter().find(|(own, _)| *own == path) {
        return Some(*number);
    }
    let digits = path.strip_prefix(b"/proc/self/fd/").or_else(|| path.strip_prefix(b"/dev/fd/"))?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn open_or_make(
    kernel: &mut Kernel,
    from: u64,
    path: &[u8],
    (flags, permissions): (u64, u32),
    now: u64,
) -> Result<Id, i64> {
    let writes = flags & flag::ACCESS != 0;
    if flags & flag::TEMPORARY != 0 {
        return Err(errno::EOPNOTSUPP);
    }
    let exclusive = flags & flag::CREATE != 0 && flags & flag::EXCLUSIVE != 0;
    let follow = flags & flag::NOFOLLOW == 0 && !exclusive;
    let found = walk(kernel, from, path, follow)?;
    let id = match found.node {
        Some(_) if exclusive => return Err(errno::EEXIST),
        Some(id) => id,
        None if flags & flag::CREATE == 0 => return Err(errno::ENOENT),
        None if found.slash => return Err(errno::EISDIR),
        None => {
            let place = kernel.disk.free_place(found, false)?;
            return kernel.disk().make(place, Kind::File(Default::default()), permissions, now);
        }
    };
    let node = kernel.disk.node(id)?;
    match &node.kind {
        Kind::Link(_) if flags & flag::PATH == 0 => return Err(errno::ELOOP),
        Kind::Socket | Kind::Device(super::disk::Device::Terminal) => return Err(errno::ENXIO),
        _ if node.is_folder() && flags & flag::CREATE != 0 => return Err(errno::EISDIR),
        _ if node.is_folder() && writes => return Err(errno::EISDIR),
        _ if !node.is_folder() && (flags & flag::DIRECTORY != 0 || found.slash) => {
            return Err(errno::ENOTDIR);
        }
        _ => {}
    }
    let is_file = matches!(node.kind, Kind::File(_) | Kind::FileOfHost(_));
    if writes && is_file {
        kernel.disk.may_write(id)?;
    }
    if is_file && flags & flag::PATH == 0 {
        if flags & flag::TRUNCATE != 0 && writes {
            kernel.disk().set_size(id, 0, now)?;
        }
        // What cannot be read is said here.
        kernel.disk().contents(id)?;
    }
    Ok(id)
}

/// `open(path, flags, mode)`
pub(super) fn open(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    openat(kernel, cx, [CURRENT, args[0], args[1], args[2], 0, 0])
}

/// `creat(path, mode)`
pub(super) fn creat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let flags = flag::CREATE | flag::WRITE_ONLY | flag::TRUNCATE;
    openat(kernel, cx, [CURRENT, args[0], flags, args[1], 0, 0])
}

/// `faccessat2(folder, path, mode, flags)`, `faccessat`: the user may do everything, but executes only what is executable.
pub(super) fn faccessat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    const EXECUTE: u64 = 1;
    const WRITE: u64 = 2;
    let [from, at, wish, flags, ..] = args;
    let path = path(cx, at)?;
    let allowed = node(kernel, from, &path, flags).and_then(|id| {
        let node = kernel.disk.node(id)?;
        if wish & WRITE != 0 {
            kernel.disk.may_write(id)?;
        }
        let runs = node.is_folder() || node.permissions & 0o111 != 0;
        if wish & EXECUTE != 0 && !runs { Err(errno::EACCES) } else { Ok(()) }
    });
    done(allowed)
}

/// `faccessat(folder, path, mode)`
pub(super) fn faccessat_plain(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    faccessat(kernel, cx, [args[0], args[1], args[2], 0, 0, 0])
}

/// `access(path, mode)`
pub(super) fn access(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    faccessat(kernel, cx, [CURRENT, args[0], args[1], 0, 0, 0])
}

/// `mkdirat(folder, path, mode)`
pub(super) fn mkdirat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let (path, now) = (path(cx, args[1])?, clock::wall(cx));
    let made = place(kernel, args[0], &path, true).and_then(|place| {
        let kind = Disk::folder_kind(place.0);
        kernel.disk().make(place, kind, args[2] as u32, now)
    });
    done(made.map(drop))
}

/// `mkdir(path, mode)`
pub(super) fn mkdir(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    mkdirat(kernel, cx, [CURRENT, args[0], args[1], 0, 0, 0])
}

/// `mknodat(folder, path, mode, device)`: files and pipes. Devices are refused.
pub(super) fn mknodat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let (path, now, wish) = (path(cx, args[1])?, clock::wall(cx), args[2] as u32);
    let kind = match wish & mode::KIND {
        mode::PIPE => Kind::Pipe,
        0 | mode::REGULAR => Kind::File(Default::default()),
        _ => return done(Err(errno::EPERM)),
    };
    let made = place(kernel, args[0], &path, false)
        .and_then(|place| kernel.disk().make(place, kind, wish & mode::PERMISSIONS, now));
    done(made.map(drop))
}

/// `mknod(path, mode, device)`
pub(super) fn mknod(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    mknodat(kernel, cx, [CURRENT, args[0], args[1], args[2], 0, 0])
}

/// `unlinkat(folder, path, flags)`
pub(super) fn unlinkat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let (path, now) = (path(cx, args[1])?, clock::wall(cx));
    let found = walk(kernel, args[0], &path, false);
    done(found.and_then(|found| kernel.disk().unlink(&found, args[2] & REMOVE_FOLDER != 0, now)))
}

/// `unlink(path)`
pub(super) fn unlink(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    unlinkat(kernel, cx, [CURRENT, args[0], 0, 0, 0, 0])
}

/// `rmdir(path)`
pub(super) fn rmdir(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    unlinkat(kernel, cx, [CURRENT, args[0], REMOVE_FOLDER, 0, 0, 0])
}

/// `renameat2(from_folder, from, to_folder, to, flags)`
pub(super) fn renameat2(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [old_folder, old, new_folder, new, flags, _] = args;
    let (old, new, now) = (path(cx, old)?, path(cx, new)?, clock::wall(cx));
    let how = match flags {
        0 => Rename::Replace,
        1 => Rename::Keep,
        2 => Rename::Exchange,
        _ => return done(Err(errno::EINVAL)),
    };
    let renamed = walk(kernel, old_folder, &old, false).and_then(|from| {
        let to = walk(kernel, new_folder, &new, false)?;
        kernel.disk().rename(&from, &to, how, now)
    });
    done(renamed)
}

/// `renameat(from_folder, from, to_folder, to)`
pub(super) fn renameat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    renameat2(kernel, cx, [args[0], args[1], args[2], args[3], 0, 0])
}

/// `rename(from, to)`
pub(super) fn rename(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    renameat2(kernel, cx, [CURRENT, args[0], CURRENT, args[1], 0, 0])
}

/// `linkat(from_folder, from, to_folder, to, flags)`
pub(super) fn linkat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [old_folder, old, new_folder, new, flags, _] = args;
    let (old, new, now) = (path(cx, old)?, path(cx, new)?, clock::wall(cx));
    let follow = if flags & FOLLOW != 0 { 0 } else { NO_FOLLOW };
    let linked = node(kernel, old_folder, &old, follow | flags & EMPTY_PATH).and_then(|id| {
        let place = place(kernel, new_folder, &new, false)?;
        kernel.disk().link(id, place, now)
    });
    done(linked)
}

/// `link(from, to)`
pub(super) fn link(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    linkat(kernel, cx, [CURRENT, args[0], CURRENT, args[1], 0, 0])
}

/// `symlinkat(target, folder, path)`
pub(super) fn symlinkat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let (target, path, now) = (path(cx, args[0])?, path(cx, args[2])?, clock::wall(cx));
    if target.is_empty() {
        return done(Err(errno::ENOENT));
    }
    let made = place(kernel, args[1], &path, false)
        .and_then(|place| kernel.disk().make(place, Disk::link_kind(&target), 0o777, now));
    done(made.map(drop))
}

/// `symlink(target, path)`
pub(super) fn symlink(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    symlinkat(kernel, cx, [args[0], CURRENT, args[1], 0, 0, 0])
}

/// `readlinkat(folder, path, to, size)`
pub(super) fn readlinkat(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let [from, at, to, size, ..] = args;
    let path = path(cx, at)?;
    let target =
        node(kernel, from, &path, NO_FOLLOW | EMPTY_PATH).and_then(|id| match &kernel.disk.node(id)?.kind {
            Kind::Link(target) => Ok(target.clone()),
            _ => Err(errno::EINVAL),
        });
    match target {
        Ok(target) => {
            let count = target.len().min(usize::try_from(size).unwrap_or(usize::MAX));
            cx.memory.write_bytes(to, &target[..count])?;
            Ok(SyscallReturn::Return(count as i64))
        }
        Err(error) => done(Err(error)),
    }
}

/// `readlink(path, to, size)`
pub(super) fn readlink(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    readlinkat(kernel, cx, [CURRENT, args[0], args[1], args[2], 0, 0])
}

/// `truncate(path, size)`
pub(super) fn truncate(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let (path, now) = (path(cx, args[0])?, clock::wall(cx));
    let id = find(kernel, CURRENT, &path, true);
    done(id.and_then(|id| kernel.disk().set_size(id, args[1], now)))
}

/// `chdir(path)`
pub(super) fn chdir(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let path = path(cx, args[0])?;
    done(find(kernel, CURRENT, &path, true).and_then(|id| enter(kernel, id)))
}

/// `fchdir(folder)`
pub(super) fn fchdir(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let id = kernel.files.node(args[0]).map(|node| node.id);
    done(id.and_then(|id| enter(kernel, id)))
}

fn enter(kernel: &mut Kernel, id: Id) -> Result<(), i64> {
    if !kernel.disk.node(id)?.is_folder() {
        return Err(errno::ENOTDIR);
    }
    let before = std::mem::replace(&mut kernel.disk().current, id);
    kernel.disk().opened(id, true);
    kernel.disk().opened(before, false);
    Ok(())
}

/// `getcwd(to, size)`
pub(super) fn getcwd(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let current = kernel.disk.current;
    let Some(mut path) = kernel.disk().path_of(current) else { return done(Err(errno::ENOENT)) };
    path.push(0);
    if path.len() as u64 > args[1] {
        return done(Err(errno::ERANGE));
    }
    cx.memory.write_bytes(args[0], &path)?;
    Ok(SyscallReturn::Return(path.len() as i64))
}

/// `umask(mask)`
pub(super) fn umask(
    kernel: &mut Kernel,
    _: &mut HookContext<'_>,
    args: Args,
) -> Result<SyscallReturn, HookError> {
    let mask = args[0] as u32 & 0o777;
    Ok(SyscallReturn::Return(i64::from(std::mem::replace(&mut kernel.disk().mask, mask))))
}

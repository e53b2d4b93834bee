//! How a Linux host is asked: `openat2` beneath a descriptor, without links.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, FileType, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

use super::errno;
use super::host::{Deed, Entry, EntryKind};

/// The most names of a folder that are read.
const MOST_NAMES: usize = 1 << 20;
const STAY: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// The folder that was given, or a single file.
#[derive(Debug)]
pub(super) struct Root {
    root: OwnedFd,
    /// Whether it is a file, of which only the path "" is known.
    is_file: bool,
}

impl Root {
    /// Opens it, and tells what it is. Here alone links of the host are followed: the user names the folder.
    pub(super) fn open(path: &Path, write: bool) -> io::Result<(Root, Entry)> {
        let way = |flags| fs::openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty());
        let status = fs::stat(path)?;
        let is_file = FileType::from_raw_mode(status.st_mode) != FileType::Directory;
        let root = if is_file {
            way(if write { OFlags::RDWR } else { OFlags::RDONLY })?
        } else {
            way(OFlags::PATH | OFlags::DIRECTORY)?
        };
        let kind = if is_file { EntryKind::File(status.st_size as u64) } else { EntryKind::Folder };
        let entry =
            Entry { name: Vec::new(), kind, permissions: status.st_mode & 0o7777, time: time(&status) };
        Ok((Root { root, is_file }, entry))
    }

    fn at(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, i64> {
        if self.is_file {
            return self.root.try_clone().map_err(|error| number_of(&error));
        }
        let path = if path.is_empty() { b"." } else { path };
        // What is only looked through takes no other flags; what is opened must not wait for the other end of a pipe.
        let wait = if flags.contains(OFlags::PATH) { OFlags::empty() } else { OFlags::NONBLOCK };
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | wait;
        fs::openat2(&self.root, OsStr::from_bytes(path), flags, Mode::empty(), STAY).map_err(number)
    }

    /// The folder that a path's last name is in, and that name.
    fn above<'p>(&self, path: &'p [u8]) -> Result<(OwnedFd, &'p OsStr), i64> {
        let cut = path.iter().rposition(|&byte| byte == b'/');
        let (folder, name) = cut.map_or((&b""[..], path), |cut| (&path[..cut], &path[cut + 1..]));
        if name.is_empty() {
            return Err(errno::EBUSY);
        }
        Ok((self.at(folder, OFlags::PATH | OFlags::DIRECTORY)?, OsStr::from_bytes(name)))
    }

    /// Folders, files and links in a folder. Devices and the like are left out: they are not given.
    pub(super) fn read_folder(&self, path: &[u8]) -> Result<Vec<Entry>, i64> {
        let folder = self.at(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut entries = Vec::new();
        for entry in fs::Dir::read_from(&folder).map_err(number)? {
            let entry = entry.map_err(number)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if entries.len() == MOST_NAMES {
                return Err(errno::ENOSPC);
            }
            let Ok(status) = fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let kind = match FileType::from_raw_mode(status.st_mode) {
                FileType::Directory => EntryKind::Folder,
                FileType::RegularFile => EntryKind::File(status.st_size as u64),
                FileType::Symlink => {
                    let target = fs::readlinkat(&folder, name, Vec::new()).map_err(number)?;
                    EntryKind::Link(target.into_bytes())
                }
                _ => continue,
            };
            let (name, permissions) = (name.to_bytes().to_vec(), status.st_mode & 0o7777);
            entries.push(Entry { name, kind, permissions, time: time(&status) });
        }
        Ok(entries)
    }

    /// The contents of a file that has so many bytes at most.
    pub(super) fn read_file(&self, path: &[u8], most: u64) -> Result<Vec<u8>, i64> {
        let mut file = File::from(self.at(path, OFlags::RDONLY)?);
        // A single file's descriptor is shared: it may be anywhere.
        let _ = file.seek(SeekFrom::Start(0));
        let mut bytes = Vec::new();
        let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| number_of(&error))?;
        if bytes.len() as u64 > most { Err(errno::ENOSPC) } else { Ok(bytes) }
    }

    /// Does something at a path.
    pub(super) fn carry_out(&self, path: &[u8], deed: &Deed<'_>) -> Result<(), i64> {
        match deed {
            Deed::Write { at, bytes } => {
                let file = File::from(self.at(path, OFlags::WRONLY)?);
                file.write_all_at(bytes, *at).map_err(|error| number_of(&error))
            }
            Deed::Size(size) => {
                let mut file = File::from(self.at(path, OFlags::WRONLY)?);
                file.set_len(*size).and_then(|()| file.flush()).map_err(|error| number_of(&error))
            }
            Deed::Permissions(permissions) => {
                fs::fchmod(self.at(path, OFlags::RDONLY)?, Mode::from_raw_mode(*permissions)).map_err(number)
            }
            Deed::Folder(permissions) => {
                let (folder, name) = self.above(path)?;
                fs::mkdirat(folder, name, Mode::from_raw_mode(*permissions)).map_err(number)
            }
            Deed::File(permissions) => {
                let (folder, name) = self.above(path)?;
                let flags =
                    OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                fs::openat(folder, name, flags, Mode::from_raw_mode(*permissions)).map_err(number).map(drop)
            }
            Deed::Link(target) => {
                let (folder, name) = self.above(path)?;
                fs::symlinkat(OsStr::from_bytes(target), folder, name).map_err(number)
            }
            Deed::SecondName(from) => {
                let ((old, from), (new, to)) = (self.above(&from.path)?, self.above(path)?);
                fs::linkat(old, from, new, to, AtFlags::empty()).map_err(number)
            }
            Deed::Remove { folder: is_folder } => {
                let (folder, name) = self.above(path)?;
                let flags = if *is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
                fs::unlinkat(folder, name, flags).map_err(number)
            }
        }
    }

    pub(super) fn rename(&self, from: &[u8], to: &[u8], exchange: bool) -> Result<(), i64> {
        let ((old, from), (new, to)) = (self.above(from)?, self.above(to)?);
        let flags = if exchange { RenameFlags::EXCHANGE } else { RenameFlags::empty() };
        fs::renameat_with(old, from, new, to, flags).map_err(number)
    }
}

fn time(status: &fs::Stat) -> u64 {
    let seconds = u64::try_from(status.st_mtime).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(status.st_mtime_nsec)
}

fn number(error: Errno) -> i64 {
    i64::from(error.raw_os_error())
}

fn number_of(error: &io::Error) -> i64 {
    error.raw_os_error().map_or(errno::EIO, i64::from)
}

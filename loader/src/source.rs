//! Where the bytes of a file are: in a copy that no other process can change, or in memory.
//!
//! No file of others is mapped. One that another process truncates would end this process (SIGBUS), whatever was looked at before.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::LoadError;

/// Bytes of a file that is copied without a look at what memory there is.
const SMALL: u64 = 64 << 20;

/// The bytes of one whole file. Never empty.
#[derive(Debug)]
pub(crate) struct Source {
    bytes: Bytes,
    /// The path that the file was opened by, if it was.
    path: Option<PathBuf>,
}

impl AsRef<[u8]> for Source {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// Where the bytes are.
enum Bytes {
    /// A sealed copy, which is a file in memory.
    Sealed { map: Mmap, file: File },
    /// In memory.
    Memory(Cow<'static, [u8]>),
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bytes::Sealed { map, .. } => write!(f, "{} sealed bytes", map.len()),
            Bytes::Memory(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl Source {
    /// Reads the regular file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Source, LoadError> {
        let io = |source| LoadError::Io { path: path.to_owned(), source };
        // Asked before opening, because opening a pipe waits for its other end.
        let metadata = fs::metadata(path).map_err(io)?;
        if metadata.is_dir() {
            return Err(LoadError::Directory(path.to_owned()));
        }
        if !metadata.is_file() {
            return Err(LoadError::NotAFile(path.to_owned()));
        }
        let file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        if len == 0 {
            return Err(LoadError::Empty);
        }
        if len > SMALL
            && let Some(free) = free_memory().filter(|free| len > *free)
        {
            return Err(LoadError::TooLarge { len, free });
        }
        let bytes = match sealed_copy(&file, len).map_err(io)? {
            Some(file) => Bytes::Sealed { map: map(&file).map_err(io)?, file },
            None => Bytes::Memory(Cow::Owned(read(&file, len).map_err(io)?)),
        };
        Source::new(bytes, Some(path.to_owned()))
    }

    /// Takes bytes as they are.
    pub(crate) fn memory(bytes: Cow<'static, [u8]>) -> Result<Source, LoadError> {
        Source::new(Bytes::Memory(bytes), None)
    }

    /// Takes bytes that were made of the file at a path, if it has one.
    pub(crate) fn made(bytes: Vec<u8>, path: Option<PathBuf>) -> Result<Source, LoadError> {
        Source::new(Bytes::Memory(Cow::Owned(bytes)), path)
    }

    fn new(bytes: Bytes, path: Option<PathBuf>) -> Result<Source, LoadError> {
        let source = Source { bytes, path };
        if source.bytes().is_empty() { Err(LoadError::Empty) } else { Ok(source) }
    }

    /// The contents of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Sealed { map, .. } => map,
            Bytes::Memory(bytes) => bytes,
        }
    }

    /// The path that the file was opened by.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// An open file with these contents, where there is one.
    pub(crate) fn file(&self) -> Option<&File> {
        match &self.bytes {
            Bytes::Sealed { file, .. } => Some(file),
            Bytes::Memory(_) => None,
        }
    }
}

/// The parts of a file of `len` bytes that have contents; between them are holes, which read as zeros (cores have such).
#[cfg(target_os = "linux")]
fn contents(file: &File, len: u64) -> Vec<std::ops::Range<u64>> {
    use rustix::fs::SeekFrom::{Data, Hole};
    let mut parts = Vec::new();
    let mut at = 0;
    while at < len {
        let start = match rustix::fs::seek(file, Data(at)) {
            Ok(start) => start.max(at),
            // What is left is a hole.
            Err(rustix::io::Errno::NXIO) => break,
            // A file system that does not tell.
            Err(_) => at,
        };
        let end = rustix::fs::seek(file, Hole(start)).unwrap_or(len).min(len);
        if end <= start {
            break;
        }
        parts.push(start..end);
        at = end;
    }
    parts
}

/// What a file has, up to `len`, however far it was read before: a copy that could not be sealed has read it to its end.
fn read(mut file: &File, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(len).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A copy in memory that is a file, so that guests can map it, and that is sealed, so that no process can change it. What the
/// file has beyond `len`, because it grew meanwhile, is left out. `None` where the system has no such files, or does not seal
/// this one: it may still be using pages of it (EBUSY).
#[cfg(target_os = "linux")]
fn sealed_copy(mut file: &File, len: u64) -> io::Result<Option<File>> {
    use std::io::SeekFrom;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    // A limit for files that are written holds for these, too, and ends a process that goes beyond it (SIGXFSZ).
    let limit = rustix::process::getrlimit(rustix::process::Resource::Fsize).current;
    if limit.is_some_and(|limit| len > limit) {
        return Ok(None);
    }
    let Ok(copy) = memfd_create("goemu", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING) else {
        return Ok(None);
    };
    let mut copy = File::from(copy);
    copy.set_len(len)?;
    for part in contents(file, len) {
        file.seek(SeekFrom::Start(part.start))?;
        copy.seek(SeekFrom::Start(part.start))?;
        let wanted = part.end - part.start;
        let copied = io::copy(&mut file.take(wanted), &mut copy)?;
        if copied < wanted {
            // It was truncated meanwhile.
            copy.set_len(part.start + copied)?;
            break;
        }
    }
    if copy.metadata()?.len() == 0 {
        // Nothing can be mapped of it.
        return Ok(None);
    }
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    Ok(fcntl_add_seals(&copy, seals).is_ok().then_some(copy))
}

#[cfg(not(target_os = "linux"))]
fn sealed_copy(_: &File, _: u64) -> io::Result<Option<File>> {
    Ok(None)
}

/// Bytes of memory that a copy may take; `None` where the system does not tell.
#[cfg(target_os = "linux")]
fn free_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    // What a container may take.
    let limit =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    Some((kilobytes << 10).min(limit.unwrap_or(u64::MAX)))
}

#[cfg(not(target_os = "linux"))]
fn free_memory() -> Option<u64> {
    None
}

#[allow(unsafe_code, reason = "guests map the file that an image was read from; nothing safe maps")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is read-only and private, and the file is sealed: it can be neither written nor truncated.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_file_that_was_read_is_read_again() {
        let mut file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let mut before = Vec::new();
        file.read_to_end(&mut before).unwrap();
        assert!(!before.is_empty());
        assert_eq!(read(&file, u64::MAX).unwrap(), before);
        assert_eq!(read(&file, 4).unwrap(), before[..4]);
    }
}

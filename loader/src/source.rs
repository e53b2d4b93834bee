//! Where the bytes of a file are: in a copy that no other process can change, mapped, or in memory.

use std::borrow::Cow;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::LoadError;

/// Files up to this size are copied. A mapped file that another process truncates ends this process (SIGBUS).
const MAX_COPY: u64 = 64 << 20;

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
    /// A mapped file: a sealed copy, or the file itself.
    File { map: Mmap, file: File, sealed: bool },
    /// In memory.
    Memory(Cow<'static, [u8]>),
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bytes::File { map, sealed, .. } => write!(f, "{} mapped bytes (sealed: {sealed})", map.len()),
            Bytes::Memory(bytes) => write!(f, "{} bytes", bytes.len()),
        }
    }
}

impl Source {
    /// Reads the regular file at `path`; maps it where it is large.
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
        if metadata.len() == 0 {
            return Err(LoadError::Empty);
        }
        let file = File::open(path).map_err(io)?;
        let bytes = if metadata.len() <= MAX_COPY {
            copy(file).map_err(io)?
        } else {
            let map = map(&file).map_err(io)?;
            Bytes::File { map, file, sealed: false }
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
            Bytes::File { map, .. } => map,
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
            Bytes::File { file, .. } => Some(file),
            Bytes::Memory(_) => None,
        }
    }

    /// Whether another process can change or truncate what is mapped.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.bytes, Bytes::File { sealed: false, .. })
    }
}

/// Copies a file of at most [`MAX_COPY`] bytes; what it has beyond them, because it grew meanwhile, is left out.
fn copy(file: File) -> io::Result<Bytes> {
    match sealed_copy(&file)? {
        Some(sealed) => Ok(Bytes::File { map: map(&sealed)?, file: sealed, sealed: true }),
        None => Ok(Bytes::Memory(Cow::Owned(contents(&file)?))),
    }
}

/// What a file has, up to [`MAX_COPY`], however far it was read before: a copy that could not be sealed has read it to its end.
fn contents(mut file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::Seek::rewind(&mut file)?;
    io::Read::read_to_end(&mut io::Read::take(file, MAX_COPY), &mut bytes)?;
    Ok(bytes)
}

/// A copy in memory that is a file, so that guests can map it, and that is sealed, so that no process can change it.
/// `None` where the system has no such files, or does not seal this one: it may still be using pages of it (EBUSY).
#[cfg(target_os = "linux")]
fn sealed_copy(file: &File) -> io::Result<Option<File>> {
    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
    let Ok(copy) = memfd_create("goemu", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING) else {
        return Ok(None);
    };
    let mut copy = File::from(copy);
    if io::copy(&mut io::Read::take(file, MAX_COPY), &mut copy)? == 0 {
        // Nothing can be mapped of it.
        return Ok(None);
    }
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
    Ok(fcntl_add_seals(&copy, seals).is_ok().then_some(copy))
}

#[cfg(not(target_os = "linux"))]
fn sealed_copy(_: &File) -> io::Result<Option<File>> {
    Ok(None)
}

#[allow(
    unsafe_code,
    reason = "guests map the file that an image was read from, and large files are not copied; nothing safe maps"
)]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is read-only and private. Its bytes are only ever read as plain `u8`s, for which
    // any value is valid, and no decision is made twice on the same byte that memory safety would rest on:
    // every access is bounds-checked against the mapping's length, which does not change. A sealed copy cannot
    // change at all. Of other files, another process may change or truncate them; `Image::open` documents that.
    unsafe { Mmap::map(file) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::Read;

    use super::*;

    #[test]
    fn a_file_that_was_read_is_read_again() {
        let mut file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let mut before = Vec::new();
        file.read_to_end(&mut before).unwrap();
        assert!(!before.is_empty());
        assert_eq!(contents(&file).unwrap(), before);
    }
}

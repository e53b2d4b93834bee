//! Where the bytes of a file are: mapped, or in memory.

use std::borrow::Cow;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::LoadError;

/// The bytes of one whole file. Never empty.
#[derive(Debug)]
pub(crate) enum Source {
    /// A file on disk.
    File { map: Mmap, file: File, path: PathBuf },
    /// Bytes that the caller has.
    Memory(Cow<'static, [u8]>),
    /// Bytes that were made of the file at a path, if it has one.
    Made { bytes: Vec<u8>, path: Option<PathBuf> },
}

impl Source {
    /// Maps the regular file at `path`.
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
        let map = map(&file).map_err(io)?;
        Ok(Source::File { map, file, path: path.to_owned() })
    }

    /// Takes bytes as they are.
    pub(crate) fn memory(bytes: Cow<'static, [u8]>) -> Result<Source, LoadError> {
        if bytes.is_empty() { Err(LoadError::Empty) } else { Ok(Source::Memory(bytes)) }
    }

    /// Takes bytes that were made of a file.
    pub(crate) fn made(bytes: Vec<u8>, path: Option<PathBuf>) -> Result<Source, LoadError> {
        if bytes.is_empty() { Err(LoadError::Empty) } else { Ok(Source::Made { bytes, path }) }
    }

    /// The contents of the file.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Source::File { map, .. } => map,
            Source::Memory(bytes) => bytes,
            Source::Made { bytes, .. } => bytes,
        }
    }

    /// The path that the file was opened by.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Source::File { path, .. } => Some(path),
            Source::Made { path, .. } => path.as_deref(),
            Source::Memory(_) => None,
        }
    }

    /// The open file.
    pub(crate) fn file(&self) -> Option<&File> {
        match self {
            Source::File { file, .. } => Some(file),
            Source::Memory(_) | Source::Made { .. } => None,
        }
    }
}

#[allow(
    unsafe_code,
    reason = "mapping a file is what keeps opening large binaries fast; nothing safe does it"
)]
fn map(file: &File) -> std::io::Result<Mmap> {
    // SAFETY: the mapping is read-only and private. Its bytes are only ever read as plain `u8`s, for which
    // any value is valid, and no decision is made twice on the same byte that memory safety would rest on:
    // every access is bounds-checked against the mapping's length, which does not change. What remains is
    // another process changing or truncating the file meanwhile; `Image::open` documents that.
    unsafe { Mmap::map(file) }
}

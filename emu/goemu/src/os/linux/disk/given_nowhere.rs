//! A host that cannot be asked by descriptors: no folder of it can be given.

use std::io;
use std::path::Path;

use super::errno;
use super::host::{Deed, Entry};

/// A folder that was given: there is none.
#[derive(Debug)]
pub(super) enum Root {}

impl Root {
    pub(super) fn open(_: &Path, _: bool) -> io::Result<(Root, Entry)> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "folders of the host can be given on Linux only"))
    }

    pub(super) fn read_folder(&self, _: &[u8]) -> Result<Vec<Entry>, i64> {
        Err(errno::EIO)
    }

    pub(super) fn read_file(&self, _: &[u8], _: u64) -> Result<Vec<u8>, i64> {
        Err(errno::EIO)
    }

    pub(super) fn carry_out(&self, _: &[u8], _: &Deed<'_>) -> Result<(), i64> {
        Err(errno::EIO)
    }

    pub(super) fn rename(&self, _: &[u8], _: &[u8], _: bool) -> Result<(), i64> {
        Err(errno::EIO)
    }
}

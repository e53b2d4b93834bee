//! The file system that a guest is given.

use std::path::PathBuf;
use std::sync::Arc;

/// What the guest may do with a folder of the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Read.
    Read,
    /// Read, and write to a copy in memory.
    #[default]
    Overlay,
    /// Read and write.
    Write,
}

/// A folder or file of the host that the guest is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dir {
    /// What it is on the host.
    pub host: PathBuf,
    /// Its path in the guest, which begins with a slash.
    pub guest: String,
    /// What the guest may do with it.
    pub access: Access,
}

/// What the guest has made or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Its path, without the slash at the beginning.
    pub path: Vec<u8>,
    /// Its permissions.
    pub permissions: u32,
    /// What it is.
    pub kind: ChangedKind,
}

/// What the guest has made or written: folders, files, links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangedKind {
    /// A folder.
    Folder,
    /// A file and its contents.
    File(Arc<Vec<u8>>),
    /// A symbolic link and its target.
    Link(Vec<u8>),
}

/// The file system of a guest: in memory, with what programs expect, and folders of the host where they are given.
///
/// ```
/// use goemu::machine::{Access, Config, Dir, Files};
///
/// let sources = Dir { host: "/usr/src".into(), guest: "/src".into(), access: Access::Overlay };
/// let files = Files { dirs: vec![sources], current: "/src".to_owned(), ..Files::default() };
/// let config = Config { files, ..Config::default() };
/// # assert_eq!(config.files.dirs.len(), 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Folders and files of the host.
    pub dirs: Vec<Dir>,
    /// The working directory.
    pub current: String,
    /// The program's own path, as `os.Executable` tells it.
    pub program: String,
    /// Bytes that files in memory may have, those of the host that were read among them.
    pub room: u64,
}

impl Default for Files {
    fn default() -> Files {
        Files { dirs: Vec::new(), current: "/".to_owned(), program: "/bin/goemu".to_owned(), room: 1 << 30 }
    }
}

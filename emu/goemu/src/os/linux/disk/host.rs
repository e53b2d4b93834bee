//! Folders of the host in the guest's tree: read when the guest looks into them, written only where they are given for that.
//!
//! The host is asked by descriptors beneath the folder that was given, never through a link: the guest's own tree has
//! the links, and resolves them.

use std::sync::Arc;

#[cfg(target_os = "linux")]
use super::given as system;
#[cfg(not(target_os = "linux"))]
use super::given_nowhere as system;

pub(super) use system::Root;

use super::{Disk, Found, Id, Kind, Node, ROOT, Rename, errno};
use crate::error::Error;
use crate::guest::files::{Access, Dir};

/// A folder of the host that was given.
#[derive(Debug)]
pub(in crate::os) struct Mount {
    root: Root,
    access: Access,
}

/// Where a node is on the host: beneath a folder that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::os) struct Origin {
    mount: usize,
    pub(super) path: Vec<u8>,
}

/// What is done on the host.
pub(super) enum Deed<'a> {
    Folder(u32),
    File(u32),
    Link(&'a [u8]),
    SecondName(&'a Origin),
    Remove { folder: bool },
    Write { at: u64, bytes: &'a [u8] },
    Size(u64),
    Permissions(u32),
}

/// What is in a folder of the host.
pub(super) struct Entry {
    pub(super) name: Vec<u8>,
    pub(super) kind: EntryKind,
    pub(super) permissions: u32,
    /// Nanoseconds since 1970 of the last change.
    pub(super) time: u64,
}

pub(super) enum EntryKind {
    Folder,
    File(u64),
    Link(Vec<u8>),
}

impl Disk {
    /// Puts a folder or file of the host into the tree. What was at its path is hidden.
    pub(super) fn mount(&mut self, dir: &Dir) -> Result<(), Error> {
        let bad = |why: String| Error::Process(format!("{}: {why}", dir.host.display()));
        if !dir.guest.starts_with('/') {
            return Err(bad(format!("its path for the guest, {:?}, does not begin with /", dir.guest)));
        }
        let (root, entry) =
            Root::open(&dir.host, dir.access == Access::Write).map_err(|e| bad(e.to_string()))?;
        let mount = self.mounts.len();
        self.mounts.push(Arc::new(Mount { root, access: dir.access }));
        self.put_mount(mount, &entry, dir.guest.as_bytes()).map_err(|number| bad(reason(number)))
    }

    fn put_mount(&mut self, mount: usize, entry: &Entry, path: &[u8]) -> Result<(), i64> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        let cut = path.iter().rposition(|&byte| byte == b'/');
        let (above, name) = match cut {
            Some(cut) => (self.folder_at(&path[..cut])?, path[cut + 1..].to_vec()),
            None => (ROOT, Vec::new()),
        };
        let node = self.node_of(mount, entry, above, Vec::new());
        if name.is_empty() {
            let kept = Node { names: 1, kind: Kind::FolderOfHost { parent: ROOT }, ..node };
            *self.node_mut(ROOT)? = kept;
            return Ok(());
        }
        self.link_new(above, name, node).map(|_| ())
    }

    fn node_of(&self, mount: usize, entry: &Entry, parent: Id, path: Vec<u8>) -> Node {
        let kind = match &entry.kind {
            EntryKind::Folder => Kind::FolderOfHost { parent },
            EntryKind::File(size) => Kind::FileOfHost(*size),
            EntryKind::Link(target) => Kind::Link(target.clone()),
        };
        Node { host: Some(Origin { mount, path }), ..Node::new(kind, entry.permissions, entry.time) }
    }

    /// Reads a folder of the host, if it was not read yet.
    pub(in crate::os) fn look_into(&mut self, folder: Id) -> Result<(), i64> {
        let node = self.node(folder)?;
        let Kind::FolderOfHost { parent } = node.kind else { return Ok(()) };
        let Some(origin) = node.host.clone() else { return Err(errno::EIO) };
        let read = self.mounts[origin.mount].root.read_folder(&origin.path)?;
        self.node_mut(folder)?.kind = Kind::Folder { entries: Default::default(), parent };
        for entry in read {
            let path = beneath(&origin.path, &entry.name);
            let node = self.node_of(origin.mount, &entry, folder, path);
            self.link_new(folder, entry.name, node)?;
        }
        Ok(())
    }

    /// Reads a file of the host, if it was not opened yet.
    pub(super) fn fetch(&mut self, id: Id) -> Result<(), i64> {
        let node = self.node(id)?;
        let (Kind::FileOfHost(_), Some(origin)) = (&node.kind, node.host.clone()) else { return Ok(()) };
        let bytes = self.mounts[origin.mount].root.read_file(&origin.path, self.left)?;
        self.left = self.left.saturating_sub(bytes.len() as u64);
        self.added += bytes.len() as u64;
        self.node_mut(id)?.kind = Kind::File(Arc::new(bytes));
        Ok(())
    }

    /// Whether a change of this node is made on the host.
    pub(super) fn is_written(&self, origin: &Origin) -> bool {
        self.mounts.get(origin.mount).is_some_and(|mount| mount.access == Access::Write)
    }

    /// Where a name of a folder is on the host, if what is made there is made on the host.
    pub(super) fn path_on_host(&self, folder: Id, name: &[u8]) -> Result<Option<Origin>, i64> {
        let written = self.node(folder)?.host.as_ref().filter(|origin| self.is_written(origin));
        Ok(written.map(|origin| Origin { mount: origin.mount, path: beneath(&origin.path, name) }))
    }

    pub(super) fn is_mount(&self, id: Id) -> bool {
        self.node(id).is_ok_and(|node| node.host.as_ref().is_some_and(|origin| origin.path.is_empty()))
    }

    /// Refuses a change of a node in a folder that may only be read.
    pub(in crate::os) fn may_write(&self, id: Id) -> Result<(), i64> {
        let origin = self.node(id)?.host.as_ref();
        let only_read = |origin: &Origin| self.mounts[origin.mount].access == Access::Read;
        if origin.is_some_and(only_read) { Err(errno::EROFS) } else { Ok(()) }
    }

    pub(super) fn may_change(&mut self, folder: Id) -> Result<(), i64> {
        self.look_into(folder)?;
        self.may_write(folder)
    }

    pub(super) fn on_host(&self, origin: &Origin, deed: &Deed<'_>) -> Result<(), i64> {
        self.mounts[origin.mount].root.carry_out(&origin.path, deed)
    }

    /// Renames on the host. Between a folder that is written there and another, nothing can be renamed.
    pub(super) fn rename_on_host(&mut self, from: &Found, to: &Found, how: Rename) -> Result<(), i64> {
        let old = self.path_on_host(from.folder, &from.name)?;
        let new = self.path_on_host(to.folder, &to.name)?;
        let (old, new) = match (old, new) {
            (None, None) => return Ok(()),
            (Some(old), Some(new)) if old.mount == new.mount => (old, new),
            _ => return Err(errno::EXDEV),
        };
        self.mounts[old.mount].root.rename(&old.path, &new.path, how == Rename::Exchange)?;
        let swap = (how == Rename::Exchange).then(|| (new.path.clone(), old.path.clone()));
        let moves: Vec<_> = std::iter::once((old.path, new.path)).chain(swap).collect();
        self.work += self.nodes.len() as u64;
        for node in self.nodes.values_mut() {
            let Some(origin) = node.host.as_ref().filter(|origin| origin.mount == old.mount) else {
                continue;
            };
            let path = moves.iter().find_map(|(old, new)| moved(&origin.path, old, new));
            if let (Some(path), Some(origin)) = (path, &mut Arc::make_mut(node).host) {
                origin.path = path;
            }
        }
        Ok(())
    }
}

/// The path of a node after a folder above it, or it itself, has another.
fn moved(path: &[u8], old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(old)?;
    (rest.is_empty() || rest[0] == b'/').then(|| [new, rest].concat())
}

fn beneath(folder: &[u8], name: &[u8]) -> Vec<u8> {
    if folder.is_empty() { name.to_vec() } else { [folder, b"/", name].concat() }
}

/// An error number as the host puts it.
pub(super) fn reason(number: i64) -> String {
    std::io::Error::from_raw_os_error(number as i32).to_string()
}

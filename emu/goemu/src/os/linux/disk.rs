//! The guest's own file system, in memory: nodes by number, and the walk from a path to a node.
//!
//! Nodes are shared between a machine's states until they are written. Folders of the host (`host`) are read when the
//! guest first looks into them; all paths, links and `..` are resolved here, never by the host.

mod change;
#[cfg(target_os = "linux")]
mod given;
#[cfg(not(target_os = "linux"))]
mod given_nowhere;
pub(super) mod host;
#[cfg(all(test, target_os = "linux"))]
mod tests;
mod tree;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

pub(super) use change::{Place, Rename};

use super::errno;
use super::record::record;

/// A node's number. 0 is none.
pub(super) type Id = u64;

/// The root folder.
pub(super) const ROOT: Id = 1;
/// Links that a walk follows at most, as in Linux.
const MOST_LINKS: usize = 40;
/// Bytes of a path and of a name, as in Linux.
const MOST_PATH: usize = 4096;
const MOST_NAME: usize = 255;
/// Bytes of a path that are cut into names in the time of an instruction, and what a name takes of them.
const BYTES: u64 = 8;
/// What looking at an entry of a large folder takes: they lie apart in memory.
const LOOKED_AT: u64 = 4;
const STEP: u64 = 20;
/// What a name takes of the host's memory beside its bytes, about; and what a look at a node takes, in instructions.
const NAME: u64 = 64;
const NODE_SEEN: u64 = 8;
/// Folders in each other at most.
const MOST_DEPTH: usize = 1024;
/// The most nodes.
const MOST_NODES: usize = 1 << 20;

/// Bits of `st_mode` that say what a node is.
pub(super) mod mode {
    pub(in crate::os) const KIND: u32 = 0o170_000;
    pub(in crate::os) const FOLDER: u32 = 0o040_000;
    pub(in crate::os) const REGULAR: u32 = 0o100_000;
    pub(in crate::os) const LINK: u32 = 0o120_000;
    pub(in crate::os) const CHARACTERS: u32 = 0o020_000;
    pub(in crate::os) const PIPE: u32 = 0o010_000;
    pub(in crate::os) const SOCKET: u32 = 0o140_000;
    pub(in crate::os) const PERMISSIONS: u32 = 0o7777;
}

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Device {
    /// `/dev/null`
    Null,
    /// `/dev/zero`
    Zero,
    /// `/dev/full`
    Full,
    /// `/dev/urandom`, `/dev/random`
    Random,
    /// `/dev/tty`, which no guest has.
    Terminal,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// A folder: names and nodes, and the folder that it is in.
    Folder { entries: BTreeMap<Vec<u8>, Id>, parent: Id },
    /// A folder of the host that was not read yet.
    FolderOfHost { parent: Id },
    /// A regular file.
    File(Arc<Vec<u8>>),
    /// A file of the host that was not opened yet, and its size.
    FileOfHost(u64),
    /// A symbolic link.
    Link(Vec<u8>),
    /// A device.
    Device(Device),
    /// A named pipe.
    Pipe,
    /// The name of a Unix socket.
    Socket,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The permissions.
    pub(super) permissions: u32,
    pub(super) owner: [u32; 2],
    /// Names.
    pub(super) names: u32,
    /// Open files.
    pub(super) opens: u32,
    /// Last access, change of contents, change of the node: nanoseconds since 1970.
    pub(super) times: [u64; 3],
    /// What it is on the host.
    pub(super) host: Option<host::Origin>,
    /// Whether the guest has made or written it.
    pub(super) changed: bool,
}

impl Node {
    pub(super) fn new(kind: Kind, permissions: u32, now: u64) -> Node {
        let (owner, names, opens) = ([0, 0], 0, 0);
        Node { kind, permissions, owner, names, opens, times: [now; 3], host: None, changed: false }
    }

    /// `st_mode`
    pub(super) fn mode(&self) -> u32 {
        self.kind.bits() | self.permissions
    }

    /// `st_size`
    pub(super) fn size(&self) -> u64 {
        match &self.kind {
            Kind::File(bytes) => bytes.len() as u64,
            Kind::FileOfHost(size) => *size,
            Kind::Link(target) => target.len() as u64,
            Kind::Folder { .. } | Kind::FolderOfHost { .. } => 4096,
            Kind::Device(_) | Kind::Pipe | Kind::Socket => 0,
        }
    }

    pub(super) fn is_folder(&self) -> bool {
        self.kind.bits() == mode::FOLDER
    }

    /// Bytes of the host's memory that it takes beside its own record.
    pub(super) fn weight(&self) -> u64 {
        let path = self.host.as_ref().map_or(0, |host| host.path.len() as u64);
        path + match &self.kind {
            Kind::Folder { entries, .. } => entries.keys().map(|name| name.capacity() as u64 + NAME).sum(),
            Kind::File(bytes) => bytes.capacity() as u64,
            Kind::Link(target) => target.capacity() as u64,
            _ => 0,
        }
    }
}

impl Kind {
    /// The bits of `st_mode` for it.
    pub(super) fn bits(&self) -> u32 {
        match self {
            Kind::Folder { .. } | Kind::FolderOfHost { .. } => mode::FOLDER,
            Kind::File(_) | Kind::FileOfHost(_) => mode::REGULAR,
            Kind::Link(_) => mode::LINK,
            Kind::Device(_) => mode::CHARACTERS,
            Kind::Pipe => mode::PIPE,
            Kind::Socket => mode::SOCKET,
        }
    }
}

/// The file system.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    nodes: BTreeMap<Id, Arc<Node>>,
    next: Id,
    /// Bytes that may still be written.
    left: u64,
    /// Folders of the host.
    mounts: Vec<Arc<host::Mount>>,
    /// The folder that relative paths begin in.
    pub(super) current: Id,
    /// Permissions that new nodes do not get.
    pub(super) mask: u32,
    /// What walks, lists and contents have taken so far, in instructions.
    pub(super) work: u64,
    /// Bytes of the host's memory that nodes, names and contents have ever asked for.
    pub(super) added: u64,
    /// Files whose contents are in memory, too, and how often; and what has changed in them.
    watched: BTreeMap<Id, usize>,
    changed: Vec<(Id, Range<u64>)>,
}

/// Where a walk ended: a folder, and a name in it that may be there.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) folder: Id,
    pub(super) name: Vec<u8>,
    pub(super) node: Option<Id>,
    /// The path ended in a slash: only a folder is meant.
    pub(super) slash: bool,
}

impl Disk {
    /// The node with this number.
    pub(super) fn node(&self, id: Id) -> Result<&Node, i64> {
        self.nodes.get(&id).map(|node| &**node).ok_or(errno::ENOENT)
    }

    pub(super) fn node_mut(&mut self, id: Id) -> Result<&mut Node, i64> {
        self.nodes.get_mut(&id).map(Arc::make_mut).ok_or(errno::ENOENT)
    }

    /// All nodes.
    pub(super) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().map(|node| &**node)
    }

    /// About how many nodes and names there are.
    pub(super) fn count(&self) -> u64 {
        let names = self.nodes().map(|node| match &node.kind {
            Kind::Folder { entries, .. } => entries.len() as u64,
            _ => 0,
        });
        NODE_SEEN * (self.nodes.len() as u64 + names.sum::<u64>())
    }

    /// Bytes that may still be written.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The folder's names and nodes.
    pub(super) fn entries(&mut self, folder: Id) -> Result<&BTreeMap<Vec<u8>, Id>, i64> {
        self.look_into(folder)?;
        match &self.node(folder)?.kind {
            Kind::Folder { entries, .. } => Ok(entries),
            _ => Err(errno::ENOTDIR),
        }
    }

    /// The folder that a folder is in.
    pub(super) fn parent(&self, folder: Id) -> Result<Id, i64> {
        match &self.node(folder)?.kind {
            Kind::Folder { parent, .. } | Kind::FolderOfHost { parent } => Ok(*parent),
            _ => Err(errno::ENOTDIR),
        }
    }

    /// Walks to a path from a folder. The last name may be missing; a link there is followed if `follow`.
    pub(super) fn walk(&mut self, from: Id, path: &[u8], follow: bool) -> Result<Found, i64> {
        if path.is_empty() {
            return Err(errno::ENOENT);
        }
        if path.len() >= MOST_PATH {
            return Err(errno::ENAMETOOLONG);
        }
        let mut folder = if path[0] == b'/' { ROOT } else { from };
        self.work += path.len() as u64 / BYTES;
        let mut rest = names(path);
        let mut slash = path.ends_with(b"/");
        let mut links = 0;
        // The root, or the folder itself.
        let mut found = Found { folder, name: Vec::new(), node: Some(folder), slash };
        while let Some(name) = rest.pop() {
            if name.len() > MOST_NAME {
                return Err(errno::ENAMETOOLONG);
            }
            self.work += STEP;
            let node = match &name[..] {
                b".." => Some(self.parent(folder)?),
                b"." => Some(folder),
                _ => self.entries(folder)?.get(&name).copied(),
            };
            let last = rest.is_empty();
            let target = match node.map(|id| self.node(id)).transpose()?.map(|node| &node.kind) {
                Some(Kind::Link(target)) if !last || follow || slash => Some(target.clone()),
                _ => None,
            };
            if let Some(target) = target {
                links += 1;
                if links > MOST_LINKS {
                    return Err(errno::ELOOP);
                }
                if target.first() == Some(&b'/') {
                    folder = ROOT;
                }
                slash |= last && target.ends_with(b"/");
                found = Found { folder, name: Vec::new(), node: Some(folder), slash };
                self.work += target.len() as u64 / BYTES;
                rest.extend(names(&target));
                continue;
            }
            if last {
                let is_dots = matches!(&name[..], b"." | b"..");
                let folder = if is_dots { node.unwrap_or(folder) } else { folder };
                return Ok(Found { folder, name, node, slash });
            }
            folder = node.ok_or(errno::ENOENT)?;
            if !self.node(folder)?.is_folder() {
                return Err(errno::ENOTDIR);
            }
            found = Found { folder, name: Vec::new(), node: Some(folder), slash };
        }
        Ok(found)
    }

    /// The node at a path.
    pub(super) fn find(&mut self, from: Id, path: &[u8], follow: bool) -> Result<Id, i64> {
        let found = self.walk(from, path, follow)?;
        let id = found.node.ok_or(errno::ENOENT)?;
        if found.slash && !self.node(id)?.is_folder() {
            return Err(errno::ENOTDIR);
        }
        Ok(id)
    }

    /// The path of a folder; `None` if it was removed.
    pub(super) fn path_of(&mut self, folder: Id) -> Option<Vec<u8>> {
        let mut work = 0;
        let path = self.path_from_root(folder, &mut work);
        self.work += work;
        path
    }

    fn path_from_root(&self, folder: Id, work: &mut u64) -> Option<Vec<u8>> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let mut at = folder;
        while at != ROOT {
            let parent = self.parent(at).ok()?;
            let Kind::Folder { entries, .. } = &self.node(parent).ok()?.kind else { return None };
            *work += STEP + LOOKED_AT * entries.len() as u64;
            parts.push(entries.iter().find(|(_, id)| **id == at)?.0);
            at = parent;
        }
        let mut path: Vec<u8> =
            parts.iter().rev().flat_map(|part| [b"/", *part]).flatten().copied().collect();
        if path.is_empty() {
            path.push(b'/');
        }
        Some(path)
    }

    /// Adds a node without a name.
    fn add(&mut self, node: Node) -> Result<Id, i64> {
        if self.nodes.len() >= MOST_NODES {
            return Err(errno::ENOSPC);
        }
        let id = self.next;
        self.next += 1;
        self.added += record::<Node>() + node.weight();
        self.nodes.insert(id, Arc::new(node));
        Ok(id)
    }

    /// A file was opened, or closed. Nodes without names and open files are gone.
    pub(super) fn opened(&mut self, id: Id, more: bool) {
        if let Ok(node) = self.node_mut(id) {
            node.opens = if more { node.opens.saturating_add(1) } else { node.opens.saturating_sub(1) };
        }
        self.sweep(id);
    }

    /// A file's contents are in memory, too, or no longer. It stays open meanwhile.
    pub(super) fn watch(&mut self, id: Id, more: bool) {
        let count = self.watched.entry(id).or_default();
        *count = if more { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.watched.remove(&id);
        }
        self.opened(id, more);
    }

    /// Whether [`Disk::take_changes`] has some.
    pub(super) fn has_changes(&self) -> bool {
        !self.changed.is_empty()
    }

    /// What has changed since in files that are watched.
    pub(super) fn take_changes(&mut self) -> Vec<(Id, Range<u64>)> {
        std::mem::take(&mut self.changed)
    }

    /// Notes what has changed in a file.
    fn note(&mut self, id: Id, changed: Range<u64>) {
        if self.watched.contains_key(&id) {
            self.changed.push((id, changed));
        }
    }

    /// Forgets a node that cannot be reached.
    fn sweep(&mut self, id: Id) {
        let gone = self.nodes.get(&id).is_some_and(|node| node.names == 0 && node.opens == 0);
        if !gone || id == ROOT {
            return;
        }
        let node = self.nodes.remove(&id);
        if let Some(Kind::File(bytes)) = node.as_ref().map(|node| &node.kind) {
            self.left = self.left.saturating_add(bytes.len() as u64);
        }
    }
}

/// The names of a path, last first.
fn names(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).rev().map(<[u8]>::to_vec).collect()
}

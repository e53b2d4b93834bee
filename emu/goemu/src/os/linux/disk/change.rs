//! Changes of the tree and of files: each is carried out in memory, and on the host where the folder is given for writing.

use std::sync::Arc;

use super::host::Deed;
use super::{Disk, Found, Id, Kind, MOST_DEPTH, NAME, Node, ROOT, errno, mode, tree};

/// A folder and a name in it, in which something is made or removed.
pub(in crate::os) type Place = (Id, Vec<u8>);

/// Bytes that are given to a file, or back, in the time of an instruction: their pages with them.
const FILLED: u64 = 16;

/// What finding the folder that one is in takes, in instructions.
const ABOVE: u64 = 8;

/// What a rename does where the new name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::os) enum Rename {
    /// Replaces it.
    Replace,
    /// Fails.
    Keep,
    /// Takes the other name in return.
    Exchange,
}

impl Disk {
    /// Where a new node may be made: nothing is there, and the name is one.
    pub(in crate::os) fn free_place(&self, found: Found, folder: bool) -> Result<Place, i64> {
        if found.node.is_some() {
            return Err(errno::EEXIST);
        }
        if found.slash && !folder {
            return Err(errno::ENOENT);
        }
        Ok((found.folder, found.name))
    }

    /// Makes a node at a place, with what the mask leaves of the permissions.
    pub(in crate::os) fn make(
        &mut self,
        place: Place,
        kind: Kind,
        permissions: u32,
        now: u64,
    ) -> Result<Id, i64> {
        let (folder, name) = place;
        self.may_change(folder)?;
        if self.node(folder)?.names == 0 {
            return Err(errno::ENOENT);
        }
        let mask = if matches!(kind, Kind::Link(_)) { 0 } else { self.mask };
        let permissions = permissions & mode::PERMISSIONS & !mask;
        let host = self.path_on_host(folder, &name)?;
        let deed = match &kind {
            Kind::Folder { .. } => Some(Deed::Folder(permissions)),
            Kind::File(_) => Some(Deed::File(permissions)),
            Kind::Link(target) => Some(Deed::Link(target)),
            _ => None,
        };
        if let (Some(host), Some(deed)) = (&host, deed) {
            self.on_host(host, &deed)?;
        }
        if matches!(kind, Kind::Folder { .. }) && self.depth(folder) >= MOST_DEPTH {
            return Err(errno::ENAMETOOLONG);
        }
        let node = Node { host, changed: true, ..Node::new(kind, permissions, now) };
        let id = self.link_new(folder, name, node)?;
        self.touch(folder, now)?;
        Ok(id)
    }

    /// Makes a file without a name; its descriptors keep it.
    pub(in crate::os) fn make_unnamed(&mut self, now: u64) -> Result<Id, i64> {
        self.add(Node::new(Kind::File(Arc::default()), 0o777, now))
    }

    /// Adds a node under a name that is free.
    pub(super) fn link_new(&mut self, folder: Id, name: Vec<u8>, node: Node) -> Result<Id, i64> {
        let id = self.add(Node { names: 1, ..node })?;
        self.entries(folder)?;
        self.put_entry(folder, name, id)?;
        Ok(id)
    }

    /// Puts a name into a folder.
    fn put_entry(&mut self, folder: Id, name: Vec<u8>, id: Id) -> Result<(), i64> {
        self.added += NAME + name.len() as u64;
        if let Kind::Folder { entries, .. } = &mut self.node_mut(folder)?.kind {
            entries.insert(name, id);
        }
        Ok(())
    }

    /// A second name for a node.
    pub(in crate::os) fn link(&mut self, id: Id, place: Place, now: u64) -> Result<(), i64> {
        let (folder, name) = place;
        if self.node(id)?.is_folder() {
            return Err(errno::EPERM);
        }
        self.may_change(folder)?;
        let origin = self.node(id)?.host.clone();
        match (self.path_on_host(folder, &name)?, origin) {
            (Some(to), Some(from)) if self.is_written(&from) => {
                self.on_host(&to, &Deed::SecondName(&from))?
            }
            (Some(_), _) => return Err(errno::EXDEV),
            _ => {}
        }
        self.entries(folder)?;
        self.put_entry(folder, name, id)?;
        let node = self.node_mut(id)?;
        node.names += 1;
        node.times[2] = now;
        self.touch(folder, now)
    }

    /// Takes a name away: of a folder if `folder`, which must be empty, else of anything but a folder.
    pub(in crate::os) fn unlink(&mut self, found: &Found, folder: bool, now: u64) -> Result<(), i64> {
        let id = found.node.ok_or(errno::ENOENT)?;
        match &found.name[..] {
            b"" => return Err(errno::EBUSY),
            b"." => return Err(errno::EINVAL),
            b".." => return Err(if folder { errno::ENOTEMPTY } else { errno::EISDIR }),
            _ => {}
        }
        match (self.node(id)?.is_folder(), folder) {
            (true, false) => return Err(errno::EISDIR),
            (false, true) => return Err(errno::ENOTDIR),
            (false, false) if found.slash => return Err(errno::ENOTDIR),
            (true, true) if !self.entries(id)?.is_empty() => return Err(errno::ENOTEMPTY),
            _ => {}
        }
        if self.is_mount(id) {
            return Err(errno::EBUSY);
        }
        self.may_change(found.folder)?;
        if let Some(host) = self.path_on_host(found.folder, &found.name)? {
            self.on_host(&host, &Deed::Remove { folder })?;
        }
        self.forget_name(found.folder, &found.name, id, now)
    }

    fn forget_name(&mut self, folder: Id, name: &[u8], id: Id, now: u64) -> Result<(), i64> {
        if let Kind::Folder { entries, .. } = &mut self.node_mut(folder)?.kind {
            entries.remove(name);
        }
        let node = self.node_mut(id)?;
        node.names = node.names.saturating_sub(1);
        node.times[2] = now;
        self.sweep(id);
        self.touch(folder, now)
    }

    /// Gives a node another name.
    pub(in crate::os) fn rename(
        &mut self,
        from: &Found,
        to: &Found,
        how: Rename,
        now: u64,
    ) -> Result<(), i64> {
        let id = from.node.ok_or(errno::ENOENT)?;
        let bare = |found: &Found| matches!(&found.name[..], b"" | b"." | b"..");
        if bare(from) || bare(to) {
            return Err(errno::EBUSY);
        }
        let is_folder = self.node(id)?.is_folder();
        if (from.slash || to.slash) && !is_folder {
            return Err(errno::ENOTDIR);
        }
        if is_folder && self.is_within(to.folder, id) {
            return Err(errno::EINVAL);
        }
        match (to.node, how) {
            (Some(_), Rename::Keep) => return Err(errno::EEXIST),
            (None, Rename::Exchange) => return Err(errno::ENOENT),
            (Some(other), _) if other == id => return Ok(()),
            (Some(other), Rename::Replace) => match (is_folder, self.node(other)?.is_folder()) {
                (true, false) => return Err(errno::ENOTDIR),
                (false, true) => return Err(errno::EISDIR),
                (true, true) if !self.entries(other)?.is_empty() => return Err(errno::ENOTEMPTY),
                _ => {}
            },
            _ => {}
        }
        if self.is_mount(id) || to.node.is_some_and(|other| self.is_mount(other)) {
            return Err(errno::EBUSY);
        }
        self.may_change(from.folder)?;
        self.may_change(to.folder)?;
        self.rename_on_host(from, to, how)?;
        if let Some(other) = to.node {
            if how == Rename::Exchange {
                self.rename_node(to.folder, &to.name, (from.folder, from.name.clone()), other, now)?;
                return self.put_name((to.folder, to.name.clone()), id, now);
            }
            self.forget_name(to.folder, &to.name, other, now)?;
        }
        self.rename_node(from.folder, &from.name, (to.folder, to.name.clone()), id, now)
    }

    fn rename_node(&mut self, folder: Id, name: &[u8], to: Place, id: Id, now: u64) -> Result<(), i64> {
        if let Kind::Folder { entries, .. } = &mut self.node_mut(folder)?.kind {
            entries.remove(name);
        }
        self.touch(folder, now)?;
        self.put_name(to, id, now)
    }

    fn put_name(&mut self, (folder, name): Place, id: Id, now: u64) -> Result<(), i64> {
        self.put_entry(folder, name, id)?;
        let node = self.node_mut(id)?;
        node.times[2] = now;
        node.changed = true;
        if let Kind::Folder { parent, .. } | Kind::FolderOfHost { parent } = &mut node.kind {
            *parent = folder;
        }
        self.touch(folder, now)
    }

    /// In how many folders a folder is.
    fn depth(&mut self, folder: Id) -> usize {
        let (mut at, mut depth) = (folder, 0);
        while let Ok(parent) = self.parent(at)
            && at != ROOT
        {
            (at, depth) = (parent, depth + 1);
        }
        self.work += ABOVE * depth as u64;
        depth
    }

    /// Whether a folder is another, or somewhere in it.
    fn is_within(&mut self, folder: Id, above: Id) -> bool {
        let mut at = folder;
        while at != above {
            self.work += ABOVE;
            match self.parent(at) {
                Ok(parent) if at != ROOT => at = parent,
                _ => return false,
            }
        }
        true
    }

    /// The folder's contents have changed.
    fn touch(&mut self, folder: Id, now: u64) -> Result<(), i64> {
        let node = self.node_mut(folder)?;
        (node.times[1], node.times[2]) = (now, now);
        Ok(())
    }

    /// The contents of a file.
    pub(in crate::os) fn contents(&mut self, id: Id) -> Result<Arc<Vec<u8>>, i64> {
        self.fetch(id)?;
        match &self.node(id)?.kind {
            Kind::File(bytes) => Ok(Arc::clone(bytes)),
            Kind::Folder { .. } => Err(errno::EISDIR),
            _ => Err(errno::EINVAL),
        }
    }

    /// Writes into a file; what lies between its end and `at` is zero. Returns how many bytes there was room for.
    pub(in crate::os) fn write(&mut self, id: Id, at: u64, bytes: &[u8], now: u64) -> Result<usize, i64> {
        self.fetch(id)?;
        let size = self.node(id)?.size();
        let at_index = usize::try_from(at).map_err(|_| errno::EFBIG)?;
        let room = size.saturating_add(self.left).saturating_sub(at);
        if room == 0 && !bytes.is_empty() {
            return Err(errno::ENOSPC);
        }
        let bytes = &bytes[..bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX))];
        let end = at_index + bytes.len();
        if bytes.is_empty() {
            return Ok(0);
        }
        let more = (end as u64).saturating_sub(size);
        self.work += more / FILLED;
        // Room grows by doubling.
        self.added += 2 * more;
        let Kind::File(held) = &mut self.node_mut(id)?.kind else { return Err(errno::EINVAL) };
        let held = Arc::make_mut(held);
        if held.len() < end {
            held.resize(end, 0);
        }
        held[at_index..end].copy_from_slice(bytes);
        self.left = self.left.saturating_sub((end as u64).saturating_sub(size));
        self.note(id, at.min(size)..end as u64);
        self.written(id, now)?;
        if let Some(host) = self.node(id)?.host.clone().filter(|host| self.is_written(host)) {
            self.on_host(&host, &Deed::Write { at, bytes })?;
        }
        Ok(bytes.len())
    }

    /// Cuts a file, or makes it longer with zeros.
    pub(in crate::os) fn set_size(&mut self, id: Id, size: u64, now: u64) -> Result<(), i64> {
        if self.node(id)?.is_folder() {
            return Err(errno::EISDIR);
        }
        self.may_write(id)?;
        self.fetch(id)?;
        let old = self.node(id)?.size();
        if size.saturating_sub(old) > self.left {
            return Err(if size > 1 << 62 { errno::EFBIG } else { errno::ENOSPC });
        }
        self.work += size.abs_diff(old) / FILLED;
        self.added += size.saturating_sub(old);
        let Kind::File(held) = &mut self.node_mut(id)?.kind else { return Err(errno::EINVAL) };
        Arc::make_mut(held).resize(size as usize, 0);
        self.left = self.left.saturating_add(old).saturating_sub(size);
        self.note(id, old.min(size)..old.max(size));
        self.written(id, now)?;
        match self.node(id)?.host.clone().filter(|host| self.is_written(host)) {
            Some(host) => self.on_host(&host, &Deed::Size(size)),
            None => Ok(()),
        }
    }

    fn written(&mut self, id: Id, now: u64) -> Result<(), i64> {
        let node = self.node_mut(id)?;
        (node.times[1], node.times[2], node.changed) = (now, now, true);
        Ok(())
    }

    /// Sets the permissions.
    pub(in crate::os) fn set_permissions(&mut self, id: Id, permissions: u32, now: u64) -> Result<(), i64> {
        self.may_write(id)?;
        let permissions = permissions & mode::PERMISSIONS;
        if let Some(host) = self.node(id)?.host.clone().filter(|host| self.is_written(host)) {
            self.on_host(&host, &Deed::Permissions(permissions))?;
        }
        let node = self.node_mut(id)?;
        (node.permissions, node.times[2], node.changed) = (permissions, now, true);
        Ok(())
    }

    /// A new symbolic link's node.
    pub(in crate::os) fn link_kind(target: &[u8]) -> Kind {
        Kind::Link(target.to_vec())
    }

    /// A new folder's node.
    pub(in crate::os) fn folder_kind(parent: Id) -> Kind {
        tree::folder(parent)
    }
}

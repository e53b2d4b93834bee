//! The tree that a process finds, and what it has changed in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Device, Disk, Id, Kind, Node, ROOT, errno, host};
use crate::error::Error;
use crate::guest::files::{Changed, ChangedKind, Dir};

/// When the files that are there from the start were written: the clock's start, 2009-11-10 23:00:00 UTC.
const THEN: u64 = crate::os::EPOCH * 1_000_000_000;

/// Files that programs and Go's libraries look for. Addresses: the computer has no network but its own.
const FILES: &[(&str, &str)] = &[
    ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("/etc/hostname", "goemu\n"),
    ("/etc/hosts", "127.0.0.1\tlocalhost goemu\n::1\tlocalhost ip6-localhost ip6-loopback\n"),
    ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
    ("/etc/os-release", "NAME=\"goemu\"\nID=goemu\nPRETTY_NAME=\"goemu\"\n"),
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    ),
    ("/etc/protocols", "ip\t0\tIP\nicmp\t1\tICMP\ntcp\t6\tTCP\nudp\t17\tUDP\nipv6\t41\tIPv6\n"),
    ("/etc/resolv.conf", ""),
    (
        "/etc/services",
        "ftp\t21/tcp\nssh\t22/tcp\ntelnet\t23/tcp\nsmtp\t25/tcp\ndomain\t53/tcp\ndomain\t53/udp\nhttp\t80/tcp\n\
         pop3\t110/tcp\nntp\t123/udp\nimap2\t143/tcp\nhttps\t443/tcp\nimaps\t993/tcp\n",
    ),
    ("/proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: goemu\n\n"),
    ("/proc/filesystems", "nodev\ttmpfs\n"),
    ("/proc/loadavg", "0.00 0.00 0.00 1/1 1\n"),
    (
        "/proc/meminfo",
        "MemTotal:        2097152 kB\nMemFree:         2097152 kB\nMemAvailable:    2097152 kB\n",
    ),
    ("/proc/self/cgroup", "0::/\n"),
    ("/proc/self/comm", "goemu\n"),
    ("/proc/self/mountinfo", "1 1 0:1 / / rw - tmpfs tmpfs rw\n"),
    ("/proc/self/mounts", "tmpfs / tmpfs rw 0 0\n"),
    (
        "/proc/self/status",
        "Name:\tgoemu\nPid:\t1\nPPid:\t0\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nThreads:\t1\n",
    ),
    ("/proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\n"),
    ("/proc/sys/kernel/hostname", "goemu\n"),
    ("/proc/sys/kernel/ostype", "Linux\n"),
    ("/proc/sys/kernel/osrelease", "6.1.0\n"),
    ("/proc/sys/fs/pipe-max-size", "1048576\n"),
    ("/proc/sys/net/core/somaxconn", "4096\n"),
    ("/proc/uptime", "1.00 1.00\n"),
    ("/proc/version", "Linux version 6.1.0\n"),
];
const FOLDERS: &[&str] = &["/dev/shm", "/home", "/proc/self/fd", "/root", "/run", "/usr/bin", "/var/tmp"];
const LINKS: &[(&str, &str)] = &[
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/etc/mtab", "/proc/self/mounts"),
    ("/proc/1", "self"),
    ("/proc/mounts", "self/mounts"),
];
const DEVICES: &[(&str, Device)] = &[
    ("/dev/full", Device::Full),
    ("/dev/null", Device::Null),
    ("/dev/random", Device::Random),
    ("/dev/tty", Device::Terminal),
    ("/dev/urandom", Device::Random),
    ("/dev/zero", Device::Zero),
];
/// Folders that everybody may write.
const SHARED: &[&str] = &["/dev/shm", "/tmp", "/var/tmp"];

impl Disk {
    /// The tree that a process of this program finds, with room for `room` bytes, and these folders of the host.
    pub(in crate::os) fn new(program: &str, room: u64, dirs: &[Dir]) -> Result<Disk, Error> {
        let root = Node { names: 1, ..Node::new(folder(ROOT), 0o755, THEN) };
        let nodes = BTreeMap::from([(ROOT, Arc::new(root))]);
        let mut disk = Disk {
            nodes,
            next: ROOT + 1,
            left: u64::MAX,
            mounts: Vec::new(),
            current: ROOT,
            mask: 0o022,
            work: 0,
            added: 0,
            watched: BTreeMap::new(),
            changed: Vec::new(),
        };
        disk.furnish(program).map_err(|number| refused("the file system", number))?;
        disk.left = room;
        for dir in dirs {
            disk.mount(dir)?;
        }
        Ok(disk)
    }

    fn furnish(&mut self, program: &str) -> Result<(), i64> {
        for path in FOLDERS.iter().chain(SHARED) {
            self.folder_at(path.as_bytes())?;
        }
        for path in SHARED {
            let id = self.find(ROOT, path.as_bytes(), true)?;
            self.node_mut(id)?.permissions = 0o1777;
        }
        for (path, text) in FILES {
            self.put(path.as_bytes(), Kind::File(Arc::new(text.as_bytes().to_vec())), 0o644)?;
        }
        for (path, device) in DEVICES {
            self.put(path.as_bytes(), Kind::Device(*device), 0o666)?;
        }
        for (path, target) in LINKS {
            self.put(path.as_bytes(), Kind::Link(target.as_bytes().to_vec()), 0o777)?;
        }
        self.put(b"/proc/self/exe", Kind::Link(program.as_bytes().to_vec()), 0o777)?;
        self.put(b"/proc/self/cmdline", Kind::File(Arc::new([program.as_bytes(), b"\0"].concat())), 0o444)
    }

    /// Starts the process in a folder, which must be there.
    pub(in crate::os) fn start_in(&mut self, path: &str) -> Result<(), Error> {
        let found = self.find(ROOT, path.as_bytes(), true);
        match found.and_then(|id| if self.node(id)?.is_folder() { Ok(id) } else { Err(errno::ENOTDIR) }) {
            Ok(id) if path.starts_with('/') => self.current = id,
            Ok(_) => {
                return Err(Error::Process(format!("the working directory {path:?} does not begin with /")));
            }
            Err(number) => return Err(refused(&format!("the working directory {path:?}"), number)),
        }
        Ok(())
    }

    /// The folder at an absolute path, which is made with those above it where it is missing.
    pub(super) fn folder_at(&mut self, path: &[u8]) -> Result<Id, i64> {
        let mut at = ROOT;
        for name in super::names(path).into_iter().rev() {
            at = match self.entries(at)?.get(&name).copied() {
                Some(id) if self.node(id)?.is_folder() => id,
                Some(_) => return Err(errno::ENOTDIR),
                None => self.link_new(at, name, Node::new(folder(at), 0o755, THEN))?,
            };
        }
        Ok(at)
    }

    /// Puts a node at an absolute path; folders above it are made.
    pub(super) fn put(&mut self, path: &[u8], kind: Kind, permissions: u32) -> Result<(), i64> {
        let cut = path.iter().rposition(|&byte| byte == b'/').ok_or(errno::EINVAL)?;
        let above = self.folder_at(&path[..cut])?;
        let name = path[cut + 1..].to_vec();
        self.link_new(above, name, Node::new(kind, permissions, THEN)).map(|_| ())
    }

    /// What was made or written, folders before what is in them.
    pub(in crate::os) fn changes(&self) -> Vec<Changed> {
        let mut all = Vec::new();
        self.changes_in(ROOT, &mut Vec::new(), &mut all);
        all
    }

    fn changes_in(&self, folder: Id, path: &mut Vec<u8>, all: &mut Vec<Changed>) {
        let Ok(Kind::Folder { entries, .. }) = self.node(folder).map(|node| &node.kind) else { return };
        for (name, id) in entries {
            let Ok(node) = self.node(*id) else { continue };
            let length = path.len();
            path.extend((length > 0).then_some(b'/'));
            path.extend(name);
            let kind = match &node.kind {
                Kind::Folder { .. } => Some(ChangedKind::Folder),
                Kind::File(bytes) => Some(ChangedKind::File(Arc::clone(bytes))),
                Kind::Link(target) => Some(ChangedKind::Link(target.clone())),
                _ => None,
            };
            if let Some(kind) = kind.filter(|_| node.changed) {
                all.push(Changed { path: path.clone(), permissions: node.permissions, kind });
            }
            if node.is_folder() {
                self.changes_in(*id, path, all);
            }
            path.truncate(length);
        }
    }
}

/// An empty folder in another.
pub(super) fn folder(parent: Id) -> Kind {
    Kind::Folder { entries: BTreeMap::new(), parent }
}

fn refused(what: &str, number: i64) -> Error {
    Error::Process(format!("{what}: {}", host::reason(number)))
}

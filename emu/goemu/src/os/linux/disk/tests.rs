//! Walks, changes, and folders of the host: nothing leads out of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::guest::files::{Access, Dir};

const NOW: u64 = 7;

fn disk(dirs: &[Dir]) -> Disk {
    Disk::new("/bin/prog", 1 << 20, dirs).unwrap()
}

fn make(disk: &mut Disk, path: &str, kind: Kind) -> Result<Id, i64> {
    let found = disk.walk(ROOT, path.as_bytes(), false)?;
    let place = disk.free_place(found, true)?;
    disk.make(place, kind, 0o777, NOW)
}

fn read(disk: &mut Disk, path: &str) -> Result<Vec<u8>, i64> {
    let id = disk.find(ROOT, path.as_bytes(), true)?;
    disk.contents(id).map(|bytes| bytes.to_vec())
}

/// A folder of the host that is removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("goemu-disk-{}-{number}", std::process::id()));
        std::fs::create_dir_all(path.join("given/sub")).unwrap();
        std::fs::write(path.join("secret"), "secret").unwrap();
        std::fs::write(path.join("given/file"), "contents").unwrap();
        std::fs::write(path.join("given/sub/deep"), "deep").unwrap();
        Folder(path)
    }

    fn given(&self, access: Access) -> Vec<Dir> {
        vec![Dir { host: self.0.join("given"), guest: "/given".to_owned(), access }]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn link(target: impl AsRef<Path>, at: &Path) {
    std::os::unix::fs::symlink(target, at).unwrap();
}

#[test]
fn the_mask_and_the_room_hold() {
    let mut disk = disk(&[]);
    let id = make(&mut disk, "/tmp/a", Kind::File(Arc::default())).unwrap();
    assert_eq!(disk.node(id).unwrap().permissions, 0o755);
    assert_eq!(disk.write(id, 0, &vec![1; 2 << 20], NOW), Ok(1 << 20));
    assert_eq!(disk.write(id, 1 << 20, b"x", NOW), Err(errno::ENOSPC));
    assert_eq!(disk.set_size(id, u64::MAX, NOW), Err(errno::EFBIG));
    let found = disk.walk(ROOT, b"/tmp/a", false).unwrap();
    disk.unlink(&found, false, NOW).unwrap();
    assert_eq!(disk.left(), 1 << 20);
}

#[test]
fn a_state_does_not_see_what_another_writes() {
    let mut before = disk(&[]);
    let id = make(&mut before, "/tmp/a", Kind::File(Arc::default())).unwrap();
    let mut after = before.clone();
    after.write(id, 0, b"text", NOW).unwrap();
    assert_eq!((read(&mut before, "/tmp/a"), read(&mut after, "/tmp/a")), (Ok(vec![]), Ok(b"text".to_vec())));
}

#[test]
fn links_of_the_host_lead_nowhere() {
    let folder = Folder::new();
    link(folder.path("secret"), &folder.path("given/absolute"));
    link("../secret", &folder.path("given/upwards"));
    link("../../../../../../etc/hostname", &folder.path("given/sub/far"));
    link("sub/deep", &folder.path("given/within"));
    for access in [Access::Read, Access::Overlay, Access::Write] {
        let mut disk = disk(&folder.given(access));
        assert_eq!(read(&mut disk, "/given/file"), Ok(b"contents".to_vec()));
        assert_eq!(read(&mut disk, "/given/within"), Ok(b"deep".to_vec()));
        assert_eq!(read(&mut disk, "/given/absolute"), Err(errno::ENOENT));
        assert_eq!(read(&mut disk, "/given/upwards"), Err(errno::ENOENT));
        assert_eq!(read(&mut disk, "/given/../secret"), Err(errno::ENOENT));
        // The guest's own.
        assert_eq!(read(&mut disk, "/given/sub/far"), Ok(b"goemu\n".to_vec()));
    }
}

/// A folder that another process replaces by a link, after the guest has seen it.
#[test]
fn what_becomes_a_link_on_the_host_is_refused() {
    let folder = Folder::new();
    let mut disk = disk(&folder.given(Access::Write));
    disk.find(ROOT, b"/given/sub", true).unwrap();
    std::fs::rename(folder.path("given/sub"), folder.path("moved")).unwrap();
    link("/etc", &folder.path("given/sub"));
    assert_eq!(read(&mut disk, "/given/sub/hostname"), Err(errno::ENOTDIR));
    // A link is no folder, and none is walked through.
    assert_eq!(make(&mut disk, "/given/sub/new", Kind::File(Arc::default())), Err(errno::ENOTDIR));
    std::fs::remove_file(folder.path("given/file")).unwrap();
    link(folder.path("secret"), &folder.path("given/file"));
    assert_eq!(read(&mut disk, "/given/file"), Err(errno::ELOOP));
}

#[test]
fn only_what_is_given_for_writing_is_written() {
    for access in [Access::Read, Access::Overlay, Access::Write] {
        let folder = Folder::new();
        let mut disk = disk(&folder.given(access));
        let id = disk.find(ROOT, b"/given/file", true).unwrap();
        let wrote = disk.may_write(id).and_then(|()| disk.write(id, 3, b"XY", NOW));
        let made = make(&mut disk, "/given/new", Kind::File(Arc::default()));
        let host = std::fs::read(folder.path("given/file")).unwrap();
        match access {
            Access::Read => {
                assert_eq!((wrote, made), (Err(errno::EROFS), Err(errno::EROFS)));
                assert_eq!(host, b"contents");
            }
            Access::Overlay => {
                assert_eq!((wrote, made.is_ok()), (Ok(2), true));
                assert_eq!(
                    (host, read(&mut disk, "/given/file")),
                    (b"contents".to_vec(), Ok(b"conXYnts".to_vec()))
                );
                assert!(!folder.path("given/new").exists());
            }
            Access::Write => {
                assert_eq!((wrote, made.is_ok()), (Ok(2), true));
                assert_eq!(host, b"conXYnts");
                let (from, to) =
                    (disk.walk(ROOT, b"/given/sub", false), disk.walk(ROOT, b"/given/dir", false));
                disk.rename(&from.unwrap(), &to.unwrap(), Rename::Replace, NOW).unwrap();
                assert_eq!(read(&mut disk, "/given/dir/deep"), Ok(b"deep".to_vec()));
                assert!(folder.path("given/dir/deep").exists() && folder.path("given/new").exists());
            }
        }
    }
}

#[test]
fn what_was_changed_is_listed() {
    let mut disk = disk(&[]);
    make(&mut disk, "/tmp/d", Disk::folder_kind(ROOT)).unwrap();
    make(&mut disk, "/tmp/l", Disk::link_kind(b"../etc")).unwrap();
    let paths: Vec<_> = disk.changes().into_iter().map(|change| change.path).collect();
    assert_eq!(paths, [b"tmp/d".to_vec(), b"tmp/l".to_vec()]);
}

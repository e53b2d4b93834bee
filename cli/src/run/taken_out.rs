//! What a program has written, taken out of its file system.

use std::fs;
use std::io;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail};
use goemu::machine::{Changed, ChangedKind};

/// Writes it into a folder that is empty or missing. Links come last, so that nothing is written through them.
pub(super) fn write(to: &Path, changes: &[Changed]) -> Result<()> {
    match fs::read_dir(to) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                bail!("the folder is not empty");
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(to)?,
        Err(error) => return Err(error.into()),
    }
    let is_link = |change: &&Changed| matches!(change.kind, ChangedKind::Link(_));
    let (links, others): (Vec<_>, Vec<_>) = changes.iter().partition(is_link);
    for change in others.into_iter().chain(links) {
        let path = String::from_utf8_lossy(&change.path).into_owned();
        put(to, &path, &change.kind).with_context(|| path.escape_default().to_string())?;
    }
    Ok(())
}

fn put(to: &Path, path: &str, kind: &ChangedKind) -> Result<()> {
    // A guest's names have no slashes, and are not `..`; this holds it here, too.
    if Path::new(path).components().any(|part| !matches!(part, Component::Normal(_))) {
        bail!("the name cannot be one here");
    }
    let path = to.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match kind {
        ChangedKind::Folder => fs::create_dir_all(path)?,
        ChangedKind::File(bytes) => fs::write(path, bytes.as_slice())?,
        ChangedKind::Link(target) => link(target, &path)?,
    }
    Ok(())
}

#[cfg(unix)]
fn link(target: &[u8], path: &Path) -> io::Result<()> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    std::os::unix::fs::symlink(OsStr::from_bytes(target), path)
}

#[cfg(not(unix))]
fn link(_: &[u8], _: &Path) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "links are not written here"))
}

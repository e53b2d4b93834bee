//! Notes on a program in their file.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use goemu::notes::Notes;

use crate::changing;

/// More than any notes have.
const MAX_FILE: u64 = 64 << 20;

/// What is in the file; `None` where there is none, and it need not be.
pub(crate) fn read(file: &Path, wanted: bool) -> Result<Option<Notes>> {
    let what = || format!("notes {}", file.display());
    let size = match fs::metadata(file) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == ErrorKind::NotFound && !wanted => return Ok(None),
        Err(error) => return Err(error).with_context(what),
    };
    if size > MAX_FILE {
        bail!("{} has more than {MAX_FILE} bytes", what());
    }
    let text = fs::read_to_string(file).with_context(what)?;
    Ok(Some(Notes::parse(&text).with_context(what)?))
}

/// Writes them: all or nothing.
pub(crate) fn write(file: &Path, notes: &Notes) -> Result<()> {
    let what = || format!("cannot write {}", file.display());
    let mut temporary = file.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    fs::write(&temporary, notes.to_string()).with_context(what)?;
    fs::rename(&temporary, file).with_context(what)
}

/// What is in a file that the notes name, from where they are.
pub(crate) fn beside(file: &Path, path: &str) -> Result<Vec<u8>, String> {
    let path = file.parent().map_or_else(|| PathBuf::from(path), |folder| folder.join(path));
    changing::file(&path.to_string_lossy())
}

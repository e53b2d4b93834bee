//! The file system that a program is given.

use std::path::PathBuf;

use goemu::machine::{Access, Dir, Files};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

const ACCESS: [(&str, Access); 3] =
    [("ro", Access::Read), ("overlay", Access::Overlay), ("rw", Access::Write)];

/// What `open` is given: paths in the guest, each with a path of the host, or with that and how it may be used.
pub(crate) fn given(
    dirs: Option<&Bound<'_, PyDict>>,
    cwd: Option<String>,
    room: Option<u64>,
) -> PyResult<Files> {
    let default = Files::default();
    let all =
        dirs.map(|dirs| dirs.iter().map(|(guest, host)| dir(&guest, &host)).collect::<PyResult<Vec<_>>>());
    let current = cwd.unwrap_or(default.current);
    absolute(&current, "the working directory")?;
    Ok(Files {
        dirs: all.transpose()?.unwrap_or_default(),
        current,
        room: room.unwrap_or(default.room),
        ..Files::default()
    })
}

fn dir(guest: &Bound<'_, PyAny>, given: &Bound<'_, PyAny>) -> PyResult<Dir> {
    let guest: String = guest.extract()?;
    absolute(&guest, "a path in the guest")?;
    let (host, access) = match given.extract::<(PathBuf, String)>() {
        Ok((host, name)) => {
            let known = ACCESS.iter().find(|(known, _)| *known == name);
            let unknown = || PyValueError::new_err(format!("no access {name}: one of ro, overlay, rw"));
            (host, known.ok_or_else(unknown)?.1)
        }
        Err(_) => {
            let wanted =
                |_| PyTypeError::new_err(format!("{guest}: a path is wanted, or a path and its access"));
            (given.extract::<PathBuf>().map_err(wanted)?, Access::default())
        }
    };
    match host.metadata() {
        Ok(_) => Ok(Dir { host, guest, access }),
        Err(error) => Err(PyValueError::new_err(format!("{guest}: cannot use {}: {error}", host.display()))),
    }
}

fn absolute(path: &str, what: &str) -> PyResult<()> {
    match path.starts_with('/') {
        true => Ok(()),
        false => Err(PyValueError::new_err(format!("{what} begins with a slash, and {path} does not"))),
    }
}

/// The same for another process.
pub(crate) fn settings(py: Python<'_>, files: &Files, to: &Bound<'_, PyDict>) -> PyResult<()> {
    let dirs = PyDict::new(py);
    for dir in &files.dirs {
        let access =
            ACCESS.iter().find(|(_, access)| *access == dir.access).map_or("overlay", |(name, _)| name);
        dirs.set_item(&dir.guest, (std::path::absolute(&dir.host)?, access))?;
    }
    to.set_item("dirs", dirs)?;
    to.set_item("cwd", &files.current)?;
    to.set_item("max_files", files.room)
}

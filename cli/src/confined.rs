//! A second wall: once its files are open, the process gives up what it does not need, so that a guest which broke out of
//! its memory reaches no file, no network and no other process. Linux on x86-64 alone has it: seccomp says which system calls are
//! left, and Landlock which files those may name. A kernel without one of them has the other.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod files;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod filter;
#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use goemu::Config;
use goemu::machine::Access;

/// Whether the user wants to do without.
static OFF: AtomicBool = AtomicBool::new(false);
/// What came of confining this process.
static BUILT: OnceLock<Walls> = OnceLock::new();

/// Which means of the kernel hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walls {
    pub(crate) seccomp: bool,
    pub(crate) landlock: bool,
}

impl Walls {
    /// Those of this process.
    pub(crate) fn here() -> Walls {
        BUILT.get().copied().unwrap_or_default()
    }

    /// Those that hold, and why others do not.
    pub(crate) fn told(self) -> String {
        let missing = self.missing().map_or(String::new(), |why| format!(" ({why})"));
        let names = self.names().join(", ");
        format!("{}{missing}", if names.is_empty() { "none" } else { &names })
    }

    pub(crate) fn names(self) -> Vec<&'static str> {
        let all = [(self.seccomp, "seccomp"), (self.landlock, "Landlock")];
        all.into_iter().filter(|(holds, _)| *holds).map(|(_, name)| name).collect()
    }

    /// Why one does not hold.
    pub(crate) fn missing(self) -> Option<&'static str> {
        let linux = cfg!(all(target_os = "linux", target_arch = "x86_64"));
        match (self.seccomp, self.landlock) {
            (true, true) => None,
            _ if OFF.load(Ordering::Relaxed) => Some("--no-sandbox"),
            _ if !linux => Some("only Linux on x86-64 has it"),
            (true, false) => Some("the kernel has no Landlock"),
            (false, true) => Some("the kernel has no seccomp"),
            (false, false) => Some("the kernel has neither seccomp nor Landlock"),
        }
    }
}

/// What is still needed, beside what is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Needs {
    /// Files and folders that are read.
    reads: Vec<PathBuf>,
    /// Files that are written, and made where they are missing.
    writes: Vec<PathBuf>,
    /// Folders that are made and changed.
    folders: Vec<PathBuf>,
    sockets: Sockets,
}

/// What may be done with sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sockets {
    /// Nothing.
    #[default]
    None,
    /// To let somebody in at one that is open.
    Accept,
    /// To make connections.
    Connect,
}

impl Needs {
    /// What is open.
    pub(crate) fn nothing() -> Needs {
        Needs::default()
    }

    /// The folders and files that the guest is given.
    pub(crate) fn of(config: &Config) -> Needs {
        let mut needs = Needs::default();
        for dir in &config.files.dirs {
            let list =
                if matches!(dir.access, Access::Write) { &mut needs.folders } else { &mut needs.reads };
            list.push(dir.host.clone());
        }
        needs
    }

    /// Any file, for reading.
    pub(crate) fn reading_any(mut self) -> Needs {
        self.reads.push(PathBuf::from("/"));
        self
    }

    /// These files, for reading.
    pub(crate) fn reading<P: AsRef<Path>>(mut self, files: impl IntoIterator<Item = P>) -> Needs {
        self.reads.extend(files.into_iter().map(|file| file.as_ref().to_owned()));
        self
    }

    /// These files, for writing.
    pub(crate) fn writing<P: AsRef<Path>>(mut self, files: impl IntoIterator<Item = P>) -> Needs {
        self.writes.extend(files.into_iter().map(|file| file.as_ref().to_owned()));
        self
    }

    /// These folders, for all that can be done to what is in them.
    pub(crate) fn changing<P: AsRef<Path>>(mut self, folders: impl IntoIterator<Item = P>) -> Needs {
        self.folders.extend(folders.into_iter().map(|folder| folder.as_ref().to_owned()));
        self
    }

    pub(crate) fn sockets(mut self, sockets: Sockets) -> Needs {
        self.sockets = self.sockets.max(sockets);
        self
    }

    /// Whether files are opened by their names.
    fn names_files(&self) -> bool {
        !(self.reads.is_empty() && self.writes.is_empty() && self.folders.is_empty())
    }
}

/// From now on [`confine`] does nothing.
pub(crate) fn switch_off() {
    OFF.store(true, Ordering::Relaxed);
}

/// Gives up everything else, for good: system calls for all threads, files for this one and those that it starts.
pub(crate) fn confine(needs: &Needs) {
    if OFF.load(Ordering::Relaxed) {
        return;
    }
    // Libraries look at files about the process when they are first used; a memory that is made uses them.
    drop(goemu::memory::Memory::new(1));
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    {
        // Either of them alone is no worse than neither.
        let landlock = files::restrict(needs).unwrap_or(false);
        let seccomp = filter::install(needs);
        BUILT.get_or_init(|| Walls { seccomp, landlock });
    }
}

//! What gdb asks of files: the program's path and contents, the libraries (none: imports are answered, not loaded), and the map of
//! memory, which `info proc mappings` reads as Linux' `/proc/N/maps`. No other file of this computer can be read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gdbstub::common::Pid;
use gdbstub::target::TargetResult;
use gdbstub::target::ext::exec_file::ExecFile;
use gdbstub::target::ext::host_io::{
    HostIo, HostIoClose, HostIoCloseOps, HostIoErrno, HostIoError, HostIoOpen, HostIoOpenFlags,
    HostIoOpenMode, HostIoOpenOps, HostIoPread, HostIoPreadOps, HostIoResult,
};
use gdbstub::target::ext::libraries::Libraries;
use goemu::memory::Perm;

/// Files that gdb may have open.
const MAX_OPEN: usize = 64;

/// A file that gdb has opened.
pub(super) enum Open {
    Text(Vec<u8>),
    /// The program's file. It was read before the process gave up opening files by name.
    Program,
}

/// The files that gdb has opened, by number.
#[derive(Default)]
pub(super) struct OpenFiles(BTreeMap<u32, Open>);

use super::target::Guest;

/// Copies a part of a text: how much of it there was.
fn part(text: &[u8], offset: u64, length: usize, buf: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|offset| text.get(offset..)).unwrap_or_default();
    let count = rest.len().min(length).min(buf.len());
    buf[..count].copy_from_slice(&rest[..count]);
    count
}

impl ExecFile for Guest<'_> {
    fn get_exec_file(
        &self,
        _: Option<Pid>,
        offset: u64,
        length: usize,
        buf: &mut [u8],
    ) -> TargetResult<usize, Self> {
        let path = self.runner.session().machine().image().path();
        let path = path.and_then(|path| std::path::absolute(path).ok()).unwrap_or_default();
        Ok(part(path.as_os_str().as_encoded_bytes(), offset, length, buf))
    }
}

impl Libraries for Guest<'_> {
    fn get_libraries(&self, offset: u64, length: usize, buf: &mut [u8]) -> TargetResult<usize, Self> {
        Ok(part(b"<library-list/>", offset, length, buf))
    }
}

impl HostIo for Guest<'_> {
    fn support_open(&mut self) -> Option<HostIoOpenOps<'_, Self>> {
        Some(self)
    }

    fn support_close(&mut self) -> Option<HostIoCloseOps<'_, Self>> {
        Some(self)
    }

    fn support_pread(&mut self) -> Option<HostIoPreadOps<'_, Self>> {
        Some(self)
    }
}

impl HostIoOpen for Guest<'_> {
    fn open(
        &mut self,
        filename: &[u8],
        flags: HostIoOpenFlags,
        _: HostIoOpenMode,
    ) -> HostIoResult<u32, Self> {
        if flags.intersects(HostIoOpenFlags::O_WRONLY | HostIoOpenFlags::O_RDWR) {
            return Err(HostIoError::Errno(HostIoErrno::EROFS));
        }
        let number = (0..).find(|number| !self.files.0.contains_key(number));
        let Some(number) = number.filter(|_| self.files.0.len() < MAX_OPEN) else {
            return Err(HostIoError::Errno(HostIoErrno::EMFILE));
        };
        let open = self.found(filename).ok_or(HostIoError::Errno(HostIoErrno::ENOENT))?;
        self.files.0.insert(number, open);
        Ok(number)
    }
}

impl HostIoClose for Guest<'_> {
    fn close(&mut self, fd: u32) -> HostIoResult<(), Self> {
        self.files.0.remove(&fd).map(|_| ()).ok_or(HostIoError::Errno(HostIoErrno::EBADF))
    }
}

impl HostIoPread for Guest<'_> {
    fn pread(&mut self, fd: u32, count: usize, offset: u64, buf: &mut [u8]) -> HostIoResult<usize, Self> {
        match self.files.0.get_mut(&fd) {
            None => Err(HostIoError::Errno(HostIoErrno::EBADF)),
            Some(Open::Text(text)) => Ok(part(text, offset, count, buf)),
            Some(Open::Program) => {
                Ok(part(self.runner.session().machine().image().contents(), offset, count, buf))
            }
        }
    }
}

impl Guest<'_> {
    fn found(&self, name: &[u8]) -> Option<Open> {
        let name = std::str::from_utf8(name).ok()?;
        let machine = self.runner.session().machine();
        let path = machine.image().path().and_then(|path| std::path::absolute(path).ok());
        if path.is_some_and(|path| path.as_os_str() == name) {
            return Some(Open::Program);
        }
        let number = name.strip_prefix("/proc/")?.strip_suffix("/maps")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| Open::Text(self.maps().into_bytes()))
    }

    /// What is mapped, as Linux tells it.
    pub(super) fn maps(&self) -> String {
        let machine = self.runner.session().machine();
        let (image, sp) = (machine.image(), machine.cpu().gpr(4));
        let mut text = String::new();
        for (range, perm) in machine.memory().ranges() {
            let letter = |of: Perm, letter| if perm.contains(of) { letter } else { '-' };
            let name = match image.segments().iter().find(|segment| range.contains(&segment.addr)) {
                Some(_) => image.path().map_or(String::new(), |path| path.display().to_string()),
                None if range.contains(&sp) => "[stack]".to_owned(),
                None => String::new(),
            };
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "{:x}-{:x} {}{}{}p 00000000 00:00 0 {name}",
                range.start,
                range.end,
                letter(Perm::READ, 'r'),
                letter(Perm::WRITE, 'w'),
                letter(Perm::EXEC, 'x'),
            );
        }
        text
    }
}

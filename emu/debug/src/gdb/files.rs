//! What gdb asks of files: the program's path, and the libraries (none: imports are answered, not loaded).

use gdbstub::common::Pid;
use gdbstub::target::TargetResult;
use gdbstub::target::ext::exec_file::ExecFile;
use gdbstub::target::ext::libraries::Libraries;

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

//! Memory that code lies in: one file without a name, mapped twice. Through one mapping it is written, through the other it
//! is run; neither allows both.

#![allow(unsafe_code, reason = "owns both mappings; every block states why it is sound")]

use std::io;
use std::ptr::null_mut;

/// Bytes of code that one machine keeps. The host commits what is used.
pub(crate) const SIZE: usize = 64 << 20;

pub(crate) struct CodeMemory {
    write: *mut u8,
    run: *mut u8,
    used: usize,
}

// SAFETY: it owns its mappings, and only its methods reach into the one that can be written.
unsafe impl Send for CodeMemory {}

impl CodeMemory {
    pub(crate) fn new() -> io::Result<CodeMemory> {
        if !may_write() {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        // SAFETY: the name ends in a zero byte.
        let file = unsafe { libc::memfd_create(c"goemu-code".as_ptr(), libc::MFD_CLOEXEC) };
        if file < 0 {
            return Err(io::Error::last_os_error());
        }
        let mapped = map(file);
        // SAFETY: the descriptor is ours and used nowhere else; the mappings stay.
        unsafe { libc::close(file) };
        let (write, run) = mapped?;
        Ok(CodeMemory { write, run, used: 0 })
    }

    /// Where the next bytes will lie.
    pub(crate) fn used(&self) -> usize {
        self.used
    }

    /// Address of the first byte, for whoever runs it.
    pub(crate) fn start(&self) -> u64 {
        self.run as u64
    }

    /// Appends code; says whether it fits.
    pub(crate) fn append(&mut self, code: &[u8]) -> bool {
        let fits = code.len() <= SIZE - self.used;
        if fits {
            self.write_at(self.used, code);
            self.used += code.len();
        }
        fits
    }

    /// Changes bytes of code that is there. It does not run meanwhile: a machine is one thread.
    pub(crate) fn patch(&mut self, at: usize, bytes: &[u8]) {
        if at.checked_add(bytes.len()).is_some_and(|end| end <= self.used) {
            self.write_at(at, bytes);
        }
    }

    fn write_at(&mut self, at: usize, bytes: &[u8]) {
        debug_assert!(at + bytes.len() <= SIZE);
        // SAFETY: callers keep the range inside the mapping, which nothing else writes or refers to.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.write.add(at), bytes.len()) }
    }

    /// Forgets all code.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }
}

/// Whether files may be that large. The host's limit holds for files in memory, too, and ends a process that goes beyond it (SIGXFSZ).
fn may_write() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it fills in the record that it is given.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &mut limit) } == 0;
    !known || limit.rlim_cur >= SIZE as libc::rlim_t
}

fn map(file: i32) -> io::Result<(*mut u8, *mut u8)> {
    // SAFETY: the descriptor is an open file's.
    if unsafe { libc::ftruncate(file, SIZE as libc::off_t) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let write = map_as(file, libc::PROT_READ | libc::PROT_WRITE)?;
    match map_as(file, libc::PROT_READ | libc::PROT_EXEC) {
        Ok(run) => Ok((write, run)),
        Err(error) => {
            // SAFETY: this mapping was made above, and nothing refers to it.
            unsafe { libc::munmap(write.cast(), SIZE) };
            Err(error)
        }
    }
}

fn map_as(file: i32, protection: i32) -> io::Result<*mut u8> {
    // SAFETY: a new mapping at an address of the kernel's choice aliases nothing but the other view of the file.
    let at = unsafe { libc::mmap(null_mut(), SIZE, protection, libc::MAP_SHARED, file, 0) };
    if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(at.cast()) }
}

impl Drop for CodeMemory {
    fn drop(&mut self) {
        for at in [self.write, self.run] {
            // SAFETY: both are what mmap gave, and nothing borrows from a dropped CodeMemory.
            unsafe { libc::munmap(at.cast(), SIZE) };
        }
    }
}

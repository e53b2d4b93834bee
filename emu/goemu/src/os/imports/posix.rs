//! Calls of the C library about files, network and processes: refused, or answered as for a process that has
//! none. One device exists, the source of random numbers.

use goemu_loader::Os;

use super::{Arguments, ImportReturn, c_string};
use crate::hook::{HookContext, HookError};
use crate::os;
use crate::os::errno::{EBADF, EINVAL, ENOENT, ENOTTY, EPERM, ESPIPE};

/// The result of C functions that fail.
const FAILED: u64 = u64::MAX;

/// It fails, and `errno` is this.
fn failed(number: i64) -> ImportReturn {
    ImportReturn::Fail(FAILED, number.unsigned_abs())
}

/// The source of random numbers, on systems for which Go had no system call (`crypto/rand`, up to Go 1.15).
const RANDOM: [&str; 2] = ["/dev/urandom", "/dev/random"];
/// Its file descriptor while it is open.
const RANDOM_FD: u64 = 3;
/// The most bytes of one read.
const READ: u64 = 1 << 20;
/// macOS' `struct stat`: its size, the offset of the mode, and the modes of a file that never blocks and of a pipe.
const STAT: usize = 144;
const STAT_MODE: u64 = 4;
const REGULAR: u16 = 0o100_600;
const PIPE: u16 = 0o010_600;
const DIRECTORY: u16 = 0o040_555;
/// Names of the only folder, in which the process is.
const FOLDER: [&str; 2] = ["/", "."];

/// What the function does, if it is one of these.
pub(super) fn answer(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    let descriptor = arguments.get(cx, 0)? as u32;
    let is_random = u64::from(descriptor) == RANDOM_FD && cx.world.libraries.random_open;
    match name {
        "open" if RANDOM.contains(&c_string(cx, arguments.get(cx, 0)?)?.as_str()) => {
            cx.world.libraries.random_open = true;
            return Ok(Some(ImportReturn::Return(RANDOM_FD)));
        }
        "read" if is_random => {
            let (to, size) = (arguments.get(cx, 1)?, arguments.get(cx, 2)?.min(READ));
            os::fill_random(cx, to, size)?;
            return Ok(Some(ImportReturn::Return(size)));
        }
        // The three standard files are pipes.
        "fstat" | "fstat64" if (is_random || descriptor < 3) && cx.image.target().os == Os::Darwin => {
            let to = arguments.get(cx, 1)?;
            cx.memory.write(to, [0; STAT])?;
            let mode = if is_random { REGULAR } else { PIPE };
            cx.memory.write(to.wrapping_add(STAT_MODE), mode.to_le_bytes())?;
            return Ok(Some(ImportReturn::Return(0)));
        }
        // The only folder.
        "getcwd" if arguments.get(cx, 1)? > 1 => {
            let to = arguments.get(cx, 0)?;
            cx.memory.write(to, *b"/\0")?;
            return Ok(Some(ImportReturn::Return(to)));
        }
        "stat" | "stat64" | "lstat" | "lstat64" | "fstatat" | "fstatat64"
            if cx.image.target().os == Os::Darwin =>
        {
            let first = u64::from(name.starts_with('f'));
            if FOLDER.contains(&c_string(cx, arguments.get(cx, first)?)?.as_str()) {
                let to = arguments.get(cx, first + 1)?;
                cx.memory.write(to, [0; STAT])?;
                cx.memory.write(to.wrapping_add(STAT_MODE), DIRECTORY.to_le_bytes())?;
                return Ok(Some(ImportReturn::Return(0)));
            }
        }
        "close" if is_random => {
            cx.world.libraries.random_open = false;
            return Ok(Some(ImportReturn::Return(0)));
        }
        _ => {}
    }
    Ok(refused(name))
}

/// What is the same for everybody.
fn refused(name: &str) -> Option<ImportReturn> {
    Some(match name {
        "getuid" | "geteuid" | "getgid" | "getegid" | "getppid" | "sync" => ImportReturn::Return(0),
        "stat" | "stat64" | "lstat" | "lstat64" | "fstatat" | "fstatat64" | "readlink" | "readlinkat" => {
            failed(ENOENT)
        }
        "close" | "fstat" | "fstat64" | "read" | "pread" | "pwrite" | "dup" | "dup2" => failed(EBADF),
        "fsync" => failed(EINVAL),
        "ioctl" => failed(ENOTTY),
        "lseek" => failed(ESPIPE),
        "open" | "openat" | "sysctl" | "sysctlbyname" | "getcwd" | "getattrlist" => failed(EPERM),
        "access" | "faccessat" | "chdir" | "fchdir" | "chmod" | "fchmod" | "fchmodat" | "chown"
        | "fchown" | "fchownat" | "lchown" | "chroot" | "link" | "linkat" | "symlink" | "symlinkat"
        | "mkdir" | "mkdirat" | "mkfifo" | "mknod" | "rename" | "renameat" | "rmdir" | "unlink"
        | "unlinkat" | "truncate" | "ftruncate" | "utimes" | "utimensat" | "futimes" | "flock"
        | "statfs64" | "fstatfs64" => failed(EPERM),
        "socket" | "socketpair" | "pipe" | "pipe2" | "connect" | "bind" | "listen" | "accept" | "sendto"
        | "recvfrom" | "sendmsg" | "recvmsg" => failed(EPERM),
        "fork" | "execve" | "kill" | "wait4" | "ptrace" | "setuid" | "setgid" | "setsid" | "setpgid" => {
            failed(EPERM)
        }
        _ => return None,
    })
}

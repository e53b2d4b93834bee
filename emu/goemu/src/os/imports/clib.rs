//! Functions of the C library that need memory only: for the program's own C code, and for the code that cgo generates for
//! `C.CString` and the like. Freed memory is not reused.

use super::libc::set_errno;
use super::{Arguments, ImportReturn, c_string, cgo, print, room, size_of_room};
use crate::hook::{HookContext, HookError};
use crate::memory::MemFault;
use crate::os::errno::{EAGAIN, EINVAL, ENOENT, EPERM};
use goemu_loader::Os;

/// Bytes that are moved or read at once: a page.
const PIECE: u64 = 4096;
const NEWLINE: &[u8] = b"\n";
const STDOUT: u64 = 1;
/// What `getaddrinfo` returns where `errno` tells why.
const EAI_SYSTEM: u64 = (-11_i64).cast_unsigned();

/// What the function does, if it is one of these.
pub(super) fn answer(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    let [a, b, c] = [arguments.get(cx, 0)?, arguments.get(cx, 1)?, arguments.get(cx, 2)?];
    let result = match name {
        "malloc" => allocate(cx, a)?,
        "calloc" => allocate(cx, a.saturating_mul(b))?,
        "realloc" => reallocate(cx, a, b)?,
        "free" => 0,
        "memcpy" | "memmove" => move_bytes(cx, a, b, c)?,
        "memset" => fill(cx, a, b as u8, c)?,
        "memcmp" => compare(cx, a, b, c, false)?,
        "strcmp" => compare(cx, a, b, u64::MAX, true)?,
        "strncmp" => compare(cx, a, b, c, true)?,
        "strlen" => length(cx, a, u64::MAX)?,
        "strnlen" => length(cx, a, b)?,
        "strcpy" => {
            let size = length(cx, b, u64::MAX)?.saturating_add(1);
            move_bytes(cx, a, b, size)?
        }
        "puts" => {
            let size = length(cx, a, u64::MAX)?;
            print_all(cx, a, size)?;
            cx.world.print(STDOUT, NEWLINE);
            size
        }
        "putchar" => {
            cx.world.print(STDOUT, &[a as u8]);
            a & 0xff
        }
        "getenv" => environment(cx, a)?,
        // Go keeps its own environment; C's copy is never read.
        "setenv" | "unsetenv" => 0,
        // There are no users and no other hosts.
        "sysconf" => return Ok(Some(ImportReturn::Fail(u64::MAX, EINVAL.unsigned_abs()))),
        "getpwuid_r" | "getpwnam_r" | "getgrgid_r" | "getgrnam_r" => ENOENT.unsigned_abs(),
        "getaddrinfo" => {
            set_errno(cx, EPERM.unsigned_abs())?;
            EAI_SYSTEM
        }
        // The key reports the end of C threads to Go; there are none.
        "pthread_key_create" => EAGAIN.unsigned_abs(),
        "pthread_cond_broadcast" | "pthread_cond_signal" => 0,
        "pthread_mutex_lock" if is_linux(cx) => return Ok(cgo::lock(cx, a)?),
        "pthread_mutex_unlock" if is_linux(cx) => return Ok(cgo::unlock(cx, a)?),
        "pthread_cond_wait" if is_linux(cx) => return Ok(cgo::wait(cx, b)?),
        _ => return Ok(None),
    };
    Ok(Some(ImportReturn::Return(result)))
}

/// On other systems a statically initialised mutex is not zero.
fn is_linux(cx: &HookContext<'_>) -> bool {
    cx.image.target().os == Os::Linux
}

/// `getenv(name)`: from the process's configured environment.
fn environment(cx: &mut HookContext<'_>, name: u64) -> Result<u64, HookError> {
    let name = c_string(cx, name)?;
    let process = std::sync::Arc::clone(&cx.world.process);
    let Some(value) = process.variable(&name) else { return Ok(0) };
    let text = [value.as_bytes(), &[0]].concat();
    let at = room(cx, text.len() as u64)?;
    cx.memory.write_bytes(at, &text)?;
    Ok(at)
}

/// `malloc(size)`: zeroed, so that it serves `calloc` too. NULL if there is no memory, as in C.
fn allocate(cx: &mut HookContext<'_>, size: u64) -> Result<u64, HookError> {
    if size > cx.memory.limit() { Ok(0) } else { room(cx, size) }
}

/// `realloc(old, size)`
fn reallocate(cx: &mut HookContext<'_>, old: u64, size: u64) -> Result<u64, HookError> {
    let new = allocate(cx, size)?;
    if new != 0 && old != 0 {
        let had = size_of_room(cx, old)?;
        move_bytes(cx, new, old, had.min(size))?;
    }
    Ok(new)
}

/// `memmove(to, from, size)`. In pieces, starting at the end that does not overwrite unread bytes.
fn move_bytes(cx: &mut HookContext<'_>, to: u64, from: u64, size: u64) -> Result<u64, MemFault> {
    let mut buffer = [0; PIECE as usize];
    let mut left = size;
    while left > 0 {
        let len = left.min(PIECE);
        let at = if to <= from { size - left } else { left - len };
        let piece = &mut buffer[..len as usize];
        cx.memory.read_bytes(from.wrapping_add(at), piece)?;
        cx.memory.write_bytes(to.wrapping_add(at), piece)?;
        left -= len;
    }
    Ok(to)
}

/// `memset(to, byte, size)`
fn fill(cx: &mut HookContext<'_>, to: u64, byte: u8, size: u64) -> Result<u64, MemFault> {
    let buffer = [byte; PIECE as usize];
    let mut done = 0;
    while done < size {
        let len = (size - done).min(PIECE);
        cx.memory.write_bytes(to.wrapping_add(done), &buffer[..len as usize])?;
        done += len;
    }
    Ok(to)
}

/// The difference of the first bytes that differ, within a limit; for strings, up to their end.
fn compare(cx: &HookContext<'_>, a: u64, b: u64, size: u64, texts: bool) -> Result<u64, MemFault> {
    let (mut left, mut right) = ([0; PIECE as usize], [0; PIECE as usize]);
    let mut done = 0;
    while done < size {
        let (x, y) = (a.wrapping_add(done), b.wrapping_add(done));
        let len = (size - done).min(in_page(x)).min(in_page(y));
        let (left, right) = (&mut left[..len as usize], &mut right[..len as usize]);
        cx.memory.read_bytes(x, left)?;
        cx.memory.read_bytes(y, right)?;
        let mut pairs = left.iter().zip(right.iter());
        if let Some((x, y)) = pairs.find(|(x, y)| x != y || (texts && **x == 0)) {
            return Ok((i64::from(*x) - i64::from(*y)).cast_unsigned());
        }
        done += len;
    }
    Ok(0)
}

/// Bytes before a string's terminating zero, within a limit.
fn length(cx: &HookContext<'_>, text: u64, most: u64) -> Result<u64, MemFault> {
    let mut buffer = [0; PIECE as usize];
    let mut done = 0;
    while done < most {
        let at = text.wrapping_add(done);
        let piece = &mut buffer[..in_page(at).min(most - done) as usize];
        cx.memory.read_bytes(at, piece)?;
        if let Some(end) = piece.iter().position(|&byte| byte == 0) {
            return Ok(done + end as u64);
        }
        done += piece.len() as u64;
    }
    Ok(most)
}

/// Bytes up to the end of the page: the next page may be unmapped.
fn in_page(addr: u64) -> u64 {
    PIECE - addr % PIECE
}

fn print_all(cx: &mut HookContext<'_>, text: u64, size: u64) -> Result<(), HookError> {
    let mut done = 0;
    while done < size {
        done += print(cx, STDOUT, text.wrapping_add(done), size - done)?;
    }
    Ok(())
}

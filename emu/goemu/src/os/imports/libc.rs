//! The C library. Go programs for macOS, OpenBSD and Solaris make all system calls through it, and those with cgo
//! some. Requests of package initialisers for files and limits are refused.

use super::{Arguments, ImportReturn, c_string, clib, find, posix, print, room};
use crate::hook::{HookContext, HookError};
use crate::os;
use crate::outcome::Outcome;

/// `MAP_FIXED` on all of them.
const MAP_FIXED: u64 = 0x10;
/// `F_GETFL` on all of them, and `O_RDWR`: the mode of the three standard files.
const F_GETFL: u64 = 3;
const READ_WRITE: u64 = 2;

/// A port, and what a call fails with.
const PORT: u64 = 0x103;
const KERN_FAILURE: u64 = 5;
/// The handle of every library.
const LIBRARY: u64 = 0x1_0000;

/// What the function does, if it is one of those that are answered.
pub(super) fn answer(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    let argument = |cx: &HookContext<'_>, n| arguments.get(cx, n);
    let result = match name {
        "write" => {
            let (fd, at, len) = (argument(cx, 0)?, argument(cx, 1)?, argument(cx, 2)?);
            if fd != 1 && fd != 2 {
                return Ok(None);
            }
            print(cx, fd, at, len)?
        }
        "read" if argument(cx, 0)? == 0 => {
            let (at, len) = (argument(cx, 1)?, argument(cx, 2)?);
            os::read_input(cx, 0, at, len)? as u64
        }
        "mmap" if argument(cx, 3)? & MAP_FIXED == 0 => {
            let size = argument(cx, 1)?;
            let Ok(at) = cx.world.map_pages(cx.memory, size) else { return Ok(None) };
            at
        }
        "fcntl" if argument(cx, 1)? == F_GETFL => READ_WRITE,
        "munmap" | "madvise" | "fcntl" | "sigaction" | "sigprocmask" | "pthread_sigmask" => 0,
        "getpid" => 1,
        "getrlimit" => os::limits(cx, argument(cx, 1)?)? as u64,
        "setrlimit" | "issetugid" => 0,
        "__error" | "__errno" | "___errno" | "__errno_location" => errno(cx)?,
        "exit" | "_exit" => {
            let code = argument(cx, 0)? as i32;
            return Ok(Some(ImportReturn::End(Outcome::Exited { code, fatal: None })));
        }
        "clock_gettime" => {
            let (clock, to) = (argument(cx, 0)?, argument(cx, 1)?);
            let (seconds, nanoseconds) = os::now(cx, clock == 0);
            cx.set_word(to, seconds)?;
            cx.set_word(to.wrapping_add(8), nanoseconds)?;
            0
        }
        "gettimeofday" => {
            let to = argument(cx, 0)?;
            let (seconds, nanoseconds) = os::now(cx, true);
            cx.set_word(to, seconds)?;
            cx.set_word(to.wrapping_add(8), nanoseconds / 1000)?;
            0
        }
        "mach_absolute_time" => {
            let (seconds, nanoseconds) = os::now(cx, false);
            seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds)
        }
        "mach_timebase_info" => {
            // The ratio of ticks to nanoseconds is 1/1: two numbers of 32 bits.
            cx.set_word(argument(cx, 0)?, 1 << 32 | 1)?;
            0
        }
        "arc4random_buf" | "getentropy" => {
            let (to, size) = (argument(cx, 0)?, argument(cx, 1)?);
            os::fill_random(cx, to, size)?;
            0
        }
        // Every library can be opened and has every function; calling one that is not emulated says so.
        "dlopen" => LIBRARY,
        // Ports of the Mach kernel: there are some, and they tell nothing.
        "mach_host_self" | "mach_task_self" | "mach_thread_self" => PORT,
        "host_statistics" | "host_statistics64" | "host_processor_info" | "task_info" => KERN_FAILURE,
        "mach_port_deallocate" | "vm_deallocate" => 0,
        "dlclose" | "dlerror" => 0,
        "dlsym" => {
            let name = c_string(cx, argument(cx, 1)?)?;
            let Some(stub) = find(cx, name) else { return Ok(None) };
            stub
        }
        // Handles of CoreFoundation, which Go creates at start before it needs them (crypto/x509).
        "CFStringCreateWithBytes" => room(cx, 8)?,
        _ => {
            return Ok(match posix::answer(cx, name, arguments)? {
                None => clib::answer(cx, name, arguments)?,
                answered => answered,
            });
        }
    };
    Ok(Some(ImportReturn::Return(result)))
}

/// The address of the thread's `errno`.
fn errno(cx: &mut HookContext<'_>) -> Result<u64, HookError> {
    let at = match cx.world.libraries.errno {
        Some(at) => at,
        None => room(cx, 8)?,
    };
    cx.world.libraries.errno = Some(at);
    Ok(at)
}

pub(super) fn set_errno(cx: &mut HookContext<'_>, number: u64) -> Result<(), HookError> {
    let at = errno(cx)?;
    Ok(cx.memory.write(at, (number as u32).to_le_bytes())?)
}

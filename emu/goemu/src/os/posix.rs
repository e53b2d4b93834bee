//! System calls of initialisation, answered as by a Linux with one processor, a virtual clock, and no access to
//! files.

use std::ops::RangeInclusive;

use goemu_loader::{Image, Os};

use crate::cpu::gpr;
use crate::guest::clock;
use crate::hook::{HookContext, HookError};
use crate::memory::Access;
use crate::os::errno::{EBADF, EINVAL, ENOENT, ENOTTY, EPERM, ESPIPE};

/// Files with lower numbers are open from the start: input, output and errors.
const STANDARD: u64 = 3;

/// The clock's initial time: that of Go's playground, 2009-11-10 23:00:00 UTC.
pub(crate) const EPOCH: u64 = 1_257_894_000;
const SECOND: u64 = 1_000_000_000;
/// `CLOCK_REALTIME`, `CLOCK_REALTIME_COARSE`; all others count from the start.
const REALTIME: [u64; 2] = [0, 5];
/// The most bytes of one getrandom; as in the kernel, a caller asks again for the rest.
const MOST_RANDOM: u64 = 256;
/// `O_RDWR`: the mode of the three standard files.
const READ_WRITE: i64 = 2;

/// Calls about files, the network and other processes: open, stat, lstat, access, sendfile, socket to getsockopt, fork,
/// vfork, execve, kill, truncate, getdents, chdir to lchown, statfs, mount, getdents64, inotify_init, the calls that take
/// a folder, inotify_init1, fanotify_init, fanotify_mark, renameat2, memfd_create, statx, pidfd_open, faccessat2.
const REFUSED: [RangeInclusive<u64>; 21] = [
    2..=2,
    4..=4,
    6..=6,
    21..=21,
    40..=55,
    57..=59,
    62..=62,
    76..=76,
    78..=78,
    80..=80,
    82..=88,
    90..=94,
    137..=137,
    165..=165,
    217..=217,
    257..=266,
    268..=269,
    294..=294,
    300..=301,
    316..=319,
    332..=332,
];
/// The same, of later kernels.
const REFUSED_LATER: [u64; 2] = [434, 439];

/// The result of the call, if it is one of these.
pub(super) fn answer(cx: &mut HookContext<'_>, number: u64) -> Result<Option<i64>, HookError> {
    let argument = [gpr::RDI, gpr::RSI, gpr::RDX, gpr::R10].map(|register| cx.cpu.gpr(register));
    Ok(Some(match number {
        // read
        0 => read_input(cx, argument[0], argument[1], argument[2])?,
        // fstat, lseek, ioctl: of the three standard files, which are pipes
        5 if argument[0] < STANDARD => pipe_status(cx, argument[1])?,
        8 if argument[0] < STANDARD => -ESPIPE,
        16 if argument[0] < STANDARD => -ENOTTY,
        5 | 8 | 16 => -EBADF,
        // uname
        63 => uname(cx, argument[0])?,
        // getuid, getgid, geteuid, getegid, getppid
        102 | 104 | 107 | 108 | 110 => 0,
        // getrandom
        318 => random(cx, argument[0], argument[1])?,
        _ if REFUSED.iter().any(|calls| calls.contains(&number)) => -EPERM,
        _ if REFUSED_LATER.contains(&number) => -EPERM,
        // rt_sigaction, rt_sigprocmask, sigaltstack
        13 | 14 | 131 => 0,
        // getpid, gettid
        39 | 186 => 1,
        // fcntl: F_GETFD, F_SETFD; F_GETFL; F_SETFL
        72 => match argument[1] {
            1 | 2 | 4 => 0,
            3 => READ_WRITE,
            _ => -EPERM,
        },
        // getcwd, readlink, readlinkat
        79 | 89 | 267 => -ENOENT,
        // getrlimit; setrlimit
        97 => limits(cx, argument[1])?,
        160 => 0,
        // prlimit64
        302 => limits(cx, argument[3])?,
        // sched_getaffinity
        204 => affinity(cx, argument[1], argument[2], 1)?,
        // clock_gettime
        228 => clock_gettime(cx, argument[0], argument[1])?,
        _ => return Ok(None),
    }))
}

/// `read(file, to, size)`: standard input is the process's configured input.
pub(crate) fn read_input(cx: &mut HookContext<'_>, file: u64, to: u64, size: u64) -> Result<i64, HookError> {
    /// A read may be shorter than asked for; this bounds what one takes of the host's memory.
    const MOST: u64 = 1 << 20;
    if file != 0 {
        return Ok(-EBADF);
    }
    let most = size.min(MOST) as usize;
    cx.memory.check(to, most, Access::Write)?;
    let bytes = cx.world.take_input(most).unwrap_or_default();
    cx.memory.write_bytes(to, &bytes)?;
    Ok(bytes.len() as i64)
}

/// `fstat(file, status)`, of a pipe: `struct stat` with the number of links, the kind and mode, and the size of a block.
pub(super) fn pipe_status(cx: &mut HookContext<'_>, to: u64) -> Result<i64, HookError> {
    const SIZE: usize = 144;
    const PIPE: u64 = 0o010_600;
    let mut status = [0; SIZE];
    for (at, word) in [(16, 1), (24, PIPE), (56, 4096_u64)] {
        status[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }
    cx.memory.write(to, status)?;
    Ok(0)
}

/// The current time: seconds and nanoseconds since the epoch or the start.
pub(crate) fn now(cx: &mut HookContext<'_>, real: bool) -> (u64, u64) {
    let nanoseconds = clock::read(cx.cpu);
    (nanoseconds / SECOND + if real { EPOCH } else { 1 }, nanoseconds % SECOND)
}

/// The initial value of the monotonic clock, in nanoseconds. Up to Go 1.15 it is the time of day, on a Linux
/// that has no vDSO.
pub(crate) fn monotonic_start(image: &Image) -> u64 {
    let of_day = image.target().os == Os::Linux && !image.facts().rules().has_monotonic_clock();
    SECOND * if of_day { EPOCH } else { 1 }
}

fn clock_gettime(cx: &mut HookContext<'_>, which: u64, to: u64) -> Result<i64, HookError> {
    let (seconds, nanoseconds) = now(cx, REALTIME.contains(&which));
    cx.set_word(to, seconds)?;
    cx.set_word(to.wrapping_add(8), nanoseconds)?;
    Ok(0)
}

/// `gettimeofday(tv, tz)`
pub(crate) fn time_of_day(cx: &mut HookContext<'_>) -> Result<i64, HookError> {
    let to = cx.cpu.gpr(gpr::RDI);
    let (seconds, nanoseconds) = now(cx, true);
    cx.set_word(to, seconds)?;
    cx.set_word(to.wrapping_add(8), nanoseconds / 1000)?;
    Ok(0)
}

/// `struct rlimit`: no limits.
pub(crate) fn limits(cx: &mut HookContext<'_>, to: u64) -> Result<i64, HookError> {
    if to != 0 {
        cx.set_word(to, u64::MAX)?;
        cx.set_word(to.wrapping_add(8), u64::MAX)?;
    }
    Ok(0)
}

/// `struct utsname`: six strings of 65 bytes.
pub(crate) fn uname(cx: &mut HookContext<'_>, to: u64) -> Result<i64, HookError> {
    const FIELD: usize = 65;
    let texts = ["Linux", "goemu", "6.1.0", "#1", "x86_64", "(none)"];
    let mut bytes = [0; 6 * FIELD];
    for (field, text) in bytes.chunks_mut(FIELD).zip(texts) {
        field[..text.len()].copy_from_slice(text.as_bytes());
    }
    cx.memory.write(to, bytes)?;
    Ok(0)
}

/// So many processors, 64 at most. The result is the number of bytes written.
pub(crate) fn affinity(
    cx: &mut HookContext<'_>,
    size: u64,
    to: u64,
    processors: u32,
) -> Result<i64, HookError> {
    if size < 8 {
        return Ok(-EINVAL);
    }
    cx.set_word(to, u64::MAX >> (64 - processors.clamp(1, 64)))?;
    Ok(8)
}

pub(crate) fn random(cx: &mut HookContext<'_>, to: u64, size: u64) -> Result<i64, HookError> {
    let size = size.min(MOST_RANDOM);
    fill_random(cx, to, size)?;
    Ok(size as i64)
}

/// Fills memory with random bytes.
pub(crate) fn fill_random(cx: &mut HookContext<'_>, to: u64, size: u64) -> Result<(), HookError> {
    /// No program asks for more at once.
    const MOST: u64 = 1 << 20;
    /// That are made in the time of an instruction.
    const BYTES: u64 = 4;
    let size = size.min(MOST);
    cx.memory.charge(size / BYTES);
    let bytes = cx.cpu.random_bytes(size as usize);
    cx.memory.write_bytes(to, &bytes)?;
    Ok(())
}

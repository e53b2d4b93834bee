//! System calls of the BSDs, and of macOS up to Go 1.11, by Linux's numbers.

use goemu_loader::Os;

/// Class of the BSD calls on macOS.
const DARWIN_UNIX: u64 = 2 << 24;

/// The number that Linux gives the call that has this number on `os`, if it is one that is answered.
pub(super) fn linux_number(os: Os, number: u64) -> Option<u64> {
    let number = if os == Os::Darwin { number ^ DARWIN_UNIX } else { number };
    Some(match (os, number) {
        (Os::Linux | Os::Android, number) => number,
        (Os::Windows | Os::Solaris | Os::Illumos, _) => return None,
        // exit, read, write, getpid, munmap, madvise
        (_, 1) => 231,
        (_, 3) => 0,
        (_, 4) => 1,
        (_, 20) => 39,
        (_, 73) => 11,
        (_, 75) => 28,
        // mmap
        (Os::FreeBsd, 477) | (Os::NetBsd | Os::OpenBsd | Os::DragonFly | Os::Darwin, 197) => 9,
        // clock_gettime
        (Os::FreeBsd | Os::DragonFly, 232) | (Os::NetBsd, 427) | (Os::OpenBsd, 87) => 228,
        _ => return None,
    })
}

/// Whether errors are told by the carry flag, not by negative results.
pub(crate) fn tells_by_carry(os: Os) -> bool {
    !matches!(os, Os::Linux | Os::Android)
}

//! System calls of the BSDs, and of macOS up to Go 1.11, by Linux's numbers.

use goemu_loader::Os;

/// Class of the BSD calls on macOS.
const DARWIN_UNIX: u64 = 2 << 24;

/// Linux's number of the call that has this number on `os`, if goemu answers it.
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
        // ioctl, fcntl, getrlimit, setrlimit: package initialisers call them
        (_, 54) => 16,
        (_, 92) => 72,
        (_, 194) => 97,
        (_, 195) => 160,
        // mmap
        (Os::FreeBsd, 477) | (Os::NetBsd | Os::OpenBsd | Os::DragonFly | Os::Darwin, 197) => 9,
        // open, openat, sysctl, sysctlbyname: refused, like Linux's open
        (_, 5 | 202) | (Os::FreeBsd, 499 | 570) => 2,
        // clock_gettime
        (Os::FreeBsd | Os::DragonFly, 232) | (Os::NetBsd, 427) | (Os::OpenBsd, 87) => 228,
        _ => return None,
    })
}

/// Whether the carry flag reports errors, and not a negative result.
pub(crate) fn tells_by_carry(os: Os) -> bool {
    !matches!(os, Os::Linux | Os::Android)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_systems_own() {
        for (os, number, linux) in [
            (Os::FreeBsd, 3, Some(0)),
            (Os::OpenBsd, 4, Some(1)),
            (Os::FreeBsd, 194, Some(97)),
            (Os::NetBsd, 195, Some(160)),
            (Os::DragonFly, 54, Some(16)),
            (Os::Darwin, DARWIN_UNIX | 92, Some(72)),
            (Os::Linux, 194, Some(194)),
            (Os::Windows, 3, None),
            (Os::FreeBsd, 202, Some(2)),
            (Os::FreeBsd, 6, None),
        ] {
            assert_eq!(linux_number(os, number), linux, "{os:?} {number}");
        }
    }
}

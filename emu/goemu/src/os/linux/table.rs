//! The emulated system calls: number, name, arguments, and the function that carries them out. All others are refused
//! with EPERM.

use super::{Args, Kernel, clock, epoll, files, futex, identity, memory, signal, threads};
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// Carries out a system call.
type Body = fn(&mut Kernel, &mut HookContext<'_>, Args) -> Result<SyscallReturn, HookError>;

/// A system call.
pub struct Entry {
    /// Linux's number on x86-64.
    pub number: u64,
    /// Its name.
    pub name: &'static str,
    /// The names of its arguments.
    pub args: &'static str,
    pub(super) body: Body,
}

macro_rules! calls {
    ($($number:literal $name:ident ($($arg:ident),*) => $body:path;)*) => {
        /// The system calls, by number.
        pub const CALLS: &[Entry] = &[$(Entry {
            number: $number,
            name: stringify!($name),
            args: stringify!($($arg),*),
            body: $body,
        }),*];
    };
}

calls! {
    0   read(file, to, size)                            => files::read;
    1   write(file, from, size)                         => files::write;
    3   close(file)                                     => files::close;
    5   fstat(file, status)                             => files::fstat;
    8   lseek(file, offset, whence)                     => files::lseek;
    9   mmap(address, size, protection, flags, file, offset) => memory::mmap;
    10  mprotect(address, size, protection)             => memory::mprotect;
    11  munmap(address, size)                           => memory::munmap;
    12  brk(address)                                    => memory::brk;
    13  rt_sigaction(signal, new, old, size)            => signal::rt_sigaction;
    14  rt_sigprocmask(how, new, old, size)             => signal::rt_sigprocmask;
    15  rt_sigreturn()                                  => signal::rt_sigreturn;
    16  ioctl(file, request, argument)                  => files::ioctl;
    20  writev(file, vectors, count)                    => files::writev;
    22  pipe(files)                                     => files::pipe;
    24  sched_yield()                                   => threads::sched_yield;
    28  madvise(address, size, advice)                  => memory::madvise;
    35  nanosleep(request, rest)                        => clock::nanosleep;
    39  getpid()                                        => identity::getpid;
    56  clone(flags, stack, parent_tid, child_tid, tls) => threads::clone;
    60  exit(code)                                      => threads::exit;
    62  kill(process, signal)                           => signal::kill;
    63  uname(to)                                       => identity::uname;
    72  fcntl(file, command, argument)                  => files::fcntl;
    79  getcwd(to, size)                                => identity::no_file;
    89  readlink(path, to, size)                        => identity::no_file;
    96  gettimeofday(to, zone)                          => clock::gettimeofday;
    97  getrlimit(resource, limits)                     => identity::getrlimit;
    98  getrusage(who, usage)                           => identity::getrusage;
    102 getuid()                                        => identity::zero;
    104 getgid()                                        => identity::zero;
    107 geteuid()                                       => identity::zero;
    108 getegid()                                       => identity::zero;
    110 getppid()                                       => identity::zero;
    131 sigaltstack(new, old)                           => signal::sigaltstack;
    158 arch_prctl(code, address)                       => threads::arch_prctl;
    160 setrlimit(resource, limits)                     => identity::zero;
    186 gettid()                                        => threads::gettid;
    201 time(to)                                        => clock::time;
    202 futex(address, operation, value, timeout)       => futex::futex;
    204 sched_getaffinity(process, size, mask)          => identity::sched_getaffinity;
    213 epoll_create(size)                              => epoll::create;
    218 set_tid_address(address)                        => threads::set_tid_address;
    228 clock_gettime(clock, to)                        => clock::clock_gettime;
    229 clock_getres(clock, to)                         => clock::clock_getres;
    230 clock_nanosleep(clock, flags, request, rest)    => clock::clock_nanosleep;
    231 exit_group(code)                                => threads::exit_group;
    232 epoll_wait(epoll, events, room, timeout)        => epoll::wait;
    233 epoll_ctl(epoll, operation, file, event)        => epoll::control;
    234 tgkill(process, thread, signal)                 => signal::tgkill;
    267 readlinkat(folder, path, to, size)              => identity::no_file;
    270 pselect6(count, read, write, except, timeout, mask) => clock::pselect6;
    281 epoll_pwait(epoll, events, room, timeout, mask) => epoll::wait;
    290 eventfd2(count, flags)                          => files::eventfd;
    291 epoll_create1(flags)                            => epoll::create;
    293 pipe2(files, flags)                             => files::pipe;
    302 prlimit64(process, resource, new, old)          => identity::prlimit64;
    318 getrandom(to, size, flags)                      => identity::getrandom;
}

/// The row of a number.
pub fn find(number: u64) -> Option<&'static Entry> {
    let at = CALLS.binary_search_by_key(&number, |entry| entry.number).ok()?;
    CALLS.get(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found() {
        for entry in CALLS {
            assert_eq!(find(entry.number).map(|found| found.name), Some(entry.name));
        }
        assert!(find(2).is_none(), "files cannot be opened");
    }
}

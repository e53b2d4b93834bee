//! The emulated system calls: number, name, arguments, and the function that carries them out. All others are refused
//! with EPERM.

use super::{
    Args, Kernel, attributes, clock, epoll, files, futex, identity, io, memory, paths, pipes, signal,
    sockets, splice, status, threads, traits,
};
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
    /// Whether it looks at contents of files, or may be the last call: memory that is shared with a file is written back before.
    pub(super) looks_at_files: bool,
}

macro_rules! calls {
    ($($number:literal $name:ident ($($arg:ident),*) => $body:path $(, $looks:ident)?;)*) => {
        /// The system calls, by number.
        pub const CALLS: &[Entry] = &[$(Entry {
            number: $number,
            name: stringify!($name),
            args: stringify!($($arg),*),
            body: $body,
            looks_at_files: calls!(@ $($looks)?),
        }),*];
    };
    (@) => { false };
    (@ looks_at_files) => { true };
}

calls! {
    0   read(file, to, size) => io::read, looks_at_files;
    1   write(file, from, size) => io::write;
    2   open(path, flags, mode) => paths::open;
    3   close(file) => files::close, looks_at_files;
    4   stat(path, status) => status::stat;
    5   fstat(file, status) => status::fstat;
    6   lstat(path, status) => status::lstat;
    7   poll(files, count, timeout) => epoll::poll;
    8   lseek(file, offset, whence) => io::lseek;
    9   mmap(address, size, protection, flags, file, offset) => memory::mmap, looks_at_files;
    10  mprotect(address, size, protection) => memory::mprotect;
    11  munmap(address, size) => memory::munmap, looks_at_files;
    12  brk(address) => memory::brk;
    13  rt_sigaction(signal, new, old, size) => signal::rt_sigaction;
    14  rt_sigprocmask(how, new, old, size) => signal::rt_sigprocmask;
    15  rt_sigreturn() => signal::rt_sigreturn;
    16  ioctl(file, request, argument) => files::ioctl;
    17  pread64(file, to, size, offset) => io::pread64, looks_at_files;
    18  pwrite64(file, from, size, offset) => io::pwrite64;
    19  readv(file, vectors, count) => io::readv, looks_at_files;
    20  writev(file, vectors, count) => io::writev;
    21  access(path, mode) => paths::access;
    22  pipe(files) => pipes::pipe;
    24  sched_yield() => threads::sched_yield;
    26  msync(address, size, flags) => memory::msync, looks_at_files;
    27  mincore(address, size, to) => memory::mincore;
    28  madvise(address, size, advice) => memory::madvise;
    32  dup(file) => files::dup;
    33  dup2(file, number) => files::dup2;
    35  nanosleep(request, rest) => clock::nanosleep;
    39  getpid() => identity::getpid;
    40  sendfile(to, from, at, size) => io::sendfile, looks_at_files;
    41  socket(family, kind, protocol) => sockets::socket;
    42  connect(socket, address, size) => sockets::connect;
    43  accept(socket, address, size) => sockets::accept;
    44  sendto(socket, from, size, flags, address, address_size) => sockets::sendto;
    45  recvfrom(socket, to, size, flags, address, address_size) => sockets::recvfrom;
    46  sendmsg(socket, message, flags) => sockets::sendmsg;
    47  recvmsg(socket, message, flags) => sockets::recvmsg;
    48  shutdown(socket, how) => sockets::shutdown;
    49  bind(socket, address, size) => sockets::bind;
    50  listen(socket, backlog) => sockets::listen;
    51  getsockname(socket, to, size) => sockets::getsockname;
    52  getpeername(socket, to, size) => sockets::getpeername;
    53  socketpair(family, kind, protocol, to) => sockets::socketpair;
    54  setsockopt(socket, level, name, from, size) => sockets::setsockopt;
    55  getsockopt(socket, level, name, to, size) => sockets::getsockopt;
    56  clone(flags, stack, parent_tid, child_tid, tls) => threads::clone;
    60  exit(code) => threads::exit, looks_at_files;
    61  wait4(process, status, options, usage) => identity::no_child;
    62  kill(process, signal) => signal::kill;
    63  uname(to) => identity::uname;
    72  fcntl(file, command, argument) => files::fcntl;
    73  flock(file, operation) => files::flock;
    74  fsync(file) => io::sync, looks_at_files;
    75  fdatasync(file) => io::sync, looks_at_files;
    76  truncate(path, size) => paths::truncate;
    77  ftruncate(file, size) => io::ftruncate;
    79  getcwd(to, size) => paths::getcwd;
    80  chdir(path) => paths::chdir;
    81  fchdir(folder) => paths::fchdir;
    82  rename(from, to) => paths::rename;
    83  mkdir(path, mode) => paths::mkdir;
    84  rmdir(path) => paths::rmdir;
    85  creat(path, mode) => paths::creat;
    86  link(from, to) => paths::link;
    87  unlink(path) => paths::unlink;
    88  symlink(target, path) => paths::symlink;
    89  readlink(path, to, size) => paths::readlink;
    90  chmod(path, mode) => status::chmod;
    91  fchmod(file, mode) => status::fchmod;
    92  chown(path, user, group) => status::chown;
    93  fchown(file, user, group) => status::fchown;
    94  lchown(path, user, group) => status::lchown;
    95  umask(mask) => paths::umask;
    96  gettimeofday(to, zone) => clock::gettimeofday;
    97  getrlimit(resource, limits) => identity::getrlimit;
    98  getrusage(who, usage) => identity::getrusage;
    99  sysinfo(to) => identity::sysinfo;
    100 times(to) => identity::times;
    102 getuid() => identity::zero;
    104 getgid() => identity::zero;
    107 geteuid() => identity::zero;
    108 getegid() => identity::zero;
    110 getppid() => identity::zero;
    111 getpgrp() => identity::getpid;
    115 getgroups(size, list) => identity::zero;
    121 getpgid(process) => identity::getpid;
    124 getsid(process) => identity::getpid;
    125 capget(header, data) => identity::capget;
    131 sigaltstack(new, old) => signal::sigaltstack;
    133 mknod(path, mode, device) => paths::mknod;
    137 statfs(path, to) => status::statfs;
    138 fstatfs(file, to) => status::fstatfs;
    140 getpriority(which, who) => identity::getpriority;
    157 prctl(operation, value) => traits::prctl;
    158 arch_prctl(code, address) => threads::arch_prctl;
    160 setrlimit(resource, limits) => identity::zero;
    162 sync() => identity::zero;
    186 gettid() => threads::gettid;
    188 setxattr(path, name, value, size, flags) => attributes::refuse;
    189 lsetxattr(path, name, value, size, flags) => attributes::refuse;
    190 fsetxattr(file, name, value, size, flags) => attributes::refuse;
    191 getxattr(path, name, to, size) => attributes::get;
    192 lgetxattr(path, name, to, size) => attributes::get_of_link;
    193 fgetxattr(file, name, to, size) => attributes::get_of_open;
    194 listxattr(path, to, size) => attributes::list;
    195 llistxattr(path, to, size) => attributes::list_of_link;
    196 flistxattr(file, to, size) => attributes::list_of_open;
    197 removexattr(path, name) => attributes::refuse;
    198 lremovexattr(path, name) => attributes::refuse;
    199 fremovexattr(file, name) => attributes::refuse;
    201 time(to) => clock::time;
    202 futex(address, operation, value, timeout) => futex::futex;
    204 sched_getaffinity(process, size, mask) => identity::sched_getaffinity;
    213 epoll_create(size) => epoll::create_sized;
    217 getdents64(folder, to, size) => status::getdents64;
    218 set_tid_address(address) => threads::set_tid_address;
    228 clock_gettime(clock, to) => clock::clock_gettime;
    229 clock_getres(clock, to) => clock::clock_getres;
    230 clock_nanosleep(clock, flags, request, rest) => clock::clock_nanosleep;
    231 exit_group(code) => threads::exit_group, looks_at_files;
    232 epoll_wait(epoll, events, room, timeout) => epoll::wait;
    233 epoll_ctl(epoll, operation, file, event) => epoll::control;
    234 tgkill(process, thread, signal) => signal::tgkill;
    235 utimes(path, times) => status::utimes;
    247 waitid(kind, process, information, options, usage) => identity::no_child;
    257 openat(folder, path, flags, mode) => paths::openat;
    258 mkdirat(folder, path, mode) => paths::mkdirat;
    259 mknodat(folder, path, mode, device) => paths::mknodat;
    260 fchownat(folder, path, user, group, flags) => status::fchownat;
    262 newfstatat(folder, path, status, flags) => status::fstatat;
    263 unlinkat(folder, path, flags) => paths::unlinkat;
    264 renameat(from_folder, from, to_folder, to) => paths::renameat;
    265 linkat(from_folder, from, to_folder, to, flags) => paths::linkat;
    266 symlinkat(target, folder, path) => paths::symlinkat;
    267 readlinkat(folder, path, to, size) => paths::readlinkat;
    268 fchmodat(folder, path, mode) => status::fchmodat;
    269 faccessat(folder, path, mode) => paths::faccessat_plain;
    270 pselect6(count, read, write, except, timeout, mask) => clock::pselect6;
    271 ppoll(files, count, timeout, mask) => epoll::ppoll;
    275 splice(from, from_at, to, to_at, size, flags) => splice::splice, looks_at_files;
    280 utimensat(folder, path, times, flags) => status::utimensat;
    281 epoll_pwait(epoll, events, room, timeout, mask) => epoll::wait;
    285 fallocate(file, mode, offset, size) => io::fallocate;
    288 accept4(socket, address, size, flags) => sockets::accept4;
    290 eventfd2(count, flags) => files::eventfd;
    291 epoll_create1(flags) => epoll::create;
    292 dup3(file, number, flags) => files::dup_to;
    293 pipe2(files, flags) => pipes::pipe2;
    295 preadv(file, vectors, count, offset) => io::preadv, looks_at_files;
    296 pwritev(file, vectors, count, offset) => io::pwritev;
    302 prlimit64(process, resource, new, old) => identity::prlimit64;
    316 renameat2(from_folder, from, to_folder, to, flags) => paths::renameat2;
    318 getrandom(to, size, flags) => identity::getrandom;
    319 memfd_create(name, flags) => status::memfd_create;
    435 clone3(arguments, size) => threads::clone3;
    436 close_range(first, last, flags) => files::close_range;
    439 faccessat2(folder, path, mode, flags) => paths::faccessat;
    452 fchmodat2(folder, path, mode, flags) => status::fchmodat2;
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
        assert!(find(59).is_none(), "other programs cannot be started");
    }
}

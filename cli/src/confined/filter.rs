//! Which system calls are left (seccomp).

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

use super::{Needs, Sockets};

/// Memory, threads, time, signals to itself, and files that are open.
const ALWAYS: &[i64] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_ftruncate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_dup,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_poll,
    libc::SYS_ppoll,
    libc::SYS_memfd_create,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_futex,
    libc::SYS_clone3,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_arch_prctl,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getcpu,
    libc::SYS_sysinfo,
    libc::SYS_uname,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_getrandom,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    // A pair of pipes among the process's own threads, by which signals are told of.
    libc::SYS_socketpair,
    libc::SYS_recvfrom,
];
/// What can be asked of a file that is open: not to signal another process when it is ready.
const OF_FILES: [u64; 9] = [
    libc::F_DUPFD as u64,
    libc::F_DUPFD_CLOEXEC as u64,
    libc::F_GETFD as u64,
    libc::F_SETFD as u64,
    libc::F_GETFL as u64,
    libc::F_SETFL as u64,
    libc::F_ADD_SEALS as u64,
    libc::F_GET_SEALS as u64,
    libc::F_GETPIPE_SZ as u64,
];
/// Files by their names.
const FILES: &[i64] = &[
    libc::SYS_open,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_newfstatat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_rmdir,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_linkat,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_utimensat,
    libc::SYS_fallocate,
    libc::SYS_copy_file_range,
    libc::SYS_fstatfs,
];
/// Somebody at a socket that is open.
const ACCEPT: &[i64] = &[
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
];
/// Sockets of one's own, many at a time.
const CONNECT: &[i64] = &[
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_wait,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_socket,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_connect,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
];
/// Requests of ioctl: a terminal's size, whether a file is a terminal, and that a socket does not wait.
const REQUESTS: [u64; 3] = [libc::TIOCGWINSZ, libc::TCGETS, libc::FIONBIO];

/// Installs the filters: whether they hold, which they do unless the kernel has none.
pub(super) fn install(needs: &Needs) -> bool {
    // Either of them alone is no worse than neither.
    let hold =
        |program: Option<BpfProgram>| program.is_some_and(|all| apply_filter_all_threads(&all).is_ok());
    [no_clone3(), allowed(needs)].map(hold) == [true, true]
}

/// Only these, with EPERM for all others.
pub(super) fn allowed(needs: &Needs) -> Option<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALWAYS.iter().map(|&call| (call, Vec::new())).collect();
    if needs.names_files() {
        rules.extend(FILES.iter().map(|&call| (call, Vec::new())));
    }
    if needs.sockets >= Sockets::Accept {
        rules.extend(ACCEPT.iter().map(|&call| (call, Vec::new())));
    }
    if needs.sockets >= Sockets::Connect {
        rules.extend(CONNECT.iter().map(|&call| (call, Vec::new())));
    }
    let threads = libc::CLONE_THREAD as u64;
    let is_thread = SeccompCmpOp::MaskedEq(threads);
    rules.insert(libc::SYS_clone, vec![rule(0, is_thread, threads)?]);
    let asked = OF_FILES.iter().map(|&asked| rule(1, SeccompCmpOp::Eq, asked));
    rules.insert(libc::SYS_fcntl, asked.collect::<Option<_>>()?);
    // Limits and signals of this process alone, and messages to whom a socket is connected with.
    rules.insert(libc::SYS_prlimit64, vec![rule(0, SeccompCmpOp::Eq, 0)?]);
    rules.insert(libc::SYS_tgkill, vec![rule(0, SeccompCmpOp::Eq, std::process::id().into())?]);
    let nobody = SeccompCondition::new(4, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0).ok()?;
    rules.insert(libc::SYS_sendto, vec![SeccompRule::new(vec![nobody]).ok()?]);
    let requests = REQUESTS.iter().map(|&request| rule(1, SeccompCmpOp::Eq, request));
    rules.insert(libc::SYS_ioctl, requests.collect::<Option<_>>()?);
    program(rules, SeccompAction::Errno(libc::EPERM as u32), SeccompAction::Allow)
}

/// Its flags are in memory, where a filter cannot look: the C library then asks by `clone`.
fn no_clone3() -> Option<BpfProgram> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    program(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32))
}

fn rule(argument: u8, compare: SeccompCmpOp, value: u64) -> Option<SeccompRule> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value).ok()?;
    SeccompRule::new(vec![condition]).ok()
}

fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    others: SeccompAction,
    these: SeccompAction,
) -> Option<BpfProgram> {
    SeccompFilter::new(rules, others, these, TargetArch::x86_64).ok()?.try_into().ok()
}

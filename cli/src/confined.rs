//! A second wall: once its files are open, the process gives up what it does not need, so that a guest which broke out of
//! its memory reaches no file, no network and no other process. Linux on x86-64 alone has it (seccomp).

use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user wants to do without.
static OFF: AtomicBool = AtomicBool::new(false);

/// What is still needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// What is open.
    Nothing,
    /// Files that are written later.
    Files,
}

/// From now on [`confine`] does nothing.
pub(crate) fn switch_off() {
    OFF.store(true, Ordering::Relaxed);
}

/// Gives up everything else, for all threads and for good. A kernel without seccomp keeps the process as it is.
pub(crate) fn confine(needs: Needs) {
    if !OFF.load(Ordering::Relaxed) {
        // Libraries look at files about the process when they are first used; a memory that is made uses them.
        drop(goemu::memory::Memory::new(1));
        filter::install(needs);
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod filter {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
        SeccompRule, TargetArch, apply_filter_all_threads,
    };

    use super::Needs;

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
        libc::SYS_fcntl,
        libc::SYS_dup,
        libc::SYS_pipe2,
        libc::SYS_eventfd2,
        libc::SYS_prlimit64,
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
        libc::SYS_tgkill,
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
        libc::SYS_sendto,
        libc::SYS_recvfrom,
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
    /// A request for a terminal's size, and whether a file is a terminal.
    const TERMINAL: [u64; 2] = [libc::TIOCGWINSZ, libc::TCGETS];

    /// Installs the filters, unless the kernel has none.
    pub(super) fn install(needs: Needs) {
        // Either of them alone is no worse than neither.
        for program in [no_clone3(), allowed(needs)].into_iter().flatten() {
            let _ = apply_filter_all_threads(&program);
        }
    }

    /// Only these, with EPERM for all others.
    fn allowed(needs: Needs) -> Option<BpfProgram> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
            ALWAYS.iter().map(|&call| (call, Vec::new())).collect();
        if needs == Needs::Files {
            rules.extend(FILES.iter().map(|&call| (call, Vec::new())));
        }
        let threads = libc::CLONE_THREAD as u64;
        let is_thread = SeccompCmpOp::MaskedEq(threads);
        rules.insert(libc::SYS_clone, vec![rule(0, is_thread, threads)?]);
        let terminal = TERMINAL.iter().map(|&request| rule(1, SeccompCmpOp::Eq, request));
        rules.insert(libc::SYS_ioctl, terminal.collect::<Option<_>>()?);
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
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod filter {
    /// There is none here.
    pub(super) fn install(_: super::Needs) {}
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use std::fs::{self, File};
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::process::Command;

    use super::{Needs, confine};

    /// What the variable says when the test runs as the process that is confined.
    const CONFINED: &str = "GOEMU_TEST_CONFINED";

    /// The confined process is one of its own: filters stay for good.
    #[test]
    fn a_confined_process_opens_no_file_and_no_socket() {
        match std::env::var(CONFINED).as_deref() {
            Ok("nothing") => return confined(Needs::Nothing),
            Ok("files") => return confined(Needs::Files),
            _ => {}
        }
        for needs in ["nothing", "files"] {
            let mut command = Command::new(std::env::current_exe().expect("this program"));
            command.args(["--exact", "confined::tests::a_confined_process_opens_no_file_and_no_socket"]);
            let output = command.args(["--nocapture", "--test-threads=1"]).env(CONFINED, needs).output();
            let output = output.expect("it runs");
            let told = format!("{output:?}");
            assert!(output.status.success() && told.contains("1 passed"), "{needs}: {told}");
        }
    }

    fn confined(needs: Needs) {
        let mut open = File::open("/proc/self/status").expect("before");
        let listener = TcpListener::bind("127.0.0.1:0").expect("before");
        let port = listener.local_addr().expect("an address").port();
        confine(needs);
        let refused = |kind: Option<ErrorKind>| kind == Some(ErrorKind::PermissionDenied);
        if needs == Needs::Nothing {
            assert!(refused(File::open("/etc/passwd").err().map(|error| error.kind())));
            assert!(refused(fs::write("/tmp/goemu-confined", "x").err().map(|error| error.kind())));
            assert!(refused(fs::remove_file("/tmp/goemu-confined").err().map(|error| error.kind())));
        }
        assert!(refused(TcpStream::connect(("127.0.0.1", port)).err().map(|error| error.kind())));
        assert!(refused(UdpSocket::bind("127.0.0.1:0").err().map(|error| error.kind())));
        assert!(refused(Command::new("/bin/true").status().err().map(|error| error.kind())));
        // What is open stays so, in old threads and new ones.
        let read = std::thread::spawn(move || open.read_to_string(&mut String::new())).join();
        assert!(read.expect("a thread").expect("a file that was open") > 0);
        std::io::stdout().write_all(b"written\n").expect("an output");
    }
}

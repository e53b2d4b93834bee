use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Resource;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

use super::{Needs, Sockets, Walls, confine, files, filter};

/// What the variables say when the test runs as the process that is confined: what it is to do, and in which folder.
const CONFINED: &str = "GOEMU_TEST_CONFINED";
const FOLDER: &str = "GOEMU_TEST_FOLDER";

/// The confined process is one of its own: walls stay for good.
#[test]
fn a_confined_process_reaches_what_it_needs_and_nothing_else() {
    if let Ok(needs) = std::env::var(CONFINED) {
        return match needs.as_str() {
            "nothing" => needs_nothing(),
            "files" => needs_files(&folder_of_test(), true),
            "files-of-an-old-kernel" => {
                without_landlock();
                needs_files(&folder_of_test(), false);
            }
            "nothing-of-an-old-kernel" => {
                without_landlock();
                confine(&Needs::nothing());
                assert_eq!(Walls::here().told(), "seccomp (the kernel has no Landlock)");
            }
            _ => needs_a_debugger(),
        };
    }
    let guard = Folder(std::env::temp_dir().join(format!("goemu-confined-{}", std::process::id())));
    let folder = &guard.0;
    for name in ["read", "changed", "other", "made"] {
        fs::create_dir_all(folder.join(name)).expect("a folder");
        fs::write(folder.join(name).join("file"), "before").expect("a file");
    }
    for needs in ["nothing", "nothing-of-an-old-kernel", "files-of-an-old-kernel", "files", "debugger"] {
        for (name, file) in [("other", "file"), ("changed", "file"), ("read", "file")] {
            fs::write(folder.join(name).join(file), "before").expect("a file");
        }
        let _ = fs::remove_dir(folder.join("changed/folder"));
        let _ = fs::remove_file(folder.join("made/new"));
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args(["--exact", "confined::tests::a_confined_process_reaches_what_it_needs_and_nothing_else"]);
        command.args(["--nocapture", "--test-threads=1"]).env(CONFINED, needs).env(FOLDER, folder);
        let output = command.output().expect("it runs");
        let told = format!("{output:?}");
        assert!(output.status.success() && told.contains("1 passed"), "{needs}: {told}");
    }
}

/// A folder that is removed when the test ends, whichever way.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder_of_test() -> PathBuf {
    PathBuf::from(std::env::var_os(FOLDER).expect("the folder"))
}

/// From now on the kernel is one that knows no Landlock.
fn without_landlock() {
    let rules = BTreeMap::from([(libc::SYS_landlock_create_ruleset, Vec::new())]);
    let (others, unknown) = (SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32));
    let filter = SeccompFilter::new(rules, others, unknown, TargetArch::x86_64).expect("a filter");
    let program: BpfProgram = filter.try_into().expect("a program");
    apply_filter_all_threads(&program).expect("it is installed");
}

fn needs_nothing() {
    let mut open = File::open("/proc/self/status").expect("before");
    let listener = TcpListener::bind("127.0.0.1:0").expect("before");
    let port = listener.local_addr().expect("an address").port();
    let outside = folder_of_test().join("socket");
    let heard = UnixDatagram::bind(&outside).expect("before");
    heard.set_nonblocking(true).expect("before");
    let parent = rustix::process::getppid();
    confine(&Needs::nothing());
    assert!(Walls::here().seccomp, "{}", Walls::here().told());
    // Threads have a pair of sockets for signals, which could otherwise be told to send elsewhere.
    let (pair, _other) = UnixDatagram::pair().expect("a pair");
    assert_refused(pair.send_to(b"x", &outside));
    assert!(heard.recv(&mut [0; 8]).is_err());
    // Another process's limits, by which it could be ended.
    let refused =
        rustix::process::prlimit(parent, Resource::Core, rustix::process::getrlimit(Resource::Core));
    assert_eq!(refused, Err(rustix::io::Errno::PERM));
    assert_refused(File::open("/etc/passwd"));
    assert_refused(fs::write("/tmp/goemu-confined", "x"));
    assert_refused(fs::remove_file("/tmp/goemu-confined"));
    assert_refused(TcpStream::connect(("127.0.0.1", port)));
    no_network_and_no_programs();
    // What is open stays so, in old threads and new ones.
    let read = std::thread::spawn(move || open.read_to_string(&mut String::new())).join();
    assert!(read.expect("a thread").expect("a file that was open") > 0);
    io::stdout().write_all(b"written\n").expect("an output");
}

fn needs_files(folder: &Path, landlock: bool) {
    let path = |name: &str| folder.join(name);
    let needs = Needs::nothing().reading([path("read")]).changing([path("changed")]);
    let needs = needs.writing([path("other/file"), path("made/new")]);
    let limited = files::restrict(&needs).expect("rules");
    assert!(landlock || !limited, "it says what it could not do");
    assert!(filter::install(&needs));
    fs::read(path("read/file")).expect("a file that it reads");
    fs::write(path("other/file"), "after").expect("a file that it writes");
    fs::write(path("made/new"), "made").expect("a file that it makes");
    fs::create_dir(path("changed/folder")).expect("a folder that it changes");
    fs::remove_file(path("changed/file")).expect("a folder that it changes");
    no_network_and_no_programs();
    // A kernel without Landlock cannot tell files apart.
    if limited {
        assert_refused(File::open("/etc/passwd"));
        assert_refused(fs::read(path("other/file")));
        assert_refused(fs::write(path("read/file"), "after"));
        assert_refused(fs::remove_file(path("read/file")));
        assert_refused(fs::remove_file(path("other/file")));
        let thread = std::thread::spawn(move || File::open("/etc/passwd"));
        assert_refused(thread.join().expect("a thread"));
    }
}

fn needs_a_debugger() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("before");
    let address = listener.local_addr().expect("an address");
    let outside = std::thread::spawn(move || TcpStream::connect(address));
    let mut client = outside.join().expect("a thread").expect("a listener");
    confine(&Needs::nothing().sockets(Sockets::Accept));
    let (mut served, _) = listener.accept().expect("somebody at the door");
    served.set_nodelay(true).expect("an option");
    client.write_all(b"?").expect("a socket that was open");
    served.read_exact(&mut [0]).expect("what was written");
    assert_refused(TcpStream::connect(address));
    assert_refused(File::open("/etc/passwd"));
    no_network_and_no_programs();
}

fn no_network_and_no_programs() {
    assert_refused(UdpSocket::bind("127.0.0.1:0"));
    assert_refused(TcpListener::bind("127.0.0.1:0"));
    assert_refused(Command::new("/bin/true").status());
}

fn assert_refused<T>(done: io::Result<T>) {
    let error = done.err().expect("it is refused");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
}

/// What the filter says of a system call with these arguments: whether it is carried out.
fn allows(program: &BpfProgram, number: i64, args: [u64; 6]) -> bool {
    // `struct seccomp_data`: number, architecture, address, arguments.
    let mut data = number.cast_unsigned().to_le_bytes()[..4].to_vec();
    data.extend(0xc000_003e_u32.to_le_bytes());
    data.extend([0; 8]);
    data.extend(args.iter().flat_map(|arg| arg.to_le_bytes()));
    let (mut at, mut value) = (0, 0_u32);
    loop {
        let insn = &program[at];
        at += 1;
        let jump = |taken: bool| usize::from(if taken { insn.jt } else { insn.jf });
        match insn.code {
            0x20 => {
                let from = insn.k as usize;
                value = u32::from_le_bytes(data[from..from + 4].try_into().expect("four bytes"));
            }
            0x54 => value &= insn.k,
            0x05 => at += insn.k as usize,
            0x15 => at += jump(value == insn.k),
            0x25 => at += jump(value > insn.k),
            0x35 => at += jump(value >= insn.k),
            0x45 => at += jump(value & insn.k != 0),
            0x06 => return insn.k == libc::SECCOMP_RET_ALLOW,
            code => panic!("an instruction of another kind: {code:#x}"),
        }
    }
}

/// Other processes are out of reach: what signals, traces, starts or limits them, and what makes files and sockets do so.
#[test]
fn the_filter_keeps_other_processes_apart() {
    let filter = |needs: &Needs| filter::allowed(needs).expect("a filter");
    let (own, other) = (u64::from(std::process::id()), 1);
    let nothing = filter(&Needs::nothing());
    let all = [
        filter(&Needs::nothing().sockets(Sockets::Connect)),
        filter(&Needs::nothing().reading_any().changing(["/tmp"]).sockets(Sockets::Accept)),
    ];
    let allowed: &[(i64, &[u64])] = &[
        (libc::SYS_tgkill, &[own, own, 6]),
        (libc::SYS_prlimit64, &[0, 3]),
        (libc::SYS_fcntl, &[0, libc::F_GETFL as u64]),
        (libc::SYS_sendto, &[3, 0x1000, 1, 0, 0, 0]),
        (libc::SYS_clone, &[libc::CLONE_THREAD as u64 | libc::CLONE_VM as u64]),
        (libc::SYS_ioctl, &[1, libc::TCGETS]),
    ];
    let refused: &[(i64, &[u64])] = &[
        (libc::SYS_tgkill, &[other, other, 9]),
        (libc::SYS_tgkill, &[u64::from(u32::MAX), 1, 9]),
        (libc::SYS_tkill, &[other, 9]),
        (libc::SYS_kill, &[other, 9]),
        (libc::SYS_kill, &[own, 9]),
        (libc::SYS_kill, &[0, 9]),
        (libc::SYS_kill, &[u64::MAX, 9]),
        (libc::SYS_rt_sigqueueinfo, &[other, 9]),
        (libc::SYS_rt_tgsigqueueinfo, &[other, other, 9]),
        (libc::SYS_pidfd_open, &[other]),
        (libc::SYS_pidfd_send_signal, &[3, 9]),
        (libc::SYS_pidfd_getfd, &[3, 0]),
        (libc::SYS_fcntl, &[0, libc::F_SETOWN as u64, other]),
        // F_SETOWN_EX, F_SETSIG, F_NOTIFY and a lease
        (libc::SYS_fcntl, &[0, 15]),
        (libc::SYS_fcntl, &[0, 10, 9]),
        (libc::SYS_fcntl, &[0, 1026]),
        (libc::SYS_fcntl, &[0, 1024]),
        // FIOSETOWN, SIOCSPGRP, FIOASYNC, TIOCSTI
        (libc::SYS_ioctl, &[0, 0x8901, other]),
        (libc::SYS_ioctl, &[0, 0x8902, other]),
        (libc::SYS_ioctl, &[0, 0x5452]),
        (libc::SYS_ioctl, &[0, libc::TIOCSTI]),
        (libc::SYS_prlimit64, &[other, 3]),
        (libc::SYS_prlimit64, &[own, 3]),
        (libc::SYS_setpriority, &[0, other]),
        (libc::SYS_sched_setaffinity, &[other]),
        (libc::SYS_sendto, &[3, 0x1000, 1, 0, 0x2000, 16]),
        (libc::SYS_sendmmsg, &[3]),
        (libc::SYS_ptrace, &[16, other]),
        (libc::SYS_process_vm_readv, &[other]),
        (libc::SYS_process_vm_writev, &[other]),
        (libc::SYS_process_madvise, &[3]),
        (libc::SYS_fork, &[]),
        (libc::SYS_vfork, &[]),
        (libc::SYS_clone, &[libc::SIGCHLD as u64]),
        (libc::SYS_execve, &[]),
        (libc::SYS_execveat, &[]),
        (libc::SYS_io_uring_setup, &[]),
        (libc::SYS_bpf, &[]),
        (libc::SYS_shmget, &[]),
        (libc::SYS_msgsnd, &[]),
    ];
    let whole = |args: &[u64]| std::array::from_fn(|n| args.get(n).copied().unwrap_or(0));
    for program in all.iter().chain([&nothing]) {
        for (number, args) in allowed {
            assert!(allows(program, *number, whole(args)), "{number} {args:?}");
        }
        for (number, args) in refused {
            assert!(!allows(program, *number, whole(args)), "{number} {args:?}");
        }
    }
    // The name of who gets a message is in memory, where a filter does not look: only who may connect anywhere sends so.
    assert!(!allows(&nothing, libc::SYS_sendmsg, [3, 0x1000, 0, 0, 0, 0]));
    assert!(!allows(&all[1], libc::SYS_sendmsg, [3, 0x1000, 0, 0, 0, 0]));
    assert!(!allows(&nothing, libc::SYS_socket, [1, 2, 0, 0, 0, 0]));
}

#[test]
fn what_a_kernel_lacks_is_told() {
    let told = |seccomp, landlock| Walls { seccomp, landlock }.told();
    assert_eq!(told(true, true), "seccomp, Landlock");
    assert_eq!(told(true, false), "seccomp (the kernel has no Landlock)");
    assert_eq!(told(false, true), "Landlock (the kernel has no seccomp)");
    assert_eq!(told(false, false), "none (the kernel has neither seccomp nor Landlock)");
}

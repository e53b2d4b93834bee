use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Resource;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter_all_threads};

use super::{Needs, Sockets, confine, files, filter};

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
            _ => needs_a_debugger(),
        };
    }
    let folder = std::env::temp_dir().join(format!("goemu-confined-{}", std::process::id()));
    for name in ["read", "changed", "other", "made"] {
        fs::create_dir_all(folder.join(name)).expect("a folder");
        fs::write(folder.join(name).join("file"), "before").expect("a file");
    }
    for needs in ["nothing", "files-of-an-old-kernel", "files", "debugger"] {
        for (name, file) in [("other", "file"), ("changed", "file"), ("read", "file")] {
            fs::write(folder.join(name).join(file), "before").expect("a file");
        }
        let _ = fs::remove_dir(folder.join("changed/folder"));
        let _ = fs::remove_file(folder.join("made/new"));
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command
            .args(["--exact", "confined::tests::a_confined_process_reaches_what_it_needs_and_nothing_else"]);
        command.args(["--nocapture", "--test-threads=1"]).env(CONFINED, needs).env(FOLDER, &folder);
        let output = command.output().expect("it runs");
        let told = format!("{output:?}");
        assert!(output.status.success() && told.contains("1 passed"), "{needs}: {told}");
    }
    fs::remove_dir_all(folder).expect("a folder of this test");
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
    filter::install(&needs);
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

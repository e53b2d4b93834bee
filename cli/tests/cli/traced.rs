//! What goemu itself asks of this computer while a guest runs, as strace tells it: nothing is opened but what was given.

#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

use std::collections::BTreeSet;
use std::process::Command;

use goemu_tests::fixtures::binary;

/// What any program of Rust opens: its libraries, how its memory lies, what it is allowed to use.
const OF_RUST: [&str; 6] = [
    "/etc/ld.so.",
    "/lib/x86_64-linux-gnu/lib",
    "/usr/lib/x86_64-linux-gnu/lib",
    "/proc/self/",
    "/proc/sys/vm/overcommit_memory",
    "/sys/fs/cgroup/",
];

/// The calls that were answered: name, and the path that comes first in their arguments.
fn answered(trace: &str) -> Vec<(&str, &str)> {
    let call = |line: &'_ str| -> Option<(usize, usize, usize, usize)> {
        let (before, _) = line.split_once('(')?;
        let from = before.rfind(' ').map_or(0, |at| at + 1);
        let path = line.find('"')? + 1;
        let end = path + line[path..].find('"')?;
        (!line.contains(" = -1 ")).then_some((from, before.len(), path, end))
    };
    let lines = trace.lines().filter_map(|line| Some((line, call(line)?)));
    lines.map(|(line, (from, to, path, end))| (&line[from..to], &line[path..end])).collect()
}

#[test]
fn nothing_is_opened_that_was_not_given() {
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("strace is missing: not looked at");
        return;
    }
    let program = binary("whole-go1.27-stripped").unwrap();
    let program = program.to_str().unwrap();
    let given = folder("given");
    std::fs::write(format!("{given}/a"), "a").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", format!("{given}/link")).ok();
    for sandbox in [&["--no-sandbox"][..], &[]] {
        let trace = format!("{given}.trace");
        let mut strace = Command::new("strace");
        // Where cargo runs tests it names folders for libraries.
        strace.env_remove("LD_LIBRARY_PATH");
        strace
            .args(["-f", "-e", "trace=%file,%network,execve", "-o", &trace])
            .arg(env!("CARGO_BIN_EXE_goemu"));
        strace.args(sandbox).args(["run", "--dir", &format!("{given}:/given")]).arg(program);
        let ran = strace.output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let trace = std::fs::read_to_string(&trace).unwrap();
        let calls = answered(&trace);
        let network = ["socket", "connect", "bind", "sendto"];
        assert!(!calls.iter().any(|(call, _)| network.contains(call)), "{trace}");
        assert_eq!(calls.iter().filter(|(call, _)| *call == "execve").count(), 1, "{trace}");
        let own = |path: &&str| {
            path.is_empty()
                || path.starts_with(program)
                || path.starts_with(&given)
                || OF_RUST.iter().any(|own| path.starts_with(own))
        };
        let opened = calls.iter().filter(|(call, _)| !matches!(*call, "execve" | "getcwd"));
        let others: BTreeSet<&str> = opened.map(|(_, path)| *path).filter(|path| !own(path)).collect();
        assert!(others.is_empty(), "{others:?}");
    }
}

/// An empty folder of this test's.
fn folder(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("traced-{name}"));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path.to_str().unwrap().to_owned()
}

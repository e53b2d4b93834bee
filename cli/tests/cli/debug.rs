//! `goemu debug`, as gdb and editors start it.

#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]
#![allow(clippy::print_stderr, reason = "a test says why it is skipped")]

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use serde_json::{Value as Json, json};

use crate::run::{Ran, command, corpus, goemu};

#[test]
fn what_cannot_be_debugged_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ran = goemu(["debug", "main.f1", "--port", &port]);
    assert!(ran.status == 1 && ran.stderr.contains(&format!("cannot wait at port {port}")), "{ran:?}");
    let ran = goemu(["debug", "main.nosuch"]);
    assert!(ran.status == 1 && ran.stderr.contains("no function main.nosuch"), "{ran:?}");
    let Ran { status, stderr, .. } = goemu(["debug"]);
    assert!(status == 1 && stderr.contains("FUNC"), "{stderr}");
}

#[test]
fn gdb_starts_it_itself() {
    let program = corpus("go1.27");
    let server = format!(
        "target remote | {} debug -b {} main.fib 5 --stdio",
        env!("CARGO_BIN_EXE_goemu"),
        program.display()
    );
    let mut gdb = Command::new("gdb");
    gdb.args([
        "-nx",
        "-batch",
        "-ex",
        "set sysroot /",
        "-ex",
        &server,
        "-ex",
        "printf \"n=%d\\n\", $rax",
        "-ex",
        "kill",
    ]);
    let Ok(output) = gdb.arg(&program).stdin(Stdio::null()).output() else {
        eprintln!("skipped: no gdb here");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("n=5"), "{text} {}", String::from_utf8_lossy(&output.stderr));
}

/// What the adapter sends to an editor that sends these requests.
fn adapt(requests: &[(&str, Json)]) -> String {
    let mut child =
        command().args(["debug", "--dap"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for (command, arguments) in requests {
        let text =
            json!({ "seq": 1, "type": "request", "command": command, "arguments": arguments }).to_string();
        write!(stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
    }
    drop(stdin);
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn editors_say_what_to_launch() {
    let launch = json!({ "program": corpus("go1.27"), "func": "main.fib", "args": ["6"] });
    let stopped = [
        ("initialize", json!({})),
        ("launch", launch.clone()),
        ("configurationDone", json!({})),
        ("stackTrace", json!({ "threadId": 1 })),
        ("continue", json!({ "threadId": 1 })),
    ];
    let text = adapt(&stopped);
    for part in ["supportsStepBack", "\"event\":\"initialized\"", "main.fib(", "\"reason\":\"end\""] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let mut wrong = launch;
    wrong["func"] = "main.nosuch".into();
    let text = adapt(&[("initialize", json!({})), ("launch", wrong)]);
    assert!(text.contains("no function main.nosuch") && text.contains("\"success\":false"), "{text}");
    assert_eq!(adapt(&[]), "");
}

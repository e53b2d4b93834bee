//! `goemu debug`, as gdb and editors start it.

#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]
#![allow(clippy::print_stderr, reason = "a test says why it is skipped")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

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

/// Sends a packet, and gives the answer to it.
fn ask(client: &mut TcpStream, packet: &str) -> String {
    let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
    write!(client, "${packet}#{sum:02x}").unwrap();
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !(answer.len() >= 3 && answer[answer.len() - 3] == b'#') {
        client.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    client.write_all(b"+").unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// gdb without a program has it from goemu, which opens no files any more then.
#[test]
fn the_program_is_read_through_the_debugger() {
    let program = std::path::absolute(corpus("go1.27")).unwrap();
    let mut child = command()
        .env("GOEMU_BINARY", &program)
        .args(["debug", "main.fib", "5"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut line, mut stdout) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
    stdout.read_line(&mut line).unwrap();
    let port = line.trim_end().trim_end_matches('\'').rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let hex: String = program.to_str().unwrap().bytes().map(|byte| format!("{byte:02x}")).collect();
    let opened = ask(&mut client, &format!("vFile:open:{hex},0,0"));
    assert!(opened.contains("$F00#"), "{opened}");
    let read = ask(&mut client, "vFile:pread:0,4,0");
    assert!(read.contains(";\u{7f}ELF#"), "{read}");
    let other: String = "/etc/passwd".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(ask(&mut client, &format!("vFile:open:{other},0,0")).contains("$F-1,"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// One debugger is served. Another is turned away at once, and the first one does not notice.
#[test]
fn a_second_debugger_is_turned_away() {
    let mut child = command()
        .env("GOEMU_BINARY", corpus("go1.27"))
        .args(["debug", "main.fib", "5"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut line, mut stdout) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
    stdout.read_line(&mut line).unwrap();
    let port = line.trim_end().trim_end_matches('\'').rsplit(':').next().unwrap().parse::<u16>().unwrap();
    let connect = || {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok::<_, std::io::Error>(stream)
    };
    let mut first = connect().unwrap();
    assert!(ask(&mut first, "?").contains("$T05"), "it stands at the first instruction");
    // Refused, closed or reset: what is not there is an answer.
    let second = connect().and_then(|mut second| second.read(&mut [0]));
    assert!(!matches!(second, Ok(1..)), "{second:?}");
    assert!(second.err().is_none_or(|error| error.kind() != ErrorKind::WouldBlock));
    assert!(ask(&mut first, "?").contains("$T05"));
    // It vanishes, and the command ends.
    drop(first);
    assert_eq!(child.wait().unwrap().code(), Some(0));
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

#[test]
fn gdb_steps_through_a_whole_program_and_back() {
    let program = corpus("go1.27");
    let server =
        format!("target remote | {} run --debug --stdio {}", env!("CARGO_BIN_EXE_goemu"), program.display());
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", "set sysroot /", "-ex", "set confirm off", "-ex", &server]);
    let commands = [
        "break main.main",
        "continue",
        "printf \"main %#lx\\n\", $pc",
        "stepi 500",
        "monitor goroutines",
        "reverse-continue",
        "printf \"again %#lx\\n\", $pc",
        "delete",
        "continue",
        "monitor outcome",
        "reverse-stepi",
        "monitor output",
        "kill",
    ];
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let Ok(output) = gdb.arg(&program).stdin(Stdio::null()).output() else {
        eprintln!("skipped: no gdb here");
        return;
    };
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let value = |word: &str| text.lines().find_map(|line| line.strip_prefix(word)).map(str::to_owned);
    assert!(value("main ").is_some() && value("main ") == value("again "), "{text}");
    for part in ["goroutine 1 [running]: ", "exited: ", "case\t0"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn an_editor_steps_through_a_whole_program() {
    let program = corpus("go1.27");
    let program = program.to_str().unwrap();
    let requests = [
        ("initialize", json!({})),
        ("launch", json!({ "program": program, "args": [] })),
        ("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "main.main" }] })),
        ("configurationDone", json!({})),
        ("continue", json!({ "threadId": 1 })),
        ("stackTrace", json!({ "threadId": 1 })),
        ("stepBack", json!({ "threadId": 1 })),
        ("continue", json!({ "threadId": 1 })),
        ("continue", json!({ "threadId": 1 })),
    ];
    let text = adapt(&["run", "--debug", "--dap", program], &requests, "\"reason\":\"end\"");
    for part in ["\"reason\":\"breakpoint\"", "\"name\":\"main.main(", "exited: ", "\"reason\":\"end\""] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let other =
        adapt(&["run", "--debug", "--dap", program], &[("launch", json!({ "program": "/x/other" }))], "");
    assert!(other.contains("the launch /x/other"), "{other}");
    let ran = goemu(["run", "--port", "1", program]);
    assert!(ran.status == 1 && ran.stderr.contains("--port needs --debug"), "{ran:?}");
}

/// What the adapter sends to an editor that sends these requests.
fn adapt(args: &[&str], requests: &[(&str, Json)], until: &str) -> String {
    let mut child = command().args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for (command, arguments) in requests {
        let text =
            json!({ "seq": 1, "type": "request", "command": command, "arguments": arguments }).to_string();
        write!(stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
    }
    // An editor stays until what it waits for has come: an adapter whose editor has gone does not run on.
    let (mut stdout, mut bytes) = (child.stdout.take().unwrap(), Vec::new());
    let mut piece = [0; 4096];
    let mut stdin = Some(stdin);
    loop {
        if String::from_utf8_lossy(&bytes).contains(until) {
            stdin = None;
        }
        match stdout.read(&mut piece).unwrap() {
            0 => break,
            count => bytes.extend(&piece[..count]),
        }
    }
    drop(stdin);
    child.wait().unwrap();
    String::from_utf8(bytes).unwrap()
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
    let text = adapt(&["debug", "--dap"], &stopped, "");
    for part in ["supportsStepBack", "\"event\":\"initialized\"", "main.fib(", "\"reason\":\"end\""] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    let mut wrong = launch;
    wrong["func"] = "main.nosuch".into();
    let text = adapt(&["debug", "--dap"], &[("initialize", json!({})), ("launch", wrong)], "");
    assert!(text.contains("no function main.nosuch") && text.contains("\"success\":false"), "{text}");
    assert_eq!(adapt(&["debug", "--dap"], &[], ""), "");
}

//! The server for gdb, driven by gdb itself.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "a test says why it is skipped")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};

use goemu::machine::EngineChoice;
use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine};
use goemu_debug::gdb::{self, Connection, Left};

struct Setup {
    program: &'static str,
    runtime: Runtime,
    engine: EngineChoice,
}

const HOOKED: Setup = Setup {
    program: "testdata/bin/corpus-go1.27",
    runtime: Runtime::Hooked,
    engine: EngineChoice::Interpreter,
};

fn machine(setup: &Setup) -> Machine {
    let path = format!("{}/../../{}", env!("CARGO_MANIFEST_DIR"), setup.program);
    let config = Config { runtime: Some(setup.runtime), engine: setup.engine, ..Config::default() };
    Machine::with_config(Image::open(path).unwrap(), config).unwrap()
}

/// Whether this computer has gdb.
fn has_gdb() -> bool {
    let found = Command::new("gdb").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: no gdb here");
    }
    found
}

/// Lets gdb carry out commands on a call: what it prints, and how it left. `{entry}` is the function's address.
fn debug(setup: &Setup, func: &str, args: &[&str], commands: &[&str]) -> (String, Left) {
    let mut machine = machine(setup);
    let path = machine.image().path().unwrap().to_owned();
    let entry = machine.find(func).unwrap().entry();
    let session = machine.call(func).unwrap().literals(args).unwrap().start().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut gdb = Command::new("gdb");
    gdb.args([
        "-nx",
        "-batch",
        "-ex",
        "set pagination off",
        "-ex",
        "set confirm off",
        "-ex",
        "set sysroot /",
        "-ex",
        "set language c",
    ])
    .arg(path);
    let remote = format!("target remote {}", listener.local_addr().unwrap());
    for command in [remote.as_str()].iter().chain(commands) {
        gdb.arg("-ex").arg(command.replace("{entry}", &format!("{entry:#x}")));
    }
    let child = gdb.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (stream, _) = listener.accept().unwrap();
    let left = gdb::serve(session, Connection::tcp(stream).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (text, left)
}

fn setups() -> Vec<Setup> {
    let program = "testdata/bin/corpus-go1.27";
    let stripped = "testdata/bin/corpus-go1.27-stripped";
    let mut all = vec![
        HOOKED,
        Setup { program, runtime: Runtime::Real, engine: EngineChoice::Interpreter },
        Setup { program, runtime: Runtime::Hooked, engine: EngineChoice::Auto },
        Setup { program: "testdata/bin/corpus-go1.15", ..HOOKED },
        Setup { program: "testdata/bin/corpus-go1.27-pie", ..HOOKED },
    ];
    all.push(Setup { program: stripped, ..HOOKED });
    all
}

#[test]
fn it_stops_steps_and_goes_back() {
    if !has_gdb() {
        return;
    }
    for setup in setups() {
        let what = setup.program;
        let args: &[&str] = if what.ends_with("stripped") { &[] } else { &["7"] };
        let func = if args.is_empty() { "main.f1" } else { "main.fib" };
        let commands: &[&str] = &[
            "printf \"first %#lx\\n\", $pc",
            "stepi",
            "stepi",
            "printf \"second %#lx\\n\", $pc",
            "reverse-stepi",
            "reverse-stepi",
            "printf \"back %#lx\\n\", $pc",
            "continue",
            "printf \"end\\n\"",
            "reverse-stepi",
            "reverse-continue",
            "printf \"again %#lx\\n\", $pc",
            "continue",
            "continue",
        ];
        let (text, left) = debug(&setup, func, args, commands);
        let value = |word: &str| {
            let line = text.lines().find(|line| line.starts_with(word));
            line.unwrap_or_else(|| panic!("{what}: no {word} in {text}"))
                .rsplit(' ')
                .next()
                .unwrap()
                .to_owned()
        };
        assert!(value("first") == value("back") && value("first") == value("again"), "{what}: {text}");
        assert_ne!(value("first"), value("second"), "{what}: {text}");
        assert!(text.contains("No more reverse-execution history"), "{what}: {text}");
        let Left::Ended(report) = left else { panic!("{what}: {left:?} {text}") };
        assert_eq!(report.outcome.word(), "returned", "{what}: {text}");
    }
}

#[test]
fn it_stops_at_breakpoints_in_both_directions() {
    if !has_gdb() {
        return;
    }
    let (text, _) = debug(
        &HOOKED,
        "main.fib",
        &["5"],
        &[
            "break *{entry}",
            "continue",
            "continue",
            "printf \"arg %d\\n\", $rax",
            "reverse-continue",
            "printf \"arg %d\\n\", $rax",
            "delete",
            "hbreak *{entry}",
            "continue",
            "printf \"arg %d\\n\", $rax",
            "kill",
        ],
    );
    let args: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("arg ")).collect();
    assert_eq!(args, ["3", "4", "3"], "{text}");
}

#[test]
fn it_watches_memory_in_both_directions() {
    if !has_gdb() {
        return;
    }
    let setup = Setup { program: "cli/demo/demo-go1.15", ..HOOKED };
    // The result of f1 is above its return address: 0, and 1 after the deferred function.
    let (text, _) = debug(
        &setup,
        "main.f1",
        &[],
        &[
            "set $result = $sp + 8",
            "watch *(long*)$result",
            "continue",
            "printf \"value %d\\n\", *(long*)$result",
            "printf \"in %#lx\\n\", $pc",
            "reverse-continue",
            "printf \"value %d\\n\", *(long*)$result",
            "kill",
        ],
    );
    let values: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("value ")).collect();
    assert_eq!(values, ["1", "0"], "{text}");
    assert!(text.contains("Old value = 0") && text.contains("New value = 1"), "{text}");
}

#[test]
fn goroutines_are_threads() {
    if !has_gdb() {
        return;
    }
    for runtime in [Runtime::Hooked, Runtime::Real] {
        let setup = Setup { runtime, ..HOOKED };
        let (text, _) = debug(
            &setup,
            "main.pipeline",
            &["2", "3"],
            &[
                "break main.pipeline.func2",
                "continue",
                "info threads",
                "monitor goroutines",
                "monitor stack",
                "monitor defers",
                "monitor call main.fib 10",
                "monitor position",
                "monitor outcome",
                "kill",
            ],
        );
        for part in ["goroutine 1 [", "main.pipeline", "returned: 55", " steps", "the call is not over"] {
            assert!(text.contains(part), "{runtime:?}: no {part} in {text}");
        }
        assert!(text.matches("Thread ").count() >= 2, "{runtime:?}: {text}");
    }
}

#[test]
fn registers_and_memory_are_changed() {
    if !has_gdb() {
        return;
    }
    let (text, left) = debug(
        &HOOKED,
        "main.fib",
        &["5"],
        &[
            "set $rax = 10",
            "printf \"rax %d\\n\", $rax",
            "set $xmm3.uint128 = 5",
            "print $ymm3.v8_int32",
            "print $xmm3.v4_int32",
            "info registers rflags fs_base",
            "x/2i $pc",
            "set *(char*)$sp = *(char*)$sp",
            "continue",
            "continue",
        ],
    );
    let Left::Ended(report) = left else { panic!("{left:?} {text}") };
    assert_eq!(report.outcome.to_string(), "55", "{text}");
}

/// A client that sends nonsense, or goes away, ends its own session and nothing else.
#[test]
fn junk_is_survived() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let packets: [&[u8]; 9] = [
        b"",
        b"$",
        b"$g#00",
        b"$m0,ffffffffffffffff#00",
        b"$vCont;s:0#00",
        b"\x03\x03\x03",
        b"$Z0,zz,1#11",
        b"+$qXfer:features:read:target.xml:0,fff#7d",
        b"$qRcmd,67#zz",
    ];
    for round in 0..40 {
        let mut machine = machine(&HOOKED);
        let session = machine.call("main.fib").unwrap().literals(&["5"]).unwrap().start().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let mut bytes = packets[round % packets.len()].to_vec();
        for _ in 0..round * 8 {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            bytes.push(b"$#+-+gGmMsckHvZz0123456789abcdef;:,\x03"[(random >> 33) as usize % 36]);
        }
        let writer = std::thread::spawn(move || {
            let _ = client.write_all(&bytes);
            let _ = client.shutdown(std::net::Shutdown::Write);
            let _ = client.read_to_end(&mut Vec::new());
        });
        gdb::serve(session, Connection::tcp(stream).unwrap()).unwrap();
        writer.join().unwrap();
        let again = machine.call("main.fib").unwrap().literals(&["5"]).unwrap().run().unwrap();
        assert_eq!(again.outcome.to_string(), "5", "{round}");
    }
}

//! The debug adapter, driven by a scripted client.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Cursor;
use std::sync::{Arc, Mutex};

use goemu::{Image, Machine};
use goemu_debug::dap::{self, Left};
use serde_json::{Value as Json, json};

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What the adapter sends when a client sends these requests one after the other.
fn script(func: &str, args: &[&str], requests: &[(&str, Json)]) -> (Vec<Json>, Left) {
    let path = format!("{}/../../testdata/bin/corpus-go1.27", env!("CARGO_MANIFEST_DIR"));
    let mut machine = Machine::new(Image::open(path).unwrap()).unwrap();
    let session = machine.call(func).unwrap().literals(args).unwrap().start().unwrap();
    let mut bytes = Vec::new();
    for (seq, (command, arguments)) in requests.iter().enumerate() {
        let message =
            json!({ "seq": seq + 1, "type": "request", "command": command, "arguments": arguments });
        let text = message.to_string();
        bytes.extend(format!("Content-Length: {}\r\n\r\n{text}", text.len()).bytes());
    }
    let out = Shared::default();
    let left = dap::serve(session, Cursor::new(bytes), out.clone()).unwrap();
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    let messages = text.split("Content-Length: ").skip(1).map(|part| {
        let (length, body) = part.split_once("\r\n\r\n").unwrap();
        assert_eq!(length.parse::<usize>().unwrap(), body.len());
        serde_json::from_str(body).unwrap()
    });
    (messages.collect(), left)
}

/// The bodies of the answers to a command.
fn answers<'a>(messages: &'a [Json], command: &'a str) -> Vec<&'a Json> {
    let of = |message: &&Json| message["type"] == "response" && message["command"] == command;
    let answers: Vec<_> = messages.iter().filter(of).collect();
    assert!(answers.iter().all(|answer| answer["success"] == true), "{answers:?}");
    answers.iter().map(|answer| &answer["body"]).collect()
}

fn reasons(messages: &[Json]) -> Vec<&str> {
    let stopped = messages.iter().filter(|message| message["event"] == "stopped");
    stopped.map(|message| message["body"]["reason"].as_str().unwrap()).collect()
}

fn thread() -> Json {
    json!({ "threadId": 1 })
}

#[test]
fn breakpoints_stacks_and_values() {
    let (messages, _) = script(
        "main.fib",
        &["4"],
        &[
            ("initialize", json!({ "adapterID": "goemu" })),
            ("launch", json!({})),
            (
                "setFunctionBreakpoints",
                json!({ "breakpoints": [{ "name": "main.fib" }, { "name": "nosuch" }] }),
            ),
            (
                "setBreakpoints",
                json!({ "source": { "path": "/x/corpus/control.go" }, "breakpoints": [{ "line": 9 }, { "line": 99999 }] }),
            ),
            ("configurationDone", json!({})),
            ("threads", json!({})),
            ("scopes", json!({ "frameId": 1 << 20 })),
            ("variables", json!({ "variablesReference": (1 << 22) + 2 })),
            ("continue", thread()),
            ("stackTrace", thread()),
            ("variables", json!({ "variablesReference": (1 << 22) + 2 })),
            ("variables", json!({ "variablesReference": (1 << 22) + 1 })),
            ("evaluate", json!({ "expression": "AX" })),
            ("reverseContinue", thread()),
            ("disconnect", json!({})),
        ],
    );
    assert!(messages.iter().any(|message| message["event"] == "initialized"));
    assert_eq!(answers(&messages, "initialize")[0]["supportsStepBack"], true);
    let functions = &answers(&messages, "setFunctionBreakpoints")[0]["breakpoints"];
    assert_eq!((&functions[0]["verified"], &functions[1]["verified"]), (&true.into(), &false.into()));
    let lines = &answers(&messages, "setBreakpoints")[0]["breakpoints"];
    assert_eq!((&lines[0]["verified"], &lines[1]["verified"]), (&true.into(), &false.into()));
    let threads = answers(&messages, "threads")[0]["threads"].as_array().unwrap();
    assert_eq!(threads[0]["id"], 1);
    let variables = answers(&messages, "variables");
    assert_eq!(
        (&variables[0]["variables"][0]["name"], &variables[0]["variables"][0]["value"]),
        (&"n".into(), &"4".into())
    );
    assert_eq!(variables[1]["variables"][0]["value"], "3");
    let registers = variables[2]["variables"].as_array().unwrap();
    assert!(registers.iter().any(|register| register["name"] == "AX" && register["value"] == "0x3"));
    assert_eq!(answers(&messages, "evaluate")[0]["result"], "0x3");
    let stack = answers(&messages, "stackTrace")[0]["stackFrames"].as_array().unwrap();
    assert!(
        stack.len() >= 2
            && stack.iter().take(2).all(|f| f["name"].as_str().unwrap().starts_with("main.fib(")),
        "{stack:?}"
    );
    assert!(stack[0]["source"]["path"].as_str().unwrap().ends_with("control.go"));
    assert_eq!(reasons(&messages), ["step", "breakpoint", "breakpoint"]);
}

#[test]
fn steps_by_lines_in_both_directions() {
    let line = |messages: &[Json]| -> Vec<u64> {
        answers(messages, "stackTrace")
            .iter()
            .map(|body| body["stackFrames"][0]["line"].as_u64().unwrap())
            .collect()
    };
    let depth = |messages: &[Json]| -> Vec<u64> {
        answers(messages, "stackTrace").iter().map(|body| body["totalFrames"].as_u64().unwrap()).collect()
    };
    let (messages, left) = script(
        "main.fib",
        &["4"],
        &[
            ("configurationDone", json!({})),
            ("stackTrace", thread()),
            ("next", thread()),
            ("stackTrace", thread()),
            ("stepBack", thread()),
            ("stackTrace", thread()),
            ("stepIn", json!({ "threadId": 1, "granularity": "instruction" })),
            ("stepBack", json!({ "threadId": 1, "granularity": "instruction" })),
            ("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "main.fib" }] })),
            ("continue", thread()),
            ("setFunctionBreakpoints", json!({ "breakpoints": [] })),
            ("stackTrace", thread()),
            ("stepOut", thread()),
            ("stackTrace", thread()),
            (
                "disassemble",
                json!({ "memoryReference": "0x4898e0", "instructionOffset": -1, "instructionCount": 5 }),
            ),
            ("continue", thread()),
            ("stepBack", json!({ "threadId": 1, "granularity": "instruction" })),
            ("continue", thread()),
        ],
    );
    let (lines, depths) = (line(&messages), depth(&messages));
    assert_ne!(lines[0], lines[1], "next went on: {lines:?}");
    assert_eq!(lines[0], lines[2], "and stepBack back: {lines:?}");
    assert_eq!((depths[1], depths[3], depths[4]), (depths[0], depths[0] + 1, depths[0]), "{depths:?}");
    assert_eq!(answers(&messages, "disassemble")[0]["instructions"].as_array().unwrap().len(), 5);
    assert_eq!(reasons(&messages).last(), Some(&"end"));
    let Left::Ended(report) = left else { panic!("{left:?}") };
    assert_eq!(report.outcome.to_string(), "3");
}

#[test]
fn nonsense_is_answered() {
    let (messages, _) = script(
        "main.fib",
        &["4"],
        &[
            ("nosuch", json!(7)),
            ("stackTrace", json!({ "threadId": 99 })),
            ("setBreakpoints", json!(null)),
            (
                "setInstructionBreakpoints",
                json!({ "breakpoints": [{ "instructionReference": "0xffffffffffffffff", "offset": 5 }, {}] }),
            ),
            ("variables", json!({ "variablesReference": u64::MAX })),
            ("disassemble", json!({ "memoryReference": "0x0" })),
            ("evaluate", json!({ "expression": "0x0" })),
        ],
    );
    let failed = messages.iter().filter(|message| message["success"] == false).count();
    assert_eq!((messages.len(), failed), (7, 5), "{messages:?}");
}

#[test]
fn variables_of_every_frame_are_values() {
    let frame = |n: u64, kind: u64| json!({ "variablesReference": ((1 << 20) + n) << 2 | kind });
    let (messages, _) = script(
        "main.fib",
        &["4"],
        &[
            ("initialize", json!({})),
            ("setFunctionBreakpoints", json!({ "breakpoints": [{ "name": "main.fib" }] })),
            ("configurationDone", json!({})),
            ("continue", thread()),
            ("continue", thread()),
            ("variables", frame(0, 2)),
            ("variables", frame(1, 2)),
            ("variables", frame(2, 2)),
            ("variables", frame(9, 3)),
            ("scopes", json!({ "frameId": 1 << 20 })),
        ],
    );
    let told = answers(&messages, "variables");
    let values = |n: usize| told[n]["variables"].as_array().unwrap().clone();
    assert_eq!((&values(0)[0]["name"], &values(0)[0]["value"]), (&"n".into(), &"2".into()), "{told:?}");
    // Optimised code keeps an argument only as long as it needs it.
    for (n, kept) in [(1, "3"), (2, "4")] {
        let value = values(n)[0]["value"].as_str().unwrap().to_owned();
        assert!(value == kept || value.ends_with(')'), "{told:?}");
        assert_eq!(values(n)[0]["name"], "n", "{told:?}");
    }
    assert!(values(3).is_empty(), "{told:?}");
    assert!(answers(&messages, "scopes")[0].to_string().contains("Locals"));
}

//! `goemu export`: the data, and the scripts, run with stand-ins for the tools.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value as Json;

use crate::run::{Ran, command, corpus, ran};

fn export(program: &PathBuf, args: &[&str]) -> Ran {
    ran(command().env("GOEMU_BINARY", program).arg("export").args(args))
}

fn decoders() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/decoders-go1.27-stripped")
}

#[test]
fn the_data_has_what_is_known() {
    let ran = export(&corpus("go1.27"), &["--json"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let data: Json = serde_json::from_str(&ran.stdout).unwrap();
    let functions = data["functions"].as_array().unwrap();
    let fib = functions.iter().find(|func| func["name"] == "main.fib").unwrap();
    assert_eq!((&fib["signature"], &fib["label"]), (&"func(n int) int".into(), &"main.fib".into()));
    let types = data["types"].as_array().unwrap();
    let point = types.iter().find(|ty| ty["name"] == "main.point").unwrap();
    assert!(point["c"].as_str().unwrap().starts_with("struct main_point { int"), "{point}");
    assert!(data["strings"].as_array().unwrap().iter().any(|string| string["value"] == "hello"));
    assert!(data["variables"].as_array().unwrap().iter().any(|variable| variable["name"] == "main.word"));
}

#[test]
fn the_scripts_run_in_their_tools() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("export");
    std::fs::create_dir_all(&folder).unwrap();
    let prefix = folder.join("prog.v1");
    let prefix = prefix.to_str().unwrap();
    let ran = export(&decoders(), &["--ida", "--ghidra", "--binja", "--decode", "--quiet", "-o", prefix]);
    assert_eq!(ran, Ran::new(0, "", ""));
    let data: Json = serde_json::from_slice(&std::fs::read(format!("{prefix}.json")).unwrap()).unwrap();
    let comments = data["comments"].as_array().unwrap();
    assert!(comments.iter().any(|comment| comment["text"] == "= \"one of many\""), "{comments:?}");
    // A variable that initialisation sets.
    let holds = |comment: &&Json| comment["text"].as_str().unwrap().ends_with("byte = \"c3.hidden.example\"");
    assert!(comments.iter().any(|comment| holds(&comment)), "{comments:?}");
    let check = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/export/check.py");
    let Ok(output) = Command::new("python3").args([check, prefix]).output() else {
        assert!(std::env::var_os("GOEMU_ALL_FIXTURES").is_none(), "no python3");
        return;
    };
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    for tool in ["ida runs", "ghidra runs", "binja runs"] {
        assert!(stdout.contains(tool), "{stdout}");
    }
}

/// Ctrl-C while decoders run that never end: what is known by then is written.
#[test]
fn an_interrupt_writes_what_is_known() {
    let program = decoders().with_file_name("hostile-go1.27-stripped");
    let mut command = command();
    command.env("GOEMU_BINARY", program).args(["export", "--decode", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap());
    let mut text = String::new();
    told.read_line(&mut text).unwrap();
    assert!(text.ends_with(" functions\n"), "{text}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest = thread::spawn(move || told.read_to_string(&mut text).map(|_| text).unwrap());
    let output = child.wait_with_output().unwrap();
    let stderr = rest.join().unwrap();
    assert!(stderr.contains("ended early: "), "{stderr}");
    let data: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert!(data["functions"].as_array().unwrap().len() > 100 && data["strings"].is_array());
}

#[test]
fn something_must_be_wanted() {
    for (args, message) in
        [(&[][..], "what for?"), (&["--ida"], "-o PREFIX says where"), (&["-o", "x"], "what for?")]
    {
        let ran = export(&corpus("go1.27"), args);
        assert!(ran.status == 1 && ran.stderr.contains(message), "{args:?}: {ran:?}");
    }
}

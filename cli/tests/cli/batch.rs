//! Many calls from one start: `goemu batch`, `goemu call --each`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value as Json, json};

use crate::run::{Ran, command, corpus, file};

/// What the program answers to these lines.
fn fed(args: &[&str], input: &[u8]) -> Ran {
    let mut command = command();
    command.env("GOEMU_BINARY", corpus("go1.27")).args(args);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn answers(args: &[&str], input: &str) -> Vec<Json> {
    let ran = fed(&[&["batch"], args].concat(), input.as_bytes());
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn answers_come_in_order_with_their_ids() {
    let calls: Vec<Json> =
        (0..300).map(|n| json!({ "func": "main.fib", "args": [n % 17], "id": [n] })).collect();
    let input: String = calls.iter().map(|call| format!("{call}\n")).collect();
    for jobs in ["1", "3"] {
        let answers = answers(&["--jobs", jobs], &input);
        let fib = |n: usize| (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0;
        assert_eq!(answers.len(), 300);
        for (n, answer) in answers.iter().enumerate() {
            assert_eq!((&answer["id"], answer["outcome"].as_str()), (&json!([n]), Some("returned")));
            assert_eq!(answer["results"][0]["value"], json!(fib(n % 17).to_string()), "{n}");
        }
    }
}

#[test]
fn arguments_may_be_json() {
    let input = r#"
{"func": "main.quicksort", "args": [[3, 1, 2]], "id": 1}
{"func": "quicksort", "args": ["[]int{3, 1, 2}"], "id": 2}
{"func": "main.fib", "args": ["7"], "sig": "func(n int) int", "id": "x"}
"#;
    let answers = answers(&["--show-args"], input);
    assert_eq!(answers.len(), 3, "empty lines have no answers");
    for answer in &answers[..2] {
        assert_eq!(answer["results"][0]["value"], "[]int{1, 2, 3}");
    }
    assert_eq!((&answers[2]["arguments"][0]["value"], &answers[2]["id"]), (&json!("7"), &json!("x")));
}

#[test]
fn what_goes_wrong_is_an_answer() {
    let input = r#"junk
{"func": "nosuch", "id": 1}
{"func": "main.fib", "args": ["x"], "id": 2}
{"func": "main.fib", "args": [90], "fuel": 1000, "id": 3}
{"func": "main.fib", "args": [90], "id": 4}
{"func": "main.sendOnClosed", "args": [1], "id": 5}
{"func": "main.fib", "args": [10], "id": 6}"#;
    let answers = answers(&["--timeout", "100ms", "--fuel", "1000g", "--jobs", "2"], input);
    let told: Vec<String> = answers
        .iter()
        .map(|answer| {
            format!("{} {}", answer["id"], answer["outcome"].as_str().or(answer["error"].as_str()).unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            "null not JSON: expected value at line 1 column 1",
            "1 no function nosuch (see `goemu funcs` for all names)",
            "2 argument 1 (n int), column 1: a int is wanted here, not x",
            "3 out_of_fuel",
            "4 out_of_time",
            "5 panicked",
            "6 returned"
        ]
    );
}

#[test]
fn a_driver_may_wait_for_each_answer() {
    let mut command = command();
    command.env("GOEMU_BINARY", corpus("go1.27-stripped")).args(["batch", "--jobs", "2"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) =
        (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()).lines());
    for n in 0..5 {
        writeln!(stdin, r#"{{"func": "main.fib", "args": [{n}], "sig": "func(int) int", "id": {n}}}"#)
            .unwrap();
        let answer: Json = serde_json::from_str(&stdout.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["id"], n);
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn lines_that_are_none_end_it() {
    let ran = fed(&["batch"], b"{\"func\": \"main.f1\", \"id\": 1}\n\xff\n{\"func\": \"main.f1\"}\n");
    assert_eq!(ran.stdout.lines().count(), 2);
    assert_eq!(ran.stdout.lines().last(), Some(r#"{"id":null,"error":"a line is not UTF-8"}"#));
}

#[test]
fn one_function_over_the_lines_of_a_file() {
    let words = file("each.txt", b"1\r\nx\n20\n");
    let each = |args: &[&str]| fed(&[&["call"], args, &["--each", words.to_str().unwrap()]].concat(), b"");
    let expected = "1\nerror: argument 1 (n int), column 1: a int is wanted here, not x\n6765\n";
    assert_eq!(each(&["main.fib"]), Ran::new(1, expected, ""));
    assert_eq!(each(&["main.fib", "{}", "--jobs", "1"]), Ran::new(1, expected, ""));
    let json = each(&["main.fib", "--json"]);
    assert_eq!(json.stdout.lines().filter(|line| line.contains("\"outcome\":\"returned\"")).count(), 2);
    let both = each(&["main.fib", "--trace"]);
    assert!(both.status == 1 && both.stderr.contains("--trace shows one call"), "{both:?}");
    let missing = fed(&["call", "main.fib", "--each", "/nowhere"], b"");
    assert!(missing.status == 1 && missing.stderr.contains("cannot read /nowhere"), "{missing:?}");
}

#[test]
fn functions_may_give_what_the_user_says() {
    let call = |args: &[&str]| fed(&[&["call"], args].concat(), b"");
    assert_eq!(call(&["main.fib", "4", "--stub", "main.fib=1000"]), Ran::new(0, "1000\n", ""));
    let batch = answers(&["--stub", "main.fib=1000"], r#"{"func": "main.fib", "args": [4]}"#);
    assert_eq!(batch[0]["results"][0]["value"], "1000");
    for (stub, message) in [
        ("main.fib", "FUNC=VALUES is wanted"),
        ("nosuch=1", "no function nosuch"),
        ("main.fib=x", "a int is wanted here"),
        ("main.fib=1, 2", "stub main.fib=1, 2: column 2"),
    ] {
        let ran = call(&["main.fib", "4", "--stub", stub]);
        assert!(ran.status == 1 && ran.stderr.contains(message), "{stub}: {ran:?}");
    }
}

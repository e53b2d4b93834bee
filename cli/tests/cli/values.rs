//! Values on the command line: what is shown of them, and as JSON.

#![allow(clippy::unwrap_used, reason = "a test that cannot run its program has failed")]

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::run::{Ran, command, corpus, file, goemu, ran};

fn typed(line: &[&str]) -> Ran {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/typed-go1.27");
    let program = program.to_str().unwrap();
    goemu(["call", "-b", program].iter().chain(line))
}

/// The data of the only result.
fn data(line: &[&str]) -> Value {
    let Ran { stdout, .. } = typed(&[line, &["--json"]].concat());
    let object: Value = serde_json::from_str(&stdout).unwrap();
    object["results"][0]["data"].clone()
}

#[test]
fn json_has_the_structure_of_values() {
    let int = |n: i64| json!({ "kind": "int", "type": "int", "value": n });
    let point = |x, y| {
        let field = |name: &str, n| json!({ "name": name, "value": int(n) });
        json!({ "kind": "struct", "type": "main.point", "fields": [field("x", x), field("y", y)] })
    };
    assert_eq!(data(&["main.bind.func1", "3", "--captures", "point{1, 2}"]), point(3, 6));
    let entry = |k, v: &str| json!({ "key": int(k), "value": { "kind": "string", "type": "string", "len": v.len(), "value": v } });
    let map = json!({ "kind": "map", "type": "map[int]string", "len": 2, "entries": [entry(1, "a"), entry(2, "b")] });
    assert_eq!(data(&["main.invert", r#"{"a": 1, "b": 2}"#]), map);
    let failed = data(&["main.check", "3"]);
    assert_eq!((&failed["kind"], &failed["text"]), (&json!("interface"), &json!("code 3")));
    assert_eq!(failed["dynamic"]["pointee"]["fields"][0]["value"], int(3));
    assert_eq!(data(&["main.check", "0"]), json!({ "kind": "interface", "type": "error", "nil": true }));
}

#[test]
fn what_a_program_is_given() {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/process-go1.15-stripped");
    let input = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("input");
    fs::write(&input, "one three\n").unwrap();
    let (program, input) = (program.to_str().unwrap(), input.to_str().unwrap());
    for runtime in ["hooked", "real"] {
        for (line, expected) in [
            (&["main.arguments", "--sig", "func() string", "--arg", "--help", "--arg="][..], "\"--help|\""),
            (
                &["main.environment", "A", "--sig", "func(s string) (string, bool)", "--env", "A=b=c"],
                "\"b=c\", true",
            ),
            (&["main.words", "--sig", "func() (int, string)", "--stdin", input], "2, \"three\""),
            // The tests' own is empty.
            (&["main.words", "--sig", "func() (int, string)", "--stdin", "-"], "0, \"\""),
            (&["main.words", "--sig", "func() (int, string)"], "0, \"\""),
        ] {
            let ran = goemu(["call", "-b", program, "--runtime", runtime].iter().chain(line));
            assert_eq!(ran, Ran::new(0, &format!("{expected}\n"), ""), "{runtime}: {line:?}");
        }
    }
}

#[test]
fn limits_and_pointers() {
    let shown = |line: &[&str]| typed(line).stdout;
    let numbers = ["main.applyTo", "double", "{1, 2, 3, 4}"];
    assert_eq!(shown(&[&numbers[..], &["--show-elems", "2"]].concat()), "[]int{2, 4, /* 2 more */}\n");
    let text = ["main.pack", "\"abcdef\"", "7"];
    assert_eq!(shown(&[&text[..], &["--show-bytes", "3"]].concat()), "\"abc\" /* 4 more bytes */\n");
    let ring = shown(&["main.ring", "1", "--show-pointers", "5"]);
    assert!(ring.contains(r#"next:&main.node{name:"second", next:(*main.node)(0xc"#), "{ring}");
    assert_eq!(
        shown(&["main.parts", "3", "--plain", "--stringers"]),
        "circle of 3, &{w:3 h:1}, [code 3 <nil> lost]\n"
    );
    // What is no interface says its text as well: by the type that the signature has.
    let circles = ["circle.String", "{{4}}", "--sig", "func(all [1]circle) string", "--show-args"];
    assert_eq!(
        shown(&[&circles[..], &["--stringers"]].concat()),
        "\"circle of 4\"\nall [1]main.circle = [1]main.circle{main.circle{r:4} /* circle of 4 */}\n"
    );
    let json: Value =
        serde_json::from_str(&shown(&[&circles[..], &["--stringers", "--json"]].concat())).unwrap();
    let circle = &json["arguments"][0]["data"]["elements"][0];
    assert_eq!((&circle["kind"], &circle["text"]), (&json!("struct"), &json!("circle of 4")));
}

/// Types and variables by the whole path of their package; Go prints its last part.
#[test]
fn packages_by_their_paths() {
    let world = |line: &str| {
        let program = corpus("go1.27").with_file_name("world-go1.27");
        let ran = ran(command().env("GOEMU_BINARY", program).arg("call").args(line.split(' ')));
        assert_eq!(ran.status, 0, "{line}: {}", ran.stderr);
        ran.stdout
    };
    assert_eq!(world("internal/abi.Kind.String internal/abi.Kind(2)"), "\"int\"\n");
    assert_eq!(world("internal/abi.Kind.String abi.Kind(2)"), "\"int\"\n");
    assert_eq!(world("internal/abi.(*Type).Size &internal/abi.Type{Size_:5}"), "0x5\n");
    assert!(world("internal/abi.NewName x y true false").starts_with("abi.Name{Bytes:(*uint8)(0xc"));
    assert!(world("internal/abi.NewName x y true false --show-paths").starts_with("internal/abi.Name{"));
    // An error's first word is a table of methods, an any's a type.
    let program = corpus("go1.27").with_file_name("world-go1.27");
    let mut call = command();
    let line = ["call", "internal/abi.TypeOf", "internal/oserror.ErrExist"];
    let refused = ran(call.env("GOEMU_BINARY", program).args(line));
    let expected = "a error is given, and interface {} is wanted";
    assert!(refused.status == 1 && refused.stderr.contains(expected), "{}", refused.stderr);
    let held = world("internal/abi.TypeOf &internal/abi.Type{Size_:5}");
    assert!(held.starts_with("&abi.Type{Size_:0x8, "), "{held}");
}

/// Without debug information a symbol has a variable's address, and the parameter its type.
#[test]
fn variables_by_their_symbols() {
    let bytes = fs::read(corpus("go1.27")).unwrap();
    let mut without = bytes.clone();
    for at in 0..bytes.len() {
        if bytes[at..].starts_with(b".debug_") || bytes[at..].starts_with(b".zdebug_") {
            without[at + 1] = b'x';
        }
    }
    for (name, bytes) in [("with-debug", bytes), ("without-debug", without)] {
        let path = file(name, &bytes);
        let mut call = command();
        call.env("GOEMU_BINARY", path).args(["call", "main.add", "internal/cpu.CacheLineSize", "1"]);
        let ran = ran(call.args(["--sig", "func(a, b uintptr) uintptr"]));
        assert_eq!((ran.status, ran.stdout.as_str()), (0, "0x41\n"), "{name}: {}", ran.stderr);
    }
}

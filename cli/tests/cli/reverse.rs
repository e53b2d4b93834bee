//! `goemu strings` and `goemu xrefs`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use serde_json::Value as Json;

use crate::run::{Ran, command, ran};

fn on_decoders(args: &[&str]) -> Ran {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/decoders-go1.27-stripped");
    ran(command().env("GOEMU_BINARY", path).args(args))
}

fn lines(ran: &Ran) -> Vec<Json> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn strings_by_origin_and_pattern() {
    let decoded = on_decoders(&["strings", "--origin", "decoded", "--json", "--quiet"]);
    assert_eq!((decoded.status, decoded.stderr.as_str()), (0, ""));
    let values: Vec<_> =
        lines(&decoded).iter().map(|line| line["value"].as_str().unwrap().to_owned()).collect();
    for text in ["through a proxy", "grown from a seed", "a cipher of 256 states"] {
        assert_eq!(values.iter().filter(|value| *value == text).count(), 1, "{text}");
    }
    let constant = on_decoders(&["strings", "--origin", "constant", "--no-run", "constant of a branch"]);
    assert_eq!(constant.stdout.lines().count(), 1);
    assert!(constant.stdout.starts_with("constant    certain  0x"), "{}", constant.stdout);
    assert!(constant.stdout.contains("\"a constant of a branch\"  main.plain+0x"), "{}", constant.stdout);
    let none = on_decoders(&["strings", "--no-run", "nosuchstring"]);
    assert!(none.status == 1 && none.stderr.ends_with("goemu: no such strings\n"), "{none:?}");
    let own = on_decoders(&["strings", "--no-run", "--quiet"]);
    assert!(
        own.stderr.contains("strings that only Go's own packages use are not shown (--all)"),
        "{}",
        own.stderr
    );
}

#[test]
fn users_of_functions_addresses_and_texts() {
    let calls = on_decoders(&["xrefs", "main.unxor", "--call", "--json"]);
    let texts: Vec<_> =
        lines(&calls).iter().map(|line| line["text"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(texts, ["c3.hidden.example", "value in a map", "compared and forgotten"]);
    let callees = on_decoders(&["xrefs", "main.byMany", "--callees"]);
    assert!(callees.stdout.contains("main.shifted(\"bopuifs!pg!nboz\", 1)"), "{}", callees.stdout);
    let value = on_decoders(&["xrefs", "main.byXor"]);
    assert!(
        value.stdout.contains("main.init.1+") && value.stdout.contains("takes it as a function value"),
        "{}",
        value.stdout
    );
    let line = &lines(&on_decoders(&["xrefs", "main.byXor", "--json"]))[0];
    let at = line["what"].as_str().unwrap().split("at ").nth(1).unwrap().trim_end_matches(')');
    let taken = on_decoders(&["xrefs", at]);
    assert!(taken.stdout.contains(&format!("takes the address {at}")), "{}", taken.stdout);
    for (target, message) in [
        ("nosuch", "no function nosuch"),
        ("0x1", "nobody uses 0x1"),
        ("\"\"", "the text is empty"),
        ("\"\u{1b}[31m\"", "nobody uses \"\\x1b[31m\""),
    ] {
        let ran = on_decoders(&["xrefs", target]);
        assert!(ran.status == 1 && ran.stderr.contains(message), "{target}: {ran:?}");
    }
}

/// A method that interfaces alone call, and functions that are values alone.
#[test]
fn users_by_tables_and_function_values() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/typed-go1.27");
    let xrefs = |target: &str| ran(command().env("GOEMU_BINARY", &path).args(["xrefs", target, "--json"]));
    let users = |target: &str| {
        let found = lines(&xrefs(target));
        let user = |line: &Json| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("function"), text("what"))
        };
        found.iter().map(user).collect::<Vec<_>>()
    };
    let made = users("main.(*rect).area");
    assert!(
        made.iter().any(|(func, what)| func == "main.parts" && what.starts_with("in the table of")),
        "{made:?}"
    );
    for (target, func, what) in [
        ("main.makeCounter.func1", "main.makeCounter", "takes the address"),
        ("main.init.0.func30", "main.init.0", "takes it as a function value"),
    ] {
        let found = users(target);
        assert!(found.iter().any(|user| user.0 == func && user.1.starts_with(what)), "{target}: {found:?}");
    }
    let calls = ran(command().env("GOEMU_BINARY", &path).args(["xrefs", "main.itoa", "--call"]));
    assert!(calls.stdout.lines().count() > 3 && calls.status == 0, "{calls:?}");
}

#[test]
fn memory_as_bytes_and_as_values() {
    let peek = |args: &[&str]| on_decoders(&[&["peek"], args].concat());
    let line = &lines(&on_decoders(&["strings", "--no-run", "--json", "enough"]))[0];
    let addr = line["address"].as_str().unwrap();
    let bytes = peek(&[&format!("{addr}+6")]);
    assert_eq!(
        (bytes.status, bytes.stdout.contains("65 6e 6f 75 67 68"), bytes.stdout.contains("enough")),
        (0, true, true)
    );
    let made = lines(&on_decoders(&["strings", "--origin", "initialised", "--json", "--quiet", "hidden"]));
    let at = made[0]["users"][0]["at"].as_str().unwrap();
    assert_eq!(peek(&[&format!("{at}:string"), "--init"]).stdout, "\"c3.hidden.example\"\n");
    assert_eq!(peek(&[&format!("{at}:string")]).stdout, "\"\"\n", "as in the file");
    for (place, message) in
        [("0x10", "no memory at all"), ("0x400000:nosuch", "no type nosuch"), ("x", "write an address")]
    {
        let ran = peek(&[place]);
        assert!(ran.status == 1 && ran.stderr.contains(message), "{place}: {ran:?}");
    }
}

#[test]
fn variables_as_in_the_file_and_initialised() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/world-go1.27");
    let vars = |args: &[&str]| ran(command().env("GOEMU_BINARY", &path).arg("vars").args(args));
    let (file, ready) = (vars(&["main.*", "--json"]), vars(&["main.*", "--json", "--init"]));
    assert_eq!((file.status, ready.status), (0, 0));
    let names = |ran: &Ran| {
        lines(ran).iter().map(|line| line["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(!names(&file).is_empty() && names(&file) == names(&ready));
    assert_ne!(file.stdout, ready.stdout, "initialisation sets some");
}

/// Without debug information, variables are the places that code names.
#[test]
fn variables_without_names() {
    let vars = |args: &[&str]| on_decoders(&[&["vars", "--json"][..], args].concat());
    // config, whose string initialisation makes, and which a field follows.
    let ready = lines(&vars(&["hidden", "--init"]));
    let value = ready[0]["value"].as_str().unwrap();
    assert_eq!(value, "\"c3.hidden.example\"", "{ready:?}");
    assert_eq!(ready[0]["users"][0], "main.init.1");
    assert!(lines(&vars(&["main.byKeys"])).iter().any(|line| line["value"] == "0x21"));
    let none = on_decoders(&["vars", "nosuchvariable"]);
    assert!(none.status == 1 && none.stderr.ends_with("goemu: no such variables\n"), "{none:?}");
}

#[test]
fn types_with_fields_and_methods() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin/typed-go1.27");
    let types = |args: &[&str]| ran(command().env("GOEMU_BINARY", &path).arg("types").args(args));
    let point = types(&["main.point"]);
    assert!(
        point.stdout.contains("main.point  16 bytes\n    0x0000  x int\n    0x0008  y int\n"),
        "{}",
        point.stdout
    );
    let error = types(&["error", "--json"]);
    let error = lines(&error).into_iter().find(|line| line["name"] == "error").unwrap();
    assert_eq!(error["methods"][0], "Error");
    let none = types(&["nosuch"]);
    assert!(none.status == 1 && none.stderr.ends_with("goemu: no such types\n"), "{none:?}");
    let path = path.with_file_name("world-go1.27");
    let tagged =
        |args: &[&str]| ran(command().env("GOEMU_BINARY", &path).args(["types", "main.planet"]).args(args));
    let text = tagged(&[]).stdout;
    assert!(text.contains("0x0000  Name string  \"json:\\\"name\\\"\"\n    0x0010  Moons int\n"), "{text}");
    let planet = lines(&tagged(&["--json"])).into_iter().find(|line| line["name"] == "main.planet").unwrap();
    assert_eq!(planet["fields"][0]["tag"], "json:\"name\"");
    assert!(planet["fields"][1]["tag"].is_null(), "{planet}");
}

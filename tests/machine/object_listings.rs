//! Object files as they lie there, with relocations: byte for byte what `go tool objdump` of the object's release prints.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use goemu::disasm::{Syntax, write_object};
use goemu_loader::ObjectListing;
use goemu_tests::fixtures::testdata;

fn listing(name: &str) -> String {
    let file = fs::read(testdata(&format!("objects/{name}"))).unwrap();
    let mut text = String::new();
    for object in ObjectListing::read(&file).unwrap() {
        for func in &object.funcs {
            if !text.is_empty() {
                text.push('\n');
            }
            write_object(&mut text, &object, func, Syntax::Go).unwrap();
        }
    }
    text
}

#[test]
fn objects_are_listed_as_by_gos_own_tool() {
    for name in [
        "deferr-1.15-linux-noopt",
        "deferr-1.19-linux-noopt",
        "deferr-1.22-linux-opt",
        "deferr-1.27-linux-opt",
    ] {
        let expected = fs::read_to_string(testdata(&format!("objects/listings/{name}.txt"))).unwrap();
        let found = listing(&format!("{name}.o"));
        let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
        assert_eq!(differs, None, "{name}");
        assert_eq!(found.lines().count(), expected.lines().count(), "{name}");
    }
}

/// A listing that a user of Go 1.14 published, of `deferr.go`.
#[test]
fn the_oldest_format_has_escaped_names() {
    let text = listing("deferr-1.14.15-darwin.o");
    for line in [
        "TEXT %22%22.c(SB) ",
        "65488b0c2500000000\tMOVQ GS:0, CX\t\t[5:9]R_TLS_LE",
        "488d0500000000\t\tLEAQ 0(IP), AX\t\t[3:7]R_PCREL:%22%22.c.func1·f",
        "e800000000\t\tCALL 0xd3a\t\t[1:5]R_CALL:runtime.deferprocStack",
        "e975ffffff\t\tJMP %22%22.c(SB)",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
}

#[test]
fn what_is_no_object_is_said() {
    for bytes in [&b""[..], b"!<arch>\n", b"go object linux amd64 go1.27 X:none\n!\n", b"\x7fELF"] {
        assert!(ObjectListing::read(bytes).is_err());
    }
}

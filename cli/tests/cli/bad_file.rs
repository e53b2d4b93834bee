//! Files that are no Go program: one clear line, status 1.

use std::fs;
use std::path::Path;

use crate::run::{Ran, corpus, file, goemu};

/// Offset of `e_machine` in an ELF header.
const E_MACHINE: usize = 18;
const EM_AARCH64: u8 = 183;

fn message(path: &Path) -> String {
    let Ran { status, stdout, stderr } =
        goemu(["call".as_ref(), "main.f1".as_ref(), "-b".as_ref(), path.as_os_str()]);
    assert_eq!((status, stdout.as_str()), (1, ""), "{stderr}");
    stderr
}

#[test]
fn files_that_cannot_be_read() {
    let directory = env!("CARGO_MANIFEST_DIR");
    assert_eq!(
        message(Path::new("/no/such/file")),
        "goemu: cannot read /no/such/file: No such file or directory (os error 2)\n"
    );
    assert_eq!(
        message(Path::new(directory)),
        format!("goemu: {directory} is a directory; name a Go binary\n")
    );
    assert_eq!(
        message(Path::new("/dev/null")),
        "goemu: /dev/null is not a regular file; copy its contents to a file first\n"
    );
}

#[test]
fn contents_that_are_no_go_program() {
    let path = file("empty", b"");
    assert_eq!(message(&path), format!("goemu: {}: the file is empty\n", path.display()));
    let path = file("text", b"#!/bin/sh\n");
    assert_eq!(
        message(&path),
        format!("goemu: {}: not an executable: the file is a script\n", path.display())
    );
    // This test itself is an ELF file of another language.
    let path = std::env::current_exe().unwrap();
    assert_eq!(
        message(&path),
        format!(
            "goemu: {}: not a Go binary: it has no Go function table (pclntab); it may be written in another \
             language\n",
            path.display()
        )
    );
}

#[test]
fn another_processor() {
    let mut bytes = fs::read(corpus("go1.27-stripped")).unwrap();
    bytes[E_MACHINE] = EM_AARCH64;
    let path = file("arm64", &bytes);
    let expected =
        format!("goemu: {}: built for arm64, but only x86-64 (GOARCH=amd64) is supported\n", path.display());
    assert_eq!(message(&path), expected);
}

/// What Linux runs, goemu runs: a file may lack its section table. It may also be that its end is missing.
#[test]
fn without_its_section_table() {
    let mut bytes = fs::read(corpus("go1.27-stripped")).unwrap();
    bytes[0x28..0x30].copy_from_slice(&u64::MAX.to_le_bytes());
    let path = file("sections", &bytes);
    let ran = goemu([
        "call".as_ref(),
        "main.add".as_ref(),
        "2".as_ref(),
        "3".as_ref(),
        "-b".as_ref(),
        path.as_os_str(),
    ]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "AX=0x5\n"), "{}", ran.stderr);
    let note = format!(
        "goemu: {}: its section table, at 0xffffffffffffffff, lies outside of the file",
        path.display()
    );
    assert!(ran.stderr.contains(&note), "{}", ran.stderr);
}

#[test]
fn truncated_anywhere() {
    let bytes = fs::read(corpus("go1.27-stripped")).unwrap();
    for sixteenths in 0..16 {
        let len = bytes.len() * sixteenths / 16 + 40;
        let path = file("truncated", &bytes[..len]);
        let text = message(&path);
        let start = format!("goemu: {}: the file is truncated: ", path.display());
        assert!(text.starts_with(&start) && text.lines().count() == 1, "{len}: {text}");
    }
}

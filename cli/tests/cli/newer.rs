//! Programs of releases of Go newer than those that goemu knows: what the debug information says, else what the newest known has,
//! and a warning. They are fixtures that claim to be newer than they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot read its file has failed")]

use std::fs;

use crate::run::{Ran, corpus, file, goemu, there};

/// A fixture that says that another release built it.
struct Claims {
    fixture: &'static str,
    version: &'static str,
    claimed: &'static str,
    warning: Option<&'static str>,
}

const LEARNED: &str = "goemu: built by go1.29.3, which is newer than go1.27, the newest that goemu knows: the runtime's \
                       structures are as its debug information says, all else as in go1.27\n";
const NEAREST: &str = "goemu: built by go1.29.3, which is newer than go1.27, the newest that goemu knows: its runtime is \
                       taken to be like that of go1.27\n";

static CLAIMS: [Claims; 5] = [
    Claims { fixture: "go1.27", version: "go1.27.3", claimed: "go1.29.3", warning: Some(LEARNED) },
    // Structures of Go 1.26 are laid out differently from those of 1.27: only debug information tells.
    Claims { fixture: "go1.26", version: "go1.26.6", claimed: "go1.29.3", warning: Some(LEARNED) },
    Claims { fixture: "go1.27-stripped", version: "go1.27.3", claimed: "go1.29.3", warning: Some(NEAREST) },
    Claims { fixture: "go1.27-stripped", version: "go1.27.3", claimed: "go1.27-x", warning: None },
    Claims { fixture: "go1.27", version: "go1.27.3", claimed: "go1.27rc", warning: None },
];

/// Those whose fixture is there.
fn claims() -> impl Iterator<Item = &'static Claims> {
    let there = there(&["go1.26", "go1.27", "go1.27-stripped"]);
    CLAIMS.iter().filter(move |claims| there.contains(&claims.fixture))
}

impl Claims {
    /// The fixture with the other version, in a file of one test's own.
    fn file(&self, test: &str) -> String {
        let mut bytes = fs::read(corpus(self.fixture)).unwrap();
        let (old, new) = (self.version.as_bytes(), self.claimed.as_bytes());
        assert_eq!(old.len(), new.len());
        let places: Vec<usize> =
            (0..bytes.len() - old.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
        assert!(!places.is_empty(), "{} does not say {}", self.fixture, self.version);
        for at in places {
            bytes[at..at + old.len()].copy_from_slice(new);
        }
        file(&format!("{test}-{}-as-{}", self.fixture, self.claimed), &bytes).display().to_string()
    }
}

fn call(path: &str, line: &str) -> Ran {
    goemu(["call", "-b", path].into_iter().chain(line.split(' ')))
}

/// Calls that need the layouts of goroutines, defers, panics, maps, and of the table of tables.
const CALLS: [&str; 7] = [
    "main.fib 20 --sig=func(int)int",
    "main.f1 --sig=func()int",
    "main.index []int{4,5,6} 7 --sig=func([]int,int)int",
    "main.deep 5000 --sig=func(int)int",
    "main.unrecovered 3 --sig=func(int)int",
    "main.goroutineSum 4 --sig=func(int)int",
    "main.recovered 1 --sig=func(int)string",
];

#[test]
fn newer_releases_are_served_with_a_warning() {
    for claims in claims() {
        let (path, real) = (claims.file("served"), corpus(claims.fixture).display().to_string());
        for line in CALLS {
            let (ran, expected) = (call(&path, line), call(&real, line));
            assert_eq!((ran.status, &ran.stdout), (expected.status, &expected.stdout), "{path} {line}");
            let stderr = format!("{}{}", claims.warning.unwrap_or_default(), expected.stderr);
            assert_eq!(ran.stderr, stderr, "{path} {line}");
        }
    }
}

#[test]
fn the_warning_is_in_what_scripts_read() {
    for claims in claims() {
        let ran = call(&claims.file("json"), "main.fib 1 --sig=func(int)int --json");
        let warning = claims.warning.map(|text| text.trim_start_matches("goemu: ").trim_end());
        let expected =
            warning.map_or("\"warning\":null".to_owned(), |text| format!("\"warning\":\"{text}\""));
        assert!(ran.stdout.contains(&expected), "{}: {}", claims.claimed, ran.stdout);
        assert!(ran.stdout.contains(&format!("\"go\":\"{}\"", claims.claimed)), "{}", ran.stdout);
    }
}

/// Version strings of other forms, in the place of the module information that follows.
#[test]
fn versions_of_other_forms() {
    const VERSION: &[u8] = b"\x08go1.27.3";
    for (text, go) in [
        ("devel go1.28-0123abcd Fri Jan 1 00:00:00 2027", "1.28 (newer than all known releases)"),
        ("devel +0123abcd Fri Jan 1 00:00:00 2027", "1.27 (guessed from its tables)"),
        ("go1.27.3-vendor.1", "1.27"),
        ("go1.27.3 X:rangefunc,arenas", "1.27"),
        ("go1.27rc1", "1.27"),
        ("go1.21.5 X:boringcrypto", "1.27 (guessed from its tables)"),
        ("go9.9", "1.27 (guessed from its tables)"),
    ] {
        let mut bytes = fs::read(corpus("go1.27-stripped")).unwrap();
        let at = (0..bytes.len()).find(|at| bytes[*at..].starts_with(VERSION)).unwrap();
        bytes[at] = u8::try_from(text.len()).unwrap();
        bytes[at + 1..=at + text.len()].copy_from_slice(text.as_bytes());
        bytes[at + 1 + text.len()] = 0;
        let path = file("other-version", &bytes).display().to_string();
        let info = goemu(["info", "-b", &path]).stdout;
        let runtime = info.lines().find_map(|line| line.trim().strip_prefix("runtime")).unwrap();
        assert_eq!(runtime.trim(), format!("go{go}"), "{text}\n{info}");
        let ran = call(&path, "main.index []int{4,5,6} 7 --sig=func([]int,int)int");
        assert_eq!(ran.status, 2, "{text}: {}", ran.stderr);
    }
}

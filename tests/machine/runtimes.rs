//! Which runtime serves the functions of the fixture programs, and whether they do what they did natively: that the file
//! of measurements and the document of it hold. `UPDATE_EXPECT=1` (`cargo xtask bless`) writes both.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use expect_test::expect_file;
use goemu_tests::fixtures::{VERSIONS, present, testdata};
use goemu_tests::served::{Served, builds, document, measure, read, write};

/// Measures builds, on all processors.
fn measured(names: &[String]) -> BTreeMap<String, Served> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((name.clone(), measure(name)));
        }
        done
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

/// What is true of the builds that are there; written, of these, and the file's word for the others.
#[test]
fn the_measurements_hold() {
    let (recorded, names) = (read(), builds());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let all: BTreeMap<_, _> = recorded.into_iter().chain(measured(&names)).collect();
        fs::write(testdata("native/served.tsv"), write(&all)).unwrap();
        fs::write(testdata("../docs/semantics.md"), document(&all)).unwrap();
        return;
    }
    present(VERSIONS.map(|version| format!("corpus-go1.{version}")));
    assert!(names.len() >= 5, "only {} builds", names.len());
    let only = |build: &str, served: &Served| write(&BTreeMap::from([(build.to_owned(), served.clone())]));
    for (build, served) in &measured(&names) {
        let expected = recorded.get(build).cloned().unwrap_or_default();
        assert_eq!(only(build, served), only(build, &expected), "cargo xtask bless, if this is right");
    }
}

#[test]
fn the_document_is_of_the_measurements() {
    if std::env::var_os("UPDATE_EXPECT").is_none() {
        expect_file![testdata("../docs/semantics.md")].assert_eq(&document(&read()));
    }
}

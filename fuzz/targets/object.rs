//! Changes to object files and archives of every format. The first byte chooses the file; each five bytes after it are a
//! change: where, and what is written there.
#![no_main]

mod walk;

use std::{fs, path::Path, sync::LazyLock};

use goemu_loader::Image;
use libfuzzer_sys::fuzz_target;

/// Small ones of each format, since a run costs what its file is long; and one with types of many kinds.
const NAMES: [&str; 16] = [
    "deferr-1.12.17-linux.o",
    "deferr-1.13.15-windows.o",
    "deferr-1.14.15-darwin.o",
    "deferr-1.15.15-windows.o",
    "deferr-1.15-linux-noopt.o",
    "deferr-1.16.15-darwin.o",
    "deferr-1.18.10-linux.o",
    "deferr-1.20.14-linux.o",
    "deferr-1.22-linux-opt.o",
    "deferr-1.25-linux-noopt.o",
    "deferr-1.27-darwin-opt.o",
    "lib-1.15.a",
    "lib-1.27.a",
    "use-1.15.o",
    "use-1.27.o",
    "prints-1.19-linux-opt.o",
];

static FILES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/objects");
    NAMES.iter().map(|name| fs::read(folder.join(name)).expect("a fixture")).collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((&choice, changes)) = input.split_first() else { return };
    let mut bytes = FILES[usize::from(choice) % FILES.len()].clone();
    for change in changes.chunks_exact(5) {
        let at = u32::from_le_bytes([change[0], change[1], change[2], 0]) as usize % bytes.len();
        let end = (at + 2).min(bytes.len());
        bytes[at..end].copy_from_slice(&change[3..3 + end - at]);
    }
    if let Ok(image) = Image::parse(bytes) {
        walk::walk(&image);
        walk::signatures(&image);
    }
});

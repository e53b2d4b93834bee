//! Changes to whole programs of every format. The first byte chooses the program; each eight bytes after it are a
//! change: where, and what is written there.
#![no_main]

mod walk;

use std::{fs, path::Path, sync::LazyLock};

use goemu_loader::Image;
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 8] = [
    "corpus-go1.15-stripped",
    "corpus-go1.15-pie",
    "corpus-go1.27-stripped",
    "corpus-go1.27-pie",
    "corpus-go1.15-darwin-stripped",
    "corpus-go1.27-darwin",
    "corpus-go1.15-windows-stripped",
    "corpus-go1.27-windows",
];

/// A program, and where a change does most.
struct Program {
    bytes: Vec<u8>,
    places: Vec<usize>,
}

static PROGRAMS: LazyLock<Vec<Program>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin");
    let program = |name: &&str| {
        let bytes = fs::read(folder.join(name)).expect("a fixture");
        let image = Image::parse(bytes.clone()).expect("a Go program");
        let offset = |addr: u64| {
            let segment = image.segments().iter().find(|segment| segment.contains(addr))?;
            Some((segment.file_offset + (addr - segment.addr)) as usize)
        };
        let module = image.module().expect("moduledata");
        let tables = [module.addr, module.pclntab, module.ftab.addr].into_iter().chain(module.types.map(|t| t.start));
        let tables = tables.filter_map(offset).flat_map(|start| start..start + 4096);
        // The last part has symbols and relocations.
        let end = bytes.len() - 8192..bytes.len();
        let places = (0..4096).chain(tables).chain(end).filter(|at| at + 4 <= bytes.len()).collect();
        Program { bytes, places }
    };
    NAMES.iter().map(program).collect()
});

fuzz_target!(|input: &[u8]| {
    let Some((&choice, changes)) = input.split_first() else { return };
    let program = &PROGRAMS[usize::from(choice) % PROGRAMS.len()];
    let mut bytes = program.bytes.clone();
    for change in changes.chunks_exact(8) {
        let (place, value) = change.split_at(4);
        let place = u32::from_le_bytes([place[0], place[1], place[2], place[3]]) as usize;
        // Three of four changes go where they do most.
        let at = if place % 4 == 3 { place % (bytes.len() - 4) } else { program.places[place % program.places.len()] };
        bytes[at..at + 4].copy_from_slice(value);
    }
    if let Ok(image) = Image::parse(bytes) {
        walk::walk(&image);
        if choice < 32 {
            walk::signatures(&image);
        }
    }
});

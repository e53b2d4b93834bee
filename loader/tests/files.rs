//! Files as the world leaves them: changed while they are open, damaged on purpose, dumped from memory.

use std::path::{Path, PathBuf};

use goemu_loader::Image;

fn fixture(name: &str) -> Vec<u8> {
    let folder = if name.starts_with("demo") { "cli/demo" } else { "testdata/bin" };
    let path = format!("{}/../{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file that is removed when the test ends.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, bytes: &[u8]) -> Temporary {
        let path = std::env::temp_dir().join(format!("goemu-loader-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Temporary(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Every function's name and line, and every byte of every segment.
fn everything(image: &Image) -> (Vec<String>, Vec<u8>) {
    let funcs = image.funcs().map(|func| format!("{func:?} {:?}", func.line_at(func.entry())));
    let bytes = image.segments().iter().flat_map(|segment| image.segment_bytes(segment));
    (funcs.collect(), bytes.copied().collect())
}

#[test]
fn a_file_may_be_truncated_or_changed_while_it_is_open() {
    let bytes = fixture("demo-go1.27");
    let expected = everything(&Image::parse(bytes.clone()).expect("a program"));
    let file = Temporary::new("truncated", &bytes);
    let image = Image::open(file.path()).expect("a program");
    assert!(!image.is_shared());
    assert_eq!(image.path(), Some(file.path()));
    // Reading a mapped file beyond its end is SIGBUS, which would end this process.
    std::fs::write(file.path(), b"short").expect("truncated");
    assert!(everything(&image) == expected, "it differs after it was truncated");
    std::fs::write(file.path(), vec![0x55; bytes.len()]).expect("written");
    assert!(everything(&image) == expected, "it differs after it was written");
}

/// What guests map is the copy, which no process can change: it is sealed.
#[cfg(target_os = "linux")]
#[test]
fn guests_map_the_copy() {
    let bytes = fixture("demo-go1.27");
    let file = Temporary::new("sealed", &bytes);
    let image = Image::open(file.path()).expect("a program");
    let copy = image.file().expect("a copy");
    assert_eq!(copy.metadata().expect("its size").len(), bytes.len() as u64);
    assert!(copy.set_len(0).is_err());
    assert!(std::os::unix::fs::FileExt::write_at(copy, b"x", 0).is_err());
}

#[test]
fn large_files_are_mapped_and_say_so() {
    let mut bytes = fixture("demo-go1.27");
    bytes.resize((64 << 20) + 1, 0);
    let file = Temporary::new("large", &bytes);
    let image = Image::open(file.path()).expect("a program");
    assert!(image.is_shared());
    assert_eq!(image.funcs_named("main.main").len(), 1);
}

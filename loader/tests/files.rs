//! Files as the world leaves them: changed while they are open, damaged on purpose, dumped from memory.

use std::path::{Path, PathBuf};

use goemu_loader::{Image, LoadError};

fn fixture(name: &str) -> Vec<u8> {
    let folder = if name.starts_with("demo") { "cli/demo" } else { "testdata/bin" };
    let path = format!("{}/../{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file that is removed when the test ends.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, bytes: &[u8]) -> Temporary {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
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

/// Reading a mapped file beyond its end would end this process, so that large ones are copied, too. Holes stay holes.
#[test]
fn a_large_file_may_be_truncated_while_it_is_open() {
    let bytes = fixture("demo-go1.27");
    let expected = everything(&Image::parse(bytes.clone()).expect("a program"));
    let file = Temporary::new("large", &bytes);
    let open = std::fs::File::options().write(true).open(file.path()).expect("opened");
    open.set_len((64 << 20) + 1).expect("a hole");
    let image = Image::open(file.path()).expect("a program");
    open.set_len(1).expect("truncated");
    assert!(everything(&image) == expected, "it differs after it was truncated");
    let all = image.shared_bytes();
    let all = (*all).as_ref();
    assert!(all.len() == (64 << 20) + 1 && all[bytes.len()..].iter().all(|byte| *byte == 0));
}

/// What does not fit into memory is refused, and not mapped.
#[cfg(target_os = "linux")]
#[test]
fn a_file_larger_than_memory_is_refused() {
    let file = Temporary::new("huge", &fixture("demo-go1.27"));
    let open = std::fs::File::options().write(true).open(file.path()).expect("opened");
    open.set_len(1 << 43).expect("a hole");
    let error = Image::open(file.path()).expect_err("refused");
    assert!(matches!(error, LoadError::TooLarge { len: 0x800_0000_0000, .. }), "{error}");
}

/// The program with a number of `width` bytes changed.
fn changed(bytes: &[u8], at: usize, width: usize, value: u64) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
    bytes
}

/// Linux looks at none of these fields of an ELF header, and files that are to hide from analysis have them wrong.
#[test]
fn what_linux_does_not_look_at_may_be_wrong() {
    for name in ["demo-go1.15", "demo-go1.27", "corpus-go1.27-pie"] {
        let bytes = fixture(name);
        let len = bytes.len() as u64;
        let whole = Image::parse(bytes.clone()).expect("a program");
        assert_eq!(whole.remarks(), [""; 0]);
        let (expected, _) = everything(&whole);
        let rows = [
            ("EI_CLASS", 4, 1, 1),
            ("EI_CLASS", 4, 1, 0xff),
            ("EI_DATA", 5, 1, 2),
            ("EI_VERSION", 6, 1, 9),
            ("e_version", 20, 4, 9),
            ("e_shoff", 0x28, 8, len),
            ("e_shoff", 0x28, 8, len - 8),
            ("e_shoff", 0x28, 8, 0xffff_ffff),
            ("e_shoff", 0x28, 8, u64::MAX),
            ("e_flags", 0x30, 4, 0xffff_ffff),
            ("e_ehsize", 0x34, 2, 0xffff),
            ("e_shentsize", 0x3a, 2, 0xffff),
            ("e_shnum", 0x3c, 2, 0xffff),
            ("e_shstrndx", 0x3e, 2, 0xffff),
        ];
        for (field, at, width, value) in rows {
            let image = Image::parse(changed(&bytes, at, width, value))
                .unwrap_or_else(|error| panic!("{name}: {field} = {value:#x}: {error}"));
            assert!(everything(&image).0 == expected, "{name}: {field} = {value:#x}");
            assert_eq!(image.entry(), whole.entry(), "{name}: {field} = {value:#x}");
            let outside = matches!(field, "e_shoff" | "e_shnum");
            assert_eq!(!image.remarks().is_empty(), outside, "{name}: {field}: {:?}", image.remarks());
        }
    }
}

/// Sections outside of the file are left out, and the others kept.
#[test]
fn a_section_may_lie_outside_of_the_file() {
    let bytes = fixture("demo-go1.27");
    let table = u64::from_le_bytes(bytes[0x28..0x30].try_into().expect("eight bytes")) as usize;
    let whole = Image::parse(bytes.clone()).expect("a program");
    // The second header is the first section's.
    let image = Image::parse(changed(&bytes, table + 64 + 24, 8, u64::MAX)).expect("a program");
    assert_eq!(image.sections(), &whole.sections()[1..]);
    assert_eq!(image.symbols().count(), whole.symbols().count());
    let [remark] = image.remarks() else { panic!("{:?}", image.remarks()) };
    assert!(
        remark.starts_with("sections lie outside of the file and are left out (1 of them, \".text\""),
        "{remark}"
    );
}

/// Windows does not look at the symbol table, which UPX and others leave where it no longer is.
#[test]
fn windows_programs_may_have_their_symbols_outside_of_the_file() {
    let bytes = fixture("corpus-go1.27-windows");
    let pe = u32::from_le_bytes(bytes[0x3c..0x40].try_into().expect("four bytes")) as usize;
    let (expected, _) = everything(&Image::parse(bytes.clone()).expect("a program"));
    for offset in [bytes.len() as u64, u64::from(u32::MAX)] {
        let image = Image::parse(changed(&bytes, pe + 12, 4, offset)).expect("a program");
        assert!(everything(&image).0 == expected, "{offset:#x}");
        assert_eq!((image.symbols().count(), image.remarks().len()), (0, 1), "{offset:#x}");
    }
}

/// A file that lacks its end runs if nothing is missing that is loaded, and says that its end may be missing.
#[test]
fn a_file_without_its_end_says_so() {
    let bytes = fixture("demo-go1.27");
    let whole = Image::parse(bytes.clone()).expect("a program");
    let loaded = whole.segments().iter().map(|segment| segment.file_offset + segment.file_size).max();
    let loaded = loaded.expect("segments") as usize;
    let image = Image::parse(bytes[..loaded].to_vec()).expect("a program");
    assert!(everything(&image) == everything(&whole));
    assert!(image.remarks()[0].ends_with("the file may be truncated"), "{:?}", image.remarks());
    let error = Image::parse(bytes[..loaded - 1].to_vec()).expect_err("a segment is missing").to_string();
    assert!(error.starts_with("the file is truncated: a loaded segment ends at"), "{error}");
}

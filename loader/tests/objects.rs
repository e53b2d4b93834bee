//! Object files: every function of every release's object, with its lines and signature.

use std::path::PathBuf;

use goemu_loader::{Image, LoadError};
use proptest::prelude::*;
use proptest::sample::Index;

fn objects() -> Vec<PathBuf> {
    let folder = PathBuf::from("../testdata/objects");
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|e| e == "o")).collect();
    paths.sort();
    paths
}

#[test]
fn functions_have_names_lines_and_signatures() {
    let expected = [
        ("main.c", "func() (i int)", 7),
        ("main.f1", "func() (result int)", 15),
        ("main.f3", "func() (r int)", 30),
    ];
    let paths: Vec<PathBuf> =
        objects().into_iter().filter(|path| path.to_string_lossy().contains("deferr-")).collect();
    assert!(paths.len() >= 24);
    for path in paths {
        let image = Image::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for (name, signature, line) in expected {
            let funcs = image.funcs_named(name);
            let [func] = funcs[..] else { panic!("{}: {} functions {name}", path.display(), funcs.len()) };
            let found =
                image.signature(&func).unwrap_or_else(|error| panic!("{} {name}: {error}", path.display()));
            // Go 1.15 to 1.18 write no debug information unless they are told the package's path.
            let untold = ["1.15.15", "1.16.15", "1.17.13", "1.18.10"]
                .iter()
                .any(|go| path.to_string_lossy().contains(go));
            let expected = if untold { None } else { Some(signature) };
            assert_eq!(found.map(|s| s.to_string()).as_deref(), expected, "{} {name}", path.display());
            let place = func.line_at(func.entry()).map(|place| (place.file.rsplit('/').next(), place.line));
            assert_eq!(place, Some((Some("deferr.go"), line)), "{} {name}", path.display());
            assert!(func.deferreturn().is_some_and(|pc| pc > func.entry() && pc < func.end()));
            assert!(func.sp_delta(func.entry()) == Some(0), "{} {name}", path.display());
        }
    }
}

#[test]
fn types_that_no_object_describes_are_made() {
    let expected = [
        ("main.squares", "func(n int) []int"),
        ("main.equal", "func(a string, b string, c interface {}, d interface {}) (bool, bool, bool)"),
        ("main.deref", "func(p *main.point) int"),
    ];
    for release in ["1.15", "1.19", "1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27"] {
        let path = format!("../testdata/objects/helpers-{release}-linux-opt.o");
        let image = Image::open(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        for (name, signature) in expected {
            let func = image.funcs_named(name)[0];
            let found = image.signature(&func).unwrap_or_else(|error| panic!("{path} {name}: {error}"));
            let found = found.map(|signature| signature.to_string()).unwrap_or_default();
            let plain = found.replace(" (~r0 bool, ~r1 bool, ~r2 bool)", " (bool, bool, bool)");
            assert_eq!(plain, signature, "{path} {name}");
        }
    }
}

/// Asks an image for everything that depends on what was linked.
fn walk(image: &Image) -> usize {
    let mut answers = image.symbols().count() + image.types().count();
    for func in image.funcs() {
        answers += func.name().len() + usize::from(image.line_at(func.entry()).is_some());
        answers += image.inlined_at(func.entry()).len() + usize::from(func.sp_delta(func.entry()).is_some());
        answers += (0..9).filter_map(|index| func.funcdata(index)).count();
        answers += usize::from(image.signature(&func).is_ok()) + format!("{:?}", func.abi()).len();
    }
    for ty in image.types() {
        answers += usize::from(image.resolve(&ty).is_ok());
    }
    answers
}

/// Linking ends in an image, or in an error of one line that says what was expected.
fn survives(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    match Image::parse(bytes) {
        Ok(image) => {
            walk(&image);
        }
        Err(error) => prop_assert!(!error.to_string().contains('\n'), "{error}"),
    }
    Ok(())
}

/// One of each format, and an archive.
const HOSTILE: [&str; 7] = [
    "deferr-1.12.17-linux.o",
    "deferr-1.14.15-darwin.o",
    "deferr-1.15.15-windows.o",
    "deferr-1.17.13-linux.o",
    "deferr-1.20.14-linux.o",
    "deferr-1.27-linux-opt.o",
    "lib-1.27.a",
];

fn object(index: usize) -> Vec<u8> {
    let path = format!("../testdata/objects/{}", HOSTILE[index]);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn truncated_objects_are_refused() {
    for (index, name) in HOSTILE.iter().enumerate() {
        let whole = object(index);
        for end in (9..whole.len()).step_by(37) {
            let error = Image::parse(whole[..end].to_vec()).err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            let says =
                ["expected", "truncated", "amd64", "starts with"].iter().any(|word| error.contains(word));
            assert!(says, "{name} cut at {end}: {error}");
        }
    }
}

#[test]
fn objects_of_other_processors_and_releases_are_refused() {
    let message = |header: &str| match Image::parse(header.as_bytes().to_vec()) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{header} was linked"),
    };
    assert!(message("go object linux arm64 go1.20 X:none\n!\n").starts_with("built for arm64"));
    assert!(message("go object linux amd64 go1.9 X:none\n!\n").contains("older than 1.12"));
    assert!(message("go object linux amd64 go1.20 X:none\n").contains("exclamation mark"));
    assert!(message("go object linux amd64 go1.20 X:none\n\n!\n\0go1xx").contains("magic"));
    let both = ["deferr-1.15.15-linux.o", "deferr-1.20.14-linux.o"]
        .map(|name| format!("../testdata/objects/{name}"));
    assert!(matches!(Image::open_all(&both), Err(LoadError::MixedObjects { .. })));
}

/// Descriptors lie one behind the other since Go 1.27: what a type's symbol has of zeros, beyond its own data, is none.
#[test]
fn a_type_that_says_it_is_large_is_not_many_types() {
    const SYMBOL: usize = 21;
    let path = "../testdata/objects/deferr-1.27-linux-noopt.o";
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let start = bytes.windows(8).position(|magic| magic == b"\0go120ld").expect("an object");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
    // Blocks 3 to 6 are the symbols that the object defines.
    let [first, end] = [3, 7].map(|block| start + word(start + 20 + 4 * block));
    let is_type = |at: &usize| bytes[start + word(at + 4)..].starts_with(b"type:");
    let types: Vec<usize> = (first..end).step_by(SYMBOL).filter(is_type).collect();
    assert!(!types.is_empty());
    for at in types {
        let mut large = bytes.clone();
        large[at + 13..at + 17].copy_from_slice(&(64_u32 << 20).to_le_bytes());
        let image = Image::parse(large).expect("it fits");
        assert!(image.types().count() < 100, "{}", image.types().count());
    }
}

/// Numbers near the ends of their ranges.
fn nasty() -> impl Strategy<Value = u64> {
    prop_oneof![any::<u64>(), Just(0), Just(u64::MAX), (0u32..64).prop_map(|bit| 1 << bit), 0..300u64]
}

/// So many files, or as many as a long run asks for (`PROPTEST_CASES`).
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(400), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn numbers_changed_anywhere(
        which in 0..HOSTILE.len(),
        changes in prop::collection::vec((any::<Index>(), nasty(), 1..9usize), 1..5),
    ) {
        let mut bytes = object(which);
        for (place, value, width) in changes {
            let at = place.index(bytes.len() - 8);
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        survives(bytes)?;
    }

    #[test]
    fn bytes_changed_anywhere(
        which in 0..HOSTILE.len(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..60),
    ) {
        let mut bytes = object(which);
        for (place, value) in changes {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        survives(bytes)?;
    }
}

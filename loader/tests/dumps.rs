//! Dumps of memory are told from files, and programs can be moved.

use goemu_loader::{Image, LoadError, LoadOptions, Perm};

fn fixture(name: &str) -> Vec<u8> {
    let folder = if name.starts_with("demo") { "cli/demo" } else { "testdata/bin" };
    let path = format!("{}/../{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Memory as the system's loader would fill it, from the image's first byte on, in whole pages. Zeroed variables have been
/// written.
fn dump(image: &Image) -> Vec<u8> {
    let end = image.segments().iter().map(|segment| segment.addr + segment.mem_size).max();
    let size = (end.expect("segments") - image.base()).next_multiple_of(0x1000);
    let mut memory = vec![0; size as usize];
    for segment in image.segments() {
        let start = (segment.addr - image.base()) as usize;
        let bytes = image.segment_bytes(segment);
        memory[start..start + bytes.len()].copy_from_slice(bytes);
        memory[start + bytes.len()..start + segment.mem_size as usize].fill(0xa5);
    }
    for reloc in image.relocs() {
        let at = (reloc.addr - image.base()) as usize;
        memory[at..at + 8].copy_from_slice(&reloc.value.to_le_bytes());
    }
    memory
}

/// What is said of every function, its code, and the number of types.
fn told(image: &Image) -> (Vec<String>, usize) {
    let funcs = image.funcs().map(|func| {
        let size = (func.end() - func.entry()) as usize;
        let sum: u64 = image.bytes(func.entry(), size).expect("code").iter().copied().map(u64::from).sum();
        format!("{func:?} {:?} {sum}", func.line_at(func.entry()))
    });
    (funcs.collect(), image.types().count())
}

const PROGRAMS: [&str; 8] = [
    "demo-go1.15",
    "demo-go1.27",
    "corpus-go1.15-pie",
    "corpus-go1.27-pie",
    "cgo-go1.27-gcc-pie",
    "cgo-go1.15-gcc",
    "corpus-go1.15-windows-stripped",
    "corpus-go1.27-windows",
];

#[test]
fn a_dump_is_read_as_it_lay_in_memory() {
    for name in PROGRAMS {
        let bytes = fixture(name);
        let mut images = vec![Image::parse(bytes.clone()).expect("a program")];
        // Where systems put position-independent programs, and the headers do not say it.
        if name.contains("pie") {
            let there = LoadOptions::default().base(0x5555_5555_4000).parse(bytes).expect("a program");
            images.push(there);
        }
        for image in images {
            let memory = dump(&image);
            let dumped = Image::parse(memory.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(dumped.is_dump(), "{name}");
            assert_eq!(dumped.base(), image.base(), "{name}");
            assert!(dumped.remarks()[0].starts_with("taken for a dump of memory"), "{:?}", dumped.remarks());
            assert!(told(&dumped) == told(&image), "{name}");
            assert_eq!(dumped.relocs(), [], "{name}");
            let imported = |image: &Image| -> Vec<String> {
                image.imports().iter().map(|import| format!("{:#x} {}", import.addr, import.name)).collect()
            };
            assert_eq!(imported(&dumped), imported(&image), "{name}");
            // Zeroed variables are as they were in memory.
            for segment in image.segments().iter().filter(|segment| segment.mem_size > segment.file_size) {
                assert_eq!(dumped.read_u8(segment.addr + segment.mem_size - 1), Some(0xa5), "{name}");
            }
        }
    }
}

#[test]
fn a_dump_needs_no_headers() {
    for name in PROGRAMS.into_iter().chain(["corpus-go1.15-darwin-stripped", "corpus-go1.27-darwin"]) {
        let image = Image::parse(fixture(name)).expect("a program");
        let mut memory = dump(&image);
        // Mach-O headers are not used; others are, if they are there.
        if !name.contains("darwin") {
            memory[..0x400].fill(0);
        }
        for options in [LoadOptions::default(), LoadOptions::default().dump_base(image.base())] {
            let dumped = options.parse(memory.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(dumped.target().os, image.target().os, "{name}");
            assert!(dumped.is_dump() && told(&dumped) == told(&image), "{name}");
            let main = dumped.funcs_named("main.main")[0].entry();
            let segment = dumped.segments().iter().find(|segment| segment.contains(main)).expect("a segment");
            assert!(!segment.perm.contains(Perm::WRITE), "{name}");
        }
    }
}

/// Where names of files do not tell the system, code does, and headers that are of no other use.
#[test]
fn a_dump_without_names_tells_its_system() {
    let darwin = ["corpus-go1.15-darwin-stripped", "corpus-go1.27-darwin"];
    for name in PROGRAMS.into_iter().chain(darwin) {
        let image = Image::parse(fixture(name)).expect("a program");
        for headers in [false, true] {
            let mut memory = dump(&image);
            if !headers && !name.contains("darwin") {
                memory[..0x400].fill(0);
            }
            let names: Vec<usize> =
                memory.windows(4).enumerate().filter(|(_, at)| *at == b"/os_").map(|at| at.0).collect();
            assert!(!names.is_empty(), "{name}");
            names.into_iter().for_each(|at| memory[at..at + 4].copy_from_slice(b"/xx-"));
            let dumped = Image::parse(memory).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(dumped.target().os, image.target().os, "{name}");
        }
    }
}

#[test]
fn a_dump_elsewhere_says_where() {
    let memory = dump(&Image::parse(fixture("demo-go1.27")).expect("a program"));
    let error = LoadOptions::default().dump_base(0x50_0000).parse(memory).expect_err("elsewhere").to_string();
    assert_eq!(error, "the dump's tables say that its first byte was at 0x400000, not at 0x500000");
}

/// Files are not taken for dumps, with tables or without.
#[test]
fn files_are_no_dumps() {
    let names = ["corpus-go1.15-darwin-stripped", "corpus-go1.27-darwin", "corpus-go1.27-stripped"];
    for name in PROGRAMS.into_iter().chain(names) {
        let mut bytes = fixture(name);
        let image = Image::parse(bytes.clone()).expect("a program");
        assert!(!image.is_dump() && image.remarks().is_empty(), "{name}: {:?}", image.remarks());
        // Of a number of pages, as a dump is.
        bytes.resize(bytes.len().next_multiple_of(0x1000), 0);
        let image = Image::parse(bytes).expect("a program");
        assert!(!image.is_dump() && image.remarks().is_empty(), "{name}: {:?}", image.remarks());
    }
}

#[test]
fn programs_that_are_position_independent_can_be_moved() {
    for name in ["corpus-go1.15-pie", "corpus-go1.27-pie", "corpus-go1.27-windows", "corpus-go1.27-darwin"] {
        let bytes = fixture(name);
        let usual = Image::parse(bytes.clone()).expect("a program");
        for base in [0x1_0000, 0, 0x10_0000, 0x55_5555_4000] {
            let moved = LoadOptions::default()
                .base(base)
                .parse(bytes.clone())
                .unwrap_or_else(|e| panic!("{name} {base:#x} {e}"));
            assert_eq!(moved.base(), base, "{name}");
            let funcs = |image: &Image| -> Vec<(u64, String)> {
                image.funcs().map(|f| (f.entry() - image.base(), f.name().to_owned())).collect()
            };
            assert!(funcs(&moved) == funcs(&usual), "{name} at {base:#x}");
            assert_eq!(moved.types().count(), usual.types().count(), "{name} at {base:#x}");
            // Reading through nil fails wherever the program is.
            assert!(moved.segments().iter().all(|segment| segment.addr >= 0x1000), "{name} at {base:#x}");
        }
        let error =
            LoadOptions::default().base(0x40_0010).parse(bytes.clone()).expect_err("no page").to_string();
        assert_eq!(error, "0x400010 is no base for a program: a multiple of 0x1000 is");
        for base in [0x7fff_ffff_f000, 0x8000_0000_0000, u64::MAX - 0xff_ffff, u64::MAX - 0xfff] {
            let error = LoadOptions::default().base(base).parse(bytes.clone()).expect_err("too high");
            assert!(matches!(error, LoadError::HighBase { .. }), "{name} at {base:#x}: {error}");
        }
    }
}

#[test]
fn other_programs_cannot_be_moved() {
    let bytes = fixture("demo-go1.27");
    let there = LoadOptions::default().base(0x40_0000).parse(bytes.clone()).expect("where it was linked");
    assert_eq!(there.base(), 0x40_0000);
    let error = LoadOptions::default().base(0x50_0000).parse(bytes).expect_err("fixed");
    assert!(matches!(error, LoadError::NotMovable { linked: 0x40_0000, base: 0x50_0000 }), "{error}");
}

#[test]
fn a_file_that_zeros_were_added_to_is_no_dump() {
    let others = ["corpus-go1.15-stripped", "corpus-go1.27-stripped", "corpus-go1.27-darwin"];
    for name in PROGRAMS.into_iter().chain(others) {
        let mut bytes = fixture(name);
        let program = Image::parse(bytes.clone()).expect("a program");
        for size in [16 << 20, (16 << 20) + 0x1000, (16 << 20) + 1] {
            bytes.resize(size, 0);
            let padded = Image::parse(bytes.clone()).expect("a program with zeros after it");
            assert!(!padded.is_dump(), "{name} of {size:#x} bytes");
            let sections = |image: &Image| image.sections().len();
            assert_eq!(sections(&padded), sections(&program), "{name}");
        }
    }
}

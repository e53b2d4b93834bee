//! Whatever the bytes, loading ends in an image or an error, and reading all of an image ends.

use std::borrow::Cow;
use std::sync::LazyLock;

use goemu_loader::{GoVersion, Image, LoadError, LoadOptions};
use proptest::prelude::*;
use proptest::sample::Index;

fn fixture(name: &str) -> Vec<u8> {
    let folder = if name.starts_with("demo") { "cli/demo" } else { "testdata/bin" };
    let path = format!("{}/../{folder}/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A program of each format and kind of function table: addresses (Go 1.15), offsets (Go 1.27).
const NAMES: [&str; 6] = [
    "demo-go1.15",
    "demo-go1.27",
    "corpus-go1.15-darwin-stripped",
    "corpus-go1.27-darwin",
    "corpus-go1.15-windows-stripped",
    "corpus-go1.27-windows",
];
static PROGRAMS: LazyLock<[Vec<u8>; NAMES.len()]> = LazyLock::new(|| NAMES.map(fixture));

/// Asks everything that an image can be asked, of some functions; answers how many answers there were.
fn walk(image: &Image) -> usize {
    let mut answers = image.relocs().len() + image.symbols().count() + image.sections().len();
    answers += image.imports().len() + usize::from(image.plugin_path().is_some());
    for section in image.sections() {
        answers += image.section_data(&section.name).map_or(0, |data| data.len().min(1));
    }
    let step = image.func_count() / 200 + 1;
    for func in image.funcs().step_by(step) {
        answers += func.name().len() + usize::from(image.funcs_named(func.name()).contains(&func));
        let (entry, end) = (func.entry(), func.end());
        let middle = entry / 2 + end / 2;
        for pc in [entry, middle, end.wrapping_sub(1), end] {
            answers += usize::from(func.line_at(pc).is_some()) + func.inlined_at(pc).len();
            answers += usize::from(image.line_at(pc).is_some()) + image.inlined_at(pc).len();
            answers += usize::from(func.sp_delta(pc).is_some()) + usize::from(image.func_at(pc).is_some());
            answers += (0..5).filter_map(|table| func.pcdata_value(table, pc)).count();
            answers += usize::from(image.symbol_at(pc).is_some());
        }
        answers += (0..9).filter_map(|index| func.funcdata(index)).count();
        answers += format!("{:?} {:?} {:?} {func:?}", func.abi(), func.func_id(), func.flags()).len();
        answers += usize::from(func.args_size().is_some()) + usize::from(func.deferreturn().is_some());
        answers += usize::from(func.start_line().is_some());
    }
    for segment in image.segments() {
        let last = segment.addr + segment.mem_size - 1;
        for addr in [segment.addr, segment.addr + segment.file_size, last] {
            answers +=
                usize::from(image.read_u64(addr).is_some()) + usize::from(image.read_u8(addr).is_some());
            answers += usize::from(image.bytes(addr, usize::MAX).is_some());
        }
    }
    answers
}

/// Loads and reads everything; an error has to be one line.
fn survives(bytes: Vec<u8>) -> Result<(), TestCaseError> {
    survives_with(LoadOptions::default(), bytes)
}

fn survives_with(options: LoadOptions, bytes: Vec<u8>) -> Result<(), TestCaseError> {
    match options.parse(bytes) {
        Ok(image) => {
            walk(&image);
        }
        Err(error) => prop_assert!(!error.to_string().contains('\n'), "{error}"),
    }
    Ok(())
}

#[test]
fn whole_programs_answer() {
    for (program, minor) in PROGRAMS.iter().zip([15, 27, 15, 27, 15, 27]) {
        let image = Image::parse(program.clone()).expect("a whole program");
        assert_eq!(image.go_version().map(|version: GoVersion| version.minor), Some(minor));
        assert!(walk(&image) > 10_000);
    }
}

#[test]
fn what_is_no_program_is_refused_by_name() {
    let message = |bytes: &'static [u8]| Image::parse(bytes).expect_err("no program").to_string();
    assert_eq!(message(b""), "the file is empty");
    assert!(message(b"abcdef").starts_with("not an executable: the file starts with 61 62 63 64, expected"));
    assert_eq!(message(b"#!/bin/sh"), "not an executable: the file is a script");
    assert!(message(b"PK\x03\x04").starts_with("not an executable: the file is a zip archive"));
    assert_eq!(message(b"\xca\xfe\xba\xbe\0\0\0\x34"), "not an executable: the file is a Java class");
    assert!(message(b"\0asm\x01\0\0\0").starts_with("built for wasm, but"));
    assert!(message(b"\0\0\x8a\x97").starts_with("Plan 9 executable (amd64) files are not supported"));
    assert!(message(b"\x7fELF").starts_with("the file is truncated: ELF header ends at offset 0x40"));
    assert!(message(b"MZ\x90\0").starts_with("the file is truncated: DOS header ends at offset 0x40"));
    assert!(message(b"\xcf\xfa\xed\xfe").starts_with("the file is truncated: Mach-O header ends at"));
}

#[test]
fn paths_that_are_no_files_are_refused() {
    let message = |path: &str| Image::open(path).expect_err("no file").to_string();
    assert!(message("/").contains("is a directory"));
    assert!(message("/dev/null").contains("not a regular file"));
    assert!(message("/no/such/file").starts_with("cannot read /no/such/file:"));
}

/// `bytes` at the start of a file of zeros.
fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 1024];
    file[..bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn another_processor_is_named_in_every_format() {
    let message = |bytes: Vec<u8>| Image::parse(bytes).expect_err("another processor").to_string();
    let built_for = |arch: &str| format!("built for {arch}, but only x86-64 (GOARCH=amd64) is supported");
    let arm64 = padded(&[0xcf, 0xfa, 0xed, 0xfe, 0x0c, 0, 0, 1]);
    assert_eq!(message(arm64), built_for("arm64"));
    assert_eq!(message(padded(&[0xce, 0xfa, 0xed, 0xfe, 7, 0, 0, 0])), built_for("386"));
    assert_eq!(message(padded(&[0xfe, 0xed, 0xfa, 0xcf, 1, 0, 0, 18])), built_for("ppc64"));
    // A universal file with two parts, neither of them for x86-64.
    let mut universal = padded(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2, 1, 0, 0, 12]);
    universal[28..32].copy_from_slice(&[0, 0, 0, 7]);
    assert_eq!(message(universal), built_for("arm64, 386"));
    let pe = |machine: [u8; 2]| {
        let mut file = padded(b"MZ");
        file[0x3c] = 0x80;
        file[0x80..0x84].copy_from_slice(b"PE\0\0");
        file[0x84..0x86].copy_from_slice(&machine);
        file
    };
    assert_eq!(message(pe([0x4c, 1])), built_for("386"));
    assert_eq!(message(pe([0x64, 0xaa])), built_for("arm64"));
    assert!(message(padded(b"MZ")).starts_with("DOS or 16-bit Windows executable files are not supported"));
}

#[test]
fn another_processor_is_named() {
    let mut program = PROGRAMS[1].clone();
    program[18] = 183; // e_machine: EM_AARCH64
    let error = Image::parse(program).expect_err("another processor");
    assert_eq!(error.to_string(), "built for arm64, but only x86-64 (GOARCH=amd64) is supported");
}

/// A number is changed at an offset: the error says where, and what was expected there.
#[test]
fn contradictions_are_told_with_place_and_expectation() {
    let [elf, macho, pe] = [1, 3, 5].map(|program: usize| PROGRAMS[program].clone());
    let header = u32::from_le_bytes(pe[0x3c..0x40].try_into().expect("four bytes")) as usize;
    let segment = 64 + 56;
    let universal = padded(&[0xca, 0xfe, 0xba, 0xbe]);
    let rows: [(&[u8], usize, u64, &str); 10] = [
        (&elf, 16, 77, "file type: expected an executable or a shared object at offset 0x10"),
        (&elf, 54, 8, "program header table: expected entries of 56 bytes at offset 0x40"),
        (&elf, segment + 40, 1 << 62, "segment: expected its end in the address space at offset "),
        (&elf, segment + 40, 1 << 40, "segment: expected an address that no other has at offset "),
        (&macho, 12, 99, "file type: expected an executable, a dylib or a bundle at offset 0xc"),
        (&macho, 16, u64::MAX, "number of load commands: expected 4096 at most at offset 0x10"),
        (
            &macho,
            36,
            7,
            "size of a load command: expected eight bytes or more, inside of all commands at offset 0x24",
        ),
        (&universal, 4, 0, "universal file: expected a part at offset 0x4"),
        (&pe, header + 24, 0x10b, "optional header: expected that of a 64-bit program at offset "),
        (
            &pe,
            header + 264 + 8,
            u64::from(u32::MAX),
            "segment: expected an address that no other has at offset ",
        ),
    ];
    for (program, at, value, expected) in rows {
        let mut bytes = program.to_vec();
        let width = if value < 1 << 16 {
            2
        } else if value >> 32 == 0 {
            4
        } else {
            8
        };
        let width = if at == 16 && value == u64::MAX { 4 } else { width };
        bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        let error = Image::parse(bytes).err().map_or_else(String::new, |error| error.to_string());
        assert!(error.starts_with(&format!("malformed file: {expected}")), "{error}, not {expected}");
    }
}

/// The offsets of the words that change when a PE file is moved, as its `.reloc` section lists them.
fn moving_words(image: &Image) -> Vec<usize> {
    let table = image.section_data(".reloc").expect("a section").into_owned();
    let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().expect("four bytes")) as usize;
    let mut words = Vec::new();
    let mut at = 0;
    while at + 8 <= table.len() && word(at + 4) >= 8 {
        for entry in table[at + 8..at + word(at + 4)].chunks_exact(2) {
            let entry = u16::from_le_bytes([entry[0], entry[1]]);
            let addr = image.segments()[0].addr + word(at) as u64 + u64::from(entry & 0xfff);
            let segment = image.segments().iter().find(|segment| segment.contains(addr)).expect("a segment");
            if entry >> 12 == 10 {
                words.push((segment.file_offset + addr - segment.addr) as usize);
            }
        }
        at += word(at + 4);
    }
    words
}

#[test]
fn a_windows_program_is_moved_where_it_must_be() {
    let mut program = fixture("corpus-go1.27-windows");
    let there = Image::parse(program.clone()).expect("a program");
    let (far, near) = (0x7fff_0000_0000u64, there.segments()[0].addr);
    let long = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("a word"));
    // Links it at a place that a guest does not have.
    for at in moving_words(&there) {
        let moved = long(&program, at) - near + far;
        program[at..at + 8].copy_from_slice(&moved.to_le_bytes());
    }
    let header = u32::from_le_bytes(program[0x3c..0x40].try_into().expect("four bytes")) as usize;
    program[header + 48..header + 56].copy_from_slice(&far.to_le_bytes());
    let moved = Image::parse(program).expect("a program");
    assert_eq!(moved.bias(), 0x40_0000u64.wrapping_sub(far));
    let told = |image: &Image| {
        let base = image.segments()[0].addr;
        let module = image.module().expect("a module").addr - base;
        let funcs = image.funcs().map(|func| format!("{:#x} {}", func.entry() - base, func.name()));
        (module, funcs.collect::<Vec<_>>(), image.types().count(), image.symbols().count())
    };
    assert_eq!(told(&there), told(&moved));
    let words = moved.relocs().len();
    assert!(words > 1000, "{words}");
}

#[test]
fn a_program_without_a_function_table_may_still_be_go() {
    for program in PROGRAMS.iter() {
        let mut program = program.clone();
        let shape = [0, 0, 1, 8];
        let tables: Vec<usize> =
            (4..program.len() - 4).filter(|at| program[*at..at + 4] == shape && at % 4 == 0).collect();
        // The number of functions is damaged, or the shape.
        let mut counted = program.clone();
        tables.iter().for_each(|at| counted[at + 4..at + 12].fill(0xff));
        assert!(matches!(Image::parse(counted), Err(LoadError::NoFunctionTable)));
        tables.iter().for_each(|at| program[*at] = 1);
        assert!(matches!(Image::parse(program), Err(LoadError::NoFunctionTable)));
    }
}

/// An ELF file of one segment and a section of this name.
fn elf_with_section(name: &str) -> Vec<u8> {
    let names = [b"\0", name.as_bytes(), b"\0.shstrtab\0"].concat();
    let table = 128 + names.len();
    let mut file = vec![0; table];
    let fill =
        |file: &mut Vec<u8>, at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    fill(&mut file, 0, b"\x7fELF\x02\x01\x01");
    fill(&mut file, 16, &[2, 0, 62, 0, 1]);
    fill(&mut file, 32, &64_u64.to_le_bytes());
    fill(&mut file, 40, &(table as u64).to_le_bytes());
    fill(&mut file, 54, &[56, 0, 1, 0, 64, 0, 3, 0, 2, 0]);
    fill(&mut file, 64, &[1, 0, 0, 0, 5]);
    fill(&mut file, 80, &0x40_0000_u64.to_le_bytes());
    fill(&mut file, 96, &128_u64.to_le_bytes());
    fill(&mut file, 104, &128_u64.to_le_bytes());
    fill(&mut file, 128, &names);
    for (name_at, kind, size) in [(0, 0, 0), (1, 1, 0), (2 + name.len(), 3, names.len())] {
        let mut header = vec![0; 64];
        fill(&mut header, 0, &(name_at as u32).to_le_bytes());
        fill(&mut header, 4, &[kind]);
        fill(&mut header, 24, &128_u64.to_le_bytes());
        fill(&mut header, 32, &(size as u64).to_le_bytes());
        file.extend(header);
    }
    file
}

#[test]
fn other_compilers_of_go_are_named() {
    let error = |name| Image::parse(elf_with_section(name)).expect_err("no function table");
    assert!(matches!(error(".go_export"), LoadError::OtherCompiler { compiler: "gccgo" }));
    let object = |name| {
        let mut object = elf_with_section(name);
        object[16] = 1;
        Image::parse(object).expect_err("an object")
    };
    assert!(matches!(object(".go_export"), LoadError::OtherCompiler { compiler: "gccgo" }));
    assert!(matches!(object(".text"), LoadError::UnsupportedFormat { .. }));
    assert!(matches!(error(".note.go.buildid"), LoadError::NoFunctionTable));
    assert!(matches!(error(".comment"), LoadError::NotGo), "{}", error(".comment"));
}

#[test]
fn a_packed_program_says_so() {
    let without_table = |program: &[u8]| {
        let mut program = program.to_vec();
        for at in (4..program.len() - 4).step_by(4) {
            if program[at..at + 4] == [0, 0, 1, 8] {
                program[at] = 1;
            }
        }
        program
    };
    let mut program = without_table(&PROGRAMS[1]);
    program[0x800..0x804].copy_from_slice(b"UPX!");
    // UPX leaves a PE file's symbol table where it no longer is.
    let mut windows = without_table(&PROGRAMS[5]);
    windows[0x3e0..0x3e4].copy_from_slice(b"UPX!");
    let pe = u32::from_le_bytes(windows[0x3c..0x40].try_into().expect("four bytes")) as usize;
    let beyond = windows.len() as u32 + 1;
    windows[pe + 12..pe + 16].copy_from_slice(&beyond.to_le_bytes());
    for program in [program, windows] {
        let error = Image::parse(program).expect_err("packed").to_string();
        assert_eq!(error, "packed with UPX: unpack it first (upx -d FILE)");
    }
}

/// Addresses, offsets and sizes near the ends of their ranges.
fn nasty() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        Just(0),
        Just(u64::MAX),
        Just(u64::from(u32::MAX)),
        (0u32..64).prop_map(|bit| 1 << bit),
        (0u64..4096).prop_map(|less| u64::MAX - less),
    ]
}

/// Where a change does most: the headers, the tables' own headers, or anywhere.
fn places(program: &[u8]) -> Vec<usize> {
    let image = Image::parse(program.to_vec()).expect("a whole program");
    let tables = image.module().map(|module| [module.addr, module.pclntab, module.ftab.addr]);
    let offset = |addr: u64| {
        let segment = image.segments().iter().find(|segment| segment.contains(addr))?;
        Some((segment.file_offset + addr - segment.addr) as usize)
    };
    let tables = tables.into_iter().flatten().filter_map(offset).flat_map(|start| start..start + 600);
    // Symbols, relocations and what the system's loader reads stand at the end of some formats.
    (0..1200).chain(tables).chain(program.len() - 3000..program.len() - 8).collect()
}

static PLACES: LazyLock<[Vec<usize>; NAMES.len()]> =
    LazyLock::new(|| PROGRAMS.each_ref().map(|program| places(program)));

/// So many files, or as many as a long run asks for (`PROPTEST_CASES`).
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(usual)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(96), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn truncated_anywhere(program in 0..NAMES.len(), end in any::<Index>()) {
        let program = &PROGRAMS[program];
        let end = end.index(program.len());
        let told = match Image::parse(program[..end].to_vec()) {
            Ok(image) => {
                // All that is loaded is there. What pads the last section of a PE file is not missed.
                let loaded = image.segments().iter().map(|segment| segment.file_offset + segment.file_size);
                prop_assert!(loaded.max() <= Some(end as u64));
                let padding = program.starts_with(b"MZ") && end + 512 > program.len();
                if padding { "truncated".to_owned() } else { image.remarks().join("; ") }
            }
            Err(error) => error.to_string(),
        };
        prop_assert!(told.contains("truncated") || told == "the file is empty" || end < 16, "{end}: {told}");
    }

    #[test]
    fn bytes_changed_where_it_hurts(
        program in 0..NAMES.len(),
        changes in prop::collection::vec((any::<Index>(), nasty(), 1..9usize), 1..4),
    ) {
        let mut bytes = PROGRAMS[program].clone();
        for (place, value, width) in changes {
            let at = PLACES[program][place.index(PLACES[program].len())];
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        survives(bytes)?;
    }

    #[test]
    fn put_anywhere(
        program in 0..NAMES.len(),
        base in nasty(),
        changes in prop::collection::vec((any::<Index>(), nasty(), 1..9usize), 0..3),
    ) {
        let mut bytes = PROGRAMS[program].clone();
        for (place, value, width) in changes {
            let at = PLACES[program][place.index(PLACES[program].len())];
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        }
        survives_with(LoadOptions::default().base(base & !0xfff), bytes.clone())?;
        survives_with(LoadOptions::default().dump_base(base), bytes)?;
    }

    #[test]
    fn bytes_changed_anywhere(
        program in 0..NAMES.len(),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..200),
    ) {
        let mut bytes = PROGRAMS[program].clone();
        for (place, value) in changes {
            let at = place.index(bytes.len());
            bytes[at] = value;
        }
        survives(bytes)?;
    }

    #[test]
    fn any_bytes(start in 0..20usize, rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Cow::<[u8]>::Owned([&PROGRAMS[1][..start], &rest].concat());
        prop_assert!(Image::parse(bytes).is_err());
    }
}

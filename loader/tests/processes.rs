//! Dumps of processes: cores of Linux and minidumps of Windows, made here of programs' files as their systems would write them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use goemu_loader::{Image, LoadError, LoadOptions, Perm};

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/bin").join(name)
}

/// A file in a folder of these tests.
fn written(name: &str, bytes: &[u8]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("processes");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Memory of a program that was started: address, what could be done with it, bytes.
fn memory(image: &Image) -> Vec<(u64, Perm, Vec<u8>)> {
    let part = |segment: &goemu_loader::Segment| {
        let start = segment.addr / 4096 * 4096;
        let end = (segment.addr + segment.mem_size).next_multiple_of(4096);
        let mut bytes = vec![0; (end - start) as usize];
        let contents = image.segment_bytes(segment);
        let at = (segment.addr - start) as usize;
        bytes[at..at + contents.len()].copy_from_slice(contents);
        for reloc in image.relocs().iter().filter(|reloc| segment.contains(reloc.addr)) {
            let at = (reloc.addr - start) as usize;
            bytes[at..at + 8].copy_from_slice(&reloc.value.to_le_bytes());
        }
        (start, segment.perm, bytes)
    };
    image.segments().iter().map(part).collect()
}

fn note(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut note = Vec::new();
    for word in [5, body.len() as u32, kind] {
        note.extend(word.to_le_bytes());
    }
    note.extend(b"CORE\0\0\0\0");
    note.extend(body);
    note.resize(note.len().next_multiple_of(4), 0);
    note
}

/// A core as Linux writes it: without code, where `whole` is not set, and with a part above 2^40.
fn core(image: &Image, whole: bool) -> Vec<u8> {
    core_of(image, memory(image), whole)
}

fn core_of(image: &Image, parts: Vec<(u64, Perm, Vec<u8>)>, whole: bool) -> Vec<u8> {
    let mut status = vec![0; 336];
    status[32..36].copy_from_slice(&77_u32.to_le_bytes());
    for (number, field) in (0..27_u64).zip(status[112..328].chunks_exact_mut(8)) {
        field.copy_from_slice(&(0x1000 + number).to_le_bytes());
    }
    let mut files = Vec::new();
    let mapped: Vec<_> = image.segments().iter().collect();
    for word in [mapped.len() as u64, 4096] {
        files.extend(word.to_le_bytes());
    }
    for segment in &mapped {
        let (start, offset) = (segment.addr / 4096 * 4096, segment.file_offset / 4096);
        let end = (segment.addr + segment.file_size).next_multiple_of(4096);
        for word in [start, end, offset] {
            files.extend(word.to_le_bytes());
        }
    }
    files.extend(b"/bin/program\0".repeat(mapped.len()));
    let notes = [note(1, &status), note(0x4649_4c45, &files)].concat();
    let mut headers = vec![(4_u32, 0_u32, 0, notes)];
    for (addr, perm, bytes) in parts {
        let flags = [(Perm::READ, 4), (Perm::WRITE, 2), (Perm::EXEC, 1)];
        let flags = flags.iter().filter(|(of, _)| perm.contains(*of)).map(|(_, flag)| flag).sum();
        let bytes = if whole || perm.contains(Perm::WRITE) { bytes } else { Vec::new() };
        headers.push((1, flags, addr, bytes));
    }
    headers.push((1, 6, 0x7fff_0000_0000, vec![1; 4096]));
    let mut file = vec![0; 64];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    file[16..20].copy_from_slice(&[4, 0, 62, 0]);
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[56..58].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    let mut offset = (64 + 56 * headers.len() as u64).next_multiple_of(4096);
    for (kind, flags, addr, bytes) in &headers {
        let size = bytes.len() as u64;
        file.extend([kind.to_le_bytes(), flags.to_le_bytes()].concat());
        let mem_size = if *kind == 1 { size.max(4096) } else { 0 };
        for word in [offset, *addr, 0, size, mem_size, 4096] {
            file.extend(word.to_le_bytes());
        }
        offset += size.next_multiple_of(4096);
    }
    for (.., bytes) in headers {
        file.resize(file.len().next_multiple_of(4096), 0);
        file.extend(bytes);
    }
    file
}

#[test]
fn a_core_with_all_memory_is_read_alone() {
    for name in ["corpus-go1.15-stripped", "corpus-go1.27-stripped"] {
        let whole = Image::open(program(name)).unwrap();
        let dumped = Image::open(written(&format!("{name}.core"), &core(&whole, true))).unwrap();
        assert!(dumped.is_dump() && dumped.funcs().count() == whole.funcs().count(), "{name}");
        assert_eq!(dumped.module().map(|module| module.text), whole.module().map(|module| module.text));
        let [thread] = dumped.threads() else { panic!("{:?}", dumped.threads()) };
        // AX is the eleventh in the kernel's order, SP the twentieth.
        assert_eq!((thread.id, thread.rip, thread.gprs[0], thread.gprs[7]), (77, 0x1010, 0x100a, 0x1013));
        assert_eq!(thread.bases, Some((0x1015, 0x1016)));
        assert_eq!(dumped.bytes(0x7fff_0000_0000, 4096), Some(&[1; 4096][..]));
    }
}

#[test]
fn a_core_without_code_needs_its_program() {
    for name in ["corpus-go1.15", "corpus-go1.27", "corpus-go1.27-pie"] {
        let path = program(name);
        // Where a program that can be moved was in its process.
        let whole = LoadOptions::default().base(0x55_5555_0000).open(&path);
        let whole = whole.unwrap_or_else(|_| Image::open(&path).unwrap());
        let core = core(&whole, false);
        let dump = written(&format!("{name}.part.core"), &core);
        assert!(matches!(Image::open(&dump), Err(LoadError::NeedsProgram)), "{name}");
        let image = Image::open_all(&[&dump, &path]).unwrap();
        let main = image.funcs_named("main.fib").into_iter().next().unwrap();
        let same = whole.funcs_named("main.fib").into_iter().next().unwrap();
        assert_eq!(
            (main.entry(), image.bytes(main.entry(), 64)),
            (same.entry(), whole.bytes(same.entry(), 64))
        );
        // Debug information and symbols are the program's.
        assert!(image.signature(&main).unwrap().is_some() && image.symbols().count() > 1000, "{name}");
        assert!(image.is_dump() && image.threads().len() == 1, "{name}");
        // Any cut of it is read or refused.
        for len in (0..core.len()).step_by(core.len() / 50) {
            let _ = Image::parse(core[..len].to_vec());
        }
    }
}

/// Where relocated constants are made read-only, but for their last page, as systems' loaders do, the function table lies in two
/// parts of memory.
/// A core is read into memory, part by part.
#[test]
fn parts_of_the_same_bytes_are_refused() {
    let path = program("corpus-go1.27");
    let image = Image::open(&path).unwrap();
    let parts = (0..3000).map(|n| (0x10_0000_0000 + n * 0x100_0000, Perm::READ, vec![0; 8])).collect();
    let mut core = core_of(&image, parts, true);
    let size = core.len() as u64;
    for header in 1..=3000 {
        let at = 64 + 56 * header;
        for (field, value) in [(8, 0), (32, size), (40, size)] {
            core[at + field..at + field + 8].copy_from_slice(&value.to_le_bytes());
        }
    }
    let dump = written("same.core", &core);
    let error = Image::open_all(&[&dump, &path]).expect_err("some 36 GB");
    assert!(error.to_string().contains("parts with bytes of their own"), "{error}");
}

#[test]
fn a_table_may_lie_in_two_parts() {
    let path = program("corpus-go1.27-pie");
    let whole = LoadOptions::default().base(0x5555_5555_4000).open(&path).unwrap();
    let table = whole.module().unwrap().pclntab;
    for with_code in [true, false] {
        let mut parts = memory(&whole);
        let at = parts
            .iter()
            .position(|(addr, _, bytes)| (*addr..*addr + bytes.len() as u64).contains(&table))
            .unwrap();
        let (addr, perm, bytes) = parts.remove(at);
        let cut = (table.next_multiple_of(4096) + 0x1_0000 - addr) as usize;
        parts.insert(at, (addr + cut as u64, perm, bytes[cut..].to_vec()));
        let first = if with_code { Perm::READ } else { perm };
        parts.insert(at, (addr, first, bytes[..cut].to_vec()));
        let core = core_of(&whole, parts, with_code);
        let dump = written(&format!("two-{with_code}.core"), &core);
        let image =
            if with_code { Image::open(&dump).unwrap() } else { Image::open_all(&[&dump, &path]).unwrap() };
        let names = |image: &Image| image.funcs().map(|func| func.name().to_owned()).collect::<Vec<_>>();
        assert!(names(&image) == names(&whole), "{with_code}");
        if !with_code {
            // The table is there, and nothing that it tells of.
            assert!(matches!(Image::open(&dump), Err(LoadError::NeedsProgram)));
        }
    }
}

/// Threads, modules, and all memory with its bytes at the end.
fn minidump(image: &Image) -> Vec<u8> {
    let parts = memory(image);
    let mut file = vec![0; 32];
    file[..4].copy_from_slice(b"MDMP");
    file[8..12].copy_from_slice(&2_u32.to_le_bytes());
    file[12..16].copy_from_slice(&32_u32.to_le_bytes());
    file.resize(32 + 24, 0);
    let context = file.len() as u32;
    for word in 0..160_u64 {
        file.extend((0x1000 + word).to_le_bytes());
    }
    let threads = file.len() as u32;
    file.extend(1_u32.to_le_bytes());
    let mut thread = [0; 48];
    thread[..4].copy_from_slice(&99_u32.to_le_bytes());
    thread[44..].copy_from_slice(&context.to_le_bytes());
    file.extend(thread);
    let memory = file.len() as u32;
    let size = 16 + 16 * parts.len();
    file.extend((parts.len() as u64).to_le_bytes());
    file.extend((u64::from(memory) + size as u64).to_le_bytes());
    for (addr, _, bytes) in &parts {
        file.extend(addr.to_le_bytes());
        file.extend((bytes.len() as u64).to_le_bytes());
    }
    let streams = [(3_u32, 52, threads), (9, size as u32, memory)];
    for (at, (kind, size, offset)) in (32..).step_by(12).zip(streams) {
        for (at, word) in (at..).step_by(4).zip([kind, size, offset]) {
            file[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
    }
    parts.into_iter().for_each(|(.., bytes)| file.extend(bytes));
    file
}

#[test]
fn a_minidump_is_read() {
    for name in ["corpus-go1.15-windows-stripped", "corpus-go1.27-windows"] {
        let whole = Image::open(program(name)).unwrap();
        let bytes = minidump(&whole);
        let dumped = Image::parse(bytes.clone()).unwrap();
        assert!(dumped.is_dump() && dumped.funcs().count() == whole.funcs().count(), "{name}");
        let [thread] = dumped.threads() else { panic!("{:?}", dumped.threads()) };
        assert_eq!((thread.id, thread.rip, thread.gprs[0]), (99, 0x101f, 0x100f));
        for len in (0..bytes.len()).step_by(bytes.len() / 50) {
            let _ = Image::parse(bytes[..len].to_vec());
        }
    }
}

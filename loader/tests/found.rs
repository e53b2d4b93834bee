//! Go's tables are found whatever was taken away from the file, and say the same as the symbol table.

use std::path::PathBuf;

use goemu_loader::{Abi, Func, FuncId, GoVersion, Image, SymbolKind};

/// The demo program built by two releases, with the minor version of each.
const PROGRAMS: [(&str, u16); 2] = [("demo-go1.15", 15), ("demo-go1.27", 27)];

fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../cli/demo", name].iter().collect()
}

fn open(name: &str) -> Image {
    Image::open(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The program with `change` made to its bytes.
fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Image {
    let mut bytes = std::fs::read(path(name)).expect("a fixture");
    change(&mut bytes);
    Image::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let places: Vec<usize> =
        bytes.windows(from.len()).enumerate().filter(|(_, w)| *w == from).map(|(i, _)| i).collect();
    assert!(!places.is_empty(), "{from:x?} is not in the file");
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
}

fn remove_section_headers(bytes: &mut [u8]) {
    bytes[0x28..0x30].fill(0); // e_shoff
    bytes[0x3c..0x40].fill(0); // e_shnum, e_shstrndx
}

fn only<'i>(image: &'i Image, name: &str) -> Func<'i> {
    let funcs = image.funcs_named(name);
    assert_eq!(funcs.len(), 1, "{name}");
    funcs[0]
}

/// All that the tables say of a function, to compare two images by.
fn told(func: Func<'_>) -> String {
    let entry = func.entry();
    format!("{func:?} {:?} {:?} {:?}", func.abi(), func.line_at(entry), func.deferreturn())
}

#[test]
fn functions_are_the_symbols_of_the_text() {
    for (name, _) in PROGRAMS {
        let image = open(name);
        let mut compared = 0;
        for func in image.funcs() {
            let symbol = image.symbol_at(func.entry()).unwrap_or_else(|| panic!("{name}: {func:?}"));
            assert_eq!(symbol.addr, func.entry(), "{name}: {func:?}");
            assert!(symbol.addr + symbol.size <= func.end(), "{name}: {func:?}");
            // Names of generic functions are shortened to `name[...]`.
            let short = |name: &str| name.split('[').next().unwrap_or_default().to_owned();
            assert_eq!(short(symbol.name.trim_end_matches(".abi0")), short(func.name()), "{name}");
            compared += usize::from(symbol.kind == SymbolKind::Func);
        }
        assert_eq!(compared, image.func_count(), "{name}");
    }
}

#[test]
fn every_address_of_the_text_leads_to_its_function() {
    for (name, _) in PROGRAMS {
        let image = open(name);
        for func in image.funcs() {
            for pc in [func.entry(), func.entry() / 2 + func.end() / 2, func.end() - 1] {
                assert_eq!(image.func_at(pc), Some(func), "{name}: {pc:#x}");
            }
        }
        let module = image.module().expect("moduledata");
        assert_eq!(image.func_at(module.text.start - 1), None);
        assert_eq!(image.func_at(module.text.end), None);
    }
}

#[test]
fn lines_of_the_source() {
    for (name, _) in PROGRAMS {
        let image = open(name);
        let line = |func: &str| image.line_at(only(&image, func).entry()).map(|line| line.line);
        let (f1, closure) = (line("main.f1").expect("a line"), line("main.f1.func1").expect("a line"));
        assert!(f1 < closure && closure <= f1 + 2, "{name}: {f1} {closure}");
        let file = only(&image, "main.f1").line_at(only(&image, "main.f1").entry()).expect("a line").file;
        assert!(file.ends_with("demo.go"), "{name}: {file}");
    }
}

#[test]
fn the_stack_pointer_is_at_the_return_address_at_entry() {
    for (name, _) in PROGRAMS {
        let image = open(name);
        let f1 = only(&image, "main.f1");
        assert_eq!(f1.sp_delta(f1.entry()), Some(0), "{name}");
        assert!((f1.entry()..f1.end()).filter_map(|pc| f1.sp_delta(pc)).any(|delta| delta >= 16), "{name}");
    }
}

#[test]
fn a_function_that_defers_says_where_it_goes_on() {
    for (name, minor) in PROGRAMS {
        let image = open(name);
        let f1 = only(&image, "main.f1");
        let call = f1.deferreturn().expect("main.f1 defers");
        let code = image.bytes(call, 5).expect("code");
        assert_eq!(code[0], 0xe8, "{name}: a CALL");
        let displacement = i32::from_le_bytes([code[1], code[2], code[3], code[4]]);
        let target = call.wrapping_add(5).wrapping_add_signed(displacement.into());
        assert_eq!(image.func_at(target).map(|func| func.name()), Some("runtime.deferreturn"), "{name}");
        assert_eq!(only(&image, "main.main").deferreturn(), None, "{name}");
        assert_eq!(f1.start_line().is_some(), minor >= 20, "{name}");
    }
}

#[test]
fn special_functions_have_the_same_id_in_every_release() {
    for (name, minor) in PROGRAMS {
        let image = open(name);
        assert_eq!(only(&image, "runtime.goexit").func_id(), FuncId::Goexit, "{name}");
        assert_eq!(only(&image, "runtime.gopanic").func_id(), FuncId::Gopanic, "{name}");
        assert_eq!(only(&image, "runtime.main").func_id(), FuncId::RuntimeMain, "{name}");
        assert_eq!(only(&image, "main.f1").func_id(), FuncId::Normal, "{name}");
        let abi = if minor < 17 { Abi::Abi0 } else { Abi::Internal };
        assert_eq!(only(&image, "main.f1").abi(), abi, "{name}");
        assert_eq!(only(&image, "runtime.memmove").abi(), abi, "{name}");
        assert_eq!(only(&image, "runtime.goexit").abi(), Abi::Abi0, "{name}");
    }
}

#[test]
fn calling_conventions_are_those_of_the_symbol_table() {
    let image = open("demo-go1.27");
    let abi0: Vec<Func<'_>> = image
        .symbols()
        .filter(|symbol| symbol.kind == SymbolKind::Func && symbol.name.ends_with(".abi0"))
        .filter_map(|symbol| image.func_at(symbol.addr))
        .collect();
    assert!(abi0.len() > 50);
    for func in abi0 {
        assert_eq!(func.abi(), Abi::Abi0, "{func:?}");
        let name = format!("{}.abi0", func.name());
        assert!(image.funcs_named(&name).contains(&func), "{name}");
        for twin in image.funcs_named(func.name()).into_iter().filter(|twin| *twin != func) {
            assert_eq!(twin.abi(), Abi::Internal, "{twin:?}");
        }
    }
}

#[test]
fn inlined_calls_lead_from_the_innermost_to_the_function() {
    for (name, _) in PROGRAMS {
        let image = open(name);
        let mut deepest = 0;
        for func in image.funcs() {
            let frames = func.inlined_at(func.entry() / 2 + func.end() / 2);
            let (outer, inlined) = frames.split_last().expect("at least the function itself");
            assert!(!outer.inlined && outer.func == func.name(), "{name}: {frames:?}");
            assert!(
                inlined.iter().all(|frame| frame.inlined && !frame.func.is_empty()),
                "{name}: {frames:?}"
            );
            deepest = deepest.max(inlined.len());
        }
        assert!(deepest >= 2, "{name}: {deepest}");
    }
}

#[test]
fn tables_are_found_without_section_headers() {
    for (name, _) in PROGRAMS {
        let (whole, stripped) = (open(name), changed(name, |bytes| remove_section_headers(bytes)));
        assert!(stripped.sections().is_empty());
        assert_eq!(stripped.symbols().count(), 0);
        assert_eq!(stripped.go_version(), whole.go_version(), "{name}");
        assert_eq!(stripped.module(), whole.module(), "{name}");
        assert_eq!(stripped.func_count(), whole.func_count(), "{name}");
        assert!(whole.funcs().zip(stripped.funcs()).all(|(a, b)| told(a) == told(b)), "{name}");
    }
}

#[test]
fn tables_are_found_when_the_version_is_gone() {
    for (name, minor) in PROGRAMS {
        let version = open(name).build_info().version.clone();
        let image = changed(name, |bytes| replace(bytes, version.as_bytes(), &vec![b'?'; version.len()]));
        assert_eq!(image.go_version(), None, "{name}");
        assert_eq!(image.facts().version.minor, minor, "{name}");
        assert!(image.facts().guessed, "{name}");
        assert_eq!(told(only(&image, "main.f1")), told(only(&open(name), "main.f1")));
    }
}

#[test]
fn tables_are_found_when_the_version_is_wrong() {
    let image = changed("demo-go1.27", |bytes| replace(bytes, b"go1.27", b"go1.20"));
    assert_eq!(image.go_version().map(|version: GoVersion| version.minor), Some(20));
    assert_eq!((image.facts().version.minor, image.facts().guessed), (27, true));
    assert_eq!(told(only(&image, "main.f1")), told(only(&open("demo-go1.27"), "main.f1")));
}

#[test]
fn tables_are_found_when_the_magic_is_changed() {
    let image = changed("demo-go1.27", |bytes| {
        remove_section_headers(bytes);
        replace(bytes, b"\xf1\xff\xff\xff\0\0\x01\x08", b"\x12\x34\x56\x78\0\0\x01\x08");
    });
    assert_eq!(told(only(&image, "main.f1")), told(only(&open("demo-go1.27"), "main.f1")));
}

//! Cores of processes: calls on them, also where memory lies beyond a guest's space, as heaps do since Go 1.26 and
//! position-independent programs and libraries always.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use goemu::machine::EngineChoice;
use goemu::memory::Perm;
use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine};
use goemu_loader::LoadOptions;
use goemu_tests::fixtures::binary;

/// Where a heap lies that begins anywhere.
const FAR: u64 = 0x324c_5400_0000;

/// A part of memory: what may be done with it, address, bytes.
type Part = (u32, u64, Vec<u8>);

/// Permissions as ELF has them.
fn flags(perm: u8) -> u32 {
    let has = |of: Perm, flag| if perm & of.bits() != 0 { flag } else { 0 };
    has(Perm::READ, 4) | has(Perm::WRITE, 2) | has(Perm::EXEC, 1)
}

/// Memory of a program that was started.
fn memory(image: &Image) -> Vec<Part> {
    let part = |segment: &goemu_loader::Segment| {
        let mut bytes = image.segment_bytes(segment).to_vec();
        bytes.resize(segment.mem_size as usize, 0);
        for reloc in image.relocs().iter().filter(|reloc| segment.contains(reloc.addr)) {
            let at = (reloc.addr - segment.addr) as usize;
            bytes[at..at + 8].copy_from_slice(&reloc.value.to_le_bytes());
        }
        (flags(segment.perm.bits()), segment.addr, bytes)
    };
    image.segments().iter().map(part).collect()
}

/// A core of a process with this memory.
fn core(parts: Vec<Part>) -> Vec<u8> {
    let mut file = vec![0; 64];
    file[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    file[16..20].copy_from_slice(&[4, 0, 62, 0]);
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    file[56..58].copy_from_slice(&(parts.len() as u16).to_le_bytes());
    let mut offset = (64 + 56 * parts.len() as u64).next_multiple_of(4096);
    for (flags, addr, bytes) in &parts {
        file.extend([1_u32.to_le_bytes(), flags.to_le_bytes()].concat());
        let size = bytes.len() as u64;
        [offset + addr % 4096, *addr, 0, size, size, 4096]
            .iter()
            .for_each(|word| file.extend(word.to_le_bytes()));
        offset += (addr % 4096 + size).next_multiple_of(4096);
    }
    for (_, addr, bytes) in parts {
        file.resize(file.len().next_multiple_of(4096) + (addr % 4096) as usize, 0);
        file.extend(bytes);
    }
    file
}

#[test]
fn memory_beyond_the_space_can_be_used() {
    let program = Image::open(binary("corpus-go1.27").unwrap()).unwrap();
    let fib = program.funcs_named("main.fib").first().unwrap().entry();
    let mut text = b"far".repeat(2000);
    let numbers: Vec<u8> = (0..100_u64).rev().flat_map(u64::to_le_bytes).collect();
    text.splice(4096..4896, numbers);
    let mut parts = memory(&program);
    parts.push((6, FAR, text));
    let image = opened("memory", &core(parts));
    assert_eq!(image.bytes(FAR + 3, 3), Some(&b"far"[..]));
    let mut machine = Machine::new(image).unwrap();
    assert_eq!(machine.memory().read(FAR + 4095).unwrap(), [b'f', 99, 0]);
    assert_eq!(machine.memory().perm(FAR), Some(Perm::READ | Perm::WRITE));
    // Code of the program works on it: a string there is measured, compared and copied.
    let name = machine.image().func_at(fib).unwrap().name().to_owned();
    let call = machine.call(&name).unwrap().signature("func(n int) int").unwrap();
    assert_eq!(call.literals(&["10"]).unwrap().run().unwrap().outcome.to_string(), "55");
    for _ in 0..3 {
        let call = machine.call("main.reverse").unwrap().signature("func(p uintptr, n int) string").unwrap();
        let report = call.literals(&[&FAR.to_string(), "5"]).unwrap().run().unwrap();
        assert_eq!(report.outcome.to_string(), r#""afraf""#);
    }
    // Numbers are sorted there, and the next call finds them as they were.
    for _ in 0..3 {
        let call = machine.call(&name).unwrap().signature("func(n int) int").unwrap();
        call.literals(&["1"]).unwrap().run().unwrap();
        assert_eq!(machine.memory().read(FAR + 4096).unwrap(), 99_u64.to_le_bytes());
        let call = machine.call("main.quicksort").unwrap();
        let call = call.signature("func(p uintptr, n, c int) []int").unwrap();
        let report = call.literals(&[&(FAR + 4096).to_string(), "100", "100"]).unwrap().run().unwrap();
        let text = report.outcome.to_string();
        assert!(text.starts_with("[]int{0, 1, 2, 3,") && text.ends_with("98, 99}"), "{text}");
    }
}

/// Parts of a core may begin within a page, and end in one that the next part begins in.
#[test]
fn parts_may_begin_within_a_page() {
    let program = Image::open(binary("corpus-go1.27").unwrap()).unwrap();
    let mut parts = memory(&program);
    let text = b"0123456789".repeat(1000);
    let (first, second) = text.split_at(4999);
    parts.push((6, FAR + 0x9f0, first.to_vec()));
    parts.push((4, FAR + 0x9f0 + 4999, second.to_vec()));
    let mut machine = Machine::new(opened("within", &core(parts))).unwrap();
    for (at, wanted) in [(0, "43210"), (4995, "98765"), (9990, "43210")] {
        let call = machine.call("main.reverse").unwrap().signature("func(p uintptr, n int) string").unwrap();
        let report = call.literals(&[&(FAR + 0x9f0 + at).to_string(), "5"]).unwrap().run().unwrap();
        assert_eq!(report.outcome.to_string(), format!("{wanted:?}"), "{at}");
    }
}

/// The collector of a process that was dumped in the middle of its work is not there to be told of pointers.
#[test]
fn a_collection_does_not_go_on() {
    for name in ["corpus-go1.15", "corpus-go1.27"] {
        let program = Image::open(binary(name).unwrap()).unwrap();
        let barrier = program.symbol("runtime.writeBarrier").unwrap().addr;
        let mut parts = memory(&program);
        let (_, addr, bytes) = parts
            .iter_mut()
            .find(|(_, addr, bytes)| (*addr..*addr + bytes.len() as u64).contains(&barrier))
            .unwrap();
        bytes[(barrier - *addr) as usize] = 1;
        let mut machine = Machine::new(opened("collecting", &core(parts))).unwrap();
        for (func, signature, args, wanted) in CALLS {
            let call = machine.call(func).unwrap().signature(signature).unwrap();
            let outcome = call.literals(args).unwrap().run().unwrap().outcome;
            assert_ne!(outcome.word(), "exited", "{name} {func}: {outcome}");
            assert!(wanted.is_empty() || outcome.to_string() == wanted, "{name} {func}: {outcome}");
        }
    }
}

/// Functions of each build of the corpus, their signatures, arguments, and what some return.
const CALLS: [(&str, &str, &[&str], &str); 11] = [
    ("main.fib", "func(n int) int", &["25"], "75025"),
    ("main.deep", "func(n int) int", &["3000"], ""),
    ("main.quicksort", "func(a []int) []int", &["[]int{3, 1, 2}"], "[]int{1, 2, 3}"),
    ("main.jumpTable", "func(n int) string", &["3"], ""),
    ("main.stringSwitch", "func(s string) int", &["\"abc\""], ""),
    ("main.deferNine", "func(x int) int", &["3"], ""),
    ("main.deferRecursive", "func(n int) int", &["5"], ""),
    ("main.goroutineSum", "func(n int) int", &["20"], ""),
    ("main.pipeline", "func(stages int, n int) int", &["3", "30"], ""),
    ("main.goroutinePanics", "func(s string) string", &["\"x\""], ""),
    ("main.areas", "func(n int) float64", &["9"], ""),
];

/// Position-independent programs lie beyond the space wherever Linux has started them.
#[test]
fn code_beyond_the_space_runs() {
    for name in ["corpus-go1.15-pie", "corpus-go1.27-pie"] {
        let path = binary(name).unwrap();
        let mut there = Machine::new(Image::open(&path).unwrap()).unwrap();
        let moved = LoadOptions::default().base(0x5555_5555_4000).open(&path).unwrap();
        let image = Arc::new(opened(name, &core(memory(&moved))));
        assert!(image.is_dump() && image.funcs_named("main.fib")[0].entry() > 1 << 40, "{name}");
        for engine in [EngineChoice::Interpreter, EngineChoice::Auto] {
            let config = Config { engine, ..Config::default() };
            let mut machine = Machine::with_config(image.clone(), config).unwrap();
            for (func, signature, args, wanted) in CALLS {
                let ran = |machine: &mut Machine| {
                    let call = machine.call(func).unwrap().signature(signature).unwrap();
                    call.literals(args).unwrap().run().unwrap().outcome.to_string()
                };
                let (native, far) = (ran(&mut there), ran(&mut machine));
                assert_eq!(far, native, "{name} {engine:?} {func}");
                assert!(wanted.is_empty() || far == wanted, "{name} {func}: {far}");
            }
        }
    }
}

/// A dump's variables are those of a program that runs: it is not started once more, and the call says why.
#[test]
fn a_dump_is_not_started() {
    let program = Image::open(binary("corpus-go1.27").unwrap()).unwrap();
    let image = opened("start", &core(memory(&program)));
    let config = Config { runtime: Some(Runtime::Real), ..Config::default() };
    let error = Machine::with_config(image, config).map(drop).unwrap_err().to_string();
    assert!(error.contains("it is a dump of memory"), "{error}");
}

/// What ran before the dump does not run again: neither packages nor the runtime's own start.
#[test]
fn a_dump_is_not_initialised_again() {
    for name in ["corpus-go1.15", "corpus-go1.27"] {
        let mut machine = Machine::new(Image::open(binary(name).unwrap()).unwrap()).unwrap();
        assert!(machine.initialise().unwrap().functions > 3, "{name}");
        let whole = machine.image().clone();
        let parts = machine.memory().ranges().into_iter().map(|(range, perm)| {
            let mut bytes = vec![0; (range.end - range.start) as usize];
            machine.memory().peek(range.start, &mut bytes);
            (flags(perm.bits()), range.start, bytes)
        });
        let own = parts.filter(|(_, addr, _)| {
            whole.segments().iter().any(|s| s.addr / 4096 * 4096 == *addr || s.contains(*addr))
        });
        let image = opened(name, &core(own.collect()));
        let mut machine = Machine::new(image).unwrap();
        let again = machine.initialise().unwrap();
        assert!(again.functions <= 1, "{name}: {again:?}");
        let call = machine.call("main.fib").unwrap().signature("func(n int) int").unwrap();
        let report = call.literals(&["10"]).unwrap().run().unwrap();
        assert_eq!(report.outcome.to_string(), "55", "{name}");
    }
}

fn opened(name: &str, bytes: &[u8]) -> Image {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.core"));
    std::fs::write(&path, bytes).unwrap();
    let image = Image::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    image
}

//! Cores of processes whose memory lies beyond a guest's space, as heaps do since Go 1.26 and libraries always.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::memory::Perm;
use goemu::{Image, Machine, Outcome};
use goemu_tests::fixtures::binary;

/// Where a heap lies that begins anywhere.
const FAR: u64 = 0x324c_5400_0000;

/// A core of a program with its own memory, and this far away.
fn core(image: &Image, far: &[u8]) -> Vec<u8> {
    let own = image.segments().iter().map(|segment| {
        let mut bytes = image.segment_bytes(segment).to_vec();
        bytes.resize(segment.mem_size as usize, 0);
        (u32::from(segment.perm.bits() & 7), segment.addr, bytes)
    });
    let parts: Vec<_> = own.chain([(6, FAR, far.to_vec())]).collect();
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
fn memory_beyond_the_space_can_be_read() {
    let program = Image::open(binary("corpus-go1.27").unwrap()).unwrap();
    let fib = program.funcs_named("main.fib").first().unwrap().entry();
    let text = b"far".repeat(2000);
    let path = std::env::temp_dir().join(format!("goemu-{}.core", std::process::id()));
    std::fs::write(&path, core(&program, &text)).unwrap();
    let image = Image::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(image.remarks().iter().any(|remark| remark.contains("can be read")), "{:?}", image.remarks());
    assert_eq!(image.bytes(FAR + 3, 3), Some(&b"far"[..]));
    let mut machine = Machine::new(image).unwrap();
    assert_eq!(machine.memory().read(FAR + 4098).unwrap(), *b"far");
    assert_eq!(machine.memory().perm(FAR), Some(Perm::READ));
    // Code of the program works on it: a string there is measured, compared and copied.
    let name = machine.image().func_at(fib).unwrap().name().to_owned();
    let call = machine.call(&name).unwrap().signature("func(n int) int").unwrap();
    assert_eq!(call.literals(&["10"]).unwrap().run().unwrap().outcome.to_string(), "55");
    for _ in 0..3 {
        let call = machine.call("main.reverse").unwrap().signature("func(p uintptr, n int) string").unwrap();
        let report = call.literals(&[&FAR.to_string(), "5"]).unwrap().run().unwrap();
        assert_eq!(report.outcome.to_string(), r#""afraf""#);
    }
    // What writes there faults.
    let call = machine.call("main.quicksort").unwrap();
    let call = call.signature("func(p uintptr, n, c int)").unwrap();
    let report = call.literals(&[&FAR.to_string(), "100", "100"]).unwrap().run().unwrap();
    assert!(!matches!(report.outcome, Outcome::Returned(_)), "{}", report.outcome);
}

//! MOVS and STOS around every border, upwards and downwards, with counts of all sizes; and what reaches memory in other odd ways.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;

use super::escape::{borders, hot};
use super::{CODE, DATA, DATA_LEN, Pair, STACK};

/// MOVSB to MOVSQ and STOSB to STOSQ, with the prefix REX.W where it is one of quadwords.
const STRINGS: [(&str, &[u8]); 8] = [
    ("movsb", &[0xa4]),
    ("movsw", &[0x66, 0xa5]),
    ("movsd", &[0xa5]),
    ("movsq", &[0x48, 0xa5]),
    ("stosb", &[0xaa]),
    ("stosw", &[0x66, 0xab]),
    ("stosd", &[0xab]),
    ("stosq", &[0x48, 0xab]),
];

/// Runs the code from the same state in both, all of it translated.
fn run(pair: &mut Pair, (rcx, rsi, rdi): (u64, u64, u64), what: &str) -> Exit {
    for n in 0..16 {
        pair.set(n, DATA + 0x100 + 0x123 * u64::from(n));
    }
    for (n, value) in [(gpr::RSP, STACK - 0x800), (gpr::RCX, rcx), (gpr::RSI, rsi), (gpr::RDI, rdi)] {
        pair.set(n, value);
    }
    for cpu in [&mut pair.one.cpu, &mut pair.other.cpu] {
        (cpu.rip, cpu.direction) = (CODE, false);
        cpu.set_rflags(0x8d5);
    }
    let what = format!("{what}: rcx {rcx:#x} rsi {rsi:#x} rdi {rdi:#x}");
    let exit = pair.run(1 << 20, 0, &what);
    assert_eq!(pair.one.memory.take_cost(), pair.other.memory.take_cost(), "{what}");
    exit
}

fn pair(body: &[u8]) -> Pair {
    let mut pair = Pair::new(&hot(body));
    pair.other.engine.set_heat(0);
    for memory in [&mut pair.one.memory, &mut pair.other.memory] {
        let bytes: Vec<u8> = (0..DATA_LEN).map(|n| (n * 7 + n / 251) as u8).collect();
        memory.write_bytes(DATA, &bytes).unwrap();
        memory.write_bytes(STACK - 0x4000, &bytes).unwrap();
    }
    pair
}

/// Places in the data: its borders, those of a page in it, and far from them.
fn places() -> Vec<u64> {
    let around = |at: u64| [-9, -8, -1, 0, 1].map(|by: i64| at.wrapping_add_signed(by));
    [DATA, DATA + 0x1000, DATA + 0x1ff0, DATA + DATA_LEN].into_iter().flat_map(around).collect()
}

#[test]
fn strings_at_borders_of_pages() {
    for (what, bytes) in STRINGS {
        let mut translated = 0;
        for prefix in [&[][..], &[0xf3], &[0xf2]] {
            let mut pair = pair(&[prefix, bytes].concat());
            let what = format!("{prefix:x?} {what}");
            for rcx in [0, 1, 7, 8, 9, 300, 511, 512, 513, 1023, 4095, 4096, 9000, 1 << 34, 1 << 63, !0] {
                for rdi in places() {
                    run(&mut pair, (rcx, DATA + 0x800, rdi), &what);
                    run(&mut pair, (rcx, rdi.wrapping_sub(16), DATA + 0x1100), &what);
                }
            }
            translated += pair.translated();
        }
        assert!(translated > 500, "{what}: {translated}");
    }
}

#[test]
fn strings_at_borders_of_the_space() {
    for (what, bytes) in STRINGS {
        for prefix in [&[][..], &[0xf3]] {
            let mut pair = pair(&[prefix, bytes].concat());
            for at in borders() {
                for rcx in [0, 1, 500, 1 << 20, 1 << 62] {
                    run(&mut pair, (rcx, DATA + 0x100, at), what);
                    run(&mut pair, (rcx, at, DATA + 0x100), what);
                }
            }
        }
    }
}

#[test]
fn strings_downwards_and_after_each_other() {
    let bodies: [(&str, &[u8]); 5] = [
        ("std; rep movsb; cld", &[0xfd, 0xf3, 0xa4, 0xfc]),
        ("std; rep stosq; cld", &[0xfd, 0xf3, 0x48, 0xab, 0xfc]),
        ("std; movsq", &[0xfd, 0x48, 0xa5]),
        ("std; rep movsb; inc rax", &[0xfd, 0xf3, 0xa4, 0x48, 0xff, 0xc0]),
        ("rep movsb; movsq; mov cl,9; rep stosw", &[0xf3, 0xa4, 0x48, 0xa5, 0xb1, 9, 0x66, 0xf3, 0xab]),
    ];
    for (what, body) in bodies {
        let mut pair = pair(body);
        for rcx in [0, 1, 9, 100, 700, 1020, 1500] {
            for at in places() {
                run(&mut pair, (rcx, DATA + 0x900, at), what);
                run(&mut pair, (rcx, at, at.wrapping_add(3)), what);
            }
        }
    }
}

/// A loop of them: work that they count for is taken at the same instruction, whatever fuel there is.
#[test]
fn fuel_ends_at_the_same_instruction_where_strings_are_repeated() {
    // l: mov rdi,rbx; mov ecx,3000; rep stosb; mov ecx,edx; rep movsb; dec edx; jne l; hlt
    let code = [
        0x48, 0x89, 0xdf, 0xb9, 0xb8, 0x0b, 0, 0, 0xf3, 0xaa, 0x89, 0xd1, 0xf3, 0xa4, 0xff, 0xca, 0x75, 0xee,
        0xf4,
    ];
    for fuel in [1, 5, 600, 1000, 5000, 5001, 5007, 1 << 40] {
        let mut pair = Pair::new(&code);
        let all = if fuel < 100 { 20 } else { 120 };
        for (n, value) in [(gpr::RBX, DATA + 0x10), (gpr::RDX, all), (gpr::RSI, DATA + 0x2000)] {
            pair.set(n, value);
        }
        let mut left = 1_000_000;
        let exit = loop {
            match pair.run(fuel, 0, &format!("{fuel} at a time")) {
                Exit::OutOfFuel if left > 0 => left -= 1,
                exit => break exit,
            }
            assert_eq!(pair.one.memory.take_cost(), pair.other.memory.take_cost(), "{fuel} at a time");
        };
        assert_eq!(exit, Exit::Halt);
        assert!(fuel < 600 || pair.translated() > 100, "{fuel}: {}", pair.translated());
    }
}

/// What is not translated, or must be seen not to be what it looks like.
#[test]
fn odd_ways_to_memory() {
    let bodies: [(&str, &[u8]); 19] = [
        ("maskmovdqu xmm0,xmm1", &[0x66, 0x0f, 0xf7, 0xc1]),
        ("vmaskmovps [rdi],ymm1,ymm0", &[0xc4, 0xe2, 0x75, 0x2e, 0x07]),
        ("vpmaskmovd ymm0,ymm1,[rsi]", &[0xc4, 0xe2, 0x75, 0x8c, 0x06]),
        ("vpgatherdd ymm0,[rsi+ymm1*4],ymm2", &[0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x8e]),
        ("vpgatherqq ymm0,[rdi+ymm1*8],ymm2", &[0xc4, 0xe2, 0xed, 0x91, 0x04, 0xcf]),
        ("lodsq", &[0x48, 0xad]),
        ("rep lodsb", &[0xf3, 0xac]),
        ("repe cmpsb", &[0xf3, 0xa6]),
        ("repne scasb", &[0xf2, 0xae]),
        ("xlat", &[0xd7]),
        ("mov eax,[edi], the address of 32 bits", &[0x67, 0x8b, 0x07]),
        ("rep movsb by ESI and EDI", &[0x67, 0xf3, 0xa4]),
        ("rep movsb from GS", &[0x65, 0xf3, 0xa4]),
        ("rep movsb from FS", &[0x64, 0xf3, 0xa4]),
        ("mov rax,gs:[rdi]", &[0x65, 0x48, 0x8b, 0x07]),
        ("mov rax,fs:[rdi]", &[0x64, 0x48, 0x8b, 0x07]),
        ("mov rax,cs:[rdi], a prefix without a meaning", &[0x2e, 0x48, 0x8b, 0x07]),
        ("mov eax,[rdi], REX.W before another prefix", &[0x48, 0x66, 0x8b, 0x07]),
        ("pause and rep mov, prefixes without a meaning", &[0xf3, 0x90, 0xf3, 0x48, 0x8b, 0x07]),
    ];
    for (what, body) in bodies {
        let mut pair = pair(body);
        for at in borders().into_iter().chain(places()) {
            // The masks' sign bits: all, some, none.
            for mask in [!0_u128, 1 << 127 | 1 << 31, 0] {
                for cpu in [&mut pair.one.cpu, &mut pair.other.cpu] {
                    cpu.ymm[1] = [mask, mask];
                    cpu.ymm[2] = [mask, mask >> 1];
                    (cpu.fs_base, cpu.gs_base) = (DATA, 1 << 47);
                }
                run(&mut pair, (40, DATA + 0x100, at), what);
                run(&mut pair, (40, at, DATA + 0x100), what);
            }
        }
    }
}

//! Small programs, with little fuel at a time.

use goemu_x86::cpu::gpr;
use goemu_x86::engine::{Engine, Stops};
use goemu_x86::exit::Exit;
use goemu_x86::memory::Perm;

use super::{CODE, DATA, Guest, Pair};

/// Runs to the end, with so much fuel at a time.
fn to_end(pair: &mut Pair, fuel: i64, what: &str) -> Exit {
    for _ in 0..1_000_000 {
        match pair.run(fuel, 0, what) {
            Exit::OutOfFuel | Exit::Stopped => {}
            exit => return exit,
        }
    }
    panic!("{what}: no end");
}

/// xor eax,eax; mov ecx,1000; l: add rax,rcx; dec rcx; jne l; hlt
const SUM: [u8; 16] = [0x31, 0xc0, 0xb9, 0xe8, 3, 0, 0, 0x48, 0x01, 0xc8, 0x48, 0xff, 0xc9, 0x75, 0xf8, 0xf4];

/// fib of EDI by two calls each: push rbx; mov ebx,edi; cmp edi,2; jb l; lea edi,[rbx-1]; call fib; push rax;
/// lea edi,[rbx-2]; call fib; pop rcx; add eax,ecx; pop rbx; ret; l: mov eax,edi; pop rbx; ret.
/// Before it: call fib; hlt.
pub(super) const FIB: [u8; 44] = [
    0xe8, 1, 0, 0, 0, 0xf4, // 0: call 6; hlt
    0x53, 0x89, 0xfb, 0x83, 0xff, 2, 0x72, 0x19, // 6: .. jb 39
    0x8d, 0x7b, 0xff, 0xe8, 0xf0, 0xff, 0xff, 0xff, 0x50, // 14
    0x8d, 0x7b, 0xfe, 0xe8, 0xe7, 0xff, 0xff, 0xff, 0x59, 0x01, 0xc8, 0x5b, 0xc3, // 23
    0x90, 0x90, 0x90, // 36
    0x89, 0xf8, 0x5b, 0xc3, 0xf4, // 39
];

#[test]
fn a_loop_runs_translated_and_counts_alike() {
    for fuel in [1, 2, 3, 4, 5, 100, 2999, 3000, 3001, 1 << 40] {
        let mut pair = Pair::new(&SUM);
        assert_eq!(to_end(&mut pair, fuel, "sum"), Exit::Halt);
        assert_eq!(pair.other.cpu.gpr(gpr::RAX), 500_500);
        assert!(fuel < 1 << 40 || pair.translated() > 2900, "{}", pair.translated());
    }
}

#[test]
fn calls_return_and_count_alike() {
    for (fuel, counts) in [1, 7, 50, 1000, 1 << 40].into_iter().flat_map(|fuel| [(fuel, false), (fuel, true)])
    {
        let mut pair = Pair::new(&FIB);
        pair.count_edges(counts);
        pair.set(gpr::RDI, 12);
        assert_eq!(to_end(&mut pair, fuel, "fib"), Exit::Halt);
        assert_eq!(pair.other.cpu.gpr(gpr::RAX), 144);
        assert!(fuel < 1000 || pair.translated() > 1000);
    }
}

#[test]
fn long_runs_are_taken_in_chunks() {
    // l: dec rcx; jne l; hlt
    let mut pair = Pair::new(&[0x48, 0xff, 0xc9, 0x75, 0xfb, 0xf4]);
    pair.set(gpr::RCX, 3_000_000);
    assert_eq!(to_end(&mut pair, 1 << 40, "chunks"), Exit::Halt);
    assert!(pair.translated() > 5_900_000);
}

#[test]
fn stops_are_seen_and_passed() {
    for stop in [7, 10, 13, 15] {
        let mut pair = Pair::new(&SUM);
        pair.one.engine.set_stops(Stops::from([CODE + stop]));
        pair.other.engine.set_stops(Stops::from([CODE + stop]));
        assert_eq!(to_end(&mut pair, 1000, "stops"), Exit::Halt);
    }
}

#[test]
fn faults_and_first_writes_are_alike() {
    // l: mov [rdi],rax; add rdi,8; inc rax; jmp l: runs off the end of the data.
    let mut pair = Pair::new(&[0x48, 0x89, 0x07, 0x48, 0x83, 0xc7, 8, 0x48, 0xff, 0xc0, 0xeb, 0xf4]);
    let snapshots = (pair.one.memory.snapshot(), pair.other.memory.snapshot());
    for _ in 0..5 {
        pair.set(gpr::RDI, DATA + 4);
        (pair.one.cpu.rip, pair.other.cpu.rip) = (CODE, CODE);
        assert!(matches!(to_end(&mut pair, 700, "writes"), Exit::Fault(_)));
        pair.one.memory.restore(snapshots.0).unwrap();
        pair.other.memory.restore(snapshots.1).unwrap();
    }
    assert!(pair.translated() > 5000);
}

#[test]
fn code_that_changes_is_seen() {
    // l: mov eax,1; add [rip-10],cl => its immediate; dec ecx; jne l; hlt
    let code = [0xb8, 1, 0, 0, 0, 0x00, 0x0d, 0xf6, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x75, 0xf1, 0xf4];
    let mut pair = Pair::with(&code, Perm::all());
    pair.set(gpr::RCX, 50);
    assert_eq!(to_end(&mut pair, 20, "patched"), Exit::Halt);
    // In one block: mov byte [rip+0],0x90; stc, which becomes nop; loop to the front; hlt
    let code = [0xc6, 0x05, 0, 0, 0, 0, 0x90, 0xf9, 0xff, 0xc9, 0x75, 0xf4, 0xf4];
    let mut pair = Pair::with(&code, Perm::all());
    pair.set(gpr::RCX, 50);
    assert_eq!(to_end(&mut pair, 20, "next"), Exit::Halt);
}

#[test]
fn indirect_calls_and_jumps_find_their_targets() {
    // lea rdx,[rip+f]; l: call rdx; dec ecx; jne l; hlt; f: inc rax; lea rbx,[rip+g]; jmp rbx; nop; g: ret
    let code = [
        0x48, 0x8d, 0x15, 7, 0, 0, 0, 0xff, 0xd2, 0xff, 0xc9, 0x75, 0xfa, 0xf4, // 0
        0x48, 0xff, 0xc0, 0x48, 0x8d, 0x1d, 3, 0, 0, 0, 0xff, 0xe3, 0x90, 0xc3, // 14
    ];
    for fuel in [3, 1 << 40] {
        let mut pair = Pair::new(&code);
        pair.set(gpr::RCX, 500);
        assert_eq!(to_end(&mut pair, fuel, "indirect"), Exit::Halt);
        assert_eq!(pair.other.cpu.gpr(gpr::RAX), 500);
        assert!(fuel < 1000 || pair.translated() > 3000);
    }
}

#[test]
fn division_by_zero_is_the_guests_fault() {
    // l: xor edx,edx; div rcx; dec rcx; jmp l
    let mut pair = Pair::new(&[0x31, 0xd2, 0x48, 0xf7, 0xf1, 0x48, 0xff, 0xc9, 0xeb, 0xf6]);
    pair.set(gpr::RCX, 20);
    pair.set(gpr::RAX, 1 << 20);
    assert!(matches!(pair.run(1 << 40, 0, "div"), Exit::Fault(_)));
    assert!(pair.translated() > 30);
}

#[test]
fn fuel_is_looked_at_between_translations() {
    // A jump forwards after each 60 NOPs, over more instructions than are translated at once: no branch looks at fuel, but the
    // way from one translation to the next does, so that the count never runs out of what a fault finds.
    let mut body = Vec::new();
    for _ in 0..400 {
        body.extend([0x90; 60]);
        body.extend([0xeb, 1, 0xcc]);
    }
    // dec ecx; jne to the front; hlt
    body.extend([0xff, 0xc9, 0x0f, 0x85]);
    body.extend((-(body.len() as i32 + 4)).to_le_bytes());
    body.push(0xf4);
    for fuel in [1, 61, 3000, 24_000, 24_401, 24_402, 24_403, 25_000, 1 << 40] {
        let mut pair = Pair::new(&body);
        pair.other.engine.set_heat(0);
        pair.set(gpr::RCX, 90);
        assert_eq!(to_end(&mut pair, fuel, "between"), Exit::Halt);
        assert_eq!(pair.other.cpu.gpr(gpr::RCX), 0);
        assert!(fuel < 1 << 40 || pair.translated() > 2_000_000, "{}", pair.translated());
    }
}

/// Two short loops, one in the other, with a diamond inside, and a call whose function has a POP before its return: whatever is
/// unrolled, and whatever looks at fuel, the interpreter stops at the same instruction.
#[test]
fn fuel_ends_at_the_same_instruction_in_loops_that_are_unrolled() {
    // o: mov edx,7; i: test dl,1; je e; inc rax; jmp j; e: add rax,3; j: call f; dec edx; jne i; dec ecx; jne o; hlt;
    // f: push rbx; lea rbx,[rax+1]; xor rax,rbx; pop rbx; ret
    let code = [
        0xba, 7, 0, 0, 0, // 0
        0xf6, 0xc2, 1, 0x74, 5, 0x48, 0xff, 0xc0, 0xeb, 4, 0x48, 0x83, 0xc0, 3, // 5
        0xe8, 9, 0, 0, 0, 0xff, 0xca, 0x75, 0xe9, 0xff, 0xc9, 0x75, 0xe0, 0xf4, // 19
    ];
    let function = [0x53, 0x48, 0x8d, 0x58, 1, 0x48, 0x31, 0xd8, 0x5b, 0xc3];
    let code: Vec<u8> = code.into_iter().chain(function).collect();
    for fuel in (1..40).chain(500..560).chain([1000, 5000, 5001, 5002, 5003, 1 << 40]) {
        let mut pair = Pair::new(&code);
        pair.other.engine.set_heat(0);
        pair.count_edges(fuel % 2 == 1);
        pair.set(gpr::RCX, 300);
        assert_eq!(to_end(&mut pair, fuel, &format!("{fuel} at a time")), Exit::Halt);
        assert!(fuel < 560 || pair.translated() > 1000, "{fuel}: {}", pair.translated());
    }
}

#[test]
fn a_chain_of_returns_looks_at_fuel() {
    // l: push rdx (the RET) ; dec ecx; jne l; ret, to the RET, again and again; then hlt
    let code = [0xf4, 0xc3, 0x52, 0xff, 0xc9, 0x75, 0xfb, 0xc3];
    for fuel in [513, 600, 700, 1024, 1 << 40] {
        let mut pair = Pair::new(&code);
        pair.other.engine.set_heat(0);
        pair.set(gpr::RDX, CODE);
        let rsp = pair.one.cpu.gpr(gpr::RSP) - 8;
        for guest in [&mut pair.one.memory, &mut pair.other.memory] {
            guest.write(rsp, CODE.to_le_bytes()).unwrap();
        }
        pair.set(gpr::RSP, rsp);
        pair.set(gpr::RDX, CODE + 1);
        pair.set(gpr::RCX, 400);
        (pair.one.cpu.rip, pair.other.cpu.rip) = (CODE + 2, CODE + 2);
        assert_eq!(to_end(&mut pair, fuel, &format!("{fuel} at a time")), Exit::Halt);
        assert!(fuel < 1024 || pair.translated() > 100, "{fuel}: {}", pair.translated());
    }
}

#[test]
fn the_goroutine_register_is_stored_beside_fs_and_used_as_a_base() {
    // l: mov fs:[-8],r14; mov rbx,fs:[-8]; xor rax,rbx; mov rdx,r14; mov r14,rdx; add rax,[r14+8]; dec ecx; jne l; hlt
    let code = [
        0x64, 0x4c, 0x89, 0x34, 0x25, 0xf8, 0xff, 0xff, 0xff, 0x64, 0x48, 0x8b, 0x1c, 0x25, 0xf8, 0xff, 0xff,
        0xff, 0x48, 0x31, 0xd8, 0x4c, 0x89, 0xf2, 0x49, 0x89, 0xd6, 0x49, 0x03, 0x46, 8, 0xff, 0xc9, 0x75,
        0xdd, 0xf4,
    ];
    let mut pair = Pair::new(&code);
    (pair.one.cpu.fs_base, pair.other.cpu.fs_base) = (DATA + 0x100, DATA + 0x100);
    pair.set(gpr::R14, DATA + 0x200);
    pair.set(gpr::RCX, 1000);
    assert_eq!(to_end(&mut pair, 1 << 40, "fs"), Exit::Halt);
    let (ran, entered) = pair.other.engine.translated();
    assert!(ran > 7000 && entered < 20, "{ran} in {entered}");
    // Without a base in the space, the store is the guest's fault.
    (pair.one.cpu.fs_base, pair.other.cpu.fs_base) = (1 << 50, 1 << 50);
    (pair.one.cpu.rip, pair.other.cpu.rip) = (CODE, CODE);
    assert!(matches!(pair.run(1 << 20, 0, "fs outside"), Exit::Fault(_)));
}

/// Functions whose addresses have the same low bits, called in turn, find each other: leaving for each would be slow.
#[test]
fn functions_at_the_same_low_bits_are_called_without_leaving() {
    // l: lea rdx,[rip+f]; call rdx; lea rdx,[rip+g]; call rdx; dec ecx; jne l; hlt; f at 0x1000, g 64 KiB behind
    let mut code =
        vec![0x48, 0x8d, 0x15, 0xf9, 0x0f, 0, 0, 0xff, 0xd2, 0x48, 0x8d, 0x15, 0xf0, 0x0f, 1, 0, 0xff, 0xd2];
    code.extend([0xff, 0xc9, 0x75, 0xea, 0xf4]);
    code.resize(0x1_1000, 0xcc);
    code.extend([0x48, 0xff, 0xc0, 0xc3]);
    code[0x1000..0x1004].copy_from_slice(&[0x48, 0xff, 0xc0, 0xc3]);
    let mut pair = Pair::new(&code);
    pair.set(gpr::RCX, 10_000);
    assert_eq!(to_end(&mut pair, 1 << 40, "same low bits"), Exit::Halt);
    assert_eq!(pair.other.cpu.gpr(gpr::RAX), 20_000);
    assert!(pair.other.engine.translated().1 < 100, "{:?}", pair.other.engine.translated());
}

/// What the interpreter has written to a page of code may be written again right after it by code that is translated: that leaves, and
/// the change is seen.
#[test]
fn code_is_written_by_both_engines_in_turn() {
    // l: mov ecx,8; lea rdi,[rip+f]; mov al,90h; rep stosb; mov ecx,150; k: mov word [rdi-8],inc ebx; dec ecx; jne k; call f;
    // dec edx; jne l; hlt; f, on the next page: 8 NOPs; ret
    let mut code = vec![
        0xb9, 8, 0, 0, 0, 0x48, 0x8d, 0x3d, 0xf4, 0x0f, 0, 0, 0xb0, 0x90, 0xf3, 0xaa, // 0
        0xb9, 150, 0, 0, 0, 0x66, 0xc7, 0x47, 0xf8, 0xff, 0xc3, 0xff, 0xc9, 0x75, 0xf6, // 16
        0xe8, 0xdc, 0x0f, 0, 0, 0xff, 0xca, 0x75, 0xd8, 0xf4, // 31
    ];
    code.resize(0x1000, 0xcc);
    code.extend([0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3]);
    let mut pair = Pair::with(&code, Perm::all());
    pair.other.engine.set_heat(0);
    pair.set(gpr::RDX, 20);
    assert_eq!(to_end(&mut pair, 600, "in turn"), Exit::Halt);
    assert_eq!(pair.other.cpu.gpr(gpr::RBX), 20);
    // Each run begins in translated code.
    assert!(pair.other.engine.translated().1 > 8, "{:?}", pair.other.engine.translated());
}

/// Old instructions on registers whose upper halves hold something keep them, and so do those that clear them.
#[test]
fn upper_halves_come_and_go() {
    // l: addps xmm0,xmm1; dec ecx; jne l; vaddps xmm2,xmm0,xmm1; vzeroupper at the end; hlt
    let body = [0x0f, 0x58, 0xc1, 0xff, 0xc9, 0x75, 0xf9, 0xc5, 0xf8, 0x58, 0xd1, 0xf4];
    let with_zero = [0x0f, 0x58, 0xc1, 0xff, 0xc9, 0x75, 0xf9, 0xc5, 0xf8, 0x77, 0x0f, 0x58, 0xc1, 0xf4];
    for (code, upper) in [(&body[..], 0), (&body, 7), (&with_zero, 0), (&with_zero, 7)] {
        let mut pair = Pair::new(code);
        for n in 0..16 {
            let value = [u128::from(0x3f80_0000 + n as u32) << 96, upper << n];
            (pair.one.cpu.ymm[n], pair.other.cpu.ymm[n]) = (value, value);
        }
        pair.set(gpr::RCX, 500);
        assert_eq!(to_end(&mut pair, 1 << 40, "upper halves"), Exit::Halt);
        assert!(pair.translated() > 1000);
    }
}

/// What stays prepared between runs is that of one guest: another may use the thread in between.
#[test]
fn runs_that_keep_the_host_ready_mix() {
    let mut pairs: Vec<Pair> = (0..3).map(|_| Pair::new(&FIB)).collect();
    pairs.iter_mut().for_each(|pair| pair.set(gpr::RDI, 22));
    for round in 0..30 {
        let part = |pair: &mut Pair| pair.run(2000, 0, &format!("round {round}"));
        for n in [0, 1, 2] {
            pairs[n].other.engine.keep_ready(true);
            part(&mut pairs[n]);
        }
        pairs[2].other.engine.let_go();
        part(&mut pairs[2]);
        for n in [2, 1, 0] {
            part(&mut pairs[n]);
            pairs[n].other.engine.keep_ready(false);
        }
    }
    for pair in &mut pairs {
        assert_eq!(pair.run(1 << 40, 0, "the end"), Exit::Halt);
        assert_eq!(pair.other.cpu.gpr(gpr::RAX), 17_711);
        assert!(pair.translated() > 10_000, "{}", pair.translated());
    }
}

#[test]
fn a_guest_that_moves_to_another_thread_is_prepared_again() {
    let run = |mut pair: Pair| {
        pair.other.engine.keep_ready(true);
        pair.run(4000, 0, "a part");
        pair
    };
    let mut pair = Pair::new(&FIB);
    pair.set(gpr::RDI, 20);
    for _ in 0..20 {
        pair = std::thread::spawn(move || run(pair)).join().unwrap();
    }
    pair = run(pair);
    pair.other.engine.keep_ready(false);
    assert!(pair.translated() > 50_000, "{}", pair.translated());
}

#[test]
fn a_new_machine_interprets_first() {
    // l: dec ecx; jne l; hlt
    let code = [0xff, 0xc9, 0x75, 0xfc, 0xf4];
    let mut pair = Pair::new(&code);
    pair.other.engine = crate::Translator::new().unwrap();
    let mut translated = Vec::new();
    for _ in 0..4 {
        for cpu in [&mut pair.one.cpu, &mut pair.other.cpu] {
            cpu.rip = CODE;
        }
        pair.set(gpr::RCX, 100_000);
        assert_eq!(pair.run(1 << 40, 0, "cold, then hot"), Exit::Halt);
        translated.push(pair.translated());
    }
    // 200 000 instructions a run.
    assert_eq!(translated[..2], [0, 0]);
    assert!(translated[3] > 200_000, "{translated:?}");
}

#[test]
fn a_stop_is_seen_where_the_first_instructions_end() {
    // l: dec ecx; jne l; hlt
    let code = [0xff, 0xc9, 0x75, 0xfc, 0xf4];
    let mut guest = Guest::new(crate::Translator::new().unwrap(), &code, Perm::READ | Perm::EXEC);
    guest.engine.set_stops([CODE].into_iter().collect());
    // One round a run, of two instructions.
    const ROUNDS: u64 = 300_000;
    guest.cpu.set_gpr(gpr::RCX, ROUNDS + 1);
    for round in 0..ROUNDS {
        assert_eq!(guest.run(&mut (1 << 40)), Exit::Stopped, "round {round}");
        assert_eq!(guest.cpu.gpr(gpr::RCX), ROUNDS - round, "round {round}");
    }
}

//! Guests that try to reach beyond their space: what the interpreter says of each try, the translator says too, and what
//! lies on the host beside the space stays as it is.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;

use super::{DATA, Pair, STACK};

/// Addresses around every border: of the space, of the guards, of what a host uses, of 64 bits.
pub(super) fn borders() -> Vec<u64> {
    let at = [
        0,
        1 << 30,
        1 << 31,
        1 << 32,
        1 << 34,
        1 << 37,
        1 << 40,
        (1 << 40) + (1 << 37),
        (1 << 40) + (1 << 37) + (1 << 31),
        1 << 41,
        1 << 46,
        1 << 47,
        1 << 48,
        1 << 55,
        1 << 56,
        1 << 57,
        1 << 63,
        0xff << 56,
    ];
    let state = (1_u64 << 31).wrapping_neg();
    let tables = [0x1000, 0x2_0000, 0xa_0000, 0x12_0000, 0x80_0000, 0x100_0000, 0x800_0000]
        .map(|by| state.wrapping_add(by));
    let around = |at: u64| [-4096, -33, -8, -1, 0, 1, 7, 8, 4096].map(|by: i64| at.wrapping_add_signed(by));
    at.into_iter().chain([state]).chain(tables).flat_map(around).collect()
}

/// Starts with a jump back, so that what follows is hot at once.
pub(super) fn hot(body: &[u8]) -> Vec<u8> {
    let mut code = vec![0xe9];
    code.extend((body.len() as i32 + 1).to_le_bytes());
    code.extend(body);
    code.push(0xf4);
    code.push(0xe9);
    code.extend((-(body.len() as i32 + 6)).to_le_bytes());
    code
}

/// Runs the body for each value of these registers, and says how many faulted.
fn each(body: &[u8], registers: &[u8], what: &str) -> usize {
    let code = hot(body);
    let mut pair = Pair::new(&code);
    let mut faults = 0;
    for value in borders() {
        for n in 0..16 {
            pair.set(n, DATA + 0x100);
        }
        pair.set(gpr::RSP, STACK - 0x800);
        registers.iter().for_each(|&n| pair.set(n, value));
        (pair.one.cpu.rip, pair.other.cpu.rip) = (super::CODE, super::CODE);
        let exit = pair.run(1 << 20, 0, &format!("{what} at {value:#x}"));
        faults += usize::from(matches!(exit, Exit::Fault(_)));
    }
    assert!(pair.other.engine.translated().1 > 50, "{what}");
    faults
}

#[test]
fn loads_and_stores_of_all_widths() {
    let bodies: [(&str, &[u8]); 8] = [
        ("mov al,[rbx]", &[0x8a, 0x03]),
        ("mov [rbx],rax", &[0x48, 0x89, 0x03]),
        ("vmovdqu ymm0,[rbx]", &[0xc5, 0xfe, 0x6f, 0x03]),
        ("vmovdqu [rbx],ymm0", &[0xc5, 0xfe, 0x7f, 0x03]),
        ("lock xadd [rbx],rax", &[0xf0, 0x48, 0x0f, 0xc1, 0x03]),
        ("mov [rbx+0x7fffffff],eax", &[0x89, 0x83, 0xff, 0xff, 0xff, 0x7f]),
        ("mov [rbx-0x80000000],eax", &[0x89, 0x83, 0, 0, 0, 0x80]),
        (
            "mov rax,[rbx]; mov [rbx+0x3fffffff],rax",
            &[0x48, 0x8b, 0x03, 0x48, 0x89, 0x83, 0xff, 0xff, 0xff, 0x3f],
        ),
    ];
    for (what, body) in bodies {
        assert!(each(body, &[gpr::RBX], what) > 50, "{what}");
    }
}

#[test]
fn sums_and_indexes() {
    let bodies: [(&str, &[u8]); 5] = [
        ("mov [rbx+rcx*8],rax", &[0x48, 0x89, 0x04, 0xcb]),
        ("mov [rcx*8+0x100],rax", &[0x48, 0x89, 0x04, 0xcd, 0, 1, 0, 0]),
        ("mov [rsp+rcx],rax", &[0x48, 0x89, 0x04, 0x0c]),
        ("mov [rbx+r14*4],rax", &[0x4a, 0x89, 0x04, 0xb3]),
        ("mov ecx,ecx; mov [rbx+rcx*8],rax", &[0x89, 0xc9, 0x48, 0x89, 0x04, 0xcb]),
    ];
    for (what, body) in bodies {
        each(body, &[gpr::RCX, gpr::R14], what);
        each(body, &[gpr::RBX], what);
        each(body, &[gpr::RBX, gpr::RCX], what);
    }
}

#[test]
fn bounds_that_were_compared() {
    // cmp .., ..; ja or jae over the access; the access: an index that is not above a bound, whatever that is.
    let bodies: [(&str, &[u8]); 5] = [
        ("cmp rcx,rdx; ja; mov [rbx+rcx*8],rax", &[0x48, 0x39, 0xd1, 0x77, 4, 0x48, 0x89, 0x04, 0xcb, 0x90]),
        (
            "cmp rdx,rcx; jb; mov [rbx+rcx*8],rax; again",
            &[0x48, 0x39, 0xca, 0x72, 8, 0x48, 0x89, 0x04, 0xcb, 0x48, 0x89, 0x04, 0xcb, 0x90],
        ),
        (
            "cmp rcx,rdx; ja; inc rcx; mov [rbx+rcx*8],rax",
            &[0x48, 0x39, 0xd1, 0x77, 7, 0x48, 0xff, 0xc1, 0x48, 0x89, 0x04, 0xcb, 0x90],
        ),
        (
            "cmp rcx,rdx; mov rdx,[rsp]; ja; mov [rbx+rcx*8],rax",
            &[0x48, 0x39, 0xd1, 0x48, 0x8b, 0x14, 0x24, 0x77, 4, 0x48, 0x89, 0x04, 0xcb, 0x90],
        ),
        (
            "cmp rcx,0x7fffffff; ja; lea rsi,[rcx+rcx*8]; mov [rsi],rax; mov [rbx+rcx*8],rax",
            &[
                0x48, 0x81, 0xf9, 0xff, 0xff, 0xff, 0x7f, 0x77, 11, 0x48, 0x8d, 0x34, 0xc9, 0x48, 0x89, 0x06,
                0x48, 0x89, 0x04, 0xcb, 0x90,
            ],
        ),
    ];
    for (what, body) in bodies {
        each(body, &[gpr::RCX, gpr::RDX], what);
        each(body, &[gpr::RDX], what);
        each(body, &[gpr::RBX, gpr::RDX], what);
        each(body, &[gpr::RBX, gpr::RCX, gpr::RDX], what);
    }
}

/// A comparison says nothing any more of a register that was written since: here that would lead into the tables below the
/// space, where an access would succeed.
#[test]
fn bounds_of_registers_that_were_written_since() {
    // Each ends in the comparison once more, so that the registers matter.
    let bodies: [(&str, &[u8]); 4] = [
        (
            "cmp rcx,rdx; ja; add rcx,rdi; mov [rbx+rcx*8],rax; cmp rcx,rdx",
            &[0x48, 0x39, 0xd1, 0x77, 7, 0x48, 0x01, 0xf9, 0x48, 0x89, 0x04, 0xcb, 0x48, 0x39, 0xd1],
        ),
        (
            "cmp rcx,rdx; ja; lea rcx,[rcx+rdi]; mov [rbx+rcx*8],rax; cmp rcx,rdx",
            &[0x48, 0x39, 0xd1, 0x77, 8, 0x48, 0x8d, 0x0c, 0x39, 0x48, 0x89, 0x04, 0xcb, 0x48, 0x39, 0xd1],
        ),
        (
            "cmp rcx,rdx; lea rcx,[rcx+rdi]; ja; mov [rbx+rcx*8],rax; cmp rcx,rdx",
            &[0x48, 0x39, 0xd1, 0x48, 0x8d, 0x0c, 0x39, 0x77, 4, 0x48, 0x89, 0x04, 0xcb, 0x48, 0x39, 0xd1],
        ),
        (
            "cmp rdi,rsi; ja; add rsi,rdx; mov [rbx+rdi*8],rax; cmp rdi,rsi",
            &[0x48, 0x39, 0xf7, 0x77, 7, 0x48, 0x01, 0xd6, 0x48, 0x89, 0x04, 0xfb, 0x48, 0x39, 0xf7],
        ),
    ];
    let below = (crate::layout::RETURNS as i64 as u64).wrapping_sub(DATA).wrapping_add(0x4000);
    for (what, body) in bodies {
        let mut pair = Pair::new(&hot(body));
        pair.other.engine.set_heat(0);
        for round in 0..10 {
            let values = [
                (gpr::RBX, DATA),
                (gpr::RCX, round % 2),
                (gpr::RDX, 0x200),
                (gpr::RSI, u64::MAX),
                (gpr::RDI, below >> 3),
            ];
            values.iter().for_each(|&(n, value)| pair.set(n, value));
            (pair.one.cpu.rip, pair.other.cpu.rip) = (super::CODE, super::CODE);
            assert!(matches!(pair.run(1 << 20, 0, what), Exit::Fault(_)), "{what}");
        }
        assert!(pair.translated() > 30, "{what}: {}", pair.translated());
    }
}

#[test]
fn the_stack_pointer_as_a_weapon() {
    let bodies: [(&str, &[u8]); 9] = [
        ("mov rsp,rbx; push rax", &[0x48, 0x89, 0xdc, 0x50]),
        ("xchg rsp,rbx; pop rax", &[0x48, 0x87, 0xdc, 0x58]),
        ("mov rsp,rbx; call +0", &[0x48, 0x89, 0xdc, 0xe8, 0, 0, 0, 0]),
        ("mov rsp,rbx; ret", &[0x48, 0x89, 0xdc, 0xc3]),
        ("lea rsp,[rbx+rbx]; mov [rsp+8],rax", &[0x48, 0x8d, 0x24, 0x1b, 0x48, 0x89, 0x44, 0x24, 8]),
        ("mov rbp,rbx; leave; push rax", &[0x48, 0x89, 0xdd, 0xc9, 0x50]),
        ("push rbx; pop rsp; push rax", &[0x53, 0x5c, 0x50]),
        ("add rsp,rbx; mov [rsp],rax", &[0x48, 0x01, 0xdc, 0x48, 0x89, 0x04, 0x24]),
        ("and rsp,rbx; push rsp", &[0x48, 0x21, 0xdc, 0x54]),
    ];
    for (what, body) in bodies {
        assert!(each(body, &[gpr::RBX], what) > 50, "{what}");
    }
}

#[test]
fn a_stack_pointer_that_is_far_off_from_the_beginning() {
    // l: dec ecx; jne l; mov [rsp+0x100],rax: hot code is entered with it.
    let body = [0xff, 0xc9, 0x75, 0xfc, 0x48, 0x89, 0x84, 0x24, 0, 1, 0, 0];
    let code = hot(&body);
    let mut pair = Pair::new(&code);
    for value in borders() {
        pair.set(gpr::RSP, value);
        pair.set(gpr::RCX, 5);
        (pair.one.cpu.rip, pair.other.cpu.rip) = (super::CODE, super::CODE);
        assert!(matches!(pair.run(1 << 20, 0, &format!("RSP {value:#x}")), Exit::Fault(_)));
    }
    assert!(pair.other.engine.translated().1 > 20);
}

#[test]
fn the_goroutine_register_as_a_weapon() {
    let bodies: [(&str, &[u8]); 7] = [
        ("mov [r14+0x10],rax", &[0x49, 0x89, 0x46, 0x10]),
        ("mov r14,rbx; mov [r14],rax", &[0x49, 0x89, 0xde, 0x49, 0x89, 0x06]),
        ("mov r14,rbx (8B); mov [r14],rax", &[0x4c, 0x8b, 0xf3, 0x49, 0x89, 0x06]),
        ("xchg r14,rbx; mov [r14],rax", &[0x4c, 0x87, 0xf3, 0x49, 0x89, 0x06]),
        ("push rbx; pop r14; mov [r14],rax", &[0x53, 0x41, 0x5e, 0x49, 0x89, 0x06]),
        ("lea r14,[rbx+8]; mov rax,[r14]", &[0x4c, 0x8d, 0x73, 8, 0x49, 0x8b, 0x06]),
        ("add r14,rbx; mov [r14-8],r14", &[0x49, 0x01, 0xde, 0x4d, 0x89, 0x76, 0xf8]),
    ];
    for (what, body) in bodies {
        assert!(each(body, &[gpr::RBX, gpr::R14], what) > 50, "{what}");
    }
}

#[test]
fn pointers_that_drift_do_not_get_out() {
    // l: sub rsp,0x7f000 (or add); dec ecx; jne l; push rax: without a single access on the way.
    for step in [0x48_u8, 0x49] {
        let opcode = if step == 0x48 { 0xec } else { 0xc4 };
        let body = [0x48, 0x81, opcode, 0, 0xf0, 7, 0, 0xff, 0xc9, 0x75, 0xf5, 0x50];
        let code = hot(&body);
        let mut pair = Pair::new(&code);
        pair.set(gpr::RCX, 5_000_000);
        assert!(matches!(pair.run(1 << 40, 0, "drift of RSP"), Exit::Fault(_)));
    }
    // l: add rbx,0x7fff0; mov [rbx],rax, in one loop; and a pointer whose facts go round a loop without an access.
    for body in [
        &[0x48, 0x81, 0xc3, 0xf0, 0xff, 7, 0, 0x48, 0x89, 0x03, 0xeb, 0xf4][..],
        &[0x48, 0x8b, 0x03, 0x48, 0x81, 0xc3, 0xf0, 0xff, 7, 0, 0xff, 0xc9, 0x75, 0xf5, 0x48, 0x89, 0x03][..],
    ] {
        let mut pair = Pair::new(&hot(body));
        pair.set(gpr::RBX, DATA);
        pair.set(gpr::RCX, 3_000_000);
        assert!(matches!(pair.run(1 << 40, 0, "drift"), Exit::Fault(_)));
    }
}

#[test]
fn returns_and_jumps_to_forged_addresses() {
    let bodies: [(&str, &[u8]); 4] = [
        ("push rbx; ret", &[0x53, 0xc3]),
        ("jmp rbx", &[0xff, 0xe3]),
        ("call rbx", &[0xff, 0xd3]),
        ("mov [rsp-8],rbx; jmp [rsp-8]", &[0x48, 0x89, 0x5c, 0x24, 0xf8, 0xff, 0x64, 0x24, 0xf8]),
    ];
    for (what, body) in bodies {
        // Again and again, so that the tables have entries; addresses whose low 16 bits collide are among these.
        for _ in 0..3 {
            assert!(each(body, &[gpr::RBX], what) > 50, "{what}");
        }
    }
}

#[test]
fn what_lies_beside_the_space_is_never_touched() {
    // A loop that writes everywhere that a register can point to; the process would not survive a hit.
    let body = [0x48, 0x89, 0x03, 0x48, 0x0f, 0xcb, 0x48, 0x89, 0x03];
    let canary = vec![0xa5_u8; 1 << 20];
    let code = hot(&body);
    let mut pair = Pair::new(&code);
    let host = canary.as_ptr() as u64;
    let base = pair.other.memory.host_code(&crate::layout::pages()).map_or(0, |base| base as u64);
    for at in (0..1 << 20).step_by(4096) {
        // As a guest would have to say it, and as it is.
        for value in [host + at, (host + at).wrapping_sub(base)] {
            pair.set(gpr::RBX, value);
            (pair.one.cpu.rip, pair.other.cpu.rip) = (super::CODE, super::CODE);
            assert!(matches!(pair.run(1 << 20, 0, "canary"), Exit::Fault(_)));
        }
    }
    // l: dec ecx; jne l; mov [rsp],rax: hot code is entered with such an RSP.
    let mut pair = Pair::new(&hot(&[0xff, 0xc9, 0x75, 0xfc, 0x48, 0x89, 0x04, 0x24]));
    let base = pair.other.memory.host_code(&crate::layout::pages()).map_or(0, |base| base as u64);
    for at in (0..1 << 20).step_by(4096) {
        pair.set(gpr::RSP, (host + at).wrapping_sub(base));
        pair.set(gpr::RCX, 5);
        (pair.one.cpu.rip, pair.other.cpu.rip) = (super::CODE, super::CODE);
        assert!(matches!(pair.run(1 << 20, 0, "canary"), Exit::Fault(_)));
    }
    assert!(canary.iter().all(|&byte| byte == 0xa5));
}

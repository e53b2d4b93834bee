//! The tables through which returns and indirect jumps go: addresses that share an entry.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;

use super::{CODE, Pair};
use crate::layout::slot_of_jump;

/// Times that the loops go round.
const ROUNDS: u64 = 5000;

/// Code of so many bytes, from pieces and where they lie.
fn code(len: usize, pieces: &[(usize, &[u8])]) -> Vec<u8> {
    let mut code = vec![0xcc; len];
    for (at, piece) in pieces {
        code[*at..at + piece.len()].copy_from_slice(piece);
    }
    code
}

/// An instruction of an opcode and a displacement of four bytes.
fn relative(opcode: &[u8], at: usize, to: usize) -> Vec<u8> {
    let next = (at + opcode.len() + 4) as i64;
    let by = (to as i64 - next) as i32;
    [opcode, &by.to_le_bytes()].concat()
}

/// Runs to the end; translated code is not entered again and again.
fn stays_inside(code: &[u8]) {
    let mut pair = Pair::new(code);
    pair.set(gpr::RCX, ROUNDS);
    assert_eq!(pair.run(1 << 40, 0, "shared"), Exit::Halt);
    let (ran, entered) = pair.other.engine.translated();
    assert!(ran > 4 * ROUNDS && entered < 200, "{ran} instructions, entered {entered} times");
}

#[test]
fn returns_to_addresses_that_are_alike_in_their_low_bits() {
    // Three calls of one function, 64 KiB apart.
    const FUNCTION: usize = 0x200;
    let calls: Vec<_> = (0..3).map(|n| (n << 16, relative(&[0xe8], n << 16, FUNCTION))).collect();
    let jumps: Vec<_> =
        (0..2).map(|n| ((n << 16) + 5, relative(&[0xe9], (n << 16) + 5, (n + 1) << 16))).collect();
    // dec ecx; jne to the front; hlt
    let back = [&[0xff, 0xc9][..], &relative(&[0x0f, 0x85], 0x2_0007, 0), &[0xf4]].concat();
    let pieces = calls.iter().chain(&jumps).map(|(at, piece)| (*at, &piece[..]));
    let pieces: Vec<_> = pieces.chain([(0x2_0005, &back[..]), (FUNCTION, &[0xc3][..])]).collect();
    stays_inside(&code(0x2_1000, &pieces));
}

#[test]
fn jumps_to_addresses_that_share_an_entry() {
    let from = 0x800;
    let slot = |at: usize| slot_of_jump(CODE + at as u64);
    let other = (0x1000..0x4_0000).find(|&at| slot(at) == slot(from)).unwrap();
    // lea rdx,[rip+from]; lea rbx,[rip+other]; l: call rdx; xchg rdx,rbx; dec ecx; jne l; hlt
    let front = [
        relative(&[0x48, 0x8d, 0x15], 0, from),
        relative(&[0x48, 0x8d, 0x1d], 7, other),
        vec![0xff, 0xd2, 0x48, 0x87, 0xd3, 0xff, 0xc9, 0x75, 0xf7, 0xf4],
    ];
    // inc rax; ret: and add rax,3; ret
    let pieces =
        [(0, &front.concat()[..]), (from, &[0x48, 0xff, 0xc0, 0xc3]), (other, &[0x48, 0x83, 0xc0, 3, 0xc3])];
    stays_inside(&code(0x4_1000, &pieces));
}

//! Code that changes again and again: translating it is given up, and taken up when it has become quiet.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;
use goemu_x86::memory::{PAGE, Perm};

use super::{CODE, Pair};

/// Runs from the front to HLT.
fn again(pair: &mut Pair, what: &str) {
    (pair.one.cpu.rip, pair.other.cpu.rip) = (CODE, CODE);
    assert_eq!(pair.run(1 << 40, 0, what), Exit::Halt);
}

/// o: inc byte [rip+..] => the immediate of the ADD; mov ecx,60; l: add eax,0; dec ecx; jne l; dec edx; jne o; hlt
const TURNING: [u8; 26] = [
    0xfe, 0x05, 6, 0, 0, 0, 0xb9, 60, 0, 0, 0, 0x05, 0, 0, 0, 0, 0xff, 0xc9, 0x75, 0xf7, 0xff, 0xca, 0x75,
    0xe8, 0xf4, 0x90,
];

#[test]
fn code_that_changes_again_and_again_is_interpreted() {
    let mut pair = Pair::with(&TURNING, Perm::all());
    let mut shares = Vec::new();
    for round in 0..4 {
        pair.set(gpr::RDX, 20_000);
        let before = pair.translated();
        again(&mut pair, &format!("round {round}"));
        shares.push((pair.translated() - before) * 100 / (20_000 * 184));
    }
    assert!(shares[0] > 5, "it is tried: {shares:?}");
    assert!(shares[3] < 5, "it is given up: {shares:?}");
    // The same loop, which does not change any more: from behind the INC.
    let before = pair.translated();
    pair.set(gpr::RCX, 15_000_000);
    pair.set(gpr::RDX, 1);
    (pair.one.cpu.rip, pair.other.cpu.rip) = (CODE + 11, CODE + 11);
    assert_eq!(pair.run(1 << 40, 0, "quiet"), Exit::Halt);
    let translated = pair.translated() - before;
    assert!(translated > 25_000_000, "it is translated again: {translated}");
}

/// Many pages of which one changes at a time: what others have is not searched for it.
#[test]
fn a_change_among_many_pages_is_seen() {
    // In each page: inc eax; ret. At the front: l: call rdx; add rdx,4096; dec ecx; jne l; hlt
    const PAGES: usize = 500;
    let mut code = vec![0xff, 0xd2, 0x48, 0x81, 0xc2, 0, 0x10, 0, 0, 0xff, 0xc9, 0x75, 0xf3, 0xf4];
    for page in 1..=PAGES {
        code.resize(page * PAGE as usize, 0xcc);
        code.extend([0xff, 0xc0, 0xc3]);
    }
    let mut pair = Pair::new(&code);
    let mut sum = 0;
    for round in 0..40 {
        pair.set(gpr::RCX, PAGES as u64);
        pair.set(gpr::RDX, CODE + PAGE);
        pair.set(gpr::RAX, 0);
        again(&mut pair, &format!("round {round}"));
        assert_eq!(pair.other.cpu.gpr(gpr::RAX) as i32, PAGES as i32 + sum);
        // inc eax or dec eax
        for memory in [&mut pair.one.memory, &mut pair.other.memory] {
            memory.poke(CODE + PAGE * (1 + round * 11) + 1, &[0xc8]).unwrap();
        }
        sum -= 2;
    }
    assert!(pair.translated() > 10_000, "{}", pair.translated());
}

//! Functions that allocate, called where the engine makes the objects itself, and where it leaves for each.

use goemu_x86::cpu::gpr;
use goemu_x86::engine::{Allocators, Engine};
use goemu_x86::exit::Exit;
use goemu_x86::memory::{BUMPED, Bumped, Contents, Perm, bumped};

use super::loops::Random;
use super::{CODE, DATA, Guest, Pair, STACK};

/// The function, and another one that nobody makes objects for.
const ALLOC: u64 = CODE + 0x200;
/// Where objects are made.
const HEAP: u64 = 0x300_0000;
const HEAP_LEN: u64 = 1 << 20;
/// Where a type says what may hold pointers.
const POINTERS: u8 = 8;

/// RCX rounds: takes a size and a type from the table at RSI, compares, allocates, adds the flags to RBP, writes to the object.
const PROGRAM: &[u8] = &[
    0x48, 0x8b, 0x06, // l: mov rax,[rsi]
    0x48, 0x8b, 0x5e, 0x08, // mov rbx,[rsi+8]
    0x48, 0x39, 0xd8, // cmp rax,rbx
    0xe8, 0xf1, 0x01, 0x00, 0x00, // call ALLOC
    0x0f, 0x92, 0xc2, // setb dl
    0x0f, 0x90, 0xc6, // seto dh
    0x48, 0x01, 0xd5, // add rbp,rdx
    0x48, 0x89, 0x08, // mov [rax],rcx
    0x48, 0x83, 0xc6, 0x10, // add rsi,16
    0x48, 0xff, 0xc9, // dec rcx
    0x75, 0xdc, // jne l
    0xf4, // hlt
];

/// What came of a run.
#[derive(Debug, PartialEq)]
struct Ran {
    exit: Exit,
    left: i64,
    gprs: [u64; 16],
    rip: u64,
    flags: u64,
    /// Sizes, what types say, addresses, and the fuel that was left.
    made: Vec<(u64, u64, u64, i64)>,
    memory: Vec<u8>,
}

/// Runs to the end, and allocates where the engine leaves for that.
fn run<E: Engine>(guest: &mut Guest<E>, lends: bool, fuel: i64) -> (Ran, usize) {
    let (mut left, mut next, mut made, mut leaves) = (fuel, HEAP, Vec::new(), 0);
    let exit = loop {
        guest.memory.bump_mut().lend(if lends { next..HEAP + HEAP_LEN } else { 0..0 });
        let exit = guest.run(&mut left);
        let bump = guest.memory.bump();
        for &Bumped { size, pointers } in bump.objects() {
            let at = bumped(next, size).unwrap();
            made.push((size, pointers, at, 0));
            next = at + size;
        }
        if !bump.objects().is_empty() {
            assert!(bump.objects().len() <= BUMPED && bump.rest().start == next);
            made.last_mut().unwrap().3 = bump.left();
        }
        match exit {
            Exit::Stopped if guest.cpu.rip == ALLOC => leaves += 1,
            Exit::OutOfFuel if left > 0 && !bump.objects().is_empty() => continue,
            _ => break exit,
        }
        let (size, ty) = (guest.cpu.gpr(gpr::RAX), guest.cpu.gpr(gpr::RBX));
        let pointers = if ty == 0 { Ok([0; 8]) } else { guest.memory.read(ty.wrapping_add(POINTERS.into())) };
        let at = bumped(next, size).filter(|at| size <= HEAP + HEAP_LEN - at).unwrap_or(DATA);
        made.push((size, pointers.map_or(1, u64::from_le_bytes), at, left));
        next = if at == DATA { next } else { at + size };
        guest.cpu.set_gpr(gpr::RAX, at);
        let sp = guest.cpu.gpr(gpr::RSP);
        guest.cpu.rip = u64::from_le_bytes(guest.memory.read(sp).unwrap());
        guest.cpu.set_gpr(gpr::RSP, sp + 8);
    };
    let mut memory = vec![0; (HEAP_LEN + 0x4000) as usize];
    guest.memory.peek(HEAP, &mut memory[..HEAP_LEN as usize]);
    guest.memory.peek(STACK - 0x4000, &mut memory[HEAP_LEN as usize..]);
    let (gprs, rip, flags) = (guest.cpu.gprs(), guest.cpu.rip, guest.cpu.rflags());
    (Ran { exit, left, gprs, rip, flags, made, memory }, leaves)
}

/// Runs the program with this table on both engines; gives how often the translator left for an object, and how many there were.
fn compare(table: &[(u64, u64)], fuel: i64, heat: i32) -> (usize, usize) {
    let mut code = PROGRAM.to_vec();
    code.resize(0x210, 0xcc);
    let mut pair = Pair::new(&code);
    pair.other.engine.set_heat(heat);
    let bytes: Vec<u8> =
        table.iter().flat_map(|(size, ty)| [size.to_le_bytes(), ty.to_le_bytes()]).flatten().collect();
    let allocators = Allocators { entries: [ALLOC].into(), pointers: POINTERS };
    pair.one.engine.set_stops([ALLOC].into());
    pair.other.engine.set_stops([ALLOC].into());
    pair.other.engine.set_allocators(&allocators);
    let table_at = HEAP + 2 * HEAP_LEN;
    for memory in [&mut pair.one.memory, &mut pair.other.memory] {
        memory.map(HEAP..HEAP + HEAP_LEN, Perm::READ | Perm::WRITE, Contents::Zero).unwrap();
        let end = table_at + (bytes.len() as u64).next_multiple_of(0x1000);
        memory.map(table_at..end, Perm::READ, Contents::Bytes(&bytes)).unwrap();
        // A type with pointers, and one without.
        memory.poke(DATA + 8, &24_u64.to_le_bytes()).unwrap();
        memory.snapshot();
    }
    pair.set(gpr::RSI, table_at);
    pair.set(gpr::RCX, table.len() as u64);
    pair.set(gpr::RDX, 0);
    let (one, _) = run(&mut pair.one, false, fuel);
    let (mut other, leaves) = run(&mut pair.other, true, fuel);
    assert_eq!(one.made.len(), other.made.len(), "{fuel}");
    for (want, have) in one.made.iter().zip(&mut other.made) {
        // The engine says it of the last one alone.
        if have.3 == 0 {
            have.3 = want.3;
        }
    }
    assert!(one.made == other.made, "{fuel}: {:?}", one.made.iter().zip(&other.made).find(|(a, b)| a != b));
    assert!(
        one == other,
        "{fuel}: {:?} {:?}",
        (one.exit, one.left, one.rip, one.gprs),
        (other.exit, other.left, other.rip, other.gprs)
    );
    (leaves, one.made.len())
}

const NO_TYPE: u64 = 0;
const TYPE: u64 = DATA;
const PLAIN: u64 = DATA + 0x100;

#[test]
fn are_not_left_for_where_there_is_room() {
    let table: Vec<(u64, u64)> =
        (0..4000).map(|n| (1 + n % 90, [NO_TYPE, TYPE, PLAIN][n as usize % 3])).collect();
    let (leaves, made) = compare(&table, 1 << 40, 1);
    assert_eq!(made, 4000);
    assert!(leaves < 80, "left {leaves} times");
}

#[test]
fn sizes_and_types_that_are_not_made_here() {
    let sizes = [0, 1, 7, 8, 9, 15, 16, 17, 0x7fff, 0x8000, 0x8001, 1 << 20, 1 << 32, u64::MAX, 1 << 63];
    let types = [NO_TYPE, TYPE, PLAIN, 1, DATA - 8, DATA - 9, !0, 1 << 40, 1 << 63, STACK];
    let table: Vec<(u64, u64)> =
        types.iter().flat_map(|ty| sizes.iter().map(move |size| (*size, *ty))).cycle().take(900).collect();
    let (leaves, made) = compare(&table, 1 << 40, 1);
    assert!(made == 900 && leaves > 300, "left {leaves} times");
}

#[test]
fn whatever_the_fuel() {
    let mut random = Random(0x5eed_0025);
    for _ in 0..300 {
        let sizes = [8, 16, 24, 100, 4096, random.next(0x9000)];
        let table: Vec<(u64, u64)> =
            (0..600).map(|_| (random.of(&sizes), random.of(&[NO_TYPE, NO_TYPE, TYPE, PLAIN, 1]))).collect();
        let fuel = random.next(600 * 11) as i64;
        let _ = compare(&table, fuel, random.of(&[0, 1, 16]));
    }
}

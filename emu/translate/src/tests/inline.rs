//! Small functions, which are translated where they are called: what they do with RSP and with their return address, and where fuel
//! ends in them.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;
use iced_x86::{Code, Instruction, MemoryOperand, Register};

use super::loops::{REGISTERS, Random, bytes, piece};
use super::{CODE, DATA, Pair, STACK};

/// Bytes between two functions, the first of which is the one that calls.
const SLOT: usize = 0x100;
const FUNCTIONS: usize = 4;

/// CALL of a function from there.
fn call(at: usize, function: usize) -> Vec<u8> {
    let by = (function * SLOT) as i32 - (at as i32 + 5);
    [&[0xe8][..], &by.to_le_bytes()].concat()
}

fn on_stack(displacement: i64) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RSP, displacement)
}

/// Something that a function does with its stack, after which RSP is that much lower.
fn stack_piece(random: &mut Random, low: i32) -> (Vec<u8>, i32) {
    let register = random.of(&REGISTERS);
    let near = i64::from(low) + random.of(&[-16, -8, -4, 8, 16]);
    let (insn, by) = match random.next(12) {
        0..=2 => (Instruction::with1(Code::Push_r64, register), 8),
        3 | 4 if low >= 8 || random.next(4) == 0 => (Instruction::with1(Code::Pop_r64, register), -8),
        5 => (Instruction::with2(Code::Sub_rm64_imm8, Register::RSP, 16), 16),
        6 if low >= 16 || random.next(4) == 0 => {
            (Instruction::with2(Code::Add_rm64_imm8, Register::RSP, 16), -16)
        }
        7 => (Instruction::with2(Code::Lea_r64_m, register, on_stack(near)), 0),
        8 => (Instruction::with2(Code::Mov_rm64_r64, on_stack(near), register), 0),
        9 => (Instruction::with2(Code::Mov_r64_rm64, register, on_stack(near)), 0),
        // The return address itself, sometimes.
        10 if random.next(4) == 0 => {
            (Instruction::with2(Code::Mov_rm64_r64, on_stack(low.into()), Register::R10), 0)
        }
        11 if random.next(4) == 0 => (Instruction::with2(Code::Lea_r64_m, register, on_stack(low.into())), 0),
        _ => return (piece(random), 0),
    };
    (bytes(insn), by)
}

fn function(random: &mut Random, n: usize) -> Vec<u8> {
    let (mut code, mut low) = (Vec::new(), 0);
    for _ in 0..1 + random.next(7) {
        if random.next(5) == 0 && n + 1 < FUNCTIONS {
            let to = n + 1 + random.next((FUNCTIONS - n - 1) as u64) as usize;
            code.extend(call(n * SLOT + code.len(), to));
        } else {
            let (more, by) = stack_piece(random, low);
            code.extend(more);
            low += by;
        }
    }
    // Seldom it returns from where RSP should not be.
    if random.next(24) != 0 && low != 0 {
        code.extend(bytes(match random.next(4) {
            0 if low == 8 => Instruction::with1(Code::Pop_r64, Register::RBX),
            1 => Instruction::with2(Code::Lea_r64_m, Register::RSP, on_stack(low.into())),
            _ => Instruction::with2(Code::Add_rm64_imm32, Register::RSP, low),
        }));
    }
    code.push(0xc3);
    code
}

fn program(random: &mut Random) -> Vec<u8> {
    let mut code = Vec::new();
    for _ in 0..1 + random.next(4) {
        code.extend(if random.next(3) == 0 {
            piece(random)
        } else {
            call(code.len(), 1 + random.next(2) as usize)
        });
    }
    // dec ecx; jne to the front; hlt
    code.extend([0xff, 0xc9, 0x0f, 0x85]);
    code.extend((-(code.len() as i32 + 4)).to_le_bytes());
    code.push(0xf4);
    for n in 1..FUNCTIONS {
        code.resize(n * SLOT, 0xf4);
        code.extend(function(random, n));
    }
    code
}

/// Runs a program from a few states, with so much fuel at a time; gives how many came to the end.
fn run(seed: u64) -> (u64, u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let code = program(&mut random);
    let mut pair = Pair::new(&code);
    pair.other.engine.set_heat(0);
    pair.count_edges(seed % 2 == 1);
    let mut ended = 0;
    for state in 0..4 {
        for n in [gpr::RAX, gpr::RBX, gpr::RSI, gpr::RDI, gpr::R8, gpr::R9] {
            pair.set(n, random.of(&[DATA, DATA + 0x100, DATA + 0x1000, 8, 0x200, STACK - 0x900]));
        }
        pair.set(gpr::R10, CODE + random.of(&[0, SLOT as u64, 2 * SLOT as u64, SLOT as u64 - 1]));
        pair.set(gpr::RCX, 40);
        pair.set(gpr::RSP, STACK - 0x800);
        (pair.one.cpu.rip, pair.other.cpu.rip) = (CODE, CODE);
        let fuel = random.of(&[1 << 20, 1 << 20, 700, 521]);
        for part in 0..200 {
            match pair.run(fuel, 0, &format!("seed {seed}, state {state}, part {part}: {code:02x?}")) {
                Exit::OutOfFuel if fuel < 1 << 20 => {}
                exit => {
                    ended += u64::from(exit == Exit::Halt);
                    break;
                }
            }
        }
    }
    (ended, pair.translated())
}

#[test]
fn random_functions_do_the_same() {
    let seeds = std::env::var("GOEMU_LOCKSTEP_SEEDS").ok().and_then(|text| text.parse().ok());
    let all = (1..=seeds.unwrap_or(40) * 25).map(run).fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
    assert!(all.0 > 500 && all.1 > 100_000, "{all:?}");
}

/// A loop of calls of a function, which begins behind it.
fn calls_of(function: &[u8]) -> Pair {
    // l: call f; dec ecx; jne l; hlt
    let front = [0xe8, 5, 0, 0, 0, 0xff, 0xc9, 0x75, 0xf7, 0xf4];
    let mut pair = Pair::new(&[&front, function].concat());
    pair.set(gpr::RCX, 3000);
    pair
}

#[test]
fn a_small_function_is_translated_where_it_is_called() {
    // add rax,rcx; ret
    let mut pair = calls_of(&[0x48, 0x01, 0xc8, 0xc3]);
    // A function that was never executed is not translated with its caller.
    pair.other.engine.set_heat(16);
    assert_eq!(pair.run(1 << 40, 0, "small"), Exit::Halt);
    let (ran, entered) = pair.other.engine.translated();
    assert!(ran > 10_000 && entered < 8, "{ran} instructions, entered {entered} times");
}

#[test]
fn a_return_address_that_was_written_over_is_followed() {
    // mov [rsp],rdx; ret: and the same through another register
    let ways: [&[u8]; 3] = [
        &[0x48, 0x89, 0x14, 0x24, 0xc3],
        &[0x48, 0x89, 0xe7, 0x48, 0x89, 0x17, 0xc3],
        // push rdx; mov rdi,[rsp+8]; pop rbx; lea rsp,[rsp+8]; push rbx; ret
        &[0x52, 0x48, 0x8b, 0x7c, 0x24, 8, 0x5b, 0x48, 0x8d, 0x64, 0x24, 8, 0x53, 0xc3],
    ];
    for function in ways {
        // To where it came from, and to the HLT.
        for to in [CODE + 5, CODE + 9] {
            let mut pair = calls_of(function);
            pair.set(gpr::RDX, to);
            assert_eq!(pair.run(1 << 40, 0, "forged"), Exit::Halt);
            let left = if to == CODE + 5 { 0 } else { 3000 };
            assert_eq!(pair.other.cpu.gpr(gpr::RCX), left);
        }
    }
}

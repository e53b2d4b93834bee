//! Random states that bring an instruction to where something interesting happens: operands worth having, addresses in
//! the window or just past it, counts near the edges.

use iced_x86::{CpuidFeature, FlowControl, Instruction, Mnemonic as M, OpKind, Register};

use crate::{
    form::Case,
    host::splits_locks_badly,
    native::{CODE, FAR, NEAR, State, WINDOW, WINDOW_SIZE, X87},
    random::Random,
    xsave,
};

const RCX: usize = 1;
const RSP: usize = 4;
const RBP: usize = 5;
const RSI: usize = 6;
const RDI: usize = 7;

/// A random stack, mostly full of what operations give, with two or three registers empty.
fn random_x87(random: &mut Random) -> X87 {
    let masks = if random.one_in(4) { random.below(64) as u16 } else { 0x3f };
    let precision = random.pick(&[0x300, 0x300, 0x200, 0]);
    let control = 0x40 | masks | precision | (random.below(4) as u16) << 10;
    let raised = if random.one_in(8) { random.below(64) as u16 } else { 0 };
    // Bits 7 and 15 say that one of the flags is not masked.
    let summary = if raised & !masks & 0x3f != 0 { 0x8080 } else { 0 };
    let status = (random.below(8) as u16) << 11 | random.pick(&[0, 0x4700]) | raised | summary;
    let tags = (random.bits() | random.bits() | random.bits()) as u8;
    X87 { control, status, tags, st: std::array::from_fn(|_| random.extended()) }
}

/// A random state on which `case` reaches the window, or just misses it.
pub fn random_state(case: &Case, random: &mut Random) -> State {
    let mut state = State { rflags: random.pick(&[0, 0x8d5]), ..State::default() };
    state.gpr = std::array::from_fn(|_| random.integer());
    state.ymm = std::array::from_fn(|_| [random.lane(), random.lane()]);
    state.mxcsr = random_mxcsr(random);
    if uses_x87(&case.insn) {
        state.x87 = random_x87(random);
    }
    for chunk in state.mem.chunks_exact_mut(16) {
        // Random bytes everywhere are cheap; operands worth having are put where they are read, below.
        chunk.copy_from_slice(&random.0.wrapping_mul(0x9e37_79b9).to_le_bytes().repeat(2));
    }
    aim(case, &mut state, random);
    state
}

/// Whether an instruction is one of the x87 unit, of MMX, or saves or loads them.
pub fn uses_x87(insn: &Instruction) -> bool {
    use CpuidFeature as F;
    let on_mmx = (0..insn.op_count().min(3)).any(|n| insn.op_register(n).is_mm());
    let converts = matches!(insn.mnemonic(), M::Cvtpi2ps | M::Cvtpi2pd);
    on_mmx
        || converts
        || insn.cpuid_features().iter().any(|f| {
            matches!(
                f,
                F::FPU | F::FPU287 | F::FPU387 | F::MMX | F::FXSR | F::XSAVE | F::XSAVEC | F::XSAVEOPT
            )
        })
}

fn random_mxcsr(random: &mut Random) -> u32 {
    let rounding = if random.one_in(2) { 0 } else { random.below(4) as u32 };
    let flags = if random.one_in(2) { 0 } else { random.below(64) as u32 };
    let daz = if random.one_in(4) { 0x40 } else { 0 };
    let ftz = if random.one_in(4) { 0x8000 } else { 0 };
    // Masked exceptions mostly: one that is not masked ends most operations before they have a result.
    let masks = if random.one_in(16) { (random.below(64) as u32) << 7 } else { 0x1f80 };
    masks | rounding << 13 | flags | daz | ftz
}

/// An address in the window: mostly aligned, sometimes not, rarely over one of its ends.
fn target(random: &mut Random) -> u64 {
    let end = WINDOW + WINDOW_SIZE as u64;
    match random.below(32) {
        0 | 1 => end - random.below(40),
        2 => WINDOW.wrapping_sub(random.below(40)),
        3 => WINDOW + 0x1000 - random.below(40),
        4..12 => WINDOW + 0x800 + random.below(0x1000),
        _ => WINDOW + 0x800 + 32 * random.below(0x80),
    }
}

/// Brings addresses, counts and divisors to where something interesting happens.
fn aim(case: &Case, state: &mut State, random: &mut Random) {
    let insn = &case.insn;
    if insn.is_string_instruction() || insn.op_kinds().any(|kind| kind == OpKind::MemorySegRDI) {
        (state.gpr[RSI], state.gpr[RDI]) = (target(random), target(random));
        state.gpr[RCX] = random.below(9);
    }
    if matches!(insn.mnemonic(), M::Maskmovdqu | M::Vmaskmovdqu | M::Maskmovq) {
        // Some processors look at all bytes, some at the chosen ones only.
        state.gpr[RDI] = WINDOW + 0x800 + random.below(0x800);
    }
    if insn.is_stack_instruction() || matches!(insn.mnemonic(), M::Leave | M::Enter) {
        (state.gpr[RSP], state.gpr[RBP]) = (target(random), target(random));
    }
    if insn.op_kinds().any(|kind| kind == OpKind::Memory) {
        aim_memory(insn, state, random);
    }
    if matches!(insn.mnemonic(), M::Div | M::Idiv) && !random.one_in(4) {
        state.gpr[2] = random.below(3).wrapping_sub(1);
    }
    if insn.flow_control() != FlowControl::Next {
        aim_jump(case, state, random);
    }
    match insn.mnemonic() {
        // Flags that programs may set and that the harness would trip over: TF, AC.
        M::Popf | M::Popfq => put(state, state.gpr[RSP], &(random.bits() & !0x4_0100).to_le_bytes()),
        M::Xrstor | M::Xrstor64 => aim_restore(insn, state, random),
        _ if xsave::saves(insn) => aim_save(insn, state, random),
        M::Fxsave | M::Fxsave64 | M::Fxrstor | M::Fxrstor64 => mostly_aligned(insn, state, random),
        _ => {}
    }
}

/// Writes bytes into the window, as far as they are in it.
fn put(state: &mut State, at: u64, bytes: &[u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        let offset = at.wrapping_add(i as u64).wrapping_sub(WINDOW) as usize;
        if let Some(slot) = state.mem.get_mut(offset) {
            *slot = *byte;
        }
    }
}

/// Jumps end where the harness waits for them.
fn aim_jump(case: &Case, state: &mut State, random: &mut Random) {
    let insn = &case.insn;
    let past = CODE + case.bytes.len() as u64;
    let landing = random.pick(&[NEAR, FAR, past]);
    if matches!(insn.mnemonic(), M::Loop | M::Loope | M::Loopne | M::Jrcxz | M::Jecxz) {
        state.gpr[RCX] = random.pick(&[0, 1, 2, 1 << 32, u64::MAX]);
    }
    match insn.op0_kind() {
        _ if insn.mnemonic() == M::Ret => put(state, state.gpr[RSP], &landing.to_le_bytes()),
        OpKind::Register => state.gpr[insn.op0_register().number()] = landing,
        OpKind::Memory => {
            if let Some(at) = address(insn, state) {
                put(state, at, &landing.to_le_bytes());
            }
        }
        _ => {}
    }
}

/// Moves the memory operand of instructions that ask for much alignment to where they have it, mostly.
fn mostly_aligned(insn: &Instruction, state: &mut State, random: &mut Random) {
    let (base, Some(at)) = (insn.memory_base(), address(insn, state)) else { return };
    if base.is_gpr64() && base != insn.memory_index() && !random.one_in(8) {
        state.gpr[base.number()] = state.gpr[base.number()].wrapping_sub(at & 63);
    }
}

/// Asks XSAVE and its kin, and XRSTOR, for some of the parts that both processors have. Where EAX or EDX is in the
/// address, other parts may be named; such states are not askable.
fn aim_save(insn: &Instruction, state: &mut State, random: &mut Random) {
    let in_address = |register: Register| {
        [insn.memory_base(), insn.memory_index()].iter().any(|used| used.full_register() == register)
    };
    if !in_address(Register::RAX) {
        state.gpr[0] = state.gpr[0] & !7 | random.below(8);
    }
    let before = (state.gpr[0], state.gpr[2]);
    xsave::ask_for_common(state);
    if in_address(Register::RAX) {
        state.gpr[0] = before.0;
    }
    if in_address(Register::RDX) {
        state.gpr[2] = before.1;
    }
    mostly_aligned(insn, state, random);
}

/// An area that XRSTOR may take: a header that is well-formed, mostly.
fn aim_restore(insn: &Instruction, state: &mut State, random: &mut Random) {
    aim_save(insn, state, random);
    let Some(at) = address(insn, state) else { return };
    put(state, at + 24, &random_mxcsr(random).to_le_bytes());
    let compacted = random.one_in(3);
    let strange = if random.one_in(8) { xsave::unknown_part() } else { 0 };
    let parts = (7 & !xsave::one_sided() | strange) & random.bits();
    let held = if compacted { parts & random.bits() } else { parts };
    put(state, at + 512, &[0; 64]);
    put(state, at + 512, &held.to_le_bytes());
    if compacted {
        put(state, at + 520, &(parts | 1 << 63).to_le_bytes());
    }
    if random.one_in(16) {
        put(state, at + 512 + 8 * (1 + random.below(7)), &[1]);
    }
}

/// Registers of the address: the base makes up for what index and displacement give.
fn aim_memory(insn: &Instruction, state: &mut State, random: &mut Random) {
    let (base, index) = (insn.memory_base(), insn.memory_index());
    let fixed = matches!(base, Register::None | Register::RIP) && index == Register::None;
    let goal = if fixed { insn.memory_displacement64() } else { target(random) };
    if index.is_vector_register() {
        let wide = 2 * (insn.memory_index_scale() > 4) as u64;
        state.ymm[index.number()] = std::array::from_fn(|_| small_indices(insn, wide, random));
    } else if base == index {
        // Both are the same register: it must be a multiple, so the displacement does not matter much.
        let divisor = 1 + u64::from(insn.memory_index_scale());
        state.gpr[base.number()] = goal.wrapping_sub(insn.memory_displacement64()) / divisor;
    } else if index == Register::AL {
        state.gpr[0] = random.below(256);
        state.gpr[3] = goal;
    } else if index.is_gpr() {
        state.gpr[index.number()] = random.below(64);
    }
    if base.is_gpr() && base != index && index != Register::AL {
        let scaled = if index.is_gpr() {
            state.gpr[index.number()].wrapping_mul(u64::from(insn.memory_index_scale()))
        } else {
            0
        };
        let needed = goal.wrapping_sub(scaled).wrapping_sub(insn.memory_displacement64());
        let spare = base.is_gpr32() && base != Register::ESP;
        let garbage = if spare { random.bits() << 32 } else { 0 };
        state.gpr[base.number()] = if base.is_gpr32() { needed & 0xffff_ffff | garbage } else { needed };
    }
    fill(state, goal, random);
    keep_near(insn, state, random);
}

fn small_indices(insn: &Instruction, shift: u64, random: &mut Random) -> u128 {
    let dwords = matches!(insn.mnemonic(), M::Vpgatherdd | M::Vgatherdps | M::Vpgatherdq | M::Vgatherdpd);
    (0..if dwords { 4 } else { 2 }).fold(0, |lane, i| {
        let index = (random.below(256) as i64 - 128) >> shift;
        if dwords {
            lane | u128::from(index as u32) << (32 * i)
        } else {
            lane | u128::from(index as u64) << (64 * i)
        }
    })
}

/// Operands worth having at the address.
fn fill(state: &mut State, at: u64, random: &mut Random) {
    let start = (at.wrapping_sub(WINDOW) as usize).min(WINDOW_SIZE);
    for chunk in state.mem[start..(start + 64).min(WINDOW_SIZE)].chunks_mut(16) {
        chunk.copy_from_slice(&random.lane().to_le_bytes()[..chunk.len()]);
    }
}

/// What would reach beyond the window and its guards: bit strings.
fn keep_near(insn: &Instruction, state: &mut State, random: &mut Random) {
    let bit_string = matches!(insn.mnemonic(), M::Bt | M::Bts | M::Btr | M::Btc);
    if !bit_string || insn.op1_kind() != OpKind::Register {
        return;
    }
    let register = insn.op1_register();
    if register.full_register() != insn.memory_base().full_register()
        && register.full_register() != insn.memory_index().full_register()
    {
        state.gpr[register.full_register().number()] = (random.below(0x4000) as i64 - 0x2000) as u64;
    }
}

/// Whether the processor may be asked: nothing that reaches outside the window or changes the host's state.
pub fn askable(case: &Case, state: &State) -> bool {
    let insn = &case.insn;
    let bit_string = matches!(insn.mnemonic(), M::Bt | M::Bts | M::Btr | M::Btc)
        && insn.op0_kind() == OpKind::Memory
        && insn.op1_kind() == OpKind::Register;
    let far = |n: usize| (state.gpr[n] as i64).unsigned_abs() > 0x4000;
    if bit_string && far(insn.op1_register().full_register().number()) {
        return false;
    }
    // A jump to where its register serves twice may lead anywhere.
    let jumps = matches!(insn.flow_control(), FlowControl::IndirectBranch | FlowControl::IndirectCall);
    if jumps && !jumps_to_landing(insn, state, case) {
        return false;
    }
    if xsave::names_parts(insn) && xsave::requested(state) & xsave::one_sided() != 0 {
        return false;
    }
    if locks(insn) && splits_locks_badly() && straddles_lines(insn, state) {
        return false;
    }
    // Where a register serves twice, the address may have got away.
    insn.op_kinds().all(|kind| kind != OpKind::Memory) || in_reach(insn, state)
}

/// Whether an instruction locks its memory operand.
fn locks(insn: &Instruction) -> bool {
    insn.has_lock_prefix() || insn.mnemonic() == M::Xchg
}

/// Whether a memory operand is in two cache lines.
fn straddles_lines(insn: &Instruction, state: &State) -> bool {
    let size = insn.memory_size().size().max(1) as u64;
    address(insn, state).is_some_and(|at| at / 64 != at.wrapping_add(size - 1) / 64)
}

fn in_reach(insn: &Instruction, state: &State) -> bool {
    let window = WINDOW - 0x800..WINDOW + WINDOW_SIZE as u64 + 0x800;
    address(insn, state).is_some_and(|at| window.contains(&at))
}

/// Whether an indirect jump comes out where the harness waits, or faults on the way.
fn jumps_to_landing(insn: &Instruction, state: &State, case: &Case) -> bool {
    let landings = [NEAR, FAR, CODE + case.bytes.len() as u64];
    let to = match insn.op0_kind() {
        // The return address would be pushed into the code.
        OpKind::Register if insn.op0_register() == Register::RSP => return false,
        OpKind::Register => Some(state.gpr[insn.op0_register().number()]),
        _ => address(insn, state).and_then(|at| {
            let offset = at.wrapping_sub(WINDOW) as usize;
            let bytes = state.mem.get(offset..offset.checked_add(8)?)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        }),
    };
    to.is_none_or(|to| landings.contains(&to))
}

/// The address of the memory operand.
pub fn address(insn: &Instruction, state: &State) -> Option<u64> {
    insn.virtual_address(memory_operand(insn), 0, |register, element, size| {
        Some(match register {
            Register::FS | Register::GS | Register::DS | Register::ES | Register::SS | Register::CS => 0,
            register if register.is_vector_register() => {
                let lane = state.ymm[register.number()][element * size / 16];
                let value = (lane >> (8 * (element * size % 16))) as u64;
                if size == 4 { value as i32 as u64 } else { value }
            }
            Register::AL => state.gpr[0] & 0xff,
            register if register.is_gpr32() => state.gpr[register.number()] & 0xffff_ffff,
            register => state.gpr[register.number()],
        })
    })
}

fn memory_operand(insn: &Instruction) -> u32 {
    (0..insn.op_count()).find(|&n| insn.op_kind(n) == OpKind::Memory).unwrap_or(0)
}

//! The comparison: one instruction on one state, by the processor and by goemu.

use goemu::{
    Perm,
    alu::float::F80,
    cpu::Cpu,
    engine::{Engine, Stops},
    exit::{Exit, FaultKind},
    interp::Interpreter,
    memory::{Access, Contents, Memory},
};
use iced_x86::{Code, CpuidFeature, Instruction, Mnemonic as M, OpKind, Register, RflagsBits};

use crate::{
    form::Case,
    native::{CODE, CODE_MAX, Native, State, Trap, WINDOW, WINDOW_SIZE, X87},
    random::Random,
};

/// Flags at their places in RFLAGS, as iced names them.
const FLAGS: [(u32, u64); 7] = [
    (RflagsBits::CF, 1),
    (RflagsBits::PF, 4),
    (RflagsBits::AF, 0x10),
    (RflagsBits::ZF, 0x40),
    (RflagsBits::SF, 0x80),
    (RflagsBits::DF, 0x400),
    (RflagsBits::OF, 0x800),
];

/// goemu with the same memory as [`Native`] has.
pub struct Emulated {
    memory: Memory,
    engine: Interpreter,
    code: Vec<u8>,
}

impl Default for Emulated {
    fn default() -> Self {
        let mut memory = Memory::new(1 << 20).expect("the host has room");
        let window = WINDOW..WINDOW + WINDOW_SIZE as u64;
        memory.map(window, Perm::READ | Perm::WRITE, Contents::Zero).expect("nothing is there");
        memory.map(CODE..CODE + 0x1000, Perm::READ | Perm::EXEC, Contents::Zero).expect("nothing is there");
        Emulated { memory, engine: Interpreter::new(), code: Vec::new() }
    }
}

impl Emulated {
    /// Takes other code.
    pub fn place(&mut self, code: &[u8]) {
        assert!(code.len() <= CODE_MAX);
        self.memory.poke(CODE, code).expect("the code is mapped");
        self.code = code.to_vec();
        self.engine.set_stops(Stops::from([CODE + code.len() as u64]));
        self.engine.forget(CODE..CODE + 0x1000);
    }

    /// Runs the code on `state`, which becomes the state after it or at the fault.
    pub fn run(&mut self, state: &mut State) -> Result<(), Trap> {
        let mut cpu = Cpu::default();
        for (n, value) in state.gpr.iter().enumerate() {
            cpu.set_gpr(n as u8, *value);
        }
        cpu.set_rflags(state.rflags);
        (cpu.ymm, cpu.mxcsr, cpu.rip) = (state.ymm, state.mxcsr, CODE);
        put_x87(&mut cpu, &state.x87);
        self.memory.poke(WINDOW, &state.mem[..]).expect("the window is mapped");
        let exit = self.engine.run(&mut cpu, &mut self.memory, &mut 1000);
        (state.gpr, state.ymm, state.mxcsr) = (cpu.gprs(), cpu.ymm, cpu.mxcsr);
        state.rflags = cpu.rflags() & 0xcd5;
        state.x87 = get_x87(&cpu);
        self.memory.read_bytes(WINDOW, &mut state.mem[..]).expect("the window is mapped");
        match exit {
            Exit::Stopped => Ok(()),
            Exit::Fault(fault) => Err(trap(fault.kind, fault.pc)),
            other => panic!("the code {:02x?} ended with {other:?}", self.code),
        }
    }
}

fn put_x87(cpu: &mut Cpu, from: &X87) {
    let x87 = &mut cpu.x87;
    (x87.control, x87.status, x87.tags) = (from.control, from.status, from.tags);
    for i in 0..8 {
        let value = from.st[usize::from(i)];
        let slot = x87.slot(i);
        x87.registers[slot] = F80 { exponent: (value >> 64) as u16, significand: value as u64 };
    }
}

fn get_x87(cpu: &Cpu) -> X87 {
    let x87 = &cpu.x87;
    let st = std::array::from_fn(|i| {
        let value = x87.peek(i as u8);
        u128::from(value.exponent) << 64 | u128::from(value.significand)
    });
    X87 { control: x87.control, status: x87.status, tags: x87.tags, st }
}

/// A random stack, mostly full of what operations give, with two or three registers empty.
fn random_x87(random: &mut Random) -> X87 {
    let control = 0x37f | (random.below(4) as u16) << 10;
    let status = (random.below(8) as u16) << 11 | random.pick(&[0, 0x4700]);
    let tags = (random.bits() | random.bits() | random.bits()) as u8;
    X87 { control, status, tags, st: std::array::from_fn(|_| random.extended()) }
}

/// The processor's exception for a fault.
fn trap(kind: FaultKind, pc: u64) -> Trap {
    let (vector, address, write) = match kind {
        FaultKind::Memory(fault) => (14, fault.addr, fault.access == Access::Write),
        FaultKind::Divide => (0, 0, false),
        FaultKind::Invalid => (6, 0, false),
        FaultKind::Protection => (13, 0, false),
        FaultKind::Float => (19, 0, false),
        FaultKind::Breakpoint => (3, 0, false),
        other => panic!("{other:?} has no counterpart"),
    };
    Trap { vector, address, write, at: pc - CODE }
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

/// Whether an instruction is one of the x87 unit.
fn uses_x87(insn: &Instruction) -> bool {
    insn.cpuid_features()
        .iter()
        .any(|f| matches!(f, CpuidFeature::FPU | CpuidFeature::FPU287 | CpuidFeature::FPU387))
}

fn random_mxcsr(random: &mut Random) -> u32 {
    let rounding = if random.one_in(2) { 0 } else { random.below(4) as u32 };
    let flags = if random.one_in(2) { 0 } else { random.below(64) as u32 };
    let daz = if random.one_in(4) { 0x40 } else { 0 };
    let ftz = if random.one_in(4) { 0x8000 } else { 0 };
    0x1f80 | rounding << 13 | flags | daz | ftz
}

/// An address in the window: mostly aligned, sometimes not, rarely over its end.
fn target(random: &mut Random) -> u64 {
    let end = WINDOW + WINDOW_SIZE as u64;
    match random.below(16) {
        0 => end - random.below(40),
        1 => WINDOW + 0x1000 - random.below(40),
        2..6 => WINDOW + 0x800 + random.below(0x1000),
        _ => WINDOW + 0x800 + 32 * random.below(0x80),
    }
}

/// Brings addresses, counts and divisors to where something interesting happens.
fn aim(case: &Case, state: &mut State, random: &mut Random) {
    let insn = &case.insn;
    let (rcx, rsp, rbp, rsi, rdi) = (1, 4, 5, 6, 7);
    if insn.is_string_instruction() || insn.op_kinds().any(|kind| kind == OpKind::MemorySegRDI) {
        (state.gpr[rsi], state.gpr[rdi]) = (target(random), target(random));
        state.gpr[rcx] = random.below(9);
    }
    if matches!(insn.mnemonic(), M::Maskmovdqu | M::Vmaskmovdqu) {
        // Some processors look at all sixteen bytes, some at the chosen ones only.
        state.gpr[rdi] = WINDOW + 0x800 + random.below(0x800);
    }
    if insn.is_stack_instruction() || insn.mnemonic() == M::Leave {
        (state.gpr[rsp], state.gpr[rbp]) = (target(random), target(random));
    }
    if insn.op_kinds().any(|kind| kind == OpKind::Memory) {
        aim_memory(insn, state, random);
    }
    if matches!(insn.mnemonic(), M::Div | M::Idiv) && !random.one_in(4) {
        state.gpr[2] = random.below(3).wrapping_sub(1);
    }
}

/// Registers of the address: the base makes up for what index and displacement give.
fn aim_memory(insn: &Instruction, state: &mut State, random: &mut Random) {
    let (base, index) = (insn.memory_base(), insn.memory_index());
    let goal = if base == Register::None && index == Register::None {
        insn.memory_displacement64()
    } else {
        target(random)
    };
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
    // Where a register serves twice, the address may have got away.
    insn.op_kinds().all(|kind| kind != OpKind::Memory) || in_reach(insn, state)
}

fn in_reach(insn: &Instruction, state: &State) -> bool {
    let address = insn.virtual_address(memory_operand(insn), 0, |register, element, size| {
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
    });
    address.is_some_and(|a| (WINDOW - 0x800..WINDOW + WINDOW_SIZE as u64 + 0x800).contains(&a))
}

fn memory_operand(insn: &Instruction) -> u32 {
    (0..insn.op_count()).find(|&n| insn.op_kind(n) == OpKind::Memory).unwrap_or(0)
}

/// What differs between the processor's state and goemu's, both after `before`; empty if nothing that the manual
/// defines.
pub fn differences(
    case: &Case,
    before: &State,
    host: (&Result<(), Trap>, &State),
    guest: (&Result<(), Trap>, &State),
) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: String, host: String, guest: String| {
        found.push(format!("{what}: processor {host}, goemu {guest}"));
    };
    // The address of a fault inside an operand is the first missing byte for some, the operand's for others; what
    // is read and then written, the processor asks for as a write at once.
    let vector = |result: &Result<(), Trap>| result.map_err(|trap| trap.vector);
    let writes = |result: &Result<(), Trap>| result.is_err_and(|trap| trap.write);
    if vector(host.0) != vector(guest.0) || writes(guest.0) && !writes(host.0) {
        differ("outcome".into(), format!("{:?}", host.0), format!("{:?}", guest.0));
    }
    let (host_ok, host, guest) = (host.0.is_ok(), host.1, guest.1);
    let undefined = if host_ok { undefined_flags(&case.insn, before) } else { 0 };
    if (host.rflags ^ guest.rflags) & !undefined != 0 {
        let changed = (host.rflags ^ guest.rflags) & !undefined;
        differ(format!("flags {changed:#x}"), format!("{:#x}", host.rflags), format!("{:#x}", guest.rflags));
    }
    for n in 0..16 {
        if host.gpr[n] != guest.gpr[n] {
            differ(format!("gpr {n}"), format!("{:#x}", host.gpr[n]), format!("{:#x}", guest.gpr[n]));
        }
        if host.ymm[n] != guest.ymm[n] && !close(case.insn.code(), host.ymm[n], guest.ymm[n]) {
            differ(format!("ymm {n}"), format!("{:x?}", host.ymm[n]), format!("{:x?}", guest.ymm[n]));
        }
    }
    if host.mxcsr != guest.mxcsr {
        differ("mxcsr".into(), format!("{:#x}", host.mxcsr), format!("{:#x}", guest.mxcsr));
    }
    if uses_x87(&case.insn)
        && host_ok
        && let Some(difference) = x87_difference(&case.insn, &host.x87, &guest.x87)
    {
        differ("x87".into(), difference.0, difference.1);
    }
    // FSTP of 80 bits is two stores: the first may be done when the second faults.
    let torn = !host_ok && case.insn.code() == Code::Fstp_m80fp;
    if torn {
        return found;
    }
    if let Some(at) = host.mem.iter().zip(&guest.mem[..]).position(|(a, b)| a != b) {
        let bytes = |mem: &[u8]| format!("{:02x?}", &mem[at..(at + 16).min(WINDOW_SIZE)]);
        differ(format!("memory {:#x}", WINDOW + at as u64), bytes(&host.mem[..]), bytes(&guest.mem[..]));
    }
    found
}

/// Condition codes 0, 2 and 3 are undefined but after comparisons; what an empty register holds is not compared.
fn x87_difference(insn: &Instruction, host: &X87, guest: &X87) -> Option<(String, String)> {
    let name = format!("{:?}", insn.mnemonic());
    let compares =
        ["Fcom", "Fucom", "Ficom", "Ftst", "Fxam", "Fn", "Fldcw"].iter().any(|p| name.starts_with(p));
    let defined = if compares { 0xffff } else { 0xbaff };
    let view = |x87: &X87| {
        let top = usize::from(x87.status >> 11 & 7);
        let held = |i: usize| x87.tags >> ((top + i) % 8) & 1 != 0;
        let st: [Option<u128>; 8] = std::array::from_fn(|i| held(i).then(|| x87.st[i]));
        (x87.control, x87.status & defined, x87.tags, st)
    };
    let (host, guest) = (view(host), view(guest));
    (host != guest).then(|| (format!("{host:x?}"), format!("{guest:x?}")))
}

/// RCPPS and RSQRTPS: the manual bounds the relative error by 1.5 * 2^-12, so two results may be twice that apart.
fn close(code: Code, host: [u128; 2], guest: [u128; 2]) -> bool {
    let approximate = matches!(
        code.mnemonic(),
        M::Rcpps | M::Vrcpps | M::Rcpss | M::Vrcpss | M::Rsqrtps | M::Vrsqrtps | M::Rsqrtss | M::Vrsqrtss
    );
    let near = |a: u32, b: u32| {
        let (x, y) = (f64::from(f32::from_bits(a)), f64::from(f32::from_bits(b)));
        a == b || (x - y).abs() <= 3.0 / 4096.0 * x.abs().max(y.abs())
    };
    let elements = |lanes: [u128; 2]| (0..8).map(move |i| (lanes[i / 4] >> (32 * (i % 4))) as u32);
    approximate && elements(host).zip(elements(guest)).all(|(a, b)| near(a, b))
}

/// Flags that the manual leaves undefined for this instruction on this state.
fn undefined_flags(insn: &Instruction, before: &State) -> u64 {
    let named = insn.rflags_undefined();
    let undefined = FLAGS.iter().filter(|(bit, _)| named & bit != 0).fold(0, |all, (_, flag)| all | flag);
    let Some((count, width)) = shift_count(insn, before) else { return undefined };
    match insn.mnemonic() {
        _ if count == 0 => 0,
        M::Rol | M::Ror | M::Rcl | M::Rcr => {
            if count == 1 {
                0
            } else {
                0x800
            }
        }
        M::Shl | M::Sal | M::Shr if count >= width => 0x811,
        M::Sar => {
            if count == 1 {
                0x10
            } else {
                0x810
            }
        }
        M::Shld | M::Shrd if count > width => 0x8d5,
        _ => {
            if count == 1 {
                0x10
            } else {
                0x810
            }
        }
    }
}

/// The masked count of a shift or rotate, and the operand's width.
fn shift_count(insn: &Instruction, before: &State) -> Option<(u64, u64)> {
    let operand = match insn.mnemonic() {
        M::Shl | M::Sal | M::Shr | M::Sar | M::Rol | M::Ror | M::Rcl | M::Rcr => 1,
        M::Shld | M::Shrd => 2,
        _ => return None,
    };
    let bytes = match insn.op0_kind() {
        OpKind::Register => insn.op0_register().size(),
        _ => insn.memory_size().size(),
    };
    let count = match insn.op_kind(operand) {
        OpKind::Register => before.gpr[1],
        _ => insn.try_immediate(operand).unwrap_or(1),
    };
    Some((count & if bytes == 8 { 63 } else { 31 }, 8 * bytes as u64))
}

/// Whether the results themselves are undefined: SHLD and SHRD of words by more than their width.
pub fn undefined_result(insn: &Instruction, before: &State) -> bool {
    matches!(insn.mnemonic(), M::Shld | M::Shrd)
        && shift_count(insn, before).is_some_and(|(count, width)| count > width)
}

/// The host processor, and what it lacks.
pub fn host_lacks(code: Code) -> bool {
    use iced_x86::CpuidFeature as F;
    code.cpuid_features().iter().any(|feature| match feature {
        F::SHA => !std::is_x86_feature_detected!("sha"),
        F::VAES => !std::is_x86_feature_detected!("vaes"),
        F::VPCLMULQDQ => !std::is_x86_feature_detected!("vpclmulqdq"),
        F::ADX => !std::is_x86_feature_detected!("adx"),
        F::AVX | F::AVX2 => !std::is_x86_feature_detected!("avx2"),
        F::FMA => !std::is_x86_feature_detected!("fma"),
        F::F16C => !std::is_x86_feature_detected!("f16c"),
        F::BMI1 | F::BMI2 => !std::is_x86_feature_detected!("bmi2"),
        _ => false,
    })
}

/// Runs `case` on `before` by both; what differs.
pub fn compare(native: &mut Native, emulated: &mut Emulated, case: &Case, before: &State) -> Vec<String> {
    let (mut host, mut guest) = (before.clone(), before.clone());
    let host_result = native.run(&case.bytes, &mut host);
    let guest_result = emulated.run(&mut guest);
    if undefined_result(&case.insn, before) {
        return Vec::new();
    }
    differences(case, before, (&host_result, &host), (&guest_result, &guest))
}

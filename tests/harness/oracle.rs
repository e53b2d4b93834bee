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
use goemu_translate::Translator;
use iced_x86::{Code, Instruction, Mnemonic as M, OpKind, RflagsBits};

use crate::{
    form::Case,
    native::{CODE, CODE_MAX, FAR, NEAR, Native, State, Trap, WINDOW, WINDOW_SIZE, X87},
    state::uses_x87,
    vendor::{self, Blur, blurs},
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
    engine: Box<dyn Engine>,
    code: Vec<u8>,
}

/// The engines that instructions are tried on, each with its name: the translator is missing where the host has none.
pub fn engines() -> Vec<(&'static str, Emulated)> {
    let translated = Translator::new().map(|mut engine| {
        engine.set_heat(0);
        ("translator", Emulated::on(Box::new(engine)))
    });
    std::iter::once(("interpreter", Emulated::default())).chain(translated).collect()
}

impl Default for Emulated {
    fn default() -> Self {
        Emulated::on(Box::new(Interpreter::new()))
    }
}

impl Emulated {
    fn on(engine: Box<dyn Engine>) -> Emulated {
        let mut memory = Memory::new(1 << 20).expect("the host has room");
        let window = WINDOW..WINDOW + WINDOW_SIZE as u64;
        memory.map(window, Perm::READ | Perm::WRITE, Contents::Zero).expect("nothing is there");
        memory.map(CODE..CODE + 0x1000, Perm::READ | Perm::EXEC, Contents::Zero).expect("nothing is there");
        Emulated { memory, engine, code: Vec::new() }
    }

    /// Takes other code.
    pub fn place(&mut self, code: &[u8]) {
        assert!(code.len() <= CODE_MAX);
        self.memory.poke(CODE, code).expect("the code is mapped");
        self.code = code.to_vec();
        self.engine.set_stops(Stops::from([CODE + code.len() as u64, NEAR, FAR]));
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
        state.jumped = [NEAR, FAR].contains(&cpu.rip);
        state.x87 = get_x87(&cpu);
        self.memory.read_bytes(WINDOW, &mut state.mem[..]).expect("the window is mapped");
        match exit {
            Exit::Stopped => Ok(()),
            Exit::Fault(fault) => Err(self.trap(fault.kind, fault.pc)),
            other => panic!("the code {:02x?} ended with {other:?}", self.code),
        }
    }

    /// The processor's exception for a fault.
    fn trap(&self, kind: FaultKind, pc: u64) -> Trap {
        let (vector, address, write) = match kind {
            FaultKind::Memory(fault) => (14, fault.addr, fault.access == Access::Write),
            FaultKind::Divide => (0, 0, false),
            FaultKind::Invalid => (6, 0, false),
            FaultKind::Protection => (13, 0, false),
            FaultKind::Float => (self.float_vector(pc), 0, false),
            FaultKind::Breakpoint => (3, 0, false),
            other => panic!("{other:?} has no counterpart"),
        };
        Trap { vector, address, write, at: pc - CODE }
    }

    /// The number of a floating-point exception.
    fn float_vector(&self, pc: u64) -> u8 {
        let code = self.code.get((pc - CODE) as usize..).unwrap_or_default();
        let insn = iced_x86::Decoder::with_ip(64, code, pc, 0).decode();
        if raises_mf(&insn) { 16 } else { 19 }
    }
}

/// Whether an instruction raises the x87 unit's exceptions and not those of SSE. (Conversions of MMX raise both.)
fn raises_mf(insn: &Instruction) -> bool {
    insn.mnemonic() == M::Wait || uses_x87(insn) && !format!("{:?}", insn.mnemonic()).starts_with("Cvt")
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
    let vector =
        |result: &Result<(), Trap>| result.map_err(|trap| if trap.vector == 16 { 19 } else { trap.vector });
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
    // FSTP of 80 bits is two stores: the first may be done when the second faults.
    let torn = !host_ok && matches!(case.insn.code(), Code::Fstp_m80fp | Code::Fbstp_m80bcd);
    if uses_x87(&case.insn)
        && !torn
        && let Some(difference) = x87_difference(&case.insn, &host.x87, &guest.x87)
    {
        differ("x87".into(), difference.0, difference.1);
    }
    if host_ok && host.jumped != guest.jumped {
        differ("jumped".into(), host.jumped.to_string(), guest.jumped.to_string());
    }
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
    let all = ["Fcom", "Fucom", "Ficom", "Ftst", "Fxam", "Fn", "Fldcw", "Fldenv", "Frstor", "Fxr", "Fprem"];
    let unit = name.starts_with('F') && !all.iter().any(|p| name.starts_with(p));
    let defined = match insn.mnemonic() {
        M::Ffree | M::Ffreep => 0xb8ff,
        _ if unit => 0xbaff,
        _ => 0xffff,
    };
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

/// Runs `case` on `before` by both; what differs.
pub fn compare(native: &mut Native, emulated: &mut Emulated, case: &Case, before: &State) -> Vec<String> {
    let (mut host, mut guest) = (before.clone(), before.clone());
    let host_result = native.run(&case.bytes, &mut host);
    let guest_result = emulated.run(&mut guest);
    let blurred = |blur| blurs(&case.insn, before, blur);
    if undefined_result(&case.insn, before) || blurred(Blur::All) {
        return Vec::new();
    }
    let missing = |result: &Result<(), Trap>| result.is_err_and(|trap| trap.vector == 14);
    if blurred(Blur::Missing) && missing(&guest_result) && !missing(&host_result) {
        return Vec::new();
    }
    let faults = host_result.is_err() && guest_result.is_err();
    if faults && blurred(Blur::FlagsAtFault) {
        host.rflags = guest.rflags;
    }
    if faults && blurred(Blur::StateAtFault) {
        host = guest.clone();
    }
    if blurred(Blur::Payload) {
        host.ymm
            .iter_mut()
            .zip(guest.ymm)
            .for_each(|(host, guest)| vendor::blur_payload(&case.insn, host, guest));
    }
    if blurred(Blur::Area) {
        vendor::blur_area(&case.insn, before, &mut host.mem[..]);
        vendor::blur_area(&case.insn, before, &mut guest.mem[..]);
    }
    if blurred(Blur::Conditions) && host.x87.status & guest.x87.status & 0x80 != 0 {
        (host.rflags, host.x87.status) =
            (guest.rflags, host.x87.status & !0x4700 | guest.x87.status & 0x4700);
    }
    if faults && blurred(Blur::UnitAtFault) {
        host.x87 = guest.x87;
    }
    if blurred(Blur::LastBit) {
        vendor::blur_last_bit(&mut host.x87, &guest.x87);
    }
    differences(case, before, (&host_result, &host), (&guest_result, &guest))
}

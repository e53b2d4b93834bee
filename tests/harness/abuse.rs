//! Hostile input made of bytes, one function for each part that guests reach: what comes of it is of no interest, but it must end, and
//! take no more of the host than what was allowed. `fuzz/targets` and `tests/machine/abused.rs` have the bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use goemu::cpu::Cpu;
use goemu::engine::Engine;
use goemu::go::guest::{BadAddress, GuestMemory};
use goemu::go::print::Format;
use goemu::go::read::{Limits, Reader};
use goemu::interp::Interpreter;
use goemu::memory::{Contents, Memory, PAGE};
use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine, Perm, runtime};
use goemu_loader::TypeRef;
use goemu_translate::Translator;

use crate::fixtures::binary;
use crate::work::work;

/// Instructions of one input, and bytes of its memory.
const FUEL: u64 = 200_000;
const MEMORY: u64 = 128 << 20;
/// Processor time of an instruction's worth of work, and of what is done once: ten times what it is.
const EACH: Duration = Duration::from_nanos(if cfg!(debug_assertions) { 5000 } else { 250 });
const ONCE: Duration = Duration::from_millis(if cfg!(debug_assertions) { 3000 } else { 300 });
/// Bytes of the host beside the limit: tables, values, decoded code.
const BESIDE: u64 = 96 << 20;

/// Numbers taken off the bytes of an input; 0 behind their end.
pub struct Taken<'a>(pub &'a [u8]);

impl Taken<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    fn below(&mut self, n: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % n.max(1)
    }

    /// A number of a kind that matters to who takes addresses, sizes and files.
    fn number(&mut self, addresses: &[u64]) -> u64 {
        let address =
            |taken: &mut Self| addresses.get(taken.below(addresses.len())).copied().unwrap_or_default();
        match self.byte() % 8 {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => 1 << (self.byte() % 64),
            3 => u64::MAX - u64::from(self.byte()),
            4 => address(self),
            5 => address(self).wrapping_add(PAGE).wrapping_sub(u64::from(self.byte())),
            6 => u64::from(self.byte()) << 12,
            _ => self.word(),
        }
    }
}

/// Whether nothing else happens in this process, so that its memory tells of an input.
static ALONE: AtomicBool = AtomicBool::new(false);

/// From now on inputs are measured by the memory of the whole process, too.
pub fn alone() {
    ALONE.store(true, Ordering::Relaxed);
}

/// Runs something that may take so much fuel.
fn bounded<T>(what: &str, fuel: u64, memory: u64, run: impl FnOnce() -> T) -> T {
    let alone = ALONE.load(Ordering::Relaxed);
    let before = if alone { resident() } else { 0 };
    let (time, result) = work(run);
    let most = ONCE + EACH * u32::try_from(fuel).unwrap_or(u32::MAX);
    assert!(time < most, "{what}: {time:?} for {fuel} of fuel");
    let grown = if alone { resident().saturating_sub(before) } else { 0 };
    assert!(grown < memory * 12 / 10 + BESIDE, "{what}: {grown} bytes of the host's memory");
    result
}

/// Bytes of this process that are in memory; 0 where nothing tells.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default() * PAGE
}

/// A machine of a fixture with small limits.
///
/// # Panics
/// If the fixture is not there, or cannot be loaded.
#[must_use]
pub fn machine(name: &str, runtime: Runtime) -> Machine {
    let image = Image::open(binary(name).expect("a fixture")).expect("a program");
    // The one that makes system calls has large variables.
    let variables: u64 = image.segments().iter().map(|segment| segment.mem_size).sum();
    let config = Config {
        // A program that is started executes some instructions before.
        fuel: if runtime == Runtime::Real { 20 * FUEL } else { FUEL },
        max_memory: MEMORY + variables,
        max_output: 1 << 20,
        runtime: Some(runtime),
        ..Config::default()
    };
    Machine::with_config(image, config).expect("a machine")
}

/// System calls in a row, in a machine of `hostile-go1.27-stripped` with the program's own runtime. Whether they were made.
///
/// # Panics
/// If they take more than they may.
pub fn system_calls(machine: &mut Machine, bytes: &[u8]) -> bool {
    /// What the guest replaces by an address in its buffer.
    const BUFFER: u64 = 0x0b0f << 48;
    let mut taken = Taken(bytes);
    let mut calls = Vec::new();
    while !taken.0.is_empty() && calls.len() < 7 * 200 {
        // Beyond the last number of Linux, too.
        let number = taken.below(470);
        // The call's own end, which leaves nothing to look at.
        let number = if [60, 231].contains(&number) { 24 } else { number };
        calls.push(number as u64);
        for _ in 0..6 {
            let at = BUFFER + u64::from(taken.byte()) * 257;
            calls.push(taken.number(&[at, at + 0xff000, 0x40_0000, 0xc0_0000_0000, 0x30_0000_0000]));
        }
    }
    let list = calls.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let (fuel, memory) = (machine.config().fuel, machine.config().max_memory);
    bounded("system calls", fuel, memory, || {
        let call = machine.call("main.many").and_then(|call| call.signature("func([]uint64)"));
        let run = call.and_then(|call| call.literals(&[format!("[]uint64{{{list}}}").as_str()]));
        run.and_then(goemu::Call::run).is_ok()
    })
}

/// A function that a hook replaces, with any arguments and any bytes in variables: `hostile-go1.27-stripped`, hooked. Whether it was called.
///
/// # Panics
/// If it takes more than it may.
pub fn hooks(machine: &mut Machine, bytes: &[u8]) -> bool {
    let mut taken = Taken(bytes);
    let image = Arc::clone(machine.image());
    let named = runtime::found(&image).named;
    let Some(name) = named.get(taken.below(named.len())) else { return false };
    // Those of the runtime are named without it.
    let entry = |name: &str| image.funcs_named(name).first().map(goemu::Func::entry);
    let Some(entry) = entry(&format!("runtime.{name}")).or_else(|| entry(name)) else { return false };
    let module = image.module().map(|module| (module.data, module.bss));
    let Some((data, bss)) = module else { return false };
    let addresses = [
        data.start,
        data.end - 8,
        bss.start,
        bss.end - 16,
        image.base(),
        0xc0_0000_0000,
        0xbe_ffff_0000,
        0x7f_0000_0000,
    ];
    let args: Vec<String> = (0..6).map(|_| taken.number(&addresses).to_string()).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let memory = machine.config().max_memory;
    bounded(name, FUEL, memory, || {
        let call = machine.call_at(entry, name).signature("func(a, b, c, d, e, f uintptr)");
        let session = call.and_then(|call| call.literals(&args)).and_then(goemu::Call::start);
        let Ok(mut session) = session else { return false };
        session.forget_history();
        while taken.0.len() > 1 {
            let at = taken.number(&addresses);
            let _ = session.memory_mut().poke(at, &taken.word().to_le_bytes());
        }
        let _ = session.resume();
        let _ = session.finish();
        true
    })
}

/// A function of another library, with any arguments: `corpus-go1.27-windows`, hooked. Whether it was called.
///
/// # Panics
/// If it takes more than it may.
pub fn imports(machine: &mut Machine, bytes: &[u8]) -> bool {
    let mut taken = Taken(bytes);
    let image = Arc::clone(machine.image());
    let Some(import) = image.imports().get(taken.below(image.imports().len())).cloned() else { return false };
    let Ok(stub) = machine.memory().read(import.addr).map(u64::from_le_bytes) else { return false };
    let bss = image.module().map_or(0, |module| module.bss.start);
    bounded(&import.name, FUEL, MEMORY, || {
        let session = machine.call("main.fib").and_then(|call| call.arg(3).start());
        let Ok(mut session) = session else { return false };
        session.forget_history();
        let stack = session.machine().cpu().gpr(4);
        let addresses = [bss, bss + 4096, stack, stack - 64, image.base()];
        let cpu = session.cpu_mut();
        for register in [1, 2, 8, 9] {
            cpu.set_gpr(register, taken.number(&addresses));
        }
        cpu.rip = stub;
        let _ = session.resume_for(FUEL);
        true
    })
}

/// Memory that holds anything anywhere.
struct Lies(u64);

impl GuestMemory for Lies {
    fn read(&self, addr: u64, buf: &mut [u8]) -> Result<(), BadAddress> {
        for (n, byte) in (0..).zip(&mut *buf) {
            let at = addr.wrapping_add(n);
            // Words are small numbers, addresses, or neither.
            let word = ((at / 8) ^ self.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let word = match word >> 61 {
                0 => 0,
                1 => word % 64,
                2 | 3 => 0xc0_0000_0000 + word % (1 << 20) * 8,
                4 => word % (1 << 30),
                _ => word,
            };
            *byte = word.to_le_bytes()[(at % 8) as usize];
        }
        if addr % 64 == 63 { Err(BadAddress(addr)) } else { Ok(()) }
    }
}

/// A value of any type of a program, in memory that holds anything, and its text. Whether there was one.
///
/// # Panics
/// If reading it takes more than it may.
pub fn values(image: &Image, types: &[TypeRef], bytes: &[u8]) -> bool {
    let mut taken = Taken(bytes);
    let ty = types.get(taken.below(types.len())).and_then(|ty| image.resolve(ty).ok());
    let Some(ty) = ty else { return false };
    let (memory, at) = (Lies(taken.word()), taken.number(&[0xc0_0000_0000, 0x40_0000]));
    let limits = Limits { work: 1 << 14, bytes: 1 << 16, ..Limits::default() };
    // A value takes about as long as a hundred instructions.
    bounded(&ty.name, 100 * limits.work, MEMORY, || {
        let value = Reader { limits, ..Reader::new(&memory, image) }.at(&ty, at);
        let text = Format::default().show(&value).to_string();
        assert!(text.len() < 64 << 20, "{}: {} bytes of text", ty.name, text.len());
        true
    })
}

/// Repeated instructions on pages of all kinds, in either engine.
///
/// # Panics
/// If they take more than they may.
pub fn repeated(bytes: &[u8]) {
    const CODE: u64 = 0x10_0000;
    const PAGES: u64 = 0x4000_0000;
    const SIZE: u64 = 48 << 20;
    const OPERATIONS: [u8; 10] = [0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf];
    for translated in [false, true] {
        let mut taken = Taken(bytes);
        let Ok(mut memory) = Memory::new(MEMORY) else { return };
        let mut engine: Box<dyn Engine> = match Translator::new() {
            Ok(translator) if translated => Box::new(translator),
            _ => Box::new(Interpreter::new()),
        };
        let mut code = Vec::new();
        for _ in 0..1 + taken.below(6) {
            code.extend_from_slice(match taken.byte() % 4 {
                0 => &[0xf3][..],
                1 => &[0xf2],
                2 => &[0xf3, 0x48],
                _ => &[0xf3, 0x66],
            });
            code.push(OPERATIONS[taken.below(OPERATIONS.len())]);
        }
        // jmp to the start
        code.extend_from_slice(&[0xeb, (-(code.len() as i64) - 2) as u8]);
        let all = Perm::READ | Perm::WRITE | Perm::EXEC;
        memory.map(CODE..CODE + PAGE, all, Contents::Bytes(&code)).expect("a page");
        memory.map(PAGES..PAGES + SIZE, all, Contents::Zero).expect("pages");
        for _ in 0..taken.below(8) {
            let at = PAGES + taken.below(12_000) as u64 * PAGE;
            let _ = match taken.byte() % 3 {
                0 => memory.unmap(at..at + PAGE),
                1 => memory.protect(at..at + PAGE, Perm::READ),
                _ => memory.protect(at..at + PAGE, Perm::empty()),
            };
        }
        // Executed pages: writes to these are looked at.
        memory.mark_code(PAGES..PAGES + SIZE / 2);
        memory.snapshot();
        let mut cpu = Cpu::default();
        cpu.rip = CODE;
        let addresses = [PAGES, PAGES + SIZE / 2, PAGES + SIZE, CODE];
        cpu.set_gpr(1, taken.number(&[SIZE, SIZE / 8, 1 << 40]));
        cpu.set_gpr(6, taken.number(&addresses));
        cpu.set_gpr(7, taken.number(&addresses));
        let mut fuel = FUEL as i64;
        bounded("repeated instructions", FUEL, MEMORY, || engine.run(&mut cpu, &mut memory, &mut fuel));
    }
}

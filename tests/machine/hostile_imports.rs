//! Functions of Windows' and macOS' libraries that are called for more than they seem to cost: names that are long or many, lengths
//! beyond all memory, places that are not mapped. As for other hostile guests, fuel bounds processor time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use goemu::cpu::gpr;
use goemu::memory::{Contents, PAGE};
use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine, Perm};
use goemu_tests::fixtures::binary;
use goemu_tests::work::work;

const FUEL: u64 = 2_000_000;
/// Of two millions of fuel in a build that is not optimised: ten times what it takes at most.
const MOST: Duration = Duration::from_secs(10);

/// Where a guest lies, the names and texts that it passes, and where nothing lies.
const CODE: u64 = 0x6000_0000;
const TEXT: u64 = 0x7000_0000;
const TEXT_SIZE: u64 = 16 << 20;
const NOWHERE: u64 = 0x6f00_0000;

/// An argument.
#[derive(Clone, Copy)]
enum Arg {
    Number(u64),
    /// A text of so many bytes of `A`, and then zeros.
    Text(u64),
    /// A name of six letters, another in each round.
    New,
    /// A place so far before the end of what is mapped.
    Edge(u64),
}
use Arg::{Edge, New, Number, Text};

struct Guest {
    fixture: &'static str,
    registers: &'static [u8],
    function: &'static str,
    /// Called by the name that this function looks up.
    by: Option<&'static str>,
    args: &'static [Arg],
}

const WIN64: &[u8] = &[gpr::RCX, gpr::RDX, gpr::R8, gpr::R9];
const SYSTEM_V: &[u8] = &[gpr::RDI, gpr::RSI, gpr::RDX, gpr::RCX];

const fn windows(function: &'static str, args: &'static [Arg]) -> Guest {
    let fixture = "corpus-go1.15-windows-stripped";
    Guest { fixture, registers: WIN64, function, by: Some("GetProcAddress"), args }
}

const fn macos(function: &'static str, args: &'static [Arg]) -> Guest {
    Guest { fixture: "corpus-go1.15-darwin-stripped", registers: SYSTEM_V, function, by: None, args }
}

const ALL: u64 = u64::MAX;
const GUESTS: &[Guest] = &[
    windows("GetProcAddress", &[Number(1), New]),
    windows("GetEnvironmentVariableW", &[Text(TEXT_SIZE / 2), Number(NOWHERE), Number(ALL)]),
    windows("GetFullPathNameW", &[Text(TEXT_SIZE / 2), Number(0), Number(NOWHERE), Number(0)]),
    windows("WriteFile", &[Number(0x11), Text(TEXT_SIZE), Number(0xffff_ffff), Number(0), Number(0)]),
    windows("WriteFile", &[Number(0x11), Edge(1 << 19), Number(0xffff_ffff), Number(0), Number(0)]),
    windows("ReadFile", &[Number(0x10), Text(TEXT_SIZE), Number(0xffff_ffff), Number(0), Number(0)]),
    windows("ProcessPrng", &[Text(TEXT_SIZE), Number(ALL)]),
    windows("BCryptGenRandom", &[Number(0), Text(TEXT_SIZE), Number(0xffff_ffff), Number(0)]),
    windows("GetSystemDirectoryW", &[Text(0), Number(ALL)]),
    windows("GetEnvironmentStringsW", &[]),
    windows("GetCommandLineW", &[]),
    windows("strlen", &[Text(TEXT_SIZE - 1)]),
    windows("memmove", &[Text(TEXT_SIZE - 1), Text(TEXT_SIZE), Number(TEXT_SIZE - 1)]),
    windows("malloc", &[Number(1 << 20)]),
    windows("HeapAlloc", &[Number(0), Number(0), Number(1)]),
    windows("VirtualAlloc", &[Number(0), Number(PAGE), Number(0x3000), Number(4)]),
    macos("write", &[Number(1), Text(TEXT_SIZE), Number(ALL)]),
    macos("write", &[Number(1), Edge(1 << 19), Number(ALL)]),
    macos("read", &[Number(0), Text(TEXT_SIZE), Number(ALL)]),
    macos("open", &[Text(TEXT_SIZE), Number(0)]),
    macos("mmap", &[Number(0), Number(PAGE), Number(3), Number(0x1002)]),
    macos("sigaction", &[Number(ALL), Number(NOWHERE), Number(NOWHERE)]),
    macos("fcntl", &[Number(ALL), Number(3), Number(NOWHERE)]),
];

/// A loop that calls a function forever: the guest's code, of which the last part is the loop.
fn program(stub: u64, lookup: Option<u64>, registers: &[u8], args: &[Arg]) -> Vec<u8> {
    let mov = |register: u8, value: u64| {
        let rex = if register >= 8 { 0x49 } else { 0x48 };
        [&[rex, 0xb8 + register % 8][..], &value.to_le_bytes()].concat()
    };
    let call = |target: u64| [mov(gpr::RAX, target), vec![0xff, 0xd0]].concat();
    let mut code = Vec::new();
    match lookup {
        // GetProcAddress(1, name); mov r15, rax
        Some(lookup) => {
            code.extend(mov(registers[0], 1));
            code.extend(mov(registers[1], CODE + 0x800));
            code.extend(call(lookup));
            code.extend([0x49, 0x89, 0xc7]);
        }
        None => code.extend(mov(gpr::R15, stub)),
    }
    let start = code.len();
    for (n, arg) in args.iter().enumerate() {
        let value = match *arg {
            Number(number) => number,
            Text(len) => TEXT + TEXT_SIZE - len,
            New => CODE + 0x900,
            Edge(before) => TEXT + TEXT_SIZE + PAGE - before,
        };
        match registers.get(n) {
            Some(register) => code.extend(mov(*register, value)),
            // mov [rsp+8n], rax
            None => {
                code.extend(mov(gpr::RAX, value));
                code.extend([0x48, 0x89, 0x44, 0x24, 8 * n as u8]);
            }
        }
        if matches!(arg, New) {
            // mov rax, at; inc dword [rax]; or dword [rax], 0x01010101: no byte of it is zero
            code.extend(mov(gpr::RAX, CODE + 0x900));
            code.extend([0xff, 0x00, 0x81, 0x08, 1, 1, 1, 1]);
        }
    }
    // call r15; jmp start
    code.extend([0x41, 0xff, 0xd7, 0xe9]);
    let back = start as i32 - (code.len() as i32 + 4);
    code.extend(back.to_le_bytes());
    code
}

/// How the guest ended, and the processor time that it took.
fn run(guest: &Guest) -> (Duration, String) {
    let image = Image::open(binary(guest.fixture).unwrap()).unwrap();
    let config = Config {
        fuel: FUEL,
        max_memory: 256 << 20,
        max_output: 64 << 20,
        runtime: Some(Runtime::Hooked),
        ..Config::default()
    };
    let mut machine = Machine::with_config(image, config).unwrap();
    let stub = |name: &str| {
        let import = machine.image().imports().iter().find(|import| import.name == name);
        import.map(|import| u64::from_le_bytes(machine.memory().read(import.addr).unwrap()))
    };
    let lookup = guest.by.map(|by| stub(by).unwrap());
    let stub = if lookup.is_some() {
        0
    } else {
        stub(guest.function).unwrap_or_else(|| panic!("{}", guest.function))
    };
    let mut code = program(stub, lookup, guest.registers, guest.args);
    code.resize(0x800, 0xcc);
    code.extend(guest.function.bytes().chain([0]));
    code.resize(0x900, 0);
    code.extend(b"ABCD\0");
    let mut session =
        machine.call("main.fib").unwrap().signature("func(int) int").unwrap().arg(3).start().unwrap();
    session.forget_history();
    let memory = session.memory_mut();
    memory.map(CODE..CODE + PAGE, Perm::all(), Contents::Bytes(&code)).unwrap();
    // The last page is there and no zero is in it: texts go on to the end.
    let texts = vec![b'A'; TEXT_SIZE as usize];
    memory.map(TEXT..TEXT + TEXT_SIZE + PAGE, Perm::READ | Perm::WRITE, Contents::Bytes(&texts)).unwrap();
    session.cpu_mut().rip = CODE;
    let (time, ended) = work(|| {
        let _ = session.resume();
        session.finish()
    });
    (time, ended.map_or_else(|error| error.to_string(), |report| report.outcome.word().to_owned()))
}

#[test]
fn functions_of_libraries_are_charged_by_what_they_do() {
    let mut wrong = Vec::new();
    for guest in GUESTS {
        let (time, ended) = run(guest);
        println!("{}: {time:?}, {ended}", guest.function);
        if time > MOST || ended == "returned" {
            wrong.push(format!("{}: {time:?}, {ended}", guest.function));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

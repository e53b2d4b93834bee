//! Functions in other files: the calls of a program into its system's libraries.
//!
//! The word that the system's loader would fill with a function's address holds a *stub* here, an unmapped
//! address. A jump there is a call of that function. The functions that a program needs without being started are
//! emulated: memory, output, the clock, and those that package initialisers call. Everything else ends the call
//! with an error that names the function.

mod cgo;
mod clib;
mod darwin;
mod libc;
mod posix;
mod windows;

use goemu_loader::{Image, Os};

use crate::cpu::gpr;
use crate::error::Error;
use crate::exit::{Fault, FaultKind};
use crate::guest::address_map::STUBS;
use crate::guest::heap::Kind;
use crate::guest::world::World;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::memory::{Access, MemFault, Memory, MemoryError};
use crate::outcome::Outcome;

pub(crate) use cgo::{cgocall, exitsyscall, reentersyscall};
pub(crate) use windows::{CLOCK, asmcgocall, cgocall_unnamed, tick};

/// Bytes between two stubs.
const STUB: u64 = 16;
/// The stubs of functions that the program looked up by name follow those of its imports.
const FIRST_FOUND: u64 = 1 << 20;
/// The most names that a program may look up.
const MAX_FOUND: usize = 1 << 12;
const _: () = assert!(STUBS.end - STUBS.start == STUB * (FIRST_FOUND + MAX_FOUND as u64));

/// Bytes of a name that are compared in the time of an instruction, and names that are passed over; each character that is read from
/// memory by itself takes this many.
const NAME: u64 = 16;
const NAMES: u64 = 2;
const CHARACTER: u64 = 2;

/// What a function in another file does.
pub(crate) enum ImportReturn {
    /// It returns this.
    Return(u64),
    /// It fails: it returns this result, and the system's error number is this.
    Fail(u64, u64),
    /// This function of the program's does it.
    Jump(u64),
    /// It ends the program.
    End(Outcome),
}

/// Maps what the system maps for every process.
pub(crate) fn set_up(image: &Image, memory: &mut Memory) -> Result<(), MemoryError> {
    darwin::set_up(image, memory);
    windows::set_up(image, memory)
}

/// Writes the stubs' addresses into the program's words.
pub(crate) fn link(image: &Image, memory: &mut Memory) -> Result<(), MemoryError> {
    let stubs = STUBS.step_by(STUB as usize);
    // A word outside all segments is not written.
    let imports = image.imports().iter().zip(stubs).filter(|(import, _)| memory_has(image, import.addr));
    let mut imports = imports.collect::<Vec<_>>().into_iter();
    imports.try_for_each(|(import, stub)| memory.poke(import.addr, &stub.to_le_bytes()))
}

fn memory_has(image: &Image, addr: u64) -> bool {
    let last = addr.saturating_add(7);
    image.segments().iter().any(|segment| segment.contains(addr) && segment.contains(last))
}

/// Whether the fault is a jump to a stub.
pub(crate) fn is_call(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Memory(MemFault { addr, access: Access::Fetch, .. })
        if addr == fault.pc && STUBS.contains(&addr))
}

/// The name of the import with this stub: a variable, if the program reads or writes there.
pub(crate) fn variable(image: &Image, addr: u64) -> Option<&str> {
    let index = usize::try_from(addr.checked_sub(STUBS.start)? / STUB).ok()?;
    image.imports().get(index).map(|import| import.name.as_str())
}

/// The name of a function that does nothing; no library has one like it.
const NOTHING: &str = "goemu.nothing";

/// The stub of a function that does nothing and gives 0.
pub(crate) fn nothing(world: &mut World) -> u64 {
    stub_of(world, NOTHING.to_owned()).unwrap_or(0)
}

/// The stub of a function that the program asks for by name.
fn find(cx: &mut HookContext<'_>, name: String) -> Option<u64> {
    cx.memory.charge(cx.world.libraries.found.len() as u64 / NAMES);
    stub_of(cx.world, name)
}

fn stub_of(world: &mut World, name: String) -> Option<u64> {
    let found = &mut world.libraries.found;
    let index = found.iter().position(|known| *known == name).unwrap_or(found.len());
    if index == found.len() {
        if found.len() == MAX_FOUND {
            return None;
        }
        found.push(name);
    }
    Some(STUBS.start + STUB * (FIRST_FOUND + index as u64))
}

/// The function with this stub: its library, if known, and its name.
fn named<'c>(cx: &'c HookContext<'_>, stub: u64) -> Option<(Option<&'c str>, &'c str)> {
    let index = stub.checked_sub(STUBS.start)? / STUB;
    match index.checked_sub(FIRST_FOUND) {
        Some(found) => Some((None, cx.world.libraries.found.get(usize::try_from(found).ok()?)?)),
        None => {
            let import = cx.image.imports().get(usize::try_from(index).ok()?)?;
            Some((import.library.as_deref(), &import.name))
        }
    }
}

/// Executes the function whose stub RIP points at.
pub(crate) fn call(cx: &mut HookContext<'_>) -> HookResult {
    match answer(cx, cx.cpu.rip, &Arguments::Registers)? {
        ImportReturn::Return(result) => {
            cx.cpu.set_gpr(gpr::RAX, result);
            Ok(Action::Return)
        }
        ImportReturn::Fail(result, number) => {
            // Windows' is read by `asmstdcall`, which does not run here.
            if cx.image.target().os != Os::Windows {
                libc::set_errno(cx, number)?;
            }
            cx.cpu.set_gpr(gpr::RAX, result);
            Ok(Action::Return)
        }
        ImportReturn::Jump(to) => {
            cx.cpu.rip = to;
            Ok(Action::Resume)
        }
        ImportReturn::End(outcome) => Ok(Action::End(outcome)),
    }
}

/// The locations of a function's arguments.
enum Arguments {
    /// Those of the system's C calling convention.
    Registers,
    /// In an array at this address, of so many words.
    Array(u64, u64),
    /// These, where one function does the work of another.
    Given([u64; 2]),
}

impl Arguments {
    fn given(words: [u64; 2]) -> Arguments {
        Arguments::Given(words)
    }

    /// The n-th argument.
    fn get(&self, cx: &HookContext<'_>, n: u64) -> Result<u64, MemFault> {
        const SYSTEM_V: [u8; 6] = [gpr::RDI, gpr::RSI, gpr::RDX, gpr::RCX, gpr::R8, gpr::R9];
        const WIN64: [u8; 4] = [gpr::RCX, gpr::RDX, gpr::R8, gpr::R9];
        match *self {
            Arguments::Array(at, count) if n < count => cx.word(at.wrapping_add(8 * n)),
            Arguments::Array(..) => Ok(0),
            Arguments::Given(words) => Ok(words.get(n as usize).copied().unwrap_or(0)),
            Arguments::Registers => {
                let windows = cx.image.target().os == Os::Windows;
                let registers: &[u8] = if windows { &WIN64 } else { &SYSTEM_V };
                match registers.get(n as usize) {
                    Some(register) => Ok(cx.cpu.gpr(*register)),
                    // Win64 has room for the registers below the arguments on the stack.
                    None if windows => cx.word(cx.caller_sp().wrapping_add(8 * n)),
                    None => cx.word(cx.caller_sp().wrapping_add(8 * (n - registers.len() as u64))),
                }
            }
        }
    }
}

/// Calls the function with this stub.
fn answer(cx: &mut HookContext<'_>, stub: u64, arguments: &Arguments) -> Result<ImportReturn, HookError> {
    let named = named(cx, stub).map(|(library, name)| (library.map(str::to_owned), name.to_owned()));
    let Some((library, name)) = named else {
        let what = match stub {
            0 => "calling a function of the system that the runtime looks up when it starts".to_owned(),
            _ => format!("calling the C function at {stub:#x} through the system's libraries"),
        };
        return Err(unsupported(cx, &what));
    };
    // It may be as long as the file.
    cx.memory.charge((name.len() + library.as_ref().map_or(0, String::len)) as u64 / NAME);
    if let Some(result) = cx.world.imports.get(&name) {
        return Ok(ImportReturn::Return(*result));
    }
    let answered = match cx.image.target().os {
        _ if name == NOTHING => Some(ImportReturn::Return(0)),
        Os::Windows => windows::answer(cx, &name, arguments)?,
        _ => libc::answer(cx, &name, arguments)?,
    };
    answered.ok_or_else(|| {
        let of = library.map_or(String::new(), |library| format!(" of {library}"));
        unsupported(cx, &format!("calling the C function {name}{of}, which is not in this file,"))
    })
}

fn unsupported(cx: &HookContext<'_>, what: &str) -> HookError {
    let from = cx.return_address().ok().and_then(|pc| cx.image.func_at(pc.wrapping_sub(1)));
    let caller = from.map(|func| func.name().to_owned());
    Error::Unsupported { what: what.to_owned(), caller }.into()
}

/// The header before memory of C: its size, and a word that no address and hardly any number is.
const HEADER: u64 = 16;
const MARK: u64 = 0x9c1b_74d2_e6a3_5f08;

/// Memory of C, for the result of a function.
fn room(cx: &mut HookContext<'_>, size: u64) -> Result<u64, HookError> {
    let at = cx.world.alloc(cx.memory, size.saturating_add(HEADER));
    let limit = cx.memory.limit();
    let at = at.map_err(|_| Error::from(MemoryError::Limit { limit }))?;
    cx.set_word(at, size)?;
    cx.set_word(at + 8, MARK)?;
    Ok(at + HEADER)
}

/// The size that was asked for of memory of C.
fn size_of_room(cx: &HookContext<'_>, at: u64) -> Result<u64, MemFault> {
    cx.word(at.wrapping_sub(HEADER))
}

/// Whether an object of the hooked heap is memory of C, which is not Go's. `base`: its address.
pub(crate) fn is_room(cx: &HookContext<'_>, base: u64) -> bool {
    let fixed = cx.world.heap.find(base).is_some_and(|(_, kind)| kind == Kind::Fixed);
    fixed && cx.word(base.wrapping_add(8)) == Ok(MARK)
}

/// The string at `at`, up to its NUL.
fn c_string(cx: &HookContext<'_>, at: u64) -> Result<String, HookError> {
    const MAX_NAME: u64 = 256;
    let mut bytes = Vec::new();
    for addr in (0..MAX_NAME).map(|offset| at.wrapping_add(offset)) {
        match cx.memory.read::<1>(addr)? {
            [0] => break,
            [byte] => bytes.push(byte),
        }
        cx.memory.charge(CHARACTER);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints `len` bytes at `at`; how many.
fn print(cx: &mut HookContext<'_>, fd: u64, at: u64, len: u64) -> Result<u64, HookError> {
    /// A write may be shorter than asked for; this bounds what one takes of the host's memory.
    const MOST: u64 = 1 << 20;
    let mut bytes = vec![0; len.min(MOST) as usize];
    cx.memory.read_bytes(at, &mut bytes)?;
    cx.world.print(fd, &bytes);
    Ok(bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Machine;

    /// A function, its arguments, and what it gives, in a program for macOS. Texts and memory are placed.
    const ANSWERS: &[(&str, &[Word], u64)] = &[
        ("strlen", &[Text("goemu")], 5),
        ("strnlen", &[Text("goemu"), Number(3)], 3),
        ("strcmp", &[Text("a"), Text("a")], 0),
        ("strcmp", &[Text("b"), Text("a")], 1),
        ("strncmp", &[Text("ab"), Text("ac"), Number(1)], 0),
        ("memcmp", &[Text("ab"), Text("ac"), Number(2)], u64::MAX),
        ("puts", &[Text("line")], 4),
        ("getuid", &[], 0),
        ("socket", &[Number(2), Number(1)], u64::MAX),
        ("mkdir", &[Text("/tmp/x"), Number(0o700)], u64::MAX),
        ("open", &[Text("/etc/passwd")], u64::MAX),
        ("read", &[Number(3), Text("to"), Number(2)], u64::MAX),
        ("open", &[Text("/dev/urandom")], 3),
        ("read", &[Number(3), Text("to"), Number(2)], 2),
        ("close", &[Number(3)], 0),
        ("read", &[Number(3), Text("to"), Number(2)], u64::MAX),
        ("calloc", &[Number(u64::MAX), Number(2)], 0),
    ];

    enum Word {
        Number(u64),
        Text(&'static str),
    }
    use Word::{Number, Text};

    fn machine() -> Machine {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.15-darwin-stripped");
        Machine::new(Image::open(path).expect("a fixture")).expect("a machine")
    }

    fn place(cx: &mut HookContext<'_>, bytes: &[u8]) -> u64 {
        let at = room(cx, bytes.len() as u64).expect("room");
        cx.memory.write_bytes(at, bytes).expect("memory");
        at
    }

    fn give(cx: &mut HookContext<'_>, name: &str, words: &[Word]) -> u64 {
        let mut array = Vec::new();
        for word in words {
            array.push(match word {
                Number(number) => *number,
                Text(text) => place(cx, format!("{text}\0").as_bytes()),
            });
        }
        let bytes: Vec<u8> = array.iter().flat_map(|word| word.to_le_bytes()).collect();
        let arguments = Arguments::Array(place(cx, &bytes), array.len() as u64);
        match libc::answer(cx, name, &arguments).expect("no fault") {
            Some(ImportReturn::Return(result) | ImportReturn::Fail(result, _)) => result,
            _ => panic!("{name} is not answered"),
        }
    }

    #[test]
    fn c_functions_give_what_c_gives() {
        let mut machine = machine();
        for (name, words, expected) in ANSWERS {
            assert_eq!(give(&mut machine.cx(), name, words), *expected, "{name}");
        }
        assert_eq!(machine.cx().world.stdout, b"line\n");
    }

    /// A string may end with its page, and the next page may be unmapped.
    #[test]
    fn texts_are_looked_at_up_to_their_end() {
        let mut machine = machine();
        let cx = &mut machine.cx();
        let page = cx.world.map_pages(cx.memory, 1 << 13).expect("pages");
        cx.memory.unmap(page + 4096..page + 8192).expect("the second");
        let [whole, open] = [page + 4090, page + 4093];
        cx.memory.write_bytes(whole, b"go\0emu").expect("memory");
        assert_eq!(give(cx, "strlen", &[Number(whole)]), 2);
        assert_eq!(give(cx, "strcmp", &[Number(whole), Text("go")]), 0);
        assert_eq!(give(cx, "strnlen", &[Number(open), Number(3)]), 3);
        let arguments = Arguments::Array(place(cx, &open.to_le_bytes()), 1);
        assert!(libc::answer(cx, "strlen", &arguments).is_err());
        let long = format!("{}x", "a".repeat(9000));
        let (one, other) = (place(cx, long.as_bytes()), place(cx, "a".repeat(9001).as_bytes()));
        assert_eq!(give(cx, "memcmp", &[Number(one), Number(other), Number(9001)]), u64::from(b'x' - b'a'));
        assert_eq!(give(cx, "memcmp", &[Number(one), Number(other), Number(9000)]), 0);
    }

    #[test]
    fn memory_of_c_is_moved_and_grows() {
        let mut machine = machine();
        let cx = &mut machine.cx();
        let text = place(cx, b"0123456789");
        give(cx, "memmove", &[Number(text + 2), Number(text), Number(8)]);
        assert_eq!(&cx.memory.read::<10>(text).expect("memory"), b"0101234567");
        give(cx, "memmove", &[Number(text), Number(text + 2), Number(8)]);
        assert_eq!(&cx.memory.read::<10>(text).expect("memory"), b"0123456767");
        give(cx, "memset", &[Number(text), Number(u64::from(b'x')), Number(3)]);
        let grown = give(cx, "malloc", &[Number(10)]);
        give(cx, "memcpy", &[Number(grown), Number(text), Number(10)]);
        let grown = give(cx, "realloc", &[Number(grown), Number(5000)]);
        assert_eq!(&cx.memory.read::<10>(grown).expect("memory"), b"xxx3456767");
        assert_ne!(give(cx, "CFStringCreateWithBytes", &[]), 0);
    }
}

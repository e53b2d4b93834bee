//! Windows' libraries. Go's runtime puts a call's function and arguments in a structure, and has `asmstdcall` make
//! the call on the system's stack; where that function is, the runtime only knows once it was started.

use goemu_loader::{Image, Os, Perm};

use super::{Answer, Arguments, answer as answer_stub, find, print};
use crate::hook::{Action, Cx, Refused};
use crate::memory::{Contents, Memory, MemoryError, PAGE};
use crate::os;
use crate::outcome::Outcome;

/// Handles of the three files that a process begins with: this, and the number of the file.
const STANDARD: u64 = 0x10;
/// The handle of every library.
const LIBRARY: u64 = 0x1_0000;
const ERROR_INVALID_HANDLE: u64 = 6;
/// `FILE_TYPE_PIPE`
const PIPE: u64 = 3;

/// The page that Windows shows every process, from which Go reads the clock. It stands still here.
const SHARED_DATA: u64 = 0x7ffe_0000;
/// Times in it: 100 nanoseconds since the start, and since 1601.
const INTERRUPT_TIME: u64 = 8;
const SYSTEM_TIME: u64 = 0x14;
/// From 1601 to 1970.
const UNIX_EPOCH: u64 = 116_444_736_000_000_000;

/// Maps what Windows maps for every process.
pub(crate) fn set_up(image: &Image, memory: &mut Memory) -> Result<(), MemoryError> {
    let end = SHARED_DATA + PAGE;
    let taken =
        image.segments().iter().any(|s| s.addr < end && SHARED_DATA < s.addr.saturating_add(s.mem_size));
    if image.target().os != Os::Windows || taken || memory.space() < end {
        return Ok(());
    }
    memory.map(SHARED_DATA..end, Perm::READ, Contents::Zero)?;
    let ticks = |seconds: u64| seconds * 10_000_000;
    for (at, time) in [(INTERRUPT_TIME, ticks(1)), (SYSTEM_TIME, UNIX_EPOCH + ticks(os::EPOCH))] {
        // A number of 64 bits, and its upper half again.
        memory.poke(SHARED_DATA + at, &time.to_le_bytes())?;
        memory.poke(SHARED_DATA + at + 8, &((time >> 32) as u32).to_le_bytes())?;
    }
    Ok(())
}

/// `asmcgocall(fn, arg unsafe.Pointer) int32`, ABI0. Without a start, `asmstdcallAddr` is nil, and so is `fn`.
pub(crate) fn asmcgocall(cx: &mut Cx<'_>) -> Result<Action, Refused> {
    let arguments = cx.caller_sp();
    let (function, call) = (cx.word(arguments)?, cx.word(arguments.wrapping_add(8))?);
    if function != 0 {
        return Ok(Action::Run);
    }
    // runtime.libcall: fn, n, args, r1, r2, err
    let [stub, count, array] =
        [cx.word(call)?, cx.word(call.wrapping_add(8))?, cx.word(call.wrapping_add(16))?];
    let result = match answer_stub(cx, stub, &Arguments::Array(array, count))? {
        Answer::Return(result) => result,
        Answer::End(outcome) => return Ok(Action::End(outcome)),
    };
    let error = if result == 0 { ERROR_INVALID_HANDLE } else { 0 };
    cx.set_word(call.wrapping_add(24), result)?;
    cx.set_word(call.wrapping_add(40), error)?;
    cx.memory.write(arguments.wrapping_add(16), [0; 4])?;
    Ok(Action::Return)
}

/// What the function does, if it is one of those that are answered.
pub(super) fn answer(cx: &mut Cx<'_>, name: &str, arguments: &Arguments) -> Result<Option<Answer>, Refused> {
    let argument = |cx: &Cx<'_>, n| arguments.get(cx, n);
    let result = match name {
        // -10, -11, -12
        "GetStdHandle" => match (argument(cx, 0)? as i32).wrapping_neg() {
            number @ 10..=12 => STANDARD + number as u64 - 10,
            _ => 0,
        },
        "WriteFile" => {
            let [handle, at, len, written] =
                [argument(cx, 0)?, argument(cx, 1)?, argument(cx, 2)?, argument(cx, 3)?];
            let fd = handle.wrapping_sub(STANDARD);
            if fd != 1 && fd != 2 {
                return Ok(None);
            }
            let count = print(cx, fd, at, len & 0xffff_ffff)?;
            if written != 0 {
                cx.memory.write(written, (count as u32).to_le_bytes())?;
            }
            1
        }
        // Output is no console.
        "GetConsoleMode" => 0,
        "GetFileType" => PIPE,
        "VirtualAlloc" => {
            let size = argument(cx, 1)?;
            let Ok(at) = cx.world.map_pages(cx.memory, size) else { return Ok(None) };
            at
        }
        "VirtualFree" | "SetErrorMode" => 1,
        "LoadLibraryA" | "LoadLibraryW" | "LoadLibraryExA" | "LoadLibraryExW" => LIBRARY,
        "GetProcAddress" => {
            let name = c_string(cx, argument(cx, 1)?)?;
            let Some(stub) = find(cx, name) else { return Ok(None) };
            stub
        }
        "ExitProcess" => {
            let code = argument(cx, 0)? as i32;
            return Ok(Some(Answer::End(Outcome::Exited { code, fatal: None })));
        }
        "QueryPerformanceCounter" => {
            let (seconds, nanoseconds) = os::now(cx, false);
            let ticks = seconds.wrapping_mul(1_000_000_000).wrapping_add(nanoseconds);
            cx.set_word(argument(cx, 0)?, ticks)?;
            1
        }
        "QueryPerformanceFrequency" => {
            cx.set_word(argument(cx, 0)?, 1_000_000_000)?;
            1
        }
        "ProcessPrng" | "SystemFunction036" => {
            let (to, size) = (argument(cx, 0)?, argument(cx, 1)?);
            os::fill_random(cx, to, size)?;
            1
        }
        _ => return Ok(None),
    };
    Ok(Some(Answer::Return(result)))
}

/// The text at `at`, up to its NUL.
fn c_string(cx: &Cx<'_>, at: u64) -> Result<String, Refused> {
    const MAX_NAME: u64 = 256;
    let mut bytes = Vec::new();
    for addr in (0..MAX_NAME).map(|offset| at.wrapping_add(offset)) {
        match cx.memory.read::<1>(addr)? {
            [0] => break,
            [byte] => bytes.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

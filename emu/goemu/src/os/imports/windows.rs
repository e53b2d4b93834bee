//! How programs for Windows reach its libraries, and its clock. Go's runtime puts a call's function and arguments in a structure, and has `asmstdcall` make
//! the call on the system's stack; where that function is, the runtime only knows once it was started.

mod functions;
mod sddl;
mod security;
mod system;

use goemu_loader::{Image, Os};

use super::{Arguments, ImportReturn, answer as answer_stub};
use crate::error::Error;
use crate::guest::clock;
use crate::hook::{Action, HookContext, HookError, HookResult};
use crate::memory::{Contents, Memory, MemoryError, PAGE, Perm};
use crate::os;

pub(super) use functions::answer;

/// The page that Windows shows every process, from which Go reads the clock.
const SHARED_DATA: u64 = 0x7ffe_0000;
/// Times in it: 100 nanoseconds since the start, and since 1601.
const INTERRUPT_TIME: u64 = 8;
const SYSTEM_TIME: u64 = 0x14;
/// What code has that reads the first of them.
pub(crate) const CLOCK: u64 = SHARED_DATA + INTERRUPT_TIME;
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
    show_time(memory, 0)
}

/// Before a function that reads the clock: it has moved.
pub(crate) fn tick(cx: &mut HookContext<'_>) -> HookResult {
    let nanoseconds = clock::read(cx.cpu);
    show_time(cx.memory, nanoseconds).map_err(Error::from)?;
    Ok(Action::Run)
}

/// Shows that so much time has passed since the start.
fn show_time(memory: &mut Memory, nanoseconds: u64) -> Result<(), MemoryError> {
    let now = nanoseconds / 100;
    let ticks = |seconds: u64| seconds * 10_000_000;
    for (at, start) in [(INTERRUPT_TIME, ticks(1)), (SYSTEM_TIME, UNIX_EPOCH + ticks(os::EPOCH))] {
        // A number of 64 bits, and its upper half again.
        let time = start.wrapping_add(now);
        memory.poke(SHARED_DATA + at, &time.to_le_bytes())?;
        memory.poke(SHARED_DATA + at + 8, &((time >> 32) as u32).to_le_bytes())?;
    }
    Ok(())
}

/// `asmcgocall(fn, arg unsafe.Pointer) int32`, ABI0. Without a start, `asmstdcallAddr` is nil, and so is `fn`.
pub(crate) fn asmcgocall(cx: &mut HookContext<'_>) -> HookResult {
    let arguments = cx.caller_sp();
    let (function, call) = (cx.word(arguments)?, cx.word(arguments.wrapping_add(8))?);
    if function != 0 {
        return Ok(Action::Run);
    }
    Ok(match answered(cx, call)? {
        Ok(error) => {
            cx.memory.write(arguments.wrapping_add(16), (error as u32).to_le_bytes())?;
            Action::Return
        }
        Err(action) => action,
    })
}

/// `cgocall(fn, arg unsafe.Pointer) int32` where it has no name: without a start, `fn` is nil, which it calls a fatal error.
pub(crate) fn cgocall_unnamed(cx: &mut HookContext<'_>) -> HookResult {
    let (function, call) = (cx.arg(0)?, cx.arg(1)?);
    if function != 0 {
        return Ok(Action::Run);
    }
    Ok(match answered(cx, call)? {
        Ok(error) => {
            cx.set_result(2, 0, error & u64::from(u32::MAX))?;
            Action::Return
        }
        Err(action) => action,
    })
}

/// Answers a call of a library: its error, or what is to be done instead.
fn answered(cx: &mut HookContext<'_>, call: u64) -> Result<Result<u64, Action>, HookError> {
    let at = cx.image.facts().win_call;
    let field = |cx: &HookContext<'_>, offset| cx.word(call.wrapping_add(offset));
    let (stub, count, array) = (field(cx, at.function)?, field(cx, at.count)?, field(cx, at.args)?);
    let stub = behind_jumps(cx, stub);
    let (result, error) = match answer_stub(cx, stub, &Arguments::Array(array, count))? {
        ImportReturn::Return(result) => (result, 0),
        ImportReturn::Fail(result, error) => (result, error),
        // Only C code is told to go elsewhere.
        ImportReturn::Jump(_) => return Ok(Err(Action::Run)),
        ImportReturn::End(outcome) => return Ok(Err(Action::End(outcome))),
    };
    cx.set_word(call.wrapping_add(at.result), result)?;
    if let Some(offset) = at.error {
        cx.set_word(call.wrapping_add(offset), error)?;
    }
    Ok(Ok(error))
}

/// Where a function's code only jumps on, as a C linker makes it for functions of other files: the function behind.
fn behind_jumps(cx: &HookContext<'_>, mut function: u64) -> u64 {
    const MOST: usize = 4;
    for _ in 0..MOST {
        let mut code = [0; 6];
        if cx.memory.fetch(function, &mut code).is_err() {
            break;
        }
        let [a, b, at @ ..] = code;
        let target = match (a, b) {
            // JMP offset(IP)
            (0xff, 0x25) => {
                let at = function.wrapping_add(6).wrapping_add_signed(i32::from_le_bytes(at).into());
                cx.word(at).ok()
            }
            // JMP offset
            (0xe9, first) => {
                let [b, c, d, _] = at;
                let offset = i32::from_le_bytes([first, b, c, d]);
                Some(function.wrapping_add(5).wrapping_add_signed(offset.into()))
            }
            _ => None,
        };
        match target {
            Some(target) => function = target,
            None => break,
        }
    }
    function
}

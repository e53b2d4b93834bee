//! What Windows tells about itself: its version, processors and memory, paths, error texts, the registry, handles of the
//! process. Output is no console.

use crate::guest::clock;
use crate::hook::{HookContext, HookError};
use crate::os;
use crate::os::imports::windows::UNIX_EPOCH;
use crate::os::imports::windows::functions::{
    ERROR_ACCESS_DENIED, failed, fill, hand_out, utf16, wide_string,
};
use crate::os::imports::windows::security;
use crate::os::imports::{Arguments, ImportReturn, clib};

/// Windows 10, 22H2: major and minor version and build.
const VERSION: [u32; 3] = [10, 0, 19045];
/// `VER_PLATFORM_WIN32_NT`
const NT: u32 = 2;
/// The bit that `RtlGetNtVersionNumbers` sets in builds that are released.
const FREE_BUILD: u32 = 0xf000_0000;
/// `OSVERSIONINFOW` without its text.
const VERSION_INFO: u64 = 20;

const CURRENT_PROCESS: u64 = u64::MAX;
const CURRENT_THREAD: u64 = u64::MAX - 1;
/// A handle of something that does nothing: an event, a heap, a timer.
const OBJECT: u64 = 0xa_0000;
/// Western European.
const ANSI_CODE_PAGE: u64 = 1252;
const TEMP_FOLDER: &str = "C:\\Windows\\TEMP\\";
const CURRENT_FOLDER: &str = "C:\\";
const WINDOWS_FOLDER: &str = "C:\\Windows";

const ERROR_FILE_NOT_FOUND: u64 = 2;
const ERROR_NO_MORE_ITEMS: u64 = 259;
const ERROR_MR_MID_NOT_FOUND: u64 = 317;
/// `HRESULT` of `ERROR_ACCESS_DENIED`.
const E_ACCESSDENIED: u64 = 0x8007_0005;

/// What `FormatMessageW` says of an error.
const TEXTS: &[(u64, &str)] = &[
    (1, "Incorrect function."),
    (2, "The system cannot find the file specified."),
    (3, "The system cannot find the path specified."),
    (5, "Access is denied."),
    (6, "The handle is invalid."),
    (8, "Not enough memory resources are available to process this command."),
    (50, "The request is not supported."),
    (87, "The parameter is incorrect."),
    (109, "The pipe has been ended."),
    (122, "The data area passed to a system call is too small."),
    (126, "The specified module could not be found."),
    (127, "The specified procedure could not be found."),
    (183, "Cannot create a file when that file already exists."),
    (203, "The system could not find the environment option that was entered."),
    (10013, "An attempt was made to access a socket in a way forbidden by its access permissions."),
    (
        10091,
        "WSAStartup cannot function at this time because the underlying system it uses to provide network \
             services is currently unavailable.",
    ),
];

/// What functions of one kind do; `None` for any other name.
type Answers = fn(&mut HookContext<'_>, &str, &Arguments) -> Result<Option<ImportReturn>, HookError>;

/// By what they are about. The last are those of the C library, which programs with cgo have.
const KINDS: [Answers; 8] = [version, machine, process, memory, time, texts, security::answer, clib::answer];

/// What the function does, if it is one of these.
pub(super) fn answer(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    for answers in KINDS {
        if let Some(answered) = answers(cx, name, arguments)? {
            return Ok(Some(answered));
        }
    }
    Ok(None)
}

fn returns(result: u64) -> Result<Option<ImportReturn>, HookError> {
    Ok(Some(ImportReturn::Return(result)))
}

fn version(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    match name {
        "GetVersion" => returns(u64::from(VERSION[2] << 16 | VERSION[1] << 8 | VERSION[0])),
        "RtlGetNtVersionNumbers" => {
            let numbers = [VERSION[0], VERSION[1], VERSION[2] | FREE_BUILD];
            for (number, n) in numbers.into_iter().zip(0..) {
                let to = arguments.get(cx, n)?;
                if to != 0 {
                    cx.memory.write(to, number.to_le_bytes())?;
                }
            }
            returns(0)
        }
        "RtlGetVersion" | "GetVersionExW" => {
            let to = arguments.get(cx, 0)?;
            for (number, at) in VERSION.into_iter().chain([NT]).zip((4..VERSION_INFO).step_by(4)) {
                cx.memory.write(to.wrapping_add(at), number.to_le_bytes())?;
            }
            returns(u64::from(name == "GetVersionExW"))
        }
        _ => Ok(None),
    }
}

/// The computer and what is installed: its registry is empty, and it has no algorithms but random numbers.
fn machine(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    match name {
        "GetSystemInfo" | "GetNativeSystemInfo" => returns(system_info(cx, arguments.get(cx, 0)?)?),
        "GlobalMemoryStatusEx" => returns(memory_status(cx, arguments.get(cx, 0)?)?),
        "GetACP" | "GetOEMCP" => returns(ANSI_CODE_PAGE),
        "RegOpenKeyExW" | "RegQueryValueExW" | "RegCreateKeyExW" => returns(ERROR_FILE_NOT_FOUND),
        "RegEnumKeyExW" | "RegEnumValueW" => returns(ERROR_NO_MORE_ITEMS),
        "RegCloseKey" | "CoTaskMemFree" => returns(0),
        // FIPS mode is off.
        "BCryptGetFipsAlgorithmMode" => {
            cx.memory.write(arguments.get(cx, 0)?, [0])?;
            returns(0)
        }
        "BCryptGenRandom" => {
            let (to, size) = (arguments.get(cx, 1)?, arguments.get(cx, 2)? & 0xffff_ffff);
            os::fill_random(cx, to, size)?;
            returns(0)
        }
        "SHGetKnownFolderPath" | "SHGetFolderPathW" | "CoInitializeEx" => returns(E_ACCESSDENIED),
        _ => Ok(None),
    }
}

/// The process, its thread, and objects that do nothing.
fn process(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    returns(match name {
        "GetCurrentProcess" => CURRENT_PROCESS,
        "GetCurrentThread" => CURRENT_THREAD,
        "GetCurrentThreadId" => 1,
        "GetProcessAffinityMask" => {
            cx.set_word(arguments.get(cx, 1)?, 1)?;
            cx.set_word(arguments.get(cx, 2)?, 1)?;
            1
        }
        "CreateEventA"
        | "CreateEventW"
        | "CreateIoCompletionPort"
        | "CreateWaitableTimerExW"
        | "CreateMutexW" => OBJECT,
        "SetEvent" | "ResetEvent" | "SetThreadPriority" | "SetProcessPriorityBoost" | "FlushFileBuffers" => 1,
        "SetLastError" | "GetLastError" | "SwitchToThread" => 0,
        _ => return Ok(None),
    })
}

/// Heaps, which are all the C library's.
fn memory(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    match name {
        "GetProcessHeap" => returns(OBJECT),
        "HeapAlloc" => allocate(cx, arguments.get(cx, 2)?),
        "LocalAlloc" | "GlobalAlloc" => allocate(cx, arguments.get(cx, 1)?),
        "HeapFree" | "VirtualProtect" => returns(1),
        "LocalFree" | "GlobalFree" => returns(0),
        _ => Ok(None),
    }
}

fn time(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    returns(match name {
        "GetTickCount" | "GetTickCount64" => {
            let milliseconds = 1000 + clock::read(cx.cpu) / 1_000_000;
            if name == "GetTickCount" { milliseconds & 0xffff_ffff } else { milliseconds }
        }
        "GetSystemTimeAsFileTime" | "GetSystemTimePreciseAsFileTime" => {
            let (seconds, nanoseconds) = os::now(cx, true);
            let ticks = seconds.wrapping_mul(10_000_000).wrapping_add(nanoseconds / 100);
            cx.set_word(arguments.get(cx, 0)?, UNIX_EPOCH.wrapping_add(ticks))?;
            0
        }
        "Sleep" | "timeBeginPeriod" | "timeEndPeriod" => 0,
        _ => return Ok(None),
    })
}

/// Paths, the command line and what errors are called.
fn texts(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    match name {
        // Their first argument is the size, the second the place.
        "GetCurrentDirectoryW" | "GetTempPathW" | "GetTempPath2W" => {
            let given = Arguments::given([arguments.get(cx, 1)?, arguments.get(cx, 0)?]);
            let folder = if name == "GetCurrentDirectoryW" { CURRENT_FOLDER } else { TEMP_FOLDER };
            returns(fill(cx, &given, 0, utf16(folder), 2)?)
        }
        "GetWindowsDirectoryW" | "GetSystemWindowsDirectoryW" => {
            returns(fill(cx, arguments, 0, utf16(WINDOWS_FOLDER), 2)?)
        }
        "GetFullPathNameW" => full_path(cx, arguments),
        "FormatMessageW" => error_text(cx, arguments),
        "GetCommandLineA" => {
            let line: Vec<String> = cx.world.process.arguments().map(str::to_owned).collect();
            returns(hand_out(cx, line.join(" ").as_bytes())?)
        }
        _ => Ok(None),
    }
}

/// `SYSTEM_INFO`: one processor, pages of 4 KiB, mappings at multiples of 64 KiB.
fn system_info(cx: &mut HookContext<'_>, to: u64) -> Result<u64, HookError> {
    /// `PROCESSOR_ARCHITECTURE_AMD64`
    const AMD64: u32 = 9;
    const PAGE: u32 = 4096;
    const LOWEST: u64 = 0x1_0000;
    const HIGHEST: u64 = 0x7fff_fffe_ffff;
    const PROCESSOR: u32 = 8664;
    const GRANULARITY: u32 = 0x1_0000;
    let mut info = Vec::with_capacity(48);
    info.extend([AMD64, PAGE].iter().flat_map(|n| n.to_le_bytes()));
    info.extend([LOWEST, HIGHEST, 1].iter().flat_map(|n| n.to_le_bytes()));
    info.extend([1, PROCESSOR, GRANULARITY, 0].iter().flat_map(|n| n.to_le_bytes()));
    cx.memory.write_bytes(to, &info)?;
    Ok(0)
}

/// `MEMORYSTATUSEX`: as much as the guest may have, half of it free.
fn memory_status(cx: &mut HookContext<'_>, to: u64) -> Result<u64, HookError> {
    let (all, half) = (cx.memory.limit(), cx.memory.limit() / 2);
    cx.memory.write(to.wrapping_add(4), 50_u32.to_le_bytes())?;
    for (word, n) in [all, half, all, half, all, half, 0].into_iter().zip(1..) {
        cx.set_word(to.wrapping_add(8 * n), word)?;
    }
    Ok(1)
}

/// A block of the C library's heap; NULL where there is no memory.
fn allocate(cx: &mut HookContext<'_>, size: u64) -> Result<Option<ImportReturn>, HookError> {
    clib::answer(cx, "malloc", &Arguments::given([size, 0]))
}

/// `GetFullPathNameW(name, size, to, file)`: of a path without `.` and `..` in it, in the folder `C:\`.
fn full_path(cx: &mut HookContext<'_>, arguments: &Arguments) -> Result<Option<ImportReturn>, HookError> {
    let name = wide_string(cx, arguments.get(cx, 0)?)?.replace('/', "\\");
    if name.is_empty() {
        return failed(0, ERROR_ACCESS_DENIED);
    }
    let (drive, rest) = match name.get(1..2) {
        Some(":") => name.split_at(2),
        _ => ("C:", &*name),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('\\') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let path = format!("{drive}\\{}", parts.join("\\"));
    let given = Arguments::given([arguments.get(cx, 2)?, arguments.get(cx, 1)?]);
    returns(fill(cx, &given, 0, utf16(&path), 2)?)
}

/// `FormatMessageW(flags, source, number, language, to, size, arguments)`
fn error_text(cx: &mut HookContext<'_>, arguments: &Arguments) -> Result<Option<ImportReturn>, HookError> {
    let number = arguments.get(cx, 2)? & 0xffff_ffff;
    match TEXTS.iter().find(|(known, _)| *known == number) {
        Some((_, text)) => {
            let text = utf16(&format!("{text}\r\n"));
            returns(fill(cx, arguments, 4, text, 2)?)
        }
        None => failed(0, ERROR_MR_MID_NOT_FOUND),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Machine;
    use crate::os::imports::room;
    use goemu_loader::Image;

    /// What a function that fills a buffer with text gives: arguments with the buffer's place left out, where it is, and
    /// where its size is.
    fn text(cx: &mut HookContext<'_>, name: &str, words: &[u64], to: usize, size: usize) -> String {
        let at = room(cx, 1024).expect("room");
        let mut all = words.to_vec();
        all[to] = at;
        all[size] = 500;
        let bytes: Vec<u8> = all.iter().flat_map(|word| word.to_le_bytes()).collect();
        let array = room(cx, bytes.len() as u64).expect("room");
        cx.memory.write_bytes(array, &bytes).expect("memory");
        let arguments = Arguments::Array(array, all.len() as u64);
        let answered = super::super::answer(cx, name, &arguments).expect("no fault");
        assert!(matches!(answered, Some(ImportReturn::Return(1..))), "{name}");
        wide_string(cx, at).expect("a text")
    }

    #[test]
    fn texts_are_as_windows_has_them() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.15-windows-stripped");
        let mut machine = Machine::new(Image::open(path).expect("a fixture")).expect("a machine");
        let cx = &mut machine.cx();
        let name = hand_out(cx, &utf16("a/./b\\..\\c.txt")).expect("room");
        assert_eq!(text(cx, "GetFullPathNameW", &[name, 0, 0, 0], 2, 1), "C:\\a\\c.txt");
        assert_eq!(text(cx, "GetModuleFileNameW", &[0, 0, 0], 1, 2), "C:\\goemu.exe");
        assert_eq!(text(cx, "GetCurrentDirectoryW", &[0, 0], 1, 0), "C:\\");
        assert_eq!(text(cx, "GetTempPath2W", &[0, 0], 1, 0), "C:\\Windows\\TEMP\\");
        assert_eq!(text(cx, "FormatMessageW", &[0, 0, 5, 0, 0, 0, 0], 4, 5), "Access is denied.\r\n");
    }
}

//! Functions of Windows' libraries that Go programs call while they start and to print: of a system with one
//! processor, without files and network.

use std::sync::Arc;

use super::system;
use crate::hook::{HookContext, HookError};
use crate::os;
use crate::os::imports::{Arguments, CHARACTER, ImportReturn, c_string, find, print, room};
use crate::outcome::Outcome;

/// Handles of the three standard files: this plus the number of the file.
const STANDARD: u64 = 0x10;
/// The handle of every library.
const LIBRARY: u64 = 0x1_0000;
/// `FILE_TYPE_DISK`: writes are complete and do not block.
const DISK: u64 = 1;
/// `FILE_SYNCHRONOUS_IO_NONALERT`: writes return when they are done.
const SYNCHRONOUS: u32 = 0x20;
/// `INVALID_HANDLE_VALUE`
const INVALID_HANDLE: u64 = u64::MAX;
const SYSTEM_DIRECTORY: &str = "C:\\Windows\\system32";
/// The size of `TIME_ZONE_INFORMATION`, and where the name of its standard time is.
const TIME_ZONE: usize = 172;
const STANDARD_NAME: u64 = 4;

pub(super) const ERROR_ACCESS_DENIED: u64 = 5;
const ERROR_INVALID_HANDLE: u64 = 6;
const ERROR_ENVVAR_NOT_FOUND: u64 = 203;
const WSAEACCES: u64 = 10013;
const WSASYSNOTREADY: u64 = 10091;
const ERROR_INVALID_PARAMETER: u64 = 87;
/// `BY_HANDLE_FILE_INFORMATION`: attributes, three times, volume, size, number of links, index.
const FILE_INFORMATION: usize = 52;
const LINKS: usize = 40;
const ATTRIBUTE_NORMAL: u8 = 0x80;
/// The handle of a cryptographic provider.
const PROVIDER: u64 = 0x9_0000;

/// What the function does, if it is one of those that are answered.
pub(in crate::os::imports) fn answer(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    if let Some(answer) = refused(name) {
        return Ok(Some(answer));
    }
    let argument = |cx: &HookContext<'_>, n| arguments.get(cx, n);
    let result = match name {
        // -10, -11, -12
        "GetStdHandle" => match (argument(cx, 0)? as i32).wrapping_neg() {
            number @ 10..=12 => STANDARD + number as u64 - 10,
            _ => return failed(0, ERROR_INVALID_HANDLE),
        },
        "WriteFile" => return write_file(cx, arguments),
        "GetFileType" => DISK,
        "GetFileInformationByHandle" => {
            let (handle, to) = (argument(cx, 0)?, argument(cx, 1)?);
            if !(STANDARD..STANDARD + 3).contains(&handle) {
                return failed(0, ERROR_INVALID_HANDLE);
            }
            let mut information = [0; FILE_INFORMATION];
            information[0] = ATTRIBUTE_NORMAL;
            information[LINKS] = 1;
            cx.memory.write_bytes(to, &information)?;
            1
        }
        // File systems may not know what is asked; Go then takes the file for no link.
        "GetFileInformationByHandleEx" => return failed(0, ERROR_INVALID_PARAMETER),
        "NtQueryInformationFile" => {
            cx.memory.write(argument(cx, 2)?, SYNCHRONOUS.to_le_bytes())?;
            0
        }
        "VirtualAlloc" => {
            let size = argument(cx, 1)?;
            let Ok(at) = cx.world.map_pages(cx.memory, size) else { return Ok(None) };
            at
        }
        "VirtualFree" | "SetErrorMode" | "SetHandleInformation" | "SetConsoleCtrlHandler" => 1,
        "FreeEnvironmentStringsW" => 1,
        // Up to Go 1.19, writing to a file requires that sockets can be initialised.
        "WSAStartup" | "PowerRegisterSuspendResumeNotification" => 0,
        "LoadLibraryA" | "LoadLibraryW" | "LoadLibraryExA" | "LoadLibraryExW" => LIBRARY,
        "GetProcAddress" => {
            let name = c_string(cx, argument(cx, 1)?)?;
            let Some(stub) = find(cx, name) else { return Ok(None) };
            stub
        }
        "GetModuleFileNameA" => {
            let path = program(cx);
            fill(cx, arguments, 1, path.into_bytes(), 1)?
        }
        "GetModuleFileNameW" => {
            let path = program(cx);
            fill(cx, arguments, 1, utf16(&path), 2)?
        }
        "GetSystemDirectoryA" => fill(cx, arguments, 0, SYSTEM_DIRECTORY.as_bytes().to_vec(), 1)?,
        "GetSystemDirectoryW" => fill(cx, arguments, 0, utf16(SYSTEM_DIRECTORY), 2)?,
        "GetCommandLineW" => {
            let quoted: Vec<String> = cx.world.process.arguments().map(quoted).collect();
            hand_out(cx, &utf16(&quoted.join(" ")))?
        }
        "GetEnvironmentStringsW" => {
            let texts: String = cx.world.process.environment().map(|text| text + "\0").collect();
            hand_out(cx, &utf16(&texts))?
        }
        "GetEnvironmentVariableW" => return variable(cx, arguments),
        "ReadFile" => return read_file(cx, arguments),
        "GetTimeZoneInformation" => {
            let to = argument(cx, 0)?;
            cx.memory.write_bytes(to, &[0; TIME_ZONE])?;
            cx.memory.write_bytes(to.wrapping_add(STANDARD_NAME), &utf16("UTC"))?;
            0
        }
        "ExitProcess" => {
            let code = argument(cx, 0)? as i32;
            return Ok(Some(ImportReturn::End(Outcome::Exited { code, fatal: None })));
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
        "CryptAcquireContextW" => {
            cx.set_word(argument(cx, 0)?, PROVIDER)?;
            1
        }
        "CryptGenRandom" => {
            let (size, to) = (argument(cx, 1)? as u32, argument(cx, 2)?);
            os::fill_random(cx, to, size.into())?;
            1
        }
        "GetCurrentProcessId" => 1,
        "CloseHandle" | "CryptReleaseContext" => 1,
        _ => return system::answer(cx, name, arguments),
    };
    Ok(Some(ImportReturn::Return(result)))
}

/// Where the program lies: what it was started as, in a folder and with the extension that programs have.
fn program(cx: &HookContext<'_>) -> String {
    let name = &cx.world.process.program;
    if name.contains(['\\', ':']) { name.clone() } else { format!("C:\\{name}.exe") }
}

/// Functions that fail: what they ask for does not exist or is not allowed.
fn refused(name: &str) -> Option<ImportReturn> {
    Some(match name {
        // Output is not a console.
        "GetConsoleMode" => ImportReturn::Fail(0, ERROR_INVALID_HANDLE),
        "CreateFileW" | "FindFirstFileW" | "CreateToolhelp32Snapshot" => {
            ImportReturn::Fail(INVALID_HANDLE, ERROR_ACCESS_DENIED)
        }
        "GetFileAttributesExW"
        | "CreateDirectoryW"
        | "RemoveDirectoryW"
        | "SetCurrentDirectoryW"
        | "DeleteFileW"
        | "MoveFileW"
        | "MoveFileExW"
        | "CreateSymbolicLinkW"
        | "CreateHardLinkW"
        | "SetFileAttributesW"
        | "CreatePipe"
        | "CreateProcessW"
        | "OpenProcess"
        | "OpenThreadToken"
        | "ConvertStringSidToSidW"
        | "GetComputerNameW"
        | "GetComputerNameExW"
        | "GetUserNameW"
        | "OpenSCManagerW"
        | "GetUserProfileDirectoryW"
        | "RegisterEventSourceW"
        | "GetUserNameExW" => ImportReturn::Fail(0, ERROR_ACCESS_DENIED),
        "GetFileAttributesW" => ImportReturn::Fail(u64::from(u32::MAX), ERROR_ACCESS_DENIED),
        "GetConsoleScreenBufferInfo"
        | "SetConsoleMode"
        | "GetNumberOfConsoleInputEvents"
        | "ReadConsoleW"
        | "ReadConsoleInputW"
        | "WriteConsoleW"
        | "GetConsoleOutputCP"
        | "GetConsoleCP"
        | "SetConsoleOutputCP"
        | "SetConsoleCP"
        | "GetConsoleWindow" => ImportReturn::Fail(0, ERROR_INVALID_HANDLE),
        "WSASocketW" | "socket" => ImportReturn::Fail(INVALID_HANDLE, WSAEACCES),
        "WSAEnumProtocolsW" => ImportReturn::Fail(u64::from(u32::MAX), WSASYSNOTREADY),
        _ => return None,
    })
}

pub(super) fn failed(result: u64, number: u64) -> Result<Option<ImportReturn>, HookError> {
    Ok(Some(ImportReturn::Fail(result, number)))
}

/// `WriteFile(handle, buffer, length, written, overlapped)`
fn write_file(cx: &mut HookContext<'_>, arguments: &Arguments) -> Result<Option<ImportReturn>, HookError> {
    let mut words = [0; 4];
    for (n, word) in (0..).zip(&mut words) {
        *word = arguments.get(cx, n)?;
    }
    let [handle, at, len, written] = words;
    let fd = handle.wrapping_sub(STANDARD);
    if fd != 1 && fd != 2 {
        return Ok(None);
    }
    let count = print(cx, fd, at, len & 0xffff_ffff)?;
    if written != 0 {
        cx.memory.write(written, (count as u32).to_le_bytes())?;
    }
    Ok(Some(ImportReturn::Return(1)))
}

/// UTF-16 text.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// `ReadFile(handle, buffer, length, read, overlapped)`
fn read_file(cx: &mut HookContext<'_>, arguments: &Arguments) -> Result<Option<ImportReturn>, HookError> {
    let [handle, at, len, read] = [0, 1, 2, 3].map(|n| arguments.get(cx, n));
    let (handle, at, len, read) = (handle?, at?, len? & 0xffff_ffff, read?);
    if handle != STANDARD {
        return failed(0, ERROR_INVALID_HANDLE);
    }
    let count = os::read_input(cx, 0, at, len)?;
    if read != 0 {
        cx.memory.write(read, (count as u32).to_le_bytes())?;
    }
    Ok(Some(ImportReturn::Return(1)))
}

/// `GetEnvironmentVariableW(name, buffer, size)`. Names are case-insensitive.
fn variable(cx: &mut HookContext<'_>, arguments: &Arguments) -> Result<Option<ImportReturn>, HookError> {
    let name = wide_string(cx, arguments.get(cx, 0)?)?;
    let process = Arc::clone(&cx.world.process);
    match process.env.iter().find(|(own, _)| own.eq_ignore_ascii_case(&name)) {
        Some((_, value)) => Ok(Some(ImportReturn::Return(fill(cx, arguments, 1, utf16(value), 2)?))),
        None => failed(0, ERROR_ENVVAR_NOT_FOUND),
    }
}

/// An argument quoted for a command line, as `CommandLineToArgvW` parses it.
fn quoted(argument: &str) -> String {
    if !argument.is_empty() && !argument.contains([' ', '\t', '"']) {
        return argument.to_owned();
    }
    let (mut text, mut backslashes) = ("\"".to_owned(), 0);
    for c in argument.chars() {
        if c == '"' {
            text.extend(std::iter::repeat_n('\\', backslashes + 1));
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        text.push(c);
    }
    text.extend(std::iter::repeat_n('\\', backslashes));
    text + "\""
}

/// Writes a text and its NUL, in characters of so many bytes, to where the `first` argument points; the next is how
/// many fit. The result is the number written, or that needed.
pub(super) fn fill(
    cx: &mut HookContext<'_>,
    arguments: &Arguments,
    first: u64,
    mut text: Vec<u8>,
    width: u64,
) -> Result<u64, HookError> {
    let (to, room) = (arguments.get(cx, first)?, arguments.get(cx, first + 1)?);
    let len = text.len() as u64 / width;
    if room <= len {
        return Ok(len + 1);
    }
    text.extend([0; 2].iter().take(width as usize));
    cx.memory.write_bytes(to, &text)?;
    Ok(len)
}

/// Guest memory with a string and two NULs.
pub(super) fn hand_out(cx: &mut HookContext<'_>, text: &[u8]) -> Result<u64, HookError> {
    cx.memory.charge(CHARACTER * text.len() as u64 / 2);
    let at = room(cx, text.len() as u64 + 4)?;
    cx.memory.write_bytes(at, &[text, &[0; 4]].concat())?;
    Ok(at)
}

/// The string of 16-bit characters at `at`, up to its NUL.
pub(super) fn wide_string(cx: &HookContext<'_>, at: u64) -> Result<String, HookError> {
    const MAX_NAME: u64 = 1 << 15;
    let mut text = Vec::new();
    for addr in (0..MAX_NAME).map(|n| at.wrapping_add(2 * n)) {
        match u16::from_le_bytes(cx.memory.read(addr)?) {
            0 => break,
            c => text.push(c),
        }
        cx.memory.charge(CHARACTER);
    }
    Ok(String::from_utf16_lossy(&text))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn arguments_are_quoted_where_they_need_it() {
        for (argument, expected) in [
            ("a\\b", r"a\b"),
            ("", r#""""#),
            ("a b", r#""a b""#),
            (r#"say "hi""#, r#""say \"hi\"""#),
            (r#"a\"b c\"#, r#""a\\\"b c\\""#),
        ] {
            assert_eq!(quoted(argument), expected);
        }
    }
}

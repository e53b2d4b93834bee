//! The process's identity on Windows: a session with a user, of which nothing more is known. Services ask for it as they are
//! initialised.

use crate::hook::{HookContext, HookError};
use crate::os::imports::windows::functions::{ERROR_ACCESS_DENIED, failed, wide_string};
use crate::os::imports::windows::sddl;
use crate::os::imports::{Arguments, ImportReturn, room};

/// The handle of the process's token.
const TOKEN: u64 = 0xb_0000;
/// `TokenGroups`
const GROUPS: u64 = 2;
const ERROR_INSUFFICIENT_BUFFER: u64 = 122;
/// `SE_GROUP_MANDATORY | SE_GROUP_ENABLED_BY_DEFAULT | SE_GROUP_ENABLED`
const ENABLED: u64 = 7;
/// S-1-5-4: users who are logged on interactively.
const INTERACTIVE: [u8; 12] = [1, 1, 0, 0, 0, 0, 0, 5, 4, 0, 0, 0];
/// The most numbers of a SID.
const NUMBERS: u64 = 15;

/// What the function does, if it is one of these.
pub(super) fn answer(
    cx: &mut HookContext<'_>,
    name: &str,
    arguments: &Arguments,
) -> Result<Option<ImportReturn>, HookError> {
    let argument = |cx: &HookContext<'_>, n| arguments.get(cx, n);
    let result = match name {
        "AllocateAndInitializeSid" => {
            let count = (argument(cx, 1)? & 0xff).min(8);
            let authority: [u8; 6] = cx.memory.read(argument(cx, 0)?)?;
            let mut sid = vec![1, count as u8];
            sid.extend(authority);
            for n in 0..count {
                sid.extend((argument(cx, 2 + n)? as u32).to_le_bytes());
            }
            let at = room(cx, sid.len() as u64)?;
            cx.memory.write_bytes(at, &sid)?;
            cx.set_word(argument(cx, 10)?, at)?;
            1
        }
        "EqualSid" => {
            let (a, b) = (argument(cx, 0)?, argument(cx, 1)?);
            u64::from(sid(cx, a)? == sid(cx, b)?)
        }
        "OpenProcessToken" => {
            cx.set_word(argument(cx, 2)?, TOKEN)?;
            1
        }
        "GetTokenInformation" if argument(cx, 1)? & 0xffff_ffff == GROUPS => return groups(cx, arguments),
        "GetTokenInformation" => return failed(0, ERROR_ACCESS_DENIED),
        "FreeSid" => 0,
        "ConvertStringSecurityDescriptorToSecurityDescriptorW" => {
            let text = wide_string(cx, argument(cx, 0)?)?;
            let Some(bytes) = sddl::descriptor(&text) else { return Ok(None) };
            let (to, size) = (argument(cx, 2)?, argument(cx, 3)?);
            let at = room(cx, bytes.len() as u64)?;
            cx.memory.write_bytes(at, &bytes)?;
            cx.set_word(to, at)?;
            if size != 0 {
                cx.memory.write(size, (bytes.len() as u32).to_le_bytes())?;
            }
            1
        }
        "GetSecurityDescriptorLength" => {
            let at = argument(cx, 0)?;
            let read = |offset: u64, to: &mut [u8]| cx.memory.read_bytes(at.wrapping_add(offset), to).ok();
            let Some(size) = sddl::size(read) else { return Ok(None) };
            size
        }
        _ => return Ok(None),
    };
    Ok(Some(ImportReturn::Return(result)))
}

fn sid(cx: &HookContext<'_>, at: u64) -> Result<Vec<u8>, HookError> {
    let [_, count] = cx.memory.read::<2>(at)?;
    let mut bytes = vec![0; 8 + 4 * u64::from(count).min(NUMBERS) as usize];
    cx.memory.read_bytes(at, &mut bytes)?;
    Ok(bytes)
}

/// `TOKEN_GROUPS` with one group.
fn groups(cx: &mut HookContext<'_>, arguments: &Arguments) -> Result<Option<ImportReturn>, HookError> {
    const SIZE: u64 = 24 + INTERACTIVE.len() as u64;
    let [to, size, needed] = [2, 3, 4].map(|n| arguments.get(cx, n));
    let (to, size, needed) = (to?, size? & 0xffff_ffff, needed?);
    cx.memory.write(needed, (SIZE as u32).to_le_bytes())?;
    if size < SIZE {
        return failed(0, ERROR_INSUFFICIENT_BUFFER);
    }
    for (word, n) in [1, to.wrapping_add(24), ENABLED].into_iter().zip(0..) {
        cx.set_word(to.wrapping_add(8 * n), word)?;
    }
    cx.memory.write_bytes(to.wrapping_add(24), &INTERACTIVE)?;
    Ok(Some(ImportReturn::Return(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Machine;
    use crate::os::imports::windows::functions::{hand_out, utf16};
    use goemu_loader::Image;

    /// The functions are asked for as a program asks for them: by the way on which all names of Windows go.
    #[test]
    fn programs_reach_these_functions() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.15-windows-stripped");
        let mut machine = Machine::new(Image::open(path).expect("a fixture")).expect("a machine");
        let cx = &mut machine.cx();
        let call = |cx: &mut HookContext<'_>, name: &str, words: &[u64]| {
            let array = room(cx, 8 * words.len() as u64).expect("room");
            for (word, at) in words.iter().zip((array..).step_by(8)) {
                cx.set_word(at, *word).expect("memory");
            }
            let arguments = Arguments::Array(array, words.len() as u64);
            match super::super::answer(cx, name, &arguments).expect("no fault") {
                Some(ImportReturn::Return(result)) => result,
                _ => panic!("{name}"),
            }
        };
        let text = hand_out(cx, &utf16("D:(A;;GA;;;SY)")).expect("room");
        let (to, size) = (room(cx, 8).expect("room"), room(cx, 4).expect("room"));
        let convert = "ConvertStringSecurityDescriptorToSecurityDescriptorW";
        assert_eq!(call(cx, convert, &[text, 1, to, size]), 1);
        let made = cx.word(to).expect("memory");
        assert_eq!(cx.memory.read(size), Ok(48_u32.to_le_bytes()));
        assert_eq!(cx.memory.read(made), Ok([1, 0, 4, 0x80]));
        assert_eq!(call(cx, "GetSecurityDescriptorLength", &[made]), 48);
        // The same user twice, and the one of the entry.
        let (authority, sid) = (room(cx, 8).expect("room"), room(cx, 8).expect("room"));
        cx.set_word(authority, u64::from_le_bytes([0, 0, 0, 0, 0, 5, 0, 0])).expect("memory");
        assert_eq!(call(cx, "AllocateAndInitializeSid", &[authority, 1, 18, 0, 0, 0, 0, 0, 0, 0, sid]), 1);
        let system = cx.word(sid).expect("memory");
        assert_eq!(call(cx, "EqualSid", &[system, made + 36]), 1);
        assert_eq!(call(cx, "EqualSid", &[system, made]), 0);
    }
}

//! Strings (`runtime/string.go`, `runtime/utf8.go`). A result never lies in the caller's buffer, where Go may put it.

use super::{bytes_at, room};
use crate::hook::{Action, HookContext, HookError, HookResult};

/// U+FFFD, what is not UTF-8.
const ERROR: u32 = 0xfffd;
/// Size of a buffer that a caller has for a short result (`tmpBuf`).
const BUFFER: u64 = 32;

/// A new string, the result of a function whose arguments take `args` words.
fn give(cx: &mut HookContext<'_>, args: usize, text: &[u8]) -> HookResult {
    let addr = if text.is_empty() { 0 } else { room!(cx, text.len() as u64, 0) };
    cx.memory.write_bytes(addr, text)?;
    cx.set_result(args, 0, addr)?;
    cx.set_result(args, 1, text.len() as u64)?;
    Ok(Action::Return)
}

/// The strings of a list, joined.
fn joined_list(cx: &HookContext<'_>, list: u64, len: u64) -> Result<Vec<u8>, HookError> {
    let mut text = Vec::new();
    for index in 0..len {
        let header = list.wrapping_add(index.wrapping_mul(16));
        text.extend(bytes_at(cx, cx.word(header)?, cx.word(header.wrapping_add(8))?)?);
    }
    Ok(text)
}

/// `count` strings that follow the buffer, joined. More words than there are registers are on the stack, as the
/// convention has it: a string that does not fit is there as a whole.
fn joined(cx: &HookContext<'_>, count: usize) -> Result<Vec<u8>, HookError> {
    const REGISTERS: usize = 9;
    let mut text = Vec::new();
    for index in 0..count {
        let word = 1 + 2 * index;
        let in_registers = word + 2 <= REGISTERS || !cx.image.facts().register_abi();
        let (addr, len) = if in_registers {
            (cx.arg(word)?, cx.arg(word + 1)?)
        } else {
            (cx.word(cx.caller_sp())?, cx.word(cx.caller_sp().wrapping_add(8))?)
        };
        text.extend(bytes_at(cx, addr, len)?);
    }
    Ok(text)
}

/// `concatstrings(buf *tmpBuf, a []string) string`
pub(in crate::runtime) fn concatstrings(cx: &mut HookContext<'_>) -> HookResult {
    let text = joined_list(cx, cx.arg(1)?, cx.arg(2)?)?;
    give(cx, 4, &text)
}

/// `concatbytes(buf *tmpBuf, a []string) []byte`
pub(in crate::runtime) fn concatbytes(cx: &mut HookContext<'_>) -> HookResult {
    let text = joined_list(cx, cx.arg(1)?, cx.arg(2)?)?;
    give_bytes(cx, &text)
}

/// `concatstring2(buf *tmpBuf, a0, a1 string) string` and its like.
fn concat(cx: &mut HookContext<'_>, count: usize) -> HookResult {
    let text = joined(cx, count)?;
    give(cx, 1 + 2 * count, &text)
}

/// `concatbyte2(buf *tmpBuf, a0, a1 string) []byte` and its like.
fn concat_bytes(cx: &mut HookContext<'_>, count: usize) -> HookResult {
    let text = joined(cx, count)?;
    give_bytes(cx, &text)
}

pub(in crate::runtime) fn concatbyte2(cx: &mut HookContext<'_>) -> HookResult {
    concat_bytes(cx, 2)
}

pub(in crate::runtime) fn concatbyte3(cx: &mut HookContext<'_>) -> HookResult {
    concat_bytes(cx, 3)
}

pub(in crate::runtime) fn concatbyte4(cx: &mut HookContext<'_>) -> HookResult {
    concat_bytes(cx, 4)
}

pub(in crate::runtime) fn concatbyte5(cx: &mut HookContext<'_>) -> HookResult {
    concat_bytes(cx, 5)
}

pub(in crate::runtime) fn concatstring2(cx: &mut HookContext<'_>) -> HookResult {
    concat(cx, 2)
}

pub(in crate::runtime) fn concatstring3(cx: &mut HookContext<'_>) -> HookResult {
    concat(cx, 3)
}

pub(in crate::runtime) fn concatstring4(cx: &mut HookContext<'_>) -> HookResult {
    concat(cx, 4)
}

pub(in crate::runtime) fn concatstring5(cx: &mut HookContext<'_>) -> HookResult {
    concat(cx, 5)
}

/// `slicebytetostring(buf *tmpBuf, ptr *byte, n int) string`; up to Go 1.14 with a slice, whose capacity follows.
pub(in crate::runtime) fn slicebytetostring(cx: &mut HookContext<'_>) -> HookResult {
    let text = bytes_at(cx, cx.arg(1)?, cx.arg(2)?)?;
    let args = if cx.image.facts().rules().strings_of_pointers() { 3 } else { 4 };
    give(cx, args, &text)
}

/// `slicebytetostringtmp(ptr *byte, n int) string`: the same bytes.
pub(in crate::runtime) fn slicebytetostringtmp(cx: &mut HookContext<'_>) -> HookResult {
    let (addr, len) = (cx.arg(0)?, cx.arg(1)?);
    let args = if cx.image.facts().rules().strings_of_pointers() { 2 } else { 3 };
    cx.set_result(args, 0, addr)?;
    cx.set_result(args, 1, len)?;
    Ok(Action::Return)
}

/// A new slice.
fn give_slice(cx: &mut HookContext<'_>, bytes: &[u8], elem: u64) -> HookResult {
    let size = bytes.len() as u64;
    let rounded = goemu_loader::facts::Growth::of(cx.image.facts().version.minor).rounded(size, false);
    let cap = if size == 0 { 0 } else { rounded / elem };
    let addr = room!(cx, cap * elem, 0);
    cx.memory.write_bytes(addr, bytes)?;
    for (n, word) in [addr, size / elem, cap].into_iter().enumerate() {
        cx.set_result(3, n, word)?;
    }
    Ok(Action::Return)
}

/// `stringtoslicebyte(buf *tmpBuf, s string) []byte`. A buffer of the caller's has 32 bytes, which show in the
/// capacity.
pub(in crate::runtime) fn stringtoslicebyte(cx: &mut HookContext<'_>) -> HookResult {
    let (buffer, addr, len) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let bytes = bytes_at(cx, addr, len)?;
    if buffer == 0 || len > BUFFER {
        return give_slice(cx, &bytes, 1);
    }
    into_buffer(cx, buffer, &bytes)
}

/// A slice of joined strings; one of the caller's buffer where it has room, as of `stringtoslicebyte`.
fn give_bytes(cx: &mut HookContext<'_>, bytes: &[u8]) -> HookResult {
    let buffer = cx.arg(0)?;
    if buffer == 0 || bytes.is_empty() || bytes.len() as u64 > BUFFER {
        return give_slice(cx, bytes, 1);
    }
    into_buffer(cx, buffer, bytes)
}

fn into_buffer(cx: &mut HookContext<'_>, buffer: u64, bytes: &[u8]) -> HookResult {
    super::memory::clear(cx, buffer, BUFFER)?;
    cx.memory.write_bytes(buffer, bytes)?;
    for (n, word) in [buffer, bytes.len() as u64, BUFFER].into_iter().enumerate() {
        cx.set_result(3, n, word)?;
    }
    Ok(Action::Return)
}

/// `stringtoslicerune(buf *[32]rune, s string) []rune`
pub(in crate::runtime) fn stringtoslicerune(cx: &mut HookContext<'_>) -> HookResult {
    let text = bytes_at(cx, cx.arg(1)?, cx.arg(2)?)?;
    let runes: Vec<u8> = runes(&text).flat_map(|(rune, _)| rune.to_le_bytes()).collect();
    give_slice(cx, &runes, 4)
}

/// `slicerunetostring(buf *tmpBuf, a []rune) string`
pub(in crate::runtime) fn slicerunetostring(cx: &mut HookContext<'_>) -> HookResult {
    let runes = bytes_at(cx, cx.arg(1)?, cx.arg(2)?.wrapping_mul(4))?;
    let mut text = String::new();
    for rune in runes.chunks_exact(4) {
        text.push(character(u32::from_le_bytes([rune[0], rune[1], rune[2], rune[3]]).into()));
    }
    give(cx, 4, text.as_bytes())
}

/// `intstring(buf *[4]byte, v int64) string`
pub(in crate::runtime) fn intstring(cx: &mut HookContext<'_>) -> HookResult {
    let text = character(cx.arg(1)?).to_string();
    give(cx, 2, text.as_bytes())
}

fn character(rune: u64) -> char {
    u32::try_from(rune).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// `decoderune(s string, k int) (r rune, pos int)`: the rune at `k`, and where the next begins.
pub(in crate::runtime) fn decoderune(cx: &mut HookContext<'_>) -> HookResult {
    const LONGEST: u64 = 4;
    let (addr, len, at) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let bytes = bytes_at(cx, addr.wrapping_add(at), len.saturating_sub(at).min(LONGEST))?;
    let (rune, width) = runes(&bytes).next().unwrap_or((ERROR, 1));
    cx.set_result(3, 0, rune.into())?;
    cx.set_result(3, 1, at.wrapping_add(width))?;
    Ok(Action::Return)
}

/// `countrunes(s string) int`
pub(in crate::runtime) fn countrunes(cx: &mut HookContext<'_>) -> HookResult {
    let count = runes(&bytes_at(cx, cx.arg(0)?, cx.arg(1)?)?).count();
    cx.set_result(2, 0, count as u64)?;
    Ok(Action::Return)
}

/// The runes of a text and their widths: each byte that is not UTF-8 is U+FFFD.
fn runes(text: &[u8]) -> impl Iterator<Item = (u32, u64)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let width = (1..=rest.len().min(4)).find(|width| std::str::from_utf8(&rest[..*width]).is_ok());
        let rune = width.and_then(|width| std::str::from_utf8(&rest[..width]).ok()?.chars().next());
        let width = width.unwrap_or(1);
        rest = &rest[width..];
        Some((rune.map_or(ERROR, u32::from), width as u64))
    })
}

#[cfg(test)]
mod tests {
    use super::runes;

    #[test]
    fn bytes_that_are_not_utf8_are_replaced_one_by_one() {
        let found: Vec<_> = runes("a\u{e4}\u{20ac}".as_bytes()).collect();
        assert_eq!(found, [(0x61, 1), (0xe4, 2), (0x20ac, 3)]);
        assert_eq!(runes(b"\xe2\x82x").collect::<Vec<_>>(), [(0xfffd, 1), (0xfffd, 1), (0x78, 1)]);
    }
}

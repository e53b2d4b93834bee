//! What goroutines wait for, in Go's words: the program's own list of them (`waitReasonStrings`), which has a symbol, or
//! is found by how it begins.

use goemu_loader::Perm;

use crate::hook::HookContext;

/// How the list begins, in every release: the first reason is none.
const FIRST: [&str; 3] = ["", "GC assist marking", "IO wait"];
/// Bytes of a string: address and length.
const STRING: usize = 16;
/// Bytes of the longest reason that is read.
const MAX_TEXT: u64 = 64;

/// The reasons that a program knows.
pub(in crate::runtime) struct Reasons {
    list: Option<u64>,
}

impl Reasons {
    pub(in crate::runtime) fn of(cx: &HookContext<'_>) -> Reasons {
        let symbol = cx.image.symbol("runtime.waitReasonStrings").map(|list| list.addr);
        Reasons { list: symbol.or_else(|| find(cx)) }
    }

    /// The same, where the list is known.
    pub(in crate::runtime) fn at(list: Option<u64>) -> Reasons {
        Reasons { list }
    }

    /// Where the list is.
    pub(in crate::runtime) fn list(&self) -> Option<u64> {
        self.list
    }

    /// A reason's text; `caller`: where the call of `gopark` returns to, which tells where there is no list.
    pub(in crate::runtime) fn text(&self, cx: &HookContext<'_>, reason: u64, caller: u64) -> String {
        let told = || {
            let at = self.list?.checked_add(STRING as u64 * reason)?;
            string(cx, cx.word(at).ok()?, cx.word(at.checked_add(8)?).ok()?)
        };
        let by_caller = || {
            let caller = cx.image.func_at(caller.wrapping_sub(1))?;
            Some(match caller.name() {
                "runtime.chanrecv" => "chan receive",
                "runtime.chansend" => "chan send",
                "runtime.selectgo" => "select",
                "runtime.block" => "select (no cases)",
                "runtime.semacquire1" => "semacquire",
                _ => return None,
            })
        };
        told().unwrap_or_else(|| by_caller().unwrap_or("waiting").to_owned())
    }
}

/// Looks for the list in the program's data, as it is in memory: addresses have been filled in.
fn find(cx: &HookContext<'_>) -> Option<u64> {
    let data = cx.image.segments().iter().filter(|segment| !segment.perm.contains(Perm::EXEC));
    data.map(|segment| (segment.addr, segment.file_size)).find_map(|(addr, size)| {
        let mut bytes = vec![0; usize::try_from(size).ok()?];
        cx.memory.read_bytes(addr, &mut bytes).ok()?;
        let at = bytes.windows(STRING * FIRST.len()).step_by(8).position(|list| begins(cx, list))?;
        addr.checked_add(8 * at as u64)
    })
}

/// Whether these strings are the first of the list.
fn begins(cx: &HookContext<'_>, list: &[u8]) -> bool {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let strings = list.chunks_exact(STRING).map(|string| (word(&string[..8]), word(&string[8..])));
    let same = |((text, len), first): ((u64, u64), &str)| {
        len == first.len() as u64 && (len == 0 || string(cx, text, len).as_deref() == Some(first))
    };
    strings.zip(FIRST).all(same)
}

fn string(cx: &HookContext<'_>, text: u64, len: u64) -> Option<String> {
    let mut bytes = vec![0; len.min(MAX_TEXT) as usize];
    cx.memory.read_bytes(text, &mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

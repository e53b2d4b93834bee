//! Who calls a function: by the bytes of all CALL instructions, found without decoding what is between them.

use std::collections::HashMap;

use goemu_loader::Image;
use rustc_hash::FxHashSet;

/// The opcode of a near CALL, and how long the instruction is.
const CALL: u8 = 0xe8;
const LEN: usize = 5;
/// Functions begin at multiples of this.
const ALIGN: u64 = 16;
/// Callers of one function that are looked at.
const MAX_CALLERS: usize = 12;
/// Bytes of code that are searched.
const MAX_CODE: usize = 256 << 20;

/// The functions that call each function, first ones first. A few that do not may be among them.
#[derive(Debug, Default)]
pub(super) struct Callers(HashMap<u64, Vec<u64>>);

impl Callers {
    pub(super) fn of(image: &Image) -> Callers {
        let Some(text) = image.module().map(|module| module.text) else { return Callers::default() };
        let len = usize::try_from(text.end.saturating_sub(text.start)).unwrap_or(0).min(MAX_CODE);
        let code = image.bytes(text.start, len).unwrap_or_default();
        let entries: FxHashSet<u64> = image.funcs().map(|func| func.entry()).collect();
        let mut callers: HashMap<u64, Vec<u64>> = HashMap::new();
        let last = code.len().saturating_sub(LEN - 1);
        for (at, byte) in code[..last].iter().enumerate() {
            if *byte != CALL {
                continue;
            }
            let Some(distance) = code.get(at + 1..at + LEN).and_then(|bytes| bytes.try_into().ok()) else {
                break;
            };
            let next = text.start.wrapping_add((at + LEN) as u64);
            let target = next.wrapping_add_signed(i32::from_le_bytes(distance).into());
            if target % ALIGN != 0 || !entries.contains(&target) {
                continue;
            }
            let known = callers.entry(target).or_default();
            if known.len() < MAX_CALLERS
                && let Some(caller) = image.func_at(next.wrapping_sub(LEN as u64))
                && known.last() != Some(&caller.entry())
            {
                known.push(caller.entry());
            }
        }
        Callers(callers)
    }

    pub(super) fn of_func(&self, entry: u64) -> &[u64] {
        self.0.get(&entry).map_or(&[], Vec::as_slice)
    }
}

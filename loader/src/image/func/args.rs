//! How tracebacks show a function's arguments (`runtime/traceback.go`, `printArgs`).
//!
//! Since Go 1.17 a function has a little program (`FUNCDATA_ArgInfo`) that says which words of its arguments to
//! print, and which of them belong together. Arguments that came in registers are where the function spilled them,
//! if it did: `FUNCDATA_ArgLiveInfo` (Go 1.18 and later) says which of these slots hold something at an address.

use crate::facts::TraceArgs;
use crate::image::func::Func;

/// A step of showing a function's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TracedArg {
    /// A number in the frame of arguments.
    Word {
        /// Its offset from the first argument.
        offset: u64,
        /// How many bytes it has.
        size: u8,
        /// Whether the compiler vouches for it; others are shown with a question mark.
        live: bool,
    },
    /// `{`: the parts of a value follow.
    Open,
    /// `}`
    Close,
    /// `...`: there are more.
    Dots,
    /// `_`: it lies too far away to be described.
    TooFar,
}

/// No compiler writes more steps: ten values, nested five deep.
const MAX_STEPS: u64 = 256;

impl Func<'_> {
    /// What a traceback shows of its arguments while it is at `pc`; none where the compiler has left no word on
    /// that (assembly, and all up to Go 1.16).
    pub fn traced_args(&self, pc: u64) -> Option<Vec<TracedArg>> {
        let facts = self.image.facts();
        let info = self.funcdata(u32::try_from(facts.funcdata.arg_info?).ok()?)?;
        let codes = facts.trace_args;
        let live = Live::of(self, pc);
        let mut steps = Vec::new();
        let (mut at, mut slot) = (info, 0);
        let end = info.checked_add(MAX_STEPS)?;
        while at < end {
            let code = u64::from(self.image.read_u8(at)?);
            at += 1;
            if code == codes.end {
                break;
            }
            if let Some(step) = bracket(code, &codes) {
                steps.push(step);
                continue;
            }
            let size = self.image.read_u8(at)?;
            at += 1;
            steps.push(TracedArg::Word { offset: code, size, live: live.holds(self, code, slot) });
            slot += u64::from(code >= live.from);
        }
        Some(steps)
    }
}

fn bracket(code: u64, codes: &TraceArgs) -> Option<TracedArg> {
    match code {
        _ if code == codes.start_aggregate => Some(TracedArg::Open),
        _ if code == codes.end_aggregate => Some(TracedArg::Close),
        _ if code == codes.dots => Some(TracedArg::Dots),
        _ if code == codes.offset_too_large => Some(TracedArg::TooFar),
        _ => None,
    }
}

/// Which spilled arguments hold something at an address.
struct Live {
    /// Address of a bit for each slot; none where all hold something.
    bits: Option<u64>,
    /// Offset of the first slot that needs such a bit.
    from: u64,
}

impl Live {
    fn of(func: &Func<'_>, pc: u64) -> Live {
        let facts = func.image.facts();
        let index = |index: Option<u64>| index.and_then(|index| u32::try_from(index).ok());
        let info = index(facts.funcdata.arg_live).and_then(|index| func.funcdata(index));
        let from = info.and_then(|info| func.image.read_u8(info)).map_or(0xff, u64::from);
        let set = index(facts.pcdata.arg_live).and_then(|table| func.pcdata_value(table, pc));
        let set = set.and_then(|set| u64::try_from(set).ok()).filter(|set| *set > 0);
        let bits = info.zip(set).and_then(|(info, set)| info.checked_add(set));
        Live { bits, from }
    }

    fn holds(&self, func: &Func<'_>, offset: u64, slot: u64) -> bool {
        let Some(bits) = self.bits.filter(|_| offset >= self.from) else { return true };
        let byte = bits.checked_add(slot / 8).and_then(|addr| func.image.read_u8(addr));
        byte.is_none_or(|byte| byte & 1 << (slot % 8) != 0)
    }
}

//! Which calls were inlined at an instruction.

use crate::bytes;
use crate::image::func::{Func, FuncId, Line};

/// One of the functions that an instruction belongs to, by inlining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame<'i> {
    /// The function's name.
    pub func: &'i str,
    /// Where in it: the instruction's own line in the innermost frame, the call's line in the others.
    pub line: Option<Line<'i>>,
    /// Whether it is there by inlining; only the last frame of a list is not.
    pub inlined: bool,
    /// Whether the runtime treats it specially.
    pub func_id: FuncId,
}

/// Deeper inlining than any compiler does; ends a damaged tree that runs in circles.
const MAX_DEPTH: usize = 256;

/// An entry of a function's inline tree.
struct Call {
    name: u32,
    func_id: FuncId,
    /// Where the call was, in the function around it.
    site: Site,
}

enum Site {
    /// An address whose line and inlining say it (Go 1.12 and later).
    Pc(u64),
    /// The file, the line and the entry around it (Go 1.9 to 1.11).
    Line { file: i32, line: i32, parent: i32 },
}

impl<'i> Func<'i> {
    /// The functions that the instruction at `pc` belongs to: the innermost inlined one first, this one last.
    pub fn inlined_at(&self, pc: u64) -> Vec<Frame<'i>> {
        let mut frames = Vec::new();
        let mut line = self.line_at(pc);
        let mut index = self.inline_index(pc);
        while let Some(call) = index.and_then(|index| self.inlined_call(index)) {
            let func = self.string(call.name);
            frames.push(Frame { func, line, inlined: true, func_id: call.func_id });
            if frames.len() == MAX_DEPTH {
                break;
            }
            (line, index) = match call.site {
                Site::Pc(pc) => (self.line_at(pc), self.inline_index(pc)),
                Site::Line { file, line, parent } => (self.line(file, line), u32::try_from(parent).ok()),
            };
        }
        frames.push(Frame { func: self.name(), line, inlined: false, func_id: self.func_id() });
        frames
    }

    /// The names of the functions that were inlined in this one, each as often as it was.
    pub fn inlined(&self) -> impl Iterator<Item = &'i str> + use<'i> {
        let func = *self;
        let table = self.image.facts().pcdata.inl_tree.and_then(|table| u32::try_from(table).ok());
        let runs = table.and_then(|table| self.pcdata_runs(table));
        let last = runs.into_iter().flatten().filter_map(|run| u32::try_from(run.value).ok()).max();
        // A damaged table has no more calls than the function has bytes.
        let most = u32::try_from(self.end().saturating_sub(self.entry())).unwrap_or(u32::MAX);
        let count = last.map_or(0, |last| last.saturating_add(1)).min(most);
        (0..count).map_while(move |index| Some(func.string(func.inlined_call(index)?.name)))
    }

    fn line(&self, file: i32, line: i32) -> Option<Line<'i>> {
        Some(Line { file: self.file(file)?, line: u32::try_from(line).ok()? })
    }

    fn string(&self, offset: u32) -> &'i str {
        bytes::text(self.name_bytes_at(offset).unwrap_or_default())
    }

    /// The entry of the inline tree that the instruction at `pc` belongs to, which tells one inlined call from another; none where
    /// nothing is inlined.
    pub fn inline_index(&self, pc: u64) -> Option<u32> {
        let table = u32::try_from(self.image.facts().pcdata.inl_tree?).ok()?;
        u32::try_from(self.pcdata_value(table, pc)?).ok()
    }

    fn inlined_call(&self, index: u32) -> Option<Call> {
        let facts = self.image.facts();
        let tree = self.funcdata(u32::try_from(facts.funcdata.inl_tree?).ok()?)?;
        let entry = tree.checked_add(u64::from(index).checked_mul(facts.inlined_call.size?)?)?;
        let word = |offset: Option<u64>| self.image.read_u32(entry.checked_add(offset?)?);
        let signed = |offset| word(offset).map(u32::cast_signed);
        let at = &facts.inlined_call;
        let site = match at.parent_pc {
            Some(_) => Site::Pc(self.entry().checked_add(word(at.parent_pc)?.into())?),
            None => Site::Line { file: signed(at.file)?, line: signed(at.line)?, parent: signed(at.parent)? },
        };
        let number = at.func_id.and_then(|field| self.image.read_u8(entry.checked_add(field)?));
        let func_id = number.map_or(FuncId::Normal, |number| FuncId::from_number(number, &facts.func_ids));
        Some(Call { name: word(at.name)?, func_id, site })
    }
}

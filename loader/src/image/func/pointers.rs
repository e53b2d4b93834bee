//! Which words of a function's frame hold pointers while it waits for a call, as the compiler has noted for the collector:
//! `FUNCDATA_ArgsPointerMaps`, `FUNCDATA_LocalsPointerMaps` and `FUNCDATA_StackObjects`.
//!
//! Go sources: `runtime/stkframe.go` (`getStackMap`), `runtime/symtab.go` (`stackmapdata`), `runtime/stack.go` (`stackObjectRecord`);
//! `cmd/compile/internal/liveness/plive.go` writes them.

use super::Func;

/// A part of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FramePart {
    /// Arguments and results on the stack: from the end of the frame upwards.
    Args,
    /// Local variables: they end where the saved frame pointer begins.
    Locals,
}

/// Which words of a part of a frame hold pointers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PointerMap<'i> {
    bits: &'i [u8],
    len: u32,
}

impl PointerMap<'_> {
    /// How many words it describes: the first of the arguments, or the last of the local variables.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether it describes none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The words that hold pointers, by number, in order.
    pub fn pointers(&self) -> impl Iterator<Item = u32> {
        let is_pointer =
            |word: u32| self.bits.get(word as usize / 8).is_some_and(|byte| byte >> (word % 8) & 1 != 0);
        (0..self.len).filter(move |word| is_pointer(*word))
    }
}

/// A variable of a frame that is reached by its address, and lives as long as something has that (Go 1.12 and later).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StackObject {
    /// Where it begins: from the arguments if it is not negative, else from the end of the local variables.
    pub offset: i64,
    /// Its size in bytes.
    pub size: u64,
}

/// No function has more variables that are reached by address.
const MAX_OBJECTS: u64 = 1 << 16;

impl<'i> Func<'i> {
    /// Which words of a part of its frame hold pointers while it waits for a call; `pc`: an address in the instruction that calls,
    /// or the function's first. None where the compiler has left no word on that (assembly), or the table is malformed.
    pub fn pointer_map(&self, part: FramePart, pc: u64) -> Option<PointerMap<'i>> {
        let facts = self.image.facts();
        let index = match part {
            FramePart::Args => facts.funcdata.args_maps,
            FramePart::Locals => facts.funcdata.locals_maps,
        };
        // `stackmap`: how many maps there are, bits of each, and the maps.
        let maps = self.funcdata(u32::try_from(index).ok()?)?;
        let (count, len) = (self.image.read_u32(maps)?, self.image.read_u32(maps.checked_add(4)?)?);
        let table = u32::try_from(facts.pcdata.stack_map).ok()?;
        // Before its first call the table has -1 for the function's first map.
        let which = if pc == self.entry() { 0 } else { self.pcdata_value(table, pc).unwrap_or(-1).max(0) };
        let which = u32::try_from(which).ok().filter(|which| *which < count)?;
        let size = len.div_ceil(8);
        let at = maps.checked_add(8)?.checked_add(u64::from(which) * u64::from(size))?;
        Some(PointerMap { bits: self.image.bytes(at, size as usize)?, len })
    }

    /// Its variables that are reached by address; none up to Go 1.11, where the maps have them. `None`: the table is malformed.
    pub fn stack_objects(&self) -> Option<Vec<StackObject>> {
        let facts = self.image.facts();
        let index = facts.funcdata.stack_objects.and_then(|index| u32::try_from(index).ok());
        let Some(table) = index.and_then(|index| self.funcdata(index)) else { return Some(Vec::new()) };
        let count = self.image.read_u64(table).filter(|count| *count <= MAX_OBJECTS)?;
        (0..count).map(|n| self.stack_object(table.checked_add(8)?, n)).collect()
    }

    fn stack_object(&self, first: u64, n: u64) -> Option<StackObject> {
        let at = &self.image.facts().stack_object;
        let record = first.checked_add(n.checked_mul(at.record?)?)?;
        let field = |offset: Option<u64>| record.checked_add(offset?);
        let half = |offset| self.image.read_u32(field(offset)?);
        if let Some(ty) = field(at.ty) {
            // Up to Go 1.16 a type tells the size, which its descriptor begins with.
            let size = self.image.read_u64(self.image.read_u64(ty)?)?;
            let offset = self.image.read_u64(field(at.offset)?)?.cast_signed();
            return Some(StackObject { offset, size });
        }
        Some(StackObject { offset: half(at.offset)?.cast_signed().into(), size: half(at.size)?.into() })
    }
}

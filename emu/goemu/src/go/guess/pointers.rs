//! Which words of arguments the garbage collector takes for pointers.

use goemu_loader::Func;

/// Bytes of a map that are looked at.
const MAX_BYTES: u64 = 64;

/// A bit for each word from the first argument slot on, at the entry of a function: what is passed in registers has its bits
/// where it is kept when registers are needed for others. Arguments that the function does not use have none.
pub(super) struct Pointers(Vec<u8>);

impl Pointers {
    /// As the compiler noted them. None where it noted nothing, as for assembly.
    pub(super) fn of(func: &Func<'_>) -> Option<Pointers> {
        let image = func.image();
        let map = func.funcdata(u32::try_from(image.facts().funcdata.args_maps).ok()?)?;
        // `runtime.stackmap`: how many maps, how many bits in each, and their bytes. The first map is that of the entry.
        let (count, bits) = (image.read_u32(map)?, image.read_u32(map.checked_add(4)?)?);
        if count == 0 {
            return None;
        }
        let len = u64::from(bits).div_ceil(8).min(MAX_BYTES);
        let byte = |n| image.read_u8(map.checked_add(8)?.checked_add(n)?);
        Some(Pointers((0..len).map(byte).collect::<Option<Vec<u8>>>()?))
    }

    /// Whether the word at this offset is a pointer.
    pub(super) fn at(&self, offset: u64) -> bool {
        let word = offset / 8;
        let byte = usize::try_from(word / 8).ok().and_then(|at| self.0.get(at));
        byte.is_some_and(|byte| byte >> (word % 8) & 1 != 0)
    }
}

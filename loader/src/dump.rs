//! Dumps: memory of a process in a file, as it lay there. Headers, where there are any, still say where things are in the
//! program's own file.

use crate::bytes;
use crate::facts::Facts;
use crate::layout::{Layout, Os, PAGE, Perm, Segment, Span, Target, USER_SPACE};
use crate::pclntab;

/// How many places that look like a function table are tried.
const MAX_TABLES: usize = 16;

/// Where the first byte of a dump was, as the runtime's tables in it say: the table of tables starts with the address of
/// the function table, and an address of something in that follows. `None` where the file is not read as a dump.
pub(crate) fn base(file: &[u8]) -> Option<u64> {
    let words = (0_u64..).step_by(8).zip(file.chunks_exact(8));
    let tables = words.filter(|(_, word)| pclntab::is_shaped(word)).map(|(offset, _)| offset);
    tables.filter_map(|table| Clue::of(file, table)).take(MAX_TABLES).find_map(|clue| clue.base(file))
}

/// What is known of a function table by its header.
struct Clue {
    /// Its offset in the file.
    table: u64,
    /// Which word of the table of tables points into it, and how far.
    word: u64,
    distance: u64,
    /// Where the first slice in the table of tables is.
    slice: u64,
}

impl Clue {
    fn of(file: &[u8], table: u64) -> Option<Clue> {
        let bytes = file.get(usize::try_from(table).ok()?..)?;
        let facts = Facts::of(pclntab::releases(bytes)?.known().next()?);
        Some(match facts.pclntab.funcnames {
            // The slice of names comes first.
            Some(names) => Clue { table, word: 8, distance: bytes::u64(bytes, names)?, slice: 8 },
            // The list of functions follows the table's header.
            None => Clue { table, word: facts.module.ftab?, distance: pclntab::HEADER_MIN, slice: 0 },
        })
    }

    fn base(&self, file: &[u8]) -> Option<u64> {
        let end = USER_SPACE.checked_sub(file.len() as u64)?;
        let words = (0_u64..).step_by(8).zip(file.chunks_exact(8));
        words.filter_map(|(at, word)| Some((at, u64::from_le_bytes(word.try_into().ok()?)))).find_map(
            |(at, word)| {
                let base = word.checked_sub(self.table)?;
                let fits = base.is_multiple_of(PAGE) && (PAGE..end).contains(&base);
                let [len, cap] = [8, 16].map(|field| bytes::u64(file, at + self.slice + field));
                let is_slice = len == cap && len.is_some_and(|len| (1..file.len() as u64).contains(&len));
                let points = || bytes::u64(file, at + self.word) == word.checked_add(self.distance);
                (fits && is_slice && points()).then_some(base)
            },
        )
    }
}

/// A dump without headers that can be used: all of it is one segment, until its text is known.
pub(crate) fn without_headers(file: &[u8], base: u64) -> Layout {
    let size = file.len() as u64;
    let perm = Perm::READ | Perm::WRITE | Perm::EXEC;
    Layout {
        target: Target { os: Os::Linux, position_independent: false },
        entry: None,
        bias: 0,
        base,
        relocated: true,
        segments: vec![Segment { addr: base, mem_size: size, file_offset: 0, file_size: size, perm }],
        sections: Vec::new(),
        remarks: Vec::new(),
    }
}

/// The system that a dump's program was built for, by its headers or by how its code finds the current goroutine.
pub(crate) fn system(file: &[u8], text: &[u8]) -> Option<Os> {
    if bytes::u32(file, 0) == Some(MACHO) {
        return Some(Os::Darwin);
    }
    if file.starts_with(b"MZ") {
        return Some(Os::Windows);
    }
    let found = || text.windows(9).filter_map(loads_goroutine);
    let counted =
        [Os::Linux, Os::Darwin, Os::Windows].map(|os| (found().filter(|found| *found == os).count(), os));
    counted.into_iter().max_by_key(|(count, _)| *count).filter(|(count, _)| *count > CHANCE).map(|(_, os)| os)
}

const MACHO: u32 = 0xfeed_facf;
/// So many places look like such a load by chance.
const CHANCE: usize = 4;

/// The system where this instruction finds the current goroutine: at a fixed place behind FS or GS, or at the one that a variable
/// says, which is in the register that is loaded.
fn loads_goroutine(code: &[u8]) -> Option<Os> {
    match *code {
        [0x64, 0x48 | 0x4c, 0x8b, to, 0x25, _, 0xff, 0xff, 0xff] if to & 0xc7 == 4 => Some(Os::Linux),
        [0x65, 0x48 | 0x4c, 0x8b, to, 0x25, 0x30, 0, 0, 0] if to & 0xc7 == 4 => Some(Os::Darwin),
        [0x65, 0x48 | 0x4c, 0x8b, to, 0x25, 0x28, 0, 0, 0] if to & 0xc7 == 4 => Some(Os::Windows),
        [0x65, 0x48, 0x8b, 0 | 0x09 | 0x12 | 0x1b | 0x36 | 0x3f, ..] => Some(Os::Windows),
        _ => None,
    }
}

/// Splits the only segment: the pages of the text are code, all others are data.
pub(crate) fn split(layout: &mut Layout, text: Span) {
    let [whole] = &layout.segments[..] else { return };
    let end = whole.addr.saturating_add(whole.mem_size);
    let borders = [whole.addr, text.start / PAGE * PAGE, text.end.next_multiple_of(PAGE), end];
    let perms = [Perm::READ | Perm::WRITE, Perm::READ | Perm::EXEC, Perm::READ | Perm::WRITE];
    let part = |(from, to, perm): (u64, u64, Perm)| Segment {
        addr: from,
        mem_size: to - from,
        file_offset: whole.file_offset + (from - whole.addr),
        file_size: to - from,
        perm,
    };
    let borders = borders.map(|border| border.clamp(whole.addr, end));
    let ranges = borders.windows(2).zip(perms).map(|(pair, perm)| (pair[0], pair[1], perm));
    layout.segments = ranges.filter(|(from, to, _)| from < to).map(part).collect();
}

//! Go's function table, `runtime.pclntab`: every function's address, name, source lines and frame sizes. It
//! stays when a binary is stripped, because the runtime needs it to unwind stacks.
//!
//! This file knows where the table's parts are; [`crate::image::func`] reads one function.

use crate::bytes;
use crate::facts::{Facts, Releases, TableMagic};
use crate::moduledata::ModuleData;
use crate::object::Object;
use crate::version::GoVersion;

/// Where the parts of the table are. Offsets count from the table's start.
#[derive(Debug)]
pub(crate) struct Pclntab {
    /// Guest address of the table.
    pub(crate) addr: u64,
    /// Number of functions.
    pub(crate) count: u32,
    /// The sorted (entry, record) pairs, which offsets of records count from since Go 1.16.
    functab: u64,
    /// What offsets of records count from.
    records: u64,
    /// What offsets of names count from.
    pub(crate) names: u64,
    /// What offsets of pc-value tables count from.
    pub(crate) pctab: u64,
    /// Offsets of file names by compilation unit (Go 1.16 and later) ...
    pub(crate) cutab: Option<u64>,
    /// ... which count from here; earlier, an array of offsets of file names.
    pub(crate) files: u64,
    /// Width of a word of the functab in bytes: 4 or 8.
    word: u64,
    /// What entries count from; 0 where they are addresses.
    text: u64,
    /// The parts of the text as (start, end, address), where there are several.
    sections: Vec<(u64, u64, u64)>,
}

/// How a function table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableFormat {
    /// The release that brought this format: Go 1.2, 1.16, 1.18 or 1.20.
    pub since: GoVersion,
    /// Whether the table starts with that format's magic number, which obfuscators change.
    pub has_magic: bool,
}

/// What follows the magic: two zeros, the instruction alignment 1 of x86 and the pointer size 8.
pub(crate) const SHAPE: [u8; 4] = [0, 0, 1, 8];

/// Whether a word may be the first one of a table. Every word of a file is asked: arrays are compared without a call.
#[inline]
pub(crate) fn is_shaped(word: &[u8]) -> bool {
    word.last_chunk() == Some(&SHAPE)
}

/// Size of the header up to its first variable part, the same in all releases.
pub(crate) const HEADER_MIN: u64 = 16;

/// The releases of Go that write a table like the one that `bytes` starts with.
///
/// Obfuscators change the magic. The header of Go 1.18 and later is known without it, by its offsets.
pub(crate) fn releases(bytes: &[u8]) -> Option<Releases> {
    let (magic, shape) = (bytes::u32(bytes, 0)?, bytes.get(4..8)?);
    if shape != SHAPE {
        return None;
    }
    let known = TableMagic::of(magic).map(|known| known.releases);
    known.or_else(|| is_header_of_18(bytes).then_some(Releases::OFFSETS_FROM_HEADER))
}

/// Whether the offsets of the table's parts are those of a header of Go 1.18 or later: in order, the first right
/// after the header, or where the linker has aligned it to.
fn is_header_of_18(bytes: &[u8]) -> bool {
    const PARTS: [u64; 5] = [32, 40, 48, 56, 64];
    const SIZE: u64 = 72;
    const ALIGN: u64 = 32;
    let parts = PARTS.map(|offset| bytes::u64(bytes, offset));
    let first = parts[0].is_some_and(|first| first == SIZE || first == SIZE.next_multiple_of(ALIGN));
    first && parts.is_sorted() && parts[4] < Some(bytes.len() as u64)
}

impl Pclntab {
    /// How the table is written. Without a known magic it is read as `facts` say.
    pub(crate) fn format(&self, object: &Object, facts: &Facts) -> TableFormat {
        let magic = bytes::u32(self.bytes(object), 0);
        let by_magic = magic.and_then(TableMagic::of);
        let known = by_magic.unwrap_or_else(|| TableMagic::written_by(facts.version));
        TableFormat { since: known.since, has_magic: by_magic.is_some() }
    }

    /// Reads the header at `addr`. `None` where its parts do not fit into the file.
    pub(crate) fn read(
        object: &Object,
        facts: &Facts,
        module: Option<&ModuleData>,
        addr: u64,
    ) -> Option<Pclntab> {
        let at = &facts.pclntab;
        let table = object.tail(addr)?;
        let word = |field: u64| bytes::u64(table, field);
        let count = u32::try_from(word(at.nfunc)?).ok()?;
        let functab = at.functab.map_or(Some(HEADER_MIN), word)?;
        // One pair for each function, then the end of the last one.
        let size = (u64::from(count) * 2 + 1) * at.functab_word;
        bytes::slice(table, functab, size)?;
        // Before Go 1.16 the offset of the list of files follows.
        let files = match at.filetab {
            Some(field) => word(field)?,
            None => bytes::u32(table, functab.checked_add(size)?)?.into(),
        };
        let text = text_start(object, facts, module, addr);
        Some(Pclntab {
            addr,
            count,
            functab,
            records: if at.functab.is_some() { functab } else { 0 },
            names: at.funcnames.map_or(Some(0), word)?,
            pctab: at.pctab.map_or(Some(0), word)?,
            cutab: at.cutab.and_then(word),
            files,
            word: at.functab_word,
            text,
            sections: module.and_then(|module| text_sections(object, facts, module)).unwrap_or_default(),
        })
    }

    /// The table's bytes, to the end of its segment.
    pub(crate) fn bytes<'i>(&self, object: &'i Object) -> &'i [u8] {
        object.tail(self.addr).unwrap_or_default()
    }

    /// Guest address of function `index`; of `count`, the end of the last function.
    pub(crate) fn entry(&self, object: &Object, index: u32) -> Option<u64> {
        let offset = self.functab.checked_add(u64::from(index) * 2 * self.word)?;
        if self.word == 8 {
            // Addresses, which position-independent programs have relocations for.
            return object.read_u64(self.addr.checked_add(offset)?);
        }
        let offset = u64::from(bytes::u32(self.bytes(object), offset)?);
        let section = self.sections.iter().find(|(start, end, _)| (*start..*end).contains(&offset));
        match section {
            Some((start, _, base)) => base.checked_add(offset - start),
            None => self.text.checked_add(offset),
        }
    }

    /// Offset of the record of function `index`.
    pub(crate) fn record(&self, bytes: &[u8], index: u32) -> Option<u64> {
        let offset = self.functab.checked_add((u64::from(index) * 2 + 1) * self.word)?;
        let record =
            if self.word == 8 { bytes::u64(bytes, offset)? } else { bytes::u32(bytes, offset)?.into() };
        record.checked_add(self.records)
    }

    /// The index of the function that contains `pc`.
    pub(crate) fn find(&self, object: &Object, pc: u64) -> Option<u32> {
        let starts_after = |index: u32| self.entry(object, index).is_none_or(|entry| entry > pc);
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if starts_after(middle) { high = middle } else { low = middle + 1 }
        }
        let index = low.checked_sub(1)?;
        let end = self.entry(object, index.checked_add(1)?)?;
        (pc < end).then_some(index)
    }
}

/// What entries count from: nothing where they are addresses (up to Go 1.17), else the start of the text.
fn text_start(object: &Object, facts: &Facts, module: Option<&ModuleData>, addr: u64) -> u64 {
    if facts.pclntab.functab_word == 8 {
        return 0;
    }
    let header = || object.read_u64(addr.checked_add(facts.pclntab.text_start?)?);
    let section = || object.section(".text").and_then(|section| section.addr);
    module.map(|module| module.text.start).or_else(header).or_else(section).unwrap_or_default()
}

/// More parts than the linker ever makes.
const MAX_TEXT_SECTIONS: u64 = 1 << 12;

/// The parts of the text where there is more than one: only when C or assembly outgrows a branch's reach.
fn text_sections(object: &Object, facts: &Facts, module: &ModuleData) -> Option<Vec<(u64, u64, u64)>> {
    let table = module.textsectmap.filter(|table| (2..=MAX_TEXT_SECTIONS).contains(&table.len))?;
    if facts.pclntab.functab_word == 8 {
        return None;
    }
    (0..table.len)
        .map(|index| {
            let word = |field: u64| object.read_u64(table.addr.checked_add(index * 24 + field * 8)?);
            Some((word(0)?, word(1)?, word(2)?))
        })
        .collect()
}

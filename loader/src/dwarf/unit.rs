//! Units: which one holds an address, which one an offset.

use std::{collections::HashMap, sync::Arc};

use gimli::{
    Abbreviations, AttributeValue, DebugAbbrevOffset, DebugAddrBase, DebugInfoOffset, DebugLocListsBase,
    DebugRngListsBase, DebugStrOffsetsBase, Section, UnitHeader,
};

use crate::GoVersion;

use super::{Dwarf, Result, Slice, Unit, at, malformed};

/// Tables of abbreviations times their section's size. Go writes one table; C's compilers one per unit.
const MAX_ABBREV_WORK: u64 = 1 << 31;

/// All units of `.debug_info`.
#[derive(Debug)]
pub(super) struct Units {
    /// By offset.
    list: Vec<Entry>,
    /// Code: (start, end, index of the unit), by start.
    ranges: Vec<(u64, u64, usize)>,
}

/// One unit.
#[derive(Debug)]
pub(super) struct Entry {
    offset: usize,
    end: usize,
    /// Whether it was written in Go (or Go's assembler).
    pub(super) go: bool,
    /// The compiler's version, where it says: `Go cmd/compile go1.27.3; regabi`.
    pub(super) compiler: Option<GoVersion>,
    abbreviations: Arc<Abbreviations>,
}

impl Units {
    pub(super) fn read(dwarf: &gimli::Dwarf<Slice<'_>>) -> Result<Self> {
        let mut units = Self { list: Vec::new(), ranges: Vec::new() };
        let mut tables = Tables::default();
        let mut headers = dwarf.units();
        let mut end = 0;
        while let Some(header) = headers.next().map_err(at(end))? {
            let Some(DebugInfoOffset(offset)) = header.debug_info_offset() else { continue };
            end = offset.saturating_add(header.length_including_self());
            let abbreviations = tables.get(dwarf, &header)?;
            let mut entry = Entry { offset, end, go: false, compiler: None, abbreviations };
            units.add_ranges(dwarf, &mut entry)?;
            units.list.push(entry);
        }
        units.ranges.sort_unstable();
        Ok(units)
    }

    fn add_ranges(&mut self, dwarf: &gimli::Dwarf<Slice<'_>>, entry: &mut Entry) -> Result<()> {
        let unit = open(dwarf, entry)?;
        let err = at(entry.offset);
        let root = unit.entry(unit.header.root_offset()).map_err(&err)?;
        entry.go =
            root.attr_value(gimli::DW_AT_language) == Some(AttributeValue::Language(gimli::DW_LANG_Go));
        entry.compiler = root.attr_value(gimli::DW_AT_producer).and_then(|producer| {
            GoVersion::parse(crate::bytes::text(dwarf.attr_string(&unit, producer).ok()?.slice()))
        });
        let mut ranges = dwarf.die_ranges(&unit, &root).map_err(&err)?;
        // Every range has its own bytes in these sections, or in its unit.
        let bytes = dwarf.ranges.debug_ranges().reader().len() + dwarf.ranges.debug_rnglists().reader().len();
        while let Some(range) = ranges.next().map_err(&err)? {
            if self.ranges.len() > bytes + self.list.len() {
                return malformed(entry.offset, "units share lists of ranges");
            }
            self.add_range(range.begin, range.end);
        }
        Ok(())
    }

    /// Adds a range to the unit that is being read. Functions of a unit mostly follow each other.
    fn add_range(&mut self, begin: u64, end: u64) {
        let unit = self.list.len();
        match self.ranges.last_mut() {
            Some(last) if last.2 == unit && last.1 == begin => last.1 = end,
            _ if begin < end => self.ranges.push((begin, end, unit)),
            _ => {}
        }
    }

    /// The unit with code at this address.
    pub(super) fn at_address(&self, address: u64) -> Option<&Entry> {
        let before = self.ranges.partition_point(|range| range.0 <= address);
        let &(_, end, unit) = self.ranges.get(before.checked_sub(1)?)?;
        self.list.get(unit).filter(|_| address < end)
    }

    /// The unit that this offset of `.debug_info` is in.
    pub(super) fn at_offset(&self, offset: usize) -> Option<&Entry> {
        let before = self.list.partition_point(|unit| unit.offset <= offset);
        self.list.get(before.checked_sub(1)?).filter(|unit| offset < unit.end)
    }

    /// The units written in Go.
    pub(super) fn go(&self) -> impl Iterator<Item = &Entry> {
        self.list.iter().filter(|unit| unit.go)
    }
}

/// Tables of abbreviations, each parsed once.
#[derive(Default)]
struct Tables(HashMap<usize, Arc<Abbreviations>>);

impl Tables {
    fn get(
        &mut self,
        dwarf: &gimli::Dwarf<Slice<'_>>,
        header: &UnitHeader<Slice<'_>>,
    ) -> Result<Arc<Abbreviations>> {
        let DebugAbbrevOffset(offset) = header.debug_abbrev_offset();
        if let Some(table) = self.0.get(&offset) {
            return Ok(table.clone());
        }
        let unit = header.debug_info_offset().map_or(0, |offset| offset.0);
        let work = (self.0.len() as u64).saturating_mul(dwarf.debug_abbrev.reader().len() as u64);
        if work > MAX_ABBREV_WORK {
            return malformed(unit, "too many tables of abbreviations");
        }
        let table = Arc::new(header.abbreviations(&dwarf.debug_abbrev).map_err(at(unit))?);
        self.0.insert(offset, table.clone());
        Ok(table)
    }
}

impl<'a> Dwarf<'a> {
    pub(super) fn open(&self, entry: &Entry) -> Result<Unit<'a>> {
        open(&self.gimli, entry)
    }

    /// The unit around an offset of `.debug_info`.
    pub(super) fn open_at(&self, offset: usize) -> Result<Unit<'a>> {
        match self.units()?.at_offset(offset) {
            Some(entry) => self.open(entry),
            None => malformed(offset, "no unit here"),
        }
    }
}

/// Reads a unit's header and bases. (gimli's own constructor wants the line program too, which is large and
/// not needed here.)
fn open<'a>(dwarf: &gimli::Dwarf<Slice<'a>>, entry: &Entry) -> Result<Unit<'a>> {
    let err = at(entry.offset);
    let header = dwarf.debug_info.header_from_offset(DebugInfoOffset(entry.offset)).map_err(&err)?;
    let (encoding, file) = (header.encoding(), dwarf.file_type);
    let mut unit = Unit {
        header,
        abbreviations: entry.abbreviations.clone(),
        name: None,
        comp_dir: None,
        low_pc: 0,
        str_offsets_base: DebugStrOffsetsBase::default_for_encoding_and_file(encoding, file),
        addr_base: DebugAddrBase(0),
        loclists_base: DebugLocListsBase::default_for_encoding_and_file(encoding, file),
        rnglists_base: DebugRngListsBase::default_for_encoding_and_file(encoding, file),
        line_program: None,
        dwo_id: None,
    };
    let root = unit.entry(unit.header.root_offset()).map_err(&err)?;
    for attr in root.attrs() {
        match attr.value() {
            AttributeValue::DebugAddrBase(base) => unit.addr_base = base,
            AttributeValue::DebugRngListsBase(base) => unit.rnglists_base = base,
            AttributeValue::DebugLocListsBase(base) => unit.loclists_base = base,
            AttributeValue::DebugStrOffsetsBase(base) => unit.str_offsets_base = base,
            _ => {}
        }
    }
    if let Some(low) = root.attr_value(gimli::DW_AT_low_pc) {
        unit.low_pc = dwarf.attr_address(&unit, low).map_err(&err)?.unwrap_or(0);
    }
    Ok(unit)
}

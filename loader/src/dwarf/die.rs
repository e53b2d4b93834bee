//! One entry of `.debug_info`, with the attributes that Go uses.

use gimli::{Attribute, AttributeValue, DebugInfoOffset, DwAt, DwTag, UnitOffset};

use super::{Dwarf, Result, Slice, Unit, at, malformed};

// Go's own attributes: cmd/internal/dwarf/dwarf.go.
const DW_AT_GO_KIND: DwAt = DwAt(0x2900);
const DW_AT_GO_KEY: DwAt = DwAt(0x2901);
const DW_AT_GO_ELEM: DwAt = DwAt(0x2902);
const DW_AT_GO_EMBEDDED_FIELD: DwAt = DwAt(0x2903);
const DW_AT_GO_RUNTIME_TYPE: DwAt = DwAt(0x2904);
const DW_AT_GO_CLOSURE_OFFSET: DwAt = DwAt(0x2907);

/// Fields of a struct, parameters and variables of a function, counted with 16 bytes of their names each: far
/// more than any real one has.
const MAX_CHILDREN: usize = 1 << 16;
/// Longer names are not believed.
const MAX_NAME: usize = 1 << 16;

/// An entry. References are offsets in `.debug_info`.
#[derive(Debug)]
pub(super) struct Die {
    pub(super) offset: usize,
    pub(super) tag: DwTag,
    pub(super) name: Option<String>,
    pub(super) ty: Option<usize>,
    pub(super) origin: Option<usize>,
    pub(super) address: Option<u64>,
    /// Of a variable in the caller's frame: where it is there.
    pub(super) frame: Option<i64>,
    pub(super) size: Option<u64>,
    /// Of a field in its struct, in bytes.
    pub(super) member: u64,
    /// Of an array, in elements.
    pub(super) count: Option<u64>,
    pub(super) encoding: Option<u64>,
    /// Whether it is a result.
    pub(super) result: bool,
    /// `reflect.Kind`
    pub(super) kind: Option<u64>,
    pub(super) key: Option<usize>,
    pub(super) elem: Option<usize>,
    pub(super) embedded: bool,
    /// Offset from `moduledata.types`; 0 if the linker dropped the descriptor.
    pub(super) rtype: u64,
    /// Of a captured variable in its closure, in bytes (Go 1.23 and later).
    pub(super) closure: Option<u64>,
}

impl Die {
    pub(super) fn new(offset: usize, tag: DwTag) -> Self {
        Self {
            offset,
            tag,
            name: None,
            ty: None,
            origin: None,
            address: None,
            frame: None,
            size: None,
            member: 0,
            count: None,
            encoding: None,
            result: false,
            kind: None,
            key: None,
            elem: None,
            embedded: false,
            rtype: 0,
            closure: None,
        }
    }
}

impl<'a> Dwarf<'a> {
    /// Reads the entry at an offset of `.debug_info`, and the unit around it.
    pub(super) fn die_at(&self, offset: usize) -> Result<(Unit<'a>, Die)> {
        let unit = self.open_at(offset)?;
        let die = self.die(&unit, offset)?;
        Ok((unit, die))
    }

    /// Reads the entry at an offset of `.debug_info`, which must be in this unit.
    pub(super) fn die(&self, unit: &Unit<'a>, offset: usize) -> Result<Die> {
        let inside = unit_offset(unit, offset)?;
        let mut entries = unit.entries_raw(Some(inside)).map_err(at(offset))?;
        match self.next(unit, &mut entries)? {
            Some(die) => Ok(die),
            None => malformed(offset, "no entry here"),
        }
    }

    /// Calls `visit` with the entries right below the one at an offset of `.debug_info`, which must be in this
    /// unit.
    pub(super) fn each_child(
        &self,
        unit: &Unit<'a>,
        offset: usize,
        mut visit: impl FnMut(Die) -> Result<()>,
    ) -> Result<()> {
        let mut entries = unit.entries_raw(Some(unit_offset(unit, offset)?)).map_err(at(offset))?;
        self.skip(unit, &mut entries)?;
        let mut visited = 0;
        while entries.next_depth() > 0 && !entries.is_empty() {
            if entries.next_depth() > 1 {
                self.skip(unit, &mut entries)?;
            } else if let Some(die) = self.next(unit, &mut entries)? {
                visited += 1 + die.name.as_ref().map_or(0, |name| name.len() / 16);
                if visited > MAX_CHILDREN {
                    return malformed(offset, "too many parts");
                }
                visit(die)?;
            }
        }
        Ok(())
    }

    /// Skips one entry and tells what it was; `None` for the one that ends a list.
    pub(super) fn skip(
        &self,
        unit: &Unit<'a>,
        entries: &mut gimli::EntriesRaw<'_, Slice<'a>>,
    ) -> Result<Option<DwTag>> {
        let err = at(section_offset(unit, entries.next_offset()));
        let Some(abbrev) = entries.read_abbreviation().map_err(&err)? else { return Ok(None) };
        entries.skip_attributes(abbrev.attributes()).map_err(&err)?;
        Ok(Some(abbrev.tag()))
    }

    /// Reads one entry; `None` for the one that ends a list.
    pub(super) fn next(
        &self,
        unit: &Unit<'a>,
        entries: &mut gimli::EntriesRaw<'_, Slice<'a>>,
    ) -> Result<Option<Die>> {
        let offset = section_offset(unit, entries.next_offset());
        let Some(abbrev) = entries.read_abbreviation().map_err(at(offset))? else { return Ok(None) };
        let mut die = Die::new(offset, abbrev.tag());
        for spec in abbrev.attributes() {
            let attr = entries.read_attribute(*spec).map_err(at(offset))?;
            self.set(unit, &mut die, &attr)?;
        }
        Ok(Some(die))
    }

    pub(super) fn set(&self, unit: &Unit<'a>, die: &mut Die, attr: &Attribute<Slice<'a>>) -> Result<()> {
        let value = attr.value();
        match attr.name() {
            gimli::DW_AT_name => die.name = self.string(unit, value),
            gimli::DW_AT_type => die.ty = reference(unit, value),
            gimli::DW_AT_abstract_origin => die.origin = reference(unit, value),
            gimli::DW_AT_low_pc => {
                die.address = self.gimli.attr_address(unit, value).map_err(at(die.offset))?;
            }
            gimli::DW_AT_location => {
                (die.address, die.frame) = (self.location(unit, value), frame_offset(unit, value));
            }
            gimli::DW_AT_byte_size => die.size = attr.udata_value(),
            gimli::DW_AT_data_member_location => die.member = self.member(unit, attr),
            gimli::DW_AT_count => die.count = attr.udata_value(),
            gimli::DW_AT_upper_bound => {
                die.count = die.count.or(attr.udata_value().and_then(|last| last.checked_add(1)));
            }
            gimli::DW_AT_encoding => die.encoding = attr.udata_value(),
            gimli::DW_AT_variable_parameter => die.result = flag(value),
            DW_AT_GO_KIND => die.kind = attr.udata_value(),
            DW_AT_GO_KEY => die.key = reference(unit, value),
            DW_AT_GO_ELEM => die.elem = reference(unit, value),
            DW_AT_GO_EMBEDDED_FIELD => die.embedded = flag(value),
            DW_AT_GO_RUNTIME_TYPE => die.rtype = address(value),
            DW_AT_GO_CLOSURE_OFFSET => die.closure = attr.udata_value(),
            _ => {}
        }
        Ok(())
    }

    fn string(&self, unit: &Unit<'a>, value: AttributeValue<Slice<'a>>) -> Option<String> {
        let bytes = self.gimli.attr_string(unit, value).ok()?.slice();
        (bytes.len() <= MAX_NAME).then(|| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The address of a variable that has one place for all its life.
    fn location(&self, unit: &Unit<'a>, value: AttributeValue<Slice<'a>>) -> Option<u64> {
        let AttributeValue::Exprloc(expression) = value else { return None };
        match expression.operations(unit.encoding()).next().ok()?? {
            gimli::Operation::Address { address } => Some(address),
            gimli::Operation::AddressIndex { index } => self.gimli.address(unit, index).ok(),
            _ => None,
        }
    }

    /// The offset of a field: a number, or up to 1.12 an expression that adds it.
    fn member(&self, unit: &Unit<'a>, attr: &Attribute<Slice<'a>>) -> u64 {
        let AttributeValue::Exprloc(expression) = attr.value() else {
            return attr.udata_value().unwrap_or(0);
        };
        let mut operations = expression.operations(unit.encoding());
        let mut offset = 0u64;
        while let Ok(Some(operation)) = operations.next() {
            match operation {
                gimli::Operation::PlusConstant { value } => offset = offset.wrapping_add(value),
                gimli::Operation::UnsignedConstant { value } => offset = value,
                _ => {}
            }
        }
        offset
    }
}

/// The offset in the caller's frame of a variable that is there for all its life.
fn frame_offset(unit: &Unit<'_>, value: AttributeValue<Slice<'_>>) -> Option<i64> {
    let AttributeValue::Exprloc(expression) = value else { return None };
    match expression.operations(unit.encoding()).next().ok()?? {
        gimli::Operation::CallFrameCFA => Some(0),
        gimli::Operation::FrameOffset { offset } => Some(offset),
        _ => None,
    }
}

fn flag(value: AttributeValue<Slice<'_>>) -> bool {
    value == AttributeValue::Flag(true)
}

fn address(value: AttributeValue<Slice<'_>>) -> u64 {
    match value {
        AttributeValue::Addr(address) => address,
        other => other.udata_value().unwrap_or(0),
    }
}

fn reference(unit: &Unit<'_>, value: AttributeValue<Slice<'_>>) -> Option<usize> {
    match value {
        AttributeValue::DebugInfoRef(DebugInfoOffset(offset)) => Some(offset),
        AttributeValue::UnitRef(offset) => Some(section_offset(unit, offset)),
        _ => None,
    }
}

/// The offset in `.debug_info` of an offset in a unit.
pub(super) fn section_offset(unit: &Unit<'_>, UnitOffset(inside): UnitOffset) -> usize {
    unit.header.debug_info_offset().map_or(0, |start| start.0).saturating_add(inside)
}

pub(super) fn unit_offset(unit: &Unit<'_>, offset: usize) -> Result<UnitOffset> {
    match DebugInfoOffset(offset).to_unit_offset(&unit.header) {
        Some(inside) => Ok(inside),
        None => malformed(offset, "outside its unit"),
    }
}

//! Types and package variables by name.

use std::collections::HashMap;

use gimli::{DwTag, Section};

use super::{Dwarf, Result, die::Die, malformed};

/// What has a name at the top of a Go unit.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Offsets in `.debug_info`.
    pub(super) types: HashMap<String, usize>,
    pub(super) variables: HashMap<String, Global>,
}

/// A package variable.
#[derive(Debug)]
pub(super) struct Global {
    /// Its address as the file says.
    pub(super) address: u64,
    /// The offset of its type in `.debug_info`.
    pub(super) ty: usize,
}

impl Dwarf<'_> {
    pub(super) fn read_names(&self) -> Result<Names> {
        let mut names = Names::default();
        // Go writes every name once, where it is used.
        let mut bytes_left = 2 * (self.gimli.debug_info.reader().len() + self.gimli.debug_str.reader().len());
        for entry in self.units()?.go() {
            let unit = self.open(entry)?;
            let mut entries = unit.entries_raw(None).map_err(super::at(0))?;
            while !entries.is_empty() {
                if entries.next_depth() != 1 {
                    self.skip(&unit, &mut entries)?;
                    continue;
                }
                let mut ahead = entries.clone();
                let wanted = self.skip(&unit, &mut ahead)?.is_some_and(is_named);
                if !wanted {
                    entries = ahead;
                } else if let Some(die) = self.next(&unit, &mut entries)? {
                    let len = die.name.as_ref().map_or(0, String::len);
                    let Some(left) = bytes_left.checked_sub(len) else {
                        return malformed(die.offset, "more names than there is text");
                    };
                    bytes_left = left;
                    names.add(die);
                }
            }
        }
        Ok(names)
    }
}

impl Names {
    fn add(&mut self, die: Die) {
        let Die { name: Some(name), tag, offset, address, ty, .. } = die else { return };
        if tag != gimli::DW_TAG_variable {
            self.types.entry(name).or_insert(offset);
        } else if let (Some(address), Some(ty)) = (address, ty) {
            self.variables.entry(name).or_insert(Global { address, ty });
        }
    }
}

fn is_named(tag: DwTag) -> bool {
    matches!(
        tag,
        gimli::DW_TAG_variable
            | gimli::DW_TAG_base_type
            | gimli::DW_TAG_structure_type
            | gimli::DW_TAG_array_type
            | gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_subroutine_type
            | gimli::DW_TAG_typedef
    )
}

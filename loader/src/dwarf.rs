//! Go's debug information: signatures of functions, types, package variables.
//!
//! The only user of gimli. Reads DWARF 2 to 5 as Go's compiler and linker write it, compressed or not, and
//! nothing that was not asked for: sections are inflated and units indexed on first use, one unit's functions
//! when one of them is looked up, lists of places when variables are. Lines and C's units are left out.
//!
//! An [`Index`] holds what was found so far and borrows nothing; a [`Dwarf`] is that index and the sections.

mod die;
mod func;
mod func_name;
mod names;
mod order;
mod placed;
mod section;
mod types;
mod unit;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock},
};

use gimli::{EndianSlice, LittleEndian};

use crate::error::DwarfError;
use crate::gotype::{Memo, Signature, Type};
use crate::layout::Span;
use crate::rtype::Rtypes;

use self::{names::Names, section::Inflated, unit::Units};

pub(crate) use func::dictionary_place;
pub use placed::{Located, Placed, Role, Spot};

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Unit<'a> = gimli::Unit<Slice<'a>>;

type Result<T> = std::result::Result<T, DwarfError>;

/// Where the image lies, which its debug information does not know.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// Address in the image minus address in the file.
    pub(crate) bias: u64,
    /// `moduledata.types` to `etypes`, in the image: `DW_AT_go_runtime_type` counts from the start.
    pub(crate) types: Option<Span>,
}

/// A package variable.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Its address in the image.
    pub address: u64,
    /// Its type.
    pub ty: Arc<Type>,
}

/// A variable of a function: a parameter, a result, a local one, or one that a closure captured.
#[derive(Clone, Debug, PartialEq)]
pub struct Local {
    /// Its name.
    pub name: String,
    /// Its type; of a variable that is kept by reference, the type of the pointer to it.
    pub ty: Arc<Type>,
    /// Whether what the function has is a pointer to the variable, because others share it.
    pub by_reference: bool,
    /// Of a captured variable: its offset in the closure (Go 1.23 and later).
    pub closure_offset: Option<u64>,
}

/// What debug information says of a function.
pub(crate) struct Written {
    pub(crate) signature: Signature,
    /// What may be wrong with it.
    pub(crate) doubt: Option<Doubt>,
}

/// What debug information may have wrong of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Results may be missing: one without a name that the body of a range-over-func loop returns is shared with
    /// the function that the body became, and not written (Go 1.23 and later).
    Results,
    /// Values without size may be in another order (up to Go 1.16).
    Order,
}

/// What was found in the debug information of one image so far.
#[derive(Debug)]
pub(crate) struct Index {
    place: Place,
    inflated: Inflated,
    places: OnceLock<Result<Inflated>>,
    units: OnceLock<Result<Units>>,
    funcs: Mutex<HashMap<usize, Arc<[func::Entry]>>>,
    names: OnceLock<Result<Names>>,
    types: Memo,
}

impl Index {
    /// Starts an index: inflates the compressed ones of the sections that `section` gives by name. `None` if
    /// there is no debug information.
    pub(crate) fn new<'a>(section: impl Fn(&str) -> Option<&'a [u8]>, place: Place) -> Result<Option<Self>> {
        let inflated = Inflated::new(&section::WANTED, &section)?;
        if section(".debug_info").is_none() && !inflated.has(".debug_info") {
            return Ok(None);
        }
        Ok(Some(Self {
            place,
            inflated,
            places: OnceLock::new(),
            units: OnceLock::new(),
            funcs: Mutex::default(),
            names: OnceLock::new(),
            types: Memo::default(),
        }))
    }
}

impl Index {
    /// The type at this offset of `.debug_info`, if it was asked for before.
    pub(crate) fn known_type(&self, offset: usize) -> Option<Arc<Type>> {
        self.types.known(offset as u64)
    }
}

/// Debug information: an index, and the sections it was made of.
pub(crate) struct Dwarf<'a> {
    index: &'a Index,
    gimli: gimli::Dwarf<Slice<'a>>,
    /// What the runtime knows of the same types.
    rtypes: Option<Rtypes<'a>>,
}

impl<'a> Dwarf<'a> {
    /// Puts an index and the sections that it was made of together again.
    pub(crate) fn new(
        index: &'a Index,
        section: impl Fn(&str) -> Option<&'a [u8]>,
        rtypes: Option<Rtypes<'a>>,
    ) -> Self {
        Self { index, gimli: index.inflated.sections(section), rtypes }
    }

    /// The same with the lists that tell where variables are.
    pub(crate) fn with_places(mut self, section: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Self> {
        let places = self.index.places.get_or_init(|| Inflated::new(&section::PLACES, &section));
        self.gimli.locations = places.as_ref().map_err(Clone::clone)?.lists(section);
        Ok(self)
    }

    /// The signature of the function with this entry point. `None` if no function starts there.
    ///
    /// It can miss parameters: functions in assembly have none here, and up to 1.21 those that the source gives
    /// no name (or `_`), and what compiler-made wrappers take, are not written.
    pub(crate) fn signature_at(&self, entry: u64) -> Result<Option<Written>> {
        let entry = entry.wrapping_sub(self.index.place.bias);
        let Some(known) = self.units()?.at_address(entry) else { return Ok(None) };
        let unit = self.open(known)?;
        match self.func_at(&unit, entry)? {
            Some(die) => self.signature(&unit, die, known.compiler).map(Some),
            None => Ok(None),
        }
    }

    /// The variables of the function with this entry point, those in inner blocks left out: optimised code may
    /// have lost some.
    pub(crate) fn locals_at(&self, entry: u64) -> Result<Vec<Local>> {
        let entry = entry.wrapping_sub(self.index.place.bias);
        let Some(known) = self.units()?.at_address(entry) else { return Ok(Vec::new()) };
        let unit = self.open(known)?;
        match self.func_at(&unit, entry)? {
            Some(die) => self.locals(&unit, die),
            None => Ok(Vec::new()),
        }
    }

    /// The type at this offset of `.debug_info`, as [`TypeRef::Dwarf`](crate::TypeRef::Dwarf) holds it.
    pub(crate) fn type_at(&self, offset: usize) -> Result<Arc<Type>> {
        self.build(offset)
    }

    /// The type with this name, as the linker writes it: `main.Point`, `[]encoding/json.Token`, `*int`.
    pub(crate) fn type_named(&self, name: &str) -> Result<Option<Arc<Type>>> {
        self.names()?.types.get(name).map(|&offset| self.build(offset)).transpose()
    }

    /// The package variable with this name: `main.Global`, `encoding/json.textUnmarshalerType`.
    pub(crate) fn variable(&self, name: &str) -> Result<Option<Variable>> {
        let Some(found) = self.names()?.variables.get(name) else { return Ok(None) };
        let address = found.address.wrapping_add(self.index.place.bias);
        Ok(Some(Variable { address, ty: self.build(found.ty)? }))
    }

    fn units(&self) -> Result<&'a Units> {
        self.index.units.get_or_init(|| Units::read(&self.gimli)).as_ref().map_err(Clone::clone)
    }

    fn names(&self) -> Result<&'a Names> {
        self.index.names.get_or_init(|| self.read_names()).as_ref().map_err(Clone::clone)
    }
}

fn malformed<T>(offset: usize, what: &'static str) -> Result<T> {
    Err(DwarfError::Malformed { offset, what })
}

/// For `map_err`: says where in `.debug_info` gimli's error happened.
fn at(offset: usize) -> impl Fn(gimli::Error) -> DwarfError {
    move |error| DwarfError::Read { offset, what: error.to_string() }
}

#[cfg(test)]
mod tests;

//! Where the variables of a function are while it is at an address: location expressions and lists, as Go's compiler writes
//! them.

use std::sync::Arc;

use gimli::{Attribute, AttributeValue, Expression, Operation};

use super::die::{Die, section_offset, unit_offset};
use super::func::source_name;
use super::{Dwarf, Result, Slice, Unit, at, malformed};
use crate::gotype::Type;

/// Entries of one function, and entries of all lists of places, that are looked at.
const MAX_ENTRIES: usize = 1 << 16;
/// Pieces of one variable.
const MAX_PIECES: usize = 1 << 10;

/// A variable of a function that is at some address.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Its name.
    pub name: String,
    /// Its type; of a variable that is kept by reference, the type of the pointer to it.
    pub ty: Arc<Type>,
    /// Whether what the function has is a pointer to the variable, because others share it.
    pub by_reference: bool,
    /// What it is.
    pub role: Role,
    /// How many inlined calls it is inside of: 0 for the function's own.
    pub inlined: usize,
    /// The line that declares it, of a variable that has one place for all its life, also before.
    pub line: Option<u32>,
    /// Where it is, piece by piece; empty where it is nowhere, because the compiler has optimised it away here.
    pub pieces: Vec<Located>,
}

/// What a variable is to its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A parameter.
    Parameter,
    /// A result.
    Result,
    /// Another variable.
    Local,
}

/// Where a piece of a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The place.
    pub spot: Spot,
    /// Its bytes; `None` where it is the whole variable.
    pub size: Option<u64>,
}

/// A place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spot {
    /// A register, by DWARF's number: 0 to 15 general ones (AX, DX, CX, BX, SI, DI, BP, SP, R8, ..), 17 to 32 X0 to X15.
    Register(u16),
    /// Memory, so far from the end of the frame, where the arguments begin.
    Frame(i64),
    /// Memory at this address of the image.
    Memory(u64),
    /// It is a constant.
    Constant(Vec<u8>),
    /// Nowhere, or nowhere that is understood.
    Nowhere,
}

/// The place that the operations so far amount to, and numbers that wait for their use.
#[derive(Default)]
struct Machine {
    spot: Option<Spot>,
    number: Option<i64>,
}

/// An entry and what it says beside [`Die`].
struct Scoped<'a> {
    die: Die,
    low: Option<u64>,
    high: Option<AttributeValue<Slice<'a>>>,
    ranges: Option<AttributeValue<Slice<'a>>>,
    location: Option<AttributeValue<Slice<'a>>>,
    line: Option<u32>,
}

impl<'a> Dwarf<'a> {
    /// The variables of the function with this entry point that there are at an address of it.
    pub(crate) fn placed_at(&self, entry: u64, pc: u64) -> Result<Vec<Placed>> {
        let bias = self.index.place.bias;
        let (entry, pc) = (entry.wrapping_sub(bias), pc.wrapping_sub(bias));
        let Some(known) = self.units()?.at_address(entry) else { return Ok(Vec::new()) };
        let unit = self.open(known)?;
        match self.func_at(&unit, entry)? {
            Some(offset) => self.placed(&unit, offset, pc),
            None => Ok(Vec::new()),
        }
    }

    fn placed(&self, unit: &Unit<'a>, offset: usize, pc: u64) -> Result<Vec<Placed>> {
        let mut entries = unit.entries_raw(Some(unit_offset(unit, offset)?)).map_err(at(offset))?;
        self.skip(unit, &mut entries)?;
        let (mut found, mut budget) = (Vec::new(), MAX_ENTRIES);
        // The scope that PC is not in, and the inlined calls that it is in, by depth.
        let (mut outside, mut inlined) = (None, Vec::new());
        while entries.next_depth() > 0 && !entries.is_empty() {
            budget = budget.checked_sub(1).map_or_else(|| malformed(offset, "too many parts"), Ok)?;
            let depth = entries.next_depth();
            if outside.is_some_and(|outside| depth > outside) {
                self.skip(unit, &mut entries)?;
                continue;
            }
            (outside, _) = (None, inlined.retain(|inline| *inline < depth));
            let Some(scoped) = self.scoped(unit, &mut entries)? else { continue };
            match scoped.die.tag {
                gimli::DW_TAG_lexical_block | gimli::DW_TAG_inlined_subroutine => {
                    if !self.is_inside(unit, &scoped, pc)? {
                        outside = Some(depth);
                    } else if scoped.die.tag == gimli::DW_TAG_inlined_subroutine {
                        inlined.push(depth);
                    }
                }
                gimli::DW_TAG_formal_parameter | gimli::DW_TAG_variable => {
                    found.extend(self.place_of(unit, scoped, pc, inlined.len(), &mut budget)?);
                }
                // What else has parts has none that are variables of this function.
                _ => outside = Some(depth),
            }
        }
        Ok(found)
    }

    fn scoped(
        &self,
        unit: &Unit<'a>,
        entries: &mut gimli::EntriesRaw<'_, Slice<'a>>,
    ) -> Result<Option<Scoped<'a>>> {
        let offset = section_offset(unit, entries.next_offset());
        let Some(abbrev) = entries.read_abbreviation().map_err(at(offset))? else { return Ok(None) };
        let die = Die::new(offset, abbrev.tag());
        let mut scoped = Scoped { die, low: None, high: None, ranges: None, location: None, line: None };
        for spec in abbrev.attributes() {
            let attr: Attribute<Slice<'a>> = entries.read_attribute(*spec).map_err(at(offset))?;
            match attr.name() {
                gimli::DW_AT_low_pc => {
                    scoped.low = self.gimli.attr_address(unit, attr.value()).map_err(at(offset))?;
                }
                gimli::DW_AT_high_pc => scoped.high = Some(attr.value()),
                gimli::DW_AT_ranges => scoped.ranges = Some(attr.value()),
                gimli::DW_AT_location => scoped.location = Some(attr.value()),
                gimli::DW_AT_decl_line => {
                    scoped.line = attr.udata_value().and_then(|line| u32::try_from(line).ok());
                }
                _ => self.set(unit, &mut scoped.die, &attr)?,
            }
        }
        Ok(Some(scoped))
    }

    fn is_inside(&self, unit: &Unit<'a>, scoped: &Scoped<'a>, pc: u64) -> Result<bool> {
        let err = at(scoped.die.offset);
        if let Some(ranges) = scoped.ranges
            && let Some(mut ranges) = self.gimli.attr_ranges(unit, ranges).map_err(&err)?
        {
            for _ in 0..MAX_ENTRIES {
                match ranges.next().map_err(&err)? {
                    Some(range) if (range.begin..range.end).contains(&pc) => return Ok(true),
                    Some(_) => {}
                    None => return Ok(false),
                }
            }
            return malformed(scoped.die.offset, "a scope with too many ranges");
        }
        let (Some(low), Some(high)) = (scoped.low, scoped.high) else { return Ok(false) };
        let end = match self.gimli.attr_address(unit, high).map_err(&err)? {
            Some(end) => end,
            None => low.saturating_add(high.udata_value().unwrap_or(0)),
        };
        Ok((low..end).contains(&pc))
    }

    fn place_of(
        &self,
        unit: &Unit<'a>,
        scoped: Scoped<'a>,
        pc: u64,
        inlined: usize,
        budget: &mut usize,
    ) -> Result<Option<Placed>> {
        let Scoped { die, location, line, .. } = scoped;
        let pieces = match location {
            None => Vec::new(),
            Some(AttributeValue::Exprloc(expression)) => self.pieces(unit, expression),
            Some(list) => self.pieces_at(unit, die.offset, list, pc, budget)?,
        };
        let is_variable = die.tag == gimli::DW_TAG_variable;
        let fixed = matches!(location, Some(AttributeValue::Exprloc(_)));
        let own = (die.result, line);
        let (origin, origin_line) = match die.origin {
            Some(offset) => self.declared(offset)?,
            None => (die, None),
        };
        let name = origin.name.as_deref().unwrap_or_default();
        let source = source_name(name);
        let (Some(ty), false) = (origin.ty, matches!(source.as_str(), "" | "_" | ".dict")) else {
            return Ok(None);
        };
        let role = match (is_variable, own.0 || origin.result) {
            (_, true) => Role::Result,
            (false, false) => Role::Parameter,
            (true, false) => Role::Local,
        };
        let line = own.1.or(origin_line).filter(|_| fixed && role == Role::Local);
        let by_reference = name.starts_with('&');
        let ty = self.build(ty)?;
        Ok(Some(Placed { name: source, ty, by_reference, role, inlined, line, pieces }))
    }

    /// What an entry's copies share, and the line that declares it.
    fn declared(&self, offset: usize) -> Result<(Die, Option<u32>)> {
        let unit = self.open_at(offset)?;
        let mut entries = unit.entries_raw(Some(unit_offset(&unit, offset)?)).map_err(at(offset))?;
        match self.scoped(&unit, &mut entries)? {
            Some(scoped) => Ok((scoped.die, scoped.line)),
            None => malformed(offset, "no entry here"),
        }
    }

    /// The pieces that a list of places has for an address.
    fn pieces_at(
        &self,
        unit: &Unit<'a>,
        offset: usize,
        list: AttributeValue<Slice<'a>>,
        pc: u64,
        budget: &mut usize,
    ) -> Result<Vec<Located>> {
        let Some(mut list) = self.gimli.attr_locations(unit, list).map_err(at(offset))? else {
            return Ok(Vec::new());
        };
        while let Some(entry) = list.next().map_err(at(offset))? {
            *budget = budget.checked_sub(1).map_or_else(|| malformed(offset, "too many places"), Ok)?;
            if (entry.range.begin..entry.range.end).contains(&pc) {
                return Ok(self.pieces(unit, entry.data));
            }
        }
        Ok(Vec::new())
    }

    /// What an expression says. What is not understood is nowhere.
    fn pieces(&self, unit: &Unit<'a>, expression: Expression<Slice<'a>>) -> Vec<Located> {
        let (mut pieces, mut machine) = (Vec::new(), Machine::default());
        let mut operations = expression.operations(unit.encoding());
        loop {
            match operations.next() {
                Ok(None) => break,
                Ok(Some(Operation::Piece { size_in_bits, bit_offset: None })) if size_in_bits % 8 == 0 => {
                    let spot = std::mem::take(&mut machine).spot.unwrap_or(Spot::Nowhere);
                    pieces.push(Located { spot, size: Some(size_in_bits / 8) });
                }
                Ok(Some(operation)) => self.carry_out(unit, &mut machine, operation),
                Err(_) => return vec![Located { spot: Spot::Nowhere, size: None }],
            }
            if pieces.len() > MAX_PIECES {
                return vec![Located { spot: Spot::Nowhere, size: None }];
            }
        }
        pieces.extend(machine.spot.map(|spot| Located { spot, size: None }));
        // All of it nowhere is what an empty expression says, too.
        if pieces.iter().all(|piece| piece.spot == Spot::Nowhere && piece.size.is_some()) {
            pieces.clear();
        }
        pieces
    }

    fn carry_out(&self, unit: &Unit<'a>, machine: &mut Machine, operation: Operation<Slice<'a>>) {
        let bias = self.index.place.bias;
        let spot = match operation {
            Operation::CallFrameCFA => Spot::Frame(0),
            Operation::FrameOffset { offset } => Spot::Frame(offset),
            Operation::Register { register } => Spot::Register(register.0),
            Operation::Address { address } => Spot::Memory(address.wrapping_add(bias)),
            Operation::AddressIndex { index } => match self.gimli.address(unit, index) {
                Ok(address) => Spot::Memory(address.wrapping_add(bias)),
                Err(_) => Spot::Nowhere,
            },
            Operation::ImplicitValue { data } => Spot::Constant(data.slice().to_vec()),
            Operation::PlusConstant { value } => machine.moved(value.cast_signed()),
            Operation::Plus => {
                let number = machine.number.take();
                number.map_or(Spot::Nowhere, |number| machine.moved(number))
            }
            Operation::SignedConstant { value } => return machine.number = Some(value),
            Operation::UnsignedConstant { value } => return machine.number = Some(value.cast_signed()),
            Operation::Nop => return,
            _ => Spot::Nowhere,
        };
        machine.spot = Some(spot);
    }
}

impl Machine {
    /// The place so far from this one.
    fn moved(&mut self, by: i64) -> Spot {
        match self.spot.take() {
            Some(Spot::Frame(offset)) => Spot::Frame(offset.wrapping_add(by)),
            Some(Spot::Memory(address)) => Spot::Memory(address.wrapping_add_signed(by)),
            _ => Spot::Nowhere,
        }
    }
}

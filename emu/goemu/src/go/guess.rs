//! What a function may take and give, where nothing in the file says it: a guess, to be labelled as one.
//!
//! Since Go 1.17 the sizes of arguments are noted for tracebacks, and a function that may need more stack first
//! saves the registers that its arguments came in: together these tell where every part of every argument is, and
//! whether it is a floating-point number. What the parts mean is not known: two words may be a string or an
//! interface. Functions that save nothing, and all code before, tell by what they read before they write it.
//!
//! Of results there is no trace but the code that sets them.

mod callees;
mod callers;
mod error;
mod fit;
mod flow;
mod guesser;
mod looks;
mod memory;
mod notes;
mod pointers;
mod results;
mod shapes;
mod trail;
mod typed;
mod votes;
mod word;

use std::collections::BTreeMap;
use std::fmt;

use goemu_loader::{Abi, Func, Image};

use crate::go::abi::{FLOAT_REGS, INT_REGS, Place};
use crate::go::frame::Frame;
use crate::go::generic;
use crate::outcome::Returned;
use flow::{Flow, study};
use notes::{Part, noted};

pub use error::GuessError;
pub use guesser::{Guesser, guess_types};
pub use looks::{Look, looks};
pub use typed::{GuessedType, TypedGuess};

/// Parts that are tried as floating-point numbers and as others.
const MAX_PARTS: usize = 12;

/// What a function seems to take and give.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Guess {
    /// The parameters, receiver first.
    pub params: Vec<GuessedParam>,
    /// Integer registers that may be results.
    pub result_ints: usize,
    /// Floating-point registers that may be results.
    pub result_floats: usize,
    /// The words of the stack that may be results, by offset from the first argument slot.
    pub result_words: Vec<u64>,
    /// Bytes of the block above the return address.
    pub block: u64,
    /// The dictionary of a generic function: which parameter it is, and its address if that is known. Callers do not give it.
    pub dictionary: Option<(usize, Option<u64>)>,
}

/// One parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuessedParam {
    /// The numbers and pointers that it consists of.
    pub parts: Vec<GuessedPart>,
}

/// A number or a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuessedPart {
    /// Its size in bytes: 1, 2, 4 or 8.
    pub size: u64,
    /// Whether it is a floating-point number.
    pub float: bool,
    /// Where it is.
    pub place: Place,
    /// Where it is kept when registers are needed for others, by offset from the first argument slot: as far as that is noted.
    pub slot: Option<u64>,
}

/// Guesses what `func` takes and gives.
#[must_use]
pub fn guess(image: &Image, func: &Func<'_>) -> Guess {
    let flow = study(image, func);
    let args = u64::from(func.args_size().unwrap_or(0)).next_multiple_of(8);
    let in_registers = func.abi() == Abi::Internal;
    let noted = noted(func);
    let known = noted.is_some() || image.facts().funcdata.arg_info.is_some() && !func.is_asm();
    let params = if known {
        from_notes(func, noted.unwrap_or_default(), &flow, in_registers)
    } else if in_registers {
        from_registers(&flow)
    } else {
        from_stack(&flow)
    };
    let end =
        params.iter().flat_map(|param| &param.parts).filter_map(GuessedPart::stack_end).max().unwrap_or(0);
    let results = if in_registers { 0..0 } else { end.next_multiple_of(8)..args };
    Guess {
        params,
        result_ints: if in_registers { flow.result_ints.max(1) } else { 0 },
        result_floats: if in_registers { flow.result_floats } else { 0 },
        result_words: results.step_by(8).collect(),
        block: args.max(end).next_multiple_of(8),
        dictionary: func.dictionary_place().map(|place| (place, None)),
    }
}

/// The same for a function by the name that a user gave it, whose type arguments tell the dictionary.
#[must_use]
pub fn guess_named(image: &Image, func: &Func<'_>, name: &str) -> Guess {
    let mut guess = guess(image, func);
    if let Some((place, known)) = &mut guess.dictionary
        && let Some([GuessedPart { place: Place::Int(register), .. }]) =
            guess.params.get(*place).map(|param| &param.parts[..])
    {
        *known = generic::dictionary(image, func, name, usize::from(*register)).ok();
    }
    guess
}

/// The parameters that are noted for tracebacks, and those parts that are saved and were not noted.
fn from_notes(
    func: &Func<'_>,
    mut args: Vec<Vec<Part>>,
    flow: &Flow,
    in_registers: bool,
) -> Vec<GuessedParam> {
    // The dictionary of a generic function is not noted, nor is anything first in a function with such a name.
    if func.name().contains('[') {
        args.insert(0, vec![Part { offset: 0, size: 8 }]);
    }
    let noted = |offset: &u64| args.iter().flatten().any(|part| part.offset == *offset);
    let others = flow.spills.iter().filter(|(offset, _)| !noted(offset));
    let others: Vec<_> =
        others.map(|(offset, spill)| vec![Part { offset: *offset, size: spill.size }]).collect();
    args.extend(others);
    args.retain(|arg| !arg.is_empty());
    let places = if !flow.spills.is_empty() {
        saved(flow)
    } else if in_registers {
        read(&args, flow)
    } else {
        BTreeMap::new()
    };
    let part = |part: &Part| {
        let place = places.get(&part.offset).copied().unwrap_or(Place::Stack(part.offset));
        let float = flow.stack.get(&part.offset).is_some_and(|access| access.float);
        GuessedPart {
            float: float || matches!(place, Place::Float(_)),
            slot: Some(part.offset),
            ..GuessedPart::new(part.size, place)
        }
    };
    args.iter().map(|arg| GuessedParam { parts: arg.iter().map(part).collect() }).collect()
}

/// Registers by the slots that they are saved in. What is not saved is on the stack.
fn saved(flow: &Flow) -> BTreeMap<u64, Place> {
    flow.spills.iter().map(|(offset, spill)| (*offset, spill.register)).collect()
}

/// Registers by slots, by which registers are read: floating-point numbers are those parts that have the sizes of what
/// is read of such registers, rather single parts than parts of something.
fn read(args: &[Vec<Part>], flow: &Flow) -> BTreeMap<u64, Place> {
    let on_stack = |part: &Part| flow.stack.contains_key(&part.offset);
    let in_registers = args.iter().filter(|arg| !arg.iter().any(on_stack));
    let parts: Vec<(Part, bool)> =
        in_registers.flat_map(|arg| arg.iter().map(|part| (*part, arg.len() == 1))).take(MAX_PARTS).collect();
    let floats = best_floats(&parts, &flow.read_floats);
    let (mut ints, mut vectors) = (0, 0);
    let mut places = BTreeMap::new();
    for (index, (part, _)) in parts.iter().enumerate() {
        let float = floats >> index & 1 != 0;
        let (next, most) = if float { (&mut vectors, FLOAT_REGS) } else { (&mut ints, INT_REGS) };
        let n = *next;
        *next += 1;
        if usize::from(n) < most {
            places.insert(part.offset, if float { Place::Float(n) } else { Place::Int(n) });
        }
    }
    places
}

/// Which parts are floating-point numbers, a bit each: as many as are read, of those sizes in that order.
fn best_floats(parts: &[(Part, bool)], sizes: &[u64]) -> u32 {
    let fits = |set: &u32| {
        let chosen = parts.iter().enumerate().filter(|(index, _)| set >> index & 1 != 0);
        set.count_ones() as usize == sizes.len()
            && chosen
                .zip(sizes)
                .all(|((_, (part, _)), size)| part.size == *size || *size == 0 && part.size >= 4)
    };
    let alone = |set: &u32| {
        parts.iter().enumerate().filter(|(index, (_, alone))| *alone && set >> index & 1 != 0).count()
    };
    (0..1u32 << parts.len()).filter(fits).max_by_key(alone).unwrap_or(0)
}

/// Up to the last register that is read, word by word.
fn from_registers(flow: &Flow) -> Vec<GuessedParam> {
    let ints = (0..flow.read_ints).map(Place::Int);
    let floats = flow.read_floats.iter().zip(0..).map(|(_, n)| Place::Float(n));
    ints.chain(floats).map(|place| GuessedParam { parts: vec![GuessedPart::new(8, place)] }).collect()
}

/// Up to the last place on the stack that is read before it is written; words between that are not read as well.
fn from_stack(flow: &Flow) -> Vec<GuessedParam> {
    let mut params = Vec::new();
    let mut next = 0;
    for (&offset, access) in &flow.stack {
        while next + 8 <= offset {
            params.push(GuessedPart::new(8, Place::Stack(next)));
            next = (next + 8) & !7;
        }
        // A part of what was there already, read again.
        if offset < next || !matches!(access.size, 1 | 2 | 4 | 8) {
            continue;
        }
        params
            .push(GuessedPart { float: access.float, ..GuessedPart::new(access.size, Place::Stack(offset)) });
        next = offset + access.size;
    }
    params.into_iter().map(|part| GuessedParam { parts: vec![part] }).collect()
}

impl Guess {
    /// The address of the dictionary that is the parameter of this number.
    fn known_dictionary(&self, param: usize) -> Option<u64> {
        self.dictionary.filter(|(place, _)| *place == param)?.1
    }

    /// What the places of the guessed results hold.
    pub(crate) fn results(&self, frame: &Frame) -> Returned {
        let word = |offset: &u64| {
            let bytes = usize::try_from(*offset).ok().and_then(|at| frame.stack.get(at..)?.first_chunk());
            (*offset, bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes)))
        };
        Returned::Registers {
            ints: frame.ints.iter().take(self.result_ints).copied().collect(),
            floats: frame.floats.iter().take(self.result_floats).copied().collect(),
            stack: self.result_words.iter().map(word).collect(),
        }
    }
}

impl GuessedPart {
    fn new(size: u64, place: Place) -> GuessedPart {
        GuessedPart { size, float: matches!(place, Place::Float(_)), place, slot: None }
    }

    /// Where it ends, if it is on the stack.
    fn stack_end(&self) -> Option<u64> {
        match self.place {
            Place::Stack(offset) => offset.checked_add(self.size),
            _ => None,
        }
    }

    /// The type that is made of it.
    fn type_name(&self) -> String {
        let word = if self.float && self.size >= 4 { "float" } else { "uint" };
        format!("{word}{}", 8 * self.size)
    }
}

impl fmt::Display for Guess {
    /// `func(uint64, {uint64 uint64}, float64)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |part: &GuessedPart| part.type_name();
        let param = |param: &GuessedParam| match &param.parts[..] {
            [only] => part(only),
            parts => format!("{{{}}}", parts.iter().map(part).collect::<Vec<_>>().join(" ")),
        };
        let given =
            self.params.iter().enumerate().filter(|(place, _)| self.known_dictionary(*place).is_none());
        let params: Vec<_> = given.map(|(_, given)| param(given)).collect();
        write!(f, "func({})", params.join(", "))
    }
}

//! Calls whose types are known at run time only, the short way: numbers, text and bytes in, the same and errors that are
//! nil out, without [`Value`](crate::Value)s or a report. Other languages call functions of Go through it.
//!
//! ```no_run
//! use goemu::prepared::{Given, Got};
//! use goemu::{Image, Machine};
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! let add = machine.function("main.add", None)?.prepared(&**machine.image()).expect("numbers only");
//! let results = add.call(&mut machine, &[Given::Bits(40), Given::Bits(2)])?;
//! assert_eq!(results.as_deref(), Some(&[Got::Bits(42)][..]));
//! # Ok::<(), goemu::Error>(())
//! ```

use std::sync::Arc;

use goemu_loader::{Kind, Type};
use smallvec::SmallVec;

use crate::call::function::Function;
use crate::call::invoke;
use crate::call::place::MachineHeap;
use crate::error::Error;
use crate::go::abi::{Piece, Place};
use crate::go::guest::{GuestHeap, Types};
use crate::go::read::is_byte;
use crate::go::write::{Problem, ValueError};
use crate::machine::Machine;

/// Bytes of a result that are read the short way.
const MOST: u64 = 16 << 20;
/// Arguments, and results, of a function that is called the short way.
const MOST_SLOTS: usize = 16;

/// What an argument or a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// `bool`: bit 0.
    Bool,
    /// A signed integer of so many bytes.
    Int(u8),
    /// An unsigned integer of so many bytes.
    Uint(u8),
    /// `float32`: its bits.
    Float32,
    /// `float64`: its bits.
    Float64,
    /// A string.
    String,
    /// A slice of bytes.
    Bytes,
    /// An interface, such as an `error`: only results, and only nil.
    Interface,
}

/// An argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given<'a> {
    /// The low bits of a number.
    Bits(u64),
    /// A string or a slice of bytes.
    Bytes(&'a [u8]),
    /// A slice that is nil.
    Nil,
}

/// A result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// A number; what is above its size is 0, or its sign.
    Bits(u64),
    /// A string or a slice of bytes.
    Bytes(Vec<u8>),
    /// A nil.
    Nil,
}

/// The results of a call.
pub type Results = SmallVec<[Got; 2]>;

/// A function that takes and gives nothing but what [`Slot`] has. [`Function::prepared`] gives it.
#[derive(Clone, Debug)]
pub struct Prepared {
    entry: u64,
    block: u64,
    params: Vec<(Slot, SmallVec<[Piece; 3]>)>,
    results: Vec<(Slot, SmallVec<[Piece; 3]>)>,
}

impl Function {
    /// The function, to be called the short way. `None` where it takes or gives something that [`Slot`] does not have, or
    /// needs more than its arguments (captured variables, a dictionary).
    pub fn prepared(&self, types: &dyn Types) -> Option<Prepared> {
        let (signature, places, block) = self.plain()?;
        let all = |params: &[goemu_loader::Param], places: &[Vec<Piece>], results| {
            let slots = params.iter().zip(places).map(|(param, pieces)| {
                let slot = slot(&param.ty, types).filter(|slot| results || *slot != Slot::Interface)?;
                let words = match slot {
                    Slot::String | Slot::Interface => 2,
                    Slot::Bytes => 3,
                    _ => 1,
                };
                let whole = whole(pieces, words)?;
                Some((slot, whole))
            });
            slots.collect::<Option<Vec<_>>>().filter(|slots| slots.len() <= MOST_SLOTS)
        };
        let params = all(&signature.params, &places.params, false)?;
        let results = all(&signature.results, &places.results, true)?;
        Some(Prepared { entry: self.entry(), block, params, results })
    }
}

/// The pieces of a value of so many words: one for each.
fn whole(pieces: &[Piece], words: usize) -> Option<SmallVec<[Piece; 3]>> {
    if let ([only @ Piece { place: Place::Stack(at), .. }], 2..) = (pieces, words) {
        let word = |n: usize| {
            let offset = 8 * n as u64;
            Some(Piece { offset, size: 8, place: Place::Stack(at.checked_add(offset)?) })
        };
        return (0..words).map(word).collect::<Option<_>>().filter(|_| only.size == 8 * words as u64);
    }
    let fits = pieces.len() == words && pieces.iter().all(|piece| (1..=8).contains(&piece.size));
    fits.then(|| pieces.iter().copied().collect())
}

fn slot(ty: &Type, types: &dyn Types) -> Option<Slot> {
    let size = u8::try_from(ty.size).ok();
    match &ty.kind {
        Kind::Bool => Some(Slot::Bool),
        Kind::Int => size.map(Slot::Int),
        Kind::Uint | Kind::Uintptr => size.map(Slot::Uint),
        Kind::Float if ty.size == 4 => Some(Slot::Float32),
        Kind::Float => Some(Slot::Float64),
        Kind::String => Some(Slot::String),
        Kind::Slice(elem) => {
            let elem: Arc<Type> = types.resolve(elem).ok()?;
            is_byte(&elem).then_some(Slot::Bytes)
        }
        Kind::Interface { .. } => Some(Slot::Interface),
        _ => None,
    }
}

impl Prepared {
    /// What it takes.
    pub fn params(&self) -> impl ExactSizeIterator<Item = Slot> {
        self.params.iter().map(|(slot, _)| *slot)
    }

    /// What it gives.
    pub fn results(&self) -> impl ExactSizeIterator<Item = Slot> {
        self.results.iter().map(|(slot, _)| *slot)
    }

    /// Calls it from the machine's starting state. `None` where the call is not for the short way: it does not return,
    /// somebody watches, a result is an error. [`Function::call`] then tells why; it is the same run.
    ///
    /// # Errors
    /// When the arguments are not as many as [`Prepared::params`].
    pub fn call(&self, machine: &mut Machine, args: &[Given<'_>]) -> Result<Option<Results>, Error> {
        if args.len() != self.params.len() {
            let signature = format!("a function of {}", self.params.len());
            let problem = Problem::Arguments { got: args.len(), signature };
            return Err(Error::Argument(ValueError::from(problem)));
        }
        if !machine.is_plain(self.entry) {
            return Ok(None);
        }
        // The long way says what an error is.
        Ok(machine.serve_plain(|machine| self.run(machine, args)))
    }

    fn run(&self, machine: &mut Machine, args: &[Given<'_>]) -> Option<Results> {
        let mut fuel = i64::try_from(machine.config().fuel).unwrap_or(i64::MAX);
        machine.reset().ok()?;
        let mut given: SmallVec<[[u64; 3]; 8]> = SmallVec::new();
        for ((slot, _), arg) in self.params.iter().zip(args) {
            given.push(words(machine, *slot, arg)?);
        }
        let pieces = self.params.iter().zip(&given);
        let placed = pieces.flat_map(|((_, pieces), words)| pieces.iter().zip(words.iter().copied()));
        invoke::enter_with(machine, self.entry, self.block, placed)?;
        if !machine.run_short(&mut fuel, &mut None).ok()? {
            return None;
        }
        self.results.iter().map(|(slot, pieces)| got(machine, *slot, pieces)).collect()
    }
}

/// The words that an argument is; what it refers to is placed in the guest. `None` where it is of another kind, or there is no room.
#[inline]
fn words(machine: &mut Machine, slot: Slot, arg: &Given<'_>) -> Option<[u64; 3]> {
    match (slot, arg) {
        (Slot::Bytes, Given::Nil) => Some([0; 3]),
        (Slot::String, Given::Bytes([])) => Some([0; 3]),
        (Slot::String | Slot::Bytes, Given::Bytes(bytes)) => {
            let mut heap = MachineHeap::new(machine);
            let len = bytes.len() as u64;
            let addr = heap.alloc(len.max(1), 1).ok()?;
            heap.write(addr, bytes).ok()?;
            Some([addr, len, len])
        }
        (Slot::String | Slot::Bytes | Slot::Interface, _) | (_, Given::Bytes(_) | Given::Nil) => None,
        (_, Given::Bits(bits)) => Some([*bits, 0, 0]),
    }
}

/// A result of a call that has returned.
#[inline]
fn got(machine: &Machine, slot: Slot, pieces: &[Piece]) -> Option<Got> {
    let word = |n: usize| invoke::number(machine, pieces.get(n)?);
    Some(match slot {
        Slot::Bool => Got::Bits(word(0)? & 1),
        Slot::Int(size @ 1..=8) => {
            let shift = 64 - 8 * u32::from(size);
            Got::Bits(((word(0)? << shift) as i64 >> shift) as u64)
        }
        Slot::Uint(size @ 1..=8) => {
            let shift = 64 - 8 * u32::from(size);
            Got::Bits(word(0)? << shift >> shift)
        }
        Slot::Float32 => Got::Bits(word(0)? & 0xffff_ffff),
        Slot::Float64 => Got::Bits(word(0)?),
        Slot::String => Got::Bytes(read(machine, word(0)?, word(1)?)?),
        Slot::Bytes if word(0)? == 0 => Got::Nil,
        Slot::Bytes => Got::Bytes(read(machine, word(0)?, word(1)?)?),
        Slot::Interface if word(0)? == 0 => Got::Nil,
        Slot::Interface | Slot::Int(_) | Slot::Uint(_) => return None,
    })
}

fn read(machine: &Machine, addr: u64, len: u64) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).ok().filter(|_| len <= MOST)?];
    if len > 0 {
        machine.guest.memory.read_bytes(addr, &mut bytes).ok()?;
    }
    Some(bytes)
}

//! The variables of a call that is under way, by debug information: their values, or why there are none.

use std::fmt;
use std::sync::Arc;

pub use goemu_loader::Role;
use goemu_loader::{Image, Kind, LoadError, Located, Placed, Spot, Type};

use crate::cpu::Cpu;
use crate::go::guest::GuestMemory;
use crate::go::read::Reader;
use crate::go::traceback::unwind::{Frame, Start, Unwinder};
use crate::go::value::Value;

/// Larger variables are not put together from pieces.
const MAX_SIZE: u64 = 1 << 16;
/// General registers by DWARF's numbers.
const GENERAL: [u8; 16] = [0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];
/// DWARF's number of X0.
const FIRST_VECTOR: u16 = 17;

/// A variable of a call.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its type, as Go writes it.
    pub ty: String,
    /// Whether it is a parameter, a result or another one.
    pub role: Role,
    /// Its value now, or why there is none.
    pub value: Result<Value, Missing>,
}

/// Why a variable has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// The compiler keeps it nowhere while the code is here.
    OptimisedAway,
    /// The compiler keeps a part of it only.
    Partly,
    /// It was in a register, which a called function has used since.
    Register,
    /// Its memory cannot be read.
    Unreadable,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Missing::OptimisedAway => "optimised away",
            Missing::Partly => "partly optimised away",
            Missing::Register => "in a register that a called function has used since",
            Missing::Unreadable => "its memory cannot be read",
        })
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Variable { name, ty, value, .. } = self;
        match value {
            Ok(value) => write!(f, "{name} {ty} = {value}"),
            Err(missing) => write!(f, "{name} {ty} ({missing})"),
        }
    }
}

/// A call on a stack: a frame, or an inlined call in it.
#[derive(Clone, Copy)]
pub(crate) struct Called<'i> {
    pub(crate) frame: Frame<'i>,
    /// How many inlined calls it is inside of.
    pub(crate) inlined: usize,
    /// The line that it is at.
    pub(crate) line: Option<u32>,
    /// Whether it is the innermost one, which the registers are those of.
    innermost: bool,
}

/// A call on a stack by its number, innermost first: inlined calls and those within the runtime count.
pub(crate) fn call_at<'i>(
    image: &'i Image,
    memory: &dyn GuestMemory,
    start: Start,
    number: usize,
) -> Option<Called<'i>> {
    let mut left = number;
    for (n, frame) in Unwinder::new(image, memory, start).enumerate() {
        let calls = frame.func.inlined_at(frame.symbol_pc());
        match calls.get(left) {
            Some(call) => {
                let line = call.line.map(|line| line.line);
                return Some(Called { frame, inlined: calls.len() - 1 - left, line, innermost: n == 0 });
            }
            None => left -= calls.len(),
        }
    }
    None
}

/// The innermost frame's own call.
pub(crate) fn frame_at<'i>(image: &'i Image, memory: &dyn GuestMemory, start: Start) -> Option<Called<'i>> {
    let frame = Unwinder::new(image, memory, start).next()?;
    let line = frame.func.inlined_at(frame.symbol_pc()).last()?.line.map(|line| line.line);
    Some(Called { frame, inlined: 0, line, innermost: true })
}

/// Where the variables of a call are; what is not declared yet is left out.
pub(crate) fn placed(image: &Image, call: &Called<'_>) -> Result<Vec<Placed>, LoadError> {
    let mut found = image.locals_at(&call.frame.func, call.frame.symbol_pc())?;
    let declared = |line: Option<u32>| match (line, call.line) {
        (Some(declared), Some(here)) => declared < here,
        _ => true,
    };
    found.retain(|variable| variable.inlined == call.inlined && declared(variable.line));
    Ok(found)
}

/// Reads variables of a call. `cpu` has the registers of a goroutine that runs.
pub(crate) fn read(
    placed: &[Placed],
    call: &Called<'_>,
    cpu: Option<&Cpu>,
    reader: &Reader<'_>,
) -> Vec<Variable> {
    let cpu = cpu.filter(|_| call.innermost);
    placed.iter().map(|variable| one(variable, call.frame.fp, cpu, reader)).collect()
}

fn one(placed: &Placed, fp: u64, cpu: Option<&Cpu>, reader: &Reader<'_>) -> Variable {
    let Placed { name, ty, by_reference, role, pieces, .. } = placed;
    let shared = if *by_reference { pointed(ty, reader) } else { None };
    let value = match shared {
        Some(ref to) => bytes(pieces, 8, fp, cpu, reader.memory).and_then(|bytes| {
            let address = bytes.first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            let mut byte = [0];
            reader.memory.read(address, &mut byte).map_err(|_| Missing::Unreadable)?;
            Ok(reader.at(to, address))
        }),
        None => value(ty, pieces, fp, cpu, reader),
    };
    Variable { name: name.clone(), ty: shared.as_ref().unwrap_or(ty).name.to_string(), role: *role, value }
}

/// What a pointer points to.
fn pointed(ty: &Type, reader: &Reader<'_>) -> Option<Arc<Type>> {
    let Kind::Pointer(to) = &ty.kind else { return None };
    reader.types.resolve(to).ok()
}

fn value(
    ty: &Arc<Type>,
    pieces: &[Located],
    fp: u64,
    cpu: Option<&Cpu>,
    reader: &Reader<'_>,
) -> Result<Value, Missing> {
    if let [Located { spot, size: None }] = pieces
        && let Some(address) = address(spot, fp)
    {
        if ty.size > 0 {
            let mut byte = [0];
            reader.memory.read(address, &mut byte).map_err(|_| Missing::Unreadable)?;
        }
        return Ok(reader.at(ty, address));
    }
    Ok(reader.decode(ty, &bytes(pieces, ty.size, fp, cpu, reader.memory)?))
}

/// The address of a place in memory.
fn address(spot: &Spot, fp: u64) -> Option<u64> {
    match spot {
        Spot::Frame(offset) => Some(fp.wrapping_add_signed(*offset)),
        Spot::Memory(address) => Some(*address),
        _ => None,
    }
}

/// A variable's bytes, piece by piece.
fn bytes(
    pieces: &[Located],
    size: u64,
    fp: u64,
    cpu: Option<&Cpu>,
    memory: &dyn GuestMemory,
) -> Result<Vec<u8>, Missing> {
    if size == 0 {
        return Ok(Vec::new());
    }
    let missing = if pieces.iter().any(|piece| piece.spot != Spot::Nowhere) {
        Missing::Partly
    } else {
        Missing::OptimisedAway
    };
    if pieces.is_empty() || size > MAX_SIZE {
        return Err(missing);
    }
    let mut all = Vec::new();
    for piece in pieces {
        let left = size - all.len() as u64;
        let count = piece.size.unwrap_or(left).min(left) as usize;
        let mut part = vec![0; count];
        match &piece.spot {
            Spot::Nowhere => return Err(missing),
            Spot::Constant(constant) => {
                part.iter_mut().zip(constant).for_each(|(to, from)| *to = *from);
            }
            Spot::Register(number) => {
                let word = register(cpu.ok_or(Missing::Register)?, *number).ok_or(missing)?;
                part.iter_mut().zip(word.to_le_bytes()).for_each(|(to, from)| *to = from);
            }
            spot => {
                let address = address(spot, fp).ok_or(missing)?;
                memory.read(address, &mut part).map_err(|_| Missing::Unreadable)?;
            }
        }
        all.append(&mut part);
    }
    if (all.len() as u64) < size { Err(missing) } else { Ok(all) }
}

fn register(cpu: &Cpu, number: u16) -> Option<u128> {
    match GENERAL.get(usize::from(number)) {
        Some(general) => Some(cpu.gpr(*general).into()),
        None => cpu.ymm.get(usize::from(number.checked_sub(FIRST_VECTOR)?)).map(|[low, _]| *low),
    }
}

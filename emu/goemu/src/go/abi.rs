//! The assigner: in which registers and stack slots a call's arguments and results are.
//!
//! Both conventions are one algorithm with a different number of registers, as in the compiler
//! (`cmd/compile/internal/abi/abiutils.go`): a value is taken apart into its scalars; if a register is left
//! for every one of them it travels in registers, else all of it lies in the stack sequence. Pure: numbers
//! from types, no machine.

use goemu_loader::{Abi, Kind, Param, Signature, Type};
use iced_x86::Register;

/// Integer registers of ABIInternal: AX BX CX DI SI R8 R9 R10 R11.
pub const INT_REGS: usize = 9;
/// Those registers, in the order in which Go hands them out.
pub(crate) const INTS: [Register; INT_REGS] = [
    Register::RAX,
    Register::RBX,
    Register::RCX,
    Register::RDI,
    Register::RSI,
    Register::R8,
    Register::R9,
    Register::R10,
    Register::R11,
];
/// Floating-point registers of ABIInternal: X0 to X14.
pub const FLOAT_REGS: usize = 15;

/// Bytes of stack that the arguments and results of one call may take. Go's own stacks end at this size.
const MAX_STACK: u64 = 1 << 30;
/// Types looked at for one value, and how deep: far beyond any that fits registers, so that a type that
/// lies costs no time. Go itself refuses types nested deeper than memory allows.
const MAX_NODES: usize = 10_000;
const MAX_DEPTH: usize = 200;

/// Where a part of a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The n-th integer register of the convention, 0 to 8.
    Int(u8),
    /// The n-th floating-point register of the convention, 0 to 14.
    Float(u8),
    /// Stack memory, in bytes from the first argument slot (`8(SP)` when the function is entered).
    Stack(u64),
}

/// A part of a value that lies in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where in the value's memory form it begins, in bytes.
    pub offset: u64,
    /// Its length in bytes; at most 8 in a register.
    pub size: u64,
    /// Where it is in a call.
    pub place: Place,
}

/// Where all values of a call are.
///
/// The stack part is one block, from the first argument slot up: arguments on the stack, results on the
/// stack, then a spill slot for each argument in registers, which the callee may write at any time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The pieces of each argument, receiver first. A value of size zero has one empty stack piece.
    pub params: Vec<Vec<Piece>>,
    /// The pieces of each result.
    pub results: Vec<Vec<Piece>>,
    /// For each argument in registers: its spill slot, in bytes from the first argument slot.
    pub spills: Vec<Option<u64>>,
    /// Where the results on the stack begin, in bytes from the first argument slot.
    pub results_offset: u64,
    /// Where the spill slots begin, in bytes from the first argument slot.
    pub spill_offset: u64,
    /// Size of the whole block in bytes, a multiple of 8. The caller provides all of it.
    pub stack_size: u64,
}

/// Why a signature cannot be assigned. All of these mean that the types are not what Go's compiler made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AbiError {
    /// More stack than Go allows.
    #[error("the arguments and results take more than {MAX_STACK} bytes of stack")]
    TooLarge,
    /// Nested too deeply, or too many parts.
    #[error("a type is nested more than {MAX_DEPTH} deep or has more than {MAX_NODES} parts")]
    TooComplex,
    /// A part lies outside the type that holds it.
    #[error("a field lies outside its struct: the type information is damaged")]
    Layout,
}

/// Assigns places to the receiver, the arguments and the results of a function.
///
/// # Errors
/// When the types are larger or deeper than Go's compiler makes them, or contradict themselves.
pub fn assign(abi: Abi, sig: &Signature) -> Result<Assignment, AbiError> {
    let limit = match abi {
        Abi::Abi0 => Used::default(),
        Abi::Internal => Used { int: INT_REGS, float: FLOAT_REGS },
    };
    let mut stack = Bump(0);
    let mut spill = Bump(0);
    let (params, spills) = assign_params(limit, &sig.params, &mut stack, &mut spill)?;
    let results_offset = stack.take(0, 8)?;
    let mut used = Used::default();
    let results = sig
        .results
        .iter()
        .map(|p| assign_value(limit, &mut used, &p.ty, &mut stack))
        .collect::<Result<Vec<_>, _>>()?;
    let spill_offset = stack.take(0, 8)?;
    stack.take(spill.take(0, 8)?, 8)?;
    let spills = spills.into_iter().map(|s| s.map(|at| at + spill_offset)).collect();
    Ok(Assignment { params, results, spills, results_offset, spill_offset, stack_size: stack.0 })
}

type Spills = Vec<Option<u64>>;

fn assign_params(
    limit: Used,
    params: &[Param],
    stack: &mut Bump,
    spill: &mut Bump,
) -> Result<(Vec<Vec<Piece>>, Spills), AbiError> {
    let mut used = Used::default();
    let (mut places, mut spills) = (Vec::new(), Vec::new());
    for Param { ty, .. } in params {
        let pieces = assign_value(limit, &mut used, ty, stack)?;
        let on_stack = matches!(pieces.first(), None | Some(Piece { place: Place::Stack(_), .. }));
        spills.push(if on_stack { None } else { Some(spill.take(ty.size, ty.align)?) });
        places.push(pieces);
    }
    Ok((places, spills))
}

/// All of the value in registers, or all of it on the stack; a value of size zero is on the stack.
fn assign_value(limit: Used, used: &mut Used, ty: &Type, stack: &mut Bump) -> Result<Vec<Piece>, AbiError> {
    if ty.size > 0 {
        let mut flat = Flatten { limit, used: *used, nodes: 0, end: ty.size, pieces: Vec::new() };
        if flat.add(ty, 0, 0)? == Fit::Registers {
            *used = flat.used;
            return Ok(flat.pieces);
        }
    }
    let at = stack.take(ty.size, ty.align)?;
    Ok(vec![Piece { offset: 0, size: ty.size, place: Place::Stack(at) }])
}

/// Registers taken, or registers there are.
#[derive(Clone, Copy, Default)]
struct Used {
    int: usize,
    float: usize,
}

/// A growing block of stack.
struct Bump(u64);

impl Bump {
    /// Takes `size` bytes at a multiple of `align`; returns where.
    fn take(&mut self, size: u64, align: u64) -> Result<u64, AbiError> {
        let at = self.0.checked_next_multiple_of(align.max(1)).ok_or(AbiError::TooLarge)?;
        self.0 = at.checked_add(size).filter(|&end| end <= MAX_STACK).ok_or(AbiError::TooLarge)?;
        Ok(at)
    }
}

/// Whether a value still fits the registers.
#[derive(PartialEq)]
enum Fit {
    Registers,
    Stack,
}

/// Takes one value apart into scalars in registers.
struct Flatten {
    limit: Used,
    used: Used,
    nodes: usize,
    end: u64,
    pieces: Vec<Piece>,
}

impl Flatten {
    fn add(&mut self, ty: &Type, offset: u64, depth: usize) -> Result<Fit, AbiError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES || depth > MAX_DEPTH {
            return Err(AbiError::TooComplex);
        }
        match &ty.kind {
            Kind::Struct(fields) => {
                for field in fields {
                    let at = offset.checked_add(field.offset).ok_or(AbiError::Layout)?;
                    if self.add(&field.ty, at, depth + 1)? == Fit::Stack {
                        return Ok(Fit::Stack);
                    }
                }
                Ok(Fit::Registers)
            }
            Kind::Array { len: 0, .. } => Ok(Fit::Registers),
            Kind::Array { elem, len: 1 } => self.add(elem, offset, depth + 1),
            Kind::Array { .. } => Ok(Fit::Stack),
            Kind::Float => self.floats(offset, ty.size, 1),
            Kind::Complex => self.floats(offset, ty.size / 2, 2),
            Kind::Bool | Kind::Int | Kind::Uint | Kind::Uintptr => self.ints(offset, ty.size, 1),
            Kind::String | Kind::Interface { .. } => self.ints(offset, 8, 2),
            Kind::Slice(_) => self.ints(offset, 8, 3),
            Kind::UnsafePointer | Kind::Pointer(_) | Kind::Map { .. } | Kind::Chan { .. } | Kind::Func(_) => {
                self.ints(offset, 8, 1)
            }
        }
    }

    /// `n` integer registers for words of `size` bytes that follow each other.
    fn ints(&mut self, offset: u64, size: u64, n: usize) -> Result<Fit, AbiError> {
        if self.used.int + n > self.limit.int {
            return Ok(Fit::Stack);
        }
        for i in 0..n {
            self.piece(offset, size, i, Place::Int((self.used.int + i) as u8))?;
        }
        self.used.int += n;
        Ok(Fit::Registers)
    }

    /// `n` floating-point registers for numbers of `size` bytes that follow each other.
    fn floats(&mut self, offset: u64, size: u64, n: usize) -> Result<Fit, AbiError> {
        if self.used.float + n > self.limit.float {
            return Ok(Fit::Stack);
        }
        for i in 0..n {
            self.piece(offset, size, i, Place::Float((self.used.float + i) as u8))?;
        }
        self.used.float += n;
        Ok(Fit::Registers)
    }

    fn piece(&mut self, offset: u64, size: u64, index: usize, place: Place) -> Result<(), AbiError> {
        let at = offset.checked_add(size.saturating_mul(index as u64)).ok_or(AbiError::Layout)?;
        if size > 8 || at.checked_add(size).is_none_or(|end| end > self.end) {
            return Err(AbiError::Layout);
        }
        self.pieces.push(Piece { offset: at, size, place });
        Ok(())
    }
}

#[cfg(test)]
#[path = "abi_tests.rs"]
mod tests;

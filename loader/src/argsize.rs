//! How much stack a call takes for arguments, which the function table notes for every function: if that
//! differs from what a signature needs, the signature is not the function's.
//!
//! Go sources: `cmd/compile/abi-internal.md`, `cmd/compile/internal/abi/abiutils.go`.

use crate::gotype::{Kind, Param, Signature, Type};

/// Registers for integers and pointers, and for floating-point numbers.
const INTS: u64 = 9;
const FLOATS: u64 = 15;

/// Bytes for arguments and results, those of a call in registers included (`_func.args`).
pub(crate) fn args_size(signature: &Signature, in_registers: bool) -> Option<u64> {
    let (mut spill, mut stack) = (Area::default(), Area::default());
    let mut free = Registers::new(in_registers);
    for Param { ty, .. } in &signature.params {
        if free.take(ty) { spill.add(ty)? } else { stack.add(ty)? }
    }
    stack.round()?;
    free = Registers::new(in_registers);
    for Param { ty, .. } in &signature.results {
        if !free.take(ty) {
            stack.add(ty)?;
        }
    }
    stack.round()?.checked_add(spill.round()?)
}

/// Values one behind the other, each at its alignment.
#[derive(Default)]
struct Area(u64);

impl Area {
    fn add(&mut self, ty: &Type) -> Option<()> {
        self.0 = self.0.checked_next_multiple_of(ty.align)?.checked_add(ty.size)?;
        Some(())
    }

    fn round(&mut self) -> Option<u64> {
        self.0 = self.0.checked_next_multiple_of(8)?;
        Some(self.0)
    }
}

/// Registers that are not taken yet.
#[derive(Clone, Copy)]
struct Registers {
    ints: u64,
    floats: u64,
}

impl Registers {
    fn new(any: bool) -> Self {
        if any { Self { ints: INTS, floats: FLOATS } } else { Self { ints: 0, floats: 0 } }
    }

    /// Takes registers for the whole value, or none and answers false.
    fn take(&mut self, ty: &Type) -> bool {
        let mut left = *self;
        let fits = ty.size > 0 && left.take_parts(ty).is_some();
        if fits {
            *self = left;
        }
        fits
    }

    fn take_parts(&mut self, ty: &Type) -> Option<()> {
        let (ints, floats) = match &ty.kind {
            Kind::Struct(fields) => return fields.iter().try_for_each(|field| self.take_parts(&field.ty)),
            Kind::Array { len: 0, .. } => (0, 0),
            Kind::Array { elem, len: 1 } => return self.take_parts(elem),
            Kind::Array { .. } => return None,
            Kind::Float => (0, 1),
            Kind::Complex => (0, 2),
            Kind::String | Kind::Interface { .. } => (2, 0),
            Kind::Slice(_) => (3, 0),
            _ => (1, 0),
        };
        self.ints = self.ints.checked_sub(ints)?;
        self.floats = self.floats.checked_sub(floats)?;
        Some(())
    }
}

//! Rows of the x87 unit.

use iced_x86::Mnemonic as M;

use super::Pick;
use crate::alu::float::{Extended, F80};
use crate::interp::ops::x87::{
    self, Arithmetic, arithmetic, compare, compare_flags, constant, control, exchange, unary,
};

macro_rules! arithmetic {
    ($f:path) => {{
        struct Row;
        impl Arithmetic for Row {
            fn apply(a: F80, b: F80, env: &mut Extended) -> F80 {
                $f(a, b, env)
            }
        }
        arithmetic::<Row>
    }};
}

#[rustfmt::skip]
pub(super) fn pick(mnemonic: M) -> Option<Pick> {
    Some(match mnemonic {
        M::Fld | M::Fild => x87::load,
        M::Fst | M::Fstp | M::Fist | M::Fistp | M::Fisttp => x87::store,
        M::Fld1 | M::Fldz | M::Fldpi | M::Fldl2t | M::Fldl2e | M::Fldlg2 | M::Fldln2 => constant,
        M::Fadd | M::Faddp | M::Fiadd => arithmetic!(F80::add),
        M::Fmul | M::Fmulp | M::Fimul => arithmetic!(F80::mul),
        M::Fsub | M::Fsubp | M::Fisub => arithmetic!(F80::sub),
        M::Fsubr | M::Fsubrp | M::Fisubr => arithmetic!(F80::sub_reversed),
        M::Fdiv | M::Fdivp | M::Fidiv => arithmetic!(F80::div),
        M::Fdivr | M::Fdivrp | M::Fidivr => arithmetic!(F80::div_reversed),
        M::Fchs | M::Fabs | M::Fsqrt | M::Frndint => unary,
        M::Fxch => exchange,
        M::Fcom | M::Fcomp | M::Fcompp | M::Fucom | M::Fucomp | M::Fucompp | M::Ficom | M::Ficomp => compare,
        M::Fcomi | M::Fcomip | M::Fucomi | M::Fucomip => compare_flags,
        M::Fldcw | M::Fnstcw | M::Fnstsw | M::Fnclex | M::Fninit | M::Fnop | M::Wait => control,
        _ => return None,
    })
}

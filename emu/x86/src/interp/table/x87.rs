//! Rows of the x87 unit, and of what saves its state with others.

use iced_x86::Mnemonic as M;

use super::Pick;
use crate::alu::float::{Extended, F80};
use crate::interp::ops::x87::{
    self, Arithmetic, arithmetic, compare, compare_flags, constant, control, environment, examine, exchange,
    fxsave, move_if, of_angle, of_two, unary, unary_pair, xsave,
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
        M::Fld | M::Fild | M::Fbld => x87::load,
        M::Fst | M::Fstp | M::Fist | M::Fistp | M::Fisttp | M::Fbstp => x87::store,
        M::Fcmovb | M::Fcmove | M::Fcmovbe | M::Fcmovu | M::Fcmovnb | M::Fcmovne | M::Fcmovnbe | M::Fcmovnu
            => move_if,
        M::Fld1 | M::Fldz | M::Fldpi | M::Fldl2t | M::Fldl2e | M::Fldlg2 | M::Fldln2 => constant,
        M::Fadd | M::Faddp | M::Fiadd => arithmetic!(F80::add),
        M::Fmul | M::Fmulp | M::Fimul => arithmetic!(F80::mul),
        M::Fsub | M::Fsubp | M::Fisub => arithmetic!(F80::sub),
        M::Fsubr | M::Fsubrp | M::Fisubr => arithmetic!(F80::sub_reversed),
        M::Fdiv | M::Fdivp | M::Fidiv => arithmetic!(F80::div),
        M::Fdivr | M::Fdivrp | M::Fidivr => arithmetic!(F80::div_reversed),
        M::Fchs | M::Fabs | M::Fsqrt | M::Frndint | M::F2xm1 => unary,
        M::Fprem | M::Fprem1 | M::Fscale | M::Fxtract => unary_pair,
        M::Fsin | M::Fcos | M::Fsincos | M::Fptan => of_angle,
        M::Fpatan | M::Fyl2x | M::Fyl2xp1 => of_two,
        M::Fxch => exchange,
        M::Ffree | M::Ffreep => x87::free,
        M::Fincstp | M::Fdecstp => x87::turn,
        M::Ftst | M::Fxam => examine,
        M::Fcom | M::Fcomp | M::Fcompp | M::Fucom | M::Fucomp | M::Fucompp | M::Ficom | M::Ficomp => compare,
        M::Fcomi | M::Fcomip | M::Fucomi | M::Fucomip => compare_flags,
        M::Fldcw | M::Fnstcw | M::Fnstsw | M::Fnclex | M::Fninit | M::Fnop | M::Wait | M::Fneni | M::Fndisi
        | M::Fnsetpm => control,
        M::Fnstenv | M::Fldenv | M::Fnsave | M::Frstor => environment,
        M::Fxsave | M::Fxsave64 | M::Fxrstor | M::Fxrstor64 => fxsave,
        M::Xsave | M::Xsave64 | M::Xsaveopt | M::Xsaveopt64 | M::Xsavec | M::Xsavec64 | M::Xrstor | M::Xrstor64
            => xsave,
        _ => return None,
    })
}

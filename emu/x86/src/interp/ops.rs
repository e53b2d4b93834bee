//! Handlers. A file holds a family of instructions (`arith`, `stack`), or a shape that many vector instructions share
//! (`packed`, `triple`, `lanes`, `element`, `resize`). A function that takes an
//! [`Instruction`](iced_x86::Instruction) selects the handler for the widths and locations of its operands, or `None`;
//! handlers are free functions that see registers and memory only.

/// Types that name functions, so that handlers can be generic over them: `Add = alu::arith::add;` makes
/// a type `Add` whose `apply` is that function.
macro_rules! operations {
    ($shape:ident $args:tt -> $out:ty: $($name:ident = $function:path;)*) => {
        $( operations! { @one $shape $args -> $out: $name = $function } )*
    };
    (@one $shape:ident ($($arg:ident: $ty:ty),*) -> $out:ty: $name:ident = $function:path) => {
        /// Names the function of the same name.
        pub(crate) struct $name;
        impl $shape for $name {
            #[inline(always)]
            fn apply<T: Uint>($($arg: $ty),*) -> $out {
                $function($($arg),*)
            }
        }
    };
}

pub(crate) mod arith;
pub(crate) mod bits;
pub(crate) mod branch;
pub(crate) mod convert;
pub(crate) mod element;
pub(crate) mod gather;
pub(crate) mod lanes;
pub(crate) mod masked;
pub(crate) mod mmx;
pub(crate) mod mov;
pub(crate) mod muldiv;
pub(crate) mod packed;
pub(crate) mod pcmpstr;
pub(crate) mod processor;
pub(crate) mod resize;
pub(crate) mod segment;
pub(crate) mod shift;
pub(crate) mod stack;
pub(crate) mod string;
pub(crate) mod system;
pub(crate) mod triple;
pub(crate) mod vmov;
pub(crate) mod vshift;
pub(crate) mod x87;

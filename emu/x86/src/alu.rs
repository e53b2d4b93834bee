//! What instructions compute: pure functions, numbers in, numbers and flags out.
//!
//! Nothing here knows registers, memory or a machine, so each operation can be compared with the
//! host's processor by itself. Integer operations are generic over the operand's width
//! ([`Uint`]). Flags that Intel's manual leaves undefined have the value of current processors
//! if that is simple; they are not guaranteed.

pub mod arith;
pub mod bits;
pub mod crc32;
pub mod float;
pub mod int;
pub mod muldiv;
pub mod shift;
pub mod simd;

pub use int::Uint;

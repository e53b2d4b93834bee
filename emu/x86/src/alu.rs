//! What instructions compute: pure functions, numbers in, numbers and flags out.
//!
//! Nothing here knows of registers, memory or a machine, so everything here can be compared with the
//! host's processor, operation by operation. Integer operations are generic over the operand's width
//! ([`Uint`]); flags that Intel's manual leaves undefined are given the value that current processors give
//! where that is simple, and are not promised.

pub mod arith;
pub mod bits;
pub mod crc32;
pub mod float;
pub mod int;
pub mod muldiv;
pub mod shift;
pub mod simd;

pub use int::Uint;

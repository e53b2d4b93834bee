//! Values of a Go type: one description of how to make, change, shrink and print them.
//!
//! A [`Maker`] is made from a type once, and needs the program no more. `strategy` (the feature `proptest`) gives it to proptest,
//! [`testing`](crate::testing) uses it directly.
//!
//! ```no_run
//! use goemu::Image;
//! use goemu::values::{Fill, Maker, Random};
//!
//! let image = Image::open("program")?;
//! let ty = image.type_named("main.point")?.expect("the program has this type");
//! let points = Maker::new(&ty, &image, &Fill::default());
//! let mut random = Random::new(1);
//! let value = points.make(&mut random, 20);
//! println!("{}, and simpler: {}", points.literal(&value), points.simpler(&value).len());
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! Numbers come from the whole range, with its ends, powers of two and the program's own constants more often; strings
//! from words of the program, numbers and letters, of one to four bytes or of none. Lists and maps grow with the size
//! that is asked for. Pointers may be nil, and are where a type contains itself too deeply or too often. An interface
//! holds one of the types that the program puts in it, a function value a function of the program.

mod detach;
mod dictionary;
mod literal;
mod make;
mod mutate;
mod plan;
mod random;
mod same;
mod shrink;
mod source;

pub use detach::detached;
pub use dictionary::Dictionary;
pub use plan::{Fill, Maker, Private};
pub use random::Random;
pub use same::same;
pub use shrink::{Shrunk, shrink};
pub use source::Unwritable;
pub(crate) use source::{base as package_base, function_name as function_source};

#[cfg(test)]
mod tests;

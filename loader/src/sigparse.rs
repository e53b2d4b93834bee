//! Parses signatures and types that are written as in Go source: `func(a []byte, k uint8) (string, error)`.
//!
//! Layouts are amd64's. The caller, which knows the binary, looks up names of packages' types; Go's
//! constraints, constants and comments are not understood.
//!
//! ```
//! use goemu_loader::sigparse::parse_signature;
//!
//! let signature = parse_signature("func(a []byte, k uint8) (string, error)", &|_| None)?;
//! assert_eq!(signature.to_string(), "func(a []uint8, k uint8) (string, error)");
//! # Ok::<(), goemu_loader::sigparse::SigError>(())
//! ```

mod compose;
mod lexer;
mod parser;

use std::sync::Arc;

use crate::{Signature, Type};

use self::parser::Parser;

/// Why a signature or type could not be parsed. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigError {
    /// Something else should be here.
    #[error("expected {expected} at column {column}: found {found}")]
    Expected {
        /// What Go's grammar wants.
        expected: &'static str,
        /// Where.
        column: usize,
        /// What is there.
        found: String,
    },
    /// A type that is neither predeclared nor in the binary.
    #[error(
        "unknown type {name} at column {column}: write it as in the binary (package.Name), or write out what it is"
    )]
    UnknownType {
        /// As written.
        name: String,
        /// Where.
        column: usize,
    },
    /// Some parameters of a list have names, some do not.
    #[error("a parameter without a name (or type) at column {column}: name all or none")]
    Unnamed {
        /// Where.
        column: usize,
    },
    /// `...T` where it may not be.
    #[error("misplaced ... at column {column}: only the last parameter may be variadic")]
    Variadic {
        /// Where.
        column: usize,
    },
    /// Types in types in types.
    #[error("types nest too deep at column {column}")]
    Depth {
        /// Where.
        column: usize,
    },
    /// Larger than the compiler allows.
    #[error("the type at column {column} is too large")]
    Size {
        /// Where.
        column: usize,
    },
}

/// Finds a type of the binary by name: `main.Point`, `encoding/json.Token`, `main.Pair[int,string]`.
pub type Resolve<'r> = &'r dyn Fn(&str) -> Option<Arc<Type>>;

/// Parses a function's signature, with or without a receiver and a name: `func (p *main.Point) Add(n int) error`.
///
/// # Errors
///
/// [`SigError`], with the column, if the text is no signature or names a type that `resolve` does not find.
pub fn parse_signature(text: &str, resolve: Resolve<'_>) -> Result<Signature, SigError> {
    let mut parser = Parser::new(text, resolve)?;
    let signature = parser.signature()?;
    parser.end()?;
    Ok(signature)
}

/// Parses a type: `map[string][]*main.Point`.
///
/// # Errors
///
/// [`SigError`], with the column, if the text is no type or names one that `resolve` does not find.
pub fn parse_type(text: &str, resolve: Resolve<'_>) -> Result<Arc<Type>, SigError> {
    let mut parser = Parser::new(text, resolve)?;
    let ty = parser.ty()?;
    parser.end()?;
    Ok(ty)
}

#[cfg(test)]
mod tests;

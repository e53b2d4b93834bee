//! Reads Go binaries: bytes -> [`Image`](crate). Runs nothing, and never panics on any bytes.

mod gotype;

pub use gotype::{Abi, ChanDir, Field, FuncType, Kind, Method, Param, Signature, Type, TypeRef};

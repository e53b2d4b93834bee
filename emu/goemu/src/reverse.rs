//! Reading programs without their sources: calls and their constants, which strings there are, and which strings
//! a program makes of itself. [`memory_watch`] tells which code writes where, [`export`] gives all to
//! disassemblers, [`advice`] says what to do first.
//!
//! [`constants`] follows constants through the code of one function; [`xrefs`] and [`strings`] put together what it finds in
//! all of them. [`decrypt`] runs the functions and pieces of code that turn constants into strings. Nothing here knows a
//! shape of any obfuscator: what is looked for is constants that go in, and text that comes out.

pub mod advice;
pub mod constants;
pub mod decrypt;
pub mod export;
pub mod memory_watch;
pub mod strings;
mod text;
pub mod xrefs;

pub use text::is_text;

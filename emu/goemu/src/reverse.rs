//! Reading programs without their sources: calls and their constants, which strings there are, and which strings
//! a program makes of itself. [`unnamed`] looks at variables without debug information, [`memory_watch`] tells which code
//! writes where, [`export`] gives all to disassemblers, [`advice`] says what to do first.
//!
//! [`constants`] follows constants through the code of one function; [`xrefs`] and [`strings`] put together what it finds in
//! all of them. Strings that a program makes are found by running all ways through its functions on what is known (`walk`);
//! [`decrypt`] makes single calls. Nothing here knows a shape of any obfuscator: what is looked for is constants that go in, and text
//! that comes out.

pub mod advice;
mod callees;
mod code;
pub mod constants;
pub mod decrypt;
mod effects;
pub mod export;
pub mod memory_watch;
mod outside;
mod own;
mod owners;
mod shadow;
pub mod strings;
mod text;
pub mod unnamed;
mod walk;
pub mod xrefs;

pub use text::is_text;

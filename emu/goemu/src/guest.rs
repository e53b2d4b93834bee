//! The state of a guest beside its memory and its processor: goroutines, the heap, what it printed, the clock, and what
//! stands in for the records of a runtime that was not started. Data alone: hooks and systems act on it.

pub(crate) mod address_map;
pub(crate) mod arena;
pub(crate) mod clock;
pub(crate) mod ending;
pub(crate) mod faults;
pub(crate) mod files;
pub mod goroutine;
pub(crate) mod heap;
pub(crate) mod hook_heap;
pub(crate) mod lifetimes;
pub(crate) mod map_walk;
pub(crate) mod outside;
pub(crate) mod panicking;
pub(crate) mod parts;
pub(crate) mod process;
pub(crate) mod schedule;
pub(crate) mod scheduler;
pub(crate) mod state;
pub(crate) mod tracing;
pub(crate) mod tracked;
pub(crate) mod under_way;
pub(crate) mod waiters;
pub mod world;

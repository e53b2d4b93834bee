//! Tests of whole machines: programs of `testdata/bin`, called, started and asked.
//!
//! One program, since linking the library takes longer than most of the tests. A test that changes the state of its process
//! (directory, environment, signal handlers) does not belong here.

mod abused;
mod algorithms;
mod bad_guests;
mod bursts;
mod chance;
mod changes;
mod cores;
mod corners;
mod defers;
mod docs;
mod embedding;
mod events;
mod explore;
mod facts;
mod garbled;
mod goroutines;
mod guess;
mod hooks;
mod hostile;
mod hostile_imports;
mod hostile_types;
mod init;
mod limits;
mod listings;
mod locals;
mod lockstep;
mod names;
mod object_listings;
mod objects;
mod planted;
mod process;
mod profiled;
mod program_types;
mod properties;
mod races;
mod real_runtime;
mod runtimes;
mod signatures;
mod specials;
mod told;
mod told_runs;
mod tracebacks;
mod traces;
mod tracing;
mod typed_fast_path;
mod values;
mod whole;
mod windows;

//! The program `goemu`, run as a user runs it.

mod bad_call;
mod bad_file;
mod batch;
mod changing;
mod commands;
mod debug;
mod explore;
mod export;
#[cfg(feature = "fuzz")]
mod fuzzed;
mod newer;
mod notes;
mod outcome;
mod reverse;
mod run;
mod tested;
#[cfg(target_os = "linux")]
mod traced;
mod values;
mod view;
mod watch;
mod whole;

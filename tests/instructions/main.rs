//! Tests of single instructions and sequences of them, most against the host processor. A process of their own: the harness
//! takes over the signals of faults.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

mod coverage;
mod oracle;
mod sequences;

//! `cargo xtask`: what developers of goemu run.

fn main() {}

//! The program `goemu`.

fn main() {}

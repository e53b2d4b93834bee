//! Hostile input for system calls, hooks, libraries, readers of values and repeated instructions: a short run of what `fuzz/targets`
//! does at length. Each input asserts how much time and memory of the host it took.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use goemu::Image;
use goemu::outcome::Runtime;
use goemu_tests::abuse;
use goemu_tests::fixtures::binary;
use goemu_tests::random::Random;

/// The same inputs in each run: short ones and long ones.
fn inputs(count: u64) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|seed| {
        let mut random = Random(seed);
        let len = 16 << random.below(7);
        (0..len).map(|_| random.below(256) as u8).collect()
    })
}

/// Whether an input was refused before anything happened, which few may be.
fn count(done: impl Iterator<Item = bool>, least: usize) {
    let done = done.filter(|done| *done).count();
    assert!(done >= least, "{done} inputs reached what they are for");
}

#[test]
fn any_system_calls_end() {
    let mut machine = abuse::machine("hostile-go1.27-stripped", Runtime::Real);
    count(inputs(60).map(|bytes| abuse::system_calls(&mut machine, &bytes)), 50);
}

#[test]
fn hooks_end_whatever_they_are_given() {
    let mut machine = abuse::machine("hostile-go1.27-stripped", Runtime::Hooked);
    count(inputs(300).map(|bytes| abuse::hooks(&mut machine, &bytes)), 290);
}

#[test]
fn functions_of_libraries_end_whatever_they_are_given() {
    let mut machine = abuse::machine("corpus-go1.27-windows", Runtime::Hooked);
    count(inputs(200).map(|bytes| abuse::imports(&mut machine, &bytes)), 190);
}

#[test]
fn values_of_any_memory_are_read() {
    let image = Arc::new(Image::open(binary("corpus-go1.27").unwrap()).unwrap());
    let types: Vec<_> = image.types().collect();
    count(inputs(200).map(|bytes| abuse::values(&image, &types, &bytes)), 190);
}

#[test]
fn repeated_instructions_end_on_any_pages() {
    inputs(40).for_each(|bytes| abuse::repeated(&bytes));
}

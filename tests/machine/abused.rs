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

#[test]
fn any_system_calls_end() {
    let mut machine = abuse::machine("hostile-go1.27-stripped", Runtime::Real);
    inputs(60).for_each(|bytes| abuse::system_calls(&mut machine, &bytes));
}

#[test]
fn hooks_end_whatever_they_are_given() {
    let mut machine = abuse::machine("corpus-go1.27", Runtime::Hooked);
    inputs(300).for_each(|bytes| abuse::hooks(&mut machine, &bytes));
}

#[test]
fn functions_of_libraries_end_whatever_they_are_given() {
    let mut machine = abuse::machine("corpus-go1.27-windows", Runtime::Hooked);
    inputs(200).for_each(|bytes| abuse::imports(&mut machine, &bytes));
}

#[test]
fn values_of_any_memory_are_read() {
    let image = Arc::new(Image::open(binary("corpus-go1.27").unwrap()).unwrap());
    let types: Vec<_> = image.types().collect();
    inputs(200).for_each(|bytes| abuse::values(&image, &types, &bytes));
}

#[test]
fn repeated_instructions_end_on_any_pages() {
    inputs(40).for_each(|bytes| abuse::repeated(&bytes));
}

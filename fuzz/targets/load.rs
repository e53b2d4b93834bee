//! Any bytes as a file.
#![no_main]

mod walk;

use goemu_loader::Image;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(image) = Image::parse(bytes.to_vec()) {
        walk::walk(&image);
        walk::signatures(&image);
    }
});

//! Values of any type of a program, in memory that holds anything.
#![no_main]

use std::sync::LazyLock;

use goemu::Image;
use goemu_loader::TypeRef;
use goemu_tests::fixtures::binary;
use goemu_tests::abuse;
use libfuzzer_sys::fuzz_target;

static PROGRAM: LazyLock<(Image, Vec<TypeRef>)> = LazyLock::new(|| {
    let image = Image::open(binary("corpus-go1.27").expect("a fixture")).expect("a program");
    let types = image.types().collect();
    (image, types)
});

fuzz_target!(|bytes: &[u8]| {
    abuse::alone();
    abuse::values(&PROGRAM.0, &PROGRAM.1, bytes);
});

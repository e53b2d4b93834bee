//! Repeated instructions on pages of all kinds, in either engine.
#![no_main]

use goemu_tests::abuse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    abuse::alone();
    abuse::repeated(bytes);
});

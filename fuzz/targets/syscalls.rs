//! System calls in a row, with any arguments.
#![no_main]

use std::sync::{LazyLock, Mutex};

use goemu::Machine;
use goemu::outcome::Runtime;
use goemu_tests::abuse;
use libfuzzer_sys::fuzz_target;

static MACHINE: LazyLock<Mutex<Machine>> =
    LazyLock::new(|| Mutex::new(abuse::machine("hostile-go1.27-stripped", Runtime::Real)));

fuzz_target!(|bytes: &[u8]| {
    abuse::alone();
    abuse::system_calls(&mut MACHINE.lock().expect("one thread"), bytes);
});

//! Functions that hooks replace, with any arguments and any memory.
#![no_main]

use std::sync::{LazyLock, Mutex};

use goemu::Machine;
use goemu::outcome::Runtime;
use goemu_tests::abuse;
use libfuzzer_sys::fuzz_target;

static MACHINE: LazyLock<Mutex<Machine>> =
    LazyLock::new(|| Mutex::new(abuse::machine("hostile-go1.27-stripped", Runtime::Hooked)));

fuzz_target!(|bytes: &[u8]| {
    abuse::alone();
    abuse::hooks(&mut MACHINE.lock().expect("one thread"), bytes);
});

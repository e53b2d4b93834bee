//! Functions of Windows, with any arguments.
#![no_main]

use std::cell::RefCell;

use goemu::Machine;
use goemu::outcome::Runtime;
use goemu_tests::abuse;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::new(abuse::machine("corpus-go1.27-windows", Runtime::Hooked));
}

fuzz_target!(|bytes: &[u8]| {
    abuse::alone();
    MACHINE.with_borrow_mut(|machine| abuse::imports(machine, bytes));
});

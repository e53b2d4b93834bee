//! Functions of Windows' libraries, called by a program that was built for it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::{Image, Machine};
use goemu_tests::fixtures::{binary, present};

/// Services make them as they are initialised.
#[test]
fn security_descriptors_are_made_and_measured() {
    for name in present(["world-go1.25-windows-stripped"]) {
        let mut machine = Machine::new(Image::open(binary(&name).unwrap()).unwrap()).unwrap();
        machine.initialise().unwrap();
        let mut descriptor = |text: &str| {
            let call = machine.call("main.descriptor").unwrap();
            let call = call.signature("func(text string) (bytes []byte, told int)").unwrap();
            let report = call.arg(text).run().unwrap();
            assert_eq!(report.doubt, None);
            report.outcome.to_string().replace("0x", "")
        };
        // Revision, control (present, protected, self-relative), offsets; then a list of one entry, for S-1-5-32-544.
        let bytes = "1, 0, 4, 90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 14, 0, 0, 0, \
            2, 0, 20, 0, 1, 0, 0, 0, 0, 0, 18, 0, 0, 0, 0, 10, 1, 2, 0, 0, 0, 0, 0, 5, 20, 0, 0, 0, 20, 2, 0, 0";
        assert_eq!(descriptor("D:P(A;;GA;;;BA)"), format!("[]byte{{{bytes}}}, 52"));
        assert_eq!(
            descriptor("O:SY"),
            "[]byte{1, 0, 0, 80, 14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
            1, 1, 0, 0, 0, 0, 0, 5, 12, 0, 0, 0}, 32"
        );
    }
}

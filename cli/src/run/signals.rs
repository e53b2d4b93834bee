//! Signals that goemu gets, and the program is to have.

use std::io;

use goemu::machine::Signals;

/// Passes Ctrl-C, SIGTERM, SIGHUP and SIGQUIT on to the program. A second Ctrl-C ends goemu.
pub(super) fn pass_on(signals: Signals) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    use signal_hook::iterator::Signals as Incoming;

    /// As a shell has it of a program that ended by Ctrl-C.
    const INTERRUPTED: i32 = 130;
    let mut incoming = Incoming::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT])?;
    std::thread::spawn(move || {
        let mut interrupts = 0;
        for signal in incoming.forever() {
            interrupts += i32::from(signal == SIGINT);
            if interrupts > 1 {
                std::process::exit(INTERRUPTED);
            }
            signals.send(signal as u8);
        }
    });
    Ok(())
}

//! Progress of long work on standard error, a line that changes on a terminal, a line a second elsewhere; and Ctrl-C (or the signal
//! that `kill` and `timeout` send), which ends the work and keeps what it has.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use goemu::machine::Interrupt;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Between two lines of a log.
const LOG: Duration = Duration::from_secs(1);
/// Signals so soon after the first one are the same wish: `timeout` sends its signal to the program and to the program's group, and
/// `make` or a wrapper passes on what the terminal has sent to all.
const ONE_WISH: Duration = Duration::from_millis(500);
/// How often it is looked whether a signal has come.
const LOOK: Duration = Duration::from_millis(50);

/// Tells of progress, and hears of Ctrl-C.
pub(crate) struct Told {
    quiet: bool,
    terminal: bool,
    last: Instant,
    /// Whether something stands in the line.
    shown: bool,
    interrupted: Arc<AtomicBool>,
    interrupt: Interrupt,
    deadline: Option<Instant>,
}

impl Told {
    /// Begins to listen. The first signal ends the work, a second one, half a second later or more, the program.
    pub(crate) fn new(quiet: bool, time: Option<Duration>) -> Result<Told> {
        let interrupted = Arc::new(AtomicBool::new(false));
        listen(&interrupted).context("cannot listen for Ctrl-C")?;
        let terminal = std::io::stderr().is_terminal();
        let now = Instant::now();
        let deadline = time.and_then(|time| now.checked_add(time));
        let interrupt = Interrupt::default();
        Ok(Told { quiet, terminal, last: now, shown: false, interrupted, interrupt, deadline })
    }

    /// What ends calls that are under way.
    pub(crate) fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Whether a signal has come.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Tells how far the work is; whether it goes on.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) -> ControlFlow<()> {
        let over = self.is_interrupted() || self.deadline.is_some_and(|at| Instant::now() >= at);
        if over {
            self.interrupt.raise();
            return ControlFlow::Break(());
        }
        if !self.quiet && (self.terminal || self.last.elapsed() >= LOG) {
            self.last = Instant::now();
            // There is no output left to report this on.
            let mut out = std::io::stderr().lock();
            if self.terminal {
                let _ = write!(out, "\r\x1b[K{}", line()).and_then(|()| out.flush());
                self.shown = true;
            } else {
                let _ = writeln!(out, "goemu: {}", line());
            }
        }
        ControlFlow::Continue(())
    }

    /// Clears the line, for what is printed next.
    pub(crate) fn done(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// Notes the first signal, and lets a later one end the program.
fn listen(interrupted: &Arc<AtomicBool>) -> std::io::Result<()> {
    let impatient = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let status = 128 + signal;
        signal_hook::flag::register_conditional_shutdown(signal, status, Arc::clone(&impatient))?;
        signal_hook::flag::register(signal, Arc::clone(interrupted))?;
    }
    let interrupted = Arc::clone(interrupted);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while !interrupted.load(Ordering::Relaxed) {
            std::thread::sleep(LOOK);
        }
        std::thread::sleep(ONE_WISH);
        impatient.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}

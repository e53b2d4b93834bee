//! Standard input for the program, read when the program reads. A signal ends the wait.

use std::io::{self, ErrorKind, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use goemu::machine::Signals;

/// How often a read that waits looks for signals.
const LOOK: Duration = Duration::from_millis(20);

/// Standard input, read by a thread of its own.
pub(super) struct Input {
    signals: Signals,
    /// Asks for so many bytes.
    ask: Sender<usize>,
    got: Receiver<io::Result<Vec<u8>>>,
    /// Whether bytes were asked for that have not come.
    waits: bool,
    /// What has come and was not read.
    rest: Vec<u8>,
}

impl Input {
    pub(super) fn new(signals: Signals) -> Input {
        let (ask, asked) = mpsc::channel::<usize>();
        let (give, got) = mpsc::channel();
        thread::spawn(move || {
            for most in asked {
                let mut bytes = vec![0; most];
                let read = io::stdin().read(&mut bytes).map(|count| {
                    bytes.truncate(count);
                    bytes
                });
                if give.send(read).is_err() {
                    break;
                }
            }
        });
        Input { signals, ask, got, waits: false, rest: Vec::new() }
    }
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            if !self.waits && self.ask.send(to.len()).is_err() {
                return Ok(0);
            }
            self.waits = true;
            self.rest = loop {
                match self.got.recv_timeout(LOOK) {
                    Ok(read) => {
                        self.waits = false;
                        break read?;
                    }
                    Err(RecvTimeoutError::Timeout) if self.signals.is_waiting() => {
                        return Err(ErrorKind::Interrupted.into());
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => return Ok(0),
                }
            };
        }
        let count = self.rest.len().min(to.len());
        to[..count].copy_from_slice(&self.rest[..count]);
        self.rest.drain(..count);
        Ok(count)
    }
}

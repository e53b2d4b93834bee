//! A server for gdb's remote protocol, on gdbstub. IDA, Ghidra and lldb speak it, too.
//!
//! Goroutines are threads. Functions of Go's runtime that goemu carries out itself are one step. The end of the call is the
//! end of a replay: gdb can still go back from it, and the next `continue` ends the program.

mod breakpoints;
mod connection;
mod files;
mod monitor;
mod registers;
mod resume;
mod target;

use std::io::ErrorKind;
use std::num::NonZeroUsize;

use gdbstub::common::{Signal, Tid};
use gdbstub::stub::run_blocking::{BlockingEventLoop, Event, WaitForStopReasonError};
use gdbstub::stub::{DisconnectReason, GdbStub, GdbStubError, MultiThreadStopReason};
use goemu::{Error, Report, Session};

pub use connection::Connection;
use target::Guest;

/// How a debugger left.
#[derive(Debug)]
pub enum Left {
    /// The call ran to its end.
    Ended(Box<Report>),
    /// The debugger detached, and the call ran to its end.
    Detached(Box<Report>),
    /// The debugger ended the program, or closed its connection. The call is not over.
    Gone,
    /// The debugger sent what is not understood, or the connection broke: what was wrong. The call is not over.
    Broken(String),
}

/// Serves one debugger until it leaves.
///
/// # Errors
/// What the machine cannot serve. A client that sends nonsense is only disconnected.
pub fn serve(session: Session<'_>, connection: Connection) -> Result<Left, Error> {
    let mut guest = Guest::new(session);
    let served = GdbStub::new(connection).run_blocking::<Loop<'_>>(&mut guest);
    match served {
        Ok(DisconnectReason::Disconnect) => Ok(Left::Detached(Box::new(guest.finish()?))),
        Ok(DisconnectReason::TargetExited(_) | DisconnectReason::TargetTerminated(_)) => {
            Ok(Left::Ended(Box::new(guest.finish()?)))
        }
        Ok(DisconnectReason::Kill) => Ok(Left::Gone),
        Err(error) => gone(error),
    }
}

fn gone(error: GdbStubError<Error, std::io::Error>) -> Result<Left, Error> {
    if error.is_target_error() {
        return error.into_target_error().map_or(Ok(Left::Gone), Err);
    }
    if error.is_connection_error() {
        let closed =
            error.into_connection_error().filter(|(error, _)| error.kind() != ErrorKind::UnexpectedEof);
        return Ok(closed.map_or(Left::Gone, |(error, _)| Left::Broken(error.to_string())));
    }
    Ok(Left::Broken(error.to_string()))
}

/// A thread of gdb's for a goroutine; there is no thread 0.
fn thread(goroutine: u64) -> Tid {
    let number = usize::try_from(goroutine).ok().and_then(NonZeroUsize::new);
    number.unwrap_or(NonZeroUsize::MIN)
}

/// Lets the guest run in parts, and looks whether gdb says something in between.
struct Loop<'m>(std::marker::PhantomData<&'m ()>);

/// Instructions between two looks.
const PART: u64 = 1 << 21;

impl<'m> BlockingEventLoop for Loop<'m> {
    type Target = Guest<'m>;
    type Connection = Connection;
    type StopReason = MultiThreadStopReason<u64>;

    fn wait_for_stop_reason(
        target: &mut Guest<'m>,
        connection: &mut Connection,
    ) -> Result<Event<Self::StopReason>, WaitForStopReasonError<Error, std::io::Error>> {
        loop {
            let stopped = target.run(PART).map_err(WaitForStopReasonError::Target)?;
            if let Some(reason) = stopped {
                return Ok(Event::TargetStopped(reason));
            }
            match connection.try_read() {
                Ok(Some(byte)) => return Ok(Event::IncomingData(byte)),
                Ok(None) => {}
                Err(error) => return Err(WaitForStopReasonError::Connection(error)),
            }
        }
    }

    fn on_interrupt(target: &mut Guest<'m>) -> Result<Option<Self::StopReason>, Error> {
        Ok(Some(MultiThreadStopReason::SignalWithThread { tid: target.current(), signal: Signal::SIGINT }))
    }
}

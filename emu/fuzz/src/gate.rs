//! What stands between LibAFL's broker and other processes: it passes on what a fuzzer says, whole, and nothing else.
//!
//! The broker trusts its clients: it panics when one hangs up before its first words, or says a number that no client has, and ends at a
//! message that it cannot read. So it listens on this computer alone, and the gate where others may join.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use libafl::events::EventWithStats;

use crate::input::Args;

/// What a client says first: that it has no number yet.
const NEW: [u8; 4] = u32::MAX.to_le_bytes();
/// Bytes of a message. Inputs are small.
const MOST: usize = 16 << 20;
/// Others that may be there at once.
const CLIENTS: usize = 256;
/// How long a client may take to say its first words.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets others in, as long as this process runs.
pub(crate) fn open(listener: TcpListener, broker: SocketAddr) {
    let inside = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else {
                // Out of files, perhaps: it may get better.
                thread::sleep(Duration::from_millis(100));
                continue;
            };
            if inside.fetch_add(1, Ordering::Relaxed) >= CLIENTS {
                inside.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let inside = Arc::clone(&inside);
            thread::spawn(move || {
                // Who hangs up, or says something else, is let go.
                let _ = pass(&client, broker);
                let _ = client.shutdown(Shutdown::Both);
                inside.fetch_sub(1, Ordering::Relaxed);
            });
        }
    });
}

/// Passes on what one client and the broker say, until one of them has gone.
fn pass(client: &TcpStream, broker: SocketAddr) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut hello = [0; 4];
    (&mut &*client).read_exact(&mut hello)?;
    if hello != NEW {
        return Err(io::ErrorKind::InvalidData.into());
    }
    client.set_read_timeout(None)?;
    let inner = TcpStream::connect(broker)?;
    (&inner).write_all(&hello)?;
    let mut number = [0; 4];
    (&inner).read_exact(&mut number)?;
    (&mut &*client).write_all(&number)?;
    let (from, mut to) = (inner.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut &from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let passed = messages(&mut &*client, &mut &inner, number);
    let _ = inner.shutdown(Shutdown::Both);
    passed
}

/// Passes messages on: a length, the client's number, an event.
fn messages(from: &mut impl Read, to: &mut impl Write, number: [u8; 4]) -> io::Result<()> {
    loop {
        let mut length = [0; 4];
        from.read_exact(&mut length)?;
        let size = u32::from_le_bytes(length) as usize;
        if size > MOST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        // Room is made for what comes, not for what is announced.
        let mut rest = Vec::new();
        from.take(size as u64 + number.len() as u64).read_to_end(&mut rest)?;
        let event = rest.strip_prefix(&number).filter(|event| event.len() == size);
        let event = event.ok_or(io::ErrorKind::InvalidData)?;
        postcard::from_bytes::<EventWithStats<Args>>(event).map_err(|_| io::ErrorKind::InvalidData)?;
        to.write_all(&length)?;
        to.write_all(&rest)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_nobody_can_read_are_not_passed_on() {
        let number = [3, 0, 0, 0];
        let pass = |said: &[u8]| {
            let mut passed = Vec::new();
            let ended = messages(&mut &*said, &mut passed, number);
            (passed, ended.unwrap_err().kind())
        };
        let nothing = |said: &[u8]| assert!(pass(said).0.is_empty(), "{said:?}");
        nothing(b"");
        nothing(b"junkjunkjunkjunk");
        nothing(&[0xff; 64]);
        nothing(&[2, 0, 0, 0, 3, 0, 0, 0, 0xff, 0xff]);
        nothing(&[0, 0, 0, 0, 4, 0, 0, 0]);
    }
}

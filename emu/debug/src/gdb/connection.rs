//! The bytes from and to a debugger: a socket, or standard input and output.

use std::io::{self, BufWriter, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use gdbstub::conn::ConnectionExt;

/// Pieces that are read ahead.
const AHEAD: usize = 16;

/// A connection to a debugger.
pub struct Connection {
    incoming: Receiver<Vec<u8>>,
    /// What was received and not read yet, in reverse.
    piece: Vec<u8>,
    to: BufWriter<Box<dyn Write>>,
    /// Closed with this: the thread that reads has it, too.
    _socket: Option<Socket>,
}

impl Connection {
    /// A socket.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn tcp(stream: TcpStream) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        let socket = Some(Socket(stream.try_clone()?));
        Ok(Connection { _socket: socket, ..Connection::new(stream.try_clone()?, stream) })
    }

    /// Standard input and output: for `target remote | goemu debug --stdio ...`.
    pub fn stdio() -> Connection {
        Connection::new(io::stdin(), io::stdout())
    }

    /// What is read here and written there. A thread reads ahead, until its source ends.
    pub fn new(mut from: impl Read + Send + 'static, to: impl Write + 'static) -> Connection {
        let (sender, incoming) = sync_channel(AHEAD);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Connection { incoming, piece: Vec::new(), to: BufWriter::new(Box::new(to)), _socket: None }
    }

    fn put(&mut self, mut piece: Vec<u8>) {
        piece.reverse();
        self.piece = piece;
    }

    /// The next byte, if it has come.
    pub(super) fn try_read(&mut self) -> io::Result<Option<u8>> {
        if self.peek()?.is_none() {
            return Ok(None);
        }
        Ok(self.piece.pop())
    }
}

/// A socket that is closed when this is dropped, even if others hold it.
struct Socket(TcpStream);

impl Drop for Socket {
    fn drop(&mut self) {
        // The other side may have closed it before.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the debugger is gone")
}

impl gdbstub::conn::Connection for Connection {
    type Error = io::Error;

    fn write(&mut self, byte: u8) -> io::Result<()> {
        self.to.write_all(&[byte])
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.to.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl ConnectionExt for Connection {
    fn read(&mut self) -> io::Result<u8> {
        while self.piece.is_empty() {
            let piece = self.incoming.recv().map_err(|_| closed())?;
            self.put(piece);
        }
        self.piece.pop().ok_or_else(closed)
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.piece.is_empty() {
            match self.incoming.try_recv() {
                Ok(piece) => self.put(piece),
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(closed()),
            }
        }
        Ok(self.piece.last().copied())
    }
}

//! A file that is written behind somebody's back, whose first error is kept until somebody asks.

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// What became of the writes to a file.
#[derive(Clone, Default)]
pub(crate) struct Writes(Arc<Mutex<Option<io::Error>>>);

impl Writes {
    /// A writer to this file. What goes wrong is kept here.
    pub(crate) fn to(&self, file: File) -> impl Write + Send + 'static {
        Kept { file, writes: self.clone() }
    }

    /// The first error.
    pub(crate) fn error(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

struct Kept {
    file: File,
    writes: Writes,
}

impl Kept {
    fn keep<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &done
            && error.kind() != io::ErrorKind::Interrupted
        {
            let mut first = self.writes.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        }
        done
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        self.keep(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.file.flush();
        self.keep(flushed)
    }
}

//! Lines of a file or of standard input, as they come, of bounded length.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use anyhow::{Context, Result};

/// Bytes of a line at most.
const MAX_LINE: u64 = 64 << 20;

/// The lines of a file; of standard input where the path is `-`. An error is the last thing that comes, and a line that
/// is too long is one.
pub(crate) fn lines(path: &str) -> Result<impl Iterator<Item = io::Result<String>> + Send + use<>> {
    let read: Box<dyn Read + Send> = match path {
        "-" => Box::new(io::stdin()),
        _ => Box::new(File::open(path).with_context(|| format!("cannot read {path}"))?),
    };
    let mut read = Some(BufReader::new(read));
    Ok(std::iter::from_fn(move || {
        let line = next(read.as_mut()?);
        if !matches!(line, Ok(Some(_))) {
            read = None;
        }
        line.transpose()
    }))
}

fn next(read: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if read.take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n') {
        return Err(io::Error::other(format!("a line has more than {MAX_LINE} bytes")));
    }
    while line.last().is_some_and(|end| matches!(end, b'\n' | b'\r')) {
        line.pop();
    }
    String::from_utf8(line).map(Some).map_err(|_| io::Error::other("a line is not UTF-8"))
}

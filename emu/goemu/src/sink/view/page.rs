//! The page: one file, with its style, its script and the run, compressed.

use std::io::{self, BufWriter, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use goemu_loader::Image;
use serde_json::Value as Json;

use super::data::Data;
use super::{Source, columns};
use crate::outcome::Report;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const STATE: &str = include_str!("state.js");

/// Bytes that are compressed at once.
const PIECE: usize = 1 << 18;
/// Letters of the encoding of bytes as text.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn write(
    data: &Data,
    image: &Image,
    report: &Report,
    source: Source<'_>,
    mut to: impl Write,
) -> io::Result<()> {
    let run = columns::of(data, image, report, source);
    let title = escaped(run["func"].as_str().unwrap_or("a run"));
    let packed = base64(&packed(&run)?);
    let parts: [(&str, &str); 5] =
        [("TITLE", &title), ("STYLE", STYLE), ("STATE", STATE), ("SCRIPT", SCRIPT), ("RUN", &packed)];
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { break };
        to.write_all(before.as_bytes())?;
        let part = parts.iter().find(|(known, _)| *known == name);
        to.write_all(part.map_or("", |(_, text)| text).as_bytes())?;
        rest = after;
    }
    to.write_all(rest.as_bytes())?;
    to.flush()
}

/// The run, compressed. The encoder costs much for each piece that it is given, so it is given large ones.
fn packed(run: &Json) -> io::Result<Vec<u8>> {
    let mut to = BufWriter::with_capacity(PIECE, GzEncoder::new(Vec::new(), Compression::default()));
    serde_json::to_writer(&mut to, run)?;
    to.into_inner().map_err(io::IntoInnerError::into_error)?.finish()
}

/// Text in HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Base64, RFC 4648.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits =
            (0..3).fold(0_usize, |bits, n| bits << 8 | usize::from(group.get(n).copied().unwrap_or(0)));
        for n in 0..4 {
            let letter = LETTERS[bits >> (18 - 6 * n) & 63];
            text.push(if n <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_text_as_the_standard_has_it() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }
}

//! Messages of the protocol: a header with their length, and JSON.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::{Value as Json, json};

/// Messages that are read ahead.
const AHEAD: usize = 64;
/// Bytes of a message, at most.
const MAX_MESSAGE: usize = 16 << 20;

/// The messages that come from here, until it ends or sends what is none.
pub(super) fn messages(from: impl Read + Send + 'static) -> Receiver<Json> {
    let (sender, messages) = sync_channel(AHEAD);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        while let Some(message) = message(&mut from) {
            if sender.send(message).is_err() {
                break;
            }
        }
    });
    messages
}

fn message(from: &mut impl BufRead) -> Option<Json> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if from.take(MAX_MESSAGE as u64).read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length:") {
            length = value.trim().parse().ok();
        }
    }
    let mut bytes = vec![0; length.filter(|length| *length <= MAX_MESSAGE)?];
    from.read_exact(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// What is sent to the editor.
pub(super) struct Out<W> {
    to: W,
    sent: u64,
}

impl<W: Write> Out<W> {
    pub(super) fn new(to: W) -> Out<W> {
        Out { to, sent: 0 }
    }

    fn send(&mut self, mut message: Json) -> io::Result<()> {
        self.sent += 1;
        message["seq"] = self.sent.into();
        let text = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{text}", text.len())?;
        self.to.flush()
    }

    pub(super) fn event(&mut self, event: &str, body: &Json) -> io::Result<()> {
        self.send(json!({ "type": "event", "event": event, "body": body }))
    }

    pub(super) fn response(&mut self, to: &Json, success: bool, body: &Json) -> io::Result<()> {
        self.send(json!({
            "type": "response", "request_seq": to["seq"], "command": to["command"], "success": success, "body": body,
        }))
    }

    pub(super) fn failure(&mut self, to: &Json, why: &str) -> io::Result<()> {
        self.send(json!({
            "type": "response", "request_seq": to["seq"], "command": to["command"], "success": false, "message": why,
            "body": { "error": { "id": 1, "format": why } },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_junk_ends_them() {
        let good = b"Content-Length: 2\r\nX: y\r\n\r\n{}Content-Length: 4\r\n\r\n[1] ".to_vec();
        let all: Vec<Json> = messages(io::Cursor::new(good)).iter().collect();
        assert_eq!(all, [json!({}), json!([1])]);
        for junk in [
            "",
            "\r\n",
            "Content-Length: x\r\n\r\n{}",
            "Content-Length: 99999999999\r\n\r\n",
            "Content-Length: 9\r\n\r\n{}",
        ] {
            assert_eq!(messages(io::Cursor::new(junk.as_bytes().to_vec())).iter().count(), 0, "{junk:?}");
        }
    }
}

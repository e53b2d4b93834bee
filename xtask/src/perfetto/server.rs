//! A server on this computer for one page, the files that it needs, and its answer.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result};

/// It serves until the program ends.
pub(super) struct Server {
    /// `http://127.0.0.1:PORT`.
    pub(super) origin: String,
    /// What the page sends.
    pub(super) told: Receiver<String>,
}

/// What is served.
struct Served {
    folder: PathBuf,
    timeline: Vec<u8>,
    page: String,
    tell: Sender<String>,
}

impl Server {
    /// Serves a folder, with `timeline.json` and the page `ask.html`, which is made with the server's address.
    pub(super) fn start(folder: PathBuf, timeline: Vec<u8>, page: impl Fn(&str) -> String) -> Result<Server> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let origin = format!("http://{}", listener.local_addr()?);
        let (tell, told) = channel();
        let served = Arc::new(Served { folder, timeline, page: page(&origin), tell });
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let served = Arc::clone(&served);
                // A browser that hangs up is none of the server's business.
                thread::spawn(move || served.answer(&stream).ok());
            }
        });
        Ok(Server { origin, told })
    }
}

impl Served {
    fn answer(&self, stream: &TcpStream) -> Result<()> {
        let mut from = BufReader::new(stream);
        let mut first = String::new();
        from.read_line(&mut first)?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if from.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = text.trim().parse()?;
            }
        }
        let mut words = first.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().context("no path")?);
        if method == "POST" {
            let mut body = String::new();
            from.take(length).read_to_string(&mut body)?;
            self.tell.send(body)?;
        }
        let path = path.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
        let (status, body) = match (method, path) {
            ("POST", _) => ("204 No Content", Vec::new()),
            (_, "ask.html") => ("200 OK", self.page.clone().into_bytes()),
            (_, "timeline.json") => ("200 OK", self.timeline.clone()),
            (_, path) => match self.file(Path::new(path)) {
                Some(body) => ("200 OK", body),
                None => ("404 Not Found", Vec::new()),
            },
        };
        let kind = match path.rsplit('.').next() {
            Some("html") => "text/html",
            Some("js") => "text/javascript",
            Some("css") => "text/css",
            Some("wasm") => "application/wasm",
            Some("json") => "application/json",
            _ => "application/octet-stream",
        };
        let mut to = stream;
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        to.write_all(head.as_bytes())?;
        to.write_all(&body)?;
        Ok(to.flush()?)
    }

    /// A file of the folder.
    fn file(&self, path: &Path) -> Option<Vec<u8>> {
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        plain.then(|| fs::read(self.folder.join(path)).ok()).flatten()
    }
}
